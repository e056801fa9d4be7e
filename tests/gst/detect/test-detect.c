/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-detect.c: upidetect behind an encoder of the tiny model: the objects of a frame. */
#include <math.h>
#include <string.h>

#include "tests/gst/detect/fixture.h"

static void
test_objects (void)
{
  Stream *s = stream_new (ENCODER "! upidetect " ALL, FALSE);
  guint n = 0, n_roi = 0;
  gpointer state = NULL;
  GstMeta *meta;

  stream_format (s, "RGB", 200, 100);
  GstBuffer *buffer = stream_pass (s, 0);
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
  GstBuffer *buffer = stream_pass (s, 0);
  const GstUpiObject *objects = objects_of (buffer, &n);
  g_assert_cmpuint (n, >=, 3);
  gfloat third = objects[2].score;
  gst_buffer_unref (buffer);

  g_object_set (detect, "threshold", third, "masks", FALSE, "roi-meta", FALSE, NULL);
  buffer = stream_pass (s, 0);
  objects = objects_of (buffer, &n);
  g_assert_cmpuint (n, >=, 1);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpfloat (objects[i].score, >=, third);
    g_assert_null (objects[i].mask);
  }
  g_assert_null (gst_buffer_get_video_region_of_interest_meta_id (buffer, 0));
  gst_buffer_unref (buffer);

  g_object_set (detect, "threshold", 0.0, "max-objects", 1, NULL);
  buffer = stream_pass (s, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 1);
  gst_buffer_unref (buffer);
  g_object_set (detect, "threshold", 1.0, NULL);
  buffer = stream_pass (s, 0);
  objects_of (buffer, &n);
  g_assert_cmpuint (n, ==, 0);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* Of two labels of the model's own on one thing the better stays, unless the property is 1 or the words are others. */
static void
test_cross_label_iou (void)
{
  static const gchar *const lists[] = { "cat, person", "a red cat, some person" };

  for (guint list = 0; list < G_N_ELEMENTS (lists); list++) {
    g_autofree gchar *launch = g_strdup_printf (
        ENCODER "! upidetect name=d threshold=0 max-objects=50 iou-threshold=1 labels=\"%s\"", lists[list]);
    Stream *s = stream_new (launch, FALSE);
    g_autoptr (GstElement) detect = stream_get (s, "d");
    gfloat least = 0;
    guint n, kept = 0, all = 0;

    g_object_get (detect, "cross-label-iou", &least, NULL);
    g_assert_cmpfloat (least, ==, 0.8f);
    stream_format (s, "RGB", 64, 64);
    for (guint i = 0; i < 16; i++) {
      g_object_set (detect, "cross-label-iou", i % 2 ? 1.0 : 0.0, NULL);
      GstBuffer *buffer = stream_pass (s, i / 2);
      objects_of (buffer, &n);
      *(i % 2 ? &all : &kept) += n;
      gst_buffer_unref (buffer);
    }
    g_assert_cmpuint (all, ==, 80); /* one class a region */
    if (list == 0)
      g_assert_cmpuint (kept, <, all);
    else
      g_assert_cmpuint (kept, ==, all);
    stream_free (s);
  }
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
    GstBuffer *buffer = stream_pass (s, i);
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
  GstBuffer *buffer = stream_pass (s, 0);
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
  GstBuffer *buffer = stream_pass (s, 0);
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
  g_test_add_func ("/detect/cross-label-iou", test_cross_label_iou);
  g_test_add_func ("/detect/shared-results", test_shared_results);
  g_test_add_func ("/detect/two-in-a-chain", test_two_in_a_chain);
  g_test_add_func ("/detect/tee", test_tee);
  g_test_add_func ("/detect/without-encoder", test_without_encoder);
  g_test_add_func ("/detect/empty-meta-passes", test_empty_meta_passes);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
