/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.c: see fixture.h. */
#include "tests/gst/overlay/fixture.h"

#include <string.h>

GstVideoInfo
video_info (GstVideoFormat format, gint width, gint height)
{
  GstVideoInfo info;
  g_assert_true (gst_video_info_set_format (&info, format, width, height));
  info.fps_n = 25;
  info.fps_d = 1;
  return info;
}

GstBuffer *
video_convert (GstBuffer *buffer, const GstVideoInfo *from, const GstVideoInfo *to)
{
  GstBuffer *out = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (to), NULL);
  GstVideoConverter *converter = gst_video_converter_new (from, to,
      gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_CHROMA_MODE, GST_TYPE_VIDEO_CHROMA_MODE,
          GST_VIDEO_CHROMA_MODE_NONE, NULL));
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

GstBuffer *
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
  GstBuffer *frame = video_convert (source, &rgb, info);
  gst_buffer_unref (source);
  return frame;
}

void
add_objects (GstBuffer *buffer, const GstUpiObject *objects, guint n, const gchar *caption)
{
  GstUpiMeta *meta = gst_buffer_add_upi_meta (buffer, NULL);
  gst_upi_meta_add_objects (meta, objects, n);
  if (caption != NULL) {
    GstUpiCaption item = { caption, 0, GST_SECOND };
    gst_upi_meta_set_captions (meta, &item, 1);
  }
}

void
set_caps (GstHarness *h, const GstVideoInfo *info)
{
  GstCaps *caps = gst_video_info_to_caps (info);
  gst_harness_set_src_caps (h, caps);
}

GstBuffer *
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

gboolean
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
