/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-target.c: files and pipes that upijson writes, and what may happen to them meanwhile. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "tests/gst/json/frames.h"

/* A second run replaces the first one's file. */
static void
test_replaced_at_start (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson location=%s", path);

  for (guint run = 0; run < 2; run++) {
    Stream *s = stream_new (description, FALSE);
    stream_format (s, "RGB", 64, 48);
    gst_harness_push (s->harness, frame_with (7, NULL));
    gst_buffer_unref (stream_pull (s));
    stream_free (s);
    g_autoptr (GPtrArray) lines = json_lines_read (path);
    g_assert_cmpuint (lines->len, ==, 1);
  }
  g_unlink (path);
}

static gchar *
open_error (const gchar *location)
{
  GstElement *element = gst_element_factory_make ("upijson", NULL);
  GstBus *bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;

  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  g_object_set (element, "location", location, NULL);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  gst_message_parse_error (message, &error, NULL);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
  return g_strdup (error->message);
}

static void
test_unwritable (void)
{
  g_autofree gchar *nowhere = open_error ("/nowhere/objects.jsonl"), *directory = open_error ("/"),
                   *empty = open_error ("");
  g_assert_nonnull (strstr (nowhere, "/nowhere/objects.jsonl"));
  g_assert_nonnull (strstr (directory, "directory"));
  g_assert_nonnull (strstr (empty, "location"));
}

/* Lines are lost and counted, one warning says so, the stream goes on; on-error=stop has it the other way. */
static void
test_full_disk (void)
{
  Stream *s = stream_new ("upijson name=j location=/dev/full", FALSE);
  g_autoptr (GstElement) json = stream_get (s, "j");
  g_autoptr (GstStructure) stats = NULL;
  guint64 written, lost;

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < 3; i++) {
    g_assert_cmpint (gst_harness_push (s->harness, frame_with (i, NULL)), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (s));
  }
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "/dev/full"));
  g_assert_nonnull (strstr (warning, "on-error"));
  g_object_get (json, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (stats, "written", G_TYPE_UINT64, &written, "lost", G_TYPE_UINT64, &lost, NULL));
  g_assert_cmpuint (written, ==, 0);
  g_assert_cmpuint (lost, ==, 3);
  gst_util_set_object_arg (G_OBJECT (json), "on-error", "stop");
  g_assert_cmpint (gst_harness_push (s->harness, frame_with (0, NULL)), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "No space is left for \"/dev/full\""));
  stream_free (s);
}

/* Between two frames the file is cut, moved, removed with its folder: no NUL, no line twice, and the stream goes on. */
static void
test_file_changes (void)
{
  g_autofree gchar *folder = g_dir_make_tmp ("objects-XXXXXX", NULL),
                   *path = g_build_filename (folder, "o.jsonl", NULL),
                   *moved = g_build_filename (folder, "o.jsonl.1", NULL);
  g_autofree gchar *description = g_strdup_printf ("upijson name=j location=%s", path);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < 7; i++) {
    if (i == 2)
      g_assert_cmpint (truncate (path, 0), ==, 0);
    else if (i == 4)
      g_assert_cmpint (g_rename (path, moved), ==, 0);
    else if (i == 6)
      g_assert_true (g_unlink (path) == 0 && g_unlink (moved) == 0 && g_rmdir (folder) == 0);
    g_assert_cmpint (gst_harness_push (s->harness, frame_with (i, NULL)), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (s));
    if (i != 3 && i != 5)
      continue;
    g_autoptr (GPtrArray) lines = json_lines_read (path);
    g_assert_cmpuint (lines->len, ==, 2);
    g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, 0), "frame"), ==, i - 1);
  }
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, path));
  stream_free (s);
}

/* One file for the results of two elements: every line of both. */
static void
test_one_file (void)
{
  g_autofree gchar *path = json_lines_path (),
                   *description = g_strdup_printf ("upijson location=%s ! upijson location=%s", path, path);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < 10; i++) {
    gst_harness_push (s->harness, frame_with (i, NULL));
    gst_buffer_unref (stream_pull (s));
  }
  stream_free (s);
  g_autoptr (GPtrArray) lines = json_lines_read (path);
  g_assert_cmpuint (lines->len, ==, 20);
  for (guint i = 0; i < 20; i++)
    g_assert_cmpint (json_object_get_int_member (json_lines_object (lines, i), "frame"), ==, i / 2);
  g_unlink (path);
}

/* A pipe that nobody empties holds frames, as it should, but no flush and no stop. */
static gpointer
push_until_stopped (gpointer data)
{
  Stream *s = data;
  guint i = 0;
  while (gst_harness_push (s->harness, frame_with (i++, NULL)) == GST_FLOW_OK)
    continue;
  return NULL;
}

static void
test_stop_at_a_pipe (void)
{
  g_autofree gchar *folder = g_dir_make_tmp ("objects-XXXXXX", NULL), *path = g_build_filename (folder, "pipe", NULL);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  gint fd = open (path, O_RDONLY | O_NONBLOCK);
  g_autofree gchar *description = g_strdup_printf ("upijson name=j location=%s", path);
  Stream *s = stream_new (description, FALSE);

  gst_harness_set_drop_buffers (s->harness, TRUE);
  stream_format (s, "RGB", 64, 48);
  GThread *thread = g_thread_new ("push", push_until_stopped, s);
  gst_element_set_state (s->element, GST_STATE_NULL);
  g_thread_join (thread);
  stream_free (s);
  close (fd);
  g_unlink (path);
  g_rmdir (folder);
}

static void
test_location_while_open (void)
{
  g_autofree gchar *path = json_lines_path (), *description = g_strdup_printf ("upijson name=j location=%s", path),
                   *kept = NULL;
  Stream *s = stream_new (description, FALSE);
  g_autoptr (GstElement) json = stream_get (s, "j");

  g_object_set (json, "location", "/nowhere", NULL);
  g_object_get (json, "location", &kept, NULL);
  g_assert_cmpstr (kept, ==, path);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "location"));
  stream_free (s);
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/json/replaced-at-start", test_replaced_at_start);
  g_test_add_func ("/json/unwritable", test_unwritable);
  g_test_add_func ("/json/full-disk", test_full_disk);
  g_test_add_func ("/json/file-changes", test_file_changes);
  g_test_add_func ("/json/one-file", test_one_file);
  g_test_add_func ("/json/stop-at-a-pipe", test_stop_at_a_pipe);
  g_test_add_func ("/json/location-while-open", test_location_while_open);
  g_test_add_func ("/json/schema", json_lines_test_schema);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
