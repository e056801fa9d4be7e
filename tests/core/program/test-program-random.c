/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random programs: what the passes make of them (fused, in place, in one arena) computes what the plain list of
 * operations does. Plain means that every value is an output with memory of its own, which leaves the passes nothing to
 * merge or to overlay. */

#include "core/backends/backend.h"
#include "core/program/passes.h"

#include <math.h>
#include <string.h>

enum { N_VALUES = 40, BATCH = 2, WIDTH = 8, MAX_TOKENS = 40, N_PROGRAMS = 120 };

typedef struct {
  UpiProgram *p;
  GRand *rand;
  UpiValue values[N_VALUES]; /* each [BATCH, T, WIDTH] */
  guint n;
} Builder;

static UpiValue
constant (Builder *b, UpiShape shape, gfloat scale)
{
  gsize n = upi_shape_count (&shape);
  gfloat *data = g_new (gfloat, n);

  for (gsize i = 0; i < n; i++)
    data[i] = (gfloat) g_rand_double_range (b->rand, -1, 1) * scale;
  return upi_program_constant (b->p, data, shape);
}

static UpiValue
linear (Builder *b, UpiValue x)
{
  UpiValue w = constant (b, UPI_SHAPE2 (WIDTH, WIDTH), 0.5f), bias = constant (b, UPI_SHAPE1 (WIDTH), 0.5f);

  return upi_linear (b->p, x, w, bias, UPI_ACT_NONE);
}

/* The same tokens as a map of height 1, convolved. */
static UpiValue
conv (Builder *b, UpiValue x)
{
  UpiShape shape = upi_program_shape (b->p, x);
  UpiConv same = { .pad_left = 1, .pad_right = 1 };

  x = upi_reshape (b->p, x, UPI_SHAPE4 (BATCH, 1, shape.dim[1], WIDTH));
  x = upi_conv2d (b->p, x, constant (b, UPI_SHAPE4 (WIDTH, WIDTH, 1, 3), 0.3f), UPI_NO_VALUE, &same);
  return upi_reshape (b->p, x, shape);
}

static UpiValue
norm (Builder *b, UpiValue x)
{
  return upi_layer_norm (b->p, x, constant (b, UPI_SHAPE1 (WIDTH), 1), constant (b, UPI_SHAPE1 (WIDTH), 1), 1e-3f);
}

/* The same tokens as a map of one or two rows, in shifted windows that do not divide it. */
static UpiValue
windows (Builder *b, UpiValue x)
{
  UpiShape shape = upi_program_shape (b->p, x);
  gint rows = shape.dim[1] % 2 == 0 ? 2 : 1;
  UpiValue bias = constant (b, UPI_SHAPE1 (3 * WIDTH), 0.5f), table = constant (b, UPI_SHAPE2 (25, 2), 1);

  x = upi_linear (b->p, x, constant (b, UPI_SHAPE2 (3 * WIDTH, WIDTH), 0.5f), bias, UPI_ACT_NONE);
  x = upi_reshape (b->p, x, UPI_SHAPE4 (BATCH, rows, shape.dim[1] / rows, 3 * WIDTH));
  x = upi_window_attention (b->p, x, bias, table, &(UpiWindow){ .heads = 2, .window = 3, .shift = 1 });
  return upi_reshape (b->p, x, shape);
}

/* Both halves of the channels, exchanged: a concat along the last dimension. */
static UpiValue
exchange (Builder *b, UpiValue x)
{
  UpiValue left = upi_slice (b->p, x, 2, 0, WIDTH / 2), right = upi_slice (b->p, x, 2, WIDTH / 2, WIDTH / 2);

  return upi_concat (b->p, (UpiValue[]){ upi_activation (b->p, right, UPI_ACT_SIGMOID), left }, 2, 2);
}

/* What tokens are chosen by: a channel of theirs, each between two ranks, so that the order never hangs on the last
 * bits of nearly equal numbers, which another order of summation changes. */
