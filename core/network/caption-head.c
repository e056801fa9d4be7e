/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Captioning's token inputs and its candidates (4.3): P(x, y) over the vocabulary is a cosine with each row of one
 * learned matrix. */
#include "core/network/parts.h"

#include <math.h>

void
upi_caption_head_tensors (GArray *specs, const UpiConfig *c)
{
  gint width = c->decoder.width;

  upi_tensor_linear (specs, c->text.width, width, "caption.embed");
  upi_tensor_norm (specs, width, "caption.norm");
  upi_tensor (specs, UPI_F32, UPI_SHAPE2 (UPI_ANY_SIZE, width), "caption.vocabulary");
  upi_tensor (specs, UPI_I32, UPI_SHAPE1 (UPI_ANY_SIZE), "caption.token_ids");
}

/* Candidates of length 1/τ: scores are then one matrix product with the normalised token. */
gboolean
upi_caption_head_fold (UpiWeights *weights, const UpiConfig *c, GError **error)
{
  UpiShape shape; /* [V,D] */
  gfloat *rows = upi_weights_take (weights, &shape, error, "caption.vocabulary");

  if (rows == NULL)
    return FALSE;
  for (gint v = 0; v < shape.dim[0]; v++) {
    gfloat *row = rows + (gsize) v * shape.dim[1];
    gdouble sum = 0, scale;
    for (gint k = 0; k < shape.dim[1]; k++)
      sum += (gdouble) row[k] * row[k];
    scale = 1 / (MAX (sqrt (sum), 1e-12) * c->tasks.captioning.temperature);
    for (gint k = 0; k < shape.dim[1]; k++)
      row[k] = (gfloat) (row[k] * scale);
  }
  upi_weights_put (weights, rows, shape, "caption.candidates");
  return TRUE;
}

UpiValue
upi_caption_token (UpiBuild *b, UpiValue ids, UpiValue position)
{
  UpiValue x = upi_text_token (b, ids, position); /* [B,1,text width] */

  upi_program_part (b->program, "caption input (4.3)");
  x = upi_linear_of (b, x, UPI_ACT_NONE, "caption.embed"); /* [B,1,D] */
  return upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "caption.norm");
}

UpiValue
upi_caption_scores (UpiBuild *b, UpiValue decoded)
{
  upi_program_part (b->program, "caption scores (4.3)");
  return upi_linear (b->program, upi_l2_norm (b->program, decoded), upi_weight_of (b, "caption.candidates"),
      UPI_NO_VALUE, UPI_ACT_NONE);
}
