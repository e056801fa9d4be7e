/* The cuda backend as it is used: plans, contexts and runs on the device without a GPU. What a run may do, what two contexts do at once, what a
 * failing call leaves behind. */
#include "core/backends/cuda/cuda.h"
#include "core/engine/preprocess.h"
#include "core/program/backend.h"
#include "core/upi.h"
#include "tests/cuda/device/device-testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const UpiBackend *upi_backend_cuda (const gchar *name, GError **error);

#define WIDTH 16
#define TOKENS 12

static gfloat weights[4096];

/* Every way an operation is run: cuDNN with and without an epilogue of ours, cuBLASLt with one, own kernels, a cache that is changed in place. */
static UpiProgram *
program_new (void)
{
  UpiProgram *p = upi_program_new ("test");
  UpiValue image = upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 (1, 8, 6, 4));
  UpiValue cache = upi_program_input (p, "cache", UPI_F32, UPI_SHAPE3 (1, 20, WIDTH)),
           start = upi_program_input (p, "start", UPI_I32, UPI_SHAPE1 (1));
  UpiValue gamma = upi_program_weight (p, "gamma", weights, UPI_SHAPE1 (WIDTH)), x, y;

  upi_program_part (p, "test");
  x = upi_conv2d (p, image, upi_program_weight (p, "conv", weights + 16, UPI_SHAPE4 (WIDTH, 4, 3, 3)), gamma,
      &(UpiConv){ .stride = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .act = UPI_ACT_RELU6 });
  x = upi_conv2d (p, x, upi_program_weight (p, "depthwise", weights + 32, UPI_SHAPE4 (WIDTH, 1, 3, 3)), UPI_NO_VALUE,
      &(UpiConv){ .groups = WIDTH, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 });
  x = upi_reshape (p, x, UPI_SHAPE3 (1, TOKENS, WIDTH)); /* [1,4,3,C] */
  x = upi_group_norm (p, x, gamma, gamma, 4, 1e-5f);
  y = upi_linear (p, x, upi_program_weight (p, "linear", weights + 64, UPI_SHAPE2 (WIDTH, WIDTH)), gamma, UPI_ACT_GELU);
  x = upi_layer_norm (p, upi_add (p, x, y), gamma, gamma, 1e-5f);
  x = upi_attention (p, x, x, x, UPI_NO_VALUE, &(UpiAttention){ .heads = 2 });
  upi_program_output (p, "products", upi_matmul (p, x, x, &(UpiMatmul){ .transpose_b = TRUE, .scale = 0.5f }));
  cache = upi_store_rows (p, cache, x, start);
  upi_program_output (p, "sum", upi_mean_tokens (p, cache));
  return p;
}

typedef struct {
  gfloat image[8 * 6 * 4], cache[20 * WIDTH], products[TOKENS * TOKENS], sum[WIDTH];
  gint32 start;
} Memory;

static void
memory_init (Memory *memory, gfloat phase)
{
  for (guint i = 0; i < G_N_ELEMENTS (memory->image); i++)
    memory->image[i] = sinf ((gfloat) i * 0.37f + phase);
  for (guint i = 0; i < G_N_ELEMENTS (memory->cache); i++)
    memory->cache[i] = (gfloat) i;
  memory->start = 3;
}

static void
bind (UpiContext *context, Memory *memory)
{
  upi_context_bind (context, upi_plan_find (context->plan, "image"), memory->image);
  upi_context_bind (context, upi_plan_find (context->plan, "cache"), memory->cache);
  upi_context_bind (context, upi_plan_find (context->plan, "start"), &memory->start);
  upi_context_bind (context, upi_plan_find (context->plan, "products"), memory->products);
  upi_context_bind (context, upi_plan_find (context->plan, "sum"), memory->sum);
}

static void
run_ref (Memory *memory)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = upi_plan_new (upi_backend_ref (), program_new (), 1, &error);
  g_autoptr (UpiContext) context = upi_context_new (plan, &error);

  bind (context, memory);
  upi_context_run (context, &error);
  g_assert_no_error (error);
}

static gdouble
difference (const gfloat *a, const gfloat *b, gsize n)
{
  gdouble error = 0, norm = 0;

  for (gsize i = 0; i < n; i++) {
    error += ((gdouble) a[i] - b[i]) * ((gdouble) a[i] - b[i]);
    norm += (gdouble) b[i] * b[i];
  }
  return error / norm;
}

