/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attention inside windows (Swin), by the softmax of attention.cu: keys in tiles of 32 through shared memory. What
 * differs is where a key lies (in a rolled map that ends in whole windows), what is added to its logit, and that some
 * are not seen. */
#include "core/backends/cuda/kernels/online-softmax.h"

/* What core/program/window.h says of a side, on the device. */
static __device__ __forceinline__ int
cell_of (const UpiCudaWindowSide &side, int window, int w, int i)
{
  int at = w * window + i + side.shift;

  if (at >= side.windows * window)
    at -= side.windows * window;
  return at < side.size ? at : -1;
}

static __device__ __forceinline__ bool
is_rolled (const UpiCudaWindowSide &side, int window, int w, int i)
{
  return side.shift > 0 && w == side.windows - 1 && i >= window - side.shift;
}

/* Elements from the item's begin to cell i of the window; -1 beyond the map. */
static __device__ __forceinline__ long
offset_of (const UpiCudaWindow &a, const UpiCudaView &v, int wy, int wx, int i)
{
  int y = cell_of (a.down, a.window, wy, i / a.window), x = cell_of (a.across, a.window, wx, i % a.window);

  return y < 0 || x < 0 ? -1 : (long) y * v.stride[1] + (long) x * v.stride[2];
}

static __device__ __forceinline__ int
part_of (const UpiCudaWindow &a, int wy, int wx, int i)
{
  return 2 * is_rolled (a.down, a.window, wy, i / a.window) + is_rolled (a.across, a.window, wx, i % a.window);
}

/* Cells first .. first + TILE - 1 into shared memory; what lies behind the window's end becomes 0. */
template <typename T>
static __device__ __forceinline__ void
load_tile (const UpiCudaWindow &a, const T *item, const T *beyond, int wy, int wx, int first, int cells, int width,
    float *to, int row)
{
  for (int i = threadIdx.x; i < TILE * width; i += WARPS * UPI_WARP) {
    int j = i / width, c = i % width;
    float value = 0;

    if (first + j < cells) {
      long at = offset_of (a, a.qkv, wy, wx, first + j);

      value = upi_load (at < 0 ? beyond + c : item + at + c);
    }
    to[j * row + c] = value;
  }
}

template <typename T, int CHANNELS> /* a lane: ceil (head width / 32) */
static __global__ void
__launch_bounds__ (WARPS *UPI_WARP)
    window_kernel (UpiCudaWindow a, const T *qkv, const T *beyond, const T *table, T *out)
{
  UPI_SHARED (float, shared);
  int width = a.out.dim[3] / a.heads, whole = a.out.dim[3], head = blockIdx.y, cells = a.window * a.window;
  int blocks = (cells + QUERIES - 1) / QUERIES, first = blockIdx.x % blocks * QUERIES, number = blockIdx.x / blocks;
  int windows = a.down.windows * a.across.windows, n = number / windows, wy = number % windows / a.across.windows;
  int wx = number % a.across.windows, side = 2 * a.window - 1;
  int warp = threadIdx.x / UPI_WARP, lane = threadIdx.x % UPI_WARP,
      row = width + 1; /* odd rows: no two lanes in one bank */
  float *keys = shared, *values = keys + TILE * row, *query = values + TILE * row, *weights = query + QUERIES * width;
  float scale = 1.0f / sqrtf ((float) width);
  UpiOnlineSoftmax<CHANNELS> rows;
  const T *item = qkv + (long) n * a.qkv.stride[0] + head * width;

  beyond += head * width;
  for (int i = threadIdx.x; i < QUERIES * width; i += WARPS * UPI_WARP) {
    long at = first + i / width < cells ? offset_of (a, a.qkv, wy, wx, first + i / width) : -1;

    query[i] = at < 0 ? 0.0f : upi_load (item + at + i % width) * scale;
  }
  upi_softmax_begin (rows);
  query += warp * ROWS * width;
  weights += warp * ROWS * TILE;
  for (int tile = 0; tile < cells; tile += TILE) {
    __syncthreads (); /* the last tile was read */
    load_tile (a, item + whole, beyond + whole, wy, wx, tile, cells, width, keys, row);
    load_tile (a, item + 2 * whole, beyond + 2 * whole, wy, wx, tile, cells, width, values, row);
    __syncthreads ();
    float logit[ROWS];
    int key = tile + lane;

    upi_softmax_logits (query, keys, width, row, lane, logit);
    for (int r = 0; r < ROWS; r++) {
      int t = first + warp * ROWS + r;
      bool seen = t < cells && key < cells && part_of (a, wy, wx, t) == part_of (a, wy, wx, key);

      if (seen) {
        int entry =
            (t / a.window - key / a.window + a.window - 1) * side + t % a.window - key % a.window + a.window - 1;

        logit[r] += upi_load (table + (long) entry * a.heads + head);
      }
      weights[r * TILE + lane] = upi_softmax_meet (rows, r, logit[r], seen);
    }
    __syncwarp ();
    upi_softmax_mix (rows, weights, values, width, row, lane);
    __syncwarp (); /* the weights were read */
  }
  for (int r = 0; r < ROWS; r++) {
    int t = first + warp * ROWS + r;
    long at = t < cells ? offset_of (a, a.out, wy, wx, t) : -1;

    for (int i = 0; i < CHANNELS; i++) {
      int c = i * UPI_WARP + lane;

      if (at >= 0 && c < width)
        upi_store (out + (long) n * a.out.stride[0] + at + head * width + c, rows.mixture[r][i] / rows.sum[r]);
    }
  }
}

template <typename T, int CHANNELS>
static cudaError_t
attend (cudaStream_t stream, const UpiCudaWindow *a, const void *qkv, const void *beyond, const void *table, void *out)
{
  int width = a->out.dim[3] / a->heads;
  dim3 grid (
      upi_blocks (a->window * a->window, QUERIES) * a->out.dim[0] * a->down.windows * a->across.windows, a->heads);
  size_t shared = sizeof (float) * (2 * TILE * (width + 1) + QUERIES * width + QUERIES * TILE);

  return UPI_LAUNCH ((window_kernel<T, CHANNELS>), grid, WARPS * UPI_WARP, shared, stream, *a, (const T *) qkv,
      (const T *) beyond, (const T *) table, (T *) out);
}

extern "C" cudaError_t
upi_cuda_window_attention (UpiCudaType type, cudaStream_t stream, const UpiCudaWindow *a, const void *qkv,
    const void *beyond, const void *table, void *out)
{
  int width = a->out.dim[3] / a->heads;

  UPI_FOR_TYPE (type, {
    if (width <= UPI_WARP)
      return attend<T, 1> (stream, a, qkv, beyond, table, out);
    if (width <= 2 * UPI_WARP)
      return attend<T, 2> (stream, a, qkv, beyond, table, out);
    return attend<T, UPI_CUDA_MAX_HEAD / UPI_WARP> (stream, a, qkv, beyond, table, out);
  });
}
