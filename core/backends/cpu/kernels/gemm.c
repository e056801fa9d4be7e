/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrix product with packed weights and a fused end (bias, residual, activation).
 *
 * A tile of MR rows × NR vectors of C stays in registers while k runs; A is read in place (its rows are pixels or
 * tokens, short enough to stay in the first-level cache), B lies in panels of NR vectors, so that both are read in
 * order. Rows are taken in blocks that fit the second-level cache and pass by all panels before the next block comes.
 */
#include "core/backends/cpu/kernels/gemm.h"

/* MAX_NR: vectors a panel is wide at most; MR1..3: rows of a tile of 1..3 vectors: what the registers of the
 * instruction set hold. */
#if VL == 16
#define MAX_NR 3
#define MR1 12
#define MR2 12
#define MR3 8
#elif VL == 8
#define MAX_NR 2
#define MR1 8
#define MR2 6
#else
#define MAX_NR 2
#define MR1 8
#define MR2 4
#endif
#define MAX_MR 12
#define ROWS_STEP 24 /* a multiple of every tile's height */

/* Bytes of A that a block of rows may have: about half of a second-level cache. */
#define BLOCK_BYTES (384 * 1024)

/* Vectors of the next panel when n columns are left. */
INLINE gint
panel_vectors (gint n)
{
  gint vectors = (n + VL - 1) / VL;

  if (vectors <= MAX_NR)
    return vectors;
  return MAX_NR == 3 && vectors == 4 ? 2 : MAX_NR; /* 2 + 2 rather than 3 + 1: a narrow tile is bound by its loads */
}

gsize
KERNEL (gemm_packed) (gint k, gint n)
{
  return (gsize) k * ((n + VL - 1) / VL) * VL;
}

void
KERNEL (gemm_pack) (gfloat *packed, const gfloat *b, gssize stride_k, gssize stride_n, gint k, gint n)
{
  for (gint j = 0; j < n;) {
    gint width = panel_vectors (n - j) * VL, columns = MIN (width, n - j);

    for (gint i = 0; i < k; i++, packed += width) {
      const gfloat *row = b + i * stride_k + j * stride_n;
      gint x;

      for (x = 0; x < columns; x++)
        packed[x] = row[x * stride_n];
      for (; x < width; x++)
        packed[x] = 0;
    }
    j += width;
  }
}

/* One tile: rows i .. i+MR-1, columns j .. j+columns-1 (a whole panel but for the last). */
INLINE void
tile (const UpiGemm *g, gint i, gint j, gint columns, const gfloat *b, const gint MR, const gint NR,
    const gboolean gathered)
{
  vf acc[MAX_MR][MAX_NR];
  const gfloat *a[MAX_MR];
  const gint k = g->k;

  UNROLL (12)
  for (gint r = 0; r < MR; r++) {
    UNROLL (3)
    for (gint v = 0; v < NR; v++)
      acc[r][v] = vset (0);
  }

  for (gint tap = 0; tap < (gathered ? g->taps : 1); tap++) {
    UNROLL (12)
    for (gint r = 0; r < MR; r++) {
      if (gathered) {
        gint32 offset = g->offsets[(gssize) (i + r) * g->taps + tap];

        a[r] = offset < 0 ? g->zero : g->a + offset;
      } else {
        a[r] = g->a + (i + r) * g->lda;
      }
    }
    for (gint p = 0; p < k; p++, b += NR * VL) {
      vf bv[MAX_NR];

      UNROLL (3)
      for (gint v = 0; v < NR; v++)
        bv[v] = vload (b + v * VL);
      UNROLL (12)
      for (gint r = 0; r < MR; r++) {
        vf av = vset (a[r][p]);

        UNROLL (3)
        for (gint v = 0; v < NR; v++)
          acc[r][v] += av * bv[v];
      }
    }
  }

  if (g->scale != 0) {
    UNROLL (12)
    for (gint r = 0; r < MR; r++) {
      UNROLL (3)
      for (gint v = 0; v < NR; v++)
        acc[r][v] *= g->scale;
    }
  }

  UNROLL (3)
  for (gint v = 0; v < NR; v++) {
    const gint left = columns - v * VL;
    const gboolean whole = left >= VL;
    vf bias = g->bias == NULL ? vset (0)
        : whole               ? vload (g->bias + j + v * VL)
                              : vload_part (g->bias + j + v * VL, left);

    UNROLL (12)
    for (gint r = 0; r < MR; r++) {
      vf x = acc[r][v] + bias;

      if (g->residual != NULL) {
        const gfloat *residual = g->residual + (i + r) * g->ldr + j + v * VL;

        x += whole ? vload (residual) : vload_part (residual, left);
      }
      if (g->act == UPI_ACT_RELU)
        x = vmax (x, vset (0));
      else if (g->act == UPI_ACT_RELU6)
        x = vmin (vmax (x, vset (0)), vset (6));
      else if (g->act == UPI_ACT_HARD_SWISH)
        x *= vhard_sigmoid (x);
      else if (g->act == UPI_ACT_HARD_SIGMOID)
        x = vhard_sigmoid (x);
      if (whole)
        vstore (g->c + (i + r) * g->ldc + j + v * VL, x);
      else
        vstore_part (g->c + (i + r) * g->ldc + j + v * VL, x, left);
    }
  }
}

