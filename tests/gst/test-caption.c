/* test-caption.c: upicaption behind an encoder of the tiny model: its text stream, what hangs muxers and must not, flushes, pads that come
 * and go, both policies. Engines and sinks are held by gates, never by time. */
#include "tests/gst/text-sink.h"

#include <string.h>

#define BLOCK "upiencoder model=tiny device=cpu threads=1 policy=block model-instance-id=caption ! upicaption name=c "
#define LATEST "upiencoder model=tiny device=cpu threads=1 policy=latest model-instance-id=caption ! upicaption name=c "

typedef struct {
  Stream *stream;
  GstElement *caption;
  TextSink *text;
} Fixture;

static Fixture
fixture_new (const gchar *description, gboolean with_text)
{
  Fixture f = { .stream = stream_new (description, FALSE), .text = text_sink_new () };

  f.caption = stream_get (f.stream, "c");
  if (with_text)
    text_sink_request (f.text, f.caption);
  stream_format (f.stream, "I420", 64, 48);
  return f;
}

static void
fixture_free (Fixture *f)
{
  gst_object_unref (f->caption);
  stream_free (f->stream);
  text_sink_free (f->text);
}

static void
push (Fixture *f, guint first, guint end)
{
  for (guint i = first; i < end; i++)
    g_assert_cmpint (stream_push (f->stream, i), ==, GST_FLOW_OK);
}

/* Takes the frames out, which must be these. */
static void
pull (Fixture *f, gint first, gint end)
{
  for (gint i = first; i < end; i++) {
    GstBuffer *buffer = stream_pull (f->stream);
    g_assert_cmpint (frame_number (buffer), ==, i);
    gst_buffer_unref (buffer);
  }
}

static void
push_eos (Fixture *f)
{
  g_assert_true (gst_harness_push_event (f->stream->harness, gst_event_new_eos ()));
}

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

  push (&f, 0, 12);
  push_eos (&f);
  pull (&f, 0, 12);
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

  push (&f, 0, 7);
  push_eos (&f);
  pull (&f, 0, 7);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (
      record, ==, "stream-start, caps, segment 0, text 0 for 40, gap 1, gap 2, text 3 for 40, gap 4, gap 5, text 6 for 40, eos");
  fixture_free (&f);
}

static void
test_video_gap (void)
{
  Fixture f = fixture_new (BLOCK, TRUE);

  push (&f, 0, 1);
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_gap (40 * GST_MSECOND, 40 * GST_MSECOND)));
  push (&f, 2, 3);
  push_eos (&f);
  pull (&f, 0, 1);
  pull (&f, 2, 3);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==, "stream-start, caps, segment 0, text 0 for 1000, gap 1, gap 2, eos");
  fixture_free (&f);
}

/* ---- what hangs muxers ----------------------------------------------------------------------------------------------------------- */

static GstPadProbeReturn
wait_for_text (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Fixture *f = user_data;
  gint number = frame_number (GST_PAD_PROBE_INFO_BUFFER (info));
  g_autofree gchar *entry = number % 5 == 0 ? g_strdup_printf ("text %d for 200", number) : g_strdup_printf ("gap %d", number);

  text_sink_wait (f->text, entry);
  return GST_PAD_PROBE_OK;
}

/* As a muxer does it: no frame is taken before the text for its time is known, be it a caption or that there is none. */
static void
test_text_leaves_first (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);

  gst_pad_add_probe (f.stream->harness->sinkpad, GST_PAD_PROBE_TYPE_BUFFER, wait_for_text, &f, NULL);
  push (&f, 0, 12);
  pull (&f, 0, 12);
  fixture_free (&f);
}

/* As a sink in preroll does it: text is not taken at all. The video goes on, and what had to wait comes in order, its GAPs joined. */
static void
test_text_blocked (void)
{
  Fixture f = fixture_new (BLOCK "interval=4000000000", TRUE);

  text_sink_set_closed (f.text, TRUE);
  push (&f, 0, 150);
  pull (&f, 0, 150);
  text_sink_wait_blocked (f.text);
  text_sink_set_closed (f.text, FALSE);
  push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_true (g_str_has_prefix (record, "stream-start, caps, segment 0, text 0 for 4000, gap 1, gap 2, "));
  g_assert_nonnull (strstr (record, ", text 100 for 4000, gap 101 to 150, eos"));
  fixture_free (&f);
}

