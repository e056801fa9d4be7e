/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-order.c: what upiencoder keeps in order, what waits and what never does. Engines are held by a gate, never by
 * time. */
#include "tests/gst/encoder/launch.h"

static void
test_order_under_load (void)
{
  Stream *s = stream_new (
      "upiencoder name=e model=tiny device=cpu threads=4 policy=block model-instance-id=load max-in-flight=9", FALSE);

  stream_format (s, "I420", 64, 48);
  for (guint i = 0; i < 200; i++)
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
  for (gint i = 0; i < 200; i++) {
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_number (buffer), ==, i);
    g_assert_cmpint (frame_inferred (buffer), ==, i);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

static void
test_block_loses_nothing (void)
{
  Stream *s = stream_new (BLOCK, TRUE); /* live upstream does not matter to a policy that was set */
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  g_autoptr (GstStructure) stats = NULL;
  guint64 in = 0, out = 0, encoded = 0, skipped = 0, failed = 0;

  stream_format (s, "NV12", 64, 64);
  for (guint i = 0; i < 500; i++) {
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
    if (i < 10)
      continue;
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_number (buffer), ==, (gint) i - 10);
    g_assert_cmpint (frame_inferred (buffer), ==, (gint) i - 10);
    gst_buffer_unref (buffer);
  }
  for (gint i = 490; i < 500; i++) {
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_inferred (buffer), ==, i);
    gst_buffer_unref (buffer);
  }
  g_object_get (encoder, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (stats, "frames-in", G_TYPE_UINT64, &in, "frames-out", G_TYPE_UINT64, &out,
      "encoded", G_TYPE_UINT64, &encoded, "skipped", G_TYPE_UINT64, &skipped, "failed", G_TYPE_UINT64, &failed, NULL));
  g_assert_cmpuint (in, ==, 500);
  g_assert_cmpuint (out, ==, 500);
  g_assert_cmpuint (encoded, ==, 500);
  g_assert_cmpuint (skipped + failed, ==, 0);
  stream_free (s);
}

static void
test_interval (void)
{
  Stream *s = stream_new (BLOCK "inference-interval=3", FALSE);
  GstUpiContent *shared = NULL;

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < 12; i++)
    stream_push (s, i);
  for (gint i = 0; i < 12; i++) {
    GstBuffer *buffer = stream_pull (s);
    GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
    g_assert_cmpint (frame_number (buffer), ==, i);
    g_assert_cmpint (frame_inferred (buffer), ==, i / 3 * 3);
    if (i % 3 == 0)
      shared = content; /* kept alive by the encoder until the next one */
    else
      g_assert_true (content == shared);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

/* With the engine held, every frame passes at once, empty; afterwards each carries the newest result, never one of a
 * later frame. Batches change nothing for a stream that is alone. */
static void
test_latest_never_waits (gconstpointer data)
{
  g_autofree gchar *description =
      g_strdup_printf (LATEST "model-instance-id=latest batch-size=%u", GPOINTER_TO_UINT (data));
  Stream *s = stream_new (description, FALSE);
  g_autoptr (UpiEngine) engine = test_engine ("latest", 1); /* the element's, with its batch size */
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  g_autoptr (GstStructure) stats = NULL;
  guint64 encoded = 0, skipped = 0;

  stream_format (s, "BGRx", 64, 64);
  upi_engine_hold (engine);
  for (guint i = 0; i < 50; i++) {
    stream_push (s, i);
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_number (buffer), ==, (gint) i);
    g_assert_cmpint (frame_inferred (buffer), ==, -1);
    g_assert_cmpint (gst_upi_content_get_flags (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer))), ==,
        GST_UPI_CONTENT_NEVER_WAIT);
    gst_buffer_unref (buffer);
  }
  upi_engine_release (engine);
  test_engine_drain (engine);
  upi_engine_hold (engine);
  for (guint i = 50; i < 60; i++) {
    stream_push (s, i);
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_inferred (buffer), ==, 49); /* the newest when a worker was free */
    gst_buffer_unref (buffer);
  }
  upi_engine_release (engine);
  test_engine_drain (engine);
  stream_push (s, 60);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), >=, 50);
  gst_buffer_unref (buffer);
  g_object_get (encoder, "stats", &stats, NULL);
  gst_structure_get (stats, "encoded", G_TYPE_UINT64, &encoded, "skipped", G_TYPE_UINT64, &skipped, NULL);
  g_assert_cmpuint (encoded, >=, 2);
  g_assert_cmpuint (skipped, ==, 49 + 9);
  stream_free (s);
}

