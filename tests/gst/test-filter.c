/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-filter.c: what the base class of the elements does for each of them, seen by an element that writes down how it
 * is called. */
#include "gst/filter.h"

#include <string.h>

#include "tests/gst/stream.h"

#define TEST_TYPE_FILTER (test_filter_get_type ())
G_DECLARE_FINAL_TYPE (TestFilter, test_filter, TEST, FILTER, GstUpiFilter)

struct _TestFilter {
  GstUpiFilter parent;
  GString *calls;
  gboolean refuse_start, fail, hold;
  GstFlowReturn flow; /* what fails returned */
};

G_DEFINE_FINAL_TYPE (TestFilter, test_filter, GST_TYPE_UPI_FILTER)

static void
note (gpointer filter, const gchar *call)
{
  GString *calls = TEST_FILTER (filter)->calls;

  g_string_append_printf (calls, "%s%s", calls->len > 0 ? " " : "", call);
}

static gchar *
take_calls (TestFilter *filter)
{
  gchar *calls = g_strdup (filter->calls->str);

  g_string_truncate (filter->calls, 0);
  return calls;
}

#define assert_calls(filter, expected)                                                                                 \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    g_autofree gchar *calls = take_calls (filter);                                                                     \
    g_assert_cmpstr (calls, ==, expected);                                                                             \
  }                                                                                                                    \
  G_STMT_END

static gboolean
test_filter_start (GstUpiFilter *filter)
{
  note (filter, "start");
  if (TEST_FILTER (filter)->refuse_start)
    GST_ELEMENT_ERROR (filter, LIBRARY, SETTINGS, ("no"), (NULL));
  return !TEST_FILTER (filter)->refuse_start;
}

static void
test_filter_stop (GstUpiFilter *filter)
{
  note (filter, "stop");
}

static void
test_filter_unlock (GstUpiFilter *filter)
{
  note (filter, "unlock");
}

static void
test_filter_unlock_stop (GstUpiFilter *filter)
{
  note (filter, "unlock-stop");
}

static void
test_filter_reset (GstUpiFilter *filter)
{
  note (filter, "reset");
}

static void
test_filter_event (GstUpiFilter *filter, GstEvent *event)
{
  note (filter, GST_EVENT_TYPE_NAME (event));
}

static void
test_filter_gap (GstUpiFilter *filter, const GstUpiFrameTime *time)
{
  g_autofree gchar *call = g_strdup_printf ("gap@%u", (guint) (time->stream_time / GST_MSECOND));

  note (filter, call);
}

static GstFlowReturn
test_filter_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  TestFilter *self = TEST_FILTER (filter);
  g_autofree gchar *call =
      g_strdup_printf ("process%u@%u", (guint) frame->number, (guint) (frame->time.stream_time / GST_MSECOND));

  note (filter, call);
  g_assert_nonnull (frame->content);
  g_assert_null (*content);
  g_assert_cmpint (frame->width, ==, 64);
  g_assert_cmpint (frame->height, ==, 48);
  if (self->fail) {
    g_autoptr (GError) error = g_error_new (UPI_ERROR, UPI_ERROR_FAILED, "it broke");
    self->flow = gst_upi_filter_fail (filter, frame->may_wait, error);
    return self->flow;
  }
  if (!self->hold) {
    const GstUpiObject object = { .label = "cat", .width = 1, .height = 1, .score = 1 };
    *content = gst_upi_content_add_objects (frame->content, &object, 1);
  }
  return GST_FLOW_OK;
}

static void
test_filter_attach (GstUpiFilter *filter, GstBuffer *buffer, const GstUpiFilterFrame *frame, GstUpiContent *content)
{
  note (filter, "attach");
  g_assert_true (gst_buffer_is_writable (buffer));
  g_assert_true (gst_buffer_get_upi_meta (buffer)->content == content);
}

static void
test_filter_finalize (GObject *object)
{
  g_string_free (TEST_FILTER (object)->calls, TRUE);
  G_OBJECT_CLASS (test_filter_parent_class)->finalize (object);
}

static void
test_filter_class_init (TestFilterClass *klass)
{
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = test_filter_finalize;
  filter_class->start = test_filter_start;
  filter_class->stop = test_filter_stop;
  filter_class->unlock = test_filter_unlock;
  filter_class->unlock_stop = test_filter_unlock_stop;
  filter_class->process = test_filter_process;
  filter_class->attach = test_filter_attach;
  filter_class->reset = test_filter_reset;
  filter_class->event = test_filter_event;
  filter_class->gap = test_filter_gap;
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_set_static_metadata (
      GST_ELEMENT_CLASS (klass), "Test", "Filter/Analyzer/Video", "Writes down how it is called", "upi");
}

