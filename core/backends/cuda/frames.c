/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A frame on its way to the device: planes row by row into pinned memory, with the tables of the filters before them,
 * one copy, one kernel (kernels/preprocess.cu), all in the context's own stream before its graph. The tables travel
 * with each frame: tens of kilobytes beside megabytes of pixels, and no state that could be out of date when the next
 * frame has another size. */
#include "core/backends/cuda/cuda.h"

#include <string.h>

static gsize
aligned (gsize bytes)
{
  return (bytes + UPI_CUDA_ALIGNMENT - 1) / UPI_CUDA_ALIGNMENT * UPI_CUDA_ALIGNMENT;
}

static gsize
table_words (const UpiFilter *filter)
{
  return (gsize) filter->n_out * (2 + filter->taps);
}

static gsize
row_bytes (const UpiFrame *frame, guint plane)
{
  return (gsize) frame->planes[plane].samples * frame->sample_bytes;
}

static gsize
tables_bytes (const UpiFrame *frame)
{
  gsize bytes = 0;

  for (guint i = 0; i < frame->n_components; i++)
    bytes += (table_words (frame->components[i].across) + table_words (frame->planes[frame->components[i].plane].down))
        * sizeof (guint32);
  return aligned (bytes);
}

/* Tables, then planes. */
static gsize
frame_bytes (const UpiFrame *frame)
{
  gsize bytes = tables_bytes (frame);

  for (guint i = 0; i < frame->n_planes && !frame->on_device; i++)
    bytes += aligned (row_bytes (frame, i) * frame->planes[i].rows);
  return bytes;
}

/* Memory of a pending frame that no earlier copy reads any more: one may, if a frame was put and never run. It grows
 * with the frames and stays as large. */
static UpiCudaPendingFrame *
take_pending_frame (UpiCudaContext *context, guint item, gsize bytes, GError **error)
{
  UpiCudaDevice *device = context->plan->device;
  UpiCudaPendingFrame *pending;

  if (context->pending_frames->len <= item)
    g_array_set_size (context->pending_frames, item + 1);
  pending = &g_array_index (context->pending_frames, UpiCudaPendingFrame, item);
  if (pending->is_copying && !UPI_CUDA (device, cudaStreamSynchronize (context->stream), error))
    return NULL;
  pending->is_copying = FALSE;
  if (pending->bytes >= bytes)
    return pending;
  if (pending->pinned != NULL)
    cudaFreeHost (g_steal_pointer (&pending->pinned));
  if (pending->device != NULL)
    cudaFree (g_steal_pointer (&pending->device));
  pending->bytes = 0;
  if (!UPI_CUDA (device, cudaHostAlloc ((void **) &pending->pinned, bytes, cudaHostAllocDefault), error)
      || !UPI_CUDA (device, cudaMalloc ((void **) &pending->device, bytes), error))
    return NULL;
  pending->bytes = bytes;
  return pending;
}

static gint
put_table (guint32 *tables, gsize *words, const UpiFilter *filter)
{
  guint32 *to = tables + *words;
  gsize n = filter->n_out;

  memcpy (to, filter->start, n * sizeof *to);
  memcpy (to + n, filter->count, n * sizeof *to);
  memcpy (to + 2 * n, filter->weights, n * filter->taps * sizeof *to);
  *words += table_words (filter);
  return (gint) (to - tables);
}

static void
put_plane (guint8 *to, const UpiFrame *frame, guint plane)
{
  gsize bytes = row_bytes (frame, plane), rows = frame->planes[plane].rows;
  gssize stride = frame->planes[plane].stride;

  if (stride == (gssize) bytes) {
    memcpy (to, frame->planes[plane].data, bytes * rows);
    return;
  }
  for (gsize y = 0; y < rows; y++)
    memcpy (to + y * bytes, frame->planes[plane].data + (gssize) y * stride, bytes);
}

gboolean
upi_cuda_put_frame (UpiContext *base, UpiValue value, guint item, const UpiFrame *frame, GError **error)
{
  UpiCudaContext *context = (UpiCudaContext *) base;
  UpiCudaDevice *device = context->plan->device;
  UpiTensor input = upi_cuda_resolve (context->plan, value, context);
  UpiCudaFrame f = {
    .n_components = (gint) frame->n_components,
    .sample_bytes = (gint) frame->sample_bytes,
    .sample_shift = (gint) frame->sample_shift,
  };
  const guint8 *planes[3] = { NULL }, *first[3] = { NULL };
  gsize bytes = frame_bytes (frame), words = 0, offset;
  g_auto (UpiCudaScope) scope = { NULL };
  UpiCudaPendingFrame *pending;
  guint8 *out;

  if (!upi_cuda_enter (&scope, device, error))
    return FALSE;
  pending = take_pending_frame (context, item, bytes, error);
  if (pending == NULL)
    return FALSE;
  f.height = (gint) frame->planes[0].down->n_out;
  f.width = (gint) frame->components[0].across->n_out;
  f.origin = frame->origin;
  f.step_x = frame->step_x;
  f.step_y = frame->step_y;
  offset = tables_bytes (frame);
  for (guint i = 0; i < frame->n_planes; i++) {
    planes[i] = frame->on_device ? frame->planes[i].data : pending->device + offset;
    if (!frame->on_device) {
      put_plane (pending->pinned + offset, frame, i);
      offset += aligned (row_bytes (frame, i) * frame->planes[i].rows);
    }
  }
  for (guint i = 0; i < frame->n_components; i++) {
    guint plane = frame->components[i].plane;

    f.component[i].stride = frame->on_device ? frame->planes[plane].stride : (glong) row_bytes (frame, plane);
    f.component[i].step = (gint) (frame->components[i].step * frame->sample_bytes);
    f.component[i].taps_across = (gint) frame->components[i].across->taps;
    f.component[i].taps_down = (gint) frame->planes[plane].down->taps;
    f.component[i].across = put_table ((guint32 *) pending->pinned, &words, frame->components[i].across);
    f.component[i].down = put_table ((guint32 *) pending->pinned, &words, frame->planes[plane].down);
    first[i] = planes[plane] + frame->components[i].first * frame->sample_bytes;
  }
  memcpy (f.matrix, frame->matrix, sizeof f.matrix);
  memcpy (f.scale, frame->scale, sizeof f.scale);
  memcpy (f.bias, frame->bias, sizeof f.bias);
  f.input_width = (gint) frame->input_width;
  f.input_height = (gint) frame->input_height;
  f.lies_width = (gint) frame->width;
  f.lies_height = (gint) frame->height;
  memcpy (f.border, frame->border, sizeof f.border);
  out = (guint8 *) input.data
      + (gsize) item * frame->input_height * frame->input_width * 3
          * upi_cuda_element_bytes (context->plan->type, UPI_F32);
  pending->is_copying = TRUE;
  return UPI_CUDA (device,
             cudaMemcpyAsync (pending->device, pending->pinned, bytes, cudaMemcpyHostToDevice, context->stream), error)
      && UPI_CUDA (device,
          upi_cuda_preprocess (context->plan->type, context->stream, &f, first[0], first[1], first[2],
              (const gint *) pending->pinned, (const gint *) pending->device, out),
          error)
      && UPI_CUDA (device, upi_cuda_border (context->plan->type, context->stream, &f, out), error);
}
