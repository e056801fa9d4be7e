/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* style.h: what upioverlay is asked to draw, and its properties for that. */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

typedef enum { GST_UPI_COLOR_BY_LABEL, GST_UPI_COLOR_BY_OBJECT, GST_UPI_COLOR_BY_TRACK } GstUpiColorBy;

#define GST_TYPE_UPI_COLOR_BY (gst_upi_color_by_get_type ())
GType gst_upi_color_by_get_type (void);

/**
 * GstUpiOverlayStyle:
 * @mask_opacity: 0..1
 * @line_width: pixels; 0 = from the frame's height
 * @font: (nullable): Pango font description; without a size in it, the size comes from the frame's height
 * @blur_list: (nullable): the property as it was set
 * @blur_labels: (nullable) (element-type utf8): the same, for gst_upi_blur_frame(); immutable
 */
typedef struct {
  gboolean draw_boxes, draw_labels, draw_masks, draw_caption, draw_classes, draw_ids, draw_trails, draw_rules;
  gdouble mask_opacity;
  GstUpiColorBy color_by;
  guint line_width;
  gchar *font;
  gchar *blur_list;
  GHashTable *blur_labels;
} GstUpiOverlayStyle;

void gst_upi_overlay_style_init (GstUpiOverlayStyle *style);
void gst_upi_overlay_style_clear (GstUpiOverlayStyle *style);
/* An own copy, so that properties may change while a frame is drawn. */
GstUpiOverlayStyle gst_upi_overlay_style_copy (const GstUpiOverlayStyle *style);

/* Properties 1 to GST_UPI_OVERLAY_STYLE_PROPERTIES of a class. */
#define GST_UPI_OVERLAY_STYLE_PROPERTIES 13
void gst_upi_overlay_style_install (GObjectClass *object_class);
/* Returns: FALSE: there is no such property. The caller holds a lock on @style. */
gboolean gst_upi_overlay_style_set (GstUpiOverlayStyle *style, guint id, const GValue *value);
gboolean gst_upi_overlay_style_get (const GstUpiOverlayStyle *style, guint id, GValue *value);

G_END_DECLS
