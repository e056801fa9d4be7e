/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program as text: what upi-dump prints. */

#include "core/program/passes.h"

static const gchar *const act_names[UPI_N_ACTS] = { "", " relu", " relu6", " gelu", " sigmoid", " hard-swish",
  " hard-sigmoid" };

static UpiAct
act_none (const UpiOp *op)
{
  return UPI_ACT_NONE;
}

static UpiAct
act_conv (const UpiOp *op)
{
  return op->u.conv.act;
}

static UpiAct
act_norm (const UpiOp *op)
{
  return op->u.norm.act;
}

static UpiAct
act_own (const UpiOp *op)
{
  return op->u.act;
}

static void
show_nothing (GString *text, const UpiProgram *p, const UpiOp *op)
{
}

static void
show_conv2d (GString *text, const UpiProgram *p, const UpiOp *op)
{
  const UpiShape *weight = &upi_value_info (p, op->inputs[1])->shape;

  g_string_append_printf (text, " %d×%d", weight->dim[2], weight->dim[3]);
  if (op->u.conv.stride > 1)
    g_string_append_printf (text, " s%d", op->u.conv.stride);
  if (op->u.conv.groups > 1)
    g_string_append_printf (text, " g%d", op->u.conv.groups);
}

static void
show_attention (GString *text, const UpiProgram *p, const UpiOp *op)
{
  g_string_append_printf (text, " h%d%s", op->u.attention.heads, op->u.attention.causal ? " causal" : "");
}

static void
show_window (GString *text, const UpiProgram *p, const UpiOp *op)
{
  g_string_append_printf (text, " h%d %d×%d", op->u.window.heads, op->u.window.window, op->u.window.window);
  if (op->u.window.shift > 0)
    g_string_append_printf (text, " shift %d", op->u.window.shift);
}

static void
show_deformable (GString *text, const UpiProgram *p, const UpiOp *op)
{
  g_string_append_printf (
      text, " h%d l%d k%d", op->u.deformable.heads, op->u.deformable.levels, op->u.deformable.points);
}

static void
show_resize (GString *text, const UpiProgram *p, const UpiOp *op)
{
  if (op->u.resize.nearest)
    g_string_append (text, " nearest");
}

static void
show_groups (GString *text, const UpiProgram *p, const UpiOp *op)
{
  g_string_append_printf (text, " g%d", op->u.norm.groups);
}

static void
show_pool (GString *text, const UpiProgram *p, const UpiOp *op)
{
  g_string_append_printf (text, " %d×%d s%d", op->u.pool.kernel, op->u.pool.kernel, op->u.pool.stride);
}

static const struct {
  UpiAct (*act) (const UpiOp *op);
  void (*show) (GString *text, const UpiProgram *p, const UpiOp *op);
} rows[UPI_OP_COUNT] = {
#define UPI_OP(KIND, name, shape, macs, act, shown, ...) [UPI_OP_##KIND] = { act_##act, show_##shown },
#include "core/program/ops.def"
};

/* "3×3 s2 g24 +residual relu6", "h8", "→view": attributes, what was fused in, and whether the result lies inside
 * another value. */
static gchar *
attributes (const UpiProgram *p, const UpiOp *op)
{
  GString *text = g_string_new (NULL);
  const UpiValueInfo *out = upi_value_info (p, op->output);

  rows[op->kind].show (text, p, op);
  if (op->residual != UPI_NO_VALUE)
    g_string_append (text, " +residual");
  g_string_append (text, act_names[rows[op->kind].act (op)]);
  if (out->base != op->output)
    g_string_append (text, upi_view_is_whole (p, op->output) ? " in place" : " into a part");
  if (upi_value_info (p, out->base)->is_output)
    g_string_append_printf (text, " = \"%s\"", upi_value_info (p, out->base)->name);
  return g_string_free (text, FALSE);
}

/* "[1,80,80,24] [24,24,1,1]": what is read, without biases and affine vectors. */
static gchar *
input_shapes (const UpiProgram *p, const UpiOp *op)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE && (i == 0 || upi_value_info (p, op->inputs[i])->shape.rank > 1)) {
      g_autofree gchar *shape = upi_shape_to_string (&upi_value_info (p, op->inputs[i])->shape);

      g_string_append_printf (text, i > 0 ? " %s" : "%s", shape);
    }
  }
  return g_string_free (text, FALSE);
}

