/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the cuda backend run: a program in which every way of running an operation occurs, and a path of
 * values that stay on the device. */
#pragma once

#include "core/backends/backend.h"
#include "core/upi.h"
#include "tests/cuda/device/device-testing.h"

G_BEGIN_DECLS

const UpiBackend *upi_backend_cuda (const gchar *name, GError **error);

enum { WIDTH = 16, TOKENS = 12 };

/* What is bound to the program. */
typedef struct {
  gfloat image[8 * 6 * 4], cache[20 * WIDTH], products[TOKENS * TOKENS], sum[WIDTH];
  gint32 start;
} BackendMemory;

UpiProgram *backend_program (void);
void backend_memory_init (BackendMemory *memory, gfloat phase);
void backend_bind (UpiContext *context, BackendMemory *memory);
/* The same on ref. */
void backend_run_ref (BackendMemory *memory);
/* Normalised mean squared error. */
gdouble backend_difference (const gfloat *a, const gfloat *b, gsize n);
void backend_assert_same (const BackendMemory *found, const BackendMemory *expected, gdouble tolerance);
/* Opens, runs `runs` times, closes. FALSE and the first error. */
gboolean backend_whole_path (const gchar *device, guint runs, BackendMemory *memory, GError **error);
/* The same for what stays on the device: frames of a batch in, kept outputs, a copy, back to the host. result: [32, 32,
 * 3] */
gboolean backend_resident_path (const gchar *device, gfloat *result, GError **error);

G_END_DECLS
