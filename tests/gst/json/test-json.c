/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-json.c: the lines of upijson and what they tell. */
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "tests/gst/json/frames.h"

static void
test_lines (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);
  UpiMask *mask = upi_mask_new (5, 3);
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  const GstUpiObject objects[] = { { .label = "red car",
                                       .label_id = 2,
                                       .score = 0.75f,
                                       .x = 0.125f,
                                       .y = 0.25f,
                                       .width = 0.5f,
                                       .height = 0.0625f,
                                       .mask = mask },
    { .label = "cat",
        .score = 0.5f,
        .track_id = 7,
        .velocity_x = 0.25f,
        .age = GST_SECOND,
        .unseen = 40,
        .flags = GST_UPI_OBJECT_PREDICTED } };
  const GstUpiCaption captions[] = { { "old", 0, 0 }, { "a red car", 40 * GST_MSECOND, GST_SECOND } };
  g_autoptr (GstUpiContent) found = gst_upi_content_add_objects (empty, objects, 2);
  g_autoptr (GstUpiContent) full = gst_upi_content_set_captions (found, captions, 2);

  mask->x = 0.125f;
  mask->width = 0.5f;
  stream_format (s, "RGB", 64, 48);
  gst_harness_push (s->harness, frame_with (0, empty));
  gst_harness_push (s->harness, frame_with (1, full));
  GstBuffer *timeless = frame_with (2, found);
  GST_BUFFER_PTS (timeless) = GST_CLOCK_TIME_NONE;
  gst_harness_push (s->harness, timeless);
  /* Written when the frame passes, not at the end. */
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (stream_pull (s));

  JsonObject *line = json_lines_object (lines, 0);
  g_assert_cmpint (json_object_get_int_member (line, "frame"), ==, 0);
  g_assert_cmpint (json_object_get_int_member (line, "pts"), ==, 0);
  g_assert_true (json_object_get_null_member (line, "inference_pts"));
  g_assert_true (json_object_get_null_member (line, "caption"));
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (line, "objects")), ==, 0);

  line = json_lines_object (lines, 1);
  g_assert_cmpint (json_object_get_int_member (line, "pts"), ==, 40000000);
  g_assert_cmpint (json_object_get_int_member (line, "width"), ==, 64);
  g_assert_cmpint (json_object_get_int_member (line, "height"), ==, 48);
  g_assert_cmpstr (json_object_get_string_member (line, "caption"), ==, "a red car");
  JsonArray *array = json_object_get_array_member (line, "objects");
  g_assert_cmpuint (json_array_get_length (array), ==, 2);
  JsonObject *object = json_array_get_object_element (array, 0);
  g_assert_cmpstr (json_object_get_string_member (object, "label"), ==, "red car");
  g_assert_cmpfloat (json_object_get_double_member (object, "score"), ==, 0.75);
  JsonArray *box = json_object_get_array_member (object, "box");
  g_assert_cmpuint (json_array_get_length (box), ==, 4);
  g_assert_cmpfloat (json_array_get_double_element (box, 0), ==, 0.125);
  g_assert_cmpfloat (json_array_get_double_element (box, 3), ==, 0.0625);
  JsonObject *mask_object = json_object_get_object_member (object, "mask");
  g_assert_cmpint (json_object_get_int_member (mask_object, "columns"), ==, 5);
  g_assert_cmpint (json_object_get_int_member (mask_object, "rows"), ==, 3);
  g_assert_false (json_object_has_member (object, "track_id"));
  object = json_array_get_object_element (array, 1);
  g_assert_false (json_object_has_member (object, "mask"));
  g_assert_cmpint (json_object_get_int_member (object, "track_id"), ==, 7);
  g_assert_true (json_object_get_boolean_member (object, "predicted"));
  g_assert_cmpfloat (json_array_get_double_element (json_object_get_array_member (object, "velocity"), 0), ==, 0.25);
  g_assert_cmpint (json_object_get_int_member (object, "age"), ==, GST_SECOND);
  g_assert_cmpint (json_object_get_int_member (object, "unseen"), ==, 40);
  g_assert_true (json_object_get_null_member (json_lines_object (lines, 2), "pts"));
  upi_mask_unref (mask);
  stream_free (s);
  g_unlink (path);
}

