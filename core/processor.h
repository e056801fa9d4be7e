/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * processor.h: what this processor can do. It is asked here and nowhere else. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Sets of instructions that kernels are compiled for, each with all of those before it. */
typedef enum {
  UPI_ISA_BASELINE,
  UPI_ISA_AVX2,   /* with FMA; every such processor has F16C */
  UPI_ISA_AVX512, /* F, VL, BW and DQ */
  UPI_N_ISAS
} UpiIsa;

/* The largest set that processor and operating system have. */
UpiIsa upi_processor_isa (void);
/* "baseline", "avx2", "avx512" */
const gchar *upi_isa_name (UpiIsa isa);
/* For users: "baseline", "AVX2", "AVX-512" */
const gchar *upi_isa_title (UpiIsa isa);

G_END_DECLS
