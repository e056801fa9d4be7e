/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-scale deformable attention (Deformable DETR, 2010.04159), one block a query.
 *
 * First the block's threads work out all M·L·K sampling points and their softmax weights, into shared memory; then
 * every thread sums the samples of one channel. The threads of a head read neighbouring channels of the same four
 * pixels: each tap is one contiguous access. Bound by the latency and bandwidth of L2, where value lies. */
#include "core/backends/cuda/kernels/device.h"

struct Levels {
  int height[UPI_CUDA_MAX_LEVELS], width[UPI_CUDA_MAX_LEVELS], start[UPI_CUDA_MAX_LEVELS];
};

struct Sample {
  float x, y, weight; /* in pixels of the level, centres at integers */
};

/* Zero outside the level. */
template <typename T>
static __device__ __forceinline__ float
tap (const T *value, long stride, int height, int width, int y, int x)
{
  return y >= 0 && y < height && x >= 0 && x < width ? upi_load (value + (long) (y * width + x) * stride) : 0.0f;
}

template <typename T>
static __global__ void
deformable_kernel (const T *value, UpiCudaView vv, const T *offsets, UpiCudaView ov, const T *logits, UpiCudaView wv,
    const T *reference, UpiCudaView rv, T *out, UpiCudaView yv, int heads, int points, int levels, Levels level)
{
  UPI_SHARED (Sample, samples); /* [heads, levels, points] */
  int q = blockIdx.x, n = blockIdx.y, per_head = levels * points, width = yv.dim[3] / heads;
  bool boxes = rv.dim[3] == 4;

  offsets += upi_at (ov, 0, n, q);
  logits += upi_at (wv, 0, n, q);
  reference += upi_at (rv, 0, n, q);
  value += upi_at (vv, 0, n, 0);
  for (int i = threadIdx.x; i < heads * per_head; i += blockDim.x) {
    const T *head = logits + i / per_head * per_head;
    int l = i % per_head / points;
    float dx = upi_load (offsets + 2 * i), dy = upi_load (offsets + 2 * i + 1), most = -INFINITY, sum = 0;

    for (int k = 0; k < per_head; k++)
      most = fmaxf (most, upi_load (head + k));
    for (int k = 0; k < per_head; k++)
      sum += expf (upi_load (head + k) - most);
    samples[i].weight = expf (upi_load (logits + i) - most) / sum;
    if (boxes) { /* centre + offset / K · size / 2 */
      samples[i].x =
          (upi_load (reference) + dx / (float) points * upi_load (reference + 2) * 0.5f) * (float) level.width[l]
          - 0.5f;
      samples[i].y =
          (upi_load (reference + 1) + dy / (float) points * upi_load (reference + 3) * 0.5f) * (float) level.height[l]
          - 0.5f;
    } else { /* reference + offset in pixels of the level */
      samples[i].x = upi_load (reference) * (float) level.width[l] + dx - 0.5f;
      samples[i].y = upi_load (reference + 1) * (float) level.height[l] + dy - 0.5f;
    }
  }
  __syncthreads ();
  for (int c = threadIdx.x; c < yv.dim[3]; c += blockDim.x) {
    const Sample *sample = samples + c / width * per_head;
    float sum = 0;

    for (int l = 0; l < levels; l++) {
      const T *from = value + (long) level.start[l] * vv.stride[2] + c;
      int h = level.height[l], w = level.width[l];

      for (int k = 0; k < points; k++, sample++) {
        float x = sample->x, y = sample->y, fx, fy;
        int x0, y0;

        /* Also keeps what is no number, or too large for an int, out of the cast. */
        if (!(x > -1.0f && x < (float) w && y > -1.0f && y < (float) h))
          continue;
        x0 = (int) floorf (x);
        y0 = (int) floorf (y);
        fx = x - (float) x0;
        fy = y - (float) y0;
        sum += sample->weight
            * ((1 - fy)
                    * ((1 - fx) * tap (from, vv.stride[2], h, w, y0, x0)
                        + fx * tap (from, vv.stride[2], h, w, y0, x0 + 1))
                + fy
                    * ((1 - fx) * tap (from, vv.stride[2], h, w, y0 + 1, x0)
                        + fx * tap (from, vv.stride[2], h, w, y0 + 1, x0 + 1)));
      }
    }
    upi_store (out + upi_at (yv, 0, n, q) + c, sum);
  }
}

extern "C" cudaError_t
upi_cuda_deformable_attention (UpiCudaType type, cudaStream_t stream, const UpiCudaDeformable *d, const void *value,
    const void *offsets, const void *weights, const void *reference, void *out)
{
  dim3 grid (d->out.dim[2], d->out.dim[1]);
  int samples = d->heads * d->levels * d->points, channels = d->out.dim[3];
  int block = ((channels > samples ? channels : samples) + UPI_WARP - 1) / UPI_WARP * UPI_WARP;
  Levels level;

  for (int l = 0; l < d->levels; l++) {
    level.height[l] = d->height[l];
    level.width[l] = d->width[l];
    level.start[l] = d->start[l];
  }
  for (int l = d->levels; l < UPI_CUDA_MAX_LEVELS; l++)
    level.height[l] = level.width[l] = level.start[l] = 0;
  block = block > 256 ? 256 : block;
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((deformable_kernel<T>), grid, block, samples * sizeof (Sample), stream, (const T *) value,
          d->value, (const T *) offsets, d->offsets, (const T *) weights, d->weights, (const T *) reference,
          d->reference, (T *) out, d->out, d->heads, d->points, d->levels, level));
}
