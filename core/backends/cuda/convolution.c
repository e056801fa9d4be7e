/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions through cuDNN's graph API: convolution → + bias → + residual → activation as one operation graph, for
 * which cuDNN is asked for an engine. Where it has none for the whole graph it is asked for the convolution alone, and
 * an own kernel does the rest.
 *
 * cuDNN's dimensions are [N,C,H,W] whatever the layout; strides say that it is NHWC. Strict float32 refuses engines
 * that use tensor cores (TF32) or round their inputs: cuDNN's heuristics would put them first. */
#include "core/backends/cuda/cuda.h"

#include <stdbool.h>
#include <string.h>

#define MAX_CONFIGS 16
#define MAX_NOTES 16
#define MAX_WORKSPACE ((gint64) 64 * 1024 * 1024)

/* Names of the tensors in cuDNN's graph. */
enum { UID_X = 1, UID_W, UID_Y, UID_BIAS, UID_RESIDUAL, UID_VIRTUAL };

struct _UpiCudaConvolution {
  GPtrArray *descriptors; /* cudnnBackendDescriptor_t: all of the graph, which the plan refers to */
  cudnnBackendDescriptor_t plan;
  gint64 workspace;
  gboolean bias, residual; /* in the graph */
};

typedef struct {
  UpiCudaDevice *device;
  UpiCudaConvolution *c;
  UpiCudaType type;
  gint64 next_uid;
  cudnnBackendDescriptor_t ops[4];
  gint64 n_ops;
  GError **error;
} Graph;

static const cudnnDataType_t data_types[] = {
  [UPI_CUDA_F32] = CUDNN_DATA_FLOAT, [UPI_CUDA_F16] = CUDNN_DATA_HALF, [UPI_CUDA_BF16] = CUDNN_DATA_BFLOAT16
};

static cudnnBackendDescriptor_t
make (Graph *g, cudnnBackendDescriptorType_t type)
{
  cudnnBackendDescriptor_t d = NULL;

  if (!UPI_DNN (g->device, cudnnBackendCreateDescriptor (type, &d), g->error))
    return NULL;
  g_ptr_array_add (g->c->descriptors, d);
  return d;
}

static gboolean
set (Graph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
    gint64 count, const void *elements)
{
  return UPI_DNN (g->device, cudnnBackendSetAttribute (d, name, type, count, elements), g->error);
}

