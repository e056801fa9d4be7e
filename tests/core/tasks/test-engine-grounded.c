/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Grounded captions of small random models: options, what a model without the table does, candidates that hold against
 * captions decoded one by one. How they are ranked: test-engine-ranking. Word for word against the reference:
 * test-golden-nano. */
#include "tests/core/tasks/grounded-fixture.h"

#include "core/tasks/caption-candidates.h"

#include <math.h>
#include <string.h>

static void
test_uniform (void)
{
  g_assert_cmpfloat (upi_candidates_uniform (0, 0), ==, 0x1.c4415072f63b9p-1);
  g_assert_cmpfloat (upi_candidates_uniform (1, 0), ==, 0x1.1824f3e6187b0p-2);
  g_assert_cmpfloat (upi_candidates_uniform (1, 1), ==, 0x1.cfff029c3b334p-1);
  g_assert_cmpfloat (upi_candidates_uniform (7, 39), ==, 0x1.e520c97504a20p-5);
}

/* Captions as they were, asked for or not. */
static void
test_without_table (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiCaption) plain = grounded_caption (engine, encoding, (UpiCaptionOptions){ 0 }, NULL, NULL);
  g_autoptr (UpiCaption) grounded =
      grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = 4 }, NULL, NULL);

  g_assert_cmpuint (upi_engine_info (engine)->caption_candidates, ==, 0);
  g_assert_cmpstr (grounded->texts[0].text, ==, plain->texts[0].text);
  g_assert_false (grounded->grounded);
  g_assert_cmpuint (grounded->n_texts, ==, 1);
  g_assert_cmpuint (grounded->texts[0].n_words, ==, 0);
  g_assert_true (isnan (grounded->texts[0].likelihood));
}

static void
test_options (void)
{
  gchar *model = grounded_model (RANKING (""));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  static const struct {
    UpiCaptionOptions options;
    const gchar *says;
  } rows[] = {
    { { .size = sizeof (UpiCaptionOptions), .grounded = TRUE, .beam_size = 2 }, "a beam of 2" },
    { { .size = sizeof (UpiCaptionOptions), .grounded = TRUE, .candidates = 33 }, "33 candidates" },
  };

  g_assert_cmpuint (upi_engine_info (engine)->caption_candidates, ==, 6);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (upi_engine_caption (engine, encoding, &rows[i].options, NULL, NULL, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_assert_nonnull (strstr (error->message, rows[i].says));
  }
  /* A program that knows of no candidates has a shorter struct, and captions as they were. */
  {
    UpiCaptionOptions old = {
      .size = G_STRUCT_OFFSET (UpiCaptionOptions, grounded), .grounded = TRUE, .candidates = 99
    };
    g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, &old, NULL, NULL, NULL, NULL);
    g_autoptr (UpiCaption) said = NULL;

    g_assert_true (upi_ticket_wait (ticket, NULL));
    said = upi_ticket_get_caption (ticket);
    g_assert_false (said->grounded);
  }
  fixture_remove_model (model);
}

static void
keep_partial (const gchar *text, gpointer texts)
{
  g_ptr_array_add (texts, g_strdup (text));
}

/* Without steering candidate 0 is the greedy caption, in a batch or alone; what is heard on the way is its text. */
static void
test_greedy_first (void)
{
  gchar *model = grounded_model (RANKING (", \"steering\": 0, \"encoded\": 0"));
  g_autoptr (UpiEngine) engine = grounded_open (model);

  for (guint seed = 0; seed < 6; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (GPtrArray) heard = g_ptr_array_new_with_free_func (g_free),
                          heard_plain = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (UpiCaption) plain =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ 0 }, keep_partial, heard_plain);
    g_autoptr (UpiCaption) one =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = 1 }, NULL, NULL);
    g_autoptr (UpiCaption) many =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, keep_partial, heard);
    gboolean found = FALSE;

    g_assert_cmpuint (one->n_texts, ==, 1);
    g_assert_cmpstr (one->texts[0].text, ==, plain->texts[0].text);
    for (guint i = 0; i < many->n_texts; i++)
      found = found || g_str_equal (many->texts[i].text, plain->texts[0].text);
    g_assert_true (found);
    g_assert_cmpuint (heard->len, ==, heard_plain->len);
    for (guint i = 0; i < heard->len; i++)
      g_assert_cmpstr (heard->pdata[i], ==, heard_plain->pdata[i]);
  }
  fixture_remove_model (model);
}

/* More candidates add to the same ones, and the same image has the same captions. */
static void
hold_few_against_many (const gchar *ranking, guint n_many, gboolean some_end)
{
  gchar *model = grounded_model (ranking);
  g_autoptr (UpiEngine) engine = grounded_open (model);
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  guint n_other = 0;

  for (guint seed = 0; seed < 6; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (UpiCaption) few =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = 3 }, NULL, NULL);
    g_autoptr (UpiCaption) many =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = n_many }, NULL, NULL);
    g_autoptr (UpiCaption) again =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = n_many }, NULL, NULL);

    n_other += many->n_texts > few->n_texts;
    g_assert_cmpuint (many->n_texts, ==, again->n_texts);
    for (guint i = 0; i < many->n_texts; i++) {
      g_assert_cmpstr (many->texts[i].text, ==, again->texts[i].text);
      for (guint k = 0; k < i; k++)
        g_assert_cmpstr (many->texts[i].text, !=, many->texts[k].text);
    }
    for (guint i = 0, found = 0; i < few->n_texts; i++, found = 0) {
      for (guint k = 0; k < many->n_texts; k++)
        found += g_str_equal (few->texts[i].text, many->texts[k].text)
            && fabs (few->texts[i].likelihood - many->texts[k].likelihood) < 1e-4;
      g_assert_cmpuint (found, ==, 1);
    }
  }
  g_assert_cmpuint (n_other, >, 0);
  upi_engine_get_stats (engine, &stats);
  if (some_end)
    g_assert_cmpuint (stats.caption_tokens, <, 6 * 8 * (3 + 2 * n_many));
  fixture_remove_model (model);
}

