/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The vectors of exponentials that draw a candidate's next token, of every instruction set that this machine has,
 * against the C library. */
#if defined(__x86_64__) || defined(__i386__)
#define UPI_VECTORS_X86 /* as the build says to the library */
#endif
#include "core/vectors/exponentials.h"
#include "core/processor.h"

#include <math.h>

static const UpiExponentials *const kernels[UPI_N_ISAS] = {
  [UPI_ISA_BASELINE] = &upi_exponentials_baseline,
#ifdef UPI_VECTORS_X86
  [UPI_ISA_AVX2] = &upi_exponentials_avx2,
  [UPI_ISA_AVX512] = &upi_exponentials_avx512,
#endif
};

static void
check (const UpiExponentials *k, guint n, gfloat factor)
{
  g_autofree gfloat *x = g_new (gfloat, n), *e = g_new (gfloat, n + 1);
  g_autofree gdouble *sums = g_new0 (gdouble, n / UPI_EXPONENTIALS_BLOCK + 1);
  gfloat top = -INFINITY;
  gdouble total, all = 0;

  for (guint i = 0; i < n; i++) {
    x[i] = (gfloat) sin (i * 12.9898) * 30;
    if (i % 7 == 3)
      x[i] = -INFINITY; /* barred */
    top = MAX (top, x[i]);
  }
  e[n] = -1; /* nothing is written behind the last one */
  g_assert_cmpfloat (k->largest (x, n), ==, top);
  total = k->exponentials (x, n, top, factor, e, sums);
  g_assert_cmpfloat (e[n], ==, -1);
  for (guint begin = 0; begin < n; begin += UPI_EXPONENTIALS_BLOCK) {
    gdouble sum = 0;

    for (guint i = begin; i < MIN (begin + UPI_EXPONENTIALS_BLOCK, n); i++) {
      gdouble expected = exp ((gdouble) (x[i] - top) * factor);

      g_assert_cmpfloat_with_epsilon (e[i], expected, 1e-5 * expected + 1e-37);
      sum += expected;
    }
    g_assert_cmpfloat_with_epsilon (sums[begin / UPI_EXPONENTIALS_BLOCK], sum, 1e-5 * sum + 1e-37);
    all += sum;
  }
  g_assert_cmpfloat_with_epsilon (total, all, 1e-5 * all);
}

static void
test_isa (gconstpointer data)
{
  static const guint sizes[] = { 1, 3, 4, 15, 16, 17, 63, 64, 65, 130, 1000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    check (data, sizes[i], 1);
    check (data, sizes[i], 1 / 0.6f);
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (upi_exponentials () == kernels[upi_processor_isa ()]);
  for (UpiIsa isa = UPI_ISA_BASELINE; isa <= upi_processor_isa (); isa++) {
    g_autofree gchar *path = g_strdup_printf ("/exponentials/%s", upi_isa_name (isa));

    g_test_add_data_func (path, kernels[isa], test_isa);
  }
  return g_test_run ();
}
