/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-untimed.c: captions of frames without times, by count. */
#include "tests/gst/caption/fixture.h"

static void
push_without_pts (Fixture *f, guint n_frames, gboolean has_duration)
{
  for (guint i = 0; i < n_frames; i++) {
    GstBuffer *buffer = frame_new ("I420", 64, 48, i);
    GST_BUFFER_PTS (buffer) = GST_CLOCK_TIME_NONE;
    if (!has_duration)
      GST_BUFFER_DURATION (buffer) = GST_CLOCK_TIME_NONE;
    g_assert_cmpint (gst_harness_push (f->stream->harness, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (f->stream));
  }
}

/* Every frame moves the text pad, and captions go on by count. */
static void
test_without_pts (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);

  push_without_pts (&f, 7, FALSE);
  fixture_push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==,
      "stream-start, caps, segment 0, text 0 for 200, gap 1, gap 2, gap 3, gap 4, text 5 for 200, gap 6, eos");
  fixture_free (&f);
}

static void
test_first_pts_only (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);

  fixture_push (&f, 10, 11);
  fixture_pull (&f, 10, 11);
  push_without_pts (&f, 6, TRUE);
  fixture_push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==,
      "stream-start, caps, segment 0, text 10 for 200, gap 11, gap 12, gap 13, gap 14, text 15 for 200, gap 16, eos");
  fixture_free (&f);
}

/* Pictures of which nothing tells how long they are shown: each for one interval. */
static void
test_no_framerate (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);

  stream_caps (f.stream, "video/x-raw,format=I420,width=64,height=48,framerate=0/1");
  push_without_pts (&f, 3, FALSE);
  fixture_push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (
      record, ==, "stream-start, caps, segment 0, segment 0, text 0 for 200, text 5 for 200, text 10 for 200, eos");
  fixture_free (&f);
}

/* Frames that share an encoding are told from those that have their own, without PTS too. */
static void
test_shared_encoding_without_pts (void)
{
  Fixture f = fixture_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block inference-interval=3 model-instance-id=caption ! "
      "upicaption name=c interval=0",
      TRUE);

  push_without_pts (&f, 7, FALSE);
  fixture_push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==,
      "stream-start, caps, segment 0, text 0 for 40, gap 1, gap 2, text 3 for 40, gap 4, gap 5, text 6 for 40, eos");
  fixture_free (&f);
}

/* A segment of bytes: the text pad has one in time. */
static void
test_bytes_segment (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_BYTES);
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  push_without_pts (&f, 6, FALSE);
  g_autofree gchar *record = text_sink_take (f.text, "text 5 for 200");
  g_assert_true (g_str_has_suffix (record, "segment 0, text 0 for 200, gap 1, gap 2, gap 3, gap 4, text 5 for 200"));
  GstEvent *event = gst_pad_get_sticky_event (f.text->pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *text;
  gst_event_parse_segment (event, &text);
  g_assert_cmpint (text->format, ==, GST_FORMAT_TIME);
  gst_event_unref (event);
  fixture_free (&f);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/caption/without-pts", test_without_pts);
  g_test_add_func ("/caption/first-pts-only", test_first_pts_only);
  g_test_add_func ("/caption/no-framerate", test_no_framerate);
  g_test_add_func ("/caption/shared-encoding-without-pts", test_shared_encoding_without_pts);
  g_test_add_func ("/caption/bytes-segment", test_bytes_segment);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
