/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of the cpu backend: one table of functions per instruction set.
 *
 * A kernel computes a range [begin, end) of an operation's units (rows, output rows, queries: cpu.c says which), so
 * that threads can share one operation. scratch is the calling thread's own, UpiCpuState.scratch bytes.
 */
#pragma once

#include "core/backends/steps.h"

G_BEGIN_DECLS

typedef void (*UpiCpuKernel) (const UpiStep *step, gint begin, gint end, void *scratch);

/* C[m,n] = act (A[m,taps·k] · B · scale + bias + residual): convolutions, linear layers, products of two values, parts
 * of attention. B is packed in panels (gemm_pack). With offsets a row of A is gathered, tap by tap: a convolution
 * without im2col. */
typedef struct {
  gint n, k, taps;
  const gfloat *a;
  gssize lda;            /* row stride of A, without offsets */
  const gint32 *offsets; /* [m][taps] elements from a, -1: a row of zeros; NULL: taps is 1 */
  const gfloat *zero;    /* k zeros, with offsets */
  const gfloat *b;       /* panels of [taps·k][width] */
  const gfloat *bias;    /* [n] or NULL */
  gfloat scale;          /* 0 means 1 */
  const gfloat *residual;
  gssize ldr;
  gfloat *c;
  gssize ldc;
  UpiAct act;
} UpiGemm;

typedef struct {
  const gchar *isa;
  /* Floats that gemm_pack writes for [k,n]. */
  gsize (*gemm_packed) (gint k, gint n);
  /* B(k, n) is at b[k * stride_k + n * stride_n]. */
  void (*gemm_pack) (gfloat *packed, const gfloat *b, gssize stride_k, gssize stride_n, gint k, gint n);
  /* Rows [begin, end). */
  void (*gemm) (const UpiGemm *g, gint begin, gint end);
  UpiCpuKernel kernel[UPI_OP_COUNT];
  UpiCpuKernel depthwise;
} UpiCpuKernels;

extern const UpiCpuKernels upi_cpu_kernels_baseline;
extern const UpiCpuKernels upi_cpu_kernels_avx2;
extern const UpiCpuKernels upi_cpu_kernels_avx512;

typedef struct _UpiDnn UpiDnn;
typedef struct _UpiCpuPacked UpiCpuPacked;

/* What the plan keeps of an operation (UpiStep.state); what an operation does not use is NULL. */
typedef struct {
  UpiCpuKernel kernel;
  gint units;      /* of the kernel's work, all of it */
  gint grain;      /* a thread's share is a multiple of it */
  gboolean shared; /* run by all threads of the frame */
  gsize scratch;   /* bytes a thread */
  /* conv, linear: panels, one group after another; depthwise: [kh·kw][C]; resize: weight of the second line [OH + OW];
   * sine: angle per unit of the coordinate [features / 2]; window attention: table [heads][(2·window - 1)²] */
  gfloat *weights;
  UpiCpuPacked *packed; /* linear: whose the weights are, if other plans use them too */
  gsize group_floats;   /* panels of one group */
  gfloat *bias;         /* depthwise: [C], zeros without one */
  gfloat *zero;         /* conv: C / groups zeros; depthwise: C; window attention: a head's width */
  gint32 *offsets; /* conv that gathers: [OH·OW][kh·kw]; resize: source lines, first [OH + OW] and second [OH + OW] */
  gint kernel_height, kernel_width;
  UpiDnn *dnn; /* the library runs it, and the kernel does not */
} UpiCpuState;

#define UPI_CPU_QUERY_BLOCK 32 /* query rows whose scores attention keeps at a time */
/* Floats between rows of window attention's scores: whole vectors of any instruction set. */
static inline gint
upi_cpu_window_stride (gint cells)
{
  return (cells + 15) / 16 * 16;
}

#define UPI_CPU_MAX_SAMPLES 64 /* levels × points of deformable attention */

/* Attention of several items with a query each on one item's keys. */
static inline gboolean
upi_cpu_shares_keys (const UpiStep *s)
{
  return s->in[0].shape.dim[0] > 1 && s->in[0].shape.dim[1] == 1 && s->in[1].shape.dim[0] == 1;
}

G_END_DECLS