/* The activations that are too long for the end of a tile, over rows that have just been written. */
static void
activate_rows (const UpiGemm *g, gint i, gint end)
{
  for (; i < end; i++) {
    gfloat *c = g->c + i * g->ldc;
    gint j;

    for (j = 0; j + VL <= g->n; j += VL)
      vstore (c + j, vactivate (vload (c + j), g->act));
    if (j < g->n)
      vstore_part (c + j, vactivate (vload_part (c + j, g->n - j), g->act), g->n - j);
  }
}

/* The rows [i, end) of one panel, whole tiles first; the last one to three are one tile too, so that few rows read the
 * panel but once. */
#define PANEL(NR, MR, name, gathered)                                                                                  \
  static __attribute__ ((noinline)) void name (                                                                        \
      const UpiGemm *g, gint i, gint end, gint j, gint columns, const gfloat *b)                                       \
  {                                                                                                                    \
    for (; i + MR <= end; i += MR)                                                                                     \
      tile (g, i, j, columns, b, MR, NR, gathered);                                                                    \
    for (; i + 4 <= end; i += 4)                                                                                       \
      tile (g, i, j, columns, b, 4, NR, gathered);                                                                     \
    if (end - i == 3)                                                                                                  \
      tile (g, i, j, columns, b, 3, NR, gathered);                                                                     \
    else if (end - i == 2)                                                                                             \
      tile (g, i, j, columns, b, 2, NR, gathered);                                                                     \
    else if (end - i == 1)                                                                                             \
      tile (g, i, j, columns, b, 1, NR, gathered);                                                                     \
  }
PANEL (1, MR1, panel1, FALSE)
PANEL (2, MR2, panel2, FALSE)
PANEL (1, MR1, panel1_gathered, TRUE)
PANEL (2, MR2, panel2_gathered, TRUE)
#if MAX_NR == 3
PANEL (3, MR3, panel3, FALSE)
PANEL (3, MR3, panel3_gathered, TRUE)
#else
#define panel3 panel2
#define panel3_gathered panel2_gathered
#endif

void
KERNEL (gemm) (const UpiGemm *g, gint begin, gint end)
{
  static void (*const panels[2][4]) (const UpiGemm *, gint, gint, gint, gint, const gfloat *) = {
    { NULL, panel1, panel2, panel3 }, { NULL, panel1_gathered, panel2_gathered, panel3_gathered }
  };
  gint block = MAX (BLOCK_BYTES / (gint) sizeof (gfloat) / MAX (g->k * g->taps, 1) / ROWS_STEP * ROWS_STEP, ROWS_STEP);

  for (gint i = begin; i < end; i += block) {
    gint stop = MIN (i + block, end);
    const gfloat *b = g->b;

    for (gint j = 0; j < g->n;) {
      gint vectors = panel_vectors (g->n - j), columns = MIN (vectors * VL, g->n - j);

      panels[g->offsets != NULL][vectors](g, i, stop, j, columns, b);
      b += (gsize) g->k * g->taps * vectors * VL;
      j += columns;
    }
    if (!act_is_short (g->act))
      activate_rows (g, i, stop);
  }
}
