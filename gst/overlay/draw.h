/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.h: what upioverlay draws: from a frame's content to items with a place, from items to pixels. No GstElement
 * here. */
#pragma once

#include <cairo.h>
#include <gst/video/video.h>

#include "gst/meta/gstupimeta.h"
#include "gst/overlay/style.h"

G_BEGIN_DECLS

/**
 * GstUpiOverlayItem: one thing to draw.
 * @area: where, in pixels; inside of the frame and not empty
 * The rest is for gst_upi_painter_draw().
 */
typedef struct _GstUpiLine GstUpiLine;
typedef struct {
  GstVideoRectangle area;
  GstVideoRectangle box; /* of the object; may stick out of @area */
  UpiMask *mask;         /* (nullable) */
  cairo_surface_t *text; /* (nullable): words */
  gint text_x, text_y;
  GstUpiLine *line; /* (nullable): of lines.c; a counted box of its own */
  gint line_width;  /* 0 = no box */
  gdouble opacity;  /* of the mask */
  guint32 rgb;
} GstUpiOverlayItem;

typedef struct _GstUpiPainter GstUpiPainter;

GstUpiPainter *gst_upi_painter_new (void);
void gst_upi_painter_free (GstUpiPainter *painter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiPainter, gst_upi_painter_free)

/* Whether words can be drawn; FALSE where memory is too short for fonts. */
gboolean gst_upi_painter_has_fonts (GstUpiPainter *painter);

/* Every frame, before it is drawn, while trails are drawn: where its objects are. @now: its running time */
void gst_upi_painter_follow (GstUpiPainter *painter, const GstUpiContent *content, GstClockTime now);
/* The stream's state ends, or nobody wants trails. */
void gst_upi_painter_forget (GstUpiPainter *painter);

/* Whether a frame with this content would be changed at all. */
gboolean gst_upi_painter_has_work (const GstUpiContent *content, const GstUpiOverlayStyle *style);

/**
 * GstUpiLayout: what the items are for.
 * @GST_UPI_LAYOUT_PIXELS: a frame of a format that gst_upi_blend() knows: a box's four sides are items of their own, so
 * that its empty inside costs
 *   nothing; a line is one item, which gst_upi_lines_fill() draws
 * @GST_UPI_LAYOUT_ROWS: a frame whose rows are unpacked and packed: few rows, how wide does not matter
 * @GST_UPI_LAYOUT_PICTURES: each item is a picture that a sink draws: few and small
 */
typedef enum { GST_UPI_LAYOUT_PIXELS, GST_UPI_LAYOUT_ROWS, GST_UPI_LAYOUT_PICTURES } GstUpiLayout;

/**
 * gst_upi_painter_layout: places everything that @style asks for, first to be drawn first.
 * @content: must live as long as the items
 * Returns: (transfer full) (element-type GstUpiOverlayItem)
 */
GArray *gst_upi_painter_layout (GstUpiPainter *painter, const GstUpiContent *content, const GstUpiOverlayStyle *style,
    gint width, gint height, GstUpiLayout layout);

/* Draws one item; @cr has the frame's coordinates, @width and @height are the frame's. */
void gst_upi_painter_draw (const GstUpiOverlayItem *item, cairo_t *cr, gint width, gint height);

/* Draws one item alone: @pixels (item->area.h rows of item->area.w pixels, @stride bytes a row, a multiple of 4)
 * becomes premultiplied ARGB32, clear where there is nothing. */
void gst_upi_painter_render (const GstUpiOverlayItem *item, guint8 *pixels, gint stride, gint width, gint height);

/* Whether the item is a mask alone: one colour, item->rgb, of varying alpha. Then it may be had as alpha (item->area.h
 * rows of item->area.w bytes, @stride apart), which costs a fifth of the above. */
gboolean gst_upi_painter_is_tint (const GstUpiOverlayItem *item);
void gst_upi_painter_render_tint (const GstUpiOverlayItem *item, guint8 *alpha, gint stride, gint width, gint height);

G_END_DECLS
