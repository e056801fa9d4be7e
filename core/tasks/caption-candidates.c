/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caption-candidates.c: one step of all candidates is one run: matrices of weights are read once for all of them. The image's keys and values are
 * shared; each candidate has its own cache of keys and values. What has ended leaves the batch: the last row takes its place, and the next run is of fewer
 * rows. Where the backend has memory of its own rows cost next to nothing, and stay. */
#include "core/tasks/caption-candidates.h"
#include "core/tasks/caption.h"
#include "core/vectors/exponentials.h"
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
  guint n_tokens;    /* V */
  guint n;           /* candidates, K */
  guint n_rows;      /* of the batch that go on, R: [R] ≤ [K] */
  guint *row_of;     /* [R] candidate of a row */
  guint size;        /* of the bound plan, at least R */
  gsize cache_bytes; /* of one keys or values matrix */
  guint capacity;
  guint8 *caches; /* [layers, keys and values, K, capacity, D] */
  GArray *candidates;
  Row *rows;      /* [K] */
  gfloat *scores; /* [K,V] */
  const UpiExponentials *kernels;
  gfloat *z, *e;                     /* [V] logits of one row, steered; their exponentials */
  gdouble *sums;                     /* of blocks of them */
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
largest (const gfloat *z, guint n)
{
  guint best = 0;

  for (guint i = 1; i < n; i++)
    if (z[i] > z[best])
      best = i;
  return best;
}

/* Inverse of the cumulated distribution of exp (z / sharpness). */
static guint
draw (const Batch *b, gdouble sharpness, gdouble u)
{
  gdouble target =
      u * b->kernels->exponentials (b->z, b->n_tokens, b->kernels->largest (b->z, b->n_tokens), (gfloat) (1 / sharpness), b->e, b->sums);
  gdouble sum = 0;
  guint blocks = (b->n_tokens + UPI_EXPONENTIALS_BLOCK - 1) / UPI_EXPONENTIALS_BLOCK, block = 0, pick;

  while (block + 1 < blocks && !(sum + b->sums[block] > target))
    sum += b->sums[block++];
  pick = block * UPI_EXPONENTIALS_BLOCK;
  for (guint i = pick; i < MIN (pick + UPI_EXPONENTIALS_BLOCK, b->n_tokens); i++) {
    if (b->e[i] <= 0)
      continue;
    pick = i; /* also where the sums of blocks, rounded otherwise, promise more than there is */
    sum += b->e[i];
    if (sum > target)
      break;
  }
  return pick;
}

/* ln Σ exp of a row of logits */
static gdouble
log_sum (const Batch *b, const gfloat *logits)
{
  gfloat top = b->kernels->largest (logits, b->n_tokens);

  return top + log (b->kernels->exponentials (logits, b->n_tokens, top, 1, b->e, b->sums));
}

/* What a row's candidate says at step t; the sum of logarithms is that of the logits as they are. */
static void
say (Batch *b, guint r, guint t, const gdouble *shown)
{
  const UpiEngine *engine = b->worker->engine;
  const gfloat *logits = b->scores + (gsize) r * b->n_tokens;
  guint k = b->row_of[r];
  UpiCandidate *candidate = &g_array_index (b->candidates, UpiCandidate, k);
  Row *row = &b->rows[k];
  guint pick;

  memcpy (b->z, logits, b->n_tokens * sizeof (gfloat));
  if (shown)
    upi_steering_add (engine->steering, shown, row->state, b->z);
  if (k == 0)
    pick = largest (b->z, b->n_tokens);
  else
    pick = draw (b, engine->config->caption.grounding->ranking.sharpness, upi_candidates_uniform (k, t));
  row->sum += logits[pick] - log_sum (b, logits);
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
  text = upi_tokenizer_sentence (b->worker->engine->tokenizer, (const gint32 *) (gconstpointer) ids->data, ids->len);
  b->ticket->partial (text, b->ticket->user_data);
}

/* ---- the batch ------------------------------------------------------------------------------------------------------------------- */

/* A plan for every number of rows would be too many for many candidates. */
static guint
size_for (const Batch *b, guint n_rows)
{
  return n_rows <= 8 ? n_rows : MIN ((n_rows + 3) / 4 * 4, b->n);
}

static gboolean
bind (Batch *b, guint size, GError **error)
{
  UpiEngine *engine = b->worker->engine;
  const UpiLayout *layout = b->ticket->source->layout;
  guint layers = engine->config->decoder.layers;
  UpiPlan *plan;

  b->context = upi_worker_context (b->worker, (UpiPlanKey){ UPI_PLAN_CAPTION, layout->image_tokens, b->capacity, size }, error);
  if (!b->context)
    return FALSE;
  b->size = size;
  plan = b->context->plan;
  upi_context_bind (b->context, upi_plan_find (plan, "id"), b->ids);
  upi_context_bind (b->context, upi_plan_find (plan, "position"), b->positions);
  upi_context_bind (b->context, upi_plan_find (plan, "text_length"), b->lengths);
  upi_context_bind (b->context, upi_plan_find (plan, "scores"), b->scores);
  for (guint i = 0; i < 2 * layers; i++) {
    g_autofree gchar *text = g_strdup_printf (i % 2 ? "text_values.%u" : "text_keys.%u", i / 2);
    UpiValue value = upi_plan_find (plan, text);

    upi_context_bind_item (
        b->context, upi_plan_find (plan, layout->names[UPI_PART_KEYS + i]), 0, upi_encoding_memory (b->ticket->source, UPI_PART_KEYS + i));
    for (guint r = 0; r < size; r++)
      upi_context_bind_item (b->context, value, r, b->caches + (i * b->n + r) * b->cache_bytes);
  }
  return TRUE;
}

