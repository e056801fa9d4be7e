/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-formats.c: upijson's properties that shape a line or choose where it goes, and the lines of other frameworks,
 * member by member as their documentation has them. */
#include <math.h>
#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "tests/gst/json/lines.h"
#include "tests/gst/stream.h"

#define FRAME_MS 40

/* A tracked car with a mask of 3 columns and 2 rows, an untracked thing with an odd name, a caption. */
static GstUpiContent *
content_new (void)
{
  UpiMask *mask = upi_mask_new (3, 2);
  static const guint8 cells[] = { 0, 255, 128, 0, 127, 200 };
  const GstUpiObject objects[] = {
    { .label = "red car",
        .label_id = 2,
        .score = 0.75f,
        .x = 0.125f,
        .y = 0.25f,
        .width = 0.5f,
        .height = 0.5f,
        .mask = mask,
        .track_id = 7 },
    { .label = "T\xC3\xBCr|Tor", .label_id = 5, .score = 0.5f, .x = 0.75f, .y = 0.5f, .width = 0.25f, .height = 0.5f },
  };
  const GstUpiCaption caption = { .text = "a \"red\" car", .pts = 0, .duration = GST_SECOND };
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);

  memcpy (mask->data, cells, sizeof cells);
  g_autoptr (GstUpiContent) found = gst_upi_content_add_objects (empty, objects, G_N_ELEMENTS (objects));
  upi_mask_unref (mask);
  return gst_upi_content_set_captions (found, &caption, 1);
}

/* @n frames of @content through an upijson with these properties. Its lines. */
static GPtrArray *
lines_of (const gchar *properties, GstUpiContent *content, guint n, gboolean foreign)
{
  g_autofree gchar *path = json_lines_path (),
                   *description = g_strdup_printf ("upijson location=%s %s", path, properties);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < n; i++) {
    GstBuffer *buffer = frame_new ("RGB", 64, 48, i);
    g_autoptr (GstCaps) unix_time = gst_caps_new_empty_simple ("timestamp/x-unix");
    gst_buffer_add_upi_meta (buffer, content);
    gst_buffer_add_reference_timestamp_meta (
        buffer, unix_time, G_GUINT64_CONSTANT (1767225600) * GST_SECOND + 250999 * GST_USECOND, GST_CLOCK_TIME_NONE);
    g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (s));
  }
  stream_free (s);
  GPtrArray *lines = foreign ? json_lines_read_foreign (path) : json_lines_read (path);
  g_unlink (path);
  return lines;
}

/* The names of @object's members, in order of the alphabet. */
static gchar *
members (JsonObject *object)
{
  GList *names = g_list_sort (json_object_get_members (object), (GCompareFunc) strcmp);
  GString *text = g_string_new (NULL);

  for (GList *l = names; l != NULL; l = l->next)
    g_string_append_printf (text, "%s%s", text->len > 0 ? " " : "", (const gchar *) l->data);
  g_list_free (names);
  return g_string_free (text, FALSE);
}

static void
assert_members (JsonObject *object, const gchar *expected)
{
  g_autofree gchar *found = members (object);
  g_assert_cmpstr (found, ==, expected);
}

static void
test_source_and_tags (void)
{
  g_autoptr (GstUpiContent) content = content_new ();
  g_autoptr (GPtrArray) lines =
      lines_of ("source=\"Hof #1/Süd\" tags=\"{\\\"site\\\" : \\\"yard\\\", \\\"n\\\": [1, 2]}\"", content, 1, FALSE);
  JsonObject *line = json_lines_object (lines, 0), *tags = json_object_get_object_member (line, "tags");

  g_assert_cmpint (json_object_get_int_member (line, "version"), ==, 1);
  g_assert_cmpstr (json_object_get_string_member (line, "source"), ==,
      "Hof #1/S\xC3\xBC"
      "d");
  g_assert_cmpstr (json_object_get_string_member (tags, "site"), ==, "yard");
  g_assert_cmpint (json_array_get_int_element (json_object_get_array_member (tags, "n"), 1), ==, 2);
}

static void
test_mask_runs (void)
{
  static const gint64 runs[] = { 2, 1, 1, 2 }; /* 0 0, 255 127, 128 200 */
  g_autoptr (GstUpiContent) content = content_new ();
  g_autoptr (GPtrArray) without = lines_of ("", content, 1, FALSE), with = lines_of ("mask=rle", content, 1, FALSE);
  JsonObject *mask[2];

  for (guint i = 0; i < 2; i++) {
    JsonArray *objects = json_object_get_array_member (json_lines_object (i == 0 ? without : with, 0), "objects");
    mask[i] = json_object_get_object_member (json_array_get_object_element (objects, 0), "mask");
  }
  g_assert_false (json_object_has_member (mask[0], "rle"));
  JsonArray *rle = json_object_get_array_member (mask[1], "rle");
  g_assert_cmpuint (json_array_get_length (rle), ==, G_N_ELEMENTS (runs));
  for (guint i = 0; i < G_N_ELEMENTS (runs); i++)
    g_assert_cmpint (json_array_get_int_element (rle, i), ==, runs[i]);
}

