/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of a strided tensor: all leading dimensions counted in order, the last dimension contiguous. */
#pragma once

#include "core/program/tensor.h"

typedef struct {
  gfloat *data;
  gssize stride; /* between rows, where they are evenly spaced */
  gboolean even;
  UpiTensor tensor; /* where they are not */
} UpiRows;

static inline UpiRows
upi_rows (const UpiTensor *tensor)
{
  UpiRows rows = { (gfloat *) tensor->data, 0, TRUE, *tensor };
  gssize count = 1;
  gboolean found = FALSE;

  for (guint i = tensor->shape.rank - 1; i-- > 0;) {
    if (tensor->shape.dim[i] == 1)
      continue;
    if (!found)
      rows.stride = tensor->stride[i];
    else if (tensor->stride[i] != rows.stride * count)
      rows.even = FALSE;
    found = TRUE;
    count *= tensor->shape.dim[i];
  }
  return rows;
}

/* The rows of b as they meet the rows of x: missing and single dimensions repeat (stride 0). */
static inline UpiRows
upi_rows_broadcast (const UpiTensor *b, const UpiTensor *x)
{
  UpiTensor t = { b->data, b->dtype, x->shape, { 0 } };

  for (guint i = 0; i < b->shape.rank; i++) {
    guint to = x->shape.rank - b->shape.rank + i;

    t.stride[to] = b->shape.dim[i] == 1 && x->shape.dim[to] != 1 ? 0 : b->stride[i];
  }
  return upi_rows (&t);
}

static inline gfloat *
upi_row (const UpiRows *rows, gint row)
{
  return rows->data
      + (rows->even ? (gssize) row * rows->stride : (gssize) upi_tensor_row_offset (&rows->tensor, (gsize) row));
}
