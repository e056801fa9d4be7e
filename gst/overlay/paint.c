/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* paint.c: the pixels of an item; see draw.h. */
#include <string.h>

#include "gst/overlay/draw-private.h"
#include "gst/overlay/lines.h"
#include "gst/overlay/mask.h"

/* A frame of @t pixels along the inside of the rectangle, or all of it when there is no inside left. */
static void
fill_ring (cairo_t *cr, gint x, gint y, gint w, gint h, gint t)
{
  if (w <= 0 || h <= 0)
    return;
  if (w <= 2 * t || h <= 2 * t) {
    cairo_rectangle (cr, x, y, w, h);
  } else {
    cairo_rectangle (cr, x, y, w, t);
    cairo_rectangle (cr, x, y + h - t, w, t);
    cairo_rectangle (cr, x, y + t, t, h - 2 * t);
    cairo_rectangle (cr, x + w - t, y + t, t, h - 2 * t);
  }
  cairo_fill (cr);
}

static void
draw_box (const GstUpiOverlayItem *item, cairo_t *cr)
{
  GstVideoRectangle box = item->box;
  gint t = item->line_width;

  cairo_set_antialias (cr, CAIRO_ANTIALIAS_NONE); /* whole pixels: plain fills */
  cairo_set_source_rgba (cr, 0, 0, 0, GST_UPI_RIM_ALPHA);
  fill_ring (
      cr, box.x - GST_UPI_RIM, box.y - GST_UPI_RIM, box.w + 2 * GST_UPI_RIM, box.h + 2 * GST_UPI_RIM, GST_UPI_RIM);
  fill_ring (cr, box.x + t, box.y + t, box.w - 2 * t, box.h - 2 * t, GST_UPI_RIM);
  cairo_set_source_rgb (
      cr, ((item->rgb >> 16) & 0xff) / 255., ((item->rgb >> 8) & 0xff) / 255., (item->rgb & 0xff) / 255.);
  fill_ring (cr, box.x, box.y, box.w, box.h, t);
}

static void
draw_mask (const GstUpiOverlayItem *item, cairo_t *cr, gint width, gint height)
{
  GstVideoRectangle area = gst_upi_rectangle_intersect (item->box, item->area);
  if (gst_upi_rectangle_is_empty (area))
    return;
  cairo_surface_t *alpha = cairo_image_surface_create (CAIRO_FORMAT_A8, area.w, area.h);
  if (cairo_surface_status (alpha) == CAIRO_STATUS_SUCCESS) {
    cairo_surface_flush (alpha);
    gst_upi_mask_to_pixels (item->mask, area, width, height, 1, cairo_image_surface_get_data (alpha),
        cairo_image_surface_get_stride (alpha));
    cairo_surface_mark_dirty (alpha);
    cairo_set_source_rgba (cr, ((item->rgb >> 16) & 0xff) / 255., ((item->rgb >> 8) & 0xff) / 255.,
        (item->rgb & 0xff) / 255., item->opacity);
    cairo_mask_surface (cr, alpha, area.x, area.y);
  }
  cairo_surface_destroy (alpha);
}

void
gst_upi_painter_draw (const GstUpiOverlayItem *item, cairo_t *cr, gint width, gint height)
{
  cairo_save (cr);
  cairo_rectangle (cr, item->area.x, item->area.y, item->area.w, item->area.h);
  cairo_clip (cr);
  if (item->mask != NULL)
    draw_mask (item, cr, width, height);
  if (item->line_width > 0)
    draw_box (item, cr);
  if (item->line != NULL)
    gst_upi_lines_draw (item, cr);
  if (item->text != NULL) {
    cairo_set_source_surface (cr, item->text, item->text_x, item->text_y);
    cairo_paint (cr);
  }
  cairo_restore (cr);
}

gboolean
gst_upi_painter_is_tint (const GstUpiOverlayItem *item)
{
  return item->mask != NULL && item->line_width == 0 && item->text == NULL;
}

void
gst_upi_painter_render_tint (const GstUpiOverlayItem *item, guint8 *alpha, gint stride, gint width, gint height)
{
  gst_upi_mask_to_pixels (item->mask, item->area, width, height, item->opacity, alpha, stride);
}

void
gst_upi_painter_render (const GstUpiOverlayItem *item, guint8 *pixels, gint stride, gint width, gint height)
{
  for (gint y = 0; y < item->area.h; y++)
    memset (pixels + (gsize) y * stride, 0, (gsize) item->area.w * 4);
  cairo_surface_t *surface =
      cairo_image_surface_create_for_data (pixels, CAIRO_FORMAT_ARGB32, item->area.w, item->area.h, stride);
  cairo_t *cr = cairo_create (surface);
  cairo_translate (cr, -item->area.x, -item->area.y);
  gst_upi_painter_draw (item, cr, width, height);
  cairo_destroy (cr);
  cairo_surface_finish (surface);
  cairo_surface_destroy (surface);
}
