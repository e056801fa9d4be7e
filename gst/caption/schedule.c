/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schedule.c: see schedule.h. */
#include "gst/caption/schedule.h"

void
gst_upi_caption_schedule_reset (GstUpiCaptionSchedule *schedule)
{
  *schedule = (GstUpiCaptionSchedule){ .started = GST_CLOCK_TIME_NONE };
}

gboolean
gst_upi_caption_schedule_is_due (const GstUpiCaptionSchedule *schedule, GstClockTime now, GstClockTime interval)
{
  if (!schedule->has_started || interval == 0)
    return TRUE;
  if (!GST_CLOCK_TIME_IS_VALID (now) || !GST_CLOCK_TIME_IS_VALID (schedule->started))
    return FALSE;
  /* Reverse playback counts backwards. */
  return (now > schedule->started ? now - schedule->started : schedule->started - now) >= interval;
}

void
gst_upi_caption_schedule_start (GstUpiCaptionSchedule *schedule, GstClockTime now)
{
  schedule->has_started = TRUE;
  schedule->started = now;
}
