/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Region decoder (DINO, Mask DINO): queries attend to each other and, deformably, to the memory; every layer refines
 * its box. Mask DINO's published code reads its results behind a norm more: the last box behind one, the heads behind
 * two. */
#include "core/network/parts.h"

void
upi_region_decoder_tensors (GArray *specs, const UpiConfig *c)
{
  gint d = c->d;

  upi_tensor_mlp (specs, (const gint[]){ 2 * d, d, d }, 2, "region_decoder.ref_point_head");
  for (gint i = 0; i < c->region_decoder.layers; i++) {
    g_autofree gchar *cross = g_strdup_printf ("region_decoder.layers.%d.cross_attn", i);
    upi_tensor (specs, UPI_F32, UPI_SHAPE2 (3 * d, d), "region_decoder.layers.%d.self_attn.in_proj_weight", i);
    upi_tensor (specs, UPI_F32, UPI_SHAPE1 (3 * d), "region_decoder.layers.%d.self_attn.in_proj_bias", i);
    upi_tensor_linear (specs, d, d, "region_decoder.layers.%d.self_attn.out_proj", i);
    upi_tensor_norm (specs, d, "region_decoder.layers.%d.norm1", i);
    upi_deformable_tensors (specs, c, cross);
    upi_tensor_norm (specs, d, "region_decoder.layers.%d.norm2", i);
    upi_tensor_linear (specs, d, c->region_ffn, "region_decoder.layers.%d.linear1", i);
    upi_tensor_linear (specs, c->region_ffn, d, "region_decoder.layers.%d.linear2", i);
    upi_tensor_norm (specs, d, "region_decoder.layers.%d.norm3", i);
    if (!c->has_detector)
      upi_tensor_mlp (specs, (const gint[]){ d, d, d, 4 }, 3, "region_decoder.box.%d", i);
  }
  upi_tensor_norm (specs, d, "region_decoder.norm");
  upi_tensor_linear (specs, d, 1, "region_decoder.foreground");
}

gboolean
upi_region_decoder_fold (UpiWeights *weights, const UpiConfig *c, GError **error)
{
  for (gint i = 0; i < c->region_decoder.layers; i++) {
    g_autofree gchar *cross = g_strdup_printf ("region_decoder.layers.%d.cross_attn", i);
    if (!upi_deformable_fold (weights, cross, error))
      return FALSE;
  }
  return TRUE;
}

/* q = k = x + pos, v = x: [B,N,d] → [B,N,d] */
static UpiValue
self_attention (UpiBuild *b, gint i, UpiValue x, UpiValue x_pos)
{
  UpiProgram *p = b->program;
  gint d = b->config->d;
  UpiValue qk, v, y;

  qk = upi_linear (p, x_pos, upi_weight_rows_of (b, 0, 2 * d, "region_decoder.layers.%d.self_attn.in_proj_weight", i),
      upi_weight_rows_of (b, 0, 2 * d, "region_decoder.layers.%d.self_attn.in_proj_bias", i),
      UPI_ACT_NONE); /* [B,N,2d] */
  v = upi_linear (p, x, upi_weight_rows_of (b, 2 * d, d, "region_decoder.layers.%d.self_attn.in_proj_weight", i),
      upi_weight_rows_of (b, 2 * d, d, "region_decoder.layers.%d.self_attn.in_proj_bias", i),
      UPI_ACT_NONE); /* [B,N,d] */
  y = upi_attention (p, upi_slice (p, qk, 2, 0, d), upi_slice (p, qk, 2, d, d), v, UPI_NO_VALUE,
      &(UpiAttention){ .heads = b->config->heads });
  return upi_linear_of (b, y, UPI_ACT_NONE, "region_decoder.layers.%d.self_attn.out_proj", i);
}

/* [B,N,4] → [B,N,d] */
static UpiValue
position_of (UpiBuild *b, UpiValue box)
{
  UpiValue sine = upi_sine_position (b->program, box, b->config->d / 2); /* [B,N,2d] */

  return upi_mlp_of (b, sine, 2, "region_decoder.ref_point_head");
}

/* Post-norm layer: x [B,N,d] at pos [B,N,d] of box [B,N,4] → [B,N,d] */
static UpiValue
region_layer (UpiBuild *b, const UpiLevels *levels, gint i, UpiValue x, UpiValue pos, UpiValue box, UpiValue memory)
{
  UpiProgram *p = b->program;
  g_autofree gchar *cross = g_strdup_printf ("region_decoder.layers.%d.cross_attn", i);
  UpiValue y;

  y = self_attention (b, i, x, upi_add (p, x, pos));
  x = upi_layer_norm_of (b, upi_add (p, y, x), UPI_LAYER_NORM_EPS, "region_decoder.layers.%d.norm1", i);
  y = upi_deformable (b, levels, upi_add (p, x, pos), box, memory, cross);
  x = upi_layer_norm_of (b, upi_add (p, y, x), UPI_LAYER_NORM_EPS, "region_decoder.layers.%d.norm2", i);
  y = upi_linear_of (b, x, UPI_ACT_RELU, "region_decoder.layers.%d.linear1", i); /* [B,N,ffn] */
  y = upi_linear_of (b, y, UPI_ACT_NONE, "region_decoder.layers.%d.linear2", i); /* [B,N,d] */
  return upi_layer_norm_of (b, upi_add (p, y, x), UPI_LAYER_NORM_EPS, "region_decoder.layers.%d.norm3", i);
}

UpiRegions
upi_region_decoder (UpiBuild *b, const UpiLevels *levels, UpiValue content, UpiValue box, UpiValue memory)
{
  UpiProgram *p = b->program;
  gint last = b->config->region_decoder.layers - 1;
  UpiValue x = content, pos;
  UpiRegions regions;

  upi_program_part (p, "region decoder (4.1)");
  pos = position_of (b, box);
  for (gint i = 0; i <= last; i++) {
    x = region_layer (b, levels, i, x, pos, box, memory);
    if (b->config->has_detector)
      continue; /* its boxes stay */
    if (i == last && b->config->mask_dino)
      x = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "region_decoder.norm");
    box = upi_box_refine (p, upi_mlp_of (b, x, 3, "region_decoder.box.%d", i), box);
    if (i < last)
      pos = position_of (b, box);
  }
  regions.semantic = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "region_decoder.norm");              /* [B,N,d] */
  regions.box = box;                                                                                   /* [B,N,4] */
  regions.foreground = upi_linear_of (b, regions.semantic, UPI_ACT_NONE, "region_decoder.foreground"); /* [B,N,1] */
  return regions;
}
