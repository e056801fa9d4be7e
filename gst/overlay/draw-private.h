/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw-private.h: what the layout of items (draw.c) and their pixels (paint.c) share. */
#pragma once

#include "gst/overlay/draw.h"

G_BEGIN_DECLS

#define GST_UPI_RIM 1 /* pixels of dark beside a line */
#define GST_UPI_RIM_ALPHA 0.6
static inline GstVideoRectangle
gst_upi_rectangle_intersect (GstVideoRectangle a, GstVideoRectangle b)
{
  gint x0 = MAX (a.x, b.x), y0 = MAX (a.y, b.y);
  gint x1 = MIN (a.x + a.w, b.x + b.w), y1 = MIN (a.y + a.h, b.y + b.h);
  return (GstVideoRectangle){ x0, y0, MAX (x1 - x0, 0), MAX (y1 - y0, 0) };
}

static inline gboolean
gst_upi_rectangle_is_empty (GstVideoRectangle area)
{
  return area.w <= 0 || area.h <= 0;
}

G_END_DECLS
