/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A context of the cuda backend: one allocation on the device, one in pinned memory, one stream, one graph of the whole
 * program.
 *
 * The device's memory: arena | inputs | outputs | resident | scratch, and where numbers have 16 bits the same inputs
 * and outputs again, in float32, as the host has them. Device-resident values (resident.c) never see the host. run()
 * neither allocates nor waits for anything but its own stream, so that the copies of one context overlap the work of
 * another. */
#include "core/backends/cuda/cuda.h"

#include <string.h>

static gsize
aligned (gsize bytes)
{
  return (bytes + UPI_CUDA_ALIGNMENT - 1) / UPI_CUDA_ALIGNMENT * UPI_CUDA_ALIGNMENT;
}

/* What the host binds. */
static gboolean
is_input (const UpiValueInfo *info)
{
  return info->kind == UPI_VALUE_INPUT && info->first_op >= 0 && !info->is_resident;
}

static gboolean
is_output (const UpiValueInfo *info)
{
  return info->is_output && info->first_op >= 0 && !info->is_resident;
}

static gsize
host_bytes (const UpiValueInfo *info)
{
  return upi_shape_count (&info->shape) * UPI_ELEMENT_BYTES;
}

/* A cache: an input that an operation changes. */
static gboolean
is_changed (const UpiCudaContext *context, UpiValue value)
{
  const UpiValueInfo *info = upi_program_value (context->base.plan->program, value);

  return is_input (info) && upi_program_is_written (context->base.plan->program, value, info->first_op, info->last_op);
}

/* An output that no operation writes as a whole: what its operations leave must stay as the caller has it. */
static gboolean
is_partial (const UpiCudaContext *context, UpiValue value)
{
  const UpiProgram *p = context->base.plan->program;

  return is_output (upi_program_value (p, value)) && upi_program_find_producer (p, value) < 0;
}

static gboolean
copy (UpiCudaContext *context, gboolean to_device, gsize offset, gsize bytes, GError **error)
{
  guint8 *device = context->io + offset, *host = context->pinned + offset;

  if (bytes == 0)
    return TRUE;
  return UPI_CUDA (context->plan->device,
      cudaMemcpyAsync (to_device ? device : host, to_device ? host : device, bytes,
          to_device ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost, context->stream),
      error);
}

/* Float32, as it comes, to the 16 bits it is computed in. */
static gboolean
narrow (UpiCudaContext *context, UpiValue value, GError **error)
{
  const UpiCudaPlan *plan = context->plan;
  UpiTensor tensor = upi_cuda_resolve (plan, value, context);
  const gfloat *wide = (const gfloat *) (context->io + plan->io_offset[value]);

  if (plan->type == UPI_CUDA_F32 || tensor.dtype == UPI_I32)
    return TRUE;
  return UPI_CUDA (plan->device,
      upi_cuda_from_float (plan->type, context->stream, wide, tensor.data, upi_cuda_view (&tensor)), error);
}

