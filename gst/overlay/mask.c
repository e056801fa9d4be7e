/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mask.c: see mask.h. */
#include "gst/overlay/mask.h"

#include <math.h>
#include <string.h>

/* Where output pixel i falls between two cells: value = cell[first] · (256 − weight) + cell[second] · weight. */
typedef struct {
  gint first, second;
  gint weight; /* -1: outside of the grid */
} Tap;

static void
fill_taps (Tap *taps, gint n, gint from, gint frame_size, gdouble start, gdouble size, gint cells)
{
  for (gint i = 0; i < n; i++) {
    gdouble at = ((from + i + 0.5) / frame_size - start) / size * cells;
    if (!(at >= 0 && at <= cells)) {
      taps[i].weight = -1;
      continue;
    }
    at = CLAMP (at - 0.5, 0, cells - 1);
    taps[i].first = (gint) at;
    taps[i].second = MIN (taps[i].first + 1, cells - 1);
    taps[i].weight = (gint) ((at - taps[i].first) * 256);
  }
}

/* Probability → alpha. A coarse mask rises from 0 to 1 over about two cells; the larger a cell on the screen, the
 * steeper the cut must be to leave an edge of about two pixels. In parts of 1/128: alpha = (p − middle) · slope / 2¹⁶ +
 * rise, cut at 0 and @most. */
typedef struct {
  gint16 slope, rise, most;
} Edge;

#define UNIT 128
#define MIDDLE ((gint16) (127.5 * UNIT))

static Edge
edge_for (gdouble pixels_per_cell, gdouble opacity)
{
  const gdouble steepness = 255 / CLAMP (255 / MAX (pixels_per_cell, 1), 24, 255);

  return (Edge){ (gint16) (steepness * opacity * 65536 / UNIT + 0.5), (gint16) (127.5 * opacity + 0.5),
    (gint16) (255 * opacity + 0.5) };
}

/* A row of the grid at every output pixel across, in parts of 1/128. */
static void
widen (gint16 *wide, const guint8 *row, const Tap *across, gint n)
{
  for (gint x = 0; x < n; x++) {
    const Tap *tap = &across[x];
    wide[x] =
        tap->weight < 0 ? 0 : (gint16) ((row[tap->first] * (256 - tap->weight) + row[tap->second] * tap->weight) / 2);
  }
}

/* Between two rows, @weight of 256 from the upper one on. */
static inline guint8
cut (gint16 upper, gint16 lower, gint16 weight, Edge edge)
{
  const gint16 p = (gint16) (upper + (gint16) (((gint32) (gint16) (lower - upper) * weight) >> 16) * 2);
  const gint16 alpha = (gint16) ((gint16) (((gint32) (gint16) (p - MIDDLE) * edge.slope) >> 16) + edge.rise);

  return (guint8) CLAMP (alpha, 0, edge.most);
}

static void
cut_row (
    guint8 *restrict out, const gint16 *restrict upper, const gint16 *restrict lower, gint weight, gint n, Edge edge)
{
  const gint16 part = (gint16) (weight * 128);
  gint x = 0;

  for (; x + 16 <= n; x += 16) /* a fixed count: compilers make vectors of it */
    for (gint k = 0; k < 16; k++)
      out[x + k] = cut (upper[x + k], lower[x + k], part, edge);
  for (; x < n; x++)
    out[x] = cut (upper[x], lower[x], part, edge);
}

void
gst_upi_mask_to_pixels (
    const UpiMask *mask, GstVideoRectangle area, gint width, gint height, gdouble opacity, guint8 *alpha, gint stride)
{
  const gint columns = (gint) mask->columns;
  g_autofree Tap *across = g_try_malloc ((gsize) MAX (area.w, 1) * sizeof (Tap));
  g_autofree Tap *down = g_try_malloc ((gsize) MAX (area.h, 1) * sizeof (Tap));
  g_autofree gint16 *wide = g_try_malloc ((gsize) MAX (area.w, 1) * 2 * sizeof (gint16));
  gint16 *rows[2] = { wide, wide + area.w }; /* of the grid, */
  gint have[2] = { -1, -1 };                 /* these */

  /* Without memory there is no tint. */
  if (across == NULL || down == NULL || wide == NULL || columns == 0 || mask->rows == 0 || !(mask->width > 0)
      || !(mask->height > 0)) {
    for (gint y = 0; y < area.h; y++)
      memset (alpha + (gsize) y * stride, 0, area.w);
    return;
  }
  fill_taps (across, area.w, area.x, width, mask->x, mask->width, columns);
  fill_taps (down, area.h, area.y, height, mask->y, mask->height, (gint) mask->rows);
  const Edge edge = edge_for (mask->width * width / columns, opacity);
  gint first = 0, last = area.w; /* what is inside of the grid */
  while (first < last && across[first].weight < 0)
    first++;
  while (last > first && across[last - 1].weight < 0)
    last--;

  for (gint y = 0; y < area.h; y++) {
    guint8 *out = alpha + (gsize) y * stride;
    if (down[y].weight < 0) {
      memset (out, 0, area.w);
      continue;
    }
    const gint need[2] = { down[y].first, down[y].second };
    if (have[1] == need[0] && have[0] != need[0]) { /* one row further: the lower one is the upper one now */
      gint16 *upper = rows[1];
      rows[1] = rows[0];
      rows[0] = upper;
      have[1] = have[0];
      have[0] = need[0];
    }
    for (gint i = 0; i < 2; i++) {
      if (have[i] != need[i])
        widen (rows[i], mask->data + (gsize) need[i] * columns, across, area.w);
      have[i] = need[i];
    }
    memset (out, 0, first);
    cut_row (out + first, rows[0] + first, rows[1] + first, down[y].weight, last - first, edge);
    memset (out + last, 0, area.w - last);
  }
}
