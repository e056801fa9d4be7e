/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ref backend against numbers worked out by hand: what every other backend is then compared with. Each case is
 * small enough to be checked on paper, and chosen so that a mistake in order, axis, border or sign shows. */

#include "core/backends/backend.h"
#include "core/program/passes.h"

#include <math.h>
#include <string.h>

/* A program of one operation. Values come from literals, so that a case reads as a line of arithmetic. */
typedef struct {
  UpiProgram *p;
  UpiValue inputs[8];
  const void *data[8];
  guint n;
} Case;

#define F(...) ((const gfloat[]){ __VA_ARGS__ })
#define I(...) ((const gint32[]){ __VA_ARGS__ })

static Case
new_case (void)
{
  return (Case){ .p = upi_program_new ("ref") };
}

static UpiValue
input (Case *c, UpiShape shape, const gfloat *data)
{
  g_autofree gchar *name = g_strdup_printf ("in%u", c->n);

  c->data[c->n] = data;
  return c->inputs[c->n++] = upi_program_input (c->p, name, UPI_F32, shape);
}

static UpiValue
ints (Case *c, UpiShape shape, const gint32 *data)
{
  g_autofree gchar *name = g_strdup_printf ("in%u", c->n);

  c->data[c->n] = data;
  return c->inputs[c->n++] = upi_program_input (c->p, name, UPI_I32, shape);
}

static UpiValue
weight (Case *c, UpiShape shape, const gfloat *data)
{
  return upi_program_weight (c->p, NULL, data, shape);
}

