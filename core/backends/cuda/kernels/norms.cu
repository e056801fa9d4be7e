/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What normalises rows: layer norm, softmax, L2 norm. One warp a row: sums stay in registers and shuffles, rows come
 * from the L1 cache when they are read again; bound by memory. */
#include "core/backends/cuda/kernels/device.h"

#define WARPS 4 /* rows a block */

/* The row of this warp; false beyond the last one. The whole warp has the same answer, so that shuffles have all
 * lanes. */
static __device__ __forceinline__ bool
row_of_warp (const UpiCudaView &v, int *n, int *y, int *x)
{
  long row = (long) blockIdx.x * WARPS + threadIdx.x / UPI_WARP;

  *x = (int) (row % v.dim[2]);
  row /= v.dim[2];
  *y = (int) (row % v.dim[1]);
  row /= v.dim[1];
  *n = (int) row;
  return row < v.dim[0];
}

static unsigned
row_blocks (const UpiCudaView &v)
{
  return upi_blocks ((long) v.dim[0] * v.dim[1] * v.dim[2], WARPS);
}

template <typename T>
static __global__ void
layer_norm_kernel (const T *x, UpiCudaView xv, const T *residual, UpiCudaView rv, const T *gamma, const T *beta, T *out,
    UpiCudaView yv, float eps, int act)
{
  int n, y, column, width = yv.dim[3], lane = threadIdx.x % UPI_WARP;
  float mean = 0, variance = 0, scale;

  if (!row_of_warp (yv, &n, &y, &column))
    return;
  x += upi_at (xv, n, y, column);
  if (residual)
    residual += upi_at (rv, n, y, column);
  out += upi_at (yv, n, y, column);
  for (int c = lane; c < width; c += UPI_WARP)
    mean += upi_load (x + c) + (residual ? upi_load (residual + c) : 0.0f);
  mean = upi_warp_sum (mean) / (float) width;
  for (int c = lane; c < width; c += UPI_WARP) {
    float d = upi_load (x + c) + (residual ? upi_load (residual + c) : 0.0f) - mean;

    variance += d * d;
  }
  scale = 1.0f / sqrtf (upi_warp_sum (variance) / (float) width + eps);
  for (int c = lane; c < width; c += UPI_WARP) {
    float d = upi_load (x + c) + (residual ? upi_load (residual + c) : 0.0f) - mean;

    upi_store (out + c, upi_activate (act, d * scale * upi_load (gamma + c) + upi_load (beta + c)));
  }
}

template <typename T>
static __global__ void
softmax_kernel (const T *x, UpiCudaView xv, T *out, UpiCudaView yv)
{
  int n, y, column, width = yv.dim[3], lane = threadIdx.x % UPI_WARP;
  float most = -INFINITY, sum = 0;

  if (!row_of_warp (yv, &n, &y, &column))
    return;
  x += upi_at (xv, n, y, column);
  out += upi_at (yv, n, y, column);
  for (int c = lane; c < width; c += UPI_WARP)
    most = fmaxf (most, upi_load (x + c));
  most = upi_warp_max (most);
  for (int c = lane; c < width; c += UPI_WARP)
    sum += expf (upi_load (x + c) - most);
  sum = upi_warp_sum (sum);
  for (int c = lane; c < width; c += UPI_WARP)
    upi_store (out + c, expf (upi_load (x + c) - most) / sum);
}

template <typename T>
static __global__ void
l2_norm_kernel (const T *x, UpiCudaView xv, T *out, UpiCudaView yv)
{
  int n, y, column, width = yv.dim[3], lane = threadIdx.x % UPI_WARP;
  float sum = 0, norm;

  if (!row_of_warp (yv, &n, &y, &column))
    return;
  x += upi_at (xv, n, y, column);
  out += upi_at (yv, n, y, column);
  for (int c = lane; c < width; c += UPI_WARP)
    sum += upi_load (x + c) * upi_load (x + c);
  norm = fmaxf (sqrtf (upi_warp_sum (sum)), 1e-12f);
  for (int c = lane; c < width; c += UPI_WARP)
    upi_store (out + c, upi_load (x + c) / norm);
}

extern "C" cudaError_t
upi_cuda_layer_norm (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *residual,
    UpiCudaView rv, const void *gamma, const void *beta, void *y, UpiCudaView yv, float eps, int act)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((layer_norm_kernel<T>), row_blocks (yv), WARPS * UPI_WARP, 0, stream, (const T *) x, xv,
          (const T *) residual, rv, (const T *) gamma, (const T *) beta, (T *) y, yv, eps, act));
}

extern "C" cudaError_t
upi_cuda_softmax (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH (
          (softmax_kernel<T>), row_blocks (yv), WARPS * UPI_WARP, 0, stream, (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_l2_norm (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH (
          (l2_norm_kernel<T>), row_blocks (yv), WARPS * UPI_WARP, 0, stream, (const T *) x, xv, (T *) y, yv));
}
