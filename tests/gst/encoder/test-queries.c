/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-queries.c: what upiencoder answers: QoS, ALLOCATION, LATENCY, stats, flow returns. */
#include "tests/gst/stream.h"

#define BLOCK "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 "

/* QoS goes upstream; with policy latest a late machine gets one frame at a time, and no buffer is dropped. */
static void
test_qos (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("qos", 4);
  Stream *s = stream_new (
      "upiencoder name=e model=tiny device=cpu threads=4 policy=latest model-instance-id=qos max-in-flight=16", FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  g_autoptr (GstStructure) stats = NULL;
  guint64 skipped = 0;
  guint running = 0;

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  gst_harness_push_upstream_event (
      s->harness, gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 2.0, 10 * GST_SECOND, 1 * GST_SECOND));
  GstEvent *event = NULL;
  while ((event = gst_harness_try_pull_upstream_event (s->harness)) != NULL && GST_EVENT_TYPE (event) != GST_EVENT_QOS)
    gst_event_unref (event);
  g_assert_nonnull (event);
  gst_event_unref (event);
  for (guint i = 0; i < 8; i++) {
    stream_push (s, i);
    gst_buffer_unref (stream_pull (s));
  }
  g_object_get (encoder, "stats", &stats, NULL);
  gst_structure_get (stats, "skipped", G_TYPE_UINT64, &skipped, "in-flight", G_TYPE_UINT, &running, NULL);
  g_assert_cmpuint (running, ==, 1);
  g_assert_cmpuint (skipped, ==, 7);
  upi_engine_release (engine);
  stream_free (s);
}

static void
test_serialized_query (void)
{
  Stream *s = stream_new (BLOCK, FALSE);
  GstCaps *caps = gst_caps_from_string ("video/x-raw,format=RGB,width=64,height=64,framerate=25/1");
  GstQuery *query = gst_query_new_allocation (caps, TRUE);
  guint min = 0, max = 0;

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  g_assert_true (gst_pad_peer_query (s->harness->srcpad, query));
  /* It came behind the frame. */
  g_assert_cmpuint (gst_harness_buffers_in_queue (s->harness), ==, 1);
  g_assert_true (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL));
  g_assert_cmpuint (gst_query_get_n_allocation_pools (query), ==, 1);
  gst_query_parse_nth_allocation_pool (query, 0, NULL, NULL, &min, &max);
  g_assert_cmpuint (min, >=, 16);
  g_assert_cmpuint (max, ==, 0);
  gst_query_unref (query);
  gst_caps_unref (caps);
  gst_buffer_unref (stream_pull (s));
  stream_free (s);
}

static gpointer
ask_allocation (gpointer data)
{
  Stream *s = data;
  GstCaps *caps = gst_caps_from_string ("video/x-raw,format=RGB,width=64,height=64,framerate=25/1");
  GstQuery *query = gst_query_new_allocation (caps, TRUE);
  gst_pad_peer_query (s->harness->srcpad, query);
  gst_query_unref (query);
  gst_caps_unref (caps);
  return NULL;
}

/* Somebody waits for a query that waits for a frame: a flush frees both. */
static void
test_flush_frees_query (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (BLOCK, FALSE);

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  stream_push (s, 0);
  GThread *asker = g_thread_new ("asker", ask_allocation, s);
  gst_harness_push_event (s->harness, gst_event_new_flush_start ());
  g_thread_join (asker);
  gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE));
  upi_engine_release (engine);
  stream_free (s);
}

