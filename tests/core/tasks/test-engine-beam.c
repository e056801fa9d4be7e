/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Beam search against an exhaustive one: every sequence of up to two tokens is scored, then the beam's rules are
 * applied to the table. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 3, LIMIT = 2 };

typedef struct {
  UpiEngine *engine;
  UpiContext *context;
  GPtrArray *buffers; /* the text caches */
  guint n;            /* candidates */
  const gint32 *ids;
} Scorer;

static void
bind (Scorer *s, const gchar *name, void *data)
{
  UpiValue value = upi_plan_find (s->context->plan, name);

  g_assert_cmpuint (value, !=, UPI_NO_VALUE);
  upi_context_bind (s->context, value, data);
}

static void
scorer_init (Scorer *s, UpiEngine *engine, UpiEncoding *encoding)
{
  UpiProgram *program = upi_model_caption_program (engine->model, encoding->layout->image_tokens, LIMIT + 1, NULL);
  UpiPlan *plan = upi_plan_new (engine->backend, program, 1, NULL);

  s->engine = engine;
  s->context = upi_context_new (plan, NULL);
  s->buffers = g_ptr_array_new_with_free_func (g_free);
  s->n = upi_model_vocabulary_size (engine->model);
  s->ids = upi_model_caption_token_ids (engine->model);
  for (guint i = 0; i < 4; i++) { /* keys and values of two layers */
    g_autofree gchar *text = g_strdup_printf (i % 2 ? "text_values.%u" : "text_keys.%u", i / 2);

    g_ptr_array_add (s->buffers, g_new0 (gfloat, (LIMIT + 1) * 48));
    bind (s, text, s->buffers->pdata[i]);
    bind (s, encoding->layout->names[UPI_PART_KEYS + i], (gpointer) upi_encoding_part (encoding, UPI_PART_KEYS + i));
  }
}

static void
scorer_clear (Scorer *s)
{
  UpiPlan *plan = s->context->plan;

  upi_context_free (s->context);
  upi_plan_free (plan);
  g_ptr_array_unref (s->buffers);
}

/* log P of every candidate after a token at a position. */
static gdouble *
log_probabilities (Scorer *s, gint32 id, gint32 position)
{
  g_autofree gfloat *scores = g_new (gfloat, s->n);
  gdouble *out = g_new (gdouble, s->n), sum = 0;
  gint32 length = position + 1;

  bind (s, "id", &id);
  bind (s, "position", &position);
  bind (s, "text_length", &length);
  bind (s, "scores", scores);
  g_assert_true (upi_context_run (s->context, NULL));
  for (guint i = 0; i < s->n; i++)
    sum += exp (scores[i]);
  for (guint i = 0; i < s->n; i++)
    out[i] = scores[i] - log (sum);
  return out;
}

typedef struct {
  guint parent, token;
  gdouble score;
} Row;

static gint
compare_rows (gconstpointer a, gconstpointer b)
{
  const Row *x = a, *y = b;

  return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

/* The caption that a beam of SIZE must find. */
static gchar *
expected_caption (Scorer *s, gdouble penalty)
{
  gint32 end = upi_tokenizer_end_id (s->engine->tokenizer), best[LIMIT];
  g_autofree gdouble *first = log_probabilities (s, upi_tokenizer_start_id (s->engine->tokenizer), 0);
  g_autoptr (GArray) one = g_array_new (FALSE, FALSE, sizeof (Row));
  g_autoptr (GArray) two = g_array_new (FALSE, FALSE, sizeof (Row));
  gdouble best_score = -INFINITY;
  guint best_length = 0, kept = 0;

  for (guint i = 0; i < s->n; i++)
    g_array_append_val (one, ((Row){ 0, i, first[i] }));
  g_array_sort (one, compare_rows);
  for (guint i = 0; kept < SIZE; i++) {
    const Row *row = &g_array_index (one, Row, i);
    g_autofree gdouble *second = NULL;

    if (s->ids[row->token] == end) {
      if (i < SIZE)
        best_score = row->score;
      continue;
    }
    kept++;
    second = log_probabilities (s, s->ids[row->token], 1);
    for (guint j = 0; j < s->n; j++)
      g_array_append_val (two, ((Row){ row->token, j, row->score + second[j] }));
  }
  g_array_sort (two, compare_rows);
  for (guint i = 0, living = 0; i < SIZE || living == 0; i++) {
    const Row *row = &g_array_index (two, Row, i);
    gboolean ends = s->ids[row->token] == end;

    if ((!ends && living++ > 0) || (ends && i >= SIZE))
      continue; /* of what the limit cuts off, the best alone competes */
    if (row->score / pow (2, penalty) > best_score) {
      best_score = row->score / pow (2, penalty);
      best[0] = s->ids[row->parent];
      best[1] = s->ids[row->token];
      best_length = ends ? 1 : 2;
    }
  }
  return upi_tokenizer_sentence (s->engine->tokenizer, best, best_length);
}

static void
test_beam (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  guint unlike_greedy = 0;

  for (guint seed = 0; seed < 12; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    Scorer scorer;

    scorer_init (&scorer, engine, encoding);
    for (guint p = 0; p < 3; p++) {
      const UpiCaptionOptions options = {
        .size = sizeof (UpiCaptionOptions), .max_tokens = LIMIT, .beam_size = SIZE, .length_penalty = 0.7f * p
      };
      const UpiCaptionOptions greedy = { .size = sizeof (UpiCaptionOptions), .max_tokens = LIMIT };
      g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, NULL);
      g_autoptr (UpiTicket) other = upi_engine_caption (engine, encoding, &greedy, NULL, NULL, NULL, NULL);
      g_autofree gchar *expected = expected_caption (&scorer, 0.7 * p);
      g_autofree gchar *found = NULL;
      g_autofree gchar *by_greedy = NULL;

      g_assert_true (upi_ticket_wait (ticket, NULL));
      g_assert_true (upi_ticket_wait (other, NULL));
      found = upi_ticket_get_text (ticket);
      by_greedy = upi_ticket_get_text (other);
      g_assert_cmpstr (found, ==, expected);
      unlike_greedy += strcmp (found, by_greedy) != 0;
    }
    scorer_clear (&scorer);
  }
  g_test_message ("%u of 36 captions differ from the greedy one", unlike_greedy);
}

/* A beam of full length: ends, is the same every time, and its hypotheses do not mix up their caches. */
static void
test_long_beam (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 2);
  g_autofree gchar *first = NULL;

  for (guint i = 0; i < 4; i++) {
    const UpiCaptionOptions options = { .size = sizeof (UpiCaptionOptions), .beam_size = 16, .length_penalty = 1 };
    g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, NULL);
    g_autofree gchar *text = NULL;

    g_assert_true (upi_ticket_wait (ticket, NULL));
    text = upi_ticket_get_text (ticket);
    g_assert_nonnull (text);
    if (first != NULL)
      g_assert_cmpstr (text, ==, first);
    else
      first = g_steal_pointer (&text);
  }
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/beam-equals-exhaustive", test_beam);
  g_test_add_func ("/engine/long-beam", test_long_beam);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
