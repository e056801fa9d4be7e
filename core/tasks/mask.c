/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instance masks: σ(e · F_maskᵀ) (Mask DINO) for one kept region, inside its box only, as 8-bit probabilities; with
 * `mask.own` (NETWORK.md) also by where a cell lies in the box. */
#include "core/tasks/mask.h"
#include "core/tasks/embed.h"
#include "core/memory.h"

#include <math.h>

UpiMask *
upi_mask_new (guint columns, guint rows)
{
  UpiMask *mask = upi_memory_new0 (1, sizeof (UpiMask) + (gsize) columns * rows, "a mask", NULL);

  if (mask == NULL)
    return NULL;
  mask->ref_count = 1;
  mask->columns = columns;
  mask->rows = rows;
  return mask;
}

UpiMask *
upi_mask_ref (UpiMask *mask)
{
  g_atomic_int_inc (&mask->ref_count);
  return mask;
}

void
upi_mask_unref (UpiMask *mask)
{
  if (g_atomic_int_dec_and_test (&mask->ref_count))
    g_free (mask);
}

/* Cells [first, last) of n that a span of 0..1 touches, at least one, and none but of the picture, which has that share
 * of them. */
static void
cells (gfloat from, gfloat length, guint n, gfloat share, guint *first, guint *last)
{
  gint a = floorf (from * n), b = ceilf ((from + length) * n), most = CLAMP ((gint) ceilf (share * n), 1, (gint) n);

  *first = CLAMP (a, 0, most - 1);
  *last = CLAMP (b, (gint) *first + 1, most);
}

#define BEYOND 2.0f /* half sides of the box: a cell farther from its middle counts as that far */

/* What the places of one region's cells say, of a column: what it gives to all rows, and its x, which a row's slope
 * multiplies. */
typedef struct {
  gfloat across, x;
} Column;

static gfloat
in_half_sides (guint cell, guint n, gfloat middle, gfloat side)
{
  return CLAMP ((((gfloat) cell + 0.5f) / (gfloat) n - middle) * 2 / MAX (side, 1e-3f), -BEYOND, BEYOND);
}

static void
place_columns (Column *columns, guint left, guint right, guint n, const gfloat *box, const gfloat *places)
{
  for (guint i = left; i < right; i++) {
    const gfloat x = in_half_sides (i, n, box[0], box[2]);

    columns[i - left] = (Column){ places[0] + (places[1] + places[2] * x) * x, x };
  }
}

UpiMask *
upi_mask_cut (UpiEncoding *encoding, guint region, gfloat x, gfloat y, gfloat width, gfloat height, GError **error)
{
  const UpiLayout *layout = encoding->layout;
  guint columns = layout->width / 4, rows = layout->height / 4, d = layout->d_mask;
  const gfloat *features = upi_encoding_mask_features (encoding, error); /* [H/4, W/4, d_mask] */
  const gsize wide = layout->bytes[UPI_PART_MASK_EMBED] / sizeof (gfloat) / MAX (layout->n_regions, 1);
  const gfloat *embed = upi_encoding_part (encoding, UPI_PART_MASK_EMBED) + region * wide; /* [d_mask], + places */
  static const gfloat nothing[UPI_MASK_PLACES];
  const gfloat *places = wide > d ? embed + d : nothing; /* [UPI_MASK_PLACES] */
  const gfloat *box = upi_encoding_part (encoding, UPI_PART_BOXES) + (gsize) region * 4;
  guint left, right, top, bottom;
  Column of[UPI_MAX_SIDE / 4];
  guint8 *out;
  UpiMask *mask;

  if (features == NULL)
    return NULL;
  cells (x, width, columns, encoding->across, &left, &right);
  cells (y, height, rows, encoding->down, &top, &bottom);
  mask = upi_mask_new (right - left, bottom - top);
  if (mask == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "no memory for a mask of %u × %u", right - left, bottom - top);
    return NULL;
  }
  place_columns (of, left, right, columns, box, places);
  mask->x = (gfloat) left / columns;
  mask->y = (gfloat) top / rows;
  mask->width = (gfloat) (right - left) / columns;
  mask->height = (gfloat) (bottom - top) / rows;
  out = mask->data;
  for (guint j = top; j < bottom; j++) {
    const gfloat at = in_half_sides (j, rows, box[1], box[3]);
    const gfloat down = (places[3] + places[4] * at) * at, slope = places[5] * at;
    const gfloat *cell = features + ((gsize) j * columns + left) * d;

    for (guint i = 0; i < right - left; i++, cell += d) {
      const gfloat logit = upi_dot (cell, embed, d) + of[i].across + down + slope * of[i].x;

      *out++ = (guint8) (255.0f / (1.0f + expf (-logit)) + 0.5f);
    }
  }
  return mask;
}
