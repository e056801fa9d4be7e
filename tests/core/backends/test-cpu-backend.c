/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cpu backend as a whole, on the bundled model's network with random weights: what runs it, on how many threads,
 * from how many threads. */

#include "core/backends/cpu/cpu.h"
#include "core/backends/cpu/onednn.h"
#include "core/backends/cpu/prepare.h"
#include "core/model/model.h"
#include "core/program/passes.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static gchar *directory;
static UpiModel *model;

/* Plan and context of the image side, random pixels in, outputs in memory of their own. */
typedef struct {
  UpiPlan *plan; /* (transfer none) */
  UpiContext *context;
  GPtrArray *memory;
  gfloat *regions, *mask_features;
  gsize n_regions, n_mask_features;
} Run;

static UpiPlan *
image_plan (const UpiBackend *backend, guint width, guint height, guint threads)
{
  GError *error = NULL;
  UpiProgram *program = upi_model_image_program_in_strips (model, 1, width, height, backend->strip_bytes, &error);
  UpiPlan *plan;

  g_assert_no_error (error);
  plan = upi_plan_new (backend, program, threads, &error);
  g_assert_no_error (error);
  return plan;
}

static void
run_init (Run *run, UpiPlan *plan)
{
  GError *error = NULL;
  UpiProgram *p = plan->program;

  *run = (Run){
    .plan = plan, .context = upi_context_new (plan, &error), .memory = g_ptr_array_new_with_free_func (g_free)
  };
  g_assert_no_error (error);
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_value_info (p, v);
    gsize count = upi_shape_count (&info->shape);
    gfloat *data;

    if (info->kind != UPI_VALUE_INPUT && !info->is_output)
      continue;
    data = g_new0 (gfloat, count);
    for (gsize i = 0; info->kind == UPI_VALUE_INPUT && i < count; i++)
      data[i] = sinf ((gfloat) (i % 7919) * 0.37f);
    g_ptr_array_add (run->memory, data);
    upi_context_bind (run->context, v, data);
    if (g_strcmp0 (info->name, "regions") == 0) {
      run->regions = data;
      run->n_regions = count;
    } else if (g_strcmp0 (info->name, "mask_features") == 0) {
      run->mask_features = data;
      run->n_mask_features = count;
    }
  }
  g_assert_nonnull (run->regions);
  g_assert_nonnull (run->mask_features);
}

static void
run_clear (Run *run)
{
  upi_context_free (run->context);
  g_ptr_array_unref (run->memory);
}

static gpointer
run_three_times (gpointer data)
{
  Run *run = data;
  GError *error = NULL;

  for (guint i = 0; i < 3; i++) {
    upi_context_run (run->context, &error);
    g_assert_no_error (error);
  }
  return NULL;
}

/* Normalised mean squared error. */
static gdouble
distance (const gfloat *a, const gfloat *b, gsize count)
{
  gdouble error = 0, norm = 0;

  for (gsize i = 0; i < count; i++) {
    error += ((gdouble) a[i] - (gdouble) b[i]) * ((gdouble) a[i] - (gdouble) b[i]);
    norm += (gdouble) b[i] * (gdouble) b[i];
  }
  g_assert_cmpfloat (norm, >, 0);
  return error / norm;
}

/* Every convolution and every linear layer of contiguous rows that is not depthwise is oneDNN's, and none by its
 * reference code. A library that has nothing better for one of them would leave it to our own product: then this list
 * is where it is seen. */
static void
test_no_reference_implementation (void)
{
  g_autoptr (UpiPlan) plan = NULL;
  guint library = 0;

  if (!upi_dnn_available () || upi_processor_isa () == UPI_ISA_BASELINE) {
    g_test_skip ("no oneDNN, or a processor that it has no fast code for");
    return;
  }
  plan = image_plan (upi_backend_cpu (), 384, 224, 1);
  for (guint i = 0; i < plan->program->ops->len; i++) {
    const UpiOp *op = upi_program_op (plan->program, i);
    const gchar *implementation = upi_cpu_implementation (plan, i);
    const UpiValueInfo *x = upi_value_info (plan->program, op->inputs[0]),
                       *y = upi_value_info (plan->program, op->output);
    gboolean dense = upi_value_is_contiguous (x) && upi_value_is_contiguous (y)
        && (op->residual == UPI_NO_VALUE || upi_value_is_contiguous (upi_value_info (plan->program, op->residual)));
    gboolean product = (op->kind == UPI_OP_CONV2D && MAX (op->u.conv.groups, 1) == 1)
        || (op->kind == UPI_OP_LINEAR && upi_shape_rows (&y->shape) > 1);

    g_assert_nonnull (implementation);
    if (strstr (implementation, "ref") != NULL)
      g_error ("%s of %s runs oneDNN's reference code (%s)", upi_op_name (op->kind), op->part, implementation);
    if (product && dense) {
      if (strcmp (implementation, upi_isa_name (upi_processor_isa ())) == 0)
        g_error ("%s %u of %s: oneDNN offers its reference code alone", upi_op_name (op->kind), i, op->part);
      library++;
    }
  }
  g_assert_cmpuint (library, >, 50);
}

