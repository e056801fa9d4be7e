/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame-times.c: see frame-times.h. */
#include "gst/track/frame-times.h"

void
gst_upi_frame_times_init (GstUpiFrameTimes *times)
{
  times->time = 0;
  times->last_time = GST_CLOCK_TIME_NONE;
  times->next_frame = 0;
}

void
gst_upi_frame_times_take (GstUpiFrameTimes *times, GstClockTime stream_time, GstClockTime pts, gboolean reverse)
{
  if (GST_CLOCK_TIME_IS_VALID (stream_time) && GST_CLOCK_TIME_IS_VALID (times->last_time)) {
    const GstClockTimeDiff passed = GST_CLOCK_DIFF (times->last_time, stream_time);

    times->time += MAX (reverse ? -passed : passed, 0);
  }
  if (GST_CLOCK_TIME_IS_VALID (stream_time))
    times->last_time = stream_time;
  if (GST_CLOCK_TIME_IS_VALID (pts)) {
    times->frames[times->next_frame % GST_UPI_FRAME_TIMES].pts = pts;
    times->frames[times->next_frame % GST_UPI_FRAME_TIMES].time = times->time;
    times->next_frame++;
  }
}

gint64
gst_upi_frame_times_find (const GstUpiFrameTimes *times, GstClockTime pts)
{
  for (guint i = 1; GST_CLOCK_TIME_IS_VALID (pts) && i <= MIN (times->next_frame, GST_UPI_FRAME_TIMES); i++) {
    const guint place = (times->next_frame - i) % GST_UPI_FRAME_TIMES;

    if (times->frames[place].pts == pts)
      return times->frames[place].time;
  }
  return times->time;
}
