/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which objects are the same thing: within a label, between two of the model's own labels, and never where a user's own
 * words are one of the two. */
#include "tests/core/engine-fixture.h"

#include "core/tasks/suppress.h"

#include <math.h>

/* Own labels of the small model in two spellings, and words that it does not have. */
#define LABELS "cat,dog,a red cat,CAT,person"
enum { CAT, DOG, RED_CAT, CAPITAL_CAT, PERSON };

static UpiObject
object (guint label, gfloat score, gfloat x, gfloat width)
{
  return (UpiObject){ .label = label, .score = score, .x = x, .y = 0.1f, .width = width, .height = 0.5f };
}

static void
expect (const UpiObject *objects, guint n, const gfloat *scores, guint n_scores)
{
  g_assert_cmpuint (n, ==, n_scores);
  for (guint i = 0; i < n; i++)
    g_assert_cmpfloat (objects[i].score, ==, scores[i]);
}

/* Boxes of the width 0.4 that are shifted by a tenth of it overlap by 0.9 / 1.1. */
static void
test_pairs (void)
{
  static const struct {
    guint first, second;
    gfloat shift, same, cross;
    gboolean hidden;
  } pairs[] = {
    { CAT, CAT, 0.04f, 0.6f, 0, TRUE },            /* 0.82 */
    { CAT, CAT, 0.04f, 0.9f, 0.5f, FALSE },        /* the limit between labels is none within one */
    { CAT, CAT, 0, 1, 0.8f, FALSE },               /* 1: none, equal boxes too */
    { CAT, DOG, 0.04f, 0.6f, 0.8f, TRUE },         /* the van is one thing */
    { CAT, DOG, 0.04f, 0.6f, 0.85f, FALSE },       /* less overlap than that */
    { CAT, DOG, 0.08f, 0.6f, 0.8f, FALSE },        /* 0.67 */
    { CAT, DOG, 0, 0.6f, 1, FALSE },               /* off */
    { CAT, DOG, 0, 0.6f, 0, FALSE },               /* as an older caller leaves it */
    { CAPITAL_CAT, DOG, 0.04f, 0.6f, 0.8f, TRUE }, /* its case is nothing */
    { CAT, RED_CAT, 0, 0.6f, 0.8f, FALSE },        /* a red cat is a cat */
    { RED_CAT, DOG, 0, 0.6f, 0.8f, FALSE },        /* nobody knows */
    { CAT, CAPITAL_CAT, 0, 0.6f, 0.8f, FALSE },    /* asked for twice */
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, LABELS);

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    UpiDetectOptions options = { .size = sizeof (UpiDetectOptions),
      .iou_threshold = pairs[i].same,
      .cross_label_iou = pairs[i].cross,
      .max_objects = 10 };
    UpiObject objects[] = { object (pairs[i].first, 0.9f, 0.2f, 0.4f),
      object (pairs[i].second, 0.8f, 0.2f + pairs[i].shift, 0.4f) };
    guint kept = upi_suppress (objects, 2, labels, &options);

    g_test_message ("pair %u", i);
    g_assert_cmpuint (kept, ==, pairs[i].hidden ? 1 : 2);
    g_assert_cmpfloat (objects[0].score, ==, 0.9f);
  }
}

/* Only what stays hides: a chain of neighbours is not one thing. Candidates are counted on their own. */
static void
test_chains_and_counts (void)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .iou_threshold = 0.6f, .cross_label_iou = 0.8f, .max_objects = 2
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, LABELS);
  UpiObject chain[] = { object (CAT, 0.9f, 0.2f, 0.4f), object (CAT, 0.8f, 0.28f, 0.4f),
    object (CAT, 0.7f, 0.36f, 0.4f), object (CAT, 0.6f, 0.52f, 0.4f) };
  UpiObject mixed[] = { object (CAT, 0.9f, 0.2f, 0.4f), object (DOG, 0.5f, 0.2f, 0.4f), object (DOG, 0.4f, 0.21f, 0.4f),
    object (PERSON, 0.3f, 0.5f, 0.4f), object (DOG, 0.2f, 0.6f, 0.4f) };

  expect (chain, upi_suppress (chain, 4, labels, &options), (const gfloat[]){ 0.9f, 0.7f }, 2);
  mixed[2].flags = mixed[3].flags = mixed[4].flags = UPI_OBJECT_CANDIDATE;
  expect (mixed, upi_suppress (mixed, 5, labels, &options), (const gfloat[]){ 0.9f, 0.3f, 0.2f }, 3);
}

