/* test-overlay.c: upioverlay through its pads: every raw format, edges of the frame, what it must leave alone, compositions attached. */
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <math.h>
#include <string.h>

#include "gst/gstupimeta.h"

#define GREY 0x60
#define FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

/* ---- frames ---------------------------------------------------------------------------------------------------------------------- */

/* Without interpolation of chroma, which GStreamer does in some formats only. */
static GstBuffer *
convert (GstBuffer *buffer, const GstVideoInfo *from, const GstVideoInfo *to)
{
  GstBuffer *out = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (to), NULL);
  GstVideoConverter *converter = gst_video_converter_new (from, to,
      gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_CHROMA_MODE, GST_TYPE_VIDEO_CHROMA_MODE, GST_VIDEO_CHROMA_MODE_NONE, NULL));
  GstVideoFrame a, b;

  g_assert_nonnull (converter);
  g_assert_true (gst_video_frame_map (&a, from, buffer, GST_MAP_READ));
  g_assert_true (gst_video_frame_map (&b, to, out, GST_MAP_WRITE));
  gst_video_converter_frame (converter, &a, &b);
  gst_video_frame_unmap (&a);
  gst_video_frame_unmap (&b);
  gst_video_converter_free (converter);
  return out;
}

static GstVideoInfo
video_info (GstVideoFormat format, gint width, gint height)
{
  GstVideoInfo info;
  g_assert_true (gst_video_info_set_format (&info, format, width, height));
  info.fps_n = 25;
  info.fps_d = 1;
  return info;
}

/* A frame of one grey. */
static GstBuffer *
grey_frame (const GstVideoInfo *info)
{
  GstVideoInfo rgb = video_info (GST_VIDEO_FORMAT_ARGB, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info));
  GstBuffer *source = gst_buffer_new_allocate (NULL, rgb.size, NULL);
  GstMapInfo map;

  g_assert_true (gst_buffer_map (source, &map, GST_MAP_WRITE));
  memset (map.data, GREY, map.size);
  for (gsize i = 0; i < map.size; i += 4)
    map.data[i] = 0xff;
  gst_buffer_unmap (source, &map);
  GstBuffer *frame = convert (source, &rgb, info);
  gst_buffer_unref (source);
  return frame;
}

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

static void
add_objects (GstBuffer *buffer, const GstUpiObject *objects, guint n, const gchar *caption)
{
  GstUpiMeta *meta = gst_buffer_add_upi_meta (buffer, NULL);
  gst_upi_meta_add_objects (meta, objects, n);
  if (caption != NULL) {
    GstUpiCaption item = { caption, 0, GST_SECOND };
    gst_upi_meta_set_captions (meta, &item, 1);
  }
}

static void
set_caps (GstHarness *h, const GstVideoInfo *info)
{
  GstCaps *caps = gst_video_info_to_caps (info);
  gst_harness_set_src_caps (h, caps);
}

/* A copy that shares nothing: what the element does to the one cannot reach the other. */
static GstBuffer *
deep_copy (GstBuffer *buffer)
{
  return gst_buffer_copy_deep (buffer);
}

static gboolean
same_bytes (GstBuffer *a, GstBuffer *b)
{
  GstMapInfo map_a, map_b;

  g_assert_true (gst_buffer_map (a, &map_a, GST_MAP_READ));
  g_assert_true (gst_buffer_map (b, &map_b, GST_MAP_READ));
  gboolean same = map_a.size == map_b.size && memcmp (map_a.data, map_b.data, map_a.size) == 0;
  gst_buffer_unmap (a, &map_a);
  gst_buffer_unmap (b, &map_b);
  return same;
}

/* One frame through an element set up by @properties; takes @buffer. */
static GstBuffer *
overlay_once (const gchar *properties, const GstVideoInfo *info, GstBuffer *buffer)
{
  g_autofree gchar *line = g_strdup_printf ("upioverlay %s", properties);
  GstHarness *h = gst_harness_new_parse (line);

  set_caps (h, info);
  g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
  GstBuffer *out = gst_harness_pull (h);
  g_assert_nonnull (out);
  gst_harness_teardown (h);
  return out;
}

