/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caption-candidates.c: one step of all candidates is one run: matrices of weights are read once for all of them. The
 * image's keys and values are shared. Candidates that have said the same so far are one row of the batch, with one text
 * cache, until their words part: most sentences begin alike. Rows whose candidates have all ended leave the batch: the
 * last row takes their place, and the next run is of fewer rows. Where the backend has memory of its own rows cost next
 * to nothing: there each candidate has one from the start, and keeps it. */
#include "core/tasks/caption-candidates.h"
#include "core/tasks/caption.h"
#include "core/vectors/exponentials.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  gboolean has_ended;
  guint row; /* of the batch, while it has not ended */
  UpiSteeringState state;
  gdouble sum; /* Σ ln P */
  guint count; /* of its terms */
} Progress;

typedef struct {
  UpiWorker *worker;
  UpiTicket *ticket;
  UpiContext *context;
  const gint32 *token_ids;
  guint n_tokens;    /* V */
  guint n;           /* candidates, K */
  guint n_rows;      /* of the batch that go on, R ≤ K */
  guint *first;      /* [R] the first candidate of a row that goes on */
  guint size;        /* of the bound plan, at least R */
  gsize cache_bytes; /* of one keys or values matrix */
  guint capacity;
  guint8 *caches; /* [layers, keys and values, K, capacity, D] */
  GArray *candidates;
  Progress *progress; /* [K] */
  gfloat *scores;     /* [K,V] */
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

static guint
largest (const gfloat *z, guint n)
{
  guint best = 0;

  for (guint i = 1; i < n; i++)
    if (z[i] > z[best])
      best = i;
  return best;
}

/* Inverse of the cumulated distribution of the exponentials e, whose blocks have these sums. */
static guint
draw (const Batch *b, gdouble target)
{
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

static void
say (Batch *b, guint k, gint32 id, gdouble log_likelihood, gboolean is_steered)
{
  Progress *progress = &b->progress[k];

  progress->sum += log_likelihood;
  progress->count++;
  if (id == upi_tokenizer_end_id (b->worker->engine->tokenizer)) {
    progress->has_ended = TRUE;
    return;
  }
  g_array_append_val (g_array_index (b->candidates, UpiCandidate, k).ids, id);
  if (is_steered)
    progress->state = upi_steering_step (b->worker->engine->steering, progress->state, id);
}

/* What the candidates of row r say at step t; the sums of logarithms are those of the logits as they are. */
static void
say_row (Batch *b, guint r, guint t, const gdouble *shown)
{
  const UpiEngine *engine = b->worker->engine;
  const gfloat *logits = b->scores + (gsize) r * b->n_tokens;
  gdouble all = log_sum (b, logits), total = 0;

  memcpy (b->z, logits, b->n_tokens * sizeof (gfloat));
  if (shown != NULL)
    upi_steering_add (engine->steering, shown, b->progress[b->first[r]].state, b->z);
  for (guint k = b->first[r]; k < b->n; k++) {
    guint pick;

    if (b->progress[k].has_ended || b->progress[k].row != r)
      continue;
    if (k == 0) {
      pick = largest (b->z, b->n_tokens);
    } else {
      if (total == 0) /* of exp (z / sharpness), the same for all that are drawn */
        total = b->kernels->exponentials (b->z, b->n_tokens, b->kernels->largest (b->z, b->n_tokens),
            (gfloat) (1 / engine->config->caption.grounding->ranking.sharpness), b->e, b->sums);
      pick = draw (b, total * upi_candidates_uniform (k, t));
    }
    say (b, k, b->token_ids[pick], logits[pick] - all, shown != NULL);
  }
}

static void
tell_partial (const Batch *b)
{
  const GArray *ids = g_array_index (b->candidates, UpiCandidate, 0).ids;
  g_autofree gchar *text = NULL;

  if (b->ticket->partial == NULL)
    return;
  text = upi_tokenizer_sentence (b->worker->engine->tokenizer, (const gint32 *) (gconstpointer) ids->data, ids->len);
  b->ticket->partial (text, b->ticket->user_data);
}

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

  b->context =
      upi_worker_context (b->worker, (UpiPlanKey){ UPI_PLAN_CAPTION, layout->image_tokens, b->capacity, size }, error);
  if (b->context == NULL)
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

    upi_context_bind_item (b->context, upi_plan_find (plan, layout->names[UPI_PART_KEYS + i]), 0,
        upi_encoding_memory (b->ticket->source, UPI_PART_KEYS + i));
    for (guint r = 0; r < size; r++)
      upi_context_bind_item (b->context, value, r, b->caches + (i * b->n + r) * b->cache_bytes);
  }
  return TRUE;
}

