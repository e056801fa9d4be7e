/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fuse pass and the copies that go: what is merged, what must not be, and that the numbers stay the same. */

#include "core/backends/backend.h"
#include "core/program/passes.h"

#include <math.h>
#include <string.h>

static const gfloat weights[64] = { 0.5f, -1, 0.25f, 2, -0.5f, 1, 0.75f, -2, 1, 0.5f, -0.25f, 0.125f, 3, -1, 0.5f,
  0.25f };
static const gfloat ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, zeros[8] = { 0 };

typedef struct {
  UpiProgram *p;
  UpiValue x, y, w, b, gamma, beta; /* x, y inputs [1,4,4]; w [4,4] */
} Fixture;

static Fixture
fixture (void)
{
  Fixture f = { .p = upi_program_new ("fuse") };

  f.x = upi_program_input (f.p, "x", UPI_F32, UPI_SHAPE3 (1, 4, 4));
  f.y = upi_program_input (f.p, "y", UPI_F32, UPI_SHAPE3 (1, 4, 4));
  f.w = upi_program_weight (f.p, "w", weights, UPI_SHAPE2 (4, 4));
  f.b = upi_program_weight (f.p, "b", weights + 4, UPI_SHAPE1 (4));
  f.gamma = upi_program_weight (f.p, "gamma", ones, UPI_SHAPE1 (4));
  f.beta = upi_program_weight (f.p, "beta", zeros, UPI_SHAPE1 (4));
  return f;
}

static void
finish (UpiProgram *p)
{
  GError *error = NULL;

  upi_program_finish (p, &error);
  g_assert_no_error (error);
}

static void
assert_ops (const UpiProgram *p, guint n, const UpiOpKind *kinds)
{
  g_autofree gchar *dump = upi_program_dump (p, NULL);

  g_test_message ("%s", dump);
  g_assert_cmpuint (p->ops->len, ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (upi_program_op (p, i)->kind, ==, kinds[i]);
}

#define ASSERT_OPS(p, ...) assert_ops (p, G_N_ELEMENTS (((UpiOpKind[]){ __VA_ARGS__ })), (UpiOpKind[]){ __VA_ARGS__ })

static void
test_activation (void)
{
  Fixture f = fixture ();
  UpiValue h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);

  upi_program_output (f.p, "out", upi_activation (f.p, h, UPI_ACT_GELU));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR);
  g_assert_cmpint (upi_program_op (f.p, 0)->u.act, ==, UPI_ACT_GELU);
  g_assert_true (upi_program_value (f.p, upi_program_op (f.p, 0)->output)->is_output);
  upi_program_free (f.p);
}

/* An activation behind a reshape: producer and output differ in shape, the memory is one. */
static void
test_activation_of_view (void)
{
  Fixture f = fixture ();
  UpiValue h = upi_reshape (f.p, upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE), UPI_SHAPE2 (2, 8)), out;

  out = upi_activation (f.p, h, UPI_ACT_RELU);
  upi_program_output (f.p, "out", out);
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR);
  g_assert_cmpuint (upi_program_value (f.p, upi_program_op (f.p, 0)->output)->base, ==, out);
  upi_program_free (f.p);
}

/* Somebody else reads the value in between, it is an output, or only a part of it is activated. */
static void
test_activation_stays (void)
{
  Fixture f = fixture ();
  UpiValue h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);

  upi_program_output (f.p, "out", upi_mul (f.p, upi_activation (f.p, h, UPI_ACT_RELU), h));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_ACTIVATION, UPI_OP_MUL);
  upi_program_free (f.p);

  f = fixture ();
  h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);
  upi_program_output (f.p, "before", h);
  upi_program_output (f.p, "after", upi_activation (f.p, h, UPI_ACT_RELU));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_ACTIVATION);
  upi_program_free (f.p);

  f = fixture ();
  h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);
  upi_program_output (f.p, "part", upi_activation (f.p, upi_slice (f.p, h, 1, 0, 2), UPI_ACT_RELU));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_ACTIVATION);
  upi_program_free (f.p);
}

