/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vectors of regions, and sentences that stand alone: how probably each is true of a frame or of its regions, whatever
 * else is in the list.
 * Numbers follow NETWORK.md, "calibration", from the model's own tensors; test-golden holds them to the reference's. */
#include "tests/core/engine-fixture.h"
#include "tests/tiny-config.h"

#include "core/engine/engine-private.h"
#include "core/tasks/labels.h"
#include "core/model/model-private.h"

#include <math.h>
#include <string.h>

#define WIDTH 48 /* D */

static const UpiClassifyOptions independent = { .size = sizeof (UpiClassifyOptions), .scores = UPI_SCORES_INDEPENDENT };

static gchar *model_path, *seeing_path;

/* The small model with the tensors and numbers of a calibration. */
static UpiEngine *
calibrated_engine (const gchar *id)
{
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .device = "cpu", .instance_id = id, .threads = 2 };
  GError *error = NULL;
  UpiEngine *engine;

  if (model_path == NULL)
    model_path = fixture_write_model ("\"format_version\": 1,",
        "\"format_version\": 2, \"calibration\": {"
        " \"image\": { \"scale\": 1.5, \"offset\": -0.5 },"
        " \"regions\": { \"scale\": 0.7, \"offset\": 0.25 } },");
  options.model = model_path;
  engine = upi_engine_open (&options, NULL, &error);
  g_assert_no_error (error);
  return engine;
}

/* Another small model, with class evidence for its labels cat, dog and person, whose classes answer to the regions. */
static UpiEngine *
seeing_engine (void)
{
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .device = "cpu", .threads = 2 };
  GError *error = NULL;
  UpiEngine *engine;

  if (seeing_path == NULL) {
    g_autoptr (GString) config = g_string_new (UPI_TINY_MOBILENET_CONFIG_WITH (UPI_TINY_CALIBRATION));

    g_assert_cmpuint (g_string_replace (config, "\"offset\": 1 }",
                          "\"offset\": 1, \"seen\": { \"weight\": 2, \"offset\": 1, \"floor\": 0.1 } }", 1),
        ==, 1);
    g_assert_cmpuint (g_string_replace (config, "\"classification\": { \"temperature\": 0.07",
                          "\"classification\": { \"temperature\": 0.07, "
                          "\"seen\": { \"weight\": 3, \"offset\": 0.25, \"floor\": 0.05 }",
                          1),
        ==, 1);
    seeing_path = g_dir_make_tmp ("upi-engine-XXXXXX", &error);
    g_assert_no_error (error);
    upi_model_write_random (seeing_path, config->str, 11, &error);
    g_assert_no_error (error);
  }
  options.model = seeing_path;
  engine = upi_engine_open (&options, NULL, &error);
  g_assert_no_error (error);
  return engine;
}

static gdouble
expected (UpiEngine *engine, const gchar *of, const gfloat *x, const gfloat *y, gdouble scale, gdouble offset)
{
  g_autofree gchar *mean_name = g_strdup_printf ("calibration.%s.mean", of);
  g_autofree gchar *covariance_name = g_strdup_printf ("calibration.%s.covariance", of);
  const gfloat *mean = upi_weights_get (engine->model->weights, mean_name)->data;
  const gfloat *covariance = upi_weights_get (engine->model->weights, covariance_name)->data;
  gdouble above = 0, variance = 0;

  for (guint i = 0; i < WIDTH; i++) {
    above += ((gdouble) x[i] - mean[i]) * y[i];
    for (guint k = 0; k < WIDTH; k++)
      variance += (gdouble) y[i] * covariance[i * WIDTH + k] * y[k];
  }
  return 1 / (1 + exp (-(scale * above / sqrt (variance) + offset)));
}

