/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blend.c: see blend.h.
 *
 * gst_video_overlay_composition_blend() unpacks and packs whole rows of the frame for every row of a rectangle: 2.4 ms
 * for one of 100 × 1000 pixels on 1080p I420, where there may be a hundred. This one touches the rectangle's pixels
 * alone.
 *
 * Component k of a pixel is  offset[k] + (m[k] · RGB)  (offset 0 and a unit row for RGB formats), so for premultiplied
 * RGB and alpha a:
 *   dest = dest · (1 − a) + offset[k] · a + m[k] · RGB
 * Components that are subsampled take the mean of RGB and a over the block's pixels inside of the picture and the
 * frame.
 */
#include "gst/overlay/blend.h"

#include <string.h>

gboolean
gst_upi_blend_knows (GstVideoFormat format)
{
  switch (format) {
  case GST_VIDEO_FORMAT_I420:
  case GST_VIDEO_FORMAT_YV12:
  case GST_VIDEO_FORMAT_NV12:
  case GST_VIDEO_FORMAT_NV21:
  case GST_VIDEO_FORMAT_NV16:
  case GST_VIDEO_FORMAT_NV61:
  case GST_VIDEO_FORMAT_NV24:
  case GST_VIDEO_FORMAT_Y42B:
  case GST_VIDEO_FORMAT_Y444:
  case GST_VIDEO_FORMAT_Y41B:
  case GST_VIDEO_FORMAT_YUY2:
  case GST_VIDEO_FORMAT_UYVY:
  case GST_VIDEO_FORMAT_YVYU:
  case GST_VIDEO_FORMAT_v308:
  case GST_VIDEO_FORMAT_IYU2:
  case GST_VIDEO_FORMAT_RGB:
  case GST_VIDEO_FORMAT_BGR:
  case GST_VIDEO_FORMAT_RGBx:
  case GST_VIDEO_FORMAT_BGRx:
  case GST_VIDEO_FORMAT_xRGB:
  case GST_VIDEO_FORMAT_xBGR:
  case GST_VIDEO_FORMAT_GBR:
  case GST_VIDEO_FORMAT_RGBP:
  case GST_VIDEO_FORMAT_BGRP:
  case GST_VIDEO_FORMAT_GRAY8:
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean
gst_upi_blend_takes_turns (const GstVideoFrame *frame, guint c)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  const guint8 *a = GST_VIDEO_FRAME_COMP_DATA (frame, c), *b = GST_VIDEO_FRAME_COMP_DATA (frame, c + 1);

  return GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c) == 2 && GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c + 1) == 2
      && GST_VIDEO_FORMAT_INFO_PLANE (format, c) == GST_VIDEO_FORMAT_INFO_PLANE (format, c + 1)
      && GST_VIDEO_FORMAT_INFO_W_SUB (format, c) == GST_VIDEO_FORMAT_INFO_W_SUB (format, c + 1)
      && (a + 1 == b || b + 1 == a);
}

/* One component: 16.16 fixed point. Rounding and the offset's share of full alpha are in @offset (times alpha /
 * 255). */
typedef struct {
  gint r, g, b;
  gint offset; /* 0..255 */
} Row;

static gint
fixed (gdouble value)
{
  return (gint) (value * 65536 + (value < 0 ? -0.5 : 0.5));
}

void
gst_upi_blend_matrix (const GstVideoInfo *info, const GstVideoFormatInfo *levels, gdouble m[3][4])
{
  memset (m, 0, sizeof (gdouble[3][4]));
  if (GST_VIDEO_INFO_IS_RGB (info)) {
    m[0][0] = m[1][1] = m[2][2] = 1;
    return;
  }

  gdouble kr, kb;
  if (!gst_video_color_matrix_get_Kr_Kb (info->colorimetry.matrix, &kr, &kb))
    gst_video_color_matrix_get_Kr_Kb (GST_VIDEO_COLOR_MATRIX_BT601, &kr, &kb);
  gint offset[GST_VIDEO_MAX_COMPONENTS], scale[GST_VIDEO_MAX_COMPONENTS];
  gst_video_color_range_offsets (info->colorimetry.range, levels, offset, scale);
  gdouble most = (1 << GST_VIDEO_FORMAT_INFO_DEPTH (levels, 0)) - 1;
  gdouble kg = 1 - kr - kb, y = scale[0] / most, u = scale[1] / most, v = scale[2] / most;
  const gdouble luma[4] = { kr * y, kg * y, kb * y, offset[0] / most };
  const gdouble blue[4] = { -kr / (2 * (1 - kb)) * u, -kg / (2 * (1 - kb)) * u, u / 2, offset[1] / most };
  const gdouble red[4] = { v / 2, -kg / (2 * (1 - kr)) * v, -kb / (2 * (1 - kr)) * v, offset[2] / most };
  memcpy (m[0], luma, sizeof luma);
  if (GST_VIDEO_INFO_IS_GRAY (info))
    return;
  memcpy (m[1], blue, sizeof blue);
  memcpy (m[2], red, sizeof red);
}

