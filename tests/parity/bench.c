/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a case costs: its time, rates and share of the hardware's peak. */

#include "tests/parity/parity.h"

#include "core/program/passes.h"

#include <stdlib.h>
#include <string.h>

static gint
ascending (gconstpointer a, gconstpointer b)
{
  const gdouble *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static gdouble
elements (const UpiProgram *p, UpiValue value)
{
  return (gdouble) upi_shape_count (&upi_program_value (p, value)->shape);
}

static void
add_elements (UpiValue value, gpointer user_data)
{
  gpointer *pair = user_data;

  *(gdouble *) pair[1] += elements (pair[0], value);
}

/* What an operation must read and write at least: inputs, weights, output; of a table the rows that it gives, of a
 * cache those that it takes. */
static gdouble
op_elements (const UpiProgram *p, const UpiOp *op)
{
  gdouble sum = 0;
  gpointer pair[2] = { (gpointer) p, &sum };

  if (op->kind == UPI_OP_GATHER || op->kind == UPI_OP_EMBED)
    return 2 * elements (p, op->output) + elements (p, op->inputs[1]);
  if (op->kind == UPI_OP_STORE_ROWS)
    return 2 * elements (p, op->inputs[1]);
  upi_op_foreach_read (op, add_elements, pair);
  return sum + elements (p, op->output);
}

gchar *
parity_share_of_peak (const UpiPlan *plan, const gdouble *microseconds)
{
  const UpiProgram *p = plan->program;
  gdouble taken = 0, least = 0, longest = 0;
  g_autofree gchar *bound = NULL;

  if (plan->backend->get_peak == NULL)
    return NULL;
  for (guint i = 0; i < p->ops->len; i++) {
    g_autoptr (GError) error = NULL;
    UpiPeak peak;
    gdouble moving, computing;

    if (!plan->backend->get_peak (plan, i, &peak, &error))
      return g_strdup (error->message);
    moving = 1e6 * op_elements (p, upi_program_op (p, i)) * peak.element_bytes / peak.bytes;
    computing = 2e6 * (gdouble) upi_op_macs (p, upi_program_op (p, i)) / peak.flops;
    taken += microseconds[i];
    least += MAX (moving, computing);
    if (MAX (moving, computing) < longest)
      continue;
    longest = MAX (moving, computing);
    g_free (bound);
    bound = moving >= computing
        ? g_strdup_printf ("memory, %.0f GB/s", 1e-9 * peak.bytes)
        : g_strdup_printf ("%s, %.1f TFLOP/s", peak.tensor_cores ? "tensor cores" : "float32", 1e-12 * peak.flops);
  }
  /* the stand-in of tests/cuda gives itself this name */
  if (plan->backend->description != NULL && strstr (plan->backend->description, "test device") != NULL)
    return g_strdup_printf ("bound by %s of the test device: no share of a real card", bound);
  return g_strdup_printf (
      "%5.1f %% of the peak (%s), %.1f µs on the card", 100 * least / MAX (taken, 1e-3), bound, taken);
}

/* One operation's share, from the run whose time is the median of several. */
static gchar *
measured_share (UpiContext *context)
{
  enum { RUNS = 21 };
  const UpiPlan *plan = context->plan;
  const guint n = plan->program->ops->len;
  g_autofree gdouble *times = g_new0 (gdouble, RUNS * n), *totals = g_new0 (gdouble, 2 * RUNS);
  gdouble middle;

  if (plan->backend->get_peak == NULL || n == 0)
    return NULL;
  for (guint r = 0; r < RUNS; r++) {
    g_autoptr (GError) error = NULL;

    if (!plan->backend->run_timed (context, times + r * n, &error))
      return g_strdup (error->message);
    for (guint i = 0; i < n; i++)
      totals[r] += times[r * n + i];
    totals[RUNS + r] = totals[r];
  }
  qsort (totals, RUNS, sizeof *totals, ascending);
  middle = totals[RUNS / 2];
  for (guint r = 0; r < RUNS; r++) {
    if (totals[RUNS + r] == middle)
      return parity_share_of_peak (plan, times + r * n);
  }
  g_assert_not_reached ();
}

void
parity_bench (const UpiBackend *backend, const ParityFamily *family, guint index, const gchar *name, guint threads)
{
  enum { MAX_RUNS = 200 };
  Parity *parity = parity_build (family, index, PARITY_DENSE);
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gdouble times[MAX_RUNS], bytes = 0, total = 0;
  g_autofree gchar *share = NULL;
  guint n = 0;
  const UpiProgram *p;

  context = parity_open (parity, backend, threads, &plan);
  p = plan->program;
  upi_context_run (context, NULL); /* caches warm, pages there */
  while (n < MAX_RUNS && (n < 3 || total < 0.2e6)) {
    gint64 start = g_get_monotonic_time ();

    upi_context_run (context, NULL);
    times[n] = (gdouble) (g_get_monotonic_time () - start);
    total += times[n++];
  }
  qsort (times, n, sizeof *times, ascending);
  for (guint i = 0; i < p->ops->len; i++)
    bytes += op_elements (p, upi_program_op (p, i)) * UPI_ELEMENT_BYTES;
  share = measured_share (context);
  g_print ("%-4s %-70s %10.1f µs (best %10.1f) %7.2f GB/s %7.2f GFLOP/s%s%s\n", backend->name, name, times[n / 2],
      times[0], 1e-3 * bytes / MAX (times[n / 2], 0.5), 2e-3 * (gdouble) upi_program_macs (p) / MAX (times[n / 2], 0.5),
      share != NULL ? "  " : "", share != NULL ? share : "");
  g_clear_pointer (&context, upi_context_free);
  g_clear_pointer (&plan, upi_plan_free);
  parity_free (parity);
}
