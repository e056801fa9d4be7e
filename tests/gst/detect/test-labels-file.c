/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-labels-file.c: where upidetect's labels come from, and what users get wrong in it. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "tests/gst/detect/fixture.h"

static gchar *
write_file (const gchar *bytes, gssize size)
{
  g_autoptr (GError) error = NULL;
  gchar *path = NULL;
  gint fd = g_file_open_tmp ("labels-XXXXXX.txt", &path, &error);
  g_assert_no_error (error);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents (path, bytes, size, NULL));
  return path;
}

/* One label a line, with byte order mark, CRLF, blank lines, spaces inside and thresholds behind tabs. */
static void
test_labels_file (void)
{
  g_autofree gchar *path = write_file ("\xEF\xBB\xBF"
                                       "cat\t1.0\r\n\r\n  red car \t0\r\nbird\t\n",
      -1);
  g_autofree gchar *description = g_strdup_printf (ENCODER "! upidetect labels-file=%s " ALL, path);
  Stream *s = stream_new (description, FALSE);
  guint n;

  stream_format (s, "RGB", 64, 64);
  GstBuffer *buffer = stream_pass (s, 0);
  g_assert_true (all_labels_in (buffer, (const gchar *[]){ "red car", "bird", NULL })); /* no cat reaches 1.0 */
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  gst_buffer_unref (buffer);
  stream_free (s);
  g_unlink (path);
}

/* A list that cannot be read is one warning that names it, and the list before it stays. */
static void
test_bad_lists (void)
{
  static const struct {
    const gchar *bytes; /* of a labels file; NULL: @labels is set */
    gssize size;
    const gchar *labels, *named;
  } cases[] = { { NULL, 0, "", "labels" }, { NULL, 0, " , ,", "labels" }, { "", 0, NULL, "0 labels" },
    { "\n\n \n", -1, NULL, "0 labels" }, { "cat\ndog\t1.5\n", -1, NULL, "Line 2" }, { "cat\tmany\n", -1, NULL, "many" },
    { "cat\n\xff\xfe\n", -1, NULL, "Line 2" }, { "c\0t\n", 4, NULL, "UTF-8" } };
  g_autofree gchar *path = write_file ("cat\n", -1);
  Stream *s = stream_new (ENCODER "! upidetect name=d labels=\"bird, car\" " ALL, FALSE);
  g_autoptr (GstElement) detect = stream_get (s, "d");

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass (s, 0));
  for (guint i = 0; i < G_N_ELEMENTS (cases) + 2; i++) {
    const gchar *named = i < G_N_ELEMENTS (cases) ? cases[i].named
        : i == G_N_ELEMENTS (cases)               ? "/nowhere/labels.txt"
                                                  : "/dev/zero";
    if (i >= G_N_ELEMENTS (cases)) {
      g_object_set (detect, "labels-file", named, NULL);
    } else if (cases[i].labels != NULL) {
      g_object_set (detect, "labels", cases[i].labels, NULL);
    } else {
      g_assert_true (g_file_set_contents (path, cases[i].bytes, cases[i].size, NULL));
      g_object_set (detect, "labels-file", path, NULL);
    }
    g_autofree gchar *warning = stream_peek_message (s, GST_MESSAGE_WARNING);
    g_assert_nonnull (warning);
    g_assert_nonnull (strstr (warning, "before it stay"));
    if (strstr (warning, named) == NULL || (cases[MIN (i, 7)].bytes != NULL && i < 8 && strstr (warning, path) == NULL))
      g_error ("\"%s\" is not named in: %s", named, warning);
    GstBuffer *buffer = stream_pass (s, i + 1);
    g_assert_true (all_labels_in (buffer, (const gchar *[]){ "bird", "car", NULL }));
    gst_buffer_unref (buffer);
  }
  stream_free (s);
  g_unlink (path);
}

/* Any line ends, mixed too. */
static void
test_line_ends (void)
{
  static const gchar *const ends[] = { "\n", "\r\n", "\r", "\v", "\f", "\xC2\x85", "\u2028", "\u2029", "\n\r\r\n" };

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autofree gchar *bytes = g_strjoin (ends[i], "cat", "red car\t0.25", "bird", NULL), *path = write_file (bytes, -1);
    g_autofree gchar *description = g_strdup_printf (ENCODER "! upidetect labels-file=%s " ALL, path);
    Stream *s = stream_new (description, FALSE);
    gboolean seen[3] = { FALSE };
    guint n;

    stream_format (s, "RGB", 64, 64);
    GstBuffer *buffer = stream_pass (s, 0);
    const GstUpiObject *objects = objects_of (buffer, &n);
    g_assert_cmpuint (n, >, 0);
    for (guint j = 0; j < n; j++) {
      g_assert_cmpuint (objects[j].label_id, <, 3);
      seen[objects[j].label_id] = TRUE;
      g_assert_cmpstr (objects[j].label, ==, ((const gchar *[]){ "cat", "red car", "bird" })[objects[j].label_id]);
    }
    g_assert_true (seen[0] || seen[2]);
    gst_buffer_unref (buffer);
    stream_free (s);
    /* and a line is counted as an editor counts it */
    g_autofree gchar *wrong = g_strjoin (ends[i], "cat", "dog", "bird\t7", NULL);
    g_assert_true (g_file_set_contents (path, wrong, -1, NULL));
    s = stream_new (ENCODER "! upidetect name=d", FALSE);
    g_autoptr (GstElement) detect = stream_get (s, "d");
    g_object_set (detect, "labels-file", path, NULL);
    g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
    g_assert_nonnull (strstr (warning, i < G_N_ELEMENTS (ends) - 1 ? "Line 3" : "Line 7"));
    stream_free (s);
    g_unlink (path);
  }
}

