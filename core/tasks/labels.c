/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Labels: any words as one embedding each (paper 4.2). Workers tokenise the strings and run the text side for what the
 * cache does not hold, a batch at a time (text-batches.c), so that a long list leaves room for frames in between. */
#include "core/tasks/labels.h"
#include "core/tasks/caption.h"
#include "core/tasks/embed.h"
#include "core/tasks/text-batches.h"
#include "core/memory.h"

#include <math.h>
#include <string.h>

#define MAX_LABELS 100000
#define MAX_LABEL_BYTES 16384

/* Which of the model's own labels each name is. */
static void
find_own (UpiLabels *labels, const UpiConfig *config)
{
  g_autoptr (GHashTable) own = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; config->labels[i] != NULL; i++)
    g_hash_table_insert (own, g_utf8_casefold (config->labels[i], -1), GUINT_TO_POINTER (i + 1));
  for (guint i = 0; i < labels->n; i++) {
    g_autofree gchar *name = g_utf8_casefold (labels->names[i], -1);
    guint found = GPOINTER_TO_UINT (g_hash_table_lookup (own, name));

    labels->own[i] = found != 0 ? found - 1 : UPI_NOT_OWN;
  }
}

static UpiLabels *
labels_new (UpiEngine *engine, const gchar *const *names, const gfloat *thresholds, GError **error)
{
  UpiLabels *labels = g_new0 (UpiLabels, 1);

  labels->ref_count = 1;
  labels->model_path = g_strdup (engine->path);
  labels->n = g_strv_length ((gchar **) names);
  labels->width = engine->info.width;
  labels->names = g_strdupv ((gchar **) names);
  labels->thresholds = UPI_MEMORY_NEW (gfloat, labels->n, "a list of labels", error);
  labels->own = labels->thresholds != NULL ? UPI_MEMORY_NEW (guint, labels->n, "a list of labels", error) : NULL;
  labels->embeddings = labels->own != NULL
      ? UPI_MEMORY_NEW0 (gfloat, (gsize) labels->n * labels->width, "the embeddings of labels", error)
      : NULL;
  if (labels->embeddings != NULL && engine->config->has_evidence)
    labels->shares = UPI_MEMORY_NEW0 (UpiShare, labels->n, "the evidence of labels", error);
  if (labels->embeddings != NULL && engine->config->has_calibration)
    labels->standings =
        UPI_MEMORY_NEW0 (UpiStanding, (gsize) labels->n * UPI_N_SPREADS, "the calibration of labels", error);
  if (labels->embeddings == NULL || (engine->config->has_evidence && labels->shares == NULL)
      || (engine->config->has_calibration && labels->standings == NULL)) {
    upi_labels_unref (labels);
    return NULL;
  }
  find_own (labels, engine->config);
  for (guint i = 0; i < labels->n; i++)
    labels->thresholds[i] = thresholds != NULL ? thresholds[i] : NAN;
  return labels;
}

UpiLabels *
upi_labels_ref (UpiLabels *labels)
{
  g_atomic_int_inc (&labels->ref_count);
  return labels;
}

void
upi_labels_unref (UpiLabels *labels)
{
  if (!g_atomic_int_dec_and_test (&labels->ref_count))
    return;
  g_free (labels->model_path);
  g_strfreev (labels->names);
  g_free (labels->thresholds);
  g_free (labels->own);
  g_free (labels->embeddings);
  g_free (labels->shares);
  g_free (labels->standings);
  g_free (labels);
}

guint
upi_labels_count (const UpiLabels *labels)
{
  return labels->n;
}

const gchar *
upi_labels_name (const UpiLabels *labels, guint index)
{
  return index < labels->n ? labels->names[index] : NULL;
}

gfloat
upi_labels_threshold (const UpiLabels *labels, guint index, gfloat threshold)
{
  return index < labels->n && !isnan (labels->thresholds[index]) ? labels->thresholds[index] : threshold;
}

/* Start and end of a text have a token each. */
#define END_TOKENS 2

guint
upi_engine_cut_labels (UpiEngine *engine, const UpiLabels *labels, guint *first, guint *max_tokens)
{
  guint positions = upi_config_text_positions (engine->config), n_cut = 0;

  for (guint i = 0; i < labels->n; i++) {
    /* A token has a byte or more. */
    if (strlen (labels->names[i]) + END_TOKENS <= positions)
      continue;
    g_autoptr (GArray) tokens = upi_tokenizer_encode (engine->tokenizer, labels->names[i], positions + 1);
    if (tokens->len <= positions)
      continue;
    if (n_cut == 0 && first != NULL)
      *first = i;
    n_cut++;
  }
  if (max_tokens != NULL)
    *max_tokens = positions - END_TOKENS;
  return n_cut;
}

