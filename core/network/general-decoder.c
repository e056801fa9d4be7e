/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* General decoder g, shared by all modalities and tasks (4.3): a Transformer whose FFNs are Conditional MoEs.
 *
 * Image rows never see text, so they run once a frame and their keys and values are the cache that captions read. In a
 * last layer only the rows that anyone reads are queries.
 */
#include "core/network/parts.h"

void
upi_general_decoder_tensors (GArray *specs, const UpiConfig *c)
{
  gint width = c->decoder.width;

  upi_tensor (specs, UPI_F32, UPI_SHAPE1 (width), "decoder.spe");
  for (gint i = 0; i < c->decoder.layers; i++) {
    g_autofree gchar *linear1 = g_strdup_printf ("decoder.layers.%d.ffn.linear1", i);
    g_autofree gchar *linear2 = g_strdup_printf ("decoder.layers.%d.ffn.linear2", i);
    upi_tensor_norm (specs, width, "decoder.layers.%d.norm1", i);
    upi_tensor (specs, UPI_F32, UPI_SHAPE2 (3 * width, width), "decoder.layers.%d.attn.in_proj_weight", i);
    upi_tensor (specs, UPI_F32, UPI_SHAPE1 (3 * width), "decoder.layers.%d.attn.in_proj_bias", i);
    upi_tensor_linear (specs, width, width, "decoder.layers.%d.attn.out_proj", i);
    upi_tensor_norm (specs, width, "decoder.layers.%d.norm2", i);
    upi_conditional_moe_tensors (specs, c, width, c->decoder.ffn, linear1);
    upi_conditional_moe_tensors (specs, c, c->decoder.ffn, width, linear2);
  }
  upi_tensor_norm (specs, width, "decoder.norm");
  upi_tensor_linear (specs, c->text.width, width, "text_proj");
  upi_tensor_norm (specs, width, "text_norm");
}

gboolean
upi_general_decoder_fold (UpiWeights *weights, const UpiConfig *c, GError **error)
{
  for (gint i = 0; i < c->decoder.layers; i++) {
    for (gint k = 1; k <= 2; k++) {
      g_autofree gchar *name = g_strdup_printf ("decoder.layers.%d.ffn.linear%d", i, k);
      if (!upi_conditional_moe_fold (weights, c, name, error))
        return FALSE;
    }
  }
  return TRUE;
}

/* Rows start.. of in_proj, n times D wide: q, k, v lie one after the other. y [B,R,D] → [B,R,n·D] */
static UpiValue
in_projection (UpiBuild *b, gint i, UpiValue y, gint start, gint n)
{
  gint width = b->config->decoder.width;

  return upi_linear (b->program, y,
      upi_weight_rows_of (b, start * width, n * width, "decoder.layers.%d.attn.in_proj_weight", i),
      upi_weight_rows_of (b, start * width, n * width, "decoder.layers.%d.attn.in_proj_bias", i), UPI_ACT_NONE);
}

/* Column block of width D. */
static UpiValue
block (UpiBuild *b, UpiValue x, gint index)
{
  return upi_slice (b->program, x, 2, index * b->config->decoder.width, b->config->decoder.width);
}

/* What attention reads: norm1(x) of a pre-norm layer, x of a post-norm one. */
static UpiValue
attention_input (UpiBuild *b, gint i, UpiValue x)
{
  return b->config->decoder.post_norm ? x : upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.layers.%d.norm1", i);
}

static UpiValue
feed_forward (UpiBuild *b, gint i, UpiValue x, UpiAttribute attribute)
{
  g_autofree gchar *linear1 = g_strdup_printf ("decoder.layers.%d.ffn.linear1", i);
  g_autofree gchar *linear2 = g_strdup_printf ("decoder.layers.%d.ffn.linear2", i);

  x = upi_conditional_moe (b, x, attribute, UPI_ACT_GELU, linear1);    /* [B,R,ffn] */
  return upi_conditional_moe (b, x, attribute, UPI_ACT_NONE, linear2); /* [B,R,D] */
}

/* The layer after attention: x [B,R,D] the rows that were queries, attended [B,R,D] → [B,R,D] */
static UpiValue
finish_layer (UpiBuild *b, gint i, UpiValue x, UpiValue attended, UpiAttribute attribute)
{
  UpiProgram *p = b->program;
  UpiValue y = upi_linear_of (b, attended, UPI_ACT_NONE, "decoder.layers.%d.attn.out_proj", i);

  x = upi_add (p, y, x);
  if (b->config->decoder.post_norm) {
    x = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.layers.%d.norm1", i);
    x = upi_add (p, feed_forward (b, i, x, attribute), x);
    return upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.layers.%d.norm2", i);
  }
  y = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.layers.%d.norm2", i);
  return upi_add (p, feed_forward (b, i, y, attribute), x);
}

