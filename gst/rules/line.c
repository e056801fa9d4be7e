/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.c: who crosses a line between its ends, and in which direction. Where it counts as across:
 *
 *   loose     on the other side, however near
 *   balanced  on the other side and clear of the line, by a tenth of its box: one who stands on the line and wavers
 *   does not cross it strict    clear of it on one side, then on the other, and the way from there to here is within
 *   45° of straight across
 */
#include "gst/rules/shapes.h"
#include "gst/rules/state-private.h"

#include <math.h>

#define CLEAR 0.1

/* How far @point is from the line, measured in @object's boxes: so far off, a person of 40 pixels is as clear of it as
 * one of 400 close by. */
static gboolean
is_clear (const Rule *rule, const RulesObject *object, RulePoint point)
{
  const gdouble w = MAX (object->width, 1e-6), h = MAX (object->height, 1e-6);
  RulePoint a = g_array_index (rule->points, RulePoint, 0), b = g_array_index (rule->points, RulePoint, 1);
  gdouble dx = (b.x - a.x) / w, dy = (b.y - a.y) / h;
  gdouble across = (dx * (point.y - a.y) / h - dy * (point.x - a.x) / w) / hypot (dx, dy);

  return ABS (across) >= CLEAR;
}

static gboolean
is_straight (const Rule *rule, RulePoint from, RulePoint to, gdouble aspect)
{
  RulePoint a = g_array_index (rule->points, RulePoint, 0), b = g_array_index (rule->points, RulePoint, 1);
  gdouble line_x = (b.x - a.x) * aspect, line_y = b.y - a.y, way_x = (to.x - from.x) * aspect, way_y = to.y - from.y;
  gdouble along = ABS (line_x * way_x + line_y * way_y), across = ABS (line_x * way_y - line_y * way_x);

  return along <= across * (1 + 1e-6);
}

static void
cross (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object)
{
  gboolean forward = track->pending > 0;

  track->pending = 0;
  if (of->rule->direction == (forward ? RULE_BACKWARD : RULE_FORWARD))
    return;
  if (forward)
    of->total_in++;
  else
    of->total_out++;
  of->crossed = TRUE;
  rules_emit_new (state, of, &of->quiet_until, forward ? "forward" : "backward", object, track->label, track->since);
}

/* It counts to the side that it is on from now. */
static void
change_side (RulesState *state, RuleState *of, RulesTrack *track, RulePoint point)
{
  gint before = track->side;
  gboolean across = before != 0 && track->through
      && (of->rule->mode != RULE_STRICT || is_straight (of->rule, track->clear, point, state->aspect));

  track->side = track->sign;
  if (track->pending != 0) /* it came back: nothing happened */
    track->pending = 0;
  else if (across) {
    track->pending = track->side;
    track->since = state->time;
  }
}

void
rules_line_take (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object, gboolean is_first)
{
  const Rule *rule = of->rule;
  RulePoint a = g_array_index (rule->points, RulePoint, 0), b = g_array_index (rule->points, RulePoint, 1),
            point = rules_foot (object);
  gdouble position = rules_side (a, b, point);
  gint sign = position > 0 ? 1 : position < 0 ? -1 : 0;

  if (!is_first && rules_segments_meet (a, b, rules_foot (&track->last), point))
    track->touching = TRUE;
  if (sign == 0) /* on the line: the side that it came from still holds */
    return;
  if (sign != track->sign)
    track->through = track->touching && track->sign != 0;
  track->sign = sign;
  track->touching = FALSE;

  gboolean clear = is_clear (rule, object, point);
  gboolean counts = rule->mode == RULE_LOOSE || clear || (rule->mode == RULE_BALANCED && track->side == 0);
  if (track->side != sign && counts)
    change_side (state, of, track, point);
  if (track->side == sign && clear)
    track->clear = point;
  if (track->pending == sign && state->time - track->since >= rules_nanoseconds (rule->min_time))
    cross (state, of, track, object);
}