static void
test_residual (void)
{
  Fixture f = fixture ();
  UpiValue h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);
  const UpiOp *op;

  /* The order of the operands does not matter; the activation behind follows. */
  upi_program_output (f.p, "out", upi_activation (f.p, upi_add (f.p, f.y, h), UPI_ACT_RELU));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR);
  op = upi_program_op (f.p, 0);
  g_assert_cmpuint (op->residual, ==, f.y);
  g_assert_cmpint (op->u.act, ==, UPI_ACT_RELU);
  upi_program_free (f.p);
}

/* Of two linears the later one takes the earlier one's result. */
static void
test_residual_of_later (void)
{
  Fixture f = fixture ();
  UpiValue first = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE),
           second = upi_linear (f.p, f.y, f.w, f.b, UPI_ACT_NONE);

  upi_program_output (f.p, "out", upi_add (f.p, first, second));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_LINEAR);
  g_assert_cmpuint (upi_program_op (f.p, 0)->residual, ==, UPI_NO_VALUE);
  g_assert_cmpuint (upi_program_op (f.p, 1)->residual, ==, first);
  upi_program_free (f.p);
}

/* The other operand is made from what comes after: the linear waits for it, behind a change of a cache that it does not
 * read. */
static void
test_residual_waits (void)
{
  Fixture f = fixture ();
  UpiValue start = upi_program_input (f.p, "start", UPI_I32, UPI_SHAPE1 (1));
  UpiValue cache = upi_program_input (f.p, "cache", UPI_F32, UPI_SHAPE3 (1, 4, 4));
  UpiValue h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);

  cache = upi_store_rows (f.p, cache, f.y, start);
  upi_program_output (f.p, "out", upi_add (f.p, h, cache));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_STORE_ROWS, UPI_OP_LINEAR);
  g_assert_cmpuint (upi_program_op (f.p, 1)->residual, ==, cache);
  upi_program_free (f.p);
}

static void
test_residual_stays (void)
{
  Fixture f = fixture ();
  UpiValue h, start, cache, after;

  /* x + x and a broadcast operand. */
  h = upi_linear (f.p, f.y, f.w, f.b, UPI_ACT_NONE);
  upi_program_output (f.p, "twice", upi_add (f.p, h, h));
  h = upi_linear (f.p, f.y, f.w, f.b, UPI_ACT_NONE);
  upi_program_output (f.p, "broadcast", upi_add (f.p, h, f.b));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_ADD, UPI_OP_LINEAR, UPI_OP_ADD);
  upi_program_free (f.p);

  /* The linear reads the cache as it was, the addition as it is afterwards. */
  f = fixture ();
  start = upi_program_input (f.p, "start", UPI_I32, UPI_SHAPE1 (1));
  cache = upi_program_input (f.p, "cache", UPI_F32, UPI_SHAPE3 (1, 4, 4));
  h = upi_linear (f.p, cache, f.w, f.b, UPI_ACT_NONE);
  after = upi_store_rows (f.p, cache, f.y, start);
  upi_program_output (f.p, "out", upi_add (f.p, h, after));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_STORE_ROWS, UPI_OP_ADD);
  upi_program_free (f.p);
}

static void
test_layer_norm (void)
{
  Fixture f = fixture ();
  UpiValue h = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE);

  upi_program_output (f.p, "out", upi_layer_norm (f.p, upi_add (f.p, f.x, h), f.gamma, f.beta, 1e-5f));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_LAYER_NORM);
  g_assert_cmpuint (upi_program_op (f.p, 1)->inputs[0], ==, f.x);
  g_assert_cmpuint (upi_program_op (f.p, 1)->residual, ==, h);
  upi_program_free (f.p);

  /* Pre-norm: the sum goes on, so the linear takes it. */
  f = fixture ();
  h = upi_add (f.p, f.x, upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE));
  upi_program_output (f.p, "out", upi_add (f.p, h, upi_layer_norm (f.p, h, f.gamma, f.beta, 1e-5f)));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_LAYER_NORM, UPI_OP_ADD);
  g_assert_cmpuint (upi_program_op (f.p, 0)->residual, ==, f.x);
  g_assert_cmpuint (upi_program_op (f.p, 1)->residual, ==, UPI_NO_VALUE);
  upi_program_free (f.p);
}

