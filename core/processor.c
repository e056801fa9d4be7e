/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * processor.c: see processor.h. */
#include "core/processor.h"

static const struct {
  const gchar *name, *title;
} isas[UPI_N_ISAS] = {
  [UPI_ISA_BASELINE] = { "baseline", "baseline" },
  [UPI_ISA_AVX2] = { "avx2", "AVX2" },
  [UPI_ISA_AVX512] = { "avx512", "AVX-512" },
};

UpiIsa
upi_processor_isa (void)
{
#if defined(__x86_64__) || defined(__i386__)
  gboolean avx2 = __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma");

  if (avx2 && __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512vl")
      && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512dq"))
    return UPI_ISA_AVX512;
  if (avx2)
    return UPI_ISA_AVX2;
#endif
  return UPI_ISA_BASELINE;
}

const gchar *
upi_isa_name (UpiIsa isa)
{
  return isas[isa].name;
}

const gchar *
upi_isa_title (UpiIsa isa)
{
  return isas[isa].title;
}
