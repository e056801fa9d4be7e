/* Labels: any words as one embedding each (paper 4.2). A worker tokenises a string and runs the text side for what the cache does not hold, a
 * few strings at a time, so that a long list leaves room for frames in between. */
#include "core/engine/engine-private.h"

#include <math.h>
#include <string.h>

/* Strings a worker encodes before it looks at the queue again. */
#define STRINGS_A_TURN 4
#define MAX_LABELS 100000
#define MAX_LABEL_BYTES 16384
/* The shortest text plan; longer ones double up to the model's positions. */
#define SHORTEST_PLAN 8

static UpiLabels *
labels_new (UpiEngine *engine, const gchar *const *names, const gfloat *thresholds)
{
  UpiLabels *labels = g_new0 (UpiLabels, 1);

  labels->ref_count = 1;
  labels->model_path = g_strdup (engine->path);
  labels->n = g_strv_length ((gchar **) names);
  labels->width = engine->info.width;
  labels->names = g_strdupv ((gchar **) names);
  labels->thresholds = g_new (gfloat, labels->n);
  for (guint i = 0; i < labels->n; i++)
    labels->thresholds[i] = thresholds ? thresholds[i] : NAN;
  labels->embeddings = g_new0 (gfloat, (gsize) labels->n * labels->width);
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
  g_free (labels->embeddings);
  g_free (labels->shares);
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

static gboolean
check_labels (const gchar *const *labels, const gfloat *thresholds, GError **error)
{
  guint n = labels ? g_strv_length ((gchar **) labels) : 0;

  if (n == 0 || n > MAX_LABELS) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the label list has %u entries, expected 1 to %d", n, MAX_LABELS);
    return FALSE;
  }
  for (guint i = 0; i < n; i++) {
    gsize bytes = strlen (labels[i]);

    if (bytes == 0 || bytes > MAX_LABEL_BYTES) {
      g_set_error (
          error, UPI_ERROR, UPI_ERROR_ARGUMENT, "label %u has %" G_GSIZE_FORMAT " bytes, expected 1 to %d", i + 1, bytes, MAX_LABEL_BYTES);
      return FALSE;
    }
    if (!g_utf8_validate_len (labels[i], bytes, NULL)) {
      g_autofree gchar *shown = g_utf8_make_valid (labels[i], MIN (bytes, 40));

      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "label %u (\"%s\") is not valid UTF-8; save the list as UTF-8", i + 1, shown);
      return FALSE;
    }
    if (thresholds && !isnan (thresholds[i]) && !(thresholds[i] >= 0 && thresholds[i] <= 1)) {
      g_set_error (
          error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the threshold of label \"%s\" is %g, expected 0 to 1", labels[i], (gdouble) thresholds[i]);
      return FALSE;
    }
  }
  return TRUE;
}

UpiTicket *
upi_engine_encode_labels (
    UpiEngine *engine, const gchar *const *labels, const gfloat *thresholds, UpiTicketFunc done, gpointer user_data, GError **error)
{
  UpiTicket *ticket;

  if (!check_labels (labels, thresholds, error))
    return NULL;
  ticket = upi_ticket_new (UPI_TICKET_LABELS, engine->queue, done, user_data);
  ticket->pending = labels_new (engine, labels, thresholds);
  upi_queue_push (engine->queue, ticket);
  return ticket;
}

/* One string: [<SPE>, tokens] through f_text and g → [D]. */
static gboolean
encode_text (UpiWorker *worker, const gchar *text, gfloat *embedding, GError **error)
{
  UpiEngine *engine = worker->engine;
  guint positions = upi_config_text_positions (engine->config);
  g_autoptr (GArray) tokens = upi_tokenizer_encode (engine->tokenizer, text, positions);
  guint length = SHORTEST_PLAN;
  g_autofree gint32 *ids = NULL;
  gint32 count = tokens->len;
  UpiContext *context;

  while (length < tokens->len)
    length *= 2;
  length = MIN (length, positions);
  context = upi_worker_context (worker, (UpiPlanKey){ UPI_PLAN_TEXT, length, 0, 0 }, error);
  if (!context)
    return FALSE;
  ids = g_new0 (gint32, length);
  memcpy (ids, tokens->data, tokens->len * sizeof (gint32));
  upi_context_bind (context, upi_plan_find (context->plan, "ids"), ids);
  upi_context_bind (context, upi_plan_find (context->plan, "length"), &count);
  upi_context_bind (context, upi_plan_find (context->plan, "embedding"), embedding);
  return upi_worker_infer (worker, context, error);
}