typedef struct {
  const gchar *part;
  guint n_ops;
  guint64 macs;
  gdouble microseconds;
} Part;

static void
count_part (GArray *parts, const gchar *name, guint64 macs, gdouble microseconds)
{
  Part *part = NULL;

  for (guint i = 0; i < parts->len && part == NULL; i++) {
    if (g_strcmp0 (g_array_index (parts, Part, i).part, name) == 0)
      part = &g_array_index (parts, Part, i);
  }
  if (part == NULL) {
    Part new_part = { name, 0, 0, 0 };

    g_array_append_val (parts, new_part);
    part = &g_array_index (parts, Part, parts->len - 1);
  }
  part->n_ops++;
  part->macs += macs;
  part->microseconds += microseconds;
}

static void
append_time (GString *text, gdouble microseconds, gdouble total, guint64 macs)
{
  g_string_append_printf (text, " %9.0f µs %5.1f %%", microseconds, total > 0 ? 100 * microseconds / total : 0);
  if (macs > 0 && microseconds > 0)
    g_string_append_printf (text, " %6.1f GFLOP/s", 2e-3 * (gdouble) macs / microseconds);
  else
    g_string_append_printf (text, " %14s", "");
}

/**
 * upi_program_dump:
 * @microseconds: (nullable): per operation
 *
 * Returns: (transfer full): a line an operation, a line a part of the network, and the totals
 */
gchar *
upi_program_dump (const UpiProgram *p, const gdouble *microseconds)
{
  g_autoptr (GArray) parts = g_array_new (FALSE, FALSE, sizeof (Part));
  GString *text = g_string_new (NULL);
  const gchar *part = NULL;
  gdouble total = 0;

  for (guint i = 0; i < p->ops->len && microseconds != NULL; i++)
    total += microseconds[i];
  for (guint i = 0; i < p->ops->len; i++) {
    const UpiOp *op = upi_program_op (p, i);
    const UpiShape *shape = &upi_value_info (p, op->output)->shape;
    guint64 macs = upi_op_macs (p, op);
    g_autofree gchar *out = upi_shape_to_string (shape), *in = input_shapes (p, op), *attrs = attributes (p, op);

    if (g_strcmp0 (op->part, part) != 0)
      g_string_append_printf (text, "── %s\n", op->part);
    part = op->part;
    g_string_append_printf (text, "%4u %-20s %-18s %8.1f KiB %8.4f GMAC", i, upi_op_name (op->kind), out,
        (gdouble) upi_shape_count (shape) * UPI_ELEMENT_BYTES / 1024, (gdouble) macs * 1e-9);
    if (microseconds != NULL)
      append_time (text, microseconds[i], total, macs);
    g_string_append_printf (text, "  ← %s%s\n", in, attrs);
    count_part (parts, op->part, macs, microseconds != NULL ? microseconds[i] : 0);
  }
  g_string_append (text, "── parts\n");
  for (guint i = 0; i < parts->len; i++) {
    const Part *sum = &g_array_index (parts, Part, i);

    g_string_append_printf (text, "%4u operations %35s %8.4f GMAC", sum->n_ops, "", (gdouble) sum->macs * 1e-9);
    if (microseconds != NULL)
      append_time (text, sum->microseconds, total, sum->macs);
    g_string_append_printf (text, "  %s\n", sum->part);
  }
  g_string_append_printf (text, "%s: %u operations, %.4f GMAC, arena %.2f MiB of %.2f MiB of values (%.0f %%)", p->name,
      p->ops->len, (gdouble) upi_program_macs (p) * 1e-9, (gdouble) p->arena_bytes / 1048576,
      (gdouble) p->sum_bytes / 1048576,
      p->sum_bytes > 0 ? 100. * (gdouble) p->arena_bytes / (gdouble) p->sum_bytes : 0);
  if (microseconds != NULL)
    g_string_append_printf (text, ", %.2f ms", total / 1000);
  return g_string_free (g_string_append_c (text, '\n'), FALSE);
}
