/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-life.c: upicaption among elements that wait for each other, with pads that come and go, flushes and state
 * changes. Engines and sinks are held by gates, never by time. */
#include "tests/gst/caption/fixture.h"

#include <string.h>

static GstPadProbeReturn
wait_for_text (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Fixture *f = user_data;
  gint number = frame_number (GST_PAD_PROBE_INFO_BUFFER (info));
  g_autofree gchar *entry =
      number % 5 == 0 ? g_strdup_printf ("text %d for 200", number) : g_strdup_printf ("gap %d", number);

  text_sink_wait (f->text, entry);
  return GST_PAD_PROBE_OK;
}

/* As a muxer does it: no frame is taken before the text for its time is known, be it a caption or that there is
 * none. */
static void
test_text_leaves_first (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);

  gst_pad_add_probe (f.stream->harness->sinkpad, GST_PAD_PROBE_TYPE_BUFFER, wait_for_text, &f, NULL);
  fixture_push (&f, 0, 12);
  fixture_pull (&f, 0, 12);
  fixture_free (&f);
}

/* As a sink in preroll does it: text is not taken at all. The video goes on, and what had to wait comes in order, its
 * GAPs joined. */
static void
test_text_blocked (void)
{
  Fixture f = fixture_new (BLOCK "interval=4000000000", TRUE);

  text_sink_set_closed (f.text, TRUE);
  fixture_push (&f, 0, 150);
  fixture_pull (&f, 0, 150);
  text_sink_wait_blocked (f.text);
  text_sink_set_closed (f.text, FALSE);
  fixture_push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_true (g_str_has_prefix (record, "stream-start, caps, segment 0, text 0 for 4000, gap 1, gap 2, "));
  g_assert_nonnull (strstr (record, ", text 100 for 4000, gap 101 to 150, eos"));
  fixture_free (&f);
}

/* Thousands wait at a text pad that nobody drains: the oldest captions go, which is counted, and said once. */
static void
test_text_lost (void)
{
  Fixture f = fixture_new (BLOCK "interval=0", TRUE);
  g_autoptr (GstStructure) stats = NULL;
  guint64 captions, lost;
  GstSegment segment;

  text_sink_set_closed (f.text, TRUE);
  fixture_push (&f, 0, 1);
  fixture_pull (&f, 0, 1);
  text_sink_wait_blocked (f.text); /* with the first caption */
  fixture_push (&f, 1, 4);
  fixture_pull (&f, 1, 4);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  for (guint i = 0; i < 4096 - 3; i++) /* a quick way to make much wait */
    g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 4, 6);
  fixture_pull (&f, 4, 6);
  g_object_get (f.caption, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (stats, "captions", G_TYPE_UINT64, &captions, "lost", G_TYPE_UINT64, &lost, NULL));
  g_assert_cmpuint (captions, ==, 6);
  g_assert_cmpuint (lost, ==, 2);
  g_autofree gchar *warning = stream_message (f.stream, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "text"));

  fixture_push_eos (&f);                                                /* no caption goes for it */
  for (GstEventType type = GST_EVENT_UNKNOWN; type != GST_EVENT_EOS;) { /* the text's waits when the video's has left */
    GstEvent *event = gst_harness_pull_event (f.stream->harness);

    g_assert_nonnull (event);
    type = GST_EVENT_TYPE (event);
    gst_event_unref (event);
  }
  text_sink_set_closed (f.text, FALSE);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_null (strstr (record, "text 1 ")); /* the oldest that waited */
  g_assert_null (strstr (record, "text 2 "));
  g_assert_nonnull (strstr (record, "text 0 for 40, text 3 for 40, segment 0, "));
  g_assert_nonnull (strstr (record, "text 4 for 40, text 5 for 40, eos"));
  fixture_free (&f); /* which finds no second warning */
}

/* Captions alone: nobody takes the video. */
static void
test_video_not_linked (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstPad *src = gst_element_get_static_pad (f.caption, "src"), *ghost = gst_pad_get_peer (src);

  g_assert_true (gst_pad_unlink (src, ghost));
  fixture_push (&f, 0, 12);
  fixture_push_eos (&f);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_nonnull (strstr (record, "text 10 for 200"));
  gst_object_unref (src);
  gst_object_unref (ghost);
  fixture_free (&f);
}

static void
test_late_request (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", FALSE);

  fixture_push (&f, 0, 7);
  fixture_pull (&f, 0, 7);
  text_sink_request (f.text, f.caption);
  fixture_push (&f, 7, 11);
  fixture_pull (&f, 7, 11);
  g_autofree gchar *record = text_sink_take (f.text, "text 10 for 200");
  g_assert_cmpstr (record, ==, "stream-start, caps, segment 0, gap 7, gap 8, gap 9, text 10 for 200");
  text_sink_release (f.text, f.caption);

  fixture_push_eos (&f);
  text_sink_request (f.text, f.caption); /* after the end */
  g_autofree gchar *end = text_sink_take (f.text, "eos");
  g_assert_cmpstr (end, ==, "stream-start, caps, segment 0, eos");
  fixture_free (&f);
}

static gpointer
push_many (gpointer user_data)
{
  Fixture *f = user_data;
  fixture_push (f, 0, 300);
  return NULL;
}

