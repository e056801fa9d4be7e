/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c: see stream.h. */
#include "gst/caption/stream.h"

#include <math.h>
#include <string.h>

void
gst_upi_caption_stream_init (GstUpiCaptionStream *stream)
{
  g_mutex_init (&stream->lock);
  gst_segment_init (&stream->text, GST_FORMAT_TIME);
}

void
gst_upi_caption_stream_clear (GstUpiCaptionStream *stream)
{
  gst_clear_object (&stream->pad);
  g_clear_pointer (&stream->stream_id, g_free);
  gst_clear_event (&stream->segment);
  g_mutex_clear (&stream->lock);
}

void
gst_upi_caption_stream_reset (GstUpiCaptionStream *stream, GstUpiTextTime text_time)
{
  stream->text_time = text_time;
  gst_segment_init (&stream->text, GST_FORMAT_TIME);
  g_mutex_lock (&stream->lock);
  g_clear_pointer (&stream->stream_id, g_free);
  gst_clear_event (&stream->segment);
  stream->eos = FALSE;
  g_mutex_unlock (&stream->lock);
}

static GstUpiCaptionPad *
ref_pad (GstUpiCaptionStream *stream)
{
  g_mutex_lock (&stream->lock);
  GstUpiCaptionPad *pad = stream->pad != NULL ? gst_object_ref (stream->pad) : NULL;
  g_mutex_unlock (&stream->lock);
  return pad;
}

/* lock held. @event: (transfer full) */
static void
queue_event (GstUpiCaptionStream *stream, GstEvent *event)
{
  if (stream->pad != NULL)
    gst_upi_caption_pad_queue (stream->pad, GST_MINI_OBJECT_CAST (event));
  else
    gst_event_unref (event);
}

/* lock held. A stream of its own, sparse, in the video's group. */
static void
queue_stream_start (GstUpiCaptionStream *stream)
{
  GstEvent *event = gst_event_new_stream_start (stream->stream_id);
  gst_event_set_stream_flags (event, GST_STREAM_FLAG_SPARSE);
  if (stream->has_group_id)
    gst_event_set_group_id (event, stream->group_id);
  queue_event (stream, event);

  GstCaps *caps = gst_caps_new_simple ("text/x-raw", "format", G_TYPE_STRING, "utf8", NULL);
  queue_event (stream, gst_event_new_caps (caps));
  gst_caps_unref (caps);
}

GstPad *
gst_upi_caption_stream_open (GstUpiCaptionStream *stream, GstPadTemplate *templ, gboolean active)
{
  GstPad *pad = NULL;

  g_mutex_lock (&stream->lock);
  if (stream->pad == NULL) {
    pad = gst_upi_caption_pad_new (templ, "text");
    stream->pad = GST_UPI_CAPTION_PAD (gst_object_ref_sink (pad));
    if (active)
      gst_pad_set_active (pad, TRUE);
    if (stream->stream_id != NULL)
      queue_stream_start (stream);
    if (stream->segment != NULL)
      queue_event (stream, gst_event_ref (stream->segment));
    if (stream->eos)
      queue_event (stream, gst_event_new_eos ());
  }
  g_mutex_unlock (&stream->lock);
  return pad;
}

GstUpiCaptionPad *
gst_upi_caption_stream_close (GstUpiCaptionStream *stream, GstPad *pad)
{
  g_mutex_lock (&stream->lock);
  GstUpiCaptionPad *closed = GST_PAD (stream->pad) == pad ? g_steal_pointer (&stream->pad) : NULL;
  g_mutex_unlock (&stream->lock);
  return closed;
}

/* lock held */
static void
take_stream_start (GstUpiCaptionStream *stream, GstEvent *event)
{
  const gchar *video_id;

  gst_event_parse_stream_start (event, &video_id);
  g_free (stream->stream_id);
  stream->stream_id = g_strconcat (video_id, "/captions", NULL);
  stream->has_group_id = gst_event_parse_group_id (event, &stream->group_id);
  stream->eos = FALSE;
  queue_stream_start (stream);
}