/* Captions alone: nobody takes the video. */
static void
test_video_not_linked (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstPad *src = gst_element_get_static_pad (f.caption, "src"), *ghost = gst_pad_get_peer (src);

  g_assert_true (gst_pad_unlink (src, ghost));
  push (&f, 0, 12);
  push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_nonnull (strstr (record, "text 10 for 200"));
  gst_object_unref (src);
  gst_object_unref (ghost);
  fixture_free (&f);
}

/* ---- pads that come and go ------------------------------------------------------------------------------------------------------- */

static void
test_late_request (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", FALSE);

  push (&f, 0, 7);
  pull (&f, 0, 7);
  text_sink_request (f.text, f.caption);
  push (&f, 7, 11);
  pull (&f, 7, 11);
  g_autofree gchar *record = text_sink_take (f.text, "text 10 for 200");
  g_assert_cmpstr (record, ==, "stream-start, caps, segment 0, gap 7, gap 8, gap 9, text 10 for 200");
  text_sink_release (f.text, f.caption);

  push_eos (&f);
  text_sink_request (f.text, f.caption); /* after the end */
  g_autofree gchar *end = text_sink_take (f.text, "eos");
  g_assert_cmpstr (end, ==, "stream-start, caps, segment 0, eos");
  fixture_free (&f);
}

static gpointer
push_many (gpointer user_data)
{
  Fixture *f = user_data;
  push (f, 0, 300);
  return NULL;
}

static void
test_release_while_playing (void)
{
  Fixture f = fixture_new (BLOCK "interval=0", TRUE);
  GThread *thread = g_thread_new ("push", push_many, &f);

  for (gint i = 0; i < 300; i++) {
    pull (&f, i, i + 1);
    if (i % 3 == 0)
      text_sink_release (f.text, f.caption);
    else if (i % 3 == 1)
      text_sink_request (f.text, f.caption);
  }
  g_thread_join (thread);
  fixture_free (&f);
}

/* Released while downstream holds the text: the hold is broken, no thread stays behind. */
static void
test_release_while_blocked (void)
{
  Fixture f = fixture_new (BLOCK "interval=0", TRUE);

  text_sink_set_closed (f.text, TRUE);
  push (&f, 0, 5);
  pull (&f, 0, 5);
  text_sink_wait_blocked (f.text);
  text_sink_release (f.text, f.caption);
  push (&f, 5, 10);
  pull (&f, 5, 10);
  fixture_free (&f);
}

/* ---- flushes and states ---------------------------------------------------------------------------------------------------------- */

static void
test_flush (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstSegment segment;

  push (&f, 0, 3);
  pull (&f, 0, 3);
  text_sink_wait (f.text, "gap 2");
  text_sink_set_closed (f.text, TRUE); /* the flush must also break a hold */
  push (&f, 3, 7);
  pull (&f, 3, 7);
  text_sink_wait_blocked (f.text);
  g_free (text_sink_take (f.text, "gap 2"));

  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_start ()));
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_stop (TRUE)));
  text_sink_set_closed (f.text, FALSE);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = segment.time = 80 * GST_MSECOND;
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  push (&f, 2, 4); /* a new caption, though the last one's time is not over */
  push_eos (&f);
  pull (&f, 2, 4);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==, "flush-start, flush-stop, segment 2, text 2 for 200, gap 3, eos");
  fixture_free (&f);
}

typedef struct {
  UpiEngine *engine;
  gint held; /* atomic */
} Gate;

static GstPadProbeReturn
hold_engine (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Gate *gate = user_data;
  upi_engine_hold (gate->engine);
  g_atomic_int_set (&gate->held, TRUE);
  return GST_PAD_PROBE_REMOVE;
}

/* Pushes frame 0. Its encoding is done; before its caption is asked for, the engine stops taking tickets. Returns once the frame waits. */
static void
push_until_it_waits (Fixture *f, UpiEngine *engine)
{
  GstPad *sink = gst_element_get_static_pad (f->caption, "sink");
  Gate gate = { engine, FALSE };
  UpiEngineStats stats;

  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, hold_engine, &gate, NULL);
  push (f, 0, 1);
  do {
    g_thread_yield ();
    upi_engine_get_stats (engine, &stats);
  } while (!g_atomic_int_get (&gate.held) || stats.queue_length == 0);
  gst_object_unref (sink);
}

