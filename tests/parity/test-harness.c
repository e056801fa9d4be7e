/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The harness must see what it is there for: a backend that is ref but for one fault, run in a subprocess, has to
 * fail. */

#include "tests/parity/parity.h"

#include "core/backends/steps.h"
#include "core/upi.h"

#include <math.h>

typedef enum { FAULT_NONE, FAULT_VALUE, FAULT_NAN, FAULT_BEFORE, FAULT_BEHIND, FAULT_INPUT, FAULT_READS_BETWEEN } Fault;

static const UpiStepFuncs *ref_funcs (void);

/* Runs the operation as ref does, then does its fault to the result of the first product. */
#define FAULTY(name, statement)                                                                                        \
  static gboolean name (UpiContext *context, const UpiStep *step, GError **error)                                      \
  {                                                                                                                    \
    gfloat *out = step->out.data, *in = step->in[0].data;                                                              \
    gint width = upi_shape_width (&step->out.shape);                                                                   \
                                                                                                                       \
    if (!ref_funcs ()->run (context, step, error))                                                                     \
      return FALSE;                                                                                                    \
    (void) out;                                                                                                        \
    (void) in;                                                                                                         \
    (void) width;                                                                                                      \
    statement;                                                                                                         \
    return TRUE;                                                                                                       \
  }

FAULTY (run_none, )
FAULTY (run_value, out[width - 1] += 1e-3f)
FAULTY (run_nan, out[0] = NAN)
FAULTY (run_before, out[-1] = 0)
FAULTY (run_behind, out[width] = 0) /* of the first row: a gap if rows have gaps */
FAULTY (run_input, in[0] += 1)
FAULTY (run_reads_between, out[0] += 0 * in[upi_shape_width (&step->in[0].shape)])

static gboolean (*const runs[]) (UpiContext *, const UpiStep *, GError **) = { run_none, run_value, run_nan, run_before,
  run_behind, run_input, run_reads_between };

static const UpiStepFuncs *
ref_funcs (void)
{
  static const UpiStepFuncs *funcs;

  if (funcs == NULL) {
    UpiProgram *p = upi_program_new ("any");
    g_autoptr (UpiPlan) plan = upi_plan_new (upi_backend_ref (), p, 1, NULL);

    funcs = ((UpiStepsPlan *) plan)->funcs;
  }
  return funcs;
}

static UpiPlan *
prepare_faulty (const UpiBackend *backend, UpiProgram *program, guint threads, GError **error)
{
  static UpiStepFuncs funcs;
  UpiPlan *plan = upi_backend_ref ()->prepare (backend, program, threads, error);

  funcs = *ref_funcs ();
  funcs.run = runs[backend->name[0] - '0'];
  ((UpiStepsPlan *) plan)->funcs = &funcs;
  return plan;
}

typedef struct {
  const gchar *name;
  Fault fault;
  ParityVariant variant;
  gboolean passes;
} HarnessTest;

static const HarnessTest tests[] = {
  { "none", FAULT_NONE, PARITY_STRIDED_INPUTS | PARITY_STRIDED_OUTPUTS | PARITY_UNALIGNED, TRUE },
  { "value", FAULT_VALUE, PARITY_DENSE, FALSE },
  { "nan", FAULT_NAN, PARITY_DENSE, FALSE },
  { "before", FAULT_BEFORE, PARITY_DENSE, FALSE },
  { "before-unaligned", FAULT_BEFORE, PARITY_UNALIGNED, FALSE },
  { "before-strided", FAULT_BEFORE, PARITY_STRIDED_OUTPUTS, FALSE },
  { "behind-strided", FAULT_BEHIND, PARITY_STRIDED_OUTPUTS, FALSE },
  { "input", FAULT_INPUT, PARITY_DENSE, FALSE },
  { "reads-between", FAULT_READS_BETWEEN, PARITY_STRIDED_INPUTS, FALSE },
};

static void
test_fault (gconstpointer data)
{
  const HarnessTest *test = data;

  if (g_test_subprocess ()) {
    gchar name[2] = { (gchar) ('0' + test->fault), 0 };
    UpiBackend backend = *upi_backend_ref ();

    backend.name = name;
    backend.prepare = prepare_faulty;
    parity_check (&backend, &parity_matrix_families[1], 1, test->variant); /* a linear layer, 7×17 → 33 */
    return;
  }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  if (test->passes)
    g_test_trap_assert_passed ();
  else
    g_test_trap_assert_failed ();
}

static gboolean
get_peak (const UpiPlan *plan, guint op, UpiPeak *peak, GError **error)
{
  /* a linear layer of 100 rows from 64 to 32: 4 · (6400 + 2048 + 32 + 3200) bytes, 2 · 204800 operations */
  const gboolean slow_memory = plan->backend->name[0] == 's';

  *peak = (UpiPeak){ .bytes = slow_memory ? 46720e6 : 1e15, .flops = 409600e6, .element_bytes = 4 };
  if (plan->backend->name[0] != 'u')
    return TRUE;
  g_set_error_literal (error, UPI_ERROR, UPI_ERROR_DEVICE, "cuda:0 (new): not known");
  return FALSE;
}

static void
test_share_of_peak (void)
{
  static const struct {
    const gchar *name, *description;
    const gchar *text; /* (nullable): a share */
    gdouble microseconds;
  } cases[] = {
    { "slow memory", "cuda:0 (L4), f32", NULL, 2 },
    { "fast memory", "cuda:0 (L4), f32", NULL, 4 },
    { "slow memory", "cuda:0 (test device 0), f32",
        "bound by memory, 47 GB/s of the test device: no share of a real card", 2 },
    { "unknown", "cuda:0 (new)", "cuda:0 (new): not known", 2 },
  };
  static gfloat weights[32 * 64];
  /* in the reader's locale */
  g_autofree gchar *slow = g_strdup_printf ("%5.1f %% of the peak (memory, 47 GB/s), %.1f µs on the card", 50., 2.);
  g_autofree gchar *fast =
      g_strdup_printf ("%5.1f %% of the peak (float32, %.1f TFLOP/s), %.1f µs on the card", 25., 0.4, 4.);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    const gchar *text = cases[i].text != NULL ? cases[i].text : i == 0 ? slow : fast;
    UpiBackend backend = *upi_backend_ref ();
    UpiProgram *p = upi_program_new ("share");
    g_autoptr (UpiPlan) plan = NULL;
    g_autofree gchar *share = NULL;

    backend.name = cases[i].name;
    backend.description = cases[i].description;
    backend.get_peak = get_peak;
    upi_program_part (p, "share");
    upi_program_output (p, "out",
        upi_linear (p, upi_program_input (p, "in", UPI_F32, UPI_SHAPE2 (100, 64)),
            upi_program_weight (p, "w", weights, UPI_SHAPE2 (32, 64)),
            upi_program_weight (p, "b", weights, UPI_SHAPE1 (32)), UPI_ACT_NONE));
    plan = upi_plan_new (&backend, p, 1, NULL);
    g_assert_nonnull (plan);
    share = parity_share_of_peak (plan, &cases[i].microseconds);
    g_assert_cmpstr (share, ==, text);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree gchar *path = g_strdup_printf ("/harness/%s", tests[i].name);

    g_test_add_data_func (path, &tests[i], test_fault);
  }
  g_test_add_func ("/harness/share-of-peak", test_share_of_peak);
  return g_test_run ();
}
