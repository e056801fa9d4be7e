/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches of texts: the strings of a label list that no cache holds, ordered by their number of tokens, so that each
 * run of the text side has texts of one length or nearly so and little is computed for padding. A text gives the same
 * numbers in any batch.
 *
 * Prepared by one worker, a part of the list at a time; run by all workers that have nothing better to do, a batch
 * each. */
#include "core/tasks/text-batches.h"

#include "core/memory.h"
#include "core/tasks/labels.h"

#include <string.h>

/* Strings that are tokenised before frames have their turn again. */
#define STRINGS_A_TURN 512
/* Rows (tokens of all texts) of a run: enough for the weights to be read from memory in far less time than they are
 * multiplied in, and no more work than a frame is. */
#define ROWS 128
/* Up to as many tokens every length has its plan; longer ones have eight for each doubling. */
#define EXACT_TOKENS 16
/* Attention takes another way for so few queries: the last bits of a text would depend on its company if it were padded
 * beyond. */
#define FEW_TOKENS 3

void
upi_texts_free (UpiTexts *texts)
{
  g_clear_pointer (&texts->ids, g_array_unref);
  g_clear_pointer (&texts->seen, g_hash_table_unref);
  g_clear_pointer (&texts->order, g_array_unref);
  g_clear_pointer (&texts->batches, g_array_unref);
  g_free (texts->names);
  g_free (texts->own);
  g_free (texts->starts);
  g_free (texts->counts);
  g_free (texts->same_as);
  g_free (texts);
}

static gboolean
collect_names (UpiEngine *engine, UpiTexts *texts, const UpiLabels *labels, GError **error)
{
  gboolean own = engine->config->has_evidence && g_atomic_pointer_get (&engine->own_labels) == NULL;
  guint n_own = own ? g_strv_length (engine->config->labels) : 0;

  texts->n = labels->n + n_own;
  if ((texts->names = UPI_MEMORY_NEW (const gchar *, texts->n, "a list of labels", error)) == NULL
      || (texts->starts = UPI_MEMORY_NEW (guint, texts->n, "a list of labels", error)) == NULL
      || (texts->counts = UPI_MEMORY_NEW (guint, texts->n, "a list of labels", error)) == NULL
      || (texts->same_as = UPI_MEMORY_NEW (guint, texts->n, "a list of labels", error)) == NULL
      || (own
          && (texts->own = UPI_MEMORY_NEW0 (gfloat, (gsize) n_own * labels->width, "the model's own labels", error))
              == NULL))
    return FALSE;
  for (guint i = 0; i < texts->n; i++)
    texts->names[i] = i < labels->n ? labels->names[i] : engine->config->labels[i - labels->n];
  return TRUE;
}

UpiTexts *
upi_texts_new (UpiEngine *engine, const UpiLabels *labels, GError **error)
{
  UpiTexts *texts = g_new0 (UpiTexts, 1);

  texts->ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  texts->seen = g_hash_table_new (g_str_hash, g_str_equal);
  texts->order = g_array_new (FALSE, FALSE, sizeof (guint));
  texts->batches = g_array_new (FALSE, FALSE, sizeof (UpiTextBatch));
  if (!collect_names (engine, texts, labels, error))
    g_clear_pointer (&texts, upi_texts_free);
  return texts;
}

static gfloat *
embedding_of (const UpiTexts *texts, UpiLabels *labels, guint i)
{
  return i < labels->n ? labels->embeddings + (gsize) i * labels->width
                       : texts->own + (gsize) (i - labels->n) * labels->width;
}

static void
complete (UpiEngine *engine, UpiLabels *labels, guint i)
{
  if (i < labels->n)
    upi_labels_complete (engine, labels, i);
}

guint
upi_text_plan_tokens (guint tokens, guint positions)
{
  guint step = 1;

  while (tokens > EXACT_TOKENS * step)
    step *= 2;
  return MIN ((tokens + step - 1) / step * step, positions);
}

guint
upi_text_plan_batch (guint tokens)
{
  guint n = 1;

  while (2 * n * tokens <= ROWS)
    n *= 2;
  return n;
}

/* count of the texts in order, from first on, at so many tokens: full batches, then, with everything, what is left as
 * powers of two. */
static guint
add_batches (UpiTexts *texts, guint first, guint count, guint tokens, gboolean everything)
{
  guint full = upi_text_plan_batch (tokens), added = 0;

  for (guint n = full; n > 0; n = everything ? n / 2 : 0)
    for (; count - added >= n; added += n) {
      UpiTextBatch batch = { tokens, first + added, n };
      g_array_append_val (texts->batches, batch);
    }
  return added;
}

static gint
compare_tokens (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const guint *counts = user_data, x = counts[*(const guint *) a], y = counts[*(const guint *) b];

  return (x > y) - (x < y);
}

