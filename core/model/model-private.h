/* What model.c opens and programs.c builds from. */
#pragma once

#include "core/model/model.h"
#include "core/model/parts.h"

G_BEGIN_DECLS

struct _UpiModel {
  gint ref_count;
  gchar *directory;
  UpiConfig *config;
  UpiWeights *weights;
};

/* The image program; given_index: the queries' tokens are an input "given_index" I32 [B,N] instead of the best N. Golden tests compare
 * query by query with it. */
UpiProgram *
upi_image_program (UpiModel *model, guint batch, guint width, guint height, gboolean debug, gboolean given_index, GError **error);

G_END_DECLS