static void
test_candidates (void)
{
  hold_few_against_many (RANKING (", \"encoded\": 0"), 9, FALSE);
}

/* Drawn nearly at random some end early, and leave the batch; the others go on as if they were alone. */
static void
test_ended (void)
{
  hold_few_against_many ("\"ranking\": { \"candidates\": 6, \"sharpness\": 100, \"encoded\": 0 }", 8, TRUE);
  hold_few_against_many ("\"ranking\": { \"candidates\": 6, \"sharpness\": 100, \"encoded\": 0 }", 30, TRUE);
}

/* Cancelled after its first token. */
static void
cancel_ticket (const gchar *text, gpointer ticket)
{
  upi_ticket_cancel (*(UpiTicket **) ticket);
}

static void
test_cancel (void)
{
  gchar *model = grounded_model (RANKING (""));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  const UpiCaptionOptions options = { .size = sizeof (UpiCaptionOptions), .grounded = TRUE };
  g_autoptr (UpiTicket) ticket = NULL;

  upi_engine_hold (engine); /* the callback finds the ticket */
  ticket = upi_engine_caption (engine, encoding, &options, cancel_ticket, NULL, &ticket, NULL);
  upi_engine_release (engine);
  fixture_expect (ticket, UPI_ERROR_CANCELLED);
  g_assert_null (upi_ticket_get_caption (ticket));
  fixture_remove_model (model);
}

/* Wherever an inference fails (labels, tokens, texts that are ranked), the caption fails, and the next one is as if
 * nothing had been. */
static void
test_failures (void)
{
  gchar *model = grounded_model (RANKING (""));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  const UpiCaptionOptions options = { .size = sizeof (UpiCaptionOptions), .grounded = TRUE };
  gboolean ok = FALSE;
  guint n = 0;

  while (!ok) {
    g_autoptr (UpiTicket) ticket = NULL;
    g_autoptr (GError) error = NULL;

    upi_engine_fail_inference (engine, ++n);
    ticket = upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, NULL);
    ok = upi_ticket_wait (ticket, &error);
    if (!ok)
      g_assert_error (error, UPI_ERROR, UPI_ERROR_FAILED);
  }
  g_assert_cmpuint (n, >, 4); /* labels, two tokens, texts, and the one that succeeded */
  fixture_remove_model (model);
}

/* Each allocation of a caption fails once, the plans that it needs at hand: an error that says what the memory was for,
 * and the next caption is as if nothing had been. (From the start of an engine: test-engine-memory.) */
static void
test_memory (void)
{
  static const gchar *const purposes[] = { "the best regions", "scores of labels", "logits of candidates",
    "scores of candidates", "texts of candidates", "tokens of candidates" };
  gchar *model = grounded_model (RANKING (""));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (UpiCaption) whole =
      grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
  const UpiCaptionOptions options = { .size = sizeof (UpiCaptionOptions), .grounded = TRUE };
  g_autoptr (GString) said = g_string_new (NULL);

  for (guint n = 1;; n++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (UpiTicket) ticket = NULL;
    g_autoptr (UpiCaption) after = NULL;
    gboolean ok;

    upi_testing_fail_allocation (n);
    ticket = upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, &error);
    ok = ticket != NULL && upi_ticket_wait (ticket, &error);
    if (upi_testing_fail_allocation (0) > 0) { /* there were fewer */
      g_assert_no_error (error);
      break;
    }
    g_assert_false (ok);
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MEMORY);
    g_string_append_printf (said, "%s\n", error->message);
    after = grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
    g_assert_cmpuint (after->n_texts, ==, whole->n_texts);
    g_assert_cmpstr (after->texts[0].text, ==, whole->texts[0].text);
  }
  for (guint i = 0; i < G_N_ELEMENTS (purposes); i++)
    if (strstr (said->str, purposes[i]) == NULL)
      g_error ("nothing was said of %s in: %s", purposes[i], said->str);
  fixture_remove_model (model);
}

/* A table that the model's tokens do not fit is an error when the engine opens. */
static void
test_bad_table (void)
{
  gchar *model = grounded_model_with (RANKING (""), "xyz");
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 1 };
  g_autoptr (GError) error = NULL;

  g_assert_null (upi_engine_open (&options, NULL, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (
      strstr (error->message, "config.json: caption.grounding.determiners has \"xyz\", which is 3 tokens"));
  fixture_remove_model (model);
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/grounded/uniform", test_uniform);
  g_test_add_func ("/grounded/without-table", test_without_table);
  g_test_add_func ("/grounded/options", test_options);
  g_test_add_func ("/grounded/greedy-first", test_greedy_first);
  g_test_add_func ("/grounded/candidates", test_candidates);
  g_test_add_func ("/grounded/ended", test_ended);
  g_test_add_func ("/grounded/cancel", test_cancel);
  g_test_add_func ("/grounded/failures", test_failures);
  g_test_add_func ("/grounded/memory", test_memory);
  g_test_add_func ("/grounded/bad-table", test_bad_table);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
