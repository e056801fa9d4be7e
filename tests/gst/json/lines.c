/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.c: see lines.h. */
#include "tests/gst/json/lines.h"

#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gst/gst.h>

static GString *all; /* lines of format=upi */

gchar *
json_lines_path (void)
{
  g_autoptr (GError) error = NULL;
  gchar *path = NULL;
  gint fd = g_file_open_tmp ("objects-XXXXXX.jsonl", &path, &error);
  g_assert_no_error (error);
  g_close (fd, NULL);
  return path;
}

static JsonParser *
parse (const gchar *line)
{
  g_autoptr (GError) error = NULL;
  JsonParser *parser = json_parser_new ();
  json_parser_load_from_data (parser, line, -1, &error);
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)));
  return parser;
}

static void
keep (const gchar *line)
{
  if (all == NULL)
    all = g_string_new (NULL);
  g_string_append (all, line);
  if (!g_str_has_suffix (line, "\n"))
    g_string_append_c (all, '\n');
}

JsonParser *
json_lines_parse (const gchar *line)
{
  keep (line);
  return parse (line);
}

static GPtrArray *
read_lines (const gchar *path, gboolean foreign)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree gchar *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_true (*text == '\0' || g_str_has_suffix (text, "\n"));
  g_auto (GStrv) parts = g_strsplit (text, "\n", -1);
  for (guint i = 0; parts[i] != NULL && *parts[i] != '\0'; i++)
    g_ptr_array_add (lines, foreign ? parse (parts[i]) : json_lines_parse (parts[i]));
  return lines;
}

GPtrArray *
json_lines_read (const gchar *path)
{
  return read_lines (path, FALSE);
}

GPtrArray *
json_lines_read_foreign (const gchar *path)
{
  return read_lines (path, TRUE);
}

JsonObject *
json_lines_object (GPtrArray *lines, guint index)
{
  return json_node_get_object (json_parser_get_root (g_ptr_array_index (lines, index)));
}

void
json_lines_test_schema (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *said = NULL;
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);

  g_subprocess_launcher_unsetenv (launcher, "LD_PRELOAD"); /* the thread sanitizer's */
  g_autoptr (GSubprocess) check = g_subprocess_launcher_spawn (
      launcher, &error, "/usr/bin/python3", g_getenv ("UPI_LINE_CHECK"), g_getenv ("UPI_LINE_SCHEMAS"), NULL);
  g_assert_no_error (error);
  g_assert_nonnull (all);
  g_subprocess_communicate_utf8 (check, all->str, NULL, NULL, &said, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (said, ==, "");
  g_assert_true (g_subprocess_get_successful (check));
  g_string_free (g_steal_pointer (&all), TRUE);
}

void
json_lines_test_bad_settings (const gchar *method, const JsonBadSetting *settings, guint n_settings)
{
  for (guint i = 0; i < n_settings; i++) {
    GstElement *element = gst_object_ref_sink (gst_element_factory_make ("upijson", NULL));
    g_autoptr (GstBus) bus = gst_bus_new ();
    g_autoptr (GError) error = NULL;

    gst_element_set_bus (element, bus);
    gst_util_set_object_arg (G_OBJECT (element), "method", method);
    g_object_set (element, settings[i].name, settings[i].value, NULL);
    g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    gst_message_parse_error (message, &error, NULL);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, settings[i].says));
    gst_element_set_state (element, GST_STATE_NULL);
    gst_element_set_bus (element, NULL);
    gst_object_unref (element);
  }
}
