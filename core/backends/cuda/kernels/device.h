/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What kernels are written in besides CUDA's language: one way to launch, shared memory, element types, warp
 * reductions.
 *
 * The same .cu files are compiled by nvcc for the GPU and, as C++, for the device without a GPU (tests/cuda);
 * everything that must differ between the two is in this file. Pointers are passed to kernels as arguments of their
 * own, never inside a structure: the test device checks and moves them. */
#pragma once

#include "core/backends/cuda/kernels/kernels.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <math.h>

/* UPI_LAUNCH (kernel, grid, block, shared bytes, stream, arguments...): cudaError_t of the launch itself. */
#ifdef __CUDACC__
template <typename... Parameters, typename... Arguments>
static cudaError_t
upi_launch (void (*kernel) (Parameters...), const char *, dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
    Arguments... arguments)
{
  auto call = [&] (Parameters... converted) {
    void *pointers[] = { (void *) &converted... };

    return cudaLaunchKernel ((const void *) kernel, grid, block, pointers, shared, stream);
  };

  return call (arguments...);
}
#define UPI_LAUNCH(kernel, ...) upi_launch (kernel, #kernel, __VA_ARGS__)
/* The block's dynamic shared memory as an array of that type. */
#define UPI_SHARED(type, name)                                                                                         \
  extern __shared__ float4 upi_shared_memory[];                                                                        \
  type *name = reinterpret_cast<type *> (upi_shared_memory)
#else
#define UPI_LAUNCH(kernel, ...) upi_device::launch_kernel (kernel, #kernel, __VA_ARGS__)
#define UPI_SHARED(type, name) type *name = reinterpret_cast<type *> (upi_device::shared_now)
#endif

#define UPI_WARP 32
#define UPI_ALL_LANES 0xffffffffu

/* Elements: stored as T, computed in float. */

static __device__ __forceinline__ float
upi_load (const float *p)
{
  return *p;
}

static __device__ __forceinline__ float
upi_load (const __half *p)
{
  return __half2float (*p);
}

static __device__ __forceinline__ float
upi_load (const __nv_bfloat16 *p)
{
  return __bfloat162float (*p);
}

static __device__ __forceinline__ void
upi_store (float *p, float value)
{
  *p = value;
}

static __device__ __forceinline__ void
upi_store (__half *p, float value)
{
  *p = __float2half_rn (value);
}

static __device__ __forceinline__ void
upi_store (__nv_bfloat16 *p, float value)
{
  *p = __float2bfloat16_rn (value);
}

/* Runs what follows the type with `T` as the element type. */
#define UPI_FOR_TYPE(type, ...)                                                                                        \
  switch (type) {                                                                                                      \
  case UPI_CUDA_F16: {                                                                                                 \
    using T = __half;                                                                                                  \
    __VA_ARGS__;                                                                                                       \
  }                                                                                                                    \
  case UPI_CUDA_BF16: {                                                                                                \
    using T = __nv_bfloat16;                                                                                           \
    __VA_ARGS__;                                                                                                       \
  }                                                                                                                    \
  default: {                                                                                                           \
    using T = float;                                                                                                   \
    __VA_ARGS__;                                                                                                       \
  }                                                                                                                    \
  }

static __device__ __forceinline__ float
upi_hard_sigmoid (float x)
{
  return x != x ? x : fminf (fmaxf (x + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f); /* fmaxf() makes a number of a NaN */
}

static __device__ __forceinline__ float
upi_activate (int act, float x)
{
  switch (act) {
  case UPI_CUDA_RELU:
    return fmaxf (x, 0.0f);
  case UPI_CUDA_RELU6:
    return fminf (fmaxf (x, 0.0f), 6.0f);
  case UPI_CUDA_GELU: /* exact */
    return 0.5f * x * (1.0f + erff (x * 0.70710678118654752f));
  case UPI_CUDA_SIGMOID:
    return 1.0f / (1.0f + expf (-x));
  case UPI_CUDA_HARD_SWISH:
    return x * upi_hard_sigmoid (x);
  case UPI_CUDA_HARD_SIGMOID:
    return upi_hard_sigmoid (x);
  default:
    return x;
  }
}

/* Warps. */

static __device__ __forceinline__ float
upi_warp_sum (float x)
{
  for (int lanes = UPI_WARP / 2; lanes > 0; lanes /= 2)
    x += __shfl_xor_sync (UPI_ALL_LANES, x, lanes);
  return x;
}

static __device__ __forceinline__ float
upi_warp_max (float x)
{
  for (int lanes = UPI_WARP / 2; lanes > 0; lanes /= 2)
    x = fmaxf (x, __shfl_xor_sync (UPI_ALL_LANES, x, lanes));
  return x;
}

/* Indices. */

/* Number of this thread in a grid of one dimension. */
static __device__ __forceinline__ long
upi_thread ()
{
  return (long) blockIdx.x * blockDim.x + threadIdx.x;
}

static inline unsigned
upi_blocks (long threads, int block)
{
  return (unsigned) ((threads + block - 1) / block);
}

/* Offset in elements of position (n, y, x, channel). */
static __device__ __forceinline__ long
upi_at (const UpiCudaView &v, long n, long y, long x)
{
  return n * v.stride[0] + y * v.stride[1] + x * v.stride[2];
}
