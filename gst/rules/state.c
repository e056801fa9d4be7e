/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.c: frames in, events out; see state.h. */
#include "gst/rules/state-private.h"

#include <math.h>

#include "gst/rules/shapes.h"

#define LONGEST_WAIT (1500 * G_GUINT64_CONSTANT (1000000)) /* for a number: upitrack gives it within a second */

guint64
rules_nanoseconds (gdouble seconds)
{
  return (guint64) llround (seconds * 1e9);
}

RulePoint
rules_foot (const RulesObject *object)
{
  return (RulePoint){ object->x + object->width / 2, object->y + object->height };
}

gboolean
rules_fits (const Rule *rule, const RulesObject *object)
{
  /* both come from floats: 0.6f is to be 0.6 */
  return object->score >= rule->min_score - 1e-6
      && object->width * object->height >= rule->min_area - 1e-6 * rule->min_area;
}

static gboolean
has_label (const Rule *rule, const RulesObject *object)
{
  return rule->labels == NULL
      || (object->label != NULL && g_strv_contains ((const gchar *const *) rule->labels, object->label));
}

void
rules_emit (RulesState *state, RuleState *of, guint64 id, RulesEventType type, const gchar *what,
    const RulesObject *object, const gchar *label, guint64 since)
{
  RulesEvent event = { .id = id,
    .type = type,
    .rule = of->rule,
    .what = what,
    .count = of->count,
    .total_in = of->total_in,
    .total_out = of->total_out,
    .time = state->time,
    .since = since };

  if (object != NULL)
    event.object = *object;
  event.object.label = g_strdup (label != NULL ? label : "");
  g_ptr_array_add (state->labels, (gpointer) event.object.label);
  g_array_append_val (state->events, event);
}

guint64
rules_emit_new (RulesState *state, RuleState *of, guint64 *quiet_until, const gchar *what, const RulesObject *object,
    const gchar *label, guint64 since)
{
  if (state->time < *quiet_until)
    return 0;
  *quiet_until = of->rule->cooldown > 0 ? state->time + rules_nanoseconds (of->rule->cooldown) : 0;
  rules_emit (state, of, state->next_id, RULES_EVENT_NEW, what, object, label, since);
  return state->next_id++;
}

static void
track_free (gpointer data)
{
  RulesTrack *track = data;

  g_free (track->label);
  g_free (track);
}

static void
rule_state_free (gpointer data)
{
  RuleState *of = data;

  g_ptr_array_unref (of->tracks);
  g_free (of);
}

static RuleState *
rule_state_new (const Rule *rule)
{
  RuleState *of = g_new0 (RuleState, 1);

  of->rule = rule;
  of->tracks = g_ptr_array_new_with_free_func (track_free);
  of->score = -1;
  return of;
}

RulesState *
rules_state_new (Rules *rules)
{
  RulesState *state = g_new0 (RulesState, 1);

  state->rules = rules_ref (rules);
  state->states = g_ptr_array_new_with_free_func (rule_state_free);
  state->events = g_array_new (FALSE, FALSE, sizeof (RulesEvent));
  state->labels = g_ptr_array_new_with_free_func (g_free);
  state->next_id = 1;
  state->lost_time = rules_nanoseconds (rules->lost_time);
  for (guint i = 0; i < rules->rules->len; i++)
    g_ptr_array_add (state->states, rule_state_new (rules->rules->pdata[i]));
  return state;
}

void
rules_state_free (RulesState *state)
{
  g_ptr_array_unref (state->states);
  g_array_unref (state->events);
  g_ptr_array_unref (state->labels);
  g_clear_pointer (&state->dropped, rules_unref);
  rules_unref (state->rules);
  g_free (state);
}

Rules *
rules_state_rules (RulesState *state)
{
  return state->rules;
}

static void
forget_events (RulesState *state)
{
  g_array_set_size (state->events, 0);
  g_ptr_array_set_size (state->labels, 0);
}

static RulesTrack *
find_track (RuleState *of, guint64 id)
{
  for (guint i = 0; i < of->tracks->len; i++) {
    RulesTrack *track = of->tracks->pdata[i];
    if (track->track == id)
      return track;
  }
  return NULL;
}

static void
take_track (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object, gboolean is_first)
{
  if (of->rule->kind == RULE_ZONE)
    rules_zone_take (state, of, track, object, is_first);
  else
    rules_line_take (state, of, track, object, is_first);
}