static void
test_concat_in_place (void)
{
  Fixture f = fixture ();
  UpiValue a = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE), b = upi_softmax (f.p, f.y), both;

  /* a is read elsewhere as well, through a view that moves along. */
  upi_program_output (f.p, "mean", upi_mean_tokens (f.p, upi_reshape (f.p, a, UPI_SHAPE3 (1, 2, 8))));
  both = upi_concat (f.p, (UpiValue[]){ a, b, f.x }, 3, 1);
  upi_program_output (f.p, "out", both);
  finish (f.p);
  /* Only the input is copied. */
  ASSERT_OPS (f.p, UPI_OP_LINEAR, UPI_OP_SOFTMAX, UPI_OP_MEAN_TOKENS, UPI_OP_COPY);
  g_assert_cmpuint (upi_program_value (f.p, a)->base, ==, both);
  g_assert_cmpuint (upi_program_value (f.p, b)->offset, ==, 16);
  upi_program_free (f.p);
}

/* Twice the same part, a part of a part, an output in between, a view that the place cannot hold. */
static void
test_concat_copies (void)
{
  Fixture f = fixture ();
  UpiValue a = upi_softmax (f.p, f.x), b = upi_softmax (f.p, f.y), wide;

  upi_program_output (f.p, "twice", upi_concat (f.p, (UpiValue[]){ a, a }, 2, 1));
  upi_program_output (f.p, "b", b);
  upi_program_output (
      f.p, "part", upi_concat (f.p, (UpiValue[]){ b, upi_slice (f.p, upi_l2_norm (f.p, f.x), 1, 1, 3) }, 2, 1));
  wide = upi_l2_norm (f.p, f.y);
  upi_program_output (f.p, "flat", upi_softmax (f.p, upi_reshape (f.p, wide, UPI_SHAPE1 (16))));
  upi_program_output (f.p, "columns", upi_concat (f.p, (UpiValue[]){ wide, f.x }, 2, 2));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_SOFTMAX, UPI_OP_SOFTMAX, UPI_OP_COPY /* second a */, UPI_OP_L2_NORM, UPI_OP_COPY /* b */,
      UPI_OP_COPY /* slice */, UPI_OP_L2_NORM, UPI_OP_SOFTMAX, UPI_OP_COPY /* wide */, UPI_OP_COPY /* x */);
  upi_program_free (f.p);
}

/* A concat in a concat is written in place through both. */
static void
test_concat_nested (void)
{
  Fixture f = fixture ();
  UpiValue a = upi_softmax (f.p, f.x), b = upi_softmax (f.p, f.y), c = upi_l2_norm (f.p, f.x), all;

  all = upi_concat (f.p, (UpiValue[]){ c, upi_concat (f.p, (UpiValue[]){ a, b }, 2, 1) }, 2, 1);
  upi_program_output (f.p, "out", all);
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_SOFTMAX, UPI_OP_SOFTMAX, UPI_OP_L2_NORM);
  g_assert_cmpuint (upi_program_value (f.p, b)->base, ==, all);
  g_assert_cmpuint (upi_program_value (f.p, b)->offset, ==, 32);
  upi_program_free (f.p);
}

static void
test_dead (void)
{
  Fixture f = fixture ();
  UpiValue start = upi_program_input (f.p, "start", UPI_I32, UPI_SHAPE1 (1));

  upi_softmax (f.p, upi_softmax (f.p, f.x));
  upi_store_rows (f.p, f.y, upi_l2_norm (f.p, f.x), start); /* an effect */
  upi_program_output (f.p, "out", upi_mul (f.p, f.x, f.x));
  finish (f.p);
  ASSERT_OPS (f.p, UPI_OP_L2_NORM, UPI_OP_STORE_ROWS, UPI_OP_MUL);
  upi_program_free (f.p);
}

