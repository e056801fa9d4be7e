/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedule.h: which frames start a caption. Reads no clock: stream times alone decide. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  gboolean has_started;
  GstClockTime started; /* stream time of the frame that the last caption started with */
} GstUpiCaptionSchedule;

void gst_upi_caption_schedule_reset (GstUpiCaptionSchedule *schedule);

/**
 * gst_upi_caption_schedule_is_due:
 * @now: stream time of the frame, counted where it has none
 * @interval: from one start to the next; 0 = every encoding
 *
 * Returns: TRUE if a frame with a new encoding asks for a caption: the interval is over, in either direction
 */
gboolean
gst_upi_caption_schedule_is_due (const GstUpiCaptionSchedule *schedule, GstClockTime now, GstClockTime interval);

/* A caption starts with the frame at @now. It shows until the next one does. */
void gst_upi_caption_schedule_start (GstUpiCaptionSchedule *schedule, GstClockTime now);

G_END_DECLS
