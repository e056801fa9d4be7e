/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input projections: C3, C4, C5 to d channels by 1×1 convolution and GroupNorm; a fourth level by a 3×3 of stride 2 on
 * C5 (Deformable DETR). With a detector all four maps of its pyramid by 1×1. */
#include "core/network/parts.h"

#define GROUPS 32

static gboolean
is_made (const UpiConfig *c, gint l)
{
  return l == 3 && !c->has_detector;
}

void
upi_input_projection_tensors (GArray *specs, const UpiConfig *c)
{
  for (gint l = 0; l < c->levels; l++) {
    gint channels = c->has_detector ? UPI_PYRAMID_WIDTH : c->backbone.channels[MIN (l + 1, 3)];
    upi_tensor_conv (specs, channels, c->d, is_made (c, l) ? 3 : 1, "input_proj.%d.conv", l);
    upi_tensor_norm (specs, c->d, "input_proj.%d.norm", l);
  }
}

void
upi_input_projection (UpiBuild *b, const UpiLevels *levels, const UpiValue maps[4], UpiValue projected[UPI_MAX_LEVELS])
{
  upi_program_part (b->program, "input projection (4.1)");
  for (gint l = 0; l < levels->n; l++) {
    UpiValue x = b->config->has_detector ? maps[l] : maps[MIN (l + 1, 3)]; /* C3, C4, C5, C5 */
    x = upi_conv_of (
        b, x, &(UpiConvOf){ .stride = is_made (b->config, l) ? 2 : 1 }, "input_proj.%d.conv", l); /* [B,H_l,W_l,d] */
    projected[l] = upi_group_norm_of (b, x, GROUPS, "input_proj.%d.norm", l);
  }
}
