/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blend-any.h: what gst_upi_blend() does, for every raw format: slower, since whole rows of the frame are unpacked and
 * packed. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/**
 * gst_upi_blend_any: paints a picture over @frame, clipped to it, in the frame's own colour matrix and range.
 * @frame: mapped for reading and writing, of any format that GStreamer can unpack and pack
 * @argb: rows of 0xAARRGGBB, premultiplied, in the machine's byte order (as Cairo's ARGB32)
 * @stride: bytes a row of @argb
 * @x, @y: where its top-left corner lies in the frame
 *
 * Of formats with alpha the frame's own alpha becomes a + alpha · (1 − a), its colours stay straight (not
 * premultiplied).
 */
gboolean
gst_upi_blend_any (GstVideoFrame *frame, const guint8 *argb, gint stride, gint width, gint height, gint x, gint y);

G_END_DECLS
