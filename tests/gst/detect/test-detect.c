/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-detect.c: upidetect behind an encoder of the tiny model: objects, labels that change while playing, and what
 * users get wrong. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>

#include "tests/gst/stream.h"

#define ENCODER                                                                                                        \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 model-instance-id=detect "
#define LATEST                                                                                                         \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=latest max-in-flight=16 model-instance-id=detect "
/* Random weights find something everywhere. */
#define ALL "threshold=0 max-objects=20 iou-threshold=1 "

static const GstUpiObject *
objects_of (GstBuffer *buffer, guint *n)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  g_assert_nonnull (meta);
  return gst_upi_content_get_objects (gst_upi_meta_get_content (meta), n);
}

/* Sends frame @number and takes it at the other end. */
static GstBuffer *
pass (Stream *s, guint number)
{
  g_assert_cmpint (stream_push (s, number), ==, GST_FLOW_OK);
  return stream_pull (s);
}

/* TRUE if every label is one of @labels. */
static gboolean
all_labels_in (GstBuffer *buffer, const gchar *const *labels)
{
  guint n;
  const GstUpiObject *objects = objects_of (buffer, &n);
  for (guint i = 0; i < n; i++)
    if (!g_strv_contains (labels, objects[i].label))
      return FALSE;
  return TRUE;
}

static void
test_objects (void)
{
  Stream *s = stream_new (ENCODER "! upidetect " ALL, FALSE);
  guint n = 0, n_roi = 0;
  gpointer state = NULL;
  GstMeta *meta;

  stream_format (s, "RGB", 200, 100);
  GstBuffer *buffer = pass (s, 0);
  const GstUpiObject *objects = objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  g_assert_cmpuint (n, <=, 20);
  for (guint i = 0; i < n; i++) {
    const GstUpiObject *o = &objects[i];
    g_assert_true (
        g_strv_contains (((const gchar *[]){ "cat", "dog", "person", NULL }), o->label)); /* the model's own list */
    g_assert_cmpuint (o->label_id, <, 3);
    g_assert_true (o->score >= 0 && o->score <= 1 && (i == 0 || o->score <= objects[i - 1].score));
    g_assert_true (o->x >= 0 && o->y >= 0 && o->x + o->width <= 1.0001f && o->y + o->height <= 1.0001f);
    if (o->mask != NULL)
      g_assert_cmpuint (o->mask->columns * o->mask->rows, >, 0);
  }
  while (
      (meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
    GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *) meta;
    GstStructure *detection = gst_video_region_of_interest_meta_get_param (roi, "detection");
    const GstUpiObject *o = &objects[n_roi++];
    gdouble confidence = 0, x_min = 0, x_max = 0;
    gint label_id = -1;
    g_assert_cmpstr (g_quark_to_string (roi->roi_type), ==, o->label);
    g_assert_cmpuint (roi->x, ==, (guint) (o->x * 200 + 0.5f));
    g_assert_cmpuint (roi->y, ==, (guint) (o->y * 100 + 0.5f));
    g_assert_cmpuint (roi->x + roi->w, ==, (guint) ((o->x + o->width) * 200 + 0.5f));
    g_assert_cmpuint (roi->y + roi->h, ==, (guint) ((o->y + o->height) * 100 + 0.5f));
    g_assert_true (gst_structure_get (detection, "confidence", G_TYPE_DOUBLE, &confidence, "label_id", G_TYPE_INT,
        &label_id, "x_min", G_TYPE_DOUBLE, &x_min, "x_max", G_TYPE_DOUBLE, &x_max, NULL));
    g_assert_cmpfloat (fabs (confidence - o->score), <, 1e-6);
    g_assert_cmpint (label_id, ==, (gint) o->label_id);
    g_assert_cmpfloat (fabs (x_min - o->x), <, 1e-6);
    g_assert_cmpfloat (fabs (x_max - o->x - o->width), <, 1e-6);
  }
  g_assert_cmpuint (n_roi, ==, n);
  gst_buffer_unref (buffer);
  stream_free (s);
}

