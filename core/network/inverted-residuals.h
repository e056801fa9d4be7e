/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backbones made of inverted residuals: see inverted-residuals.c. Tensors: NAME.stem,
 * NAME.blocks.I.{expand,depthwise,project}. */
#pragma once

#include "core/network/layers.h"

G_BEGIN_DECLS

/* Where a stage is read as one of C2..C5. */
typedef enum {
  UPI_TAP_NONE,
  UPI_TAP_END,       /* the output of its last block */
  UPI_TAP_EXPANSION, /* the expansion of its first block, after ReLU6: still at the stage's input stride */
} UpiTap;

typedef struct {
  gint repeats, kernel, stride, expansion, channels;
  UpiTap tap;
  gint map; /* which of C2..C5 the tap is, 0 to 3 */
} UpiResidualStage;

/* Lists the tensors; returns the channels of the last stage. */
gint upi_inverted_residuals_tensors (GArray *specs, const gchar *name, const UpiResidualStage *stages, guint n_stages);
/* image [B,H,W,3] → the last stage's output; fills in the maps that stages are read as. */
UpiValue upi_inverted_residuals (
    UpiBuild *b, UpiValue image, const gchar *name, const UpiResidualStage *stages, guint n_stages, UpiValue maps[4]);

G_END_DECLS
