/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-scale deformable attention (Deformable DETR, 2010.04159): each head of a query reads L·K bilinear samples of
 * value around the query's reference point, weighted by a softmax over them. */

#include "core/backends/ref/ref.h"

typedef struct {
  const UpiTensor *value;
  gint n, height, width, start;
} Level;

static gdouble
tap (const Level *level, gint y, gint x, gint channel)
{
  if (y < 0 || y >= level->height || x < 0 || x >= level->width)
    return 0; /* zero outside */
  return (gdouble) upi_ref_token (level->value, level->n, level->start + y * level->width + x)[channel];
}

/* Bilinear sample at (x, y) in pixels of the level, pixel centres at integers. */
static gdouble
sample (const Level *level, gdouble x, gdouble y, gint channel)
{
  gint x0, y0;
  gdouble fx, fy;

  /* Also keeps what is no number, or too large for an int, out of the cast. */
  if (!(x > -1 && x < level->width && y > -1 && y < level->height))
    return 0;
  x0 = (gint) floor (x);
  y0 = (gint) floor (y);
  fx = x - x0;
  fy = y - y0;
  return (1 - fy) * ((1 - fx) * tap (level, y0, x0, channel) + fx * tap (level, y0, x0 + 1, channel))
      + fy * ((1 - fx) * tap (level, y0 + 1, x0, channel) + fx * tap (level, y0 + 1, x0 + 1, channel));
}

static void
softmax (const gfloat *logits, gint count, gdouble *weights)
{
  gdouble max = -INFINITY, sum = 0;

  for (gint i = 0; i < count; i++)
    max = MAX (max, (gdouble) logits[i]);
  for (gint i = 0; i < count; i++)
    sum += weights[i] = exp ((gdouble) logits[i] - max);
  for (gint i = 0; i < count; i++)
    weights[i] /= sum;
}

/* One head of one query. offsets [L,K,2], weights [L,K]; writes channels first .. first + width - 1. */
static void
attend (const UpiStep *step, gint n, gint head, const gfloat *offsets, const gdouble *weights, const gfloat *reference,
    gfloat *out)
{
  const UpiDeformable *d = &step->op->u.deformable;
  gint width = step->in[0].shape.dim[2] / d->heads, boxes = step->in[3].shape.dim[2] == 4;

  for (gint c = head * width; c < (head + 1) * width; c++) {
    gdouble sum = 0;

    for (gint i = 0; i < d->levels * d->points; i++) {
      gint l = i / d->points;
      Level level = { &step->in[0], n, d->level[l].height, d->level[l].width, d->level[l].start };
      gdouble dx = offsets[2 * i], dy = offsets[2 * i + 1], x, y;

      if (boxes) { /* loc = centre + offset / K · size / 2 */
        x = (reference[0] + dx / d->points * (gdouble) reference[2] * 0.5) * level.width;
        y = (reference[1] + dy / d->points * (gdouble) reference[3] * 0.5) * level.height;
      } else { /* loc = reference + offset in pixels of the level */
        x = (gdouble) reference[0] * level.width + dx;
        y = (gdouble) reference[1] * level.height + dy;
      }
      sum += weights[i] * sample (&level, x - 0.5, y - 0.5, c);
    }
    out[c] = (gfloat) sum;
  }
}

void
upi_ref_deformable_attention (const UpiStep *step)
{
  const UpiDeformable *d = &step->op->u.deformable;
  const UpiTensor *out = &step->out, *reference = &step->in[3];
  gint samples = d->levels * d->points;

  for (gint n = 0; n < out->shape.dim[0]; n++) {
    for (gint q = 0; q < out->shape.dim[1]; q++) {
      const gfloat *offsets = upi_ref_token (&step->in[1], n, q), *logits = upi_ref_token (&step->in[2], n, q);
      const gfloat *point = upi_ref_token (reference, reference->shape.dim[0] > 1 ? n : 0, q);

      for (gint h = 0; h < d->heads; h++) {
        softmax (logits + h * samples, samples, step->scratch);
        attend (step, n, h, offsets + 2 * h * samples, step->scratch, point, upi_ref_token (out, n, q));
      }
    }
  }
}
