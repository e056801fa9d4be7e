/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-rules.c: upirules in a stream: events on the bus and in the meta, where a stream ends or jumps, rules that
 * change while playing, sentences. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/gst/stream.h"

#define SQUARE "\"type\": \"zone\", \"polygon\": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]"
#define ONE(rule) "{\"rules\": {\"r\": {" rule "}}}"

typedef struct {
  gchar *folder, *path;
  Stream *stream;
} Fixture;

/* Replaced in one step, as a careful editor does it; a new file each time. */
static void
write_rules (Fixture *fixture, const gchar *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (fixture->path, text, -1, &error);
  g_assert_no_error (error);
}

static void
fixture_open (Fixture *fixture, const gchar *rules, const gchar *before, const gchar *behind)
{
  fixture->folder = g_dir_make_tmp ("upi-rules-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "rules.json", NULL);
  write_rules (fixture, rules);
  g_autofree gchar *description = g_strdup_printf ("%supirules name=e rules-file=%s%s", before, fixture->path, behind);
  fixture->stream = stream_new (description, FALSE);
  stream_format (fixture->stream, "GRAY8", 16, 16);
}

static void
fixture_close (Fixture *fixture)
{
  g_clear_pointer (&fixture->stream, stream_free);
  g_unlink (fixture->path);
  g_rmdir (fixture->folder);
  g_free (fixture->path);
  g_free (fixture->folder);
}

/* Frame @number, at @number × 40 ms, with an object that stands at each place: "7@0.5,0.5"; 0: no track. What happened
 * in it: "1 new enter 7 r". */
static gchar *
push (Fixture *fixture, guint number, const gchar *places)
{
  g_auto (GStrv) words = g_strsplit (places, " ", -1);
  GstBuffer *buffer = frame_new ("GRAY8", 16, 16, number);
  GstUpiObject objects[8];
  guint n = 0, n_events;
  static const gchar *const types[] = { "new", "update", "end" };
  g_autoptr (GString) text = g_string_new (NULL);

  for (; words[n] != NULL && *words[n] != '\0'; n++) {
    gchar *end;
    guint64 track = g_ascii_strtoull (words[n], &end, 10);
    gfloat x = (gfloat) g_ascii_strtod (end + 1, &end), y = (gfloat) g_ascii_strtod (end + 1, NULL);
    objects[n] = (GstUpiObject){
      .label = "person", .score = 0.9f, .x = x - 0.05f, .y = y - 0.2f, .width = 0.1f, .height = 0.2f, .track_id = track
    };
  }
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_BUFFER_PTS (buffer), GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) content = gst_upi_content_add_objects (empty, objects, n);
  gst_buffer_add_upi_meta (buffer, content);
  g_assert_cmpint (gst_harness_push (fixture->stream->harness, buffer), ==, GST_FLOW_OK);
  g_autoptr (GstBuffer) out = stream_pull (fixture->stream);
  const GstUpiEvent *events =
      gst_upi_content_get_events (gst_upi_meta_get_content (gst_buffer_get_upi_meta (out)), &n_events);
  for (guint i = 0; i < n_events; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT " %s %s %" G_GUINT64_FORMAT " %s", i > 0 ? "; " : "",
        events[i].id, types[events[i].type], events[i].what, events[i].track_id, events[i].rule);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
expect (Fixture *fixture, guint number, const gchar *places, const gchar *events)
{
  g_autofree gchar *found = push (fixture, number, places);
  g_assert_cmpstr (found, ==, events);
}

/* The next upi-event on the bus. (transfer full) (nullable) */
static GstStructure *
pop_event (Fixture *fixture)
{
  GstMessage *message;

  while ((message = gst_bus_pop_filtered (fixture->stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    GstStructure *structure = gst_structure_copy (gst_message_get_structure (message));
    gst_message_unref (message);
    if (gst_structure_has_name (structure, "upi-event"))
      return structure;
    gst_structure_free (structure);
  }
  return NULL;
}

static void
expect_message (Fixture *fixture, const gchar *expected)
{
  g_autoptr (GstStructure) event = pop_event (fixture);

  g_assert_true ((event != NULL) == (expected != NULL));
  if (event == NULL)
    return;
  guint64 id, track;
  g_assert_true (gst_structure_get_uint64 (event, "id", &id));
  g_assert_true (gst_structure_get_uint64 (event, "track-id", &track));
  g_autofree gchar *text = g_strdup_printf ("%" G_GUINT64_FORMAT " %s %s %" G_GUINT64_FORMAT " %s", id,
      gst_structure_get_string (event, "type"), gst_structure_get_string (event, "what"), track,
      gst_structure_get_string (event, "rule"));
  g_assert_cmpstr (text, ==, expected);
}

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

/* A file that changes is taken whole once it has come to rest; what says the same goes on. */
static void
test_reload (void)
{
  Fixture fixture;

  fixture_open (&fixture, "{\"rules\": {\"z\": {" SQUARE "}, \"n\": {\"type\": \"count\", \"above\": 0}}}", "", "");
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 z; 2 new above 0 n");
  write_rules (&fixture, "{\"rules\": {\"m\": {\"type\": \"count\", \"above\": 0}, \"z\": {" SQUARE "}}}");
  expect (&fixture, 1, "7@0.5,0.5", ""); /* seen, and not yet at rest */
  expect (&fixture, 2, "7@0.5,0.5", "2 end stop 0 n; 3 new above 0 m");
  expect (&fixture, 3, "7@0.9,0.5", "1 end leave 7 z");
  g_unlink (fixture.path); /* one that goes changes nothing */
  expect (&fixture, 4, "7@0.5,0.5", "4 new enter 7 z");
  expect (&fixture, 5, "7@0.5,0.5", "");
  write_rules (&fixture, "{\"rules\": {\"l\": {\"type\": \"line\", \"points\": [[0, 0.5], [1, 0.5]]}}}");
  expect (&fixture, 6, "7@0.5,0.4", "");
  expect (&fixture, 7, "7@0.5,0.4", "3 end stop 0 m; 4 end stop 7 z");
  expect (&fixture, 8, "7@0.5,0.6", "5 new forward 7 l");
  fixture_close (&fixture);
}

static void
test_broken_reload (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 r");
  write_rules (&fixture, "{\"rules\": {\n\"r\": {\"type\": \"zone\"}}}");
  for (guint i = 1; i < 6; i++)
    expect (&fixture, i, "7@0.5,0.5", "");
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_autofree gchar *expected = g_strdup_printf (
      "%s:2: rules.r: found no key \"polygon\", expected one: no zone is without. The rules before stay.",
      fixture.path);
  g_assert_cmpstr (warning, ==, expected);
  g_assert_null (stream_peek_message (fixture.stream, GST_MESSAGE_WARNING)); /* once */
  expect (&fixture, 6, "7@0.9,0.5", "1 end leave 7 r");                      /* they do */
  write_rules (&fixture, ONE ("\"type\": \"count\", \"above\": 0"));
  expect (&fixture, 7, "7@0.5,0.5", "2 new enter 7 r");
  expect (&fixture, 8, "7@0.5,0.5", "2 end stop 7 r; 3 new above 0 r");
  fixture_close (&fixture);
}

static void
test_property_while_playing (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  g_autofree gchar *file = NULL, *text = NULL;
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 r");
  g_object_set (element, "rules", "{\"rules\": {}}", NULL);
  expect (&fixture, 1, "7@0.9,0.5", "1 end leave 7 r");
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_assert_cmpstr (warning, ==,
      "rules:1: rules: found an object with 0 keys, expected an object of 1 to 100 rules, {\"name\": {\"type\": …}, "
      "…}. The rules before "
      "stay.");
  g_object_set (element, "rules", ONE ("\"type\": \"count\", \"above\": 0"), NULL);
  expect (&fixture, 2, "7@0.9,0.5", "2 new above 0 r");
  g_object_get (element, "rules-file", &file, "rules", &text, NULL);
  g_assert_null (file); /* the later one counts */
  g_assert_cmpstr (text, ==, ONE ("\"type\": \"count\", \"above\": 0"));
  fixture_close (&fixture);
}

/* An order that comes up the stream is taken by the nearest one, or refused. */
static void
test_order (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE ("\"type\": \"count\", \"above\": 0"),
      "upirules name=far rules=\"{\\\"rules\\\":{\\\"f\\\":{\\\"type\\\":\\\"count\\\"}}}\" ! ", "");
  g_autoptr (GstElement) far = stream_get (fixture.stream, "far");
  static const struct {
    const gchar *target, *property, *value;
    gboolean taken;
  } orders[] = {
    { "upirules", "rules", "{\"rules\": {\"l\": {\"type\": \"line\"}}}", FALSE },
    { "upirules", "rules-file", "/etc/passwd", FALSE },
    { "upidetect", "labels", "cat", FALSE }, /* goes on upstream, where nobody is */
    { "upirules", "rules", ONE (SQUARE), TRUE },
  };
  expect (&fixture, 0, "7@0.5,0.5", "1 new above 0 r");
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++) {
    GstStructure *order = gst_structure_new ("upi-control", "target", G_TYPE_STRING, orders[i].target, "property",
        G_TYPE_STRING, orders[i].property, "value", G_TYPE_STRING, orders[i].value, NULL);
    gboolean taken = gst_harness_push_upstream_event (
        fixture.stream->harness, gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, order));
    if (!g_str_equal (orders[i].target, "upidetect")) /* the harness takes what comes out */
      g_assert_cmpint (taken, ==, orders[i].taken);
  }
  expect (&fixture, 1, "7@0.5,0.5", "1 end stop 0 r; 2 new appear 7 r");
  g_autofree gchar *text = NULL;
  g_object_get (far, "rules", &text, NULL);
  g_assert_cmpstr (text, ==, "{\"rules\":{\"f\":{\"type\":\"count\"}}}");
  fixture_close (&fixture);
}