static void
test_settings_while_playing (void)
{
  Stream *s = stream_new (ENCODER "! upidetect name=d " ALL, FALSE);
  g_autoptr (GstElement) detect = stream_get (s, "d");
  guint n;

  stream_format (s, "RGB", 64, 64);
  GstBuffer *buffer = pass (s, 0);
  const GstUpiObject *objects = objects_of (buffer, &n);
  g_assert_cmpuint (n, >=, 3);
  gfloat third = objects[2].score;
  gst_buffer_unref (buffer);

  g_object_set (detect, "threshold", third, "masks", FALSE, "roi-meta", FALSE, NULL);
  buffer = pass (s, 0);
  objects = objects_of (buffer, &n);
  g_assert_cmpuint (n, >=, 1);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpfloat (objects[i].score, >=, third);
    g_assert_null (objects[i].mask);
  }
  g_assert_null (gst_buffer_get_video_region_of_interest_meta_id (buffer, 0));
  gst_buffer_unref (buffer);

  g_object_set (detect, "threshold", 0.0, "max-objects", 1, NULL);
  buffer = pass (s, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 1);
  gst_buffer_unref (buffer);
  g_object_set (detect, "threshold", 1.0, NULL);
  buffer = pass (s, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* Frames that carry one encoding share one content with its objects. */
static void
test_shared_results (void)
{
  Stream *s = stream_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block inference-interval=3 max-in-flight=16 ! upidetect " ALL,
      FALSE);
  GstUpiContent *shared = NULL;

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < 6; i++) {
    GstBuffer *buffer = pass (s, i);
    GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
    if (i % 3 == 0) {
      g_assert_true (content != shared);
      g_clear_pointer (&shared, gst_upi_content_unref);
      shared = gst_upi_content_ref (content);
    }
    g_assert_true (content == shared);
    gst_buffer_unref (buffer);
  }
  gst_upi_content_unref (shared);
  stream_free (s);
}

