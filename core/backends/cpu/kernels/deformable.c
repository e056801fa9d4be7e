/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-scale deformable attention (Deformable DETR, 2010.04159): one unit is one query of one item.
 *
 * All samples of a head (levels × points) get their four corners and weights at once, without branches: a corner
 * outside its level has the weight zero and an index inside; then each corner is one multiply-add of a head's channels.
 */
#include "core/backends/cpu/kernels/vector.h"

#define MAX_SAMPLES UPI_CPU_MAX_SAMPLES

void KERNEL (deformable_attention) (const UpiStep *s, gint begin, gint end, void *scratch);

/* Of each sample: size and first token of its level. */
typedef struct {
  gfloat width[MAX_SAMPLES], height[MAX_SAMPLES];
  gint32 columns[MAX_SAMPLES], start[MAX_SAMPLES];
} Levels;

/* Corner indices (tokens) and weights of the samples at (x, y), in pixels of their level. */
INLINE void
corners (const Levels *levels, const gfloat *x, const gfloat *y, const gfloat *attention, gint samples,
    gint32 (*index)[MAX_SAMPLES], gfloat (*weight)[MAX_SAMPLES])
{
  for (gint i = 0; i < samples; i += VL) {
    vf w = vload (levels->width + i), h = vload (levels->height + i), a = vload (attention + i);
    /* Clamped (a NaN too) to one pixel round the level: beyond, all corners are outside anyway. */
    vf px = vmin (vmax (vload (x + i), vset (-2)), w + 1), py = vmin (vmax (vload (y + i), vset (-2)), h + 1);
    vf x0 = vtofloat (vtoint (px + 2)) - 2, y0 = vtofloat (vtoint (py + 2)) - 2, fx = px - x0, fy = py - y0;
    vi columns = *(const vi_any *) (levels->columns + i), start = *(const vi_any *) (levels->start + i);

    for (gint corner = 0; corner < 4; corner++) {
      vf cx = x0 + (gfloat) (corner & 1), cy = y0 + (gfloat) (corner >> 1);
      vf part = (corner & 1 ? fx : 1 - fx) * (corner >> 1 ? fy : 1 - fy) * a;
      vi inside = (cx >= 0) & (cx < w) & (cy >= 0) & (cy < h);

      *(vi_any *) (index[corner] + i) = start + ((vtoint (cy) * columns + vtoint (cx)) & inside);
      vstore (weight[corner] + i, vselect (inside, part, vset (0)));
    }
  }
}

void
KERNEL (deformable_attention) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  const UpiDeformable *d = &s->op->u.deformable;
  const UpiTensor *value = &s->in[0], *offsets = &s->in[1], *logits = &s->in[2], *reference = &s->in[3], *out = &s->out;
  const gint queries = out->shape.dim[1], heads = d->heads, samples = d->levels * d->points;
  const gint width = upi_shape_width (&out->shape) / heads, coordinates = upi_shape_width (&reference->shape);
  gfloat x[MAX_SAMPLES] = { 0 }, y[MAX_SAMPLES] = { 0 }, attention[MAX_SAMPLES] = { 0 }, weight[4][MAX_SAMPLES];
  gint32 index[4][MAX_SAMPLES];
  Levels levels = { .width = { 0 } };

  for (gint i = 0; i < samples; i++) {
    gint l = i / d->points;

    levels.width[i] = (gfloat) d->level[l].width;
    levels.height[i] = (gfloat) d->level[l].height;
    levels.columns[i] = d->level[l].width;
    levels.start[i] = d->level[l].start;
  }

  for (gint unit = begin; unit < end; unit++) {
    gint n = unit / queries, q = unit % queries;
    const gfloat *v = (const gfloat *) value->data + (gssize) n * value->stride[0];
    const gfloat *off =
        (const gfloat *) offsets->data + (gssize) n * offsets->stride[0] + (gssize) q * offsets->stride[1];
    const gfloat *logit =
        (const gfloat *) logits->data + (gssize) n * logits->stride[0] + (gssize) q * logits->stride[1];
    const gfloat *ref = (const gfloat *) reference->data
        + (reference->shape.dim[0] > 1 ? (gssize) n * reference->stride[0] : 0) + (gssize) q * reference->stride[1];
    gfloat *o = (gfloat *) out->data + (gssize) n * out->stride[0] + (gssize) q * out->stride[1];

    for (gint head = 0; head < heads; head++, off += 2 * samples, logit += samples, v += width, o += width) {
      gfloat inverse;

      for (gint i = 0; i < samples; i++) {
        /* Two coordinates: offsets in pixels of the level; four: in half boxes over the number of points. */
        gfloat sx = coordinates == 4 ? ref[2] * 0.5f / (gfloat) d->points * levels.width[i] : 1;
        gfloat sy = coordinates == 4 ? ref[3] * 0.5f / (gfloat) d->points * levels.height[i] : 1;

        x[i] = ref[0] * levels.width[i] + off[2 * i] * sx - 0.5f;
        y[i] = ref[1] * levels.height[i] + off[2 * i + 1] * sy - 0.5f;
      }
      inverse = 1.0f / softmax_row (logit, attention, samples, FALSE);
      corners (&levels, x, y, attention, samples, index, weight);
      for (gint c = 0; c < width; c += VL) {
        gint left = width - c;

        if (left >= VL) {
          vf acc[4] = { vset (0), vset (0), vset (0), vset (0) };

          for (gint i = 0; i < samples; i++) {
            UNROLL (4)
            for (gint corner = 0; corner < 4; corner++)
              acc[corner] += weight[corner][i] * vload (v + (gssize) index[corner][i] * value->stride[1] + c);
          }
          vstore (o + c, ((acc[0] + acc[1]) + (acc[2] + acc[3])) * inverse);
        } else {
          vf acc = vset (0);

          for (gint i = 0; i < samples; i++)
            for (gint corner = 0; corner < 4; corner++)
              acc += weight[corner][i] * vload_part (v + (gssize) index[corner][i] * value->stride[1] + c, left);
          vstore_part (o + c, acc * inverse, left);
        }
      }
    }
  }
}
