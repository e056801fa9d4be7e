/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values that never see the host: memory on the device that callers hold, and the copies between it and a context,
 * around its graph. A graph's addresses are fixed when it is captured, hence a place in the context; the copies are on
 * the device, at its bandwidth. */
#include "core/backends/cuda/cuda.h"

#include <string.h>

#define STAGING_BYTES ((gsize) 4 * 1024 * 1024) /* what device.c made */

static UpiCudaDevice *
device_of (const UpiBackend *backend)
{
  return ((const UpiCudaBackend *) backend)->device;
}

static void *
memory_new (const UpiBackend *backend, gsize bytes, const gchar *purpose, GError **error)
{
  g_auto (UpiCudaScope) scope = { NULL };
  void *memory = NULL;

  if (!upi_cuda_enter (&scope, device_of (backend), error)
      || !UPI_CUDA (device_of (backend), cudaMalloc (&memory, MAX (bytes, UPI_CUDA_ALIGNMENT)), error))
    g_prefix_error (error, "no memory for %s: ", purpose);
  return memory;
}

static void
memory_free (const UpiBackend *backend, void *memory)
{
  g_auto (UpiCudaScope) scope = { NULL };

  upi_cuda_enter_to_free (&scope, device_of (backend));
  cudaFree (memory);
}

/* Through the device's staging memory, a piece at a time; other streams go on. */
static gboolean
read_pieces (UpiCudaDevice *device, const guint8 *memory, guint8 *to, gsize bytes, GError **error)
{
  for (gsize start = 0; start < bytes; start += STAGING_BYTES) {
    gsize n = MIN (STAGING_BYTES, bytes - start);

    if (!UPI_CUDA (
            device, cudaMemcpyAsync (device->staging, memory + start, n, cudaMemcpyDeviceToHost, device->upload), error)
        || !UPI_CUDA (device, cudaStreamSynchronize (device->upload), error))
      return FALSE;
    memcpy (to + start, device->staging, n);
  }
  return TRUE;
}

static gboolean
memory_read (const UpiBackend *backend, const void *memory, void *to, gsize bytes, GError **error)
{
  UpiCudaDevice *device = device_of (backend);
  g_auto (UpiCudaScope) scope = { NULL };
  gboolean ok;

  if (!upi_cuda_enter (&scope, device, error) || !upi_cuda_device_acquire (device, error)) /* the plans may have gone */
    return FALSE;
  g_mutex_lock (&device->lock);
  ok = read_pieces (device, memory, to, bytes, error);
  g_mutex_unlock (&device->lock);
  upi_cuda_device_release (device);
  return ok;
}

static gboolean
memory_copy (UpiContext *base, void *to, const void *from, gsize bytes, GError **error)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  UpiCudaDevice *device = context->plan->device;
  g_auto (UpiCudaScope) scope = { NULL };

  return upi_cuda_enter (&scope, device, error)
      && UPI_CUDA (device, cudaMemcpyAsync (to, from, bytes, cudaMemcpyDeviceToDevice, context->stream), error);
}

void
upi_cuda_resident_init (UpiCudaContext *context)
{
  const UpiCudaPlan *plan = context->plan;
  const UpiProgram *p = plan->base.program;

  context->resident_items = g_array_new (FALSE, TRUE, sizeof (UpiCudaResident));
  context->pending_frames = g_array_new (FALSE, TRUE, sizeof (UpiCudaPendingFrame));
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (p, v);
    guint items = (guint) info->shape.dim[0];
    gsize count = upi_shape_count (&info->shape) / MAX (items, 1);
    gboolean written =
        info->is_output || (info->is_resident && upi_program_is_written (p, v, info->first_op, info->last_op));

    for (guint i = 0; info->is_resident && info->first_op >= 0 && i < items; i++) {
      UpiCudaResident resident = { .value = v, .item = i, .count = count, .result = written };

      resident.place = (guint8 *) context->values[v] + i * count * upi_cuda_element_bytes (plan->type, info->dtype);
      g_array_append_val (context->resident_items, resident);
    }
  }
}

