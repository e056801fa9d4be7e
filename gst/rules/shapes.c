/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shapes.c: points, polygons and segments; see shapes.h. */
#include "gst/rules/shapes.h"

/* Coordinates come from floats: what lies on an edge but for their rounding lies on it. */
#define ROUNDING 1e-7

gdouble
rules_side (RulePoint a, RulePoint b, RulePoint point)
{
  gdouble side = (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x);

  return ABS (side) <= ROUNDING ? 0 : side;
}

/* Of a @point on the line through both. */
static gboolean
is_between (RulePoint a, RulePoint b, RulePoint point)
{
  return point.x >= MIN (a.x, b.x) - ROUNDING && point.x <= MAX (a.x, b.x) + ROUNDING
      && point.y >= MIN (a.y, b.y) - ROUNDING && point.y <= MAX (a.y, b.y) + ROUNDING;
}

gboolean
rules_polygon_contains (const GArray *points, RulePoint point)
{
  gboolean inside = FALSE;

  for (guint i = 0, j = points->len - 1; i < points->len; j = i++) {
    RulePoint a = g_array_index (points, RulePoint, i), b = g_array_index (points, RulePoint, j);
    if (rules_side (a, b, point) == 0 && is_between (a, b, point))
      return TRUE;
    /* a ray to the right; an edge owns its upper end only, so that a corner counts once */
    if ((a.y > point.y) != (b.y > point.y) && point.x < a.x + (point.y - a.y) * (b.x - a.x) / (b.y - a.y))
      inside = !inside;
  }
  return inside;
}

gboolean
rules_segments_meet (RulePoint a, RulePoint b, RulePoint c, RulePoint d)
{
  gdouble c_side = rules_side (a, b, c), d_side = rules_side (a, b, d), a_side = rules_side (c, d, a),
          b_side = rules_side (c, d, b);

  if ((c_side == 0 && is_between (a, b, c)) || (d_side == 0 && is_between (a, b, d))
      || (a_side == 0 && is_between (c, d, a)) || (b_side == 0 && is_between (c, d, b)))
    return TRUE;
  return c_side * d_side < 0 && a_side * b_side < 0;
}
