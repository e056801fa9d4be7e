/* Pixels to the network's input in one kernel: what core/engine/preprocess.c does on the processor, from the same tables. A block makes one
 * row of up to `tile` outputs: its threads sum the source rows under it, a column each, into shared memory, then filter along that row. So a
 * source byte is read about twice (once a row of outputs that it counts for, and again where tiles overlap), from L2, and nothing is kept in
 * global memory in between: two passes would write and read the rows between them, four bytes for one. */
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

/* Output x of one channel; row begins at the source column that the tile's first output begins at. */
static __device__ __forceinline__ float
along (const float *row, const Table &across, int first, int x, int channels, int channel)
{
  const float *from = row + (across.start[x] - across.start[first]) * channels + channel,
              *weights = across.weights + (long) x * across.taps;
  float sum = 0;

  for (int t = 0; t < across.count[x]; t++)
    sum += weights[t] * from[t * channels];
  return sum;
}

template <typename T>
static __global__ void
preprocess_kernel (
    UpiCudaFrame f, const unsigned char *plane0, const unsigned char *plane1, const unsigned char *plane2, const int *tables, T *out)
{
  UPI_SHARED (float, sums);
  int y = blockIdx.y, first = blockIdx.x * f.tile, last = min (first + f.tile, f.width) - 1, x = first + threadIdx.x;
  float in[3], rgb[3];

  for (int i = 0; i < f.n_planes; i++) {
    Table across = table_at (tables, f.plane[i].across, f.width, f.plane[i].taps_across);
    Table down = table_at (tables, f.plane[i].down, f.height, f.plane[i].taps_down);
    int channels = f.plane[i].channels, n = (across.start[last] + across.count[last] - across.start[first]) * channels;
    const unsigned char *from = (i == 0          ? plane0
                                        : i == 1 ? plane1
                                                 : plane2)
        + down.start[y] * f.plane[i].stride + (long) across.start[first] * channels;

    for (int k = threadIdx.x; k < n; k += BLOCK) {
      float sum = 0;

      for (int t = 0; t < down.count[y]; t++)
        sum += down.weights[(long) y * down.taps + t] * (float) from[t * f.plane[i].stride + k];
      sums[f.plane[i].shared + k] = sum;
    }
  }
  __syncthreads ();
  if (x > last)
    return;
  for (int c = 0; c < 3; c++) {
    int i = min (c, f.n_planes - 1), channels = f.plane[i].channels;

    in[c] =
        along (sums + f.plane[i].shared, table_at (tables, f.plane[i].across, f.width, f.plane[i].taps_across), first, x, channels, c - i);
  }
  if (f.yuv) {
    float luma = in[0] * f.matrix[0] + f.matrix[1], cb = in[1] - 128.0f, cr = in[2] - 128.0f;

    rgb[0] = luma + cr * f.matrix[2];
    rgb[1] = luma + cb * f.matrix[3] + cr * f.matrix[4];
    rgb[2] = luma + cb * f.matrix[5];
    for (int c = 0; c < 3; c++)
      rgb[c] = fminf (fmaxf (rgb[c], 0.0f), 255.0f);
  } else {
    rgb[0] = f.reverse ? in[2] : in[0];
    rgb[1] = in[1];
    rgb[2] = f.reverse ? in[0] : in[2];
  }
  for (int c = 0; c < 3; c++)
    upi_store (out + ((long) y * f.width + x) * 3 + c, rgb[c] * f.scale[c] + f.bias[c]);
}

/* Floats of shared memory that tiles of that width need; sets where each plane's begin. */
static long
shared_floats (UpiCudaFrame *f, const int *host_tables)
{
  long floats = 0;

  for (int i = 0; i < f->n_planes; i++) {
    const int *start = host_tables + f->plane[i].across, *count = start + f->width;
    int widest = 0;

    for (int first = 0; first < f->width; first += f->tile) {
      int last = (first + f->tile < f->width ? first + f->tile : f->width) - 1, span = start[last] + count[last] - start[first];

      widest = span > widest ? span : widest;
    }
    f->plane[i].shared = (int) floats;
    floats += (long) widest * f->plane[i].channels;
  }
  return floats;
}

extern "C" cudaError_t
upi_cuda_preprocess (UpiCudaType type, cudaStream_t stream, const UpiCudaFrame *frame, const unsigned char *plane0,
    const unsigned char *plane1, const unsigned char *plane2, const int *host_tables, const int *tables, void *out)
{
  UpiCudaFrame f = *frame;
  long floats;

  /* One output takes at most 2 · 32768 / 32 + 1 columns of four samples. */
  for (f.tile = TILE; (floats = shared_floats (&f, host_tables)) * (long) sizeof (float) > MAX_SHARED && f.tile > 1;)
    f.tile /= 2;
  dim3 grid (upi_blocks (f.width, f.tile), f.height);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH (
          (preprocess_kernel<T>), grid, BLOCK, floats * sizeof (float), stream, f, plane0, plane1, plane2, tables, (T *) out));
}
