/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-blur.c: blur-labels of upioverlay: nothing of what is to be private leaves, in any format, and all the rest
 * does. */
#include "tests/gst/overlay/fixture.h"

#include <math.h>
#include <string.h>

#define W 96
#define H 80
#define QUIET " draw-boxes=false draw-labels=false draw-masks=false"

static GstVideoInfo
argb_for (const GstVideoInfo *info)
{
  GstVideoInfo rgb = video_info (GST_VIDEO_FORMAT_ARGB, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info));
  rgb.interlace_mode = info->interlace_mode;
  return rgb;
}

/* A picture in which no two neighbours are alike. */
static GstBuffer *
busy_frame (const GstVideoInfo *info)
{
  GstVideoInfo rgb = argb_for (info);
  GstBuffer *source = gst_buffer_new_allocate (NULL, rgb.size, NULL);
  GstMapInfo map;
  guint32 state = 7;

  g_assert_true (gst_buffer_map (source, &map, GST_MAP_WRITE));
  for (gsize i = 0; i < map.size; i++) {
    state = state * 1664525 + 1013904223;
    map.data[i] = i % 4 == 0 ? 0xff : (guint8) (state >> 24);
  }
  gst_buffer_unmap (source, &map);
  GstBuffer *frame = video_convert (source, &rgb, info);
  gst_buffer_unref (source);
  return frame;
}

/* As ARGB, for reading. */
static GstBuffer *
as_argb (GstBuffer *buffer, const GstVideoInfo *info, GstMapInfo *map)
{
  GstVideoInfo rgb = argb_for (info);
  GstBuffer *argb = video_convert (buffer, info, &rgb);

  g_assert_true (gst_buffer_map (argb, map, GST_MAP_READ));
  return argb;
}

/* The largest distance of a pixel's colour to the first pixel's of its square of @size. */
static gint
unevenness (const guint8 *argb, gint width, gint x0, gint y0, gint x1, gint y1, gint size)
{
  gint worst = 0;

  for (gint y = y0; y < y1; y++)
    for (gint x = x0; x < x1; x++)
      for (gint c = 1; c < 4; c++)
        worst = MAX (
            worst, ABS (argb[(y * width + x) * 4 + c] - argb[(y / size * size * width + x / size * size) * 4 + c]));
  return worst;
}

/* Whether GStreamer's own converter carries squares of one colour through the format: 1.26 does not through interlaced
 * MT2110R and MT2110T, whose frames would be read otherwise than they were written here, with and without the element,
 * as what happens to lie in memory has it. */
static gboolean
carries_squares (const GstVideoInfo *info)
{
  if (GST_VIDEO_INFO_IS_INTERLACED (info) && g_str_has_prefix (GST_VIDEO_INFO_NAME (info), "MT2110"))
    return FALSE;
  GstVideoInfo rgb = argb_for (info);
  GstBuffer *source = gst_buffer_new_allocate (NULL, rgb.size, NULL);
  GstMapInfo map;

  g_assert_true (gst_buffer_map (source, &map, GST_MAP_WRITE));
  for (guint y = 0; y < H; y++)
    for (guint x = 0; x < W; x++)
      for (guint c = 0; c < 4; c++)
        map.data[(y * W + x) * 4 + c] = c == 0 ? 0xff : (guint8) ((y / 8 * 89 + x / 8 * 57) & 0xff);
  gst_buffer_unmap (source, &map);
  GstBuffer *frame = video_convert (source, &rgb, info), *back = as_argb (frame, info, &map);
  gboolean carries = unevenness (map.data, W, 24, 24, 56, 56, 8) <= 40; /* few bits are dithered */
  gst_buffer_unmap (back, &map);
  gst_buffer_unref (back);
  gst_buffer_unref (frame);
  gst_buffer_unref (source);
  return carries;
}

static void
assert_same_outside (const guint8 *a, const guint8 *b, gint width, gint height, gint x0, gint y0, gint x1, gint y1)
{
  for (gint y = 0; y < height; y++)
    for (gint x = 0; x < width; x++)
      if (x < x0 || x >= x1 || y < y0 || y >= y1)
        if (memcmp (a + (y * width + x) * 4, b + (y * width + x) * 4, 4))
          g_error ("%d, %d has changed", x, y);
}

