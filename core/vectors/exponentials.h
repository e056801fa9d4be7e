/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * exponentials.h: what a distribution over the vocabulary costs, in vectors: compiled once per instruction set
 * (meson.build) and chosen at run time. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define UPI_EXPONENTIALS_BLOCK                                                                                         \
  64 /* whose sums are kept, so that a place in the cumulated distribution is found without adding all up */

typedef struct {
  /* of n ≥ 1 */
  gfloat (*largest) (const gfloat *x, guint n);
  /* e[i] = exp ((x[i] - top) · factor); sums: of each block of e; returns the sum of all. Relative error below 1e-6 */
  gdouble (*exponentials) (const gfloat *x, guint n, gfloat top, gfloat factor, gfloat *e, gdouble *sums);
} UpiExponentials;

extern const UpiExponentials upi_exponentials_baseline;
#ifdef UPI_VECTORS_X86
extern const UpiExponentials upi_exponentials_avx2, upi_exponentials_avx512;
#endif

/* Those of this machine. */
const UpiExponentials *upi_exponentials (void);

G_END_DECLS