static gboolean
set_descriptor (Graph *g, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t value)
{
  return set (g, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static gboolean
finalize (Graph *g, cudnnBackendDescriptor_t d)
{
  return UPI_DNN (g->device, cudnnBackendFinalize (d), g->error);
}

/* dim and stride in cuDNN's order. Virtual tensors lie between operations and have no memory; they are float32. */
static cudnnBackendDescriptor_t
tensor (Graph *g, gint64 uid, const gint64 dim[4], const gint64 stride[4], gint64 alignment, gboolean is_virtual)
{
  cudnnBackendDescriptor_t d = make (g, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  cudnnDataType_t type = is_virtual ? CUDNN_DATA_FLOAT : data_types[g->type];
  bool between = is_virtual;

  if (d == NULL || !set (g, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type)
      || !set (g, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dim)
      || !set (g, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride)
      || !set (g, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid)
      || !set (g, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment)
      || !set (g, d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &between) || !finalize (g, d))
    return NULL;
  return d;
}

/* A map [N,H,W,C] of ours. */
static cudnnBackendDescriptor_t
map_tensor (Graph *g, gint64 uid, const UpiTensor *t, gboolean is_virtual)
{
  const gint64 dim[4] = { t->shape.dim[0], t->shape.dim[3], t->shape.dim[1], t->shape.dim[2] };
  const gint64 stride[4] = { t->stride[0], 1, t->stride[1], t->stride[2] };

  return tensor (g, uid, dim, stride, (gint64) upi_cuda_element_bytes (g->type, UPI_F32), is_virtual);
}

static cudnnBackendDescriptor_t
bias_tensor (Graph *g, gint64 channels)
{
  return tensor (g, UID_BIAS, (gint64[]){ 1, channels, 1, 1 }, (gint64[]){ channels, 1, channels, channels },
      (gint64) upi_cuda_element_bytes (g->type, UPI_F32), FALSE);
}

static gboolean
append_convolution (Graph *g, const UpiConv *conv, const UpiTensor *x, const UpiTensor *w, cudnnBackendDescriptor_t y)
{
  const gint64 pre[2] = { conv->pad_top, conv->pad_left }, post[2] = { conv->pad_bottom, conv->pad_right },
               one[2] = { 1, 1 };
  const gint64 stride[2] = { conv->stride, conv->stride }, spatial = 2;
  const gint64 o = w->shape.dim[0], c = w->shape.dim[1], kh = w->shape.dim[2], kw = w->shape.dim[3];
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
  const gfloat alpha = 1, beta = 0;
  cudnnBackendDescriptor_t from = map_tensor (g, UID_X, x, FALSE), d, op;
  cudnnBackendDescriptor_t filter = from == NULL
      ? NULL
      : tensor (
          g, UID_W, (gint64[]){ o, c, kh, kw }, (gint64[]){ c * kh * kw, 1, kw * c, c }, UPI_CUDA_ALIGNMENT, FALSE);

  if (filter == NULL || (d = make (g, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)) == NULL
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &spatial)
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &precision)
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode)
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pre)
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, post)
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, one)
      || !set (g, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride) || !finalize (g, d)
      || (op = make (g, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)) == NULL
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, from)
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, filter)
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, d)
      || !set (g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, 1, &alpha)
      || !set (g, op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, 1, &beta) || !finalize (g, op))
    return FALSE;
  g->ops[g->n_ops++] = op;
  return TRUE;
}

/* y = mode (x, b); b NULL: of x alone. clip: upper end of ReLU, 0: none. */
static gboolean
append_pointwise (Graph *g, cudnnPointwiseMode_t mode, gdouble clip, cudnnBackendDescriptor_t x,
    cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y)
{
  const cudnnDataType_t precision = CUDNN_DATA_FLOAT;
  cudnnBackendDescriptor_t d = make (g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR), op;

  if (d == NULL || !set (g, d, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode)
      || !set (g, d, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &precision)
      || (clip > 0 && !set (g, d, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, 1, &clip))
      || !finalize (g, d) || (op = make (g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)) == NULL
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, d)
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x)
      || (b != NULL && !set_descriptor (g, op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b))
      || !set_descriptor (g, op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y) || !finalize (g, op))
    return FALSE;
  g->ops[g->n_ops++] = op;
  return TRUE;
}

/* The result of step i of n: y itself after the last. */
static cudnnBackendDescriptor_t
result (Graph *g, const UpiTensor *y, gboolean last)
{
  return last ? map_tensor (g, UID_Y, y, FALSE) : map_tensor (g, g->next_uid++, y, TRUE);
}

static gboolean
append_all (Graph *g, const UpiConv *conv, const UpiTensor *x, const UpiTensor *w, const UpiTensor *y,
    const UpiTensor *residual, gboolean bias, UpiAct act)
{
  static const cudnnPointwiseMode_t modes[] = {
    [UPI_ACT_NONE] = CUDNN_POINTWISE_ADD, /* not used */
    [UPI_ACT_RELU] = CUDNN_POINTWISE_RELU_FWD,
    [UPI_ACT_RELU6] = CUDNN_POINTWISE_RELU_FWD,
    [UPI_ACT_GELU] = CUDNN_POINTWISE_GELU_FWD, /* the exact one */
    [UPI_ACT_SIGMOID] = CUDNN_POINTWISE_SIGMOID_FWD,
  };
  gint left = (bias ? 1 : 0) + (residual != NULL ? 1 : 0) + (act != UPI_ACT_NONE ? 1 : 0);
  cudnnBackendDescriptor_t now = result (g, y, left == 0), next, b;

  if (now == NULL || !append_convolution (g, conv, x, w, now))
    return FALSE;
  for (guint i = 0; i < 2; i++) {
    if (i == 0 ? !bias : residual == NULL)
      continue;
    left--;
    b = i == 0 ? bias_tensor (g, y->shape.dim[3]) : map_tensor (g, UID_RESIDUAL, residual, FALSE);
    next = b != NULL ? result (g, y, left == 0) : NULL;
    if (next == NULL || !append_pointwise (g, CUDNN_POINTWISE_ADD, 0, now, b, next))
      return FALSE;
    now = next;
  }
  if (act == UPI_ACT_NONE)
    return TRUE;
  next = result (g, y, TRUE);
  return next != NULL && append_pointwise (g, modes[act], act == UPI_ACT_RELU6 ? 6 : 0, now, NULL, next);
}

