/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running one program with its inputs and outputs in memory, and holding numbers against a reference. */
#pragma once

#include "core/backends/backend.h"

G_BEGIN_DECLS

typedef struct _GoldenRun GoldenRun;

/* Finishes and prepares the program; every input and output gets zeroed memory. Fails the test on error. program:
 * (transfer full) */
GoldenRun *golden_run_new (const UpiBackend *backend, UpiProgram *program);
void golden_run_free (GoldenRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GoldenRun, golden_run_free)
/* Memory of an input or output by name, and its elements. */
gpointer golden_run_buffer (GoldenRun *run, const gchar *name, gsize *count);
/* Binds other memory instead. */
void golden_run_bind (GoldenRun *run, const gchar *name, gpointer data);
void golden_run (GoldenRun *run);

/* Normalised mean squared error: Σ (a - b)² / Σ b². */
gdouble golden_nmse (const gfloat *a, const gfloat *b, gsize count);
/* Fails unless nmse ≤ tolerance; says which tensor it was. */
void golden_check (const gchar *name, gdouble nmse, gdouble tolerance);

/* How the reference (PyTorch) lays a tensor out, seen from our rows. */
typedef enum {
  GOLDEN_ROWS,  /* as we do */
  GOLDEN_MAP,   /* [C,H,W], ours [H,W,C] */
  GOLDEN_HEADS, /* [M,T,D/M], ours [T,D] */
} GoldenLayout;
/* Element of our layout that the reference has at flat index; shape is the reference's. */
gsize golden_index (GoldenLayout layout, const gint64 *shape, gsize flat);

/* Indices of the best scores hold against the reference's: the same but where two scores are nearly equal. */
void golden_check_index (const gint32 *index, const gint32 *expected, gsize count, const gfloat *scores);

/* Whether a backend is to be tested and there: ref and cpu, or those that $UPI_TEST_BACKENDS lists ("cuda"). */
gboolean golden_wants (const gchar *backend);
/* Adds a test that is skipped and says why, if the only backend wanted is not there. */
void golden_skip_missing (const gchar *path);

G_END_DECLS
