/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* items.c: see items.h. */
#include "gst/overlay/items.h"

#include "gst/overlay/blend-any.h"
#include "gst/overlay/blend.h"
#include "gst/overlay/draw.h"
#include "gst/overlay/lines.h"

/* The raw format that is Cairo's RGB24 on this machine. */
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define CAIRO_RGB24_FORMAT GST_VIDEO_FORMAT_BGRx
#else
#define CAIRO_RGB24_FORMAT GST_VIDEO_FORMAT_xRGB
#endif

static GstVideoOverlayComposition *
compose (const GArray *items, gint width, gint height, gboolean *complete)
{
  GstVideoOverlayComposition *composition = gst_video_overlay_composition_new (NULL);

  for (guint i = 0; i < items->len; i++) {
    const GstUpiOverlayItem *item = &g_array_index (items, GstUpiOverlayItem, i);
    gsize size = (gsize) item->area.w * item->area.h * 4;
    guint8 *pixels = g_try_malloc (size);
    if (pixels == NULL) {
      *complete = FALSE;
      continue;
    }
    gst_upi_painter_render (item, pixels, item->area.w * 4, width, height);

    GstBuffer *buffer = gst_buffer_new_wrapped (pixels, size);
    gst_buffer_add_video_meta (
        buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, item->area.w, item->area.h);
    GstVideoOverlayRectangle *rectangle = gst_video_overlay_rectangle_new_raw (buffer, item->area.x, item->area.y,
        item->area.w, item->area.h, GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
    gst_buffer_unref (buffer);
    gst_video_overlay_composition_add_rectangle (composition, rectangle);
    gst_video_overlay_rectangle_unref (rectangle);
  }
  return composition;
}

gboolean
gst_upi_items_attach (const GArray *items, GstBuffer *buffer, gint width, gint height)
{
  gboolean complete = TRUE;
  GstVideoOverlayComposition *ours = compose (items, width, height, &complete);
  GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta (buffer);

  if (meta == NULL) {
    gst_buffer_add_video_overlay_composition_meta (buffer, ours);
  } else {
    GstVideoOverlayComposition *both = gst_video_overlay_composition_copy (meta->overlay);
    for (guint i = 0; i < gst_video_overlay_composition_n_rectangles (ours); i++)
      gst_video_overlay_composition_add_rectangle (both, gst_video_overlay_composition_get_rectangle (ours, i));
    gst_video_overlay_composition_unref (meta->overlay);
    meta->overlay = both;
  }
  gst_video_overlay_composition_unref (ours);
  return complete;
}

/* FALSE: Cairo does not take rows at such addresses. */
static gboolean
draw_into_rgb24 (GstVideoFrame *frame, const GArray *items)
{
  gint width = GST_VIDEO_FRAME_WIDTH (frame), height = GST_VIDEO_FRAME_HEIGHT (frame);
  guint8 *data = GST_VIDEO_FRAME_PLANE_DATA (frame, 0);

  if ((guintptr) data % 4 != 0)
    return FALSE;
  cairo_surface_t *surface = cairo_image_surface_create_for_data (
      data, CAIRO_FORMAT_RGB24, width, height, GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0));
  gboolean ok = cairo_surface_status (surface) == CAIRO_STATUS_SUCCESS;
  if (ok) {
    cairo_t *cr = cairo_create (surface);
    for (guint i = 0; i < items->len; i++) {
      const GstUpiOverlayItem *item = &g_array_index (items, GstUpiOverlayItem, i);
      if (item->line != NULL) {
        cairo_surface_flush (surface);
        gst_upi_lines_fill (item, frame);
        cairo_surface_mark_dirty (surface);
      } else {
        gst_upi_painter_draw (item, cr, width, height);
      }
    }
    cairo_destroy (cr);
    cairo_surface_finish (surface);
  }
  cairo_surface_destroy (surface);
  return ok;
}

static gboolean
reserve (GstUpiScratch *scratch, gsize size)
{
  if (scratch->size < size) {
    g_free (scratch->data);
    scratch->data = g_try_malloc (size);
    scratch->size = scratch->data != NULL ? size : 0;
  }
  return scratch->data != NULL;
}

static gboolean
blend_items (GstVideoFrame *frame, const GArray *items, GstUpiScratch *scratch)
{
  gboolean complete = TRUE;
  gboolean knows = gst_upi_blend_knows (GST_VIDEO_FRAME_FORMAT (frame));
  gint width = GST_VIDEO_FRAME_WIDTH (frame), height = GST_VIDEO_FRAME_HEIGHT (frame);

  for (guint i = 0; i < items->len; i++) {
    const GstUpiOverlayItem *item = &g_array_index (items, GstUpiOverlayItem, i);
    gint stride = item->area.w * 4;
    if (knows && item->line != NULL) {
      gst_upi_lines_fill (item, frame);
      continue;
    }
    if (knows && item->text != NULL) { /* as it is */
      gst_upi_blend (frame, cairo_image_surface_get_data (item->text), cairo_image_surface_get_stride (item->text),
          cairo_image_surface_get_width (item->text), cairo_image_surface_get_height (item->text), item->text_x,
          item->text_y);
      continue;
    }
    if (!reserve (scratch, MAX ((gsize) stride * item->area.h, 1))) {
      complete = FALSE;
      continue;
    }
    if (knows && gst_upi_painter_is_tint (item)) {
      gst_upi_painter_render_tint (item, scratch->data, item->area.w, width, height);
      complete &= gst_upi_blend_tint (
          frame, item->rgb, scratch->data, item->area.w, item->area.w, item->area.h, item->area.x, item->area.y);
      continue;
    }
    gst_upi_painter_render (item, scratch->data, stride, width, height);
    if (knows)
      gst_upi_blend (frame, scratch->data, stride, item->area.w, item->area.h, item->area.x, item->area.y);
    else
      complete &=
          gst_upi_blend_any (frame, scratch->data, stride, item->area.w, item->area.h, item->area.x, item->area.y);
  }
  return complete;
}

gboolean
gst_upi_items_paint (const GArray *items, GstVideoFrame *frame, GstUpiScratch *scratch)
{
  if (GST_VIDEO_FRAME_FORMAT (frame) == CAIRO_RGB24_FORMAT && draw_into_rgb24 (frame, items))
    return TRUE;
  return blend_items (frame, items, scratch);
}
