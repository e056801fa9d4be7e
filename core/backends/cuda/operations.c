/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How each operation is prepared: the library call or kernel that it becomes, and its weights. */
#include "core/backends/cuda/cuda.h"

/* A tensor as `batch` matrices of `rows` rows: all rows at once where one stride serves them, else an item each. FALSE:
 * neither. */
typedef struct {
  gint batch, rows, ld;
  gint64 stride;
} Rows;

static gboolean
rows_of (const UpiTensor *t, gboolean items, Rows *rows)
{
  const gint width = upi_shape_width (&t->shape);
  gsize n;
  gint step;

  if (!items) {
    if (!upi_tensor_rows (t, &n, &step))
      return FALSE;
    *rows = (Rows){ 1, (gint) n, n > 1 ? step : width, 0 };
    return TRUE;
  }
  if (t->shape.rank == 2) {
    *rows = (Rows){ 1, t->shape.dim[0], t->shape.dim[0] > 1 ? t->stride[0] : width, 0 };
    return TRUE;
  }
  if (t->shape.rank != 3)
    return FALSE;
  *rows = (Rows){ t->shape.dim[0], t->shape.dim[1], t->shape.dim[1] > 1 ? t->stride[1] : width, t->stride[0] };
  return TRUE;
}

/* What a value's address is a multiple of, at least, in every row and item. */
static guint
alignment_of (const UpiCudaPlan *plan, UpiValue value, const Rows *rows)
{
  const UpiValueInfo *info = upi_program_value (plan->base.program, value);
  gsize bytes = upi_cuda_element_bytes (plan->type, info->dtype);
  const UpiValueInfo *owner = upi_program_value (plan->base.program, info->base);
  /* In the arena a value may lie at any multiple of UPI_ALIGNMENT; weights and bound values begin an allocation, or a
   * part aligned as one. */
  gsize place = owner->kind == UPI_VALUE_COMPUTED && !owner->is_output ? owner->arena_offset : 0;
  gsize bits = place | (info->offset | (gsize) rows->ld | (rows->batch > 1 ? (gsize) rows->stride : 0)) * bytes
      | UPI_CUDA_ALIGNMENT;

  return (guint) (bits & -bits);
}

static gboolean
prepare_rows_product (UpiCudaPlan *plan, const UpiOp *op, UpiCudaOp *attributes, UpiAct act, gint width, GError **error)
{
  const UpiCudaBackend *backend = (const UpiCudaBackend *) plan->base.backend;
  UpiTensor x = upi_cuda_resolve (plan, op->inputs[0], NULL), y = upi_cuda_resolve (plan, op->output, NULL),
            r = { NULL };
  gboolean residual = op->residual != UPI_NO_VALUE;
  Rows xr, yr, rr = { 1, 0, 0, 0 };
  UpiCudaProductShape s;

  if (residual)
    r = upi_cuda_resolve (plan, op->residual, NULL);
  for (gint items = 0; items < 2; items++) {
    if (!rows_of (&x, items, &xr) || !rows_of (&y, items, &yr) || (residual && !rows_of (&r, items, &rr)))
      continue;
    s = (UpiCudaProductShape){ .m = upi_shape_width (&y.shape),
      .n = yr.rows,
      .k = width,
      .batch = yr.batch,
      .transpose_a = TRUE,
      .lda = width,
      .ldb = xr.ld,
      .ldc = rr.ld,
      .ldd = yr.ld,
      .stride_b = xr.stride,
      .stride_c = rr.stride,
      .stride_d = yr.stride,
      .add = residual,
      .bias = attributes->bias,
      .relu = act == UPI_ACT_RELU,
      .alpha = 1 };
    s.align_a = alignment_of (plan, op->inputs[1], &(Rows){ 1, 0, width, 0 });
    s.align_b = alignment_of (plan, op->inputs[0], &xr);
    s.align_d = alignment_of (plan, op->output, &yr);
    s.align_c = residual ? alignment_of (plan, op->residual, &rr) : s.align_d;
    attributes->epilogue = act != UPI_ACT_NONE && act != UPI_ACT_RELU;
    return upi_cuda_product_new (plan->device, plan->type, backend->tf32, &s, &attributes->product, error);
  }
  return TRUE;
}

