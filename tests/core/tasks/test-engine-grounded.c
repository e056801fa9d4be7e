/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Grounded captions of small random models: options, what a model without the table does, candidates that hold against
 * captions decoded one by one, ranking, and regions of words. Word for word against the reference: test-golden-nano. */
#include "tests/core/engine-fixture.h"

#include "core/tasks/caption-candidates.h"
#include "tests/tiny-config.h"

#include <math.h>
#include <string.h>

#define RANKING(more) "\"ranking\": { \"candidates\": 6, \"sharpness\": 2" more " }"
static gchar *
write_model_with (const gchar *ranking, const gchar *determiner)
{
  g_autofree gchar *caption = g_strdup_printf (UPI_TINY_GROUNDING ("%s", "%s", "e"), ranking, determiner);
  g_auto (GStrv) parts = g_strsplit (UPI_TINY_MOBILENET_CONFIG, "\"max_tokens\": 12", 2);
  g_autofree gchar *config = g_strconcat (parts[0], caption, parts[1], NULL);
  g_autoptr (GError) error = NULL;
  gchar *directory = g_dir_make_tmp ("upi-engine-XXXXXX", &error);

  g_assert_no_error (error);
  upi_model_write_random (directory, config, 11, &error);
  g_assert_no_error (error);
  return directory;
}

static gchar *
write_model (const gchar *ranking)
{
  return write_model_with (ranking, "a");
}

static UpiEngine *
open_model (const gchar *model)
{
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 1 };
  g_autoptr (GError) error = NULL;
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);

  g_assert_no_error (error);
  return engine;
}

static UpiCaption *
caption (
    UpiEngine *engine, UpiEncoding *encoding, UpiCaptionOptions options, UpiPartialFunc partial, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiTicket) ticket = NULL;

  options.size = sizeof options;
  ticket = upi_engine_caption (engine, encoding, &options, partial, NULL, user_data, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  return upi_ticket_get_caption (ticket);
}

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
  g_autoptr (UpiCaption) plain = caption (engine, encoding, (UpiCaptionOptions){ 0 }, NULL, NULL);
  g_autoptr (UpiCaption) grounded =
      caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = 4 }, NULL, NULL);

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
  gchar *model = write_model (RANKING (""));
  g_autoptr (UpiEngine) engine = open_model (model);
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
  gchar *model = write_model (RANKING (", \"steering\": 0, \"encoded\": 0"));
  g_autoptr (UpiEngine) engine = open_model (model);

  for (guint seed = 0; seed < 6; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (GPtrArray) heard = g_ptr_array_new_with_free_func (g_free),
                          heard_plain = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (UpiCaption) plain = caption (engine, encoding, (UpiCaptionOptions){ 0 }, keep_partial, heard_plain);
    g_autoptr (UpiCaption) one =
        caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = 1 }, NULL, NULL);
    g_autoptr (UpiCaption) many =
        caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, keep_partial, heard);
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
  gchar *model = write_model (ranking);
  g_autoptr (UpiEngine) engine = open_model (model);
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  guint n_other = 0;

  for (guint seed = 0; seed < 6; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (UpiCaption) few =
        caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = 3 }, NULL, NULL);
    g_autoptr (UpiCaption) many =
        caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = n_many }, NULL, NULL);
    g_autoptr (UpiCaption) again =
        caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE, .candidates = n_many }, NULL, NULL);

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

/* The best score of a class, as detection has it. */
static UpiObject
best_of (const UpiDetections *detections, guint label)
{
  for (guint i = 0; i < detections->n_objects; i++)
    if (detections->objects[i].label == label)
      return detections->objects[i];
  g_assert_not_reached ();
}

/* Of a picture that the network sees turned. */
static UpiEncoding *
turned_encoding (UpiEngine *engine, guint seed, UpiOrientation orientation)
{
  guint8 pixels[48 * 32 * 3];
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = 48,
    .height = 32,
    .planes = { pixels },
    .strides = { 48 * 3 },
    .orientation = orientation };

  for (guint i = 0; i < sizeof pixels; i++)
    pixels[i] = (i * (seed + 1) + i / 144 * 7 * seed) % 251;
  return fixture_take_encoding (upi_engine_encode (engine, &image, 64, 64, 0, NULL, NULL, NULL));
}