static void
test_whole_frame (void)
{
  g_autoptr (UpiEngine) engine = calibrated_engine (NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,a red car in the street,person");
  g_autoptr (UpiLabels) alone = fixture_labels (engine, "a red car in the street");
  gfloat probabilities[3], image[WIDTH], text[WIDTH], one;
  GError *error = NULL;

  g_assert_true (upi_engine_info (engine)->independent_scores);
  g_assert_true (upi_engine_embed (engine, encoding, image, NULL));
  upi_engine_classify_with_options (engine, encoding, labels, &independent, probabilities, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++) {
    g_assert_true (upi_labels_embedding (labels, i, text, WIDTH));
    g_assert_cmpfloat_with_epsilon (probabilities[i], expected (engine, "image", image, text, 1.5, -0.5), 1e-5);
  }
  upi_engine_classify_with_options (engine, encoding, alone, &independent, &one, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (one, ==, probabilities[1]);
}

static void
test_regions (void)
{
  g_autoptr (UpiEngine) engine = calibrated_engine (NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,a red car");
  const guint regions[] = { 9, 0, 4 }, beyond[] = { 0, 10 };
  gfloat probabilities[3][2], untouched[] = { 7, 7 };
  g_autoptr (GError) error = NULL;

  upi_engine_classify_regions (engine, encoding, labels, regions, 3, &probabilities[0][0], &error);
  g_assert_no_error (error);
  for (guint r = 0; r < 3; r++)
    for (guint i = 0; i < 2; i++)
      g_assert_cmpfloat_with_epsilon (probabilities[r][i],
          expected (engine, "regions", upi_encoding_part (encoding, UPI_PART_REGIONS) + regions[r] * WIDTH,
              labels->embeddings + i * WIDTH, 0.7, 0.25),
          1e-5);
  g_assert_true (upi_engine_classify_regions (engine, encoding, labels, NULL, 0, NULL, &error));
  g_assert_false (upi_engine_classify_regions (engine, encoding, labels, beyond, 2, untouched, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "region 10 was asked for, the encoding has 0 to 9"));
  g_assert_cmpfloat (untouched[0], ==, 7);
}

/* The best score of any region for each label, or of one region, as detection tells them. */
static void
detected_scores (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, guint of_region, gfloat *scores)
{
  const UpiDetectOptions every = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 1000, .all_pairs = TRUE
  };
  GError *error = NULL;
  g_autoptr (UpiDetections) found = upi_engine_detect (engine, encoding, labels, &every, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < labels->n; i++)
    scores[i] = 0;
  for (guint i = 0; i < found->n_objects; i++)
    if (of_region == G_MAXUINT || found->objects[i].region == of_region)
      scores[found->objects[i].label] = MAX (scores[found->objects[i].label], found->objects[i].score);
}

static gdouble
sighting (gdouble weight, gdouble offset, gdouble floor, gdouble score)
{
  return offset + weight * log (score + floor);
}

static gdouble
log_odds (gdouble p)
{
  return log (p / (1 - p));
}

/* Classes of a model that says so answer to what the regions saw of them, as far as they are its own labels: in a list,
 * each alone, and of a region. */
static void
test_seen (void)
{
  g_autoptr (UpiEngine) engine = seeing_engine ();
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,a b c d,person,dogs");
  const guint region = 4, n = 4;
  gfloat list[4], alone[4], of_region[4], best[4], there[4], image[WIDTH];
  gdouble logits[4], sum = 0;
  gboolean some_between = FALSE;
  GError *error = NULL;

  g_assert_true (upi_engine_embed (engine, encoding, image, NULL));
  detected_scores (engine, encoding, labels, G_MAXUINT, best);
  detected_scores (engine, encoding, labels, region, there);
  upi_engine_classify (engine, encoding, labels, list, &error);
  g_assert_no_error (error);
  upi_engine_classify_with_options (engine, encoding, labels, &independent, alone, &error);
  g_assert_no_error (error);
  upi_engine_classify_regions (engine, encoding, labels, &region, 1, of_region, &error);
  g_assert_no_error (error);

  g_assert_cmpfloat_with_epsilon (labels->shares[0].part, 1, 1e-6);
  for (guint i = 0; i < n; i++) {
    gdouble part = labels->shares[i].part, cosine = 0, odds;
    const gfloat *text = labels->embeddings + i * WIDTH;

    some_between |= part > 0 && part < 1;
    for (guint k = 0; k < WIDTH; k++)
      cosine += (gdouble) image[k] * text[k];
    sum += exp (logits[i] = cosine / 0.07 + part * sighting (3, 0.25, 0.05, best[i]));

    odds = (1 - part) * log_odds (expected (engine, "image", image, text, 1.5, -2))
        + part * sighting (1.25, 0.5, 0.03, best[i]);
    g_assert_cmpfloat_with_epsilon (alone[i], 1 / (1 + exp (-odds)), 1e-5);
    odds = (1 - part)
            * log_odds (expected (
                engine, "regions", upi_encoding_part (encoding, UPI_PART_REGIONS) + region * WIDTH, text, 0.5, 1))
        + part * sighting (2, 1, 0.1, there[i]);
    g_assert_cmpfloat_with_epsilon (of_region[i], 1 / (1 + exp (-odds)), 1e-5);
  }
  g_assert_true (some_between);
  for (guint i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (list[i], exp (logits[i]) / sum, 1e-5);
}

static gboolean
classify_as (
    UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, guint way, gfloat *probabilities, GError **error)
{
  const guint region = 4;

  if (way == 2)
    return upi_engine_classify_regions (engine, encoding, labels, &region, 1, probabilities, error);
  return upi_engine_classify_with_options (
      engine, encoding, labels, way == 1 ? &independent : NULL, probabilities, error);
}

/* Each allocation fails once, in a list, alone and of a region: an error, and afterwards all is as before. */
static void
test_seen_memory (void)
{
  g_autoptr (UpiEngine) engine = seeing_engine ();
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,person");

  for (guint way = 0; way < 3; way++) {
    gfloat whole[2], again[2];
    guint n = 1;

    g_assert_true (classify_as (engine, encoding, labels, way, whole, NULL));
    for (;; n++) {
      g_autoptr (GError) error = NULL;
      gboolean ok;

      upi_testing_fail_allocation (n);
      ok = classify_as (engine, encoding, labels, way, again, &error);
      if (upi_testing_fail_allocation (0) > 0) { /* there were fewer */
        g_assert_true (ok);
        break;
      }
      g_assert_false (ok);
      g_assert_error (error, UPI_ERROR, UPI_ERROR_MEMORY);
    }
    g_assert_cmpuint (n, ==, 3); /* two, and the one that succeeded */
    g_assert_cmpmem (again, sizeof again, whole, sizeof whole);
  }
}

/* What belongs to a sentence is there with it, however it came: encoded in a batch with others, twice in a list, from
 * the cache. */
static void
test_every_way (void)
{
  g_autoptr (UpiEngine) engine = calibrated_engine ("every-way");
  g_autoptr (GString) list = g_string_new ("cat,dog,cat");
  g_autoptr (UpiLabels) several = NULL, again = NULL;

  for (guint i = 0; i < 100; i++) /* more than a batch, of several lengths */
    g_string_append_printf (
        list, ",%c %c%s", 'a' + (gchar) (i % 26), 'a' + (gchar) (i / 26), i % 3 ? "" : " in the street");
  several = fixture_labels (engine, list->str);
  again = fixture_labels (engine, "dog,cat");
  for (guint i = 0; i < several->n; i++)
    for (guint k = 0; k < UPI_N_SPREADS; k++) {
      UpiStanding standing = upi_model_standing (engine->model, k, several->embeddings + i * WIDTH);

      g_assert_cmpmem (&several->standings[i * UPI_N_SPREADS + k], sizeof standing, &standing, sizeof standing);
    }
  g_assert_cmpmem (again->standings, sizeof (UpiStanding) * UPI_N_SPREADS, several->standings + UPI_N_SPREADS,
      sizeof (UpiStanding) * UPI_N_SPREADS);
  g_assert_cmpmem (again->standings + UPI_N_SPREADS, sizeof (UpiStanding) * UPI_N_SPREADS, several->standings,
      sizeof (UpiStanding) * UPI_N_SPREADS);
}

static void
test_options (void)
{
  g_autoptr (UpiEngine) engine = calibrated_engine (NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog");
  const UpiClassifyOptions softmax = { .size = sizeof (UpiClassifyOptions) };
  const UpiClassifyOptions unknown = { .size = sizeof (UpiClassifyOptions), .scores = (UpiScores) 2 }, sizeless = { 0 };
  gfloat plain[2], chosen[2];
  g_autoptr (GError) error = NULL;

  g_assert_true (upi_engine_classify (engine, encoding, labels, plain, NULL));
  g_assert_cmpfloat_with_epsilon (plain[0] + plain[1], 1, 1e-5);
  g_assert_true (upi_engine_classify_with_options (engine, encoding, labels, &softmax, chosen, NULL));
  g_assert_cmpmem (chosen, sizeof chosen, plain, sizeof plain);
  g_assert_true (upi_engine_classify_with_options (engine, encoding, labels, NULL, chosen, NULL));
  g_assert_cmpmem (chosen, sizeof chosen, plain, sizeof plain);

  g_assert_false (upi_engine_classify_with_options (engine, encoding, labels, &unknown, chosen, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (
      strstr (error->message, "UpiClassifyOptions.scores is 2, expected UPI_SCORES_SOFTMAX or UPI_SCORES_INDEPENDENT"));
  g_clear_error (&error);
  g_assert_false (upi_engine_classify_with_options (engine, encoding, labels, &sizeless, chosen, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "sizeof (UpiClassifyOptions)"));
}

/* Only a model that was calibrated has them: the error says which was not, and what to do. */
static void
test_not_calibrated (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog");
  const guint region = 0;
  gfloat probabilities[2];
  g_autoptr (GError) frame = NULL, regions = NULL;

  g_assert_false (upi_engine_info (engine)->independent_scores);
  g_assert_false (upi_engine_classify_with_options (engine, encoding, labels, &independent, probabilities, &frame));
  g_assert_false (upi_engine_classify_regions (engine, encoding, labels, &region, 1, probabilities, &regions));
  g_assert_error (frame, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_error (regions, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_cmpstr (frame->message, ==, regions->message);
  g_assert_nonnull (strstr (frame->message, fixture_model ()));
  g_assert_nonnull (strstr (frame->message, "no \"calibration\""));
  g_assert_nonnull (strstr (frame->message, "softmax"));
}

/* Labels of another model have nothing to say here. */
static void
test_other_model (void)
{
  g_autoptr (UpiEngine) engine = calibrated_engine (NULL), other = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiLabels) labels = fixture_labels (other, "cat");
  const guint region = 0;
  gfloat probability;
  g_autoptr (GError) error = NULL;

  g_assert_false (upi_engine_classify_with_options (engine, encoding, labels, &independent, &probability, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (upi_engine_classify_regions (engine, encoding, labels, &region, 1, &probability, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
}

/* Of every region there are two vectors of length 1: what it is, as wide as the decoder, and what its halves look like,
 * each as wide as the backbone's first map; beyond the last there is none. */
static void
test_vectors (void)
{
  static const struct {
    const gfloat *(*get) (const UpiEncoding *encoding, guint region, guint *width);
    UpiPart part;
    guint width;
  } vectors[] = { { upi_encoding_region, UPI_PART_REGIONS, 48 }, { upi_encoding_looks, UPI_PART_LOOKS, 2 * 24 } };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  const guint n = encoding->layout->n_regions;

  g_assert_cmpuint (n, ==, 10);
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++) {
    guint width = 0;

    for (guint region = 0; region < n; region++) {
      const gfloat *vector = vectors[i].get (encoding, region, &width);

      g_assert_nonnull (vector);
      g_assert_cmpuint (width, ==, vectors[i].width);
      g_assert_true (vector == upi_encoding_part (encoding, vectors[i].part) + region * width);
      gdouble square = 0;
      for (guint k = 0; k < width; k++)
        square += vector[k] * vector[k];
      g_assert_cmpfloat_with_epsilon (square, 1, 1e-4);
    }
    g_assert_null (vectors[i].get (encoding, n, &width));
    g_assert_null (vectors[i].get (encoding, G_MAXUINT, &width));
    g_assert_cmpuint (width, ==, vectors[i].width);
  }
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/classify/whole-frame", test_whole_frame);
  g_test_add_func ("/engine/classify/regions", test_regions);
  g_test_add_func ("/engine/classify/seen", test_seen);
  g_test_add_func ("/engine/classify/seen-memory", test_seen_memory);
  g_test_add_func ("/engine/classify/every-way", test_every_way);
  g_test_add_func ("/engine/classify/options", test_options);
  g_test_add_func ("/engine/classify/not-calibrated", test_not_calibrated);
  g_test_add_func ("/engine/classify/other-model", test_other_model);
  g_test_add_func ("/engine/vectors", test_vectors);
  result = g_test_run ();
  g_clear_pointer (&model_path, fixture_remove_model);
  g_clear_pointer (&seeing_path, fixture_remove_model);
  fixture_clear ();
  return result;
}
