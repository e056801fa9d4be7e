/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the backend and its stand-ins need of CUDA's API, in our own words, so that the test device builds where no
 * toolkit is.
 *
 * cuda_runtime_api.h, cublasLt.h and cudnn.h of this folder include it in place of the toolkit's. signatures.c includes
 * it after the toolkit's own headers with UPI_AGAINST_TOOLKIT: every function is then declared a second time, and every
 * value and size is compared, so that a difference does not compile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values. */

#define UPI_API_CUDA_ERRORS(X)                                                                                         \
  X (cudaSuccess, 0)                                                                                                   \
  X (cudaErrorInvalidValue, 1)                                                                                         \
  X (cudaErrorMemoryAllocation, 2)                                                                                     \
  X (cudaErrorInitializationError, 3)                                                                                  \
  X (cudaErrorInvalidConfiguration, 9)                                                                                 \
  X (cudaErrorInsufficientDriver, 35)                                                                                  \
  X (cudaErrorNoDevice, 100)                                                                                           \
  X (cudaErrorInvalidDevice, 101)                                                                                      \
  X (cudaErrorNoKernelImageForDevice, 209)                                                                             \
  X (cudaErrorECCUncorrectable, 214)                                                                                   \
  X (cudaErrorInvalidResourceHandle, 400)                                                                              \
  X (cudaErrorNotReady, 600)                                                                                           \
  X (cudaErrorIllegalAddress, 700)                                                                                     \
  X (cudaErrorLaunchTimeout, 702)                                                                                      \
  X (cudaErrorAssert, 710)                                                                                             \
  X (cudaErrorHardwareStackError, 714)                                                                                 \
  X (cudaErrorIllegalInstruction, 715)                                                                                 \
  X (cudaErrorMisalignedAddress, 716)                                                                                  \
  X (cudaErrorInvalidAddressSpace, 717)                                                                                \
  X (cudaErrorInvalidPc, 718)                                                                                          \
  X (cudaErrorLaunchFailure, 719)                                                                                      \
  X (cudaErrorStreamCaptureUnsupported, 900)                                                                           \
  X (cudaErrorStreamCaptureInvalidated, 901)                                                                           \
  X (cudaErrorUnknown, 999)

#define UPI_API_MEMCPY_KINDS(X)                                                                                        \
  X (cudaMemcpyHostToDevice, 1)                                                                                        \
  X (cudaMemcpyDeviceToHost, 2)                                                                                        \
  X (cudaMemcpyDeviceToDevice, 3)

#define UPI_API_DEVICE_ATTRIBUTES(X)                                                                                   \
  X (cudaDevAttrClockRate, 13)                                                                                         \
  X (cudaDevAttrMultiProcessorCount, 16)                                                                               \
  X (cudaDevAttrMemoryClockRate, 36)                                                                                   \
  X (cudaDevAttrGlobalMemoryBusWidth, 37)                                                                              \
  X (cudaDevAttrComputeCapabilityMajor, 75)                                                                            \
  X (cudaDevAttrComputeCapabilityMinor, 76)                                                                            \
  X (cudaDevAttrMaxSharedMemoryPerBlockOptin, 97)

#define UPI_API_FUNCTION_ATTRIBUTES(X) X (cudaFuncAttributeMaxDynamicSharedMemorySize, 8)

#define UPI_API_CAPTURE_MODES(X) X (cudaStreamCaptureModeThreadLocal, 1)

#define UPI_API_DATA_TYPES(X)                                                                                          \
  X (CUDA_R_32F, 0)                                                                                                    \
  X (CUDA_R_16F, 2)                                                                                                    \
  X (CUDA_R_16BF, 14)

#define UPI_API_CUBLAS_STATUS(X)                                                                                       \
  X (CUBLAS_STATUS_SUCCESS, 0)                                                                                         \
  X (CUBLAS_STATUS_NOT_INITIALIZED, 1)                                                                                 \
  X (CUBLAS_STATUS_ALLOC_FAILED, 3)                                                                                    \
  X (CUBLAS_STATUS_INVALID_VALUE, 7)                                                                                   \
  X (CUBLAS_STATUS_EXECUTION_FAILED, 13)                                                                               \
  X (CUBLAS_STATUS_INTERNAL_ERROR, 14)                                                                                 \
  X (CUBLAS_STATUS_NOT_SUPPORTED, 15)

#define UPI_API_CUBLAS_OPERATIONS(X)                                                                                   \
  X (CUBLAS_OP_N, 0)                                                                                                   \
  X (CUBLAS_OP_T, 1)

