/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels that do what they must not, for the tests of the test device, and some that are right. */
#pragma once

#include <cuda_runtime_api.h>

cudaError_t launch_reverse (cudaStream_t stream, int *data, int n); /* right: through shared memory, 64 threads */
cudaError_t launch_without_barrier (cudaStream_t stream, int *data, int n); /* the same without its __syncthreads */
cudaError_t launch_shuffles (cudaStream_t stream, int *out); /* 32 lanes: sum by xor, lane + 1, lane 5's */
cudaError_t launch_fill (cudaStream_t stream, int *data, int n, int value);
cudaError_t launch_half_barrier (cudaStream_t stream);           /* half of the threads leave before __syncthreads */
cudaError_t launch_half_shuffle (cudaStream_t stream, int *out); /* a lane of the mask has left */
