/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shapes: what each operation asks of its inputs, and what comes out. The builder functions and the check pass
 * (check.c) use the same rules, so that the first wrong line of a network is the one that is reported: part, operation,
 * shapes found and expected. */

#include "core/program/passes.h"

typedef struct {
  const UpiProgram *program;
  const UpiOp *op;
  const UpiShape *in[UPI_MAX_INPUTS]; /* NULL: not given */
  UpiShape out;
  UpiDType out_type;
  GError **error;
} Check;

typedef gboolean (*CheckFunc) (Check *c);

static gboolean fail (Check *c, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (Check *c, const gchar *format, ...)
{
  GString *text = g_string_new (NULL);
  va_list args;

  g_string_append_printf (text, "%s, %s: %s: ", c->program->name, c->op->part, upi_op_name (c->op->kind));
  va_start (args, format);
  g_string_append_vprintf (text, format, args);
  va_end (args);
  g_string_append (text, " (inputs");
  for (guint i = 0; i < c->op->n_inputs; i++) {
    g_autofree gchar *shape = c->in[i] != NULL ? upi_shape_to_string (c->in[i]) : g_strdup ("none");

    g_string_append_printf (text, " %s", shape);
    if (c->in[i] != NULL && upi_value_info (c->program, c->op->inputs[i])->name != NULL)
      g_string_append_printf (text, " \"%s\"", upi_value_info (c->program, c->op->inputs[i])->name);
  }
  g_set_error (c->error, UPI_ERROR, UPI_ERROR_MODEL, "%s)", text->str);
  g_string_free (text, TRUE);
  return FALSE;
}

static gboolean
needs (Check *c, guint input, const gchar *name, UpiDType dtype, guint min_rank, guint max_rank)
{
  const UpiValueInfo *info;

  if (input >= c->op->n_inputs || c->op->inputs[input] == UPI_NO_VALUE)
    return fail (c, "%s is missing", name);
  info = upi_value_info (c->program, c->op->inputs[input]);
  if (info->dtype != dtype)
    return fail (c, "%s must be %s", name, dtype == UPI_F32 ? "float32" : "int32");
  if (info->shape.rank < min_rank || info->shape.rank > max_rank)
    return fail (c, "%s has %u dimensions, expected %u%s", name, info->shape.rank, min_rank,
        max_rank > min_rank ? " or more" : "");
  return TRUE;
}

/* Weights and biases are constant and dense, because backends pack them once. */
static gboolean
needs_weight (Check *c, guint input, const gchar *name, guint rank)
{
  const UpiValueInfo *info;

  if (!needs (c, input, name, UPI_F32, rank, rank))
    return FALSE;
  info = upi_value_info (c->program, c->op->inputs[input]);
  if (upi_value_info (c->program, info->base)->kind != UPI_VALUE_WEIGHT || !upi_value_is_contiguous (info))
    return fail (c, "%s must be a contiguous constant", name);
  return TRUE;
}

/* An optional or given vector of `width` constants. */
static gboolean
needs_vector (Check *c, guint input, const gchar *name, gint width, gboolean optional)
{
  if (optional && (input >= c->op->n_inputs || c->in[input] == NULL))
    return TRUE;
  if (!needs_weight (c, input, name, 1))
    return FALSE;
  if (c->in[input]->dim[0] != width)
    return fail (c, "%s has %d entries, expected %d", name, c->in[input]->dim[0], width);
  return TRUE;
}

/* Input `input` has exactly that shape; 0 in it stands for "any". */
static gboolean
needs_shape (Check *c, guint input, const gchar *name, UpiDType dtype, UpiShape expected)
{
  gboolean equal;

  if (!needs (c, input, name, dtype, 1, UPI_MAX_RANK))
    return FALSE;
  equal = c->in[input]->rank == expected.rank;
  for (guint i = 0; equal && i < expected.rank; i++)
    equal = expected.dim[i] == 0 || c->in[input]->dim[i] == expected.dim[i];
  if (!equal) {
    g_autofree gchar *found = upi_shape_to_string (c->in[input]), *wanted = upi_shape_to_string (&expected);

    return fail (c, "%s is %s, expected %s where 0 is any", name, found, wanted);
  }
  return TRUE;
}

static gboolean
check_conv (Check *c)
{
  const UpiConv *conv = &c->op->u.conv;
  gint height, width;

  if (!needs (c, 0, "x", UPI_F32, 4, 4) || !needs_weight (c, 1, "weight", 4))
    return FALSE;
  if (conv->stride < 1 || conv->groups < 1 || conv->pad_top < 0 || conv->pad_left < 0 || conv->pad_bottom < 0
      || conv->pad_right < 0)
    return fail (c, "stride %d, groups %d and pads must be positive", conv->stride, conv->groups);
  if (c->in[0]->dim[3] % conv->groups != 0 || c->in[1]->dim[0] % conv->groups != 0)
    return fail (
        c, "%d groups do not divide %d input and %d output channels", conv->groups, c->in[0]->dim[3], c->in[1]->dim[0]);
  if (c->in[1]->dim[1] != c->in[0]->dim[3] / conv->groups)
    return fail (c, "weight reads %d channels a group, x has %d", c->in[1]->dim[1], c->in[0]->dim[3] / conv->groups);
  if (!needs_vector (c, 2, "bias", c->in[1]->dim[0], TRUE))
    return FALSE;
  height = c->in[0]->dim[1] + conv->pad_top + conv->pad_bottom - c->in[1]->dim[2];
  width = c->in[0]->dim[2] + conv->pad_left + conv->pad_right - c->in[1]->dim[3];
  if (height < 0 || width < 0)
    return fail (c, "the %d×%d kernel is larger than the padded map", c->in[1]->dim[2], c->in[1]->dim[3]);
  c->out = UPI_SHAPE4 (c->in[0]->dim[0], height / conv->stride + 1, width / conv->stride + 1, c->in[1]->dim[0]);
  return TRUE;
}

static gboolean
check_linear (Check *c)
{
  if (!needs (c, 0, "x", UPI_F32, 1, UPI_MAX_RANK) || !needs_weight (c, 1, "weight", 2))
    return FALSE;
  if (c->in[1]->dim[1] != upi_shape_width (c->in[0]))
    return fail (c, "weight reads %d features, x has %d", c->in[1]->dim[1], upi_shape_width (c->in[0]));
  if (!needs_vector (c, 2, "bias", c->in[1]->dim[0], TRUE))
    return FALSE;
  c->out = *c->in[0];
  c->out.dim[c->out.rank - 1] = c->in[1]->dim[0];
  return TRUE;
}

static gboolean
check_matmul (Check *c)
{
  gboolean transpose = c->op->u.matmul.transpose_b;
  gint k, n;

  if (!needs (c, 0, "a", UPI_F32, 2, 3) || !needs (c, 1, "b", UPI_F32, 2, 3))
    return FALSE;
  k = c->in[1]->dim[c->in[1]->rank - (transpose ? 1 : 2)];
  n = c->in[1]->dim[c->in[1]->rank - (transpose ? 2 : 1)];
  if (upi_shape_width (c->in[0]) != k)
    return fail (c, "a has %d columns, b %s %d rows", upi_shape_width (c->in[0]), transpose ? "transposed" : "has", k);
  if ((c->in[0]->rank == 3 ? c->in[0]->dim[0] : 1) != (c->in[1]->rank == 3 ? c->in[1]->dim[0] : 1))
    return fail (c, "a and b differ in their batch");
  c->out = c->in[0]->rank == 3 ? *c->in[0] : c->in[1]->rank == 3 ? UPI_SHAPE3 (1, c->in[0]->dim[0], 0) : *c->in[0];
  c->out.dim[c->out.rank - 1] = n;
  return TRUE;
}

static gboolean
check_attention (Check *c)
{
  gint heads = c->op->u.attention.heads, batch, shared, width;
  gboolean second = c->op->n_inputs == 7;

  if (!needs (c, 0, "q", UPI_F32, 3, 3) || !needs (c, 1, "k", UPI_F32, 3, 3))
    return FALSE;
  batch = c->in[0]->dim[0];
  width = c->in[0]->dim[2];
  if (heads < 1 || width % heads != 0)
    return fail (c, "%d heads do not divide the width %d", heads, width);
  shared = c->in[1]->dim[0] == 1 ? 1 : batch; /* one item's keys may serve all */
  if (!needs_shape (c, 1, "k", UPI_F32, UPI_SHAPE3 (shared, 0, width))
      || !needs_shape (c, 2, "v", UPI_F32, UPI_SHAPE3 (shared, c->in[1]->dim[1], width)))
    return FALSE;
  if (c->in[3] != NULL && !needs_shape (c, 3, "lengths", UPI_I32, UPI_SHAPE1 (batch)))
    return FALSE;
  if (second
      && (!needs_shape (c, 4, "k2", UPI_F32, UPI_SHAPE3 (batch, 0, width))
          || !needs_shape (c, 5, "v2", UPI_F32, UPI_SHAPE3 (batch, c->in[4]->dim[1], width))
          || !needs_shape (c, 6, "lengths2", UPI_I32, UPI_SHAPE1 (batch))))
    return FALSE;
  c->out = *c->in[0];
  return TRUE;
}

static gboolean
check_window (Check *c)
{
  const UpiWindow *w = &c->op->u.window;
  gint side = 2 * w->window - 1, width;

  if (!needs (c, 0, "qkv", UPI_F32, 4, 4))
    return FALSE;
  if (w->window < 1 || w->window > UPI_MAX_WINDOW || w->shift < 0 || w->shift >= w->window)
    return fail (c, "windows of %d cells, shifted by %d: expected 1 to %d cells, and a smaller shift", w->window,
        w->shift, UPI_MAX_WINDOW);
  width = c->in[0]->dim[3];
  if (w->heads < 1 || width % 3 != 0 || width / 3 % w->heads != 0)
    return fail (c, "%d heads do not divide a third of the width %d", w->heads, width);
  if (!needs_vector (c, 1, "beyond", width, FALSE) || !needs_weight (c, 2, "table", 2)
      || !needs_shape (c, 2, "table", UPI_F32, UPI_SHAPE2 (side * side, w->heads)))
    return FALSE;
  c->out = *c->in[0];
  c->out.dim[3] = width / 3;
  return TRUE;
}

static gboolean
check_deformable (Check *c)
{
  const UpiDeformable *d = &c->op->u.deformable;
  gint batch, queries, samples;

  if (!needs (c, 0, "value", UPI_F32, 3, 3) || !needs (c, 1, "offsets", UPI_F32, 3, 3))
    return FALSE;
  if (d->heads < 1 || d->points < 1 || d->levels < 1 || d->levels > UPI_MAX_LEVELS || c->in[0]->dim[2] % d->heads != 0)
    return fail (c, "%d heads, %d levels, %d points: heads must divide the width %d, levels at most %d", d->heads,
        d->levels, d->points, c->in[0]->dim[2], UPI_MAX_LEVELS);
  for (gint l = 0; l < d->levels; l++) {
    gint64 end = d->level[l].start + (gint64) d->level[l].height * d->level[l].width;

    if (d->level[l].height < 1 || d->level[l].width < 1 || d->level[l].start < 0 || end > c->in[0]->dim[1])
      return fail (c, "level %d (%d×%d from token %d) is not inside the %d tokens of value", l, d->level[l].height,
          d->level[l].width, d->level[l].start, c->in[0]->dim[1]);
  }
  batch = c->in[0]->dim[0];
  queries = c->in[1]->dim[1];
  samples = d->heads * d->levels * d->points;
  if (!needs_shape (c, 1, "offsets", UPI_F32, UPI_SHAPE3 (batch, queries, 2 * samples))
      || !needs_shape (c, 2, "weights", UPI_F32, UPI_SHAPE3 (batch, queries, samples))
      || !needs_shape (c, 3, "reference", UPI_F32, UPI_SHAPE3 (0, queries, 0)))
    return FALSE;
  if ((c->in[3]->dim[0] != 1 && c->in[3]->dim[0] != batch) || (c->in[3]->dim[2] != 2 && c->in[3]->dim[2] != 4))
    return fail (c, "reference must be [%d or 1,%d,2 or 4]", batch, queries);
  c->out = UPI_SHAPE3 (batch, queries, c->in[0]->dim[2]);
  return TRUE;
}

static gboolean
check_layer_norm (Check *c)
{
  if (!needs (c, 0, "x", UPI_F32, 1, UPI_MAX_RANK))
    return FALSE;
  c->out = *c->in[0];
  return needs_vector (c, 1, "gamma", upi_shape_width (c->in[0]), FALSE)
      && needs_vector (c, 2, "beta", upi_shape_width (c->in[0]), FALSE);
}

static gboolean
check_group_norm (Check *c)
{
  if (!needs (c, 0, "x", UPI_F32, 3, 4))
    return FALSE;
  if (c->op->u.norm.groups < 1 || upi_shape_width (c->in[0]) % c->op->u.norm.groups != 0)
    return fail (c, "%d groups do not divide %d channels", c->op->u.norm.groups, upi_shape_width (c->in[0]));
  return check_layer_norm (c);
}

static gboolean
check_rows (Check *c) /* softmax, L2 norm, activation: any shape, the same comes out */
{
  if (!needs (c, 0, "x", UPI_F32, 1, UPI_MAX_RANK))
    return FALSE;
  c->out = *c->in[0];
  return TRUE;
}

static gboolean
check_broadcast (Check *c)
{
  guint lead;

  if (!check_rows (c) || !needs (c, 1, "b", UPI_F32, 1, UPI_MAX_RANK))
    return FALSE;
  if (c->in[1]->rank > c->in[0]->rank)
    return fail (c, "b has more dimensions than x");
  lead = c->in[0]->rank - c->in[1]->rank;
  for (guint i = 0; i < c->in[1]->rank; i++) {
    if (c->in[1]->dim[i] != 1 && c->in[1]->dim[i] != c->in[0]->dim[lead + i])
      return fail (c, "b does not broadcast to x: its dimensions must be 1 or those of x");
  }
  return TRUE;
}

static gboolean
check_resize (Check *c)
{
  const UpiResize *resize = &c->op->u.resize;

  if (!needs (c, 0, "x", UPI_F32, 4, 4))
    return FALSE;
  if (resize->height < 1 || resize->width < 1)
    return fail (c, "to %d×%d", resize->height, resize->width);
  c->out = UPI_SHAPE4 (c->in[0]->dim[0], resize->height, resize->width, c->in[0]->dim[3]);
  return TRUE;
}

static gboolean
check_max_pool (Check *c)
{
  const UpiPool *pool = &c->op->u.pool;
  gint height, width;

  if (!needs (c, 0, "x", UPI_F32, 4, 4))
    return FALSE;
  height = c->in[0]->dim[1] + 2 * pool->pad - pool->kernel;
  width = c->in[0]->dim[2] + 2 * pool->pad - pool->kernel;
  if (pool->kernel < 1 || pool->stride < 1 || pool->pad < 0 || pool->pad > pool->kernel / 2 || height < 0 || width < 0)
    return fail (c, "kernel %d, stride %d, pad %d do not fit", pool->kernel, pool->stride, pool->pad);
  c->out = UPI_SHAPE4 (c->in[0]->dim[0], height / pool->stride + 1, width / pool->stride + 1, c->in[0]->dim[3]);
  return TRUE;
}

static gboolean
check_mean_tokens (Check *c)
{
  if (!needs (c, 0, "x", UPI_F32, 3, 3))
    return FALSE;
  c->out = UPI_SHAPE3 (c->in[0]->dim[0], 1, c->in[0]->dim[2]);
  return TRUE;
}

static gboolean
check_gather (Check *c)
{
  if (!needs (c, 0, "x", UPI_F32, 3, 3) || !needs (c, 1, "indices", UPI_I32, 2, 2))
    return FALSE;
  if (c->in[0]->dim[0] != 1 && c->in[0]->dim[0] != c->in[1]->dim[0])
    return fail (c, "the batch of x must be 1 or that of the indices");
  c->out = UPI_SHAPE3 (c->in[1]->dim[0], c->in[1]->dim[1], c->in[0]->dim[2]);
  return TRUE;
}

static gboolean
check_top_k (Check *c)
{
  gint count = c->op->u.top_k.count;

  if (!needs (c, 0, "scores", UPI_F32, 2, 3))
    return FALSE;
  if (c->in[0]->rank == 3 && c->in[0]->dim[2] != 1)
    return fail (c, "scores must be [N,T] or [N,T,1]");
  if (count < 1 || count > c->in[0]->dim[1])
    return fail (c, "the best %d of %d", count, c->in[0]->dim[1]);
  c->out = UPI_SHAPE2 (c->in[0]->dim[0], count);
  c->out_type = UPI_I32;
  return TRUE;
}

static gboolean
check_distinct (Check *c)
{
  const UpiDistinct *d = &c->op->u.distinct;

  if (!needs_shape (c, 0, "boxes", UPI_F32, UPI_SHAPE3 (0, 0, 4))
      || !needs_shape (c, 1, "indices", UPI_I32, UPI_SHAPE2 (c->in[0]->dim[0], c->in[0]->dim[1])))
    return FALSE;
  if (d->count < 1 || d->count > c->in[0]->dim[1])
    return fail (c, "%d distinct ones of %d", d->count, c->in[0]->dim[1]);
  if (!(d->limit > 0 && d->limit <= 1))
    return fail (c, "the limit of overlap is %g, expected an IoU above 0, up to 1", d->limit);
  c->out = UPI_SHAPE2 (c->in[0]->dim[0], d->count);
  c->out_type = UPI_I32;
  return TRUE;
}

static gboolean
check_anchor_max (Check *c)
{
  const UpiAnchorMax *a = &c->op->u.anchor_max;
  gint batch;

  if (!needs_shape (c, 0, "boxes", UPI_F32, UPI_SHAPE3 (0, 0, 4)) || !needs (c, 1, "scores", UPI_F32, 3, 3)
      || !needs_shape (c, 2, "anchors", UPI_F32, UPI_SHAPE3 (0, c->in[1]->dim[1], 4)))
    return FALSE;
  batch = c->in[0]->dim[0];
  if (c->in[1]->dim[0] != batch || (c->in[2]->dim[0] != 1 && c->in[2]->dim[0] != batch))
    return fail (c, "the batch of scores must be that of the boxes, the anchors' too or 1");
  if (!(a->ratio > 0 && a->ratio <= 1))
    return fail (c, "the ratio to the best overlap is %g, expected a number above 0, up to 1", (gdouble) a->ratio);
  c->out = UPI_SHAPE3 (batch, c->in[0]->dim[1], c->in[1]->dim[2]);
  return TRUE;
}

static gboolean
check_row_max (Check *c)
{
  if (!check_rows (c))
    return FALSE;
  c->out.dim[c->out.rank - 1] = 1;
  return TRUE;
}

static gboolean
check_joint_logit (Check *c)
{
  return needs (c, 0, "a", UPI_F32, 3, 3) && check_rows (c)
      && needs_shape (c, 1, "b", UPI_F32, UPI_SHAPE3 (c->out.dim[0], c->out.dim[1], 1));
}

static gboolean
check_sine (Check *c)
{
  gint features = c->op->u.sine.features;

  if (!needs_shape (c, 0, "boxes", UPI_F32, UPI_SHAPE3 (0, 0, 4)))
    return FALSE;
  if (features < 2 || features % 2 != 0 || features > G_MAXINT / 4)
    return fail (c, "%d features a coordinate: expected an even number", features);
  c->out = UPI_SHAPE3 (c->in[0]->dim[0], c->in[0]->dim[1], 4 * features);
  return TRUE;
}

static gboolean
check_box_refine (Check *c)
{
  if (!needs_shape (c, 0, "delta", UPI_F32, UPI_SHAPE3 (0, 0, 4)))
    return FALSE;
  c->out = *c->in[0];
  return needs_shape (c, 1, "reference", UPI_F32, c->out);
}

static gboolean
check_embed (Check *c)
{
  if (!needs (c, 0, "table", UPI_F32, 2, 2) || !needs (c, 1, "ids", UPI_I32, 2, 2))
    return FALSE;
  c->out = UPI_SHAPE3 (c->in[1]->dim[0], c->in[1]->dim[1], c->in[0]->dim[1]);
  return TRUE;
}

static gboolean
check_store_rows (Check *c)
{
  const UpiValueInfo *cache;

  if (!needs (c, 0, "cache", UPI_F32, 3, 3) || !needs (c, 1, "rows", UPI_F32, 3, 3))
    return FALSE;
  cache = upi_value_info (c->program, c->op->inputs[0]);
  if (upi_value_info (c->program, cache->base)->kind != UPI_VALUE_INPUT)
    return fail (c, "cache must be an input: it is changed in place");
  if (c->in[1]->dim[1] > c->in[0]->dim[1])
    return fail (c, "%d rows do not fit the cache", c->in[1]->dim[1]);
  c->out = *c->in[0];
  return needs_shape (c, 1, "rows", UPI_F32, UPI_SHAPE3 (c->out.dim[0], 0, c->out.dim[2]))
      && needs_shape (c, 2, "start", UPI_I32, UPI_SHAPE1 (c->out.dim[0]));
}

static gboolean
check_copy (Check *c)
{
  c->out = *c->in[0];
  c->out_type = upi_value_info (c->program, c->op->inputs[0])->dtype;
  return TRUE;
}

static const struct {
  CheckFunc check;
  gboolean takes_residual;
} rules[UPI_OP_COUNT] = {
#define UPI_OP(KIND, name, shape, macs, act, shown, residual) [UPI_OP_##KIND] = { check_##shape, residual },
#include "core/program/ops.def"
};

gboolean
upi_check_op (const UpiProgram *p, const UpiOp *op, UpiShape *shape, UpiDType *dtype, GError **error)
{
  Check c = { .program = p, .op = op, .out_type = UPI_F32, .error = error };

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      c.in[i] = &upi_value_info (p, op->inputs[i])->shape;
  }
  if (!rules[op->kind].check (&c))
    return FALSE;
  if (op->residual != UPI_NO_VALUE) {
    if (!rules[op->kind].takes_residual)
      return fail (&c, "takes no residual");
    if (!upi_shape_equal (&upi_value_info (p, op->residual)->shape, &c.out))
      return fail (&c, "the residual's shape is not the output's");
  }
  *shape = c.out;
  *dtype = c.out_type;
  return TRUE;
}
