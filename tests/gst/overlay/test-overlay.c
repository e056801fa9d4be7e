/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-overlay.c: what upioverlay draws: the same picture in every raw format, nothing beyond the frame's edges, any
 * label, colours and places. */
#include "tests/gst/overlay/fixture.h"

#include <math.h>
#include <string.h>

/* A mask that is set everywhere. */
static UpiMask *
full_mask (gfloat x, gfloat y, gfloat width, gfloat height)
{
  UpiMask *mask = upi_mask_new (4, 4);
  mask->x = x;
  mask->y = y;
  mask->width = width;
  mask->height = height;
  memset (mask->data, 255, 16);
  return mask;
}

/* 0xRRGGBB of one pixel, after conversion from any format. */
static guint32
pixel (GstBuffer *buffer, const GstVideoInfo *info, gint x, gint y)
{
  GstVideoInfo rgb = video_info (GST_VIDEO_FORMAT_ARGB, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info));
  GstBuffer *converted = video_convert (buffer, info, &rgb);
  guint8 argb[4];

  gst_buffer_extract (converted, ((gsize) y * GST_VIDEO_INFO_WIDTH (info) + x) * 4, argb, 4);
  gst_buffer_unref (converted);
  return (guint32) argb[1] << 16 | argb[2] << 8 | argb[3];
}

static gint
channel_distance (guint32 a, guint32 b)
{
  gint worst = 0;
  for (gint shift = 0; shift <= 16; shift += 8)
    worst = MAX (worst, ABS ((gint) ((a >> shift) & 0xff) - (gint) ((b >> shift) & 0xff)));
  return worst;
}

/* In every format, what is drawn looks as the BGRx picture does once that is converted to the format; what lies outside
 * is unchanged. */
static void
test_formats (gconstpointer colorimetry)
{
  guint n_formats, n_tested = 0;
  const GstVideoFormat *formats = gst_video_formats_raw (&n_formats);
  GstVideoInfo reference_info = video_info (GST_VIDEO_FORMAT_BGRx, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.25f, .y = 0.25f, .width = 0.5f, .height = 0.5f };

  object.mask = full_mask (object.x, object.y, object.width, object.height);
  GstBuffer *reference = grey_frame (&reference_info);
  add_objects (reference, &object, 1, NULL);
  reference = overlay_once ("mask-opacity=1 draw-labels=false draw-boxes=false", &reference_info, reference);
  g_assert_cmpint (channel_distance (pixel (reference, &reference_info, 32, 24), 0xf032e6), <=, 1);
  g_assert_cmphex (pixel (reference, &reference_info, 8, 8), ==, GREY << 16 | GREY << 8 | GREY);

  for (guint i = 0; i < n_formats; i++) {
    GstVideoInfo info = video_info (formats[i], 64, 48);
    if (formats[i] == GST_VIDEO_FORMAT_RGB8P) /* a palette of its own a frame */
      continue;
    if (GST_VIDEO_INFO_IS_YUV (&info))
      g_assert_true (gst_video_colorimetry_from_string (&info.colorimetry, colorimetry));
    GstBuffer *expected = video_convert (reference, &reference_info, &info), *buffer = grey_frame (&info);
    guint32 before = pixel (buffer, &info, 8, 8);
    add_objects (buffer, &object, 1, NULL);
    buffer = overlay_once ("mask-opacity=1 draw-labels=false draw-boxes=false", &info, buffer);
    guint32 found = pixel (buffer, &info, 32, 24), wanted = pixel (expected, &info, 32, 24);
    if (channel_distance (found, wanted) > 8)
      g_test_message ("%s: 0x%06x, expected 0x%06x", gst_video_format_to_string (formats[i]), found, wanted);
    g_assert_cmpint (channel_distance (found, wanted), <=, 8);
    g_assert_cmphex (found, !=, before);
    g_assert_cmphex (pixel (buffer, &info, 8, 8), ==, before);
    gst_buffer_unref (expected);
    gst_buffer_unref (buffer);
    n_tested++;
  }
  g_assert_cmpuint (n_tested, >=, 100);
  gst_buffer_unref (reference);
  upi_mask_unref (object.mask);
}

/* A mask of any values at any place: between cells probabilities are interpolated, and rise to an edge. It looks the
 * same in all formats, whatever the order of their components. */