static void
test_two_in_a_chain (void)
{
  Stream *s = stream_new (ENCODER "! upidetect labels=\"cat\" " ALL "! upidetect labels=\"dog, bird\" " ALL, FALSE);
  guint n, cats = 0, n_roi = 0;
  gpointer state = NULL;

  stream_format (s, "RGB", 64, 64);
  GstBuffer *buffer = pass (s, 0);
  const GstUpiObject *objects = objects_of (buffer, &n);
  while (cats < n && strcmp (objects[cats].label, "cat") == 0)
    cats++;
  g_assert_cmpuint (cats, >, 0);
  g_assert_cmpuint (n, >, cats);
  for (guint i = cats; i < n; i++)
    g_assert_true (strcmp (objects[i].label, "dog") == 0 || strcmp (objects[i].label, "bird") == 0);
  while (gst_buffer_iterate_meta_filtered (buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) != NULL)
    n_roi++;
  g_assert_cmpuint (n_roi, ==, n);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* Branches of a tee: one looks for cats, the other for dogs; neither sees the other's. */
static void
test_tee (void)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline =
      gst_parse_launch ("videotestsrc num-buffers=10 ! video/x-raw,width=64,height=64 ! " ENCODER "! tee name=t "
                        "t. ! queue ! upidetect labels=cat " ALL "! appsink name=cats sync=false "
                        "t. ! queue ! upidetect labels=dog " ALL "! appsink name=dogs sync=false",
          &error);
  g_assert_no_error (error);
  GstElement *cats = gst_bin_get_by_name (GST_BIN (pipeline), "cats"),
             *dogs = gst_bin_get_by_name (GST_BIN (pipeline), "dogs");

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < 20; i++) {
    GstSample *sample = NULL;
    g_signal_emit_by_name (i % 2 ? cats : dogs, "pull-sample", &sample);
    g_assert_nonnull (sample);
    guint n;
    objects_of (gst_sample_get_buffer (sample), &n);
    g_assert_cmpuint (n, >, 0);
    g_assert_true (all_labels_in (gst_sample_get_buffer (sample), (const gchar *[]){ i % 2 ? "cat" : "dog", NULL }));
    gst_sample_unref (sample);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (cats);
  gst_object_unref (dogs);
  gst_object_unref (pipeline);
}

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
  gst_buffer_unref (pass (s, 0));
  upi_engine_hold (engine);
  g_object_set (detect, "labels", "bird, car", NULL);
  for (guint i = 1; i < 10; i++) {
    GstBuffer *buffer = pass (s, i);
    g_assert_true (all_labels_in (buffer, old));
    gst_buffer_unref (buffer);
  }
  upi_engine_release (engine);
  test_engine_drain (engine);
  GstBuffer *buffer = pass (s, 10);
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
    GstBuffer *buffer = pass (s, (guint) i);
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
  GstBuffer *buffer = pass (s, 0);
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
  gst_buffer_unref (pass (s, 0));
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
    GstBuffer *buffer = pass (s, i + 1);
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
  static const gchar *const ends[] = { "\n", "\r\n", "\r", "\n\r\r\n" };

  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autofree gchar *bytes = g_strjoin (ends[i], "cat", "red car\t0.25", "bird", NULL), *path = write_file (bytes, -1);
    g_autofree gchar *description = g_strdup_printf (ENCODER "! upidetect labels-file=%s " ALL, path);
    Stream *s = stream_new (description, FALSE);
    gboolean seen[3] = { FALSE };
    guint n;

    stream_format (s, "RGB", 64, 64);
    GstBuffer *buffer = pass (s, 0);
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
    g_assert_nonnull (strstr (warning, i < 3 ? "Line 3" : "Line 7"));
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
    { "cat\r\n\xff", -1, NULL, NULL, "Line 2" }, { "c\0t", 3, NULL, NULL, "UTF-8" },
    { "\xff\xfe"
      "c\0",
        4, NULL, NULL, "UTF-8" },
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
  GstBuffer *buffer = pass (s, 0);
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

/* Encoding the first list is a request to the engine: a flush and a stop free who waits for it, latest never waits. */
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
    GstBuffer *buffer = pass (s, i);
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
    gst_buffer_unref (pass (s, i));
  gst_object_unref (detect);
  stream_free (s); /* which finds no other warning */
}

static void
test_waiting_for_labels (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (LATEST "! upidetect name=d labels=\"never seen before\" " ALL, FALSE);
  guint n;

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  test_engine_drain (engine);
  upi_engine_hold (engine);
  GstBuffer *buffer = pass (s, 1);
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0); /* no labels yet */
  gst_buffer_unref (buffer);
  upi_engine_release (engine);
  test_engine_drain (engine);
  test_engine_drain (engine);
  buffer = pass (s, 2);
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
  gst_buffer_unref (pass (s, 0));
  upi_engine_fail_inference (engine, 1);
  g_object_set (detect, "labels", "words that were never encoded", NULL);
  test_engine_drain (engine);
  GstBuffer *buffer = pass (s, 1);
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

