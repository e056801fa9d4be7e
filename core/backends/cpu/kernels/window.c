/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention inside windows (Swin). One unit is one head of one window, head by head, so that the table of relative
 * positions is spread out once a head: scores are a product that adds it in its end. Queries are gathered by the
 * product itself, keys and values when they are packed.
 */
#include "core/backends/cpu/kernels/gemm.h"
#include "core/backends/cpu/kernels/vector.h"
#include "core/program/window.h"

void KERNEL (window_attention) (const UpiStep *s, gint begin, gint end, void *scratch);

typedef struct {
  const UpiStep *step;
  UpiWindowSide down, across;
  gint window, cells, heads, width; /* cells: window², width: of a head */
  gint stride;                      /* of a row of scores */
  gint head;                        /* that `bias` is spread out for */
  gboolean ready[4];
  gfloat *bias[4]; /* [cells][stride]: bit 1, the last row of windows, is rolled; bit 0, the last column */
  gfloat *scores, *keys, *values, *mixed;
  gint32 *at; /* elements of each cell from the item's begin, -1 beyond the map */
} Window;

/* The parts of the scratchpad; upi_cpu_window_scratch() is their sum. */
static void
window_init (Window *w, const UpiStep *s, void *scratch)
{
  const UpiWindow *window = &s->op->u.window;
  gfloat *p = scratch;

  w->step = s;
  w->down = upi_window_side (s->out.shape.dim[1], window);
  w->across = upi_window_side (s->out.shape.dim[2], window);
  w->window = window->window;
  w->cells = window->window * window->window;
  w->heads = window->heads;
  w->width = s->out.shape.dim[3] / window->heads;
  w->stride = upi_cpu_window_stride (w->cells);
  w->head = -1;
  for (gint i = 0; i < 4; i++, p += w->cells * w->stride)
    w->bias[i] = p;
  w->scores = p;
  p += w->cells * MAX (w->stride, w->width); /* keys lie there before they are packed */
  w->mixed = p;
  p += w->cells * w->width;
  w->at = (gint32 *) p;
  p += w->cells;
  w->keys = p;
  p += KERNEL (gemm_packed) (w->width, w->cells);
  w->values = p;
}

static const gfloat *
bias_of (Window *w, gint head, gboolean rolled_down, gboolean rolled_across)
{
  const UpiCpuState *state = w->step->state;
  const gint n = w->window, side = 2 * n - 1, which = 2 * rolled_down + rolled_across;
  const gfloat *table = state->weights + (gsize) head * (gsize) (side * side);
  gfloat *bias = w->bias[which];

  if (w->head != head) {
    memset (w->ready, 0, sizeof w->ready);
    w->head = head;
  }
  if (w->ready[which])
    return bias;
  w->ready[which] = TRUE;
  for (gint i = 0; i < w->cells; i++) {
    gint row = i / n, column = i % n;
    gboolean low = rolled_down && row >= n - w->down.shift, right = rolled_across && column >= n - w->across.shift;
    gfloat *to = bias + (gssize) i * w->stride;

    for (gint y = 0; y < n; y++, to += n) {
      const gfloat *from = table + (row - y + n - 1) * side + column + n - 1;
      gboolean apart = rolled_down && (y >= n - w->down.shift) != low;

      for (gint x = 0; x < n; x++)
        to[x] = apart || (rolled_across && (x >= n - w->across.shift) != right) ? -INFINITY : from[-x];
    }
  }
  return bias;
}

/* Keys as the product's right side, [width][cells]: panels of whole vectors of cells. */
static void
pack_keys (const Window *w, const gfloat *item, const gfloat *beyond)
{
  gfloat *rows = w->scores; /* free until the product */

  for (gint i = 0; i < w->cells; i++) {
    const gfloat *from = w->at[i] < 0 ? beyond : item + w->at[i];

    memcpy (rows + (gssize) i * w->width, from, sizeof (gfloat) * (gsize) w->width);
  }
  KERNEL (gemm_pack) (w->keys, rows, 1, w->width, w->width, w->cells);
}

static void
pack_values (const Window *w, const gfloat *item, const gfloat *beyond)
{
  gfloat *rows = w->mixed;

  for (gint i = 0; i < w->cells; i++) {
    const gfloat *from = w->at[i] < 0 ? beyond : item + w->at[i];

    memcpy (rows + (gssize) i * w->width, from, sizeof (gfloat) * (gsize) w->width);
  }
  KERNEL (gemm_pack) (w->values, rows, w->width, 1, w->cells, w->width);
}

/* One head of window (wy, wx) of item n. */
static void
attend (Window *w, gint n, gint wy, gint wx, gint head)
{
  const UpiStep *s = w->step;
  const UpiCpuState *state = s->state;
  const UpiTensor *qkv = &s->in[0], *out = &s->out;
  const gint whole = w->heads * w->width, first = head * w->width;
  const gfloat *item = (const gfloat *) qkv->data + (gssize) n * qkv->stride[0] + first,
               *beyond = (const gfloat *) s->in[1].data + first;
  const gfloat *bias = bias_of (
      w, head, w->down.shift > 0 && wy == w->down.windows - 1, w->across.shift > 0 && wx == w->across.windows - 1);

  for (gint i = 0; i < w->cells; i++) {
    gint y = upi_window_cell (&w->down, w->window, wy, i / w->window),
         x = upi_window_cell (&w->across, w->window, wx, i % w->window);

    w->at[i] = y < 0 || x < 0 ? -1 : y * qkv->stride[1] + x * qkv->stride[2];
  }
  pack_keys (w, item + whole, beyond + whole);
  pack_values (w, item + 2 * whole, beyond + 2 * whole);
  KERNEL (gemm)
  (&(UpiGemm){ .n = w->cells,
       .k = w->width,
       .taps = 1,
       .a = item,
       .offsets = w->at,
       .zero = state->zero, /* what asks from beyond the map is not kept */
       .b = w->keys,
       .scale = 1.0f / sqrtf ((gfloat) w->width),
       .residual = bias,
       .ldr = w->stride,
       .c = w->scores,
       .ldc = w->stride },
      0, w->cells);
  for (gint i = 0; i < w->cells; i++) {
    gfloat *row = w->scores + (gssize) i * w->stride;

    if (w->at[i] >= 0)
      softmax_row (row, row, w->cells, TRUE);
  }
  KERNEL (gemm)
  (&(UpiGemm){ .n = w->width,
       .k = w->cells,
       .taps = 1,
       .a = w->scores,
       .lda = w->stride,
       .b = w->values,
       .c = w->mixed,
       .ldc = w->width },
      0, w->cells);
  for (gint i = 0; i < w->cells; i++) {
    gint y, x;

    if (w->at[i] < 0)
      continue;
    y = upi_window_cell (&w->down, w->window, wy, i / w->window);
    x = upi_window_cell (&w->across, w->window, wx, i % w->window);
    memcpy ((gfloat *) out->data + (gssize) n * out->stride[0] + (gssize) y * out->stride[1]
            + (gssize) x * out->stride[2] + first,
        w->mixed + (gssize) i * w->width, sizeof (gfloat) * (gsize) w->width);
  }
}

void
KERNEL (window_attention) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  gint windows, all;
  Window w = { 0 };

  window_init (&w, s, scratch);
  windows = w.down.windows * w.across.windows;
  all = windows * s->out.shape.dim[0];
  for (gint unit = begin; unit < end; unit++) {
    gint head = unit / all, n = unit % all / windows, at = unit % windows;

    attend (&w, n, at / w.across.windows, at % w.across.windows, head);
  }
}
