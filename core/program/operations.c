/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The builder functions: each appends one operation, after shapes.c found its inputs fit, and returns the value it
 * makes. */

#include "core/program/passes.h"

static const gchar *const names[UPI_OP_COUNT] = {
#define UPI_OP(KIND, name, ...) [UPI_OP_##KIND] = #name,
#include "core/program/ops.def"
};

const gchar *
upi_op_name (UpiOpKind kind)
{
  return names[kind];
}

/* Checks the operation and appends it with a new value, or with `output` if one is given. */
static UpiValue
append (UpiProgram *p, UpiOp *op, guint n_inputs, const UpiValue *inputs)
{
  UpiShape shape;
  UpiDType dtype;

  if (p->error != NULL)
    return upi_program_no_result (p);
  op->part = p->part;
  op->residual = UPI_NO_VALUE;
  op->n_inputs = n_inputs;
  for (guint i = 0; i < n_inputs; i++)
    op->inputs[i] = inputs[i];
  if (!upi_check_op (p, op, &shape, &dtype, &p->error))
    return upi_program_no_result (p);
  if (op->kind == UPI_OP_STORE_ROWS) {
    /* The cache after the change is another view of the same memory. */
    UpiValueInfo *view;

    op->output = upi_program_append_value (p, UPI_VALUE_VIEW, dtype, &shape, NULL);
    view = upi_value_info (p, op->output);
    view->parent = inputs[0];
    if (!upi_view_resolve (p, op->output))
      g_assert_not_reached (); /* a reshape to the same shape */
  } else {
    op->output = upi_program_append_value (p, UPI_VALUE_COMPUTED, dtype, &shape, NULL);
  }
  g_array_append_val (p->ops, *op);
  return op->output;
}

#define INPUTS(...)                                                                                                    \
  G_N_ELEMENTS (((const UpiValue[]){ __VA_ARGS__ })), (const UpiValue[])                                               \
  {                                                                                                                    \
    __VA_ARGS__                                                                                                        \
  }

UpiValue
upi_conv2d (UpiProgram *p, UpiValue x, UpiValue weight, UpiValue bias, const UpiConv *conv)
{
  UpiOp op = { .kind = UPI_OP_CONV2D, .u.conv = *conv };

  if (op.u.conv.stride == 0)
    op.u.conv.stride = 1;
  if (op.u.conv.groups == 0)
    op.u.conv.groups = 1;
  return append (p, &op, INPUTS (x, weight, bias));
}

UpiValue
upi_linear (UpiProgram *p, UpiValue x, UpiValue weight, UpiValue bias, UpiAct act)
{
  UpiOp op = { .kind = UPI_OP_LINEAR, .u.act = act };

  return append (p, &op, INPUTS (x, weight, bias));
}

UpiValue
upi_matmul (UpiProgram *p, UpiValue a, UpiValue b, const UpiMatmul *matmul)
{
  UpiOp op = { .kind = UPI_OP_MATMUL, .u.matmul = *matmul };

  if (op.u.matmul.scale == 0)
    op.u.matmul.scale = 1;
  return append (p, &op, INPUTS (a, b));
}

UpiValue
upi_attention (UpiProgram *p, UpiValue q, UpiValue k, UpiValue v, UpiValue lengths, const UpiAttention *attention)
{
  UpiOp op = { .kind = UPI_OP_ATTENTION, .u.attention = *attention };

  return append (p, &op, INPUTS (q, k, v, lengths));
}

UpiValue
upi_attention2 (UpiProgram *p, UpiValue q, UpiValue k, UpiValue v, UpiValue lengths, UpiValue k2, UpiValue v2,
    UpiValue lengths2, const UpiAttention *attention)
{
  UpiOp op = { .kind = UPI_OP_ATTENTION, .u.attention = *attention };

  return append (p, &op, INPUTS (q, k, v, lengths, k2, v2, lengths2));
}

UpiValue
upi_window_attention (UpiProgram *p, UpiValue qkv, UpiValue beyond, UpiValue table, const UpiWindow *window)
{
  UpiOp op = { .kind = UPI_OP_WINDOW_ATTENTION, .u.window = *window };

  return append (p, &op, INPUTS (qkv, beyond, table));
}

UpiValue
upi_deformable_attention (UpiProgram *p, UpiValue value, UpiValue offsets, UpiValue weights, UpiValue reference,
    const UpiDeformable *deformable)
{
  UpiOp op = { .kind = UPI_OP_DEFORMABLE_ATTENTION, .u.deformable = *deformable };

  return append (p, &op, INPUTS (value, offsets, weights, reference));
}