/* What does not fill a batch goes with the next longer texts if that costs little. */
static void
form_batches (UpiTexts *texts, guint positions)
{
  const guint *order = (const guint *) (gconstpointer) texts->order->data;
  guint first = 0, end = 0;

  g_array_sort_with_data (texts->order, compare_tokens, texts->counts);
  while (end < texts->order->len) {
    guint tokens = upi_text_plan_tokens (texts->counts[order[end]], positions), next = 0;

    while (end < texts->order->len && upi_text_plan_tokens (texts->counts[order[end]], positions) == tokens)
      end++;
    if (end < texts->order->len)
      next = upi_text_plan_tokens (texts->counts[order[end]], positions);
    gboolean joins = next > 0 && tokens > FEW_TOKENS && 4 * next <= 5 * tokens;
    first += add_batches (texts, first, end - first, tokens, !joins);
  }
}

gboolean
upi_texts_prepare (UpiEngine *engine, UpiTexts *texts, UpiLabels *labels)
{
  guint positions = upi_config_text_positions (engine->config);

  for (guint turn = 0; texts->prepared < texts->n; turn++, texts->prepared++) {
    guint i = texts->prepared;
    gpointer same;

    if (turn == STRINGS_A_TURN)
      return FALSE;
    texts->counts[i] = 0;
    texts->same_as[i] = i;
    if (g_hash_table_lookup_extended (texts->seen, texts->names[i], NULL, &same)) {
      texts->same_as[i] = GPOINTER_TO_UINT (same);
      g_atomic_pointer_add (&engine->queue->counters.text_hits, 1);
    } else if (upi_text_cache_get (&engine->cache, texts->names[i], embedding_of (texts, labels, i))) {
      complete (engine, labels, i);
      g_atomic_pointer_add (&engine->queue->counters.text_hits, 1);
    } else {
      g_autoptr (GArray) tokens = upi_tokenizer_encode (engine->tokenizer, texts->names[i], positions);
      texts->starts[i] = texts->ids->len;
      texts->counts[i] = tokens->len;
      g_array_append_vals (texts->ids, tokens->data, tokens->len);
      g_array_append_val (texts->order, i);
      g_hash_table_insert (texts->seen, (gpointer) texts->names[i], GUINT_TO_POINTER (i));
    }
  }
  g_hash_table_remove_all (texts->seen);
  form_batches (texts, positions);
  return TRUE;
}

/* [<SPE>, tokens] of n texts through f_text and g → [n, D] */
gboolean
upi_texts_run (UpiWorker *worker, const UpiTexts *texts, const UpiTextBatch *batch, UpiLabels *labels, GError **error)
{
  UpiEngine *engine = worker->engine;
  UpiContext *context = upi_worker_context (worker, (UpiPlanKey){ UPI_PLAN_TEXT, batch->n, batch->tokens, 0 }, error);

  if (context == NULL)
    return FALSE;
  const guint *order = (const guint *) (gconstpointer) texts->order->data + batch->first;
  g_autofree gint32 *ids = UPI_MEMORY_NEW0 (gint32, (gsize) batch->n * batch->tokens, "a batch of texts", error);
  g_autofree gint32 *lengths = ids != NULL ? UPI_MEMORY_NEW (gint32, batch->n, "a batch of texts", error) : NULL;
  g_autofree gfloat *embeddings =
      lengths != NULL ? UPI_MEMORY_NEW (gfloat, (gsize) batch->n * labels->width, "a batch of texts", error) : NULL;
  if (embeddings == NULL)
    return FALSE;
  for (guint i = 0; i < batch->n; i++) {
    guint text = order[i];
    lengths[i] = (gint32) texts->counts[text];
    memcpy (ids + (gsize) i * batch->tokens, (const gint32 *) (gconstpointer) texts->ids->data + texts->starts[text],
        texts->counts[text] * sizeof (gint32));
  }
  upi_context_bind (context, upi_plan_find (context->plan, "ids"), ids);
  upi_context_bind (context, upi_plan_find (context->plan, "length"), lengths);
  upi_context_bind (context, upi_plan_find (context->plan, "embedding"), embeddings);
  if (!upi_worker_infer (worker, context, error))
    return FALSE;
  for (guint i = 0; i < batch->n; i++) {
    const gfloat *embedding = embeddings + (gsize) i * labels->width;
    memcpy (embedding_of (texts, labels, order[i]), embedding, labels->width * sizeof (gfloat));
    complete (engine, labels, order[i]);
    upi_text_cache_put (&engine->cache, texts->names[order[i]], embedding);
    g_atomic_pointer_add (&engine->queue->counters.text_misses, 1);
  }
  return TRUE;
}

gboolean
upi_texts_are_few (const UpiTexts *texts)
{
  guint rows = 0;

  for (guint i = 0; i < texts->batches->len; i++) {
    const UpiTextBatch *batch = &g_array_index (texts->batches, UpiTextBatch, i);
    rows += batch->n * batch->tokens;
  }
  return rows <= ROWS;
}

void
upi_texts_copy_same (UpiEngine *engine, const UpiTexts *texts, UpiLabels *labels)
{
  for (guint i = 0; i < texts->n; i++) {
    if (texts->same_as[i] == i)
      continue;
    memcpy (embedding_of (texts, labels, i), embedding_of (texts, labels, texts->same_as[i]),
        labels->width * sizeof (gfloat));
    complete (engine, labels, i);
  }
}
