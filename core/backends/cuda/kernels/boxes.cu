/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boxes: distinct ones among candidates, what anchors say of one, sine position embedding of (cx, cy, w, h), iterative
 * refinement. Views [1,N,Q,C]; small. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 128

/* [N,Q,4] → [N,Q,4·F], coordinates in the order (cy, cx, w, h): feature k has the angle 2π·c / 10000^(2·⌊k/2⌋/F), even
 * k sine, odd cosine */
template <typename T>
static __global__ void
sine_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  long i = upi_thread ();
  int features = yv.dim[3] / 4, c = (int) (i % yv.dim[3]), k = c % features, coordinate = c / features, q, n;
  float angle;

  i /= yv.dim[3];
  q = (int) (i % yv.dim[2]);
  n = (int) (i / yv.dim[2]);
  if (n >= yv.dim[1])
    return;
  if (coordinate < 2) /* cy before cx */
    coordinate = 1 - coordinate;
  angle = 6.28318530717958648f * upi_load (x + upi_at (xv, 0, n, q) + coordinate)
      * exp2f (-13.28771237954945f * (float) (k / 2 * 2) / (float) features); /* log2 (10000) */
  upi_store (y + upi_at (yv, 0, n, q) + c, k % 2 == 0 ? sinf (angle) : cosf (angle));
}

/* sigmoid (delta + inverse_sigmoid (reference)) */
template <typename T>
static __global__ void
refine_kernel (const T *delta, UpiCudaView dv, const T *reference, UpiCudaView rv, T *y, UpiCudaView yv)
{
  long i = upi_thread ();
  int c = (int) (i % 4), q = (int) (i / 4 % yv.dim[2]), n = (int) (i / 4 / yv.dim[2]);
  float r;

  if (n >= yv.dim[1])
    return;
  r = fminf (fmaxf (upi_load (reference + upi_at (rv, 0, n, q) + c), 1e-5f), 1.0f - 1e-5f);
  upi_store (y + upi_at (yv, 0, n, q) + c,
      upi_activate (UPI_CUDA_SIGMOID, upi_load (delta + upi_at (dv, 0, n, q) + c) + logf (r / (1.0f - r))));
}

/* A block an item: which boxes [N,M,4] a better one overlaps, then the place of each: those of their own first. shared:
 * flags [M] */
template <typename T>
static __global__ void
distinct_kernel (const T *boxes, UpiCudaView bv, const int *indices, int index_stride, int *out, int out_stride,
    int count, float limit)
{
  UPI_SHARED (unsigned char, back);
  int n = blockIdx.x, total = bv.dim[2];

  for (int i = threadIdx.x; i < total; i += blockDim.x) {
    const T *own = boxes + upi_at (bv, 0, n, i);
    float cx = upi_load (own), cy = upi_load (own + 1), w = upi_load (own + 2) / 2, h = upi_load (own + 3) / 2;
    float x0 = cx - w, x1 = cx + w, y0 = cy - h, y1 = cy + h, area = (x1 - x0) * (y1 - y0);
    bool hit = false;

    for (int j = 0; j < i && !hit; j++) {
      const T *other = boxes + upi_at (bv, 0, n, j);
      float ox = upi_load (other), oy = upi_load (other + 1), ow = upi_load (other + 2) / 2,
            oh = upi_load (other + 3) / 2;
      float inter = fmaxf (fminf (x1, ox + ow) - fmaxf (x0, ox - ow), 0.0f)
          * fmaxf (fminf (y1, oy + oh) - fmaxf (y0, oy - oh), 0.0f);

      hit = inter > limit * (area + ((ox + ow) - (ox - ow)) * ((oy + oh) - (oy - oh)) - inter);
    }
    back[i] = hit;
  }
  __syncthreads ();
  for (int i = threadIdx.x; i < total; i += blockDim.x) {
    int place = 0;

    for (int j = 0; j < total; j++)
      place += j != i && (back[j] == back[i] ? j < i : !back[j]);
    if (place < count)
      out[(long) n * out_stride + place] = indices[(long) n * index_stride + i];
  }
}

