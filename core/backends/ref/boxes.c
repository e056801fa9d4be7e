/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boxes: sine position embedding of (cx, cy, w, h), iterative refinement, what anchors say of a box. */

#include "core/backends/ref/ref.h"

/* [N,Q,4] → [N,Q,4·F], coordinates in the order (cy, cx, w, h): feature k of coordinate c has the angle 2π·c /
 * 10000^(2·⌊k/2⌋/F), even k sine, odd k cosine */
void
upi_ref_sine_position (const UpiStep *step)
{
  static const gint order[4] = { 1, 0, 2, 3 };
  gint features = step->op->u.sine.features;

  for (gint n = 0; n < step->out.shape.dim[0]; n++) {
    for (gint q = 0; q < step->out.shape.dim[1]; q++) {
      const gfloat *box = upi_ref_token (&step->in[0], n, q);
      gfloat *y = upi_ref_token (&step->out, n, q);

      for (gint i = 0; i < 4; i++) {
        for (gint k = 0; k < features; k++) {
          gdouble angle = 2 * G_PI * (gdouble) box[order[i]] / pow (10000., (gdouble) (k / 2 * 2) / features);

          y[i * features + k] = (gfloat) (k % 2 == 0 ? sin (angle) : cos (angle));
        }
      }
    }
  }
}

/* sigmoid (delta + inverse_sigmoid (reference)) */
void
upi_ref_box_refine (const UpiStep *step)
{
  const gdouble eps = 1e-5;

  for (gint n = 0; n < step->out.shape.dim[0]; n++) {
    for (gint q = 0; q < step->out.shape.dim[1]; q++) {
      const gfloat *delta = upi_ref_token (&step->in[0], n, q), *reference = upi_ref_token (&step->in[1], n, q);
      gfloat *y = upi_ref_token (&step->out, n, q);

      for (gint i = 0; i < 4; i++) {
        gdouble r = CLAMP ((gdouble) reference[i], eps, 1 - eps);

        y[i] = upi_ref_act (UPI_ACT_SIGMOID, (gdouble) delta[i] + log (r / (1 - r)));
      }
    }
  }
}

/* Intersection over union of boxes (cx, cy, w, h); sides below 0 are none; 0 where a is no number. */
static gdouble
overlap (const gfloat *a, const gfloat *b)
{
  gdouble inter = 1, area_a = 1, area_b = 1;

  for (gint axis = 0; axis < 2; axis++) {
    gdouble a0 = a[axis] - a[2 + axis] / 2., a1 = a[axis] + a[2 + axis] / 2.;
    gdouble b0 = b[axis] - b[2 + axis] / 2., b1 = b[axis] + b[2 + axis] / 2.;

    if (isnan (a0) || isnan (a1))
      return 0;
    inter *= MAX (MIN (a1, b1) - MAX (a0, b0), 0.);
    area_a *= MAX (a1 - a0, 0.);
    area_b *= MAX (b1 - b0, 0.);
  }
  return inter / MAX (area_a + area_b - inter, 1e-9);
}

/* boxes [N,M,4], scores [N,A,K], anchors [N or 1,A,4] → [N,M,K] */
void
upi_ref_anchor_max (const UpiStep *step)
{
  const UpiTensor *boxes = &step->in[0], *scores = &step->in[1], *anchors = &step->in[2];
  const UpiAnchorMax *attributes = &step->op->u.anchor_max;
  gint total = scores->shape.dim[1], columns = scores->shape.dim[2];

  for (gint n = 0; n < boxes->shape.dim[0]; n++) {
    gint from = anchors->shape.dim[0] == 1 ? 0 : n;

    for (gint m = 0; m < boxes->shape.dim[1]; m++) {
      const gfloat *box = upi_ref_token (boxes, n, m);
      gfloat *y = upi_ref_token (&step->out, n, m);
      gdouble best = 0;

      for (gint k = 0; k < columns; k++)
        y[k] = attributes->least;
      for (gint a = 0; a < total; a++) {
        gdouble iou = overlap (box, upi_ref_token (anchors, from, a));

        best = iou > best ? iou : best; /* what is no number is no overlap */
      }
      for (gint a = 0; a < total && best > 0; a++) {
        const gfloat *score = upi_ref_token (scores, n, a);

        if (overlap (box, upi_ref_token (anchors, from, a)) >= attributes->ratio * best)
          for (gint k = 0; k < columns; k++)
            y[k] = MAX (y[k], score[k]);
      }
    }
  }
}