/* An object is not given its number as soon as it is there: whoever got one just now came from where it was first seen,
 * and may have crossed a line or left a zone on the way. Returns: whether it is the first time still */
static gboolean
take_beginning (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object)
{
  RulesObject begin = *object;

  if (object->age == 0 || object->age > LONGEST_WAIT
      || (object->begin_x == 0 && object->begin_y == 0)) /* another's track */
    return TRUE;
  begin.x = object->begin_x - object->width / 2;
  begin.y = object->begin_y - object->height;
  if (of->rule->kind == RULE_ZONE && rules_polygon_contains (of->rule->points, rules_foot (&begin))
      && rules_polygon_contains (of->rule->points, rules_foot (object)))
    return TRUE; /* it appeared in it, and is where it is now */
  take_track (state, of, track, &begin, TRUE);
  track->last = begin;
  return FALSE;
}

static void
follow (RulesState *state, RuleState *of, const RulesObject *object)
{
  RulesTrack *track = find_track (of, object->track);
  gboolean is_first = track == NULL;

  if (is_first && object->predicted)
    return;
  if (is_first) {
    track = g_new0 (RulesTrack, 1);
    track->track = object->track;
    g_ptr_array_add (of->tracks, track);
  } else if (track->serial
      == state->serial) { /* two objects of one frame with the same id: the better one came first */
    return;
  }
  track->serial = state->serial;
  track->seen = state->time;
  if (object->predicted)
    return;
  if (g_strcmp0 (track->label, object->label) != 0) {
    g_free (track->label);
    track->label = g_strdup (object->label);
  }
  gboolean starts = !track->fits; /* of a line what lay before counts for nothing */
  track->fits |= rules_fits (of->rule, object);
  if (is_first && track->fits)
    starts = is_first = take_beginning (state, of, track, object);
  if (track->fits)
    take_track (state, of, track, object, of->rule->kind == RULE_ZONE ? is_first : starts);
  track->last = *object;
  track->last.label = NULL;
}

static void
lose_tracks (RulesState *state, RuleState *of)
{
  guint n_left = 0;

  for (guint i = 0; i < of->tracks->len; i++) {
    RulesTrack *track = of->tracks->pdata[i];
    if (state->time - track->seen > state->lost_time) {
      rules_zone_lose (state, of, track, "vanish");
      track_free (track);
    } else {
      of->tracks->pdata[n_left++] = track;
    }
  }
  g_ptr_array_set_free_func (of->tracks, NULL); /* those behind have gone, or are further in front */
  g_ptr_array_set_size (of->tracks, (gint) n_left);
  g_ptr_array_set_free_func (of->tracks, track_free);
}

/* @describes_count: while it holds, another count is an update once it has held for min_time as well. */
static void
take_level (
    RulesState *state, RuleState *of, RulesLevel *level, gboolean holds, const gchar *what, gboolean describes_count)
{
  const guint64 min_time = rules_nanoseconds (of->rule->min_time);
  RulesObject object = { .score = MAX (of->score, 0) };

  if (!holds) {
    if (level->id != 0)
      rules_emit (state, of, level->id, RULES_EVENT_END, what, &object, NULL, level->since);
    level->id = 0;
    level->holds = FALSE;
    return;
  }
  if (!level->holds) {
    level->holds = TRUE;
    level->since = state->time;
  }
  if (level->seen != of->count) {
    level->seen = of->count;
    level->seen_since = state->time;
  }
  if (level->id == 0 && state->time - level->since >= min_time) {
    level->id = rules_emit_new (state, of, &level->quiet_until, what, &object, NULL, level->since);
    level->count = of->count;
  } else if (level->id != 0 && describes_count && level->count != of->count
      && state->time - level->seen_since >= min_time) {
    rules_emit (state, of, level->id, RULES_EVENT_UPDATE, what, &object, NULL, level->since);
    level->count = of->count;
  }
}

/* What ends comes before what begins. */
static void
take_counts (RulesState *state, RuleState *of)
{
  gboolean above = of->rule->above >= 0 && of->count > of->rule->above,
           below = of->rule->below >= 0 && of->count < of->rule->below;

  if (!below)
    take_level (state, of, &of->below, FALSE, "below", TRUE);
  take_level (state, of, &of->above, above, "above", TRUE);
  if (below)
    take_level (state, of, &of->below, TRUE, "below", TRUE);
}

