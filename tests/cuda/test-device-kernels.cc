/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels for test-device.cc, launched as the backend's are. */
#include "tests/cuda/test-device-kernels.h"

#include "core/backends/cuda/kernels/device.h"

template <bool wait>
static __global__ void
reverse_kernel (int *data, int n)
{
  UPI_SHARED (int, all);
  int i = threadIdx.x;

  all[i] = data[i];
  if (wait)
    __syncthreads ();
  data[i] = all[n - 1 - i];
}

static __global__ void
shuffle_kernel (int *out)
{
  int lane = threadIdx.x, sum = lane;

  for (int lanes = 16; lanes > 0; lanes /= 2)
    sum += __shfl_xor_sync (UPI_ALL_LANES, sum, lanes);
  out[3 * lane] = sum;
  out[3 * lane + 1] = __shfl_down_sync (UPI_ALL_LANES, lane, 1);
  out[3 * lane + 2] = __shfl_sync (UPI_ALL_LANES, lane, 5);
}

static __global__ void
fill_kernel (int *data, int n, int value)
{
  long i = upi_thread ();

  if (i < n)
    data[i] = value;
}

static __global__ void
half_barrier_kernel ()
{
  if (threadIdx.x < 32)
    return;
  __syncthreads ();
}

static __global__ void
half_shuffle_kernel (int *out)
{
  if (threadIdx.x == 7)
    return;
  *out = __shfl_xor_sync (UPI_ALL_LANES, 1, 1);
}

cudaError_t
launch_reverse (cudaStream_t stream, int *data, int n)
{
  return UPI_LAUNCH (reverse_kernel<true>, 1, n, n * sizeof (int), stream, data, n);
}

cudaError_t
launch_without_barrier (cudaStream_t stream, int *data, int n)
{
  return UPI_LAUNCH (reverse_kernel<false>, 1, n, n * sizeof (int), stream, data, n);
}

cudaError_t
launch_shuffles (cudaStream_t stream, int *out)
{
  return UPI_LAUNCH (shuffle_kernel, 1, 32, 0, stream, out);
}

cudaError_t
launch_fill (cudaStream_t stream, int *data, int n, int value)
{
  return UPI_LAUNCH (fill_kernel, upi_blocks (n, 64), 64, 0, stream, data, n, value);
}

cudaError_t
launch_half_barrier (cudaStream_t stream)
{
  return UPI_LAUNCH (half_barrier_kernel, 1, 64, 0, stream);
}

cudaError_t
launch_half_shuffle (cudaStream_t stream, int *out)
{
  return UPI_LAUNCH (half_shuffle_kernel, 1, 32, 0, stream, out);
}
