/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan is shared: contexts of several threads run it at the same time, each with its own memory, and give what one
 * alone gives. */

#include "core/backends/backend.h"
#include "core/program/passes.h"

#include <math.h>

enum { THREADS = 4, RUNS = 20, TOKENS = 24, WIDTH = 32 };

static UpiValue
weight (UpiProgram *p, UpiShape shape)
{
  gsize n = upi_shape_count (&shape);
  gfloat *data = g_new (gfloat, n);

  for (gsize i = 0; i < n; i++)
    data[i] = sinf ((gfloat) (i * 31 % 97)) * 0.3f;
  return upi_program_constant (p, data, shape);
}

/* A transformer block: attention, norms, products, a concat, row choice. */
static UpiProgram *
block (void)
{
  UpiProgram *p = upi_program_new ("block");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (1, TOKENS, WIDTH)), qkv, y;
  UpiShape one = UPI_SHAPE1 (WIDTH);

  qkv = upi_linear (p, x, weight (p, UPI_SHAPE2 (3 * WIDTH, WIDTH)), weight (p, UPI_SHAPE1 (3 * WIDTH)), UPI_ACT_NONE);
  y = upi_attention (p, upi_slice (p, qkv, 2, 0, WIDTH), upi_slice (p, qkv, 2, WIDTH, WIDTH),
      upi_slice (p, qkv, 2, 2 * WIDTH, WIDTH), UPI_NO_VALUE, &(UpiAttention){ .heads = 4 });
  y = upi_layer_norm (p,
      upi_add (p, x, upi_linear (p, y, weight (p, UPI_SHAPE2 (WIDTH, WIDTH)), weight (p, one), UPI_ACT_NONE)),
      weight (p, one), weight (p, one), 1e-5f);
  y = upi_concat (p,
      (UpiValue[]){ upi_mean_tokens (p, y),
          upi_linear (p, y, weight (p, UPI_SHAPE2 (WIDTH, WIDTH)), weight (p, one), UPI_ACT_GELU) },
      2, 1);
  upi_program_output (p, "best", upi_gather (p, y, upi_top_k (p, upi_slice (p, y, 2, 0, 1), 8)));
  return p;
}

typedef struct {
  UpiPlan *plan;
  guint number;
  gfloat out[8 * WIDTH];
} Worker;

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  g_autoptr (UpiContext) context = upi_context_new (worker->plan, NULL);
  gfloat x[TOKENS * WIDTH];

  for (guint i = 0; i < G_N_ELEMENTS (x); i++)
    x[i] = cosf ((gfloat) (i * (worker->number + 1)));
  upi_context_bind (context, upi_plan_find (worker->plan, "x"), x);
  upi_context_bind (context, upi_plan_find (worker->plan, "best"), worker->out);
  for (guint i = 0; i < RUNS; i++)
    g_assert_true (upi_context_run (context, NULL));
  return NULL;
}

static void
test_shared_plan (gconstpointer data)
{
  g_autoptr (UpiPlan) plan = upi_plan_new (upi_backend_find (data, NULL), block (), 1, NULL);
  Worker together[THREADS], alone;
  GThread *threads[THREADS];

  for (guint i = 0; i < THREADS; i++) {
    together[i] = (Worker){ .plan = plan, .number = i };
    threads[i] = g_thread_new ("worker", work, &together[i]);
  }
  for (guint i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < THREADS; i++) {
    alone = (Worker){ .plan = plan, .number = i };
    work (&alone);
    g_assert_cmpmem (alone.out, sizeof alone.out, together[i].out, sizeof alone.out);
    g_assert_true (isfinite (alone.out[0]) && alone.out[0] != 0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/program/threads/ref", "ref", test_shared_plan);
  g_test_add_data_func ("/program/threads/cpu", "cpu", test_shared_plan);
  return g_test_run ();
}
