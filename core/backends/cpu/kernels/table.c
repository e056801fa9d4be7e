/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The function table of one instruction set. */
#include "core/backends/cpu/kernels/gemm.h"

#define QUOTE2(x) #x
#define QUOTE(x) QUOTE2 (x)
#define DECLARE(name) void KERNEL (name) (const UpiStep *s, gint begin, gint end, void *scratch);

#define UPI_OP(KIND, name, ...) DECLARE (name)
#include "core/program/ops.def"
DECLARE (depthwise)

const UpiCpuKernels KERNEL (kernels) = {
  .isa = QUOTE (UPI_CPU_ISA),
  .gemm_packed = KERNEL (gemm_packed),
  .gemm_pack = KERNEL (gemm_pack),
  .gemm = KERNEL (gemm),
  .depthwise = KERNEL (depthwise),
  .kernel = {
#define UPI_OP(KIND, name, ...) [UPI_OP_##KIND] = KERNEL (name),
#include "core/program/ops.def"
  },
};
