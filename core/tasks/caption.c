/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Captions: P(x, y) over the vocabulary one token at a time (paper 4.3), greedy or with a beam, on the keys and values
 * of an encoding.
 *
 * A hypothesis is a token list with its own cache of keys and values: keys and values [capacity, D] of every decoder
 * layer. A step feeds token t at position t and reads the scores of token t + 1; [CLS] is at position 0, the end token
 * ends a caption and is not part of it.
 */
#include "core/tasks/caption.h"
#include "core/tasks/labels.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  GArray *ids;   /* gint32 of the tokenizer, without [CLS] */
  guint8 *cache; /* [layers, keys and values, capacity, D] float32, memory of the backend's: not freed with it */
  gdouble score; /* Σ log P */
} Hypothesis;

typedef struct {
  UpiWorker *worker;
  UpiTicket *ticket;
  UpiContext *context;
  guint layers, capacity, max_tokens;
  gsize cache_bytes; /* of one keys or values matrix */
  guint8 *caches;    /* of all hypotheses: the worker's */
  const Hypothesis *bound;
  const gint32 *candidates;
  guint n_candidates;
  gint32 start_id, end_id;
  gfloat *scores; /* [V] */
  UpiValue id, position, text_length, output;
  UpiValue text[2 * 64];
} Search;

/* A possible next token of a hypothesis. */
typedef struct {
  gdouble score;
  guint parent, candidate;
} Extension;

static void
hypothesis_clear (Hypothesis *h)
{
  g_clear_pointer (&h->ids, g_array_unref);
}

/* Rows beyond the text so far are never read. */
static void
hypothesis_init (const Search *s, Hypothesis *h, guint index)
{
  h->cache = s->caches + index * 2 * s->layers * s->cache_bytes;
  h->ids = g_array_new (FALSE, FALSE, sizeof (gint32));
}

/* The scores after the hypothesis' last token, as log-probabilities where a beam compares them. */
static gboolean
step (Search *s, Hypothesis *h, gboolean normalise, GError **error)
{
  gint32 id = h->ids->len ? g_array_index (h->ids, gint32, h->ids->len - 1) : s->start_id;
  gint32 position = h->ids->len, length = position + 1;
  gfloat max = -INFINITY;
  gdouble sum = 0;

  upi_context_bind (s->context, s->id, &id);
  upi_context_bind (s->context, s->position, &position);
  upi_context_bind (s->context, s->text_length, &length);
  upi_context_bind (s->context, s->output, s->scores);
  /* Bound anew, it would be read anew: a greedy caption's text stays where the last step left it. */
  for (guint i = 0; i < 2 * s->layers && s->bound != h; i++)
    upi_context_bind_item (s->context, s->text[i], 0, h->cache + i * s->cache_bytes);
  s->bound = h;
  if (!upi_worker_infer (s->worker, s->context, error))
    return FALSE;
  g_atomic_pointer_add (&s->ticket->queue->counters.caption_tokens, 1);
  if (!normalise)
    return TRUE;
  for (guint i = 0; i < s->n_candidates; i++)
    max = MAX (max, s->scores[i]);
  for (guint i = 0; i < s->n_candidates; i++)
    sum += exp (s->scores[i] - max);
  for (guint i = 0; i < s->n_candidates; i++)
    s->scores[i] -= max + (gfloat) log (sum);
  return TRUE;
}

