/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Multiply-accumulates: of matrix products and convolutions, attention's two products, the four taps of every bilinear
 * sample. */

#include "core/program/passes.h"

/* count: elements of the output; in: shapes of the inputs */
typedef guint64 (*MacsFunc) (const UpiOp *op, guint64 count, const UpiShape *const *in);

static guint64
macs_none (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return 0;
}

/* w [O, C/groups, kh, kw] */
static guint64
macs_conv2d (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return count * (guint64) in[1]->dim[1] * (guint64) in[1]->dim[2] * (guint64) in[1]->dim[3];
}

static guint64
macs_product (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return count * (guint64) upi_shape_width (in[0]);
}

/* q·kᵀ and weights·v */
static guint64
macs_attention (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return count * 2 * (guint64) (in[1]->dim[1] + (op->n_inputs == 7 ? in[4]->dim[1] : 0));
}

/* the same of a window's cells, those beyond the map too */
static guint64
macs_window (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return count * 2 * (guint64) (op->u.window.window * op->u.window.window);
}

static guint64
macs_deformable (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return count * (guint64) (op->u.deformable.levels * op->u.deformable.points) * 4;
}

static guint64
macs_resize (const UpiOp *op, guint64 count, const UpiShape *const *in)
{
  return op->u.resize.nearest ? 0 : count * 4;
}

static const MacsFunc funcs[UPI_OP_COUNT] = {
#define UPI_OP(KIND, name, shape, macs, ...) [UPI_OP_##KIND] = macs_##macs,
#include "core/program/ops.def"
};

/**
 * upi_op_macs:
 *
 * Returns: multiply-accumulates of one operation; element-wise work counts nothing
 */
guint64
upi_op_macs (const UpiProgram *p, const UpiOp *op)
{
  const UpiShape *in[UPI_MAX_INPUTS] = { NULL };

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      in[i] = &upi_value_info (p, op->inputs[i])->shape;
  }
  return funcs[op->kind](op, upi_shape_count (&upi_value_info (p, op->output)->shape), in);
}

guint64
upi_program_macs (const UpiProgram *p)
{
  guint64 sum = 0;

  for (guint i = 0; i < p->ops->len; i++)
    sum += upi_op_macs (p, upi_program_op (p, i));
  return sum;
}
