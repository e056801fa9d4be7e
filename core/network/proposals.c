/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* General region proposals and global tokens: equations 2 and 3 of the paper (4.1), and the sequence the decoder
 * reads. */
#include "core/network/parts.h"

#define GRID 28 /* masks are pooled to 28 × 28 (4.1) */

void
upi_proposals_tensors (GArray *specs, const UpiConfig *c)
{
  gint width = c->decoder.width;

  upi_tensor_linear (specs, 2 * c->d, c->d, "proposals.box");
  upi_tensor_linear (specs, GRID * GRID, c->d, "proposals.mask");
  upi_tensor_linear (specs, c->d, width, "proposals.proj");
  upi_tensor_norm (specs, width, "proposals.norm");
  upi_tensor_linear (specs, c->global.channels, width, "global.proj");
  upi_tensor_norm (specs, width, "global.norm");
  for (gint i = 0; i < c->global.pools; i++) {
    static const gchar *const layers[] = { "q", "k", "v", "out" };
    for (guint k = 0; k < G_N_ELEMENTS (layers); k++)
      upi_tensor_linear (specs, width, width, "global.pool.%d.%s", i, layers[k]);
  }
}

/* q_proposal = norm(proj(q_sem + B(q_box) + M(q_mask) + E(r))), the last where the network has class evidence */
UpiValue
upi_proposals (UpiBuild *b, const UpiRegions *regions, UpiValue mask_features, UpiValue mask_embed, UpiValue evidence)
{
  UpiProgram *p = b->program;
  UpiValue box, pooled, mask, x;

  upi_program_part (p, "proposals (eq. 2)");
  box = upi_sine_position (p, regions->box, b->config->d / 2); /* [B,N,2d] */
  box = upi_linear_of (b, box, UPI_ACT_NONE, "proposals.box"); /* [B,N,d] */
  /* pooling commutes with the mask product: the features are pooled once, not N masks */
  pooled = upi_as_tokens (b, upi_adaptive_avg_pool (p, mask_features, GRID, GRID)); /* [B,784,m] */
  mask = upi_matmul (p, mask_embed, pooled, &(UpiMatmul){ .transpose_b = TRUE });   /* [B,N,784] logits */
  mask = upi_linear_of (b, upi_activation (p, mask, UPI_ACT_SIGMOID), UPI_ACT_NONE, "proposals.mask"); /* [B,N,d] */
  x = upi_add (p, upi_add (p, mask, box), regions->semantic);
  if (evidence != UPI_NO_VALUE) /* [B,N,K] → [B,N,d] */
    x = upi_add (
        p, upi_linear (p, evidence, upi_weight_of (b, "proposals.evidence.weight"), UPI_NO_VALUE, UPI_ACT_NONE), x);
  x = upi_linear_of (b, x, UPI_ACT_NONE, "proposals.proj"); /* [B,N,D] */
  return upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "proposals.norm");
}

/* CLIP's attention pooling: the mean is the query, mean and tokens are keys and values. flat [B,T,D] → [B,1,D] */
static UpiValue
attention_pool (UpiBuild *b, gint i, UpiValue flat, UpiValue mean)
{
  UpiProgram *p = b->program;
  UpiValue s, q, k, v, y;

  s = upi_concat (p, (const UpiValue[]){ mean, flat }, 2, 1); /* [B,1+T,D] */
  q = upi_linear_of (b, mean, UPI_ACT_NONE, "global.pool.%d.q", i);
  k = upi_linear_of (b, s, UPI_ACT_NONE, "global.pool.%d.k", i);
  v = upi_linear_of (b, s, UPI_ACT_NONE, "global.pool.%d.v", i);
  y = upi_attention (p, q, k, v, UPI_NO_VALUE, &(UpiAttention){ .heads = b->config->decoder.heads });
  return upi_linear_of (b, y, UPI_ACT_NONE, "global.pool.%d.out", i);
}

UpiValue
upi_global_tokens (UpiBuild *b, UpiValue map, UpiValue *pools)
{
  UpiProgram *p = b->program;
  UpiShape s = upi_program_shape (p, map); /* [B,H_g,W_g,c] */
  gint width = b->config->decoder.width;
  UpiValue pos, flat, mean;

  upi_program_part (p, "global tokens (eq. 3)");
  pos = upi_program_constant (
      p, upi_sine_pixels (s.dim[1], s.dim[2], width, FALSE), UPI_SHAPE2 (s.dim[1] * s.dim[2], width));
  flat = upi_linear_of (b, upi_as_tokens (b, map), UPI_ACT_NONE, "global.proj"); /* [B,T_g,D] */
  flat = upi_layer_norm_of (b, upi_add (p, flat, pos), UPI_LAYER_NORM_EPS, "global.norm");
  if (b->config->global.pools > 0) {
    mean = upi_mean_tokens (p, flat); /* [B,1,D] */
    for (gint i = 0; i < b->config->global.pools; i++)
      pools[i] = attention_pool (b, i, flat, mean);
  }
  return flat;
}

UpiValue
upi_image_sequence (UpiBuild *b, const UpiValue *pools, UpiValue flat, UpiValue proposals)
{
  gint n = b->config->global.pools;
  g_autofree UpiValue *rows = g_new (UpiValue, n + 3);

  upi_program_part (b->program, "image sequence (4.3)");
  rows[0] = upi_weight_tiled (b, "decoder.spe"); /* [B,1,D] */
  for (gint i = 0; i < n; i++)
    rows[1 + i] = pools[i];
  rows[1 + n] = flat;
  rows[2 + n] = proposals;
  return upi_concat (b->program, rows, n + 3, 1);
}
