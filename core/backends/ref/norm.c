/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What normalises: layer norm, group norm, softmax, L2 norm. */

#include "core/backends/ref/ref.h"

/* x (+ residual) over the last dimension */
void
upi_ref_layer_norm (const UpiStep *step)
{
  const UpiNorm *norm = &step->op->u.norm;
  const gfloat *gamma = step->in[1].data, *beta = step->in[2].data;
  gint width = upi_shape_width (&step->out.shape);
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r);
    const gfloat *residual = step->residual.data != NULL ? upi_tensor_row (&step->residual, r) : NULL;
    gfloat *y = upi_tensor_row (&step->out, r);
    gdouble mean = 0, variance = 0, scale;

    for (gint c = 0; c < width; c++)
      mean += (gdouble) x[c] + (residual != NULL ? residual[c] : 0);
    mean /= width;
    for (gint c = 0; c < width; c++) {
      gdouble d = (gdouble) x[c] + (residual != NULL ? residual[c] : 0) - mean;

      variance += d * d;
    }
    scale = 1. / sqrt (variance / width + (gdouble) norm->eps);
    for (gint c = 0; c < width; c++) {
      gdouble d = (gdouble) x[c] + (residual != NULL ? residual[c] : 0) - mean;

      y[c] = upi_ref_act (norm->act, d * scale * (gdouble) gamma[c] + (gdouble) beta[c]);
    }
  }
}

/* x [N,H,W,C] or [N,T,C]: per item and group of channels over all pixels */
void
upi_ref_group_norm (const UpiStep *step)
{
  const UpiNorm *norm = &step->op->u.norm;
  const UpiTensor *x = &step->in[0], *out = &step->out;
  const gfloat *gamma = step->in[1].data, *beta = step->in[2].data;
  gint width = upi_shape_width (&x->shape), channels = width / norm->groups;
  gsize pixels = upi_shape_rows (&x->shape) / (gsize) x->shape.dim[0];

  for (gint n = 0; n < x->shape.dim[0]; n++) {
    for (gint g = 0; g < norm->groups; g++) {
      gdouble mean = 0, variance = 0, scale, count = (gdouble) pixels * channels;

      for (gsize i = 0; i < pixels; i++) {
        for (gint c = g * channels; c < (g + 1) * channels; c++)
          mean += (gdouble) upi_tensor_row (x, (gsize) n * pixels + i)[c];
      }
      mean /= count;
      for (gsize i = 0; i < pixels; i++) {
        for (gint c = g * channels; c < (g + 1) * channels; c++) {
          gdouble d = (gdouble) upi_tensor_row (x, (gsize) n * pixels + i)[c] - mean;

          variance += d * d;
        }
      }
      scale = 1. / sqrt (variance / count + (gdouble) norm->eps);
      for (gsize i = 0; i < pixels; i++) {
        const gfloat *from = upi_tensor_row (x, (gsize) n * pixels + i);
        gfloat *to = upi_tensor_row (out, (gsize) n * pixels + i);

        for (gint c = g * channels; c < (g + 1) * channels; c++)
          to[c] = upi_ref_act (norm->act, ((gdouble) from[c] - mean) * scale * (gdouble) gamma[c] + (gdouble) beta[c]);
      }
    }
  }
}

/* over the last dimension */
void
upi_ref_softmax (const UpiStep *step)
{
  gint width = upi_shape_width (&step->out.shape);
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r);
    gfloat *y = upi_tensor_row (&step->out, r);
    gdouble max = -INFINITY, sum = 0;

    for (gint c = 0; c < width; c++)
      max = MAX (max, (gdouble) x[c]);
    for (gint c = 0; c < width; c++)
      sum += exp ((gdouble) x[c] - max);
    for (gint c = 0; c < width; c++)
      y[c] = (gfloat) (exp ((gdouble) x[c] - max) / sum);
  }
}

/* x / max (‖x‖, 1e-12) over the last dimension */
void
upi_ref_l2_norm (const UpiStep *step)
{
  gint width = upi_shape_width (&step->out.shape);
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r);
    gfloat *y = upi_tensor_row (&step->out, r);
    gdouble sum = 0;

    for (gint c = 0; c < width; c++)
      sum += (gdouble) x[c] * (gdouble) x[c];
    sum = MAX (sqrt (sum), 1e-12);
    for (gint c = 0; c < width; c++)
      y[c] = (gfloat) ((gdouble) x[c] / sum);
  }
}