/* Text plans of many shapes have their weights in memory once, and nothing is left when the last has gone. */
static void
test_text_weights_shared (void)
{
  g_autoptr (GError) error = NULL;
  UpiPlan *plans[3];
  guint packed = 0;

  for (guint i = 0; i < 3; i++) {
    plans[i] = upi_plan_new (upi_backend_cpu (), upi_model_texts_program (model, 1 + 3 * i, 4 + i, &error), 1, &error);
    g_assert_no_error (error);
    g_assert_true (i == 0 || upi_cpu_packed_count () == packed);
    packed = upi_cpu_packed_count ();
  }
  g_assert_cmpuint (packed, >, 20);
  for (guint i = 0; i < 3; i++)
    upi_plan_free (plans[i]);
  g_assert_cmpuint (upi_cpu_packed_count (), ==, 0);
}

enum { MOST_ROWS = 26, WIDEST = 64 };

/* act (x · wᵀ + bias) of `rows` rows of `in` numbers, x and w from `numbers`; → y [rows, out] */
static void
linear (const UpiBackend *backend, const gfloat *numbers, gint rows, gint in, gint out, UpiAct act, gfloat *y)
{
  g_autoptr (GError) error = NULL;
  UpiProgram *p = upi_program_new ("linear");

  p->of_many_shapes = TRUE; /* as the text side is: a plan for every number of rows */
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (rows, in));
  UpiValue w = upi_program_weight (p, "w", numbers + MOST_ROWS * WIDEST, UPI_SHAPE2 (out, in));
  upi_program_output (p, "y", upi_linear (p, x, w, upi_program_weight (p, "b", numbers, UPI_SHAPE1 (out)), act));
  upi_program_finish (p, &error);
  g_assert_no_error (error);
  g_autoptr (UpiPlan) plan = upi_plan_new (backend, p, 1, &error);
  g_assert_no_error (error);
  g_autoptr (UpiContext) context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  upi_context_bind (context, upi_plan_find (plan, "x"), (gpointer) numbers);
  upi_context_bind (context, upi_plan_find (plan, "y"), y);
  upi_context_run (context, &error);
  g_assert_no_error (error);
  g_clear_pointer (&context, upi_context_free);
}

/* A row has the same numbers in any company, on every instruction set: how the compiler made a tile of six rows and one
 * of a single row must not show. A text's embedding would depend on the texts that are encoded with it. */
static void
test_company (void)
{
  static const UpiAct acts[] = { UPI_ACT_NONE, UPI_ACT_RELU, UPI_ACT_GELU, UPI_ACT_HARD_SWISH };
  static const gint outs[] = { 3, 8, 19, 24, 48, 64 }, ins[] = { 7, 32, 64 };
  gfloat numbers[(MOST_ROWS + WIDEST) * WIDEST];

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    numbers[i] = sinf ((gfloat) (i * i % 7919) * 0.37f);
  for (guint c = 0; c < UPI_N_ISAS * G_N_ELEMENTS (acts) * G_N_ELEMENTS (outs) * G_N_ELEMENTS (ins); c++) {
    const gint in = ins[c % 3], out = outs[c / 3 % 6];
    const UpiAct act = acts[c / 18 % 4];
    const UpiIsa isa = (UpiIsa) (c / 72);
    const UpiBackend *backend = upi_backend_cpu_with_isa (isa, FALSE);
    gfloat most[MOST_ROWS * WIDEST], fewer[MOST_ROWS * WIDEST];

    if (backend == NULL)
      continue;
    linear (backend, numbers, MOST_ROWS, in, out, act, most);
    for (gint rows = 1; rows < MOST_ROWS; rows++) {
      linear (backend, numbers, rows, in, out, act, fewer);
      if (memcmp (fewer, most, (gsize) rows * (gsize) out * sizeof (gfloat)) != 0)
        g_error ("%s: %d rows of %d → %d differ from the first of %d", upi_isa_name (isa), rows, in, out, MOST_ROWS);
    }
  }
}

