/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-life.c: upiencoder started, stopped, shared and pulled at from all sides: nothing is left, nothing hangs. */
#include "tests/gst/stream.h"

#define PIPELINE                                                                                                       \
  "videotestsrc is-live=false ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! "                          \
  "upiencoder name=e model=tiny device=cpu threads=1 model-instance-id=life %s ! upidetect threshold=0 ! fakesink "    \
  "sync=false"

static GstElement *
pipeline_new (const gchar *settings)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *description = g_strdup_printf (PIPELINE, settings);
  GstElement *pipeline = gst_parse_launch (description, &error);
  g_assert_no_error (error);
  return gst_object_ref_sink (pipeline);
}

static void
assert_no_errors (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  g_assert_null (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
  gst_object_unref (bus);
}

static void
count_dead (gpointer data, GstMiniObject *object)
{
  g_atomic_int_inc ((gint *) data);
}

static GstPadProbeReturn
watch_buffers (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  gint *counts = user_data; /* alive: 0, dead: 1 */
  g_atomic_int_inc (&counts[0]);
  gst_mini_object_weak_ref (GST_MINI_OBJECT (GST_PAD_PROBE_INFO_BUFFER (info)), count_dead, &counts[1]);
  return GST_PAD_PROBE_OK;
}

/* 200 times from NULL to PLAYING and back, with frames under way at every stop: no thread, no buffer, no encoding is
 * left. */
static void
test_cycles (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("life", 1);
  GstElement *pipeline = pipeline_new ("max-in-flight=6");
  GstElement *encoder = gst_bin_get_by_name (GST_BIN (pipeline), "e");
  GstPad *sink = gst_element_get_static_pad (encoder, "sink"), *src = gst_element_get_static_pad (encoder, "src");
  gint in[2] = { 0, 0 }, out[2] = { 0, 0 };
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  guint threads = 0;

  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, watch_buffers, in, NULL);
  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER, watch_buffers, out, NULL);
  for (guint i = 0; i < 200; i++) {
    g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
    if (i % 2 == 0) /* every other one is stopped while it starts */
      g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint (in[0], ==, in[1]);
    g_assert_cmpint (out[0], ==, out[1]);
    assert_no_errors (pipeline);
    if (i == 20) /* GLib keeps a few idle threads of its pools */
      threads = test_threads ();
  }
  g_assert_cmpint (in[0], >, 0);
  test_engine_drain (engine);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encodings_alive, <=, 1); /* the worker may not have let go of the last one yet */
  g_assert_cmpuint (stats.queue_length, ==, 0);
  g_assert_cmpuint (test_threads (), <=, threads + 2);
  gst_object_unref (sink);
  gst_object_unref (src);
  gst_object_unref (encoder);
  gst_object_unref (pipeline);
}

/* The element that opened an engine takes it down: its workers end with it. */
static void
test_engine_ends_with_last_element (void)
{
  GstElement *pipeline = pipeline_new ("max-in-flight=6");
  guint before = 0;

  for (guint i = 0; i < 20; i++) {
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND);
    gst_element_set_state (pipeline, GST_STATE_NULL);
    if (i == 5)
      before = test_threads ();
  }
  g_assert_cmpuint (test_threads (), <=, before + 2);
  assert_no_errors (pipeline);
  gst_object_unref (pipeline);
}

