/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-head attention over one or two key ranges, in one pass over the keys (online-softmax.h): keys and values
 * come in tiles of 32 through shared memory. */
#include "core/backends/cuda/kernels/online-softmax.h"

/* Copies keys first .. first + TILE - 1 into shared memory; what lies behind the range's end becomes 0. */
template <typename T>
static __device__ __forceinline__ void
load_tile (const T *from, const UpiCudaView &v, int n, int first, int end, int width, float *to, int row)
{
  for (int i = threadIdx.x; i < TILE * width; i += WARPS * UPI_WARP) {
    int j = i / width, c = i % width;

    to[j * row + c] = first + j < end ? upi_load (from + upi_at (v, 0, n, first + j) + c) : 0.0f;
  }
}

/* Keys of the range that query row t sees. */
static __device__ __forceinline__ int
visible (int length, bool causal, int queries, int t)
{
  return causal ? min (max (length - queries + t + 1, 0), length) : length;
}

static __device__ __forceinline__ int
range_length (const int *lengths, int stride, int n, int keys)
{
  return lengths ? min (max (lengths[(long) n * stride], 0), keys) : keys;
}

template <typename T, int CHANNELS> /* a lane: ceil (head width / 32) */
static __global__ void
__launch_bounds__ (WARPS *UPI_WARP) attention_kernel (const T *q, UpiCudaView qv, const T *k, UpiCudaView kv,
    const T *v, UpiCudaView vv, const int *lengths, int length_stride, const T *k2, UpiCudaView kv2, const T *v2,
    UpiCudaView vv2, const int *lengths2, int length2_stride, T *out, UpiCudaView yv, int heads, int causal)
{
  UPI_SHARED (float, shared);
  int width = qv.dim[3] / heads, head = blockIdx.y * width, n = blockIdx.z, queries = qv.dim[2],
      first = blockIdx.x * QUERIES;
  int warp = threadIdx.x / UPI_WARP, lane = threadIdx.x % UPI_WARP,
      row = width + 1; /* odd rows: no two lanes in one bank */
  float *keys = shared, *values = keys + TILE * row, *query = values + TILE * row, *weights = query + QUERIES * width;
  float scale = 1.0f / sqrtf ((float) width);
  UpiOnlineSoftmax<CHANNELS> rows;

  for (int i = threadIdx.x; i < QUERIES * width; i += WARPS * UPI_WARP)
    query[i] = first + i / width < queries
        ? upi_load (q + upi_at (qv, 0, n, first + i / width) + head + i % width) * scale
        : 0.0f;
  upi_softmax_begin (rows);
  query += warp * ROWS * width;
  weights += warp * ROWS * TILE;
  for (int range = 0; range < (k2 ? 2 : 1); range++) {
    bool last = range == 1 || !k2, limited = causal && last;
    int length = range == 0 ? range_length (lengths, length_stride, n, kv.dim[2])
                            : range_length (lengths2, length2_stride, n, kv2.dim[2]);
    int end = visible (length, limited, queries, min (first + QUERIES, queries) - 1); /* of the block's last row */

    for (int tile = 0; tile < end; tile += TILE) {
      __syncthreads (); /* the last tile was read */
      load_tile (range == 0 ? k + head : k2 + head, range == 0 ? kv : kv2, n, tile, end, width, keys, row);
      load_tile (range == 0 ? v + head : v2 + head, range == 0 ? vv : vv2, n, tile, end, width, values, row);
      __syncthreads ();
      float logit[ROWS];

      upi_softmax_logits (query, keys, width, row, lane, logit);
      for (int r = 0; r < ROWS; r++) {
        bool seen = tile + lane < visible (length, limited, queries, first + warp * ROWS + r);

        weights[r * TILE + lane] = upi_softmax_meet (rows, r, logit[r], seen);
      }
      __syncwarp ();
      upi_softmax_mix (rows, weights, values, width, row, lane);
      __syncwarp (); /* the weights were read */
    }
  }
  for (int r = 0; r < ROWS; r++) {
    int t = first + warp * ROWS + r;

    for (int i = 0; i < CHANNELS; i++) {
      int c = i * UPI_WARP + lane;

      if (t < queries && c < width) /* a row that sees no key gives zeros */
        upi_store (out + upi_at (yv, 0, n, t) + head + c, rows.sum[r] > 0 ? rows.mixture[r][i] / rows.sum[r] : 0.0f);
    }
  }
}

template <typename T, int CHANNELS>
static cudaError_t
attend (cudaStream_t stream, const UpiCudaAttention *a, const void *q, const void *k, const void *v, const int *lengths,
    const void *k2, const void *v2, const int *lengths2, void *out)
{
  int width = a->q.dim[3] / a->heads;
  dim3 grid (upi_blocks (a->q.dim[2], QUERIES), a->heads, a->q.dim[1]);
  size_t shared = sizeof (float) * (2 * TILE * (width + 1) + QUERIES * width + QUERIES * TILE);

  return UPI_LAUNCH ((attention_kernel<T, CHANNELS>), grid, WARPS * UPI_WARP, shared, stream, (const T *) q, a->q,
      (const T *) k, a->k, (const T *) v, a->v, lengths, a->length_stride, (const T *) k2, a->k2, (const T *) v2, a->v2,
      lengths2, a->length2_stride, (T *) out, a->out, a->heads, a->causal);
}

extern "C" cudaError_t
upi_cuda_attention (UpiCudaType type, cudaStream_t stream, const UpiCudaAttention *a, const void *q, const void *k,
    const void *v, const int *lengths, const void *k2, const void *v2, const int *lengths2, void *out)
{
  int width = a->q.dim[3] / a->heads;

  UPI_FOR_TYPE (type, {
    if (width <= UPI_WARP)
      return attend<T, 1> (stream, a, q, k, v, lengths, k2, v2, lengths2, out);
    if (width <= 2 * UPI_WARP)
      return attend<T, 2> (stream, a, q, k, v, lengths, k2, v2, lengths2, out);
    return attend<T, UPI_CUDA_MAX_HEAD / UPI_WARP> (stream, a, q, k, v, lengths, k2, v2, lengths2, out);
  });
}
