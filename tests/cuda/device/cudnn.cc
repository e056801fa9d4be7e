/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device's cuDNN: the graph API for one convolution and the pointwise operations behind it, over the plain
 * loops of cudnn-loops.cc.
 *
 * Stricter than the real one: attributes must have their type and count, nothing changes after it was finalized, names
 * of tensors are used once. It has few engines, so that all ways of the backend are gone: whole graphs of float32 run
 * on tensor cores only; both paddings must be equal; channels must be a multiple of four. */
#include "tests/cuda/device/cudnn-loops.h"

#include <cstring>
#include <map>

using namespace upi_device;

static constexpr int64_t workspace_bytes = 768;

namespace {

struct Attribute {
  cudnnBackendAttributeType_t type;
  int64_t count;
  std::vector<char> bytes;
};

struct Descriptor {
  cudnnBackendDescriptorType_t type;
  bool finalized;
  std::map<int, Attribute> attributes;
  /* of an engine configuration */
  Descriptor *graph;
  bool tensor_cores;
};

}

struct cudnnContext {
  const CUctx_st *context;
  cudaStream_t stream;
};

static size_t
element_bytes (cudnnBackendAttributeType_t type)
{
  switch (type) {
  case CUDNN_TYPE_INT64:
  case CUDNN_TYPE_DOUBLE:
  case CUDNN_TYPE_HANDLE:
  case CUDNN_TYPE_VOID_PTR:
  case CUDNN_TYPE_BACKEND_DESCRIPTOR:
    return 8;
  case CUDNN_TYPE_BOOLEAN:
    return sizeof (bool);
  default:
    return 4;
  }
}

template <typename T>
static bool
get (const Descriptor *d, int name, T *to, int64_t count = 1)
{
  auto found = d->attributes.find (name);

  if (found == d->attributes.end () || found->second.count != count
      || found->second.bytes.size () != sizeof (T) * (size_t) count)
    return false;
  std::memcpy (to, found->second.bytes.data (), found->second.bytes.size ());
  return true;
}

static bool
get_tensor (const Descriptor *owner, int name, GraphTensor *t)
{
  Descriptor *d;
  cudnnDataType_t type;

  if (!get (owner, name, &d) || !d->finalized || d->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR)
    return false;
  if (!get (d, CUDNN_ATTR_TENSOR_UNIQUE_ID, &t->uid) || !get (d, CUDNN_ATTR_TENSOR_DIMENSIONS, t->dim, 4)
      || !get (d, CUDNN_ATTR_TENSOR_STRIDES, t->stride, 4) || !get (d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, &t->is_virtual)
      || !get (d, CUDNN_ATTR_TENSOR_DATA_TYPE, &type))
    return false;
  t->type = type == CUDNN_DATA_HALF ? Type::f16 : type == CUDNN_DATA_BFLOAT16 ? Type::bf16 : Type::f32;
  return true;
}

