/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classification, in the caller's thread: the frame's <SPE> against labels by softmax, it or a region's vector against
 * sentences that stand alone. Arithmetic: models/reference/NETWORK.md, "task heads" and "calibration". */
#include "core/tasks/embed.h"
#include "core/tasks/labels.h"

#include <math.h>

static gfloat
cosine (const UpiLabels *labels, guint label, const gfloat *x)
{
  return upi_dot (x, labels->embeddings + (gsize) label * labels->width, labels->width);
}

static void
softmax (const UpiLabels *labels, const gfloat *spe, gfloat temperature, gfloat *probabilities)
{
  gfloat max = -INFINITY;
  gdouble sum = 0;

  for (guint i = 0; i < labels->n; i++) {
    probabilities[i] = cosine (labels, i, spe) / temperature;
    max = MAX (max, probabilities[i]);
  }
  for (guint i = 0; i < labels->n; i++)
    sum += probabilities[i] = expf (probabilities[i] - max);
  for (guint i = 0; i < labels->n; i++)
    probabilities[i] /= sum;
}

static void
independent (const UpiEngine *engine, UpiSpread spread, const UpiLabels *labels, const gfloat *x, gfloat *probabilities)
{
  for (guint i = 0; i < labels->n; i++)
    probabilities[i] = upi_model_probability (
        engine->model, spread, labels->standings[(gsize) i * UPI_N_SPREADS + spread], cosine (labels, i, x));
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
  const gfloat *spe;

  if ((asked != NULL
          && !upi_sized_read (&options, sizeof options, asked, UPI_SIZED_FIRST (UpiClassifyOptions, reserved),
              "UpiClassifyOptions", error))
      || !upi_engine_owns (engine, encoding, labels, error))
    return FALSE;
  spe = upi_encoding_part (encoding, UPI_PART_SPE);
  switch (options.scores) {
  case UPI_SCORES_SOFTMAX:
    softmax (labels, spe, engine->config->tasks.classification.temperature, probabilities);
    return TRUE;
  case UPI_SCORES_INDEPENDENT:
    if (!is_calibrated (engine, error))
      return FALSE;
    independent (engine, UPI_SPREAD_IMAGE, labels, spe, probabilities);
    return TRUE;
  default:
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "UpiClassifyOptions.scores is %d, expected UPI_SCORES_SOFTMAX or UPI_SCORES_INDEPENDENT",
        (gint) options.scores);
    return FALSE;
  }
}

gboolean
upi_engine_classify_regions (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, const guint *regions,
    guint n_regions, gfloat *probabilities, GError **error)
{
  if (!upi_engine_owns (engine, encoding, labels, error) || !is_calibrated (engine, error))
    return FALSE;
  for (guint i = 0; i < n_regions; i++)
    if (regions[i] >= encoding->layout->n_regions) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "region %u was asked for, the encoding has 0 to %u",
          regions[i], encoding->layout->n_regions - 1);
      return FALSE;
    }
  for (guint i = 0; i < n_regions; i++)
    independent (engine, UPI_SPREAD_REGIONS, labels,
        upi_encoding_part (encoding, UPI_PART_REGIONS) + (gsize) regions[i] * labels->width,
        probabilities + (gsize) i * labels->n);
  return TRUE;
}
