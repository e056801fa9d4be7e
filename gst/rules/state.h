/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.h: what rules remember of a stream, and the events that a frame makes of it.
 *
 * An object counts by the middle of its box's lower edge. Rules follow it by its track id; without one it is only
 * counted. A box that was predicted keeps its object from being lost and makes no event: where the object is, the next
 * observed box tells. An object that was seen once with enough score and size stays what it is as long as it is
 * known. */
#pragma once

#include "gst/rules/rules.h"

G_BEGIN_DECLS

/* The values of GstUpiEventType. */
typedef enum { RULES_EVENT_NEW, RULES_EVENT_UPDATE, RULES_EVENT_END } RulesEventType;

/**
 * RulesObject:
 * @track: 0: none
 * @x, @y, @width, @height: box in 0..1 of the frame
 * @predicted: nobody saw it in this frame
 * @age: for how long its track is known, nanoseconds
 * @begin_x, @begin_y: where the middle of its lower edge was when that began; both 0: nobody knows
 */
typedef struct {
  guint64 track;
  const gchar *label;
  gdouble score;
  gdouble x, y, width, height;
  gboolean predicted;
  guint64 age;
  gdouble begin_x, begin_y;
} RulesObject;

/**
 * RulesFrame:
 * @time: nanoseconds, never less than the frame's before
 * @aspect: display width by height; 0: 1
 * @phrases: (nullable): a probability for each phrase among the rules, in their order; NaN: not known now
 */
typedef struct {
  guint64 time;
  gdouble aspect;
  const RulesObject *objects;
  guint n_objects;
  const gfloat *phrases;
} RulesFrame;

/**
 * RulesEvent: see GstUpiEvent.
 * @rule, @what: the rules' and static
 * @label: of the state, until it takes the next frame
 * @object: its box; its label is @label
 */
typedef struct {
  guint64 id;
  RulesEventType type;
  const Rule *rule;
  const gchar *what;
  RulesObject object;
  guint count;
  guint64 total_in, total_out;
  guint64 time, since;
} RulesEvent;

/**
 * RulesView: how a rule stands.
 * @score: of a phrase; below 0: not known
 */
typedef struct {
  const Rule *rule;
  gboolean active;
  guint count;
  guint64 total_in, total_out;
  gdouble score;
} RulesView;

typedef struct _RulesState RulesState;

RulesState *rules_state_new (Rules *rules);
void rules_state_free (RulesState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RulesState, rules_state_free)
Rules *rules_state_rules (RulesState *state);

/* Each returns what happened, (transfer none) (element-type RulesEvent), until the next call. */
const GArray *rules_state_take_frame (RulesState *state, const RulesFrame *frame);
/* The stream ends here, or jumps: what goes on ends with "stop", at the last frame's time; all is forgotten but the
 * events' numbers. */
const GArray *rules_state_stop (RulesState *state);
/* Other rules: those that say the same as before go on, the others' events end with "stop". */
const GArray *rules_state_replace (RulesState *state, Rules *rules);

/* @index: of a rule. */
void rules_state_view (RulesState *state, guint index, RulesView *view);

G_END_DECLS