static void
test_release_while_playing (void)
{
  Fixture f = fixture_new (BLOCK "interval=0", TRUE);
  GThread *thread = g_thread_new ("push", push_many, &f);

  for (gint i = 0; i < 300; i++) {
    fixture_pull (&f, i, i + 1);
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
  fixture_push (&f, 0, 5);
  fixture_pull (&f, 0, 5);
  text_sink_wait_blocked (f.text);
  text_sink_release (f.text, f.caption);
  fixture_push (&f, 5, 10);
  fixture_pull (&f, 5, 10);
  fixture_free (&f);
}

static void
test_flush (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstSegment segment;

  fixture_push (&f, 0, 3);
  fixture_pull (&f, 0, 3);
  text_sink_wait (f.text, "gap 2");
  text_sink_set_closed (f.text, TRUE); /* the flush must also break a hold */
  fixture_push (&f, 3, 7);
  fixture_pull (&f, 3, 7);
  text_sink_wait_blocked (f.text);
  g_free (text_sink_take (f.text, "gap 2"));

  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_start ()));
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_stop (TRUE)));
  text_sink_set_closed (f.text, FALSE);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = segment.time = 80 * GST_MSECOND;
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 2, 4); /* a new caption, though the last one's time is not over */
  fixture_push_eos (&f);
  fixture_pull (&f, 2, 4);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==, "flush-start, flush-stop, segment 2, text 2 for 200, gap 3, eos");
  fixture_free (&f);
}

/* A new stream begins while text waits downstream, and a flush comes: its stream-start, which had not left, is not
 * lost, the old segment is; new stream and caps are on the pad when the flush has passed. */
static void
test_flush_of_new_stream (void)
{
  Fixture f = fixture_new (BLOCK "interval=200000000", TRUE);
  GstPad *text = gst_element_get_static_pad (f.caption, "text");
  GstEvent *second = gst_event_new_stream_start ("second");
  GstSegment segment;
  guint group;

  fixture_push (&f, 0, 1);
  fixture_pull (&f, 0, 1);
  text_sink_wait (f.text, "text 0 for 200");
  text_sink_set_closed (f.text, TRUE);
  fixture_push (&f, 5, 6);
  fixture_pull (&f, 5, 6);
  text_sink_wait_blocked (f.text);
  g_free (text_sink_take (f.text, "text 0 for 200"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_event_set_group_id (second, 77);
  g_assert_true (gst_harness_push_event (f.stream->harness, second));
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 0, 1); /* its events are in the queue */
  fixture_pull (&f, 0, 1);

  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_start ()));
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_flush_stop (TRUE)));
  /* At once, whatever the task does meanwhile. */
  g_autoptr (GstEvent) begun = gst_pad_get_sticky_event (text, GST_EVENT_STREAM_START, 0);
  g_autoptr (GstEvent) caps = gst_pad_get_sticky_event (text, GST_EVENT_CAPS, 0);
  g_assert_nonnull (begun);
  g_assert_nonnull (caps);
  g_assert_true (gst_event_parse_group_id (begun, &group));
  g_assert_cmpuint (group, ==, 77);
  text_sink_set_closed (f.text, FALSE);
  segment.start = segment.position = segment.time = 80 * GST_MSECOND;
  g_assert_true (gst_harness_push_event (f.stream->harness, gst_event_new_segment (&segment)));
  fixture_push (&f, 2, 3);
  fixture_push_eos (&f);
  fixture_pull (&f, 2, 3);
  g_autofree gchar *record = text_sink_take (f.text, "eos");
  g_assert_cmpstr (record, ==, "flush-start, flush-stop, stream-start, caps, segment 2, text 2 for 200, eos");

  gst_object_unref (text);
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

/* Pushes frame 0. Its encoding is done; before its caption is asked for, the engine stops taking tickets. Returns once
 * the frame waits. */
static void
push_until_it_waits (Fixture *f, UpiEngine *engine)
{
  GstPad *sink = gst_element_get_static_pad (f->caption, "sink");
  Gate gate = { engine, FALSE };
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, hold_engine, &gate, NULL);
  fixture_push (f, 0, 1);
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
  fixture_push (&f, 1, 2);
  fixture_pull (&f, 1, 2);
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
    fixture_push (&f, 0, i % 4);
    fixture_free (&f);
    if (i == 9) /* the threads that GStreamer keeps for later are there by now */
      threads = test_threads ();
  }
  g_assert_cmpuint (test_threads (), <=, threads + 1);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/caption/text-leaves-first", test_text_leaves_first);
  g_test_add_func ("/caption/text-blocked", test_text_blocked);
  g_test_add_func ("/caption/text-lost", test_text_lost);
  g_test_add_func ("/caption/video-not-linked", test_video_not_linked);
  g_test_add_func ("/caption/late-request", test_late_request);
  g_test_add_func ("/caption/release-while-playing", test_release_while_playing);
  g_test_add_func ("/caption/release-while-blocked", test_release_while_blocked);
  g_test_add_func ("/caption/flush", test_flush);
  g_test_add_func ("/caption/flush-of-new-stream", test_flush_of_new_stream);
  g_test_add_func ("/caption/flush-while-waiting", test_flush_while_waiting);
  g_test_add_func ("/caption/stop-while-waiting", test_stop_while_waiting);
  g_test_add_func ("/caption/start-stop", test_start_stop);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
