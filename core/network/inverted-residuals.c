/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What EfficientNet-Lite0 and MobileNetV2 share: a stem and stages of inverted residuals (1801.04381) with ReLU6, batch
 * norms folded into the convolutions, TensorFlow's SAME padding. A backbone of this family is its table of stages.
 *
 * What a block expands is six times what it reads and leaves a processor's caches in the first blocks: there expansion,
 * depthwise layer and projection go through the map in strips of rows, each with the rows around it that the kernel
 * sees. The numbers are the same.
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
  Block block = { stage, index, in, in * stage->expansion, r == 0 ? stage->stride : 1, r == 0,
    r + 1 == stage->repeats };

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

/* Rows [first, end) of the block's output, from those rows of x [B,H,W,in] that they see; *expanded: of these rows. */
static UpiValue
rows_of_block (UpiBuild *b, UpiValue x, const gchar *name, const Block *block, gint first, gint end, UpiValue *expanded)
{
  UpiConvOf depthwise = {
    .stride = block->stride, .depthwise = TRUE, .same = TRUE, .strip = TRUE, .act = UPI_ACT_RELU6
  };
  gint height = upi_program_shape (b->program, x).dim[1], above, below, from, to;
  UpiValue y = x;

  upi_same_padding (height, block->stage->kernel, block->stride, &above, &below);
  from = first * block->stride - above;
  to = (end - 1) * block->stride - above + block->stage->kernel;
  depthwise.pad_top = MAX (-from, 0);
  depthwise.pad_bottom = MAX (to - height, 0);
  from = MAX (from, 0);
  to = MIN (to, height);
  if (to - from < height)
    y = upi_slice (b->program, x, 1, from, to - from);
  if (block->stage->expansion > 1)
    y = upi_conv_of (b, y, &(UpiConvOf){ .act = UPI_ACT_RELU6 }, "%s.blocks.%d.expand", name, block->index);
  *expanded = y;
  y = upi_conv_of (b, y, &depthwise, "%s.blocks.%d.depthwise", name, block->index);
  y = upi_conv_of (b, y, &(UpiConvOf){ 0 }, "%s.blocks.%d.project", name, block->index);
  if (block->stride > 1 || block->in != block->stage->channels)
    return y;
  return upi_add (b->program, y, end - first < height ? upi_slice (b->program, x, 1, first, end - first) : x);
}

/* Rows of the output that are made at a time: all, or as many as keep what is expanded for them near strip_bytes.
 * Strips need rows that lie in one piece, which those of a batch do not. */
static gint
strip_rows (const UpiBuild *b, const UpiShape *map, const Block *block, gint rows)
{
  gsize row = (gsize) map->dim[2] * (gsize) block->hidden * sizeof (gfloat);
  gint most, n;

  if (b->strip_bytes == 0 || b->batch > 1 || block->stage->expansion == 1
      || row * (gsize) map->dim[1] <= b->strip_bytes)
    return rows;
  most = CLAMP ((gint) (b->strip_bytes / row) / block->stride, 1, rows);
  n = (rows + most - 1) / most;
  return (rows + n - 1) / n; /* about equal ones */
}

/* x [B,H,W,in] → [B,⌈H/stride⌉,⌈W/stride⌉,out]; *expanded [B,H,W,hidden] where the block is tapped there, else what
 * there is of it */
static UpiValue
inverted_residual (UpiBuild *b, UpiValue x, const gchar *name, const Block *block, UpiValue *expanded)
{
  UpiShape map = upi_program_shape (b->program, x);
  gint rows = (map.dim[1] + block->stride - 1) / block->stride;
  gboolean tapped = block->stage->tap == UPI_TAP_EXPANSION && block->first;
  gint each = tapped ? rows : strip_rows (b, &map, block, rows);
  g_autofree UpiValue *strips = g_new (UpiValue, rows);
  guint n = 0;

  for (gint first = 0; first < rows; first += each)
    strips[n++] = rows_of_block (b, x, name, block, first, MIN (first + each, rows), expanded);
  return n == 1 ? strips[0] : upi_concat (b->program, strips, n, 1);
}

UpiValue
upi_inverted_residuals (
    UpiBuild *b, UpiValue image, const gchar *name, const UpiResidualStage *stages, guint n_stages, UpiValue maps[4])
{
  gint index = 0, in = STEM;
  UpiValue x, expanded = UPI_NO_VALUE;

  x = upi_conv_of (
      b, image, &(UpiConvOf){ .stride = 2, .same = TRUE, .act = UPI_ACT_RELU6 }, "%s.stem", name); /* [B,H/2,W/2,32] */
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
