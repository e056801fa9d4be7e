/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each operation's kernel or library call, with its values as the kernels see them, into a context's stream. */
#include "core/backends/cuda/cuda.h"
#include "core/program/window.h"

/* Padded in front with dimensions of 1: [N,T,C] → [1,N,T,C]. */
UpiCudaView
upi_cuda_view (const UpiTensor *t)
{
  UpiCudaView view = { { 1, 1, 1, 1 }, { 0, 0, 0, 0 } };
  guint lead = UPI_MAX_RANK - t->shape.rank;

  for (guint i = 0; i < t->shape.rank; i++) {
    view.dim[lead + i] = t->shape.dim[i];
    view.stride[lead + i] = t->stride[i];
  }
  return view;
}

/* b as a view of x's shape: strides of 0 where it has a dimension of 1, or none. */
static UpiCudaView
broadcast_view (const UpiTensor *b, const UpiCudaView *x)
{
  UpiCudaView view = upi_cuda_view (b);

  for (guint i = 0; i < UPI_MAX_RANK; i++) {
    if (view.dim[i] == 1)
      view.stride[i] = 0;
    view.dim[i] = x->dim[i];
  }
  return view;
}

/* As a map [N,H,W,C]: tokens [N,T,C] are maps of one line. */
UpiCudaView
upi_cuda_map_view (const UpiTensor *t)
{
  UpiCudaView view = upi_cuda_view (t);

  if (t->shape.rank == 3) {
    view.dim[0] = view.dim[1];
    view.stride[0] = view.stride[1];
    view.dim[1] = 1;
    view.stride[1] = 0;
  }
  return view;
}

/* One item may stand for all. */
static UpiCudaView
item_view (const UpiTensor *t)
{
  UpiCudaView view = upi_cuda_view (t);

  if (view.dim[1] == 1)
    view.stride[1] = 0;
  return view;
}

static const gint acts[UPI_N_ACTS] = {
  [UPI_ACT_NONE] = UPI_CUDA_LINEAR,
  [UPI_ACT_RELU] = UPI_CUDA_RELU,
  [UPI_ACT_RELU6] = UPI_CUDA_RELU6,
  [UPI_ACT_GELU] = UPI_CUDA_GELU,
  [UPI_ACT_SIGMOID] = UPI_CUDA_SIGMOID,
  [UPI_ACT_HARD_SWISH] = UPI_CUDA_HARD_SWISH,
  [UPI_ACT_HARD_SIGMOID] = UPI_CUDA_HARD_SIGMOID,
};

typedef struct {
  UpiCudaContext *context;
  const UpiOp *op;
  const UpiCudaOp *attributes;
  UpiTensor in[UPI_MAX_INPUTS], residual, out;
} Step;

static gboolean
launch_own_layer (const Step *s, GError **error)
{
  const UpiOp *op = s->op;
  const UpiCudaPlan *plan = s->context->plan;
  const UpiShape *w = &upi_program_value (plan->base.program, op->inputs[1])->shape;
  gboolean linear = op->kind == UPI_OP_LINEAR, residual = s->residual.data != NULL;
  UpiCudaConv conv = { .x = upi_cuda_map_view (&s->in[0]),
    .y = upi_cuda_map_view (&s->out),
    .groups = 1,
    .kernel_height = 1,
    .kernel_width = 1,
    .stride = 1 };

  conv.residual = residual ? upi_cuda_map_view (&s->residual) : conv.y;
  conv.act = acts[linear ? op->u.act : op->u.conv.act];
  if (!linear) {
    conv.groups = op->u.conv.groups;
    conv.kernel_height = w->dim[2];
    conv.kernel_width = w->dim[3];
    conv.stride = op->u.conv.stride;
    conv.pad_top = op->u.conv.pad_top;
    conv.pad_left = op->u.conv.pad_left;
  }
  if (!linear && w->dim[1] == 1 && w->dim[0] == conv.groups && conv.groups > 1)
    return UPI_CUDA (plan->device,
        upi_cuda_depthwise (plan->type, s->context->stream, &conv, s->in[0].data, s->attributes->weight,
            s->attributes->bias, s->residual.data, s->out.data),
        error);
  return UPI_CUDA (plan->device,
      upi_cuda_conv (plan->type, s->context->stream, &conv, s->in[0].data, s->attributes->weight, s->attributes->bias,
          s->residual.data, s->out.data),
      error);
}

