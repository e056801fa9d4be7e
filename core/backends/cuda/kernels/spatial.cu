/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps to maps: bilinear and nearest resize, max pool, adaptive average pool. One thread an output element, channels
 * fastest; bound by memory. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 256

struct Pixel {
  int n, y, x, c;
};

static __device__ __forceinline__ bool
pixel (const UpiCudaView &v, Pixel *p)
{
  long i = upi_thread ();

  p->c = (int) (i % v.dim[3]);
  i /= v.dim[3];
  p->x = (int) (i % v.dim[2]);
  i /= v.dim[2];
  p->y = (int) (i % v.dim[1]);
  p->n = (int) (i / v.dim[1]);
  return p->n < v.dim[0];
}

static unsigned
pixel_blocks (const UpiCudaView &v)
{
  return upi_blocks ((long) v.dim[0] * v.dim[1] * v.dim[2] * v.dim[3], BLOCK);
}

/* Source of output index i: half-pixel centres, edges clamped. The product before the quotient, as exact as a float
 * is. */
static __device__ __forceinline__ int
source (int i, int from, int to, float *fraction)
{
  float position = fmaxf (((float) i + 0.5f) * (float) from / (float) to - 0.5f, 0.0f);
  int index = min ((int) position, from - 1);

  *fraction = position - (float) index;
  return index;
}

/* Cells as they are. */
template <typename T>
static __global__ void
nearest_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  Pixel p;

  if (pixel (yv, &p))
    y[upi_at (yv, p.n, p.y, p.x) + p.c] =
        x[upi_at (xv, p.n, p.y * xv.dim[1] / yv.dim[1], p.x * xv.dim[2] / yv.dim[2]) + p.c];
}

template <typename T>
static __global__ void
resize_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  Pixel p;
  float fy, fx;
  int y0, y1, x0, x1;

  if (!pixel (yv, &p))
    return;
  y0 = source (p.y, xv.dim[1], yv.dim[1], &fy);
  x0 = source (p.x, xv.dim[2], yv.dim[2], &fx);
  y1 = min (y0 + 1, xv.dim[1] - 1);
  x1 = min (x0 + 1, xv.dim[2] - 1);
  x += p.c;
  upi_store (y + upi_at (yv, p.n, p.y, p.x) + p.c,
      (1 - fy) * ((1 - fx) * upi_load (x + upi_at (xv, p.n, y0, x0)) + fx * upi_load (x + upi_at (xv, p.n, y0, x1)))
          + fy * ((1 - fx) * upi_load (x + upi_at (xv, p.n, y1, x0)) + fx * upi_load (x + upi_at (xv, p.n, y1, x1))));
}

/* What lies outside the map does not compete. */
template <typename T>
static __global__ void
max_pool_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv, int kernel, int stride, int pad)
{
  Pixel p;
  float most = -INFINITY;
  int top, left;

  if (!pixel (yv, &p))
    return;
  top = p.y * stride - pad;
  left = p.x * stride - pad;
  for (int i = max (top, 0); i < min (top + kernel, xv.dim[1]); i++)
    for (int j = max (left, 0); j < min (left + kernel, xv.dim[2]); j++)
      most = fmaxf (most, upi_load (x + upi_at (xv, p.n, i, j) + p.c));
  upi_store (y + upi_at (yv, p.n, p.y, p.x) + p.c, most);
}

/* Windows floor (i·H/OH) .. ceil ((i+1)·H/OH), as PyTorch's */
template <typename T>
static __global__ void
adaptive_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  Pixel p;
  float sum = 0;
  int top, bottom, left, right;

  if (!pixel (yv, &p))
    return;
  top = (int) ((long) p.y * xv.dim[1] / yv.dim[1]);
  bottom = (int) (((long) (p.y + 1) * xv.dim[1] + yv.dim[1] - 1) / yv.dim[1]);
  left = (int) ((long) p.x * xv.dim[2] / yv.dim[2]);
  right = (int) (((long) (p.x + 1) * xv.dim[2] + yv.dim[2] - 1) / yv.dim[2]);
  for (int i = top; i < bottom; i++)
    for (int j = left; j < right; j++)
      sum += upi_load (x + upi_at (xv, p.n, i, j) + p.c);
  upi_store (y + upi_at (yv, p.n, p.y, p.x) + p.c, sum / (float) ((bottom - top) * (right - left)));
}

extern "C" cudaError_t
upi_cuda_resize (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((resize_kernel<T>), pixel_blocks (yv), BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_resize_nearest (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((nearest_kernel<T>), pixel_blocks (yv), BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_max_pool (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv,
    int kernel, int stride, int pad)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((max_pool_kernel<T>), pixel_blocks (yv), BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv,
          kernel, stride, pad));
}

extern "C" cudaError_t
upi_cuda_adaptive_avg_pool (
    UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((adaptive_kernel<T>), pixel_blocks (yv), BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv));
}
