/* test-caption.c: what upicaption says: its text stream, messages and meta, both policies, errors. The engine is held by gates, never by
 * time. */
#include "tests/gst/caption-fixture.h"

#include <string.h>

static GstStructure *
next_message (Fixture *f, const gchar *name)
{
  GstMessage *message;
  GstStructure *result = NULL;

  while (result == NULL && (message = gst_bus_pop_filtered (f->stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    const GstStructure *structure = gst_message_get_structure (message);
    if (gst_structure_has_name (structure, name))
      result = gst_structure_copy (structure);
    gst_message_unref (message);
  }
  return result;
}

/* ---- the text stream ------------------------------------------------------------------------------------------------------------- */

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
      "stream-start, caps, segment 0, text 0 for 200, gap 1, gap 2, gap 3, gap 4, text 5 for 200, gap 6, gap 7, gap 8, gap 9, "
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
  Fixture f = fixture_new ("upiencoder model=tiny device=cpu threads=1 policy=block inference-interval=3 model-instance-id=caption ! "
                           "upicaption name=c interval=0",
      TRUE);

  fixture_push (&f, 0, 7);
  fixture_push_eos (&f);
  fixture_pull (&f, 0, 7);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (
      record, ==, "stream-start, caps, segment 0, text 0 for 40, gap 1, gap 2, text 3 for 40, gap 4, gap 5, text 6 for 40, eos");
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

/* ---- messages and meta ----------------------------------------------------------------------------------------------------------- */

static void
test_messages (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstSegment segment;
  guint n_partial = 0;
  GstMessage *message;
  gboolean finished = FALSE;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 200 * GST_MSECOND; /* frame 5 is at running time 0 */
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 6, 7);
  fixture_pull (&f, 6, 7);
  text_sink_wait (f.text, "text 6 for 200");
  while ((message = gst_bus_pop_filtered (f.stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    const GstStructure *s = gst_message_get_structure (message);
    guint64 pts, running_time, described_pts, duration;
    g_assert_false (finished); /* nothing behind the last word */
    g_assert_true (gst_structure_get (s, "pts", G_TYPE_UINT64, &pts, "running-time", G_TYPE_UINT64, &running_time, "described-pts",
        G_TYPE_UINT64, &described_pts, "duration", G_TYPE_UINT64, &duration, NULL));
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
  Fixture f = fixture_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block model-instance-id=caption ! upicaption interval=4000000000 max-tokens=2 ! "
      "upicaption name=c interval=200000000",
      TRUE);

  fixture_push (&f, 0, 8);
  fixture_push_eos (&f);
  text_sink_wait (f.text, "eos");
  g_assert_cmpuint (f.text->texts->len, ==, 2);
  for (guint i = 0; i < 8; i++) {
    GstBuffer *buffer = stream_pull (f.stream);
    guint n;
    const GstUpiCaption *captions = gst_upi_content_get_captions (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
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

/* ---- policy "latest" ------------------------------------------------------------------------------------------------------------- */

static void
test_latest_never_waits (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (LATEST, TRUE);

  fixture_push (&f, 0, 1);
  fixture_pull (&f, 0, 1);
  test_engine_drain (engine); /* frame 0 is encoded */
  upi_engine_hold (engine);
  fixture_push (&f, 1, 2); /* carries it: its caption is asked for, and waits at the gate */
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
  g_assert_true (gst_structure_get (message, "pts", G_TYPE_UINT64, &pts, "described-pts", G_TYPE_UINT64, &described_pts, NULL));
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

/* ---- errors ---------------------------------------------------------------------------------------------------------------------- */

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
  Fixture f = fixture_new ("upiencoder model=tiny device=cpu threads=1 policy=latest inference-interval=100 model-instance-id=caption ! "
                           "upicaption name=c interval=0",
      TRUE);

  fixture_push (&f, 0, 1);
  fixture_pull (&f, 0, 1);
  test_engine_drain (engine); /* frame 0 is encoded; the next is not asked for before frame 100 */
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
  g_test_add_func ("/caption/text-stream", test_text_stream);
  g_test_add_func ("/caption/every-encoding", test_every_encoding);
  g_test_add_func ("/caption/video-gap", test_video_gap);
  g_test_add_func ("/caption/messages", test_messages);
  g_test_add_func ("/caption/meta", test_meta);
  g_test_add_func ("/caption/max-tokens", test_max_tokens);
  g_test_add_func ("/caption/latest-never-waits", test_latest_never_waits);
  g_test_add_func ("/caption/no-encoder", test_no_encoder);
  g_test_add_func ("/caption/empty-meta", test_empty_meta);
  g_test_add_func ("/caption/failure-in-block", test_failure_in_block);
  g_test_add_func ("/caption/failure-in-latest", test_failure_in_latest);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