gboolean
upi_caption_may_go_on (UpiTicket *ticket, GError **error)
{
  if (upi_queue_is_closed (ticket->queue)) {
    g_propagate_error (
        error, upi_queue_closing_error (ticket->queue, "the engine closed while the caption was generated"));
    return FALSE;
  }
  if (upi_ticket_is_cancelled (ticket)) {
    g_set_error_literal (error, UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled while the caption was generated");
    return FALSE;
  }
  return TRUE;
}

static gchar *
text_of (const Search *s, const Hypothesis *h)
{
  return upi_tokenizer_sentence (s->worker->engine->tokenizer, (const gint32 *) h->ids->data, h->ids->len);
}

static void
tell_partial (const Search *s, const Hypothesis *h)
{
  g_autofree gchar *text = NULL;

  if (s->ticket->partial == NULL)
    return;
  text = text_of (s, h);
  s->ticket->partial (text, s->ticket->user_data);
}

static gboolean
greedy (Search *s, Hypothesis *h, GError **error)
{
  while (h->ids->len < s->max_tokens) {
    guint best = 0;

    if (!upi_caption_may_go_on (s->ticket, error) || !step (s, h, FALSE, error))
      return FALSE;
    for (guint i = 1; i < s->n_candidates; i++)
      if (s->scores[i] > s->scores[best])
        best = i;
    if (s->candidates[best] == s->end_id)
      break;
    g_array_append_val (h->ids, s->candidates[best]);
    tell_partial (s, h);
  }
  return TRUE;
}

/* Keeps the n best extensions, best first; earlier ones win ties. */
static void
insert_extension (Extension *best, guint *n, guint max, Extension e)
{
  guint i = *n;

  if (i == max && !(e.score > best[max - 1].score))
    return;
  i = MIN (i, max - 1);
  for (; i > 0 && e.score > best[i - 1].score; i--)
    best[i] = best[i - 1];
  best[i] = e;
  *n = MIN (*n + 1, max);
}

static void
set_ids (GArray *out, const GArray *ids)
{
  g_array_set_size (out, 0);
  g_array_append_vals (out, ids->data, ids->len);
}

static gboolean
copy_hypothesis (Search *s, Hypothesis *to, const Hypothesis *from, GError **error)
{
  const UpiBackend *backend = s->worker->engine->backend;
  gsize row_bytes = s->cache_bytes / s->capacity;
  guint rows = from->ids->len + 1; /* with [CLS] */

  set_ids (to->ids, from->ids);
  if (to == s->bound)
    s->bound = NULL;
  if (backend->has_device) /* one copy of all is cheaper than one a matrix */
    return backend->memory->copy (s->context, to->cache, from->cache, 2 * s->layers * s->cache_bytes, error);
  for (guint i = 0; i < 2 * s->layers; i++)
    memcpy (to->cache + i * s->cache_bytes, from->cache + i * s->cache_bytes, rows * row_bytes);
  return TRUE;
}

/* Score of a caption of n tokens, the end token counted where it has one. */
static gdouble
final_score (gdouble score, guint n, gfloat penalty)
{
  return score / pow (MAX (n, 1), penalty);
}

/* Beam search: two sets of hypotheses, the living ones and those that their extensions become. The best finished
 * caption goes to out. */
static gboolean
beam (Search *s, guint size, gfloat penalty, GArray *out, GError **error)
{
  Hypothesis sets[2][UPI_MAX_BEAM_SIZE] = { 0 };
  guint living = 1, current = 0;
  gdouble best_final = -INFINITY;
  gboolean ok = TRUE;

  for (guint i = 0; i < 2 * size; i++)
    hypothesis_init (s, &sets[i / size][i % size], i);
  for (guint length = 0; ok && length < s->max_tokens && living > 0; length++) {
    Extension best[2 * UPI_MAX_BEAM_SIZE];
    guint n = 0, kept = 0;

    for (guint b = 0; b < living && ok; b++) {
      ok = upi_caption_may_go_on (s->ticket, error) && step (s, &sets[current][b], TRUE, error);
      for (guint i = 0; i < s->n_candidates && ok; i++)
        insert_extension (best, &n, 2 * size, (Extension){ sets[current][b].score + s->scores[i], b, i });
    }
    if (!ok)
      break;
    /* Twice the beam: even if every hypothesis could end, a full beam goes on. */
    for (guint i = 0; i < n && kept < size && ok; i++) {
      const Hypothesis *parent = &sets[current][best[i].parent];
      gint32 id = s->candidates[best[i].candidate];
      Hypothesis *child = &sets[!current][kept];

      if (id == s->end_id) {
        gdouble score = final_score (best[i].score, length + 1, penalty);

        if (i < size && score > best_final) {
          best_final = score;
          set_ids (out, parent->ids);
        }
        continue;
      }
      ok = copy_hypothesis (s, child, parent, error);
      g_array_append_val (child->ids, id);
      child->score = best[i].score;
      kept++;
    }
    if (!ok)
      break;
    current = !current;
    living = kept;
    if (living == 0)
      break;
    tell_partial (s, &sets[current][0]);
    /* No living hypothesis can win any more: its score only falls, at best over the longest length. */
    if (best_final >= final_score (sets[current][0].score, s->max_tokens + 1, penalty))
      break;
  }
  /* What is cut off by the limit competes with what ended. */
  if (ok && living > 0 && final_score (sets[current][0].score, sets[current][0].ids->len, penalty) > best_final)
    set_ids (out, sets[current][0].ids);
  for (guint i = 0; i < 2 * size; i++)
    hypothesis_clear (&sets[i / size][i % size]);
  return ok;
}

static gboolean
search_init (Search *s, UpiWorker *worker, UpiTicket *ticket, guint n_hypotheses, GError **error)
{
  UpiEngine *engine = worker->engine;
  const UpiConfig *config = engine->config;
  const UpiLayout *layout = ticket->source->layout;
  guint limit = config->caption.max_tokens;
  UpiPlan *plan;

  s->worker = worker;
  s->ticket = ticket;
  s->layers = config->decoder.layers;
  s->capacity = MIN (limit + 1, (guint) upi_config_text_positions (config));
  s->max_tokens = ticket->caption.max_tokens ? MIN (ticket->caption.max_tokens, limit) : limit;
  s->cache_bytes = (gsize) s->capacity * config->decoder.width * sizeof (gfloat);
  s->candidates = upi_model_caption_token_ids (engine->model);
  s->n_candidates = upi_model_vocabulary_size (engine->model);
  s->start_id = upi_tokenizer_start_id (engine->tokenizer);
  s->end_id = upi_tokenizer_end_id (engine->tokenizer);
  g_assert (2 * s->layers <= G_N_ELEMENTS (s->text));
  s->context =
      upi_worker_context (worker, (UpiPlanKey){ UPI_PLAN_CAPTION, layout->image_tokens, s->capacity, 1 }, error);
  if (s->context == NULL)
    return FALSE;
  plan = s->context->plan;
  s->id = upi_plan_find (plan, "id");
  s->position = upi_plan_find (plan, "position");
  s->text_length = upi_plan_find (plan, "text_length");
  s->output = upi_plan_find (plan, "scores");
  for (guint i = 0; i < 2 * s->layers; i++) {
    g_autofree gchar *text = g_strdup_printf (i % 2 ? "text_values.%u" : "text_keys.%u", i / 2);

    s->text[i] = upi_plan_find (plan, text);
    upi_context_bind_item (s->context, upi_plan_find (plan, layout->names[UPI_PART_KEYS + i]), 0,
        upi_encoding_memory (ticket->source, UPI_PART_KEYS + i));
  }
  s->caches = upi_worker_key_value_cache (worker, n_hypotheses * 2 * s->layers * s->cache_bytes, error);
  s->scores = s->caches != NULL ? upi_memory_new (1, s->n_candidates * sizeof (gfloat), "caption scores", error) : NULL;
  return s->scores != NULL;
}

static gboolean
run_search (UpiWorker *worker, UpiTicket *ticket, GError **error)
{
  guint size = CLAMP (ticket->caption.beam_size, 1, UPI_MAX_BEAM_SIZE);
  Hypothesis result = { 0 };
  Search s = { 0 };
  gboolean ok = search_init (&s, worker, ticket, size == 1 ? 1 : 2 * size, error);

  if (ok && size == 1) {
    hypothesis_init (&s, &result, 0);
    ok = greedy (&s, &result, error);
  } else if (ok) {
    result.ids = g_array_new (FALSE, FALSE, sizeof (gint32));
    ok = beam (&s, size, ticket->caption.length_penalty, result.ids, error);
  }
  if (ok) {
    ticket->said = upi_caption_new (1);
    ticket->said->texts[0].text = text_of (&s, &result);
  }
  hypothesis_clear (&result);
  free (s.scores);
  return ok;
}

/* The caption into ticket->said. */
static gboolean
generate (UpiWorker *worker, UpiTicket *ticket, GError **error)
{
  if (!ticket->caption.grounded || worker->engine->grounding == NULL)
    return run_search (worker, ticket, error);
  ticket->said = upi_caption_grounded (worker, ticket, error);
  return ticket->said != NULL;
}

static void
run_caption (UpiWorker *worker, UpiTicket **tickets, guint n)
{
  UpiTicket *ticket = tickets[0];
  gint64 start = g_get_monotonic_time ();
  GError *error = NULL;

  if (upi_ticket_is_cancelled (ticket))
    g_set_error_literal (&error, UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled before it was served");
  else
    generate (worker, ticket, &error);
  ticket->infer_us += g_get_monotonic_time () - start;
  upi_worker_check_device (worker, error);
  upi_ticket_finish (ticket, error);
}

UpiTicket *
upi_engine_caption (UpiEngine *engine, UpiEncoding *encoding, const UpiCaptionOptions *asked, UpiPartialFunc partial,
    UpiTicketFunc done, gpointer user_data, GError **error)
{
  UpiTicket *ticket;
  UpiCaptionOptions options = { 0 };

  if (asked != NULL
      && !upi_sized_read (
          &options, sizeof options, asked, UPI_SIZED_FIRST (UpiCaptionOptions, reserved), "UpiCaptionOptions", error))
    return NULL;
  if (!upi_engine_owns (engine, encoding, NULL, error))
    return NULL;
  if (options.beam_size > UPI_MAX_BEAM_SIZE) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "beam size %u is too large, expected 1 to %d", options.beam_size,
        UPI_MAX_BEAM_SIZE);
    return NULL;
  }
  if (options.beam_size > 1 && !(options.length_penalty >= 0 && options.length_penalty <= 10)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "length penalty %g is out of range, expected 0 to 10",
        (gdouble) options.length_penalty);
    return NULL;
  }
  if (options.grounded && options.beam_size > 1) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "a beam of %u for a grounded caption, which has candidates in place of a beam: ask for one of "
        "the two",
        options.beam_size);
    return NULL;
  }
  if (options.candidates > UPI_MAX_CANDIDATES) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%u candidates are too many, expected 0 to %d",
        options.candidates, UPI_MAX_CANDIDATES);
    return NULL;
  }
  ticket = upi_ticket_new (UPI_TICKET_CAPTION, run_caption, engine->queue, done, user_data);
  ticket->source = upi_encoding_hold (encoding);
  ticket->caption = options;
  ticket->partial = partial;
  upi_queue_push (engine->queue, ticket);
  return ticket;
}