static void
test_latency (void)
{
  Stream *s = stream_new (BLOCK, TRUE);
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min = 0, max = 0;
  gboolean live = FALSE;

  gst_harness_set_upstream_latency (s->harness, 20 * GST_MSECOND);
  stream_format (s, "RGB", 64, 64);
  g_assert_true (gst_pad_peer_query (s->harness->sinkpad, query));
  gst_query_parse_latency (query, &live, &min, &max);
  g_assert_true (live);
  g_assert_cmpuint (min, ==, 20 * GST_MSECOND); /* nothing is known before the first frame */
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  g_free (stream_message (s, GST_MESSAGE_LATENCY));
  g_assert_true (gst_pad_peer_query (s->harness->sinkpad, query));
  gst_query_parse_latency (query, &live, &min, &max);
  g_assert_cmpuint (min, >, 20 * GST_MSECOND);
  gst_query_unref (query);
  stream_free (s);
}

static void
test_not_linked_is_told_upstream (void)
{
  GstElement *encoder = gst_element_factory_make ("upiencoder", NULL);
  GstPad *src = gst_pad_new ("src", GST_PAD_SRC), *sink = gst_element_get_static_pad (encoder, "sink");
  GstSegment segment;
  GstFlowReturn ret = GST_FLOW_OK;

  gst_object_ref_sink (encoder);
  gst_util_set_object_arg (G_OBJECT (encoder), "model", "tiny");
  gst_util_set_object_arg (G_OBJECT (encoder), "device", "cpu");
  gst_pad_set_active (src, TRUE);
  g_assert_cmpint (gst_pad_link (src, sink), ==, GST_PAD_LINK_OK);
  g_assert_cmpint (gst_element_set_state (encoder, GST_STATE_PLAYING), ==, GST_STATE_CHANGE_SUCCESS);
  GstCaps *caps = gst_caps_from_string ("video/x-raw,format=RGB,width=64,height=64,framerate=25/1");
  gst_pad_push_event (src, gst_event_new_stream_start ("s"));
  gst_pad_push_event (src, gst_event_new_caps (caps));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (src, gst_event_new_segment (&segment));
  for (guint i = 0; ret == GST_FLOW_OK && i < 100000; i++)
    ret = gst_pad_push (src, frame_new ("RGB", 64, 64, i));
  g_assert_cmpint (ret, ==, GST_FLOW_NOT_LINKED);
  gst_element_set_state (encoder, GST_STATE_NULL);
  gst_caps_unref (caps);
  gst_object_unref (sink);
  gst_object_unref (src);
  gst_object_unref (encoder);
}

/* A frame of each of four streams waits behind the gate: one run of the engine takes them all. */
static void
test_batch (void)
{
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = "tiny",
    .device = "cpu",
    .instance_id = "batch",
    .threads = 1,
    .batch_size = 4 };
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);
  g_assert_no_error (error);
  Stream *streams[4];
  g_autoptr (GstStructure) stats = NULL;
  gdouble fill = 0;

  upi_engine_hold (engine);
  for (guint i = 0; i < 4; i++) {
    streams[i] = stream_new (
        "upiencoder name=e model=tiny device=cpu threads=1 policy=block model-instance-id=batch batch-size=4", FALSE);
    stream_format (streams[i], "RGB", 64, 64);
    stream_push (streams[i], i);
  }
  upi_engine_release (engine);
  for (gint i = 0; i < 4; i++) {
    GstBuffer *buffer = stream_pull (streams[i]);
    g_assert_cmpint (frame_inferred (buffer), ==, i);
    gst_buffer_unref (buffer);
  }
  g_autoptr (GstElement) encoder = stream_get (streams[0], "e");
  g_object_get (encoder, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_double (stats, "batch-fill", &fill));
  g_assert_cmpfloat (fill, ==, 4);
  for (guint i = 0; i < 4; i++)
    stream_free (streams[i]);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder/qos", test_qos);
  g_test_add_func ("/encoder/allocation-query-in-order", test_serialized_query);
  g_test_add_func ("/encoder/flush-frees-query", test_flush_frees_query);
  g_test_add_func ("/encoder/latency", test_latency);
  g_test_add_func ("/encoder/not-linked", test_not_linked_is_told_upstream);
  g_test_add_func ("/encoder/batch", test_batch);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
