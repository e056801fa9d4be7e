/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the cells of a window lie: what every backend of window attention (program.h, UpiWindow) counts with, one side
 * at a time. */
#pragma once

#include "core/program/program.h"

typedef struct {
  gint size;    /* cells of the map */
  gint windows; /* of them */
  gint cells;   /* windows · window: the map and what is beyond it */
  gint shift;   /* 0 where one window covers the side */
} UpiWindowSide;

static inline UpiWindowSide
upi_window_side (gint size, const UpiWindow *window)
{
  gint windows = (size + window->window - 1) / window->window;

  return (UpiWindowSide){ size, windows, windows * window->window, windows > 1 ? window->shift : 0 };
}

/* Cell i of window w: where in the map, -1 beyond it. */
static inline gint
upi_window_cell (const UpiWindowSide *side, gint window, gint w, gint i)
{
  gint at = w * window + i + side->shift;

  if (at >= side->cells)
    at -= side->cells;
  return at < side->size ? at : -1;
}

/* Whether cell i of window w came round from the map's other end, and has nothing to do with those that did not. */
static inline gboolean
upi_window_is_rolled (const UpiWindowSide *side, gint window, gint w, gint i)
{
  return side->shift > 0 && w == side->windows - 1 && i >= window - side->shift;
}