/* Stopping does not wait for frames that no worker has begun. */
static void
test_stop_while_held (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new ("upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16", FALSE);

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  for (guint i = 0; i < 10; i++)
    stream_push (s, i);
  g_assert_cmpint (gst_element_set_state (s->element, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
  upi_engine_release (engine);
  stream_free (s);
}

typedef struct {
  Stream *stream;
  GstFlowReturn ret;
} Pusher;

static gpointer
push_until_refused (gpointer data)
{
  Pusher *pusher = data;
  for (guint i = 0; pusher->ret == GST_FLOW_OK; i++)
    pusher->ret = stream_push (pusher->stream, i);
  return NULL;
}

static guint64
frames_in (Stream *s)
{
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  g_autoptr (GstStructure) stats = NULL;
  guint64 n = 0;

  g_object_get (encoder, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, "frames-in", &n));
  return n;
}

/* A producer that waits for room is freed by a stop. */
static void
test_stop_frees_producer (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new ("upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=2", FALSE);
  Pusher pusher = { s, GST_FLOW_OK };

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  GThread *thread = g_thread_new ("pusher", push_until_refused, &pusher);
  while (frames_in (s) < 3) /* there is room for two */
    g_thread_yield ();
  gst_element_set_state (s->element, GST_STATE_NULL);
  g_thread_join (thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_FLUSHING);
  upi_engine_release (engine);
  stream_free (s);
}

/* Two elements of one engine: one model, every frame of both encoded by it. */
static void
test_two_share_one_engine (void)
{
  Stream *a = stream_new ("upiencoder model=tiny device=cpu threads=2 policy=block model-instance-id=pair", FALSE);
  Stream *b = stream_new ("upiencoder model=tiny device=cpu threads=2 policy=block model-instance-id=pair", FALSE);
  g_autoptr (UpiEngine) engine = test_engine ("pair", 2);
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  stream_format (a, "RGB", 64, 64);
  stream_format (b, "NV12", 96, 64);
  for (guint i = 0; i < 30; i++) {
    stream_push (a, i);
    stream_push (b, i);
    GstBuffer *from_a = stream_pull (a), *from_b = stream_pull (b);
    UpiEncoding *one = gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (from_a)));
    UpiEncoding *two = gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (from_b)));
    g_assert_true (upi_encoding_engine (one) == engine);
    g_assert_true (upi_encoding_engine (two) == engine);
    g_assert_true (one != two);
    gst_buffer_unref (from_a);
    gst_buffer_unref (from_b);
  }
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encoded, ==, 60);
  g_assert_cmpuint (stats.workers, ==, 2);
  stream_free (a);
  stream_free (b);
}

static gpointer
change_states (gpointer data)
{
  static const GstState states[] = { GST_STATE_PLAYING, GST_STATE_NULL, GST_STATE_PAUSED, GST_STATE_READY,
    GST_STATE_PLAYING, GST_STATE_READY };
  for (guint i = 0; i < 60; i++)
    gst_element_set_state (data, states[i % G_N_ELEMENTS (states)]);
  return NULL;
}

static gpointer
set_properties (gpointer data)
{
  GstElement *encoder = gst_bin_get_by_name (data, "e");
  for (guint i = 0; i < 200; i++) {
    g_autoptr (GstStructure) stats = NULL;
    g_autofree gchar *device = NULL;
    g_object_set (encoder, "inference-interval", 1 + i % 3, "policy", i % 3, "max-in-flight", i % 5, NULL);
    g_object_get (encoder, "stats", &stats, "device-in-use", &device, NULL);
    g_assert_nonnull (stats);
  }
  gst_object_unref (encoder);
  return NULL;
}

/* Four threads change states as they like, another sets and reads properties. */
static void
test_states_from_many_threads (void)
{
  GstElement *pipeline = pipeline_new ("max-in-flight=3");
  GThread *threads[5];

  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("states", change_states, pipeline);
  threads[4] = g_thread_new ("properties", set_properties, pipeline);
  for (guint i = 0; i < 5; i++)
    g_thread_join (threads[i]);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
  assert_no_errors (pipeline);
  /* And it still works. */
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
  g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* The element dies while a worker still holds one of its frames' tickets; encodings outlive it. */
static void
test_encoding_outlives_element (void)
{
  Stream *s = stream_new ("upiencoder model=tiny device=cpu threads=1 policy=block", FALSE);
  g_autoptr (GError) error = NULL;

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 5);
  GstBuffer *buffer = stream_pull (s);
  stream_free (s);
  UpiEncoding *encoding = gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)));
  g_autofree gfloat *embedding = g_new0 (gfloat, upi_engine_info (upi_encoding_engine (encoding))->width);
  g_assert_true (upi_engine_embed (upi_encoding_engine (encoding), encoding, embedding, &error));
  g_assert_no_error (error);
  gst_buffer_unref (buffer);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder/200-start-stop-cycles", test_cycles);
  g_test_add_func ("/encoder/engine-ends-with-last-element", test_engine_ends_with_last_element);
  g_test_add_func ("/encoder/stop-while-held", test_stop_while_held);
  g_test_add_func ("/encoder/stop-frees-producer", test_stop_frees_producer);
  g_test_add_func ("/encoder/two-share-one-engine", test_two_share_one_engine);
  g_test_add_func ("/encoder/states-from-many-threads", test_states_from_many_threads);
  g_test_add_func ("/encoder/encoding-outlives-element", test_encoding_outlives_element);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
