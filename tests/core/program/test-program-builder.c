/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The builder and the ref backend end to end: a small network gives the numbers worked out by hand, views cost no
 * operation, errors name part, operation and shapes. */

#include "core/backends/backend.h"
#include "core/program/passes.h"

#include <string.h>

static UpiContext *
open_context (UpiProgram *p, UpiPlan **plan)
{
  GError *error = NULL;
  UpiContext *context;

  *plan = upi_plan_new (upi_backend_ref (), p, 1, &error);
  g_assert_no_error (error);
  context = upi_context_new (*plan, &error);
  g_assert_no_error (error);
  return context;
}

static void
bind (UpiContext *context, const gchar *name, void *data)
{
  UpiValue value = upi_plan_find (context->plan, name);

  g_assert_cmpuint (value, !=, UPI_NO_VALUE);
  upi_context_bind (context, value, data);
}

static void
test_runs (void)
{
  static const gfloat weight[6] = { 1, 0, 0, 1, 1, 1 }, bias[3] = { 0, 0, -1 };
  UpiProgram *p = upi_program_new ("small");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 2, 2));
  UpiValue w = upi_program_weight (p, "w", weight, UPI_SHAPE2 (3, 2)),
           b = upi_program_weight (p, "b", bias, UPI_SHAPE1 (3));
  UpiValue y = upi_linear (p, x, w, b, UPI_ACT_RELU); /* [1,2,3] */
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gfloat in[4] = { 1, 2, -3, 4 }, out[6] = { 0 };
  const gfloat expected[6] = { 1, 2, 2, 0, 4, 0 };
  GError *error = NULL;

  upi_program_output (p, "y", y);
  context = open_context (p, &plan);
  g_assert_false (upi_context_run (context, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "\"x\""));
  g_clear_error (&error);
  bind (context, "x", in);
  bind (context, "y", out);
  g_assert_true (upi_context_run (context, &error));
  g_assert_cmpmem (out, sizeof out, expected, sizeof expected);
  g_assert_cmpuint (upi_plan_find (plan, "z"), ==, UPI_NO_VALUE);
  g_assert_cmpuint (upi_plan_bytes (plan, upi_plan_find (plan, "y")), ==, sizeof out);
}

/* Outputs that are an input, a view, a weight, or an output already are copied where the caller bound them. */
static void
test_outputs (void)
{
  static const gfloat constant[2] = { 7, 8 };
  UpiProgram *p = upi_program_new ("outputs");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (2, 2));
  UpiValue y = upi_add (p, x, x);
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gfloat in[4] = { 1, 2, 3, 4 }, same[4], first[4], second[4], column[2], two[2];

  upi_program_output (p, "same", x);
  upi_program_output (p, "first", y);
  upi_program_output (p, "second", y);
  upi_program_output (p, "column", upi_slice (p, y, 1, 1, 1));
  upi_program_output (p, "constant", upi_program_weight (p, "constant", constant, UPI_SHAPE1 (2)));
  context = open_context (p, &plan);
  bind (context, "x", in);
  bind (context, "same", same);
  bind (context, "first", first);
  bind (context, "second", second);
  bind (context, "column", column);
  bind (context, "constant", two);
  g_assert_true (upi_context_run (context, NULL));
  g_assert_cmpmem (same, sizeof same, in, sizeof in);
  g_assert_cmpfloat (first[3], ==, 8);
  g_assert_cmpmem (first, sizeof first, second, sizeof second);
  g_assert_cmpfloat (column[0], ==, 4);
  g_assert_cmpfloat (column[1], ==, 8);
  g_assert_cmpmem (two, sizeof two, constant, sizeof constant);
}

/* A cache that is changed in place: the value that store_rows returns shows the new rows. */
static void
test_store_rows (void)
{
  UpiProgram *p = upi_program_new ("cache");
  UpiValue cache = upi_program_input (p, "cache", UPI_F32, UPI_SHAPE3 (1, 4, 2));
  UpiValue rows = upi_program_input (p, "rows", UPI_F32, UPI_SHAPE3 (1, 1, 2));
  UpiValue start = upi_program_input (p, "start", UPI_I32, UPI_SHAPE1 (1));
  UpiValue doubled = upi_add (p, rows, rows);
  UpiValue after = upi_store_rows (p, cache, doubled, start);
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gfloat memory[8] = { 0 }, row[2] = { 1, 2 }, mean[2];
  gint32 at = 2;

  upi_program_output (p, "mean", upi_mean_tokens (p, after));
  context = open_context (p, &plan);
  bind (context, "cache", memory);
  bind (context, "rows", row);
  bind (context, "start", &at);
  bind (context, "mean", mean);
  g_assert_true (upi_context_run (context, NULL));
  g_assert_cmpfloat (memory[4], ==, 2);
  g_assert_cmpfloat (memory[5], ==, 4);
  g_assert_cmpfloat (mean[1], ==, 1);
  at = 4; /* behind the end: not written */
  g_assert_true (upi_context_run (context, NULL));
  g_assert_cmpfloat (mean[1], ==, 1);
}