static gboolean
prepare_matmul (UpiCudaPlan *plan, const UpiOp *op, UpiCudaOp *attributes, GError **error)
{
  const UpiCudaBackend *backend = (const UpiCudaBackend *) plan->base.backend;
  const UpiMatmul *matmul = &op->u.matmul;
  UpiTensor a = upi_cuda_resolve (plan, op->inputs[0], NULL), b = upi_cuda_resolve (plan, op->inputs[1], NULL);
  UpiTensor y = upi_cuda_resolve (plan, op->output, NULL);
  Rows ar, br, yr;
  UpiCudaProductShape s;

  if (!rows_of (&a, TRUE, &ar) || !rows_of (&b, TRUE, &br) || !rows_of (&y, TRUE, &yr))
    g_assert_not_reached (); /* uncovered: the shape check of upi_matmul() lets no ranks but 2 and 3 into a program */
  s = (UpiCudaProductShape){ .m = upi_shape_width (&y.shape),
    .n = yr.rows,
    .k = upi_shape_width (&a.shape),
    .batch = yr.batch,
    .transpose_a = matmul->transpose_b,
    .lda = br.ld,
    .ldb = ar.ld,
    .ldd = yr.ld,
    .stride_a = br.stride,
    .stride_b = ar.stride,
    .stride_d = yr.stride,
    .alpha = matmul->scale };
  s.align_a = alignment_of (plan, op->inputs[1], &br);
  s.align_b = alignment_of (plan, op->inputs[0], &ar);
  s.align_c = s.align_d = alignment_of (plan, op->output, &yr);
  if (!upi_cuda_product_new (plan->device, plan->type, backend->tf32, &s, &attributes->product, error))
    return FALSE;
  if (attributes->product == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_DEVICE,
        "%s: cuBLASLt has no algorithm for a product of [%d,%d] and [%d,%d]; use device=cpu", plan->device->name, s.n,
        s.k, s.k, s.m);
    return FALSE;
  }
  return TRUE;
}

static gboolean
is_depthwise (const UpiTensor *w, const UpiConv *conv)
{
  return conv->groups > 1 && w->shape.dim[1] == 1 && w->shape.dim[0] == conv->groups;
}

static gboolean
is_pointwise (const UpiTensor *w, const UpiConv *conv)
{
  return conv->groups == 1 && conv->stride == 1 && w->shape.dim[2] == 1 && w->shape.dim[3] == 1 && conv->pad_top == 0
      && conv->pad_left == 0 && conv->pad_bottom == 0 && conv->pad_right == 0;
}

static UpiTensor
host_weight (const UpiCudaPlan *plan, UpiValue value)
{
  return upi_tensor_resolve (plan->base.program, value, NULL, NULL);
}

static gboolean
get_weight (UpiCudaPlan *plan, UpiValue value, UpiCudaPacking packing, gint groups, const void **memory, GError **error)
{
  UpiTensor weight;

  if (value == UPI_NO_VALUE)
    return TRUE;
  weight = host_weight (plan, value);
  *memory = upi_cuda_weight_get (plan->device, plan->type, packing, &weight, groups, error);
  return *memory != NULL;
}

/* Linear layers, and convolutions of all kinds. The own kernel is left where no library has an answer. */
static gboolean
prepare_layer (UpiCudaPlan *plan, const UpiOp *op, UpiCudaOp *attributes, GError **error)
{
  const UpiCudaBackend *backend = (const UpiCudaBackend *) plan->base.backend;
  const UpiConv *conv = &op->u.conv;
  gboolean linear = op->kind == UPI_OP_LINEAR, fused = FALSE;
  UpiTensor w = host_weight (plan, op->inputs[1]), x = upi_cuda_resolve (plan, op->inputs[0], NULL);
  UpiTensor y = upi_cuda_resolve (plan, op->output, NULL), r = { NULL };

  if (op->residual != UPI_NO_VALUE)
    r = upi_cuda_resolve (plan, op->residual, NULL);
  if (!get_weight (plan, op->inputs[2], UPI_CUDA_WEIGHT_PLAIN, 1, &attributes->bias, error))
    return FALSE;
  if (!linear && is_depthwise (&w, conv))
    return get_weight (plan, op->inputs[1], UPI_CUDA_WEIGHT_DEPTHWISE, 1, &attributes->weight, error);
  if (linear || is_pointwise (&w, conv)) {
    if (!prepare_rows_product (plan, op, attributes, linear ? op->u.act : conv->act, w.shape.dim[1], error))
      return FALSE;
    if (attributes->product != NULL) {
      attributes->scratch = attributes->product->workspace;
      return get_weight (plan, op->inputs[1], UPI_CUDA_WEIGHT_PLAIN, 1, &attributes->weight, error);
    }
    attributes->epilogue = FALSE;
  } else if (conv->groups == 1) {
    if (!upi_cuda_convolution_new (plan->device, plan->type, backend->tf32, op, &x, &w, &y,
            op->residual != UPI_NO_VALUE ? &r : NULL, attributes->bias != NULL, &attributes->convolution, &fused,
            error))
      return FALSE;
    if (attributes->convolution != NULL) {
      attributes->epilogue =
          !fused && (attributes->bias != NULL || op->residual != UPI_NO_VALUE || conv->act != UPI_ACT_NONE);
      attributes->scratch = upi_cuda_convolution_workspace (attributes->convolution);
      return get_weight (plan, op->inputs[1], UPI_CUDA_WEIGHT_KRSC, 1, &attributes->weight, error);
    }
  }
  return get_weight (plan, op->inputs[1], UPI_CUDA_WEIGHT_OWN, linear ? 1 : conv->groups, &attributes->weight, error);
}

