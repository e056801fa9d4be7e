/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scores: the largest of a row, what two scores say together. Small. */
#include "core/backends/cuda/kernels/device.h"

#define BLOCK 128
#define WARPS (BLOCK / UPI_WARP) /* rows a block */

/* A warp a row [..., C] → [..., 1]; fmaxf takes the other one where one is no number. */
template <typename T>
static __global__ void
row_max_kernel (const T *x, UpiCudaView xv, T *y, UpiCudaView yv)
{
  long row = (long) blockIdx.x * WARPS + threadIdx.x / UPI_WARP;
  int lane = threadIdx.x % UPI_WARP, column = (int) (row % xv.dim[2]), line;
  float most = -INFINITY;

  row /= xv.dim[2];
  line = (int) (row % xv.dim[1]);
  row /= xv.dim[1];
  if (row >= xv.dim[0])
    return;
  x += upi_at (xv, row, line, column);
  for (int c = lane; c < xv.dim[3]; c += UPI_WARP)
    most = fmaxf (most, upi_load (x + c));
  most = upi_warp_max (most);
  if (lane == 0)
    upi_store (y + upi_at (yv, row, line, column), most);
}

/* With u = e^-a, v = e^-b the logit is ln ((√((1 + u)(1 + v)) + 1) / (u + v + u·v)): nothing is subtracted. */
template <typename T>
static __global__ void
joint_logit_kernel (
    const T *a, UpiCudaView av, const T *b, UpiCudaView bv, T *y, UpiCudaView yv, float least, float most)
{
  long i = upi_thread ();
  int k = (int) (i % yv.dim[3]), t, n;
  float own, other, u, v, logit;

  i /= yv.dim[3];
  t = (int) (i % yv.dim[2]);
  n = (int) (i / yv.dim[2]);
  if (n >= yv.dim[1])
    return;
  own = upi_load (a + upi_at (av, 0, n, t) + k);
  other = upi_load (b + upi_at (bv, 0, n, t));
  u = expf (fminf (-own, 40.0f)); /* beyond 40 all is at an end of what comes out */
  v = expf (fminf (-other, 40.0f));
  logit = logf ((sqrtf ((1.0f + u) * (1.0f + v)) + 1.0f) / fmaxf (u + v + u * v, 1e-30f));
  upi_store (y + upi_at (yv, 0, n, t) + k, own != own || other != other ? least : fmaxf (fminf (logit, most), least));
}

extern "C" cudaError_t
upi_cuda_row_max (UpiCudaType type, cudaStream_t stream, const void *x, UpiCudaView xv, void *y, UpiCudaView yv)
{
  unsigned blocks = upi_blocks ((long) xv.dim[0] * xv.dim[1] * xv.dim[2], WARPS);

  UPI_FOR_TYPE (
      type, return UPI_LAUNCH ((row_max_kernel<T>), blocks, BLOCK, 0, stream, (const T *) x, xv, (T *) y, yv));
}

extern "C" cudaError_t
upi_cuda_joint_logit (UpiCudaType type, cudaStream_t stream, const void *a, UpiCudaView av, const void *b,
    UpiCudaView bv, void *y, UpiCudaView yv, float least, float most)
{
  unsigned blocks = upi_blocks ((long) yv.dim[1] * yv.dim[2] * yv.dim[3], BLOCK);

  UPI_FOR_TYPE (type,
      return UPI_LAUNCH ((joint_logit_kernel<T>), blocks, BLOCK, 0, stream, (const T *) a, av, (const T *) b, bv,
          (T *) y, yv, least, most));
}