static void
assert_fails (UpiProgram *p, const gchar *word, const gchar *other)
{
  GError *error = NULL;

  g_assert_false (upi_program_finish (p, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, word));
  g_assert_nonnull (strstr (error->message, other));
  g_error_free (error);
  upi_program_free (p);
}

static void
test_errors (void)
{
  static const gfloat zeros[64] = { 0 };
  UpiProgram *p = upi_program_new ("wrong");
  UpiValue x, w;

  /* The first error is kept, and building goes on without a crash. */
  x = upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 (1, 8, 8, 3));
  w = upi_program_weight (p, "stem.weight", zeros, UPI_SHAPE4 (4, 4, 2, 2));
  upi_program_part (p, "backbone");
  x = upi_conv2d (p, x, w, UPI_NO_VALUE, &(UpiConv){ .stride = 2 });
  x = upi_layer_norm (p, upi_reshape (p, upi_slice (p, x, 3, 0, 9), UPI_SHAPE2 (3, 3)), w, w, 1e-5f);
  upi_program_output (p, "y", x);
  assert_fails (
      p, "backbone: conv2d: weight reads 4 channels a group, x has 3", "[1,8,8,3] \"image\" [4,4,2,2] \"stem.weight\"");

  p = upi_program_new ("wrong");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 6));
  upi_reshape (p, x, UPI_SHAPE2 (5, 5));
  assert_fails (p, "reshape", "[1,4,6] and [5,5]");

  p = upi_program_new ("wrong");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 6));
  upi_concat (p, (UpiValue[]){ x, upi_slice (p, x, 2, 0, 5) }, 2, 1);
  assert_fails (p, "concat: part 1 [1,4,5]", "part 0 [1,4,6]");

  p = upi_program_new ("wrong");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 6));
  upi_slice (p, x, 1, 3, 2);
  assert_fails (p, "slice", "no 2 entries from 3 along axis 1");

  p = upi_program_new ("wrong");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 6));
  upi_attention (p, x, x, upi_slice (p, x, 1, 0, 3), UPI_NO_VALUE, &(UpiAttention){ .heads = 2 });
  assert_fails (p, "attention: v is [1,3,6], expected [1,4,6]", "wrong");

  p = upi_program_new ("wrong");
  upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 0, 6));
  assert_fails (p, "x: shape [1,0,6]", "above 0");

  p = upi_program_new ("wrong");
  upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (65536, 65536, 2));
  assert_fails (p, "[65536,65536,2]", "2^31-1");

  p = upi_program_new ("wrong");
  upi_program_input (p, "x", UPI_F32, UPI_SHAPE1 (1));
  upi_program_input (p, "x", UPI_F32, UPI_SHAPE1 (1));
  assert_fails (p, "input", "\"x\" is taken");

  p = upi_program_new ("wrong");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (3, 4));
  upi_linear (p, x, x, UPI_NO_VALUE, UPI_ACT_NONE);
  assert_fails (p, "linear: weight must be a contiguous constant", "[3,4]");

  p = upi_program_new ("wrong");
  x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (3, 4));
  upi_top_k (p, x, 5);
  assert_fails (p, "top_k", "the best 5 of 4");
}

static void
test_backends (void)
{
  GError *error = NULL;

  g_assert_true (upi_backend_find ("ref", &error) == upi_backend_ref ());
  g_assert_no_error (error);
  g_assert_null (upi_backend_find ("abacus", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_nonnull (strstr (error->message, "abacus"));
  g_clear_error (&error);
  /* A module of its own: where it, the driver or a GPU is missing, the error says what, and what to do instead. */
  if (upi_backend_find ("cuda", &error) == NULL) {
    g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
    g_assert_nonnull (strstr (error->message, "device=cpu"));
    g_clear_error (&error);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/builder/runs", test_runs);
  g_test_add_func ("/program/builder/outputs", test_outputs);
  g_test_add_func ("/program/builder/store-rows", test_store_rows);
  g_test_add_func ("/program/builder/errors", test_errors);
  g_test_add_func ("/program/builder/backends", test_backends);
  return g_test_run ();
}
