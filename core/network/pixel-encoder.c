/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pixel encoder: multi-scale deformable self-attention over all levels (`full`), or with queries at strides ≥ 16 alone
 * and stride 8 made top-down afterwards (`lite`: Lite DETR, 2303.07335). Behind a detector's pyramid, whose maps have
 * seen each other, there is none: memory is the projected maps. */
#include "core/memory.h"
#include "core/network/parts.h"

#include <string.h>

#define GROUPS 32

static gint
first_query_level (const UpiConfig *c)
{
  return c->pixel_encoder.kind == UPI_PIXEL_ENCODER_LITE ? 1 : 0;
}

void
upi_pixel_encoder_tensors (GArray *specs, const UpiConfig *c)
{
  if (c->pixel_encoder.kind == UPI_PIXEL_ENCODER_PYRAMID)
    return;
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->levels, c->d), "level_embed");
  for (gint e = 0; e < c->pixel_encoder.layers; e++) {
    g_autofree gchar *attn = g_strdup_printf ("pixel_encoder.layers.%d.attn", e);
    upi_deformable_tensors (specs, c, attn);
    upi_tensor_norm (specs, c->d, "pixel_encoder.layers.%d.norm1", e);
    upi_tensor_linear (specs, c->d, c->region_ffn, "pixel_encoder.layers.%d.linear1", e);
    upi_tensor_linear (specs, c->region_ffn, c->d, "pixel_encoder.layers.%d.linear2", e);
    upi_tensor_norm (specs, c->d, "pixel_encoder.layers.%d.norm2", e);
  }
  if (c->pixel_encoder.kind == UPI_PIXEL_ENCODER_LITE) {
    upi_tensor_conv (specs, 1, c->d, 3, "pixel_encoder.topdown.depthwise");
    upi_tensor_conv (specs, c->d, c->d, 1, "pixel_encoder.topdown.pointwise");
    upi_tensor_norm (specs, c->d, "pixel_encoder.topdown.norm");
  }
}

gboolean
upi_pixel_encoder_fold (UpiWeights *weights, const UpiConfig *c, GError **error)
{
  for (gint e = 0; e < c->pixel_encoder.layers; e++) {
    g_autofree gchar *attn = g_strdup_printf ("pixel_encoder.layers.%d.attn", e);
    if (!upi_deformable_fold (weights, attn, error))
      return FALSE;
  }
  return TRUE;
}

/* sine2d + level_embed of the levels that are queries: [T',d] */
static UpiValue
positions (UpiBuild *b, const UpiLevels *levels, gint first)
{
  gint d = b->config->d, tokens = levels->tokens - levels->level[first].start;
  const gfloat *embed = upi_weights_get (b->weights, "level_embed")->data; /* [L,d] */
  g_autofree gfloat *rows = UPI_MEMORY_NEW (gfloat, (gsize) tokens * d, "positions", NULL);
  gfloat *out = rows;

  for (gint l = first; rows != NULL && l < levels->n; l++) {
    g_autofree gfloat *sine =
        upi_sine_pixels (levels->level[l].height, levels->level[l].width, d, b->config->mask_dino);
    if (sine == NULL)
      g_clear_pointer (&rows, g_free);
    for (gint t = 0; rows != NULL && t < levels->level[l].tokens; t++, out += d)
      for (gint k = 0; k < d; k++)
        out[k] = sine[t * d + k] + embed[l * d + k];
  }
  return upi_program_constant (b->program, g_steal_pointer (&rows), UPI_SHAPE2 (tokens, d));
}

/* Post-norm layer of Deformable DETR: x [B,T',d], values [B,T,d] → [B,T',d] */
static UpiValue
encoder_layer (
    UpiBuild *b, const UpiLevels *levels, gint e, UpiValue x, UpiValue pos, UpiValue reference, UpiValue values)
{
  UpiProgram *p = b->program;
  g_autofree gchar *attn = g_strdup_printf ("pixel_encoder.layers.%d.attn", e);
  UpiValue y;

  y = upi_deformable (b, levels, upi_add (p, x, pos), reference, values, attn); /* [B,T',d] */
  x = upi_layer_norm_of (b, upi_add (p, y, x), UPI_LAYER_NORM_EPS, "pixel_encoder.layers.%d.norm1", e);
  y = upi_linear_of (b, x, UPI_ACT_RELU, "pixel_encoder.layers.%d.linear1", e); /* [B,T',ffn] */
  y = upi_linear_of (b, y, UPI_ACT_NONE, "pixel_encoder.layers.%d.linear2", e); /* [B,T',d] */
  return upi_layer_norm_of (b, upi_add (p, y, x), UPI_LAYER_NORM_EPS, "pixel_encoder.layers.%d.norm2", e);
}

/* Stride 8: GN(t + pointwise(relu(depthwise(t)))), t = F_1 + up2(stride 16). fine [B,H/8,W/8,d], x [B,T',d] →
 * [B,H/8,W/8,d] */
static UpiValue
top_down (UpiBuild *b, const UpiLevels *levels, UpiValue fine, UpiValue x)
{
  UpiProgram *p = b->program;
  UpiValue coarse, t, y;

  coarse =
      upi_as_map (b, upi_slice (p, x, 1, 0, levels->level[1].tokens), levels->level[1].height, levels->level[1].width);
  t = upi_add (p, upi_resize (p, coarse, levels->level[0].height, levels->level[0].width), fine);
  y = upi_conv_of (b, t, &(UpiConvOf){ .depthwise = TRUE, .act = UPI_ACT_RELU }, "pixel_encoder.topdown.depthwise");
  y = upi_conv_of (b, y, &(UpiConvOf){ 0 }, "pixel_encoder.topdown.pointwise");
  return upi_group_norm_of (b, upi_add (p, y, t), GROUPS, "pixel_encoder.topdown.norm");
}

UpiValue
upi_pixel_encoder (UpiBuild *b, const UpiLevels *levels, const UpiValue projected[UPI_MAX_LEVELS])
{
  UpiProgram *p = b->program;
  gint first = first_query_level (b->config), start = levels->level[first].start;
  UpiValue tokens[UPI_MAX_LEVELS], values, x, pos, reference;

  upi_program_part (p, "pixel encoder (4.1)");
  for (gint l = 0; l < levels->n; l++)
    tokens[l] = upi_as_tokens (b, projected[l]); /* [B,T_l,d] */
  values = upi_concat (p, tokens, levels->n, 1); /* [B,T,d] */
  if (b->config->pixel_encoder.kind == UPI_PIXEL_ENCODER_PYRAMID)
    return values;
  pos = positions (b, levels, first);
  reference = upi_program_constant (p, upi_pixel_centres (levels, first), UPI_SHAPE3 (1, levels->tokens - start, 2));
  x = upi_slice (p, values, 1, start, levels->tokens - start);
  for (gint e = 0; e < b->config->pixel_encoder.layers; e++) {
    x = encoder_layer (b, levels, e, x, pos, reference, values);
    if (first == 0)
      values = x;
    else if (e + 1 < b->config->pixel_encoder.layers)
      values = upi_concat (p, (const UpiValue[]){ tokens[0], x }, 2, 1); /* F_1 stays as it was */
  }
  if (first == 0)
    return x;
  return upi_concat (
      p, (const UpiValue[]){ upi_as_tokens (b, top_down (b, levels, projected[0], x)), x }, 2, 1); /* [B,T,d] */
}