/* 0xRRGGBB of one pixel, after conversion from any format. */
static guint32
pixel (GstBuffer *buffer, const GstVideoInfo *info, gint x, gint y)
{
  GstVideoInfo rgb = video_info (GST_VIDEO_FORMAT_ARGB, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info));
  GstBuffer *converted = convert (buffer, info, &rgb);
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

/* ---- formats --------------------------------------------------------------------------------------------------------------------- */

/* In every format, what is drawn looks as the BGRx picture does once that is converted to the format; what lies outside is unchanged. */
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
    GstBuffer *expected = convert (reference, &reference_info, &info), *buffer = grey_frame (&info);
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

/* Lines as thin as a pixel have the same colours in formats that are drawn row by row as in those that are drawn pixel by pixel, whichever
 * pixels of a chroma block they cover. The four sides of a box are painted one by one there and together here, which differs by some
 * steps at its corners; chroma taken from one pixel of a block differs by more. */
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
        GstBuffer *converted = convert (drawn[k], &info[k], &rgb);
        gst_buffer_unref (drawn[k]);
        drawn[k] = converted;
        g_assert_true (gst_buffer_map (drawn[k], &map[k], GST_MAP_READ));
      }
      for (gint p = 0; p < width * height; p++) {
        guint32 a = GST_READ_UINT32_BE (map[0].data + 4 * p), b = GST_READ_UINT32_BE (map[1].data + 4 * p);
        if (channel_distance (a, b) > 24)
          g_test_message ("%s at %d,%d: 0x%06x, %s 0x%06x", gst_video_format_to_string (pairs[i][1]), p % width, p / width, b,
              gst_video_format_to_string (pairs[i][0]), a);
        g_assert_cmpint (channel_distance (a, b), <=, 24);
      }
      gst_buffer_unmap (drawn[0], &map[0]);
      gst_buffer_unmap (drawn[1], &map[1]);
      gst_buffer_unref (drawn[0]);
      gst_buffer_unref (drawn[1]);
    }
  }
}

/* ---- edges ----------------------------------------------------------------------------------------------------------------------- */

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
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_RGB,
    GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_P010_10LE };
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
  const gchar *labels[] = { "", " ", "\xff\xfe broken", "日本語のラベル", "كلب", "two\nlines", "<b>&amp;</b>", "e\xcc\x81\xcc\x81\xcc\x81",
    endless, "👩‍👩‍👧" };
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 320, 240);

  for (guint i = 0; i < G_N_ELEMENTS (labels); i++) {
    GstUpiObject object = { .label = labels[i], .score = 0.5f, .x = 0.3f, .y = 0.3f, .width = 0.4f, .height = 0.4f };
    GstBuffer *buffer = grey_frame (&info), *before = deep_copy (buffer);
    add_objects (buffer, &object, 1, labels[i]);
    buffer = overlay_once ("draw-boxes=false", &info, buffer);
    g_assert_false (same_bytes (buffer, before)); /* the plate with the score at least */
    gst_buffer_unref (buffer);
    gst_buffer_unref (before);
  }
}

/* ---- what it leaves alone -------------------------------------------------------------------------------------------------------- */

static void
test_untouched (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_NV12, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.2f, .y = 0.2f, .width = 0.5f, .height = 0.5f };
  const struct {
    gboolean meta;
    guint n_objects;
    const gchar *caption, *properties;
  } cases[] = {
    { FALSE, 0, NULL, "" }, { TRUE, 0, NULL, "" }, { TRUE, 0, "", "" },
    { TRUE, 1, "a caption", "draw-boxes=false draw-labels=false draw-masks=false draw-caption=false" },
    { TRUE, 1, NULL, "draw-boxes=false draw-labels=false" }, /* has no mask */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBuffer *buffer = grey_frame (&info), *before = deep_copy (buffer), *out;
    if (cases[i].meta)
      add_objects (buffer, &object, cases[i].n_objects, cases[i].caption);
    gst_buffer_ref (buffer); /* not writable: a branch of a tee */
    out = overlay_once (cases[i].properties, &info, buffer);
    g_assert_true (same_bytes (out, before));
    if (i != 2 && i != 4) /* a content with something in it may cost a new buffer, never new pixels */
      g_assert_true (out == buffer);
    gst_buffer_unref (out);
    gst_buffer_unref (buffer);
    gst_buffer_unref (before);
  }
}

