/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention inside windows (Swin): shifted, with relative positions, cells beyond the map. */

#include "core/backends/ref/ref.h"
#include "core/program/window.h"

/* One cell of a window: its queries, keys and values, and its place in the map. */
typedef struct {
  const gfloat *qkv;
  gint y, x;        /* in the map; -1: beyond it */
  gint row, column; /* in the window */
  gint part;        /* cells of one part see each other */
} Cell;

static gint
cells_of_window (const UpiStep *step, const UpiWindowSide sides[2], gint n, gint wy, gint wx, Cell *cells)
{
  gint window = step->op->u.window.window, count = 0;

  for (gint i = 0; i < window; i++) {
    for (gint j = 0; j < window; j++) {
      Cell *c = &cells[count++];

      c->y = upi_window_cell (&sides[0], window, wy, i);
      c->x = upi_window_cell (&sides[1], window, wx, j);
      c->row = i;
      c->column = j;
      c->part = 2 * upi_window_is_rolled (&sides[0], window, wy, i) + upi_window_is_rolled (&sides[1], window, wx, j);
      c->qkv = c->y < 0 || c->x < 0 ? step->in[1].data : upi_ref_pixel (&step->in[0], n, c->y, c->x);
    }
  }
  return count;
}

static void
attend (const UpiStep *step, const Cell *cells, gint count, const Cell *query, gint head, gint width, gdouble *weights,
    gfloat *out)
{
  const UpiWindow *window = &step->op->u.window;
  gint whole = width * window->heads, first = head * width;
  gdouble most = -INFINITY, sum = 0;

  for (gint j = 0; j < count; j++) {
    gint entry = (query->row - cells[j].row + window->window - 1) * (2 * window->window - 1) + query->column
        - cells[j].column + window->window - 1;
    gdouble dot = 0;

    for (gint c = 0; c < width; c++)
      dot += (gdouble) query->qkv[first + c] * (gdouble) cells[j].qkv[whole + first + c];
    weights[j] =
        dot / sqrt ((gdouble) width) + (gdouble) ((const gfloat *) step->in[2].data)[entry * window->heads + head];
    if (cells[j].part != query->part)
      weights[j] = -INFINITY;
    most = MAX (most, weights[j]);
  }
  for (gint j = 0; j < count; j++)
    sum += weights[j] = exp (weights[j] - most);
  for (gint c = 0; c < width; c++) {
    gdouble mixed = 0;

    for (gint j = 0; j < count; j++)
      mixed += weights[j] * (gdouble) cells[j].qkv[2 * whole + first + c];
    out[first + c] = (gfloat) (mixed / sum);
  }
}

/* scratch: the window's cells, a row of weights */
gsize
upi_ref_window_scratch (const UpiOp *op)
{
  return (gsize) op->u.window.window * (gsize) op->u.window.window * (sizeof (Cell) + sizeof (gdouble));
}

void
upi_ref_window_attention (const UpiStep *step)
{
  const UpiWindow *window = &step->op->u.window;
  const UpiShape *shape = &step->out.shape;
  UpiWindowSide sides[2] = { upi_window_side (shape->dim[1], window), upi_window_side (shape->dim[2], window) };
  Cell *cells = step->scratch;
  gdouble *weights = (gdouble *) (cells + window->window * window->window);

  for (gint n = 0; n < shape->dim[0]; n++) {
    for (gint wy = 0; wy < sides[0].windows; wy++) {
      for (gint wx = 0; wx < sides[1].windows; wx++) {
        gint count = cells_of_window (step, sides, n, wy, wx, cells);

        for (gint i = 0; i < count; i++) {
          if (cells[i].y < 0 || cells[i].x < 0)
            continue;
          for (gint head = 0; head < window->heads; head++)
            attend (step, cells, count, &cells[i], head, shape->dim[3] / window->heads, weights,
                upi_ref_pixel (&step->out, n, cells[i].y, cells[i].x));
        }
      }
    }
  }
}