/* A weight that is read as it is: gamma, a table, a constant. Anything else is nothing to load. */
static gboolean
load_plain_weight (UpiCudaPlan *plan, UpiValue value, GError **error)
{
  const UpiValueInfo *info;
  UpiTensor whole;
  UpiValue base;

  if (value == UPI_NO_VALUE)
    return TRUE;
  base = upi_program_value (plan->base.program, value)->base;
  info = upi_program_value (plan->base.program, base);
  if (info->kind != UPI_VALUE_WEIGHT || plan->weights[base] != NULL)
    return TRUE;
  whole = host_weight (plan, base);
  plan->weights[base] = upi_cuda_weight_get (plan->device, plan->type,
      info->dtype == UPI_I32 ? UPI_CUDA_WEIGHT_INTS : UPI_CUDA_WEIGHT_PLAIN, &whole, 1, error);
  return plan->weights[base] != NULL;
}

/* Attention's kernels keep a head's channels in registers. */
static gboolean
head_fits (const UpiOp *op, gint width, GError **error)
{
  if (width <= UPI_CUDA_MAX_HEAD)
    return TRUE;
  g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
      "%s: attention heads are %d wide, the cuda backend has at most %d; use device=cpu", op->part, width,
      UPI_CUDA_MAX_HEAD);
  return FALSE;
}

gboolean
upi_cuda_op_prepare (UpiCudaPlan *plan, guint index, GError **error)
{
  const UpiOp *op = upi_program_op (plan->base.program, index);
  UpiCudaOp *attributes = &plan->ops[index];
  UpiTensor x;

  if (!load_plain_weight (plan, op->residual, error))
    return FALSE;
  if (op->kind == UPI_OP_CONV2D || op->kind == UPI_OP_LINEAR)
    return load_plain_weight (plan, op->inputs[0], error) && prepare_layer (plan, op, attributes, error);
  for (guint i = 0; i < op->n_inputs; i++) {
    if (!load_plain_weight (plan, op->inputs[i], error))
      return FALSE;
  }
  x = upi_cuda_resolve (plan, op->inputs[0], NULL);
  switch (op->kind) {
  case UPI_OP_MATMUL:
    if (!prepare_matmul (plan, op, attributes, error))
      return FALSE;
    attributes->scratch = attributes->product->workspace;
    return TRUE;
  case UPI_OP_GROUP_NORM:
    attributes->scratch = upi_cuda_group_norm_scratch (upi_cuda_map_view (&x));
    return TRUE;
  case UPI_OP_WINDOW_ATTENTION:
    return head_fits (op, x.shape.dim[3] / 3 / op->u.window.heads, error);
  case UPI_OP_ATTENTION:
    return head_fits (op, x.shape.dim[2] / op->u.attention.heads, error);
  default:
    return TRUE;
  }
}

void
upi_cuda_op_clear (UpiCudaPlan *plan, guint index)
{
  UpiCudaOp *attributes = &plan->ops[index];

  upi_cuda_weight_unref (plan->device, attributes->weight);
  upi_cuda_weight_unref (plan->device, attributes->bias);
  g_clear_pointer (&attributes->product, upi_cuda_product_free);
  g_clear_pointer (&attributes->convolution, upi_cuda_convolution_free);
}
