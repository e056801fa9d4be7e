/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.h: what upioverlay draws: from a frame's content to items with a place, from items to pixels. No GstElement here. */
#pragma once

#include <cairo.h>
#include <gst/video/video.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef enum { GST_UPI_COLOR_BY_LABEL, GST_UPI_COLOR_BY_OBJECT } GstUpiColorBy;

/**
 * GstUpiOverlayStyle:
 * @mask_opacity: 0..1
 * @line_width: pixels; 0 = from the frame's height
 * @font: (nullable): Pango font description; without a size in it, the size comes from the frame's height
 */
typedef struct {
  gboolean draw_boxes, draw_labels, draw_masks, draw_caption;
  gdouble mask_opacity;
  GstUpiColorBy color_by;
  guint line_width;
  gchar *font;
} GstUpiOverlayStyle;

/**
 * GstUpiOverlayItem: one thing to draw.
 * @area: where, in pixels; inside of the frame and not empty
 * The rest is for gst_upi_painter_draw().
 */
typedef struct {
  GstVideoRectangle area;
  GstVideoRectangle box;  /* of the object; may stick out of @area */
  UpiMask *mask;          /* (nullable) */
  cairo_surface_t *plate; /* (nullable): words */
  gint plate_x, plate_y;
  gint line_width; /* 0 = no box */
  gdouble opacity; /* of the mask */
  guint32 rgb;
} GstUpiOverlayItem;

typedef struct _GstUpiPainter GstUpiPainter;

GstUpiPainter *gst_upi_painter_new (void);
void gst_upi_painter_free (GstUpiPainter *painter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiPainter, gst_upi_painter_free)

/* Whether words can be drawn; FALSE where memory is too short for fonts. */
gboolean gst_upi_painter_has_fonts (GstUpiPainter *painter);

/* Whether a frame with this content would be changed at all. */
gboolean gst_upi_painter_has_work (const GstUpiContent *content, const GstUpiOverlayStyle *style);

/**
 * gst_upi_painter_layout: places everything that @style asks for, first to be drawn first.
 * @content: must live as long as the items
 * @one_an_object: TRUE: an object's box and mask are one item; FALSE: the box's four sides are items of their own, so that the empty
 *    inside of a box costs nothing
 * Returns: (transfer full) (element-type GstUpiOverlayItem)
 */
GArray *gst_upi_painter_layout (
    GstUpiPainter *painter, const GstUpiContent *content, const GstUpiOverlayStyle *style, gint width, gint height, gboolean one_an_object);

/* Draws one item; @cr has the frame's coordinates, @width and @height are the frame's. */
void gst_upi_painter_draw (const GstUpiOverlayItem *item, cairo_t *cr, gint width, gint height);

/* Draws one item alone: @pixels (item->area.h rows of item->area.w pixels, @stride bytes a row, a multiple of 4) becomes premultiplied
 * ARGB32, clear where there is nothing. */
void gst_upi_painter_render (const GstUpiOverlayItem *item, guint8 *pixels, gint stride, gint width, gint height);

/* Whether the item is a mask alone: one colour, item->rgb, of varying alpha. Then it may be had as alpha (item->area.h rows of
 * item->area.w bytes, @stride apart), which costs a fifth of the above. */
gboolean gst_upi_painter_is_tint (const GstUpiOverlayItem *item);
void gst_upi_painter_render_tint (const GstUpiOverlayItem *item, guint8 *alpha, gint stride, gint width, gint height);

G_END_DECLS