static void
test_filter_init (TestFilter *self)
{
  self->calls = g_string_new (NULL);
}

/* An element that was started and had caps and a segment. */
static Stream *
open_stream (TestFilter **filter)
{
  Stream *stream = stream_new ("testfilter name=e", FALSE);

  stream_format (stream, "I420", 64, 48);
  *filter = TEST_FILTER (stream_get (stream, "e"));
  gst_object_unref (*filter); /* the stream's */
  assert_calls (*filter, "unlock-stop start reset stream-start caps segment");
  return stream;
}

/* As it comes from upiencoder before the first result. */
static GstBuffer *
encoded (guint number, GstUpiContentFlags flags)
{
  GstBuffer *buffer = frame_new ("I420", 64, 48, number);
  g_autoptr (GstUpiContent) content = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, flags);

  gst_upi_meta_set_frame (gst_buffer_add_upi_meta (buffer, content), 64, 48, 1, 1);
  return buffer;
}

static GstFlowReturn
push (Stream *stream, guint number, GstUpiContentFlags flags)
{
  return gst_harness_push (stream->harness, encoded (number, flags));
}

static void
push_segment (Stream *stream, guint first)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = first * 40 * GST_MSECOND;
  g_assert_true (gst_harness_push_event (stream->harness, gst_event_new_segment (&segment)));
}

static void
test_frames (void)
{
  TestFilter *filter;
  Stream *stream = open_stream (&filter);
  GstBuffer *shared = gst_buffer_ref (encoded (0, GST_UPI_CONTENT_NONE));
  guint n;

  g_assert_cmpint (gst_harness_push (stream->harness, shared), ==, GST_FLOW_OK);
  assert_calls (filter, "process0@0 attach");
  GstBuffer *out = gst_harness_pull (stream->harness);
  gst_upi_content_get_objects (gst_buffer_get_upi_meta (out)->content, &n);
  g_assert_cmpuint (n, ==, 1);
  gst_upi_content_get_objects (
      gst_buffer_get_upi_meta (shared)->content, &n); /* who else holds the buffer sees nothing of it */
  g_assert_cmpuint (n, ==, 0);
  g_assert_true (gst_buffer_peek_memory (out, 0) == gst_buffer_peek_memory (shared, 0));
  gst_buffer_unref (out);
  gst_buffer_unref (shared);

  filter->hold = TRUE;
  GstBuffer *same = encoded (1, GST_UPI_CONTENT_NONE);
  g_assert_cmpint (gst_harness_push (stream->harness, same), ==, GST_FLOW_OK);
  assert_calls (filter, "process1@40");
  out = gst_harness_pull (stream->harness);
  g_assert_true (out == same);
  gst_buffer_unref (out);
  stream_free (stream);
}

static void
test_state (void)
{
  TestFilter *filter;
  Stream *stream = open_stream (&filter);

  filter->hold = TRUE;
  push (stream, 0, GST_UPI_CONTENT_NONE);
  push_segment (stream, 0); /* goes on */
  push (stream, 1, GST_UPI_CONTENT_NONE);
  assert_calls (filter, "process0@0 segment process1@40");
  push_segment (stream, 100); /* four seconds on */
  push (stream, 100, GST_UPI_CONTENT_NONE);
  assert_calls (filter, "segment reset process2@4000");
  gst_harness_push_event (stream->harness, gst_event_new_gap (101 * 40 * GST_MSECOND, 40 * GST_MSECOND));
  assert_calls (filter, "gap@4040 gap");
  gst_harness_push_event (stream->harness, gst_event_new_flush_start ());
  gst_harness_push_event (stream->harness, gst_event_new_flush_stop (TRUE));
  assert_calls (filter, "unlock flush-start unlock-stop reset flush-stop");
  gst_harness_push_event (stream->harness, gst_event_new_stream_start ("next"));
  assert_calls (filter, "reset stream-start");
  g_object_ref (filter);
  stream_free (stream);
  assert_calls (filter, "unlock reset stop");
  gst_object_unref (filter);
}

static void
test_not_encoded (void)
{
  TestFilter *filter;
  Stream *stream = open_stream (&filter);

  g_assert_cmpint (gst_harness_push (stream->harness, frame_new ("I420", 64, 48, 0)), ==, GST_FLOW_ERROR);
  g_autofree gchar *said = stream_message (stream, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (said, "put upiencoder before it"));
  g_assert_nonnull (strstr (said, GST_OBJECT_NAME (filter)));
  assert_calls (filter, "");
  stream_free (stream);
}