static gboolean
launch_layer (const Step *s, GError **error)
{
  UpiCudaContext *c = s->context;
  UpiCudaDevice *device = c->plan->device;
  gboolean residual = s->residual.data != NULL, after_convolution = s->attributes->convolution != NULL;
  UpiCudaView y = upi_cuda_view (&s->out);

  if (s->attributes->product != NULL) {
    if (!upi_cuda_product_run (device, s->attributes->product, s->attributes->weight, s->in[0].data, s->residual.data,
            s->out.data, c->scratch, c->stream, error))
      return FALSE;
  } else if (after_convolution) {
    if (!upi_cuda_convolution_run (device, s->attributes->convolution, s->in[0].data, s->attributes->weight,
            s->attributes->bias, s->residual.data, s->out.data, c->scratch, c->stream, error))
      return FALSE;
  } else {
    return launch_own_layer (s, error);
  }
  return !s->attributes->epilogue
      || UPI_CUDA (device,
          upi_cuda_epilogue (c->plan->type, c->stream, s->out.data, y, after_convolution ? s->attributes->bias : NULL,
              after_convolution ? s->residual.data : NULL,
              after_convolution && residual ? upi_cuda_view (&s->residual) : y,
              acts[s->op->kind == UPI_OP_LINEAR ? s->op->u.act : s->op->u.conv.act]),
          error);
}

static gboolean
launch_conv2d (const Step *s, GError **error)
{
  return launch_layer (s, error);
}

static gboolean
launch_linear (const Step *s, GError **error)
{
  return launch_layer (s, error);
}

static gboolean
launch_matmul (const Step *s, GError **error)
{
  const UpiCudaContext *c = s->context;

  return upi_cuda_product_run (c->plan->device, s->attributes->product, s->in[1].data, s->in[0].data, NULL, s->out.data,
      c->scratch, c->stream, error);
}

/* What nearly every kernel is called with: the views of the first input and of the output. */
typedef struct {
  UpiCudaType type;
  cudaStream_t stream;
  UpiCudaView x, y;
} Kernel;

static Kernel
kernel_of (const Step *s)
{
  return (Kernel){ s->context->plan->type, s->context->stream, upi_cuda_view (&s->in[0]), upi_cuda_view (&s->out) };
}

static gboolean
launched (const Step *s, cudaError_t status, GError **error)
{
  return upi_cuda_check (s->context->plan->device, status, upi_op_name (s->op->kind), G_STRLOC, error);
}

static gboolean
launch_attention (const Step *s, GError **error)
{
  const UpiTensor *in = s->in;
  gboolean two = s->op->n_inputs == 7;
  UpiCudaAttention a = { .q = upi_cuda_view (&in[0]),
    .k = item_view (&in[1]),
    .v = item_view (&in[2]),
    .out = upi_cuda_view (&s->out),
    .heads = s->op->u.attention.heads,
    .causal = s->op->u.attention.causal };

  a.length_stride = in[3].data != NULL ? upi_tensor_step (&in[3], 0) : 0;
  a.k2 = a.v2 = a.k;
  if (two) {
    a.k2 = upi_cuda_view (&in[4]);
    a.v2 = upi_cuda_view (&in[5]);
    a.length2_stride = in[6].data != NULL ? upi_tensor_step (&in[6], 0) : 0;
  }
  return launched (s,
      upi_cuda_attention (s->context->plan->type, s->context->stream, &a, in[0].data, in[1].data, in[2].data,
          in[3].data, two ? in[4].data : NULL, two ? in[5].data : NULL, two ? in[6].data : NULL, s->out.data),
      error);
}

