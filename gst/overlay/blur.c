/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blur.c: see blur.h.
 *
 * A square of the mosaic becomes its own mean. All squares of one size lie on one grid that begins at the frame's
 * corner, and sizes are multiples of
 * four: so a square never shares chroma with its neighbours, in any format, interlaced or not.
 */
#include "gst/overlay/blur.h"

#include "gst/overlay/blend.h"

#include <math.h>
#include <string.h>

/* Steps, so that a box which trembles does not change its mosaic with every frame. */
static const gint sizes[] = { 8, 12, 16, 24, 32, 48, 64, 96, 128 };
#define SQUARES_A_SIDE 4
#define MASK_TOUCHES 64 /* of 255: unsure pixels are hidden too */

/* The squares of one object: @covered has @rows × @columns of them, the first at (@x, @y) in squares. */
typedef struct {
  gint size, x, y, columns, rows;
  guint8 *covered;
} Mosaic;

GHashTable *
gst_upi_blur_labels_new (const gchar *list)
{
  GHashTable *labels = NULL;
  g_autofree gchar *valid = g_utf8_make_valid (list != NULL ? list : "", -1);
  g_auto (GStrv) words = g_strsplit (valid, ",", -1);

  for (guint i = 0; words[i] != NULL; i++) {
    const gchar *word = g_strstrip (words[i]);
    if (word[0] == '\0')
      continue;
    if (labels == NULL)
      labels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_add (labels, g_utf8_casefold (word, -1));
  }
  return labels;
}

static gboolean
is_chosen (const GstUpiObject *object, GHashTable *labels)
{
  g_autofree gchar *valid = g_utf8_make_valid (object->label, -1);
  g_autofree gchar *folded = g_utf8_casefold (g_strstrip (valid), -1);
  return g_hash_table_contains (labels, folded);
}

gboolean
gst_upi_blur_has_work (const GstUpiContent *content, GHashTable *labels)
{
  guint n = 0;
  const GstUpiObject *objects = labels != NULL ? gst_upi_content_get_objects (content, &n) : NULL;

  for (guint i = 0; i < n; i++)
    if (is_chosen (&objects[i], labels))
      return TRUE;
  return FALSE;
}

static gint
size_for (gdouble pixels)
{
  guint i = 0;
  while (i + 1 < G_N_ELEMENTS (sizes) && sizes[i] * SQUARES_A_SIDE < pixels - 0.5)
    i++;
  return sizes[i];
}

/* Cells of a mask of @n cells between @start and @start + @length that lie between @from and @to, with one to spare on
 * each side. */
static void
mask_range (gdouble from, gdouble to, gdouble start, gdouble length, gint n, gint *first, gint *end)
{
  *first = (gint) CLAMP (floor ((from - start) / length * n) - 1, 0, n);
  *end = (gint) CLAMP (ceil ((to - start) / length * n) + 1, 0, n);
}

static gboolean
mask_touches (const UpiMask *mask, gdouble x0, gdouble y0, gdouble x1, gdouble y1)
{
  gint left, right, top, bottom;

  mask_range (x0, x1, mask->x, mask->width, (gint) mask->columns, &left, &right);
  mask_range (y0, y1, mask->y, mask->height, (gint) mask->rows, &top, &bottom);
  for (gint y = top; y < bottom; y++)
    for (gint x = left; x < right; x++)
      if (mask->data[(gsize) y * mask->columns + x] >= MASK_TOUCHES)
        return TRUE;
  return FALSE;
}

