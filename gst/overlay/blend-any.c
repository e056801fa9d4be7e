/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blend-any.c: see blend-any.h.
 *
 * Why not gst_video_overlay_composition_blend(), which takes all of these formats: it knows BT.709 in video range
 * alone, so colours drift on SD and BT.2020 frames and on grey of more than 8 bits; and it takes the two bits of alpha
 * of RGB10A2 for less than opaque.
 */
#include "gst/overlay/blend-any.h"

#include "gst/overlay/blend.h"

#include <string.h>

#define COLUMNS 8 /* a part of a row begins at a multiple of so many */

typedef gfloat Pixel __attribute__ ((vector_size (16))); /* [A, c0, c1, c2] */

/* What a row's pixels need; values are 0..@most. */
typedef struct {
  Pixel r, g, b, a; /* columns of the matrix */
  gfloat most;
  guint alpha_bits; /* 0: the frame is opaque */
  gboolean is_rgb;
} Pixels;

/* One pixel, colours straight; @bits are those of a component. May end outside of 0..@most. */
static inline Pixel
over (Pixel dest, guint32 argb, const Pixels *p, guint bits)
{
  gfloat a = (gfloat) (gint) (argb >> 24) / 255.f, r = (gfloat) (gint) ((argb >> 16) & 0xff),
         g = (gfloat) (gint) ((argb >> 8) & 0xff), b = (gfloat) (gint) (argb & 0xff);
  gfloat beneath = 1 - a, scale = 1; /* what is left of the frame, times its own alpha */
  gfloat alpha = p->most;

  if (p->alpha_bits > 0) { /* formats of less alpha than @bits leave the lower ones zero */
    guint own = (guint) dest[0] >> (bits - p->alpha_bits), full = (1u << p->alpha_bits) - 1;
    if (own < full) {
      beneath *= (gfloat) own / (gfloat) full;
      scale = 1 / MAX (a + beneath, 1e-6f);
      alpha = (a + beneath) * p->most;
    }
  }
  dest = (dest * beneath + p->r * r + p->g * g + p->b * b + p->a * a) * scale;
  dest[0] = alpha;
  return dest;
}

static void
blend_row_8 (guint8 *dest, const guint32 *argb, gint n, const Pixels *p)
{
  for (gint i = 0; i < n; i++, dest += 4) {
    if (argb[i] == 0)
      continue;
    if (p->is_rgb && dest[0] == 255) { /* BGRA that is opaque, as most is: a third of the time */
      guint beneath = 255 - (argb[i] >> 24);
      for (gint c = 1; c < 4; c++) {
        guint value = ((dest[c] * beneath + 127) * 257 >> 16) + ((argb[i] >> (24 - 8 * c)) & 0xff);
        dest[c] = (guint8) MIN (value, 255);
      }
      continue;
    }
    Pixel pixel = over ((Pixel){ dest[0], dest[1], dest[2], dest[3] }, argb[i], p, 8) + 0.5f;
    for (gint c = 0; c < 4; c++)
      dest[c] = (guint8) CLAMP ((gint) pixel[c], 0, 255);
  }
}

static void
blend_row_16 (guint16 *dest, const guint32 *argb, gint n, const Pixels *p)
{
  for (gint i = 0; i < n; i++, dest += 4) {
    if (argb[i] == 0)
      continue;
    Pixel pixel = over ((Pixel){ dest[0], dest[1], dest[2], dest[3] }, argb[i], p, 16) + 0.5f;
    for (gint c = 0; c < 4; c++)
      dest[c] = (guint16) CLAMP ((gint) pixel[c], 0, 65535);
  }
}

/* Packing takes the chroma of one pixel of a block; a line of one pixel beside it would lose its colour. So each pixel
 * of the blocks [first, end) gets the block's mean. @lines has @rows rows of @width pixels. */
#define MEAN_CHROMA(name, type)                                                                                        \
  static void name (type *lines, gint rows, gint width, gint block, gint first, gint end)                              \
  {                                                                                                                    \
    for (gint x0 = first / block * block; x0 < end; x0 += block) {                                                     \
      gint x1 = MIN (x0 + block, width);                                                                               \
      guint count = (guint) (rows * (x1 - x0)), u = count / 2, v = count / 2;                                          \
      for (gint row = 0; row < rows; row++)                                                                            \
        for (type *p = lines + ((gsize) row * width + x0) * 4, *stop = p + (x1 - x0) * 4; p < stop; p += 4)            \
          u += p[2], v += p[3];                                                                                        \
      u /= count, v /= count;                                                                                          \
      for (gint row = 0; row < rows; row++)                                                                            \
        for (type *p = lines + ((gsize) row * width + x0) * 4, *stop = p + (x1 - x0) * 4; p < stop; p += 4)            \
          p[2] = (type) u, p[3] = (type) v;                                                                            \
    }                                                                                                                  \
  }
MEAN_CHROMA (mean_chroma_8, guint8)
MEAN_CHROMA (mean_chroma_16, guint16)

/* The planes of @frame from column @x on, which begins a block: rows are read and written from there. Returns: @x; 0
 * where a column has no address of its own in this format, and rows are whole */
