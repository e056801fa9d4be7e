/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zone.c: who enters a polygon, stays in it, leaves it. */
#include "gst/rules/shapes.h"
#include "gst/rules/state-private.h"

void
rules_zone_lose (RulesState *state, RuleState *of, RulesTrack *track, const gchar *what)
{
  if (track->counted) {
    of->count--;
    of->total_out++;
  }
  if (track->id != 0)
    rules_emit (state, of, track->id, RULES_EVENT_END, what, &track->last, track->label, track->since);
  track->id = 0;
  track->inside = track->counted = track->dwelled = track->appeared = FALSE;
}

void
rules_zone_take (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object, gboolean is_first)
{
  const Rule *rule = of->rule;

  if (!rules_polygon_contains (rule->points, rules_foot (object))) {
    rules_zone_lose (state, of, track, "leave");
    return;
  }
  if (!track->inside) {
    track->inside = TRUE;
    track->appeared = is_first;
    track->since = state->time;
  }
  guint64 stay = state->time - track->since;
  if (!track->counted && stay >= rules_nanoseconds (rule->min_time)) {
    track->counted = TRUE;
    of->count++;
    of->total_in++;
    track->id = rules_emit_new (
        state, of, &of->quiet_until, track->appeared ? "appear" : "enter", object, track->label, track->since);
  }
  if (track->counted && !track->dwelled && rule->dwell > 0 && stay >= rules_nanoseconds (rule->dwell)) {
    track->dwelled = TRUE;
    if (track->id != 0)
      rules_emit (state, of, track->id, RULES_EVENT_UPDATE, "dwell", object, track->label, track->since);
    else /* its entry was in another's cooldown */
      track->id = rules_emit_new (state, of, &of->quiet_until, "dwell", object, track->label, track->since);
  }
}
