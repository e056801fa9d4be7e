/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that upi-annotate writes: lists in COCO's results format, and JSON lines; written as results come. */
#pragma once

#include "core/upi.h"

G_BEGIN_DECLS

/* Which frame a result is of. */
typedef struct {
  const gchar *path; /* shown as file_name unless from_coco */
  gint64 id;
  gboolean from_coco;
  gdouble time; /* seconds, of clips; negative: none */
  guint width, height;
} AnnotateFrame;

typedef struct _AnnotateWriter AnnotateWriter;

/* path "-": standard output. is_list: one JSON list, else one JSON text a line. */
AnnotateWriter *annotate_writer_new (const gchar *path, gboolean is_list, GError **error);
/* Ends the list and the file; FALSE if anything could not be written. (transfer full) of the writer */
gboolean annotate_writer_close (AnnotateWriter *writer, GError **error);

/* category_ids: of each label, NULL: its index + 1 */
void annotate_write_detections (
    AnnotateWriter *writer, const AnnotateFrame *frame, const UpiDetections *detections, const gint64 *category_ids);
/* The best text, and its words that regions answer for. labels: the model's own */
void annotate_write_caption (
    AnnotateWriter *writer, const AnnotateFrame *frame, const UpiCaption *caption, const gchar *const *labels);
/* The best few of n probabilities. */
void annotate_write_classes (
    AnnotateWriter *writer, const AnnotateFrame *frame, const UpiLabels *labels, const gfloat *probabilities);
/* frame or text is given. */
void annotate_write_embedding (
    AnnotateWriter *writer, const AnnotateFrame *frame, const gchar *text, const gfloat *embedding, guint width);

G_END_DECLS