/* The same in fixed point. */
static void
matrix_for (const GstVideoInfo *info, Row rows[3])
{
  gdouble m[3][4];

  gst_upi_blend_matrix (info, gst_video_format_get_info (GST_VIDEO_FORMAT_AYUV), m);
  for (gint i = 0; i < 3; i++)
    rows[i] = (Row){ fixed (m[i][0]), fixed (m[i][1]), fixed (m[i][2]), (gint) (m[i][3] * 255 + 0.5) };
}

static inline guint8
over (guint8 dest, gint r, gint g, gint b, gint a, const Row *row)
{
  gint value = (dest * (255 - a) + row->offset * a + 127) * 257; /* / 255 in 16.16 */
  value = (value + row->r * r + row->g * g + row->b * b + 128) >> 16;
  return (guint8) CLAMP (value, 0, 255);
}

/* A component of full resolution: @n pixels of one row, @step bytes apart. */
static void
blend_row (guint8 *restrict dest, gint step, const guint32 *restrict argb, gint n, Row row)
{
  for (gint i = 0; i < n; i++) {
    guint32 p = argb[i];
    if (p != 0)
      dest[i * step] = over (dest[i * step], (p >> 16) & 0xff, (p >> 8) & 0xff, p & 0xff, p >> 24, &row);
  }
}

/* A subsampled component: blocks of (1 << w_sub) × (1 << h_sub) frame pixels; pixels of a block outside of the picture
 * count as clear, pixels outside of the frame do not count. */
static void
blend_blocks (guint8 *dest, gint dest_stride, gint step, guint w_sub, guint h_sub, const guint8 *argb, gint stride,
    GstVideoRectangle area, gint frame_width, gint frame_height, Row row)
{
  gint block_width = 1 << w_sub, block_height = 1 << h_sub;
  gint first_x = area.x >> w_sub, last_x = (area.x + area.w - 1) >> w_sub;
  gint first_y = area.y >> h_sub, last_y = (area.y + area.h - 1) >> h_sub;

  for (gint by = first_y; by <= last_y; by++) {
    gint y0 = MAX (by * block_height, area.y), y1 = MIN ((by + 1) * block_height, area.y + area.h);
    gint rows = MIN ((by + 1) * block_height, frame_height) - by * block_height;
    guint8 *out = dest + (gsize) by * dest_stride;
    for (gint bx = first_x; bx <= last_x; bx++) {
      gint x0 = MAX (bx * block_width, area.x), x1 = MIN ((bx + 1) * block_width, area.x + area.w);
      gint r = 0, g = 0, b = 0, a = 0;
      for (gint y = y0; y < y1; y++) {
        const guint32 *line = (const guint32 *) (argb + (gsize) (y - area.y) * stride);
        for (gint x = x0; x < x1; x++) {
          guint32 p = line[x - area.x];
          r += (p >> 16) & 0xff;
          g += (p >> 8) & 0xff;
          b += p & 0xff;
          a += p >> 24;
        }
      }
      if (a == 0)
        continue;
      gint count = rows * (MIN ((bx + 1) * block_width, frame_width) - bx * block_width), half = count / 2;
      out[bx * step] =
          over (out[bx * step], (r + half) / count, (g + half) / count, (b + half) / count, (a + half) / count, &row);
    }
  }
}

void
gst_upi_blend (GstVideoFrame *frame, const guint8 *argb, gint stride, gint width, gint height, gint x, gint y)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  gint frame_width = GST_VIDEO_FRAME_WIDTH (frame), frame_height = GST_VIDEO_FRAME_HEIGHT (frame);
  gint x0 = MAX (x, 0), y0 = MAX (y, 0), x1 = MIN (x + width, frame_width), y1 = MIN (y + height, frame_height);
  Row rows[3];

  g_return_if_fail (gst_upi_blend_knows (GST_VIDEO_FRAME_FORMAT (frame)));
  if (x1 <= x0 || y1 <= y0)
    return;
  argb += (gsize) (y0 - y) * stride + (gsize) (x0 - x) * 4;
  matrix_for (&frame->info, rows);

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); c++) {
    guint8 *data = GST_VIDEO_FRAME_COMP_DATA (frame, c);
    gint data_stride = GST_VIDEO_FRAME_COMP_STRIDE (frame, c), step = GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c);
    guint w_sub = GST_VIDEO_FORMAT_INFO_W_SUB (format, c), h_sub = GST_VIDEO_FORMAT_INFO_H_SUB (format, c);
    if (w_sub == 0 && h_sub == 0) {
      for (gint row = y0; row < y1; row++)
        blend_row (data + (gsize) row * data_stride + (gsize) x0 * step, step,
            (const guint32 *) (argb + (gsize) (row - y0) * stride), x1 - x0, rows[c]);
    } else {
      blend_blocks (data, data_stride, step, w_sub, h_sub, argb, stride,
          (GstVideoRectangle){ x0, y0, x1 - x0, y1 - y0 }, frame_width, frame_height, rows[c]);
    }
  }
}

