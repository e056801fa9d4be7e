/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The eight ways to turn a picture, as one transposition and two mirrors; see orientation.h. */
#include "core/backends/frames/orientation.h"

/* (x, y) → transposed: (y, x), then mirrored. */
static const struct {
  gboolean transposed, mirror_x, mirror_y;
} turns[] = {
  [UPI_ORIENTATION_IDENTITY] = { FALSE, FALSE, FALSE },
  [UPI_ORIENTATION_90R] = { TRUE, TRUE, FALSE },
  [UPI_ORIENTATION_180] = { FALSE, TRUE, TRUE },
  [UPI_ORIENTATION_90L] = { TRUE, FALSE, TRUE },
  [UPI_ORIENTATION_HORIZ] = { FALSE, TRUE, FALSE },
  [UPI_ORIENTATION_VERT] = { FALSE, FALSE, TRUE },
  [UPI_ORIENTATION_UL_LR] = { TRUE, FALSE, FALSE },
  [UPI_ORIENTATION_UR_LL] = { TRUE, TRUE, TRUE },
};

gboolean
upi_orientation_is_transposed (UpiOrientation orientation)
{
  return turns[orientation].transposed;
}

void
upi_orientation_steps (
    UpiOrientation orientation, guint width, guint height, guint stride, gssize *origin, gssize *step_x, gssize *step_y)
{
  gboolean transposed = turns[orientation].transposed;
  gssize across = transposed ? height : width, down = transposed ? width : height; /* of the turned picture */
  gssize column = turns[orientation].mirror_x ? -1 : 1, row = turns[orientation].mirror_y ? -(gssize) stride : stride;

  *origin = (column < 0 ? across - 1 : 0) + (row < 0 ? (down - 1) * (gssize) stride : 0);
  *step_x = transposed ? row : column;
  *step_y = transposed ? column : row;
}

void
upi_orientation_turn_back (UpiOrientation orientation, gfloat *x, gfloat *y, gfloat *width, gfloat *height)
{
  /* 1 - x - width may miss 0 by a rounding */
  gfloat left = turns[orientation].mirror_x ? MAX (1 - *x - *width, 0) : *x, across = *width;
  gfloat top = turns[orientation].mirror_y ? MAX (1 - *y - *height, 0) : *y, down = *height;
  gboolean transposed = turns[orientation].transposed;

  *x = transposed ? top : left;
  *y = transposed ? left : top;
  *width = transposed ? down : across;
  *height = transposed ? across : down;
}

UpiMask *
upi_orientation_turn_mask_back (UpiOrientation orientation, UpiMask *mask, GError **error)
{
  gboolean transposed = turns[orientation].transposed;
  guint columns = transposed ? mask->rows : mask->columns, rows = transposed ? mask->columns : mask->rows;
  UpiMask *turned;
  gssize origin, step_x, step_y;

  if (orientation == UPI_ORIENTATION_IDENTITY)
    return mask;
  turned = upi_mask_new (columns, rows);
  if (turned == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "no memory for a mask of %u × %u", columns, rows);
  } else {
    turned->x = mask->x;
    turned->y = mask->y;
    turned->width = mask->width;
    turned->height = mask->height;
    upi_orientation_turn_back (orientation, &turned->x, &turned->y, &turned->width, &turned->height);
    upi_orientation_steps (orientation, columns, rows, mask->columns, &origin, &step_x, &step_y);
    for (guint row = 0; row < rows; row++)
      for (guint column = 0; column < columns; column++)
        turned->data[row * columns + column] = mask->data[origin + (gssize) column * step_x + (gssize) row * step_y];
  }
  upi_mask_unref (mask);
  return turned;
}
