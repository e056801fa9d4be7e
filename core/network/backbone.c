/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A backbone's place, of regions or of global tokens: which one a config asks for. A new one is a file beside
 * backbone-resnet.c, a kind in config.h, its name and channels in config.c, and a row in the table here.
 */
#include "core/network/parts.h"

static const struct {
  void (*tensors) (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name);
  void (*build) (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4]);
} kinds[] = {
  [UPI_BACKBONE_EFFICIENTNET_LITE0] = { upi_efficientnet_lite_tensors, upi_efficientnet_lite },
  [UPI_BACKBONE_RESNET50] = { upi_resnet_tensors, upi_resnet },
  [UPI_BACKBONE_MOBILENET_V2] = { upi_mobilenet_v2_tensors, upi_mobilenet_v2 },
  [UPI_BACKBONE_SWIN] = { upi_swin_tensors, upi_swin },
  [UPI_BACKBONE_LCNET] = { upi_lcnet_tensors, upi_lcnet },
};

void
upi_backbone_tensors (GArray *specs, const UpiConfig *config)
{
  kinds[config->backbone.kind].tensors (specs, &config->backbone, "backbone");
}

void
upi_backbone (UpiBuild *b, UpiValue image, UpiValue maps[4])
{
  upi_program_part (b->program, "backbone (5.2)");
  kinds[b->config->backbone.kind].build (b, image, &b->config->backbone, "backbone", maps);
}

void
upi_global_backbone_tensors (GArray *specs, const UpiConfig *config)
{
  if (config->global.has_backbone)
    kinds[config->global.backbone.kind].tensors (specs, &config->global.backbone, "global.backbone");
}

/* Sees the picture averaged 2×2: what a scene is needs fewer pixels than where things are. */
UpiValue
upi_global_map (UpiBuild *b, UpiValue image, const UpiValue maps[4])
{
  UpiValue own[4];

  if (!b->config->global.has_backbone)
    return maps[3];
  upi_program_part (b->program, "global backbone (5.2)");
  image = upi_adaptive_avg_pool (b->program, image, b->height / 2, b->width / 2); /* [B,H/2,W/2,3] */
  kinds[b->config->global.backbone.kind].build (b, image, &b->config->global.backbone, "global.backbone", own);
  return own[3];
}
