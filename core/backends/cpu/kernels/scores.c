/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scores: the largest of a row, what two scores say together. */
#include "core/backends/cpu/kernels/rows.h"
#include "core/backends/cpu/kernels/vector.h"

void KERNEL (row_max) (const UpiStep *s, gint begin, gint end, void *scratch);
void KERNEL (joint_logit) (const UpiStep *s, gint begin, gint end, void *scratch);

/* Units: rows. */
void
KERNEL (row_max) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows xs = upi_rows (&s->in[0]), ys = upi_rows (&s->out);
  const gint width = upi_shape_width (&s->in[0].shape);

  for (gint row = begin; row < end; row++)
    *upi_row (&ys, row) = max_of_row (upi_row (&xs, row), width);
}

#define FARTHEST 40.0f /* beyond it all is at an end of what comes out */

/* With u = e^-a, v = e^-b: 1 / q² = (1 + u)(1 + v), and logit q = -ln (1 / q - 1) = ln ((1 / q + 1) / (1 / q² - 1)),
 * where nothing is subtracted: one exponential each, a root and a logarithm. */
INLINE vf
joint (vf a, vf b)
{
  const vf least = vset (UPI_JOINT_LOGIT_LEAST);
  vf u = vexp (vmin (-a, vset (FARTHEST))), v = vexp (vmin (-b, vset (FARTHEST)));
  vf quotient = (vsqrt ((1.0f + u) * (1.0f + v)) + 1.0f) / vmax (u + v + u * v, vset (1e-30f));
  vf logit = vmax (vmin (vlog (quotient), vset (UPI_JOINT_LOGIT_MOST)), least);

  return vselect ((a != a) | (b != b), least, logit);
}

/* Units: rows. */
void
KERNEL (joint_logit) (const UpiStep *s, gint begin, gint end, void *scratch)
{
  UpiRows as = upi_rows (&s->in[0]), bs = upi_rows (&s->in[1]), ys = upi_rows (&s->out);
  const gboolean column = upi_shape_width (&s->out.shape) == 1 && as.even && bs.even && ys.even && as.stride == 1
      && bs.stride == 1 && ys.stride == 1;
  /* rows of one number that lie side by side are one row */
  const gint width = column ? end - begin : upi_shape_width (&s->out.shape);

  for (gint row = begin; row < end; row += column ? width : 1) {
    const gfloat *a = upi_row (&as, row), *b = upi_row (&bs, row);
    gfloat *y = upi_row (&ys, row);
    gint c;

    for (c = 0; c + VL <= width; c += VL)
      vstore (y + c, joint (vload (a + c), column ? vload (b + c) : vset (*b)));
    if (c < width)
      vstore_part (
          y + c, joint (vload_part (a + c, width - c), column ? vload_part (b + c, width - c) : vset (*b)), width - c);
  }
}