/* By running time: every third frame of 40 ms. */
static void
test_interval (void)
{
  g_autoptr (GstUpiContent) content = content_new ();
  g_autofree gchar *properties = g_strdup_printf ("interval=%" G_GUINT64_FORMAT, 2 * FRAME_MS * GST_MSECOND + 1);
  g_autoptr (GPtrArray) lines = lines_of (properties, content, 7, FALSE);

  g_assert_cmpuint (lines->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, i), "frame"), ==, 3 * i);
}

/* Lines of frames, of what rules noticed, or both, in their order. */
static void
test_emit (void)
{
  static const struct {
    const gchar *properties;
    guint n_lines, n_events;
  } cases[] = { { "emit=frames", 2, 0 }, { "emit=events", 4, 4 }, { "emit=all", 6, 4 },
    { "emit=all interval=1000000000", 5, 4 } };
  const GstUpiEvent events[] = {
    { .id = 1, .rule = "gate", .what = "enter", .label = "person", .track_id = 3, .score = (gfloat) NAN },
    { .id = 2,
        .type = GST_UPI_EVENT_END,
        .kind = GST_UPI_RULE_COUNT,
        .rule = "a \"crowd\"",
        .what = "above",
        .label = "",
        .count = 4 }
  };
  g_autoptr (GstUpiContent) content = content_new (), full = gst_upi_content_add_events (content, events, 2);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GPtrArray) lines = lines_of (cases[i].properties, full, 2, FALSE);
    guint n_events = 0;

    g_assert_cmpuint (lines->len, ==, cases[i].n_lines);
    for (guint l = 0; l < lines->len; l++)
      n_events += json_object_has_member (json_lines_object (lines, l), "event");
    g_assert_cmpuint (n_events, ==, cases[i].n_events);
  }
}

static gchar *
start_error (const gchar *property, const gchar *value)
{
  GstElement *element = gst_object_ref_sink (gst_element_factory_make ("upijson", NULL));
  GstBus *bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;

  gst_element_set_bus (element, bus);
  g_object_set (element, property, value, NULL);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
  return g_strdup (error->message);
}