static gboolean
launch_window_attention (const Step *s, GError **error)
{
  const UpiWindow *w = &s->op->u.window;
  UpiWindowSide down = upi_window_side (s->out.shape.dim[1], w), across = upi_window_side (s->out.shape.dim[2], w);
  UpiCudaWindow shape = { .qkv = upi_cuda_view (&s->in[0]),
    .out = upi_cuda_view (&s->out),
    .down = { down.size, down.windows, down.shift },
    .across = { across.size, across.windows, across.shift },
    .heads = w->heads,
    .window = w->window };

  return launched (s,
      upi_cuda_window_attention (
          s->context->plan->type, s->context->stream, &shape, s->in[0].data, s->in[1].data, s->in[2].data, s->out.data),
      error);
}

static gboolean
launch_deformable_attention (const Step *s, GError **error)
{
  const UpiDeformable *d = &s->op->u.deformable;
  UpiCudaDeformable shape = { .value = upi_cuda_view (&s->in[0]),
    .offsets = upi_cuda_view (&s->in[1]),
    .weights = upi_cuda_view (&s->in[2]),
    .reference = item_view (&s->in[3]),
    .out = upi_cuda_view (&s->out),
    .heads = d->heads,
    .points = d->points,
    .levels = d->levels };

  for (gint l = 0; l < d->levels; l++) {
    shape.height[l] = d->level[l].height;
    shape.width[l] = d->level[l].width;
    shape.start[l] = d->level[l].start;
  }
  return launched (s,
      upi_cuda_deformable_attention (s->context->plan->type, s->context->stream, &shape, s->in[0].data, s->in[1].data,
          s->in[2].data, s->in[3].data, s->out.data),
      error);
}

static gboolean
launch_layer_norm (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_layer_norm (k.type, k.stream, s->in[0].data, k.x, s->residual.data,
          s->residual.data != NULL ? upi_cuda_view (&s->residual) : k.x, s->in[1].data, s->in[2].data, s->out.data, k.y,
          s->op->u.norm.eps, acts[s->op->u.norm.act]),
      error);
}

static gboolean
launch_group_norm (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_group_norm (k.type, k.stream, s->in[0].data, upi_cuda_map_view (&s->in[0]), s->in[1].data, s->in[2].data,
          s->out.data, upi_cuda_map_view (&s->out), s->op->u.norm.groups, s->op->u.norm.eps, acts[s->op->u.norm.act],
          (gfloat *) s->context->scratch),
      error);
}

