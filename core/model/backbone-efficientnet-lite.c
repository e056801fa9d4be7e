/* EfficientNet-Lite0: inverted residuals with ReLU6, batch norms folded into the convolutions; TensorFlow's SAME padding. */
#include "core/model/parts.h"

static const struct {
  gint repeats, kernel, stride, expansion, channels;
  gint map; /* which of C2..C5 the stage's output is, -1 none */
} stages[] = {
  { 1, 3, 1, 1, 16, -1 },  /* stride 2 */
  { 2, 3, 2, 6, 24, 0 },   /* 4: C2 */
  { 2, 5, 2, 6, 40, 1 },   /* 8: C3 */
  { 3, 3, 2, 6, 80, -1 },  /* 16 */
  { 3, 5, 1, 6, 112, 2 },  /* 16: C4 */
  { 4, 5, 2, 6, 192, -1 }, /* 32 */
  { 1, 3, 1, 6, 320, 3 },  /* 32: C5 */
};

#define STEM 32

void
upi_efficientnet_lite_tensors (GArray *specs)
{
  gint block = 0, in = STEM;

  upi_tensor_conv (specs, 3, STEM, 3, "backbone.stem");
  for (guint s = 0; s < G_N_ELEMENTS (stages); s++) {
    for (gint r = 0; r < stages[s].repeats; r++, block++) {
      gint hidden = in * stages[s].expansion;
      if (stages[s].expansion > 1)
        upi_tensor_conv (specs, in, hidden, 1, "backbone.blocks.%d.expand", block);
      upi_tensor_conv (specs, 1, hidden, stages[s].kernel, "backbone.blocks.%d.depthwise", block);
      upi_tensor_conv (specs, hidden, stages[s].channels, 1, "backbone.blocks.%d.project", block);
      in = stages[s].channels;
    }
  }
}

/* x [B,H,W,in] → [B,H/stride,W/stride,out] */
static UpiValue
inverted_residual (UpiBuild *b, UpiValue x, gint block, gint stride, gboolean expands, gboolean residual)
{
  UpiValue y = x;

  if (expands)
    y = upi_conv_of (b, y, &(UpiConvOf){ .act = UPI_ACT_RELU6 }, "backbone.blocks.%d.expand", block);
  y = upi_conv_of (
      b, y, &(UpiConvOf){ .stride = stride, .depthwise = TRUE, .same = TRUE, .act = UPI_ACT_RELU6 }, "backbone.blocks.%d.depthwise", block);
  y = upi_conv_of (b, y, &(UpiConvOf){ 0 }, "backbone.blocks.%d.project", block);
  return residual ? upi_add (b->program, y, x) : y;
}

void
upi_efficientnet_lite (UpiBuild *b, UpiValue image, UpiValue maps[4])
{
  gint block = 0, in = STEM;
  UpiValue x;

  x = upi_conv_of (b, image, &(UpiConvOf){ .stride = 2, .same = TRUE, .act = UPI_ACT_RELU6 }, "backbone.stem"); /* [B,H/2,W/2,32] */
  for (guint s = 0; s < G_N_ELEMENTS (stages); s++) {
    for (gint r = 0; r < stages[s].repeats; r++, block++) {
      gint stride = r == 0 ? stages[s].stride : 1;
      x = inverted_residual (b, x, block, stride, stages[s].expansion > 1, stride == 1 && in == stages[s].channels);
      in = stages[s].channels;
    }
    if (stages[s].map >= 0)
      maps[stages[s].map] = x;
  }
}
