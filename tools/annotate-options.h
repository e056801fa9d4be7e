/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * annotate-options.h: what upi-annotate is asked for on its command line. */
#pragma once

#include "core/upi.h"

G_BEGIN_DECLS

typedef struct {
  gchar **inputs;
  gchar *output, *captions, *classify, *embed;
  gchar *labels, *labels_file, *texts;
  gchar *model, *device, *image_size, *coco, *root;
  gdouble threshold, iou_threshold, cross_label_iou, length_penalty;
  gint threads, batch_size, max_objects, max_tokens, beam_size, candidates, interval;
  gboolean no_masks, no_objects, grounded, greedy, quiet, version;
} AnnotateOptions;

/* Zero-initialised before; to be cleared whether it succeeds or not. */
gboolean annotate_options_parse (AnnotateOptions *o, int *argc, char ***argv, GError **error);
/* Whether they fit each other. */
gboolean annotate_options_check (const AnnotateOptions *o, GError **error);
void annotate_options_clear (AnnotateOptions *o);

G_END_DECLS
