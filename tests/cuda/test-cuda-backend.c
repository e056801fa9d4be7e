/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cuda backend as it is used: plans, contexts and runs on the device without a GPU. What a run may do, what two
 * contexts do at once, what a card can do at most. What happens when calls fail: test-cuda-faults.c. */
#include "core/backends/cuda/cuda.h"
#include "tests/cuda/backend-fixture.h"

#include <string.h>

static void
test_results (gconstpointer data)
{
  BackendMemory expected, found;
  GError *error = NULL;

  upi_test_device_reset (1);
  upi_test_device_without_engines (GPOINTER_TO_INT (data));
  backend_memory_init (&expected, 0);
  backend_run_ref (&expected);
  for (guint seed = 1; seed <= 8; seed++) { /* orders of streams, blocks, threads */
    upi_test_device_seed (seed);
    backend_whole_path ("cuda", 2, &found, &error);
    g_assert_no_error (error);
    backend_assert_same (&found, &expected, 1e-11);
  }
  g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
}

/* TF32 is off unless asked for: then its 10 bits show. */
static void
test_kinds (void)
{
  static const struct {
    const gchar *device;
    gdouble least, most;
  } kinds[] = { { "cuda:0:f32", 0, 1e-11 }, { "cuda:0:tf32", 1e-11, 1e-5 }, { "cuda:0:f16", 1e-11, 1e-4 },
    { "cuda:0:bf16", 1e-8, 1e-2 } };
  BackendMemory expected, found;
  GError *error = NULL;

  upi_test_device_reset (1);
  backend_memory_init (&expected, 0);
  backend_run_ref (&expected);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    gdouble found_difference;

    backend_whole_path (kinds[i].device, 1, &found, &error);
    g_assert_no_error (error);
    found_difference = backend_difference (found.products, expected.products, G_N_ELEMENTS (found.products));
    g_test_message ("%s: %.2g", kinds[i].device, found_difference);
    g_assert_cmpfloat (found_difference, >=, kinds[i].least);
    g_assert_cmpfloat (found_difference, <=, kinds[i].most);
  }
}

static void
test_run_is_one_launch (void)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  UpiDeviceCounts counts;
  BackendMemory memory;

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), backend_program (), 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  backend_bind (context, &memory);
  backend_memory_init (&memory, 0);
  upi_test_device_reset_counts ();
  for (guint i = 0; i < 5; i++)
    g_assert_true (upi_context_run (context, &error));
  counts = upi_test_device_counts ();
  g_assert_cmpuint (counts.graph_launches, ==, 5);
  g_assert_cmpuint (counts.launches, ==, 0);
  g_assert_cmpuint (counts.allocations, ==, 0);
  g_assert_cmpuint (counts.device_syncs, ==, 0);
  g_assert_cmpuint (counts.calls, ==, 5 * 6); /* which context is current, ours, launch, record, wait, the one before */
}

static void
test_timed (void)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gdouble microseconds[64] = { 0 };
  BackendMemory memory, expected;

  upi_test_device_reset (1);
  backend_memory_init (&expected, 0);
  backend_run_ref (&expected);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), backend_program (), 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  backend_bind (context, &memory);
  backend_memory_init (&memory, 0);
  g_assert_cmpuint (plan->program->ops->len, <=, G_N_ELEMENTS (microseconds));
  g_assert_true (plan->backend->run_timed (context, microseconds, &error));
  backend_assert_same (&memory, &expected, 1e-11);
  for (guint i = 0; i < plan->program->ops->len; i++)
    g_assert_cmpfloat (microseconds[i], >=, 0);
  backend_memory_init (&memory, 0);
  g_assert_true (plan->backend->run_timed (context, NULL, &error)); /* nobody wants the times */
  backend_assert_same (&memory, &expected, 1e-11);
}

typedef struct {
  UpiPlan *plan;
  BackendMemory memory;
  gfloat phase;
} Job;

