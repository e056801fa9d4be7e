/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zones.c: see zones.h. */
#include "gst/json/zones.h"

gboolean
gst_upi_zone_contains (const GstUpiRule *rule, const GstUpiObject *object)
{
  gfloat x = object->x + object->width / 2, y = object->y + object->height;
  gboolean inside = FALSE;

  if (rule->kind != GST_UPI_RULE_ZONE)
    return FALSE;
  for (guint i = 0, j = rule->n_points - 1; i < rule->n_points; j = i++) { /* a ray to the right crosses its sides how often */
    const GstUpiPoint *a = &rule->points[i], *b = &rule->points[j];
    if ((a->y > y) != (b->y > y) && x < a->x + (b->x - a->x) * (y - a->y) / (b->y - a->y))
      inside = !inside;
  }
  return inside;
}
