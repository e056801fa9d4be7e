/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an operation to what the plan keeps of it. */
#pragma once

#include "core/backends/cpu/kernels/kernels.h"

G_BEGIN_DECLS

/* Fills a zeroed state. library: convolutions and linear layers may go to oneDNN. FALSE and an error for what no kernel
 * can do. */
/* shared: linear layers' weights are packed once for all plans that use them, and stay with the backend's own
 * product. */
gboolean upi_cpu_prepare (UpiCpuState *state, const UpiCpuKernels *kernels, gboolean library, gboolean shared,
    const UpiStep *step, GError **error);
void upi_cpu_state_free (UpiCpuState *state);

/* weights.c */

/* w [out, in] → panels of the product; the source stays as it is as long as somebody holds them. */
UpiCpuPacked *
upi_cpu_packed_get (const UpiCpuKernels *kernels, const gfloat *source, gint in, gint out, GError **error);
gfloat *upi_cpu_packed_panels (const UpiCpuPacked *packed);
void upi_cpu_packed_unref (UpiCpuPacked *packed);
/* Weights that are packed now. */
guint upi_cpu_packed_count (void);

G_END_DECLS