/* A block as a network has it, with and without the passes: equal numbers. Without: every value in between is an
 * output. */
static UpiProgram *
block (gboolean debug)
{
  Fixture f = fixture ();
  UpiValue q = upi_linear (f.p, f.x, f.w, f.b, UPI_ACT_NONE), h, sum, norm, cat;

  h = upi_activation (f.p, q, UPI_ACT_GELU);
  sum = upi_add (f.p, f.y, h);
  norm = upi_layer_norm (f.p, sum, f.gamma, f.beta, 1e-5f);
  cat = upi_concat (f.p,
      (UpiValue[]){ norm, f.x,
          upi_activation (f.p, upi_add (f.p, upi_linear (f.p, norm, f.w, f.b, UPI_ACT_NONE), f.y), UPI_ACT_RELU) },
      3, 1); /* [1,12,4] */
  if (debug) {
    upi_program_output (f.p, "q", q);
    upi_program_output (f.p, "h", h);
    upi_program_output (f.p, "sum", sum);
    upi_program_output (f.p, "norm", norm);
  }
  upi_program_output (f.p, "out", upi_softmax (f.p, upi_reshape (f.p, cat, UPI_SHAPE2 (6, 8))));
  return f.p;
}

static void
test_same_numbers (void)
{
  gfloat in[2][16], out[2][48], other[4][16];
  const gchar *const names[] = { "q", "h", "sum", "norm" };
  gdouble sum = 0;

  for (guint i = 0; i < 32; i++)
    in[i / 16][i % 16] = sinf ((gfloat) i) * 2;
  for (guint d = 0; d < 2; d++) {
    g_autoptr (UpiPlan) plan = upi_plan_new (upi_backend_ref (), block (d == 1), 1, NULL);
    g_autoptr (UpiContext) context = upi_context_new (plan, NULL);

    /* The activation and the addition on their own, and a copy of the norm that is an output as well. */
    g_assert_cmpuint (plan->program->ops->len, ==, (d == 1 ? 8u : 5u));
    upi_context_bind (context, upi_plan_find (plan, "x"), in[0]);
    upi_context_bind (context, upi_plan_find (plan, "y"), in[1]);
    upi_context_bind (context, upi_plan_find (plan, "out"), out[d]);
    for (guint i = 0; i < 4 && d == 1; i++)
      upi_context_bind (context, upi_plan_find (plan, names[i]), other[i]);
    g_assert_true (upi_context_run (context, NULL));
  }
  for (guint i = 0; i < 48; i++) {
    g_assert_cmpfloat_with_epsilon (out[0][i], out[1][i], 1e-6);
    sum += (gdouble) out[0][i];
  }
  g_assert_cmpfloat_with_epsilon (sum, 6, 1e-5); /* six rows of a softmax */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/fuse/activation", test_activation);
  g_test_add_func ("/program/fuse/activation-of-view", test_activation_of_view);
  g_test_add_func ("/program/fuse/activation-stays", test_activation_stays);
  g_test_add_func ("/program/fuse/residual", test_residual);
  g_test_add_func ("/program/fuse/residual-of-later", test_residual_of_later);
  g_test_add_func ("/program/fuse/residual-waits", test_residual_waits);
  g_test_add_func ("/program/fuse/residual-stays", test_residual_stays);
  g_test_add_func ("/program/fuse/layer-norm", test_layer_norm);
  g_test_add_func ("/program/fuse/same-numbers", test_same_numbers);
  g_test_add_func ("/program/in-place/concat", test_concat_in_place);
  g_test_add_func ("/program/in-place/concat-copies", test_concat_copies);
  g_test_add_func ("/program/in-place/concat-nested", test_concat_nested);
  g_test_add_func ("/program/dead", test_dead);
  return g_test_run ();
}