static gpointer
run_job (gpointer data)
{
  Job *job = data;
  GError *error = NULL;
  g_autoptr (UpiContext) context = upi_context_new (job->plan, &error);

  g_assert_no_error (error);
  backend_bind (context, &job->memory);
  for (guint i = 0; i < 3; i++) {
    backend_memory_init (&job->memory, job->phase);
    upi_context_run (context, &error);
    g_assert_no_error (error);
  }
  return NULL;
}

/* Two contexts of one plan in two threads: their work lies in the queues together and is done in turns. */
static void
test_two_contexts (void)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  Job jobs[2] = { { .phase = 0 }, { .phase = 1 } };
  GThread *threads[2];
  BackendMemory expected;

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), backend_program (), 1, &error);
  g_assert_no_error (error);
  for (guint round = 0; round < 4; round++) {
    upi_test_device_seed (round + 1);
    upi_test_device_reset_counts ();
    for (guint i = 0; i < 2; i++) {
      jobs[i].plan = plan;
      threads[i] = g_thread_new ("job", run_job, &jobs[i]);
    }
    for (guint i = 0; i < 2; i++)
      g_thread_join (threads[i]);
    for (guint i = 0; i < 2; i++) {
      backend_memory_init (&expected, jobs[i].phase);
      backend_run_ref (&expected);
      backend_assert_same (&jobs[i].memory, &expected, 1e-11);
    }
  }
}

static gpointer
run_held (gpointer data)
{
  GError *error = NULL;

  upi_context_run (data, &error);
  g_assert_no_error (error);
  return NULL;
}

static void
test_overlap (void)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  UpiContext *contexts[2];
  BackendMemory memories[2], expected[2];
  GThread *threads[2];

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), backend_program (), 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    contexts[i] = upi_context_new (plan, &error);
    g_assert_no_error (error);
    backend_bind (contexts[i], &memories[i]);
    backend_memory_init (&memories[i], (gfloat) i);
    backend_memory_init (&expected[i], (gfloat) i);
    backend_run_ref (&expected[i]);
  }
  upi_test_device_reset_counts ();
  upi_test_device_hold (2); /* nobody's work begins before both are queued */
  for (guint i = 0; i < 2; i++)
    threads[i] = g_thread_new ("run", run_held, contexts[i]);
  for (guint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  upi_test_device_hold (0);
  g_assert_cmpuint (upi_test_device_counts ().interleaved, >, 0);
  for (guint i = 0; i < 2; i++) {
    backend_assert_same (&memories[i], &expected[i], 1e-11);
    upi_context_free (contexts[i]);
  }
}

/* The peak of cards whose figures NVIDIA publishes: GB/s, TFLOP/s in float32, float16 (dense, without sparsity), TF32;
 * in two or three digits. */
