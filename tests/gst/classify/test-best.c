/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-best.c: which label holds: changes are told once, and two that are nearly alike do not take turns. */
#include "gst/classify/best.h"

#include <math.h>

static void
test_softmax (void)
{
  GstUpiBest best;

  gst_upi_best_forget (&best);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.2f, 0.3f, 0.5f }, 3, FALSE, 0.1f));
  g_assert_cmpuint (best.label, ==, 2);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.2f, 0.3f, 0.5f }, 3, FALSE, 0.1f));
  for (guint i = 0; i < 10; i++) { /* who leads by less changes nothing */
    g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.1f, 0.47f, 0.43f }, 3, FALSE, 0.1f));
    g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.1f, 0.43f, 0.47f }, 3, FALSE, 0.1f));
    g_assert_cmpuint (best.label, ==, 2);
  }
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.1f, 0.6f, 0.3f }, 3, FALSE, 0.1f));
  g_assert_cmpuint (best.label, ==, 1);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.51f, 0.5f, 0 }, 3, FALSE, 0)); /* none asked for */
  g_assert_cmpuint (best.label, ==, 0);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.5f, 0.5f, 0 }, 3, FALSE, 0.1f));
  gst_upi_best_forget (&best);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.5f, 0.5f, 0 }, 3, FALSE, 0.1f));
  g_assert_cmpuint (best.label, ==, 0);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0 }, 0, FALSE, 0.1f)); /* an empty list */
  g_assert_cmpuint (best.label, ==, GST_UPI_NO_LABEL);
}

static void
test_independent (void)
{
  GstUpiBest best;

  gst_upi_best_forget (&best);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.2f, 0.54f }, 2, TRUE, 0.1f)); /* nothing holds, as before */
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.2f, 0.56f }, 2, TRUE, 0.1f));
  g_assert_cmpuint (best.label, ==, 1);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.2f, 0.46f }, 2, TRUE, 0.1f));
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.6f, 0.56f }, 2, TRUE, 0.1f)); /* both are true */
  g_assert_cmpuint (best.label, ==, 1);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.9f, 0.56f }, 2, TRUE, 0.1f));
  g_assert_cmpuint (best.label, ==, 0);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 0.44f, 0.54f }, 2, TRUE, 0.1f));
  g_assert_cmpuint (best.label, ==, GST_UPI_NO_LABEL);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0.44f, 0.54f }, 2, TRUE, 0.1f));
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ 1, 0 }, 2, TRUE, 1)); /* the ends */
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ 0, 0.99f }, 2, TRUE, 1));
}

static void
test_no_numbers (void)
{
  GstUpiBest best;

  gst_upi_best_forget (&best);
  g_assert_true (gst_upi_best_take (&best, (gfloat[]){ NAN, 0.1f, NAN }, 3, FALSE, 0.1f));
  g_assert_cmpuint (best.label, ==, 1);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ NAN, NAN, NAN }, 3, FALSE, 0.1f));
  gst_upi_best_forget (&best);
  g_assert_false (gst_upi_best_take (&best, (gfloat[]){ NAN, -INFINITY }, 2, TRUE, 0.1f));
}

static void
test_top (void)
{
  const gfloat probabilities[] = { 0.1f, 0.3f, NAN, 0.3f, 0.2f };
  guint top[8] = { 99, 99, 99, 99, 99, 99, 99, 99 };

  g_assert_cmpuint (gst_upi_best_top (probabilities, 5, top, 2), ==, 2);
  g_assert_cmpmem (top, 12, ((guint[]){ 1, 3, 99 }), 12);
  g_assert_cmpuint (gst_upi_best_top (probabilities, 5, top, 8), ==, 5);
  g_assert_cmpmem (top, 24, ((guint[]){ 1, 3, 4, 0, 2, 99 }), 24);
  g_assert_cmpuint (gst_upi_best_top (probabilities, 5, top, 0), ==, 0);
  g_assert_cmpuint (gst_upi_best_top (probabilities, 0, top, 8), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/best/softmax", test_softmax);
  g_test_add_func ("/best/independent", test_independent);
  g_test_add_func ("/best/no-numbers", test_no_numbers);
  g_test_add_func ("/best/top", test_top);
  return g_test_run ();
}
