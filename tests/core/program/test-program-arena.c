/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifetimes, placement, multiply-accumulates, dump. */

#include "core/program/passes.h"

#include <string.h>

static const gfloat zeros[4096] = { 0 };

/* What overlaps in time must not overlap in memory; offsets are aligned and inside the arena. */
static void
assert_placement (const UpiProgram *p)
{
  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *a = upi_program_value (p, i);
    gsize a_bytes = upi_shape_count (&a->shape) * UPI_ELEMENT_BYTES;

    if (a->kind != UPI_VALUE_COMPUTED || a->is_output || a->first_op < 0)
      continue;
    g_assert_cmpuint (a->arena_offset % UPI_ALIGNMENT, ==, 0);
    g_assert_cmpuint (a->arena_offset + a_bytes, <=, p->arena_bytes);
    for (guint k = i + 1; k < p->values->len; k++) {
      const UpiValueInfo *b = upi_program_value (p, k);
      gsize b_bytes = upi_shape_count (&b->shape) * UPI_ELEMENT_BYTES;

      if (b->kind != UPI_VALUE_COMPUTED || b->is_output || b->first_op < 0)
        continue;
      if (a->first_op <= b->last_op && b->first_op <= a->last_op)
        g_assert_true (a->arena_offset + a_bytes <= b->arena_offset || b->arena_offset + b_bytes <= a->arena_offset);
    }
  }
}

static void
test_lifetimes (void)
{
  g_autoptr (UpiProgram) p = upi_program_new ("lifetimes");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (4, 4));
  UpiValue a = upi_softmax (p, x); /* 0 */
  UpiValue view = upi_slice (p, a, 0, 0, 2);
  UpiValue b = upi_softmax (p, upi_mul (p, a, x));                             /* 1, 2 */
  UpiValue c = upi_concat (p, (UpiValue[]){ b, upi_l2_norm (p, view) }, 2, 0); /* 3; in place */

  upi_program_output (p, "out", upi_mul (p, c, c)); /* 4 */
  g_assert_true (upi_program_finish (p, NULL));
  g_assert_cmpuint (p->ops->len, ==, 5);
  g_assert_cmpint (upi_program_value (p, a)->first_op, ==, 0);
  g_assert_cmpint (upi_program_value (p, a)->last_op, ==, 3); /* through the view */
  /* c lives from the first operation that writes a part of it. */
  g_assert_cmpint (upi_program_value (p, c)->first_op, ==, 2);
  g_assert_cmpint (upi_program_value (p, c)->last_op, ==, 4);
  assert_placement (p);
}

/* A chain of equal values needs two places, however long it is. */
static void
test_chain (void)
{
  g_autoptr (UpiProgram) p = upi_program_new ("chain");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (16, 16));

  for (guint i = 0; i < 10; i++)
    x = upi_softmax (p, x);
  upi_program_output (p, "out", x);
  g_assert_true (upi_program_finish (p, NULL));
  g_assert_cmpuint (p->arena_bytes, ==, 2 * 1024);
  g_assert_cmpuint (p->sum_bytes, ==, 9 * 1024); /* the last is bound */
  assert_placement (p);
}

/* Random programs: placement is valid, and never larger than the sum. */
static void
test_random (void)
{
  for (guint32 seed = 1; seed <= 40; seed++) {
    g_autoptr (UpiProgram) p = upi_program_new ("random");
    g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
    UpiValue values[64];
    guint n = 0;

    values[n++] = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, 5, 8));
    while (n < 60) {
      UpiValue a = values[g_rand_int_range (rand, (gint) MAX (n, 6) - 6, (gint) n)],
               b = values[g_rand_int_range (rand, 0, (gint) n)];
      UpiShape shape = upi_program_shape (p, a), other = upi_program_shape (p, b);

      switch (g_rand_int_range (rand, 0, 5)) {
      case 0:
        values[n++] = upi_shape_equal (&shape, &other) ? upi_add (p, a, b) : upi_activation (p, a, UPI_ACT_RELU);
        break;
      case 1:
        values[n++] =
            shape.dim[1] + other.dim[1] < 60 ? upi_concat (p, (UpiValue[]){ a, b }, 2, 1) : upi_softmax (p, a);
        break;
      case 2:
        values[n++] = upi_slice (p, a, 1, 0, (shape.dim[1] + 1) / 2);
        break;
      case 3:
        values[n++] = upi_reshape (p, upi_softmax (p, upi_reshape (p, a, UPI_SHAPE2 (shape.dim[1] * 2, 4))), shape);
        break;
      default:
        values[n++] =
            upi_linear (p, a, upi_program_weight (p, "w", zeros, UPI_SHAPE2 (8, 8)), UPI_NO_VALUE, UPI_ACT_NONE);
      }
    }
    upi_program_output (p, "out", values[n - 1]);
    upi_program_output (p, "other", values[n / 2]);
    g_assert_true (upi_program_finish (p, NULL));
    g_assert_cmpuint (p->arena_bytes, <=, p->sum_bytes);
    assert_placement (p);
  }
}

