/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image side alone: time a frame, share of each part, one and two workers, and PyTorch on the same weights. */
#include "tests/bench/bench.h"

#include "core/backends/cpu/cpu.h"
#include "core/model/model.h"
#include "core/program/passes.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Microseconds of processor time of this thread, so that what else runs on the machine counts little; on a quiet one it
 * is the time that passes. */
static gdouble
thread_time (void)
{
  struct timespec t;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (gdouble) t.tv_sec * 1e6 + (gdouble) t.tv_nsec * 1e-3;
}

typedef struct {
  gdouble (*clock) (void);
  UpiContext *context;
  GPtrArray *memory;
  guint frames;
  GArray *times;
} Worker;

static gdouble
wall_time (void)
{
  return (gdouble) g_get_monotonic_time ();
}

static void
worker_init (Worker *worker, UpiPlan *plan, guint frames)
{
  UpiProgram *p = plan->program;
  GError *error = NULL;

  *worker = (Worker){ plan->threads == 1 ? thread_time : wall_time, upi_context_new (plan, &error),
    g_ptr_array_new_with_free_func (g_aligned_free), frames, g_array_new (FALSE, FALSE, sizeof (gdouble)) };
  if (worker->context == NULL)
    g_error ("%s", error->message);
  for (guint v = 0; v < p->values->len; v++) {
    const UpiValueInfo *info = upi_value_info (p, v);
    gfloat *data;

    if (info->kind != UPI_VALUE_INPUT && !info->is_output)
      continue;
    data = g_aligned_alloc0 (upi_shape_count (&info->shape), sizeof (gfloat), UPI_ALIGNMENT);
    for (gsize i = 0; info->kind == UPI_VALUE_INPUT && i < upi_shape_count (&info->shape); i++)
      data[i] = sinf ((gfloat) (i % 7919) * 0.37f);
    g_ptr_array_add (worker->memory, data);
    upi_context_bind (worker->context, v, data);
  }
}

static void
worker_clear (Worker *worker)
{
  upi_context_free (worker->context);
  g_ptr_array_unref (worker->memory);
  g_array_unref (worker->times);
}

static gpointer
worker_run (gpointer data)
{
  Worker *worker = data;
  GError *error = NULL;

  for (guint i = 0; i < worker->frames; i++) {
    gdouble start = worker->clock (), time;

    if (!upi_context_run (worker->context, &error))
      g_error ("%s", error->message);
    time = worker->clock () - start;
    g_array_append_val (worker->times, time);
  }
  return NULL;
}

static UpiPlan *
plan_new (UpiModel *model, guint width, guint height, guint threads)
{
  GError *error = NULL;
  UpiProgram *program =
      upi_model_image_program_in_strips (model, 1, width, height, upi_backend_cpu ()->strip_bytes, &error);
  UpiPlan *plan = program != NULL ? upi_plan_new (upi_backend_cpu (), program, threads, &error) : NULL;

  if (plan == NULL)
    g_error ("%s", error->message);
  return plan;
}

/* Multiply-adds of a frame: rows that two strips both compute count once. */
static gdouble
frame_macs (UpiModel *model, guint width, guint height)
{
  GError *error = NULL;
  g_autoptr (UpiProgram) program = upi_model_image_program (model, 1, width, height, FALSE, &error);

  if (program == NULL)
    g_error ("%s", error->message);
  return (gdouble) upi_program_macs (program);
}

