/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text encoder (4.2): BERT and RoBERTa, post-norm, exact GELU, with Hugging Face's tensor names. RoBERTa's first
 * position is row 2. */
#include "core/memory.h"
#include "core/network/parts.h"

#define LAYER "text.encoder.layer.%d."

void
upi_text_encoder_tensors (GArray *specs, const UpiConfig *c)
{
  gint width = c->text.width;

  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->text.vocabulary, width), "text.embeddings.word_embeddings.weight");
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->text.positions, width), "text.embeddings.position_embeddings.weight");
  upi_tensor (
      specs, UPI_F32, UPI_SHAPE2 (c->text.type_vocabulary, width), "text.embeddings.token_type_embeddings.weight");
  upi_tensor_norm (specs, width, "text.embeddings.LayerNorm");
  for (gint i = 0; i < c->text.layers; i++) {
    upi_tensor_linear (specs, width, width, LAYER "attention.self.query", i);
    upi_tensor_linear (specs, width, width, LAYER "attention.self.key", i);
    upi_tensor_linear (specs, width, width, LAYER "attention.self.value", i);
    upi_tensor_linear (specs, width, width, LAYER "attention.output.dense", i);
    upi_tensor_norm (specs, width, LAYER "attention.output.LayerNorm", i);
    upi_tensor_linear (specs, width, c->text.ffn, LAYER "intermediate.dense", i);
    upi_tensor_linear (specs, c->text.ffn, width, LAYER "output.dense", i);
    upi_tensor_norm (specs, width, LAYER "output.LayerNorm", i);
  }
}

/* Query, key and value become one matrix; the position table starts at the first usable row and has type 0 added. */
gboolean
upi_text_encoder_fold (UpiWeights *weights, const UpiConfig *c, GError **error)
{
  gint width = c->text.width, rows = upi_config_text_positions (c), skipped = c->text.positions - rows;
  g_autofree gfloat *table = upi_weights_take (weights, NULL, error, "text.embeddings.position_embeddings.weight");
  g_autofree gfloat *type =
      table != NULL ? upi_weights_take (weights, NULL, error, "text.embeddings.token_type_embeddings.weight") : NULL;
  gfloat *positions;

  if (type == NULL)
    return FALSE;
  positions = UPI_MEMORY_NEW (gfloat, (gsize) rows * width, "positions of text", error);
  if (positions == NULL)
    return FALSE;
  for (gint t = 0; t < rows; t++)
    for (gint k = 0; k < width; k++)
      positions[t * width + k] = table[(t + skipped) * width + k] + type[k];
  upi_weights_put (weights, positions, UPI_SHAPE2 (rows, width), "text.embeddings.positions");

  for (gint i = 0; i < c->text.layers; i++) {
    g_autofree gchar *query = g_strdup_printf (LAYER "attention.self.query", i);
    g_autofree gchar *key = g_strdup_printf (LAYER "attention.self.key", i);
    g_autofree gchar *value = g_strdup_printf (LAYER "attention.self.value", i);
    g_autofree gchar *qkv = g_strdup_printf (LAYER "attention.self.qkv", i);
    if (!upi_weights_stack (weights, (const gchar *const[]){ query, key, value }, 3, qkv, error))
      return FALSE;
  }
  return TRUE;
}

static UpiValue
bert_layer (UpiBuild *b, gint i, UpiValue x, UpiValue length)
{
  UpiProgram *p = b->program;
  gint width = b->config->text.width;
  gfloat eps = b->config->text.layer_norm_eps;
  UpiValue qkv, y;

  qkv = upi_linear_of (b, x, UPI_ACT_NONE, LAYER "attention.self.qkv", i); /* [B,T,3·width] */
  y = upi_attention (p, upi_slice (p, qkv, 2, 0, width), upi_slice (p, qkv, 2, width, width),
      upi_slice (p, qkv, 2, 2 * width, width), length, &(UpiAttention){ .heads = b->config->text.heads });
  y = upi_linear_of (b, y, UPI_ACT_NONE, LAYER "attention.output.dense", i);
  x = upi_layer_norm_of (b, upi_add (p, y, x), eps, LAYER "attention.output.LayerNorm", i);
  y = upi_linear_of (b, x, UPI_ACT_GELU, LAYER "intermediate.dense", i); /* [B,T,ffn] */
  y = upi_linear_of (b, y, UPI_ACT_NONE, LAYER "output.dense", i);       /* [B,T,width] */
  return upi_layer_norm_of (b, upi_add (p, y, x), eps, LAYER "output.LayerNorm", i);
}

UpiValue
upi_text_encoder (UpiBuild *b, UpiValue ids, UpiValue length)
{
  UpiProgram *p = b->program;
  gint tokens = upi_program_shape (p, ids).dim[1];
  UpiValue x;

  upi_program_part (p, "text encoder (4.2)");
  x = upi_embed (p, upi_weight_of (b, "text.embeddings.word_embeddings.weight"), ids); /* [B,T,width] */
  x = upi_add (p, x, upi_weight_rows_of (b, 0, tokens, "text.embeddings.positions"));
  x = upi_layer_norm_of (b, x, b->config->text.layer_norm_eps, "text.embeddings.LayerNorm");
  for (gint i = 0; i < b->config->text.layers; i++)
    x = bert_layer (b, i, x, length);
  return x;
}

UpiValue
upi_text_token (UpiBuild *b, UpiValue ids, UpiValue position)
{
  UpiProgram *p = b->program;
  UpiValue x;

  upi_program_part (p, "text embeddings (4.2)");
  x = upi_embed (p, upi_weight_of (b, "text.embeddings.word_embeddings.weight"), ids); /* [B,1,width] */
  x = upi_add (p, x, upi_embed (p, upi_weight_of (b, "text.embeddings.positions"), position));
  return upi_layer_norm_of (b, x, b->config->text.layer_norm_eps, "text.embeddings.LayerNorm");
}
