/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * exponentials.c: see exponentials.h; one source, compiled for each instruction set: UPI_EXPONENTIALS_TABLE names the table, UPI_CPU_ISA the
 * vectors, which are the cpu backend's. */
#include "core/engine/kernels/exponentials.h"
#include "core/backends/cpu/kernels/vector.h"

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
