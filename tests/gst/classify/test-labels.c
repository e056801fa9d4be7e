/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-labels.c: upiclassify's lists of labels: they change while playing, come from files, and may be wrong. */
#include <string.h>

#include <glib/gstdio.h>

#include "tests/gst/stream.h"

#include "tests/gst/classify/fixture.h"

/* The new list takes over between two frames, whole, also of frames that share an encoding; what held is told anew. */
static void
test_labels_change_while_playing (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (ENCODER "inference-interval=1000 ! upiclassify name=c labels=\"cat\"", FALSE);
  g_autoptr (GstElement) classify = stream_get (s, "c");
  guint n;

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass (s, 0));
  g_assert_true (says (s, "cat"));
  upi_engine_hold (engine);
  g_object_set (classify, "labels", "ein grünes Tor", NULL);
  for (guint i = 1; i < 5; i++) {
    GstBuffer *buffer = stream_pass (s, i);
    g_assert_cmpstr (classes_of (buffer, &n)->label, ==, "cat");
    gst_buffer_unref (buffer);
  }
  upi_engine_release (engine);
  test_engine_drain (engine);
  GstBuffer *buffer = stream_pass (s, 5);
  g_assert_cmpstr (classes_of (buffer, &n)->label, ==, "ein grünes Tor");
  g_assert_true (says (s, "ein grünes Tor"));
  gst_buffer_unref (buffer);
  g_object_set (classify, "labels", NULL, NULL); /* the model's own */
  test_engine_drain (engine);
  buffer = stream_pass (s, 6);
  classes_of (buffer, &n);
  g_assert_cmpuint (n, ==, 3);
  gst_buffer_unref (buffer);
  stream_free (s);
}

static gchar *
write_file (const gchar *bytes, gssize size)
{
  gchar *path = NULL;
  gint fd = g_file_open_tmp ("upi-classify-XXXXXX", &path, NULL);
  g_assert_cmpint (fd, >=, 0);
  g_close (fd, NULL);
  g_assert_true (g_file_set_contents (path, bytes, size, NULL));
  return path;
}

/* Sentences of a file may have commas. */
static void
test_labels_file (void)
{
  g_autofree gchar *path = write_file ("a yard, empty\r\na yard, with people\t0.5\n\n", -1);
  g_autofree gchar *line = g_strdup_printf (ENCODER "! upiclassify labels-file=%s", path);
  Stream *s = stream_new (line, FALSE);
  guint n;

  stream_format (s, "RGB", 64, 64);
  GstBuffer *buffer = stream_pass (s, 0);
  const GstUpiClass *classes = classes_of (buffer, &n);
  g_assert_cmpuint (n, ==, 2);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpstr (classes[i].label, ==, classes[i].label_id == 0 ? "a yard, empty" : "a yard, with people");
  gst_buffer_unref (buffer);
  stream_free (s);
  g_unlink (path);
}

/* At the start an error, while playing a warning; each names what was wrong. */
static void
test_bad_lists (void)
{
  static const struct {
    const gchar *property, *value, *bytes;
    gssize size;
    const gchar *named;
  } cases[] = { { "labels", "", NULL, 0, "labels" }, { "labels", " , ", NULL, 0, "labels" },
    { "labels-file", "/nowhere/sentences.txt", NULL, 0, "/nowhere/sentences.txt" },
    { "labels-file", "/", NULL, 0, "/" }, { "labels-file", NULL, "\n \n", -1, "0 labels" },
    { "labels-file", NULL, "c\0t\n", 4, "UTF-8" }, { "labels-file", NULL, "cat\n\xff\xfe\n", -1, "Line 2" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path = cases[i].bytes != NULL ? write_file (cases[i].bytes, cases[i].size) : NULL;
    const gchar *value = path != NULL ? path : cases[i].value;
    GstElement *alone = gst_element_factory_make ("upiclassify", NULL);
    GstBus *bus = gst_bus_new ();
    g_autoptr (GError) error = NULL;

    gst_element_set_bus (alone, bus);
    g_object_set (alone, cases[i].property, value, NULL);
    g_assert_cmpint (gst_element_set_state (alone, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
    GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    g_assert_nonnull (message);
    gst_message_parse_error (message, &error, NULL);
    if (strstr (error->message, cases[i].named) == NULL)
      g_error ("\"%s\" is not named in: %s", cases[i].named, error->message);
    gst_message_unref (message);
    gst_element_set_state (alone, GST_STATE_NULL);
    gst_element_set_bus (alone, NULL);
    gst_object_unref (bus);
    gst_object_unref (alone);

    Stream *s = stream_new (ENCODER "! upiclassify name=c labels=\"bird\"", FALSE);
    g_autoptr (GstElement) classify = stream_get (s, "c");
    guint n;
    stream_format (s, "RGB", 64, 64);
    gst_buffer_unref (stream_pass (s, 0));
    g_object_set (classify, cases[i].property, value, NULL);
    g_autofree gchar *warning = stream_peek_message (s, GST_MESSAGE_WARNING);
    g_assert_nonnull (warning);
    g_assert_nonnull (strstr (warning, "before it stay"));
    g_assert_nonnull (strstr (warning, cases[i].named));
    GstBuffer *buffer = stream_pass (s, 1);
    g_assert_cmpstr (classes_of (buffer, &n)->label, ==, "bird");
    gst_buffer_unref (buffer);
    stream_free (s);
    if (path != NULL)
      g_unlink (path);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/classify/labels-change-while-playing", test_labels_change_while_playing);
  g_test_add_func ("/classify/labels-file", test_labels_file);
  g_test_add_func ("/classify/bad-lists", test_bad_lists);
  return g_test_run ();
}