/* False: not a graph that this library knows. */
static bool
read_graph (const Descriptor *graph, ConvolutionGraph *program)
{
  auto ops = graph->attributes.find (CUDNN_ATTR_OPERATIONGRAPH_OPS);
  int64_t last = 0, post[2], one[2];
  float alpha, beta;

  if (ops == graph->attributes.end ())
    return false;
  for (int64_t i = 0; i < ops->second.count; i++) {
    Descriptor *op, *how;
    GraphTensor x;

    std::memcpy (&op, ops->second.bytes.data () + 8 * i, 8);
    if (!op->finalized)
      return false;
    if (i == 0) {
      if (op->type != CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
          || !get_tensor (op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, &program->x)
          || !get_tensor (op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, &program->w)
          || !get_tensor (op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, &program->y)
          || !get (op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, &alpha) || alpha != 1
          || !get (op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, &beta) || beta != 0
          || !get (op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, &how) || !how->finalized
          || !get (how, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, program->pad, 2)
          || !get (how, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, post, 2)
          || !get (how, CUDNN_ATTR_CONVOLUTION_DILATIONS, one, 2) || one[0] != 1 || one[1] != 1
          || !get (how, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, program->stride, 2))
        return false;
      if (post[0] != program->pad[0] || post[1] != program->pad[1] || program->x.dim[1] % 4 || program->y.dim[1] % 4
          || program->w.dim[1] != program->x.dim[1])
        return false;
      for (int s = 0; s < 2; s++) /* the output's size follows */
        if (program->y.dim[2 + s]
            != (program->x.dim[2 + s] + 2 * program->pad[s] - program->w.dim[2 + s]) / program->stride[s] + 1)
          return false;
      last = program->y.uid;
      continue;
    }
    ConvolutionGraph::Step step = {};
    if (op->type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR
        || !get_tensor (op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, &x)
        || !get_tensor (op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, &step.y)
        || !get (op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, &how)
        || !get (how, CUDNN_ATTR_POINTWISE_MODE, &step.mode) || x.uid != last || !x.is_virtual)
      return false;
    step.has_b = get_tensor (op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, &step.b);
    if (step.has_b != (step.mode == CUDNN_POINTWISE_ADD))
      return false;
    get (how, CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, &step.clip);
    last = step.y.uid;
    program->steps.push_back (step);
  }
  return !(program->steps.empty () ? program->y : program->steps.back ().y).is_virtual;
}

cudnnStatus_t
cudnnCreate (cudnnHandle_t *handle)
{
  cudnnStatus_t status = call_cudnn ("cudnnCreate");

  *handle = nullptr;
  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  *handle = new cudnnContext{ current_context (), nullptr };
  count_made ();
  return status;
}

cudnnStatus_t
cudnnDestroy (cudnnHandle_t handle)
{
  check_context (handle->context, "cudnnDestroy");
  delete handle;
  count_gone ();
  return call_cudnn ("cudnnDestroy");
}

cudnnStatus_t
cudnnSetStream (cudnnHandle_t handle, cudaStream_t stream)
{
  cudnnStatus_t status = call_cudnn ("cudnnSetStream");

  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  check_context (handle->context, "cudnnSetStream");
  handle->stream = stream;
  return status;
}

const char *
cudnnGetErrorString (cudnnStatus_t status)
{
  switch (status) {
#define NAME(name, value)                                                                                              \
  case name:                                                                                                           \
    return #name;
    UPI_API_CUDNN_STATUS (NAME)
#undef NAME
  }
  return "unknown status";
}

void
cudnnGetLastErrorString (char *message, size_t max_size)
{
  if (max_size > 0)
    message[0] = 0;
}

cudnnStatus_t
cudnnBackendCreateDescriptor (cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *descriptor)
{
  cudnnStatus_t status = call_cudnn ("cudnnBackendCreateDescriptor");

  *descriptor = nullptr;
  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  *descriptor = new Descriptor{ type, false, {}, nullptr, false };
  count_made ();
  return status;
}

cudnnStatus_t
cudnnBackendDestroyDescriptor (cudnnBackendDescriptor_t descriptor)
{
  delete (Descriptor *) descriptor;
  count_gone ();
  return call_cudnn ("cudnnBackendDestroyDescriptor");
}

