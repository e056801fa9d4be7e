/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps to maps: bilinear and nearest resize, max pooling, adaptive average pooling. */

#include "core/backends/ref/ref.h"

#include <string.h>

/* Source of output index i: half-pixel centres, edges clamped. */
static gint
source (gint i, gint from, gint to, gdouble *fraction)
{
  gdouble position = MAX ((i + 0.5) * from / to - 0.5, 0.);
  gint index = MIN ((gint) position, from - 1);

  *fraction = position - index;
  return index;
}

/* Cells as they are. */
static void
resize_nearest (const UpiTensor *x, const UpiTensor *out)
{
  for (gint n = 0; n < out->shape.dim[0]; n++)
    for (gint i = 0; i < out->shape.dim[1]; i++)
      for (gint j = 0; j < out->shape.dim[2]; j++)
        memcpy (upi_ref_pixel (out, n, i, j),
            upi_ref_pixel (x, n, i * x->shape.dim[1] / out->shape.dim[1], j * x->shape.dim[2] / out->shape.dim[2]),
            (gsize) out->shape.dim[3] * sizeof (gfloat));
}

void
upi_ref_resize (const UpiStep *step)
{
  const UpiTensor *x = &step->in[0], *out = &step->out;
  gint height = x->shape.dim[1], width = x->shape.dim[2];

  if (step->op->u.resize.nearest) {
    resize_nearest (x, out);
    return;
  }
  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint i = 0; i < out->shape.dim[1]; i++) {
      for (gint j = 0; j < out->shape.dim[2]; j++) {
        gdouble fy, fx;
        gint y0 = source (i, height, out->shape.dim[1], &fy), y1 = MIN (y0 + 1, height - 1);
        gint x0 = source (j, width, out->shape.dim[2], &fx), x1 = MIN (x0 + 1, width - 1);
        const gfloat *a = upi_ref_pixel (x, n, y0, x0), *b = upi_ref_pixel (x, n, y0, x1);
        const gfloat *c = upi_ref_pixel (x, n, y1, x0), *d = upi_ref_pixel (x, n, y1, x1);
        gfloat *y = upi_ref_pixel (out, n, i, j);

        for (gint k = 0; k < out->shape.dim[3]; k++)
          y[k] = (gfloat) ((1 - fy) * ((1 - fx) * a[k] + fx * b[k]) + fy * ((1 - fx) * c[k] + fx * d[k]));
      }
    }
  }
}

/* What lies outside the map does not compete. */
void
upi_ref_max_pool (const UpiStep *step)
{
  const UpiPool *pool = &step->op->u.pool;
  const UpiTensor *x = &step->in[0], *out = &step->out;

  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint i = 0; i < out->shape.dim[1]; i++) {
      for (gint j = 0; j < out->shape.dim[2]; j++) {
        gint top = i * pool->stride - pool->pad, left = j * pool->stride - pool->pad;
        gfloat *y = upi_ref_pixel (out, n, i, j);

        for (gint k = 0; k < out->shape.dim[3]; k++)
          y[k] = -INFINITY;
        for (gint r = MAX (top, 0); r < MIN (top + pool->kernel, x->shape.dim[1]); r++) {
          for (gint s = MAX (left, 0); s < MIN (left + pool->kernel, x->shape.dim[2]); s++) {
            const gfloat *pixel = upi_ref_pixel (x, n, r, s);

            for (gint k = 0; k < out->shape.dim[3]; k++)
              y[k] = MAX (y[k], pixel[k]);
          }
        }
      }
    }
  }
}

/* Windows floor (i·H/OH) .. ceil ((i+1)·H/OH), as PyTorch's */
void
upi_ref_adaptive_avg_pool (const UpiStep *step)
{
  const UpiTensor *x = &step->in[0], *out = &step->out;
  gint64 height = x->shape.dim[1], width = x->shape.dim[2], rows = out->shape.dim[1], columns = out->shape.dim[2];

  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint i = 0; i < rows; i++) {
      gint top = (gint) (i * height / rows), bottom = (gint) (((i + 1) * height + rows - 1) / rows);

      for (gint j = 0; j < columns; j++) {
        gint left = (gint) (j * width / columns), right = (gint) (((j + 1) * width + columns - 1) / columns);
        gfloat *y = upi_ref_pixel (out, n, i, j);

        for (gint k = 0; k < out->shape.dim[3]; k++) {
          gdouble sum = 0;

          for (gint r = top; r < bottom; r++) {
            for (gint s = left; s < right; s++)
              sum += (gdouble) upi_ref_pixel (x, n, r, s)[k];
          }
          y[k] = (gfloat) (sum / ((gdouble) (bottom - top) * (right - left)));
        }
      }
    }
  }
}