/* Results of all variants agree: mask features come before any selection by score, so that no near tie can part
 * them. */
static void
test_variants_agree (void)
{
  Run first = { NULL };
  UpiPlan *first_plan = NULL;

  for (gint isa = 0; isa < UPI_N_ISAS; isa++) {
    for (guint library = 0; library < 2; library++) {
      for (guint threads = 1; threads <= 3; threads += 2) {
        const UpiBackend *backend = upi_backend_cpu_with_isa ((UpiIsa) isa, library != 0);
        UpiPlan *plan;
        Run run;

        if (backend == NULL)
          continue;
        plan = image_plan (backend, 160, 96, threads);
        run_init (&run, plan);
        run_three_times (&run);
        if (first_plan == NULL) {
          first_plan = plan;
          first = run;
          continue;
        }
        g_assert_cmpfloat (distance (run.mask_features, first.mask_features, run.n_mask_features), <=, 1e-9);
        run_clear (&run);
        upi_plan_free (plan);
      }
    }
  }
  run_clear (&first);
  upi_plan_free (first_plan);
}

/* Workers share a plan: four contexts at once give to the bit what one gives. */
static void
test_contexts_at_once (void)
{
  g_autoptr (UpiPlan) plan = image_plan (upi_backend_cpu (), 160, 96, 1);
  Run alone, runs[4];
  GThread *threads[4];

  run_init (&alone, plan);
  run_three_times (&alone);
  for (guint i = 0; i < 4; i++)
    run_init (&runs[i], plan);
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("worker", run_three_times, &runs[i]);
  for (guint i = 0; i < 4; i++) {
    g_thread_join (threads[i]);
    g_assert_cmpmem (
        runs[i].regions, runs[i].n_regions * sizeof (gfloat), alone.regions, alone.n_regions * sizeof (gfloat));
    run_clear (&runs[i]);
  }
  run_clear (&alone);
}

static guint
count_threads (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  guint count = 0;

  while (tasks != NULL && g_dir_read_name (tasks) != NULL)
    count++;
  return count;
}

/* One thread a frame is one thread: no OpenMP team beside the workers. With two, one helper comes and goes with the
 * context. */
static void
test_thread_count (void)
{
  guint before = count_threads ();
  GThread *thread;

  if (before == 0) {
    g_test_skip ("no /proc");
    return;
  }
  for (guint threads = 1; threads <= 2; threads++) {
    g_autoptr (UpiPlan) plan = image_plan (upi_backend_cpu (), 96, 96, threads);
    Run run;

    run_init (&run, plan);
    run_three_times (&run);
    g_assert_cmpuint (count_threads (), ==, before + threads - 1);
    thread = g_thread_new ("worker", run_three_times, &run); /* a thread that OpenMP has not seen yet */
    g_thread_join (thread);
    run_clear (&run);
    /* A joined thread may be listed for a moment longer. */
    for (guint i = 0; i < 1000 && count_threads () != before; i++)
      g_thread_yield ();
    g_assert_cmpuint (count_threads (), ==, before);
  }
}

static void
write_model (void)
{
  GError *error = NULL;
  g_autofree gchar *config = NULL;

  directory = g_dir_make_tmp ("upi-test-cpu-XXXXXX", &error);
  g_assert_no_error (error);
  g_file_get_contents (g_getenv ("UPI_TEST_CONFIG"), &config, NULL, &error);
  g_assert_no_error (error);
  upi_model_write_random (directory, config, 1, &error);
  g_assert_no_error (error);
  model = upi_model_open (directory, &error);
  g_assert_no_error (error);
}

static void
remove_model (void)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const gchar *name;

  upi_model_unref (model);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);

    g_remove (path);
  }
  g_rmdir (directory);
  g_free (directory);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  write_model ();
  g_test_add_func ("/cpu/text-weights-are-shared", test_text_weights_shared);
  g_test_add_func ("/cpu/nano-without-reference-code", test_no_reference_implementation);
  g_test_add_func ("/cpu/thread-count", test_thread_count);
  g_test_add_func ("/cpu/company", test_company);
  g_test_add_func ("/cpu/variants-agree", test_variants_agree);
  g_test_add_func ("/cpu/contexts-at-once", test_contexts_at_once);
  result = g_test_run ();
  remove_model ();
  return result;
}
