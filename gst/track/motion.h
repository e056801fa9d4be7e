/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* motion.h: where a box is and where it goes: a Kalman filter of constant velocity whose noise grows with the box, as
 * SORT, BoT-SORT and C-BIoU have it. Centre, width and height are four filters of two values each, as nothing couples
 * them. Any unit of length; a different one for x and y changes nothing. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Times are counted in steps of 1/30 s, the frame that the noise is given for. */
#define GST_UPI_MOTION_STEPS_PER_SECOND 30.0

/* GstUpiBox: top-left corner and size. */
typedef struct {
  gdouble x, y, width, height;
} GstUpiBox;

/* GstUpiMotionAxis: a length, its rate per step, and their covariance. */
typedef struct {
  gdouble value, rate;
  gdouble value_value, value_rate, rate_rate;
} GstUpiMotionAxis;

/**
 * GstUpiMotion:
 * @axes: centre x, centre y, width, height
 */
typedef struct {
  GstUpiMotionAxis axes[4];
} GstUpiMotion;

/* From the first box: at rest. */
void gst_upi_motion_start (GstUpiMotion *motion, const GstUpiBox *box);

/**
 * gst_upi_motion_predict:
 * @steps: how long from now, > 0
 * @coupled: what velocity does not know place does not know either, and twice half the time is the whole; FALSE: the
 * diagonal noise of one step,
 *   as those trackers have it
 */
void gst_upi_motion_predict (GstUpiMotion *motion, gdouble steps, gboolean coupled);

/* Now the object was seen in @box. */
void gst_upi_motion_correct (GstUpiMotion *motion, const GstUpiBox *box);

GstUpiBox gst_upi_motion_get_box (const GstUpiMotion *motion);

/**
 * gst_upi_motion_get_box_after: where the box will be; the filter stays.
 * @memory: steps after which a velocity has lost most of its meaning: a box comes to rest there instead of leaving for
 * ever; its size stays
 */
GstUpiBox gst_upi_motion_get_box_after (const GstUpiMotion *motion, gdouble steps, gdouble memory);

/* The share @kept of the velocity stays. */
void gst_upi_motion_damp (GstUpiMotion *motion, gdouble kept);

/* What of two boxes' union is in both, after each grew on every side by @buffer of its size (C-BIoU). 0: the plain
 * overlap. */
gdouble gst_upi_box_overlap (const GstUpiBox *a, const GstUpiBox *b, gdouble buffer);

G_END_DECLS
