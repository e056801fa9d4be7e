/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multi-scale deformable attention (Deformable DETR, 2010.04159): each of M heads of a query samples K points of L
 * levels. Offsets and weights are linear in the query: at open both become one matrix, whose output is sliced. */
#include "core/network/parts.h"

void
upi_deformable_tensors (GArray *specs, const UpiConfig *c, const gchar *name)
{
  gint samples = c->heads * c->levels * c->points;

  upi_tensor_linear (specs, c->d, c->d, "%s.value_proj", name);
  upi_tensor_linear (specs, c->d, samples * 2, "%s.sampling_offsets", name);
  upi_tensor_linear (specs, c->d, samples, "%s.attention_weights", name);
  upi_tensor_linear (specs, c->d, c->d, "%s.output_proj", name);
}

gboolean
upi_deformable_fold (UpiWeights *weights, const gchar *name, GError **error)
{
  g_autofree gchar *offsets = g_strconcat (name, ".sampling_offsets", NULL);
  g_autofree gchar *logits = g_strconcat (name, ".attention_weights", NULL);
  g_autofree gchar *sampling = g_strconcat (name, ".sampling", NULL);

  return upi_weights_stack (weights, (const gchar *const[]){ offsets, logits }, 2, sampling, error);
}

UpiValue
upi_deformable (
    UpiBuild *b, const UpiLevels *levels, UpiValue query, UpiValue reference, UpiValue values, const gchar *name)
{
  const UpiConfig *c = b->config;
  UpiProgram *p = b->program;
  gint samples = c->heads * c->levels * c->points;
  UpiDeformable deformable = { .heads = c->heads, .points = c->points, .levels = levels->n };
  UpiValue value, sampling, x;

  for (gint l = 0; l < levels->n; l++) {
    deformable.level[l].height = levels->level[l].height;
    deformable.level[l].width = levels->level[l].width;
    deformable.level[l].start = levels->level[l].start;
  }
  value = upi_linear_of (b, values, UPI_ACT_NONE, "%s.value_proj", name); /* [B,T,d] */
  sampling = upi_linear_of (b, query, UPI_ACT_NONE, "%s.sampling", name); /* [B,Q,M·L·K·3] */
  x = upi_deformable_attention (p, value, upi_slice (p, sampling, 2, 0, samples * 2),
      upi_slice (p, sampling, 2, samples * 2, samples), reference, &deformable);
  return upi_linear_of (b, x, UPI_ACT_NONE, "%s.output_proj", name); /* [B,Q,d] */
}
