/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-flush.c: flushes and seeks while frames are inside of upiencoder. */
#include "tests/gst/encoder/launch.h"

/* Frames in flight when a flush comes are dropped, queued sticky events are not; nothing from before is attached
 * after. */
static void
test_flush (gconstpointer data)
{
  gboolean block = GPOINTER_TO_INT (data);
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (block ? BLOCK : LATEST, FALSE);

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  test_engine_drain (engine);
  g_free (stream_take_record (s));
  upi_engine_hold (engine);
  for (guint i = 1; i < 6; i++)
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
  if (block)
    stream_format (s, "RGB", 96, 64); /* these caps wait behind five frames */
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_flush_start ()));
  g_assert_cmpint (stream_push (s, 6), ==, GST_FLOW_FLUSHING);
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE)));
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  if (!block)
    while (gst_harness_buffers_in_queue (s->harness) > 0)
      gst_buffer_unref (stream_pull (s));
  g_free (stream_take_record (s));
  stream_push (s, 10);
  if (block)
    upi_engine_release (engine);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_number (buffer), ==, 10);
  g_assert_cmpint (frame_inferred (buffer), ==, block ? 10 : -1);
  gst_buffer_unref (buffer);
  if (!block)
    upi_engine_release (engine);
  if (block) {
    GstCaps *caps = gst_pad_get_current_caps (s->harness->sinkpad);
    gint width = 0;
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
    g_assert_cmpint (width, ==, 96);
    gst_caps_unref (caps);
  }
  stream_free (s);
}

static gpointer
flush_storm (gpointer data)
{
  Stream *s = data;
  for (guint i = 0; i < 50; i++) {
    gst_harness_push_event (s->harness, gst_event_new_flush_start ());
    gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE));
  }
  return NULL;
}

static void
test_flush_storm (void)
{
  Stream *s = stream_new (BLOCK, FALSE);
  GstSegment segment;

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  GThread *storm = g_thread_new ("storm", flush_storm, s);
  for (guint i = 1; i < 100; i++)
    stream_push (s, i); /* GST_FLOW_OK or GST_FLOW_FLUSHING */
  g_thread_join (storm);
  gst_harness_push_event (s->harness, gst_event_new_flush_start ());
  gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  while (gst_harness_buffers_in_queue (s->harness) > 0)
    gst_buffer_unref (stream_pull (s));
  g_assert_cmpint (stream_push (s, 200), ==, GST_FLOW_OK);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_number (buffer), ==, 200);
  g_assert_cmpint (frame_inferred (buffer), ==, 200);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* A tracer is called before a pad stores an event: it holds these caps, which the task has taken from the queue, until
 * the flush is done with the queue and waits for the task. */
static GstPad *held_pad;
static gint held; /* 1: the next caps are to be held, 2: they are */

static void
hold_caps (GObject *tracer, GstClockTime timestamp, GstPad *pad, GstEvent *event)
{
  if (pad != held_pad || GST_EVENT_TYPE (event) != GST_EVENT_CAPS || !g_atomic_int_compare_and_exchange (&held, 1, 2))
    return;
  while (gst_pad_get_task_state (pad) != GST_TASK_PAUSED)
    g_thread_yield ();
}

typedef GstTracer CapsTracer;
typedef GstTracerClass CapsTracerClass;
GType caps_tracer_get_type (void);
G_DEFINE_TYPE (CapsTracer, caps_tracer, GST_TYPE_TRACER)

static void
caps_tracer_class_init (CapsTracerClass *klass)
{
}

static void
caps_tracer_init (CapsTracer *self)
{
  gst_tracing_register_hook (GST_TRACER (self), "pad-push-event-pre", G_CALLBACK (hold_caps));
}

/* Caps 32 are on their way when caps 48 wait behind them and a flush comes: downstream has caps 48 afterwards. */
static void
test_flush_keeps_last_caps (void)
{
  GstTracer *tracer = g_object_new (caps_tracer_get_type (), NULL);
  Stream *s = stream_new (BLOCK, FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  GstSegment segment;

  held_pad = gst_element_get_static_pad (encoder, "src");
  stream_format (s, "RGB", 16, 64);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  g_atomic_int_set (&held, 1);
  stream_format (s, "RGB", 32, 64);
  while (g_atomic_int_get (&held) != 2)
    g_thread_yield ();
  stream_push (s, 1);
  stream_format (s, "RGB", 48, 64);
  gst_harness_push_event (s->harness, gst_event_new_flush_start ());
  gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  stream_push (s, 2);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_number (buffer), ==, 2);
  gst_buffer_unref (buffer);
  GstCaps *caps = gst_pad_get_current_caps (s->harness->sinkpad);
  gint width = 0;
  gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
  g_assert_cmpint (width, ==, 48);
  gst_caps_unref (caps);
  gst_clear_object (&held_pad);
  stream_free (s);
  gst_object_unref (tracer);
}

static void
test_seek (void)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline =
      gst_parse_launch ("videotestsrc num-buffers=2000 ! video/x-raw,width=64,height=64,framerate=25/1 ! " BLOCK
                        "! appsink name=sink sync=false max-buffers=2",
          &error);
  g_assert_no_error (error);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");

  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
  for (guint round = 0; round < 20; round++) {
    guint target = round * 37 % 1000;
    GstSample *sample = NULL;
    g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
    g_assert_true (gst_element_seek_simple (
        pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, target * 40 * GST_MSECOND));
    for (guint i = 0; i < 5; i++) {
      g_signal_emit_by_name (sink, "pull-sample", &sample);
      g_assert_nonnull (sample);
      g_assert_cmpint (frame_number (gst_sample_get_buffer (sample)), ==, (gint) (target + i));
      g_assert_cmpint (frame_inferred (gst_sample_get_buffer (sample)), ==, (gint) (target + i));
      gst_sample_unref (sample);
    }
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_data_func ("/encoder/flush-block", GINT_TO_POINTER (TRUE), test_flush);
  g_test_add_data_func ("/encoder/flush-latest", GINT_TO_POINTER (FALSE), test_flush);
  g_test_add_func ("/encoder/flush-storm", test_flush_storm);
  g_test_add_func ("/encoder/flush-keeps-last-caps", test_flush_keeps_last_caps);
  g_test_add_func ("/encoder/seek", test_seek);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