/* The type that an attribute has. */
static cudnnBackendAttributeType_t
type_of (cudnnBackendAttributeName_t name)
{
  switch (name) {
  case CUDNN_ATTR_POINTWISE_MODE:
    return CUDNN_TYPE_POINTWISE_MODE;
  case CUDNN_ATTR_POINTWISE_MATH_PREC:
  case CUDNN_ATTR_CONVOLUTION_COMP_TYPE:
  case CUDNN_ATTR_TENSOR_DATA_TYPE:
    return CUDNN_TYPE_DATA_TYPE;
  case CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP:
    return CUDNN_TYPE_DOUBLE;
  case CUDNN_ATTR_CONVOLUTION_CONV_MODE:
    return CUDNN_TYPE_CONVOLUTION_MODE;
  case CUDNN_ATTR_ENGINEHEUR_MODE:
    return CUDNN_TYPE_HEUR_MODE;
  case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA:
  case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA:
    return CUDNN_TYPE_FLOAT;
  case CUDNN_ATTR_EXECUTION_PLAN_HANDLE:
  case CUDNN_ATTR_OPERATIONGRAPH_HANDLE:
    return CUDNN_TYPE_HANDLE;
  case CUDNN_ATTR_TENSOR_IS_VIRTUAL:
    return CUDNN_TYPE_BOOLEAN;
  case CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS:
  case CUDNN_ATTR_VARIANT_PACK_WORKSPACE:
    return CUDNN_TYPE_VOID_PTR;
  case CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH:
  case CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG:
  case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC:
  case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W:
  case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X:
  case CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y:
  case CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR:
  case CUDNN_ATTR_OPERATION_POINTWISE_XDESC:
  case CUDNN_ATTR_OPERATION_POINTWISE_BDESC:
  case CUDNN_ATTR_OPERATION_POINTWISE_YDESC:
  case CUDNN_ATTR_OPERATIONGRAPH_OPS:
    return CUDNN_TYPE_BACKEND_DESCRIPTOR;
  default:
    return CUDNN_TYPE_INT64;
  }
}

cudnnStatus_t
cudnnBackendSetAttribute (cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
    cudnnBackendAttributeType_t type, int64_t count, const void *elements)
{
  cudnnStatus_t status = call_cudnn ("cudnnBackendSetAttribute");
  Descriptor *d = (Descriptor *) descriptor;
  const char *from = (const char *) elements;

  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  if (d->finalized || type != type_of (name) || count < 1)
    die ("cudnnBackendSetAttribute: attribute %d as type %d, %lld of them%s", name, type, (long long) count,
        d->finalized ? ", of a finalized descriptor" : "");
  d->attributes[name] = { type, count, { from, from + element_bytes (type) * (size_t) count } };
  return status;
}

static cudnnStatus_t
check_final (Descriptor *d)
{
  Descriptor *graph;
  ConvolutionGraph program;

  switch (d->type) {
  case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
    return !read_graph (d, &program) ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
  case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
    if (!get (d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, &graph) || !graph->finalized)
      return CUDNN_STATUS_BAD_PARAM;
    d->graph = graph;
    return has_engines () ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
  case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: {
    Descriptor *config;
    cudnnHandle_t handle;

    if (!get (d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, &handle)
        || !get (d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, &config) || !config->graph)
      return CUDNN_STATUS_BAD_PARAM;
    d->graph = config->graph;
    d->tensor_cores = config->tensor_cores;
    return CUDNN_STATUS_SUCCESS;
  }
  default:
    return CUDNN_STATUS_SUCCESS;
  }
}

cudnnStatus_t
cudnnBackendFinalize (cudnnBackendDescriptor_t descriptor)
{
  cudnnStatus_t status = call_cudnn ("cudnnBackendFinalize");
  Descriptor *d = (Descriptor *) descriptor;

  if (status == CUDNN_STATUS_SUCCESS)
    status = check_final (d);
  d->finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}

/* First what computes with fewer bits, as the real heuristics do; in float32 a graph of more than the convolution has
 * nothing else. */
static void
configure (const Descriptor *heuristics, int64_t requested, int64_t *count, Descriptor **configs)
{
  ConvolutionGraph program;
  cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;

  *count = 0;
  read_graph (heuristics->graph, &program);
  get (heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, &mode);
  for (int precise = 0; precise < 2 && *count < requested; precise++) {
    if (precise && (program.x.type != Type::f32 || !program.steps.empty ()))
      continue;
    if (precise != (mode == CUDNN_HEUR_MODE_FALLBACK) && program.x.type == Type::f32)
      continue;
    configs[*count]->graph = heuristics->graph;
    configs[*count]->tensor_cores = !precise;
    configs[(*count)++]->finalized = true;
  }
}

