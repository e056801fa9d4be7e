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

G_END_DECLS
