/* Boxes: sine position embedding of (cx, cy, w, h), iterative refinement. Views [1,N,Q,C]; small. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 128

/* [N,Q,4] → [N,Q,4·F], coordinates in the order (cy, cx, w, h): feature k has the angle 2π·c / 10000^(2·⌊k/2⌋/F), even k sine, odd cosine */
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
  upi_store (
      y + upi_at (yv, 0, n, q) + c, upi_activate (UPI_CUDA_SIGMOID, upi_load (delta + upi_at (dv, 0, n, q) + c) + logf (r / (1.0f - r))));
}

extern "C" cudaError_t
upi_cuda_sine_position (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  unsigned blocks = upi_blocks ((long) yv.dim[1] * yv.dim[2] * yv.dim[3], BLOCK);

  UPI_FOR_TYPE (type, return UPI_LAUNCH ((sine_kernel<T>), blocks, BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_box_refine (UpiCudaType type, cudaStream_t stream, const void *delta, UpiCudaView dv, const void *reference, UpiCudaView rv,
    void *y, UpiCudaView yv)
{
  unsigned blocks = upi_blocks ((long) yv.dim[1] * yv.dim[2] * 4, BLOCK);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((refine_kernel<T>), blocks, BLOCK, 0, stream, (const T *) delta, dv, (const T *) reference, rv, (T *) y, yv));
}