static void
assert_same (const Memory *found, const Memory *expected, gdouble tolerance)
{
  g_assert_cmpfloat (difference (found->products, expected->products, G_N_ELEMENTS (found->products)), <=, tolerance);
  g_assert_cmpfloat (difference (found->cache, expected->cache, G_N_ELEMENTS (found->cache)), <=, tolerance);
  g_assert_cmpfloat (difference (found->sum, expected->sum, G_N_ELEMENTS (found->sum)), <=, tolerance);
}

/* Opens, runs `runs` times, closes. FALSE and the first error. */
static gboolean
whole_path (const gchar *device, guint runs, Memory *memory, GError **error)
{
  const UpiBackend *backend = upi_backend_cuda (device, error);
  g_autoptr (UpiPlan) plan = backend ? upi_plan_new (backend, program_new (), 1, error) : NULL;
  g_autoptr (UpiContext) context = plan ? upi_context_new (plan, error) : NULL;

  if (!context)
    return FALSE;
  bind (context, memory);
  for (guint i = 0; i < runs; i++) {
    memory_init (memory, 0);
    if (!upi_context_run (context, error))
      return FALSE;
  }
  return TRUE;
}

/* The same for what stays on the device: frames of a batch in, kept outputs, a copy, back to the host. */
static gboolean
kept_path (const gchar *device, gfloat *result, GError **error)
{
  static const gfloat mean[3] = { 0 }, std[3] = { 1, 1, 1 };
  static guint8 pixels[2][40 * 20 * 3];
  const UpiBackend *backend = upi_backend_cuda (device, error);
  UpiImage image = { .format = UPI_PIXELS_RGB, .width = 40, .height = 20, .strides = { 120 } };
  g_autoptr (UpiScaler) scaler = upi_scaler_new ();
  UpiProgram *p = upi_program_new ("kept");
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  guint8 *memory[2] = { NULL };
  const gsize bytes = 32 * 32 * 3 * sizeof (gfloat);
  gboolean ok = TRUE;

  upi_program_output (p, "out", upi_activation (p, upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 (2, 32, 32, 3)), UPI_ACT_RELU));
  upi_program_keep (p, "image");
  upi_program_keep (p, "out");
  if (backend)
    plan = upi_plan_new (backend, p, 1, error);
  else
    upi_program_free (p);
  context = plan ? upi_context_new (plan, error) : NULL;
  if (!context)
    return FALSE;
  for (guint i = 0; i < 2 && ok; i++) {
    UpiFrame frame;

    memset (pixels[i], 255 - 100 * (gint) i, sizeof pixels[i]);
    image.planes[0] = pixels[i];
    upi_scaler_describe (scaler, &image, 32, 32, mean, std, &frame, NULL);
    memory[i] = backend->memory->memory_new (backend, bytes, error);
    ok = memory[i] && backend->memory->put_frame (context, upi_plan_find (plan, "image"), i, &frame, error);
    backend->memory->bind_item (context, upi_plan_find (plan, "out"), i, memory[i]);
  }
  for (guint i = 0; i < 2 && ok; i++)
    ok = upi_context_run (context, error);
  ok = ok && backend->memory->copy (context, memory[0], memory[1], bytes, error) && upi_context_run (context, error)
      && backend->memory->read (backend, memory[1], result, bytes, error);
  for (guint i = 0; i < 2; i++)
    if (memory[i])
      backend->memory->memory_free (backend, memory[i]);
  return ok;
}

/* ---- tests ----------------------------------------------------------------------------------------------------------------------- */