static UpiValue
scores (Builder *b, UpiValue x)
{
  UpiShape shape = upi_program_shape (b->p, x);
  gint n = shape.dim[1];
  gfloat *ranks = g_new (gfloat, BATCH * n);

  for (gint item = 0; item < BATCH; item++)
    for (gint i = 0; i < n; i++) {
      gint other = g_rand_int_range (b->rand, 0, i + 1);

      ranks[item * n + i] = ranks[item * n + other];
      ranks[item * n + other] = 2 * (gfloat) i;
    }
  x = upi_activation (b->p, upi_slice (b->p, x, 2, 3, 1), UPI_ACT_SIGMOID);
  return upi_add (b->p, x, upi_program_constant (b->p, ranks, UPI_SHAPE3 (BATCH, n, 1)));
}

static UpiValue
step (Builder *b, UpiValue cache, UpiValue start)
{
  UpiValue x = b->values[g_rand_int_range (b->rand, (gint) MAX (b->n, 5) - 5, (gint) b->n)];
  UpiValue y = b->values[g_rand_int_range (b->rand, 0, (gint) b->n)];
  UpiShape shape = upi_program_shape (b->p, x), other = upi_program_shape (b->p, y);
  UpiAct act = (UpiAct) g_rand_int_range (b->rand, UPI_ACT_RELU, UPI_ACT_SIGMOID + 1);
  gint half = (shape.dim[1] + 1) / 2;

  switch (g_rand_int_range (b->rand, 0, 13)) {
  case 0:
    return upi_activation (b->p, linear (b, x), act);
  case 1:
    return upi_shape_equal (&shape, &other) ? upi_add (b->p, linear (b, x), y) : linear (b, x);
  case 2:
    return upi_shape_equal (&shape, &other) ? norm (b, upi_add (b->p, x, y)) : norm (b, x);
  case 3:
    return upi_activation (b->p, upi_add (b->p, conv (b, x), upi_softmax (b->p, x)), act);
  case 4:
  case 5:
    return shape.dim[1] + other.dim[1] <= MAX_TOKENS ? upi_concat (b->p, (UpiValue[]){ x, y }, 2, 1)
                                                     : upi_softmax (b->p, x);
  case 6:
    return upi_slice (b->p, x, 1, shape.dim[1] - half, half);
  case 7:
    return exchange (b, x);
  case 8: /* a reshape that a part of a concat cannot always express */
    x = upi_softmax (b->p, upi_reshape (b->p, x, UPI_SHAPE2 (BATCH * shape.dim[1] * 2, WIDTH / 2)));
    return upi_reshape (b->p, x, shape);
  case 9:
    return upi_gather (b->p, x, upi_top_k (b->p, scores (b, x), half));
  case 10:
    return upi_attention (b->p, x, y, y, UPI_NO_VALUE, &(UpiAttention){ .heads = 2 });
  case 11:
    return windows (b, x);
  default:
    cache = upi_store_rows (b->p, cache, upi_slice (b->p, upi_l2_norm (b->p, x), 1, 0, 1), start);
    return upi_attention (b->p, x, cache, cache, start, &(UpiAttention){ .heads = 2 });
  }
}

/* The program of a seed; `plain`: every computed value is an output as well. */
static UpiProgram *
build (guint32 seed, gboolean plain)
{
  Builder b = { .p = upi_program_new ("random"), .rand = g_rand_new_with_seed (seed) };
  UpiValue cache = upi_program_input (b.p, "cache", UPI_F32, UPI_SHAPE3 (BATCH, 6, WIDTH));
  UpiValue start = upi_program_input (b.p, "start", UPI_I32, UPI_SHAPE1 (BATCH));

  b.values[b.n++] = upi_program_input (b.p, "x", UPI_F32, UPI_SHAPE3 (BATCH, 5, WIDTH));
  while (b.n < N_VALUES) {
    UpiValue value = step (&b, cache, start);

    b.values[b.n++] = value;
  }
  upi_program_output (b.p, "out", b.values[b.n - 1]);
  upi_program_output (b.p, "other", b.values[b.n / 2]);
  for (guint i = 0; i < b.p->values->len && plain; i++) {
    g_autofree gchar *name = g_strdup_printf ("value %u", i);

    if (upi_value_info (b.p, i)->kind == UPI_VALUE_COMPUTED && !upi_value_info (b.p, i)->is_output)
      upi_program_output (b.p, name, i);
  }
  g_rand_free (b.rand);
  return b.p;
}