static void
test_finish_twice (void)
{
  g_autoptr (UpiProgram) p = upi_program_new ("twice");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE2 (2, 2));

  upi_program_output (p, "out", upi_activation (p, upi_add (p, x, x), UPI_ACT_RELU));
  g_assert_true (upi_program_finish (p, NULL));
  g_assert_true (upi_program_finish (p, NULL));
  g_assert_cmpuint (p->ops->len, ==, 1);
}

static void
test_macs_and_dump (void)
{
  g_autoptr (UpiProgram) p = upi_program_new ("counted");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE4 (2, 8, 8, 6)), q, out;
  UpiDeformable d = { .heads = 2, .points = 3, .levels = 1, .level = { { 4, 4, 0 } } };
  const gdouble times[] = { 10, 20, 30, 40, 0 };
  g_autofree gchar *text = NULL;

  upi_program_part (p, "backbone");
  x = upi_conv2d (p, x, upi_program_weight (p, "w", zeros, UPI_SHAPE4 (4, 3, 3, 3)), UPI_NO_VALUE,
      &(UpiConv){
          .stride = 2, .groups = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 }); /* [2,4,4,4] */
  upi_program_part (p, "attention");
  q = upi_reshape (p, x, UPI_SHAPE3 (2, 16, 4));
  q = upi_attention (p, q, q, q, UPI_NO_VALUE, &(UpiAttention){ .heads = 2 });
  out = upi_linear (
      p, q, upi_program_weight (p, "o", zeros, UPI_SHAPE2 (12, 4)), UPI_NO_VALUE, UPI_ACT_RELU); /* [2,16,12] */
  out = upi_deformable_attention (p, q, out, upi_slice (p, out, 2, 0, 6), upi_slice (p, out, 2, 0, 2), &d);
  upi_program_output (p, "out", out);
  g_assert_true (upi_program_finish (p, NULL));
  g_assert_cmpuint (upi_op_macs (p, upi_program_op (p, 0)), ==, 2 * 4 * 4 * 4 * 3 * 3 * 3);
  g_assert_cmpuint (upi_op_macs (p, upi_program_op (p, 1)), ==, 2 * (2 * 16 * 16 * 4));
  g_assert_cmpuint (upi_op_macs (p, upi_program_op (p, 2)), ==, 2 * 16 * 12 * 4);
  g_assert_cmpuint (upi_op_macs (p, upi_program_op (p, 3)), ==, 2 * 16 * 4 * 3 * 4);
  g_assert_cmpuint (upi_program_macs (p), ==, 3456 + 4096 + 1536 + 1536);
  text = upi_program_dump (p, times);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, "── backbone\n"));
  g_assert_nonnull (strstr (text, "3×3 s2 g2"));
  g_assert_nonnull (strstr (text, "[2,16,12]"));
  g_assert_nonnull (strstr (text, " relu"));
  g_autofree gchar *share = g_strdup_printf ("%.1f %%", 40.0); /* in the locale of the test */
  g_assert_nonnull (strstr (text, share));
  g_assert_nonnull (strstr (text, "counted: 4 operations"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/arena/lifetimes", test_lifetimes);
  g_test_add_func ("/program/arena/chain", test_chain);
  g_test_add_func ("/program/arena/random", test_random);
  g_test_add_func ("/program/arena/finish-twice", test_finish_twice);
  g_test_add_func ("/program/arena/macs-and-dump", test_macs_and_dump);
  return g_test_run ();
}