static gint32
last_id (const Batch *b, guint k)
{
  const GArray *ids = g_array_index (b->candidates, UpiCandidate, k).ids;

  return ids->len ? g_array_index (ids, gint32, ids->len - 1) : upi_tokenizer_start_id (b->worker->engine->tokenizer);
}

/* The text cache of row `from`, of `length` tokens, for row `to` as well. */
static void
copy_cache (Batch *b, guint to, guint from, guint length)
{
  guint layers = b->worker->engine->config->decoder.layers;

  for (guint i = 0; i < 2 * layers; i++)
    memcpy (b->caches + (i * b->n + to) * b->cache_bytes, b->caches + (i * b->n + from) * b->cache_bytes,
        b->cache_bytes / b->capacity * length);
}

/* Candidates of one row whose words part after `length` tokens: the first one that goes on keeps the row, others get
 * rows of their own, one for each word. There is a place for each: a row has at least one candidate. */
static void
part_rows (Batch *b, guint length)
{
  guint n_before = b->n_rows;

  for (guint r = 0; r < n_before; r++) {
    guint n_others = b->n_rows;

    b->first[r] = b->n;
    for (guint k = 0; k < b->n; k++) {
      guint to = r;

      if (b->progress[k].has_ended || b->progress[k].row != r)
        continue;
      if (b->first[r] == b->n)
        b->first[r] = k;
      if (last_id (b, k) != last_id (b, b->first[r]))
        for (to = n_others; to < b->n_rows && last_id (b, k) != last_id (b, b->first[to]); to++) {
        }
      if (to == b->n_rows) {
        b->first[b->n_rows++] = k;
        copy_cache (b, to, r, length);
      }
      b->progress[k].row = to;
    }
  }
}

/* Rows without a candidate that goes on give their places to the last ones. */
static void
close_gaps (Batch *b, guint length)
{
  for (guint r = 0; r < b->n_rows;) {
    if (b->first[r] < b->n) {
      r++;
      continue;
    }
    b->n_rows--;
    b->first[r] = b->first[b->n_rows];
    if (r == b->n_rows || b->first[r] == b->n)
      continue;
    copy_cache (b, r, b->n_rows, length);
    for (guint k = 0; k < b->n; k++)
      if (b->progress[k].row == b->n_rows)
        b->progress[k].row = r;
  }
}

