/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Convolutions of our own: depthwise, for which libraries are slow, and a general one for what cuDNN has no engine for
 * (padding that differs between sides, groups, strict float32 with a fused residual).
 *
 * The general one is a matrix product whose left side is gathered on the way into shared memory: tiles of 64 pixels by
 * 64 outputs, 16 of the kh·kw·C/groups inputs at a time, 4 × 4 sums a thread. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 256
#define TILE 64
#define DEPTH 16
#define PADDED (TILE + 4)

/* One thread an output, channels fastest: the kh·kw reads of neighbours overlap in the L1 cache. Bound by memory. */
template <typename T>
static __global__ void
depthwise_kernel (const T *x, UpiCudaView xv, const T *weight, const T *bias, const T *residual, UpiCudaView rv, T *y,
    UpiCudaView yv, int kernel_height, int kernel_width, int stride, int pad_top, int pad_left, int act)
{
  long i = upi_thread ();
  int c = (int) (i % yv.dim[3]), column, line, n, top, left;
  float sum;

  i /= yv.dim[3];
  column = (int) (i % yv.dim[2]);
  i /= yv.dim[2];
  line = (int) (i % yv.dim[1]);
  n = (int) (i / yv.dim[1]);
  if (n >= yv.dim[0])
    return;
  top = line * stride - pad_top;
  left = column * stride - pad_left;
  sum = bias ? upi_load (bias + c) : 0.0f;
  for (int a = 0; a < kernel_height; a++) {
    if (top + a < 0 || top + a >= xv.dim[1])
      continue;
    for (int b = 0; b < kernel_width; b++)
      if (left + b >= 0 && left + b < xv.dim[2])
        sum += upi_load (x + upi_at (xv, n, top + a, left + b) + c)
            * upi_load (weight + (a * kernel_width + b) * yv.dim[3] + c);
  }
  if (residual)
    sum += upi_load (residual + upi_at (rv, n, line, column) + c);
  upi_store (y + upi_at (yv, n, line, column) + c, upi_activate (act, sum));
}

template <typename T>
static __global__ void
__launch_bounds__ (BLOCK)
    conv_kernel (const T *x, UpiCudaView xv, const T *weight, const T *bias, const T *residual, UpiCudaView rv, T *y,
        UpiCudaView yv, int groups, int kernel_height, int kernel_width, int stride, int pad_top, int pad_left, int act)
{
  UPI_SHARED (float, pixels); /* [DEPTH, PADDED]; then as much of the weights */
  float *filters = pixels + DEPTH * PADDED;
  int channels = xv.dim[3] / groups, outputs = yv.dim[3] / groups, depth = kernel_height * kernel_width * channels;
  int group = blockIdx.z % groups, n = blockIdx.z / groups, first = blockIdx.x * TILE, first_output = blockIdx.y * TILE;
  int count = yv.dim[1] * yv.dim[2], across = threadIdx.x % 16, down = threadIdx.x / 16;
  float sums[4][4] = { { 0 } };

  weight += (long) group * depth * outputs;
  for (int start = 0; start < depth; start += DEPTH) {
    for (int i = threadIdx.x; i < TILE * DEPTH; i += BLOCK) { /* neighbouring threads: neighbouring channels */
      int d = start + i % DEPTH, pixel = first + i / DEPTH, tap = d / channels;
      int line = pixel / yv.dim[2] * stride - pad_top + tap / kernel_width;
      int column = pixel % yv.dim[2] * stride - pad_left + tap % kernel_width;
      bool inside = d < depth && pixel < count && line >= 0 && line < xv.dim[1] && column >= 0 && column < xv.dim[2];

      pixels[i % DEPTH * PADDED + i / DEPTH] =
          inside ? upi_load (x + upi_at (xv, n, line, column) + group * channels + d % channels) : 0.0f;
    }
    for (int i = threadIdx.x; i < TILE * DEPTH; i += BLOCK) { /* neighbouring threads: neighbouring outputs */
      int d = start + i / TILE, o = first_output + i % TILE;

      filters[i / TILE * PADDED + i % TILE] =
          d < depth && o < outputs ? upi_load (weight + (long) d * outputs + o) : 0.0f;
    }
    __syncthreads ();
    for (int d = 0; d < DEPTH; d++)
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
          sums[i][j] += pixels[d * PADDED + down * 4 + i] * filters[d * PADDED + across * 4 + j];
    __syncthreads ();
  }
  for (int i = 0; i < 4; i++) {
    int pixel = first + down * 4 + i, line = pixel / yv.dim[2], column = pixel % yv.dim[2];

    for (int j = 0; j < 4; j++) {
      int o = first_output + across * 4 + j, c = group * outputs + o;
      float value = sums[i][j];

      if (pixel >= count || o >= outputs)
        continue;
      if (bias)
        value += upi_load (bias + c);
      if (residual)
        value += upi_load (residual + upi_at (rv, n, line, column) + c);
      upi_store (y + upi_at (yv, n, line, column) + c, upi_activate (act, value));
    }
  }
}

extern "C" cudaError_t
upi_cuda_depthwise (UpiCudaType type, cudaStream_t stream, const UpiCudaConv *c, const void *x, const void *weight,
    const void *bias, const void *residual, void *y)
{
  unsigned blocks = upi_blocks ((long) c->y.dim[0] * c->y.dim[1] * c->y.dim[2] * c->y.dim[3], BLOCK);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((depthwise_kernel<T>), blocks, BLOCK, 0, stream, (const T *) x, c->x, (const T *) weight,
          (const T *) bias, (const T *) residual, c->residual, (T *) y, c->y, c->kernel_height, c->kernel_width,
          c->stride, c->pad_top, c->pad_left, c->act));
}

extern "C" cudaError_t
upi_cuda_conv (UpiCudaType type, cudaStream_t stream, const UpiCudaConv *c, const void *x, const void *weight,
    const void *bias, const void *residual, void *y)
{
  dim3 grid (upi_blocks ((long) c->y.dim[1] * c->y.dim[2], TILE), upi_blocks (c->y.dim[3] / c->groups, TILE),
      c->y.dim[0] * c->groups);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((conv_kernel<T>), grid, BLOCK, 2 * DEPTH * PADDED * sizeof (float), stream, (const T *) x,
          c->x, (const T *) weight, (const T *) bias, (const T *) residual, c->residual, (T *) y, c->y, c->groups,
          c->kernel_height, c->kernel_width, c->stride, c->pad_top, c->pad_left, c->act));
}