/* What the element says when it is started with a list that cannot be honoured: it does not start. */
static gchar *
start_error (const gchar *property, const gchar *value)
{
  g_autoptr (GstElement) element = gst_object_ref_sink (gst_element_factory_make ("upidetect", NULL));
  g_autoptr (GstBus) bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;

  gst_element_set_bus (element, bus);
  g_object_set (element, property, value, NULL);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
  g_assert_nonnull (message);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  g_assert_null (strstr (error->message, "before it")); /* there are none */
  g_assert_null (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
  /* A list that is one mends it. */
  g_object_set (element, "labels", "cat", NULL);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), !=, GST_STATE_CHANGE_FAILURE);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  return g_strdup (error->message);
}

static void
test_bad_list_at_start (void)
{
  g_autofree gchar *long_line = g_strnfill (1 << 20, 'x');
  const struct {
    const gchar *bytes; /* of a labels file; NULL: @path is one, or @labels */
    gssize size;
    const gchar *path, *labels, *named;
  } cases[] = { { NULL, 0, "/nowhere/labels.txt", NULL, "/nowhere/labels.txt" },
    { NULL, 0, "/", NULL, g_strerror (EISDIR) }, { NULL, 0, "/dev/zero", NULL, "16 MiB" },
    { NULL, 0, "", NULL, "Labels file \"\"" }, { "", 0, NULL, NULL, "0 labels" },
    { "\r\r", -1, NULL, NULL, "0 labels" }, { "cat\rdog\t1.5", -1, NULL, NULL, "Line 2" },
    { "cat\r\n\xff", -1, NULL, NULL, "Line 2" }, { "c\0t", 3, NULL, NULL, "save it as UTF-8" },
    { "\xff\xfe"
      "c\0",
        4, NULL, NULL, "0xFF. The file looks like UTF-16: save it as UTF-8" },
    { "\xfe\xff\0c", 4, NULL, NULL, "looks like UTF-16:" }, { "c\0a\0", 4, NULL, NULL, "looks like UTF-16, or" },
    { "\xff\xfe\0\0c\0\0", 8, NULL, NULL, "looks like UTF-32" }, { "cat\ncaf\xe9", -1, NULL, NULL, "Line 2" },
    { "caf\xe9\n", -1, NULL, NULL, "0xE9. The file looks like another" },
    { long_line, -1, NULL, NULL, "1048576 bytes" }, { NULL, 0, NULL, "", "labels" }, { NULL, 0, NULL, " , ", "labels" },
    { NULL, 0, NULL, long_line, "1048576 bytes" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path =
        cases[i].bytes != NULL ? write_file (cases[i].bytes, cases[i].size) : g_strdup (cases[i].path);
    g_autofree gchar *error = start_error (
        cases[i].labels != NULL ? "labels" : "labels-file", cases[i].labels != NULL ? cases[i].labels : path);
    if (strstr (error, cases[i].named) == NULL || (cases[i].bytes != NULL && strstr (error, path) == NULL))
      g_error ("\"%s\" is not named in: %s", cases[i].named, error);
    if (cases[i].bytes != NULL)
      g_unlink (path);
  }
}

/* A pipe is read to its end, whenever its writer comes with the bytes. */
static gpointer
write_pipe (gpointer path)
{
  FILE *file = fopen (path, "w"); /* blocks until the element reads */
  g_assert_nonnull (file);
  fputs ("cat\n", file);
  fflush (file);
  fputs ("dog\n", file);
  fclose (file);
  return NULL;
}

static void
test_labels_from_a_pipe (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *directory = g_dir_make_tmp ("labels-XXXXXX", &error),
                   *path = g_build_filename (directory, "pipe", NULL);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  GThread *writer = g_thread_new ("writer", write_pipe, path);
  g_autofree gchar *description = g_strdup_printf (ENCODER "! upidetect labels-file=%s " ALL, path);
  Stream *s = stream_new (description, FALSE);

  g_thread_join (writer);
  stream_format (s, "RGB", 64, 64);
  GstBuffer *buffer = stream_pass (s, 0);
  g_assert_true (all_labels_in (buffer, (const gchar *[]){ "cat", "dog", NULL }));
  gst_buffer_unref (buffer);
  stream_free (s);
  g_unlink (path);
  g_rmdir (directory);
}

static void
test_no_list_at_all (void)
{
  Stream *s = stream_new ("upiencoder model=no-labels device=cpu threads=1 policy=block ! upidetect", FALSE);
  GstFlowReturn ret = GST_FLOW_OK;

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; ret == GST_FLOW_OK; i++)
    ret = stream_push (s, i);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "labels-file"));
  stream_free (s);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/detect/labels-file", test_labels_file);
  g_test_add_func ("/detect/bad-lists", test_bad_lists);
  g_test_add_func ("/detect/bad-list-at-start", test_bad_list_at_start);
  g_test_add_func ("/detect/line-ends", test_line_ends);
  g_test_add_func ("/detect/labels-from-a-pipe", test_labels_from_a_pipe);
  g_test_add_func ("/detect/no-list-at-all", test_no_list_at_all);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