static gboolean
launch_softmax (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s, upi_cuda_softmax (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_l2_norm (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s, upi_cuda_l2_norm (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_add (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);
  const UpiCudaView b = broadcast_view (&s->in[1], &k.y);

  return launched (s,
      upi_cuda_add (k.type, k.stream, s->in[0].data, k.x, s->in[1].data, b, s->out.data, k.y, acts[s->op->u.act]),
      error);
}

static gboolean
launch_mul (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);
  const UpiCudaView b = broadcast_view (&s->in[1], &k.y);

  return launched (s, upi_cuda_mul (k.type, k.stream, s->in[0].data, k.x, s->in[1].data, b, s->out.data, k.y), error);
}

static gboolean
launch_activation (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (
      s, upi_cuda_activation (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y, acts[s->op->u.act]), error);
}

static gboolean
launch_copy (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_copy (s->out.dtype == UPI_I32 ? UPI_CUDA_F32 : k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y),
      error);
}

static gboolean
launch_resize (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  if (s->op->u.resize.nearest)
    return launched (s, upi_cuda_resize_nearest (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
  return launched (s, upi_cuda_resize (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_max_pool (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_max_pool (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y, s->op->u.pool.kernel,
          s->op->u.pool.stride, s->op->u.pool.pad),
      error);
}

static gboolean
launch_adaptive_avg_pool (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s, upi_cuda_adaptive_avg_pool (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_mean_tokens (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s, upi_cuda_mean_tokens (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_gather (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_gather (k.type, k.stream, s->in[0].data, item_view (&s->in[0]), s->in[1].data,
          upi_tensor_step (&s->in[1], 0), s->out.data, k.y),
      error);
}

/* One table for all items. */
static gboolean
launch_embed (const Step *s, GError **error)
{
  Kernel k = kernel_of (s);

  k.x.stride[1] = 0;
  return launched (s,
      upi_cuda_gather (
          k.type, k.stream, s->in[0].data, k.x, s->in[1].data, upi_tensor_step (&s->in[1], 0), s->out.data, k.y),
      error);
}

static gboolean
launch_store_rows (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_store_rows (k.type, k.stream, s->in[1].data, upi_cuda_view (&s->in[1]), s->in[2].data,
          upi_tensor_step (&s->in[2], 0), s->out.data, k.y),
      error);
}

static gboolean
launch_top_k (const Step *s, GError **error)
{
  Kernel k = kernel_of (s);

  if (s->in[0].shape.rank == 2) { /* [N,T] → [1,N,T,1] */
    k.x = (UpiCudaView){ { 1, s->in[0].shape.dim[0], s->in[0].shape.dim[1], 1 }, { 0, s->in[0].stride[0], 1, 1 } };
  }
  return launched (s,
      upi_cuda_top_k (
          k.type, k.stream, s->in[0].data, k.x, s->out.data, upi_tensor_step (&s->out, 0), s->op->u.top_k.count),
      error);
}

static gboolean
launch_distinct (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_distinct (k.type, k.stream, s->in[0].data, k.x, s->in[1].data, upi_tensor_step (&s->in[1], 0),
          s->out.data, upi_tensor_step (&s->out, 0), s->op->u.distinct.count, s->op->u.distinct.limit),
      error);
}

static gboolean
launch_anchor_max (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_anchor_max (k.type, k.stream, s->in[0].data, k.x, s->in[1].data, upi_cuda_view (&s->in[1]),
          s->in[2].data, item_view (&s->in[2]), s->out.data, k.y, s->op->u.anchor_max.ratio, s->op->u.anchor_max.least),
      error);
}

static gboolean
launch_row_max (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s, upi_cuda_row_max (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_joint_logit (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_joint_logit (k.type, k.stream, s->in[0].data, k.x, s->in[1].data, upi_cuda_view (&s->in[1]), s->out.data,
          k.y, UPI_JOINT_LOGIT_LEAST, UPI_JOINT_LOGIT_MOST),
      error);
}

static gboolean
launch_sine_position (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s, upi_cuda_sine_position (k.type, k.stream, s->in[0].data, k.x, s->out.data, k.y), error);
}

static gboolean
launch_box_refine (const Step *s, GError **error)
{
  const Kernel k = kernel_of (s);

  return launched (s,
      upi_cuda_box_refine (
          k.type, k.stream, s->in[0].data, k.x, s->in[1].data, item_view (&s->in[1]), s->out.data, k.y),
      error);
}

static gboolean (*const launches[UPI_OP_COUNT]) (const Step *s, GError **error) = {
#define UPI_OP(KIND, name, ...) [UPI_OP_##KIND] = launch_##name,
#include "core/program/ops.def"
};

gboolean
upi_cuda_op_launch (UpiCudaContext *context, guint index, GError **error)
{
  UpiCudaPlan *plan = context->plan;
  const UpiOp *op = upi_program_op (plan->base.program, index);
  Step s = { .context = context, .op = op, .attributes = &plan->ops[index] };

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      s.in[i] = upi_cuda_resolve (plan, op->inputs[i], context);
  }
  if (op->residual != UPI_NO_VALUE)
    s.residual = upi_cuda_resolve (plan, op->residual, context);
  g_assert (op->residual == UPI_NO_VALUE || s.residual.data != NULL);
  s.out = upi_cuda_resolve (plan, op->output, context);
  return launches[op->kind](&s, error);
}
