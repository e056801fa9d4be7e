/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-stream-state.c: what elements know of a stream (the last encoding, the caption) ends where the stream does, by
 * the rule of gst/stream-time.h, and not before. The engine is held by gates, never by time. */
#include "tests/gst/caption/fixture.h"

/* Frame @first is the segment's first, at @time of the stream. */
static void
push_segment (Fixture *f, gdouble rate, guint first, guint time)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = rate;
  segment.start = first * 40 * GST_MSECOND;
  segment.time = time * 40 * GST_MSECOND;
  if (rate < 0)
    segment.stop = segment.start + 200 * 40 * GST_MSECOND;
  g_assert_true (gst_harness_push_event (f->stream->harness, gst_event_new_segment (&segment)));
}

static void
push_stream_start (Fixture *f)
{
  g_assert_true (gst_harness_push_event (f->stream->harness, gst_event_new_stream_start ("next")));
  stream_format (f->stream, "I420", 64, 48);
  push_segment (f, 1, 0, 0);
}

static void
push_flush (Fixture *f)
{
  g_assert_true (gst_harness_push_event (f->stream->harness, gst_event_new_flush_start ()));
  g_assert_true (gst_harness_push_event (f->stream->harness, gst_event_new_flush_stop (TRUE)));
  push_segment (f, 1, 0, 0);
}

static void
push_jump (Fixture *f)
{
  push_segment (f, 1, 0, 1000);
}

static void
push_turn (Fixture *f)
{
  push_segment (f, -1, 0, 0);
}

static void
push_same (Fixture *f)
{
  push_segment (f, 1, 0, 0);
}

/* Other PTS for the same place, as playlists of parts have them: frame 5 is where 105 was. */
static void
push_other_pts (Fixture *f)
{
  push_segment (f, 1, 0, 100);
}

static void
push_faster (Fixture *f)
{
  push_segment (f, 4, 0, 0);
}

static void
push_caps (Fixture *f)
{
  stream_format (f->stream, "I420", 80, 48);
}

static const struct {
  void (*push) (Fixture *f);
  guint before, after; /* frame numbers on both sides of it */
  gboolean ends, new_caps;
} cases[] = {
  { push_stream_start, 5, 6, TRUE, FALSE },
  { push_flush, 5, 6, TRUE, FALSE },
  { push_jump, 5, 6, TRUE, FALSE },
  { push_turn, 5, 4, TRUE, FALSE },
  { push_same, 5, 6, FALSE, FALSE },
  { push_same, 5, 40, TRUE, FALSE },
  { push_other_pts, 105, 6, FALSE, FALSE },
  { push_faster, 5, 6, FALSE, FALSE },
  { push_caps, 5, 6, FALSE, TRUE },
};

static guint
count_captions (GstBuffer *buffer)
{
  guint n;
  gst_upi_content_get_captions (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  return n;
}

/* The next frame shows so many. */
static void
assert_captions (Fixture *f, guint n)
{
  GstBuffer *buffer = stream_pull (f->stream);
  g_assert_cmpuint (count_captions (buffer), ==, n);
  gst_buffer_unref (buffer);
}

/* "latest": the engine is held from before the event on, so that whatever a frame carries behind it is from before. */
static void
test_latest (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
    Fixture f = fixture_new (LATEST, FALSE);
    const guint before = cases[i].before;

    g_test_message ("case %u", i);
    gst_buffer_unref (stream_pass_held (f.stream, engine, before - 2)); /* is encoded, */
    gst_buffer_unref (stream_pass_held (f.stream, engine, before - 1)); /* carries that and asks for a caption, */
    upi_engine_hold (engine);
    fixture_push (&f, before, before + 1); /* which this one shows */
    GstBuffer *buffer = stream_pull (f.stream);
    g_assert_cmpint (frame_inferred (buffer), >=, 0);
    g_assert_cmpuint (count_captions (buffer), ==, 1);
    gst_buffer_unref (buffer);

    cases[i].push (&f);
    fixture_push (&f, cases[i].after, cases[i].after + 1);
    buffer = stream_pull (f.stream);
    if (cases[i].ends || cases[i].new_caps) /* an encoding belongs to its caps too */
      g_assert_cmpint (frame_inferred (buffer), ==, -1);
    else
      g_assert_cmpint (frame_inferred (buffer), >=, 0);
    g_assert_cmpuint (count_captions (buffer), ==, (cases[i].ends ? 0u : 1u));
    gst_buffer_unref (buffer);
    upi_engine_release (engine);
    fixture_free (&f);
  }
}

/* "block": the first frame of what begins anew has a caption of its own, though the interval is not over. */
static void
test_block (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Fixture f = fixture_new (BLOCK, TRUE);
    const guint before = cases[i].before, after = cases[i].after;

    g_test_message ("case %u", i);
    fixture_push (&f, before - 1, before + 1);
    for (guint n = 0; n < 2; n++)
      assert_captions (&f, 1);
    g_autofree gchar *first = g_strdup_printf ("text %u for 1000", before - 1);
    text_sink_wait (f.text, first);
    cases[i].push (&f);
    fixture_push (&f, after, after + 1);
    assert_captions (&f, 1);
    fixture_push_eos (&f);
    text_sink_wait (f.text, "eos");
    g_assert_cmpuint (f.text->texts->len, ==, (cases[i].ends ? 2u : 1u));
    fixture_free (&f);
  }
}

/* A caption that is on its way when the stream ends is nobody's. */
static void
test_caption_on_its_way (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (LATEST, FALSE);

  gst_buffer_unref (stream_pass_held (f.stream, engine, 5));
  upi_engine_hold (engine);
  fixture_push (&f, 6, 7); /* carries the encoding of 5 and asks for it */
  fixture_pull (&f, 6, 7);
  push_stream_start (&f);
  upi_engine_release (engine);
  test_engine_drain (engine);
  fixture_push (&f, 0, 1);
  assert_captions (&f, 0);
  fixture_free (&f);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/stream-state/latest", test_latest);
  g_test_add_func ("/stream-state/block", test_block);
  g_test_add_func ("/stream-state/caption-on-its-way", test_caption_on_its_way);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