/* Rows whose candidates have ended after t + 1 tokens give their places to the last ones. */
static gboolean
close_gaps (Batch *b, guint t, GError **error)
{
  guint layers = b->worker->engine->config->decoder.layers;
  gsize said = b->cache_bytes / b->capacity * (t + 1);

  if (b->worker->engine->backend->has_device)
    return TRUE;
  for (guint r = 0; r < b->n_rows;) {
    if (!b->rows[b->row_of[r]].has_ended) {
      r++;
      continue;
    }
    b->n_rows--;
    b->row_of[r] = b->row_of[b->n_rows];
    for (guint i = 0; i < 2 * layers && r < b->n_rows && !b->rows[b->row_of[r]].has_ended; i++)
      memcpy (b->caches + (i * b->n + r) * b->cache_bytes, b->caches + (i * b->n + b->n_rows) * b->cache_bytes, said);
  }
  return b->n_rows == 0 || size_for (b, b->n_rows) == b->size || bind (b, size_for (b, b->n_rows), error);
}

/* One token of all that go on. */
static gboolean
step (Batch *b, guint t, const gdouble *shown, guint *n_going, GError **error)
{
  gboolean first_goes_on = !b->rows[0].has_ended;

  if (!upi_caption_may_go_on (b->ticket, error))
    return FALSE;
  for (guint r = 0; r < b->size; r++) { /* rows behind the last one are computed and not read */
    const GArray *ids = g_array_index (b->candidates, UpiCandidate, b->row_of[MIN (r, b->n_rows - 1)]).ids;

    b->ids[r] = ids->len ? g_array_index (ids, gint32, ids->len - 1) : upi_tokenizer_start_id (b->worker->engine->tokenizer);
    b->positions[r] = (gint32) t;
    b->lengths[r] = (gint32) t + 1;
  }
  if (!upi_worker_infer (b->worker, b->context, error))
    return FALSE;
  g_atomic_pointer_add (&b->ticket->queue->counters.caption_tokens, (gssize) *n_going);
  *n_going = 0;
  for (guint r = 0; r < b->n_rows; r++) {
    const Row *row = &b->rows[b->row_of[r]];

    if (!row->has_ended)
      say (b, r, t, shown);
    *n_going += !row->has_ended;
  }
  if (first_goes_on && !b->rows[0].has_ended)
    tell_partial (b);
  return close_gaps (b, t, error);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

static void
clear_candidate (gpointer data)
{
  g_clear_pointer (&((UpiCandidate *) data)->ids, g_array_unref);
}

GArray *
upi_candidates_decode (UpiWorker *worker, UpiTicket *ticket, guint n, const gdouble *shown, GError **error)
{
  const UpiConfig *config = worker->engine->config;
  guint limit = config->caption.max_tokens, n_tokens = upi_model_vocabulary_size (worker->engine->model), n_going = n;
  g_autoptr (GArray) candidates = g_array_new (FALSE, TRUE, sizeof (UpiCandidate));
  g_autofree Row *rows = g_new0 (Row, n);
  g_autofree gint32 *numbers = g_new (gint32, 3 * n);
  g_autofree guint *row_of = g_new (guint, n);
  g_autofree gfloat *z = UPI_MEMORY_NEW (gfloat, 2 * (gsize) n_tokens, "logits of candidates", error);
  g_autofree gdouble *sums = g_new (gdouble, n_tokens / UPI_EXPONENTIALS_BLOCK + 1);
  Batch batch = { .worker = worker,
    .ticket = ticket,
    .token_ids = upi_model_caption_token_ids (worker->engine->model),
    .n_tokens = n_tokens,
    .n = n,
    .n_rows = n,
    .row_of = row_of,
    .capacity = MIN (limit + 1, (guint) upi_config_text_positions (config)),
    .candidates = candidates,
    .rows = rows,
    .kernels = upi_exponentials (),
    .z = z,
    .e = z ? z + n_tokens : NULL,
    .sums = sums,
    .ids = numbers,
    .positions = numbers + n,
    .lengths = numbers + 2 * n };
  gboolean ok;

  if (!z)
    return NULL;
  g_array_set_clear_func (candidates, clear_candidate);
  g_array_set_size (candidates, n);
  for (guint k = 0; k < n; k++) {
    g_array_index (candidates, UpiCandidate, k).ids = g_array_new (FALSE, FALSE, sizeof (gint32));
    row_of[k] = k;
  }
  batch.cache_bytes = (gsize) batch.capacity * config->decoder.width * sizeof (gfloat);
  batch.caches = upi_worker_key_value_cache (worker, 2 * config->decoder.layers * n * batch.cache_bytes, error);
  batch.scores = batch.caches ? upi_memory_new (1, (gsize) n * n_tokens * sizeof (gfloat), "scores of candidates", error) : NULL;
  ok = batch.scores && bind (&batch, size_for (&batch, n), error);
  limit = ticket->caption.max_tokens ? MIN (ticket->caption.max_tokens, limit) : limit;
  for (guint t = 0; ok && t < limit && n_going > 0; t++)
    ok = step (&batch, t, shown, &n_going, error);
  for (guint k = 0; k < n; k++)
    g_array_index (candidates, UpiCandidate, k).likelihood = rows[k].sum / MAX (rows[k].count, 1);
  free (batch.scores);
  return ok ? g_steal_pointer (&candidates) : NULL;
}