/* Best of each operation over some runs, summed over parts and, for deformable attention, over its operations. */
static void
print_shares (UpiPlan *plan, guint frames)
{
  UpiProgram *p = plan->program;
  guint n = p->ops->len;
  g_autofree gdouble *best = g_new (gdouble, n), *now = g_new (gdouble, n);
  gdouble total = 0, deformable = 0, products = 0, product_macs = 0;
  Worker worker;

  worker_init (&worker, plan, 3);
  worker_run (&worker);
  for (guint i = 0; i < n; i++)
    best[i] = G_MAXDOUBLE;
  for (guint f = 0; f < frames; f++) {
    memset (now, 0, n * sizeof *now);
    plan->backend->run_timed (worker.context, now, NULL);
    for (guint i = 0; i < n; i++)
      best[i] = MIN (best[i], now[i]);
  }
  for (guint i = 0; i < n; i++) {
    const UpiOp *op = upi_program_op (p, i);

    total += best[i];
    if (op->kind == UPI_OP_DEFORMABLE_ATTENTION)
      deformable += best[i];
    if (op->kind == UPI_OP_LINEAR || (op->kind == UPI_OP_CONV2D && op->u.conv.groups <= 1)) {
      products += best[i];
      product_macs += (gdouble) upi_op_macs (p, op);
    }
  }
  for (guint i = 0; i < n;) {
    const gchar *part = upi_program_op (p, i)->part;
    gdouble time = 0;

    for (; i < n && upi_program_op (p, i)->part == part; i++)
      time += best[i];
    bench_line (part, "%6.2f ms %5.1f %%", time * 1e-3, 100 * time / total);
  }
  bench_line ("deformable attention", "%6.2f ms %5.1f %% (to reach: 5)", deformable * 1e-3, 100 * deformable / total);
  bench_line ("dense convolutions and linear", "%6.2f ms %5.1f %%, %.1f GFLOP/s", products * 1e-3,
      100 * products / total, 2e-3 * product_macs / products);
  bench_line (
      "memory of values", "%.1f MB (%.1f MB unplaced)", (gdouble) p->arena_bytes * 1e-6, (gdouble) p->sum_bytes * 1e-6);
  worker_clear (&worker);
}

/* Frames a second of n workers over one plan. */
static gdouble
throughput (UpiPlan *plan, guint workers, guint frames)
{
  g_autofree Worker *all = g_new (Worker, workers);
  g_autofree GThread **threads = g_new (GThread *, workers);
  gint64 start;
  gdouble seconds;

  for (guint i = 0; i < workers; i++) {
    worker_init (&all[i], plan, 3);
    worker_run (&all[i]);
    all[i].frames = frames;
  }
  start = g_get_monotonic_time ();
  for (guint i = 0; i < workers; i++)
    threads[i] = g_thread_new ("worker", worker_run, &all[i]);
  for (guint i = 0; i < workers; i++)
    g_thread_join (threads[i]);
  seconds = (gdouble) (g_get_monotonic_time () - start) * 1e-6;
  for (guint i = 0; i < workers; i++)
    worker_clear (&all[i]);
  return workers * frames / seconds;
}

static gpointer
sgemm_run (gpointer rate)
{
  *(gdouble *) rate = upi_cpu_sgemm_rate (2048, 1);
  return NULL;
}

/* What two SGEMMs at once do, over one alone: 2 on two cores of their own, less where they share one core, its power or
 * its memory. No pair of workers can be expected to beat it. */
static gdouble
machine_scaling (gdouble *one, gdouble *two)
{
  gdouble first = 0, second = 0;
  GThread *other = g_thread_new ("sgemm", sgemm_run, &second);

  sgemm_run (&first);
  g_thread_join (other);
  *two = MAX (*two, first + second);
  sgemm_run (&first);
  *one = MAX (*one, first);
  return *two / *one;
}

/* In turns with the SGEMM that it is held against: both see the same machine. */
static BenchTimes
in_turns (Bench *bench, UpiPlan *plan, guint frames)
{
  Worker worker;
  BenchTimes times;

  worker_init (&worker, plan, frames / 4 + 1);
  for (guint i = 0; i < 4; i++) {
    bench->peak = MAX (bench->peak, upi_cpu_sgemm_rate (2048, 1));
    worker_run (&worker);
  }
  times = bench_times (worker.times);
  worker_clear (&worker);
  return times;
}

static gdouble
over_sgemm (const Bench *bench, BenchTimes times, gdouble macs)
{
  return times.best * 1e-6 * bench->peak / (2 * macs);
}

/* Accuracy's price: what each of the model's input sizes costs, beside what it reaches. */
static void
print_price (Bench *bench, UpiModel *model)
{
  const UpiConfig *config = upi_model_config (model);
  g_autoptr (GError) error = NULL;
  g_autoptr (BenchFigures) figures = bench_figures_open (bench->model, &error);

  for (guint i = 0; i < config->input.n_sizes; i++) {
    guint width = config->input.sizes[i][0], height = config->input.sizes[i][1];
    g_autofree gchar *name = g_strdup_printf ("price of %u×%u", width, height);
    g_autofree gchar *reached = figures != NULL ? bench_figures_say (figures, width, height) : NULL;
    g_autoptr (UpiPlan) plan = plan_new (model, width, height, 1);
    gdouble macs = frame_macs (model, width, height);
    BenchTimes times = in_turns (bench, plan, bench->frames / 2);

    bench_line (name, "%.2f ms, %.3f GMAC, %.2f × their SGEMM time; %s", times.best * 1e-3, macs * 1e-9,
        over_sgemm (bench, times, macs), reached != NULL ? reached : "no figures of this size");
  }
  if (error != NULL)
    bench_line ("the card's figures", "none: %s", error->message);
}

