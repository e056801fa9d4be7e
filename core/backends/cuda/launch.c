/* Each operation's kernel or library call, with its values as the kernels see them, into a context's stream. */
#include "core/backends/cuda/cuda.h"

/* ---- views ----------------------------------------------------------------------------------------------------------------------- */

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

static const gint acts[] = {
  [UPI_ACT_NONE] = UPI_CUDA_LINEAR,
  [UPI_ACT_RELU] = UPI_CUDA_RELU,
  [UPI_ACT_RELU6] = UPI_CUDA_RELU6,
  [UPI_ACT_GELU] = UPI_CUDA_GELU,
  [UPI_ACT_SIGMOID] = UPI_CUDA_SIGMOID,
};

/* ---- launch ---------------------------------------------------------------------------------------------------------------------- */

typedef struct {
  UpiCudaContext *context;
  const UpiOp *op;
  const UpiCudaOp *how;
  UpiTensor in[UPI_MAX_INPUTS], residual, out;
} Step;

static gboolean
launch_own_layer (const Step *s, GError **error)
{
  const UpiOp *op = s->op;
  const UpiCudaPlan *plan = s->context->plan;
  const UpiShape *w = &upi_program_value (plan->base.program, op->inputs[1])->shape;
  gboolean linear = op->kind == UPI_OP_LINEAR, residual = s->residual.data != NULL;
  UpiCudaConv conv = {
    .x = upi_cuda_map_view (&s->in[0]), .y = upi_cuda_map_view (&s->out), .groups = 1, .kernel_height = 1, .kernel_width = 1, .stride = 1
  };

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
        upi_cuda_depthwise (
            plan->type, s->context->stream, &conv, s->in[0].data, s->how->weight, s->how->bias, s->residual.data, s->out.data),
        error);
  return UPI_CUDA (plan->device,
      upi_cuda_conv (plan->type, s->context->stream, &conv, s->in[0].data, s->how->weight, s->how->bias, s->residual.data, s->out.data),
      error);
}

static gboolean
launch_layer (const Step *s, GError **error)
{
  UpiCudaContext *c = s->context;
  UpiCudaDevice *device = c->plan->device;
  gboolean residual = s->residual.data != NULL, after_convolution = s->how->convolution != NULL;
  UpiCudaView y = upi_cuda_view (&s->out);

  if (s->how->product != NULL) {
    if (!upi_cuda_product_run (
            device, s->how->product, s->how->weight, s->in[0].data, s->residual.data, s->out.data, c->scratch, c->stream, error))
      return FALSE;
  } else if (after_convolution) {
    if (!upi_cuda_convolution_run (device, s->how->convolution, s->in[0].data, s->how->weight, s->how->bias, s->residual.data, s->out.data,
            c->scratch, c->stream, error))
      return FALSE;
  } else {
    return launch_own_layer (s, error);
  }
  return !s->how->epilogue
      || UPI_CUDA (device,
          upi_cuda_epilogue (c->plan->type, c->stream, s->out.data, y, after_convolution ? s->how->bias : NULL,
              after_convolution ? s->residual.data : NULL, after_convolution && residual ? upi_cuda_view (&s->residual) : y,
              acts[s->op->kind == UPI_OP_LINEAR ? s->op->u.act : s->op->u.conv.act]),
          error);
}

static cudaError_t
launch_attention (const Step *s)
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
  return upi_cuda_attention (s->context->plan->type, s->context->stream, &a, in[0].data, in[1].data, in[2].data, in[3].data,
      two ? in[4].data : NULL, two ? in[5].data : NULL, two ? in[6].data : NULL, s->out.data);
}

static cudaError_t
launch_deformable (const Step *s)
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
  return upi_cuda_deformable_attention (
      s->context->plan->type, s->context->stream, &shape, s->in[0].data, s->in[1].data, s->in[2].data, s->in[3].data, s->out.data);
}

