/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-labels.c: upidetect's lists of labels while they are encoded: lists that change while playing, long ones,
 * ones that fail. */
#include <string.h>

#include "tests/gst/detect/fixture.h"

/* The new list takes over between two frames, whole; the old one holds until it is encoded. */
static void
test_labels_change_while_playing (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (ENCODER "inference-interval=1000 ! upidetect name=d labels=\"cat, dog\" " ALL, FALSE);
  g_autoptr (GstElement) detect = stream_get (s, "d");
  const gchar *const old[] = { "cat", "dog", NULL }, *const new[] = { "bird", "car", NULL };
  guint n;

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass (s, 0));
  upi_engine_hold (engine);
  g_object_set (detect, "labels", "bird, car", NULL);
  for (guint i = 1; i < 10; i++) {
    GstBuffer *buffer = stream_pass (s, i);
    g_assert_true (all_labels_in (buffer, old));
    gst_buffer_unref (buffer);
  }
  upi_engine_release (engine);
  test_engine_drain (engine);
  GstBuffer *buffer = stream_pass (s, 10);
  g_assert_true (all_labels_in (buffer, new));
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* 100 lists while frames pass: each frame has labels of one list only, lists never go back, and the last one wins. */
static void
test_labels_changed_100_times (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (ENCODER "! upidetect name=d labels=\"a0, b0\" " ALL, FALSE);
  g_autoptr (GstElement) detect = stream_get (s, "d");
  gint last = 0;

  stream_format (s, "RGB", 64, 64);
  for (gint i = 1; i <= 100; i++) {
    g_autofree gchar *labels = g_strdup_printf ("a%d, b%d", i, i);
    g_object_set (detect, "labels", labels, NULL);
    if (i == 100) {
      test_engine_drain (engine);
      test_engine_drain (engine); /* a list that was running, then the last one */
    }
    GstBuffer *buffer = stream_pass (s, (guint) i);
    guint n;
    const GstUpiObject *objects = objects_of (buffer, &n);
    g_assert_cmpuint (n, >, 0);
    gint list = atoi (objects[0].label + 1);
    for (guint j = 0; j < n; j++)
      g_assert_cmpint (atoi (objects[j].label + 1), ==, list);
    g_assert_cmpint (list, >=, last);
    g_assert_cmpint (list, <=, i);
    last = list;
    gst_buffer_unref (buffer);
  }
  g_assert_cmpint (last, ==, 100);
  stream_free (s);
}

/* @n words. */
static gchar *
sentence (guint n)
{
  g_autoptr (GString) text = g_string_new ("a");
  for (guint i = 1; i < n; i++)
    g_string_append (text, " a");
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* The tiny model's text encoder has 64 positions, two of them for the text's ends. What is cut is said once for each
 * list. */
static void
test_long_labels (void)
{
  g_autofree gchar *fits = sentence (62), *cut = sentence (63), *longer = sentence (300);
  g_autofree gchar *first =
      g_strdup_printf (ENCODER "! upidetect name=d labels=\"cat,%s,%s,%s\" " ALL, fits, cut, longer);
  g_autofree gchar *second = g_strdup_printf ("%s,cat", fits);
  Stream *s = stream_new (first, FALSE);
  guint n = 0;

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < 5; i++) {
    GstBuffer *buffer = stream_pass (s, i);
    objects_of (buffer, &n);
    g_assert_cmpuint (n, >, 0); /* the list counts all the same */
    gst_buffer_unref (buffer);
  }
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "2 of 4 labels"));
  g_assert_nonnull (strstr (warning, "62 tokens"));
  g_assert_nonnull (strstr (warning, "label 3"));
  g_assert_null (stream_peek_message (s, GST_MESSAGE_WARNING));

  GstElement *detect = stream_get (s, "d");
  g_object_set (detect, "labels", second, NULL);
  for (guint i = 5; i < 10; i++)
    gst_buffer_unref (stream_pass (s, i));
  gst_object_unref (detect);
  stream_free (s); /* which finds no other warning */
}

