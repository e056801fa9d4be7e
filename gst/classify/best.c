/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* best.c: see best.h. */
#include "gst/classify/best.h"

/* Not a number is nothing. */
static gfloat
value_of (gfloat probability)
{
  return probability > 0 ? probability : 0;
}

void
gst_upi_best_forget (GstUpiBest *best)
{
  best->label = GST_UPI_NO_LABEL;
  best->known = FALSE;
}

gboolean
gst_upi_best_take (GstUpiBest *best, const gfloat *probabilities, guint n, gboolean independent, gfloat hysteresis)
{
  guint leader = GST_UPI_NO_LABEL, label = best->known && best->label < n ? best->label : GST_UPI_NO_LABEL;

  for (guint i = 0; i < n; i++)
    if (leader == GST_UPI_NO_LABEL || value_of (probabilities[i]) > value_of (probabilities[leader]))
      leader = i;
  if (independent) {
    if (label != GST_UPI_NO_LABEL && value_of (probabilities[label]) < 0.5f - hysteresis / 2)
      label = GST_UPI_NO_LABEL;
    if (leader != GST_UPI_NO_LABEL && value_of (probabilities[leader]) < 0.5f + hysteresis / 2)
      leader = label;
  }
  if (label == GST_UPI_NO_LABEL
      || (leader != label && value_of (probabilities[leader]) - value_of (probabilities[label]) >= hysteresis))
    label = leader;
  gboolean changed = !best->known ? label != GST_UPI_NO_LABEL : label != best->label;
  best->known = best->known || changed;
  best->label = label;
  return changed;
}

guint
gst_upi_best_top (const gfloat *probabilities, guint n, guint *indices, guint n_top)
{
  guint found = 0;

  for (guint i = 0; i < n; i++) {
    guint at = MIN (found, n_top);
    while (at > 0 && value_of (probabilities[i]) > value_of (probabilities[indices[at - 1]]))
      at--;
    if (at == n_top)
      continue;
    for (guint j = MIN (found, n_top - 1); j > at; j--)
      indices[j] = indices[j - 1];
    indices[at] = i;
    found = MIN (found + 1, n_top);
  }
  return found;
}