static void
test_mask_edges (void)
{
  /* drawn alike, but for some steps */
  static const struct {
    GstVideoFormat formats[2];
    gint distance;
  } pairs[] = { { { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420 }, 0 },
    { { GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420 }, 0 }, { { GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_I420 }, 0 },
    { { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_I420_10LE }, 12 },
    { { GST_VIDEO_FORMAT_NV16, GST_VIDEO_FORMAT_Y42B }, 0 }, { { GST_VIDEO_FORMAT_NV61, GST_VIDEO_FORMAT_Y42B }, 0 },
    { { GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_Y42B }, 0 },
    { { GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_I422_10LE }, 12 },
    { { GST_VIDEO_FORMAT_NV24, GST_VIDEO_FORMAT_Y444 }, 0 },
    { { GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_Y444_10LE }, 12 } };
  static const gint width = 203, height = 101, columns = 11, rows = 7;
  static const gchar properties[] = "mask-opacity=0.8 draw-labels=false draw-boxes=false";
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, width, height);
  GstVideoInfo rgb = video_info (GST_VIDEO_FORMAT_ARGB, width, height);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.111f, .y = 0.17f, .width = 0.793f, .height = 0.71f };
  g_autoptr (GRand) random = g_rand_new_with_seed (7);

  object.mask = upi_mask_new (columns, rows);
  object.mask->x = 0.15f; /* less wide than the box, and higher */
  object.mask->y = 0.1f;
  object.mask->width = 0.7f;
  object.mask->height = 0.9f;
  for (gint i = 0; i < columns * rows; i++)
    object.mask->data[i] = (guint8) g_rand_int_range (random, 0, 256);
  g_autoptr (GstBuffer) reference = grey_frame (&info);
  add_objects (reference, &object, 1, NULL);
  reference = overlay_once (properties, &info, g_steal_pointer (&reference));

  GstMapInfo map;
  g_assert_true (gst_buffer_map (reference, &map, GST_MAP_READ));
  const gdouble rise = MAX (255 / (0.7 * width / columns), 24) / 255;
  for (gint y = 0; y < height; y++) {
    for (gint x = 0; x < width; x++) {
      const gdouble u = ((x + 0.5) / width - 0.15) / 0.7 * columns, v = ((y + 0.5) / height - 0.1) / 0.9 * rows;
      const gdouble bx = (x + 0.5) / width, by = (y + 0.5) / height;
      const gboolean rim = fabs (u) < 0.2 || fabs (u - columns) < 0.2 || fabs (v) < 0.2 || fabs (v - rows) < 0.2
          || fabs (bx - 0.111) < 0.01 || fabs (bx - 0.904) < 0.01 || fabs (by - 0.17) < 0.02 || fabs (by - 0.88) < 0.02;
      gdouble alpha = 0;
      if (rim) /* which pixels of a box's edge are in it is another test's */
        continue;
      if (u > 0 && u < columns && v > 0 && v < rows && bx > 0.111 && bx < 0.904 && by > 0.17 && by < 0.88) {
        const gdouble cx = CLAMP (u - 0.5, 0, columns - 1), cy = CLAMP (v - 0.5, 0, rows - 1);
        const gint i = (gint) cx, j = (gint) cy, i1 = MIN (i + 1, columns - 1), j1 = MIN (j + 1, rows - 1);
        const guint8 *m = object.mask->data;
        const gdouble p = ((m[j * columns + i] * (1 - (cx - i)) + m[j * columns + i1] * (cx - i)) * (1 - (cy - j))
                              + (m[j1 * columns + i] * (1 - (cx - i)) + m[j1 * columns + i1] * (cx - i)) * (cy - j))
            / 255;
        alpha = 0.8 * CLAMP ((p - 0.5) / rise + 0.5, 0, 1);
      }
      static const gint colour[] = { 0xe6, 0x32, 0xf0 }; /* of "person": blue, green, red */
      for (gint c = 0; c < 3; c++) {
        const gdouble expected = GREY + alpha * (colour[c] - GREY);
        const guint8 found = map.data[4 * (y * width + x) + c];
        if (fabs (found - expected) > 9) /* places are whole parts of 256 of a cell, edges steep */
          g_error ("%d,%d component %d: %u, expected %g", x, y, c, found, expected);
      }
    }
  }
  gst_buffer_unmap (reference, &map);

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    GstBuffer *drawn[2];
    GstMapInfo maps[2];
    for (guint k = 0; k < 2; k++) {
      GstVideoInfo other = video_info (pairs[i].formats[k], width, height);
      GstBuffer *buffer = grey_frame (&other);
      add_objects (buffer, &object, 1, NULL);
      buffer = overlay_once (properties, &other, buffer);
      drawn[k] = video_convert (buffer, &other, &rgb);
      gst_buffer_unref (buffer);
      g_assert_true (gst_buffer_map (drawn[k], &maps[k], GST_MAP_READ));
    }
    for (gint p = 0; p < width * height; p++) {
      const guint32 found = GST_READ_UINT32_BE (maps[0].data + 4 * p), as = GST_READ_UINT32_BE (maps[1].data + 4 * p);
      if (channel_distance (found, as) > pairs[i].distance)
        g_error ("%s at %d,%d: 0x%06x, %s 0x%06x", gst_video_format_to_string (pairs[i].formats[0]), p % width,
            p / width, found, gst_video_format_to_string (pairs[i].formats[1]), as);
    }
    for (guint k = 0; k < 2; k++) {
      gst_buffer_unmap (drawn[k], &maps[k]);
      gst_buffer_unref (drawn[k]);
    }
  }
  upi_mask_unref (object.mask);
}