/* Squares of one colour where the object is, which is the mean of what was there; every other pixel as it was. */
static void
test_formats (gconstpointer interlaced)
{
  guint n_formats, n_tested = 0;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);
  GstUpiObject objects[] = {
    { .label = "Person", .score = 0.9f, .x = 24.f / W, .y = 24.f / H, .width = 32.f / W, .height = 32.f / H },
    { .label = "car", .score = 0.9f, .x = 0, .y = 0, .width = 0.2f, .height = 0.2f }
  };

  for (guint i = 0; i < n_formats; i++) {
    GstVideoInfo info = video_info (formats[i], W, H);
    const gchar *name = gst_video_format_to_string (formats[i]);
    if (GPOINTER_TO_INT (interlaced)) {
      g_assert_true (
          gst_video_info_set_interlaced_format (&info, formats[i], GST_VIDEO_INTERLACE_MODE_INTERLEAVED, W, H));
      info.fps_n = 25;
      info.fps_d = 1;
    }
    if (formats[i] != GST_VIDEO_FORMAT_RGB8P
        && !carries_squares (&info)) { /* a palette has few colours, and one is one */
      g_test_message ("%s: GStreamer's own converter mixes squares", name);
      continue;
    }
    GstBuffer *buffer = busy_frame (&info);
    GstMapInfo before, after;
    GstBuffer *was = as_argb (buffer, &info, &before);
    gst_buffer_ref (buffer); /* a branch of a tee, whose pixels stay */
    GstBuffer *kept = gst_buffer_copy_deep (buffer), *given = gst_buffer_copy (buffer);
    add_objects (given, objects, 2, NULL);
    GstBuffer *out = overlay_once ("blur-labels=\"dog, PERSON\"" QUIET, &info, given);
    GstBuffer *is = as_argb (out, &info, &after);
    g_assert_true (same_bytes (buffer, kept));
    gint uneven = unevenness (after.data, W, 24, 24, 56, 56, 8);
    if (uneven > 6)
      g_test_message ("%s: %d", name, uneven);
    g_assert_cmpint (uneven, <=, 6);
    assert_same_outside (before.data, after.data, W, H, 24, 24, 56, 56);
    if (formats[i] != GST_VIDEO_FORMAT_RGB8P) { /* of a palette there is no mean */
      gint sum[3] = { 0 };
      for (gint y = 32; y < 40; y++)
        for (gint x = 40; x < 48; x++)
          for (gint c = 0; c < 3; c++)
            sum[c] += before.data[(y * W + x) * 4 + 1 + c];
      for (gint c = 0; c < 3; c++) {
        gint distance = ABS (sum[c] / 64 - after.data[(36 * W + 44) * 4 + 1 + c]);
        if (distance > 40) /* noise of full range leaves the colours that Y'CbCr can hold */
          g_test_message ("%s: component %d is %d away", name, c, distance);
        g_assert_cmpint (distance, <=, 40);
      }
    }
    gst_buffer_unmap (was, &before);
    gst_buffer_unmap (is, &after);
    gst_buffer_unref (was);
    gst_buffer_unref (is);
    gst_buffer_unref (out);
    gst_buffer_unref (kept);
    gst_buffer_unref (buffer);
    gst_buffer_unref (buffer);
    n_tested++;
  }
  g_assert_cmpuint (n_tested, >=, 100);
}

/* Where there is a mask, the squares that it touches; a mask of nothing, or one that is no mask, hides nothing less
 * than its box. */
static void
test_masks (void)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420_10LE };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    for (guint kind = 0; kind < 3; kind++) {
      GstVideoInfo info = video_info (formats[i], 160, 80);
      GstUpiObject object = { .label = "person", .score = 0.9f, .width = 1, .height = 0.4f };
      GstBuffer *buffer = busy_frame (&info);
      GstMapInfo before, after;
      GstBuffer *was = as_argb (buffer, &info, &before);
      object.mask = upi_mask_new (20, 4);
      object.mask->width = kind == 2 ? NAN : 1;
      object.mask->height = 0.4f;
      for (guint y = 0; y < 4 && kind == 0; y++)
        memset (object.mask->data + y * 20, 128, 5); /* its left quarter: 40 pixels */
      add_objects (buffer, &object, 1, NULL);
      GstBuffer *out = overlay_once ("blur-labels=person" QUIET, &info, buffer);
      GstBuffer *is = as_argb (out, &info, &after);
      gint hidden = kind == 0 ? 40 : 160;
      g_assert_cmpint (unevenness (after.data, 160, 0, 0, hidden, 32, 8), <=, 6);
      assert_same_outside (
          before.data, after.data, 160, 80, 0, 0, kind == 0 ? 56 : 160, 48); /* one cell and a square to spare */
      gst_buffer_unmap (was, &before);
      gst_buffer_unmap (is, &after);
      gst_buffer_unref (was);
      gst_buffer_unref (is);
      gst_buffer_unref (out);
      upi_mask_unref (object.mask);
    }
  }
}