static void
test_results (gconstpointer data)
{
  Memory expected, found;
  GError *error = NULL;

  upi_test_device_reset (1);
  upi_test_device_without_engines (GPOINTER_TO_INT (data));
  memory_init (&expected, 0);
  run_ref (&expected);
  for (guint seed = 1; seed <= 8; seed++) { /* orders of streams, blocks, threads */
    upi_test_device_seed (seed);
    whole_path ("cuda", 2, &found, &error);
    g_assert_no_error (error);
    assert_same (&found, &expected, 1e-11);
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
  } kinds[] = { { "cuda:0:f32", 0, 1e-11 }, { "cuda:0:tf32", 1e-11, 1e-5 }, { "cuda:0:f16", 1e-11, 1e-4 }, { "cuda:0:bf16", 1e-8, 1e-2 } };
  Memory expected, found;
  GError *error = NULL;

  upi_test_device_reset (1);
  memory_init (&expected, 0);
  run_ref (&expected);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    gdouble found_difference;

    whole_path (kinds[i].device, 1, &found, &error);
    g_assert_no_error (error);
    found_difference = difference (found.products, expected.products, G_N_ELEMENTS (found.products));
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
  Memory memory;

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), program_new (), 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  bind (context, &memory);
  memory_init (&memory, 0);
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
  Memory memory, expected;

  upi_test_device_reset (1);
  memory_init (&expected, 0);
  run_ref (&expected);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), program_new (), 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  bind (context, &memory);
  memory_init (&memory, 0);
  g_assert_cmpuint (plan->program->ops->len, <=, G_N_ELEMENTS (microseconds));
  g_assert_true (plan->backend->run_timed (context, microseconds, &error));
  assert_same (&memory, &expected, 1e-11);
  for (guint i = 0; i < plan->program->ops->len; i++)
    g_assert_cmpfloat (microseconds[i], >=, 0);
}

typedef struct {
  UpiPlan *plan;
  Memory memory;
  gfloat phase;
} Job;

static gpointer
run_job (gpointer data)
{
  Job *job = data;
  GError *error = NULL;
  g_autoptr (UpiContext) context = upi_context_new (job->plan, &error);

  g_assert_no_error (error);
  bind (context, &job->memory);
  for (guint i = 0; i < 3; i++) {
    memory_init (&job->memory, job->phase);
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
  Memory expected;

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), program_new (), 1, &error);
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
      memory_init (&expected, jobs[i].phase);
      run_ref (&expected);
      assert_same (&jobs[i].memory, &expected, 1e-11);
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
  Memory memories[2], expected[2];
  GThread *threads[2];

  upi_test_device_reset (1);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), program_new (), 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    contexts[i] = upi_context_new (plan, &error);
    g_assert_no_error (error);
    bind (contexts[i], &memories[i]);
    memory_init (&memories[i], (gfloat) i);
    memory_init (&expected[i], (gfloat) i);
    run_ref (&expected[i]);
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
    assert_same (&memories[i], &expected[i], 1e-11);
    upi_context_free (contexts[i]);
  }
}

/* Call 1, 2, 3 ... of opening, two runs and closing fails: an error that names call and device, or success where the call was one that a library's
 * answer replaces; nothing is left. */
static void
test_each_call_fails (gconstpointer data)
{
  UpiDeviceFault fault = (UpiDeviceFault) GPOINTER_TO_INT (data);
  guint failed = 0, n = 0;
  Memory memory, expected;

  memory_init (&expected, 0);
  run_ref (&expected);
  upi_test_device_reset (1);
  for (;;) {
    g_autoptr (GError) error = NULL;
    gboolean ok;

    n++;
    upi_test_device_fail (n, fault);
    ok = whole_path ("cuda", 2, &memory, &error);
    g_assert_cmpint (ok, ==, error == NULL);
    g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
    if (!upi_test_device_failed_call ())
      break;
    if (ok) { /* a question about an engine, or one while closing: the results are as ever */
      assert_same (&memory, &expected, 1e-11);
    } else {
      g_assert_cmpint (error->domain, ==, UPI_ERROR);
      g_assert_nonnull (strstr (error->message, "cuda:0"));
      failed++;
    }
  }
  g_test_message ("%u calls, %u ended in an error", n - 1, failed);
  g_assert_cmpuint (failed, >, 100);
}

static gboolean
whole_and_kept (GError **error)
{
  static gfloat result[32 * 32 * 3];
  Memory memory;

  if (!whole_path ("cuda", 1, &memory, error) || !kept_path ("cuda", result, error))
    return FALSE;
  g_assert_cmpfloat_with_epsilon (result[77], 155 / 255.0, 1e-5);
  return TRUE;
}