/* Lines as thin as a pixel have the same colours in formats that are drawn row by row as in those that are drawn pixel
 * by pixel, whichever pixels of a chroma block they cover. The four sides of a box are painted one by one there and
 * together here, which differs by some steps at its corners; chroma taken from one pixel of a block differs by more. */
static void
test_thin_lines (void)
{
  static const GstVideoFormat pairs[][2] = { { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_I420_10LE },
    { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_P010_10LE }, { GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_I422_10LE },
    { GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_v210 }, { GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_Y444_10LE },
    { GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_BGRA } };
  static const gint width = 61, height = 43;

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    for (gint at = 10; at < 12; at++) { /* an even and an odd place */
      GstUpiObject object = { .label = "person",
        .score = 0.9f,
        .x = (gfloat) at / width,
        .y = (gfloat) at / height,
        .width = 31.f / width,
        .height = 20.f / height };
      GstBuffer *drawn[2];
      GstVideoInfo info[2];
      for (guint k = 0; k < 2; k++) {
        info[k] = video_info (pairs[i][k], width, height);
        drawn[k] = grey_frame (&info[k]);
        add_objects (drawn[k], &object, 1, NULL);
        drawn[k] = overlay_once ("draw-labels=false line-width=1", &info[k], drawn[k]);
      }
      GstVideoInfo rgb = video_info (GST_VIDEO_FORMAT_ARGB, width, height);
      GstMapInfo map[2];
      for (guint k = 0; k < 2; k++) {
        GstBuffer *converted = video_convert (drawn[k], &info[k], &rgb);
        gst_buffer_unref (drawn[k]);
        drawn[k] = converted;
        g_assert_true (gst_buffer_map (drawn[k], &map[k], GST_MAP_READ));
      }
      for (gint p = 0; p < width * height; p++) {
        guint32 a = GST_READ_UINT32_BE (map[0].data + 4 * p), b = GST_READ_UINT32_BE (map[1].data + 4 * p);
        if (channel_distance (a, b) > 24)
          g_test_message ("%s at %d,%d: 0x%06x, %s 0x%06x", gst_video_format_to_string (pairs[i][1]), p % width,
              p / width, b, gst_video_format_to_string (pairs[i][0]), a);
        g_assert_cmpint (channel_distance (a, b), <=, 24);
      }
      gst_buffer_unmap (drawn[0], &map[0]);
      gst_buffer_unmap (drawn[1], &map[1]);
      gst_buffer_unref (drawn[0]);
      gst_buffer_unref (drawn[1]);
    }
  }
}

