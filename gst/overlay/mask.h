/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mask.h: from a network's coarse instance mask to the frame's pixels, with smooth edges. */
#pragma once

#include <gst/video/video.h>

#include "core/upi.h"

G_BEGIN_DECLS

/**
 * gst_upi_mask_to_pixels: samples @mask at the centres of the pixels of @area, bilinear, and cuts it at probability 1/2
 * with an edge about two pixels wide. Outside of the mask's grid there is nothing.
 * @width, @height: the frame's size; @mask lies in 0..1 of it
 * @opacity: 0..1, of the inside
 * @alpha: area.h rows of area.w bytes, @stride bytes apart: 0..255 · @opacity
 */
void gst_upi_mask_to_pixels (
    const UpiMask *mask, GstVideoRectangle area, gint width, gint height, gdouble opacity, guint8 *alpha, gint stride);

G_END_DECLS
