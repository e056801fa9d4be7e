/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-relation-take.c: upitrack follows the objects of another detector, which come in GstAnalyticsRelationMeta: no
 * upiencoder anywhere. */
#include <math.h>
#include <string.h>

#include "tests/gst/foreign.h"

/* Pixels become 0..1 of the frame; two cars that pass each other keep their ids, which others read, too. */
static void
test_track (void)
{
  Stream *stream = foreign_open ("upitrack");

  for (guint i = 0; i < 40; i++) {
    const gint x = 10 + 4 * (gint) i;
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    const guint first = foreign_add (buffer, "car", x, 20, 20, 10, 0.75f);
    const guint second = foreign_add (buffer, "car", 170 - 4 * (gint) i, 60, 20, 10, 0.5f);
    guint n;

    buffer = foreign_push (stream, buffer);
    const GstUpiObject *objects = foreign_objects (buffer, &n);
    g_assert_cmpuint (n, ==, 2);
    for (guint j = 0; j < n; j++) {
      g_assert_cmpstr (objects[j].label, ==, "car");
      g_assert_cmpuint (objects[j].flags, ==, GST_UPI_OBJECT_FOREIGN);
      g_assert_cmpuint (objects[j].track_id, ==, j + 1);
      g_assert_cmpuint (objects[j].region, ==, j == 0 ? first : second);
      g_assert_null (objects[j].vector);
      g_assert_cmpuint (objects[j].age, ==, i * 40 * MS);
    }
    g_assert_cmpfloat (objects[0].score, ==, 0.75f);
    g_assert_cmpfloat_with_epsilon (objects[0].x, (gfloat) x / WIDTH, 0.01f);
    g_assert_cmpfloat_with_epsilon (objects[0].y, 0.2f, 0.01f);
    g_assert_cmpfloat_with_epsilon (objects[0].width, 0.1f, 0.01f);
    g_assert_cmpfloat_with_epsilon (objects[0].height, 0.1f, 0.01f);
    if (i > 20)
      g_assert_cmpfloat_with_epsilon (objects[0].velocity_x, 4.0f / WIDTH * 25, 0.05f);
    g_assert_cmpuint (foreign_track_of (buffer, first), ==, 1);
    g_assert_cmpuint (foreign_track_of (buffer, second), ==, 2);
    g_assert_cmpuint (foreign_count (buffer), ==, 2);
    gst_buffer_unref (buffer);
  }
  stream_free (stream);
}

/* upitrack has the last word of who follows whom: ids of another tracker go, for who reads either metadata. */
static void
test_other_tracker (void)
{
  Stream *stream = foreign_open ("upitrack ! upirules rules=\"" COUNT "\"");

  for (guint i = 0; i < 5; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    const guint detection = foreign_add (buffer, "car", 10 + (gint) i, 20, 20, 40, 0.9f);

    foreign_add_track (buffer, detection, 1000 + i, FALSE);
    buffer = foreign_push (stream, buffer);
    g_assert_cmpuint (foreign_only_object (buffer)->track_id, ==, 1);
    g_assert_cmpuint (foreign_track_of (buffer, detection), ==, 1);
    gst_buffer_unref (buffer);
  }
  stream_free (stream);
}

/* A detector that looks at every fifth frame only: boxes move on between, nothing blinks, others see it, too. One that
 * says nothing for longer than a second sees nothing. */
static void
test_now_and_then (void)
{
  Stream *stream = foreign_open ("upitrack");
  gfloat last_x = 0;

  for (guint i = 0; i < 110; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    const gboolean looks = i % 5 == 0 && i <= 50;
    guint n;

    if (looks)
      foreign_add (buffer, "car", 10 + 2 * (gint) i, 20, 20, 40, 0.9f);
    buffer = foreign_push (stream, buffer);
    const GstUpiObject *objects = foreign_objects (buffer, &n);
    if (i <= 75) {
      g_assert_cmpuint (n, ==, 1);
      g_assert_cmpuint (objects[0].track_id, ==, 1);
      g_assert_cmpuint (objects[0].flags, ==, GST_UPI_OBJECT_FOREIGN | (looks ? 0 : GST_UPI_OBJECT_PREDICTED));
      g_assert_cmpuint (objects[0].unseen, ==, (i - (i <= 50 ? i / 5 * 5 : 50)) * 40 * MS);
      g_assert_cmpuint (foreign_count (buffer), ==, 1); /* upi's own, where the other has none */
      if (i > 20 && i <= 50)
        g_assert_cmpfloat (objects[0].x, >, last_x);
      last_x = objects[0].x;
    } else if (i >= 100) {
      g_assert_cmpuint (n, ==, 0);
      g_assert_cmpuint (foreign_count (buffer), ==, 0);
    }
    gst_buffer_unref (buffer);
  }
  stream_free (stream);
}