/* IoU of boxes (cx, cy, w, h); sides below 0 are none; 0 where it is no number. */
template <typename T>
static __device__ float
overlap (const T *a, const T *b)
{
  float aw = upi_load (a + 2) / 2, ah = upi_load (a + 3) / 2, bw = upi_load (b + 2) / 2, bh = upi_load (b + 3) / 2;
  float ax0 = upi_load (a) - aw, ax1 = upi_load (a) + aw, ay0 = upi_load (a + 1) - ah, ay1 = upi_load (a + 1) + ah;
  float bx0 = upi_load (b) - bw, bx1 = upi_load (b) + bw, by0 = upi_load (b + 1) - bh, by1 = upi_load (b + 1) + bh;
  float inter = fmaxf (fminf (ax1, bx1) - fmaxf (ax0, bx0), 0.0f) * fmaxf (fminf (ay1, by1) - fmaxf (ay0, by0), 0.0f);
  float areas = fmaxf (ax1 - ax0, 0.0f) * fmaxf (ay1 - ay0, 0.0f) + fmaxf (bx1 - bx0, 0.0f) * fmaxf (by1 - by0, 0.0f);
  float sum = ax0 + ax1 + ay0 + ay1;

  return sum == sum ? inter / fmaxf (areas - inter, 1e-9f) : 0.0f; /* fminf and fmaxf lose a NaN */
}

/* A block a box: the best overlap, then the scores of the anchors that come near it, a tile of anchors at a time, a
 * thread a column. */
template <typename T>
static __global__ void
anchor_max_kernel (const T *boxes, UpiCudaView bv, const T *scores, UpiCudaView sv, const T *anchors, UpiCudaView av,
    T *y, UpiCudaView yv, float ratio, float least)
{
  UPI_SHARED (float, tile); /* [BLOCK] */
  int own = (int) threadIdx.x, n = blockIdx.y, m = blockIdx.x, total = sv.dim[2], columns = sv.dim[3];
  const T *box = boxes + upi_at (bv, 0, n, m);
  float best = 0.0f;

  for (int a = own; a < total; a += BLOCK)
    best = fmaxf (best, overlap (box, anchors + upi_at (av, 0, n, a)));
  tile[own] = best;
  for (int half = BLOCK / 2; half > 0; half /= 2) {
    __syncthreads ();
    if (own < half)
      tile[own] = fmaxf (tile[own], tile[own + half]);
  }
  __syncthreads ();
  best = tile[0];
  for (int first_column = 0; first_column < columns; first_column += BLOCK) {
    int k = first_column + own;
    float most = least;

    for (int first = 0; first < total; first += BLOCK) {
      int end = min (BLOCK, total - first);

      __syncthreads (); /* the last tile was read */
      if (own < end)
        tile[own] = overlap (box, anchors + upi_at (av, 0, n, first + own));
      __syncthreads ();
      for (int i = 0; i < end && k < columns && best > 0.0f; i++)
        if (tile[i] >= ratio * best)
          most = fmaxf (most, upi_load (scores + upi_at (sv, 0, n, first + i) + k));
    }
    if (k < columns)
      upi_store (y + upi_at (yv, 0, n, m) + k, most);
  }
}

extern "C" cudaError_t
upi_cuda_anchor_max (UpiCudaType type, cudaStream_t stream, const void *boxes, UpiCudaView bv, const void *scores,
    UpiCudaView sv, const void *anchors, UpiCudaView av, void *y, UpiCudaView yv, float ratio, float least)
{
  dim3 grid (bv.dim[2], bv.dim[1]);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((anchor_max_kernel<T>), grid, BLOCK, BLOCK * sizeof (float), stream, (const T *) boxes, bv,
          (const T *) scores, sv, (const T *) anchors, av, (T *) y, yv, ratio, least));
}

extern "C" cudaError_t
upi_cuda_distinct (UpiCudaType type, cudaStream_t stream, const void *boxes, UpiCudaView bv, const int *indices,
    int index_stride, int *out, int out_stride, int count, float limit)
{
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((distinct_kernel<T>), bv.dim[1], 2 * BLOCK, bv.dim[2], stream, (const T *) boxes, bv, indices,
          index_stride, out, out_stride, count, limit));
}

extern "C" cudaError_t
upi_cuda_sine_position (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  unsigned blocks = upi_blocks ((long) yv.dim[1] * yv.dim[2] * yv.dim[3], BLOCK);

  UPI_FOR_TYPE (type, return UPI_LAUNCH ((sine_kernel<T>), blocks, BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_box_refine (UpiCudaType type, cudaStream_t stream, const void *delta, UpiCudaView dv, const void *reference,
    UpiCudaView rv, void *y, UpiCudaView yv)
{
  unsigned blocks = upi_blocks ((long) yv.dim[1] * yv.dim[2] * 4, BLOCK);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH (
          (refine_kernel<T>), blocks, BLOCK, 0, stream, (const T *) delta, dv, (const T *) reference, rv, (T *) y, yv));
}