static void
take_objects (RulesState *state, RuleState *of, const RulesFrame *frame)
{
  gboolean counts_all = of->rule->kind == RULE_COUNT;

  of->crossed = FALSE;
  if (counts_all)
    of->count = 0;
  for (guint i = 0; i < frame->n_objects; i++) {
    const RulesObject *object = &frame->objects[i];
    if (!has_label (of->rule, object))
      continue;
    if (counts_all)
      of->count += rules_fits (of->rule, object);
    else if (object->track != 0)
      follow (state, of, object);
  }
  lose_tracks (state, of);
  take_counts (state, of);
}

static void
take_phrase (RulesState *state, RuleState *of, gfloat probability)
{
  if (isnan (probability)) /* as before */
    return;
  of->score = probability;
  take_level (state, of, &of->phrase, probability >= (gfloat) of->rule->threshold, "phrase", FALSE);
}

const GArray *
rules_state_take_frame (RulesState *state, const RulesFrame *frame)
{
  guint n_phrases = 0;

  forget_events (state);
  state->time = MAX (state->time, frame->time);
  state->aspect = frame->aspect > 0 ? frame->aspect : 1;
  state->serial++;
  for (guint i = 0; i < state->states->len; i++) {
    RuleState *of = state->states->pdata[i];
    if (of->rule->kind != RULE_PHRASE) {
      take_objects (state, of, frame);
    } else {
      take_phrase (state, of, frame->phrases != NULL ? frame->phrases[n_phrases] : NAN);
      n_phrases++;
    }
  }
  return state->events;
}

static void
stop_level (RulesState *state, RuleState *of, RulesLevel *level)
{
  RulesObject object = { .score = MAX (of->score, 0) };

  if (level->id != 0)
    rules_emit (state, of, level->id, RULES_EVENT_END, "stop", &object, NULL, level->since);
}

static void
stop_rule (RulesState *state, RuleState *of)
{
  for (guint i = 0; i < of->tracks->len; i++) {
    RulesTrack *track = of->tracks->pdata[i];
    if (track->id != 0)
      rules_emit (state, of, track->id, RULES_EVENT_END, "stop", &track->last, track->label, track->since);
  }
  stop_level (state, of, &of->above);
  stop_level (state, of, &of->below);
  stop_level (state, of, &of->phrase);
}

const GArray *
rules_state_stop (RulesState *state)
{
  forget_events (state);
  for (guint i = 0; i < state->states->len; i++) {
    RuleState *of = state->states->pdata[i];
    stop_rule (state, of);
    state->states->pdata[i] = rule_state_new (of->rule);
    rule_state_free (of);
  }
  state->time = 0;
  return state->events;
}

/* (transfer full) (nullable): the state of a rule that says the same, out of @states */
static RuleState *
take_equal (GPtrArray *states, const Rule *rule)
{
  for (guint i = 0; i < states->len; i++) {
    RuleState *of = states->pdata[i];
    if (rule_equal (of->rule, rule))
      return g_ptr_array_steal_index (states, i);
  }
  return NULL;
}

const GArray *
rules_state_replace (RulesState *state, Rules *rules)
{
  g_autoptr (GPtrArray) before = state->states;

  forget_events (state);
  state->states = g_ptr_array_new_with_free_func (rule_state_free);
  for (guint i = 0; i < rules->rules->len; i++) {
    const Rule *rule = rules->rules->pdata[i];
    RuleState *of = take_equal (before, rule);
    if (of != NULL)
      of->rule = rule;
    g_ptr_array_add (state->states, of != NULL ? of : rule_state_new (rule));
  }
  for (guint i = 0; i < before->len; i++)
    stop_rule (state, before->pdata[i]);
  g_clear_pointer (&state->dropped, rules_unref);
  state->dropped = state->rules;
  state->rules = rules_ref (rules);
  state->lost_time = rules_nanoseconds (rules->lost_time);
  return state->events;
}

static gboolean
is_active (const RuleState *of)
{
  if (of->crossed || of->above.id != 0 || of->below.id != 0 || of->phrase.id != 0)
    return TRUE;
  for (guint i = 0; i < of->tracks->len; i++)
    if (((const RulesTrack *) of->tracks->pdata[i])->id != 0)
      return TRUE;
  return FALSE;
}

void
rules_state_view (RulesState *state, guint index, RulesView *view)
{
  const RuleState *of = state->states->pdata[index];

  *view = (RulesView){ .rule = of->rule,
    .active = is_active (of),
    .count = of->count,
    .total_in = of->total_in,
    .total_out = of->total_out,
    .score = of->score };
}
