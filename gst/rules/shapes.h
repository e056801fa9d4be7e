/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shapes.h: points, polygons and segments in the plane of the frame, y downwards. */
#pragma once

#include "gst/rules/rules.h"

G_BEGIN_DECLS

/* Whether @point is within the closed polygon (by the even-odd rule, where it crosses itself) or on one of its
 * edges. */
gboolean rules_polygon_contains (const GArray *points, RulePoint point);
/* Above 0: @point is to the right hand of one who walks from @a to @b; below: to the left; 0: on the line through
 * both. */
gdouble rules_side (RulePoint a, RulePoint b, RulePoint point);
/* Whether the closed segments have a point in common. */
gboolean rules_segments_meet (RulePoint a, RulePoint b, RulePoint c, RulePoint d);

G_END_DECLS