/* Stream time and running time by the segment, streams counted, nothing invented for a frame without PTS. */
static void
test_times (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);
  GstSegment segment;

  stream_format (s, "RGB", 64, 48);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 1 * GST_SECOND;
  segment.time = 10 * GST_SECOND;
  segment.base = 5 * GST_SECOND;
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_segment (&segment)));
  gst_harness_push (s->harness, frame_with (30, NULL));
  GstBuffer *timeless = frame_with (31, NULL);
  GST_BUFFER_PTS (timeless) = GST_CLOCK_TIME_NONE;
  gst_harness_push (s->harness, timeless);

  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_stream_start ("next")));
  stream_format (s, "RGB", 64, 48);
  segment.rate = 2;
  segment.time = 0;
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_segment (&segment)));
  gst_harness_push (s->harness, frame_with (30, NULL));
  gst_harness_push (s->harness, frame_with (20, NULL)); /* before the segment */

  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, 4);
  for (guint i = 0; i < 4; i++) {
    gst_buffer_unref (stream_pull (s));
    g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, i), "stream"), ==, 1 + i / 2);
  }
  g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, 0), "stream_time"), ==, 10200 * GST_MSECOND);
  g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, 0), "running_time"), ==, 5200 * GST_MSECOND);
  g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, 2), "stream_time"), ==, 200 * GST_MSECOND);
  g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, 2), "running_time"), ==, 5100 * GST_MSECOND);
  for (guint i = 1; i < 4; i += 2) {
    g_assert_true (json_object_get_null_member (json_lines_object (lines, i), "stream_time"));
    g_assert_true (json_object_get_null_member (json_lines_object (lines, i), "running_time"));
    g_assert_true (json_object_get_null_member (json_lines_object (lines, i), "wall_clock"));
  }
  stream_free (s);
  g_unlink (path);
}

/* Microseconds since 1970. */
static gint64
wall_clock_of (JsonObject *line)
{
  const gchar *text = json_object_get_string_member (line, "wall_clock");
  g_assert_cmpuint (strlen (text), ==, strlen ("2026-03-01T14:05:09.280000Z"));
  g_autoptr (GDateTime) date = g_date_time_new_from_iso8601 (text, NULL);
  g_assert_nonnull (date);
  return g_date_time_to_unix (date) * G_USEC_PER_SEC + g_date_time_get_microsecond (date);
}

/* By the pipeline's clock, or by the camera's. */
static void
test_wall_clock (void)
{
  static const struct {
    const gchar *reference;
    guint64 epoch; /* seconds */
  } cameras[] = { { "timestamp/x-unix", 0 }, { "timestamp/x-ntp", G_GUINT64_CONSTANT (2208988800) } };
  const guint64 seen = G_GUINT64_CONSTANT (1767225600) * GST_SECOND + 250 * GST_MSECOND; /* 2026-01-01 */
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  gint64 before = g_get_real_time (); /* the harness' clock stands at 0 */
  gst_harness_push (s->harness, frame_with (25, NULL));
  gint64 after = g_get_real_time ();
  for (guint i = 0; i < G_N_ELEMENTS (cameras); i++) {
    GstBuffer *buffer = frame_with (i, NULL);
    g_autoptr (GstCaps) reference = gst_caps_new_empty_simple (cameras[i].reference),
                        other = gst_caps_new_empty_simple ("timestamp/x-other");
    gst_buffer_add_reference_timestamp_meta (buffer, other, 5, GST_CLOCK_TIME_NONE);
    gst_buffer_add_reference_timestamp_meta (
        buffer, reference, seen + cameras[i].epoch * GST_SECOND, GST_CLOCK_TIME_NONE);
    gst_harness_push (s->harness, buffer);
  }
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpint (wall_clock_of (json_lines_object (lines, 0)), >=, before + G_USEC_PER_SEC);
  g_assert_cmpint (wall_clock_of (json_lines_object (lines, 0)), <=, after + G_USEC_PER_SEC);
  for (guint i = 0; i < 3; i++) {
    gst_buffer_unref (stream_pull (s));
    if (i > 0)
      g_assert_cmpstr (json_object_get_string_member (json_lines_object (lines, i), "wall_clock"), ==,
          "2026-01-01T00:00:00.250000Z");
  }
  stream_free (s);
  g_unlink (path);
}