/* FALSE: no memory. An object outside of the frame has no squares. */
static gboolean
mosaic_init (Mosaic *mosaic, const GstUpiObject *object, gint width, gint height)
{
  const UpiMask *mask = object->mask;
  gdouble x0 = object->x, y0 = object->y, x1 = x0 + object->width, y1 = y0 + object->height;
  gboolean any = FALSE;

  memset (mosaic, 0, sizeof *mosaic);
  if (!(x1 > x0) || !(y1 > y0) || !(x0 < 1) || !(y0 < 1) || !(x1 > 0) || !(y1 > 0))
    return TRUE;
  if (mask != NULL
      && (mask->columns == 0 || mask->rows == 0 || !(mask->width > 0) || !(mask->height > 0) || !isfinite (mask->x)
          || !isfinite (mask->y)))
    mask = NULL;
  mosaic->size = size_for (MIN ((MIN (x1, 1) - MAX (x0, 0)) * width, (MIN (y1, 1) - MAX (y0, 0)) * height));
  if (mask != NULL) { /* it may reach beyond the box */
    gdouble cell_x = (gdouble) mask->width / mask->columns, cell_y = (gdouble) mask->height / mask->rows;
    x0 = MIN (x0, mask->x - cell_x);
    y0 = MIN (y0, mask->y - cell_y);
    x1 = MAX (x1, mask->x + mask->width + cell_x);
    y1 = MAX (y1, mask->y + mask->height + cell_y);
  }
  const gdouble slack = 0.01; /* of a pixel: what floats add to a box that ends with a square */
  mosaic->x = (gint) (CLAMP (x0, 0, 1) * width + slack) / mosaic->size;
  mosaic->y = (gint) (CLAMP (y0, 0, 1) * height + slack) / mosaic->size;
  mosaic->columns =
      MAX (((gint) ceil (CLAMP (x1, 0, 1) * width - slack) + mosaic->size - 1) / mosaic->size - mosaic->x, 0);
  mosaic->rows =
      MAX (((gint) ceil (CLAMP (y1, 0, 1) * height - slack) + mosaic->size - 1) / mosaic->size - mosaic->y, 0);
  mosaic->covered = g_try_malloc0 ((gsize) mosaic->columns * mosaic->rows + 1);
  if (mosaic->covered == NULL)
    return FALSE;
  for (gint pass = 0; pass < 2 && !any; pass++) { /* a mask of nothing: the box */
    for (gint row = 0; row < mosaic->rows; row++) {
      for (gint column = 0; column < mosaic->columns; column++) {
        gdouble left = (gdouble) (mosaic->x + column) * mosaic->size / width,
                right = left + (gdouble) mosaic->size / width;
        gdouble top = (gdouble) (mosaic->y + row) * mosaic->size / height,
                bottom = top + (gdouble) mosaic->size / height;
        gboolean in_box = left < object->x + object->width && right > object->x && top < object->y + object->height
            && bottom > object->y;
        gboolean covered = mask != NULL && pass == 0 ? mask_touches (mask, left, top, right, bottom) : in_box;
        mosaic->covered[(gsize) row * mosaic->columns + column] = (guint8) covered;
        any = any || covered;
      }
    }
  }
  return TRUE;
}

/* Sums of the bytes at even and at odd places, @n of them; eight at once in the halves of words, which a row of a
 * square does not overflow. */
static void
sum_bytes (const guint8 *row, gint n, guint64 *even, guint64 *odd)
{
  const guint64 halves = G_GUINT64_CONSTANT (0x00ff00ff00ff00ff), places = G_GUINT64_CONSTANT (0x0001000100010001);
  guint64 even_words = 0, odd_words = 0, bytes;
  gint x = 0;

  for (; x + 8 <= n; x += 8) {
    memcpy (&bytes, row + x, 8); /* rows may lie anywhere */
    bytes = GUINT64_FROM_LE (bytes);
    even_words += bytes & halves;
    odd_words += (bytes >> 8) & halves;
  }
  /* four words of 16 bits into one, which is below 2^16 too */
  *even += (even_words * places) >> 48;
  *odd += (odd_words * places) >> 48;
  for (; x < n; x++)
    *(x % 2 == 0 ? even : odd) += row[x];
}

/* One component of bytes side by side, or two that take turns; the rectangle is in their own resolution. A palette's
 * indices have no mean: one of them stands for all. */
static void
flatten_rows (guint8 *data, gint stride, gint n_components, gint x0, gint y0, gint x1, gint y1, gboolean is_index)
{
  const guint64 count = (guint64) (x1 - x0) * (guint64) (y1 - y0);
  const gint n = (x1 - x0) * n_components;
  guint64 even = 0, odd = 0;
  guint8 first, second;

  if (count == 0)
    return;
  data += (gsize) y0 * stride + (gsize) x0 * n_components;
  if (is_index) {
    first = second = data[(gsize) ((y1 - y0) / 2) * stride + (gsize) (x1 - x0) / 2];
  } else {
    for (gint y = 0; y < y1 - y0; y++)
      sum_bytes (data + (gsize) y * stride, n, &even, &odd);
    if (n_components == 1)
      even = odd = even + odd;
    first = (guint8) ((even + count / 2) / count);
    second = (guint8) ((odd + count / 2) / count);
  }
  for (gint x = 0; x < n; x++)
    data[x] = x % 2 == 0 ? first : second;
  for (gint y = 1; y < y1 - y0; y++)
    memcpy (data + (gsize) y * stride, data, (gsize) n);
}

