/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The texts of a label list in batches of one length: see text-batches.c. */
#pragma once

#include "core/engine/engine-private.h"

G_BEGIN_DECLS

/* One run of the text side: n texts of order from first on, in a plan of so many tokens. */
typedef struct {
  guint tokens, first, n;
} UpiTextBatch;

/* A list on its way: first tokenised by one worker, then encoded by any number of them. */
struct _UpiTexts {
  guint n;                /* texts: the labels of the list, then those of the model, if they are wanted */
  const gchar **names;    /* [n] borrowed */
  gfloat *own;            /* [n - those of the list, width] embeddings of the model's labels; NULL: not wanted */
  guint prepared;         /* texts */
  GArray *ids;            /* gint32: the tokens of all texts, one after another */
  guint *starts, *counts; /* [n] in ids; count 0: the embedding is there */
  guint *same_as;         /* [n] the first text that is equal */
  GHashTable *seen;       /* name → its index */
  GArray *order;          /* guint: the texts to encode, by their tokens */
  GArray *batches;        /* UpiTextBatch */
  gint next;              /* atomic: the batch to run next; each worker that took the ticket runs one */
};

/* Of a list, and of the model's own labels where the list is compared with them and nobody has encoded them yet. NULL
 * and UPI_ERROR_MEMORY */
UpiTexts *upi_texts_new (UpiEngine *engine, const UpiLabels *labels, GError **error);
void upi_texts_free (UpiTexts *texts);
/* FALSE: there is more to prepare. */
gboolean upi_texts_prepare (UpiEngine *engine, UpiTexts *texts, UpiLabels *labels);
gboolean
upi_texts_run (UpiWorker *worker, const UpiTexts *texts, const UpiTextBatch *batch, UpiLabels *labels, GError **error);
/* No more of them than one run takes. */
gboolean upi_texts_are_few (const UpiTexts *texts);
/* The end: equal labels have equal embeddings. */
void upi_texts_copy_same (UpiEngine *engine, const UpiTexts *texts, UpiLabels *labels);
/* The tokens of the plan for a text of so many, and the texts of a full batch of it. */
guint upi_text_plan_tokens (guint tokens, guint positions);
guint upi_text_plan_batch (guint tokens);

G_END_DECLS
