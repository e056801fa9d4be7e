/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See exponentials.h; one source, compiled for each instruction set: UPI_EXPONENTIALS_TABLE names the table. */
#include "core/vectors/exponentials.h"
#include "core/vectors/vector.h"

static gfloat
largest (const gfloat *x, guint n)
{
  return max_of_row (x, (gint) n);
}

static gdouble
exponentials (const gfloat *x, guint n, gfloat top, gfloat factor, gfloat *e, gdouble *sums)
{
  gdouble total = 0;

  for (guint begin = 0; begin < n; begin += UPI_EXPONENTIALS_BLOCK) {
    guint end = MIN (begin + UPI_EXPONENTIALS_BLOCK, n), i;
    vf sum = vset (0);
    gdouble all;

    for (i = begin; i + VL <= end; i += VL) {
      vf v = vexp ((vload (x + i) - top) * factor);

      sum += v;
      vstore (e + i, v);
    }
    all = vsum (sum);
    if (i < end) {
      vstore_part (e + i, vexp ((vload_part (x + i, (gint) (end - i)) - top) * factor), (gint) (end - i));
      for (; i < end; i++)
        all += e[i];
    }
    sums[begin / UPI_EXPONENTIALS_BLOCK] = all;
    total += all;
  }
  return total;
}

const UpiExponentials UPI_EXPONENTIALS_TABLE = { largest, exponentials };
