/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-relation-write.c: what upidetect, upitrack and upiclassify put into GstAnalyticsRelationMeta is what the frame's
 * GstUpiMeta has, on every frame and every copy of it, and what others put there stays. */
#include <gst/analytics/analytics.h>

#include <string.h>

#include "tests/gst/stream.h"

#define ENCODER                                                                                                        \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 model-instance-id=analytics "
/* Random weights find something everywhere. */
#define DETECT "upidetect name=d threshold=0 max-objects=20 iou-threshold=1 "

#define WIDTH 200
#define HEIGHT 100

static Stream *
open_stream (const gchar *behind)
{
  g_autofree gchar *description = g_strconcat (ENCODER "! ", behind, NULL);
  Stream *stream = stream_new (description, FALSE);

  stream_format (stream, "RGB", WIDTH, HEIGHT);
  return stream;
}

static const GstUpiObject *
objects_of (GstBuffer *buffer, guint *n)
{
  return gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), n);
}

static guint
count_entries (GstAnalyticsRelationMeta *relation, GstAnalyticsMtdType type)
{
  GstAnalyticsMtd entry;
  gpointer state = NULL;
  guint n = 0;

  while (gst_analytics_relation_meta_iterate (relation, &state, type, &entry))
    n++;
  return n;
}

#if GST_CHECK_VERSION(1, 26, 0)
/* The detection's mask has the cells of the object's, and lies where it lies. */
static void
check_mask (GstAnalyticsRelationMeta *relation, guint detection, const UpiMask *mask, gint width, gint height)
{
  GstAnalyticsMtd entry;
  gpointer state = NULL;
  gint x, y;
  guint w, h;
  GstMapInfo map;

  const gboolean found = gst_analytics_relation_meta_get_direct_related (relation, detection,
      GST_ANALYTICS_REL_TYPE_CONTAIN, gst_analytics_segmentation_mtd_get_mtd_type (), &state, &entry);
  if (mask == NULL || (gint) (mask->width * (gfloat) width) == 0 || (gint) (mask->height * (gfloat) height) == 0) {
    g_assert_true (mask != NULL || !found);
    return;
  }
  g_assert_true (found);
  g_assert_cmpint (
      gst_analytics_relation_meta_get_relation (relation, entry.id, detection), ==, GST_ANALYTICS_REL_TYPE_IS_PART_OF);
  g_assert_cmpuint (gst_analytics_segmentation_mtd_get_region_count (&entry), ==, 2);
  g_assert_cmpuint (gst_analytics_segmentation_mtd_get_region_id (&entry, 0), ==, 0);
  const guint value = gst_analytics_segmentation_mtd_get_region_id (&entry, 1);
  g_assert_cmpuint (value, >=, 1);
  g_assert_cmpuint (value, <=, 10);
  g_autoptr (GstBuffer) cells = gst_analytics_segmentation_mtd_get_mask (&entry, &x, &y, &w, &h);
  g_assert_cmpfloat_with_epsilon ((gfloat) x, CLAMP (mask->x, 0, 1) * (gfloat) width, 1);
  g_assert_cmpfloat_with_epsilon ((gfloat) y, CLAMP (mask->y, 0, 1) * (gfloat) height, 1);
  g_assert_cmpfloat_with_epsilon ((gfloat) (x + (gint) w), MIN (mask->x + mask->width, 1) * (gfloat) width, 1);
  g_assert_cmpfloat_with_epsilon ((gfloat) (y + (gint) h), MIN (mask->y + mask->height, 1) * (gfloat) height, 1);
  const GstVideoMeta *layout = gst_buffer_get_video_meta (cells);
  g_assert_cmpint (layout->format, ==, GST_VIDEO_FORMAT_GRAY8);
  g_assert_cmpuint (layout->width, ==, mask->columns);
  g_assert_cmpuint (layout->height, ==, mask->rows);
  gst_buffer_map (cells, &map, GST_MAP_READ);
  for (guint row = 0; row < mask->rows; row++)
    for (guint column = 0; column < mask->columns; column++)
      g_assert_cmpuint (map.data[(gint) row * layout->stride[0] + (gint) column], ==,
          mask->data[row * mask->columns + column] >= 128 ? value : 0);
  gst_buffer_unmap (cells, &map);
}
#endif

