/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LCNet 0.75 (2109.15099), the trunk of PicoDet-S: depthwise and 1×1 convolutions in turn, a hard swish behind each; in
 * the last stage the channels between them are weighed by what is in all of the picture (squeeze and excite,
 * 1709.01507). Batch norms are folded, padding is the same on both sides.
 */
#include "core/network/parts.h"

#define STEM 16
#define NO_MAP (-1)

static const struct {
  gint kernel, channels, stride;
  gboolean squeezes;
  gint map; /* which of C2..C5 its output is, 0 to 3 */
} blocks[] = {
  { 3, 24, 1, FALSE, NO_MAP },  /* stride 2 */
  { 3, 48, 2, FALSE, NO_MAP },  /* 4 */
  { 3, 48, 1, FALSE, 0 },       /* C2 */
  { 3, 96, 2, FALSE, NO_MAP },  /* 8 */
  { 3, 96, 1, FALSE, 1 },       /* C3 */
  { 3, 192, 2, FALSE, NO_MAP }, /* 16 */
  { 5, 192, 1, FALSE, NO_MAP }, /* */
  { 5, 192, 1, FALSE, NO_MAP }, /* */
  { 5, 192, 1, FALSE, NO_MAP }, /* */
  { 5, 192, 1, FALSE, NO_MAP }, /* */
  { 5, 192, 1, FALSE, 2 },      /* C4 */
  { 5, 384, 2, TRUE, NO_MAP },  /* 32 */
  { 5, 384, 1, TRUE, 3 },       /* C5 */
};

void
upi_lcnet_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name)
{
  gint in = STEM;

  upi_tensor_conv (specs, 3, STEM, 3, "%s.stem", name);
  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++) {
    upi_tensor_conv (specs, 1, in, blocks[i].kernel, "%s.blocks.%u.depthwise", name, i);
    if (blocks[i].squeezes) {
      upi_tensor_conv (specs, in, in / 4, 1, "%s.blocks.%u.squeeze", name, i);
      upi_tensor_conv (specs, in / 4, in, 1, "%s.blocks.%u.excite", name, i);
    }
    upi_tensor_conv (specs, in, blocks[i].channels, 1, "%s.blocks.%u.pointwise", name, i);
    in = blocks[i].channels;
  }
}

/* x [B,H,W,C] times a number a channel, made of the mean of all cells */
static UpiValue
excite (UpiBuild *b, UpiValue x, const gchar *name, guint i)
{
  UpiValue weight = upi_mean_tokens (b->program, upi_as_tokens (b, x)); /* [B,1,C] */

  weight = upi_pointwise_of (b, weight, UPI_ACT_RELU, "%s.blocks.%u.squeeze", name, i);
  weight = upi_pointwise_of (b, weight, UPI_ACT_HARD_SIGMOID, "%s.blocks.%u.excite", name, i);
  return upi_mul (b->program, x, upi_as_map (b, weight, 1, 1));
}

void
upi_lcnet (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4])
{
  UpiValue x = upi_conv_of (
      b, image, &(UpiConvOf){ .stride = 2, .act = UPI_ACT_HARD_SWISH }, "%s.stem", name); /* [B,⌈H/2⌉,⌈W/2⌉,16] */

  for (guint i = 0; i < G_N_ELEMENTS (blocks); i++) {
    UpiConvOf depthwise = { .stride = blocks[i].stride, .depthwise = TRUE, .act = UPI_ACT_HARD_SWISH };
    x = upi_conv_of (b, x, &depthwise, "%s.blocks.%u.depthwise", name, i);
    if (blocks[i].squeezes)
      x = excite (b, x, name, i);
    x = upi_conv_of (b, x, &(UpiConvOf){ .act = UPI_ACT_HARD_SWISH }, "%s.blocks.%u.pointwise", name, i);
    if (blocks[i].map != NO_MAP)
      maps[blocks[i].map] = x;
  }
}