gboolean
upi_labels_embedding (const UpiLabels *labels, guint index, gfloat *embedding, guint width)
{
  if (index >= labels->n || width != labels->width)
    return FALSE;
  memcpy (embedding, labels->embeddings + (gsize) index * width, width * sizeof (gfloat));
  return TRUE;
}

gboolean
upi_engine_owns (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, GError **error)
{
  if (encoding->engine != engine) {
    g_set_error_literal (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "the encoding is of another engine; ask upi_encoding_engine() for its own");
    return FALSE;
  }
  if (labels != NULL && strcmp (labels->model_path, engine->path) != 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the labels were encoded by the model %s, the frame by %s",
        labels->model_path, engine->path);
    return FALSE;
  }
  return TRUE;
}

void
upi_labels_complete (UpiEngine *engine, UpiLabels *labels, guint index)
{
  for (guint k = 0; labels->standings != NULL && k < UPI_N_SPREADS; k++)
    labels->standings[(gsize) index * UPI_N_SPREADS + k] =
        upi_model_standing (engine->model, k, labels->embeddings + (gsize) index * labels->width);
}

/* All of its own evidence, a part of the nearest own label's that falls to nothing at a cosine of `near`: labels stay
 * any words. */
static void
share_evidence (UpiLabels *labels, const UpiConfig *config, const gfloat *own, guint n_own)
{
  gfloat near = config->evidence.near;

  for (guint i = 0; i < labels->n; i++) {
    gfloat best = -INFINITY;

    for (guint k = 0; k < n_own; k++) {
      gfloat cosine =
          upi_dot (labels->embeddings + (gsize) i * labels->width, own + (gsize) k * labels->width, labels->width);

      if (cosine > best) {
        best = cosine;
        labels->shares[i].own = k;
      }
    }
    labels->shares[i].part = CLAMP ((best - near) / (1 - near), 0, 1);
  }
}

const UpiLabels *
upi_labels_own (UpiWorker *worker, UpiTicket *ticket, GError **error)
{
  UpiEngine *engine = worker->engine;
  UpiLabels *labels = g_atomic_pointer_get (&engine->known);
  UpiTexts *texts;
  gboolean ok = TRUE;

  if (labels != NULL)
    return labels;
  labels = labels_new (engine, (const gchar *const *) engine->config->labels, NULL, error);
  texts = labels != NULL ? upi_texts_new (engine, labels, error) : NULL;
  if (texts == NULL) {
    g_clear_pointer (&labels, upi_labels_unref);
    return NULL;
  }
  while (!upi_texts_prepare (engine, texts, labels))
    ;
  for (guint i = 0; ok && i < texts->batches->len; i++)
    ok = upi_caption_may_go_on (ticket, error)
        && upi_texts_run (worker, texts, &g_array_index (texts->batches, UpiTextBatch, i), labels, error);
  if (ok) {
    upi_texts_copy_same (engine, texts, labels);
    if (engine->config->has_evidence)
      share_evidence (labels, engine->config, labels->embeddings, labels->n);
    if (g_atomic_pointer_compare_and_exchange (&engine->known, NULL, labels))
      labels = NULL; /* the engine's now; else another worker was first */
  }
  upi_texts_free (texts);
  g_clear_pointer (&labels, upi_labels_unref);
  return ok ? g_atomic_pointer_get (&engine->known) : NULL;
}

/* Ends a ticket whose last part this was. */
static void
finish_list (UpiWorker *worker, UpiTicket *ticket, GError *error)
{
  UpiTexts *texts = ticket->texts;
  UpiEngine *engine = worker->engine;

  if (error == NULL && upi_ticket_is_cancelled (ticket))
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled while its list was encoded");
  if (error == NULL && (!ticket->parts.is_prepared || ticket->parts.n_taken < ticket->parts.n))
    error = upi_queue_closing_error (ticket->queue, "the engine closed while the list was encoded");
  if (error == NULL) {
    upi_texts_copy_same (engine, texts, ticket->pending);
    if (texts->own != NULL && g_atomic_pointer_compare_and_exchange (&engine->own_labels, NULL, texts->own))
      texts->own = NULL;
    if (engine->config->has_evidence)
      share_evidence (ticket->pending, engine->config, g_atomic_pointer_get (&engine->own_labels),
          g_strv_length (engine->config->labels));
    ticket->labels = g_steal_pointer (&ticket->pending);
  }
  upi_ticket_finish (ticket, error);
}