/* Scores add up as the table says; words name the regions that detection finds for the model's own labels, class
 * evidence counted, and where they lie on the picture as it is. */
static void
test_ranking (void)
{
  gchar *model = write_model (RANKING (", \"encoded\": 3, \"retrieval\": 7, \"regions\": 3, \"floor\": 0.4"));
  g_autoptr (UpiEngine) engine = open_model (model);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,person");
  guint n_words = 0, n_encoded = 0;

  for (guint seed = 0; seed < 8; seed++) {
    g_autoptr (UpiEncoding) encoding = turned_encoding (engine, seed, (UpiOrientation) seed);
    const UpiDetectOptions all = {
      .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
    };
    g_autoptr (UpiDetections) detections = upi_engine_detect (engine, encoding, labels, &all, NULL);
    g_autoptr (UpiCaption) said = caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
    g_autofree gfloat *spe = g_new (gfloat, upi_engine_info (engine)->width);

    g_assert_true (upi_engine_embed (engine, encoding, spe, NULL));
    for (guint i = 0; i < said->n_texts; i++) {
      const UpiCaptionText *text = &said->texts[i];
      gdouble score = text->likelihood + 3 * text->support;

      g_test_message ("%s: %g", text->text, text->score);
      g_assert_cmpfloat (text->likelihood, <, 0);
      g_assert_cmpfloat (text->support, <=, 0);
      if (i > 0 && isnan (text->cosine) == isnan (text[-1].cosine))
        g_assert_cmpfloat (text->score, <=, text[-1].score);
      if (said->n_texts > 1)
        g_assert_true (isnan (text->cosine) == (i >= 3));
      if (!isnan (text->cosine)) {
        score += 7 * text->cosine;
        n_encoded++;
      }
      g_assert_cmpfloat_with_epsilon (text->score, score, 1e-9);
      for (guint w = 0; w < text->n_words; w++, n_words++) {
        const UpiCaptionWord *word = &text->words[w];

        g_assert_cmpuint (word->first + word->bytes, <=, strlen (text->text));
        g_assert_cmpuint (word->bytes, >, 0);
        for (guint k = 0; k < word->n_objects; k++) {
          UpiObject expected = best_of (detections, word->objects[k].label);

          g_assert_cmpfloat_with_epsilon (word->objects[k].score, expected.score, 1e-6);
          if (word->objects[k].region == expected.region) {
            g_assert_cmpfloat (word->objects[k].x, ==, expected.x);
            g_assert_cmpfloat (word->objects[k].y, ==, expected.y);
            g_assert_cmpfloat (word->objects[k].width, ==, expected.width);
            g_assert_cmpfloat (word->objects[k].height, ==, expected.height);
          }
          g_assert_null (word->objects[k].mask);
        }
      }
    }
  }
  g_assert_cmpuint (n_words, >, 0);
  g_assert_cmpuint (n_encoded, >, 0);
  fixture_remove_model (model);
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
  gchar *model = write_model (RANKING (""));
  g_autoptr (UpiEngine) engine = open_model (model);
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
  gchar *model = write_model (RANKING (""));
  g_autoptr (UpiEngine) engine = open_model (model);
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
  gchar *model = write_model (RANKING (""));
  g_autoptr (UpiEngine) engine = open_model (model);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (UpiCaption) whole = caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
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
    after = caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
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
  gchar *model = write_model_with (RANKING (""), "xyz");
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
  g_test_add_func ("/grounded/ranking", test_ranking);
  g_test_add_func ("/grounded/cancel", test_cancel);
  g_test_add_func ("/grounded/failures", test_failures);
  g_test_add_func ("/grounded/memory", test_memory);
  g_test_add_func ("/grounded/bad-table", test_bad_table);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