/* Frames with guard bytes around every row: whatever the box, nothing outside of the frame is written. */
static void
draw_guarded (GstVideoFormat format, gint width, gint height, const GstUpiObject *objects, guint n)
{
  GstVideoInfo info = video_info (format, width, height);
  GstVideoInfo plain = info;
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0 }, size = 256;
  gint stride[GST_VIDEO_MAX_PLANES] = { 0 };

  for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES (&plain); p++) {
    gint component[GST_VIDEO_MAX_COMPONENTS];
    gst_video_format_info_component (plain.finfo, p, component);
    stride[p] = GST_VIDEO_INFO_PLANE_STRIDE (&plain, p) + 64;
    offset[p] = size;
    size += (gsize) stride[p] * GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (plain.finfo, component[0], height) + 256;
  }
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  gst_buffer_memset (buffer, 0, 0xa5, size);
  gst_buffer_add_video_meta_full (
      buffer, GST_VIDEO_FRAME_FLAG_NONE, format, width, height, GST_VIDEO_INFO_N_PLANES (&plain), offset, stride);
  add_objects (buffer, objects, n, "words that are far too many for so small a picture");
  buffer = overlay_once ("line-width=3", &info, buffer);

  GstMapInfo map;
  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  g_autofree guint8 *is_pixel = g_malloc0 (size);
  for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES (&plain); p++) {
    gint component[GST_VIDEO_MAX_COMPONENTS];
    gst_video_format_info_component (plain.finfo, p, component);
    gint rows = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (plain.finfo, component[0], height);
    for (gint y = 0; y < rows; y++)
      memset (is_pixel + offset[p] + (gsize) y * stride[p], 1, GST_VIDEO_INFO_PLANE_STRIDE (&plain, p));
  }
  for (gsize i = 0; i < size; i++)
    if (!is_pixel[i])
      g_assert_cmphex (map.data[i], ==, 0xa5);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
}

static void
test_clipping (void)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_BGRx,
    GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_BGRA,
    GST_VIDEO_FORMAT_P010_10LE };
  static const gint sizes[][2] = { { 1, 1 }, { 3, 5 }, { 17, 33 }, { 64, 48 }, { 161, 121 } };
  UpiMask *mask = full_mask (-0.2f, 0.1f, 2.f, 0.7f);
  UpiMask *odd = full_mask (0.5f, 0.5f, NAN, 0.f);
  const GstUpiObject objects[] = {
    { "inside", 0, 0.5f, 0.2f, 0.2f, 0.5f, 0.5f, mask, 0 },
    { "larger than the frame", 1, 1.f, -1.f, -1.f, 3.f, 3.f, mask, 1 },
    { "right edge", 2, 0.f, 0.9f, 0.5f, 0.5f, 0.1f, odd, 2 },
    { "far outside", 3, 0.5f, 7.f, -3.f, 1.f, 1.f, mask, 3 },
    { "infinite", 4, INFINITY, -INFINITY, 0.f, INFINITY, 1.f, mask, 4 },
    { "not a number", 5, NAN, NAN, NAN, NAN, NAN, mask, 5 },
    { "empty", 6, 0.5f, 0.5f, 0.5f, 0.f, 0.f, mask, 6 },
    { "backwards", 7, 0.5f, 0.5f, 0.5f, -0.5f, -0.5f, mask, 7 },
    { "huge", 8, 0.5f, -1e30f, -1e30f, 2e30f, 2e30f, mask, 8 },
    { "last corner", 9, 0.5f, 0.999f, 0.999f, 0.001f, 0.001f, mask, 9 },
  };

  for (guint f = 0; f < G_N_ELEMENTS (formats); f++)
    for (guint s = 0; s < G_N_ELEMENTS (sizes); s++)
      draw_guarded (formats[f], sizes[s][0], sizes[s][1], objects, G_N_ELEMENTS (objects));
  upi_mask_unref (mask);
  upi_mask_unref (odd);
}

/* Labels are any bytes an application wrote. */
static void
test_any_label (void)
{
  g_autofree gchar *endless = g_strnfill (10000, 'w');
  const gchar *labels[] = { "", " ", "\xff\xfe broken", "日本語のラベル", "كلب", "two\nlines", "<b>&amp;</b>",
    "e\xcc\x81\xcc\x81\xcc\x81", endless, "👩‍👩‍👧" };
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 320, 240);

  for (guint i = 0; i < G_N_ELEMENTS (labels); i++) {
    GstUpiObject object = { .label = labels[i], .score = 0.5f, .x = 0.3f, .y = 0.3f, .width = 0.4f, .height = 0.4f };
    GstBuffer *buffer = grey_frame (&info), *before = gst_buffer_copy_deep (buffer);
    add_objects (buffer, &object, 1, labels[i]);
    buffer = overlay_once ("draw-boxes=false", &info, buffer);
    g_assert_false (same_bytes (buffer, before)); /* the text of the score at least */
    gst_buffer_unref (buffer);
    gst_buffer_unref (before);
  }
}

