/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-caption.c: what upicaption says: its text stream, messages and meta. The engine is held by gates, never by
 * time. */
#include "tests/gst/caption/fixture.h"

#include <math.h>
#include <string.h>

static void
test_text_stream (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  guint group_id = 0;

  fixture_push (&f, 0, 12);
  fixture_push_eos (&f);
  fixture_pull (&f, 0, 12);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==,
      "stream-start, caps, segment 0, text 0 for 200, gap 1, gap 2, gap 3, gap 4, text 5 for 200, gap 6, gap 7, gap 8, "
      "gap 9, "
      "text 10 for 200, gap 11, eos");

  /* A stream of its own, sparse, in the video's group. */
  GstEvent *video = gst_pad_get_sticky_event (f.stream->harness->sinkpad, GST_EVENT_STREAM_START, 0);
  const gchar *video_id;
  gst_event_parse_stream_start (video, &video_id);
  g_assert_cmpstr (f.text->stream_id, !=, video_id);
  g_assert_cmpint (f.text->flags & GST_STREAM_FLAG_SPARSE, !=, 0);
  if (gst_event_parse_group_id (video, &group_id))
    g_assert_cmpuint (f.text->group_id, ==, group_id);
  gst_event_unref (video);
  fixture_free (&f);
}

static void
test_every_encoding (void)
{
  Fixture f = fixture_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block inference-interval=3 model-instance-id=caption ! "
      "upicaption name=c interval=0",
      TRUE);

  fixture_push (&f, 0, 7);
  fixture_push_eos (&f);
  fixture_pull (&f, 0, 7);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==,
      "stream-start, caps, segment 0, text 0 for 40, gap 1, gap 2, text 3 for 40, gap 4, gap 5, text 6 for 40, eos");
  fixture_free (&f);
}

static void
test_video_gap (void)
{
  Fixture f = fixture_new (BLOCK, TRUE);

  fixture_push (&f, 0, 1);
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_gap (40 * GST_MSECOND, 40 * GST_MSECOND)));
  fixture_push (&f, 2, 3);
  fixture_push_eos (&f);
  fixture_pull (&f, 0, 1);
  fixture_pull (&f, 2, 3);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==, "stream-start, caps, segment 0, text 0 for 1000, gap 1, gap 2, eos");
  fixture_free (&f);
}

typedef struct {
  GstClockTime pts, duration, stream_time, running_time;
} TextTimes;

static GstPadProbeReturn
note_times (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstEvent *event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  TextTimes *times = user_data;
  const GstSegment *segment;

  gst_event_parse_segment (event, &segment);
  times->pts = GST_BUFFER_PTS (buffer);
  times->duration = GST_BUFFER_DURATION (buffer);
  times->stream_time = gst_segment_to_stream_time (segment, GST_FORMAT_TIME, times->pts);
  times->running_time = gst_segment_to_running_time (segment, GST_FORMAT_TIME, times->pts);
  gst_event_unref (event);
  return GST_PAD_PROBE_OK;
}

/* Whatever the video's segment, a caption's PTS is a stream time, or with text-time=running a running time, and its
 * running time is its frame's. */