UpiValue
upi_layer_norm (UpiProgram *p, UpiValue x, UpiValue gamma, UpiValue beta, gfloat eps)
{
  UpiOp op = { .kind = UPI_OP_LAYER_NORM, .u.norm = { .eps = eps, .groups = 1 } };

  return append (p, &op, INPUTS (x, gamma, beta));
}

UpiValue
upi_group_norm (UpiProgram *p, UpiValue x, UpiValue gamma, UpiValue beta, gint groups, gfloat eps)
{
  UpiOp op = { .kind = UPI_OP_GROUP_NORM, .u.norm = { .eps = eps, .groups = groups } };

  return append (p, &op, INPUTS (x, gamma, beta));
}

UpiValue
upi_softmax (UpiProgram *p, UpiValue x)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_SOFTMAX }, INPUTS (x));
}

UpiValue
upi_add (UpiProgram *p, UpiValue x, UpiValue b)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_ADD, .u.act = UPI_ACT_NONE }, INPUTS (x, b));
}

UpiValue
upi_mul (UpiProgram *p, UpiValue x, UpiValue b)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_MUL }, INPUTS (x, b));
}

UpiValue
upi_activation (UpiProgram *p, UpiValue x, UpiAct act)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_ACTIVATION, .u.act = act }, INPUTS (x));
}

UpiValue
upi_resize (UpiProgram *p, UpiValue x, gint height, gint width)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_RESIZE, .u.resize = { height, width, FALSE } }, INPUTS (x));
}

UpiValue
upi_resize_nearest (UpiProgram *p, UpiValue x, gint height, gint width)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_RESIZE, .u.resize = { height, width, TRUE } }, INPUTS (x));
}

UpiValue
upi_max_pool (UpiProgram *p, UpiValue x, const UpiPool *pool)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_MAX_POOL, .u.pool = *pool }, INPUTS (x));
}

UpiValue
upi_adaptive_avg_pool (UpiProgram *p, UpiValue x, gint height, gint width)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_ADAPTIVE_AVG_POOL, .u.resize = { height, width } }, INPUTS (x));
}

UpiValue
upi_mean_tokens (UpiProgram *p, UpiValue x)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_MEAN_TOKENS }, INPUTS (x));
}

UpiValue
upi_gather (UpiProgram *p, UpiValue x, UpiValue indices)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_GATHER }, INPUTS (x, indices));
}

UpiValue
upi_top_k (UpiProgram *p, UpiValue scores, gint count)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_TOP_K, .u.top_k = { count } }, INPUTS (scores));
}

UpiValue
upi_distinct (UpiProgram *p, UpiValue boxes, UpiValue indices, gint count, gfloat limit)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_DISTINCT, .u.distinct = { count, limit } }, INPUTS (boxes, indices));
}

UpiValue
upi_anchor_max (UpiProgram *p, UpiValue boxes, UpiValue scores, UpiValue anchors, gfloat ratio, gfloat least)
{
  return append (
      p, &(UpiOp){ .kind = UPI_OP_ANCHOR_MAX, .u.anchor_max = { ratio, least } }, INPUTS (boxes, scores, anchors));
}

UpiValue
upi_row_max (UpiProgram *p, UpiValue x)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_ROW_MAX }, INPUTS (x));
}

UpiValue
upi_joint_logit (UpiProgram *p, UpiValue a, UpiValue b)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_JOINT_LOGIT }, INPUTS (a, b));
}

UpiValue
upi_sine_position (UpiProgram *p, UpiValue boxes, gint features)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_SINE_POSITION, .u.sine = { features } }, INPUTS (boxes));
}

UpiValue
upi_box_refine (UpiProgram *p, UpiValue delta, UpiValue reference)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_BOX_REFINE }, INPUTS (delta, reference));
}

UpiValue
upi_l2_norm (UpiProgram *p, UpiValue x)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_L2_NORM }, INPUTS (x));
}

UpiValue
upi_embed (UpiProgram *p, UpiValue table, UpiValue ids)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_EMBED }, INPUTS (table, ids));
}

UpiValue
upi_store_rows (UpiProgram *p, UpiValue cache, UpiValue rows, UpiValue start)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_STORE_ROWS }, INPUTS (cache, rows, start));
}

UpiValue
upi_copy (UpiProgram *p, UpiValue x)
{
  return append (p, &(UpiOp){ .kind = UPI_OP_COPY }, INPUTS (x));
}