static void
test_escaping (void)
{
  static const struct {
    const gchar *text, *read;
  } cases[] = { { "quote \" backslash \\ slash /", "quote \" backslash \\ slash /" },
    { "tab\tnewline\ncr\rbell\a", "tab\tnewline\ncr\rbell\a" },
    { "emoji \xF0\x9F\x98\x80, \xC3\xBC", "emoji \xF0\x9F\x98\x80, \xC3\xBC" }, { "cut \xC3", "cut \xEF\xBF\xBD" },
    { "", "" }, { "\x7f\x1f", "\x7f\x1f" } };
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
    const GstUpiObject object = { .label = cases[i].text, .score = (gfloat) NAN, .x = (gfloat) INFINITY };
    const GstUpiCaption caption = { cases[i].text, 0, 0 };
    g_autoptr (GstUpiContent) found = gst_upi_content_add_objects (empty, &object, 1);
    g_autoptr (GstUpiContent) full = gst_upi_content_set_captions (found, &caption, 1);
    gst_harness_push (s->harness, frame_with (i, full));
    gst_buffer_unref (stream_pull (s));
  }
  stream_free (s);
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, G_N_ELEMENTS (cases));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    JsonObject *line = json_lines_object (lines, i);
    JsonObject *object = json_array_get_object_element (json_object_get_array_member (line, "objects"), 0);
    g_assert_cmpstr (json_object_get_string_member (line, "caption"), ==, cases[i].read);
    g_assert_cmpstr (json_object_get_string_member (object, "label"), ==, cases[i].read);
    g_assert_true (json_object_get_null_member (object, "score"));
  }
  g_unlink (path);
}

static void
test_without_encoder (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  g_assert_cmpint (stream_push (s, 0), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "upiencoder"));
  stream_free (s);
  g_unlink (path);
}

/* The whole way: encoder, two detectors' objects, one line a frame, times unchanged. */
static void
test_behind_detector (void)
{
  g_autofree gchar *path = json_lines_path ();
  g_autofree gchar *description =
      g_strdup_printf ("upiencoder model=tiny device=cpu threads=1 policy=block ! upidetect labels=\"cat\" threshold=0 "
                       "max-objects=3 ! upijson location=%s",
          path);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "I420", 64, 48);
  for (guint i = 0; i < 10; i++) {
    stream_push (s, i);
    gst_buffer_unref (stream_pull (s));
  }
  stream_free (s);
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, 10);
  for (guint i = 0; i < 10; i++) {
    JsonArray *objects = json_object_get_array_member (json_lines_object (lines, i), "objects");
    g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, i), "pts"), ==, i * 40000000);
    g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, i), "inference_pts"), ==, i * 40000000);
    g_assert_cmpuint (json_array_get_length (objects), >, 0);
    g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (objects, 0), "label"), ==, "cat");
  }
  g_unlink (path);
}

