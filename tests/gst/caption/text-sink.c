/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text-sink.c: see text-sink.h. */
#include "tests/gst/caption/text-sink.h"

#include <string.h>

#define FRAME (40 * GST_MSECOND)
/* A hang fails the test long before the runner's own limit. */
#define PATIENCE (60 * G_TIME_SPAN_SECOND)

/* lock held */
static void
write_down (TextSink *sink, gchar *entry)
{
  g_ptr_array_add (sink->record, entry);
  g_cond_broadcast (&sink->cond);
}

/* lock held. FALSE: flushing */
static gboolean
pass_gate (TextSink *sink)
{
  while (sink->closed && !sink->flushing) {
    sink->waiting = TRUE;
    g_cond_broadcast (&sink->cond);
    g_cond_wait (&sink->cond, &sink->lock);
  }
  sink->waiting = FALSE;
  return !sink->flushing;
}

static GstFlowReturn
text_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  TextSink *sink = gst_pad_get_element_private (pad);
  GstMapInfo map;
  GstFlowReturn flow = GST_FLOW_FLUSHING;

  g_mutex_lock (&sink->lock);
  if (pass_gate (sink)) {
    flow = GST_FLOW_OK;
    g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
    g_assert_true (g_utf8_validate ((const gchar *) map.data, map.size, NULL));
    g_ptr_array_add (sink->texts, g_strndup ((const gchar *) map.data, map.size));
    gst_buffer_unmap (buffer, &map);
    write_down (sink,
        g_strdup_printf ("text %d for %d", (gint) (GST_BUFFER_PTS (buffer) / FRAME),
            (gint) (GST_BUFFER_DURATION (buffer) / GST_MSECOND)));
  }
  g_mutex_unlock (&sink->lock);
  gst_buffer_unref (buffer);
  return flow;
}

static gboolean
text_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  TextSink *sink = gst_pad_get_element_private (pad);
  const GstSegment *segment;
  const gchar *id;
  GstClockTime pts, duration;
  gint64 position;

  g_mutex_lock (&sink->lock);
  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_STREAM_START:
    gst_event_parse_stream_start (event, &id);
    gst_event_parse_stream_flags (event, &sink->flags);
    gst_event_parse_group_id (event, &sink->group_id);
    g_free (sink->stream_id);
    sink->stream_id = g_strdup (id);
    write_down (sink, g_strdup ("stream-start"));
    break;
  case GST_EVENT_SEGMENT:
    gst_event_parse_segment (event, &segment);
    write_down (sink, g_strdup_printf ("segment %d", (gint) (segment->start / FRAME)));
    break;
  case GST_EVENT_GAP:
    if (pass_gate (sink)) {
      gst_event_parse_gap (event, &pts, &duration);
      write_down (sink,
          duration == FRAME
              ? g_strdup_printf ("gap %d", (gint) (pts / FRAME))
              : g_strdup_printf ("gap %d to %d", (gint) (pts / FRAME), (gint) ((pts + duration) / FRAME)));
    }
    break;
  case GST_EVENT_SEGMENT_DONE:
    gst_event_parse_segment_done (event, NULL, &position);
    write_down (sink, g_strdup_printf ("segment-done %d", (gint) (position / (gint64) FRAME)));
    break;
  case GST_EVENT_FLUSH_START:
  case GST_EVENT_FLUSH_STOP:
    sink->flushing = GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START;
    write_down (sink, g_strdup (GST_EVENT_TYPE_NAME (event)));
    break;
  default:
    write_down (sink, g_strdup (GST_EVENT_TYPE_NAME (event)));
    break;
  }
  g_mutex_unlock (&sink->lock);
  gst_event_unref (event);
  return TRUE;
}

TextSink *
text_sink_new (void)
{
  TextSink *sink = g_new0 (TextSink, 1);

  g_mutex_init (&sink->lock);
  g_cond_init (&sink->cond);
  sink->record = g_ptr_array_new_with_free_func (g_free);
  sink->texts = g_ptr_array_new_with_free_func (g_free);
  sink->pad = gst_object_ref_sink (gst_pad_new ("text-sink", GST_PAD_SINK));
  gst_pad_set_element_private (sink->pad, sink);
  gst_pad_set_chain_function (sink->pad, text_chain);
  gst_pad_set_event_function (sink->pad, text_event);
  gst_pad_set_active (sink->pad, TRUE);
  return sink;
}

void
text_sink_free (TextSink *sink)
{
  gst_pad_set_active (sink->pad, FALSE);
  gst_object_unref (sink->pad);
  g_ptr_array_unref (sink->record);
  g_ptr_array_unref (sink->texts);
  g_free (sink->stream_id);
  g_cond_clear (&sink->cond);
  g_mutex_clear (&sink->lock);
  g_free (sink);
}

void
text_sink_request (TextSink *sink, GstElement *caption)
{
  GstPad *pad = gst_element_request_pad_simple (caption, "text");
  g_assert_nonnull (pad);
  g_assert_cmpint (gst_pad_link_full (pad, sink->pad, GST_PAD_LINK_CHECK_NOTHING), ==, GST_PAD_LINK_OK);
  gst_object_unref (pad);
}

void
text_sink_release (TextSink *sink, GstElement *caption)
{
  GstPad *pad = gst_pad_get_peer (sink->pad);
  g_assert_nonnull (pad);
  gst_element_release_request_pad (caption, pad);
  g_assert_false (gst_pad_is_linked (sink->pad));
  gst_object_unref (pad);
}

void
text_sink_set_closed (TextSink *sink, gboolean closed)
{
  g_mutex_lock (&sink->lock);
  sink->closed = closed;
  g_cond_broadcast (&sink->cond);
  g_mutex_unlock (&sink->lock);
}

void
text_sink_wait_blocked (TextSink *sink)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE;

  g_mutex_lock (&sink->lock);
  while (!sink->waiting)
    g_assert_true (g_cond_wait_until (&sink->cond, &sink->lock, deadline));
  g_mutex_unlock (&sink->lock);
}

/* lock held */
static void
wait_for (TextSink *sink, const gchar *entry)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE;

  while (!g_ptr_array_find_with_equal_func (sink->record, entry, g_str_equal, NULL)) {
    if (!g_cond_wait_until (&sink->cond, &sink->lock, deadline)) {
      g_ptr_array_add (sink->record, NULL);
      g_autofree gchar *found = g_strjoinv (", ", (gchar **) sink->record->pdata);
      g_error ("\"%s\" did not come; what came: %s", entry, found);
    }
  }
}

void
text_sink_wait (TextSink *sink, const gchar *entry)
{
  g_mutex_lock (&sink->lock);
  wait_for (sink, entry);
  g_mutex_unlock (&sink->lock);
}

gchar *
text_sink_take (TextSink *sink, const gchar *entry)
{
  g_mutex_lock (&sink->lock);
  wait_for (sink, entry);
  g_ptr_array_add (sink->record, NULL);
  gchar *all = g_strjoinv (", ", (gchar **) sink->record->pdata);
  g_ptr_array_set_size (sink->record, 0);
  g_mutex_unlock (&sink->lock);
  return all;
}