/* Of escapes that are no character json-glib would make strings that are not UTF-8, or cut short: no line has such. */
static void
test_bad_tags (void)
{
  static const gchar *const bad[][2] = {
    { "[1]", "found a list of 1, expected an object" },
    { "{\"a\":", "found the end of the text" },
    { "", "found the end of the text" },
    { "a=b", "found 'a', expected a value" },
    { "{\"a\":1} x", "found 'x', expected nothing" },
    { "{\"a\":[{\"b\":-1e400}]}", "a number is too large" },
    { "{\"a\":\"\\ud83d\\u0041\"}", "no character" },
    { "{\"a\":\"\\ud83dx\"}", "found 'x', expected the second half of a surrogate pair" },
    { "{\"a\":\"\\377\"}", "found '3', expected one of" },
    { "{\"x\\u0000y\":1}", "no character" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autofree gchar *error = start_error ("tags", bad[i][0]);
    g_autofree gchar *shown = g_strconcat ("\"tags\" is '", bad[i][0], "', which is no JSON object: ", NULL);
    g_assert_nonnull (strstr (error, shown));
    g_assert_nonnull (strstr (error, bad[i][1]));
    g_assert_true (g_str_has_suffix (error, "write for example tags='{\"site\":\"yard\"}'."));
  }

  g_autofree gchar *error = start_error ("tags", "{\"a\":\"\xff\"}");
  g_assert_nonnull (strstr (error, "found the byte 0xff, which is not UTF-8"));
  g_assert_true (g_utf8_validate (error, -1, NULL));
}

/* gvametaconvert's members; https://dlstreamer.github.io/dev_guide/metadata.html */
static void
test_dlstreamer (void)
{
  g_autoptr (GstUpiContent) content = content_new ();
  g_autoptr (GPtrArray) lines = lines_of ("format=dlstreamer source=yard tags=\"{\\\"site\\\":1}\"", content, 2, TRUE);
  JsonObject *line = json_lines_object (lines, 1);

  assert_members (line, "objects resolution source tags timestamp");
  g_assert_cmpint (json_object_get_int_member (line, "timestamp"), ==, FRAME_MS * GST_MSECOND);
  g_assert_cmpstr (json_object_get_string_member (line, "source"), ==, "yard");
  assert_members (json_object_get_object_member (line, "resolution"), "height width");
  g_assert_cmpint (json_object_get_int_member (json_object_get_object_member (line, "resolution"), "width"), ==, 64);
  JsonArray *objects = json_object_get_array_member (line, "objects");
  g_assert_cmpuint (json_array_get_length (objects), ==, 3);

  JsonObject *car = json_array_get_object_element (objects, 0),
             *detection = json_object_get_object_member (car, "detection");
  assert_members (car, "detection h id region_id roi_type w x y");
  g_assert_cmpint (json_object_get_int_member (car, "x"), ==, 8);
  g_assert_cmpint (json_object_get_int_member (car, "y"), ==, 12);
  g_assert_cmpint (json_object_get_int_member (car, "w"), ==, 32);
  g_assert_cmpint (json_object_get_int_member (car, "h"), ==, 24);
  g_assert_cmpint (json_object_get_int_member (car, "id"), ==, 7);
  g_assert_cmpstr (json_object_get_string_member (car, "roi_type"), ==, "red car");
  assert_members (detection, "bounding_box confidence label label_id");
  g_assert_cmpfloat (json_object_get_double_member (detection, "confidence"), ==, 0.75);
  g_assert_cmpint (json_object_get_int_member (detection, "label_id"), ==, 2);
  JsonObject *box = json_object_get_object_member (detection, "bounding_box");
  assert_members (box, "x_max x_min y_max y_min");
  g_assert_cmpfloat (json_object_get_double_member (box, "x_min"), ==, 0.125);
  g_assert_cmpfloat (json_object_get_double_member (box, "x_max"), ==, 0.625);
  g_assert_cmpfloat (json_object_get_double_member (box, "y_max"), ==, 0.75);

  JsonObject *other = json_array_get_object_element (objects, 1);
  assert_members (other, "detection h region_id roi_type w x y");
  g_assert_cmpint (json_object_get_int_member (other, "region_id"), !=, json_object_get_int_member (car, "region_id"));
  JsonObject *first =
      json_array_get_object_element (json_object_get_array_member (json_lines_object (lines, 0), "objects"), 0);
  g_assert_cmpint (json_object_get_int_member (first, "region_id"), !=, json_object_get_int_member (car, "region_id"));

  JsonObject *frame = json_array_get_object_element (objects, 2),
             *caption = json_object_get_object_member (frame, "caption");
  assert_members (frame, "caption h w x y");
  assert_members (caption, "label model");
  g_assert_cmpstr (json_object_get_string_member (caption, "label"), ==, "a \"red\" car");
}

/* Nothing found: no objects, as add-empty-results has it. No source, no tags. */
static void
test_dlstreamer_empty (void)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GPtrArray) lines = lines_of ("format=dlstreamer", empty, 1, TRUE);

  assert_members (json_lines_object (lines, 0), "resolution timestamp");
}

/* The minimal schema of Gst-nvmsgconv: strings of trackingId|left|top|right|bottom|label|#|confidence. */
static void
test_deepstream (void)
{
  g_autoptr (GstUpiContent) content = content_new ();
  g_autoptr (GPtrArray) lines = lines_of ("format=deepstream source=yard", content, 2, TRUE),
                        anonymous = lines_of ("format=deepstream", content, 1, TRUE);
  JsonObject *line = json_lines_object (lines, 1);
  JsonArray *objects = json_object_get_array_member (line, "objects");

  assert_members (line, "@timestamp id objects sensorId version");
  g_assert_cmpstr (json_object_get_string_member (line, "version"), ==, "4.0");
  g_assert_cmpstr (json_object_get_string_member (line, "id"), ==, "1");
  g_assert_cmpstr (json_object_get_string_member (line, "@timestamp"), ==, "2026-01-01T00:00:00.250Z");
  g_assert_cmpstr (json_object_get_string_member (line, "sensorId"), ==, "yard");
  g_assert_cmpstr (json_object_get_string_member (json_lines_object (anonymous, 0), "sensorId"), ==, "0");
  g_assert_cmpuint (json_array_get_length (objects), ==, 2);
  g_assert_cmpstr (json_array_get_string_element (objects, 0), ==, "7|8|12|40|36|red car|#|0.75");
  g_assert_cmpstr (
      json_array_get_string_element (objects, 1), ==, "18446744073709551615|48|24|64|48|T\xC3\xBCr/Tor|#|0.5");
}