/* auto: latest behind a live source (a held engine stops nothing), block behind a file (every frame has its own
 * encoding). */
static void
test_auto_policy (gconstpointer data)
{
  gboolean live = GPOINTER_TO_INT (data);
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new ("upiencoder name=e model=tiny device=cpu threads=1 max-in-flight=16", live);

  stream_format (s, "RGB", 64, 64);
  if (live)
    upi_engine_hold (engine);
  for (guint i = 0; i < 5; i++)
    stream_push (s, i);
  for (gint i = 0; i < 5; i++) {
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_inferred (buffer), ==, live ? -1 : i);
    gst_buffer_unref (buffer);
  }
  if (live)
    upi_engine_release (engine);
  stream_free (s);
}

static void
test_policy_changes_while_playing (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (BLOCK, FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  gst_buffer_unref (buffer);
  gst_util_set_object_arg (G_OBJECT (encoder), "policy", "latest");
  upi_engine_hold (engine);
  stream_push (s, 1);
  buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  gst_buffer_unref (buffer);
  upi_engine_release (engine);
  gst_util_set_object_arg (G_OBJECT (encoder), "policy", "block");
  stream_push (s, 2);
  buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), ==, 2);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* Nothing can be late in a segment that has no times. */
static void
test_segment_of_bytes (gconstpointer policy)
{
  Stream *s = stream_new (policy, FALSE);
  GstSegment segment;

  stream_format (s, "RGB", 64, 64);
  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  gst_harness_push_upstream_event (
      s->harness, gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND, 10 * GST_SECOND));
  for (guint i = 0; i < 20; i++) {
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (s));
  }
  stream_free (s);
}

static void
test_eos_with_frames_in_flight (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (BLOCK, FALSE);

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  for (guint i = 0; i < 3; i++)
    stream_push (s, i);
  gst_harness_push_event (s->harness, gst_event_new_eos ());
  g_assert_cmpint (stream_push (s, 3), ==, GST_FLOW_EOS);
  upi_engine_release (engine);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (stream_pull (s));
  for (GstEvent *event; (event = gst_harness_pull_event (s->harness)) != NULL;) {
    gboolean eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    gst_event_unref (event);
    if (eos)
      break;
  }
  g_autofree gchar *record = stream_take_record (s);
  g_assert_true (g_str_has_suffix (record, "0, 1, 2, eos"));
  stream_free (s);
}

static void
test_eos_first (void)
{
  Stream *s = stream_new (BLOCK, FALSE);
  gst_harness_push_event (s->harness, gst_event_new_stream_start ("empty"));
  gst_harness_push_event (s->harness, gst_event_new_eos ());
  for (gboolean eos = FALSE; !eos;) {
    GstEvent *event = gst_harness_pull_event (s->harness);
    g_assert_nonnull (event);
    eos = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    gst_event_unref (event);
  }
  stream_free (s);
}