/* How rules stand is in every line of a frame that passed some. */
static void
test_rules (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);
  const GstUpiRule rules[] = {
    { .name = "yard \"1\"",
        .kind = GST_UPI_RULE_ZONE,
        .flags = GST_UPI_RULE_ACTIVE,
        .count = 2,
        .total_in = 5,
        .total_out = 3 },
    { .name = "gate", .kind = GST_UPI_RULE_LINE, .total_in = 7 },
    { .name = "all", .kind = GST_UPI_RULE_COUNT, .count = 9 },
    { .name = "fire", .kind = GST_UPI_RULE_PHRASE, .score = 0.25f },
    { .name = "rain", .kind = GST_UPI_RULE_PHRASE, .score = -1 },
  };
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) full = gst_upi_content_add_rules (empty, rules, G_N_ELEMENTS (rules));

  stream_format (s, "RGB", 64, 48);
  gst_harness_push (s->harness, frame_with (0, empty));
  gst_harness_push (s->harness, frame_with (1, full));
  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (stream_pull (s));
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, 2);
  g_assert_false (json_object_has_member (json_lines_object (lines, 0), "rules"));
  JsonArray *array = json_object_get_array_member (json_lines_object (lines, 1), "rules");
  g_assert_cmpuint (json_array_get_length (array), ==, G_N_ELEMENTS (rules));
  JsonObject *zone = json_array_get_object_element (array, 0), *line = json_array_get_object_element (array, 1);
  g_assert_cmpstr (json_object_get_string_member (zone, "name"), ==, "yard \"1\"");
  g_assert_cmpstr (json_object_get_string_member (zone, "kind"), ==, "zone");
  g_assert_true (json_object_get_boolean_member (zone, "active"));
  g_assert_cmpint (json_object_get_int_member (zone, "count"), ==, 2);
  g_assert_cmpint (json_object_get_int_member (zone, "total_in"), ==, 5);
  g_assert_cmpint (json_object_get_int_member (zone, "total_out"), ==, 3);
  g_assert_false (json_object_get_boolean_member (line, "active"));
  g_assert_false (json_object_has_member (line, "count"));
  g_assert_cmpint (json_object_get_int_member (json_array_get_object_element (array, 2), "count"), ==, 9);
  g_assert_cmpfloat (json_object_get_double_member (json_array_get_object_element (array, 3), "score"), ==, 0.25);
  g_assert_true (json_object_get_null_member (json_array_get_object_element (array, 4), "score"));
  stream_free (s);
  g_unlink (path);
}

/* What upiclassify says is in the lines of frames that it saw, whatever the locale's decimal point. */
static void
test_classes (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);
  const GstUpiClass scene[] = { { .label = "a \"gate\", closed", .probability = 0.75f, .flags = GST_UPI_CLASS_HOLDS },
    { .label = "a gate, open", .probability = 0.25f } };
  const GstUpiClass fire = { .label = "Feuer \xff", .probability = NAN, .flags = GST_UPI_CLASS_INDEPENDENT };
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) one = gst_upi_content_add_classes (empty, scene, 2);
  g_autoptr (GstUpiContent) two = gst_upi_content_add_classes (one, &fire, 1);

  stream_format (s, "RGB", 64, 48);
  gst_harness_push (s->harness, frame_with (0, empty));
  gst_harness_push (s->harness, frame_with (1, two));
  for (guint i = 0; i < 2; i++)
    gst_buffer_unref (stream_pull (s));
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, 2);
  g_assert_false (json_object_has_member (json_lines_object (lines, 0), "classes"));
  JsonArray *array = json_object_get_array_member (json_lines_object (lines, 1), "classes");
  g_assert_cmpuint (json_array_get_length (array), ==, 3);
  JsonObject *first = json_array_get_object_element (array, 0), *last = json_array_get_object_element (array, 2);
  g_assert_cmpstr (json_object_get_string_member (first, "label"), ==, "a \"gate\", closed");
  g_assert_cmpfloat (json_object_get_double_member (first, "probability"), ==, 0.75);
  g_assert_cmpint (json_object_get_int_member (first, "list"), ==, 0);
  g_assert_true (json_object_get_boolean_member (first, "holds"));
  g_assert_false (json_object_get_boolean_member (first, "independent"));
  g_assert_true (json_object_get_null_member (last, "probability"));
  g_assert_cmpint (json_object_get_int_member (last, "list"), ==, 1);
  g_assert_true (json_object_get_boolean_member (last, "independent"));
  stream_free (s);
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/json/rules", test_rules);
  g_test_add_func ("/json/classes", test_classes);
  g_test_add_func ("/json/lines", test_lines);
  g_test_add_func ("/json/times", test_times);
  g_test_add_func ("/json/wall-clock", test_wall_clock);
  g_test_add_func ("/json/escaping", test_escaping);
  g_test_add_func ("/json/without-encoder", test_without_encoder);
  g_test_add_func ("/json/behind-detector", test_behind_detector);
  g_test_add_func ("/json/schema", json_lines_test_schema);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
