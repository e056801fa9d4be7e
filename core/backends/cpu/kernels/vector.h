/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernels share beside the vectors themselves: names of one instruction set's build, and activations. */
#pragma once

#include "core/backends/cpu/kernels/kernels.h"
#include "core/vectors/vector.h"

#define UPI_JOIN2(a, b) a##_##b
#define UPI_JOIN(a, b) UPI_JOIN2 (a, b)
/* upi_cpu_gemm_avx512 and so on: names of one instruction set's build. */
#define KERNEL(name) UPI_JOIN (upi_cpu_##name, UPI_CPU_ISA)

/* What is at the end of a tile, while it is in registers; the longer ones go over finished rows. */
INLINE gboolean
act_is_short (UpiAct act)
{
  return act != UPI_ACT_GELU && act != UPI_ACT_SIGMOID;
}

INLINE vf
vhard_sigmoid (vf x)
{
  return vmin (vset (6), vmax (vset (0), x + 3.0f)) * (1.0f / 6); /* a NaN stays one */
}

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
  case UPI_ACT_HARD_SWISH:
    return x * vhard_sigmoid (x);
  case UPI_ACT_HARD_SIGMOID:
    return vhard_sigmoid (x);
  default:
    return x;
  }
}