/* A frame waits for its caption, the engine does not come to it: a flush lets it go, the stream goes on afterwards. */
static void
test_flush_while_waiting (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (BLOCK, TRUE);

  push_until_it_waits (&f, engine);
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_start ()));
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_stop (TRUE)));
  upi_engine_release (engine);

  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  push (&f, 1, 2);
  pull (&f, 1, 2);
  text_sink_wait (f.text, "text 1 for 1000");
  fixture_free (&f);
}

/* The same with the pipeline shut down instead. */
static void
test_stop_while_waiting (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("caption", 1);
  Fixture f = fixture_new (BLOCK, TRUE);

  push_until_it_waits (&f, engine);
  gst_element_set_state (f.stream->element, GST_STATE_NULL);
  upi_engine_release (engine);
  fixture_free (&f);
}

static void
test_start_stop (void)
{
  guint threads = 0;

  for (guint i = 0; i < 60; i++) {
    Fixture f = fixture_new (BLOCK "interval=0", TRUE);
    push (&f, 0, i % 4);
    fixture_free (&f);
    if (i == 9) /* the threads that GStreamer keeps for later are there by now */
      threads = test_threads ();
  }
  g_assert_cmpuint (test_threads (), <=, threads + 1);
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
  push (&f, 6, 7);
  pull (&f, 6, 7);
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

  push (&f, 0, 8);
  push_eos (&f);
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
    push (&f, 0, 1);
    pull (&f, 0, 1);
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

  push (&f, 0, 1);
  pull (&f, 0, 1);
  test_engine_drain (engine); /* frame 0 is encoded */
  upi_engine_hold (engine);
  push (&f, 1, 2); /* carries it: its caption is asked for, and waits at the gate */
  pull (&f, 1, 2);
  push (&f, 2, 40);
  pull (&f, 2, 40);
  g_assert_null (next_message (&f, "upi-caption"));

  upi_engine_release (engine);
  test_engine_drain (engine); /* behind the caption */
  push (&f, 40, 41);
  pull (&f, 40, 41);
  text_sink_wait (f.text, "text 40 for 1000");
  g_autoptr (GstStructure) message = next_message (&f, "upi-caption");
  g_assert_nonnull (message);
  guint64 pts, described_pts;
  g_assert_true (gst_structure_get (message, "pts", G_TYPE_UINT64, &pts, "described-pts", G_TYPE_UINT64, &described_pts, NULL));
  g_assert_cmpuint (pts, ==, 40 * 40 * GST_MSECOND);
  g_assert_cmpuint (described_pts, ==, 0);

  /* At the end nobody waits for one that is still on its way. */
  upi_engine_hold (engine);
  push (&f, 80, 82);
  pull (&f, 80, 82);
  push_eos (&f);
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
  pull (&f, 0, 1);
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
  push (&f, 0, 1);
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

  push (&f, 0, 1);
  pull (&f, 0, 1);
  test_engine_drain (engine); /* frame 0 is encoded; the next is not asked for before frame 100 */
  upi_engine_hold (engine);
  upi_engine_fail_inference (engine, 1);
  push (&f, 1, 2); /* asks for a caption, which fails */
  pull (&f, 1, 2);
  upi_engine_release (engine);
  test_engine_drain (engine);
  push (&f, 2, 10);
  pull (&f, 2, 10);
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
  g_test_add_func ("/caption/text-leaves-first", test_text_leaves_first);
  g_test_add_func ("/caption/text-blocked", test_text_blocked);
  g_test_add_func ("/caption/video-not-linked", test_video_not_linked);
  g_test_add_func ("/caption/late-request", test_late_request);
  g_test_add_func ("/caption/release-while-playing", test_release_while_playing);
  g_test_add_func ("/caption/release-while-blocked", test_release_while_blocked);
  g_test_add_func ("/caption/flush", test_flush);
  g_test_add_func ("/caption/flush-while-waiting", test_flush_while_waiting);
  g_test_add_func ("/caption/stop-while-waiting", test_stop_while_waiting);
  g_test_add_func ("/caption/start-stop", test_start_stop);
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