/* Objects that stick out, are no boxes, or are smaller than a square; frames smaller than one. */
static void
test_edges (void)
{
  static const gfloat boxes[][4] = { { -1, -1, 3, 3 }, { 0.99f, 0.99f, 5, 5 }, { NAN, 0, 1, 1 }, { 0, 0, -1, 1 },
    { 0, 0, INFINITY, 1 }, { 2, 2, 1, 1 }, { 0.5f, 0.5f, 1e-6f, 1e-6f }, { -INFINITY, 0, INFINITY, 1 } };
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_P010_10LE };
  static const gint sizes[][2] = { { 1, 1 }, { 3, 5 }, { 65, 33 }, { 640, 360 } };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    for (guint j = 0; j < G_N_ELEMENTS (sizes); j++) {
      for (guint k = 0; k < G_N_ELEMENTS (boxes); k++) {
        GstVideoInfo info = video_info (formats[i], sizes[j][0], sizes[j][1]);
        GstUpiObject object = { .label = "person",
          .score = 0.9f,
          .x = boxes[k][0],
          .y = boxes[k][1],
          .width = boxes[k][2],
          .height = boxes[k][3] };
        GstBuffer *buffer = busy_frame (&info);
        GstMapInfo after;
        add_objects (buffer, &object, 1, NULL);
        GstBuffer *out = overlay_once ("blur-labels=person" QUIET, &info, buffer);
        GstBuffer *is = as_argb (out, &info, &after);
        if (k == 0)
          g_assert_cmpint (unevenness (after.data, sizes[j][0], 0, 0, sizes[j][0], sizes[j][1],
                               j < 2        ? 8
                                   : j == 2 ? 12
                                            : 96),
              <=, 6);
        gst_buffer_unmap (is, &after);
        gst_buffer_unref (is);
        gst_buffer_unref (out);
      }
    }
  }
}

/* A sink that draws compositions gets pixels that are hidden already. */
static void
test_attached (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_NV12, W, H);
  GstHarness *h = gst_harness_new_parse ("upioverlay blur-labels=person");
  GstCaps *caps = gst_video_info_to_caps (&info);
  GstUpiObject object = {
    .label = "person", .score = 0.9f, .x = 24.f / W, .y = 24.f / H, .width = 32.f / W, .height = 32.f / H
  };
  GstBuffer *buffer = busy_frame (&info);
  GstMapInfo after;

  gst_caps_set_features (caps, 0,
      gst_caps_features_new (
          GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION, NULL));
  gst_harness_add_propose_allocation_meta (h, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_harness_set_sink_caps (h, caps);
  set_caps (h, &info);
  add_objects (buffer, &object, 1, NULL);
  g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
  GstBuffer *out = gst_harness_pull (h);
  GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta (out);
  g_assert_nonnull (meta);
  g_assert_cmpuint (gst_video_overlay_composition_n_rectangles (meta->overlay), ==, 2);
  GstBuffer *is = as_argb (out, &info, &after);
  g_assert_cmpint (unevenness (after.data, W, 24, 24, 56, 56, 8), <=, 6);
  gst_buffer_unmap (is, &after);
  gst_buffer_unref (is);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
}

/* The list changes between two frames; an empty one hides nothing. What cannot be hidden is dropped, with one warning;
 * the stream goes on. */
static void
test_playing (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, W, H);
  GstHarness *h = gst_harness_new_parse ("upioverlay name=o" QUIET);
  GstElement *overlay = gst_harness_find_element (h, "upioverlay");
  GstUpiObject object = { .label = "Straße", .score = 0.9f, .width = 1, .height = 1 };
  const gchar *lists[] = { NULL, "", " , ,", "car", "STRASSE", "dog,straße ", "car,\xff" };
  GstBus *bus = gst_bus_new ();
  guint warnings = 0;
  GstMessage *message;

  gst_element_set_bus (overlay, bus);
  set_caps (h, &info);
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    GstBuffer *buffer = busy_frame (&info), *before = gst_buffer_copy_deep (buffer);
    g_autofree gchar *list = NULL;
    g_object_set (overlay, "blur-labels", lists[i], NULL);
    g_object_get (overlay, "blur-labels", &list, NULL);
    g_assert_cmpstr (list, ==, lists[i]);
    add_objects (buffer, &object, 1, NULL);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_true (same_bytes (out, before) == (i != 4 && i != 5));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
  }
  g_object_set (overlay, "blur-labels", "straße", NULL);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = i < 2 ? gst_buffer_new_allocate (NULL, 100, NULL) : busy_frame (&info);
    add_objects (buffer, &object, 1, NULL);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
  }
  g_assert_cmpuint (gst_harness_buffers_in_queue (h), ==, 1);
  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)) != NULL) {
    g_autoptr (GError) error = NULL;
    g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_WARNING);
    gst_message_parse_warning (message, &error, NULL);
    g_assert_nonnull (strstr (error->message, "blur-labels"));
    warnings++;
    gst_message_unref (message);
  }
  g_assert_cmpuint (warnings, ==, 1);
  gst_element_set_bus (overlay, NULL);
  gst_object_unref (bus);
  gst_object_unref (overlay);
  gst_harness_teardown (h);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/overlay-blur/formats/progressive", GINT_TO_POINTER (FALSE), test_formats);
  g_test_add_data_func ("/overlay-blur/formats/interlaced", GINT_TO_POINTER (TRUE), test_formats);
  g_test_add_func ("/overlay-blur/masks", test_masks);
  g_test_add_func ("/overlay-blur/edges", test_edges);
  g_test_add_func ("/overlay-blur/attached", test_attached);
  g_test_add_func ("/overlay-blur/playing", test_playing);
  return g_test_run ();
}
