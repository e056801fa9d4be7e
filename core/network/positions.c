/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Geometry that is known before any image: levels, sine positions of pixels (DETR), pixel centres, anchors. */
#include "core/memory.h"
#include "core/network/parts.h"

#include <math.h>

UpiLevels
upi_levels (const UpiConfig *config, gint width, gint height)
{
  UpiLevels levels = { .n = config->levels };

  for (gint l = 0; l < levels.n; l++) {
    /* strides 8, 16, 32; the fourth is a 3×3 convolution of stride 2 on the third, which rounds up */
    levels.level[l].height = l < 3 ? height / (8 << l) : (levels.level[l - 1].height + 1) / 2;
    levels.level[l].width = l < 3 ? width / (8 << l) : (levels.level[l - 1].width + 1) / 2;
    levels.level[l].start = levels.tokens;
    levels.level[l].tokens = levels.level[l].height * levels.level[l].width;
    levels.tokens += levels.level[l].tokens;
  }
  return levels;
}

void
upi_global_size (const UpiConfig *config, gint width, gint height, gint *map_width, gint *map_height)
{
  gint stride = config->global.has_backbone ? 64 : 32; /* global.backbone sees half the sides, and its maps round up */

  *map_width = (width + stride - 1) / stride;
  *map_height = (height + stride - 1) / stride;
}

/* coordinate → features: angle / 10000^(2·(k//2)/features), even k sine, odd k cosine */
static void
sine (gdouble angle, gint features, gfloat *out)
{
  for (gint k = 0; k < features; k++) {
    gdouble a = angle / pow (10000.0, 2.0 * (k / 2) / features);
    out[k] = (gfloat) (k % 2 ? cos (a) : sin (a));
  }
}

gfloat *
upi_sine_pixels (gint height, gint width, gint channels, gboolean edges)
{
  gdouble part = edges ? 1 : 0.5;
  gfloat *rows = UPI_MEMORY_NEW (gfloat, (gsize) height * width * channels, "positions", NULL);
  gfloat *out = rows;

  for (gint i = 0; rows != NULL && i < height; i++) {
    for (gint j = 0; j < width; j++, out += channels) {
      sine ((i + part) / height * 2 * G_PI, channels / 2, out); /* y first */
      sine ((j + part) / width * 2 * G_PI, channels / 2, out + channels / 2);
    }
  }
  return rows;
}

gfloat *
upi_pixel_centres (const UpiLevels *levels, gint first)
{
  gfloat *rows =
      UPI_MEMORY_NEW (gfloat, (gsize) (levels->tokens - levels->level[first].start) * 2, "pixel centres", NULL);
  gfloat *out = rows;

  for (gint l = first; rows != NULL && l < levels->n; l++) {
    for (gint i = 0; i < levels->level[l].height; i++) {
      for (gint j = 0; j < levels->level[l].width; j++) {
        *out++ = (j + 0.5f) / levels->level[l].width;
        *out++ = (i + 0.5f) / levels->level[l].height;
      }
    }
  }
  return rows;
}

gfloat *
upi_anchors (const UpiLevels *levels, const UpiConfig *c)
{
  gfloat *rows = UPI_MEMORY_NEW (gfloat, (gsize) levels->tokens * 4, "anchors", NULL);
  gfloat *out = rows;

  for (gint l = 0; rows != NULL && l < levels->n; l++) {
    gint h = levels->level[l].height, w = levels->level[l].width;
    gfloat scale = 0.05f * (1 << (c->mask_dino ? levels->n - 1 - l : l)); /* DINO */
    for (gint i = 0; i < h; i++) {
      for (gint j = 0; j < w; j++) {
        *out++ = (j + 0.5f) / w;
        *out++ = (i + 0.5f) / h;
        *out++ = c->query.anchor == UPI_ANCHOR_CELLS ? MIN (c->query.anchor_cells / w, 0.95f) : scale;
        *out++ = c->query.anchor == UPI_ANCHOR_CELLS ? MIN (c->query.anchor_cells / h, 0.95f) : scale;
      }
    }
  }
  return rows;
}

#define MARGIN 0.01f  /* of the sides */
#define NEVER (-1e4f) /* within a half float */

gfloat *
upi_anchor_penalties (const UpiLevels *levels, const gfloat *anchors)
{
  gfloat *rows = UPI_MEMORY_NEW (gfloat, levels->tokens, "anchors", NULL);

  for (gint t = 0; rows != NULL && t < levels->tokens; t++) {
    rows[t] = 0;
    for (guint k = 0; k < 4; k++)
      if (anchors[4 * t + k] <= MARGIN || anchors[4 * t + k] >= 1 - MARGIN)
        rows[t] = NEVER;
  }
  return rows;
}
