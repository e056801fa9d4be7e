/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Normalisations and softmax: layer norm, group norm, softmax and L2 norm over the last dimension. */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (layer_norm) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (group_norm) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (softmax) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (l2_norm) (const UpiStep *s, gint begin, gint end, void *scratch);

/* Units: rows. scratch: one row. y = (x + residual - mean) / sqrt (variance + eps) · gamma + beta. */
void
KERNEL (layer_norm) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out), rs = { 0 };
  const gfloat *gamma = s->in[1].data, *beta = s->in[2].data;
  gfloat *t = scratch;
  const gint width = upi_shape_width (&s->out.shape);

  if (s->residual.data != NULL)
    rs = upi_rows_broadcast (&s->residual, &s->in[0]);
  for (gint row = begin; row < end; row++) {
    const gfloat *x = upi_row (&xs, row), *r = s->residual.data != NULL ? upi_row (&rs, row) : NULL;
    gfloat *y = upi_row (&ys, row), mean, variance, scale;
    vf sum = vset (0), square = vset (0);
    gint c;

    for (c = 0; c + VL <= width; c += VL) {
      vf v = vload (x + c);

      if (r != NULL)
        v += vload (r + c);
      vstore (t + c, v);
      sum += v;
    }
    mean = vsum (sum);
    for (; c < width; c++) {
      t[c] = x[c] + (r != NULL ? r[c] : 0);
      mean += t[c];
    }
    mean /= (gfloat) width;
    for (c = 0; c + VL <= width; c += VL) {
      vf v = vload (t + c) - mean;

      square += v * v;
    }
    variance = vsum (square);
    for (; c < width; c++)
      variance += (t[c] - mean) * (t[c] - mean);
    scale = 1.0f / sqrtf (variance / (gfloat) width + s->op->u.norm.eps);
    for (c = 0; c + VL <= width; c += VL)
      vstore (
          y + c, vactivate ((vload (t + c) - mean) * scale * vload (gamma + c) + vload (beta + c), s->op->u.norm.act));
    if (c < width)
      vstore_part (y + c,
          vactivate ((vload_part (t + c, width - c) - mean) * scale * vload_part (gamma + c, width - c)
                  + vload_part (beta + c, width - c),
              s->op->u.norm.act),
          width - c);
  }
}

/* Units: items. scratch: sums, squares as double [2C], scale and shift [2C], block sums [2C] float. Sums are kept a
 * channel, in float over 32 pixels relative to the first pixel, in double above: exact enough for maps of any size. */
void
KERNEL (group_norm) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *y = &s->out;
  const gfloat *gamma = s->in[1].data, *beta = s->in[2].data;
  const gint channels = upi_shape_width (&x->shape), groups = s->op->u.norm.groups, per = channels / groups;
  const gint pixels = (gint) (upi_shape_rows (&x->shape) / (gsize) x->shape.dim[0]);
  gdouble *sums = scratch, *squares = sums + channels;
  gfloat *scale = (gfloat *) (squares + channels), *shift = scale + channels, *sum = shift + channels,
         *square = sum + channels;
  UpiRows xs = upi_rows (x), ys = upi_rows (y);

  for (gint n = begin; n < end; n++) {
    const gfloat *origin = upi_row (&xs, n * pixels);

    memset (sums, 0, sizeof (gdouble) * 2 * (gsize) channels);
    for (gint first = 0; first < pixels; first += 32) {
      gint stop = MIN (first + 32, pixels), c;

      for (c = 0; c + VL <= channels; c += VL) {
        vf a = vset (0), b = vset (0), o = vload (origin + c);

        for (gint i = first; i < stop; i++) {
          vf v = vload (upi_row (&xs, n * pixels + i) + c) - o;

          a += v;
          b += v * v;
        }
        vstore (sum + c, a);
        vstore (square + c, b);
      }
      for (; c < channels; c++) {
        sum[c] = square[c] = 0;
        for (gint i = first; i < stop; i++) {
          gfloat v = upi_row (&xs, n * pixels + i)[c] - origin[c];

          sum[c] += v;
          square[c] += v * v;
        }
      }
      for (c = 0; c < channels; c++) {
        sums[c] += (gdouble) sum[c];
        squares[c] += (gdouble) square[c];
      }
    }
    for (gint g = 0; g < groups; g++) {
      gdouble count = (gdouble) pixels * per, mean = 0, variance = 0, inverse;

      /* Σ (v + o) and Σ (v + o - mean)² of a group from the sums of v = x - o. */
      for (gint c = g * per; c < (g + 1) * per; c++)
        mean += sums[c] + (gdouble) pixels * (gdouble) origin[c];
      mean /= count;
      for (gint c = g * per; c < (g + 1) * per; c++) {
        gdouble d = (gdouble) origin[c] - mean;

        variance += squares[c] + 2 * d * sums[c] + (gdouble) pixels * d * d;
      }
      inverse = 1.0 / sqrt (MAX (variance / count, 0.0) + (gdouble) s->op->u.norm.eps);
      for (gint c = g * per; c < (g + 1) * per; c++) {
        scale[c] = (gfloat) (inverse * (gdouble) gamma[c]);
        shift[c] = (gfloat) ((gdouble) beta[c] - mean * inverse * (gdouble) gamma[c]);
      }
    }
    for (gint i = 0; i < pixels; i++) {
      const gfloat *in = upi_row (&xs, n * pixels + i);
      gfloat *out = upi_row (&ys, n * pixels + i);
      gint c;

      for (c = 0; c + VL <= channels; c += VL)
        vstore (out + c, vactivate (vload (in + c) * vload (scale + c) + vload (shift + c), s->op->u.norm.act));
      if (c < channels)
        vstore_part (out + c,
            vactivate (vload_part (in + c, channels - c) * vload_part (scale + c, channels - c)
                    + vload_part (shift + c, channels - c),
                s->op->u.norm.act),
            channels - c);
    }
  }
}

/* Units: rows. */
void
KERNEL (softmax) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out);
  const gint width = upi_shape_width (&s->out.shape);

  for (gint row = begin; row < end; row++)
    softmax_row (upi_row (&xs, row), upi_row (&ys, row), width, TRUE);
}

/* Units: rows. x / max (‖x‖, 1e-12). */
void
KERNEL (l2_norm) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out);
  const gint width = upi_shape_width (&s->out.shape);

  for (gint row = begin; row < end; row++) {
    const gfloat *x = upi_row (&xs, row);
    gfloat *y = upi_row (&ys, row), norm;
    vf square = vset (0);
    gint c;

    for (c = 0; c + VL <= width; c += VL)
      square += vload (x + c) * vload (x + c);
    norm = vsum (square);
    for (; c < width; c++)
      norm += x[c] * x[c];
    norm = 1.0f / MAX (sqrtf (norm), 1e-12f);
    for (c = 0; c + VL <= width; c += VL)
      vstore (y + c, vload (x + c) * norm);
    for (; c < width; c++)
      y[c] = x[c] * norm;
  }
}
