/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-rules.c: upirules in a stream: events on the bus and in the meta, where a stream ends or jumps. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/gst/rules/fixture.h"

static void
push_segment (Fixture *fixture, GstClockTime start, GstClockTime time, GstClockTime base)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = start;
  segment.time = time;
  segment.base = base;
  g_assert_true (gst_harness_push_event (fixture->stream->harness, gst_event_new_segment (&segment)));
}

static void
test_events (void)
{
  Fixture fixture;
  GstStructure *event;
  guint count;
  guint64 total, stream_time, running_time, since;
  guint stream;
  gdouble x, score;

  fixture_open (&fixture, ONE (SQUARE ", \"min_time\": 0.08"), "", "");
  push_segment (&fixture, 0, GST_SECOND, 0);
  expect (&fixture, 0, "7@0.1,0.5", "");
  expect (&fixture, 1, "7@0.5,0.5 0@0.5,0.5", "");
  expect (&fixture, 3, "7@0.5,0.5 0@0.5,0.5", "1 new enter 7 r");
  expect (&fixture, 4, "7@0.5,0.5", "");
  expect (&fixture, 5, "7@0.9,0.5", "1 end leave 7 r");

  event = pop_event (&fixture);
  g_assert_cmpstr (gst_structure_get_string (event, "type"), ==, "new");
  g_assert_cmpstr (gst_structure_get_string (event, "kind"), ==, "zone");
  g_assert_cmpstr (gst_structure_get_string (event, "rule"), ==, "r");
  g_assert_cmpstr (gst_structure_get_string (event, "what"), ==, "enter");
  g_assert_cmpstr (gst_structure_get_string (event, "label"), ==, "person");
  g_assert_true (gst_structure_get (event, "count", G_TYPE_UINT, &count, "total-in", G_TYPE_UINT64, &total, "stream",
      G_TYPE_UINT, &stream, "stream-time", G_TYPE_UINT64, &stream_time, "running-time", G_TYPE_UINT64, &running_time,
      "since", G_TYPE_UINT64, &since, "x", G_TYPE_DOUBLE, &x, "score", G_TYPE_DOUBLE, &score, NULL));
  g_assert_cmpuint (count, ==, 1);
  g_assert_cmpuint (total, ==, 1);
  g_assert_cmpuint (stream, ==, 1);
  g_assert_cmpuint (stream_time, ==, GST_SECOND + 120 * GST_MSECOND);
  g_assert_cmpuint (running_time, ==, 120 * GST_MSECOND);
  g_assert_cmpuint (since, ==, 40 * GST_MSECOND);
  g_assert_cmpfloat_with_epsilon (x, 0.45, 1e-6);
  g_assert_cmpfloat_with_epsilon (score, 0.9, 1e-6);
  gst_structure_free (event);
  expect_message (&fixture, "1 end leave 7 r");
  expect_message (&fixture, NULL);
  fixture_close (&fixture);
}

/* Objects of a frame say where their tracks began, upitrack's long before they had an id. */
static void
test_late_number (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE ("\"type\": \"line\", \"points\": [[0.2, 0.5], [0.8, 0.5]]"), "", "");
  expect (&fixture, 20, "7@0.5,0.7<0.5,0.3/800 8@0.5,0.7<0.5,0.6/800 9@0.5,0.7", "1 new forward 7 r");
  expect (&fixture, 21, "7@0.5,0.7<0.5,0.3/840 8@0.5,0.7<0.5,0.6/840 9@0.5,0.7", "");
  fixture_close (&fixture);
  fixture_open (&fixture, ONE (SQUARE), "", "");
  expect (&fixture, 20, "7@0.5,0.5<0.1,0.5/800 8@0.5,0.5<0.4,0.5/800 9@0.9,0.5<0.5,0.5/800",
      "1 new enter 7 r; 2 new appear 8 r; 3 new appear 9 r; 3 end leave 9 r");
  fixture_close (&fixture);
}

/* Every frame tells how the rules stand, those of both elements; the events of the first are still there behind the
 * second. */