/* The other branch of a tee keeps its pixels. */
static void
test_shared_buffer (void)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_I420_10LE };
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.2f, .y = 0.2f, .width = 0.5f, .height = 0.5f };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstVideoInfo info = video_info (formats[i], 64, 48);
    GstBuffer *buffer = grey_frame (&info), *before = deep_copy (buffer);
    add_objects (buffer, &object, 1, NULL);
    GstBuffer *out = overlay_once ("", &info, gst_buffer_ref (buffer));
    g_assert_true (same_bytes (buffer, before));
    g_assert_false (same_bytes (out, before));
    g_assert_nonnull (gst_buffer_get_upi_meta (out));
    gst_buffer_unref (out);
    gst_buffer_unref (buffer);
    gst_buffer_unref (before);
  }
}

/* A frame that is smaller than its caps say passes as it is, with one warning for all. */
static void
test_short_frames (void)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.2f, .y = 0.2f, .width = 0.5f, .height = 0.5f };
  GstBus *bus = gst_bus_new ();
  guint warnings = 0;
  GstMessage *message;

  gst_element_set_bus (h->element, bus);
  set_caps (h, &info);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 100, NULL);
    gst_buffer_memset (buffer, 0, 7, 100);
    add_objects (buffer, &object, 1, NULL);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_cmpuint (gst_buffer_get_size (out), ==, 100);
    gst_buffer_unref (out);
  }
  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)) != NULL) {
    g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_WARNING);
    warnings++;
    gst_message_unref (message);
  }
  g_assert_cmpuint (warnings, ==, 1);
  gst_element_set_bus (h->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (h);
}

/* ---- colours and places ---------------------------------------------------------------------------------------------------------- */

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

/* ---- compositions ---------------------------------------------------------------------------------------------------------------- */

static GstHarness *
harness_with_sink_caps (const GstVideoInfo *info, const gchar *feature, gboolean meta)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  GstCaps *caps = gst_video_info_to_caps (info);

  if (feature != NULL)
    gst_caps_set_features (caps, 0, gst_caps_features_new (GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, feature, NULL));
  if (meta)
    gst_harness_add_propose_allocation_meta (h, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_harness_set_sink_caps (h, caps);
  set_caps (h, info);
  return h;
}

/* A sink that draws compositions gets them, one rectangle an object, a label, a caption; the pixels stay. */
static void
test_attached (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 320, 240);
  GstHarness *h = harness_with_sink_caps (&info, FEATURE, TRUE);
  GstUpiObject objects[] = {
    { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f },
    { .label = "car", .score = 0.8f, .x = 0.5f, .y = 0.3f, .width = 0.4f, .height = 0.4f },
  };

  for (guint i = 0; i < 2; i++) {
    GstBuffer *buffer = grey_frame (&info), *before = deep_copy (buffer);
    add_objects (buffer, objects, 2, "a person beside a car");
    if (i == 1) { /* an element before us attached one already */
      GstBuffer *dot = gst_buffer_new_allocate (NULL, 4, NULL);
      gst_buffer_memset (dot, 0, 0xff, 4);
      gst_buffer_add_video_meta (dot, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, 1, 1);
      GstVideoOverlayRectangle *rectangle =
          gst_video_overlay_rectangle_new_raw (dot, 0, 0, 1, 1, GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
      GstVideoOverlayComposition *composition = gst_video_overlay_composition_new (rectangle);
      gst_buffer_add_video_overlay_composition_meta (buffer, composition);
      gst_video_overlay_composition_unref (composition);
      gst_video_overlay_rectangle_unref (rectangle);
      gst_buffer_unref (dot);
    }
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta (out);
    g_assert_nonnull (meta);
    g_assert_cmpuint (gst_video_overlay_composition_n_rectangles (meta->overlay), ==, 5 + i);
    g_assert_true (same_bytes (out, before));

    /* Drawn by whoever takes it, it changes the picture where the objects are. */
    GstVideoFrame frame;
    g_assert_true (gst_video_frame_map (&frame, &info, before, GST_MAP_READWRITE));
    gst_video_overlay_composition_blend (meta->overlay, &frame);
    gst_video_frame_unmap (&frame);
    g_assert_false (same_bytes (out, before));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
  }
  gst_harness_teardown (h);
}