static void
expect_start_error (const gchar *properties, const gchar *part)
{
  g_autofree gchar *description = g_strdup_printf ("upirules %s", properties);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) element = gst_parse_launch (description, &error);
  g_autoptr (GstBus) bus = gst_bus_new ();

  g_assert_no_error (error);
  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) reason = NULL;
  gst_message_parse_error (message, &reason, NULL);
  g_assert_nonnull (strstr (reason->message, part));
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
}

static void
test_start_errors (void)
{
  expect_start_error ("", "set property \"rules-file\"");
  expect_start_error ("rules-file=/nowhere/at/all.json", "/nowhere/at/all.json: cannot be read");
  expect_start_error ("rules-file=/", "/: found no regular file");
  expect_start_error ("rules=rules.json", "rules:1: found 'r', expected a value");
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

#define ENCODER "upiencoder model=calibrated device=cpu threads=1 ! "
#define PHRASES                                                                                                        \
  "{\"rules\": {\"p\": {\"type\": \"phrase\", \"text\": \"a, b\", \"threshold\": 0}, \"q\": {\"type\": \"phrase\", "   \
  "\"text\": \"cat\", "                                                                                                \
  "\"threshold\": 1}}}"

static void
test_phrases (void)
{
  Fixture fixture;
  guint n;
  gfloat expected[2];

  fixture_open (&fixture, PHRASES, ENCODER, "");
  stream_format (fixture.stream, "I420", 64, 48);
  stream_push (fixture.stream, 0);
  stream_push (fixture.stream, 1);
  gst_harness_push_event (fixture.stream->harness, gst_event_new_eos ());
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
    const GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (out));
    UpiEncoding *encoding = gst_upi_content_get_encoding (content);
    UpiEngine *engine = upi_encoding_engine (encoding);
    const gchar *const texts[] = { "a, b", "cat", NULL };
    const UpiClassifyOptions options = { .size = sizeof options, .scores = UPI_SCORES_INDEPENDENT };
    g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, texts, NULL, NULL, NULL, NULL);
    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_autoptr (UpiLabels) labels = upi_ticket_get_labels (ticket);
    g_assert_true (upi_engine_classify_with_options (engine, encoding, labels, &options, expected, NULL));

    const GstUpiRule *rules = gst_upi_content_get_rules (content, &n);
    g_assert_cmpuint (n, ==, 2);
    g_assert_cmpfloat (rules[0].score, ==, expected[0]);
    g_assert_cmpfloat (rules[1].score, ==, expected[1]);
    g_assert_cmpstr (rules[0].text, ==, "a, b");
    g_assert_cmpint (rules[0].flags, ==, GST_UPI_RULE_ACTIVE);
    const GstUpiEvent *events = gst_upi_content_get_events (content, &n);
    g_assert_cmpuint (n, ==, i == 0 ? 1 : 0);
    if (n > 0)
      g_assert_cmpfloat (events[0].score, ==, expected[0]);
  }
  expect_message (&fixture, "1 new phrase 0 p");
  fixture_close (&fixture);
}

