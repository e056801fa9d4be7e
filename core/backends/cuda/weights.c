/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Weights on a device: packed once as the operation wants them, shared by all plans of the process that use the same
 * memory. */
#include "core/backends/cuda/cuda.h"

#include <string.h>

#define STAGING_FLOATS ((gsize) 4 * 1024 * 1024 / sizeof (gfloat))

typedef struct {
  const void *data; /* host memory: the key, with the next three */
  gsize count;      /* elements: a smaller weight may begin where a larger one does */
  UpiCudaPacking packing;
  UpiCudaType type;
  gint ref_count;
  void *memory;
} Weight;

static guint
weight_hash (gconstpointer key)
{
  const Weight *w = key;

  return g_direct_hash (w->data) ^ (guint) w->packing << 4 ^ (guint) w->type;
}

static gboolean
weight_equal (gconstpointer a, gconstpointer b)
{
  const Weight *x = a, *y = b;

  return x->data == y->data && x->count == y->count && x->packing == y->packing && x->type == y->type;
}

/* Where element i of the packed weight comes from; shape [O, C, kh, kw]. */
static gsize
packed_source (UpiCudaPacking packing, const UpiShape *shape, gint groups, gsize i)
{
  gsize outputs = (gsize) shape->dim[0], channels = (gsize) shape->dim[1],
        taps = (gsize) shape->dim[2] * (gsize) shape->dim[3];
  gsize o, c, tap;

  switch (packing) {
  case UPI_CUDA_WEIGHT_OWN: { /* (group, tap, c, o) */
    gsize per_group = outputs / (gsize) groups, group = i / (per_group * channels * taps);

    o = group * per_group + i % per_group;
    c = i / per_group % channels;
    tap = i / per_group / channels % taps;
    break;
  }
  case UPI_CUDA_WEIGHT_DEPTHWISE: /* (tap, o) */
    o = i % outputs;
    c = 0;
    tap = i / outputs;
    break;
  case UPI_CUDA_WEIGHT_KRSC: /* (o, tap, c) */
    o = i / (channels * taps);
    c = i % channels;
    tap = i / channels % taps;
    break;
  case UPI_CUDA_WEIGHT_PLAIN: /* uncovered: upload() copies these two as they lie and asks for no source of theirs */
  case UPI_CUDA_WEIGHT_INTS:
  default:
    g_assert_not_reached (); /* uncovered: no packing is without a case above; a new one that has none must end here */
  }
  return (o * channels + c) * taps + tap;
}

/* Through the pinned staging memory, a piece at a time. Waits for its own stream: what other streams run is not held
 * up. */
static gboolean
upload (UpiCudaDevice *device, UpiCudaPacking packing, const UpiTensor *weight, gint groups, gfloat *to, GError **error)
{
  gsize count = upi_shape_count (&weight->shape);
  UpiShape shape = weight->shape;

  while (shape.rank < 4) /* linear layers are convolutions of 1 × 1 */
    shape.dim[shape.rank++] = 1;
  for (gsize start = 0; start < count; start += STAGING_FLOATS) {
    gsize n = MIN (STAGING_FLOATS, count - start);
    guint32 *staging = (guint32 *) device->staging;

    if (packing == UPI_CUDA_WEIGHT_PLAIN || packing == UPI_CUDA_WEIGHT_INTS)
      memcpy (staging, (const guint32 *) weight->data + start, n * sizeof *staging);
    for (gsize i = 0; i < n && packing != UPI_CUDA_WEIGHT_PLAIN && packing != UPI_CUDA_WEIGHT_INTS; i++)
      staging[i] = ((const guint32 *) weight->data)[packed_source (packing, &shape, groups, start + i)];
    if (!UPI_CUDA (device,
            cudaMemcpyAsync (to + start, staging, n * sizeof (gfloat), cudaMemcpyHostToDevice, device->upload), error)
        || !UPI_CUDA (device, cudaStreamSynchronize (device->upload), error))
      return FALSE;
  }
  return TRUE;
}

/* The lock is held. Weights of 16 bits are uploaded as float32 and rounded by the device. */
static gboolean
load (UpiCudaDevice *device, Weight *w, const UpiTensor *weight, gint groups, GError **error)
{
  gsize count = upi_shape_count (&weight->shape);
  gboolean narrow = w->type != UPI_CUDA_F32 && w->packing != UPI_CUDA_WEIGHT_INTS, ok;
  void *wide = NULL;

  if (!UPI_CUDA (
          device, cudaMalloc (&w->memory, count * upi_cuda_element_bytes (w->type, narrow ? UPI_F32 : UPI_I32)), error))
    return FALSE;
  if (!narrow)
    return upload (device, w->packing, weight, groups, w->memory, error);
  ok = UPI_CUDA (device, cudaMalloc (&wide, count * sizeof (gfloat)), error)
      && upload (device, w->packing, weight, groups, wide, error)
      && UPI_CUDA (device,
          upi_cuda_from_float (
              w->type, device->upload, wide, w->memory, (UpiCudaView){ { 1, 1, 1, (gint) count }, { 0, 0, 0, 1 } }),
          error)
      && UPI_CUDA (device, cudaStreamSynchronize (device->upload), error);
  if (wide != NULL)
    cudaFree (wide);
  return ok;
}

const void *
upi_cuda_weight_get (UpiCudaDevice *device, UpiCudaType type, UpiCudaPacking packing, const UpiTensor *weight,
    gint groups, GError **error)
{
  Weight key = { weight->data, upi_shape_count (&weight->shape), packing, type, 1, NULL }, *w;

  g_mutex_lock (&device->lock);
  if (device->weights == NULL)
    device->weights = g_hash_table_new (weight_hash, weight_equal);
  w = g_hash_table_lookup (device->weights, &key);
  if (w != NULL) {
    w->ref_count++;
  } else if (load (device, &key, weight, groups, error)) {
    w = g_memdup2 (&key, sizeof key);
    g_hash_table_add (device->weights, w);
  } else if (key.memory != NULL) {
    cudaFree (key.memory);
  }
  g_mutex_unlock (&device->lock);
  return w != NULL ? w->memory : NULL;
}

void
upi_cuda_weight_unref (UpiCudaDevice *device, const void *memory)
{
  GHashTableIter iter;
  Weight *w;

  if (memory == NULL)
    return;
  g_mutex_lock (&device->lock);
  g_hash_table_iter_init (&iter, device->weights);
  while (g_hash_table_iter_next (&iter, (gpointer *) &w, NULL)) {
    if (w->memory != memory)
      continue;
    if (--w->ref_count == 0) {
      g_hash_table_iter_remove (&iter);
      cudaFree (w->memory);
      g_free (w);
    }
    break;
  }
  if (g_hash_table_size (device->weights) == 0)
    g_clear_pointer (&device->weights, g_hash_table_unref);
  g_mutex_unlock (&device->lock);
}
