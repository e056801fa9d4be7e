/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A contact sheet of what passes a pad: see contact-sheet.h. Keeps every n-th frame; when twice the wanted number is
 * there, drops every second one and doubles n, so memory stays flat however long the clip is. */
#include "tools/contact-sheet.h"

#include <cairo.h>
#include <gst/video/video.h>
#include <string.h>

#define THUMBNAIL_WIDTH 384
#define COLUMNS 4

struct _UpiContactSheet {
  GMutex lock;
  GPtrArray *pictures; /* cairo_surface_t */
  guint count, step, seen;
};

/* frame → a surface of THUMBNAIL_WIDTH at the display aspect. */
static cairo_surface_t *
make_thumbnail (GstBuffer *buffer, const GstVideoInfo *info)
{
  guint numerator, denominator;
  GstVideoFrame in, out;
  GstVideoInfo target;

  if (!gst_video_calculate_display_ratio (
          &numerator, &denominator, info->width, info->height, info->par_n, info->par_d, 1, 1))
    numerator = info->width, denominator = info->height;
  gst_video_info_set_format (
      &target, GST_VIDEO_FORMAT_BGRx, THUMBNAIL_WIDTH, MAX (16, (gint64) THUMBNAIL_WIDTH * denominator / numerator));
  target.fps_n = info->fps_n, target.fps_d = info->fps_d,
  target.interlace_mode = info->interlace_mode; /* GstVideoConverter wants them equal */
  GstVideoConverter *converter = gst_video_converter_new (info, &target, NULL);
  if (converter == NULL)
    return NULL;
  cairo_surface_t *surface = NULL;
  GstBuffer *pixels = gst_buffer_new_allocate (NULL, target.size, NULL);
  if (gst_video_frame_map (&in, info, buffer, GST_MAP_READ)) {
    if (gst_video_frame_map (&out, &target, pixels, GST_MAP_READWRITE)) {
      gst_video_converter_frame (converter, &in, &out);
      surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, target.width, target.height);
      for (gint y = 0; y < target.height; y++)
        memcpy (cairo_image_surface_get_data (surface) + (gsize) y * cairo_image_surface_get_stride (surface),
            (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&out, 0) + (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&out, 0),
            (gsize) 4 * target.width);
      cairo_surface_mark_dirty (surface);
      gst_video_frame_unmap (&out);
    }
    gst_video_frame_unmap (&in);
  }
  gst_buffer_unref (pixels);
  gst_video_converter_free (converter);
  return surface;
}

static GstPadProbeReturn
on_buffer (GstPad *pad, GstPadProbeInfo *probe, gpointer user_data)
{
  UpiContactSheet *sheet = user_data;
  g_autoptr (GstCaps) caps = NULL;
  GstVideoInfo info;

  if (sheet->seen++ % sheet->step != 0)
    return GST_PAD_PROBE_OK;
  caps = gst_pad_get_current_caps (pad);
  if (caps == NULL || !gst_video_info_from_caps (&info, caps))
    return GST_PAD_PROBE_OK;
  cairo_surface_t *surface = make_thumbnail (GST_PAD_PROBE_INFO_BUFFER (probe), &info);
  if (surface == NULL)
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&sheet->lock);
  g_ptr_array_add (sheet->pictures, surface);
  if (sheet->pictures->len == 2 * sheet->count) {
    for (guint i = sheet->count; i-- > 0;)
      g_ptr_array_remove_index (sheet->pictures, 2 * i + 1);
    sheet->step *= 2;
  }
  g_mutex_unlock (&sheet->lock);
  return GST_PAD_PROBE_OK;
}

UpiContactSheet *
upi_contact_sheet_new (GstBin *bin, const gchar *name, guint count)
{
  UpiContactSheet *sheet = g_new0 (UpiContactSheet, 1);
  g_autoptr (GstElement) element = gst_bin_get_by_name (bin, name);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "src");

  g_mutex_init (&sheet->lock);
  sheet->pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) cairo_surface_destroy);
  sheet->count = count;
  sheet->step = 1;
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, sheet, NULL);
  return sheet;
}

void
upi_contact_sheet_free (UpiContactSheet *sheet)
{
  g_ptr_array_unref (sheet->pictures);
  g_mutex_clear (&sheet->lock);
  g_free (sheet);
}

gboolean
upi_contact_sheet_write (UpiContactSheet *sheet, const gchar *path, GError **error)
{
  g_mutex_lock (&sheet->lock);
  guint kept = sheet->pictures->len, count = MIN (kept, sheet->count), columns = MIN (count, COLUMNS);
  if (count == 0) {
    g_mutex_unlock (&sheet->lock);
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "no frame arrived");
    return FALSE;
  }
  cairo_surface_t *first = g_ptr_array_index (sheet->pictures, 0);
  gint width = cairo_image_surface_get_width (first), height = cairo_image_surface_get_height (first);
  cairo_surface_t *page =
      cairo_image_surface_create (CAIRO_FORMAT_RGB24, columns * width, (count + columns - 1) / columns * height);
  cairo_t *cr = cairo_create (page);
  for (guint i = 0; i < count; i++) {
    cairo_set_source_surface (
        cr, g_ptr_array_index (sheet->pictures, (gsize) i * kept / count), i % columns * width, i / columns * height);
    cairo_paint (cr);
  }
  cairo_status_t status = cairo_surface_write_to_png (page, path);
  cairo_destroy (cr);
  cairo_surface_destroy (page);
  g_mutex_unlock (&sheet->lock);
  if (status != CAIRO_STATUS_SUCCESS)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, cairo_status_to_string (status));
  return status == CAIRO_STATUS_SUCCESS;
}