static void
check_track (GstAnalyticsRelationMeta *relation, guint detection, const GstUpiObject *object, GstClockTime pts)
{
  GstAnalyticsMtd entry;
  gpointer state = NULL;
  guint64 id;
  GstClockTime first, last;
  gboolean lost;

  const gboolean found = gst_analytics_relation_meta_get_direct_related (relation, detection,
      GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_tracking_mtd_get_mtd_type (), &state, &entry);
  g_assert_true (found == (object->track_id != 0));
  if (!found)
    return;
  g_assert_true (gst_analytics_tracking_mtd_get_info (&entry, &id, &first, &last, &lost));
  g_assert_cmpuint (id, ==, object->track_id);
  g_assert_cmpuint (first, ==, pts - object->age);
  g_assert_cmpuint (last, ==, pts - object->unseen);
  g_assert_false (lost);
  g_assert_false (gst_analytics_relation_meta_get_direct_related (relation, detection, GST_ANALYTICS_REL_TYPE_RELATE_TO,
      gst_analytics_tracking_mtd_get_mtd_type (), &state, &entry));
}

/* The detections behind the first @n_foreign are the frame's objects, no more and no less. Returns: how many */
static guint
check_frame (GstBuffer *buffer, guint n_foreign, gint width, gint height)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsODMtd detection;
  gpointer state = NULL;
  guint n, n_tracks = 0;
  const GstUpiObject *objects = objects_of (buffer, &n);
  gint x, y, w, h;
  gfloat score;

  g_assert_nonnull (relation);
  g_assert_cmpuint (count_entries (relation, gst_analytics_od_mtd_get_mtd_type ()), ==, n_foreign + n);
  for (guint i = 0; i < n_foreign + n; i++) {
    g_assert_true (
        gst_analytics_relation_meta_iterate (relation, &state, gst_analytics_od_mtd_get_mtd_type (), &detection));
    if (i < n_foreign)
      continue;
    const GstUpiObject *object = &objects[i - n_foreign];
    g_assert_true (gst_analytics_od_mtd_get_location (&detection, &x, &y, &w, &h, &score));
    g_assert_cmpstr (g_quark_to_string (gst_analytics_od_mtd_get_obj_type (&detection)), ==, object->label);
    g_assert_cmpfloat (score, ==, object->score);
    g_assert_cmpfloat_with_epsilon ((gfloat) x, object->x * (gfloat) width, 0.51f);
    g_assert_cmpfloat_with_epsilon ((gfloat) y, object->y * (gfloat) height, 0.51f);
    g_assert_cmpfloat_with_epsilon ((gfloat) (x + w), (object->x + object->width) * (gfloat) width, 0.51f);
    g_assert_cmpfloat_with_epsilon ((gfloat) (y + h), (object->y + object->height) * (gfloat) height, 0.51f);
#if GST_CHECK_VERSION(1, 26, 0)
    check_mask (relation, detection.id, object->mask, width, height);
#endif
    check_track (relation, detection.id, object, GST_BUFFER_PTS (buffer));
    n_tracks += object->track_id != 0;
  }
  g_assert_cmpuint (count_entries (relation, gst_analytics_tracking_mtd_get_mtd_type ()), ==, n_foreign + n_tracks);
  return n;
}

static void
test_objects (void)
{
  Stream *stream = open_stream (DETECT);

  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) buffer = stream_pass (stream, i);
    g_assert_cmpuint (check_frame (buffer, 0, WIDTH, HEIGHT), >, 0);
  }
  stream_free (stream);
}

/* Two in a row add their objects. */
static void
test_two (void)
{
  Stream *stream =
      open_stream ("upidetect threshold=0 max-objects=3 ! upidetect threshold=0 max-objects=2 labels=gate ! upitrack");

  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) buffer = stream_pass (stream, i);
    g_assert_cmpuint (check_frame (buffer, 0, WIDTH, HEIGHT), >=, 4);
  }
  stream_free (stream);
}