/* block: the frame waits, and messages say for how much. */
static void
test_progress (void)
{
  g_autofree gchar *labels = long_list (400);
  g_autofree gchar *description = g_strdup_printf (ENCODER "! upidetect labels=\"%s\" " ALL, labels);
  Stream *s = stream_new (description, FALSE);
  GstProgressType last = GST_PROGRESS_TYPE_ERROR;
  guint n = 0, n_elements = 0, done, total, before = 0;

  stream_format (s, "RGB", 64, 64);
  GstBuffer *buffer = pass (s, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  gst_buffer_unref (buffer);
  n = 0;
  for (GstMessage *message;
       (message = gst_bus_pop_filtered (s->bus, GST_MESSAGE_PROGRESS | GST_MESSAGE_ELEMENT)) != NULL;) {
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
    gst_message_unref (message);
  }
  g_assert_cmpint (last, ==, GST_PROGRESS_TYPE_COMPLETE);
  g_assert_cmpuint (n, ==, n_elements + 1);
  g_assert_cmpuint (n, >, 2);
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
  gst_buffer_unref (pass (s, 0));
  test_engine_drain (engine);
  upi_engine_get_stats (engine, &stats);
  guint64 misses = stats.text_cache_misses;
  upi_engine_hold (engine);
  GstBuffer *buffer = pass (s, 1);
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0);
  gst_buffer_unref (buffer);

  /* Another list takes the place of the one that is on its way: that one ends early. */
  g_object_set (detect, "labels", "cat", NULL);
  upi_engine_release (engine);
  test_engine_drain (engine);
  test_engine_drain (engine);
  buffer = pass (s, 2);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, >, 0);
  g_assert_true (all_labels_in (buffer, (const gchar *[]){ "cat", NULL }));
  gst_buffer_unref (buffer);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.text_cache_misses, <, misses + 400);
  g_assert_null (stream_peek_message (s, GST_MESSAGE_PROGRESS));
  stream_free (s);
}

/* The element stops between two batches of a list that a frame waits for. */
static gpointer
push_one_frame (gpointer data)
{
  return GINT_TO_POINTER (stream_push (data, 0));
}

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
  GThread *thread = g_thread_new ("frame", push_one_frame, s);
  g_free (stream_message (s, GST_MESSAGE_PROGRESS)); /* it waits */
  gst_element_set_state (s->element, GST_STATE_NULL);
  g_thread_join (thread);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.text_cache_misses, <, 2000);
  g_assert_cmpuint (stats.queue_length, ==, 0);
  stream_free (s);
}

static void
test_without_encoder (void)
{
  Stream *s = stream_new ("upidetect", FALSE);
  stream_format (s, "RGB", 64, 64);
  g_assert_cmpint (stream_push (s, 0), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "upiencoder"));
  stream_free (s);
}

static void
test_empty_meta_passes (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("detect", 1);
  Stream *s = stream_new (LATEST "! upidetect " ALL, FALSE);
  guint n;

  stream_format (s, "RGB", 64, 64);
  upi_engine_hold (engine);
  GstBuffer *buffer = pass (s, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0);
  gst_buffer_unref (buffer);
  upi_engine_release (engine);
  stream_free (s);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/detect/objects", test_objects);
  g_test_add_func ("/detect/settings-while-playing", test_settings_while_playing);
  g_test_add_func ("/detect/shared-results", test_shared_results);
  g_test_add_func ("/detect/two-in-a-chain", test_two_in_a_chain);
  g_test_add_func ("/detect/tee", test_tee);
  g_test_add_func ("/detect/labels-change-while-playing", test_labels_change_while_playing);
  g_test_add_func ("/detect/labels-changed-100-times", test_labels_changed_100_times);
  g_test_add_func ("/detect/labels-file", test_labels_file);
  g_test_add_func ("/detect/progress", test_progress);
  g_test_add_func ("/detect/long-list-beside-frames", test_long_list_beside_frames);
  g_test_add_func ("/detect/stopped-while-waiting", test_stopped_while_waiting);
  g_test_add_func ("/detect/bad-lists", test_bad_lists);
  g_test_add_func ("/detect/bad-list-at-start", test_bad_list_at_start);
  g_test_add_func ("/detect/line-ends", test_line_ends);
  g_test_add_func ("/detect/labels-from-a-pipe", test_labels_from_a_pipe);
  g_test_add_func ("/detect/no-list-at-all", test_no_list_at_all);
  g_test_add_func ("/detect/long-labels", test_long_labels);
  g_test_add_func ("/detect/waiting-for-labels", test_waiting_for_labels);
  g_test_add_func ("/detect/labels-fail", test_labels_fail);
  g_test_add_func ("/detect/without-encoder", test_without_encoder);
  g_test_add_func ("/detect/empty-meta-passes", test_empty_meta_passes);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