#define UPI_API_CUBLAS_COMPUTE(X)                                                                                      \
  X (CUBLAS_COMPUTE_32F, 68)                                                                                           \
  X (CUBLAS_COMPUTE_32F_FAST_TF32, 77)

#define UPI_API_MATMUL_DESC(X)                                                                                         \
  X (CUBLASLT_MATMUL_DESC_TRANSA, 3)                                                                                   \
  X (CUBLASLT_MATMUL_DESC_TRANSB, 4)                                                                                   \
  X (CUBLASLT_MATMUL_DESC_EPILOGUE, 7)                                                                                 \
  X (CUBLASLT_MATMUL_DESC_BIAS_POINTER, 8)

#define UPI_API_MATRIX_LAYOUT(X)                                                                                       \
  X (CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 5)                                                                            \
  X (CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, 6)

#define UPI_API_MATMUL_PREF(X)                                                                                         \
  X (CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, 1)                                                                      \
  X (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 5)                                                                    \
  X (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 6)                                                                    \
  X (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, 7)                                                                    \
  X (CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 8)

#define UPI_API_EPILOGUES(X)                                                                                           \
  X (CUBLASLT_EPILOGUE_DEFAULT, 1)                                                                                     \
  X (CUBLASLT_EPILOGUE_RELU, 2)                                                                                        \
  X (CUBLASLT_EPILOGUE_BIAS, 4)                                                                                        \
  X (CUBLASLT_EPILOGUE_RELU_BIAS, 6)

#define UPI_API_CUDNN_STATUS(X)                                                                                        \
  X (CUDNN_STATUS_SUCCESS, 0)                                                                                          \
  X (CUDNN_STATUS_NOT_INITIALIZED, 1001)                                                                               \
  X (CUDNN_STATUS_BAD_PARAM, 2000)                                                                                     \
  X (CUDNN_STATUS_NOT_SUPPORTED, 3000)                                                                                 \
  X (CUDNN_STATUS_INTERNAL_ERROR, 4000)                                                                                \
  X (CUDNN_STATUS_EXECUTION_FAILED, 5000)

#define UPI_API_CUDNN_DATA(X)                                                                                          \
  X (CUDNN_DATA_FLOAT, 0)                                                                                              \
  X (CUDNN_DATA_HALF, 2)                                                                                               \
  X (CUDNN_DATA_BFLOAT16, 9)

#define UPI_API_CUDNN_DESCRIPTORS(X)                                                                                   \
  X (CUDNN_BACKEND_POINTWISE_DESCRIPTOR, 0)                                                                            \
  X (CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, 1)                                                                          \
  X (CUDNN_BACKEND_ENGINE_DESCRIPTOR, 2)                                                                               \
  X (CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, 3)                                                                            \
  X (CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, 4)                                                                           \
  X (CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, 5)                                                                       \
  X (CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, 10)                                                       \
  X (CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, 13)                                                                 \
  X (CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, 15)                                                                      \
  X (CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, 16)                                                                        \
  X (CUDNN_BACKEND_TENSOR_DESCRIPTOR, 17)

#define UPI_API_CUDNN_TYPES(X)                                                                                         \
  X (CUDNN_TYPE_HANDLE, 0)                                                                                             \
  X (CUDNN_TYPE_DATA_TYPE, 1)                                                                                          \
  X (CUDNN_TYPE_BOOLEAN, 2)                                                                                            \
  X (CUDNN_TYPE_INT64, 3)                                                                                              \
  X (CUDNN_TYPE_FLOAT, 4)                                                                                              \
  X (CUDNN_TYPE_DOUBLE, 5)                                                                                             \
  X (CUDNN_TYPE_VOID_PTR, 6)                                                                                           \
  X (CUDNN_TYPE_CONVOLUTION_MODE, 7)                                                                                   \
  X (CUDNN_TYPE_HEUR_MODE, 8)                                                                                          \
  X (CUDNN_TYPE_NUMERICAL_NOTE, 11)                                                                                    \
  X (CUDNN_TYPE_POINTWISE_MODE, 14)                                                                                    \
  X (CUDNN_TYPE_BACKEND_DESCRIPTOR, 15)

#define UPI_API_CUDNN_CONVOLUTION_MODES(X) X (CUDNN_CROSS_CORRELATION, 1)

#define UPI_API_CUDNN_HEUR_MODES(X)                                                                                    \
  X (CUDNN_HEUR_MODE_FALLBACK, 2)                                                                                      \
  X (CUDNN_HEUR_MODE_A, 3)

