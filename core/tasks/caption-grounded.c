/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caption-grounded.c: captions that answer to the regions: what the image shows steers the candidates, and ranks them
 * together with their likelihood and their nearness to the image (models/reference/NETWORK.md, "grounded captions"). */
#include "core/tasks/caption-candidates.h"
#include "core/tasks/caption.h"
#include "core/tasks/detect.h"
#include "core/tasks/embed.h"
#include "core/tasks/labels.h"
#include "core/tasks/text-batches.h"
#include "core/memory.h"

#include <math.h>
#include <string.h>

typedef struct {
  UpiWorker *worker;
  UpiTicket *ticket;
  const UpiGroundingTable *table;
  UpiSeen *seen;    /* [C], of the model's own labels */
  gdouble *support; /* [needs] L */
  guint *label_of;  /* [needs] the label of the best score */
} Ground;

/* One text to rank. */
typedef struct {
  const GArray *ids;
  GArray *mentions; /* UpiMention */
  UpiCaptionText of;
} Ranked;

/* Of equal scores the first region's. */
static gboolean
look (Ground *g, const UpiLabels *labels, GError **error)
{
  if (!upi_best_regions (g->ticket->source, labels, g->seen, error))
    return FALSE;
  for (guint n = 0; n < g->table->needs->len; n++) {
    const UpiNeed *need = &g_array_index (g->table->needs, UpiNeed, n);
    guint best = need->labels[0];

    for (guint i = 1; i < need->n_labels; i++) {
      guint label = need->labels[i];

      if (g->seen[label].score > g->seen[best].score || (g->seen[label].score == g->seen[best].score && label < best))
        best = label;
    }
    g->label_of[n] = best;
    g->support[n] = upi_grounding_support (g->seen[best].score, g->table->ranking.floor);
  }
  return TRUE;
}

/* Σ of L over what the words need, each once. */
static gdouble
support_of (const Ground *g, const GArray *mentions)
{
  g_autofree gboolean *counted = g_new0 (gboolean, MAX (g->table->needs->len, 1));
  gdouble sum = 0;

  for (guint i = 0; i < mentions->len; i++) {
    const UpiPhrase *phrase = g_array_index (mentions, UpiMention, i).phrase;

    for (guint k = 0; k < phrase->n_needs; k++) {
      guint need = phrase->needs[k];

      if (!counted[need])
        sum += g->support[need];
      counted[need] = TRUE;
    }
  }
  return sum;
}

/* Of the labels that the image shows, each by its best score: the share that words have a region of. A word for a group
 * has that of its best label alone. */
static gdouble
coverage_of (const Ground *g, const GArray *mentions)
{
  const UpiConfig *config = g->worker->engine->config;
  guint n_labels = g_strv_length (config->labels);
  g_autofree gboolean *named = g_new0 (gboolean, MAX (n_labels, 1));
  gdouble whole = 0, part = 0;

  for (guint i = 0; i < mentions->len; i++) {
    const UpiPhrase *phrase = g_array_index (mentions, UpiMention, i).phrase;

    for (guint k = 0; k < phrase->n_needs; k++)
      named[g->label_of[phrase->needs[k]]] = TRUE;
  }
  for (guint label = 0; label < n_labels; label++) {
    gdouble score = g->seen[label].score >= config->threshold ? g->seen[label].score : 0;

    whole += score;
    part += named[label] ? score : 0;
  }
  return whole > 0 ? part / whole : 0;
}

static gboolean
is_new (const GArray *ranked, const GArray *ids)
{
  for (guint i = 0; i < ranked->len; i++) {
    const GArray *other = g_array_index (ranked, Ranked, i).ids;

    if (other->len == ids->len && (ids->len == 0 || memcmp (other->data, ids->data, ids->len * sizeof (gint32)) == 0))
      return FALSE;
  }
  return TRUE;
}

static void
clear_ranked (gpointer data)
{
  g_clear_pointer (&((Ranked *) data)->mentions, g_array_unref);
}

