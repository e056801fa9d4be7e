/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuse pass: activations and additions become attributes of the operation that makes their input, so that backends
 * apply them while the result is in a register.
 *
 *   add → layer_norm            layer_norm with a residual (post-norm transformers: one pass over the rows instead of
 *   two) conv | linear → add         residual; the conv waits for the other operand where it can
 *   conv | linear | add | norm → activation
 *
 * Only where nobody else reads the value in between. */

#include "core/program/passes.h"

/* Where the operation keeps its activation, NULL if it has none. */
static UpiAct *
op_act (UpiOp *op)
{
  switch (op->kind) {
  case UPI_OP_CONV2D:
    return &op->u.conv.act;
  case UPI_OP_LINEAR:
  case UPI_OP_ADD:
    return &op->u.act;
  case UPI_OP_LAYER_NORM:
  case UPI_OP_GROUP_NORM:
    return &op->u.norm.act;
  default:
    return NULL;
  }
}

/* The operation that makes `x`, if x is all of its result, nobody else reads it and it ends without an activation; else
 * -1. */
static gint
find_fusable (const UpiProgram *p, UpiValue x)
{
  UpiValue owner = upi_value_info (p, x)->base;
  const UpiValueInfo *info = upi_value_info (p, owner);
  const UpiAct *act;
  gint producer;

  if (info->kind != UPI_VALUE_COMPUTED || info->is_output || !upi_view_is_whole (p, x)
      || upi_program_count_reads (p, owner) != 1)
    return -1;
  producer = upi_program_find_producer (p, owner);
  if (producer < 0)
    return -1;
  act = op_act (upi_program_op (p, (guint) producer));
  return act != NULL && *act == UPI_ACT_NONE ? producer : -1;
}

/* The producer now makes what operation `gone` made. */
static void
take_over (UpiProgram *p, gint producer, guint gone)
{
  UpiOp *op = upi_program_op (p, (guint) producer);
  UpiValue result = upi_program_op (p, gone)->output;

  if (upi_shape_equal (&upi_value_info (p, op->output)->shape, &upi_value_info (p, result)->shape))
    op->output = result;
  else if (!upi_view_redirect (p, op->output, result))
    g_assert_not_reached (); /* both are whole and contiguous */
  g_array_remove_index (p->ops, gone);
}

static gboolean
fuse_activation (UpiProgram *p, guint index)
{
  const UpiOp *op = upi_program_op (p, index);
  gint producer = find_fusable (p, op->inputs[0]);

  if (producer < 0 || upi_value_info (p, op->output)->kind != UPI_VALUE_COMPUTED)
    return FALSE;
  *op_act (upi_program_op (p, (guint) producer)) = op->u.act;
  take_over (p, producer, index);
  return TRUE;
}

/* TRUE if operation `from` may as well run right before operation `to`: nothing that it reads changes in between. */
static gboolean
can_wait (const UpiProgram *p, gint from, guint to)
{
  const UpiOp *op = upi_program_op (p, (guint) from);

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE
        && upi_program_is_written (p, upi_value_info (p, op->inputs[i])->base, from + 1, (gint) to))
      return FALSE;
  }
  return TRUE;
}

/* Moves operation `from` right before operation `to`; returns where it is then. */
static gint
move_before (UpiProgram *p, gint from, guint to)
{
  UpiOp op = *upi_program_op (p, (guint) from);

  g_array_remove_index (p->ops, (guint) from);
  g_array_insert_val (p->ops, to - 1, op);
  return (gint) to - 1;
}

/* x is conv's or linear's result, b becomes its residual. If b is not complete before x is made, that waits for b when
 * `wait` is TRUE. */
static gboolean
fuse_add (UpiProgram *p, guint index, guint x_input, gboolean wait)
{
  const UpiOp *op = upi_program_op (p, index);
  UpiValue x = op->inputs[x_input], b = op->inputs[1 - x_input], residual;
  UpiAct act = op->u.act;
  gint producer = find_fusable (p, x);
  UpiOp *into;

  /* A broadcast operand has fewer elements than the result. */
  if (producer < 0
      || upi_shape_count (&upi_value_info (p, b)->shape) != upi_shape_count (&upi_value_info (p, op->output)->shape)
      || upi_shape_count (&upi_value_info (p, x)->shape) != upi_shape_count (&upi_value_info (p, b)->shape))
    return FALSE;
  into = upi_program_op (p, (guint) producer);
  if ((into->kind != UPI_OP_CONV2D && into->kind != UPI_OP_LINEAR) || into->residual != UPI_NO_VALUE)
    return FALSE;
  /* b must be complete, and unchanged until here. */
  if (upi_program_is_written (p, upi_value_info (p, b)->base, producer, (gint) index)
      && (!wait || !can_wait (p, producer, index)))
    return FALSE;
  residual = upi_view_try_reshape (p, b, &upi_value_info (p, into->output)->shape);
  if (residual == UPI_NO_VALUE)
    return FALSE;
  if (wait)
    producer = move_before (p, producer, index);
  into = upi_program_op (p, (guint) producer);
  into->residual = residual;
  *op_act (into) = act;
  take_over (p, producer, index);
  return TRUE;
}

static gboolean
fuse_layer_norm (UpiProgram *p, guint index)
{
  UpiOp *norm = upi_program_op (p, index);
  gint add = find_fusable (p, norm->inputs[0]);
  const UpiOp *op;
  UpiValue x, b;

  if (add < 0 || norm->residual != UPI_NO_VALUE)
    return FALSE;
  op = upi_program_op (p, (guint) add);
  x = op->inputs[0];
  b = op->inputs[1];
  if (op->kind != UPI_OP_ADD || op->output != norm->inputs[0]
      || upi_shape_count (&upi_value_info (p, b)->shape) != upi_shape_count (&upi_value_info (p, x)->shape))
    return FALSE;
  if (upi_program_is_written (p, upi_value_info (p, x)->base, add, (gint) index)
      || upi_program_is_written (p, upi_value_info (p, b)->base, add, (gint) index))
    return FALSE;
  b = upi_view_try_reshape (p, b, &upi_value_info (p, x)->shape);
  if (b == UPI_NO_VALUE)
    return FALSE;
  norm->inputs[0] = x;
  norm->residual = b;
  g_array_remove_index (p->ops, (guint) add);
  return TRUE;
}

void
upi_fuse (UpiProgram *p)
{
  /* Norms first: an addition that only a norm reads is cheaper there than behind a matrix product. */
  for (guint i = 0; i < p->ops->len;) {
    if (upi_program_op (p, i)->kind != UPI_OP_LAYER_NORM || !fuse_layer_norm (p, i))
      i++;
  }
  for (guint i = 0; i < p->ops->len;) {
    UpiOpKind kind = upi_program_op (p, i)->kind;
    gboolean gone = FALSE;

    if (kind == UPI_OP_ACTIVATION)
      gone = fuse_activation (p, i);
    else if (kind == UPI_OP_ADD)
      gone = fuse_add (p, i, 0, FALSE) || fuse_add (p, i, 1, FALSE) || fuse_add (p, i, 0, TRUE)
          || fuse_add (p, i, 1, TRUE);
    if (!gone)
      i++;
  }
}
