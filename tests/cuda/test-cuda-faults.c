/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cuda backend where calls fail, on the device without a GPU: what is missing, what a failing call and a lost
 * device leave behind. */
#include "tests/cuda/backend-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Call 1, 2, 3 ... of opening, two runs and closing fails: an error that names call and device, or success where the
 * call was one that a library's answer replaces; nothing is left. */
static void
test_each_call_fails (gconstpointer data)
{
  const gchar *device = data;
  guint failed = 0, n = 0;
  BackendMemory memory, expected;

  backend_memory_init (&expected, 0);
  backend_run_ref (&expected);
  upi_test_device_reset (1);
  for (;;) {
    g_autoptr (GError) error = NULL;
    gboolean ok;

    n++;
    upi_test_device_fail (n, UPI_FAULT_CALL);
    ok = backend_whole_path (device, 2, &memory, &error);
    g_assert_cmpint (ok, ==, error == NULL);
    g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
    g_assert_null (upi_test_device_get_current ()); /* nor does the thread keep a context */
    if (!upi_test_device_failed_call ())
      break;
    if (ok) { /* a question about an engine, or one while closing: the results are as ever */
      backend_assert_same (&memory, &expected, g_str_has_suffix (device, ":f16") ? 1e-4 : 1e-11);
    } else {
      g_assert_cmpint (error->domain, ==, UPI_ERROR);
      g_assert_nonnull (strstr (error->message, "cuda:0"));
      failed++;
    }
  }
  g_test_message ("%u calls, %u ended in an error", n - 1, failed);
  g_assert_cmpuint (failed, >, 100);
}

/* The same of a run whose operations are timed. */
static void
test_each_call_of_timed_fails (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiPlan) plan = NULL;
  gdouble microseconds[64] = { 0 };
  BackendMemory memory, expected;
  guint failed = 0;

  upi_test_device_reset (1);
  backend_memory_init (&expected, 0);
  backend_run_ref (&expected);
  plan = upi_plan_new (upi_backend_cuda ("cuda", &error), backend_program (), 1, &error);
  g_assert_no_error (error);
  for (guint n = 1;; n++) {
    g_autoptr (UpiContext) context = upi_context_new (plan, &error);
    gboolean ok;

    g_assert_no_error (error);
    backend_bind (context, &memory);
    backend_memory_init (&memory, 0);
    upi_test_device_fail (n, UPI_FAULT_CALL);
    ok = plan->backend->run_timed (context, microseconds, &error);
    g_assert_cmpint (ok, ==, error == NULL);
    failed += !ok;
    g_clear_error (&error);
    if (!upi_test_device_failed_call ())
      break;
    backend_memory_init (&memory, 0); /* the context is as good as before */
    g_assert_true (plan->backend->run_timed (context, microseconds, &error));
    backend_assert_same (&memory, &expected, 1e-11);
  }
  g_assert_cmpuint (failed, >, 40);
}

static UpiPlan *
prepare (UpiProgram *p, const gchar *output, UpiValue value, GError **error)
{
  upi_program_output (p, output, value);
  return upi_plan_new (upi_backend_cuda ("cuda", error), p, 1, error);
}

/* What no library and no kernel does: heads of attention that are too wide for shared memory, a product of two values
 * without cuBLASLt. A linear layer without it has the own kernel. */
static void
test_refused (void)
{
  g_autoptr (GError) error = NULL;
  UpiProgram *p = upi_program_new ("wide");
  g_autoptr (UpiPlan) linear = NULL;
  UpiValue x;

  upi_test_device_reset (1);
  upi_program_part (p, "wide");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 160));
  g_assert_null (prepare (p, "y", upi_attention (p, x, x, x, UPI_NO_VALUE, &(UpiAttention){ .heads = 1 }), &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "heads are 160 wide, the cuda backend has at most 128"));
  g_clear_error (&error);

  upi_test_device_without_engines (2);
  p = upi_program_new ("product");
  upi_program_part (p, "product");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 16));
  g_assert_null (prepare (p, "y", upi_matmul (p, x, x, &(UpiMatmul){ .transpose_b = TRUE, .scale = 1 }), &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_nonnull (strstr (error->message, "no algorithm for a product of [4,16] and [16,4]"));
  g_clear_error (&error);

  p = upi_program_new ("linear");
  upi_program_part (p, "linear");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 16));
  linear = prepare (p, "y",
      upi_linear (
          p, x, upi_program_constant (p, g_new0 (gfloat, 16 * 16), UPI_SHAPE2 (16, 16)), UPI_NO_VALUE, UPI_ACT_NONE),
      &error);
  g_assert_no_error (error);
  g_clear_pointer (&linear, upi_plan_free);
  g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
}