/* names → embeddings, from *next on, at most *turn new ones. FALSE after an error, or where some are left. */
static gboolean
encode_names (UpiWorker *worker, gchar **names, guint n, gfloat *embeddings, guint *next, guint *turn, GError **error)
{
  UpiEngine *engine = worker->engine;
  guint width = engine->info.width;

  for (; *next < n; (*next)++) {
    gfloat *embedding = embeddings + (gsize) *next * width;

    if (upi_text_cache_get (&engine->cache, names[*next], embedding)) {
      g_atomic_pointer_add (&engine->queue->counters.text_hits, 1);
      continue;
    }
    if (*turn == 0 || !encode_text (worker, names[*next], embedding, error))
      return FALSE;
    g_atomic_pointer_add (&engine->queue->counters.text_misses, 1);
    upi_text_cache_put (&engine->cache, names[*next], embedding);
    (*turn)--;
  }
  return TRUE;
}

/* All of its own evidence, a part of the nearest own label's that falls to nothing at a cosine of `near`: labels stay any words. */
static void
share_evidence (UpiLabels *labels, const UpiConfig *config, const gfloat *own, guint n_own)
{
  gfloat near = config->evidence.near;

  labels->shares = g_new0 (UpiShare, labels->n);
  for (guint i = 0; i < labels->n; i++) {
    gfloat best = -INFINITY;

    for (guint k = 0; k < n_own; k++) {
      gfloat cosine = upi_dot (labels->embeddings + (gsize) i * labels->width, own + (gsize) k * labels->width, labels->width);

      if (cosine > best) {
        best = cosine;
        labels->shares[i].own = k;
      }
    }
    labels->shares[i].part = CLAMP ((best - near) / (1 - near), 0, 1);
  }
}

/* The embeddings of the model's own labels, made by whichever list of labels comes first. FALSE after an error, or where some are left. */
static gboolean
encode_own_labels (UpiWorker *worker, UpiTicket *ticket, guint *turn, GError **error)
{
  UpiEngine *engine = worker->engine;
  guint n = g_strv_length (engine->config->labels);

  if (g_atomic_pointer_get (&engine->own_labels))
    return TRUE;
  if (!ticket->own_labels)
    ticket->own_labels = g_new (gfloat, (gsize) n * engine->info.width);
  if (!encode_names (worker, engine->config->labels, n, ticket->own_labels, &ticket->next_own_label, turn, error))
    return FALSE;
  if (g_atomic_pointer_compare_and_exchange (&engine->own_labels, NULL, ticket->own_labels))
    ticket->own_labels = NULL;
  return TRUE;
}

gboolean
upi_labels_run (UpiWorker *worker, UpiTicket *ticket, GError **error)
{
  UpiEngine *engine = worker->engine;
  UpiLabels *labels = ticket->pending;
  GError *cause = NULL;
  guint turn = STRINGS_A_TURN;
  gboolean done;

  done = encode_names (worker, labels->names, labels->n, labels->embeddings, &ticket->next_label, &turn, &cause)
      && (!engine->config->has_evidence || encode_own_labels (worker, ticket, &turn, &cause));
  if (cause) {
    g_propagate_error (error, cause);
    return TRUE;
  }
  if (!done)
    return FALSE;
  if (engine->config->has_evidence)
    share_evidence (labels, engine->config, g_atomic_pointer_get (&engine->own_labels), g_strv_length (engine->config->labels));
  ticket->labels = g_steal_pointer (&ticket->pending);
  return TRUE;
}