/* Boxes that upitrack moved on between encodings, masks with them. */
static void
test_tracks (void)
{
  Stream *stream = open_stream (DETECT "! upitrack");
  g_autoptr (GstElement) encoder = stream_get (stream, "e");
  guint n_predicted = 0, n_tracked = 0;

  g_object_set (encoder, "inference-interval", 3, NULL);
  for (guint i = 0; i < 12; i++) {
    guint n;
    g_autoptr (GstBuffer) buffer = stream_pass (stream, i);
    const GstUpiObject *objects = objects_of (buffer, &n);

    check_frame (buffer, 0, WIDTH, HEIGHT);
    for (guint j = 0; j < n; j++) {
      n_tracked += objects[j].track_id != 0;
      n_predicted += (objects[j].flags & GST_UPI_OBJECT_PREDICTED) != 0;
    }
  }
  g_assert_cmpuint (n_tracked, >, 10);
  g_assert_cmpuint (n_predicted, >, 10);
  stream_free (stream);
}

/* Nothing found is said, too: who draws would go on with what it drew last. */
static void
test_nothing (void)
{
  Stream *stream = open_stream ("upidetect max-objects=0 ! upitrack");

  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) buffer = stream_pass (stream, i);
    g_assert_cmpuint (check_frame (buffer, 0, WIDTH, HEIGHT), ==, 0);
  }
  stream_free (stream);
}

/* It may be switched while playing; upitrack follows. */
static void
test_switch (void)
{
  Stream *stream = open_stream (DETECT "analytics-meta=false ! upitrack");
  g_autoptr (GstElement) detect = stream_get (stream, "d");
  gboolean on = TRUE;

  g_object_get (detect, "analytics-meta", &on, NULL);
  g_assert_false (on);
  g_autoptr (GstBuffer) first = stream_pass (stream, 0);
  g_assert_null (gst_buffer_get_analytics_relation_meta (first));
  g_object_set (detect, "analytics-meta", TRUE, NULL);
  g_autoptr (GstBuffer) second = stream_pass (stream, 1);
  check_frame (second, 0, WIDTH, HEIGHT);
  stream_free (stream);
}

/* What another detector and another tracker may have written: two numbers that count references. */
typedef struct {
  GstBuffer *mask;
  guint detection, segmentation, classes, track;
} Foreign;

static Foreign
add_foreign (GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_add_analytics_relation_meta (buffer);
  Foreign foreign = { .mask = gst_buffer_new_allocate (NULL, 4 * 2, NULL) };
  GstAnalyticsMtd entry;
  gfloat level = 0.25f;
  GQuark blue = g_quark_from_static_string ("blue");

  gst_buffer_memset (foreign.mask, 0, 5, 8);
  gst_buffer_add_video_meta (foreign.mask, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 4, 2);
  gst_analytics_relation_meta_add_cls_mtd (relation, 1, &level, &blue, &entry);
  foreign.classes = entry.id;
  gst_analytics_relation_meta_add_od_mtd (relation, g_quark_from_static_string ("ship"), 10, 20, 30, 40, 0.5f, &entry);
  foreign.detection = entry.id;
  gst_analytics_relation_meta_add_tracking_mtd (relation, 77, 5, &entry);
  foreign.track = entry.id;
  gst_analytics_relation_meta_set_relation (
      relation, GST_ANALYTICS_REL_TYPE_RELATE_TO, foreign.detection, foreign.classes);
  gst_analytics_relation_meta_set_relation (
      relation, GST_ANALYTICS_REL_TYPE_RELATE_TO, foreign.detection, foreign.track);
#if GST_CHECK_VERSION(1, 26, 0)
  guint value = 5;
  gst_analytics_relation_meta_add_segmentation_mtd (
      relation, gst_buffer_ref (foreign.mask), GST_SEGMENTATION_TYPE_INSTANCE, 1, &value, 10, 20, 30, 40, &entry);
  foreign.segmentation = entry.id;
  gst_analytics_relation_meta_set_relation (
      relation, GST_ANALYTICS_REL_TYPE_CONTAIN, foreign.detection, foreign.segmentation);
#endif
  return foreign;
}