static gboolean
whole_and_kept (GError **error)
{
  static gfloat result[32 * 32 * 3];
  BackendMemory memory;

  if (!backend_whole_path ("cuda", 1, &memory, error) || !backend_resident_path ("cuda", result, error))
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
    ok = backend_resident_path ("cuda", result, &error);
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

/* What body returns, in a process of its own whose call N fails. */
static gint
in_child (guint n, UpiDeviceFault fault, gint (*body) (void))
{
  gint status;
  pid_t child;

  fflush (NULL);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0) {
    upi_test_device_fail (n, fault);
    exit (body ());
  }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  if (!WIFEXITED (status))
    g_error ("call %u failed: killed by signal %d", n, WTERMSIG (status));
  return WEXITSTATUS (status);
}

enum { DONE = 0, NO_SUCH_CALL = 3, AS_IF_NOTHING = 4 };

static gint
lose (void)
{
  g_autoptr (GError) error = NULL, again = NULL;
  gboolean ok = whole_and_kept (&error);

  g_assert_cmpint (ok, ==, error == NULL);
  g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
  if (!upi_test_device_failed_call ())
    return NO_SUCH_CALL;
  if (ok)
    return AS_IF_NOTHING;
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_false (whole_and_kept (&again));
  g_assert_error (again, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
  return DONE;
}

/* The device is lost at call 1, 2, 3 ... and every call after it fails: an error of the device's, nothing is left, and
 * it stays lost. Each in a process of its own: a lost device is lost for good. */
static void
test_lost_at_each_call (void)
{
  guint n = 0, unnoticed = 0;
  gint status = DONE;

  upi_test_device_reset (1);
  while (status != NO_SUCH_CALL) {
    status = in_child (++n, UPI_FAULT_STICKY, lose);
    if (status != DONE && status != NO_SUCH_CALL && status != AS_IF_NOTHING)
      g_error ("lost at call %u: status %d", n, status);
    unnoticed += status == AS_IF_NOTHING;
  }
  g_test_message ("lost at %u calls, %u of them while closing", n - 1, unnoticed);
  g_assert_cmpuint (n, >, 300);
  g_assert_cmpuint (unnoticed, <, 60);
}

/* After a sticky error the device is gone, with a reason, for every plan and context; another device is not. Last: it
 * stays gone. */
static void
test_lost_device (void)
{
  g_autoptr (GError) error = NULL, second = NULL, third = NULL;
  g_autoptr (UpiPlan) plan = NULL, other_plan = NULL;
  g_autoptr (UpiContext) context = NULL, other = NULL;
  BackendMemory memory, expected;

  upi_test_device_reset (2);
  plan = upi_plan_new (upi_backend_cuda ("cuda:0", &error), backend_program (), 1, &error);
  context = upi_context_new (plan, &error);
  other_plan = upi_plan_new (upi_backend_cuda ("cuda:1", &error), backend_program (), 1, &error);
  other = upi_context_new (other_plan, &error);
  g_assert_no_error (error);
  backend_bind (context, &memory);
  backend_bind (other, &memory);
  backend_memory_init (&memory, 0);
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
  backend_memory_init (&memory, 0);
  backend_memory_init (&expected, 0);
  backend_run_ref (&expected);
  g_clear_error (&error);
  g_assert_true (upi_context_run (other, &error));
  backend_assert_same (&memory, &expected, 1e-11);
}

static gint
open_one (void)
{
  g_autoptr (GError) error = NULL;

  if (upi_backend_cuda ("cuda:7", &error)
      != NULL) /* no more calls; or the one that gives the thread its context back */
    return upi_test_device_failed_call () == NULL ? NO_SUCH_CALL : DONE;
  g_assert_nonnull (error);
  g_assert_true (g_str_has_suffix (error->message, "use device=cpu") || strstr (error->message, "cuCtx") != NULL);
  g_assert_null (upi_test_device_get_current ());
  return DONE;
}

/* Call 1, 2, 3 ... of opening a device fails, each in a process of its own. */
static void
test_opening_fails (void)
{
  guint n = 0;
  gint status = DONE;

  upi_test_device_reset (8);
  while (status == DONE)
    status = in_child (++n, UPI_FAULT_CALL, open_one);
  g_assert_cmpint (status, ==, NO_SUCH_CALL);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda-faults/missing", test_missing);
  g_test_add_func ("/cuda-faults/opening-fails", test_opening_fails);
  g_test_add_func ("/cuda-faults/refused", test_refused);
  g_test_add_data_func ("/cuda-faults/each-call-fails", "cuda", test_each_call_fails);
  g_test_add_data_func ("/cuda-faults/each-call-fails-f16", "cuda:0:f16", test_each_call_fails);
  g_test_add_func ("/cuda-faults/each-call-of-timed-fails", test_each_call_of_timed_fails);
  g_test_add_func ("/cuda-faults/each-call-of-kept-fails", test_each_call_of_kept_fails);
  g_test_add_func ("/cuda-faults/lost-at-each-call", test_lost_at_each_call);
  g_test_add_func ("/cuda-faults/lost-device", test_lost_device);
  return g_test_run ();
}