/* The colour of an object's box line on the left, drawn alone. */
static guint32
line_colour (const gchar *properties, const gchar *label, guint index)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_RGB, 100, 100);
  g_autofree gchar *line = g_strdup_printf ("draw-labels=false line-width=6 %s", properties);
  GstUpiObject objects[4];

  for (guint i = 0; i <= index; i++)
    objects[i] = (GstUpiObject){ .label = label, .x = 0.2f, .y = 0.2f * i, .width = 0.6f, .height = 0.19f };
  GstBuffer *buffer = grey_frame (&info);
  add_objects (buffer, objects, index + 1, NULL);
  buffer = overlay_once (line, &info, buffer);
  guint32 colour = pixel (buffer, &info, 23, 20 * index + 10);
  gst_buffer_unref (buffer);
  return colour;
}

static void
test_colours (void)
{
  static const gchar *labels[] = { "person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "cat" };

  /* The same in every run and on every machine: this is the palette's entry. */
  g_assert_cmphex (line_colour ("", "person", 0), ==, 0xf032e6);
  for (guint i = 0; i < G_N_ELEMENTS (labels); i++) {
    guint32 colour = line_colour ("", labels[i], 0);
    g_assert_cmphex (line_colour ("", labels[i], 1), ==, colour);
    for (guint j = 0; j < i; j++)
      g_assert_cmphex (line_colour ("", labels[j], 0), !=, colour);
  }
  guint32 first = line_colour ("color-by=object", "person", 0), second = line_colour ("color-by=object", "person", 1);
  g_assert_cmphex (first, !=, second);
  g_assert_cmphex (line_colour ("color-by=object", "car", 0), ==, first);
}

/* Rows of the frame that differ from grey: first and last. */
static void
changed_rows (GstBuffer *buffer, const GstVideoInfo *info, gint *first, gint *last)
{
  GstMapInfo map;

  *first = *last = -1;
  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  for (gint y = 0; y < GST_VIDEO_INFO_HEIGHT (info); y++) {
    const guint8 *row = map.data + (gsize) y * GST_VIDEO_INFO_PLANE_STRIDE (info, 0);
    for (gint x = 0; x < GST_VIDEO_INFO_WIDTH (info) * 3; x++) {
      if (row[x] != GREY) {
        *first = *first < 0 ? y : *first;
        *last = y;
        break;
      }
    }
  }
  gst_buffer_unmap (buffer, &map);
}

static void
test_places (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_RGB, 640, 360);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.3f, .y = 0.4f, .width = 0.2f, .height = 0.4f };
  gint first, last;

  GstBuffer *buffer = grey_frame (&info); /* a caption: in the lower third */
  add_objects (buffer, &object, 0, "a man in a yard");
  buffer = overlay_once ("", &info, buffer);
  changed_rows (buffer, &info, &first, &last);
  g_assert_cmpint (first, >, 240);
  g_assert_cmpint (last, <, 360);
  gst_buffer_unref (buffer);

  buffer = grey_frame (&info); /* a label: right above its box */
  add_objects (buffer, &object, 1, NULL);
  buffer = overlay_once ("draw-boxes=false", &info, buffer);
  changed_rows (buffer, &info, &first, &last);
  g_assert_cmpint (first, >, 144 - 30);
  g_assert_cmpint (last, <, 144);
  gst_buffer_unref (buffer);

  object.y = 0; /* no room above: inside of it */
  buffer = grey_frame (&info);
  add_objects (buffer, &object, 1, NULL);
  buffer = overlay_once ("draw-boxes=false", &info, buffer);
  changed_rows (buffer, &info, &first, &last);
  g_assert_cmpint (first, ==, 0);
  g_assert_cmpint (last, <, 30);
  gst_buffer_unref (buffer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  g_test_add_data_func ("/overlay/formats/bt601", GST_VIDEO_COLORIMETRY_BT601, test_formats);
  g_test_add_data_func ("/overlay/formats/bt709", GST_VIDEO_COLORIMETRY_BT709, test_formats);
  g_test_add_data_func ("/overlay/formats/bt2020", GST_VIDEO_COLORIMETRY_BT2020, test_formats);
  g_test_add_data_func ("/overlay/formats/full-range", "1:4:7:1", test_formats);
  g_test_add_func ("/overlay/mask-edges", test_mask_edges);
  g_test_add_func ("/overlay/thin-lines", test_thin_lines);
  g_test_add_func ("/overlay/clipping", test_clipping);
  g_test_add_func ("/overlay/any-label", test_any_label);
  g_test_add_func ("/overlay/colours", test_colours);
  g_test_add_func ("/overlay/places", test_places);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
