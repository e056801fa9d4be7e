/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Element by element: add, mul, activation, copy, the epilogue of products, conversion. One thread an element, the last
 * dimension fastest, so that a warp reads and writes consecutive addresses; bound by memory. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 256

struct Position {
  int c;
  int n, y, x;
};

/* The host folds dimensions that lie dense in all views (fold()), so that the divisions below are mostly by 1. */
static __device__ __forceinline__ bool
position (const UpiCudaView &v, Position *p)
{
  long i = upi_thread ();

  p->c = (int) (i % v.dim[3]);
  i /= v.dim[3];
  p->x = p->y = p->n = 0;
  if (v.dim[2] > 1) {
    p->x = (int) (i % v.dim[2]);
    i /= v.dim[2];
  }
  if (v.dim[1] > 1) {
    p->y = (int) (i % v.dim[1]);
    i /= v.dim[1];
  }
  if (v.dim[0] > 1) {
    p->n = (int) (i % v.dim[0]);
    i /= v.dim[0];
  }
  return i == 0;
}

static __device__ __forceinline__ long
offset (const UpiCudaView &v, const Position &p)
{
  return upi_at (v, p.n, p.y, p.x) + (long) p.c * v.stride[3];
}

enum { ADD, MUL, ACTIVATE };

template <typename T, int operation>
static __global__ void
binary_kernel (const T *x, UpiCudaView xv, const T *b, UpiCudaView bv, T *y, UpiCudaView yv, int act)
{
  Position p;
  float value;

  if (!position (yv, &p))
    return;
  value = upi_load (x + offset (xv, p));
  if (operation == ADD)
    value += upi_load (b + offset (bv, p));
  else if (operation == MUL)
    value *= upi_load (b + offset (bv, p));
  upi_store (y + offset (yv, p), operation == MUL ? value : upi_activate (act, value));
}

template <typename T>
static __global__ void
copy_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  Position p;

  if (position (yv, &p))
    y[offset (yv, p)] = x[offset (xv, p)];
}

template <typename T>
static __global__ void
epilogue_kernel (T *y, UpiCudaView yv, const T *bias, const T *residual, UpiCudaView rv, int act)
{
  Position p;
  float value;

  if (!position (yv, &p))
    return;
  value = upi_load (y + offset (yv, p));
  if (bias)
    value += upi_load (bias + p.c);
  if (residual)
    value += upi_load (residual + offset (rv, p));
  upi_store (y + offset (yv, p), upi_activate (act, value));
}

template <typename From, typename To>
static __global__ void
convert_kernel (const From *x, To *y, UpiCudaView v)
{
  Position p;

  if (position (v, &p))
    upi_store (y + offset (v, p), upi_load (x + offset (v, p)));
}

static long
count (const UpiCudaView &v)
{
  return (long) v.dim[0] * v.dim[1] * v.dim[2] * v.dim[3];
}

/* Makes dimensions that lie dense in every view one, the innermost first. The views have the same dimensions. */
static void
fold (UpiCudaView **views, int n_views)
{
  for (int d = 2; d >= 0; d--) {
    bool dense = true;

    for (int i = 0; i < n_views; i++) {
      const UpiCudaView *v = views[i];

      dense = dense && (v->dim[d] == 1 || v->stride[d] == v->dim[3] * v->stride[3]);
    }
    if (!dense)
      return;
    for (int i = 0; i < n_views; i++) {
      views[i]->dim[3] *= views[i]->dim[d];
      views[i]->dim[d] = 1;
    }
  }
}

extern "C" cudaError_t
upi_cuda_add (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *b, UpiCudaView bv,
    void *y, UpiCudaView yv, int act)
{
  UpiCudaView *views[] = { &xv, &bv, &yv };

  fold (views, 3);
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((binary_kernel<T, ADD>), upi_blocks (count (yv), BLOCK), BLOCK, 0, stream, (const T *) x, xv,
          (const T *) b, bv, (T *) y, yv, act));
}

extern "C" cudaError_t
upi_cuda_mul (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *b, UpiCudaView bv,
    void *y, UpiCudaView yv)
{
  UpiCudaView *views[] = { &xv, &bv, &yv };

  fold (views, 3);
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((binary_kernel<T, MUL>), upi_blocks (count (yv), BLOCK), BLOCK, 0, stream, (const T *) x, xv,
          (const T *) b, bv, (T *) y, yv, 0));
}

extern "C" cudaError_t
upi_cuda_activation (
    UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv, int act)
{
  UpiCudaView *views[] = { &xv, &yv };

  fold (views, 2);
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((binary_kernel<T, ACTIVATE>), upi_blocks (count (yv), BLOCK), BLOCK, 0, stream, (const T *) x,
          xv, (const T *) NULL, xv, (T *) y, yv, act));
}

extern "C" cudaError_t
upi_cuda_copy (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  UpiCudaView *views[] = { &xv, &yv };
  unsigned blocks;

  fold (views, 2);
  blocks = upi_blocks (count (yv), BLOCK);
  /* Bits, not numbers: a NaN stays the one it was. */
  if (type == UPI_CUDA_F32)
    return UPI_LAUNCH ((copy_kernel<int>), blocks, BLOCK, 0, stream, (const int *) x, xv, (int *) y, yv);
  return UPI_LAUNCH ((copy_kernel<short>), blocks, BLOCK, 0, stream, (const short *) x, xv, (short *) y, yv);
}

extern "C" cudaError_t
upi_cuda_epilogue (UpiCudaType type, cudaStream_t stream, void *y, UpiCudaView yv, const void *bias,
    const void *residual, UpiCudaView rv, int act)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((epilogue_kernel<T>), upi_blocks (count (yv), BLOCK), BLOCK, 0, stream, (T *) y, yv,
          (const T *) bias, (const T *) residual, rv, act));
}

extern "C" cudaError_t
upi_cuda_from_float (UpiCudaType type, cudaStream_t stream, const float *x, void *y, UpiCudaView v)
{
  UpiCudaView *views[] = { &v };

  fold (views, 1);
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((convert_kernel<float, T>), upi_blocks (count (v), BLOCK), BLOCK, 0, stream, x, (T *) y, v));
}

extern "C" cudaError_t
upi_cuda_to_float (UpiCudaType type, cudaStream_t stream, const void *x, float *y, UpiCudaView v)
{
  UpiCudaView *views[] = { &v };

  fold (views, 1);
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH (
          (convert_kernel<T, float>), upi_blocks (count (v), BLOCK), BLOCK, 0, stream, (const T *) x, y, v));
}
