/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The best scores of each item, best first; equal scores: lower index first; what is no number last.
 *
 * Every score counts how many come before it: that is its place. T² comparisons, but no sorting, no atomics, the same
 * answer in any order of threads, and exactly the definition's order among ties. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 256

static __device__ __forceinline__ bool
comes_before (float a, int a_index, float b, int b_index)
{
  bool a_nan = a != a, b_nan = b != b;

  if (a_nan || b_nan)
    return a_nan && b_nan ? a_index < b_index : b_nan;
  return a > b || (a == b && a_index < b_index);
}

template <typename T>
static __global__ void
top_k_kernel (const T *scores, UpiCudaView v, int *indices, int index_stride, int count)
{
  UPI_SHARED (float, tile); /* [BLOCK] */
  int n = blockIdx.y, tokens = v.dim[2], own = (int) upi_thread (), place = 0;
  float score;

  scores += upi_at (v, 0, n, 0);
  score = own < tokens ? upi_load (scores + (long) own * v.stride[2]) : 0.0f;
  for (int first = 0; first < tokens; first += BLOCK) {
    int other = first + threadIdx.x, end = min (BLOCK, tokens - first);

    __syncthreads (); /* the last tile was read */
    if (other < tokens)
      tile[threadIdx.x] = upi_load (scores + (long) other * v.stride[2]);
    __syncthreads ();
    for (int i = 0; i < end; i++)
      place += comes_before (tile[i], first + i, score, own);
  }
  if (own < tokens && place < count)
    indices[(long) n * index_stride + place] = own;
}

extern "C" cudaError_t
upi_cuda_top_k (
    UpiCudaType type, cudaStream_t stream, const void *scores, UpiCudaView v, int *indices, int index_stride, int count)
{
  dim3 grid (upi_blocks (v.dim[2], BLOCK), v.dim[1]);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((top_k_kernel<T>), grid, BLOCK, BLOCK * sizeof (float), stream, (const T *) scores, v, indices,
          index_stride, count));
}
