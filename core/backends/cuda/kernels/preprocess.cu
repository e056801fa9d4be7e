/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pixels to the network's input in one kernel: what core/backends/frames/convert.c does on the processor, from the same
 * tables. A block makes one row of up to `tile` outputs: its threads sum the source rows under it, a column of a
 * component each, into shared memory, then filter along that row. So a source byte is read about twice (once a row of
 * outputs that it counts for, and again where tiles overlap), from L2, and nothing is kept in global memory in between:
 * two passes would write and read the rows between them, four bytes for one. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 128
#define TILE 64
#define MAX_SHARED (48 * 1024)

/* A table of UpiFilter in device memory: starts, counts, then weights. */
struct Table {
  const int *start, *count;
  const float *weights;
  int taps;
};

static __device__ __forceinline__ Table
table_at (const int *tables, int offset, int n_out, int taps)
{
  const int *start = tables + offset;

  return { start, start + n_out, (const float *) (start + 2 * n_out), taps };
}

/* Output x of one component; row begins at the source column that the tile's first output begins at. */
static __device__ __forceinline__ float
along (const float *row, const Table &across, int first, int x)
{
  const float *from = row + (across.start[x] - across.start[first]), *weights = across.weights + (long) x * across.taps;
  float sum = 0;

  for (int t = 0; t < across.count[x]; t++)
    sum += weights[t] * from[t];
  return sum;
}

static __device__ __forceinline__ float
sample (const unsigned char *from, int bytes, int shift)
{
  return bytes == 1 ? (float) *from : (float) ((*(const unsigned short *) from >> shift) & 255);
}

template <typename T>
static __global__ void
preprocess_kernel (UpiCudaFrame f, const unsigned char *first0, const unsigned char *first1,
    const unsigned char *first2, const int *tables, T *out)
{
  UPI_SHARED (float, sums);
  int y = blockIdx.y, first = blockIdx.x * f.tile, last = min (first + f.tile, f.width) - 1, x = first + threadIdx.x;
  float in[3] = { 0, 0, 0 };

  for (int c = 0; c < f.n_components; c++) {
    Table across = table_at (tables, f.component[c].across, f.width, f.component[c].taps_across);
    Table down = table_at (tables, f.component[c].down, f.height, f.component[c].taps_down);
    int step = f.component[c].step, n = across.start[last] + across.count[last] - across.start[first];
    const unsigned char *from = (c == 0          ? first0
                                        : c == 1 ? first1
                                                 : first2)
        + down.start[y] * f.component[c].stride + (long) across.start[first] * step;

    for (int k = threadIdx.x; k < n; k += BLOCK) {
      float sum = 0;

      for (int t = 0; t < down.count[y]; t++)
        sum += down.weights[(long) y * down.taps + t]
            * sample (from + t * f.component[c].stride + (long) k * step, f.sample_bytes, f.sample_shift);
      sums[f.component[c].shared + k] = sum;
    }
  }
  __syncthreads ();
  if (x > last)
    return;
  for (int c = 0; c < f.n_components; c++)
    in[c] = along (sums + f.component[c].shared,
        table_at (tables, f.component[c].across, f.width, f.component[c].taps_across), first, x);
  for (int c = 0; c < 3; c++) {
    float value = in[0] * f.matrix[c][0] + in[1] * f.matrix[c][1] + in[2] * f.matrix[c][2] + f.matrix[c][3];

    upi_store (out + (f.origin + x * f.step_x + y * f.step_y) * 3 + c,
        fminf (fmaxf (value, 0.0f), 255.0f) * f.scale[c] + f.bias[c]);
  }
}

/* Floats of shared memory that tiles of that width need; sets where each component's begin. */
static long
shared_floats (UpiCudaFrame *f, const int *host_tables)
{
  long floats = 0;

  for (int i = 0; i < f->n_components; i++) {
    const int *start = host_tables + f->component[i].across, *count = start + f->width;
    int widest = 0;

    for (int first = 0; first < f->width; first += f->tile) {
      int last = (first + f->tile < f->width ? first + f->tile : f->width) - 1,
          span = start[last] + count[last] - start[first];

      widest = span > widest ? span : widest;
    }
    f->component[i].shared = (int) floats;
    floats += widest;
  }
  return floats;
}

extern "C" cudaError_t
upi_cuda_preprocess (UpiCudaType type, cudaStream_t stream, const UpiCudaFrame *frame, const unsigned char *first0,
    const unsigned char *first1, const unsigned char *first2, const int *host_tables, const int *tables, void *out)
{
  UpiCudaFrame f = *frame;
  long floats;

  /* One output takes at most 2 · 32768 / 32 + 1 columns of three samples. */
  for (f.tile = TILE; (floats = shared_floats (&f, host_tables)) * (long) sizeof (float) > MAX_SHARED && f.tile > 1;)
    f.tile /= 2;
  dim3 grid (upi_blocks (f.width, f.tile), f.height);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((preprocess_kernel<T>), grid, BLOCK, floats * sizeof (float), stream, f, first0, first1,
          first2, tables, (T *) out));
}

/* A thread a pixel of the input. */
template <typename T>
static __global__ void
border_kernel (UpiCudaFrame f, T *out)
{
  long pixel = upi_thread ();
  int x = (int) (pixel % f.input_width), y = (int) (pixel / f.input_width);

  if (y >= f.input_height || (x < f.lies_width && y < f.lies_height))
    return;
  for (int c = 0; c < 3; c++)
    upi_store (out + pixel * 3 + c, f.border[c]);
}

extern "C" cudaError_t
upi_cuda_border (UpiCudaType type, cudaStream_t stream, const UpiCudaFrame *frame, void *out)
{
  UpiCudaFrame f = *frame;

  if (f.lies_width == f.input_width && f.lies_height == f.input_height)
    return cudaSuccess;
  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((border_kernel<T>), dim3 (upi_blocks ((long) f.input_width * f.input_height, BLOCK)), BLOCK, 0,
          stream, f, (T *) out));
}
