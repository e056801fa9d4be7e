/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-relation-draw.c: GStreamer's own elements read what upi writes: objectdetectionoverlay draws its boxes,
 * segmentationoverlay its masks, relationmeta2onvifmeta makes ONVIF metadata of it. What they draw is compared pixel by
 * pixel with the boxes and masks of the frame's GstUpiMeta. */
#include <gst/analytics/analytics.h>

#include <math.h>
#include <string.h>

#include "tests/gst/stream.h"

#define WIDTH 320
#define HEIGHT 200
#define UPI                                                                                                            \
  "upiencoder model=tiny device=cpu threads=1 policy=block inference-interval=2 model-instance-id=draw ! "             \
  "upidetect threshold=0 max-objects=4 ! upitrack "

/* NULL: this GStreamer has none of that name, which is said. */
static Stream *
open_stream (const gchar *factory, const gchar *description)
{
  g_autoptr (GstElementFactory) found = gst_element_factory_find (factory);

  if (found == NULL) {
    g_autofree gchar *version = gst_version_string ();
    g_autofree gchar *reason = g_strdup_printf ("%s has no %s here", version, factory);
    g_test_skip (reason);
    return NULL;
  }
  Stream *stream = stream_new (description, FALSE);
  g_autoptr (GstElement) overlay = gst_bin_get_by_name (GST_BIN (stream->element), "o");
  if (overlay != NULL && g_object_class_find_property (G_OBJECT_GET_CLASS (overlay), "draw-tracking-labels") != NULL)
    g_object_set (overlay, "draw-tracking-labels", FALSE, NULL); /* from 1.28 on */
  stream_format (stream, "BGRx", WIDTH, HEIGHT);
  return stream;
}

static GstBuffer *
pass_black (Stream *stream, guint number)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, WIDTH * HEIGHT * 4, NULL);

  gst_buffer_memset (buffer, 0, 0, (gsize) -1);
  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  g_assert_cmpint (gst_harness_push (stream->harness, buffer), ==, GST_FLOW_OK);
  return stream_pull (stream);
}

typedef struct {
  gint left, top, right, bottom;
} Box;

static Box
box_of (const GstUpiObject *object)
{
  return (Box){ (gint) lrintf (object->x * WIDTH), (gint) lrintf (object->y * HEIGHT),
    (gint) lrintf ((object->x + object->width) * WIDTH), (gint) lrintf ((object->y + object->height) * HEIGHT) };
}

/* How far a pixel is from the box's outline, which runs inside the frame. */
static gint
distance (const Box *box, gint x, gint y)
{
  const gint right = MIN (box->right, WIDTH - 1), bottom = MIN (box->bottom, HEIGHT - 1);
  const gint outside_x = MAX (MAX (box->left - x, x - right), 0), outside_y = MAX (MAX (box->top - y, y - bottom), 0);

  if (outside_x > 0 || outside_y > 0)
    return MAX (outside_x, outside_y);
  return MIN (MIN (x - box->left, right - x), MIN (y - box->top, bottom - y));
}

/* In whatever colour: from 1.28 on tracks have their own. */
static guint8
brightness (const guint8 *pixel)
{
  return MAX (MAX (pixel[0], pixel[1]), pixel[2]);
}

/* The brightest pixel so near. */
static guint8
brightest (const guint8 *pixels, gint x, gint y, gint reach)
{
  guint8 value = 0;

  for (gint v = MAX (y - reach, 0); v <= MIN (y + reach, HEIGHT - 1); v++)
    for (gint u = MAX (x - reach, 0); u <= MIN (x + reach, WIDTH - 1); u++)
      value = MAX (value, brightness (pixels + 4 * (v * WIDTH + u)));
  return value;
}

/* Every pixel on an outline is bright, every one off all outlines as black as the frame was. Boxes may be off by @slack
 * pixels. */