static void
check_foreign (GstBuffer *buffer, const Foreign *foreign)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsMtd detection, classes, track;
  gint x, y, w, h;
  gfloat score;
  guint64 id;
  GstClockTime first, last;
  gboolean lost;

  g_assert_true (gst_analytics_relation_meta_get_od_mtd (relation, foreign->detection, &detection));
  g_assert_true (gst_analytics_od_mtd_get_location (&detection, &x, &y, &w, &h, &score));
  g_assert_cmpint (x, ==, 10);
  g_assert_cmpint (h, ==, 40);
  g_assert_true (gst_analytics_relation_meta_get_cls_mtd (relation, foreign->classes, &classes));
  g_assert_cmpfloat (gst_analytics_cls_mtd_get_level (&classes, 0), ==, 0.25f);
  g_assert_true (gst_analytics_relation_meta_get_tracking_mtd (relation, foreign->track, &track));
  g_assert_true (gst_analytics_tracking_mtd_get_info (&track, &id, &first, &last, &lost));
  g_assert_cmpuint (id, ==, 77);
  g_assert_cmpint (gst_analytics_relation_meta_get_relation (relation, foreign->detection, foreign->track), ==,
      GST_ANALYTICS_REL_TYPE_RELATE_TO);
  g_assert_cmpint (gst_analytics_relation_meta_get_relation (relation, foreign->detection, foreign->classes), ==,
      GST_ANALYTICS_REL_TYPE_RELATE_TO);
  g_assert_cmpint (gst_analytics_relation_meta_get_relation (relation, foreign->track, foreign->detection), ==,
      GST_ANALYTICS_REL_TYPE_NONE);
#if GST_CHECK_VERSION(1, 26, 0)
  GstAnalyticsMtd segmentation;
  guint wide, high;
  g_assert_true (gst_analytics_relation_meta_get_segmentation_mtd (relation, foreign->segmentation, &segmentation));
  g_assert_cmpint (gst_analytics_relation_meta_get_relation (relation, foreign->detection, foreign->segmentation), ==,
      GST_ANALYTICS_REL_TYPE_CONTAIN);
  g_autoptr (GstBuffer) mask = gst_analytics_segmentation_mtd_get_mask (&segmentation, &x, &y, &wide, &high);
  g_assert_true (mask == foreign->mask);
#endif
}

/* Where upidetect stands its objects count; what others wrote stays, with its relations and what it holds. */
static void
test_foreign_stays (void)
{
  Stream *stream = open_stream (DETECT "! upitrack ! queue ! upitrack");

  for (guint i = 0; i < 4; i++) {
    GstBuffer *buffer = frame_new ("RGB", WIDTH, HEIGHT, i);
    const Foreign foreign = add_foreign (buffer);

    g_assert_cmpint (gst_harness_push (stream->harness, buffer), ==, GST_FLOW_OK);
    buffer = stream_pull (stream);
    check_foreign (buffer, &foreign);
    g_assert_cmpuint (check_frame (buffer, 1, WIDTH, HEIGHT), >, 0);
    gst_buffer_unref (buffer);
    g_assert_cmpint (GST_MINI_OBJECT_REFCOUNT_VALUE (foreign.mask), ==, 1);
    gst_buffer_unref (foreign.mask);
  }
  stream_free (stream);
}

/* What upiclassify says of the whole frame is a classification that nothing relates to. */
static void
test_classes (void)
{
  Stream *stream = open_stream (
      "upiclassify labels=\"night, day\" ! upiclassify labels=\"gate, yard, road\" top=2 ! " DETECT "! upitrack");

  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) buffer = stream_pass (stream, i);
    GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
    const GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
    GstAnalyticsMtd entry, related;
    gpointer state = NULL, related_state = NULL;
    guint n, at = 0, list = 0;
    const GstUpiClass *classes = gst_upi_content_get_classes (content, &n);

    g_assert_cmpuint (n, ==, 4);
    for (; gst_analytics_relation_meta_iterate (relation, &state, gst_analytics_cls_mtd_get_mtd_type (), &entry);
         list++) {
      const guint length = (guint) gst_analytics_cls_mtd_get_length (&entry);
      g_assert_cmpuint (length, ==, 2);
      for (guint j = 0; j < length; j++, at++) {
        g_assert_cmpstr (g_quark_to_string (gst_analytics_cls_mtd_get_quark (&entry, j)), ==, classes[at].label);
        g_assert_cmpfloat (gst_analytics_cls_mtd_get_level (&entry, j), ==, classes[at].probability);
        g_assert_cmpuint (classes[at].list, ==, list);
      }
      g_assert_false (gst_analytics_relation_meta_get_direct_related (
          relation, entry.id, GST_ANALYTICS_REL_TYPE_ANY, GST_ANALYTICS_MTD_TYPE_ANY, &related_state, &related));
    }
    g_assert_cmpuint (list, ==, 2);
    check_frame (buffer, 0, WIDTH, HEIGHT);
  }
  stream_free (stream);
}

