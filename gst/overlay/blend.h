/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blend.h: a small premultiplied picture over a frame of any common 8-bit format, at the cost of its own area only. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Whether gst_upi_blend() knows the format: 8 bits a component, each at an address of its own, no alpha, not tiled. */
gboolean gst_upi_blend_knows (GstVideoFormat format);

/* Whether components @c and @c + 1 are all there is in their plane: the two of semi-planar chroma. */
gboolean gst_upi_blend_takes_turns (const GstVideoFrame *frame, guint c);

/**
 * gst_upi_blend: paints a picture over @frame, clipped to it, in the frame's own colour matrix and range.
 * @frame: mapped for reading and writing; its format is one that gst_upi_blend_knows()
 * @argb: rows of 0xAARRGGBB, premultiplied, in the machine's byte order (as Cairo's ARGB32)
 * @stride: bytes a row of @argb
 * @x, @y: where its top-left corner lies in the frame
 */
void gst_upi_blend (GstVideoFrame *frame, const guint8 *argb, gint stride, gint width, gint height, gint x, gint y);

/* The same for one colour, @rgb (0xRRGGBB), of varying alpha: @alpha has @height rows of @width bytes, @stride
 * apart. */
gboolean gst_upi_blend_tint (
    GstVideoFrame *frame, guint32 rgb, const guint8 *alpha, gint stride, gint width, gint height, gint x, gint y);

/* Opaque rectangles of one colour, @rgb (0xRRGGBB), each clipped to @frame; a block of chroma that one touches is its
 * own. */
void gst_upi_blend_fill (GstVideoFrame *frame, guint32 rgb, const GstVideoRectangle *rectangles, guint n);

/* Component i of a pixel in 0..1 is m[i][0] · R + m[i][1] · G + m[i][2] · B + m[i][3], in @info's colour matrix and
 * range; 1 is the largest value that @levels (of one depth for all components) can hold. */
void gst_upi_blend_matrix (const GstVideoInfo *info, const GstVideoFormatInfo *levels, gdouble m[3][4]);

G_END_DECLS
