/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parity: every operation on every backend against ref. A case is one line of a family's table (cases-*.c); its build
 * function makes a program of that operation with the calls below. The harness builds it densely for ref, and in every
 * variant for the backend under test.
 */
#pragma once

#include "core/backends/backend.h"

G_BEGIN_DECLS

/* How a program's inputs and outputs lie in memory, and how it is run. Bits. */
typedef enum {
  PARITY_DENSE = 0,
  PARITY_STRIDED_INPUTS = 1 << 0, /* slices of larger inputs; what lies between is NaN */
  PARITY_STRIDED_OUTPUTS =
      1 << 1,                /* results are written into a part of a larger output; what lies between must not change */
  PARITY_UNALIGNED = 1 << 2, /* bound memory is aligned to 4 bytes only */
  PARITY_THREADS = 1 << 3,   /* two threads */
  /* The backend computes in 16 bits: inputs and weights are numbers that these can hold, and tolerances as wide as
   * their rounding. */
  PARITY_F16 = 1 << 4,
  PARITY_BF16 = 1 << 5,
  /* Products see 10 bits of the fraction of what they multiply; all else is float32. */
  PARITY_TF32 = 1 << 6,
  PARITY_NARROW = PARITY_F16 | PARITY_BF16 | PARITY_TF32
} ParityVariant;

typedef enum {
  PARITY_FILL_NORMAL,    /* about ±scale */
  PARITY_FILL_UNIT,      /* 0..1, both ends included now and then */
  PARITY_FILL_TIES,      /* few different values, so that many are equal */
  PARITY_FILL_WIDE,      /* normal, with some ±100·scale among them */
  PARITY_FILL_ZERO_ROWS, /* normal, but every third row is 0 */
  PARITY_FILL_BROKEN     /* normal, NaN and both infinities */
} ParityFill;

typedef struct _Parity Parity;

UpiProgram *parity_program (Parity *parity);
/* Names the case from its numbers. */
void parity_name (Parity *parity, const gchar *format, ...) G_GNUC_PRINTF (2, 3);
UpiValue parity_input (Parity *parity, UpiShape shape, ParityFill fill, gfloat scale);
/* lo .. hi inclusive */
UpiValue parity_ints (Parity *parity, UpiShape shape, gint lo, gint hi);
UpiValue parity_weight (Parity *parity, UpiShape shape, gfloat scale);
void parity_output (Parity *parity, UpiValue value);

/* A family: one operation's cases. */
typedef struct {
  const gchar *name;
  const void *cases;
  guint n_cases;
  gsize case_size;
  gdouble tolerance; /* normalised mean squared error; 0: every bit equal */
  void (*build) (Parity *parity, const void *c);
} ParityFamily;

/* Big cases are measured by --bench and run in the dense variant alone. Each table has this as its first member. */
typedef gboolean ParityBig;

extern const ParityFamily parity_matrix_families[];
extern const guint parity_n_matrix_families;
extern const ParityFamily parity_row_families[];
extern const guint parity_n_row_families;
extern const ParityFamily parity_score_families[];
extern const guint parity_n_score_families;

const void *parity_family_case (const ParityFamily *family, guint index);
gboolean parity_case_is_big (const ParityFamily *family, guint index);
/* (transfer full): "conv2d/n1 17x33x24 ..." */
gchar *parity_case_name (const ParityFamily *family, guint index);
/* (transfer full): a case's program, its inputs filled. */
Parity *parity_build (const ParityFamily *family, guint index, ParityVariant variant);
/* (transfer full): plan and context of the built program, buffers bound. Once a case: the plan takes its program. */
UpiContext *parity_open (Parity *parity, const UpiBackend *backend, guint threads, UpiPlan **plan);
void parity_free (Parity *parity);
/* Builds, runs and compares; g_test fails with what differs. */
void parity_check (const UpiBackend *backend, const ParityFamily *family, guint index, ParityVariant variant);
/* What share of the hardware's peak a run of the plan is whose operations took these times, in words; NULL where the
 * backend knows no peak. An operation is bound by what takes longer at the peak's rates: its bytes, or its
 * arithmetic. */
gchar *parity_share_of_peak (const UpiPlan *plan, const gdouble *microseconds);
/* Prints one line: `name`, time, GB/s, GFLOP/s, share of the peak. */
void
parity_bench (const UpiBackend *backend, const ParityFamily *family, guint index, const gchar *name, guint threads);

G_END_DECLS
