/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conditional mixture of experts with attribute-level routing (Uni-Perceiver-MoE, 2206.04674).
 *
 * The gate sees a token's attribute row, never its content; an expert is a linear map. So for each of the closed table
 * of attributes the gated sum of experts is one dense matrix, made here when a model is opened: running, a Conditional
 * MoE costs what a linear layer costs.
 */
#include "core/memory.h"
#include "core/network/parts.h"

#include <math.h>

void
upi_conditional_moe_tensors (GArray *specs, const UpiConfig *c, gint in, gint out, const gchar *name)
{
  gint experts = c->decoder.experts;

  upi_tensor (specs, UPI_F32, UPI_SHAPE3 (experts, out, in), "%s.experts.weight", name);
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (experts, out), "%s.experts.bias", name);
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (experts, c->decoder.n_attributes), "%s.gate.weight", name);
}

gsize
upi_conditional_moe_folded_bytes (const UpiTensorSpec *spec)
{
  if (!g_str_has_suffix (spec->name, ".experts.weight"))
    return 0;
  return UPI_N_ATTRIBUTES * (gsize) spec->shape.dim[1] * (gsize) spec->shape.dim[2] * UPI_ELEMENT_BYTES;
}

/* z = gate · a; softmax over the k largest z alone, the other experts are off; equal z: the lower index. */
void
upi_moe_gates (const gfloat *gate, gint experts, gint top_k, const gfloat *attribute, gint n_attributes, gfloat *gates)
{
  g_autofree gdouble *z = g_new0 (gdouble, experts);
  gdouble largest = -G_MAXDOUBLE, sum = 0;

  for (gint e = 0; e < experts; e++) {
    for (gint a = 0; a < n_attributes; a++)
      z[e] += (gdouble) gate[e * n_attributes + a] * attribute[a];
    largest = MAX (largest, z[e]);
  }
  for (gint e = 0; e < experts; e++) {
    gint better = 0;
    for (gint other = 0; other < experts; other++)
      better += z[other] > z[e] || (z[other] == z[e] && other < e);
    gates[e] = better < top_k ? (gfloat) exp (z[e] - largest) : 0;
    sum += gates[e];
  }
  for (gint e = 0; e < experts; e++)
    gates[e] = (gfloat) (gates[e] / sum);
}

void
upi_moe_sum (const gfloat *tensors, const gfloat *gates, gint experts, gsize count, gfloat *sum)
{
  for (gsize i = 0; i < count; i++)
    sum[i] = 0;
  for (gint e = 0; e < experts; e++) {
    if (gates[e] == 0)
      continue;
    for (gsize i = 0; i < count; i++)
      sum[i] += gates[e] * tensors[e * count + i];
  }
}

gboolean
upi_conditional_moe_fold (UpiWeights *weights, const UpiConfig *c, const gchar *name, GError **error)
{
  gint experts = c->decoder.experts;
  UpiShape shape;
  g_autofree gfloat *w = upi_weights_take (weights, &shape, error, "%s.experts.weight", name);
  g_autofree gfloat *bias = w != NULL ? upi_weights_take (weights, NULL, error, "%s.experts.bias", name) : NULL;
  g_autofree gfloat *gate = bias != NULL ? upi_weights_take (weights, NULL, error, "%s.gate.weight", name) : NULL;
  gint out, in;

  if (gate == NULL)
    return FALSE;
  out = shape.dim[1];
  in = shape.dim[2];
  for (gint a = 0; a < UPI_N_ATTRIBUTES; a++) {
    g_autofree gfloat *gates = g_new (gfloat, experts);
    g_autofree gfloat *dense = UPI_MEMORY_NEW (gfloat, (gsize) out * in, "folded experts", error);
    g_autofree gfloat *dense_bias = dense != NULL ? UPI_MEMORY_NEW (gfloat, out, "folded experts", error) : NULL;

    if (dense_bias == NULL)
      return FALSE;
    upi_moe_gates (gate, experts, c->decoder.top_k, c->decoder.attributes[a], c->decoder.n_attributes, gates);
    upi_moe_sum (w, gates, experts, (gsize) out * in, dense);
    upi_moe_sum (bias, gates, experts, out, dense_bias);
    upi_weights_put (
        weights, g_steal_pointer (&dense), UPI_SHAPE2 (out, in), "%s.%s.weight", name, upi_attribute_names[a]);
    upi_weights_put (
        weights, g_steal_pointer (&dense_bias), UPI_SHAPE1 (out), "%s.%s.bias", name, upi_attribute_names[a]);
  }
  return TRUE;
}

UpiValue
upi_conditional_moe (UpiBuild *b, UpiValue x, UpiAttribute attribute, UpiAct act, const gchar *name)
{
  return upi_linear_of (b, x, act, "%s.%s", name, upi_attribute_names[attribute]);
}
