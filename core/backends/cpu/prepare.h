/* From an operation to what the plan keeps of it. */
#pragma once

#include "core/backends/cpu/kernels/kernels.h"

G_BEGIN_DECLS

/* Fills a zeroed state. library: convolutions and linear layers may go to oneDNN. FALSE and an error for what no kernel can do. */
gboolean upi_cpu_prepare (UpiCpuState *state, const UpiCpuKernels *kernels, gboolean library, const UpiStep *step, GError **error);
void upi_cpu_state_free (UpiCpuState *state);

G_END_DECLS
