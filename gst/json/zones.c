/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zones.c: see zones.h. */
#include "gst/json/zones.h"

#include "gst/rules/shapes.h"

gboolean
gst_upi_zone_contains (const GstUpiRule *rule, const GstUpiObject *object)
{
  const RulePoint foot = { object->x + object->width / 2, object->y + object->height };

  if (rule->kind != GST_UPI_RULE_ZONE)
    return FALSE;
  g_autoptr (GArray) corners = g_array_sized_new (FALSE, FALSE, sizeof (RulePoint), rule->n_points);
  for (guint i = 0; i < rule->n_points; i++) {
    const RulePoint corner = { rule->points[i].x, rule->points[i].y };
    g_array_append_val (corners, corner);
  }
  return rules_polygon_contains (corners, foot);
}