/* Rows that tasks read: <SPE> and the N regions. x [B,T,D] → [B,1+N,D] */
static UpiValue
task_rows (UpiBuild *b, UpiValue x)
{
  UpiProgram *p = b->program;
  gint n = b->config->query.count, tokens = upi_program_shape (p, x).dim[1];

  return upi_concat (p, (const UpiValue[]){ upi_slice (p, x, 1, 0, 1), upi_slice (p, x, 1, tokens - n, n) }, 2, 1);
}

UpiDecodedImage
upi_decode_image (UpiBuild *b, UpiValue x, UpiValue *keys, UpiValue *values)
{
  UpiProgram *p = b->program;
  UpiAttention attention = { .heads = b->config->decoder.heads };
  UpiDecodedImage decoded;

  upi_program_part (p, "general decoder, image (4.3)");
  for (gint i = 0; i < b->config->decoder.layers; i++) {
    UpiValue y = attention_input (b, i, x), q;
    if (i + 1 < b->config->decoder.layers) {
      UpiValue qkv = in_projection (b, i, y, 0, 3); /* [B,T,3D] */
      q = block (b, qkv, 0);
      keys[i] = block (b, qkv, 1);
      values[i] = block (b, qkv, 2);
    } else {
      UpiValue kv = in_projection (b, i, y, 1, 2); /* [B,T,2D] */
      x = task_rows (b, x);                        /* [B,1+N,D] */
      q = in_projection (b, i, task_rows (b, y), 0, 1);
      keys[i] = block (b, kv, 0);
      values[i] = block (b, kv, 1);
    }
    x = finish_layer (b, i, x, upi_attention (p, q, keys[i], values[i], UPI_NO_VALUE, &attention), UPI_ATTRIBUTE_IMAGE);
  }
  x = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.norm");
  decoded.spe = upi_slice (p, x, 1, 0, 1);
  decoded.regions = upi_slice (p, x, 1, 1, b->config->query.count);
  return decoded;
}

UpiValue
upi_decode_text (UpiBuild *b, UpiValue text, UpiValue length)
{
  UpiProgram *p = b->program;
  UpiAttention attention = { .heads = b->config->decoder.heads };
  gint tokens = upi_program_shape (p, text).dim[1];
  UpiValue x;

  upi_program_part (p, "general decoder, text (4.3)");
  x = upi_linear_of (b, text, UPI_ACT_NONE, "text_proj"); /* [B,T,D] */
  x = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "text_norm");
  x = upi_concat (p, (const UpiValue[]){ upi_weight_tiled (b, "decoder.spe"), x }, 2, 1); /* [B,1+T,D] */
  for (gint i = 0; i < b->config->decoder.layers; i++) {
    gboolean last = i + 1 == b->config->decoder.layers; /* <SPE> alone is a query */
    UpiValue y = attention_input (b, i, x), q, k, v, kv = y;
    if (last) {
      kv = in_projection (b, i, y, 1, 2);
      q = in_projection (b, i, upi_slice (p, y, 1, 0, 1), 0, 1);
      x = upi_slice (p, x, 1, 0, 1);
    } else {
      kv = in_projection (b, i, y, 0, 3);
      q = block (b, kv, 0);
    }
    k = block (b, kv, last ? 0 : 1);
    v = block (b, kv, last ? 1 : 2);
    /* two key ranges: <SPE>, then `length` of the text's rows */
    y = upi_attention2 (p, q, upi_slice (p, k, 1, 0, 1), upi_slice (p, v, 1, 0, 1), UPI_NO_VALUE,
        upi_slice (p, k, 1, 1, tokens), upi_slice (p, v, 1, 1, tokens), length, &attention);
    x = finish_layer (b, i, x, y, UPI_ATTRIBUTE_TEXT);
  }
  return upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.norm");
}

UpiValue
upi_decode_caption (UpiBuild *b, UpiValue x, const UpiCaptionCache *cache)
{
  UpiProgram *p = b->program;
  UpiAttention attention = { .heads = b->config->decoder.heads };

  upi_program_part (p, "general decoder, caption (4.3)");
  for (gint i = 0; i < b->config->decoder.layers; i++) {
    UpiValue qkv = in_projection (b, i, attention_input (b, i, x), 0, 3); /* [B,1,3D] */
    UpiValue q = block (b, qkv, 0), k, v, y;
    k = upi_store_rows (p, cache->text_keys[i], block (b, qkv, 1), cache->position); /* [B,capacity,D] */
    v = upi_store_rows (p, cache->text_values[i], block (b, qkv, 2), cache->position);
    if (cache->image_keys != NULL)
      y = upi_attention2 (
          p, q, cache->image_keys[i], cache->image_values[i], UPI_NO_VALUE, k, v, cache->length, &attention);
    else
      y = upi_attention (p, q, k, v, cache->length, &attention);
    x = finish_layer (b, i, x, y, UPI_ATTRIBUTE_TEXT_CAUSAL);
  }
  return upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "decoder.norm"); /* [B,1,D] */
}