/* Runs it and compares the result, float or int, with `expected`. */
static void
expect (Case *c, UpiValue value, gsize n, const gfloat *expected, const gint32 *expected_ints)
{
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  g_autofree guint32 *out = g_new0 (guint32, n);
  GError *error = NULL;

  upi_program_output (c->p, "out", value);
  plan = upi_plan_new (upi_backend_ref (), c->p, 1, &error);
  g_assert_no_error (error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (upi_plan_bytes (plan, upi_plan_find (plan, "out")), ==, n * 4);
  for (guint i = 0; i < c->n; i++)
    upi_context_bind (context, c->inputs[i], (void *) c->data[i]);
  upi_context_bind (context, upi_plan_find (plan, "out"), out);
  g_assert_true (upi_context_run (context, &error));
  for (gsize i = 0; i < n && expected_ints != NULL; i++)
    g_assert_cmpint (((gint32 *) out)[i], ==, expected_ints[i]);
  for (gsize i = 0; i < n && expected != NULL; i++)
    g_assert_cmpfloat_with_epsilon (((gfloat *) out)[i], expected[i], 2e-6f * MAX (1, fabsf (expected[i])));
}

#define EXPECT(c, value, ...) expect (c, value, G_N_ELEMENTS (F (__VA_ARGS__)), F (__VA_ARGS__), NULL)
#define EXPECT_INTS(c, value, ...) expect (c, value, G_N_ELEMENTS (I (__VA_ARGS__)), NULL, I (__VA_ARGS__))

static void
test_conv (void)
{
  const gfloat *map = F (1, 2, 3, 4, 5, 6, 7, 8, 9); /* 3×3, one channel */
  Case c = new_case ();

  /* A kernel that tells rows from columns; padding above and left only. */
  EXPECT (&c,
      upi_conv2d (c.p, input (&c, UPI_SHAPE4 (1, 3, 3, 1), map),
          weight (&c, UPI_SHAPE4 (1, 1, 2, 2), F (1, 10, 100, 1000)), UPI_NO_VALUE,
          &(UpiConv){ .pad_top = 1, .pad_left = 1 }),
      1000, 2100, 3200, 4010, 5421, 6532, 7040, 8754, 9865);
  /* Stride 2 with the TensorFlow padding (0 before, 1 behind). */
  c = new_case ();
  EXPECT (&c,
      upi_conv2d (c.p, input (&c, UPI_SHAPE4 (1, 3, 3, 1), map),
          weight (&c, UPI_SHAPE4 (1, 1, 2, 2), F (1, 10, 100, 1000)), weight (&c, UPI_SHAPE1 (1), F (0.5f)),
          &(UpiConv){ .stride = 2, .pad_bottom = 1, .pad_right = 1 }),
      5421.5f, 603.5f, 87.5f, 9.5f);
  /* Two groups: outputs 0, 1 read channels 0, 1; outputs 2, 3 read channels 2, 3. */
  c = new_case ();
  EXPECT (&c,
      upi_conv2d (c.p, input (&c, UPI_SHAPE4 (1, 1, 1, 4), F (1, 2, 3, 4)),
          weight (&c, UPI_SHAPE4 (4, 2, 1, 1), F (1, 0, 0, 1, 1, 0, 10, 100)), UPI_NO_VALUE, &(UpiConv){ .groups = 2 }),
      1, 2, 3, 430);
  /* Residual, then activation. */
  c = new_case ();
  EXPECT (&c,
      upi_activation (c.p,
          upi_add (c.p,
              upi_conv2d (c.p, input (&c, UPI_SHAPE4 (1, 1, 2, 1), F (1, -1)),
                  weight (&c, UPI_SHAPE4 (1, 1, 1, 1), F (4)), weight (&c, UPI_SHAPE1 (1), F (1)), &(UpiConv){ 0 }),
              input (&c, UPI_SHAPE4 (1, 1, 2, 1), F (3, 2))),
          UPI_ACT_RELU6),
      6, 0);
}

static void
test_products (void)
{
  Case c = new_case ();

  EXPECT (&c,
      upi_linear (c.p, input (&c, UPI_SHAPE2 (2, 2), F (1, 2, 3, 4)),
          weight (&c, UPI_SHAPE2 (3, 2), F (1, 0, 0, 1, 10, 100)), weight (&c, UPI_SHAPE1 (3), F (0, 0, -500)),
          UPI_ACT_RELU),
      1, 2, 0, 3, 4, 0);
  c = new_case ();
  EXPECT (&c,
      upi_matmul (c.p, input (&c, UPI_SHAPE2 (1, 2), F (1, 2)), input (&c, UPI_SHAPE2 (2, 3), F (1, 2, 3, 10, 20, 30)),
          &(UpiMatmul){ .scale = 0.5f }),
      10.5f, 21, 31.5f);
  c = new_case ();
  EXPECT (&c,
      upi_matmul (c.p, input (&c, UPI_SHAPE3 (2, 1, 2), F (1, 2, 3, 4)),
          input (&c, UPI_SHAPE3 (2, 2, 2), F (1, 10, 2, 20, 1, 0, 0, 1)), &(UpiMatmul){ .transpose_b = TRUE }),
      21, 42, 3, 4);
}

static void
test_attention (void)
{
  /* Keys with logits 0 and ln 3 · q: weights 1/4 and 3/4. Head width 1, so that the scale is 1. */
  const gfloat *keys = F (0, 1.0986122887f), *values = F (4, 8);
  UpiAttention plain = { .heads = 1 }, causal = { .heads = 1, .causal = TRUE };
  Case c = new_case ();
  UpiValue k, v;

  EXPECT (&c,
      upi_attention (c.p, input (&c, UPI_SHAPE3 (1, 2, 1), F (1, 0)), input (&c, UPI_SHAPE3 (1, 2, 1), keys),
          input (&c, UPI_SHAPE3 (1, 2, 1), values), UPI_NO_VALUE, &plain),
      7, 6);
  /* Causal: the first row sees the first key alone. */
  c = new_case ();
  EXPECT (&c,
      upi_attention (c.p, input (&c, UPI_SHAPE3 (1, 2, 1), F (1, 1)), input (&c, UPI_SHAPE3 (1, 2, 1), keys),
          input (&c, UPI_SHAPE3 (1, 2, 1), values), UPI_NO_VALUE, &causal),
      4, 7);
  /* Lengths per item; a row without any key gives zeros. */
  c = new_case ();
  EXPECT (&c,
      upi_attention (c.p, input (&c, UPI_SHAPE3 (3, 1, 1), F (1, 1, 1)),
          input (&c, UPI_SHAPE3 (3, 2, 1), F (0, 1.0986122887f, 0, 1.0986122887f, 0, 1.0986122887f)),
          input (&c, UPI_SHAPE3 (3, 2, 1), F (4, 8, 4, 8, 4, 8)), ints (&c, UPI_SHAPE1 (3), I (2, 1, 0)), &plain),
      7, 4, 0);
  /* Two heads side by side, each by its own keys; width 4 a head scales by 1/2. */
  c = new_case ();
  EXPECT (&c,
      upi_attention (c.p, input (&c, UPI_SHAPE3 (1, 1, 8), F (2, 0, 0, 0, 0, 0, 0, 2)),
          input (&c, UPI_SHAPE3 (1, 2, 8), F (0, 0, 0, 0, 0, 0, 0, 1.0986122887f, 1.0986122887f, 0, 0, 0, 0, 0, 0, 0)),
          input (&c, UPI_SHAPE3 (1, 2, 8), F (4, 0, 0, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 8)), UPI_NO_VALUE,
          &(UpiAttention){ .heads = 2 }),
      7, 0, 0, 0, 0, 0, 0, 5);
  /* The second range: one row of text behind one of image; rows behind its length are not read. */
  c = new_case ();
  k = input (&c, UPI_SHAPE3 (1, 1, 1), F (0));
  v = input (&c, UPI_SHAPE3 (1, 1, 1), F (4));
  EXPECT (&c,
      upi_attention2 (c.p, input (&c, UPI_SHAPE3 (1, 1, 1), F (1)), k, v, UPI_NO_VALUE,
          input (&c, UPI_SHAPE3 (1, 3, 1), F (1.0986122887f, 50, 50)),
          input (&c, UPI_SHAPE3 (1, 3, 1), F (8, 999, 999)), ints (&c, UPI_SHAPE1 (1), I (1)), &causal),
      7);
}

/* One level of 2×3 pixels with values 1..6; the sample's place is the reference's. */
static void
test_window_attention (void)
{
  /* A row of four cells in windows of two, rolled by one: cells 1 and 2 are a window, 3 and 0 another, whose halves do
   * not see each other. Each window has a second row, beyond the map. No queries, so that the table alone decides: a
   * left neighbour counts three times. */
  UpiWindow window = { .heads = 1, .window = 2, .shift = 1 };
  Case c = new_case ();

  EXPECT (&c,
      upi_window_attention (c.p, input (&c, UPI_SHAPE4 (1, 1, 4, 3), F (0, 1, 2, 0, 1, 12, 0, 1, 18, 0, 1, 10)),
          weight (&c, UPI_SHAPE1 (3), F (0, 0, 6)),
          weight (&c, UPI_SHAPE2 (9, 1), F (0, 0, 0, 0, 0, 1.0986122887f, 0, 0, 0)), &window),
      4, 10.5f, 11, 8);
  /* Logits are divided by the root of a head's width, here 2, before the table counts; a window over both sides is not
   * rolled. */
  c = new_case ();
  EXPECT (&c,
      upi_window_attention (c.p,
          input (&c, UPI_SHAPE4 (1, 1, 2, 12),
              F (2, 0, 0, 0, 0, 0, 0, 0, 4, 1, 1, 1, 0, 0, 0, 0, 1.0986122887f, 9, 9, 9, 8, 1, 1, 1)),
          weight (&c, UPI_SHAPE1 (12), F (0, 0, 0, 0, -1000, 0, 0, 0, 0, 0, 0, 0)),
          weight (&c, UPI_SHAPE2 (9, 1), F (-1000, -1000, -1000, 0, 0, 0, 0, 0, 0)), &window),
      7, 1, 1, 1, 6, 1, 1, 1);
}

static void
expect_sample (gfloat x, gfloat y, gfloat expected)
{
  UpiDeformable d = { .heads = 1, .points = 1, .levels = 1, .level = { { 2, 3, 0 } } };
  Case c = new_case ();

  EXPECT (&c,
      upi_deformable_attention (c.p, input (&c, UPI_SHAPE3 (1, 6, 1), F (1, 2, 3, 4, 5, 6)),
          input (&c, UPI_SHAPE3 (1, 1, 2), F (0, 0)), input (&c, UPI_SHAPE3 (1, 1, 1), F (5)),
          input (&c, UPI_SHAPE3 (1, 1, 2), F (x, y)), &d),
      expected);
}

static void
test_deformable (void)
{
  UpiDeformable two = { .heads = 1, .points = 2, .levels = 2, .level = { { 1, 2, 0 }, { 1, 1, 2 } } };
  Case c = new_case ();

  expect_sample (0.5f, 0.25f, 2);       /* centre of pixel (0, 1) */
  expect_sample (1 / 3.f, 0.25f, 1.5f); /* between two pixels */
  expect_sample (1 / 3.f, 0.5f, 3);     /* between four */
  expect_sample (0, 0.25f, 0.5f);       /* half outside: zeros */
  expect_sample (0, 0, 0.25f);          /* a corner */
  expect_sample (2, 0.5f, 0);           /* outside */
  /* Two levels, two points: offsets are pixels of the level, x first; logits (0, ln 2, 0, 0) weigh 1/5, 2/5, 1/5, 1/5.
   * Tokens 1, 10 | 100. */
  EXPECT (&c,
      upi_deformable_attention (c.p, input (&c, UPI_SHAPE3 (1, 3, 1), F (1, 10, 100)),
          input (&c, UPI_SHAPE3 (1, 1, 8), F (-0.5f, 0, 0.5f, 0, 0, 0, 0, 0.5f)),
          input (&c, UPI_SHAPE3 (1, 1, 4), F (0, 0.69314718f, 0, 0)), input (&c, UPI_SHAPE3 (1, 1, 2), F (0.5f, 0.5f)),
          &two),
      0.2f * 1 + 0.4f * 10 + 0.2f * 100 + 0.2f * 50);
  /* A box: the offset counts in half boxes over the points. Centre 0.5, width 1: +1 · 1/2 · 1 · 0.5 = +0.25, the second
   * pixel's centre. */
  c = new_case ();
  two.levels = 1;
  EXPECT (&c,
      upi_deformable_attention (c.p, input (&c, UPI_SHAPE3 (1, 2, 1), F (1, 10)),
          input (&c, UPI_SHAPE3 (1, 1, 4), F (1, 0, -1, 0)), input (&c, UPI_SHAPE3 (1, 1, 2), F (0, 1.0986122887f)),
          input (&c, UPI_SHAPE3 (1, 1, 4), F (0.5f, 0.5f, 1, 0.5f)), &two),
      0.25f * 10 + 0.75f * 1);
}

static void
test_norms (void)
{
  Case c = new_case ();

  /* Mean 2, variance 2/3 (of the population). */
  EXPECT (&c,
      upi_layer_norm (c.p, input (&c, UPI_SHAPE2 (1, 3), F (1, 2, 3)), weight (&c, UPI_SHAPE1 (3), F (1, 1, 2)),
          weight (&c, UPI_SHAPE1 (3), F (0, 5, 0)), 0),
      -1.2247449f, 5, 2.4494897f);
  c = new_case (); /* eps below the root: variance 3 + 1 */
  EXPECT (&c,
      upi_layer_norm (c.p,
          upi_add (c.p, input (&c, UPI_SHAPE2 (1, 2), F (1, 2)), input (&c, UPI_SHAPE2 (1, 2), F (0, 2.4641016f))),
          weight (&c, UPI_SHAPE1 (2), F (1, 1)), weight (&c, UPI_SHAPE1 (2), F (0, 0)), 1),
      -0.8660254f, 0.8660254f);
  /* Groups of channels (0, 1) and (2, 3) over both pixels. */
  c = new_case ();
  EXPECT (&c,
      upi_group_norm (c.p, input (&c, UPI_SHAPE4 (1, 1, 2, 4), F (1, 1, 0, 8, 3, 3, 0, 8)),
          weight (&c, UPI_SHAPE1 (4), F (1, 2, 1, 1)), weight (&c, UPI_SHAPE1 (4), F (0, 0, 0, 1)), 2, 0),
      -1, -2, -1, 2, 1, 2, -1, 2);
  c = new_case ();
  EXPECT (
      &c, upi_softmax (c.p, input (&c, UPI_SHAPE2 (2, 2), F (0, 1.0986122887f, 1000, 1000))), 0.25f, 0.75f, 0.5f, 0.5f);
  c = new_case ();
  EXPECT (&c, upi_l2_norm (c.p, input (&c, UPI_SHAPE2 (2, 2), F (3, -4, 0, 0))), 0.6f, -0.8f, 0, 0);
}

static void
test_elements (void)
{
  const gfloat *six = F (1, 2, 3, 4, 5, 6);
  Case c = new_case ();

  EXPECT (&c, upi_activation (c.p, input (&c, UPI_SHAPE1 (4), F (-1, 0, 1, 7)), UPI_ACT_GELU), -0.15865525f, 0,
      0.84134475f, 7);
  c = new_case ();
  EXPECT (&c, upi_activation (c.p, input (&c, UPI_SHAPE1 (3), F (-100, 0, 1.0986122887f)), UPI_ACT_SIGMOID), 0, 0.5f,
      0.75f);
  c = new_case ();
  EXPECT (&c, upi_activation (c.p, input (&c, UPI_SHAPE1 (3), F (-1, 3, 7)), UPI_ACT_RELU6), 0, 3, 6);
  c = new_case ();
  EXPECT (&c, upi_activation (c.p, input (&c, UPI_SHAPE1 (5), F (-4, -1, 0, 1, 7)), UPI_ACT_HARD_SWISH), 0, -1 / 3.0f,
      0, 2 / 3.0f, 7);
  c = new_case ();
  EXPECT (&c, upi_activation (c.p, input (&c, UPI_SHAPE1 (5), F (-4, -1, 0, 1, 7)), UPI_ACT_HARD_SIGMOID), 0, 1 / 3.0f,
      0.5f, 2 / 3.0f, 1);
  c = new_case ();
  EXPECT (&c, upi_activation (c.p, input (&c, UPI_SHAPE1 (3), F (-1, 3, 7)), UPI_ACT_RELU), 0, 3, 7);
  c = new_case (); /* one value a row */
  EXPECT (&c, upi_add (c.p, input (&c, UPI_SHAPE3 (1, 2, 3), six), input (&c, UPI_SHAPE2 (2, 1), F (10, 20))), 11, 12,
      13, 24, 25, 26);
  c = new_case (); /* one value a column */
  EXPECT (&c, upi_mul (c.p, input (&c, UPI_SHAPE3 (1, 2, 3), six), input (&c, UPI_SHAPE1 (3), F (1, 10, 100))), 1, 20,
      300, 4, 50, 600);
}

static void
test_scores (void)
{
  Case c = new_case ();

  EXPECT (&c, upi_row_max (c.p, input (&c, UPI_SHAPE2 (3, 3), F (-5, -2, -3, NAN, 7, NAN, NAN, -9, -8))), -2, 7, -8);
  /* both certain to a half: a half; √(¾ · ⅓) is one too; a certain one: √¼ of the other's quarter */
  c = new_case ();
  EXPECT (&c,
      upi_joint_logit (c.p, input (&c, UPI_SHAPE3 (1, 3, 2), F (0, 1.0986122887f, 1.0986122887f, 0, 100, -100)),
          input (&c, UPI_SHAPE3 (1, 3, 1), F (0, -0.6931471806f, -1.0986122887f))),
      0, 0.4572957f, 0, -0.3712116f, 0, UPI_JOINT_LOGIT_LEAST);
  c = new_case (); /* the ends, and what is no number */
  EXPECT (&c,
      upi_joint_logit (
          c.p, input (&c, UPI_SHAPE3 (1, 2, 2), F (100, NAN, 1, 2)), input (&c, UPI_SHAPE3 (1, 2, 1), F (100, NAN))),
      UPI_JOINT_LOGIT_MOST, UPI_JOINT_LOGIT_LEAST, UPI_JOINT_LOGIT_LEAST, UPI_JOINT_LOGIT_LEAST);
}

static void
test_maps (void)
{
  Case c = new_case ();

  EXPECT (&c, upi_resize (c.p, input (&c, UPI_SHAPE4 (1, 1, 2, 1), F (0, 4)), 2, 4), 0, 1, 3, 4, 0, 1, 3, 4);
  c = new_case (); /* down: between the two in the middle of each half */
  EXPECT (&c, upi_resize (c.p, input (&c, UPI_SHAPE4 (1, 4, 1, 1), F (0, 1, 2, 10)), 2, 1), 0.5f, 6);
  c = new_case (); /* as they are: rows 0, 0, 1, columns 0, 0, 1, 1 */
  EXPECT (&c, upi_resize_nearest (c.p, input (&c, UPI_SHAPE4 (1, 2, 2, 1), F (1, 2, 3, 4)), 3, 4), 1, 1, 2, 2, 1, 1, 2,
      2, 3, 3, 4, 4);
  c = new_case (); /* padding never wins, even over negative values */
  EXPECT (&c,
      upi_max_pool (
          c.p, input (&c, UPI_SHAPE4 (1, 3, 3, 1), F (-1, -2, -3, -4, -5, -6, -7, -8, -9)), &(UpiPool){ 3, 2, 1 }),
      -1, -2, -4, -5);
  c = new_case (); /* 3 → 2: the middle belongs to both */
  EXPECT (&c, upi_adaptive_avg_pool (c.p, input (&c, UPI_SHAPE4 (1, 3, 1, 2), F (1, 10, 2, 20, 6, 60)), 2, 1), 1.5f, 15,
      4, 40);
}

static void
test_rows (void)
{
  const gfloat *six = F (1, 2, 3, 4, 5, 6);
  Case c = new_case ();

  EXPECT (&c, upi_mean_tokens (c.p, input (&c, UPI_SHAPE3 (1, 3, 2), six)), 3, 4);
  c = new_case ();
  EXPECT (&c, upi_gather (c.p, input (&c, UPI_SHAPE3 (1, 3, 2), six), ints (&c, UPI_SHAPE2 (2, 2), I (2, 0, 1, 1))), 5,
      6, 1, 2, 3, 4, 3, 4);
  c = new_case ();
  EXPECT (&c, upi_embed (c.p, input (&c, UPI_SHAPE2 (3, 2), six), ints (&c, UPI_SHAPE2 (1, 2), I (2, 0))), 5, 6, 1, 2);
  c = new_case (); /* equal scores: lower index first; what is no number last */
  EXPECT_INTS (&c, upi_top_k (c.p, input (&c, UPI_SHAPE2 (1, 6), F (1, 3, NAN, 3, -INFINITY, 2)), 6), 1, 3, 5, 0, 4, 2);
  c = new_case ();
  EXPECT_INTS (&c, upi_top_k (c.p, input (&c, UPI_SHAPE3 (2, 3, 1), F (1, 2, 3, 3, 2, 1)), 2), 2, 1, 0, 1);
}

static void
test_boxes (void)
{
  Case c = new_case ();

  /* Two features a coordinate: sin 2πc, cos 2πc; in the order cy, cx, w, h. */
  EXPECT (&c, upi_sine_position (c.p, input (&c, UPI_SHAPE3 (1, 1, 4), F (0.25f, 0, 0.5f, 0.125f)), 2), 0, 1, 1, 0, 0,
      -1, 0.70710678f, 0.70710678f);
  c = new_case (); /* the second pair of four turns 10000^(1/2) = 100 times slower */
  EXPECT (&c,
      upi_slice (c.p, upi_sine_position (c.p, input (&c, UPI_SHAPE3 (1, 1, 4), F (0, 0.25f, 0, 0)), 4), 2, 0, 4), 1, 0,
      0.015707317f, 0.99987663f);
  c = new_case (); /* logit 0.75 = ln 3; ends are clamped to 1e-5 */
  EXPECT (&c,
      upi_box_refine (c.p, input (&c, UPI_SHAPE3 (1, 1, 4), F (0, -1.0986122887f, 0, 0)),
          input (&c, UPI_SHAPE3 (1, 1, 4), F (0.3f, 0.75f, 0, 1))),
      0.3f, 0.5f, 1e-5f, 0.99999f);
  c = new_case (); /* the second overlaps the first by 0.6, the third both by less, the fourth is the third */
  EXPECT_INTS (&c,
      upi_distinct (c.p,
          input (&c, UPI_SHAPE3 (1, 4, 4),
              F (0.5f, 0.5f, 0.4f, 0.4f, 0.6f, 0.5f, 0.4f, 0.4f, 0.8f, 0.5f, 0.4f, 0.4f, 0.8f, 0.5f, 0.4f, 0.4f)),
          ints (&c, UPI_SHAPE2 (1, 4), I (9, 3, 7, 5)), 4, 0.5f),
      9, 7, 3, 5);
  /* the first box lies on anchor 0 and overlaps 1 by 0.6, 2 by 1/7; the second overlaps nothing; the third is no
   * number */
  for (guint ratio = 0; ratio < 2; ratio++) {
    UpiValue boxes, scores, anchors;

    c = new_case ();
    boxes = input (&c, UPI_SHAPE3 (1, 3, 4), F (0.5f, 0.5f, 0.4f, 0.4f, 0.1f, 0.1f, 0.1f, 0.1f, NAN, 0.5f, 0.4f, 0.4f));
    scores = input (&c, UPI_SHAPE3 (1, 3, 2), F (1, -9, 0.5f, 2, 7, 7));
    anchors =
        input (&c, UPI_SHAPE3 (1, 3, 4), F (0.5f, 0.5f, 0.4f, 0.4f, 0.6f, 0.5f, 0.4f, 0.4f, 0.8f, 0.5f, 0.4f, 0.4f));
    EXPECT (
        &c, upi_anchor_max (c.p, boxes, scores, anchors, ratio ? 0.5f : 0.7f, -3), 1, ratio ? 2 : -3, -3, -3, -3, -3);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ref/conv", test_conv);
  g_test_add_func ("/ref/products", test_products);
  g_test_add_func ("/ref/attention", test_attention);
  g_test_add_func ("/ref/window-attention", test_window_attention);
  g_test_add_func ("/ref/deformable", test_deformable);
  g_test_add_func ("/ref/norms", test_norms);
  g_test_add_func ("/ref/elements", test_elements);
  g_test_add_func ("/ref/scores", test_scores);
  g_test_add_func ("/ref/maps", test_maps);
  g_test_add_func ("/ref/rows", test_rows);
  g_test_add_func ("/ref/boxes", test_boxes);
  return g_test_run ();
}