/* What only shows what others found goes on where there is nothing to show. */
static void
test_takes_unencoded (void)
{
  TestFilter *filter;
  Stream *stream = open_stream (&filter);
  GstUpiFilterClass *klass = GST_UPI_FILTER_GET_CLASS (filter);
  GstBuffer *frame = frame_new ("I420", 64, 48, 0);

  klass->takes_unencoded = filter->hold = TRUE;
  g_assert_cmpint (gst_harness_push (stream->harness, frame), ==, GST_FLOW_OK);
  assert_calls (filter, "process0@0");
  GstBuffer *out = gst_harness_pull (stream->harness);
  g_assert_true (out == frame);
  g_assert_null (gst_buffer_get_upi_meta (out));
  gst_buffer_unref (out);
  klass->takes_unencoded = FALSE;
  stream_free (stream);
}

/* Where frames wait for results a failure ends the stream; where they never do it is said once a run. */
static void
test_failure (void)
{
  TestFilter *filter;
  Stream *stream = open_stream (&filter);

  filter->fail = TRUE;
  for (guint run = 0; run < 2; run++) {
    for (guint i = 0; i < 3; i++)
      g_assert_cmpint (push (stream, i, GST_UPI_CONTENT_NEVER_WAIT), ==, GST_FLOW_OK);
    g_autofree gchar *said = stream_message (stream, GST_MESSAGE_WARNING);
    g_autofree gchar *again = stream_peek_message (stream, GST_MESSAGE_WARNING);
    g_assert_nonnull (strstr (said, "it broke"));
    g_assert_null (again);
    if (run == 0) {
      gst_element_set_state (stream->element, GST_STATE_READY);
      gst_element_set_state (stream->element, GST_STATE_PLAYING);
      gst_harness_push_event (stream->harness, gst_event_new_stream_start ("next"));
      stream_format (stream, "I420", 64, 48);
      push_segment (stream, 0);
    }
  }
  g_assert_cmpint (push (stream, 3, GST_UPI_CONTENT_NONE), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (stream, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "it broke"));
  stream_free (stream);
}

static void
test_latency (void)
{
  TestFilter *filter;
  Stream *stream = open_stream (&filter);
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  GstClockTime min;

  gst_bus_set_flushing (stream->bus, TRUE);
  gst_bus_set_flushing (stream->bus, FALSE);
  gst_upi_filter_set_latency (GST_UPI_FILTER (filter), 30 * GST_MSECOND);
  g_assert_true (gst_pad_query (GST_BASE_TRANSFORM_SRC_PAD (filter), query));
  gst_query_parse_latency (query, NULL, &min, NULL);
  g_assert_cmpuint (min, ==, 30 * GST_MSECOND);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (stream->bus, GST_MESSAGE_LATENCY);
  g_assert_nonnull (message);
  gst_upi_filter_set_latency (GST_UPI_FILTER (filter), 30 * GST_MSECOND); /* no news */
  g_assert_null (gst_bus_pop_filtered (stream->bus, GST_MESSAGE_LATENCY));
  stream_free (stream);
}

static void
test_refused_start (void)
{
  TestFilter *filter = g_object_new (TEST_TYPE_FILTER, NULL);

  gst_object_ref_sink (filter);
  filter->refuse_start = TRUE;
  g_assert_cmpint (gst_element_set_state (GST_ELEMENT (filter), GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  assert_calls (filter, "unlock-stop start");
  gst_element_set_state (GST_ELEMENT (filter), GST_STATE_NULL);
  assert_calls (filter, ""); /* no stop without a start */
  gst_object_unref (filter);
}

int
main (int argc, char **argv)
{
  g_setenv ("GST_REGISTRY_UPDATE", "no",
      TRUE); /* the plugin, which has a base class of this name too, is not to be looked at */
  test_init (&argc, &argv);
  gst_element_register (NULL, "testfilter", GST_RANK_NONE, TEST_TYPE_FILTER);
  g_test_add_func ("/filter/frames", test_frames);
  g_test_add_func ("/filter/state", test_state);
  g_test_add_func ("/filter/not-encoded", test_not_encoded);
  g_test_add_func ("/filter/takes-unencoded", test_takes_unencoded);
  g_test_add_func ("/filter/failure", test_failure);
  g_test_add_func ("/filter/latency", test_latency);
  g_test_add_func ("/filter/refused-start", test_refused_start);
  return g_test_run ();
}