static void
check_boxes (GstBuffer *buffer, gint slack)
{
  guint n, n_drawn = 0;
  GstMapInfo map;
  const GstUpiObject *objects =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);

  g_assert_cmpuint (n, >, 0);
  gst_buffer_map (buffer, &map, GST_MAP_READ);
  for (gint y = 0; y < HEIGHT; y++)
    for (gint x = 0; x < WIDTH; x++) {
      gint nearest = G_MAXINT;

      for (guint i = 0; i < n; i++) {
        const Box box = box_of (&objects[i]);
        nearest = MIN (nearest, distance (&box, x, y));
      }
      if (nearest == 0)
        g_assert_cmpuint (brightest (map.data, x, y, slack), >, 100);
      else if (nearest > 2 + slack)
        g_assert_cmpuint (brightness (map.data + 4 * (y * WIDTH + x)), ==, 0);
      n_drawn += brightness (map.data + 4 * (y * WIDTH + x)) > 100;
    }
  g_assert_cmpuint (n_drawn, >, 0);
  gst_buffer_unmap (buffer, &map);
}

/* Found, followed and moved on between encodings: what is drawn is what upi knows of this frame. */
static void
test_boxes (void)
{
  Stream *stream = open_stream ("objectdetectionoverlay", UPI "! objectdetectionoverlay name=o draw-labels=false");

  for (guint i = 0; stream != NULL && i < 4; i++) {
    g_autoptr (GstBuffer) buffer = pass_black (stream, i);
    check_boxes (buffer, 0);
  }
  g_clear_pointer (&stream, stream_free);
}

/* Scaled by GStreamer in between: within its rounding. */
static void
test_scaled_boxes (void)
{
  Stream *stream = open_stream ("objectdetectionoverlay",
      "videoscale ! video/x-raw,width=960,height=600 ! " UPI
      "! videoscale ! video/x-raw,width=320,height=200 ! objectdetectionoverlay name=o draw-labels=false");

  for (guint i = 0; stream != NULL && i < 2; i++) {
    g_autoptr (GstBuffer) buffer = pass_black (stream, i);
    check_boxes (buffer, 1);
  }
  g_clear_pointer (&stream, stream_free);
}

/* A label is written above its box. */
static void
test_labels (void)
{
  guint n_bright[2] = { 0 };

  for (guint labels = 0; labels < 2; labels++) {
    Stream *stream = open_stream ("objectdetectionoverlay",
        labels > 0 ? UPI "! objectdetectionoverlay name=o draw-labels=true"
                   : UPI "! objectdetectionoverlay name=o draw-labels=false");
    GstMapInfo map;

    if (stream == NULL)
      return;
    g_autoptr (GstBuffer) buffer = pass_black (stream, 0);
    gst_buffer_map (buffer, &map, GST_MAP_READ);
    for (gsize i = 0; i < map.size; i += 4)
      n_bright[labels] += brightness (map.data + i) > 40;
    gst_buffer_unmap (buffer, &map);
    stream_free (stream);
  }
  g_assert_cmpuint (n_bright[1], >, n_bright[0] + 20);
}

/* Nothing found any more: nothing is left of what was drawn before. */
static void
test_no_boxes (void)
{
  Stream *stream = open_stream ("objectdetectionoverlay",
      "upiencoder model=tiny device=cpu threads=1 policy=block model-instance-id=draw ! "
      "upidetect name=d threshold=0 max-objects=4 ! objectdetectionoverlay name=o draw-labels=false");
  GstMapInfo map;

  if (stream == NULL)
    return;
  g_autoptr (GstElement) detect = stream_get (stream, "d");
  g_autoptr (GstBuffer) first = pass_black (stream, 0);
  check_boxes (first, 0);
  g_object_set (detect, "max-objects", 0, NULL);
  g_autoptr (GstBuffer) second = pass_black (stream, 1);
  gst_buffer_map (second, &map, GST_MAP_READ);
  for (gsize i = 0; i < map.size; i += 4)
    g_assert_cmpuint (brightness (map.data + i), ==, 0);
  gst_buffer_unmap (second, &map);
  stream_free (stream);
}

/* Whether a cell of @mask lies under a pixel, or not farther away than the row below it: segmentationoverlay of 1.28.2
 * draws all rows one too low. */
static gboolean
is_near (const UpiMask *mask, gint x, gint y)
{
  const gfloat column = (((gfloat) x + 0.5f) / WIDTH - mask->x) / mask->width * (gfloat) mask->columns;
  const gfloat row = (((gfloat) y + 0.5f) / HEIGHT - mask->y) / mask->height * (gfloat) mask->rows;

  for (gint r = (gint) floorf (row - 1.2f); r <= (gint) floorf (row + 0.2f); r++)
    for (gint c = (gint) floorf (column - 0.2f); c <= (gint) floorf (column + 0.2f); c++)
      if (r >= 0 && c >= 0 && r < (gint) mask->rows && c < (gint) mask->columns
          && mask->data[(guint) r * mask->columns + (guint) c] >= 128)
        return TRUE;
  return FALSE;
}