static gint
planes_from (const GstVideoFrame *frame, gint x, gpointer planes[GST_VIDEO_MAX_PLANES])
{
  const GstVideoFormatInfo *format = frame->info.finfo;

  if ((format->flags & (GST_VIDEO_FORMAT_FLAG_COMPLEX | GST_VIDEO_FORMAT_FLAG_TILED)) != 0)
    x = 0;
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); c++)
    if (GST_VIDEO_FORMAT_INFO_PSTRIDE (format, c) <= 0)
      x = 0;
  memcpy (planes, frame->data, sizeof frame->data);
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format) && x > 0; c++) {
    const guint plane = GST_VIDEO_FORMAT_INFO_PLANE (format, c);

    planes[plane] = (guint8 *) frame->data[plane]
        + (gsize) (x >> GST_VIDEO_FORMAT_INFO_W_SUB (format, c)) * GST_VIDEO_FORMAT_INFO_PSTRIDE (format, c);
  }
  return x;
}

gboolean
gst_upi_blend_any (GstVideoFrame *frame, const guint8 *argb, gint stride, gint width, gint height, gint x, gint y)
{
  const GstVideoFormatInfo *format = frame->info.finfo, *unpacked = gst_video_format_get_info (format->unpack_format);
  gint frame_width = GST_VIDEO_FRAME_WIDTH (frame), frame_height = GST_VIDEO_FRAME_HEIGHT (frame);
  gint x0 = MAX (x, 0), y0 = MAX (y, 0), x1 = MIN (x + width, frame_width), y1 = MIN (y + height, frame_height);
  gboolean interlaced = GST_VIDEO_FRAME_IS_INTERLACED (frame), wide = GST_VIDEO_FORMAT_INFO_BITS (unpacked) == 16;
  GstVideoPackFlags flags = interlaced ? GST_VIDEO_PACK_FLAG_INTERLACED : GST_VIDEO_PACK_FLAG_NONE;
  Pixels pixels = { .most = wide ? 65535 : 255, .is_rgb = GST_VIDEO_INFO_IS_RGB (&frame->info) };
  gint block = 1,
       group = 1; /* pixels and rows that share chroma; the rows of a field are not neighbours, they stay apart */
  gdouble matrix[3][4];

  if (x1 <= x0 || y1 <= y0)
    return TRUE;
  if (GST_VIDEO_FORMAT_INFO_HAS_ALPHA (format))
    pixels.alpha_bits = GST_VIDEO_FORMAT_INFO_DEPTH (format, GST_VIDEO_COMP_A);
  if (GST_VIDEO_INFO_IS_YUV (&frame->info)) {
    block = 1 << GST_VIDEO_FORMAT_INFO_W_SUB (format, GST_VIDEO_COMP_U);
    group = interlaced ? 1 : 1 << GST_VIDEO_FORMAT_INFO_H_SUB (format, GST_VIDEO_COMP_U);
  }
  gst_upi_blend_matrix (&frame->info, unpacked, matrix);
  for (gint c = 0; c < 3; c++) {
    pixels.r[1 + c] = (gfloat) matrix[c][0] * pixels.most / 255;
    pixels.g[1 + c] = (gfloat) matrix[c][1] * pixels.most / 255;
    pixels.b[1 + c] = (gfloat) matrix[c][2] * pixels.most / 255;
    pixels.a[1 + c] = (gfloat) matrix[c][3] * pixels.most;
  }

  gpointer planes[GST_VIDEO_MAX_PLANES];
  gint from = planes_from (frame, x0 / COLUMNS * COLUMNS, planes); /* blocks are 1, 2 or 4 wide */
  gint length = from > 0 ? MIN ((x1 + block - 1) / block * block, frame_width) - from : frame_width;
  gsize pixel_bytes = wide ? 8 : 4, line_bytes = (gsize) length * pixel_bytes;
  g_autofree guint8 *lines =
      g_try_malloc (line_bytes * (gsize) group + 64 * pixel_bytes); /* room for formats that unpack whole tiles */
  if (lines == NULL)
    return FALSE;
  for (gint top = y0 / group * group; top < y1; top += group) {
    gint rows = MIN (group, frame_height - top), n = x1 - x0;
    gboolean empty = TRUE;

    for (gint row = MAX (top, y0); row < MIN (top + rows, y1) && empty; row++) {
      const guint32 *picture = (const guint32 *) (argb + (gsize) (row - y) * stride) + (x0 - x);
      for (gint i = 0; i < n && empty; i++)
        empty = picture[i] == 0;
    }
    if (empty)
      continue;
    for (gint i = 0; i < rows; i++)
      format->unpack_func (
          format, flags, lines + (gsize) i * line_bytes, planes, frame->info.stride, 0, top + i, length);
    for (gint row = MAX (top, y0); row < MIN (top + rows, y1); row++) {
      const guint32 *picture = (const guint32 *) (argb + (gsize) (row - y) * stride) + (x0 - x);
      guint8 *dest = lines + (gsize) (row - top) * line_bytes + (gsize) (x0 - from) * pixel_bytes;
      if (wide)
        blend_row_16 ((guint16 *) (void *) dest, picture, n, &pixels);
      else
        blend_row_8 (dest, picture, n, &pixels);
    }
    if (block * rows > 1 && wide)
      mean_chroma_16 ((guint16 *) (void *) lines, rows, length, block, x0 - from, x1 - from);
    else if (block * rows > 1)
      mean_chroma_8 (lines, rows, length, block, x0 - from, x1 - from);
    for (gint i = 0; i < rows; i++)
      format->pack_func (format, flags, lines + (gsize) i * line_bytes, (gint) line_bytes, planes, frame->info.stride,
          frame->info.chroma_site, top + i, length);
  }
  return TRUE;
}
