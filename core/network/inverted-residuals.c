/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What EfficientNet-Lite0 and MobileNetV2 share: a stem and stages of inverted residuals (1801.04381) with ReLU6, batch norms folded into
 * the convolutions, TensorFlow's SAME padding. A backbone of this family is its table of stages.
 */
#include "core/network/inverted-residuals.h"

#define STEM 32

/* One block of the walk over the stages. */
typedef struct {
  const UpiResidualStage *stage;
  gint index; /* of the block in the network */
  gint in, hidden, stride;
  gboolean first, last; /* of its stage */
} Block;

static Block
block_of (const UpiResidualStage *stage, gint index, gint r, gint in)
{
  Block block = { stage, index, in, in * stage->expansion, r == 0 ? stage->stride : 1, r == 0, r + 1 == stage->repeats };

  return block;
}

gint
upi_inverted_residuals_tensors (GArray *specs, const gchar *name, const UpiResidualStage *stages, guint n_stages)
{
  gint index = 0, in = STEM;

  upi_tensor_conv (specs, 3, STEM, 3, "%s.stem", name);
  for (guint s = 0; s < n_stages; s++) {
    for (gint r = 0; r < stages[s].repeats; r++, index++) {
      Block block = block_of (stages + s, index, r, in);
      if (stages[s].expansion > 1)
        upi_tensor_conv (specs, in, block.hidden, 1, "%s.blocks.%d.expand", name, index);
      upi_tensor_conv (specs, 1, block.hidden, stages[s].kernel, "%s.blocks.%d.depthwise", name, index);
      upi_tensor_conv (specs, block.hidden, stages[s].channels, 1, "%s.blocks.%d.project", name, index);
      in = stages[s].channels;
    }
  }
  return in;
}

/* x [B,H,W,in] → [B,⌈H/stride⌉,⌈W/stride⌉,out]; *expanded [B,H,W,hidden] */
static UpiValue
inverted_residual (UpiBuild *b, UpiValue x, const gchar *name, const Block *block, UpiValue *expanded)
{
  UpiValue y = x;

  if (block->stage->expansion > 1)
    y = upi_conv_of (b, y, &(UpiConvOf){ .act = UPI_ACT_RELU6 }, "%s.blocks.%d.expand", name, block->index);
  *expanded = y;
  y = upi_conv_of (b, y, &(UpiConvOf){ .stride = block->stride, .depthwise = TRUE, .same = TRUE, .act = UPI_ACT_RELU6 },
      "%s.blocks.%d.depthwise", name, block->index);
  y = upi_conv_of (b, y, &(UpiConvOf){ 0 }, "%s.blocks.%d.project", name, block->index);
  return block->stride == 1 && block->in == block->stage->channels ? upi_add (b->program, y, x) : y;
}

UpiValue
upi_inverted_residuals (UpiBuild *b, UpiValue image, const gchar *name, const UpiResidualStage *stages, guint n_stages, UpiValue maps[4])
{
  gint index = 0, in = STEM;
  UpiValue x, expanded;

  x = upi_conv_of (b, image, &(UpiConvOf){ .stride = 2, .same = TRUE, .act = UPI_ACT_RELU6 }, "%s.stem", name); /* [B,H/2,W/2,32] */
  for (guint s = 0; s < n_stages; s++) {
    for (gint r = 0; r < stages[s].repeats; r++, index++) {
      Block block = block_of (stages + s, index, r, in);
      x = inverted_residual (b, x, name, &block, &expanded);
      in = stages[s].channels;
      if (stages[s].tap == UPI_TAP_EXPANSION && block.first)
        maps[stages[s].map] = expanded;
      else if (stages[s].tap == UPI_TAP_END && block.last)
        maps[stages[s].map] = x;
    }
  }
  return x;
}
