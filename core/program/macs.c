/* Multiply-accumulates: of matrix products and convolutions, attention's two products, the four taps of every bilinear sample. */

#include "core/program/passes.h"

/**
 * upi_op_macs:
 *
 * Returns: multiply-accumulates of one operation; element-wise work counts nothing
 */
guint64
upi_op_macs (const UpiProgram *p, const UpiOp *op)
{
  const UpiShape *out = &upi_value_info (p, op->output)->shape;
  const UpiShape *in[UPI_MAX_INPUTS] = { NULL };
  guint64 count = upi_shape_count (out);

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      in[i] = &upi_value_info (p, op->inputs[i])->shape;
  }
  switch (op->kind) {
  case UPI_OP_CONV2D: /* w [O, C/groups, kh, kw] */
    return count * (guint64) in[1]->dim[1] * (guint64) in[1]->dim[2] * (guint64) in[1]->dim[3];
  case UPI_OP_LINEAR:
  case UPI_OP_MATMUL:
    return count * (guint64) upi_shape_width (in[0]);
  case UPI_OP_ATTENTION: /* q·kᵀ and weights·v */
    return count * 2 * (guint64) (in[1]->dim[1] + (op->n_inputs == 7 ? in[4]->dim[1] : 0));
  case UPI_OP_DEFORMABLE_ATTENTION:
    return count * (guint64) (op->u.deformable.levels * op->u.deformable.points) * 4;
  case UPI_OP_RESIZE:
    return count * 4;
  default:
    return 0;
  }
}

guint64
upi_program_macs (const UpiProgram *p)
{
  guint64 sum = 0;

  for (guint i = 0; i < p->ops->len; i++)
    sum += upi_op_macs (p, upi_program_op (p, i));
  return sum;
}