/* Other sentences while playing: those before hold until they are encoded, each under its own rule. */
static void
test_other_phrases (void)
{
  Fixture fixture;
  guint n;
  gfloat before = 0;

  fixture_open (&fixture, PHRASES, ENCODER, "");
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  stream_format (fixture.stream, "I420", 64, 48);
  for (guint i = 0; i < 40; i++) {
    stream_push (fixture.stream, 0);
    g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
    const GstUpiRule *rules = gst_upi_content_get_rules (gst_upi_meta_get_content (gst_buffer_get_upi_meta (out)), &n);
    if (i == 0) {
      before = rules[1].score;
      g_object_set (
          element, "rules", "{\"rules\": {\"q\": {\"type\": \"phrase\", \"text\": \"cat\", \"threshold\": 1}}}", NULL);
    } else {
      g_assert_cmpuint (n, ==, 1);
      g_assert_cmpfloat (rules[0].score, ==, before);
    }
  }
  fixture_close (&fixture);
}

static void
test_not_calibrated (void)
{
  Fixture fixture;
  const gchar *expected = "Rule \"p\" is a phrase, and model \"tiny\" was not calibrated: it cannot say of one "
                          "sentence how probably it is true. Use a "
                          "model whose config.json has \"calibration\", or take the rule out.";

  fixture_open (&fixture, PHRASES, "upiencoder model=tiny device=cpu threads=1 ! ", "");
  stream_format (fixture.stream, "I420", 64, 48);
  stream_push (fixture.stream, 0);
  g_autofree gchar *error = stream_message (fixture.stream, GST_MESSAGE_ERROR);
  g_assert_cmpstr (error, ==, expected);
  fixture_close (&fixture);

  /* while playing such rules are not taken */
  fixture_open (
      &fixture, ONE ("\"type\": \"count\", \"below\": 1000"), "upiencoder model=tiny device=cpu threads=1 ! ", "");
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  stream_format (fixture.stream, "I420", 64, 48);
  for (guint i = 0; i < 3; i++) {
    guint n;
    stream_push (fixture.stream, i);
    g_autoptr (GstBuffer) out = stream_pull (fixture.stream);
    const GstUpiRule *rules = gst_upi_content_get_rules (gst_upi_meta_get_content (gst_buffer_get_upi_meta (out)), &n);
    g_assert_cmpuint (n, ==, 1);
    g_assert_cmpstr (rules[0].name, ==, "r");
    if (i == 0)
      g_object_set (element, "rules", PHRASES, NULL);
  }
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_assert_true (g_str_has_prefix (warning, "Rule \"p\" is a phrase"));
  g_assert_true (g_str_has_suffix (warning, "The rules before stay."));
  fixture_close (&fixture);
}