/* Masks are drawn where they lie, and nowhere else. */
static void
test_masks (void)
{
  Stream *stream = open_stream ("segmentationoverlay", UPI "! segmentationoverlay");

  for (guint frame = 0; stream != NULL && frame < 4; frame++) {
    g_autoptr (GstBuffer) buffer = pass_black (stream, frame);
    guint n, n_near = 0, n_coloured = 0;
    GstMapInfo map;
    const GstUpiObject *objects =
        gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);

    gst_buffer_map (buffer, &map, GST_MAP_READ);
    for (gint y = 0; y < HEIGHT; y++)
      for (gint x = 0; x < WIDTH; x++) {
        const gboolean coloured = brightness (map.data + 4 * (y * WIDTH + x)) > 60;
        gboolean near = FALSE;

        for (guint i = 0; i < n && !near; i++)
          near = objects[i].mask != NULL && is_near (objects[i].mask, x, y);
        g_assert_true (near || !coloured);
        n_near += near;
        n_coloured += coloured;
      }
    gst_buffer_unmap (buffer, &map);
    g_assert_cmpuint (n_near, >, 0);
    g_assert_cmpuint (n_coloured, >, n_near / 4);
  }
  g_clear_pointer (&stream, stream_free);
}

/* ONVIF: a box and a class an object, with the track's number. */
static void
test_onvif (void)
{
  Stream *stream = open_stream ("relationmeta2onvifmeta", UPI "! relationmeta2onvifmeta time-source=running-time");

  if (stream == NULL)
    return;
  g_autoptr (GstBuffer) buffer = pass_black (stream, 0);
  guint n, n_found = 0;
  const GstUpiObject *objects =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  gpointer state = NULL;
  GstMeta *meta;
  g_autoptr (GString) text = g_string_new (NULL);

  /* Its metadata is a list of buffers in a meta of its own type, "frames" in a structure. */
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL) {
    if (!gst_meta_info_is_custom (meta->info)
        || !gst_custom_meta_has_name ((GstCustomMeta *) meta, "OnvifXMLFrameMeta"))
      continue;
    const GstStructure *structure = gst_custom_meta_get_structure ((GstCustomMeta *) meta);
    GstBufferList *frames = NULL;
    gst_structure_get (structure, "frames", GST_TYPE_BUFFER_LIST, &frames, NULL);
    for (guint i = 0; frames != NULL && i < gst_buffer_list_length (frames); i++) {
      GstMapInfo map;
      GstBuffer *xml = gst_buffer_list_get (frames, i);
      gst_buffer_map (xml, &map, GST_MAP_READ);
      g_string_append_len (text, (const gchar *) map.data, (gssize) map.size);
      gst_buffer_unmap (xml, &map);
    }
    g_clear_pointer (&frames, gst_buffer_list_unref);
  }
  for (const gchar *at = text->str; (at = strstr (at, "<tt:Object ")) != NULL; at++)
    n_found++;
  g_assert_cmpuint (n_found, ==, n);
  for (guint i = 0; i < n; i++) {
    const Box box = box_of (&objects[i]);
    g_autofree gchar *left = g_strdup_printf ("left=\"%d\"", box.left);
    g_autofree gchar *label = g_strdup_printf (">%s<", objects[i].label);
    g_assert_nonnull (strstr (text->str, left));
    g_assert_nonnull (strstr (text->str, label));
  }
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/gst/relation/draw/boxes", test_boxes);
  g_test_add_func ("/gst/relation/draw/scaled-boxes", test_scaled_boxes);
  g_test_add_func ("/gst/relation/draw/labels", test_labels);
  g_test_add_func ("/gst/relation/draw/no-boxes", test_no_boxes);
  g_test_add_func ("/gst/relation/draw/masks", test_masks);
  g_test_add_func ("/gst/relation/draw/onvif", test_onvif);
  return g_test_run ();
}