#define UPI_API_CUDNN_NOTES(X)                                                                                         \
  X (CUDNN_NUMERICAL_NOTE_TENSOR_CORE, 0)                                                                              \
  X (CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, 1)

#define UPI_API_CUDNN_POINTWISE_MODES(X)                                                                               \
  X (CUDNN_POINTWISE_ADD, 0)                                                                                           \
  X (CUDNN_POINTWISE_RELU_FWD, 100)                                                                                    \
  X (CUDNN_POINTWISE_SIGMOID_FWD, 102)                                                                                 \
  X (CUDNN_POINTWISE_GELU_FWD, 104)

#define UPI_API_CUDNN_ATTRIBUTES(X)                                                                                    \
  X (CUDNN_ATTR_POINTWISE_MODE, 0)                                                                                     \
  X (CUDNN_ATTR_POINTWISE_MATH_PREC, 1)                                                                                \
  X (CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, 4)                                                                          \
  X (CUDNN_ATTR_CONVOLUTION_COMP_TYPE, 100)                                                                            \
  X (CUDNN_ATTR_CONVOLUTION_CONV_MODE, 101)                                                                            \
  X (CUDNN_ATTR_CONVOLUTION_DILATIONS, 102)                                                                            \
  X (CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 103)                                                                       \
  X (CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 104)                                                                        \
  X (CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 105)                                                                         \
  X (CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 106)                                                                         \
  X (CUDNN_ATTR_ENGINEHEUR_MODE, 200)                                                                                  \
  X (CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, 201)                                                                       \
  X (CUDNN_ATTR_ENGINEHEUR_RESULTS, 202)                                                                               \
  X (CUDNN_ATTR_ENGINECFG_ENGINE, 300)                                                                                 \
  X (CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, 1303)                                                                           \
  X (CUDNN_ATTR_EXECUTION_PLAN_HANDLE, 400)                                                                            \
  X (CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, 401)                                                                     \
  X (CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, 402)                                                                    \
  X (CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 700)                                                              \
  X (CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 701)                                                               \
  X (CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, 702)                                                          \
  X (CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, 703)                                                                  \
  X (CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, 704)                                                                  \
  X (CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, 705)                                                                  \
  X (CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, 750)                                                                \
  X (CUDNN_ATTR_OPERATION_POINTWISE_XDESC, 751)                                                                        \
  X (CUDNN_ATTR_OPERATION_POINTWISE_BDESC, 752)                                                                        \
  X (CUDNN_ATTR_OPERATION_POINTWISE_YDESC, 753)                                                                        \
  X (CUDNN_ATTR_OPERATIONGRAPH_HANDLE, 800)                                                                            \
  X (CUDNN_ATTR_OPERATIONGRAPH_OPS, 801)                                                                               \
  X (CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 900)                                                                            \
  X (CUDNN_ATTR_TENSOR_DATA_TYPE, 901)                                                                                 \
  X (CUDNN_ATTR_TENSOR_DIMENSIONS, 902)                                                                                \
  X (CUDNN_ATTR_TENSOR_STRIDES, 903)                                                                                   \
  X (CUDNN_ATTR_TENSOR_UNIQUE_ID, 906)                                                                                 \
  X (CUDNN_ATTR_TENSOR_IS_VIRTUAL, 907)                                                                                \
  X (CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, 1000)                                                                         \
  X (CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, 1001)                                                                      \
  X (CUDNN_ATTR_VARIANT_PACK_WORKSPACE, 1003)

/* Flags are macros in the toolkit. */
#define UPI_API_FLAGS(X)                                                                                               \
  X (cudaHostAllocDefault, 0)                                                                                          \
  X (cudaStreamNonBlocking, 1)                                                                                         \
  X (cudaEventBlockingSync, 1)                                                                                         \
  X (cudaEventDisableTiming, 2)

/* Sizes of what callers own: type, bytes. */
#define UPI_API_SIZES(X)                                                                                               \
  X (dim3, 12)                                                                                                         \
  X (cublasLtMatmulAlgo_t, 64)                                                                                         \
  X (cublasLtMatmulHeuristicResult_t, 96)                                                                              \
  X (cudaError_t, 4)                                                                                                   \
  X (cublasStatus_t, 4)                                                                                                \
  X (cudnnStatus_t, 4)

/* Types. */

#ifndef UPI_AGAINST_TOOLKIT