/* One token of all that go on. */
static gboolean
step (Batch *b, guint t, const gdouble *shown, guint *n_going, GError **error)
{
  gboolean first_goes_on = !b->progress[0].has_ended;

  if (!upi_caption_may_go_on (b->ticket, error))
    return FALSE;
  /* Rows behind the last one are computed and not read: as a first token, since nothing was ever written behind it. */
  for (guint r = 0; r < b->size; r++) {
    gboolean is_read = r < b->n_rows;

    b->ids[r] = last_id (b, b->first[is_read ? r : b->n_rows - 1]);
    b->positions[r] = is_read ? (gint32) t : 0;
    b->lengths[r] = is_read ? (gint32) t + 1 : 1;
  }
  if (!upi_worker_infer (b->worker, b->context, error))
    return FALSE;
  g_atomic_pointer_add (&b->ticket->queue->counters.caption_tokens, (gssize) *n_going);
  for (guint r = 0; r < b->n_rows; r++)
    say_row (b, r, t, shown);
  *n_going = 0;
  for (guint k = 0; k < b->n; k++)
    *n_going += !b->progress[k].has_ended;
  if (first_goes_on && !b->progress[0].has_ended)
    tell_partial (b);
  if (b->worker->engine->backend->has_device)
    return TRUE;
  part_rows (b, t + 1);
  close_gaps (b, t + 1);
  return b->n_rows == 0 || size_for (b, b->n_rows) == b->size || bind (b, size_for (b, b->n_rows), error);
}

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
  g_autofree Progress *progress = g_new0 (Progress, n);
  g_autofree gint32 *numbers = g_new (gint32, 3 * n);
  g_autofree guint *first = g_new0 (guint, n);
  gboolean has_rows_of_their_own = worker->engine->backend->has_device;
  g_autofree gfloat *z = UPI_MEMORY_NEW (gfloat, 2 * (gsize) n_tokens, "logits of candidates", error);
  g_autofree gdouble *sums = g_new (gdouble, n_tokens / UPI_EXPONENTIALS_BLOCK + 1);
  Batch batch = { .worker = worker,
    .ticket = ticket,
    .token_ids = upi_model_caption_token_ids (worker->engine->model),
    .n_tokens = n_tokens,
    .n = n,
    .n_rows = has_rows_of_their_own ? n : 1,
    .first = first,
    .capacity = MIN (limit + 1, (guint) upi_config_text_positions (config)),
    .candidates = candidates,
    .progress = progress,
    .kernels = upi_exponentials (),
    .z = z,
    .e = z != NULL ? z + n_tokens : NULL,
    .sums = sums,
    .ids = numbers,
    .positions = numbers + n,
    .lengths = numbers + 2 * n };
  gboolean ok;

  if (z == NULL)
    return NULL;
  g_array_set_clear_func (candidates, clear_candidate);
  g_array_set_size (candidates, n);
  for (guint k = 0; k < n; k++) {
    g_array_index (candidates, UpiCandidate, k).ids = g_array_new (FALSE, FALSE, sizeof (gint32));
    if (has_rows_of_their_own)
      first[k] = progress[k].row = k;
  }
  batch.cache_bytes = (gsize) batch.capacity * config->decoder.width * sizeof (gfloat);
  batch.caches = upi_worker_key_value_cache (worker, 2 * config->decoder.layers * n * batch.cache_bytes, error);
  batch.scores = batch.caches != NULL
      ? upi_memory_new (1, (gsize) n * n_tokens * sizeof (gfloat), "scores of candidates", error)
      : NULL;
  ok = batch.scores != NULL && bind (&batch, size_for (&batch, batch.n_rows), error);
  limit = ticket->caption.max_tokens ? MIN (ticket->caption.max_tokens, limit) : limit;
  for (guint t = 0; ok && t < limit && n_going > 0; t++)
    ok = step (&batch, t, shown, &n_going, error);
  for (guint k = 0; k < n; k++)
    g_array_index (candidates, UpiCandidate, k).likelihood = progress[k].sum / MAX (progress[k].count, 1);
  free (batch.scores);
  return ok ? g_steal_pointer (&candidates) : NULL;
}

/* How many runs of n tokens two texts share, each as often as both have it. */
static guint
shared_runs (const GArray *a, const GArray *b, guint n)
{
  const gint32 *x = (const gint32 *) (gconstpointer) a->data, *y = (const gint32 *) (gconstpointer) b->data;
  g_autofree gboolean *taken = g_new0 (gboolean, MAX (b->len, 1));
  guint count = 0;

  for (guint i = 0; i + n <= a->len; i++) {
    guint j = 0;

    while (j + n <= b->len && (taken[j] || memcmp (x + i, y + j, n * sizeof (gint32)) != 0))
      j++;
    if (j + n <= b->len) {
      taken[j] = TRUE;
      count++;
    }
  }
  return count;
}

gdouble
upi_candidates_agreement (const GArray *const *texts, guint n, guint k)
{
  gdouble sum = 0;

  for (guint i = 0; i < n; i++) {
    guint runs = texts[k]->len + texts[i]->len + MAX (texts[k]->len, 1) - 1 + MAX (texts[i]->len, 1) - 1;

    if (i != k && runs > 0)
      sum += 2.0 * (shared_runs (texts[k], texts[i], 1) + shared_runs (texts[k], texts[i], 2)) / runs;
  }
  return sum / MAX (n - 1, 1);
}