void
upi_cuda_resident_clear (UpiCudaContext *context)
{
  for (guint i = 0; context->pending_frames != NULL && i < context->pending_frames->len; i++) {
    UpiCudaPendingFrame *pending = &g_array_index (context->pending_frames, UpiCudaPendingFrame, i);

    if (pending->pinned != NULL)
      cudaFreeHost (pending->pinned);
    if (pending->device != NULL)
      cudaFree (pending->device);
  }
  g_clear_pointer (&context->pending_frames, g_array_unref);
  g_clear_pointer (&context->resident_items, g_array_unref);
}

void
upi_cuda_resident_bind (UpiCudaContext *context, UpiValue value, guint item, void *memory)
{
  for (guint i = 0; i < context->resident_items->len; i++) {
    UpiCudaResident *resident = &g_array_index (context->resident_items, UpiCudaResident, i);

    if (resident->value != value || resident->item != item)
      continue;
    resident->memory = memory;
    resident->stale = memory != NULL && !upi_program_value (context->base.plan->program, value)->is_output;
  }
}

/* Float32: what lies side by side on both sides is one copy. *from is the first item of it, *next the one behind. */
static gsize
joint_bytes (const UpiCudaContext *context, gboolean receive, guint from, guint *next)
{
  const UpiCudaResident *items = (const UpiCudaResident *) (gconstpointer) context->resident_items->data;
  gsize bytes = items[from].count * sizeof (gfloat);

  for (*next = from + 1; *next < context->resident_items->len; (*next)++) {
    const UpiCudaResident *resident = &items[*next];

    if (resident->memory == NULL || !(receive ? resident->stale : resident->result)
        || resident->place != items[from].place + bytes || resident->memory != items[from].memory + bytes)
      break;
    bytes += resident->count * sizeof (gfloat);
  }
  return bytes;
}

static gboolean
move (UpiCudaContext *context, gboolean receive, GError **error)
{
  const UpiCudaPlan *plan = context->plan;
  guint next;

  for (guint i = 0; i < context->resident_items->len; i = next) {
    UpiCudaResident *resident = &g_array_index (context->resident_items, UpiCudaResident, i);
    UpiCudaView view = { { 1, 1, 1, (gint) resident->count }, { 0, 0, 0, 1 } };
    const gchar *call = "cudaLaunchKernel";
    cudaError_t status;

    next = i + 1;
    if (resident->memory == NULL || !(receive ? resident->stale : resident->result))
      continue;
    if (plan->type == UPI_CUDA_F32) {
      gsize bytes = joint_bytes (context, receive, i, &next);

      call = "cudaMemcpyAsync";
      status = cudaMemcpyAsync (receive ? resident->place : resident->memory,
          receive ? resident->memory : resident->place, bytes, cudaMemcpyDeviceToDevice, context->stream);
    } else if (receive) {
      status =
          upi_cuda_from_float (plan->type, context->stream, (const gfloat *) resident->memory, resident->place, view);
    } else {
      status = upi_cuda_to_float (plan->type, context->stream, resident->place, (gfloat *) resident->memory, view);
    }
    if (!upi_cuda_check (plan->device, status, call, G_STRLOC, error))
      return FALSE;
    for (; receive && i < next; i++)
      g_array_index (context->resident_items, UpiCudaResident, i).stale = FALSE;
  }
  return TRUE;
}

gboolean
upi_cuda_resident_receive (UpiCudaContext *context, GError **error)
{
  return move (context, TRUE, error);
}

gboolean
upi_cuda_resident_send (UpiCudaContext *context, GError **error)
{
  return move (context, FALSE, error);
}

const UpiBackendMemory upi_cuda_memory = { memory_new, memory_free, memory_read, memory_copy };
