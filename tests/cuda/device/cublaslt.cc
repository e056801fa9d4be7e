/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device's cuBLASLt: products with the epilogues that the backend uses, over plain loops.
 *
 * Stricter than the real one: sizes, strides and alignments are checked against what was said to the heuristic, memory
 * against live allocations, C is read only if beta is not 0 and must not overlap D unless it is D, the workspace is
 * written to. */
#include "tests/cuda/device/device.h"
#include "tests/cuda/device/numbers.h"

#include <cstring>

using namespace upi_device;

struct cublasLtContext {
  const CUctx_st *context;
};

struct cublasLtMatmulDescOpaque_t {
  bool tf32;
  int transpose_a, transpose_b;
  uint32_t epilogue;
  const void *bias;
};

struct cublasLtMatrixLayoutOpaque_t {
  Type type;
  int64_t rows, cols, ld, stride;
  int batch;
};

struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t workspace;
  uint32_t align[4];
};

/* What an algorithm was chosen for. */
struct Algo {
  uint32_t magic, align[4];
};
static constexpr uint32_t magic = 0x75706921;
static constexpr size_t workspace_bytes = 512;

static bool
type_of (cudaDataType_t type, Type *to)
{
  *to = type == CUDA_R_16F ? Type::f16 : type == CUDA_R_16BF ? Type::bf16 : Type::f32;
  return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

cublasStatus_t
cublasLtCreate (cublasLtHandle_t *handle)
{
  cublasStatus_t status = call_cublas ("cublasLtCreate");

  *handle = nullptr;
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  *handle = new cublasLtContext{ current_context () };
  count_made ();
  return status;
}

cublasStatus_t
cublasLtDestroy (cublasLtHandle_t handle)
{
  check_context (handle->context, "cublasLtDestroy");
  delete handle;
  count_gone ();
  return call_cublas ("cublasLtDestroy");
}

const char *
cublasLtGetStatusString (cublasStatus_t status)
{
  switch (status) {
#define NAME(name, value)                                                                                              \
  case name:                                                                                                           \
    return #name;
    UPI_API_CUBLAS_STATUS (NAME)
#undef NAME
  }
  return "unknown status";
}

cublasStatus_t
cublasLtMatmulDescCreate (cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale)
{
  cublasStatus_t status = call_cublas ("cublasLtMatmulDescCreate");

  *desc = nullptr;
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (scale != CUDA_R_32F)
    return CUBLAS_STATUS_INVALID_VALUE;
  *desc = new cublasLtMatmulDescOpaque_t{ compute == CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_OP_N, CUBLAS_OP_N,
    CUBLASLT_EPILOGUE_DEFAULT, nullptr };
  count_made ();
  return status;
}

cublasStatus_t
cublasLtMatmulDescDestroy (cublasLtMatmulDesc_t desc)
{
  delete desc;
  count_gone ();
  return call_cublas ("cublasLtMatmulDescDestroy");
}

template <typename T>
static cublasStatus_t
take (T *to, const void *value, size_t bytes)
{
  if (bytes != sizeof *to)
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy (to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t
cublasLtMatmulDescSetAttribute (
    cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes)
{
  cublasStatus_t status = call_cublas ("cublasLtMatmulDescSetAttribute");

  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  switch (attribute) {
  case CUBLASLT_MATMUL_DESC_TRANSA:
    return take (&desc->transpose_a, value, bytes);
  case CUBLASLT_MATMUL_DESC_TRANSB:
    return take (&desc->transpose_b, value, bytes);
  case CUBLASLT_MATMUL_DESC_EPILOGUE:
    return take (&desc->epilogue, value, bytes);
  case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
    return take (&desc->bias, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t
cublasLtMatrixLayoutCreate (cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)
{
  cublasStatus_t status = call_cublas ("cublasLtMatrixLayoutCreate");
  Type element;

  *layout = nullptr;
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (!type_of (type, &element) || rows == 0 || cols == 0 || ld < (int64_t) rows)
    return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t{ element, (int64_t) rows, (int64_t) cols, ld, 0, 1 };
  count_made ();
  return status;
}

cublasStatus_t
cublasLtMatrixLayoutDestroy (cublasLtMatrixLayout_t layout)
{
  delete layout;
  count_gone ();
  return call_cublas ("cublasLtMatrixLayoutDestroy");
}

cublasStatus_t
cublasLtMatrixLayoutSetAttribute (
    cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, const void *value, size_t bytes)
{
  cublasStatus_t status = call_cublas ("cublasLtMatrixLayoutSetAttribute");

  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  switch (attribute) {
  case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
    return take (&layout->batch, value, bytes);
  case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
    return take (&layout->stride, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t
cublasLtMatmulPreferenceCreate (cublasLtMatmulPreference_t *preference)
{
  cublasStatus_t status = call_cublas ("cublasLtMatmulPreferenceCreate");

  *preference = nullptr;
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  *preference = new cublasLtMatmulPreferenceOpaque_t{ 0, { 256, 256, 256, 256 } };
  count_made ();
  return status;
}

cublasStatus_t
cublasLtMatmulPreferenceDestroy (cublasLtMatmulPreference_t preference)
{
  delete preference;
  count_gone ();
  return call_cublas ("cublasLtMatmulPreferenceDestroy");
}

cublasStatus_t
cublasLtMatmulPreferenceSetAttribute (cublasLtMatmulPreference_t preference,
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t bytes)
{
  cublasStatus_t status = call_cublas ("cublasLtMatmulPreferenceSetAttribute");

  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return take (&preference->workspace, value, bytes);
  return take (&preference->align[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
}

/* Whether op (A) [m, k] · op (B) [k, n] fits C and D. */
static bool
fits (const cublasLtMatmulDescOpaque_t *desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
    cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
  int64_t m = desc->transpose_a ? a->cols : a->rows, k = desc->transpose_a ? a->rows : a->cols;
  int64_t k2 = desc->transpose_b ? b->cols : b->rows, n = desc->transpose_b ? b->rows : b->cols;

  return k == k2 && d->rows == m && d->cols == n && c->rows == m && c->cols == n && a->type == b->type
      && a->type == c->type && a->type == d->type && a->batch == b->batch && a->batch == c->batch
      && a->batch == d->batch;
}

cublasStatus_t
cublasLtMatmulAlgoGetHeuristic (cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
    int wanted, cublasLtMatmulHeuristicResult_t results[], int *found)
{
  cublasStatus_t status = call_cublas ("cublasLtMatmulAlgoGetHeuristic");
  Algo algo = { magic, { 0 } };

  *found = 0;
  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (wanted < 1 || !fits (desc, a, b, c, d))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!has_algorithms () || (!has_engines () && !(desc->epilogue == CUBLASLT_EPILOGUE_DEFAULT && c->ld == d->ld)))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  std::memcpy (algo.align, preference->align, sizeof algo.align);
  std::memset (&results[0], 0, sizeof results[0]);
  std::memcpy (&results[0].algo, &algo, sizeof algo);
  results[0].workspaceSize = preference->workspace >= workspace_bytes ? workspace_bytes : 0;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

/* The matrix on the device's own view, checked. */
static char *
matrix (const void *pointer, const cublasLtMatrixLayoutOpaque_t *layout, uint32_t align, const char *name)
{
  int64_t elements = (layout->batch - 1) * layout->stride + (layout->cols - 1) * layout->ld + layout->rows;
  uintptr_t bits = (uintptr_t) pointer | (uintptr_t) (layout->cols > 1 ? layout->ld : 0) * type_bytes (layout->type);

  if (bits % align != 0)
    die ("cublasLtMatmul: %s at %p with rows of %lld is not aligned to %u bytes, as the algorithm was told", name,
        pointer, (long long) layout->ld, align);
  return (char *) executor (pointer, (size_t) elements * type_bytes (layout->type), name);
}

cublasStatus_t
cublasLtMatmul (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
    cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
    cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *chosen,
    void *workspace, size_t bytes, cudaStream_t stream)
{
  Guard guard (lock);
  cublasStatus_t status = call_cublas ("cublasLtMatmul");
  cublasLtMatmulDescOpaque_t how = *desc;
  cublasLtMatrixLayoutOpaque_t al = *a_layout, bl = *b_layout, cl = *c_layout, dl = *d_layout;
  float scale = *(const float *) alpha, add = *(const float *) beta;
  const char *am, *bm, *cm = nullptr;
  char *dm, *room = nullptr;
  Algo algo;

  if (status != CUBLAS_STATUS_SUCCESS)
    return status;
  std::memcpy (&algo, chosen, sizeof algo);
  if (algo.magic != magic || handle->context != current_context ()
      || !fits (desc, a_layout, b_layout, c_layout, d_layout))
    return CUBLAS_STATUS_INVALID_VALUE;
  am = matrix (a, &al, algo.align[0], "cublasLtMatmul, A");
  bm = matrix (b, &bl, algo.align[1], "cublasLtMatmul, B");
  dm = matrix (d, &dl, algo.align[3], "cublasLtMatmul, D");
  if (add != 0) {
    cm = matrix (c, &cl, algo.align[2], "cublasLtMatmul, C");
    if (cm == dm && (cl.ld != dl.ld || cl.stride != dl.stride))
      die ("cublasLtMatmul: C is D with another layout");
  }
  if (how.bias)
    how.bias = executor (how.bias, (size_t) dl.rows * type_bytes (dl.type), "cublasLtMatmul, bias");
  if (bytes > 0)
    room = (char *) executor (workspace, bytes, "cublasLtMatmul, workspace");
  auto run = [=] {
    int64_t m = dl.rows, n = dl.cols, k = how.transpose_a ? al.rows : al.cols;
    std::vector<float> left ((size_t) (m * k)), right ((size_t) k);

    if (room)
      std::memset (room, 0xff, bytes);
    for (int z = 0; z < dl.batch; z++) {
      for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++) {
          float value = load (am, al.type, z * al.stride + (how.transpose_a ? i * al.ld + l : l * al.ld + i));
          left[(size_t) (i * k + l)] = how.tf32 ? tf32 (value) : value;
        }
      for (int64_t j = 0; j < n; j++) {
        for (int64_t l = 0; l < k; l++) {
          float value = load (bm, bl.type, z * bl.stride + (how.transpose_b ? l * bl.ld + j : j * bl.ld + l));
          right[(size_t) l] = how.tf32 ? tf32 (value) : value;
        }
        for (int64_t i = 0; i < m; i++) {
          float value = scale * dot (&left[(size_t) (i * k)], right.data (), k);

          if (add != 0)
            value += add * load (cm, cl.type, z * cl.stride + j * cl.ld + i);
          if (how.epilogue & CUBLASLT_EPILOGUE_BIAS)
            value += load (how.bias, dl.type, i);
          if (how.epilogue & CUBLASLT_EPILOGUE_RELU)
            value = value > 0 ? value : 0;
          store (dm, dl.type, z * dl.stride + j * dl.ld + i, value);
        }
      }
    }
  };
  return enqueue (stream, { "cublasLtMatmul", run }) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                                    : CUBLAS_STATUS_EXECUTION_FAILED;
}