/* Through the engine: of all pairs of a region and a label, whose boxes are one, the best own label stays, and all
 * words that are none. */
static void
test_detect (void)
{
  UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, LABELS);
  g_autoptr (UpiDetections) all = upi_engine_detect (engine, encoding, labels, &options, NULL);
  g_autoptr (UpiDetections) kept = NULL;
  g_autoptr (GError) error = NULL;
  guint per_region[10] = { 0 }, own = 0, others = 0;

  g_assert_cmpuint (all->n_objects, ==, 50);
  options.cross_label_iou = 0.999f;
  kept = upi_engine_detect (engine, encoding, labels, &options, NULL);
  for (guint i = 0; i < kept->n_objects; i++) {
    const UpiObject *o = &kept->objects[i];

    others += o->label == RED_CAT;
    if (o->label == RED_CAT || o->label == CAPITAL_CAT)
      continue;
    own++;
    g_assert_cmpuint (per_region[o->region]++, ==, 0);
  }
  g_assert_cmpuint (others, ==, 10);
  g_assert_cmpuint (own, >, 0);
  for (guint i = 0; i < 2; i++) {
    options.cross_label_iou = i == 0 ? -0.5f : NAN;
    g_assert_null (upi_engine_detect (engine, encoding, labels, &options, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_clear_error (&error);
  }
}

/* Scores of all pairs, or with one each of the best, as [region][label]; those that are not there stay. */
static void
score (UpiEngine *engine, gboolean all_pairs, gfloat scores[10][5])
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .iou_threshold = 1, .max_objects = 1000, .all_pairs = all_pairs
  };
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, LABELS);
  g_autoptr (UpiDetections) detections = upi_engine_detect (engine, encoding, labels, &options, NULL);

  g_assert_cmpuint (detections->n_objects, ==, all_pairs ? 50 : 10);
  for (guint i = 0; i < detections->n_objects; i++)
    scores[detections->objects[i].region][detections->objects[i].label] = detections->objects[i].score;
}

/* Of all pairs the model's own labels that lie behind the best of them fall, by tasks.detection.rivalry; other words
 * stay, and so does what a region is where it is one thing. */
static void
test_rivalry (void)
{
  gchar *model = fixture_write_model ("\"foreground_weight\": 0.25", "\"foreground_weight\": 0.25, \"rivalry\": 0.5");
  const UpiEngineOptions engine_options = {
    .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 1
  };
  g_autoptr (UpiEngine) without = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEngine) with = upi_engine_open (&engine_options, NULL, NULL);
  gfloat alone[10][5], rivals[10][5], shown[2][10][5] = { 0 };
  guint lowered = 0;

  score (without, TRUE, alone);
  score (with, TRUE, rivals);
  for (guint region = 0; region < 10; region++) {
    gfloat best = 0;

    for (guint label = 0; label < 5; label++)
      if (label != RED_CAT)
        best = MAX (best, alone[region][label]);
    for (guint label = 0; label < 5; label++) {
      const gfloat fall = label == RED_CAT ? 1 : sqrtf (alone[region][label] / best);
      g_assert_cmpfloat_with_epsilon (rivals[region][label], alone[region][label] * fall, 1e-6);
      lowered += fall < 0.999f; /* the small model is sure of nothing */
    }
  }
  g_assert_cmpuint (lowered, >, 0);
  score (without, FALSE, shown[0]);
  score (with, FALSE, shown[1]);
  g_assert_cmpmem (shown[0], sizeof shown[0], shown[1], sizeof shown[1]);
  fixture_remove_model (model);
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/suppression/pairs", test_pairs);
  g_test_add_func ("/engine/suppression/chains-and-counts", test_chains_and_counts);
  g_test_add_func ("/engine/suppression/detect", test_detect);
  g_test_add_func ("/engine/suppression/rivalry", test_rivalry);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