/* Numbers that are none, boxes beyond the frame: lines stay valid, pixels stay in the frame. */
static void
test_odd_numbers (void)
{
  const GstUpiObject object = {
    .label = "", .score = (gfloat) NAN, .x = (gfloat) INFINITY, .y = -1, .width = 3, .height = 1e30f
  };
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE),
                            odd = gst_upi_content_add_objects (empty, &object, 1);
  g_autoptr (GPtrArray) upi = lines_of ("", odd, 1, FALSE), dlstreamer = lines_of ("format=dlstreamer", odd, 1, TRUE),
                        deepstream = lines_of ("format=deepstream", odd, 1, TRUE);
  JsonObject *region =
      json_array_get_object_element (json_object_get_array_member (json_lines_object (dlstreamer, 0), "objects"), 0);

  g_assert_cmpuint (upi->len + deepstream->len, ==, 2);
  g_assert_cmpint (json_object_get_int_member (region, "y"), ==, 0);
  g_assert_cmpint (json_object_get_int_member (region, "h"), ==, 48);
}

/* Of this program, started once more: whether upijson starts with @method; its error goes to standard error. */
static int
try_method (const gchar *method)
{
  GstElement *element = gst_object_ref_sink (gst_element_factory_make ("upijson", NULL));
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;

  gst_element_set_bus (element, bus);
  g_object_set (element, "location", "/dev/null", NULL);
  gst_util_set_object_arg (G_OBJECT (element), "method", method);
  gboolean started = gst_element_set_state (element, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE;
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  if (message != NULL) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
  }
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (element);
  return started ? 0 : 1;
}

/* A library that cannot be loaded is an error of its method, and of nothing else. */
static void
test_no_library (void)
{
  static const struct {
    const gchar *method, *library, *says;
  } cases[] = { { "mqtt", "libmosquitto.so.1", "libmosquitto1" }, { "kafka", "librdkafka.so.1", "librdkafka1" },
    { "file", NULL, NULL } };
  g_autofree gchar *folder = g_dir_make_tmp ("library-XXXXXX", NULL),
                   *program = g_file_read_link ("/proc/self/exe", NULL);
  const gchar *before = g_getenv ("LD_LIBRARY_PATH");
  g_autofree gchar *path = g_strdup_printf ("%s%s%s", folder, before != NULL ? ":" : "", before != NULL ? before : "");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *library = cases[i].library != NULL ? g_build_filename (folder, cases[i].library, NULL) : NULL;
    g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_autoptr (GError) error = NULL;
    g_autofree gchar *said = NULL;

    /* No library, but long enough to be read as the beginning of one. */
    g_autofree gchar *dots = g_strnfill (100, '.');
    if (library != NULL)
      g_assert_true (g_file_set_contents (library, dots, -1, NULL));
    g_subprocess_launcher_setenv (launcher, "LD_LIBRARY_PATH", path, TRUE);
    g_autoptr (GSubprocess) process =
        g_subprocess_launcher_spawn (launcher, &error, program, "--method", cases[i].method, NULL);
    g_assert_no_error (error);
    g_subprocess_communicate_utf8 (process, NULL, NULL, NULL, &said, &error);
    g_assert_no_error (error);
    g_test_message ("%s", said);
    g_assert_cmpint (g_subprocess_get_successful (process), ==, cases[i].library == NULL);
    if (cases[i].library == NULL)
      continue;
    g_assert_nonnull (strstr (said, cases[i].library));
    g_assert_nonnull (strstr (said, cases[i].says));
    g_unlink (library);
  }
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && g_str_equal (argv[1], "--method")) {
    gst_init (NULL, NULL);
    return try_method (argv[2]);
  }
  test_init (&argc, &argv);
  g_test_add_func ("/json-formats/source-and-tags", test_source_and_tags);
  g_test_add_func ("/json-formats/mask-runs", test_mask_runs);
  g_test_add_func ("/json-formats/interval", test_interval);
  g_test_add_func ("/json-formats/emit", test_emit);
  g_test_add_func ("/json-formats/bad-tags", test_bad_tags);
  g_test_add_func ("/json-formats/dlstreamer", test_dlstreamer);
  g_test_add_func ("/json-formats/dlstreamer-empty", test_dlstreamer_empty);
  g_test_add_func ("/json-formats/deepstream", test_deepstream);
  g_test_add_func ("/json-formats/odd-numbers", test_odd_numbers);
  g_test_add_func ("/json-formats/no-library", test_no_library);
  g_test_add_func ("/json-formats/schema", json_lines_test_schema);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
