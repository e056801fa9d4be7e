/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Element by element: add, mul (b broadcast to x), activation, copy of any view. */

#include "core/backends/ref/ref.h"

#include <string.h>

/* The row of b that belongs to row `row` of x: b has x's dimensions, dimensions of 1, or fewer leading ones. */
static const gfloat *
broadcast_row (const UpiTensor *b, const UpiShape *x, gsize row)
{
  guint lead = x->rank - b->shape.rank;
  gssize offset = 0;

  for (guint i = x->rank - 1; i-- > 0;) {
    if (i >= lead)
      offset += (gssize) (row % (gsize) x->dim[i]) * upi_tensor_step (b, i - lead);
    row /= (gsize) x->dim[i];
  }
  return (const gfloat *) b->data + offset;
}

void
upi_ref_add (const UpiStep *step)
{
  gint width = upi_shape_width (&step->out.shape), step_b = upi_tensor_step (&step->in[1], step->in[1].shape.rank - 1);
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r), *b = broadcast_row (&step->in[1], &step->out.shape, r);
    gfloat *y = upi_tensor_row (&step->out, r);

    for (gint c = 0; c < width; c++)
      y[c] = upi_ref_act (step->op->u.act, (gdouble) x[c] + (gdouble) b[c * step_b]);
  }
}

void
upi_ref_mul (const UpiStep *step)
{
  gint width = upi_shape_width (&step->out.shape), step_b = upi_tensor_step (&step->in[1], step->in[1].shape.rank - 1);
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r), *b = broadcast_row (&step->in[1], &step->out.shape, r);
    gfloat *y = upi_tensor_row (&step->out, r);

    for (gint c = 0; c < width; c++)
      y[c] = x[c] * b[c * step_b];
  }
}

void
upi_ref_activation (const UpiStep *step)
{
  gint width = upi_shape_width (&step->out.shape);
  gsize rows = upi_shape_rows (&step->out.shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *x = upi_tensor_row (&step->in[0], r);
    gfloat *y = upi_tensor_row (&step->out, r);

    for (gint c = 0; c < width; c++)
      y[c] = upi_ref_act (step->op->u.act, (gdouble) x[c]);
  }
}

void
upi_ref_copy (const UpiStep *step)
{
  gsize rows = upi_shape_rows (&step->out.shape),
        bytes = (gsize) upi_shape_width (&step->out.shape) * UPI_ELEMENT_BYTES;

  for (gsize r = 0; r < rows; r++)
    memcpy (upi_tensor_row (&step->out, r), upi_tensor_row (&step->in[0], r), bytes);
}