/* What operations wrote of a bound value, and nothing else, back to float32. */
static gboolean
widen (UpiCudaContext *context, UpiValue value, GError **error)
{
  const UpiCudaPlan *plan = context->plan;
  const UpiProgram *p = plan->base.program;

  for (guint i = 0; i < p->ops->len; i++) {
    UpiValue written = upi_program_op (p, i)->output;
    const UpiValueInfo *info = upi_program_value (p, written);
    UpiTensor tensor;
    gfloat *wide = (gfloat *) (context->io + plan->io_offset[value]) + info->offset;

    if (plan->type == UPI_CUDA_F32 || info->base != value || info->dtype == UPI_I32)
      continue;
    tensor = upi_cuda_resolve (plan, written, context);
    if (!UPI_CUDA (plan->device,
            upi_cuda_to_float (plan->type, context->stream, tensor.data, wide, upi_cuda_view (&tensor)), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
receive (UpiCudaContext *context, GError **error)
{
  const UpiProgram *p = context->base.plan->program;

  if (!copy (context, TRUE, 0, context->plan->in_bytes, error))
    return FALSE;
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);

    if (is_partial (context, v) && !copy (context, TRUE, context->plan->io_offset[v], host_bytes (info), error))
      return FALSE;
    if (is_input (info) && !narrow (context, v, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
send (UpiCudaContext *context, GError **error)
{
  const UpiCudaPlan *plan = context->plan;
  const UpiProgram *p = plan->base.program;

  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);

    if ((is_output (info) || is_changed (context, v)) && !widen (context, v, error))
      return FALSE;
    if (is_changed (context, v) && !copy (context, FALSE, plan->io_offset[v], host_bytes (info), error))
      return FALSE;
  }
  return copy (context, FALSE, plan->in_bytes, plan->io_bytes - plan->in_bytes, error);
}

static gboolean
launch_all (UpiCudaContext *context, GError **error)
{
  const UpiProgram *p = context->base.plan->program;

  for (guint i = 0; i < p->ops->len; i++) {
    if (context->timers != NULL
        && !UPI_CUDA (context->plan->device, cudaEventRecord (context->timers[i], context->stream), error))
      return FALSE;
    if (!upi_cuda_op_launch (context, i, error))
      return FALSE;
  }
  return context->timers == NULL
      || UPI_CUDA (context->plan->device, cudaEventRecord (context->timers[p->ops->len], context->stream), error);
}

static gboolean
wait (UpiCudaContext *context, GError **error)
{
  UpiCudaDevice *device = context->plan->device;

  if (!UPI_CUDA (device, cudaEventRecord (context->done, context->stream), error)
      || !UPI_CUDA (device, cudaEventSynchronize (context->done), error))
    return FALSE;
  for (guint i = 0; context->pending_frames != NULL && i < context->pending_frames->len; i++)
    g_array_index (context->pending_frames, UpiCudaPendingFrame, i).is_copying = FALSE;
  return TRUE;
}

/* The first run of a plan is made call by call, with inputs of zero: kernels are loaded and libraries set themselves up
 * now, which they must not do while a stream captures. */
static gboolean
warm_up (UpiCudaContext *context, GError **error)
{
  UpiCudaPlan *plan = context->plan;

  if (g_atomic_int_get (&plan->warm))
    return TRUE;
  if (plan->in_bytes > 0)
    memset (context->pinned, 0, plan->in_bytes);
  if (plan->resident_bytes > 0
      && !UPI_CUDA (plan->device, cudaMemsetAsync (context->resident, 0, plan->resident_bytes, context->stream), error))
    return FALSE;
  if (!receive (context, error) || !launch_all (context, error) || !send (context, error) || !wait (context, error))
    return FALSE;
  g_atomic_int_set (&plan->warm, TRUE);
  return TRUE;
}

/* All ones is no number: what is read before it was written shows. */
static gboolean
spoil (UpiCudaContext *context, gsize bytes, GError **error)
{
  return UPI_CUDA (context->plan->device, cudaMemsetAsync (context->device_memory, 0xff, bytes, context->stream), error)
      && UPI_CUDA (context->plan->device, cudaStreamSynchronize (context->stream), error);
}

static gboolean
capture (UpiCudaContext *context, GError **error)
{
  UpiCudaDevice *device = context->plan->device;
  cudaGraph_t graph = NULL;
  cudaError_t status;
  gboolean ok;

  if (!UPI_CUDA (device, cudaStreamBeginCapture (context->stream, cudaStreamCaptureModeThreadLocal), error))
    return FALSE;
  ok = receive (context, error) && launch_all (context, error) && send (context, error);
  status = cudaStreamEndCapture (context->stream, &graph);
  ok = ok && upi_cuda_check (device, status, "cudaStreamEndCapture", G_STRLOC, error)
      && UPI_CUDA (device, cudaGraphInstantiate (&context->graph, graph, 0), error);
  if (graph != NULL)
    cudaGraphDestroy (graph);
  return ok;
}

static gboolean
allocate (UpiCudaContext *context, gsize *bytes, GError **error)
{
  const UpiCudaPlan *plan = context->plan;
  const UpiProgram *p = plan->base.program;
  gsize arena = aligned (p->arena_bytes), typed = plan->type == UPI_CUDA_F32 ? 0 : plan->io_bytes;

  *bytes =
      MAX (arena + plan->io_bytes + typed + plan->resident_bytes + aligned (plan->scratch_bytes), UPI_CUDA_ALIGNMENT);
  if (!UPI_CUDA (plan->device, cudaMalloc ((void **) &context->device_memory, *bytes), error))
    return FALSE;
  context->arena = context->device_memory;
  context->io = context->arena + arena;
  context->typed_io = typed > 0 ? context->io + plan->io_bytes : context->io;
  context->resident = context->io + plan->io_bytes + typed;
  context->scratch = context->resident + plan->resident_bytes;
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);

    if (is_input (info) || is_output (info))
      context->values[v] = (info->dtype == UPI_I32 ? context->io : context->typed_io) + plan->io_offset[v];
    else if (info->is_resident && info->first_op >= 0)
      context->values[v] = context->resident + plan->io_offset[v];
  }
  return plan->io_bytes == 0
      || UPI_CUDA (
          plan->device, cudaHostAlloc ((void **) &context->pinned, plan->io_bytes, cudaHostAllocDefault), error);
}

UpiContext *
upi_cuda_context_new (UpiPlan *base, GError **error)
{
  UpiCudaPlan *plan = (UpiCudaPlan *) base;
  UpiCudaDevice *device = plan->device;
  UpiCudaContext *context = g_new0 (UpiCudaContext, 1);
  g_auto (UpiCudaScope) scope = { NULL };
  gsize bytes;
  gboolean ok;

  context->base.plan = base;
  context->plan = plan;
  context->bound = g_new0 (void *, base->program->values->len);
  context->bound_items = g_new0 (void **, base->program->values->len);
  context->values = g_new0 (void *, base->program->values->len);
  ok = upi_cuda_enter (&scope, device, error) && allocate (context, &bytes, error)
      && UPI_CUDA (device, cudaStreamCreateWithFlags (&context->stream, cudaStreamNonBlocking), error)
      && UPI_CUDA (
          device, cudaEventCreateWithFlags (&context->done, cudaEventBlockingSync | cudaEventDisableTiming), error)
      && spoil (context, bytes, error);
  if (ok)
    upi_cuda_resident_init (context);
  if (ok && base->program->ops->len > 0) {
    g_mutex_lock (&device->lock); /* cuDNN's handle has one stream */
    ok = warm_up (context, error) && spoil (context, bytes, error) && capture (context, error);
    g_mutex_unlock (&device->lock);
  }
  if (!ok) {
    upi_cuda_context_free (&context->base);
    return NULL;
  }
  return &context->base;
}

void
upi_cuda_context_free (UpiContext *base)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  g_auto (UpiCudaScope) scope = { NULL };

  upi_cuda_enter_to_free (&scope, context->plan->device);
  if (context->stream != NULL)
    cudaStreamSynchronize (context->stream); /* a failed run may have left something */
  if (context->graph != NULL)
    cudaGraphExecDestroy (context->graph);
  for (guint i = 0; context->timers != NULL && i <= base->plan->program->ops->len; i++) {
    if (context->timers[i] != NULL)
      cudaEventDestroy (context->timers[i]);
  }
  if (context->done != NULL)
    cudaEventDestroy (context->done);
  if (context->stream != NULL)
    cudaStreamDestroy (context->stream);
  upi_cuda_resident_clear (context);
  if (context->pinned != NULL)
    cudaFreeHost (context->pinned);
  if (context->device_memory != NULL)
    cudaFree (context->device_memory);
  g_free (context->timers);
  for (guint v = 0; v < base->plan->program->values->len; v++)
    g_free (context->bound_items[v]);
  g_free (context->bound_items);
  g_free (context->bound);
  g_free (context->values);
  g_free (context);
}

void
upi_cuda_bind (UpiContext *base, UpiValue value, void *data)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  const UpiValueInfo *info = upi_program_value (base->plan->program, value);

  g_assert ((info->kind == UPI_VALUE_INPUT || info->is_output) && !info->is_resident);
  g_clear_pointer (&context->bound_items[value], g_free);
  context->bound[value] = data;
}

