/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caption-candidates.c: one step of all candidates is one run: matrices of weights are read once for all of them. The image's keys and values are
 * shared; each candidate has its own text cache. A run keeps its size when candidates end: their rows are computed and not read. */
#include "core/tasks/caption-candidates.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  gboolean has_ended;
  UpiSteeringState state;
  gdouble sum; /* Σ ln P */
  guint count; /* of its terms */
} Row;

typedef struct {
  UpiWorker *worker;
  UpiTicket *ticket;
  UpiContext *context;
  const gint32 *token_ids;
  guint n_tokens; /* V */
  guint n;        /* candidates, K */
  GArray *candidates;
  Row *rows;                         /* [K] */
  gfloat *scores;                    /* [K,V] */
  gdouble *z, *sums;                 /* [V] logits of one row; running sums of a draw */
  gint32 *ids, *positions, *lengths; /* [K] */
} Batch;

gdouble
upi_candidates_uniform (guint candidate, guint step)
{
  guint64 x = (((guint64) candidate << 32 | step) + 1) * G_GUINT64_CONSTANT (0x9E3779B97F4A7C15);

  x = (x ^ x >> 30) * G_GUINT64_CONSTANT (0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * G_GUINT64_CONSTANT (0x94D049BB133111EB);
  return (gdouble) ((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* ---- one token ------------------------------------------------------------------------------------------------------------------- */

static guint
largest (const gdouble *z, guint n)
{
  guint best = 0;

  for (guint i = 1; i < n; i++)
    if (z[i] > z[best])
      best = i;
  return best;
}

/* Inverse of the cumulated distribution of exp (z / sharpness). */
static guint
draw (const gdouble *z, guint n, gdouble sharpness, gdouble u, gdouble *sums)
{
  gdouble top = z[largest (z, n)], sum = 0;
  guint first = 0, end = n - 1; /* the first that is larger lies in first .. end */

  for (guint i = 0; i < n; i++)
    sums[i] = sum += exp ((z[i] - top) / sharpness);
  while (first < end) {
    guint middle = (first + end) / 2;

    if (sums[middle] > u * sum)
      end = middle;
    else
      first = middle + 1;
  }
  return first;
}

/* ln Σ exp of a row of logits */
static gdouble
log_sum (const gfloat *logits, guint n)
{
  gfloat top = logits[0];
  gdouble sum = 0;

  for (guint i = 1; i < n; i++)
    top = MAX (top, logits[i]);
  for (guint i = 0; i < n; i++)
    sum += exp ((gdouble) logits[i] - top);
  return top + log (sum);
}

/* What candidate k says at step t; the sum of logarithms is that of the logits as they are. */
static void
say (Batch *b, guint k, guint t, const gdouble *shown)
{
  const UpiEngine *engine = b->worker->engine;
  const gfloat *logits = b->scores + (gsize) k * b->n_tokens;
  UpiCandidate *candidate = &g_array_index (b->candidates, UpiCandidate, k);
  Row *row = &b->rows[k];
  guint pick;

  for (guint i = 0; i < b->n_tokens; i++)
    b->z[i] = logits[i];
  if (shown)
    upi_steering_add (engine->steering, shown, row->state, b->z);
  if (k == 0)
    pick = largest (b->z, b->n_tokens);
  else
    pick = draw (b->z, b->n_tokens, engine->config->caption.grounding->ranking.sharpness, upi_candidates_uniform (k, t), b->sums);
  row->sum += logits[pick] - log_sum (logits, b->n_tokens);
  row->count++;
  if (b->token_ids[pick] == upi_tokenizer_end_id (engine->tokenizer)) {
    row->has_ended = TRUE;
    return;
  }
  g_array_append_val (candidate->ids, b->token_ids[pick]);
  if (shown)
    row->state = upi_steering_step (engine->steering, row->state, b->token_ids[pick]);
}

static void
tell_partial (const Batch *b)
{
  const GArray *ids = g_array_index (b->candidates, UpiCandidate, 0).ids;
  g_autofree gchar *text = NULL;

  if (!b->ticket->partial)
    return;
  text = upi_tokenizer_decode (b->worker->engine->tokenizer, (const gint32 *) (gconstpointer) ids->data, ids->len);
  b->ticket->partial (text, b->ticket->user_data);
}

/* One token of all that go on. */
static gboolean
step (Batch *b, guint t, const gdouble *shown, guint *n_going, GError **error)
{
  gboolean first_goes_on = !b->rows[0].has_ended;

  if (!upi_caption_may_go_on (b->ticket, error))
    return FALSE;
  for (guint k = 0; k < b->n; k++) {
    const GArray *ids = g_array_index (b->candidates, UpiCandidate, k).ids;

    b->ids[k] = ids->len ? g_array_index (ids, gint32, ids->len - 1) : upi_tokenizer_start_id (b->worker->engine->tokenizer);
    b->positions[k] = (gint32) t;
    b->lengths[k] = (gint32) t + 1;
  }
  if (!upi_worker_infer (b->worker, b->context, error))
    return FALSE;
  g_atomic_pointer_add (&b->ticket->queue->counters.caption_tokens, (gssize) *n_going);
  *n_going = 0;
  for (guint k = 0; k < b->n; k++) {
    if (!b->rows[k].has_ended)
      say (b, k, t, shown);
    *n_going += !b->rows[k].has_ended;
  }
  if (first_goes_on && !b->rows[0].has_ended)
    tell_partial (b);
  return TRUE;
}

/* ---- the batch ------------------------------------------------------------------------------------------------------------------- */

static void
clear_candidate (gpointer data)
{
  g_clear_pointer (&((UpiCandidate *) data)->ids, g_array_unref);
}

static gboolean
bind (Batch *b, guint capacity, GError **error)
{
  UpiEngine *engine = b->worker->engine;
  const UpiLayout *layout = b->ticket->source->layout;
  guint layers = engine->config->decoder.layers;
  gsize cache_bytes = (gsize) capacity * engine->config->decoder.width * sizeof (gfloat);
  guint8 *caches;

  b->context = upi_worker_context (b->worker, (UpiPlanKey){ UPI_PLAN_CAPTION, layout->image_tokens, capacity, b->n }, error);
  caches = b->context ? upi_worker_text_cache (b->worker, 2 * layers * b->n * cache_bytes, error) : NULL;
  b->scores = caches ? upi_block_new ((gsize) b->n * b->n_tokens * sizeof (gfloat), "scores of candidates", error) : NULL;
  if (!b->scores)
    return FALSE;
  upi_context_bind (b->context, upi_plan_find (b->context->plan, "id"), b->ids);
  upi_context_bind (b->context, upi_plan_find (b->context->plan, "position"), b->positions);
  upi_context_bind (b->context, upi_plan_find (b->context->plan, "text_length"), b->lengths);
  upi_context_bind (b->context, upi_plan_find (b->context->plan, "scores"), b->scores);
  for (guint i = 0; i < 2 * layers; i++) {
    g_autofree gchar *text = g_strdup_printf (i % 2 ? "text_values.%u" : "text_keys.%u", i / 2);
    UpiValue value = upi_plan_find (b->context->plan, text);

    upi_caption_bind_kept (b->worker, b->context, upi_plan_find (b->context->plan, layout->names[UPI_PART_KEYS + i]), 0,
        upi_encoding_memory (b->ticket->source, UPI_PART_KEYS + i));
    for (guint k = 0; k < b->n; k++)
      if (k == 0 || engine->backend->memory) /* else the first one's memory is followed by the others' */
        upi_caption_bind_kept (b->worker, b->context, value, k, caches + (i * b->n + k) * cache_bytes);
  }
  return TRUE;
}

GArray *
upi_candidates_decode (UpiWorker *worker, UpiTicket *ticket, guint n, const gdouble *shown, GError **error)
{
  const UpiConfig *config = worker->engine->config;
  guint limit = config->caption.max_tokens, n_tokens = upi_model_vocabulary_size (worker->engine->model), n_going = n;
  g_autoptr (GArray) candidates = g_array_new (FALSE, TRUE, sizeof (UpiCandidate));
  g_autofree Row *rows = g_new0 (Row, n);
  g_autofree gint32 *numbers = g_new (gint32, 3 * n);
  g_autofree gdouble *z = UPI_MEMORY_NEW (gdouble, 2 * n_tokens, "logits of candidates", error);
  Batch batch = { .worker = worker,
    .ticket = ticket,
    .token_ids = upi_model_caption_token_ids (worker->engine->model),
    .n_tokens = n_tokens,
    .n = n,
    .candidates = candidates,
    .rows = rows,
    .z = z,
    .sums = z ? z + n_tokens : NULL,
    .ids = numbers,
    .positions = numbers + n,
    .lengths = numbers + 2 * n };
  gboolean ok;

  if (!z)
    return NULL;
  g_array_set_clear_func (candidates, clear_candidate);
  g_array_set_size (candidates, n);
  for (guint k = 0; k < n; k++)
    g_array_index (candidates, UpiCandidate, k).ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  ok = bind (&batch, MIN (limit + 1, (guint) upi_config_text_positions (config)), error);
  limit = ticket->caption.max_tokens ? MIN (ticket->caption.max_tokens, limit) : limit;
  for (guint t = 0; ok && t < limit && n_going > 0; t++)
    ok = step (&batch, t, shown, &n_going, error);
  for (guint k = 0; k < n; k++)
    g_array_index (candidates, UpiCandidate, k).likelihood = rows[k].sum / MAX (rows[k].count, 1);
  free (batch.scores);
  return ok ? g_steal_pointer (&candidates) : NULL;
}
