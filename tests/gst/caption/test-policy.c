/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-policy.c: who waits for a caption, what latency that is, and frames that cannot have one. */
#include "tests/gst/caption/fixture.h"

#include <string.h>

static void
test_latest_never_waits (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (LATEST, TRUE);

  gst_buffer_unref (stream_pass_held (f.stream, engine, 0)); /* is encoded when it has left: it asks for no caption */
  upi_engine_hold (engine);
  fixture_push (&f, 1, 2); /* carries that encoding: its caption is asked for, and waits at the gate */
  fixture_pull (&f, 1, 2);
  fixture_push (&f, 2, 40);
  fixture_pull (&f, 2, 40);
  g_assert_null (next_message (&f, "upi-caption"));

  upi_engine_release (engine);
  test_engine_drain (engine); /* behind the caption */
  fixture_push (&f, 40, 41);
  fixture_pull (&f, 40, 41);
  text_sink_wait (f.text, "text 40 for 1000");
  g_autoptr (GstStructure) message = next_message (&f, "upi-caption");
  g_assert_nonnull (message);
  guint64 pts, described_pts;
  g_assert_true (
      gst_structure_get (message, "pts", G_TYPE_UINT64, &pts, "described-pts", G_TYPE_UINT64, &described_pts, NULL));
  g_assert_cmpuint (pts, ==, 40 * 40 * GST_MSECOND);
  g_assert_cmpuint (described_pts, ==, 0);

  /* At the end nobody waits for one that is still on its way. */
  upi_engine_hold (engine);
  fixture_push (&f, 80, 82);
  fixture_pull (&f, 80, 82);
  fixture_push_eos (&f);
  text_sink_wait (f.text, "eos");
  upi_engine_release (engine);
  fixture_free (&f);
}

static GstClockTime
query_latency (GstPad *pad)
{
  GstQuery *query = gst_query_new_latency ();
  GstClockTime min;

  g_assert_true (gst_pad_query (pad, query));
  gst_query_parse_latency (query, NULL, &min, NULL);
  gst_query_unref (query);
  return min;
}

/* What upicaption adds to what is before it, by the pads of the video and of the text. */
static GstClockTime
added_latency (Fixture *f)
{
  GstPad *sink = gst_element_get_static_pad (f->caption, "sink"), *src = gst_element_get_static_pad (f->caption, "src");
  GstPad *peer = gst_pad_get_peer (sink), *text = gst_element_get_static_pad (f->caption, "text");
  GstClockTime added = query_latency (src) - query_latency (peer);

  g_assert_cmpuint (query_latency (text) - query_latency (peer), ==, added);
  gst_object_unref (sink);
  gst_object_unref (src);
  gst_object_unref (peer);
  gst_object_unref (text);
  return added;
}

static guint
count_latency_messages (Fixture *f)
{
  GstMessage *message;
  guint n = 0;

  while ((message = gst_bus_pop_filtered (f->stream->bus, GST_MESSAGE_LATENCY)) != NULL) {
    n += GST_MESSAGE_SRC (message) == GST_OBJECT (f->caption);
    gst_message_unref (message);
  }
  return n;
}

static void
test_latency (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (
      "upiencoder name=e model=tiny device=cpu threads=1 policy=block model-instance-id=caption ! upicaption name=c",
      TRUE);

  g_assert_cmpuint (added_latency (&f), ==, 0);
  fixture_push (&f, 0, 1);
  fixture_pull (&f, 0, 1);
  GstClockTime added = added_latency (&f);
  g_assert_cmpuint (added, >=, GST_MSECOND);
  g_assert_cmpuint (count_latency_messages (&f), ==, 1);
  fixture_push (&f, 1, 20); /* none of these waits */
  fixture_pull (&f, 1, 20);
  g_assert_cmpuint (added_latency (&f), ==, added);
  g_assert_cmpuint (count_latency_messages (&f), ==, 0);

  GstElement *encoder = gst_bin_get_by_name (GST_BIN (f.stream->element), "e");
  gst_util_set_object_arg (G_OBJECT (encoder), "policy", "latest"); /* from here on none does */
  fixture_push (&f, 20, 21);
  fixture_pull (&f, 20, 21);
  test_engine_drain (engine);
  fixture_push (&f, 21, 22); /* the first with a result that says so */
  fixture_pull (&f, 21, 22);
  g_assert_cmpuint (added_latency (&f), ==, 0);
  g_assert_cmpuint (count_latency_messages (&f), ==, 1);
  gst_object_unref (encoder);
  fixture_free (&f);
}

static void
test_no_encoder (void)
{
  Fixture f = fixture_new ("upicaption name=c", TRUE);

  g_assert_cmpint (stream_push (f.stream, 0), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (f.stream, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "upiencoder"));
  fixture_free (&f);
}

/* Before the first encoding a frame has an empty meta: it passes. */
static void
test_empty_meta (void)
{
  Fixture f = fixture_new ("upicaption name=c", TRUE);
  GstBuffer *buffer = frame_new ("I420", 64, 48, 0);

  gst_buffer_add_upi_meta (buffer, NULL);
  g_assert_cmpint (gst_harness_push (f.stream->harness, buffer), ==, GST_FLOW_OK);
  fixture_pull (&f, 0, 1);
  text_sink_wait (f.text, "gap 0");
  fixture_free (&f);
}

static GstPadProbeReturn
fail_next (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  upi_engine_fail_inference (user_data, 1);
  return GST_PAD_PROBE_REMOVE;
}

static void
test_failure_in_block (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (BLOCK, TRUE);
  GstPad *sink = gst_element_get_static_pad (f.caption, "sink");

  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, fail_next, engine, NULL);
  fixture_push (&f, 0, 1);
  g_autofree gchar *error = stream_message (f.stream, GST_MESSAGE_ERROR);
  g_assert_nonnull (error);
  gst_object_unref (sink);
  fixture_free (&f);
}

static void
test_failure_in_latest (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (
      "upiencoder model=tiny device=cpu threads=1 policy=latest inference-interval=100 model-instance-id=caption ! "
      "upicaption name=c interval=0",
      TRUE);

  /* Frame 0 is encoded when it has left; the next is not asked for before frame 100. */
  gst_buffer_unref (stream_pass_held (f.stream, engine, 0));
  upi_engine_hold (engine);
  upi_engine_fail_inference (engine, 1);
  fixture_push (&f, 1, 2); /* asks for a caption, which fails */
  fixture_pull (&f, 1, 2);
  upi_engine_release (engine);
  test_engine_drain (engine);
  fixture_push (&f, 2, 10);
  fixture_pull (&f, 2, 10);
  g_autofree gchar *warning = stream_message (f.stream, GST_MESSAGE_WARNING);
  g_assert_nonnull (warning);
  fixture_free (&f); /* which finds neither an error nor a second warning */
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/caption/latest-never-waits", test_latest_never_waits);
  g_test_add_func ("/caption/latency", test_latency);
  g_test_add_func ("/caption/no-encoder", test_no_encoder);
  g_test_add_func ("/caption/empty-meta", test_empty_meta);
  g_test_add_func ("/caption/failure-in-block", test_failure_in_block);
  g_test_add_func ("/caption/failure-in-latest", test_failure_in_latest);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
