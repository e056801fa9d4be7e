/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mask head (Mask DINO, 2206.02777): features at stride 4 from C2 and the stride-8 memory; a query's mask is its
 * embedding times them, and with `mask.own` what its places in the box say (tasks/mask.c). */
#include "core/network/parts.h"

void
upi_mask_head_tensors (GArray *specs, const UpiConfig *c)
{
  gint m = c->mask.channels;

  upi_tensor_conv (specs, c->backbone.channels[0], m, 1, "mask.lateral");
  if (c->mask.lateral_norm)
    upi_tensor_norm (specs, m, "mask.lateral_norm");
  if (m != c->d)
    upi_tensor_conv (specs, c->d, m, 1, "mask.memory");
  upi_tensor_conv (specs, m, m, 3, "mask.conv");
  upi_tensor_norm (specs, m, "mask.norm");
  upi_tensor_conv (specs, m, m, 1, "mask.project");
  upi_tensor_mlp (specs, (const gint[]){ c->d, c->d, c->d, m }, 3, "mask.embed");
  if (c->mask.own) {
    upi_tensor_mlp (specs, (const gint[]){ c->d, c->d, c->d, m }, 3, "mask.own.embed");
    upi_tensor_mlp (specs, (const gint[]){ c->d, c->d, c->d, UPI_MASK_PLACES }, 3, "mask.own.places");
  }
}

UpiValue
upi_mask_features (UpiBuild *b, const UpiLevels *levels, UpiValue c2, UpiValue memory)
{
  const UpiConfig *c = b->config;
  UpiProgram *p = b->program;
  UpiValue f, top;

  upi_program_part (p, "mask features (4.1)");
  f = upi_conv_of (b, c2, &(UpiConvOf){ 0 }, "mask.lateral"); /* [B,H/4,W/4,m] */
  if (c->mask.lateral_norm)
    f = upi_group_norm_of (b, f, c->mask.groups, "mask.lateral_norm");
  top = upi_as_map (
      b, upi_slice (p, memory, 1, 0, levels->level[0].tokens), levels->level[0].height, levels->level[0].width);
  if (c->mask.channels != c->d)
    top = upi_conv_of (b, top, &(UpiConvOf){ 0 }, "mask.memory"); /* [B,H/8,W/8,m] */
  f = upi_add (p, upi_resize (p, top, b->height / 4, b->width / 4), f);
  f = upi_conv_of (b, f, &(UpiConvOf){ 0 }, "mask.conv"); /* 3×3: [B,H/4,W/4,m] */
  f = upi_activation (p, upi_group_norm_of (b, f, c->mask.groups, "mask.norm"), UPI_ACT_RELU);
  return upi_conv_of (b, f, &(UpiConvOf){ 0 }, "mask.project"); /* [B,H/4,W/4,m] */
}

UpiValue
upi_mask_embed (UpiBuild *b, UpiValue semantic)
{
  upi_program_part (b->program, "mask embedding (4.1)");
  return upi_mlp_of (b, semantic, 3, "mask.embed"); /* [B,N,m] */
}

UpiValue
upi_shown_mask_embed (UpiBuild *b, UpiValue semantic, UpiValue embed)
{
  UpiValue own[2];

  if (!b->config->mask.own)
    return embed;
  upi_program_part (b->program, "mask embedding (4.1)");
  own[0] = upi_mlp_of (b, semantic, 3, "mask.own.embed");  /* [B,N,m] */
  own[1] = upi_mlp_of (b, semantic, 3, "mask.own.places"); /* [B,N,6] */
  return upi_concat (b->program, own, 2, 2);
}