#define UPI_API_ENUMERATOR(name, value) name = value,
enum cudaError { UPI_API_CUDA_ERRORS (UPI_API_ENUMERATOR) };
typedef enum cudaError cudaError_t;
enum cudaMemcpyKind { UPI_API_MEMCPY_KINDS (UPI_API_ENUMERATOR) };
enum cudaDeviceAttr { UPI_API_DEVICE_ATTRIBUTES (UPI_API_ENUMERATOR) };
enum cudaFuncAttribute { UPI_API_FUNCTION_ATTRIBUTES (UPI_API_ENUMERATOR) };
enum cudaStreamCaptureMode { UPI_API_CAPTURE_MODES (UPI_API_ENUMERATOR) };
typedef enum cudaDataType_t { UPI_API_DATA_TYPES (UPI_API_ENUMERATOR) } cudaDataType, cudaDataType_t;
typedef enum { UPI_API_CUBLAS_STATUS (UPI_API_ENUMERATOR) } cublasStatus_t;
typedef enum { UPI_API_CUBLAS_OPERATIONS (UPI_API_ENUMERATOR) } cublasOperation_t;
typedef enum { UPI_API_CUBLAS_COMPUTE (UPI_API_ENUMERATOR) } cublasComputeType_t;
typedef enum { UPI_API_MATMUL_DESC (UPI_API_ENUMERATOR) } cublasLtMatmulDescAttributes_t;
typedef enum { UPI_API_MATRIX_LAYOUT (UPI_API_ENUMERATOR) } cublasLtMatrixLayoutAttribute_t;
typedef enum { UPI_API_MATMUL_PREF (UPI_API_ENUMERATOR) } cublasLtMatmulPreferenceAttributes_t;
typedef enum { UPI_API_EPILOGUES (UPI_API_ENUMERATOR) } cublasLtEpilogue_t;
typedef enum { UPI_API_CUDNN_STATUS (UPI_API_ENUMERATOR) } cudnnStatus_t;
typedef enum { UPI_API_CUDNN_DATA (UPI_API_ENUMERATOR) } cudnnDataType_t;
typedef enum { UPI_API_CUDNN_DESCRIPTORS (UPI_API_ENUMERATOR) } cudnnBackendDescriptorType_t;
typedef enum { UPI_API_CUDNN_TYPES (UPI_API_ENUMERATOR) } cudnnBackendAttributeType_t;
typedef enum { UPI_API_CUDNN_CONVOLUTION_MODES (UPI_API_ENUMERATOR) } cudnnConvolutionMode_t;
typedef enum { UPI_API_CUDNN_HEUR_MODES (UPI_API_ENUMERATOR) } cudnnBackendHeurMode_t;
typedef enum { UPI_API_CUDNN_NOTES (UPI_API_ENUMERATOR) } cudnnBackendNumericalNote_t;
typedef enum { UPI_API_CUDNN_POINTWISE_MODES (UPI_API_ENUMERATOR) } cudnnPointwiseMode_t;
typedef enum { UPI_API_CUDNN_ATTRIBUTES (UPI_API_ENUMERATOR) } cudnnBackendAttributeName_t;
enum { UPI_API_FLAGS (UPI_API_ENUMERATOR) };
#undef UPI_API_ENUMERATOR

