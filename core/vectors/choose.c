/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of what is compiled once per instruction set, that of this machine. */
#include "core/vectors/exponentials.h"

#include "core/processor.h"

const UpiExponentials *
upi_exponentials (void)
{
  static const UpiExponentials *const of_isa[UPI_N_ISAS] = {
    [UPI_ISA_BASELINE] = &upi_exponentials_baseline,
#ifdef UPI_VECTORS_X86
    [UPI_ISA_AVX2] = &upi_exponentials_avx2,
    [UPI_ISA_AVX512] = &upi_exponentials_avx512,
#endif
  };

  return of_isa[upi_processor_isa ()];
}