/* Of equals the earlier one first. */
static void
sort (Ranked *ranked, guint n)
{
  for (guint i = 1; i < n; i++) {
    Ranked moved = ranked[i];
    guint to = i;

    for (; to > 0 && moved.of.score > ranked[to - 1].of.score; to--)
      ranked[to] = ranked[to - 1];
    ranked[to] = moved;
  }
}

/* <SPE>s of texts, normalised, [n, D], in one run: the text side's weights are read once for all of them. */
static gfloat *
encode_texts (const Ground *g, const Ranked *ranked, guint n, GError **error)
{
  UpiEngine *engine = g->worker->engine;
  guint tokens = 0;

  for (guint i = 0; i < n; i++)
    tokens = MAX (tokens, ranked[i].ids->len + 2);
  tokens = upi_text_plan_tokens (tokens, (guint) upi_config_text_positions (engine->config));
  g_autofree gint32 *ids = UPI_MEMORY_NEW0 (gint32, (gsize) n * tokens, "tokens of candidates", error);
  g_autofree gint32 *lengths = g_new (gint32, n);
  g_autofree gfloat *embeddings =
      ids != NULL ? UPI_MEMORY_NEW (gfloat, (gsize) n * engine->info.width, "texts of candidates", error) : NULL;
  UpiContext *context =
      embeddings != NULL ? upi_worker_context (g->worker, (UpiPlanKey){ UPI_PLAN_TEXT, n, tokens, 0 }, error) : NULL;

  if (context == NULL)
    return NULL;
  for (guint i = 0; i < n; i++) {
    const GArray *text = ranked[i].ids;
    gint32 *row = ids + (gsize) i * tokens;

    lengths[i] = (gint32) text->len + 2;
    row[0] = upi_tokenizer_start_id (engine->tokenizer);
    if (text->len)
      memcpy (row + 1, text->data, text->len * sizeof (gint32));
    row[text->len + 1] = upi_tokenizer_end_id (engine->tokenizer);
  }
  upi_context_bind (context, upi_plan_find (context->plan, "ids"), ids);
  upi_context_bind (context, upi_plan_find (context->plan, "length"), lengths);
  upi_context_bind (context, upi_plan_find (context->plan, "embedding"), embeddings);
  return upi_worker_infer (g->worker, context, error) ? g_steal_pointer (&embeddings) : NULL;
}

/* By what needs no <SPE>, then the first few with what retrieval says of them. */
static gboolean
rank (const Ground *g, GArray *ranked, GError **error)
{
  const UpiRanking *ranking = &g->table->ranking;
  Ranked *rows = (Ranked *) (gpointer) ranked->data;
  const gfloat *spe = upi_encoding_part (g->ticket->source, UPI_PART_SPE);
  guint n = MIN (ranking->encoded, ranked->len), width = g->worker->engine->info.width;
  g_autofree gfloat *embeddings = NULL;

  sort (rows, ranked->len);
  if (ranking->retrieval == 0 || n < 2)
    return TRUE;
  if (!upi_caption_may_go_on (g->ticket, error))
    return FALSE;
  embeddings = encode_texts (g, rows, n, error);
  if (embeddings == NULL)
    return FALSE;
  for (guint i = 0; i < n; i++) {
    rows[i].of.cosine = upi_dot (spe, embeddings + (gsize) i * width, width);
    rows[i].of.score += ranking->retrieval * rows[i].of.cosine;
  }
  sort (rows, n);
  return TRUE;
}

static void
add_objects (const Ground *g, const UpiPhrase *phrase, UpiCaptionWord *word)
{
  word->n_objects = phrase->n_needs;
  word->objects = g_new0 (UpiObject, phrase->n_needs);
  for (guint k = 0; k < phrase->n_needs; k++) {
    guint label = g->label_of[phrase->needs[k]];
    UpiObject *object = &word->objects[k];

    object->label = label;
    object->score = g->seen[label].score;
    object->region = g->seen[label].region;
    upi_object_place (object, upi_encoding_part (g->ticket->source, UPI_PART_BOXES) + 4 * (gsize) object->region);
    upi_object_turn_back (object, g->ticket->source, NULL); /* a box alone: it cannot fail */
  }
}

