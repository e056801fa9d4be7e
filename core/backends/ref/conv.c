/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 2-D convolution, grouped and depthwise included: x [N,H,W,C] * w [O,C/groups,kh,kw] + bias (+ residual), activation →
 * [N,OH,OW,O]. */

#include "core/backends/ref/ref.h"

/* One output value before bias: the window at (top, left) of the input, group's channels from `first`. */
static gdouble
window_sum (const UpiTensor *x, const gfloat *w, const UpiShape *w_shape, gint n, gint top, gint left, gint first)
{
  gint channels = w_shape->dim[1], kh = w_shape->dim[2], kw = w_shape->dim[3];
  gdouble sum = 0;

  for (gint i = 0; i < kh; i++) {
    for (gint j = 0; j < kw; j++) {
      const gfloat *pixel;

      if (top + i < 0 || top + i >= x->shape.dim[1] || left + j < 0 || left + j >= x->shape.dim[2])
        continue; /* padding is zero */
      pixel = upi_ref_pixel (x, n, top + i, left + j) + first;
      for (gint c = 0; c < channels; c++)
        sum += (gdouble) pixel[c] * (gdouble) w[(c * kh + i) * kw + j];
    }
  }
  return sum;
}

void
upi_ref_conv2d (const UpiStep *step)
{
  const UpiConv *conv = &step->op->u.conv;
  const UpiTensor *x = &step->in[0], *weight = &step->in[1], *out = &step->out;
  const gfloat *w = weight->data, *bias = step->in[2].data;
  gint outputs = weight->shape.dim[0], group_outputs = outputs / conv->groups;
  gint filter = weight->shape.dim[1] * weight->shape.dim[2] * weight->shape.dim[3];

  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint i = 0; i < out->shape.dim[1]; i++) {
      for (gint j = 0; j < out->shape.dim[2]; j++) {
        gfloat *y = upi_ref_pixel (out, n, i, j);
        const gfloat *residual = step->residual.data != NULL ? upi_ref_pixel (&step->residual, n, i, j) : NULL;

        for (gint o = 0; o < outputs; o++) {
          gint first = o / group_outputs * weight->shape.dim[1];
          gdouble sum = window_sum (x, w + (gsize) o * filter, &weight->shape, n, i * conv->stride - conv->pad_top,
              j * conv->stride - conv->pad_left, first);

          sum += bias != NULL ? bias[o] : 0;
          sum += residual != NULL ? residual[o] : 0;
          y[o] = upi_ref_act (conv->act, sum);
        }
      }
    }
  }
}
