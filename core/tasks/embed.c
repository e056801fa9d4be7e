/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Retrieval: the frame's <SPE> as one vector that texts of the same model are compared with, and the product that compares. */
#include "core/engine/engine-private.h"

#include <string.h>

/* Several partial sums: the compiler may not reorder one. */
gfloat
upi_dot (const gfloat *a, const gfloat *b, guint n)
{
  gfloat sum[8] = { 0 }, rest = 0;
  guint i = 0;

  for (; i + 8 <= n; i += 8)
    for (guint j = 0; j < 8; j++)
      sum[j] += a[i + j] * b[i + j];
  for (; i < n; i++)
    rest += a[i] * b[i];
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7])) + rest;
}

gboolean
upi_engine_embed (UpiEngine *engine, UpiEncoding *encoding, gfloat *embedding, GError **error)
{
  if (!upi_engine_owns (engine, encoding, NULL, error))
    return FALSE;
  memcpy (embedding, upi_encoding_part (encoding, UPI_PART_SPE), engine->info.width * sizeof (gfloat));
  return TRUE;
}
