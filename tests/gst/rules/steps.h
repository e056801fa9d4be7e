/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.h: rules that see objects step by step, and the events that come of it. */
#pragma once

#include "gst/rules/shapes.h"
#include "gst/rules/state.h"

/* A frame: when, in milliseconds, and its objects, "7@0.5,0.5" with the track's number and where it stands; "0@" has no
 * track, "7p@" was predicted, "7@0.5,0.5:0.3" has that score instead of 0.9, "7@0.5,0.5=car" that label instead of
 * person. Then the events, "1 new enter 7 n1 +1-0", apart by "; ": number, type, what, track, objects counted,
 * totals. */
typedef struct {
  guint time_ms;
  const gchar *objects;
  const gchar *events;
} Step;

extern const gchar *const event_types[]; /* as the steps name them */

RulesState *state_of (const gchar *text);

gchar *describe (RulesState *state, const GArray *events);

void parse_object (const gchar *text, RulesObject *object);

const GArray *take (RulesState *state, const Step *step, const gfloat *phrases);

void run_steps (RulesState *state, const Step *steps, guint n);

void run_rules (const gchar *rules, const Step *steps, guint n);
#define RUN(rules, steps) run_rules (rules, steps, G_N_ELEMENTS (steps))

#define SQUARE "\"type\": \"zone\", \"polygon\": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]"
#define ONE(rule) "{\"rules\": {\"r\": {" rule "}}}"