/* Metadata with nothing in it: somebody looked and found nothing, unless it only stayed on a buffer of a pool. */
static void
test_found_nothing (void)
{
  Stream *stream = foreign_open ("upitrack");
  g_autoptr (GstBufferPool) pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  g_autoptr (GstCaps) caps = gst_caps_from_string ("video/x-raw");
  guint n;

  gst_buffer_pool_config_set_params (config, caps, WIDTH * HEIGHT * 4, 1, 1);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  for (guint i = 0; i < 8; i++) {
    GstBuffer *buffer = NULL;

    if (i < 5) {
      buffer = foreign_frame (i * 40 * MS);
      foreign_add (buffer, "car", 10, 20, 20, 40, 0.9f);
    } else {
      g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), ==, GST_FLOW_OK);
      gst_buffer_memset (buffer, 0, 0, (gsize) -1);
      GST_BUFFER_PTS (buffer) = i * 40 * MS;
      gst_buffer_add_analytics_relation_meta (buffer);
    }
    buffer = foreign_push (stream, buffer);
    g_assert_cmpuint (foreign_only_object (buffer)->track_id, ==, 1);
    gst_buffer_unref (buffer);
  }
  for (guint i = 8; i < 60; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);

    gst_buffer_add_analytics_relation_meta (buffer);
    buffer = foreign_push (stream, buffer);
    foreign_objects (buffer, &n);
    g_assert_cmpuint (n, <=, 1);
    if (i >= 25) /* long before the second that a frame without metadata has */
      g_assert_cmpuint (n, ==, 0);
    gst_buffer_unref (buffer);
  }
  gst_buffer_pool_set_active (pool, FALSE);
  stream_free (stream);
}

/* What detectors may write: no score, no type, boxes beyond the frame, ids of any size. */
static void
test_odd_detections (void)
{
  static const struct {
    const gchar *label, *expected;
    gint x, y, w, h;
    gfloat score, level, expected_score;
    guint64 track, expected_track;
    gfloat left, top, width, height; /* width 0: it is not taken */
  } cases[] = {
    { "car", "car", 20, 10, 40, 20, 0.5f, 0, 0.5f, 0, G_GUINT64_CONSTANT (9007199254740991), 0.1f, 0.1f, 0.2f, 0.2f },
    { "car", "car", 20, 10, 40, 20, 0, 0, 1, 5, 5, 0.1f, 0.1f, 0.2f, 0.2f },
    { "car", "car", 20, 10, 40, 20, NAN, 0.25f, 0.25f, 5, 5, 0.1f, 0.1f, 0.2f, 0.2f },
    { "car", "car", 20, 10, 40, 20, -1, 0, 1, 5, 5, 0.1f, 0.1f, 0.2f, 0.2f },
    { "car", "car", 20, 10, 40, 20, 90, 0, 1, G_MAXUINT64, G_GUINT64_CONSTANT (9007199254740991), 0.1f, 0.1f, 0.2f,
        0.2f },
    { NULL, "class", 20, 10, 40, 20, 0.5f, 0.25f, 0.5f, 5, 5, 0.1f, 0.1f, 0.2f, 0.2f },
    { NULL, "object", 20, 10, 40, 20, 0.5f, 0, 0.5f, 5, 5, 0.1f, 0.1f, 0.2f, 0.2f },
    { "T\xC3\xBCr & <Tor>", "T\xC3\xBCr & <Tor>", -20, -10, 40, 20, 0.5f, 0, 0.5f, 5, 5, 0, 0, 0.1f, 0.1f },
    { "car", "car", 180, 90, 40, 20, 0.5f, 0, 0.5f, 5, 5, 0.9f, 0.9f, 0.1f, 0.1f },
    { "car", "car", G_MININT, G_MININT, G_MAXINT, G_MAXINT, 0.5f, 0, 0.5f, 5, 5, 0, 0, 0, 0 },
    { "car", "car", -100, 10, G_MAXINT, 20, 0.5f, 0, 0.5f, 5, 5, 0, 0.1f, 1, 0.2f },
    { "car", "car", 20, 10, 0, 20, 0.5f, 0, 0.5f, 5, 5, 0, 0, 0, 0 },
    { "car", "car", 20, 10, -40, 20, 0.5f, 0, 0.5f, 5, 5, 0, 0, 0, 0 },
    { "car", "car", 200, 10, 40, 20, 0.5f, 0, 0.5f, 5, 5, 0, 0, 0, 0 },
  };
  Stream *stream = foreign_open ("upirules rules=\"" COUNT "\"");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    const guint id =
        foreign_add (buffer, cases[i].label, cases[i].x, cases[i].y, cases[i].w, cases[i].h, cases[i].score);
    guint n;

    g_test_message ("case %u", i);
    if (cases[i].level > 0) {
      GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
      GstAnalyticsClsMtd classes;
      gst_analytics_relation_meta_add_one_cls_mtd (
          relation, cases[i].level, g_quark_from_static_string ("class"), &classes);
      gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_RELATE_TO, id, classes.id);
    }
    foreign_add_track (buffer, id, cases[i].track, FALSE);
    buffer = foreign_push (stream, buffer);
    const GstUpiObject *objects = foreign_objects (buffer, &n);
    g_assert_cmpuint (n, ==, cases[i].width > 0 ? 1 : 0);
    if (n == 1) {
      g_assert_cmpstr (objects[0].label, ==, cases[i].expected);
      g_assert_cmpfloat (objects[0].score, ==, cases[i].expected_score);
      g_assert_cmpuint (objects[0].track_id, ==, cases[i].expected_track);
      g_assert_cmpfloat_with_epsilon (objects[0].x, cases[i].left, 1e-6f);
      g_assert_cmpfloat_with_epsilon (objects[0].y, cases[i].top, 1e-6f);
      g_assert_cmpfloat_with_epsilon (objects[0].width, cases[i].width, 1e-6f);
      g_assert_cmpfloat_with_epsilon (objects[0].height, cases[i].height, 1e-6f);
    }
    gst_buffer_unref (buffer);
  }
  stream_free (stream);
}