static void
test_two_in_a_chain (void)
{
  Fixture fixture;
  guint n;

  fixture_open (&fixture, ONE (SQUARE), "",
      " ! upirules name=f rules=\"{\\\"rules\\\":{\\\"n\\\":{\\\"type\\\":\\\"count\\\",\\\"above\\\":1}}}\"");
  expect (&fixture, 0, "7@0.5,0.5 8@0.1,0.5", "1 new appear 7 r; 1 new above 0 n");
  expect_message (&fixture, "1 new appear 7 r");
  expect_message (&fixture, "1 new above 0 n");

  GstBuffer *buffer = frame_new ("GRAY8", 16, 16, 1);
  gst_buffer_add_upi_meta (buffer, NULL);
  gst_harness_push (fixture.stream->harness, buffer);
  g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
  const GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (out));
  const GstUpiRule *rules = gst_upi_content_get_rules (content, &n);
  g_assert_cmpuint (n, ==, 2);
  g_assert_cmpstr (rules[0].name, ==, "r");
  g_assert_cmpint (rules[0].kind, ==, GST_UPI_RULE_ZONE);
  g_assert_cmpuint (rules[0].n_points, ==, 4);
  g_assert_cmpfloat (rules[0].points[2].x, ==, 0.75f);
  g_assert_cmpuint (rules[0].count, ==, 1);
  g_assert_cmpuint (rules[0].total_in, ==, 1);
  g_assert_cmpint (rules[0].flags, ==, GST_UPI_RULE_ACTIVE);
  g_assert_cmpstr (rules[1].name, ==, "n");
  g_assert_cmpint (rules[1].kind, ==, GST_UPI_RULE_COUNT);
  g_assert_null (rules[1].points);
  g_assert_cmpint (rules[1].flags, ==, GST_UPI_RULE_NONE); /* nobody is there any more */
  gst_upi_content_get_events (content, &n);
  g_assert_cmpuint (n, ==, 1);
  fixture_close (&fixture);
}

/* What goes on ends where the stream does, jumps or begins anew; nothing is known afterwards. A segment that goes on
 * keeps all. */
static void
test_flush (void)
{
  Fixture fixture;
  GstSegment segment;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  expect (&fixture, 100, "7@0.1,0.5", "");
  expect (&fixture, 101, "7@0.5,0.5", "1 new enter 7 r");
  gst_harness_push_event (fixture.stream->harness, gst_event_new_flush_start ());
  gst_harness_push_event (fixture.stream->harness, gst_event_new_flush_stop (TRUE));
  expect_message (&fixture, "1 new enter 7 r");
  g_autoptr (GstStructure) event = pop_event (&fixture);
  guint64 running_time;
  g_assert_cmpstr (gst_structure_get_string (event, "what"), ==, "stop");
  g_assert_true (gst_structure_get_uint64 (event, "running-time", &running_time));
  g_assert_cmpuint (running_time, ==, 101 * 40 * GST_MSECOND);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (fixture.stream->harness, gst_event_new_segment (&segment));
  expect (&fixture, 0, "7@0.5,0.5", "1 end stop 7 r; 2 new appear 7 r"); /* the first one is of before */
  expect_message (&fixture, "2 new appear 7 r");
  expect (&fixture, 1, "7@0.1,0.5", "2 end leave 7 r");
  fixture_close (&fixture);
}

static void
test_segments (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  push_segment (&fixture, 0, 0, 0);
  expect (&fixture, 0, "7@0.1,0.5", "");
  expect (&fixture, 1, "7@0.5,0.5", "1 new enter 7 r");
  push_segment (&fixture, 80 * GST_MSECOND, 80 * GST_MSECOND, 80 * GST_MSECOND); /* goes on */
  expect (&fixture, 2, "7@0.5,0.5", "");
  push_segment (&fixture, 75 * 40 * GST_MSECOND, 75 * 40 * GST_MSECOND, 120 * GST_MSECOND); /* a seek without a flush */
  expect (&fixture, 75, "7@0.5,0.5", "1 end stop 7 r; 2 new appear 7 r");
  fixture_close (&fixture);
}

