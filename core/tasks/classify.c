/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classification, in the caller's thread: the frame's <SPE> against labels by softmax, it or a region's vector against
 * sentences that stand alone. Where the model says so, both answer to the regions. Arithmetic:
 * models/reference/NETWORK.md, "task heads" and "calibration". */
#include "core/tasks/detect.h"
#include "core/tasks/embed.h"
#include "core/tasks/labels.h"
#include "core/memory.h"

#include <math.h>

/* Of a label with a frame or a region x [D]. `seen` [n]: what regions score for each; NULL where they have no say. */
static UpiMatch
match (const UpiLabels *labels, guint label, const gfloat *x, const UpiSeen *seen)
{
  UpiMatch result = { upi_dot (x, labels->embeddings + (gsize) label * labels->width, labels->width), 0, 0 };

  if (seen != NULL) {
    result.score = seen[label].score;
    result.part = labels->shares[label].part;
  }
  return result;
}

static void
softmax (
    const UpiLabels *labels, const UpiConfig *config, const gfloat *spe, const UpiSeen *seen, gfloat *probabilities)
{
  gfloat max = -INFINITY;
  gdouble sum = 0;

  for (guint i = 0; i < labels->n; i++) {
    UpiMatch of = match (labels, i, spe, seen);

    probabilities[i] = of.cosine / config->tasks.classification.temperature;
    if (seen != NULL)
      probabilities[i] += of.part * upi_sighting (&config->tasks.classification.seen, of.score);
    max = MAX (max, probabilities[i]);
  }
  for (guint i = 0; i < labels->n; i++)
    sum += probabilities[i] = expf (probabilities[i] - max);
  for (guint i = 0; i < labels->n; i++)
    probabilities[i] /= sum;
}

static void
independent (const UpiEngine *engine, UpiSpread spread, const UpiLabels *labels, const gfloat *x, const UpiSeen *seen,
    gfloat *probabilities)
{
  for (guint i = 0; i < labels->n; i++)
    probabilities[i] = upi_model_probability (
        engine->model, spread, labels->standings[(gsize) i * UPI_N_SPREADS + spread], match (labels, i, x, seen));
}

static gboolean
is_calibrated (const UpiEngine *engine, GError **error)
{
  if (!engine->config->has_calibration)
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "the model %s has no independent scores: its config.json has no \"calibration\"; ask for softmax over several "
        "labels, or take a "
        "model"
        " that models.training.calibrate has been run for",
        engine->path);
  return engine->config->has_calibration;
}

gboolean
upi_engine_classify (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, gfloat *probabilities, GError **error)
{
  return upi_engine_classify_with_options (engine, encoding, labels, NULL, probabilities, error);
}

gboolean
upi_engine_classify_with_options (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels,
    const UpiClassifyOptions *asked, gfloat *probabilities, GError **error)
{
  UpiClassifyOptions options = { 0 };
  const UpiConfig *config = engine->config;
  g_autofree UpiSeen *seen = NULL;
  gboolean alone, has_seen;

  if ((asked != NULL
          && !upi_sized_read (&options, sizeof options, asked, UPI_SIZED_FIRST (UpiClassifyOptions, reserved),
              "UpiClassifyOptions", error))
      || !upi_engine_owns (engine, encoding, labels, error))
    return FALSE;
  if (options.scores != UPI_SCORES_SOFTMAX && options.scores != UPI_SCORES_INDEPENDENT) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "UpiClassifyOptions.scores is %d, expected UPI_SCORES_SOFTMAX or UPI_SCORES_INDEPENDENT",
        (gint) options.scores);
    return FALSE;
  }
  alone = options.scores == UPI_SCORES_INDEPENDENT;
  has_seen = alone ? config->calibration.image.has_seen : config->tasks.classification.has_seen;
  if (alone && !is_calibrated (engine, error))
    return FALSE;
  if (has_seen
      && ((seen = UPI_MEMORY_NEW (UpiSeen, labels->n, "the best regions of labels", error)) == NULL
          || !upi_best_regions (encoding, labels, seen, error)))
    return FALSE;
  if (alone)
    independent (engine, UPI_SPREAD_IMAGE, labels, upi_encoding_part (encoding, UPI_PART_SPE), seen, probabilities);
  else
    softmax (labels, config, upi_encoding_part (encoding, UPI_PART_SPE), seen, probabilities);
  return TRUE;
}

gboolean
upi_engine_classify_regions (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, const guint *regions,
    guint n_regions, gfloat *probabilities, GError **error)
{
  g_autofree gfloat *scores = NULL;
  g_autofree UpiSeen *seen = NULL;

  if (!upi_engine_owns (engine, encoding, labels, error) || !is_calibrated (engine, error))
    return FALSE;
  for (guint i = 0; i < n_regions; i++)
    if (regions[i] >= encoding->layout->n_regions) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "region %u was asked for, the encoding has 0 to %u",
          regions[i], encoding->layout->n_regions - 1);
      return FALSE;
    }
  if (engine->config->calibration.regions.has_seen
      && ((scores = UPI_MEMORY_NEW (gfloat, labels->n, "scores of labels", error)) == NULL
          || (seen = UPI_MEMORY_NEW (UpiSeen, labels->n, "the scores of a region", error)) == NULL))
    return FALSE;
  for (guint i = 0; i < n_regions; i++) {
    if (seen != NULL)
      upi_region_scores (encoding, engine->config, labels, regions[i], scores);
    for (guint k = 0; seen != NULL && k < labels->n; k++)
      seen[k] = (UpiSeen){ scores[k], regions[i] };
    independent (engine, UPI_SPREAD_REGIONS, labels,
        upi_encoding_part (encoding, UPI_PART_REGIONS) + (gsize) regions[i] * labels->width, seen,
        probabilities + (gsize) i * labels->n);
  }
  return TRUE;
}