/* One component of bytes @step apart; the rectangle is in its own resolution. */
static void
flatten (guint8 *data, gint stride, gint step, gint x0, gint y0, gint x1, gint y1)
{
  guint64 sum = 0, count = (guint64) (x1 - x0) * (guint64) (y1 - y0);

  if (count == 0)
    return;
  for (gint y = y0; y < y1; y++) {
    const guint8 *row = data + (gsize) y * stride;
    guint row_sum = 0;
    for (gint x = x0; x < x1; x++)
      row_sum += row[x * step];
    sum += row_sum;
  }
  guint8 mean = (guint8) ((sum + count / 2) / count);
  for (gint y = y0; y < y1; y++) {
    guint8 *row = data + (gsize) y * stride;
    for (gint x = x0; x < x1; x++)
      row[x * step] = mean;
  }
}

/* Four bytes a pixel, two by two in the halves of a word: a row of a square's 128 pixels at most does not overflow
 * them. Of the byte that means nothing there is a mean as well. */
static void
flatten_quads (guint8 *data, gint stride, gint x0, gint y0, gint x1, gint y1)
{
  const guint64 halves = G_GUINT64_CONSTANT (0x00ff00ff00ff00ff), count = (guint64) (x1 - x0) * (guint64) (y1 - y0);
  guint64 sums[4] = { 0 };
  guint32 mean = 0;

  if (count == 0)
    return;
  data += (gsize) y0 * stride + (gsize) x0 * 4;
  for (gint y = 0; y < y1 - y0; y++) {
    const guint8 *row = data + (gsize) y * stride;
    guint64 even = 0, odd = 0, pixels;
    gint x = 0;
    for (; x + 2 <= x1 - x0; x += 2) { /* two pixels at once; words, as a row of a square is not too long for them */
      memcpy (&pixels, row + (gsize) x * 4, 8);
      even += pixels & halves;
      odd += (pixels >> 8) & halves;
    }
    for (; x < x1 - x0; x++) {
      guint32 pixel;
      memcpy (&pixel, row + (gsize) x * 4, 4); /* rows may lie anywhere */
      even += pixel & 0xff00ff;
      odd += (pixel >> 8) & 0xff00ff;
    }
    sums[0] += (even & 0xffff) + ((even >> 32) & 0xffff);
    sums[1] += (odd & 0xffff) + ((odd >> 32) & 0xffff);
    sums[2] += ((even >> 16) & 0xffff) + (even >> 48);
    sums[3] += ((odd >> 16) & 0xffff) + (odd >> 48);
  }
  for (guint c = 0; c < 4; c++)
    mean |= (guint32) ((sums[c] + count / 2) / count) << (8 * c);
  for (gint x = 0; x < x1 - x0; x++)
    memcpy (data + (gsize) x * 4, &mean, 4);
  for (gint y = 1; y < y1 - y0; y++)
    memcpy (data + (gsize) y * stride, data, (gsize) (x1 - x0) * 4);
}

/* Formats whose components are bytes at addresses of their own; of a palette's indices there is no mean. */
static void
pixelate_bytes (GstVideoFrame *frame, const Mosaic *mosaic)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  gint width = GST_VIDEO_FRAME_WIDTH (frame), height = GST_VIDEO_FRAME_HEIGHT (frame);
  gboolean is_index = GST_VIDEO_FORMAT_INFO_HAS_PALETTE (format);
  gboolean quads = GST_VIDEO_INFO_IS_RGB (&frame->info) && GST_VIDEO_FRAME_COMP_PSTRIDE (frame, 0) == 4;
  guint n = is_index ? 1 : GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format);

  for (gint i = 0; i < mosaic->rows * mosaic->columns; i++) {
    gint x0 = (mosaic->x + i % mosaic->columns) * mosaic->size, y0 = (mosaic->y + i / mosaic->columns) * mosaic->size;
    gint x1 = MIN (x0 + mosaic->size, width), y1 = MIN (y0 + mosaic->size, height);
    if (!mosaic->covered[i])
      continue;
    if (quads) {
      flatten_quads (GST_VIDEO_FRAME_PLANE_DATA (frame, 0), GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0), x0, y0, x1, y1);
      continue;
    }
    for (guint c = 0; c < n; c++) {
      const gint step = GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c);
      gint w_sub = (gint) GST_VIDEO_FORMAT_INFO_W_SUB (format, c),
           h_sub = (gint) GST_VIDEO_FORMAT_INFO_H_SUB (format, c);
      gint left = x0 >> w_sub, top = y0 >> h_sub, right = GST_VIDEO_SUB_SCALE (w_sub, x1),
           bottom = GST_VIDEO_SUB_SCALE (h_sub, y1);
      guint8 *data = GST_VIDEO_FRAME_COMP_DATA (frame, c);
      gint stride = GST_VIDEO_FRAME_COMP_STRIDE (frame, c);
      if (step == 1) {
        flatten_rows (data, stride, 1, left, top, right, bottom, is_index);
      } else if (c + 1 < n && gst_upi_blend_takes_turns (frame, c)) { /* semi-planar chroma */
        const guint8 *other = GST_VIDEO_FRAME_COMP_DATA (frame, c + 1);
        flatten_rows ((guint8 *) MIN (data, other), stride, 2, left, top, right, bottom, FALSE);
        c++;
      } else {
        flatten (data, stride, step, left, top, right, bottom);
      }
    }
  }
}