static void
test_peak (void)
{
  static const struct {
    const gchar *name;
    UpiCudaCard card;
    gdouble bytes, f32, f16, tf32;
  } cards[] = {
    { "T4", { 7, 5, 40, 1590000, 5001000, 256 }, 320, 8.1, 65, 8.1 }, /* no TF32: CUDA cores do it */
    { "L4", { 8, 9, 58, 2040000, 6251000, 192 }, 300, 30.3, 121, 60.5 },
    { "A100 SXM 80 GB", { 8, 0, 108, 1410000, 1593000, 5120 }, 2039, 19.5, 312, 156 },
    /* NVIDIA counts tensor cores at 1830 MHz and the rest at 1980 (66.9 TFLOP/s); one clock is what the device tells */
    { "H100 SXM", { 9, 0, 132, 1830000, 2619000, 5120 }, 3352, 61.8, 989, 494.7 },
    { "H100 SXM", { 9, 0, 132, 1980000, 2619000, 5120 }, 3352, 66.9, 1070, 535 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cards); i++) {
    UpiPeak f32, f16, tf32, own, bf16;

    g_test_message ("%s", cards[i].name);
    g_assert_true (upi_cuda_card_peak (&cards[i].card, UPI_CUDA_F32, FALSE, TRUE, &f32));
    g_assert_true (upi_cuda_card_peak (&cards[i].card, UPI_CUDA_F16, FALSE, TRUE, &f16));
    g_assert_true (upi_cuda_card_peak (&cards[i].card, UPI_CUDA_BF16, FALSE, TRUE, &bf16));
    g_assert_true (upi_cuda_card_peak (&cards[i].card, UPI_CUDA_F32, TRUE, TRUE, &tf32));
    g_assert_true (upi_cuda_card_peak (&cards[i].card, UPI_CUDA_F16, FALSE, FALSE, &own));
    g_assert_cmpfloat_with_epsilon (1e-9 * f32.bytes, cards[i].bytes, 0.01 * cards[i].bytes);
    g_assert_cmpfloat_with_epsilon (1e-12 * f32.flops, cards[i].f32, 0.01 * cards[i].f32);
    g_assert_cmpfloat_with_epsilon (1e-12 * f16.flops, cards[i].f16, 0.01 * cards[i].f16);
    g_assert_cmpfloat_with_epsilon (1e-12 * tf32.flops, cards[i].tf32, 0.01 * cards[i].tf32);
    g_assert_true (f16.tensor_cores && !f32.tensor_cores && tf32.tensor_cores == (cards[i].card.major > 7));
    g_assert_cmpfloat (own.flops, ==, f32.flops); /* own kernels compute in float32 */
    g_assert_cmpfloat (bf16.flops, ==, cards[i].card.major > 7 ? f16.flops : f32.flops);
    g_assert_cmpuint (f32.element_bytes, ==, 4);
    g_assert_cmpuint (own.element_bytes, ==, 2);
  }
  {
    UpiCudaCard unknown = cards[1].card, silent = cards[1].card;
    UpiPeak peak;

    unknown.major = 17;
    silent.memory_khz = 0;
    g_assert_false (upi_cuda_card_peak (&unknown, UPI_CUDA_F32, FALSE, TRUE, &peak));
    g_assert_false (upi_cuda_card_peak (&silent, UPI_CUDA_F32, FALSE, TRUE, &peak));
  }
}

/* The same of the device that a plan is on. */
static void
test_peak_of_plan (void)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  guint tensor = 0;

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda:0:f16", &error), backend_program (), 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < plan->program->ops->len; i++) {
    const UpiOp *op = upi_program_op (plan->program, i);
    UpiPeak peak;

    g_assert_true (plan->backend->get_peak (plan, i, &peak, &error));
    g_assert_cmpfloat (peak.bytes, ==, 16e9);
    g_assert_cmpfloat (peak.flops, ==, peak.tensor_cores ? 2048e9 : 256e9);
    g_assert_true (
        !peak.tensor_cores || op->kind == UPI_OP_CONV2D || op->kind == UPI_OP_LINEAR || op->kind == UPI_OP_MATMUL);
    tensor += peak.tensor_cores;
    upi_test_device_fail (3, UPI_FAULT_CALL);
    g_assert_false (plan->backend->get_peak (plan, i, &peak, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_FAILED);
    g_clear_error (&error);
  }
  g_assert_cmpuint (tensor, ==, 3);
  upi_test_device_capability (77);
  g_assert_false (plan->backend->get_peak (plan, 0, &(UpiPeak){ 0 }, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_nonnull (strstr (error->message, "7.7"));
  g_clear_error (&error);
}

static void
test_unbound (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), backend_program (), 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  g_assert_false (upi_context_run (context, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "\"image\""));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/cuda/results", GINT_TO_POINTER (0), test_results);
  g_test_add_data_func ("/cuda/results-without-engines", GINT_TO_POINTER (1), test_results);
  g_test_add_func ("/cuda/kinds", test_kinds);
  g_test_add_func ("/cuda/run-is-one-launch", test_run_is_one_launch);
  g_test_add_func ("/cuda/timed", test_timed);
  g_test_add_func ("/cuda/unbound", test_unbound);
  g_test_add_func ("/cuda/peak", test_peak);
  g_test_add_func ("/cuda/peak-of-plan", test_peak_of_plan);
  g_test_add_func ("/cuda/two-contexts", test_two_contexts);
  g_test_add_func ("/cuda/overlap", test_overlap);
  return g_test_run ();
}