/* Caps take anything, the ALLOCATION answer names no composition: drawn into the pixels, and the caps say so before the first buffer. */
static void
test_refused (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 320, 240);
  GstHarness *h = harness_with_sink_caps (&info, FEATURE, FALSE);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f };
  GstCaps *any = gst_caps_new_any ();

  gst_harness_set_sink_caps (h, any);
  for (guint i = 0; i < 2; i++) {
    GstBuffer *buffer = grey_frame (&info), *before = deep_copy (buffer);
    add_objects (buffer, &object, 1, NULL);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_null (gst_buffer_get_video_overlay_composition_meta (out));
    g_assert_false (same_bytes (out, before));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
    GstCaps *caps = gst_pad_get_current_caps (h->sinkpad);
    g_assert_false (gst_caps_features_contains (gst_caps_get_features (caps, 0), FEATURE));
    gst_caps_unref (caps);
  }
  gst_harness_teardown (h);
}

/* ---- stream ---------------------------------------------------------------------------------------------------------------------- */

/* Size and format change between two frames, many times; every frame leaves drawn on, timestamps as they were. */
static void
test_caps_changes (void)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_YUY2 };
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f };

  for (guint i = 0; i < 40; i++) {
    GstVideoInfo info = video_info (formats[i % 4], 32 + 7 * (gint) i, 200 - 3 * (gint) i);
    GstBuffer *buffer = grey_frame (&info), *before = deep_copy (buffer);
    set_caps (h, &info);
    add_objects (buffer, &object, 1, NULL);
    GST_BUFFER_PTS (buffer) = i * 40 * GST_MSECOND;
    GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_cmpuint (GST_BUFFER_PTS (out), ==, i * 40 * GST_MSECOND);
    g_assert_cmpuint (GST_BUFFER_DURATION (out), ==, 40 * GST_MSECOND);
    g_assert_false (same_bytes (out, before));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
  }
  gst_harness_teardown (h);
}

static void
test_start_stop (void)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f };

  for (guint i = 0; i < 50; i++) {
    gst_element_set_state (h->element, GST_STATE_NULL);
    gst_element_set_state (h->element, GST_STATE_PLAYING);
    gst_harness_play (h);
    set_caps (h, &info);
    gst_harness_push_event (h, gst_event_new_stream_start ("test"));
    GstBuffer *buffer = grey_frame (&info);
    add_objects (buffer, &object, 1, "a caption");
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref (gst_harness_pull (h));
  }
  gst_harness_teardown (h);
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
  g_test_add_func ("/overlay/thin-lines", test_thin_lines);
  g_test_add_func ("/overlay/clipping", test_clipping);
  g_test_add_func ("/overlay/any-label", test_any_label);
  g_test_add_func ("/overlay/untouched", test_untouched);
  g_test_add_func ("/overlay/shared-buffer", test_shared_buffer);
  g_test_add_func ("/overlay/short-frames", test_short_frames);
  g_test_add_func ("/overlay/colours", test_colours);
  g_test_add_func ("/overlay/places", test_places);
  g_test_add_func ("/overlay/attached", test_attached);
  g_test_add_func ("/overlay/refused", test_refused);
  g_test_add_func ("/overlay/caps-changes", test_caps_changes);
  g_test_add_func ("/overlay/start-stop", test_start_stop);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
