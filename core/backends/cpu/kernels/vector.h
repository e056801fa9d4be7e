/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernels share beside the vectors themselves: names of one instruction set's build, and activations. */
#pragma once

#include "core/backends/cpu/kernels/kernels.h"
#include "core/vectors/vector.h"

#define UPI_JOIN2(a, b) a##_##b
#define UPI_JOIN(a, b) UPI_JOIN2 (a, b)
/* upi_cpu_gemm_avx512 and so on: names of one instruction set's build. */
#define KERNEL(name) UPI_JOIN (upi_cpu_##name, UPI_CPU_ISA)

INLINE vf
vactivate (vf x, UpiAct act)
{
  switch (act) {
  case UPI_ACT_RELU:
    return vmax (x, vset (0));
  case UPI_ACT_RELU6:
    return vmin (vmax (x, vset (0)), vset (6));
  case UPI_ACT_GELU:
    return 0.5f * x * (1.0f + verf (x * 0.70710678118654752f));
  case UPI_ACT_SIGMOID:
    return 1.0f / (1.0f + vexp (-x));
  default:
    return x;
  }
}
