/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What model.c opens and network/programs.c builds from. */
#pragma once

#include "core/model/model.h"
#include "core/network/parts.h"

G_BEGIN_DECLS

struct _UpiModel {
  gint ref_count;
  gchar *directory;
  UpiConfig *config;
  UpiWeights *weights;
};

/* The image program; given_index: the queries' tokens are an input "given_index" I32 [B,N] instead of the best N.
 * Golden tests compare query by query with it. */
UpiProgram *upi_image_program (UpiModel *model, guint batch, guint width, guint height, gsize strip_bytes,
    gboolean debug, gboolean given_index, GError **error);

/* Tensors that no program reads (calibration.c). */
void upi_calibration_tensors (GArray *specs, const UpiConfig *config);
/* Of loaded weights; directory is what the error calls them. */
gboolean
upi_calibration_check (const UpiWeights *weights, const UpiConfig *config, const gchar *directory, GError **error);

G_END_DECLS