static void
take_flush (GstUpiCaptionStream *stream, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP) {
    g_mutex_lock (&stream->lock);
    stream->eos = FALSE;
    gst_clear_event (&stream->segment);
    g_mutex_unlock (&stream->lock);
    gst_segment_init (&stream->text, GST_FORMAT_TIME);
  }
  g_autoptr (GstUpiCaptionPad) pad = ref_pad (stream); /* not under the lock: a push may have to return first */
  if (pad != NULL)
    gst_upi_caption_pad_flush (pad, gst_event_ref (event));
}

/* The segment becomes @stream->text. */
static void
push_segment (GstUpiCaptionStream *stream)
{
  GstEvent *event = gst_event_new_segment (&stream->text);

  g_mutex_lock (&stream->lock);
  gst_event_replace (&stream->segment, event);
  stream->eos = FALSE;
  queue_event (stream, event);
  g_mutex_unlock (&stream->lock);
}

/* Seconds of stream time in one of running time. */
static gdouble
speed_of (const GstSegment *video)
{
  return fabs (video->rate * video->applied_rate);
}

/* The video's segment in stream time; see stream.h. */
static void
take_segment (GstUpiCaptionStream *stream, const GstUpiStreamTime *time)
{
  const GstSegment *video = &time->segment;
  gboolean has_stop = GST_CLOCK_TIME_IS_VALID (video->stop);

  gst_segment_init (&stream->text, GST_FORMAT_TIME);
  if (stream->text_time == GST_UPI_TEXT_TIME_STREAM) {
    GstClockTime low = gst_segment_to_stream_time (video, GST_FORMAT_TIME, video->start);
    GstClockTime high =
        has_stop ? gst_segment_to_stream_time (video, GST_FORMAT_TIME, video->stop) : GST_CLOCK_TIME_NONE;
    if (video->applied_rate < 0) {
      GstClockTime first = low;
      low = high;
      high = first;
    }
    GstClockTime offset = (GstClockTime) ((gdouble) video->offset * fabs (video->applied_rate));
    gboolean reverse = gst_upi_stream_time_is_reverse (time);
    stream->text.flags = video->flags;
    stream->text.rate = speed_of (video);
    stream->text.base = video->base;
    stream->text.start = stream->text.time = stream->text.position =
        (GST_CLOCK_TIME_IS_VALID (low) ? low : 0) + (reverse ? 0 : offset);
    stream->text.stop = reverse ? GST_CLOCK_TIME_NONE : high;
  }
  push_segment (stream);
}

/* The end of the segment, on the text's own line. */
static void
take_segment_done (GstUpiCaptionStream *stream, GstEvent *event, const GstUpiStreamTime *time)
{
  GstFormat format;
  gint64 position;

  gst_event_parse_segment_done (event, &format, &position);
  guint64 end = GST_CLOCK_TIME_NONE;
  if (format == GST_FORMAT_TIME && position >= 0 && stream->text_time == GST_UPI_TEXT_TIME_RUNNING)
    end = gst_segment_to_running_time (&time->segment, GST_FORMAT_TIME, (guint64) position);
  else if (format == GST_FORMAT_TIME && position >= 0)
    end = gst_segment_to_stream_time (&time->segment, GST_FORMAT_TIME, (guint64) position);
  g_mutex_lock (&stream->lock);
  queue_event (stream, gst_event_new_segment_done (GST_FORMAT_TIME, (gint64) end));
  g_mutex_unlock (&stream->lock);
}

/* Where on the text's own line a frame without caption is. */
static GstClockTime
gap_pts (const GstUpiCaptionStream *stream, const GstUpiStreamTime *time, const GstUpiFrameTime *frame)
{
  GstClockTime pts = frame->stream_time;

  if (stream->text_time == GST_UPI_TEXT_TIME_RUNNING)
    pts = frame->running_time;
  else if (gst_upi_stream_time_is_reverse (time))
    pts = gst_segment_position_from_running_time (&stream->text, GST_FORMAT_TIME, frame->running_time);
  return GST_CLOCK_TIME_IS_VALID (pts) ? pts : stream->text.start;
}