/* Encoding the first list is a request to the engine: a flush and a stop free who waits for it, latest never waits. */
static void
test_waiting_for_labels (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (LATEST "! upidetect name=d labels=\"never seen before\" " ALL, FALSE);
  guint n;

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass_held (s, engine, 0)); /* without its encoding: it asks for no labels */
  upi_engine_hold (engine);
  GstBuffer *buffer = stream_pass (s, 1);
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0); /* no labels yet */
  gst_buffer_unref (buffer);
  upi_engine_release (engine);
  test_engine_drain (engine);
  test_engine_drain (engine);
  buffer = stream_pass (s, 2);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* A string that fails to encode: the old list stays, with a warning. */
static void
test_labels_fail (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (ENCODER "inference-interval=1000 ! upidetect name=d labels=\"cat, dog\" " ALL, FALSE);
  g_autoptr (GstElement) detect = stream_get (s, "d");

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass (s, 0));
  upi_engine_fail_inference (engine, 1);
  g_object_set (detect, "labels", "words that were never encoded", NULL);
  test_engine_drain (engine);
  GstBuffer *buffer = stream_pass (s, 1);
  g_assert_true (all_labels_in (buffer, (const gchar *[]){ "cat", "dog", NULL }));
  gst_buffer_unref (buffer);
  g_free (stream_message (s, GST_MESSAGE_WARNING));
  stream_free (s);
}

static gchar *
long_list (guint n)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, "%slabel %u", i > 0 ? "," : "", i);
  return g_string_free (text, FALSE);
}

static gpointer
push_one_frame (gpointer data)
{
  return GINT_TO_POINTER (stream_push (data, 0));
}

/* Messages of both kinds up to an element's, or all there are; waits for the first if it must. */
static void
take_messages (Stream *s, GPtrArray *messages, gboolean all)
{
  GstMessage *message;

  while ((message = gst_bus_timed_pop_filtered (
              s->bus, all ? 0 : 60 * GST_SECOND, GST_MESSAGE_PROGRESS | GST_MESSAGE_ELEMENT))
      != NULL) {
    g_ptr_array_add (messages, message);
    if (!all && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT)
      return;
  }
  g_assert_true (all);
}

/* block: the frame waits, and messages say for how much: at every twentieth of the list that is done when the frame's
 * thread looks. */
static void
test_progress (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_message_unref);
  g_autofree gchar *labels = long_list (400);
  g_autofree gchar *description = g_strdup_printf (ENCODER "! upidetect labels=\"%s\" " ALL, labels);
  Stream *s = stream_new (description, FALSE);
  GstProgressType last = GST_PROGRESS_TYPE_ERROR;
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  guint n = 0, n_elements = 0, done, total, before = 0;

  stream_format (s, "RGB", 64, 64);
  upi_engine_allow_inferences (engine, 1); /* the frame */
  GThread *thread = g_thread_new ("frame", push_one_frame, s);
  do { /* else it might be one of those that the list is allowed */
    g_thread_yield ();
    upi_engine_get_stats (engine, &stats);
  } while (stats.encoded == 0);
  for (guint i = 0; i < 3; i++) {
    upi_engine_allow_inferences (engine, 5); /* batches, of four texts or more: a twentieth */
    take_messages (s, messages, FALSE);
  }
  upi_engine_allow_inferences (engine, G_MAXUINT);
  g_thread_join (thread);
  GstBuffer *buffer = stream_pull (s);
  take_messages (s, messages, TRUE);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  gst_buffer_unref (buffer);
  n = 0;
  for (guint i = 0; i < messages->len; i++) {
    GstMessage *message = g_ptr_array_index (messages, i);
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_PROGRESS) {
      g_autofree gchar *code = NULL;
      gst_message_parse_progress (message, &last, &code, NULL);
      g_assert_cmpstr (code, ==, "labels");
      g_assert_cmpint (last, ==,
          n == 0                                   ? GST_PROGRESS_TYPE_START
              : last == GST_PROGRESS_TYPE_COMPLETE ? last
                                                   : GST_PROGRESS_TYPE_CONTINUE);
      n++;
    } else {
      const GstStructure *structure = gst_message_get_structure (message);
      g_assert_true (gst_structure_has_name (structure, "upi-labels-progress"));
      g_assert_true (gst_structure_get (structure, "done", G_TYPE_UINT, &done, "total", G_TYPE_UINT, &total, NULL));
      g_assert_cmpuint (total, ==, 400);
      g_assert_cmpuint (done, >, before);
      before = done;
      n_elements++;
    }
  }
  g_assert_cmpint (last, ==, GST_PROGRESS_TYPE_COMPLETE);
  g_assert_cmpuint (n, ==, n_elements + 1);
  g_assert_cmpuint (n_elements, >=, 3);
  stream_free (s);
}

