/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.h: lines over the frame: trails of objects, zones and lines of upirules. Each is drawn where it is, never as
 * one picture of all that it goes around. */
#pragma once

#include "gst/overlay/draw.h"

G_BEGIN_DECLS

/**
 * gst_upi_lines_add: items that together show one line from point to point.
 * @items: (element-type GstUpiOverlayItem)
 * @points: in 0..1 of the frame; numbers that are none and what lies far outside end the line
 * @closed: from the last point back to the first
 */
void gst_upi_lines_add (GArray *items, const GstUpiPoint *points, guint n_points, gboolean closed, gint line_width,
    guint32 rgb, gint width, gint height, GstUpiLayout layout);

/* What of @item's line lies in its area. */
void gst_upi_lines_draw (const GstUpiOverlayItem *item, cairo_t *cr);
/* All of @item's line, by plain stores, a fifth of the time. @frame: mapped for writing; its format is one that
 * gst_upi_blend_knows() */
void gst_upi_lines_fill (const GstUpiOverlayItem *item, GstVideoFrame *frame);

/* A zone's or line's shape and the arrow that says which way is forward. */
void gst_upi_lines_add_rule (
    GArray *items, const GstUpiRule *rule, gint line_width, gint width, gint height, GstUpiLayout layout);
/* What is written of a rule: its name and how it stands. */
gchar *gst_upi_lines_rule_text (const GstUpiRule *rule);

G_END_DECLS
