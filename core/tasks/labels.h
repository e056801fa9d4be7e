/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Label lists as their users among the tasks see them: names, thresholds, embeddings. */
#pragma once

#include "core/engine/engine-private.h"

G_BEGIN_DECLS

/* What a label takes of the evidence for the model's own labels: of the nearest one, and how much, 0 to 1. */
typedef struct {
  guint own;
  gfloat part;
} UpiShare;

/* Of a label that is none of the model's own. */
#define UPI_NOT_OWN G_MAXUINT

struct _UpiLabels {
  gint ref_count;
  gchar *model_path; /* embeddings of one model mean nothing to another */
  guint n, width;
  gchar **names;
  guint *own;         /* [n] which of the model's own labels it is, whatever its case; UPI_NOT_OWN */
  gfloat *thresholds; /* NaN: the caller's */
  gfloat *embeddings; /* [n, width], L2-normalised */
  UpiShare *shares;   /* [n] of class evidence; NULL where the model has none */
  UpiStanding
      *standings; /* [n, UPI_N_SPREADS], known as soon as the embedding is; NULL where the model is not calibrated */
};

/* After each embedding came: what follows from it alone. */
void upi_labels_complete (UpiEngine *engine, UpiLabels *labels, guint index);
/* The model's own labels, encoded by the first caption that answers to regions, (transfer none); NULL and @error. */
const UpiLabels *upi_labels_own (UpiWorker *worker, UpiTicket *ticket, GError **error);
/* The encoding is of the engine, the labels (nullable) are of its model; else FALSE and UPI_ERROR_ARGUMENT. */
gboolean upi_engine_owns (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, GError **error);

G_END_DECLS
