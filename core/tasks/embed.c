/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Retrieval: the frame's <SPE> as one vector that texts of the same model are compared with, and the product that
 * compares. */
#include "core/tasks/embed.h"
#include "core/tasks/labels.h"

#include <string.h>

/* Several partial sums: the compiler may not reorder one. */
gfloat
upi_dot (const gfloat *a, const gfloat *b, guint n)
{
  typedef gfloat Four __attribute__ ((vector_size (16)));
  Four even = { 0 }, odd = { 0 };
  gfloat rest = 0;
  guint i = 0;

  for (; i + 8 <= n; i += 8) {
    Four x[2], y[2];

    memcpy (x, a + i, sizeof x);
    memcpy (y, b + i, sizeof y);
    even += x[0] * y[0];
    odd += x[1] * y[1];
  }
  for (; i < n; i++)
    rest += a[i] * b[i];
  even += odd;
  return (even[0] + even[1]) + (even[2] + even[3]) + rest;
}

gboolean
upi_engine_embed (UpiEngine *engine, UpiEncoding *encoding, gfloat *embedding, GError **error)
{
  if (!upi_engine_owns (engine, encoding, NULL, error))
    return FALSE;
  memcpy (embedding, upi_encoding_part (encoding, UPI_PART_SPE), engine->info.width * sizeof (gfloat));
  return TRUE;
}