/* Whether the engine computes in float32 as it is. Any doubt is a no. */
static gboolean
is_strict (cudnnBackendDescriptor_t config)
{
  cudnnBackendDescriptor_t engine = NULL;
  cudnnBackendNumericalNote_t notes[MAX_NOTES];
  gint64 n = 0;
  gboolean strict = FALSE;

  if (cudnnBackendCreateDescriptor (CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS)
    return FALSE;
  if (cudnnBackendGetAttribute (config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine)
          == CUDNN_STATUS_SUCCESS
      && cudnnBackendGetAttribute (
             engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, MAX_NOTES, &n, notes)
          == CUDNN_STATUS_SUCCESS) {
    strict = n <= MAX_NOTES;
    for (gint64 i = 0; i < MIN (n, MAX_NOTES); i++)
      strict = strict && notes[i] != CUDNN_NUMERICAL_NOTE_TENSOR_CORE
          && notes[i] != CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
  }
  cudnnBackendDestroyDescriptor (engine);
  return strict;
}

/* Takes the first engine that is allowed and makes a plan. c->plan stays NULL if there is none. */
static gboolean
choose (Graph *g, cudnnBackendDescriptor_t graph, cudnnBackendHeurMode_t mode, gboolean strict)
{
  cudnnBackendDescriptor_t heuristics = make (g, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR), configs[MAX_CONFIGS] = { NULL };
  gint64 n = 0;

  if (heuristics == NULL || !set_descriptor (g, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      || !set (g, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode))
    return FALSE;
  if (cudnnBackendFinalize (heuristics) != CUDNN_STATUS_SUCCESS)
    return TRUE; /* nothing to offer */
  for (guint i = 0; i < MAX_CONFIGS; i++) {
    if ((configs[i] = make (g, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)) == NULL)
      return FALSE;
  }
  if (!UPI_DNN (g->device,
          cudnnBackendGetAttribute (
              heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_CONFIGS, &n, configs),
          g->error))
    return FALSE;
  for (gint64 i = 0; i < MIN (n, MAX_CONFIGS) && g->c->plan == NULL; i++) {
    cudnnBackendDescriptor_t plan;
    gint64 count = 0;

    if (strict && !is_strict (configs[i]))
      continue;
    if ((plan = make (g, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)) == NULL
        || !set (g, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &g->device->dnn)
        || !set_descriptor (g, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configs[i]))
      return FALSE;
    if (cudnnBackendFinalize (plan) == CUDNN_STATUS_SUCCESS /* else this engine cannot, after all */
        && cudnnBackendGetAttribute (
               plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &g->c->workspace)
            == CUDNN_STATUS_SUCCESS
        && g->c->workspace <= MAX_WORKSPACE)
      g->c->plan = plan;
  }
  return TRUE;
}

static gboolean
find_plan (Graph *g, gboolean strict)
{
  cudnnBackendDescriptor_t graph = make (g, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);

  if (graph == NULL || !set (g, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, g->n_ops, g->ops)
      || !set (g, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &g->device->dnn))
    return FALSE;
  if (cudnnBackendFinalize (graph) != CUDNN_STATUS_SUCCESS)
    return TRUE; /* a graph that cuDNN does not know */
  return choose (g, graph, CUDNN_HEUR_MODE_A, strict)
      && (g->c->plan != NULL || choose (g, graph, CUDNN_HEUR_MODE_FALLBACK, strict));
}

static void
destroy_descriptor (gpointer descriptor)
{
  cudnnBackendDestroyDescriptor (descriptor);
}

gboolean
upi_cuda_convolution_new (UpiCudaDevice *device, UpiCudaType type, gboolean tf32, const UpiOp *op, const UpiTensor *x,
    const UpiTensor *w, const UpiTensor *y, const UpiTensor *residual, gboolean bias, UpiCudaConvolution **convolution,
    gboolean *fused, GError **error)
{
  const UpiConv *conv = &op->u.conv;
  gboolean alone = !bias && residual == NULL && conv->act == UPI_ACT_NONE, ok = TRUE;
  /* cuDNN has no hard ones: they are the epilogue's */
  gboolean fusable = conv->act != UPI_ACT_HARD_SWISH && conv->act != UPI_ACT_HARD_SIGMOID;

  *convolution = NULL;
  for (gint whole = fusable ? 1 : 0; whole >= (alone ? 1 : 0) && ok && *convolution == NULL; whole--) {
    UpiCudaConvolution *c = g_new0 (UpiCudaConvolution, 1);
    Graph g = { .device = device, .c = c, .type = type, .next_uid = UID_VIRTUAL, .error = error };

    c->descriptors = g_ptr_array_new_with_free_func (destroy_descriptor);
    c->bias = whole && bias;
    c->residual = whole && residual != NULL;
    ok = append_all (&g, conv, x, w, y, whole ? residual : NULL, c->bias, whole ? conv->act : UPI_ACT_NONE)
        && find_plan (&g, type == UPI_CUDA_F32 && !tf32);
    if (ok && c->plan != NULL) {
      *convolution = c;
      *fused = whole;
    } else {
      upi_cuda_convolution_free (c);
    }
  }
  return ok;
}

void
upi_cuda_convolution_free (UpiCudaConvolution *c)
{
  g_ptr_array_unref (c->descriptors);
  g_free (c);
}

gsize
upi_cuda_convolution_workspace (const UpiCudaConvolution *c)
{
  return (gsize) c->workspace;
}

/* The device's lock is held: its handle has one stream. */
gboolean
upi_cuda_convolution_run (UpiCudaDevice *device, const UpiCudaConvolution *c, const void *x, const void *w,
    const void *bias, const void *residual, void *y, void *workspace, cudaStream_t stream, GError **error)
{
  gint64 uids[5] = { UID_X, UID_W, UID_Y }, n = 3;
  const void *pointers[5] = { x, w, y };
  cudnnBackendDescriptor_t pack = NULL;
  const void *room = c->workspace > 0 ? workspace : NULL;
  gboolean ok;

  if (c->bias) {
    uids[n] = UID_BIAS;
    pointers[n++] = bias;
  }
  if (c->residual) {
    uids[n] = UID_RESIDUAL;
    pointers[n++] = residual;
  }
  ok = UPI_DNN (device, cudnnSetStream (device->dnn, stream), error)
      && UPI_DNN (device, cudnnBackendCreateDescriptor (CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack), error)
      && UPI_DNN (
          device, cudnnBackendSetAttribute (pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, uids), error)
      && UPI_DNN (device,
          cudnnBackendSetAttribute (pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, pointers),
          error)
      && UPI_DNN (device,
          cudnnBackendSetAttribute (pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &room), error)
      && UPI_DNN (device, cudnnBackendFinalize (pack), error)
      && UPI_DNN (device, cudnnBackendExecute (device->dnn, c->plan, pack), error);
  if (pack != NULL)
    cudnnBackendDestroyDescriptor (pack);
  return ok;
}