/* GStreamer scales the detections; upi's metadata knows from then on whether they lie on the frame. */
static void
test_scaled (void)
{
  Stream *stream =
      foreign_open ("videoscale ! video/x-raw,width=400,height=200 ! upitrack ! "
                    "videoscale add-borders=false ! video/x-raw,width=100,height=100,pixel-aspect-ratio=1/1 ! "
                    "upirules rules=\"" COUNT "\"");

  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);

    foreign_add (buffer, "car", 20, 20, 40, 40, 0.9f);
    buffer = foreign_push (stream, buffer);
    const GstUpiObject *object = foreign_only_object (buffer);
    g_assert_cmpuint (object->track_id, ==, 1);
    g_assert_cmpfloat_with_epsilon (object->x, 0.1f, 0.01f);
    g_assert_cmpfloat_with_epsilon (object->y, 0.2f, 0.01f);
    g_assert_cmpfloat_with_epsilon (object->width, 0.2f, 0.01f);
    g_assert_cmpfloat_with_epsilon (object->height, 0.4f, 0.01f);
    gst_buffer_unref (buffer);
  }
  stream_free (stream);
}

/* With borders that a scaler adds behind upitrack objects go, and a warning says so, as behind upiencoder. */
static void
test_borders (void)
{
  Stream *stream = foreign_open (
      "upitrack ! videoscale ! video/x-raw,width=100,height=100,pixel-aspect-ratio=1/1 ! upirules rules=\"" COUNT "\"");

  for (guint i = 0; i < 2; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    guint n;

    foreign_add (buffer, "car", 20, 20, 40, 40, 0.9f);
    buffer = foreign_push (stream, buffer);
    foreign_objects (buffer, &n);
    g_assert_cmpuint (n, ==, 0);
    gst_buffer_unref (buffer);
  }
  g_autofree gchar *warning = stream_message (stream, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "borders"));
  stream_free (stream);
}

/* Tracks end at a flush, ids begin anew with a stream, as everywhere. */
static void
test_state (void)
{
  Stream *stream = foreign_open ("upitrack");
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  for (guint i = 0; i < 3; i++) {
    static const guint64 ids[] = { 1, 2, 1 };
    GstBuffer *buffer;

    if (i == 1) {
      gst_harness_push_event (stream->harness, gst_event_new_flush_start ());
      gst_harness_push_event (stream->harness, gst_event_new_flush_stop (TRUE));
      gst_harness_push_event (stream->harness, gst_event_new_segment (&segment));
    } else if (i == 2) {
      gst_harness_push_event (stream->harness, gst_event_new_stream_start ("another"));
      gst_harness_push_event (stream->harness, gst_event_new_segment (&segment));
    }
    for (guint j = 0; j < 3; j++) {
      buffer = foreign_frame (j * 40 * MS);
      foreign_add (buffer, "car", 20, 20, 40, 40, 0.9f);
      buffer = foreign_push (stream, buffer);
      g_assert_cmpuint (foreign_only_object (buffer)->track_id, ==, ids[i]);
      gst_buffer_unref (buffer);
    }
  }
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/gst/relation/take/track", test_track);
  g_test_add_func ("/gst/relation/take/other-tracker", test_other_tracker);
  g_test_add_func ("/gst/relation/take/now-and-then", test_now_and_then);
  g_test_add_func ("/gst/relation/take/found-nothing", test_found_nothing);
  g_test_add_func ("/gst/relation/take/odd-detections", test_odd_detections);
  g_test_add_func ("/gst/relation/take/scaled", test_scaled);
  g_test_add_func ("/gst/relation/take/borders", test_borders);
  g_test_add_func ("/gst/relation/take/state", test_state);
  return g_test_run ();
}
