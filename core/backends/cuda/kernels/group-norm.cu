/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Group norm over (H, W, C / groups) of each item, in two kernels: mean and squared deviations of each chunk of pixels,
 * then their union (Chan, Golub and LeVeque 1983) and the normalisation. No atomics: the result does not depend on the
 * order of blocks. */
#include "core/backends/cuda/kernels/device.h"

#define PIXELS 64 /* a chunk */
#define BLOCK 256

static __device__ __forceinline__ long
pixel_offset (const UpiCudaView &v, int n, int pixel)
{
  return upi_at (v, n, pixel / v.dim[2], pixel % v.dim[2]);
}

/* One warp a group: partial [N, chunks, groups, 2] */
template <typename T>
static __global__ void
partial_kernel (const T *x, UpiCudaView v, int groups, float *partial)
{
  int chunk = blockIdx.x, n = blockIdx.y, channels = v.dim[3] / groups, pixels = v.dim[1] * v.dim[2];
  int first = chunk * PIXELS, count = min (PIXELS, pixels - first), lane = threadIdx.x % UPI_WARP;

  for (int g = threadIdx.x / UPI_WARP; g < groups; g += BLOCK / UPI_WARP) {
    float mean = 0, squares = 0;
    float *to = partial + 2 * (((long) n * gridDim.x + chunk) * groups + g);

    for (int i = lane; i < count * channels; i += UPI_WARP)
      mean += upi_load (x + pixel_offset (v, n, first + i / channels) + g * channels + i % channels);
    mean = upi_warp_sum (mean) / (float) (count * channels);
    for (int i = lane; i < count * channels; i += UPI_WARP) {
      float d = upi_load (x + pixel_offset (v, n, first + i / channels) + g * channels + i % channels) - mean;

      squares += d * d;
    }
    squares = upi_warp_sum (squares);
    if (lane == 0) {
      to[0] = mean;
      to[1] = squares;
    }
  }
}

template <typename T>
static __global__ void
apply_kernel (const T *x, UpiCudaView v, const T *gamma, const T *beta, T *y, UpiCudaView yv, int groups, float eps,
    int act, const float *partial)
{
  UPI_SHARED (float, moments); /* [groups, 2]: mean, 1 / deviation */
  int chunk = blockIdx.x, n = blockIdx.y, channels = v.dim[3] / groups, pixels = v.dim[1] * v.dim[2],
      chunks = gridDim.x;
  int first = chunk * PIXELS, count = min (PIXELS, pixels - first);

  for (int g = threadIdx.x; g < groups; g += BLOCK) {
    const float *from = partial + 2 * ((long) n * chunks * groups + g);
    float mean = 0, squares = 0, total = (float) pixels * channels;

    for (int i = 0; i < chunks; i++)
      mean += from[2L * i * groups] * ((float) (min (PIXELS, pixels - i * PIXELS) * channels) / total);
    for (int i = 0; i < chunks; i++) {
      float d = from[2L * i * groups] - mean;

      squares += from[2L * i * groups + 1] + d * d * (float) (min (PIXELS, pixels - i * PIXELS) * channels);
    }
    moments[2 * g] = mean;
    moments[2 * g + 1] = 1.0f / sqrtf (squares / total + eps);
  }
  __syncthreads ();
  for (int i = threadIdx.x; i < count * v.dim[3]; i += BLOCK) {
    int c = i % v.dim[3], pixel = first + i / v.dim[3], g = c / channels;
    float value = upi_load (x + pixel_offset (v, n, pixel) + c);

    value = (value - moments[2 * g]) * moments[2 * g + 1] * upi_load (gamma + c) + upi_load (beta + c);
    upi_store (y + pixel_offset (yv, n, pixel) + c, upi_activate (act, value));
  }
}

/* Views [N,H,W,C]. For tokens the host gives [N,1,T,C]. Room for as many groups as channels. */
extern "C" size_t
upi_cuda_group_norm_scratch (UpiCudaView v)
{
  return (size_t) v.dim[0] * upi_blocks ((long) v.dim[1] * v.dim[2], PIXELS) * v.dim[3] * 2 * sizeof (float);
}

extern "C" cudaError_t
upi_cuda_group_norm (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, const void *gamma,
    const void *beta, void *y, UpiCudaView yv, int groups, float eps, int act, float *scratch)
{
  dim3 grid (upi_blocks ((long) xv.dim[1] * xv.dim[2], PIXELS), xv.dim[0]);

  UPI_FOR_TYPE (type, {
    cudaError_t error = UPI_LAUNCH ((partial_kernel<T>), grid, BLOCK, 0, stream, (const T *) x, xv, groups, scratch);

    if (error != cudaSuccess)
      return error;
    return UPI_LAUNCH ((apply_kernel<T>), grid, BLOCK, 2 * groups * sizeof (float), stream, (const T *) x, xv,
        (const T *) gamma, (const T *) beta, (T *) y, yv, groups, eps, act, (const float *) scratch);
  });
}