static void
test_text_segment (void)
{
  static const struct {
    gdouble rate, applied_rate;
    GstClockTime start, stop, time, base, offset;
  } segments[] = {
    { 1, 1, 0, GST_CLOCK_TIME_NONE, 0, 0, 0 }, { 1, 1, 400 * GST_MSECOND, GST_CLOCK_TIME_NONE, 0, 0, 0 }, /* B-frames */
    { 1, 1, 0, 10 * GST_SECOND, 0, 7 * GST_SECOND, 0 },                     /* the second of concat */
    { 1, 1, 0, GST_CLOCK_TIME_NONE, 0, 7 * GST_SECOND, 200 * GST_MSECOND }, /* after gst_pad_set_offset() or a trick */
    { 2, 1, 400 * GST_MSECOND, 10 * GST_SECOND, 5 * GST_SECOND, GST_SECOND, 0 },       /* fast */
    { 1, 4, 0, 10 * GST_SECOND, 60 * GST_SECOND, 0, 0 },                               /* fast, by the server */
    { 2, 0.5, 0, 10 * GST_SECOND, 60 * GST_SECOND, 0, 0 },                             /* both */
    { -1, 1, 0, 10 * GST_SECOND, 0, 0, 0 },                                            /* reverse */
    { -2, 1, 400 * GST_MSECOND, 10 * GST_SECOND, 60 * GST_SECOND, 3 * GST_SECOND, 0 }, /* faster */
    { 1, -1, 0, 10 * GST_SECOND, 60 * GST_SECOND, 0, 0 },                              /* by the server */
    { -1, -1, 0, 10 * GST_SECOND, 60 * GST_SECOND, 2 * GST_SECOND, 0 },                /* forwards, in the end */
  };
  const GstClockTime pts = 50 * 40 * GST_MSECOND;

  for (guint i = 0; i < 2 * G_N_ELEMENTS (segments); i++) {
    gboolean running = i % 2 == 1;
    Fixture f = fixture_new (running ? BLOCK "interval=200000000 text-time=running" : BLOCK "interval=200000000", TRUE);
    TextTimes found = { 0 };
    GstSegment video;

    g_test_message ("segment %u%s", i / 2, running ? ", running" : "");
    gst_pad_add_probe (f.text->pad, GST_PAD_PROBE_TYPE_BUFFER, note_times, &found, NULL);
    gst_segment_init (&video, GST_FORMAT_TIME);
    video.rate = segments[i / 2].rate;
    video.applied_rate = segments[i / 2].applied_rate;
    video.start = segments[i / 2].start;
    video.stop = segments[i / 2].stop;
    video.time = segments[i / 2].time;
    video.base = segments[i / 2].base;
    video.offset = segments[i / 2].offset;
    g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&video)));
    fixture_push (&f, 50, 51);
    fixture_push_eos (&f);
    g_free (text_sink_take (f.text, "eos"));

    GstClockTime stream_time = gst_segment_to_stream_time (&video, GST_FORMAT_TIME, pts);
    GstClockTime running_time = gst_segment_to_running_time (&video, GST_FORMAT_TIME, pts);
    g_assert_cmpuint (found.running_time, ==, running_time);
    g_assert_cmpuint (found.stream_time, ==, found.pts);
    if (running) {
      g_assert_cmpuint (found.pts, ==, running_time);
      g_assert_cmpfloat_with_epsilon ((gdouble) found.duration, 200e6 / fabs (video.rate * video.applied_rate), 1);
    } else if (video.rate * video.applied_rate > 0) {
      g_assert_cmpuint (found.pts, ==, stream_time);
      g_assert_cmpuint (found.duration, ==, 200 * GST_MSECOND);
    } else { /* it covers what is shown from its frame on, the frame included */
      GstClockTime end = stream_time + (video.applied_rate > 0 ? 40 * GST_MSECOND : 0);
      g_assert_cmpuint (found.pts + found.duration, ==, end);
      g_assert_cmpuint (found.duration, ==, 200 * GST_MSECOND);
    }
    fixture_free (&f);
  }
}

/* The end of a segment that is played in a loop is said in the text's own times. */
static void
test_segment_done (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.flags = GST_SEGMENT_FLAG_SEGMENT;
  segment.start = 5 * 40 * GST_MSECOND;
  segment.stop = 7 * 40 * GST_MSECOND;
  segment.time = 0;
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 5, 7);
  fixture_pull (&f, 5, 7);
  g_assert_true (gst_harness_push_event (
      f.stream->harness, gst_event_new_segment_done (GST_FORMAT_TIME, (gint64) (7 * 40 * GST_MSECOND))));
  g_autofree gchar *record = text_sink_take (f.text, "segment-done 2");
  g_assert_true (g_str_has_suffix (record, "segment 0, text 0 for 200, gap 1, segment-done 2"));
  fixture_free (&f);
}

