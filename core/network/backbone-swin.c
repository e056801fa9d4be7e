/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Swin Transformer (2103.14030): patches of 4 × 4 pixels, four stages of attention inside windows, every other block's
 * windows shifted by half, 2 × 2 cells merged between stages. Each map has a norm of its own, as detectors have it.
 * Sizes are the config's: T, S, B, L.
 */
#include "core/memory.h"
#include "core/network/parts.h"

#define PATCH 4
#define FFN 4 /* times a stage's width */

void
upi_swin_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name)
{
  gint side = 2 * sizes->swin.window - 1;

  upi_tensor_conv (specs, 3, sizes->channels[0], PATCH, "%s.patch", name);
  upi_tensor_norm (specs, sizes->channels[0], "%s.patch_norm", name);
  for (gint i = 0; i < 4; i++) {
    gint width = sizes->channels[i];

    if (i > 0) {
      upi_tensor_norm (specs, 2 * width, "%s.stages.%d.merge.norm", name, i);
      upi_tensor (specs, UPI_F32, UPI_SHAPE2 (width, 2 * width), "%s.stages.%d.merge.reduction.weight", name, i);
    }
    for (gint j = 0; j < sizes->swin.depths[i]; j++) {
      upi_tensor_norm (specs, width, "%s.stages.%d.blocks.%d.norm1", name, i, j);
      upi_tensor_linear (specs, width, 3 * width, "%s.stages.%d.blocks.%d.attn.qkv", name, i, j);
      upi_tensor (specs, UPI_F32, UPI_SHAPE2 (side * side, sizes->swin.heads[i]), "%s.stages.%d.blocks.%d.attn.bias",
          name, i, j);
      upi_tensor_linear (specs, width, width, "%s.stages.%d.blocks.%d.attn.proj", name, i, j);
      upi_tensor_norm (specs, width, "%s.stages.%d.blocks.%d.norm2", name, i, j);
      upi_tensor_linear (specs, width, FFN * width, "%s.stages.%d.blocks.%d.linear1", name, i, j);
      upi_tensor_linear (specs, FFN * width, width, "%s.stages.%d.blocks.%d.linear2", name, i, j);
    }
    upi_tensor_norm (specs, width, "%s.norms.%d", name, i);
  }
}

/* x [B,H,W,C] → the same. Cells beyond the map are zeros behind the norm: their queries, keys and values are the
 * projection's bias. */
static UpiValue
block (UpiBuild *b, UpiValue x, const UpiBackboneSizes *sizes, const gchar *name, gint i, gint j)
{
  UpiWindow window = { sizes->swin.heads[i], sizes->swin.window, j % 2 ? sizes->swin.window / 2 : 0 };
  UpiValue y;

  y = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "%s.stages.%d.blocks.%d.norm1", name, i, j);
  y = upi_linear_of (b, y, UPI_ACT_NONE, "%s.stages.%d.blocks.%d.attn.qkv", name, i, j); /* [B,H,W,3C] */
  y = upi_window_attention (b->program, y, upi_weight_of (b, "%s.stages.%d.blocks.%d.attn.qkv.bias", name, i, j),
      upi_weight_of (b, "%s.stages.%d.blocks.%d.attn.bias", name, i, j), &window); /* [B,H,W,C] */
  x = upi_add (b->program, x, upi_linear_of (b, y, UPI_ACT_NONE, "%s.stages.%d.blocks.%d.attn.proj", name, i, j));
  y = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "%s.stages.%d.blocks.%d.norm2", name, i, j);
  y = upi_linear_of (b, y, UPI_ACT_GELU, "%s.stages.%d.blocks.%d.linear1", name, i, j); /* [B,H,W,4C] */
  return upi_add (b->program, x, upi_linear_of (b, y, UPI_ACT_NONE, "%s.stages.%d.blocks.%d.linear2", name, i, j));
}

/* An odd side of x [B,H,W,C] ends in zeros. */
static UpiValue
even (UpiBuild *b, UpiValue x)
{
  for (guint axis = 1; axis <= 2; axis++) {
    UpiShape shape = upi_program_shape (b->program, x);

    if (shape.dim[axis] % 2 != 0) {
      UpiValue parts[2] = { x };

      shape.dim[axis] = 1;
      parts[1] = upi_program_constant (
          b->program, UPI_MEMORY_NEW0 (gfloat, upi_shape_count (&shape), "a map's padding", NULL), shape);
      x = upi_concat (b->program, parts, 2, axis);
    }
  }
  return x;
}

/* x [B,H,W,C] → [B,⌈H/2⌉,⌈W/2⌉,2C]: two rows side by side are 2 × 2 cells in one. */
static UpiValue
merge (UpiBuild *b, UpiValue x, const gchar *name, gint i)
{
  UpiShape s = upi_program_shape (b->program, x = even (b, x));
  gint batch = s.dim[0], height = s.dim[1] / 2, width = s.dim[2] / 2, c = s.dim[3];
  UpiValue rows[2];

  x = upi_reshape (b->program, x, UPI_SHAPE4 (batch * height, 2, width, 2 * c));
  for (gint k = 0; k < 2; k++)
    rows[k] = upi_slice (b->program, x, 1, k, 1); /* [B·H/2,1,W/2,2C] */
  x = upi_reshape (b->program, upi_concat (b->program, rows, 2, 3), UPI_SHAPE4 (batch, height, width, 4 * c));
  x = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "%s.stages.%d.merge.norm", name, i);
  return upi_linear (b->program, x, upi_weight_of (b, "%s.stages.%d.merge.reduction.weight", name, i), UPI_NO_VALUE,
      UPI_ACT_NONE); /* [..,2C] */
}

void
upi_swin (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4])
{
  UpiValue x =
      upi_conv_of (b, image, &(UpiConvOf){ .stride = PATCH, .same = TRUE }, "%s.patch", name); /* [B,H/4,W/4,C] */

  x = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "%s.patch_norm", name);
  for (gint i = 0; i < 4; i++) {
    if (i > 0)
      x = merge (b, x, name, i);
    for (gint j = 0; j < sizes->swin.depths[i]; j++)
      x = block (b, x, sizes, name, i, j);
    maps[i] = upi_layer_norm_of (b, x, UPI_LAYER_NORM_EPS, "%s.norms.%d", name, i);
  }
}