/* dest · (1 − alpha) + colour · alpha in 16 bits: t / 255 = (t + t / 256) / 256 for what two bytes can hold. */
static inline guint8
mix (guint8 dest, guint8 colour, guint8 alpha)
{
  guint16 t = (guint16) (dest * (255 - alpha) + colour * alpha + 128);
  return (guint8) ((guint16) (t + (t >> 8)) >> 8);
}

static void
tint_row (guint8 *restrict dest, gint step, const guint8 *restrict alpha, gint n, guint8 colour)
{
  gint i = 0;

  for (; step == 1 && i + 16 <= n; i += 16)
    for (gint j = 0; j < 16; j++) /* a fixed count: compilers make one vector of it */
      dest[i + j] = mix (dest[i + j], colour, alpha[i + j]);
  for (; i < n; i++)
    dest[i * step] = mix (dest[i * step], colour, alpha[i]);
}

/* Two components whose bytes take turns. */
static void
tint_pairs (guint8 *restrict dest, const guint8 *restrict alpha, gint n, guint8 even, guint8 odd)
{
  gint i = 0;

  for (; i + 16 <= n; i += 16) {
    guint8 *restrict to = dest + 2 * i;
    for (gint j = 0; j < 16; j++) {
      to[2 * j] = mix (to[2 * j], even, alpha[i + j]);
      to[2 * j + 1] = mix (to[2 * j + 1], odd, alpha[i + j]);
    }
  }
  for (; i < n; i++) {
    dest[2 * i] = mix (dest[2 * i], even, alpha[i]);
    dest[2 * i + 1] = mix (dest[2 * i + 1], odd, alpha[i]);
  }
}

/* Blocks of 2 × 2. */
static void
mean_of_four (guint8 *restrict mean, const guint8 *restrict upper, const guint8 *restrict lower, gint n)
{
  gint i = 0;

  for (; i + 16 <= n; i += 16) {
    const guint8 *restrict u = upper + 2 * i, *restrict l = lower + 2 * i;
    for (gint j = 0; j < 16; j++)
      mean[i + j] = (guint8) ((guint16) (u[2 * j] + u[2 * j + 1] + l[2 * j] + l[2 * j + 1] + 2) >> 2);
  }
  for (; i < n; i++)
    mean[i] = (guint8) ((upper[2 * i] + upper[2 * i + 1] + lower[2 * i] + lower[2 * i + 1] + 2) >> 2);
}

/* The mean alpha of each block of (1 << w_sub) × (1 << h_sub) frame pixels in block row @by; as in blend_blocks(). */
static void
mean_alpha (guint8 *restrict mean, gint by, guint w_sub, guint h_sub, const guint8 *restrict alpha, gint stride,
    GstVideoRectangle area, gint frame_width, gint frame_height)
{
  gint block_width = 1 << w_sub, block_height = 1 << h_sub;
  gint y0 = MAX (by * block_height, area.y), y1 = MIN ((by + 1) * block_height, area.y + area.h);
  gint rows = MIN ((by + 1) * block_height, frame_height) - by * block_height;
  gint first = area.x >> w_sub, last = (area.x + area.w - 1) >> w_sub;

  for (gint bx = first; bx <= last; bx++) {
    gint x0 = MAX (bx * block_width, area.x), x1 = MIN ((bx + 1) * block_width, area.x + area.w), sum = 0;
    const guint8 *top = alpha + (gsize) (y0 - area.y) * stride + (x0 - area.x);
    if (x1 - x0 == 2 && y1 - y0 == 2) { /* and so on, up to the last one that is whole */
      const gint n = (area.x + area.w - x0) / 2;
      mean_of_four (mean + (bx - first), top, top + stride, n);
      bx += n - 1;
      continue;
    }
    for (gint y = y0; y < y1; y++)
      for (gint x = x0; x < x1; x++)
        sum += alpha[(gsize) (y - area.y) * stride + (x - area.x)];
    gint count = rows * (MIN ((bx + 1) * block_width, frame_width) - bx * block_width);
    mean[bx - first] = (guint8) ((sum + count / 2) / count);
  }
}

