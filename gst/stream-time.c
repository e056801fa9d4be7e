/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-time.c: see stream-time.h. */
#include "gst/stream-time.h"

#include <gst/video/video.h>

/* Stream time that jumps further over a SEGMENT belongs to another scene. */
#define JUMP GST_SECOND

static void
forget_frames (GstUpiStreamTime *time)
{
  time->next_pts = time->last_start = time->last_end = GST_CLOCK_TIME_NONE;
}

static void
forget_segment (GstUpiStreamTime *time)
{
  gst_segment_init (&time->segment, GST_FORMAT_TIME);
  time->is_time = FALSE;
  time->after_segment = FALSE;
}

void
gst_upi_stream_time_reset (GstUpiStreamTime *time)
{
  *time = (GstUpiStreamTime){ .frame_duration = GST_CLOCK_TIME_NONE };
  forget_frames (time);
  forget_segment (time);
}

gboolean
gst_upi_stream_time_is_reverse (const GstUpiStreamTime *time)
{
  return time->segment.rate * time->segment.applied_rate < 0;
}

static gboolean
is_inside (const GstSegment *segment, GstClockTime pts)
{
  return pts >= segment->start && (!GST_CLOCK_TIME_IS_VALID (segment->stop) || pts <= segment->stop);
}

static gboolean
take_segment (GstUpiStreamTime *time, GstEvent *event)
{
  gboolean was_reverse = gst_upi_stream_time_is_reverse (time);
  gboolean has_frames = GST_CLOCK_TIME_IS_VALID (time->last_start);

  gst_event_copy_segment (event, &time->segment);
  time->is_time = time->segment.format == GST_FORMAT_TIME;
  if (!time->is_time)
    gst_segment_init (&time->segment, GST_FORMAT_TIME);
  if (!GST_CLOCK_TIME_IS_VALID (time->segment.time))
    time->segment.time = time->segment.start;
  /* Frames that are counted are counted on, unless the segment says that they are elsewhere. */
  if (GST_CLOCK_TIME_IS_VALID (time->next_pts) && !is_inside (&time->segment, time->next_pts))
    time->next_pts = GST_CLOCK_TIME_NONE;
  time->after_segment = TRUE;
  if (!has_frames || was_reverse == gst_upi_stream_time_is_reverse (time))
    return FALSE;
  forget_frames (time);
  return TRUE;
}

static void
take_caps (GstUpiStreamTime *time, GstEvent *event)
{
  GstCaps *caps;
  GstVideoInfo info;

  gst_event_parse_caps (event, &caps);
  time->frame_duration = GST_CLOCK_TIME_NONE;
  if (gst_video_info_from_caps (&info, caps) && info.fps_n > 0 && info.fps_d > 0)
    time->frame_duration = gst_util_uint64_scale (GST_SECOND, (guint64) info.fps_d, (guint64) info.fps_n);
}

gboolean
gst_upi_stream_time_take_event (GstUpiStreamTime *time, GstEvent *event)
{
  GstClockTime pts, duration;

  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_STREAM_START:
    time->stream++;
    forget_frames (time);
    return TRUE;
  case GST_EVENT_FLUSH_STOP:
    forget_frames (time);
    forget_segment (time);
    return TRUE;
  case GST_EVENT_SEGMENT:
    return take_segment (time, event);
  case GST_EVENT_GAP: /* time goes on without a frame */
    gst_event_parse_gap (event, &pts, &duration);
    return gst_upi_stream_time_take_frame (time, pts, duration, NULL);
  case GST_EVENT_CAPS:
    take_caps (time, event);
    return FALSE;
  default:
    return FALSE;
  }
}

/* Where the first frame of the segment is: reverse playback begins at its end. */
static GstClockTime
first_pts (const GstUpiStreamTime *time, GstClockTime duration)
{
  const GstSegment *segment = &time->segment;

  if (segment->rate > 0 || !GST_CLOCK_TIME_IS_VALID (segment->stop))
    return segment->start;
  return segment->stop - MIN (duration, segment->stop - segment->start);
}

/* Never beyond what is a time. */
static GstClockTime
add (GstClockTime pts, GstClockTime duration)
{
  return pts > G_MAXINT64 ? pts : MIN (pts + MIN (duration, G_MAXINT64), G_MAXINT64);
}

static GstClockTime
following_pts (const GstUpiStreamTime *time, GstClockTime pts, GstClockTime duration)
{
  if (time->segment.rate > 0)
    return add (pts, duration);
  return pts - MIN (duration, pts);
}

static GstClockTime
clip (const GstSegment *segment, GstClockTime pts)
{
  pts = MAX (pts, segment->start);
  return GST_CLOCK_TIME_IS_VALID (segment->stop) ? MIN (pts, segment->stop) : pts;
}

/* TRUE if the frame at @start to @end is further than JUMP from the last one. */
static gboolean
jumps (const GstUpiStreamTime *time, GstClockTime start, GstClockTime end)
{
  if (!GST_CLOCK_TIME_IS_VALID (time->last_start) || !GST_CLOCK_TIME_IS_VALID (start))
    return FALSE;
  return (start > time->last_end && start - time->last_end > JUMP)
      || (end < time->last_start && time->last_start - end > JUMP);
}

gboolean
gst_upi_stream_time_take_frame (GstUpiStreamTime *time, GstClockTime pts, GstClockTime duration, GstUpiFrameTime *frame)
{
  const GstSegment *segment = &time->segment;
  gboolean has_pts = GST_CLOCK_TIME_IS_VALID (pts), ends = FALSE;

  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = time->frame_duration;
  if (!has_pts && !GST_CLOCK_TIME_IS_VALID (duration))
    duration = time->count_step;
  GstClockTime step = GST_CLOCK_TIME_IS_VALID (duration) ? duration : time->count_step;
  if (!has_pts)
    pts = GST_CLOCK_TIME_IS_VALID (time->next_pts) ? time->next_pts : first_pts (time, step);
  time->next_pts = following_pts (time, pts, step);

  gboolean timed = has_pts && time->is_time && is_inside (segment, pts);
  pts = clip (segment, pts);
  GstClockTime stream_time = gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts);
  GstClockTime end = gst_segment_to_stream_time (segment, GST_FORMAT_TIME, clip (segment, add (pts, step)));
  gboolean known = GST_CLOCK_TIME_IS_VALID (stream_time) && GST_CLOCK_TIME_IS_VALID (end);
  GstClockTime low = known ? MIN (stream_time, end) : GST_CLOCK_TIME_NONE,
               high = known ? MAX (stream_time, end) : GST_CLOCK_TIME_NONE;
  if (time->after_segment)
    ends = jumps (time, low, high);
  time->after_segment = FALSE;
  time->last_start = low;
  time->last_end = high;

  if (frame != NULL)
    *frame = (GstUpiFrameTime){ .timed = timed,
      .pts = pts,
      .duration = duration,
      .stream_time = stream_time,
      .running_time = gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts) };
  return ends;
}
