/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scores: the largest of a row, what two scores say together. */

#include "core/backends/ref/ref.h"

/* [..., C] → [..., 1] */
void
upi_ref_row_max (const UpiStep *step)
{
  const UpiTensor *x = &step->in[0];
  gsize rows = upi_shape_rows (&x->shape);

  for (gsize r = 0; r < rows; r++) {
    const gfloat *row = upi_tensor_row (x, r);
    gfloat *y = upi_tensor_row (&step->out, r);

    *y = -INFINITY;
    for (gint c = 0; c < upi_shape_width (&x->shape); c++)
      *y = row[c] > *y ? row[c] : *y; /* what is no number is larger than nothing */
  }
}

static gdouble
ln_sigmoid (gdouble x)
{
  return MIN (x, 0) - log1p (exp (-fabs (x)));
}

/* a [N,T,K], b [N,T,1] → [N,T,K] */
void
upi_ref_joint_logit (const UpiStep *step)
{
  const UpiShape *shape = &step->out.shape;

  for (gint n = 0; n < shape->dim[0]; n++) {
    for (gint t = 0; t < shape->dim[1]; t++) {
      const gfloat *a = upi_ref_token (&step->in[0], n, t), *b = upi_ref_token (&step->in[1], n, t);
      gfloat *y = upi_ref_token (&step->out, n, t);

      for (gint k = 0; k < shape->dim[2]; k++) {
        gdouble l = MIN ((ln_sigmoid ((gdouble) a[k]) + ln_sigmoid ((gdouble) *b)) / 2, -1e-7);
        gdouble logit = l - log (-expm1 (l));

        y[k] = isnan (a[k]) || isnan (*b) ? UPI_JOINT_LOGIT_LEAST : MAX ((gfloat) logit, UPI_JOINT_LOGIT_LEAST);
      }
    }
  }
}
