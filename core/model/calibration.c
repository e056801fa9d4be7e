/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics of the training set's unit embeddings, for scores of sentences that stand alone: of images and of regions a mean ē (not
 * normalised) and a covariance C, so that z = (x·y − ē·y) / √(yᵀ C y) is comparable between sentences y.
 */
#include "core/model/parts.h"

#include "core/upi.h"

static const gchar *const parts[] = { "image", "regions" };

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
        g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: %s[%d, %d] is %g, expected a variance, which is not below zero", directory,
            name, k, k, (gdouble) variance);
        return FALSE;
      }
    }
  }
  return TRUE;
}
