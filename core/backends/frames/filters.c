/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filter tables: Pillow's precompute_coeffs with its bilinear filter, whose support grows with the reduction; see
 * filters.h. */
#include "core/backends/frames/filters.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
filter_clear (UpiCachedFilter *filter)
{
  g_free (filter->start);
  g_free (filter->count);
  free (filter->weights);
  memset (filter, 0, sizeof *filter);
}

void
upi_filters_clear (UpiFilters *filters)
{
  for (guint i = 0; i < UPI_CACHED_FILTERS; i++)
    filter_clear (&filters->filters[i]);
}

static gboolean
filter_init (UpiCachedFilter *f, guint n_in, gdouble extent, guint n_out, GError **error)
{
  gdouble scale = extent / n_out, stretch = MAX (scale, 1.0), support = stretch;
  guint taps = ((guint) ceil (support) * 2 + 1 + 3) & ~3u,
        room = (n_out + 3) & ~3u; /* kernels make four outputs at a time */

  f->n_in = n_in;
  f->extent = extent;
  f->weights = UPI_MEMORY_NEW0 (gfloat, (gsize) room * taps, "the filter of a frame", error);
  if (f->weights == NULL || (f->start = UPI_MEMORY_NEW0 (gint, room, "the filter of a frame", error)) == NULL
      || (f->count = UPI_MEMORY_NEW0 (guint, room, "the filter of a frame", error)) == NULL)
    return FALSE;
  for (guint x = 0; x < n_out; x++) {
    gdouble center = (x + 0.5) * scale, sum = 0;
    gint first = MAX ((gint) (center - support + 0.5), 0), last = MIN ((gint) (center + support + 0.5), (gint) n_in);
    gfloat *w = f->weights + (gsize) x * taps;

    first = MIN (first, last - 1);
    for (gint i = first; i < last; i++)
      sum += MAX (1.0 - fabs ((i - center + 0.5) / stretch), 0.0);
    for (gint i = first; i < last; i++)
      w[i - first] = sum > 0 ? MAX (1.0 - fabs ((i - center + 0.5) / stretch), 0.0) / sum : 1.0 / (last - first);
    f->start[x] = first;
    f->count[x] = last - first;
    while (f->count[x] > 1 && w[f->count[x] - 1] == 0)
      f->count[x]--;
  }
  f->table = (UpiFilter){ n_out, taps, f->start, f->count, f->weights };
  return TRUE;
}

const UpiFilter *
upi_filters_get (UpiFilters *filters, guint n_in, gdouble extent, guint n_out, GError **error)
{
  UpiCachedFilter *filter = &filters->filters[0];

  filters->requests++;
  for (guint i = 0; i < UPI_CACHED_FILTERS; i++) {
    UpiCachedFilter *kept = &filters->filters[i];

    if (kept->weights != NULL && kept->n_in == n_in && kept->extent == extent && kept->table.n_out == n_out) {
      kept->used = filters->requests;
      return &kept->table;
    }
    if (kept->used < filter->used)
      filter = kept;
  }
  filter_clear (filter);
  if (!filter_init (filter, n_in, extent, n_out, error)) {
    filter_clear (filter);
    return NULL;
  }
  filter->used = filters->requests;
  return &filter->table;
}
