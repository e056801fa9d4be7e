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
 * steeper the cut must be to leave an edge of about two pixels. */
static void
fill_edge (guint8 edge[256], gdouble pixels_per_cell, gdouble opacity)
{
  gdouble rise = CLAMP (255 / MAX (pixels_per_cell, 1), 24, 255);
  for (gint i = 0; i < 256; i++)
    edge[i] = (guint8) (CLAMP ((i - 127.5) / rise * 255 + 127.5, 0, 255) * opacity + 0.5);
}

void
gst_upi_mask_to_pixels (
    const UpiMask *mask, GstVideoRectangle area, gint width, gint height, gdouble opacity, guint8 *alpha, gint stride)
{
  guint8 edge[256];
  gint columns = (gint) mask->columns;
  g_autofree Tap *across = g_try_malloc ((gsize) MAX (area.w, 1) * sizeof (Tap));
  g_autofree Tap *down = g_try_malloc ((gsize) MAX (area.h, 1) * sizeof (Tap));
  g_autofree guint16 *line = g_try_malloc (
      (gsize) MAX (columns, 1) * sizeof (guint16)); /* one row of the grid at the output row's height, 8.8 */

  /* Without memory there is no tint. */
  if (across == NULL || down == NULL || line == NULL || columns == 0 || mask->rows == 0 || !(mask->width > 0)
      || !(mask->height > 0)) {
    for (gint y = 0; y < area.h; y++)
      memset (alpha + (gsize) y * stride, 0, area.w);
    return;
  }
  fill_taps (across, area.w, area.x, width, mask->x, mask->width, columns);
  fill_taps (down, area.h, area.y, height, mask->y, mask->height, (gint) mask->rows);
  fill_edge (edge, mask->width * width / columns, opacity);

  for (gint y = 0; y < area.h; y++) {
    guint8 *out = alpha + (gsize) y * stride;
    if (down[y].weight < 0) {
      memset (out, 0, area.w);
      continue;
    }
    const guint8 *upper = mask->data + (gsize) down[y].first * columns,
                 *lower = mask->data + (gsize) down[y].second * columns;
    gint weight = down[y].weight;
    for (gint x = 0; x < columns; x++)
      line[x] = (guint16) (upper[x] * (256 - weight) + lower[x] * weight);
    for (gint x = 0; x < area.w; x++) {
      const Tap *tap = &across[x];
      out[x] =
          tap->weight < 0 ? 0 : edge[(line[tap->first] * (256 - tap->weight) + line[tap->second] * tap->weight) >> 16];
    }
  }
}
