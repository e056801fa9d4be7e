/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views: reshape, slice and concat address the right elements, without an operation wherever strides can express
 * them. */

#include "core/backends/backend.h"
#include "core/program/passes.h"

static UpiProgram *
program_with_input (UpiValue *x, UpiShape shape)
{
  UpiProgram *p = upi_program_new ("views");

  *x = upi_program_input (p, "x", UPI_F32, shape);
  return p;
}

static void
assert_strides (UpiProgram *p, UpiValue value, UpiValue base, gsize offset, gint s0, gint s1, gint s2)
{
  const UpiValueInfo *info = upi_program_value (p, value);

  g_assert_cmpuint (info->base, ==, base);
  g_assert_cmpuint (info->offset, ==, offset);
  g_assert_cmpint (info->stride[0], ==, s0);
  g_assert_cmpint (info->stride[1], ==, s1);
  g_assert_cmpint (info->stride[2], ==, s2);
}

static void
test_slice_and_reshape (void)
{
  UpiValue x, y;
  g_autoptr (UpiProgram) p = program_with_input (&x, UPI_SHAPE3 (2, 6, 10));

  y = upi_slice (p, x, 1, 2, 3); /* [2,3,10] */
  assert_strides (p, y, x, 20, 60, 10, 1);
  y = upi_slice (p, y, 2, 4, 6); /* [2,3,6] */
  assert_strides (p, y, x, 24, 60, 10, 1);
  y = upi_reshape (p, y, UPI_SHAPE4 (2, 3, 2, 3));
  g_assert_cmpint (upi_program_value (p, y)->stride[2], ==, 3);
  g_assert_cmpuint (p->ops->len, ==, 0);
  /* The whole axis is no slice, the same shape no reshape. */
  g_assert_cmpuint (upi_slice (p, x, 1, 0, 6), ==, x);
  g_assert_cmpuint (upi_reshape (p, x, UPI_SHAPE3 (2, 6, 10)), ==, x);
}

static void
test_reshape_with_ones (void)
{
  UpiValue x, y;
  g_autoptr (UpiProgram) p = program_with_input (&x, UPI_SHAPE3 (2, 6, 10));

  y = upi_reshape (p, upi_slice (p, x, 2, 0, 1), UPI_SHAPE4 (2, 1, 6, 1)); /* one column: rows still 10 apart */
  g_assert_cmpint (upi_program_value (p, y)->stride[2], ==, 10);
  g_assert_cmpint (upi_program_value (p, y)->stride[3], ==, 1);
  y = upi_reshape (p, upi_slice (p, x, 1, 5, 1), UPI_SHAPE2 (2, 10)); /* the last row of each item */
  g_assert_cmpint (upi_program_value (p, y)->stride[0], ==, 60);
  g_assert_cmpuint (upi_program_value (p, y)->offset, ==, 50);
  g_assert_cmpuint (p->ops->len, ==, 0);
}

/* Rows with gaps cannot become one row, and a column cannot become a contiguous last dimension: copies. */
static void
test_copies_where_needed (void)
{
  UpiValue x, y;
  g_autoptr (UpiProgram) p = program_with_input (&x, UPI_SHAPE3 (2, 6, 10));

  y = upi_reshape (p, upi_slice (p, x, 2, 0, 5), UPI_SHAPE2 (2, 30));
  g_assert_cmpuint (p->ops->len, ==, 1);
  g_assert_cmpint (upi_program_op (p, 0)->kind, ==, UPI_OP_COPY);
  g_assert_cmpuint (upi_program_value (p, y)->base, ==, upi_program_op (p, 0)->output);
  upi_reshape (p, upi_slice (p, x, 2, 0, 1), UPI_SHAPE2 (2, 6));
  g_assert_cmpuint (p->ops->len, ==, 2);
}

/* Every reshape of every slice of a small tensor, read through the ref backend, holds the elements in order. */
static void
test_values (void)
{
  static const UpiShape targets[] = { { 4, { 2, 2, 2, 3 } }, { 3, { 4, 2, 3 } }, { 2, { 4, 6 } }, { 3, { 2, 6, 2 } },
    { 1, { 24 } }, { 2, { 8, 3 } } };
  gfloat in[3 * 4 * 7], out[24];

  for (guint i = 0; i < G_N_ELEMENTS (in); i++)
    in[i] = (gfloat) i;
  for (guint t = 0; t < G_N_ELEMENTS (targets); t++) {
    UpiValue x, y;
    UpiProgram *p = program_with_input (&x, UPI_SHAPE3 (3, 4, 7));
    g_autoptr (UpiPlan) plan = NULL;
    g_autoptr (UpiContext) context = NULL;
    guint n = 0;

    /* items 1..2, rows 1..2, columns 1..6 → [2,2,6] */
    y = upi_slice (p, upi_slice (p, upi_slice (p, x, 0, 1, 2), 1, 1, 2), 2, 1, 6);
    upi_program_output (p, "y", upi_reshape (p, y, targets[t]));
    plan = upi_plan_new (upi_backend_ref (), p, 1, NULL);
    context = upi_context_new (plan, NULL);
    upi_context_bind (context, upi_plan_find (plan, "x"), in);
    upi_context_bind (context, upi_plan_find (plan, "y"), out);
    g_assert_true (upi_context_run (context, NULL));
    for (guint i = 1; i < 3; i++) {
      for (guint r = 1; r < 3; r++) {
        for (guint c = 1; c < 7; c++)
          g_assert_cmpfloat (out[n++], ==, (gfloat) ((i * 4 + r) * 7 + c));
      }
    }
  }
}

static void
test_redirect_rolls_back (void)
{
  UpiValue x, y, flat, wide;
  g_autoptr (UpiProgram) p = program_with_input (&x, UPI_SHAPE3 (2, 3, 4));
  const UpiValueInfo *info;

  y = upi_add (p, x, x);
  flat = upi_reshape (p, y, UPI_SHAPE2 (2, 12)); /* needs rows without gaps */
  wide = upi_program_append_value (p, UPI_VALUE_COMPUTED, UPI_F32, &UPI_SHAPE3 (2, 3, 6), NULL);
  g_assert_false (upi_view_redirect (p, y, upi_slice (p, wide, 2, 0, 4)));
  info = upi_program_value (p, y);
  g_assert_cmpint (info->kind, ==, UPI_VALUE_COMPUTED);
  g_assert_cmpuint (info->base, ==, y);
  g_assert_cmpuint (upi_program_value (p, flat)->base, ==, y);
  /* Along tokens it fits, and the view moves along. */
  wide = upi_program_append_value (p, UPI_VALUE_COMPUTED, UPI_F32, &UPI_SHAPE3 (2, 5, 4), NULL);
  g_assert_true (upi_view_redirect (p, y, upi_slice (p, wide, 1, 2, 3)));
  g_assert_cmpuint (upi_program_value (p, flat)->base, ==, wide);
  g_assert_cmpuint (upi_program_value (p, flat)->offset, ==, 8);
  g_assert_cmpint (upi_program_value (p, flat)->stride[0], ==, 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/views/slice-and-reshape", test_slice_and_reshape);
  g_test_add_func ("/program/views/reshape-with-ones", test_reshape_with_ones);
  g_test_add_func ("/program/views/copies-where-needed", test_copies_where_needed);
  g_test_add_func ("/program/views/values", test_values);
  g_test_add_func ("/program/views/redirect-rolls-back", test_redirect_rolls_back);
  return g_test_run ();
}