/* GStreamer scales boxes and masks with the frame, to whole pixels; both metas still say the same. */
static void
test_scaled (void)
{
  Stream *stream = open_stream (DETECT "! videoconvert ! video/x-raw,format=I420 ! videoscale ! "
                                       "video/x-raw,width=400,height=200 ! upitrack");

  for (guint i = 0; i < 4; i++) {
    g_autoptr (GstBuffer) buffer = stream_pass (stream, i);
    g_assert_cmpuint (check_frame (buffer, 0, 2 * WIDTH, 2 * HEIGHT), >, 0); /* written anew: not rounded twice */
  }
  stream_free (stream);
}

/* GStreamer 1.28.2 leaves detections out of copies of frames, whoever wrote them. */
static gboolean
copies_have_detections (void)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  GstAnalyticsODMtd entry;

  gst_analytics_relation_meta_add_od_mtd (gst_buffer_add_analytics_relation_meta (buffer), 1, 0, 0, 1, 1, 1, &entry);
  g_autoptr (GstBuffer) copy = gst_buffer_copy (buffer);
  return count_entries (gst_buffer_get_analytics_relation_meta (copy), gst_analytics_od_mtd_get_mtd_type ()) == 1;
}

/* Branches, copies and what is left of them: each has its own, all share the masks, nothing stays behind. */
static void
test_copies (void)
{
  if (!copies_have_detections ()) {
    g_test_skip ("this GStreamer loses detections on copies of frames");
    return;
  }
  Stream *stream = open_stream (DETECT);
  GstBuffer *buffer = stream_pass (stream, 0), *copy = gst_buffer_copy (buffer), *written = gst_buffer_copy (buffer);

  g_assert_cmpuint (check_frame (copy, 0, WIDTH, HEIGHT), >, 0);
  g_assert_true (gst_buffer_get_analytics_relation_meta (copy) != gst_buffer_get_analytics_relation_meta (buffer));
#if GST_CHECK_VERSION(1, 26, 0)
  GstAnalyticsMtd entry;
  gpointer state = NULL;
  gint x, y;
  guint w, h;
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (copy);
  g_assert_true (
      gst_analytics_relation_meta_iterate (relation, &state, gst_analytics_segmentation_mtd_get_mtd_type (), &entry));
  GstBuffer *mask = gst_analytics_segmentation_mtd_get_mask (&entry, &x, &y, &w, &h);
  g_assert_cmpint (GST_MINI_OBJECT_REFCOUNT_VALUE (mask), ==, 4);
#endif
  gst_buffer_unref (buffer);
  check_frame (copy, 0, WIDTH, HEIGHT);
  gst_buffer_unref (copy);
  gst_buffer_unref (written);
#if GST_CHECK_VERSION(1, 26, 0)
  g_assert_cmpint (GST_MINI_OBJECT_REFCOUNT_VALUE (mask), ==, 1);
  gst_buffer_unref (mask);
#endif
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/gst/relation/write/objects", test_objects);
  g_test_add_func ("/gst/relation/write/two", test_two);
  g_test_add_func ("/gst/relation/write/tracks", test_tracks);
  g_test_add_func ("/gst/relation/write/nothing", test_nothing);
  g_test_add_func ("/gst/relation/write/switch", test_switch);
  g_test_add_func ("/gst/relation/write/foreign-stays", test_foreign_stays);
  g_test_add_func ("/gst/relation/write/classes", test_classes);
  g_test_add_func ("/gst/relation/write/scaled", test_scaled);
  g_test_add_func ("/gst/relation/write/copies", test_copies);
  return g_test_run ();
}
