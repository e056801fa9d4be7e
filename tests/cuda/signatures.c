/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compiled where the toolkit is: cuda-api.h, by which the test device is built, says what the toolkit's own headers
 * say. */
#include <cublasLt.h>
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#define UPI_AGAINST_TOOLKIT
#include "tests/cuda/include/cuda-api.h"

#define SAME(name, value) _Static_assert((int) name == value, #name " has another value in this toolkit");
UPI_API_CUDA_ERRORS (SAME)
UPI_API_MEMCPY_KINDS (SAME)
UPI_API_DEVICE_ATTRIBUTES (SAME)
UPI_API_FUNCTION_ATTRIBUTES (SAME)
UPI_API_CAPTURE_MODES (SAME)
UPI_API_DATA_TYPES (SAME)
UPI_API_CUBLAS_STATUS (SAME)
UPI_API_CUBLAS_OPERATIONS (SAME)
UPI_API_CUBLAS_COMPUTE (SAME)
UPI_API_MATMUL_DESC (SAME)
UPI_API_MATRIX_LAYOUT (SAME)
UPI_API_MATMUL_PREF (SAME)
UPI_API_EPILOGUES (SAME)
UPI_API_CUDNN_STATUS (SAME)
UPI_API_CUDNN_DATA (SAME)
UPI_API_CUDNN_DESCRIPTORS (SAME)
UPI_API_CUDNN_TYPES (SAME)
UPI_API_CUDNN_CONVOLUTION_MODES (SAME)
UPI_API_CUDNN_HEUR_MODES (SAME)
UPI_API_CUDNN_NOTES (SAME)
UPI_API_CUDNN_POINTWISE_MODES (SAME)
UPI_API_CUDNN_ATTRIBUTES (SAME)
UPI_API_FLAGS (SAME)

#define SAME_SIZE(type, bytes) _Static_assert(sizeof (type) == bytes, #type " has another size in this toolkit");
UPI_API_SIZES (SAME_SIZE)
_Static_assert(CUDA_SUCCESS == 0 && sizeof (CUresult) == 4, "CUresult is another in this toolkit");
_Static_assert(sizeof (struct cudaDeviceProp) <= 4096, "cudaDeviceProp is larger than cuda-api.h has it");
_Static_assert(offsetof (struct cudaDeviceProp, name) == 0, "cudaDeviceProp.name is elsewhere");
_Static_assert(offsetof (cublasLtMatmulHeuristicResult_t, workspaceSize) == 64, "workspaceSize is elsewhere");
_Static_assert(offsetof (cublasLtMatmulHeuristicResult_t, state) == 72, "state is elsewhere");