/* The first turns: this worker has the ticket to itself, and ends a short list at once. */
static void
prepare_list (UpiWorker *worker, UpiTicket *ticket)
{
  UpiTexts *texts = ticket->texts;
  GError *error = NULL;
  gint64 start = g_get_monotonic_time ();
  UpiParts *parts = &ticket->parts;
  gboolean short_list;

  parts->is_prepared = upi_texts_prepare (worker->engine, texts, ticket->pending);
  parts->is_begun = TRUE;
  parts->n = texts->batches->len;
  short_list = parts->is_prepared && upi_texts_are_few (texts);
  for (; short_list && error == NULL && parts->n_taken < parts->n; parts->n_taken++)
    upi_texts_run (
        worker, texts, &g_array_index (texts->batches, UpiTextBatch, parts->n_taken), ticket->pending, &error);
  ticket->infer_us += (guint64) (g_get_monotonic_time () - start);
  if (short_list) {
    upi_worker_check_device (worker, error);
    finish_list (worker, ticket, error);
    return;
  }
  upi_queue_push (ticket->queue, ticket);
  if (upi_ticket_is_cancelled (ticket)) /* in between */
    upi_ticket_cancel (ticket);
  upi_ticket_unref (ticket);
}

/* Works on a list for a while: one batch of it, or a part of the preparations. */
static void
run_list (UpiWorker *worker, UpiTicket **tickets, guint n)
{
  UpiTicket *ticket = tickets[0];
  UpiTexts *texts = ticket->texts;
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  if (!ticket->parts.is_prepared) {
    if (upi_ticket_is_cancelled (ticket))
      finish_list (worker, ticket, NULL);
    else
      prepare_list (worker, ticket);
    return;
  }
  const UpiTextBatch *batch = &g_array_index (texts->batches, UpiTextBatch, g_atomic_int_add (&texts->next, 1));
  gboolean cancelled = upi_ticket_is_cancelled (ticket);
  if (!cancelled && !upi_texts_run (worker, texts, batch, ticket->pending, &error)) {
    upi_worker_check_device (worker, error);
  } else if (!cancelled) {
    guint total = ticket->pending->n,
          done = texts->n - texts->order->len + upi_queue_count_texts (ticket->queue, ticket, batch->n);
    if (ticket->progress != NULL) /* the ticket cannot end before this part has */
      ticket->progress ((guint) ((guint64) total * done / texts->n), total, ticket->user_data);
  }
  gboolean last = upi_queue_end_part (ticket->queue, ticket, (guint64) (g_get_monotonic_time () - start), &error);
  if (last)
    finish_list (worker, ticket, g_steal_pointer (&error));
  else
    upi_ticket_unref (ticket);
}

static gboolean
check_labels (const gchar *const *labels, const gfloat *thresholds, GError **error)
{
  guint n = labels != NULL ? g_strv_length ((gchar **) labels) : 0;

  if (n == 0 || n > MAX_LABELS) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the label list has %u entries, expected 1 to %d", n, MAX_LABELS);
    return FALSE;
  }
  for (guint i = 0; i < n; i++) {
    gsize bytes = strlen (labels[i]);

    if (bytes == 0 || bytes > MAX_LABEL_BYTES) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "label %u has %" G_GSIZE_FORMAT " bytes, expected 1 to %d",
          i + 1, bytes, MAX_LABEL_BYTES);
      return FALSE;
    }
    if (!g_utf8_validate_len (labels[i], bytes, NULL)) {
      g_autofree gchar *shown = g_utf8_make_valid (labels[i], MIN (bytes, 40));

      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "label %u (\"%s\") is not valid UTF-8; save the list as UTF-8",
          i + 1, shown);
      return FALSE;
    }
    if (thresholds != NULL && !isnan (thresholds[i]) && !(thresholds[i] >= 0 && thresholds[i] <= 1)) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the threshold of label \"%s\" is %g, expected 0 to 1",
          labels[i], (gdouble) thresholds[i]);
      return FALSE;
    }
  }
  return TRUE;
}

UpiTicket *
upi_engine_encode_labels (UpiEngine *engine, const gchar *const *labels, const gfloat *thresholds, UpiTicketFunc done,
    gpointer user_data, GError **error)
{
  return upi_engine_encode_labels_with_progress (engine, labels, thresholds, NULL, done, user_data, error);
}

UpiTicket *
upi_engine_encode_labels_with_progress (UpiEngine *engine, const gchar *const *labels, const gfloat *thresholds,
    UpiProgressFunc progress, UpiTicketFunc done, gpointer user_data, GError **error)
{
  UpiTicket *ticket;
  UpiLabels *pending;
  UpiTexts *texts;

  if (!check_labels (labels, thresholds, error))
    return NULL;
  pending = labels_new (engine, labels, thresholds, error);
  texts = pending != NULL ? upi_texts_new (engine, pending, error) : NULL;
  if (texts == NULL) {
    g_clear_pointer (&pending, upi_labels_unref);
    return NULL;
  }
  ticket = upi_ticket_new (UPI_TICKET_LABELS, run_list, engine->queue, done, user_data);
  ticket->pending = pending;
  ticket->texts = texts;
  ticket->texts_free = upi_texts_free;
  ticket->progress = progress;
  upi_queue_push (engine->queue, ticket);
  return ticket;
}