typedef struct dim3 {
  unsigned int x, y, z;
#ifdef __cplusplus
  dim3 (unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x (x_), y (y_), z (z_)
  {
  }
#endif
} dim3;

typedef enum { CUDA_SUCCESS = 0 } CUresult;
typedef struct CUctx_st *CUcontext;
typedef int CUdevice;
typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

struct cudaDeviceProp {
  char name[256];
  char rest[3840]; /* more than any toolkit has: only `name` is read */
};

typedef struct cublasLtContext *cublasLtHandle_t;
typedef struct cublasLtMatmulDescOpaque_t *cublasLtMatmulDesc_t;
typedef struct cublasLtMatrixLayoutOpaque_t *cublasLtMatrixLayout_t;
typedef struct cublasLtMatmulPreferenceOpaque_t *cublasLtMatmulPreference_t;
typedef struct {
  uint64_t data[8];
} cublasLtMatmulAlgo_t;
typedef struct {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
} cublasLtMatmulHeuristicResult_t;

typedef struct cudnnContext *cudnnHandle_t;
typedef void *cudnnBackendDescriptor_t;

#endif

/* Functions. */

cudaError_t cudaGetDeviceCount (int *count);
cudaError_t cudaDeviceGetAttribute (int *value, enum cudaDeviceAttr attribute, int device);
cudaError_t cudaGetDeviceProperties (struct cudaDeviceProp *properties, int device);
cudaError_t cudaDriverGetVersion (int *version);
cudaError_t cudaRuntimeGetVersion (int *version);
cudaError_t cudaMemGetInfo (size_t *free_bytes, size_t *total);
cudaError_t cudaGetLastError (void);
const char *cudaGetErrorName (cudaError_t error);
const char *cudaGetErrorString (cudaError_t error);
cudaError_t cudaMalloc (void **pointer, size_t bytes);
cudaError_t cudaFree (void *pointer);
cudaError_t cudaHostAlloc (void **pointer, size_t bytes, unsigned int flags);
cudaError_t cudaFreeHost (void *pointer);
cudaError_t cudaMemcpyAsync (void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync (void *to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags (cudaStream_t *stream, unsigned int flags);
cudaError_t cudaStreamDestroy (cudaStream_t stream);
cudaError_t cudaStreamSynchronize (cudaStream_t stream);
cudaError_t cudaStreamWaitEvent (cudaStream_t stream, cudaEvent_t event, unsigned int flags);
cudaError_t cudaEventCreateWithFlags (cudaEvent_t *event, unsigned int flags);
cudaError_t cudaEventDestroy (cudaEvent_t event);
cudaError_t cudaEventRecord (cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize (cudaEvent_t event);
cudaError_t cudaEventElapsedTime (float *milliseconds, cudaEvent_t start, cudaEvent_t end);
cudaError_t cudaStreamBeginCapture (cudaStream_t stream, enum cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture (cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate (cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch (cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy (cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy (cudaGraphExec_t exec);
cudaError_t cudaFuncSetAttribute (const void *function, enum cudaFuncAttribute attribute, int value);
cudaError_t
cudaLaunchKernel (const void *function, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream);

/* of the driver */
CUresult cuDeviceGet (CUdevice *device, int ordinal);
CUresult cuDevicePrimaryCtxRetain (CUcontext *context, CUdevice device);
CUresult cuCtxGetCurrent (CUcontext *context);
CUresult cuCtxSetCurrent (CUcontext context);

cublasStatus_t cublasLtCreate (cublasLtHandle_t *handle);
cublasStatus_t cublasLtDestroy (cublasLtHandle_t handle);
const char *cublasLtGetStatusString (cublasStatus_t status);
cublasStatus_t cublasLtMatmulDescCreate (cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale);
cublasStatus_t cublasLtMatmulDescDestroy (cublasLtMatmulDesc_t desc);
cublasStatus_t cublasLtMatmulDescSetAttribute (
    cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes);
cublasStatus_t cublasLtMatrixLayoutCreate (
    cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld);
cublasStatus_t cublasLtMatrixLayoutDestroy (cublasLtMatrixLayout_t layout);
cublasStatus_t cublasLtMatrixLayoutSetAttribute (
    cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, const void *value, size_t bytes);
cublasStatus_t cublasLtMatmulPreferenceCreate (cublasLtMatmulPreference_t *preference);
cublasStatus_t cublasLtMatmulPreferenceDestroy (cublasLtMatmulPreference_t preference);
cublasStatus_t cublasLtMatmulPreferenceSetAttribute (cublasLtMatmulPreference_t preference,
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t bytes);
cublasStatus_t cublasLtMatmulAlgoGetHeuristic (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
    cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t preference, int wanted, cublasLtMatmulHeuristicResult_t results[], int *found);
cublasStatus_t cublasLtMatmul (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
    cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
    cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
    void *workspace, size_t workspace_bytes, cudaStream_t stream);

cudnnStatus_t cudnnCreate (cudnnHandle_t *handle);
cudnnStatus_t cudnnDestroy (cudnnHandle_t handle);
cudnnStatus_t cudnnSetStream (cudnnHandle_t handle, cudaStream_t stream);
const char *cudnnGetErrorString (cudnnStatus_t status);
void cudnnGetLastErrorString (char *message, size_t max_size);
cudnnStatus_t cudnnBackendCreateDescriptor (cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *descriptor);
cudnnStatus_t cudnnBackendDestroyDescriptor (cudnnBackendDescriptor_t descriptor);
cudnnStatus_t cudnnBackendSetAttribute (cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
    cudnnBackendAttributeType_t type, int64_t count, const void *elements);
cudnnStatus_t cudnnBackendGetAttribute (cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
    cudnnBackendAttributeType_t type, int64_t requested, int64_t *count, void *elements);
cudnnStatus_t cudnnBackendFinalize (cudnnBackendDescriptor_t descriptor);
cudnnStatus_t cudnnBackendExecute (cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack);

#ifdef __cplusplus
}
#endif
