/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running one program with its inputs and outputs in memory, and holding numbers against a reference. */
#include "tests/core/golden-run.h"

#include <math.h>
#include <string.h>

struct _GoldenRun {
  UpiPlan *plan;
  UpiContext *context;
  GPtrArray *buffers; /* by value */
};

GoldenRun *
golden_run_new (const UpiBackend *backend, UpiProgram *program)
{
  GoldenRun *run = g_new0 (GoldenRun, 1);
  GError *error = NULL;

  upi_program_finish (program, &error);
  g_assert_no_error (error);
  run->plan = upi_plan_new (backend, program, 1, &error);
  g_assert_no_error (error);
  run->context = upi_context_new (run->plan, &error);
  g_assert_no_error (error);
  run->buffers = g_ptr_array_new_with_free_func (g_free);
  for (guint v = 0; v < program->values->len; v++) {
    const UpiValueInfo *info = upi_program_value (program, v);
    gpointer data = NULL;
    if (info->kind == UPI_VALUE_INPUT || info->is_output) {
      data = g_malloc0 (upi_plan_bytes (run->plan, v));
      upi_context_bind (run->context, v, data);
    }
    g_ptr_array_add (run->buffers, data);
  }
  return run;
}

void
golden_run_free (GoldenRun *run)
{
  if (run == NULL)
    return;
  upi_context_free (run->context);
  upi_plan_free (run->plan);
  g_ptr_array_unref (run->buffers);
  g_free (run);
}

gpointer
golden_run_buffer (GoldenRun *run, const gchar *name, gsize *count)
{
  UpiValue value = upi_plan_find (run->plan, name);

  if (value == UPI_NO_VALUE || value >= run->buffers->len || run->buffers->pdata[value] == NULL)
    g_error ("the program has no input or output \"%s\"", name);
  if (count != NULL)
    *count = upi_plan_bytes (run->plan, value) / 4;
  return run->buffers->pdata[value];
}

void
golden_run_bind (GoldenRun *run, const gchar *name, gpointer data)
{
  UpiValue value = upi_plan_find (run->plan, name);

  g_assert_cmpuint (value, !=, UPI_NO_VALUE);
  upi_context_bind (run->context, value, data);
}

void
golden_run (GoldenRun *run)
{
  GError *error = NULL;

  upi_context_run (run->context, &error);
  g_assert_no_error (error);
}

gdouble
golden_nmse (const gfloat *a, const gfloat *b, gsize count)
{
  gdouble error = 0, power = 0;

  for (gsize i = 0; i < count; i++) {
    error += ((gdouble) a[i] - b[i]) * ((gdouble) a[i] - b[i]);
    power += (gdouble) b[i] * b[i];
  }
  return error / MAX (power, 1e-30);
}

void
golden_check (const gchar *name, gdouble nmse, gdouble tolerance)
{
  if (nmse <= tolerance) { /* false for NaN */
    g_test_message ("%s: %.2g", name, nmse);
    return;
  }
  g_test_message (
      "%s differs from the reference: normalised mean squared error %g, expected at most %g", name, nmse, tolerance);
  g_test_fail ();
}

gsize
golden_index (GoldenLayout layout, const gint64 *shape, gsize flat)
{
  if (layout == GOLDEN_MAP) {
    gsize pixels = shape[1] * shape[2], c = flat / pixels;
    return (flat % pixels) * shape[0] + c;
  }
  if (layout == GOLDEN_HEADS) {
    gsize t = flat / shape[2] % shape[1], m = flat / shape[2] / shape[1];
    return t * shape[0] * shape[2] + m * shape[2] + flat % shape[2];
  }
  return flat;
}

void
golden_check_index (const gint32 *index, const gint32 *expected, gsize count, const gfloat *scores)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (gsize i = 0; i < count; i++) {
    g_assert_true (g_hash_table_add (seen, GINT_TO_POINTER (index[i])));
    if (index[i] != expected[i]
        && fabsf (scores[index[i]] - scores[expected[i]]) > 1e-4f * MAX (1, fabsf (scores[expected[i]])))
      g_error ("query %" G_GSIZE_FORMAT " is token %d (score %g), expected %d (score %g)", i, index[i],
          (gdouble) scores[index[i]], expected[i], (gdouble) scores[expected[i]]);
  }
}

gboolean
golden_wants (const gchar *backend)
{
  const gchar *wanted = g_getenv ("UPI_TEST_BACKENDS");
  g_auto (GStrv) names = g_strsplit (wanted != NULL ? wanted : "ref,cpu", ",", -1);
  g_autoptr (GError) error = NULL;

  if (!g_strv_contains ((const gchar *const *) names, backend))
    return FALSE;
  if (upi_backend_find (backend, &error) != NULL)
    return TRUE;
  g_print ("# %s: %s\n", backend, error->message);
  return FALSE;
}

static void
skip_missing (void)
{
  g_autoptr (GError) error = NULL;

  if (upi_backend_find (g_getenv ("UPI_TEST_BACKENDS"), &error) == NULL)
    g_test_skip (error->message);
}

void
golden_skip_missing (const gchar *path)
{
  g_autoptr (GError) error = NULL;
  const gchar *wanted = g_getenv ("UPI_TEST_BACKENDS");

  if (wanted != NULL && strchr (wanted, ',') == NULL && upi_backend_find (wanted, &error) == NULL)
    g_test_add_func (path, skip_missing);
}