/* Encodings are kept for whoever has a phrase, and for nobody else. */
static gboolean
reads (Fixture *fixture)
{
  g_autoptr (GstElement) element = stream_get (fixture->stream, "e");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");
  GstQuery *query = gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (GST_UPI_QUERY_ENCODING_READER));
  gboolean answer = gst_pad_query (pad, query);

  gst_query_unref (query);
  return answer;
}

static void
test_reads_encodings_for_phrases (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  g_atomic_int_set (&fixture.stream->reads, FALSE);
  g_assert_false (reads (&fixture));
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  g_object_set (element, "rules", PHRASES, NULL);
  expect (&fixture, 0, "", "");
  g_assert_true (reads (&fixture));
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/rules/events", test_events);
  g_test_add_func ("/rules/two-in-a-chain", test_two_in_a_chain);
  g_test_add_func ("/rules/flush", test_flush);
  g_test_add_func ("/rules/segments", test_segments);
  g_test_add_func ("/rules/stream-start", test_stream_start);
  g_test_add_func ("/rules/lines", test_lines);
  g_test_add_func ("/rules/reload", test_reload);
  g_test_add_func ("/rules/broken-reload", test_broken_reload);
  g_test_add_func ("/rules/property-while-playing", test_property_while_playing);
  g_test_add_func ("/rules/order", test_order);
  g_test_add_func ("/rules/start-errors", test_start_errors);
  g_test_add_func ("/rules/no-tracks", test_no_tracks);
  g_test_add_func ("/rules/before-the-first-result", test_before_the_first_result);
  g_test_add_func ("/rules/phrases", test_phrases);
  g_test_add_func ("/rules/other-phrases", test_other_phrases);
  g_test_add_func ("/rules/not-calibrated", test_not_calibrated);
  g_test_add_func ("/rules/reads-encodings-for-phrases", test_reads_encodings_for_phrases);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