/* What is no product: one own kernel each. */
static cudaError_t
launch_kernel (const Step *s)
{
  UpiCudaType type = s->context->plan->type;
  cudaStream_t stream = s->context->stream;
  const UpiTensor *in = s->in, *out = &s->out;
  UpiCudaView x = upi_cuda_view (&in[0]), y = upi_cuda_view (out), b;

  switch (s->op->kind) {
  case UPI_OP_ATTENTION:
    return launch_attention (s);
  case UPI_OP_DEFORMABLE_ATTENTION:
    return launch_deformable (s);
  case UPI_OP_LAYER_NORM:
    return upi_cuda_layer_norm (type, stream, in[0].data, x, s->residual.data, s->residual.data != NULL ? upi_cuda_view (&s->residual) : x,
        in[1].data, in[2].data, out->data, y, s->op->u.norm.eps, acts[s->op->u.norm.act]);
  case UPI_OP_GROUP_NORM:
    return upi_cuda_group_norm (type, stream, in[0].data, upi_cuda_map_view (&in[0]), in[1].data, in[2].data, out->data,
        upi_cuda_map_view (out), s->op->u.norm.groups, s->op->u.norm.eps, acts[s->op->u.norm.act], (gfloat *) s->context->scratch);
  case UPI_OP_SOFTMAX:
    return upi_cuda_softmax (type, stream, in[0].data, x, out->data, y);
  case UPI_OP_L2_NORM:
    return upi_cuda_l2_norm (type, stream, in[0].data, x, out->data, y);
  case UPI_OP_ADD:
    b = broadcast_view (&in[1], &y);
    return upi_cuda_add (type, stream, in[0].data, x, in[1].data, b, out->data, y, acts[s->op->u.act]);
  case UPI_OP_MUL:
    b = broadcast_view (&in[1], &y);
    return upi_cuda_mul (type, stream, in[0].data, x, in[1].data, b, out->data, y);
  case UPI_OP_ACTIVATION:
    return upi_cuda_activation (type, stream, in[0].data, x, out->data, y, acts[s->op->u.act]);
  case UPI_OP_COPY:
    return upi_cuda_copy (out->dtype == UPI_I32 ? UPI_CUDA_F32 : type, stream, in[0].data, x, out->data, y);
  case UPI_OP_RESIZE:
    return upi_cuda_resize (type, stream, in[0].data, x, out->data, y);
  case UPI_OP_MAX_POOL:
    return upi_cuda_max_pool (type, stream, in[0].data, x, out->data, y, s->op->u.pool.kernel, s->op->u.pool.stride, s->op->u.pool.pad);
  case UPI_OP_ADAPTIVE_AVG_POOL:
    return upi_cuda_adaptive_avg_pool (type, stream, in[0].data, x, out->data, y);
  case UPI_OP_MEAN_TOKENS:
    return upi_cuda_mean_tokens (type, stream, in[0].data, x, out->data, y);
  case UPI_OP_GATHER:
    return upi_cuda_gather (type, stream, in[0].data, item_view (&in[0]), in[1].data, upi_tensor_step (&in[1], 0), out->data, y);
  case UPI_OP_EMBED: /* one table for all items */
    x.stride[1] = 0;
    return upi_cuda_gather (type, stream, in[0].data, x, in[1].data, upi_tensor_step (&in[1], 0), out->data, y);
  case UPI_OP_STORE_ROWS:
    return upi_cuda_store_rows (type, stream, in[1].data, upi_cuda_view (&in[1]), in[2].data, upi_tensor_step (&in[2], 0), out->data, y);
  case UPI_OP_TOP_K:
    if (in[0].shape.rank == 2) { /* [N,T] → [1,N,T,1] */
      x = (UpiCudaView){ { 1, in[0].shape.dim[0], in[0].shape.dim[1], 1 }, { 0, in[0].stride[0], 1, 1 } };
    }
    return upi_cuda_top_k (type, stream, in[0].data, x, out->data, upi_tensor_step (out, 0), s->op->u.top_k.count);
  case UPI_OP_DISTINCT:
    return upi_cuda_distinct (type, stream, in[0].data, x, in[1].data, upi_tensor_step (&in[1], 0), out->data, upi_tensor_step (out, 0),
        s->op->u.distinct.count, s->op->u.distinct.limit);
  case UPI_OP_ANCHOR_MAX:
    return upi_cuda_anchor_max (type, stream, in[0].data, x, in[1].data, upi_cuda_view (&in[1]), in[2].data, item_view (&in[2]), out->data,
        y, s->op->u.anchor_max.ratio, s->op->u.anchor_max.least);
  case UPI_OP_SINE_POSITION:
    return upi_cuda_sine_position (type, stream, in[0].data, x, out->data, y);
  case UPI_OP_BOX_REFINE:
    return upi_cuda_box_refine (type, stream, in[0].data, x, in[1].data, item_view (&in[1]), out->data, y);
  case UPI_OP_CONV2D:
  case UPI_OP_LINEAR:
  case UPI_OP_MATMUL:
  case UPI_OP_COUNT:
    break;
  }
  g_assert_not_reached ();
}

gboolean
upi_cuda_op_launch (UpiCudaContext *context, guint index, GError **error)
{
  UpiCudaPlan *plan = context->plan;
  const UpiOp *op = upi_program_op (plan->base.program, index);
  Step s = { .context = context, .op = op, .how = &plan->ops[index] };
  gboolean layer = op->kind == UPI_OP_CONV2D || op->kind == UPI_OP_LINEAR;

  for (guint i = 0; i < op->n_inputs; i++) {
    if (op->inputs[i] != UPI_NO_VALUE)
      s.in[i] = upi_cuda_resolve (plan, op->inputs[i], context);
  }
  if (op->residual != UPI_NO_VALUE)
    s.residual = upi_cuda_resolve (plan, op->residual, context);
  g_assert (op->residual == UPI_NO_VALUE || s.residual.data != NULL);
  s.out = upi_cuda_resolve (plan, op->output, context);
  if (layer)
    return launch_layer (&s, error);
  if (op->kind == UPI_OP_MATMUL)
    return upi_cuda_product_run (
        plan->device, s.how->product, s.in[1].data, s.in[0].data, NULL, s.out.data, context->scratch, context->stream, error);
  return upi_cuda_check (plan->device, launch_kernel (&s), upi_op_name (op->kind), G_STRLOC, error);
}
