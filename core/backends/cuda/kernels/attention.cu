/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-head attention over one or two key ranges, in one pass over the keys (FlashAttention, 2205.14135): keys and
 * values come in tiles of 32 through shared memory, each query row keeps its maximum, its sum and its mixture, and
 * corrects them when a tile brings a larger logit. The matrix of weights is never stored.
 *
 * A block serves 16 query rows of one head: four warps of four rows. For the logits a lane is a key; for the mixture a
 * lane is a channel. */
#include "core/backends/cuda/kernels/device.h"

#define WARPS 4
#define ROWS 4 /* a warp: what is read from shared memory once serves four */
#define TILE 32
#define QUERIES (WARPS * ROWS)

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
  float mixture[ROWS][CHANNELS], most[ROWS], sum[ROWS], scale = 1.0f / sqrtf ((float) width);

  for (int i = threadIdx.x; i < QUERIES * width; i += WARPS * UPI_WARP)
    query[i] = first + i / width < queries
        ? upi_load (q + upi_at (qv, 0, n, first + i / width) + head + i % width) * scale
        : 0.0f;
  for (int r = 0; r < ROWS; r++) {
    most[r] = -INFINITY;
    sum[r] = 0;
    for (int i = 0; i < CHANNELS; i++)
      mixture[r][i] = 0;
  }
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
      {
        float logit[ROWS] = { 0 };

        for (int c = 0; c < width; c++) {
          float key = keys[lane * row + c];

          for (int r = 0; r < ROWS; r++)
            logit[r] += query[r * width + c] * key;
        }
        for (int r = 0; r < ROWS; r++) {
          bool seen = tile + lane < visible (length, limited, queries, first + warp * ROWS + r);
          float larger = fmaxf (most[r], upi_warp_max (seen ? logit[r] : -INFINITY)), weight, correction;

          /* Nothing seen yet: -inf - -inf is no number. */
          weight = seen ? expf (logit[r] - larger) : 0.0f;
          correction = most[r] == -INFINITY ? 0.0f : expf (most[r] - larger);
          sum[r] = sum[r] * correction + upi_warp_sum (weight);
          for (int i = 0; i < CHANNELS; i++)
            mixture[r][i] *= correction;
          most[r] = larger;
          weights[r * TILE + lane] = weight;
        }
      }
      __syncwarp ();
      for (int j = 0; j < TILE; j++) {
        for (int i = 0; i < CHANNELS; i++) {
          int c = i * UPI_WARP + lane;
          float value = c < width ? values[j * row + c] : 0.0f;

          for (int r = 0; r < ROWS; r++)
            mixture[r][i] += weights[r * TILE + j] * value;
        }
      }
      __syncwarp (); /* the weights were read */
    }
  }
  for (int r = 0; r < ROWS; r++) {
    int t = first + warp * ROWS + r;

    for (int i = 0; i < CHANNELS; i++) {
      int c = i * UPI_WARP + lane;

      if (t < queries && c < width) /* a row that sees no key gives zeros */
        upi_store (out + upi_at (yv, 0, n, t) + head + c, sum[r] > 0 ? mixture[r][i] / sum[r] : 0.0f);
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
