/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of tokens, views [1,N,T,C]: mean, gather (and embedding), rows stored in a cache. Bound by memory. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 256
#define MEAN_ROWS 8

/* Eight rows at a time, 32 channels a block. */
template <typename T>
static __global__ void
mean_tokens_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  UPI_SHARED (float, sums); /* [MEAN_ROWS, 32] */
  int n = blockIdx.y, c = blockIdx.x * UPI_WARP + threadIdx.x;
  float sum = 0;

  if (c < xv.dim[3])
    for (int t = threadIdx.y; t < xv.dim[2]; t += MEAN_ROWS)
      sum += upi_load (x + upi_at (xv, 0, n, t) + c);
  sums[threadIdx.y * UPI_WARP + threadIdx.x] = sum;
  __syncthreads ();
  if (threadIdx.y > 0 || c >= xv.dim[3])
    return;
  for (int i = 1; i < MEAN_ROWS; i++)
    sum += sums[i * UPI_WARP + threadIdx.x];
  upi_store (y + upi_at (yv, 0, n, 0) + c, sum / (float) xv.dim[2]);
}

/* x has one item, or as many as y (stride 0 or not). */
template <typename T>
static __global__ void
gather_kernel (const T *x, UpiCudaView xv, const int *indices, int index_stride, T *y, UpiCudaView yv)
{
  long i = upi_thread ();
  int c = (int) (i % yv.dim[3]), k, n;

  i /= yv.dim[3];
  k = (int) (i % yv.dim[2]);
  n = (int) (i / yv.dim[2]);
  if (n < yv.dim[1])
    y[upi_at (yv, 0, n, k) + c] = x[upi_at (xv, 0, n, indices[(long) n * index_stride + k]) + c];
}

/* What would lie behind the cache's end is not written. */
template <typename T>
static __global__ void
store_rows_kernel (const T *rows, UpiCudaView rv, const int *start, int start_stride, T *cache, UpiCudaView cv)
{
  long i = upi_thread ();
  int c = (int) (i % rv.dim[3]), r, n;
  long to;

  i /= rv.dim[3];
  r = (int) (i % rv.dim[2]);
  n = (int) (i / rv.dim[2]);
  if (n >= rv.dim[1])
    return;
  to = (long) start[(long) n * start_stride] + r;
  if (to >= 0 && to < cv.dim[2])
    cache[upi_at (cv, 0, n, to) + c] = rows[upi_at (rv, 0, n, r) + c];
}

extern "C" cudaError_t
upi_cuda_mean_tokens (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  dim3 grid (upi_blocks (xv.dim[3], UPI_WARP), xv.dim[1]), block (UPI_WARP, MEAN_ROWS);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((mean_tokens_kernel<T>), grid, block, MEAN_ROWS * UPI_WARP * sizeof (float), stream,
          (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_gather (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const int *indices,
    int index_stride, void *y, UpiCudaView yv)
{
  unsigned blocks = upi_blocks ((long) yv.dim[1] * yv.dim[2] * yv.dim[3], BLOCK);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH (
          (gather_kernel<T>), blocks, BLOCK, 0, stream, (const T *) x, xv, indices, index_stride, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_store_rows (UpiCudaType type, cudaStream_t stream, const void *rows, UpiCudaView rv, const int *start,
    int start_stride, void *cache, UpiCudaView cv)
{
  unsigned blocks = upi_blocks ((long) rv.dim[1] * rv.dim[2] * rv.dim[3], BLOCK);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((store_rows_kernel<T>), blocks, BLOCK, 0, stream, (const T *) rows, rv, start, start_stride,
          (T *) cache, cv));
}
