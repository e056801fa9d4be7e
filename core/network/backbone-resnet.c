/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ResNet-50, torchvision's v1.5: the stride of a bottleneck sits in its 3×3 convolution. Batch norms are folded. */
#include "core/network/parts.h"

static const struct {
  gint blocks, width; /* a bottleneck's output has 4 · width channels */
} layers[4] = { { 3, 64 }, { 4, 128 }, { 6, 256 }, { 3, 512 } };

#define STEM 64

void
upi_resnet_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name)
{
  gint in = STEM;

  upi_tensor_conv (specs, 3, STEM, 7, "%s.stem", name);
  for (gint i = 0; i < 4; i++) {
    gint width = layers[i].width;
    for (gint j = 0; j < layers[i].blocks; j++) {
      upi_tensor_conv (specs, in, width, 1, "%s.layer%d.%d.conv1", name, i + 1, j);
      upi_tensor_conv (specs, width, width, 3, "%s.layer%d.%d.conv2", name, i + 1, j);
      upi_tensor_conv (specs, width, 4 * width, 1, "%s.layer%d.%d.conv3", name, i + 1, j);
      if (j == 0)
        upi_tensor_conv (specs, in, 4 * width, 1, "%s.layer%d.0.downsample", name, i + 1);
      in = 4 * width;
    }
  }
}

/* x [B,H,W,in] → [B,H/stride,W/stride,4·width] */
static UpiValue
bottleneck (UpiBuild *b, UpiValue x, const gchar *name, gint layer, gint j, gint stride)
{
  UpiValue y, shortcut = x;

  y = upi_conv_of (b, x, &(UpiConvOf){ .act = UPI_ACT_RELU }, "%s.layer%d.%d.conv1", name, layer, j);
  y = upi_conv_of (b, y, &(UpiConvOf){ .stride = stride, .act = UPI_ACT_RELU }, "%s.layer%d.%d.conv2", name, layer, j);
  y = upi_conv_of (b, y, &(UpiConvOf){ 0 }, "%s.layer%d.%d.conv3", name, layer, j);
  if (j == 0)
    shortcut = upi_conv_of (b, x, &(UpiConvOf){ .stride = stride }, "%s.layer%d.0.downsample", name, layer);
  return upi_activation (b->program, upi_add (b->program, y, shortcut), UPI_ACT_RELU);
}

void
upi_resnet (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4])
{
  UpiValue x;

  x = upi_conv_of (b, image, &(UpiConvOf){ .stride = 2, .act = UPI_ACT_RELU }, "%s.stem", name); /* [B,H/2,W/2,64] */
  x = upi_max_pool (b->program, x, &(UpiPool){ .kernel = 3, .stride = 2, .pad = 1 });            /* [B,H/4,W/4,64] */
  for (gint i = 0; i < 4; i++) {
    for (gint j = 0; j < layers[i].blocks; j++)
      x = bottleneck (b, x, name, i + 1, j, i > 0 && j == 0 ? 2 : 1);
    maps[i] = x; /* C2 = layer 1 */
  }
}
