/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conditional MoE: gates worked out by hand, and that the dense matrix made at open is the gated sum of experts. */
#include "core/model/model-private.h"
#include "core/model/safetensors.h"
#include "tests/core/golden-run.h"
#include "tests/core/tiny-model.h"
#include "tests/tiny-config.h"

#include <math.h>

/* z = gate · a; softmax over the k largest. */
static void
test_gates (void)
{
  static const gfloat gate[] = { 1, 0, 3, 0, 2, 5, 0, 0 }; /* [4,2] */
  static const gfloat first[] = { 1, 0 }, both[] = { 1, 1 };
  gfloat g[4];
  gdouble e = exp (1);

  upi_moe_gates (gate, 4, 2, first, 2, g); /* z = 1 3 2 0 */
  g_assert_true (g[0] == 0 && g[3] == 0);
  g_assert_cmpfloat_with_epsilon (g[1], e / (e + 1), 1e-6);
  g_assert_cmpfloat_with_epsilon (g[2], 1 / (e + 1), 1e-6);
  upi_moe_gates (gate, 4, 2, both, 2, g); /* z = 1 3 7 0 */
  g_assert_cmpfloat_with_epsilon (g[2], 1 / (1 + exp (-4)), 1e-6);
  g_assert_cmpfloat_with_epsilon (g[1], exp (-4) / (1 + exp (-4)), 1e-6);
  upi_moe_gates (gate, 4, 1, first, 2, g);
  g_assert_true (g[0] == 0 && g[1] == 1 && g[2] == 0 && g[3] == 0);
  upi_moe_gates (gate, 4, 4, first, 2, g);
  g_assert_cmpfloat_with_epsilon (g[0] + g[1] + g[2] + g[3], 1, 1e-6);
  g_assert_true (g[1] > g[2] && g[2] > g[0] && g[0] > g[3] && g[3] > 0);
}

/* Ties go to the lower index; large logits do not overflow. */
static void
test_gate_ties (void)
{
  static const gfloat equal[] = { 5, 5, 5 }, large[] = { 1000, 999, -1000 }, one[] = { 1 };
  gfloat g[3];

  upi_moe_gates (equal, 3, 2, one, 1, g);
  g_assert_true (g[0] == 0.5f && g[1] == 0.5f && g[2] == 0);
  upi_moe_gates (large, 3, 3, one, 1, g);
  g_assert_cmpfloat_with_epsilon (g[0], 1 / (1 + exp (-1)), 1e-6);
  g_assert_true (isfinite (g[2]));
}

/* Every conditional layer of a model, for every attribute row: what runs against expert by expert from the file. */
static void
test_fold_is_the_gated_sum (void)
{
  gchar *directory = tiny_model_write (UPI_TINY_CONFIG, 11);
  g_autofree gchar *path = g_build_filename (directory, "model.safetensors", NULL);
  g_autoptr (UpiModel) model = tiny_model_open (directory);
  g_autoptr (UpiSafetensors) file = upi_safetensors_open (path, NULL);
  const UpiConfig *c = upi_model_config (model);
  gfloat last[64] = { 0 };

  for (gint i = 0; i < 2 * c->decoder.layers * UPI_N_ATTRIBUTES; i++) {
    gint attribute = i % UPI_N_ATTRIBUTES, in = i / UPI_N_ATTRIBUTES % 2 ? c->decoder.ffn : c->decoder.width;
    gint out = in == c->decoder.ffn ? c->decoder.width : c->decoder.ffn;
    g_autofree gchar *name =
        g_strdup_printf ("decoder.layers.%d.ffn.linear%d", i / (2 * UPI_N_ATTRIBUTES), i / UPI_N_ATTRIBUTES % 2 + 1);
    g_autofree gchar *w_name = g_strconcat (name, ".experts.weight", NULL),
                     *b_name = g_strconcat (name, ".experts.bias", NULL);
    g_autofree gchar *gate_name = g_strconcat (name, ".gate.weight", NULL);
    g_autofree gfloat *w = upi_safetensor_read (upi_safetensors_find (file, w_name), NULL);
    g_autofree gfloat *bias = upi_safetensor_read (upi_safetensors_find (file, b_name), NULL);
    g_autofree gfloat *gate = upi_safetensor_read (upi_safetensors_find (file, gate_name), NULL);
    UpiBuild b = { upi_program_new ("moe"), c, model->weights, 1, 0, 0 };
    UpiValue x = upi_program_input (b.program, "x", UPI_F32, UPI_SHAPE3 (1, 1, in));
    g_autoptr (GoldenRun) run = NULL;
    gfloat gates[3], unfolded[64], *to;
    const gfloat *folded;

    upi_program_output (b.program, "y", upi_conditional_moe (&b, x, attribute, UPI_ACT_NONE, name));
    run = golden_run_new (upi_backend_ref (), b.program);
    to = golden_run_buffer (run, "x", NULL);
    for (gint k = 0; k < in; k++)
      to[k] = cosf (0.7f * k);
    golden_run (run);
    folded = golden_run_buffer (run, "y", NULL);

    upi_moe_gates (
        gate, c->decoder.experts, c->decoder.top_k, c->decoder.attributes[attribute], c->decoder.n_attributes, gates);
    for (gint o = 0; o < out; o++) {
      gdouble sum = 0;
      for (gint e = 0; e < c->decoder.experts; e++) {
        gdouble y = bias[e * out + o];
        for (gint k = 0; k < in; k++)
          y += (gdouble) w[((gsize) e * out + o) * in + k] * to[k];
        sum += gates[e] * y;
      }
      unfolded[o] = (gfloat) sum;
    }
    golden_check (name, golden_nmse (folded, unfolded, out), 1e-12);
    if (attribute > 0) /* another attribute, another layer */
      g_assert_cmpfloat (golden_nmse (folded, last, out), >, 1e-6);
    for (gint o = 0; o < out; o++)
      last[o] = folded[o];
  }
  tiny_model_remove (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/moe/gates", test_gates);
  g_test_add_func ("/moe/gate-ties", test_gate_ties);
  g_test_add_func ("/moe/fold-is-the-gated-sum", test_fold_is_the_gated_sum);
  return g_test_run ();
}
