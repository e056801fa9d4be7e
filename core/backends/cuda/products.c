/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Matrix products through cuBLASLt, with bias, ReLU and an added matrix in the epilogue. */
#include "core/backends/cuda/cuda.h"

#define MAX_WORKSPACE ((gsize) 8 * 1024 * 1024)

static const cudaDataType_t data_types[] = {
  [UPI_CUDA_F32] = CUDA_R_32F, [UPI_CUDA_F16] = CUDA_R_16F, [UPI_CUDA_BF16] = CUDA_R_16BF
};

static gboolean
layout_new (UpiCudaDevice *device, UpiCudaType type, gint rows, gint columns, gint ld, gint batch, gint64 stride,
    cublasLtMatrixLayout_t *layout, GError **error)
{
  gint32 count = batch;

  /* A matrix of one column has any stride; what is passed must still be as large as a column. */
  return UPI_BLAS (device,
             cublasLtMatrixLayoutCreate (layout, data_types[type], (guint64) rows, (guint64) columns, MAX (ld, rows)),
             error)
      && (batch == 1
          || (UPI_BLAS (device,
                  cublasLtMatrixLayoutSetAttribute (*layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
                  error)
              && UPI_BLAS (device,
                  cublasLtMatrixLayoutSetAttribute (
                      *layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride),
                  error)));
}

static gboolean
set_epilogue (UpiCudaDevice *device, const UpiCudaProduct *p, const UpiCudaProductShape *s, GError **error)
{
  guint32 epilogue = s->bias != NULL ? (s->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                     : (s->relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT);

  return UPI_BLAS (device,
             cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue), error)
      && (s->bias == NULL
          || UPI_BLAS (device,
              cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &s->bias, sizeof s->bias),
              error));
}

static gboolean
set_preference (
    UpiCudaDevice *device, cublasLtMatmulPreference_t preference, const UpiCudaProductShape *s, GError **error)
{
  const struct {
    cublasLtMatmulPreferenceAttributes_t attribute;
    guint32 bytes;
  } alignments[] = {
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, s->align_a },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, s->align_b },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, s->align_c },
    { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, s->align_d },
  };
  guint64 workspace = MAX_WORKSPACE;

  for (guint i = 0; i < G_N_ELEMENTS (alignments); i++) {
    if (!UPI_BLAS (device,
            cublasLtMatmulPreferenceSetAttribute (
                preference, alignments[i].attribute, &alignments[i].bytes, sizeof alignments[i].bytes),
            error))
      return FALSE;
  }
  return UPI_BLAS (device,
      cublasLtMatmulPreferenceSetAttribute (
          preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace),
      error);
}

/* *found: whether there is an algorithm. */
static gboolean
choose (UpiCudaDevice *device, UpiCudaProduct *p, const UpiCudaProductShape *s, gboolean *found, GError **error)
{
  cublasLtMatmulPreference_t preference = NULL;
  cublasLtMatmulHeuristicResult_t result = { 0 };
  cublasStatus_t status;
  gint n = 0;
  gboolean ok = UPI_BLAS (device, cublasLtMatmulPreferenceCreate (&preference), error)
      && set_preference (device, preference, s, error);

  *found = FALSE;
  if (ok) {
    status = cublasLtMatmulAlgoGetHeuristic (device->blas, p->desc, p->a, p->b, p->c, p->d, preference, 1, &result, &n);
    /* "not supported" is an answer, not a failure */
    ok = status == CUBLAS_STATUS_NOT_SUPPORTED
        || upi_cuda_check_blas (device, status, "cublasLtMatmulAlgoGetHeuristic", G_STRLOC, error);
    *found = status == CUBLAS_STATUS_SUCCESS && n > 0 && result.state == CUBLAS_STATUS_SUCCESS;
    p->algo = result.algo;
    p->workspace = result.workspaceSize;
  }
  if (preference != NULL)
    cublasLtMatmulPreferenceDestroy (preference);
  return ok;
}

gboolean
upi_cuda_product_new (UpiCudaDevice *device, UpiCudaType type, gboolean tf32, const UpiCudaProductShape *s,
    UpiCudaProduct **product, GError **error)
{
  UpiCudaProduct *p = g_new0 (UpiCudaProduct, 1);
  const cublasComputeType_t compute = tf32 && type == UPI_CUDA_F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const gint32 transposed = CUBLAS_OP_T;
  gboolean found = FALSE, ok;

  p->alpha = s->alpha;
  p->beta = s->add ? 1 : 0;
  ok = UPI_BLAS (device, cublasLtMatmulDescCreate (&p->desc, compute, CUDA_R_32F), error)
      && (!s->transpose_a
          || UPI_BLAS (device,
              cublasLtMatmulDescSetAttribute (p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
              error))
      && layout_new (device, type, s->transpose_a ? s->k : s->m, s->transpose_a ? s->m : s->k, s->lda, s->batch,
          s->stride_a, &p->a, error)
      && layout_new (device, type, s->k, s->n, s->ldb, s->batch, s->stride_b, &p->b, error)
      && layout_new (device, type, s->m, s->n, s->add ? s->ldc : s->ldd, s->batch, s->add ? s->stride_c : s->stride_d,
          &p->c, error)
      && layout_new (device, type, s->m, s->n, s->ldd, s->batch, s->stride_d, &p->d, error)
      && set_epilogue (device, p, s, error) && choose (device, p, s, &found, error);
  if (!ok || !found)
    g_clear_pointer (&p, upi_cuda_product_free);
  *product = p;
  return ok;
}

void
upi_cuda_product_free (UpiCudaProduct *p)
{
  cublasLtMatrixLayout_t layouts[] = { p->a, p->b, p->c, p->d };

  for (guint i = 0; i < G_N_ELEMENTS (layouts); i++) {
    if (layouts[i] != NULL)
      cublasLtMatrixLayoutDestroy (layouts[i]);
  }
  if (p->desc != NULL)
    cublasLtMatmulDescDestroy (p->desc);
  g_free (p);
}

gboolean
upi_cuda_product_run (UpiCudaDevice *device, const UpiCudaProduct *p, const void *a, const void *b, const void *c,
    void *d, void *workspace, cudaStream_t stream, GError **error)
{
  return UPI_BLAS (device,
      cublasLtMatmul (device->blas, p->desc, &p->alpha, a, p->a, b, p->b, &p->beta, c != NULL ? c : d, p->c, d, p->d,
          &p->algo, p->workspace > 0 ? workspace : NULL, p->workspace, stream),
      error);
}
