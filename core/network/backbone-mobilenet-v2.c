/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MobileNetV2 1.0 (1801.04381): inverted residuals and one more 1×1 convolution. The maps are those that an SSD on this
 * trunk reads: the expansions of blocks 6 and 13, the last convolution; and the end of block 2 for masks.
 */
#include "core/network/inverted-residuals.h"
#include "core/network/parts.h"

#define LAST 1280

static const UpiResidualStage stages[] = {
  { 1, 3, 1, 1, 16, UPI_TAP_NONE, 0 },       /* stride 2 */
  { 2, 3, 2, 6, 24, UPI_TAP_END, 0 },        /* 4: C2, 24 channels */
  { 3, 3, 2, 6, 32, UPI_TAP_NONE, 0 },       /* 8 */
  { 4, 3, 2, 6, 64, UPI_TAP_EXPANSION, 1 },  /* 16; C3, 192 channels at 8 */
  { 3, 3, 1, 6, 96, UPI_TAP_NONE, 0 },       /* 16 */
  { 3, 3, 2, 6, 160, UPI_TAP_EXPANSION, 2 }, /* 32; C4, 576 channels at 16 */
  { 1, 3, 1, 6, 320, UPI_TAP_NONE, 0 },      /* 32 */
};

void
upi_mobilenet_v2_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name)
{
  gint channels = upi_inverted_residuals_tensors (specs, name, stages, G_N_ELEMENTS (stages));

  upi_tensor_conv (specs, channels, LAST, 1, "%s.last", name);
}

void
upi_mobilenet_v2 (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4])
{
  UpiValue x = upi_inverted_residuals (b, image, name, stages, G_N_ELEMENTS (stages), maps);

  maps[3] = upi_conv_of (b, x, &(UpiConvOf){ .act = UPI_ACT_RELU6 }, "%s.last", name); /* [B,⌈H/32⌉,⌈W/32⌉,1280]: C5 */
}
