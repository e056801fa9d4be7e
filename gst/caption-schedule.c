/* caption-schedule.c: see caption-schedule.h. */
#include "gst/caption-schedule.h"

void
gst_upi_caption_schedule_reset (GstUpiCaptionSchedule *schedule)
{
  *schedule = (GstUpiCaptionSchedule){ .seen_pts = GST_CLOCK_TIME_NONE,
    .started_pts = GST_CLOCK_TIME_NONE,
    .described_pts = GST_CLOCK_TIME_NONE,
    .duration = GST_CLOCK_TIME_NONE };
}

/* Reverse playback counts backwards. */
static GstClockTime
distance (GstClockTime a, GstClockTime b)
{
  return a > b ? a - b : b - a;
}

gboolean
gst_upi_caption_schedule_is_due (GstUpiCaptionSchedule *schedule, GstClockTime pts, GstClockTime interval, gboolean has_encoding,
    GstClockTime inference_pts, gboolean taken)
{
  /* Frames without timestamps cannot be told apart: each counts as new. */
  gboolean is_new =
      has_encoding && (!schedule->has_seen || !GST_CLOCK_TIME_IS_VALID (inference_pts) || inference_pts != schedule->seen_pts);

  if (taken || !is_new)
    return FALSE;
  schedule->has_seen = TRUE;
  schedule->seen_pts = inference_pts;
  if (!schedule->has_started || interval == 0)
    return TRUE;
  if (!GST_CLOCK_TIME_IS_VALID (pts) || !GST_CLOCK_TIME_IS_VALID (schedule->started_pts))
    return FALSE;
  return distance (pts, schedule->started_pts) >= interval;
}

void
gst_upi_caption_schedule_start (
    GstUpiCaptionSchedule *schedule, GstClockTime pts, GstClockTime described_pts, GstClockTime duration, gboolean every_encoding)
{
  schedule->has_started = TRUE;
  schedule->every_encoding = every_encoding;
  schedule->started_pts = pts;
  schedule->described_pts = described_pts;
  schedule->duration = duration;
}

gboolean
gst_upi_caption_schedule_shows (const GstUpiCaptionSchedule *schedule, GstClockTime pts, GstClockTime inference_pts)
{
  if (!schedule->has_started)
    return FALSE;
  if (schedule->every_encoding || !GST_CLOCK_TIME_IS_VALID (pts) || !GST_CLOCK_TIME_IS_VALID (schedule->started_pts))
    return inference_pts == schedule->described_pts;
  return distance (pts, schedule->started_pts) < schedule->duration;
}