/* latest: frames pass empty meanwhile, and no message tells an application to wait. */
static void
test_long_list_beside_frames (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  g_autofree gchar *labels = long_list (400);
  g_autofree gchar *description = g_strdup_printf (LATEST "! upidetect name=d labels=\"%s\" " ALL, labels);
  Stream *s = stream_new (description, FALSE);
  g_autoptr (GstElement) detect = stream_get (s, "d");
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  guint n = 1;

  stream_format (s, "RGB", 64, 64);
  gst_buffer_unref (stream_pass_held (s, engine, 0)); /* without its encoding: it asks for no labels */
  upi_engine_get_stats (engine, &stats);
  guint64 misses = stats.text_cache_misses;
  upi_engine_hold (engine);
  GstBuffer *buffer = stream_pass (s, 1);
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0);
  gst_buffer_unref (buffer);

  /* Another list takes the place of the one that is on its way: that one ends early. */
  g_object_set (detect, "labels", "cat", NULL);
  upi_engine_release (engine);
  test_engine_drain (engine);
  test_engine_drain (engine);
  buffer = stream_pass (s, 2);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  g_assert_true (all_labels_in (buffer, (const gchar *[]){ "cat", NULL }));
  gst_buffer_unref (buffer);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.text_cache_misses, <, misses + 400);
  g_assert_null (stream_peek_message (s, GST_MESSAGE_PROGRESS));
  stream_free (s);
}

static gpointer
stop_element (gpointer data)
{
  gst_element_set_state (((Stream *) data)->element, GST_STATE_NULL);
  return NULL;
}

/* The element stops between two batches of a list that a frame waits for. */
static void
test_stopped_while_waiting (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect-stop", 1);
  g_autofree gchar *labels = long_list (2000);
  g_autofree gchar *description = g_strdup_printf ("upiencoder model=tiny device=cpu threads=1 policy=block "
                                                   "model-instance-id=detect-stop ! upidetect labels=\"%s\" " ALL,
      labels);
  Stream *s = stream_new (description, FALSE);
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  stream_format (s, "RGB", 64, 64);
  upi_engine_allow_inferences (engine, 26); /* the frame, and a twentieth of the list */
  GThread *thread = g_thread_new ("frame", push_one_frame, s);
  g_free (stream_message (s, GST_MESSAGE_PROGRESS)); /* it waits */
  GThread *stopper = g_thread_new ("stop", stop_element, s);
  do { /* a list that is cancelled waits no more for its next batch; else a worker might end it before the stop comes */
    g_thread_yield ();
    upi_engine_get_stats (engine, &stats);
  } while (stats.queue_length > 0);
  upi_engine_allow_inferences (engine, G_MAXUINT);
  g_thread_join (stopper);
  g_thread_join (thread);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.text_cache_misses, <, 2000);
  g_assert_cmpuint (stats.queue_length, ==, 0);
  stream_free (s);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/detect/labels-change-while-playing", test_labels_change_while_playing);
  g_test_add_func ("/detect/labels-changed-100-times", test_labels_changed_100_times);
  g_test_add_func ("/detect/progress", test_progress);
  g_test_add_func ("/detect/long-list-beside-frames", test_long_list_beside_frames);
  g_test_add_func ("/detect/stopped-while-waiting", test_stopped_while_waiting);
  g_test_add_func ("/detect/long-labels", test_long_labels);
  g_test_add_func ("/detect/waiting-for-labels", test_waiting_for_labels);
  g_test_add_func ("/detect/labels-fail", test_labels_fail);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
