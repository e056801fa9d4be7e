/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program behind ./demo with what users type: numbers in any locale, words in any script, folders of any name. */
#include <string.h>

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <json-glib/json-glib.h>

static gchar *
make_clip (const gchar *folder)
{
  gchar *path = g_build_filename (folder, "a clip.mkv", NULL);
  g_autofree gchar *line = g_strdup_printf ("videotestsrc num-buffers=3 ! video/x-raw,width=64,height=48 ! vp8enc "
                                            "deadline=1 ! matroskamux ! filesink location=\"%s\"",
      path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, &error);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);

  g_assert_no_error (error);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return path;
}

/* Runs the demo in @folder; its JSON lines. */
static GPtrArray *
run_demo (const gchar *folder, const gchar *locale, const gchar *labels, const gchar *threshold, const gchar *out,
    const gchar *rules, gchar **printed)
{
  g_autofree gchar *clip = make_clip (folder), *said = NULL,
                   *json = g_build_filename (folder, out, "objects.jsonl", NULL), *text = NULL;
  const gchar *argv[] = { g_getenv ("UPI_TEST_DEMO"), "--model", "tiny", "--device", "cpu", "--labels", labels,
    "--threshold", threshold, "--out", out, clip, rules != NULL ? "--rules" : NULL, rules, NULL };
  g_auto (GStrv) environment = g_environ_setenv (g_get_environ (), "LC_ALL", locale, TRUE);
  g_autoptr (GError) error = NULL;
  gint status;

  g_spawn_sync (folder, (gchar **) argv, environment, printed != NULL ? G_SPAWN_DEFAULT : G_SPAWN_STDOUT_TO_DEV_NULL,
      NULL, NULL, printed, &said, &status, &error);
  g_assert_no_error (error);
  if (status != 0)
    g_error ("the demo ended with %d: %s", status, said);
  g_assert_true (g_file_get_contents (json, &text, NULL, &error));
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_object_unref);
  g_auto (GStrv) parts = g_strsplit (text, "\n", -1);
  for (guint i = 0; parts[i] != NULL && parts[i][0] != '\0'; i++) {
    JsonParser *parser = json_parser_new ();
    json_parser_load_from_data (parser, parts[i], -1, &error);
    g_assert_no_error (error);
    g_ptr_array_add (lines, parser);
  }
  return lines;
}

static void
remove_folder (const gchar *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const gchar *name;
  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
    g_autofree gchar *child = g_build_filename (path, name, NULL);
    remove_folder (child);
    g_unlink (child);
  }
  g_rmdir (path);
}

/* Where the locale is not installed the C library falls back to C, where this must hold as well. */
static void
test_options (void)
{
  static const gchar *const locales[] = { "C", "de_DE.UTF-8", "tr_TR.UTF-8" };

  for (guint i = 0; i < G_N_ELEMENTS (locales); i++) {
    g_autofree gchar *folder = g_dir_make_tmp ("demo-XXXXXX", NULL);
    g_autoptr (GPtrArray) lines = run_demo (folder, locales[i], "F\u00fc\u00dfe, r\u00f8d \"bil\", IĞDIR \\ ılık",
        "0.0125", "the \"out\" folder", NULL, NULL);
    guint n_objects = 0;

    g_assert_cmpuint (lines->len, ==, 3);
    for (guint l = 0; l < lines->len; l++) {
      JsonArray *objects =
          json_object_get_array_member (json_node_get_object (json_parser_get_root (lines->pdata[l])), "objects");
      for (guint o = 0; o < json_array_get_length (objects); o++) {
        JsonObject *object = json_array_get_object_element (objects, o);
        const gchar *label = json_object_get_string_member (object, "label");
        g_assert_true (
            g_strv_contains ((const gchar *[]){ "F\u00fc\u00dfe", "r\u00f8d \"bil\"", "IĞDIR \\ ılık", NULL }, label));
        g_assert_cmpfloat (json_object_get_double_member (object, "score"), >=, 0.0125);
        n_objects++;
      }
    }
    g_assert_cmpuint (n_objects, >, 0);
    remove_folder (folder);
  }
}

/* What happens is printed as it does, and what it came to at the end; a rules file that cannot be read is an error that
 * names it. */
static void
test_rules (void)
{
  g_autofree gchar *folder = g_dir_make_tmp ("demo-XXXXXX", NULL), *printed = NULL, *clip = make_clip (folder),
                   *said = NULL;
  g_autofree gchar *rules = g_build_filename (folder, "a \"count\".json", NULL);
  const gchar *argv[] = { g_getenv ("UPI_TEST_DEMO"), "--model", "tiny", "--device", "cpu", "--rules",
    "/nowhere/rules.json", "--out", "out", clip, NULL };
  gint status;

  g_assert_true (g_file_set_contents (rules, "{\"rules\":{\"crowd\":{\"type\":\"count\",\"above\":0}}}", -1, NULL));
  g_autoptr (GPtrArray) lines = run_demo (folder, "C", "cat, dog", "0.0", "out", rules, &printed);
  g_assert_cmpuint (lines->len, ==, 3);
  if (strstr (printed, "crowd: ") == NULL || strstr (printed, "too many") == NULL
      || strstr (printed, "crowd: once") == NULL)
    g_error ("nothing happened: %s", printed);

  g_assert_true (
      g_spawn_sync (folder, (gchar **) argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said, &status, NULL));
  g_assert_cmpint (status, !=, 0);
  if (strstr (said, "/nowhere/rules.json") == NULL)
    g_error ("the file is not named: %s", said);
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/demo/options", test_options);
  g_test_add_func ("/demo/rules", test_rules);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