gboolean
bench_network (Bench *bench)
{
  GError *error = NULL;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (UpiModel) model = upi_model_open (bench->model, &error);
  gdouble opened = (gdouble) (g_get_monotonic_time () - start), one = 0, two = 0;
  gdouble sgemm_one = 0, sgemm_two = 0, scaling = 0;
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiPlan) shared = NULL;
  Worker worker;
  BenchTimes times;

  if (model == NULL) {
    g_printerr ("%s\n", error->message);
    return FALSE;
  }
  start = g_get_monotonic_time ();
  plan = plan_new (model, bench->width, bench->height, 1);
  bench_line ("model open, image plan made", "%.0f ms + %.0f ms (to reach: 1000)", opened * 1e-3,
      (gdouble) (g_get_monotonic_time () - start) * 1e-3);
  bench->macs = frame_macs (model, bench->width, bench->height);

  times = in_turns (bench, plan, bench->frames);
  bench_line ("SGEMM 2048³, one thread", "%.1f GFLOP/s", bench->peak * 1e-9);
  bench->frame_us = times.best;
  bench_line ("image side, one thread", "%.2f ms (median %.2f), %.3f GMAC, %.1f GFLOP/s", times.best * 1e-3,
      times.median * 1e-3, bench->macs * 1e-9, 2e-3 * bench->macs / times.best);
  bench_line ("over its time at the SGEMM rate", "%.2f (to reach: 1.35)", over_sgemm (bench, times, bench->macs));
  print_shares (plan, MAX (bench->frames / 2, 5));

  /* In turns, the best of each: what else runs on the machine does not fall on one alone. */
  for (guint i = 0; i < 3; i++) {
    one = MAX (one, throughput (plan, 1, bench->frames / 2));
    two = MAX (two, throughput (plan, 2, bench->frames / 2));
    scaling = machine_scaling (&sgemm_one, &sgemm_two);
  }
  bench_line ("two workers over one", "%.2f × (%.1f and %.1f frames/s; to reach: 1.8)", two / one, two, one);
  bench_line ("two SGEMMs at once over one", "%.2f ×: what this machine gives two threads", scaling);
  shared = plan_new (model, bench->width, bench->height, 2);
  worker_init (&worker, shared, bench->frames + 5);
  worker_run (&worker);
  times = bench_times (worker.times);
  worker_clear (&worker);
  bench_line ("a frame on two threads", "%.2f ms (median %.2f), %.1f GFLOP/s", times.best * 1e-3, times.median * 1e-3,
      2e-3 * bench->macs / times.best);
  print_price (bench, model);
  return TRUE;
}

gboolean
bench_pytorch (Bench *bench)
{
  g_autofree gchar *width = g_strdup_printf ("%u", bench->width), *height = g_strdup_printf ("%u", bench->height),
                   *out = NULL;
  g_autofree gchar *errors = NULL;
  const gchar *argv[] = { bench->python, "-m", "models.reference.speed", bench->model, width, height, "1", NULL };
  gint status = 0;
  gdouble best = 0, median = 0;
  GError *error = NULL;

  gchar *end = NULL;

  if (!g_spawn_sync (
          bench->source_root, (gchar **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &errors, &status, &error)
      || !g_spawn_check_wait_status (status, &error) || (best = g_ascii_strtod (out, &end)) <= 0) {
    const gchar *last = errors != NULL ? strrchr (g_strchomp (errors), '\n') : NULL;

    bench_line ("PyTorch, same weights, one thread", "skipped: %s",
        last != NULL        ? last + 1
            : error != NULL ? error->message
                            : "it printed no time");
    g_clear_error (&error);
    return TRUE;
  }
  median = g_ascii_strtod (end, NULL);
  bench_line ("PyTorch, same weights, one thread", "%.2f ms (median %.2f): %.2f × ours", best, median,
      best * 1e3 / bench->frame_us);
  return TRUE;
}