/* Every other format: rows are unpacked, summed up, unpacked again, changed and packed. Component 0 is alpha, which
 * stays. */
static gboolean
pixelate_any (GstVideoFrame *frame, const Mosaic *mosaic)
{
  const GstVideoFormatInfo *format = frame->info.finfo, *unpacked = gst_video_format_get_info (format->unpack_format);
  gint width = GST_VIDEO_FRAME_WIDTH (frame), height = GST_VIDEO_FRAME_HEIGHT (frame);
  gboolean wide = GST_VIDEO_FORMAT_INFO_BITS (unpacked) == 16;
  GstVideoPackFlags flags =
      GST_VIDEO_FRAME_IS_INTERLACED (frame) ? GST_VIDEO_PACK_FLAG_INTERLACED : GST_VIDEO_PACK_FLAG_NONE;
  gsize pixel_bytes = wide ? 8 : 4;
  g_autofree guint8 *line =
      g_try_malloc0 ((gsize) (width + 64) * pixel_bytes); /* room for formats that unpack whole tiles */
  g_autofree guint64 *sums = g_try_malloc0 (((gsize) mosaic->columns * 3 + 1) * sizeof (guint64));

  if (line == NULL || sums == NULL)
    return FALSE;
  for (gint row = 0; row < mosaic->rows; row++) {
    const guint8 *covered = mosaic->covered + (gsize) row * mosaic->columns;
    gint y0 = (mosaic->y + row) * mosaic->size, y1 = MIN (y0 + mosaic->size, height);
    if (memchr (covered, TRUE, mosaic->columns) == NULL)
      continue;
    memset (sums, 0, (gsize) mosaic->columns * 3 * sizeof (guint64));
    for (gint pass = 0; pass < 2; pass++) {
      for (gint y = y0; y < y1; y++) {
        format->unpack_func (format, flags, line, frame->data, frame->info.stride, 0, y, width);
        for (gint column = 0; column < mosaic->columns; column++) {
          gint x0 = (mosaic->x + column) * mosaic->size, x1 = MIN (x0 + mosaic->size, width);
          guint64 *sum = sums + (gsize) column * 3, count = (guint64) (x1 - x0) * (guint64) (y1 - y0);
          for (gint x = x0; x < x1 && covered[column]; x++) {
            for (gint c = 0; c < 3; c++) {
              gsize at = (gsize) x * 4 + 1 + c;
              guint16 *words = (guint16 *) (void *) line;
              if (pass == 0)
                sum[c] += wide ? words[at] : line[at];
              else if (wide)
                words[at] = (guint16) ((sum[c] + count / 2) / count);
              else
                line[at] = (guint8) ((sum[c] + count / 2) / count);
            }
          }
        }
        if (pass == 1)
          format->pack_func (
              format, flags, line, 0, frame->data, frame->info.stride, frame->info.chroma_site, y, width);
      }
    }
  }
  return TRUE;
}

gboolean
gst_upi_blur_frame (GstVideoFrame *frame, const GstUpiContent *content, GHashTable *labels)
{
  gboolean complete = TRUE;
  guint n;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);

  for (guint i = 0; i < n; i++) {
    Mosaic mosaic;
    if (!is_chosen (&objects[i], labels))
      continue;
    if (!mosaic_init (&mosaic, &objects[i], GST_VIDEO_FRAME_WIDTH (frame), GST_VIDEO_FRAME_HEIGHT (frame)))
      complete = FALSE;
    else if (gst_upi_blend_knows (GST_VIDEO_FRAME_FORMAT (frame))
        || GST_VIDEO_FORMAT_INFO_HAS_PALETTE (frame->info.finfo))
      pixelate_bytes (frame, &mosaic);
    else
      complete &= pixelate_any (frame, &mosaic);
    g_free (mosaic.covered);
  }
  return complete;
}