static void
test_each_call_of_kept_fails (void)
{
  guint failed = 0;

  upi_test_device_reset (1);
  for (guint n = 1;; n++) {
    static gfloat result[32 * 32 * 3];
    g_autoptr (GError) error = NULL;
    gboolean ok;

    upi_test_device_fail (n, UPI_FAULT_CALL);
    ok = kept_path ("cuda", result, &error);
    g_assert_cmpint (ok, ==, error == NULL);
    g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
    if (!upi_test_device_failed_call ())
      break;
    if (ok)
      g_assert_cmpfloat_with_epsilon (result[77], 155 / 255.0, 1e-5);
    else
      failed++;
  }
  g_assert_cmpuint (failed, >, 30);
}

/* The device is lost at call 1, 2, 3 ... and every call after it fails: an error of the device's, nothing is left, and it stays lost. Each in a
 * process of its own: a lost device is lost for good. */
static void
test_lost_at_each_call (void)
{
  enum { DONE = 0, NO_SUCH_CALL = 3, AS_IF_NOTHING = 4 };
  guint n = 0, unnoticed = 0;
  gint status = 0;

  upi_test_device_reset (1);
  while (!WIFEXITED (status) || WEXITSTATUS (status) != NO_SUCH_CALL) {
    pid_t child;

    n++;
    fflush (NULL);
    child = fork ();
    g_assert_cmpint (child, >=, 0);
    if (child == 0) {
      g_autoptr (GError) error = NULL, again = NULL;
      gboolean ok;

      upi_test_device_fail (n, UPI_FAULT_STICKY);
      ok = whole_and_kept (&error);
      g_assert_cmpint (ok, ==, error == NULL);
      g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
      if (!upi_test_device_failed_call ())
        exit (NO_SUCH_CALL);
      if (ok)
        exit (AS_IF_NOTHING);
      g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
      g_assert_false (whole_and_kept (&again));
      g_assert_error (again, UPI_ERROR, UPI_ERROR_DEVICE);
      g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
      exit (DONE);
    }
    g_assert_cmpint (waitpid (child, &status, 0), ==, child);
    if (!WIFEXITED (status)
        || (WEXITSTATUS (status) != DONE && WEXITSTATUS (status) != NO_SUCH_CALL && WEXITSTATUS (status) != AS_IF_NOTHING))
      g_error ("lost at call %u: status %d", n, status);
    unnoticed += WIFEXITED (status) && WEXITSTATUS (status) == AS_IF_NOTHING;
  }
  g_test_message ("lost at %u calls, %u of them while closing", n - 1, unnoticed);
  g_assert_cmpuint (n, >, 300);
  g_assert_cmpuint (unnoticed, <, 60);
}

