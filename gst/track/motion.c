/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* motion.c: see motion.h. */
#include "gst/track/motion.h"

#include <math.h>

/* Standard deviations in shares of the box's size: of place and of velocity a step, and of what is seen (BoT-SORT). */
#define PLACE_NOISE 0.05
#define RATE_NOISE 0.00625
#define SEEN_NOISE 0.05
#define SMALLEST 1e-9 /* of a width or height */

static gdouble
square (gdouble x)
{
  return x * x;
}

/* The size that the noise of an axis is a share of. */
static gdouble
axis_size (const GstUpiMotion *motion, guint axis)
{
  return motion->axes[axis % 2 == 0 ? 2 : 3].value;
}

static void
keep_size (GstUpiMotion *motion)
{
  for (guint a = 2; a < 4; a++)
    motion->axes[a].value = MAX (motion->axes[a].value, SMALLEST);
}

void
gst_upi_motion_start (GstUpiMotion *motion, const GstUpiBox *box)
{
  const gdouble values[4] = { box->x + box->width / 2, box->y + box->height / 2, box->width, box->height };

  for (guint a = 0; a < 4; a++)
    motion->axes[a] = (GstUpiMotionAxis){ .value = values[a] };
  keep_size (motion);
  for (guint a = 0; a < 4; a++) {
    motion->axes[a].value_value = square (2 * PLACE_NOISE * axis_size (motion, a));
    motion->axes[a].rate_rate = square (10 * RATE_NOISE * axis_size (motion, a));
  }
}

void
gst_upi_motion_predict (GstUpiMotion *motion, gdouble steps, gboolean coupled)
{
  gdouble place[4], rate[4];

  for (guint a = 0; a < 4; a++) {
    place[a] = square (PLACE_NOISE * axis_size (motion, a));
    rate[a] = square (RATE_NOISE * axis_size (motion, a));
  }
  for (guint a = 0; a < 4; a++) {
    GstUpiMotionAxis *axis = &motion->axes[a];

    axis->value += steps * axis->rate;
    axis->value_value += steps * (2 * axis->value_rate + steps * axis->rate_rate) + steps * place[a];
    axis->value_rate += steps * axis->rate_rate;
    axis->rate_rate += steps * rate[a];
    if (coupled) { /* velocity as a random walk: the integral of its noise */
      axis->value_value += rate[a] * steps * steps * steps / 3;
      axis->value_rate += rate[a] * steps * steps / 2;
    }
  }
  keep_size (motion);
}

void
gst_upi_motion_correct (GstUpiMotion *motion, const GstUpiBox *box)
{
  const gdouble values[4] = { box->x + box->width / 2, box->y + box->height / 2, box->width, box->height };
  gdouble seen[4];

  for (guint a = 0; a < 4; a++)
    seen[a] = square (SEEN_NOISE * axis_size (motion, a));
  for (guint a = 0; a < 4; a++) {
    GstUpiMotionAxis *axis = &motion->axes[a];
    const gdouble innovation = values[a] - axis->value;
    const gdouble spread = axis->value_value + seen[a];
    const gdouble value_gain = axis->value_value / spread, rate_gain = axis->value_rate / spread;

    axis->value += value_gain * innovation;
    axis->rate += rate_gain * innovation;
    axis->rate_rate -= rate_gain * axis->value_rate;
    axis->value_rate *= 1 - value_gain;
    axis->value_value *= 1 - value_gain;
  }
  keep_size (motion);
}

GstUpiBox
gst_upi_motion_get_box (const GstUpiMotion *motion)
{
  const GstUpiMotionAxis *axes = motion->axes;

  return (
      GstUpiBox){ axes[0].value - axes[2].value / 2, axes[1].value - axes[3].value / 2, axes[2].value, axes[3].value };
}

GstUpiBox
gst_upi_motion_get_box_after (const GstUpiMotion *motion, gdouble steps, gdouble memory)
{
  GstUpiBox box = gst_upi_motion_get_box (motion);
  const gdouble way = memory * (1 - exp (-steps / memory));

  box.x += way * motion->axes[0].rate;
  box.y += way * motion->axes[1].rate;
  return box;
}

void
gst_upi_motion_damp (GstUpiMotion *motion, gdouble kept)
{
  for (guint a = 0; a < 4; a++)
    motion->axes[a].rate *= kept;
}

gdouble
gst_upi_box_overlap (const GstUpiBox *a, const GstUpiBox *b, gdouble buffer)
{
  const gdouble grown = 1 + 2 * buffer;
  const gdouble left = MAX (a->x - buffer * a->width, b->x - buffer * b->width);
  const gdouble top = MAX (a->y - buffer * a->height, b->y - buffer * b->height);
  const gdouble right = MIN (a->x + (1 + buffer) * a->width, b->x + (1 + buffer) * b->width);
  const gdouble bottom = MIN (a->y + (1 + buffer) * a->height, b->y + (1 + buffer) * b->height);
  if (right <= left || bottom <= top)
    return 0;
  const gdouble shared = (right - left) * (bottom - top);
  return shared / (square (grown) * (a->width * a->height + b->width * b->height) - shared);
}