/* Everything that travels between frames stays between the same frames. */
static void
test_events_keep_their_place (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (BLOCK, FALSE);
  GstSegment segment;

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  stream_push (s, 0);
  gst_harness_push_event (s->harness, gst_event_new_gap (40 * GST_MSECOND, 40 * GST_MSECOND));
  stream_push (s, 2);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = segment.position = 3 * 40 * GST_MSECOND;
  gst_harness_push_event (s->harness, gst_event_new_segment (&segment));
  stream_push (s, 3);
  gst_harness_push_event (s->harness, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "yard", NULL)));
  stream_format (s, "RGB", 96, 64);
  stream_push (s, 4);
  upi_engine_release (engine);
  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_inferred (buffer), ==, frame_number (buffer));
    gst_buffer_unref (buffer);
  }
  g_autofree gchar *record = stream_take_record (s);
  g_assert_nonnull (strstr (record, "caps 64x64, segment 0, 0, gap 1, 2, segment 3, 3, tag, caps 96x64, segment 0, 4"));
  stream_free (s);
}

static void
test_caps_change_at_every_frame (void)
{
  static const gint sizes[][2] = { { 64, 64 }, { 96, 64 }, { 17, 33 }, { 16, 16 } };
  static const gchar *formats[] = { "I420", "RGB", "UYVY" };
  Stream *s = stream_new (BLOCK, FALSE);

  for (guint i = 0; i < 60; i++) {
    stream_format (s, formats[i % 3], sizes[i % 4][0], sizes[i % 4][1]);
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
  }
  for (gint i = 0; i < 60; i++) {
    GstBuffer *buffer = stream_pull (s);
    guint width, height;
    g_assert_cmpint (frame_number (buffer), ==, i);
    g_assert_cmpint (frame_inferred (buffer), ==, i);
    upi_encoding_source_size (
        gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer))), &width, &height);
    g_assert_cmpuint (width, ==, (guint) sizes[i % 4][0]);
    g_assert_cmpuint (height, ==, (guint) sizes[i % 4][1]);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

/* latest: a result that ends after the caps changed is not put on frames of the new caps. */
static void
test_nothing_from_before_new_caps (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (LATEST, FALSE);

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  stream_format (s, "RGB", 96, 64);
  upi_engine_release (engine);
  test_engine_drain (engine);
  upi_engine_hold (engine);
  stream_push (s, 1);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), ==, -1);
  gst_buffer_unref (buffer);
  upi_engine_release (engine);
  test_engine_drain (engine);
  stream_push (s, 2);
  buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), >=, 1);
  gst_buffer_unref (buffer);
  stream_free (s);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder/order-under-load", test_order_under_load);
  g_test_add_func ("/encoder/block-loses-nothing-in-500-frames", test_block_loses_nothing);
  g_test_add_func ("/encoder/interval", test_interval);
  g_test_add_data_func ("/encoder/latest-never-waits", GUINT_TO_POINTER (1), test_latest_never_waits);
  g_test_add_data_func ("/encoder/latest-never-waits-for-a-batch", GUINT_TO_POINTER (8), test_latest_never_waits);
  g_test_add_data_func ("/encoder/auto-behind-live", GINT_TO_POINTER (TRUE), test_auto_policy);
  g_test_add_data_func ("/encoder/auto-behind-file", GINT_TO_POINTER (FALSE), test_auto_policy);
  g_test_add_func ("/encoder/policy-changes-while-playing", test_policy_changes_while_playing);
  g_test_add_data_func ("/encoder/segment-of-bytes-block", BLOCK, test_segment_of_bytes);
  g_test_add_data_func ("/encoder/segment-of-bytes-latest", LATEST, test_segment_of_bytes);
  g_test_add_func ("/encoder/eos-with-frames-in-flight", test_eos_with_frames_in_flight);
  g_test_add_func ("/encoder/eos-first", test_eos_first);
  g_test_add_func ("/encoder/events-keep-their-place", test_events_keep_their_place);
  g_test_add_func ("/encoder/caps-change-at-every-frame", test_caps_change_at_every_frame);
  g_test_add_func ("/encoder/nothing-from-before-new-caps", test_nothing_from_before_new_caps);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