static GstClockTime
scale (GstClockTime duration, gdouble factor)
{
  return GST_CLOCK_TIME_IS_VALID (duration) ? (GstClockTime) ((gdouble) duration * factor) : duration;
}

/* Reverse playback: the caption holds for what is shown from this frame on, which in the video lies before it. */
static void
turn_caption (GstUpiCaptionStream *stream, const GstUpiStreamTime *time, const GstUpiFrameTime *frame,
    GstClockTime *pts, GstClockTime *duration)
{
  const GstSegment *video = &time->segment;
  GstClockTime end = frame->stream_time;

  if (video->applied_rate > 0 && GST_CLOCK_TIME_IS_VALID (frame->duration))
    end += scale (frame->duration, video->applied_rate);
  GstClockTime first =
      gst_segment_to_stream_time (video, GST_FORMAT_TIME, video->applied_rate > 0 ? video->start : video->stop);
  if (!GST_CLOCK_TIME_IS_VALID (first) || first > end)
    first = 0;
  *duration = MIN (*duration, end - first);
  *pts = end - *duration;

  gst_segment_init (&stream->text, GST_FORMAT_TIME);
  stream->text.rate = speed_of (video);
  stream->text.base = GST_CLOCK_TIME_IS_VALID (frame->running_time) ? frame->running_time : 0;
  stream->text.start = stream->text.time = stream->text.position = *pts;
  push_segment (stream);
}

void
gst_upi_caption_stream_take_event (GstUpiCaptionStream *stream, GstEvent *event, const GstUpiStreamTime *time)
{
  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_STREAM_START:
    g_mutex_lock (&stream->lock);
    take_stream_start (stream, event);
    g_mutex_unlock (&stream->lock);
    break;
  case GST_EVENT_SEGMENT:
    take_segment (stream, time);
    break;
  case GST_EVENT_EOS:
    g_mutex_lock (&stream->lock);
    stream->eos = TRUE;
    queue_event (stream, gst_event_ref (event));
    g_mutex_unlock (&stream->lock);
    break;
  case GST_EVENT_SEGMENT_DONE:
    take_segment_done (stream, event, time);
    break;
  case GST_EVENT_FLUSH_START:
  case GST_EVENT_FLUSH_STOP:
    take_flush (stream, event);
    break;
  default: /* caps, tags and the like are about the video */
    break;
  }
}

guint
gst_upi_caption_stream_push (GstUpiCaptionStream *stream, const gchar *caption, const GstUpiStreamTime *time,
    const GstUpiFrameTime *frame, GstClockTime duration)
{
  const gdouble speed = speed_of (&time->segment);
  gboolean running = stream->text_time == GST_UPI_TEXT_TIME_RUNNING;
  g_autoptr (GstUpiCaptionPad) pad = ref_pad (stream);

  if (pad == NULL)
    return 0;
  GstClockTime pts = gap_pts (stream, time, frame);
  if (caption == NULL || caption[0] == '\0') {
    gdouble factor = running ? 1 / fabs (time->segment.rate) : fabs (time->segment.applied_rate);
    gst_upi_caption_pad_queue_gap (pad, pts, scale (frame->duration, factor));
    return gst_upi_caption_pad_take_lost (pad);
  }
  if (running)
    duration = scale (duration, 1 / speed);
  else if (gst_upi_stream_time_is_reverse (time))
    turn_caption (stream, time, frame, &pts, &duration);
  gsize length = strlen (caption);
  GstBuffer *buffer = gst_buffer_new_memdup (caption, length + 1);
  gst_buffer_set_size (buffer, length); /* the NUL stays behind the text, for who reads beyond */
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = duration;
  gst_upi_caption_pad_queue (pad, GST_MINI_OBJECT_CAST (buffer));
  return gst_upi_caption_pad_take_lost (pad);
}

GstFlowReturn
gst_upi_caption_stream_get_flow (GstUpiCaptionStream *stream)
{
  g_autoptr (GstUpiCaptionPad) pad = ref_pad (stream);
  return pad != NULL ? gst_upi_caption_pad_get_flow (pad) : GST_FLOW_NOT_LINKED;
}
