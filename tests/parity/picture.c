/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/parity/picture.h"

guint8 *
picture_numbers (gsize count, guint32 seed)
{
  guint8 *out = g_malloc (count);
  guint32 state = seed * 2654435761u + 1;

  for (gsize i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    out[i] = state >> 24;
  }
  return out;
}

/* Bytes a row of each plane; 0 ends the list. */
static void
describe_layout (UpiImage *image, guint layout, guint bytes[3], guint rows[3])
{
  guint w = image->width, half = (w + 1) / 2, half_rows = (image->height + 1) / 2;

  bytes[0] = bytes[1] = bytes[2] = 0;
  rows[0] = rows[1] = rows[2] = image->height;
  image->format = layout;
  if (layout <= UPI_PIXELS_BGRX) {
    bytes[0] = w * (layout == UPI_PIXELS_RGB || layout == UPI_PIXELS_BGR ? 3 : 4);
    return;
  }
  image->n_components = layout == LAYOUT_GREY ? 1 : 3;
  image->format = layout <= UPI_PIXELS_NV12                   ? layout
      : layout == LAYOUT_GBR || layout == LAYOUT_LIMITED_ARGB ? UPI_PIXELS_RGB_COMPONENTS
                                                              : UPI_PIXELS_YUV_COMPONENTS;
  image->full_range |= layout == LAYOUT_GBR;
  switch (layout) {
  case LAYOUT_GREY:
    bytes[0] = w;
    image->components[0] = (UpiComponent){ 0, 0, 1, 0, 0 };
    break;
  case LAYOUT_GBR:
  case LAYOUT_LIMITED_ARGB:
    for (guint c = 0; c < 3; c++) {
      bytes[c] = layout == LAYOUT_GBR ? w : c == 0 ? 4 * w : 0;
      image->components[c] =
          layout == LAYOUT_GBR ? (UpiComponent){ (c + 2) % 3, 0, 1, 0, 0 } : (UpiComponent){ 0, 1 + c, 4, 0, 0 };
    }
    break;
  case UPI_PIXELS_NV12:
  case LAYOUT_NV21_WORDS:
    image->depth = layout == LAYOUT_NV21_WORDS ? 12 : 0;
    image->shift = layout == LAYOUT_NV21_WORDS ? 4 : 0;
    bytes[0] = image->depth > 0 ? 2 * w : w;
    bytes[1] = image->depth > 0 ? 4 * half : 2 * half;
    rows[1] = half_rows;
    image->components[0] = (UpiComponent){ 0, 0, 2, 0, 0 };
    image->components[1] = (UpiComponent){ 1, 2, 4, 1, 1 };
    image->components[2] = (UpiComponent){ 1, 0, 4, 1, 1 };
    break;
  default: /* I420 and words */
    image->depth = layout == LAYOUT_WORDS ? 10 : 0;
    for (guint c = 0; c < 3; c++) {
      bytes[c] = (c == 0 ? w : half) * (layout == LAYOUT_WORDS ? 2 : 1);
      rows[c] = c == 0 ? image->height : half_rows;
      image->components[c] = (UpiComponent){ c, 0, 2, c > 0, c > 0 };
    }
  }
}

void
picture_init (Picture *picture, guint layout, guint width, guint height, gint padding, guint32 seed)
{
  guint rows[3], bytes[3];

  *picture = (Picture){ .image = { .width = width, .height = height } };
  describe_layout (&picture->image, layout, bytes, rows);
  for (guint i = 0; i < 3 && bytes[i] > 0; i++) {
    gssize stride = bytes[i] + ABS (padding);

    picture->data[i] = picture_numbers ((gsize) stride * rows[i], seed + i);
    picture->image.planes[i] = padding < 0 ? picture->data[i] + (rows[i] - 1) * stride : picture->data[i];
    picture->image.strides[i] = padding < 0 ? -stride : stride;
  }
}

void
picture_clear (Picture *picture)
{
  for (guint i = 0; i < 3; i++)
    g_free (picture->data[i]);
}