gboolean
gst_upi_blend_tint (
    GstVideoFrame *frame, guint32 rgb, const guint8 *alpha, gint stride, gint width, gint height, gint x, gint y)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  gint frame_width = GST_VIDEO_FRAME_WIDTH (frame), frame_height = GST_VIDEO_FRAME_HEIGHT (frame);
  gint x0 = MAX (x, 0), y0 = MAX (y, 0), x1 = MIN (x + width, frame_width), y1 = MIN (y + height, frame_height);
  Row rows[3];

  g_return_val_if_fail (gst_upi_blend_knows (GST_VIDEO_FRAME_FORMAT (frame)), FALSE);
  if (x1 <= x0 || y1 <= y0)
    return TRUE;
  alpha += (gsize) (y0 - y) * stride + (x0 - x);
  matrix_for (&frame->info, rows);
  GstVideoRectangle area = { x0, y0, x1 - x0, y1 - y0 };
  g_autofree guint8 *mean = g_try_malloc ((gsize) area.w + 1);
  if (mean == NULL)
    return FALSE;

  guint8 colours[GST_VIDEO_MAX_COMPONENTS], *dest[GST_VIDEO_MAX_COMPONENTS];
  guint n_components = GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format), n;
  for (guint c = 0; c < n_components; c++)
    colours[c] = over (0, (rgb >> 16) & 0xff, (rgb >> 8) & 0xff, rgb & 0xff, 255, &rows[c]);
  for (guint c = 0; c < n_components; c += n) {
    guint w_sub = GST_VIDEO_FORMAT_INFO_W_SUB (format, c), h_sub = GST_VIDEO_FORMAT_INFO_H_SUB (format, c);
    gint first_x = x0 >> w_sub, count = ((x1 - 1) >> w_sub) - first_x + 1;
    /* both colour differences have the same blocks */
    n = c == 1 && n_components > 2 && (w_sub > 0 || h_sub > 0) ? 2 : 1;
    for (gint row = y0 >> h_sub; row <= (y1 - 1) >> h_sub; row++) {
      const guint8 *line = mean;
      if (w_sub == 0 && h_sub == 0)
        line = alpha + (gsize) (row - y0) * stride;
      else
        mean_alpha (mean, row, w_sub, h_sub, alpha, stride, area, frame_width, frame_height);
      for (guint k = c; k < c + n; k++)
        dest[k] = (guint8 *) GST_VIDEO_FRAME_COMP_DATA (frame, k) + (gsize) row * GST_VIDEO_FRAME_COMP_STRIDE (frame, k)
            + (gsize) first_x * GST_VIDEO_FRAME_COMP_PSTRIDE (frame, k);
      if (n == 2 && gst_upi_blend_takes_turns (frame, c)) {
        guint even = dest[1] < dest[2] ? 1 : 2;
        tint_pairs (dest[even], line, count, colours[even], colours[3 - even]);
        continue;
      }
      for (guint k = c; k < c + n; k++)
        tint_row (dest[k], GST_VIDEO_FRAME_COMP_PSTRIDE (frame, k), line, count, colours[k]);
    }
  }
  return TRUE;
}

void
gst_upi_blend_fill (GstVideoFrame *frame, guint32 rgb, const GstVideoRectangle *rectangles, guint n)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  Row rows[3];

  g_return_if_fail (gst_upi_blend_knows (GST_VIDEO_FRAME_FORMAT (frame)));
  matrix_for (&frame->info, rows);
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); c++) {
    guint8 *data = GST_VIDEO_FRAME_COMP_DATA (frame, c);
    gint stride = GST_VIDEO_FRAME_COMP_STRIDE (frame, c), step = GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c);
    guint w_sub = GST_VIDEO_FORMAT_INFO_W_SUB (format, c), h_sub = GST_VIDEO_FORMAT_INFO_H_SUB (format, c);
    guint8 value = over (0, (rgb >> 16) & 0xff, (rgb >> 8) & 0xff, rgb & 0xff, 255, &rows[c]);
    for (guint i = 0; i < n; i++) {
      gint x0 = MAX (rectangles[i].x, 0), x1 = MIN (rectangles[i].x + rectangles[i].w, GST_VIDEO_FRAME_WIDTH (frame));
      gint y0 = MAX (rectangles[i].y, 0), y1 = MIN (rectangles[i].y + rectangles[i].h, GST_VIDEO_FRAME_HEIGHT (frame));
      if (x1 <= x0 || y1 <= y0)
        continue;
      gint first = x0 >> w_sub, last = (x1 - 1) >> w_sub;
      for (gint y = y0 >> h_sub; y <= (y1 - 1) >> h_sub; y++) {
        guint8 *row = data + (gsize) y * stride + (gsize) first * step;
        for (gint x = 0; x <= last - first; x++)
          row[x * step] = value;
      }
    }
  }
}
