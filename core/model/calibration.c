/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of the training set's unit embeddings, for scores of sentences that stand alone: of images and of regions
 * a mean ē (not normalised) and a covariance C, so that z = (x·y − ē·y) / √(yᵀ C y) is comparable between sentences y,
 * and p = sigmoid (scale · z + offset) (models/reference/calibration.py). ē·y and σ(y) belong to the sentence.
 * A sentence that is one of the model's own labels is judged by what the regions saw of it.
 */
#include "core/model/model-private.h"
#include "core/upi.h"

#include <math.h>

#define LEAST_VARIANCE 1e-12 /* as in the reference */

static const gchar *const parts[UPI_N_SPREADS] = { "image", "regions" };

void
upi_calibration_tensors (GArray *specs, const UpiConfig *c)
{
  for (guint i = 0; c->has_calibration && i < G_N_ELEMENTS (parts); i++) {
    upi_tensor (specs, UPI_F32, UPI_SHAPE1 (c->decoder.width), "calibration.%s.mean", parts[i]);
    upi_tensor (specs, UPI_F32, UPI_SHAPE2 (c->decoder.width, c->decoder.width), "calibration.%s.covariance", parts[i]);
  }
}

/* A variance below zero is no covariance's, and its root no number. */
gboolean
upi_calibration_check (const UpiWeights *weights, const UpiConfig *c, const gchar *directory, GError **error)
{
  for (guint i = 0; c->has_calibration && i < G_N_ELEMENTS (parts); i++) {
    g_autofree gchar *name = g_strdup_printf ("calibration.%s.covariance", parts[i]);
    const gfloat *covariance = upi_weights_get (weights, name)->data; /* [D,D] */
    for (gint k = 0; k < c->decoder.width; k++) {
      gfloat variance = covariance[(gsize) k * c->decoder.width + k];
      if (variance < 0) {
        g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
            "%s: %s[%d, %d] is %g, expected a variance, which is not below zero", directory, name, k, k,
            (gdouble) variance);
        return FALSE;
      }
    }
  }
  return TRUE;
}

static const gfloat *
numbers (const UpiModel *model, UpiSpread spread, const gchar *of)
{
  g_autofree gchar *name = g_strdup_printf ("calibration.%s.%s", parts[spread], of);

  return upi_weights_get (model->weights, name)->data;
}

/* Columns that are summed at a time. */
#define COLUMNS 64

UpiStanding
upi_model_standing (const UpiModel *model, UpiSpread spread, const gfloat *sentence)
{
  gint width = model->config->decoder.width;
  const gfloat *mean = numbers (model, spread, "mean"),
               *covariance = numbers (model, spread, "covariance"); /* [D], [D,D] */
  gdouble along = 0, variance = 0;

  for (gint k = 0; k < width; k++)
    along += (gdouble) mean[k] * sentence[k];
  for (gint first = 0; first < width; first += COLUMNS) {
    gfloat sums[COLUMNS] = { 0 }; /* of yᵀ C */
    gint columns = MIN (COLUMNS, width - first);

    for (gint row = 0; row < width; row++)
      for (gint k = 0; k < columns; k++)
        sums[k] += sentence[row] * covariance[(gsize) row * width + first + k];
    for (gint k = 0; k < columns; k++)
      variance += (gdouble) sums[k] * sentence[first + k];
  }
  return (UpiStanding){ (gfloat) along, (gfloat) sqrt (MAX (variance, LEAST_VARIANCE)) };
}

gfloat
upi_sighting (const UpiSighting *of, gfloat score)
{
  return of->offset + of->weight * logf (score + of->floor);
}

gfloat
upi_model_probability (const UpiModel *model, UpiSpread spread, UpiStanding standing, UpiMatch match)
{
  const UpiConfig *c = model->config;
  const UpiCalibration *of = spread == UPI_SPREAD_IMAGE ? &c->calibration.image : &c->calibration.regions;
  gfloat z = (match.cosine - standing.mean) / standing.deviation;
  gfloat odds = of->scale * z + of->offset;

  if (of->has_seen)
    odds = (1 - match.part) * odds + match.part * upi_sighting (&of->seen, match.score);
  return 1 / (1 + expf (-odds));
}