typedef struct {
  gfloat out[BATCH * MAX_TOKENS * WIDTH], other[BATCH * MAX_TOKENS * WIDTH], cache[BATCH * 6 * WIDTH];
} Result;

static void
run (const UpiBackend *backend, UpiProgram *p, Result *result)
{
  g_autoptr (GPtrArray) memory = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gfloat x[BATCH * 5 * WIDTH];
  gint32 start[BATCH] = { 2, 5 };
  GError *error = NULL;

  memset (result, 0, sizeof *result);
  for (guint i = 0; i < G_N_ELEMENTS (x); i++)
    x[i] = sinf ((gfloat) i * 1.7f);
  for (guint i = 0; i < G_N_ELEMENTS (result->cache); i++)
    result->cache[i] = cosf ((gfloat) i * 0.9f);
  plan = upi_plan_new (backend, p, 1, &error);
  g_assert_no_error (error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < p->values->len; i++) {
    const UpiValueInfo *info = upi_program_value (p, i);
    gpointer data;

    if (info->kind != UPI_VALUE_INPUT && !info->is_output)
      continue;
    if (g_str_equal (info->name, "x"))
      data = x;
    else if (g_str_equal (info->name, "start"))
      data = start;
    else if (g_str_equal (info->name, "cache"))
      data = result->cache;
    else if (g_str_equal (info->name, "out"))
      data = result->out;
    else if (g_str_equal (info->name, "other"))
      data = result->other;
    else
      g_ptr_array_add (memory, data = g_malloc (upi_plan_bytes (plan, i)));
    upi_context_bind (context, i, data);
  }
  g_assert_true (upi_context_run (context, &error));
}

static void
assert_near (const gfloat *found, const gfloat *expected, gsize n, gdouble tolerance, guint32 seed)
{
  gdouble error = 0, sum = 0;

  for (gsize i = 0; i < n; i++) {
    error += ((gdouble) found[i] - (gdouble) expected[i]) * ((gdouble) found[i] - (gdouble) expected[i]);
    sum += (gdouble) expected[i] * (gdouble) expected[i];
  }
  if (!(error <= tolerance * sum))
    g_error ("seed %u: normalised mean squared error %g", seed, error / sum);
}

/* The differences are those of rounding: a sum kept in a register, another order of summation. */
static void
test_random (gconstpointer data)
{
  const UpiBackend *backend = upi_backend_find (data, NULL);
  Result passes, plain;
  guint fewer = 0;

  for (guint32 seed = 1; seed <= N_PROGRAMS; seed++) {
    UpiProgram *merged = build (seed, FALSE), *all = build (seed, TRUE);

    g_assert_true (upi_program_finish (merged, NULL));
    g_assert_true (upi_program_finish (all, NULL));
    fewer += merged->ops->len < all->ops->len;
    run (backend, merged, &passes);
    run (upi_backend_ref (), all, &plain);
    assert_near (passes.out, plain.out, G_N_ELEMENTS (plain.out), 1e-9, seed);
    assert_near (passes.other, plain.other, G_N_ELEMENTS (plain.other), 1e-9, seed);
  }
  g_assert_cmpuint (fewer, >, N_PROGRAMS * 9 / 10); /* the passes had something to do */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/program/random/ref", "ref", test_random);
  g_test_add_data_func ("/program/random/cpu", "cpu", test_random);
  return g_test_run ();
}