/* After a sticky error the device is gone, with a reason, for every plan and context; another device is not. Last: it stays gone. */
static void
test_lost_device (void)
{
  g_autoptr (GError) error = NULL, second = NULL, third = NULL;
  g_autoptr (UpiPlan) plan = NULL, other_plan = NULL;
  g_autoptr (UpiContext) context = NULL, other = NULL;
  Memory memory, expected;

  upi_test_device_reset (2);
  plan = upi_plan_new (upi_backend_cuda ("cuda:0", &error), program_new (), 1, &error);
  context = upi_context_new (plan, &error);
  other_plan = upi_plan_new (upi_backend_cuda ("cuda:1", &error), program_new (), 1, &error);
  other = upi_context_new (other_plan, &error);
  g_assert_no_error (error);
  bind (context, &memory);
  bind (other, &memory);
  memory_init (&memory, 0);
  upi_test_device_fail (2, UPI_FAULT_STICKY);
  g_assert_false (upi_context_run (context, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_false (upi_context_run (context, &second));
  g_assert_error (second, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_nonnull (strstr (second->message, "was lost"));
  g_assert_null (upi_context_new (plan, &third));
  g_assert_error (third, UPI_ERROR, UPI_ERROR_DEVICE);
  g_clear_error (&third);
  g_assert_null (upi_backend_cuda ("cuda:0", &third));
  g_assert_error (third, UPI_ERROR, UPI_ERROR_DEVICE);
  memory_init (&memory, 0);
  memory_init (&expected, 0);
  run_ref (&expected);
  g_clear_error (&error);
  g_assert_true (upi_context_run (other, &error));
  assert_same (&memory, &expected, 1e-11);
}

/* Call 1, 2, 3 ... of opening a device fails, each in a process of its own. */
static void
test_opening_fails (void)
{
  guint n = 0;
  gint status = 0;

  upi_test_device_reset (8);
  while (WEXITSTATUS (status) == 0) {
    pid_t child;

    n++;
    fflush (NULL);
    child = fork ();
    g_assert_cmpint (child, >=, 0);
    if (child == 0) {
      g_autoptr (GError) error = NULL;

      upi_test_device_fail (n, UPI_FAULT_CALL);
      if (upi_backend_cuda ("cuda:7", &error) != NULL)
        exit (upi_test_device_failed_call () == NULL ? 3 : 0); /* no more calls; or the one that gives the thread its context back */
      g_assert_nonnull (error);
      g_assert_true (g_str_has_suffix (error->message, "use device=cpu") || strstr (error->message, "cuCtx") != NULL);
      g_assert_null (upi_test_device_get_current ());
      exit (0);
    }
    g_assert_cmpint (waitpid (child, &status, 0), ==, child);
    g_assert_true (WIFEXITED (status) && (WEXITSTATUS (status) == 0 || WEXITSTATUS (status) == 3));
  }
  g_assert_cmpuint (n, >=, 9);
}

static void
test_missing (void)
{
  static const struct {
    gint devices, driver, capability;
    const gchar *name, *text;
    UpiErrorCode code;
  } cases[] = {
    { 0, 13000, 75, "cuda:3", "no NVIDIA GPU", UPI_ERROR_DEVICE },
    { 1, 12040, 75, "cuda:3", "driver is for CUDA 12.4, expected 13.0", UPI_ERROR_DEVICE },
    { 1, 0, 75, "cuda:3", "no NVIDIA driver", UPI_ERROR_DEVICE },
    { 1, 13000, 75, "cuda:3", "there is no cuda:3: this machine has 1 NVIDIA GPU, from cuda:0", UPI_ERROR_DEVICE },
    { 4, 13000, 70, "cuda:3", "(test device 3) has compute capability 7.0, expected 7.5 or newer", UPI_ERROR_DEVICE },
    { 1, 13000, 75, "cuda:0:f8", "f16|bf16", UPI_ERROR_ARGUMENT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;

    upi_test_device_reset (cases[i].devices);
    upi_test_device_driver (cases[i].driver);
    upi_test_device_capability (cases[i].capability);
    g_assert_null (upi_backend_cuda (cases[i].name, &error));
    g_assert_error (error, UPI_ERROR, (gint) cases[i].code);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, cases[i].text));
  }
}

/* The peak of cards whose figures NVIDIA publishes: GB/s, TFLOP/s in float32, float16 (dense, without sparsity), TF32; in two or
 * three digits. */
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
  plan = upi_plan_new (upi_backend_cuda ("cuda:0:f16", &error), program_new (), 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < plan->program->ops->len; i++) {
    const UpiOp *op = upi_program_op (plan->program, i);
    UpiPeak peak;

    g_assert_true (plan->backend->get_peak (plan, i, &peak, &error));
    g_assert_cmpfloat (peak.bytes, ==, 16e9);
    g_assert_cmpfloat (peak.flops, ==, peak.tensor_cores ? 2048e9 : 256e9);
    g_assert_true (!peak.tensor_cores || op->kind == UPI_OP_CONV2D || op->kind == UPI_OP_LINEAR || op->kind == UPI_OP_MATMUL);
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
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), program_new (), 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  g_assert_false (upi_context_run (context, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "\"image\""));
}

int
main (int argc, char **argv)
{
  for (guint i = 0; i < G_N_ELEMENTS (weights); i++)
    weights[i] = sinf ((gfloat) i * 1.7f) * 0.3f;
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda/missing", test_missing);
  g_test_add_func ("/cuda/opening-fails", test_opening_fails);
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
  g_test_add_data_func ("/cuda/each-call-fails", GINT_TO_POINTER (UPI_FAULT_CALL), test_each_call_fails);
  g_test_add_func ("/cuda/each-call-of-kept-fails", test_each_call_of_kept_fails);
  g_test_add_func ("/cuda/lost-at-each-call", test_lost_at_each_call);
  g_test_add_func ("/cuda/lost-device", test_lost_device);
  return g_test_run ();
}