static void
test_messages (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstSegment segment;
  guint n_partial = 0;
  GstMessage *message;
  gboolean finished = FALSE;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 200 * GST_MSECOND; /* frame 5 is at running time 0, */
  segment.time = 1000 * GST_MSECOND; /* a second into the stream */
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 6, 7);
  fixture_pull (&f, 6, 7);
  text_sink_wait (f.text, "text 26 for 200"); /* stream time */
  while ((message = gst_bus_pop_filtered (f.stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    const GstStructure *s = gst_message_get_structure (message);
    guint64 pts, stream_time, running_time, described_pts, duration;
    g_assert_false (finished); /* nothing behind the last word */
    g_assert_true (gst_structure_get (s, "pts", G_TYPE_UINT64, &pts, "running-time", G_TYPE_UINT64, &running_time,
        "described-pts", G_TYPE_UINT64, &described_pts, "duration", G_TYPE_UINT64, &duration, "stream-time",
        G_TYPE_UINT64, &stream_time, NULL));
    g_assert_cmpuint (stream_time, ==, 1040 * GST_MSECOND);
    g_assert_cmpuint (pts, ==, 240 * GST_MSECOND);
    g_assert_cmpuint (described_pts, ==, 240 * GST_MSECOND);
    g_assert_cmpuint (running_time, ==, 40 * GST_MSECOND);
    g_assert_cmpuint (duration, ==, 200 * GST_MSECOND);
    if (gst_structure_has_name (s, "upi-caption-partial")) {
      n_partial++;
      g_assert_cmpstr (gst_structure_get_string (s, "text"), !=, NULL);
    } else {
      g_assert_true (gst_structure_has_name (s, "upi-caption"));
      g_assert_cmpstr (gst_structure_get_string (s, "text"), ==, f.text->texts->pdata[0]);
      finished = TRUE;
    }
    gst_message_unref (message);
  }
  g_assert_true (finished);
  g_assert_cmpuint (n_partial, >=, 1);
  fixture_free (&f);
}

/* Every frame of the interval shows the caption, also to another upicaption's readers. */
static void
test_meta (void)
{
  Fixture f = fixture_new ("upiencoder model=tiny device=cpu threads=1 policy=block model-instance-id=caption ! "
                           "upicaption interval=4000000000 max-tokens=2 ! "
                           "upicaption name=c interval=200000000",
      TRUE);

  fixture_push (&f, 0, 8);
  fixture_push_eos (&f);
  text_sink_wait (f.text, "eos");
  g_assert_cmpuint (f.text->texts->len, ==, 2);
  for (guint i = 0; i < 8; i++) {
    GstBuffer *buffer = stream_pull (f.stream);
    guint n;
    const GstUpiCaption *captions =
        gst_upi_content_get_captions (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
    g_assert_cmpuint (n, ==, 2);
    g_assert_cmpuint (captions[0].pts, ==, 0);
    g_assert_cmpuint (captions[0].duration, ==, 4 * GST_SECOND);
    g_assert_cmpstr (captions[1].text, ==, f.text->texts->pdata[i / 5]);
    g_assert_cmpuint (captions[1].pts, ==, i / 5 * 200 * GST_MSECOND);
    g_assert_cmpuint (captions[1].duration, ==, 200 * GST_MSECOND);
    gst_buffer_unref (buffer);
  }
  fixture_free (&f);
}

static guint
count_without_caption (Fixture *f, guint n_frames)
{
  guint without = 0, n;

  for (guint i = 0; i < n_frames; i++) {
    GstBuffer *buffer = stream_pull (f->stream);
    gst_upi_content_get_captions (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
    without += n == 0;
    gst_buffer_unref (buffer);
  }
  return without;
}

/* A caption stays until the next, however long that takes. */
static void
test_caption_stays (void)
{
  Fixture f = fixture_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block inference-interval=3 model-instance-id=caption ! "
      "upicaption name=c interval=160000000",
      TRUE);

  fixture_push (&f, 0, 24); /* due at 4, asked for at 6 */
  g_assert_cmpuint (count_without_caption (&f, 24), ==, 0);
  text_sink_wait (f.text, "text 6 for 160");
  fixture_free (&f);

  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  f = fixture_new (LATEST "interval=160000000", TRUE);
  for (guint i = 0; i < 2; i++) { /* the encoding of frame 0, then its caption, end when their frame has left */
    upi_engine_hold (engine);
    fixture_push (&f, i, i + 1);
    g_assert_cmpuint (count_without_caption (&f, 1), ==, 1);
    upi_engine_release (engine);
    test_engine_drain (engine);
  }
  upi_engine_hold (engine);
  fixture_push (&f, 2, 100); /* the first is there, the next never comes */
  g_assert_cmpuint (count_without_caption (&f, 98), ==, 0);
  upi_engine_release (engine);
  fixture_free (&f);
}

static void
test_max_tokens (void)
{
  guint lengths[2];

  for (guint i = 0; i < 2; i++) {
    Fixture f = fixture_new (i == 0 ? BLOCK "max-tokens=1" : BLOCK "max-tokens=6", TRUE);
    fixture_push (&f, 0, 1);
    fixture_pull (&f, 0, 1);
    g_autoptr (GstStructure) message = next_message (&f, "upi-caption");
    g_assert_nonnull (message);
    lengths[i] = (guint) strlen (gst_structure_get_string (message, "text"));
    fixture_free (&f);
  }
  g_assert_cmpuint (lengths[0], <, lengths[1]);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/caption/text-stream", test_text_stream);
  g_test_add_func ("/caption/every-encoding", test_every_encoding);
  g_test_add_func ("/caption/text-segment", test_text_segment);
  g_test_add_func ("/caption/segment-done", test_segment_done);
  g_test_add_func ("/caption/video-gap", test_video_gap);
  g_test_add_func ("/caption/messages", test_messages);
  g_test_add_func ("/caption/meta", test_meta);
  g_test_add_func ("/caption/stays", test_caption_stays);
  g_test_add_func ("/caption/max-tokens", test_max_tokens);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