void
upi_cuda_bind_item (UpiContext *base, UpiValue value, guint item, void *memory)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  const UpiValueInfo *info = upi_program_value (base->plan->program, value);

  if (info->is_resident) {
    upi_cuda_resident_bind (context, value, item, memory);
    return;
  }
  g_assert (info->is_output && item < (guint) info->shape.dim[0]);
  context->bound[value] = NULL;
  if (context->bound_items[value] == NULL)
    context->bound_items[value] = g_new0 (void *, (gsize) info->shape.dim[0]);
  context->bound_items[value][item] = memory;
}

/* Bound memory to pinned memory, or back. */
static void
copy_bound (UpiCudaContext *context, UpiValue value, gboolean to_pinned)
{
  const UpiValueInfo *info = upi_program_value (context->base.plan->program, value);
  guint8 *pinned = context->pinned + context->plan->io_offset[value];
  void **items = context->bound_items[value];
  guint n = items != NULL ? (guint) info->shape.dim[0] : 1;
  gsize bytes = host_bytes (info) / n;

  for (guint i = 0; i < n; i++, pinned += bytes) {
    void *bound = items != NULL ? items[i] : context->bound[value];

    if (bound != NULL)
      memcpy (to_pinned ? pinned : bound, to_pinned ? bound : pinned, bytes);
  }
}

