/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* COCO's run-length masks from 8-bit masks at the network's resolution. */
#include "annotate-rle.h"

#include <math.h>

/* One count, as a difference to the one two before, in groups of five bits, lowest first, from '0' on. */
static void
append_count (GString *out, const GArray *counts, guint index)
{
  gint64 x = g_array_index (counts, guint32, index);
  gboolean more = TRUE;

  if (index > 2)
    x -= g_array_index (counts, guint32, index - 2);
  while (more) {
    gint bits = x & 0x1f;

    x >>= 5; /* arithmetic */
    more = bits & 0x10 ? x != -1 : x != 0;
    g_string_append_c (out, (gchar) (48 + (more ? bits | 0x20 : bits)));
  }
}

/* The mask between its cells' centres, bilinear, edges clamped; x, y in 0..1 of the frame. */
static gfloat
sample (const UpiMask *mask, gfloat x, gfloat y)
{
  gfloat u = CLAMP ((x - mask->x) / mask->width * mask->columns - 0.5f, 0, mask->columns - 1);
  gfloat v = CLAMP ((y - mask->y) / mask->height * mask->rows - 0.5f, 0, mask->rows - 1);
  guint i = (guint) u, j = (guint) v, right = MIN (i + 1, mask->columns - 1), below = MIN (j + 1, mask->rows - 1);
  const guint8 *top = mask->data + (gsize) j * mask->columns, *bottom = mask->data + (gsize) below * mask->columns;
  gfloat a = u - i, b = v - j;

  return (1 - b) * ((1 - a) * top[i] + a * top[right]) + b * ((1 - a) * bottom[i] + a * bottom[right]);
}

gchar *
annotate_rle (const UpiObject *object, guint width, guint height, guint64 *area)
{
  const UpiMask *mask = object->mask;
  g_autoptr (GArray) counts = g_array_new (FALSE, FALSE, sizeof (guint32));
  GString *out = g_string_new (NULL);
  guint left = (guint) floorf (object->x * width),
        right = MIN ((guint) ceilf ((object->x + object->width) * width), width);
  guint top = (guint) floorf (object->y * height),
        bottom = MIN ((guint) ceilf ((object->y + object->height) * height), height);
  guint32 run = left * height;
  gboolean value = FALSE;

  *area = 0;
  for (guint x = left; x < right; x++) {
    for (guint y = 0; y < height; y++) {
      gboolean set = y >= top && y < bottom && sample (mask, (x + 0.5f) / width, (y + 0.5f) / height) >= 127.5f;

      if (set != value) {
        g_array_append_val (counts, run);
        run = 0;
        value = set;
      }
      run++;
      *area += set;
    }
  }
  if (value) { /* the rest of the frame is 0 */
    g_array_append_val (counts, run);
    run = 0;
  }
  run += (width - right) * height;
  if (run > 0)
    g_array_append_val (counts, run);
  for (guint i = 0; i < counts->len; i++)
    append_count (out, counts, i);
  return g_string_free (out, FALSE);
}