static void
test_stream_start (void)
{
  Fixture fixture;
  guint stream;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  push_segment (&fixture, 0, 0, 0);
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 r");
  gst_harness_push_event (fixture.stream->harness, gst_event_new_stream_start ("another"));
  push_segment (&fixture, 0, 0, 40 * GST_MSECOND);
  expect (&fixture, 0, "7@0.5,0.5", "1 end stop 7 r; 2 new appear 7 r");
  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstStructure) event = pop_event (&fixture);
    g_assert_true (gst_structure_get_uint (event, "stream", &stream));
    g_assert_cmpuint (stream, ==, i < 2 ? 1 : 2); /* the end is of the first one */
  }
  gst_harness_push_event (fixture.stream->harness, gst_event_new_eos ());
  expect_message (&fixture, "2 end stop 7 r");
  expect_message (&fixture, NULL);
  fixture_close (&fixture);
}

/* What goes on at the end of a stream ends in the lines of upijson too, though no frame carries it. */
static void
test_lines (void)
{
  Fixture fixture;
  g_autofree gchar *text = NULL, *path = NULL, *behind = NULL;
  gint file = g_file_open_tmp ("events-XXXXXX.jsonl", &path, NULL);

  g_close (file, NULL);
  behind = g_strdup_printf (" ! upijson emit=events source=gate location=%s", path);
  fixture_open (&fixture, ONE (SQUARE), "", behind);
  expect (&fixture, 0, "7@0.1,0.5", "");
  expect (&fixture, 1, "7@0.5,0.5", "1 new enter 7 r");
  expect (&fixture, 2, "7@0.5,0.5", "");
  gst_harness_push_event (fixture.stream->harness, gst_event_new_eos ());
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_nonnull (strstr (lines[0], "\"type\":\"new\""));
  g_assert_nonnull (strstr (lines[0], "\"frame\":1,"));
  g_assert_nonnull (strstr (lines[1], "\"what\":\"stop\""));
  g_assert_nonnull (strstr (lines[1], "\"frame\":2,"));
  g_assert_nonnull (strstr (lines[1], "\"source\":\"gate\""));
  g_assert_nonnull (strstr (lines[1], "\"running_time\":80000000"));
  fixture_close (&fixture);
  g_unlink (path);
}

static void
test_no_tracks (void)
{
  Fixture fixture;

  fixture_open (&fixture, "{\"rules\": {\"z\": {" SQUARE "}, \"n\": {\"type\": \"count\", \"above\": 0}}}", "", "");
  expect (&fixture, 0, "", "");
  expect (&fixture, 1, "0@0.5,0.5", "1 new above 0 n");
  expect (&fixture, 2, "0@0.5,0.5", "");
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_assert_cmpstr (warning, ==,
      "e has zones or lines, and the objects that reach it have no track ids: put upitrack before it. Only its counts "
      "and phrases work.");
  g_assert_null (stream_peek_message (fixture.stream, GST_MESSAGE_WARNING));
  fixture_close (&fixture);
}

/* A count asks for no tracks; and nothing is known, not even that there is nothing, before the first result. */
static void
test_before_the_first_result (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE ("\"type\": \"count\", \"below\": 1"), "", "");
  expect (&fixture, 0, "", "");
  expect (&fixture, 1, "0@0.5,0.5", "");
  expect (&fixture, 2, "", "1 new below 0 r");
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/rules/events", test_events);
  g_test_add_func ("/rules/late-number", test_late_number);
  g_test_add_func ("/rules/two-in-a-chain", test_two_in_a_chain);
  g_test_add_func ("/rules/flush", test_flush);
  g_test_add_func ("/rules/segments", test_segments);
  g_test_add_func ("/rules/stream-start", test_stream_start);
  g_test_add_func ("/rules/lines", test_lines);
  g_test_add_func ("/rules/no-tracks", test_no_tracks);
  g_test_add_func ("/rules/before-the-first-result", test_before_the_first_result);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
