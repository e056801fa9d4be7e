/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* items.h: what gst_upi_painter_layout() placed goes onto a frame: into its pixels, or attached for a sink to draw. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Zero-initialise it; g_free() its data. */
typedef struct {
  guint8 *data;
  gsize size;
} GstUpiScratch;

/**
 * gst_upi_items_paint: draws into the pixels: Cairo itself into what is its own format, otherwise each item is rendered
 * and blended.
 * @items: (element-type GstUpiOverlayItem)
 * @frame: mapped for reading and writing, of any raw format
 * @scratch: grows to the pixels of the largest item; kept from frame to frame
 *
 * Returns: FALSE: memory was short for an item, which is not on the frame
 */
gboolean gst_upi_items_paint (const GArray *items, GstVideoFrame *frame, GstUpiScratch *scratch);

/**
 * gst_upi_items_attach: adds one rectangle an item to the buffer's GstVideoOverlayCompositionMeta, over what an element
 * before has attached.
 * @items: (element-type GstUpiOverlayItem)
 * @buffer: writable
 * @width, @height: of the frame
 *
 * Returns: the same
 */
gboolean gst_upi_items_attach (const GArray *items, GstBuffer *buffer, gint width, gint height);

G_END_DECLS
