/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cpu backend's variants, for the engine's description of the device and for tests: every instruction set that the
 * machine has, with and without oneDNN. upi_backend_cpu() is the best one. */
#pragma once

#include "core/processor.h"
#include "core/backends/backend.h"

G_BEGIN_DECLS

/* NULL if the machine does not run it, or library is TRUE and the backend was built without oneDNN. */
const UpiBackend *upi_backend_cpu_with_isa (UpiIsa isa, gboolean library);
/* What runs an operation of a cpu plan: an own kernel's instruction set, "avx512", or oneDNN's implementation,
 * "brgconv:avx512_core". */
const gchar *upi_cpu_implementation (const UpiPlan *plan, guint op);
/* The processor's name as the system gives it, and the instruction set in use: "AMD EPYC (avx512)". (transfer full) */
gchar *upi_cpu_description (void);
/* Floating-point operations a second of the library's (without oneDNN: the backend's own) product of two n × n matrices
 * on this thread: what a core can do, to measure networks against. The best of `repeats`, by the thread's processor
 * time. */
gdouble upi_cpu_sgemm_rate (guint n, guint repeats);

G_END_DECLS