static void
finish_text (const Ground *g, const Ranked *ranked, UpiCaptionText *text)
{
  const UpiEngine *engine = g->worker->engine;
  const gint32 *ids = (const gint32 *) (gconstpointer) ranked->ids->data;

  *text = ranked->of;
  text->text = upi_tokenizer_sentence (engine->tokenizer, ids, ranked->ids->len);
  text->words = g_new0 (UpiCaptionWord, ranked->mentions->len);
  for (guint i = 0; i < ranked->mentions->len; i++) {
    const UpiMention *mention = &g_array_index (ranked->mentions, UpiMention, i);
    UpiCaptionWord *word = &text->words[text->n_words];

    if (!upi_grounding_place (engine->grounding, ids, mention, text->text, &word->first, &word->bytes))
      continue;
    add_objects (g, mention->phrase, word);
    text->n_words++;
  }
}

static UpiCaption *
speak (Ground *g, GError **error)
{
  const UpiRanking *ranking = &g->table->ranking;
  UpiEngine *engine = g->worker->engine;
  guint n = g->ticket->caption.candidates ? g->ticket->caption.candidates : ranking->candidates;
  g_autofree gdouble *needs = g_new (gdouble, MAX (g->table->needs->len, 1)), *shown = NULL;
  g_autoptr (GArray) candidates = NULL, ranked = g_array_new (FALSE, TRUE, sizeof (Ranked));
  g_autofree const GArray **texts = g_new (const GArray *, n);
  UpiCaption *caption;

  g_array_set_clear_func (ranked, clear_ranked);
  for (guint i = 0; i < g->table->needs->len; i++)
    needs[i] = ranking->steering * g->support[i];
  shown = ranking->steering != 0 ? upi_steering_show (engine->steering, needs) : NULL;
  candidates = upi_candidates_decode (g->worker, g->ticket, n, shown, error);
  if (candidates == NULL)
    return NULL;
  for (guint k = 0; k < n; k++) {
    const UpiCandidate *candidate = &g_array_index (candidates, UpiCandidate, k);
    Ranked row = { .ids = candidate->ids, .of = { .likelihood = candidate->likelihood, .cosine = NAN } };

    if (!is_new (ranked, candidate->ids))
      continue;
    row.mentions = upi_grounding_mentions (
        engine->grounding, (const gint32 *) (gconstpointer) candidate->ids->data, candidate->ids->len);
    row.of.support = support_of (g, row.mentions);
    row.of.score =
        row.of.likelihood + ranking->regions * row.of.support + ranking->coverage * coverage_of (g, row.mentions);
    texts[ranked->len] = candidate->ids;
    g_array_append_val (ranked, row);
  }
  for (guint i = 0; i < ranked->len; i++)
    g_array_index (ranked, Ranked, i).of.score += ranking->agreement * upi_candidates_agreement (texts, ranked->len, i);
  if (!rank (g, ranked, error))
    return NULL;
  caption = upi_caption_new (ranked->len);
  caption->grounded = TRUE;
  for (guint i = 0; i < ranked->len; i++)
    finish_text (g, &g_array_index (ranked, Ranked, i), &caption->texts[i]);
  return caption;
}

UpiCaption *
upi_caption_grounded (UpiWorker *worker, UpiTicket *ticket, GError **error)
{
  const UpiLabels *labels = upi_labels_own (worker, ticket, error);
  const UpiGroundingTable *table = worker->engine->config->caption.grounding;
  g_autofree UpiSeen *seen =
      labels != NULL ? UPI_MEMORY_NEW (UpiSeen, labels->n, "the best regions of the model's labels", error) : NULL;
  g_autofree gdouble *support = g_new (gdouble, MAX (table->needs->len, 1));
  g_autofree guint *label_of = g_new (guint, MAX (table->needs->len, 1));
  Ground ground = { worker, ticket, table, seen, support, label_of };

  return seen != NULL && look (&ground, labels, error) ? speak (&ground, error) : NULL;
}