/* Bound memory to pinned memory; FALSE if some is missing. */
static gboolean
take_inputs (UpiCudaContext *context, GError **error)
{
  const UpiProgram *p = context->base.plan->program;

  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);

    if (!is_input (info) && !is_output (info))
      continue;
    if (context->bound[v] == NULL && context->bound_items[v] == NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_FAILED, "%s: no memory was bound to %s \"%s\"", p->name,
          info->is_output ? "the output" : "the input", info->name);
      return FALSE;
    }
    if (is_input (info) || is_partial (context, v))
      copy_bound (context, v, TRUE);
  }
  return TRUE;
}

static void
give_outputs (UpiCudaContext *context)
{
  const UpiProgram *p = context->base.plan->program;

  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);

    if (is_output (info) || is_changed (context, v))
      copy_bound (context, v, FALSE);
  }
}

gboolean
upi_cuda_run (UpiContext *base, GError **error)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  UpiCudaDevice *device = context->plan->device;
  g_auto (UpiCudaScope) scope = { NULL };

  if (!upi_cuda_enter (&scope, device, error) || !take_inputs (context, error)
      || !upi_cuda_resident_receive (context, error))
    return FALSE;
  if (context->graph != NULL
      && (!UPI_CUDA (device, cudaGraphLaunch (context->graph, context->stream), error)
          || !upi_cuda_resident_send (context, error) || !wait (context, error)))
    return FALSE;
  give_outputs (context);
  return TRUE;
}

static gboolean
make_timers (UpiCudaContext *context, GError **error)
{
  guint n = context->base.plan->program->ops->len + 1;

  if (context->timers == NULL)
    context->timers = g_new0 (cudaEvent_t, n);
  for (guint i = 0; i < n; i++) { /* those that an earlier call could not make too */
    if (context->timers[i] == NULL
        && !UPI_CUDA (context->plan->device, cudaEventCreateWithFlags (&context->timers[i], 0), error))
      return FALSE;
  }
  return TRUE;
}

/* Call by call with events between: what the operations take, not what a run takes. */
gboolean
upi_cuda_run_timed (UpiContext *base, gdouble *microseconds, GError **error)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  UpiCudaDevice *device = context->plan->device;
  g_auto (UpiCudaScope) scope = { NULL };
  gboolean ok;

  if (microseconds == NULL)
    return upi_cuda_run (base, error);
  if (!upi_cuda_enter (&scope, device, error) || !take_inputs (context, error) || !make_timers (context, error))
    return FALSE;
  g_mutex_lock (&device->lock);
  ok = upi_cuda_resident_receive (context, error) && receive (context, error) && launch_all (context, error)
      && send (context, error) && upi_cuda_resident_send (context, error);
  g_mutex_unlock (&device->lock);
  if (!ok || !wait (context, error))
    return FALSE;
  for (guint i = 0; i < base->plan->program->ops->len; i++) {
    gfloat milliseconds = 0;

    if (!UPI_CUDA (device, cudaEventElapsedTime (&milliseconds, context->timers[i], context->timers[i + 1]), error))
      return FALSE;
    microseconds[i] += 1e3 * (gdouble) milliseconds;
  }
  give_outputs (context);
  return TRUE;
}
