/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How grounded captions of small random models are ranked, and the regions of their words. */
#include "tests/core/tasks/grounded-fixture.h"

#include "core/tasks/caption-candidates.h"

#include <math.h>
#include <string.h>

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
  gchar *model = grounded_model (RANKING (
      ", \"encoded\": 3, \"retrieval\": 7, \"regions\": 3, \"coverage\": 0, \"agreement\": 0, \"floor\": 0.4"));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,person");
  guint n_words = 0, n_encoded = 0;

  for (guint seed = 0; seed < 8; seed++) {
    g_autoptr (UpiEncoding) encoding = turned_encoding (engine, seed, (UpiOrientation) seed);
    const UpiDetectOptions all = {
      .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
    };
    g_autoptr (UpiDetections) detections = upi_engine_detect (engine, encoding, labels, &all, NULL);
    g_autoptr (UpiCaption) said =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
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

/* What a text names of what is seen counts by how surely it is seen; below the config's threshold nothing is. */
static void
test_coverage (void)
{
  gchar *model = grounded_model (RANKING (", \"retrieval\": 0, \"regions\": 0, \"coverage\": 3, \"agreement\": 0"));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog,person");
  guint n_shares = 0, n_blind = 0;

  for (guint seed = 0; seed < 8; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    const UpiDetectOptions all = {
      .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
    };
    g_autoptr (UpiDetections) detections = upi_engine_detect (engine, encoding, labels, &all, NULL);
    g_autoptr (UpiCaption) said =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);
    gdouble scores[3], whole = 0;

    for (guint k = 0; k < 3; k++) {
      scores[k] = best_of (detections, k).score;
      scores[k] = scores[k] < 0.3 ? 0 : scores[k];
      whole += scores[k];
    }
    n_blind += whole == 0;
    for (guint i = 0; i < said->n_texts; i++) {
      const UpiCaptionText *text = &said->texts[i];
      gboolean named[3] = { FALSE };
      gdouble part = 0;

      for (guint w = 0; w < text->n_words; w++)
        for (guint k = 0; k < text->words[w].n_objects; k++)
          named[text->words[w].objects[k].label] = TRUE;
      for (guint k = 0; k < 3; k++)
        part += named[k] ? scores[k] : 0;
      n_shares += part > 0 && part < whole;
      g_assert_cmpfloat_with_epsilon (text->score, text->likelihood + (whole > 0 ? 3 * part / whole : 0), 1e-6);
    }
  }
  g_assert_cmpuint (n_shares, >, 0);
  g_test_message ("%u shares, %u images that show nothing", n_shares, n_blind);
  fixture_remove_model (model);
}

/* Numbers worked by hand: those of models/tests/test_grounding.py. */
static void
test_agreement (void)
{
  static const struct {
    gint32 ids[3];
    guint n;
    gdouble agreement;
  } known[] = { { { 1, 2, 3 }, 3, (0.8 + 0.25) / 4 }, { { 3, 1, 2 }, 3, (0.8 + 0.25) / 4 }, { { 2, 2 }, 2, 0.5 / 4 },
    { { 4 }, 1, 0 }, { { 0 }, 0, 0 } };
  const GArray *texts[G_N_ELEMENTS (known)];

  for (guint k = 0; k < G_N_ELEMENTS (known); k++) {
    GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint32));

    texts[k] = g_array_append_vals (ids, known[k].ids, known[k].n);
  }
  for (guint k = 0; k < G_N_ELEMENTS (known); k++)
    g_assert_cmpfloat_with_epsilon (
        upi_candidates_agreement (texts, G_N_ELEMENTS (known), k), known[k].agreement, 1e-12);
  g_assert_cmpfloat (upi_candidates_agreement (texts, 1, 0), ==, 0);
  for (guint k = 0; k < G_N_ELEMENTS (known); k++)
    g_array_unref ((GArray *) texts[k]);
}

/* It counts as its weight says, and nothing else does where the others weigh nothing. */
static void
test_agreement_counts (void)
{
  gchar *model = grounded_model (RANKING (", \"retrieval\": 0, \"regions\": 0, \"coverage\": 0, \"agreement\": 4"));
  g_autoptr (UpiEngine) engine = grounded_open (model);
  guint n_between = 0;

  for (guint seed = 0; seed < 8; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (UpiCaption) said =
        grounded_caption (engine, encoding, (UpiCaptionOptions){ .grounded = TRUE }, NULL, NULL);

    for (guint i = 0; i < said->n_texts; i++) {
      gdouble agreement = (said->texts[i].score - said->texts[i].likelihood) / 4;

      g_assert_cmpfloat (agreement, >=, 0);
      g_assert_cmpfloat (agreement, <=, 1);
      n_between += agreement > 0 && agreement < 1;
    }
  }
  g_assert_cmpuint (n_between, >, 0);
  fixture_remove_model (model);
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ranking/terms", test_ranking);
  g_test_add_func ("/ranking/coverage", test_coverage);
  g_test_add_func ("/ranking/agreement", test_agreement);
  g_test_add_func ("/ranking/agreement-counts", test_agreement_counts);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
