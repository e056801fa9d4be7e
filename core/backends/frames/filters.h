/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filter tables of one worker: antialiased triangles (models/reference/NETWORK.md, "Input"; Pillow's BILINEAR), made on
 * first use. */
#pragma once

#include "core/backends/backend.h"
#include "core/upi.h"

G_BEGIN_DECLS

#define UPI_CACHED_FILTERS 8 /* a conversion uses up to six at once */

/* A table of weights; taps is padded to a multiple of 4 with zeros, count is without padding. */
typedef struct {
  UpiFilter table; /* first: what users of a filter see */
  guint n_in;
  gdouble extent;
  guint64 used; /* when, in the count of requests */
  gint *start;
  guint *count;
  gfloat *weights; /* NULL: a free place */
} UpiCachedFilter;

typedef struct {
  UpiCachedFilter filters[UPI_CACHED_FILTERS];
  guint64 requests;
} UpiFilters;

/* n_out samples over the first extent of n_in. Valid until UPI_CACHED_FILTERS others were asked for: the one used
 * longest ago makes room. */
const UpiFilter *upi_filters_get (UpiFilters *filters, guint n_in, gdouble extent, guint n_out, GError **error);
void upi_filters_clear (UpiFilters *filters);

G_END_DECLS
