/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The matrix product of the same instruction set, for kernels that are built from it. */
#pragma once

#include "core/backends/cpu/kernels/vector.h"

gsize KERNEL (gemm_packed) (gint k, gint n);
void KERNEL (gemm_pack) (gfloat *packed, const gfloat *b, gssize stride_k, gssize stride_n, gint k, gint n);
void KERNEL (gemm) (const UpiGemm *g, gint begin, gint end);
