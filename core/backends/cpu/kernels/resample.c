/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps that change their size: bilinear and nearest resize, max pool, adaptive average pool, mean of tokens. */
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (resize) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (max_pool) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (adaptive_avg_pool) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (mean_tokens) (const UpiStep *s, gint begin, gint end, void *scratch);

/* Cells as they are. */
static void
nearest_row (const UpiCpuState *t, const gfloat *line, gfloat *out, const UpiTensor *y)
{
  const gint height = y->shape.dim[1], width = y->shape.dim[2], channels = y->shape.dim[3];

  for (gint ox = 0; ox < width; ox++, out += y->stride[2])
    memcpy (out, line + t->offsets[height + ox], (gsize) channels * sizeof (gfloat));
}

/* Units: output rows of all items. */
void
KERNEL (resize) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *y = &s->out;
  const UpiCpuState *t = s->state;
  const gint height = y->shape.dim[1], width = y->shape.dim[2], channels = y->shape.dim[3];
  const gint32 *first = t->offsets, *second = t->offsets + height + width;

  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / height, oy = unit % height;
    const gfloat *image = (const gfloat *) x->data + (gssize) n * x->stride[0];
    const gfloat *upper = image + first[oy], *lower = image + second[oy];
    gfloat *out = (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) oy * y->stride[1], wy = t->weights[oy];

    if (s->op->u.resize.nearest) {
      nearest_row (t, upper, out, y);
      continue;
    }
    for (gint ox = 0; ox < width; ox++, out += y->stride[2]) {
      gint a = first[height + ox], b = second[height + ox], c;
      gfloat wx = t->weights[height + ox];

      for (c = 0; c + VL <= channels; c += VL) {
        vf p = vload (upper + a + c) * (1 - wx) + vload (upper + b + c) * wx;
        vf q = vload (lower + a + c) * (1 - wx) + vload (lower + b + c) * wx;

        vstore (out + c, p * (1 - wy) + q * wy);
      }
      for (; c < channels; c++)
        out[c] = (upper[a + c] * (1 - wx) + upper[b + c] * wx) * (1 - wy)
            + (lower[a + c] * (1 - wx) + lower[b + c] * wx) * wy;
    }
  }
}

/* One pixel: maximum or mean over the window [top, bottom) × [left, right). */
INLINE void
window (const UpiTensor *x, const gfloat *image, gint top, gint bottom, gint left, gint right, gfloat *out,
    gint channels, gboolean mean)
{
  const gfloat scale = 1.0f / (gfloat) ((bottom - top) * (right - left));

  for (gint c = 0; c < channels; c += VL) {
    gint rest = channels - c;
    vf acc = vset (mean ? 0 : -INFINITY);

    for (gint iy = top; iy < bottom; iy++)
      for (gint ix = left; ix < right; ix++) {
        const gfloat *p = image + (gssize) iy * x->stride[1] + (gssize) ix * x->stride[2] + c;
        vf v = rest < VL ? vload_part (p, rest) : vload (p);

        acc = mean ? acc + v : vmax (v, acc);
      }
    if (mean)
      acc *= scale;
    if (rest < VL)
      vstore_part (out + c, acc, rest);
    else
      vstore (out + c, acc);
  }
}

/* Units: output rows of all items. */
void
KERNEL (max_pool) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *y = &s->out;
  const UpiPool *pool = &s->op->u.pool;

  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / y->shape.dim[1], oy = unit % y->shape.dim[1], iy = oy * pool->stride - pool->pad;

    for (gint ox = 0; ox < y->shape.dim[2]; ox++) {
      gint ix = ox * pool->stride - pool->pad;

      window (x, (const gfloat *) x->data + (gssize) n * x->stride[0], MAX (iy, 0),
          MIN (iy + pool->kernel, x->shape.dim[1]), MAX (ix, 0), MIN (ix + pool->kernel, x->shape.dim[2]),
          (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) oy * y->stride[1] + (gssize) ox * y->stride[2],
          y->shape.dim[3], FALSE);
    }
  }
}

/* A row of windows 2×2 of few channels, a picture's three: no vector of a pixel's channels would be full. */
INLINE void
halve_row (const gfloat *upper, const gfloat *lower, gssize column, gfloat *out, gssize out_column, gint width,
    const gint channels)
{
  for (gint ox = 0; ox < width; ox++, upper += 2 * column, lower += 2 * column, out += out_column)
    for (gint c = 0; c < channels; c++)
      out[c] = 0.25f * ((upper[c] + upper[column + c]) + (lower[c] + lower[column + c]));
}

/* Units: output rows of all items. Windows as PyTorch's: [floor (i·in / out), ceil ((i + 1)·in / out)). */
void
KERNEL (adaptive_avg_pool) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *y = &s->out;
  const gint height = x->shape.dim[1], width = x->shape.dim[2], oh = y->shape.dim[1], ow = y->shape.dim[2];

  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / oh, oy = unit % oh;

    if (height == 2 * oh && width == 2 * ow && y->shape.dim[3] == 3) {
      const gfloat *upper = (const gfloat *) x->data + (gssize) n * x->stride[0] + (gssize) (2 * oy) * x->stride[1];

      halve_row (upper, upper + x->stride[1], x->stride[2],
          (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) oy * y->stride[1], y->stride[2], ow, 3);
      continue;
    }
    for (gint ox = 0; ox < ow; ox++)
      window (x, (const gfloat *) x->data + (gssize) n * x->stride[0], oy * height / oh,
          ((oy + 1) * height + oh - 1) / oh, ox * width / ow, ((ox + 1) * width + ow - 1) / ow,
          (gfloat *) y->data + (gssize) n * y->stride[0] + (gssize) oy * y->stride[1] + (gssize) ox * y->stride[2],
          y->shape.dim[3], TRUE);
  }
}

/* Units: items. */
void
KERNEL (mean_tokens) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiTensor *x = &s->in[0], *y = &s->out;
  /* A row of tokens is a map of height 1. */
  const UpiTensor map = { x->data, x->dtype, UPI_SHAPE4 (x->shape.dim[0], 1, x->shape.dim[1], x->shape.dim[2]),
    { x->stride[0], 0, x->stride[1], 1 } };

  for (gint n = begin; n < end; n++)
    window (&map, (const gfloat *) x->data + (gssize) n * x->stride[0], 0, 1, 0, x->shape.dim[1],
        (gfloat *) y->data + (gssize) n * y->stride[0], x->shape.dim[2], TRUE);
}