cudnnStatus_t
cudnnBackendGetAttribute (cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
    cudnnBackendAttributeType_t type, int64_t requested, int64_t *count, void *elements)
{
  cudnnStatus_t status = call_cudnn ("cudnnBackendGetAttribute");
  Descriptor *d = (Descriptor *) descriptor;

  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  if (!d->finalized)
    return CUDNN_STATUS_BAD_PARAM;
  switch (name) {
  case CUDNN_ATTR_ENGINEHEUR_RESULTS:
    configure (d, requested, count, (Descriptor **) elements);
    return status;
  case CUDNN_ATTR_ENGINECFG_ENGINE: {
    Descriptor *engine = *(Descriptor **) elements;

    if (engine->type != CUDNN_BACKEND_ENGINE_DESCRIPTOR)
      return CUDNN_STATUS_BAD_PARAM;
    engine->tensor_cores = d->tensor_cores;
    engine->finalized = true;
    *count = 1;
    return status;
  }
  case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
    if (type != CUDNN_TYPE_NUMERICAL_NOTE)
      return CUDNN_STATUS_BAD_PARAM;
    *count = d->tensor_cores;
    if (d->tensor_cores)
      *(cudnnBackendNumericalNote_t *) elements = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    return status;
  case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
    *count = 1;
    *(int64_t *) elements = workspace_bytes;
    return status;
  default:
    return CUDNN_STATUS_BAD_PARAM;
  }
}

cudnnStatus_t
cudnnBackendExecute (
    cudnnHandle_t handle, cudnnBackendDescriptor_t plan_descriptor, cudnnBackendDescriptor_t pack_descriptor)
{
  Guard guard (lock);
  cudnnStatus_t status = call_cudnn ("cudnnBackendExecute");
  Descriptor *plan = (Descriptor *) plan_descriptor, *pack = (Descriptor *) pack_descriptor;
  std::vector<GraphTensor> tensors;
  std::map<int64_t, char *> memory;
  ConvolutionGraph program;
  void *workspace;

  if (status != CUDNN_STATUS_SUCCESS)
    return status;
  if (!plan->finalized || !pack->finalized || handle->context != current_context ()
      || !read_graph (plan->graph, &program))
    return CUDNN_STATUS_BAD_PARAM;
  program.tf32 = plan->tensor_cores && program.x.type == Type::f32;
  tensors = { program.x, program.w, program.steps.empty () ? program.y : program.steps.back ().y };
  for (const ConvolutionGraph::Step &step : program.steps)
    if (step.has_b)
      tensors.push_back (step.b);
  Attribute &uids = pack->attributes[CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS],
            &pointers = pack->attributes[CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS];
  if (uids.count != (int64_t) tensors.size () || pointers.count != uids.count
      || !get (pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &workspace))
    die ("cudnnBackendExecute: %lld tensors, expected %zu", (long long) uids.count, tensors.size ());
  char *room = (char *) executor (workspace, workspace_bytes, "cudnnBackendExecute, workspace");
  for (const GraphTensor &t : tensors) {
    for (int64_t i = 0; i < uids.count; i++) {
      int64_t uid;
      void *pointer;

      std::memcpy (&uid, uids.bytes.data () + 8 * i, 8);
      std::memcpy (&pointer, pointers.bytes.data () + 8 * i, 8);
      if (uid == t.uid)
        memory[uid] = (char *) executor (pointer, tensor_bytes (t), "cudnnBackendExecute");
    }
    if (!memory[t.uid])
      die ("cudnnBackendExecute: tensor %lld has no memory", (long long) t.uid);
  }
  return enqueue (handle->stream,
             { "cudnnBackendExecute",
                 [=] () mutable {
                   std::memset (room, 0xff, workspace_bytes);
                   run_graph (program, memory);
                 } })
          == cudaSuccess
      ? CUDNN_STATUS_SUCCESS
      : CUDNN_STATUS_EXECUTION_FAILED;
}
