/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state-private.h: what the kinds of rules share. */
#pragma once

#include "gst/rules/state.h"

G_BEGIN_DECLS

/**
 * RulesTrack: an object that a zone or a line follows.
 * @serial: of the frame that it was last in
 * @last: as it was last observed, without its label
 * @label: its own
 * @id: of its event; 0: it has none
 * @fits: it had the score and the size
 * @since: when it came in; when it crossed
 *
 * Of a zone:
 * @inside: by its last observation
 * @counted: it has been inside for min_time
 * @appeared: it was first seen inside
 * @dwelled: for dwell
 *
 * Of a line:
 * @sign: the side that it was last seen on, -1 or 1; 0: on the line only
 * @side: the side that it counts to; 0: none yet
 * @through: it came to @sign between the line's ends, not around them
 * @touching: since it was last on a side it met the line between its ends
 * @pending: it crossed to that side, and may come back within min_time; 0: it did not
 * @clear: where it was last clear of the line on @side
 */
typedef struct {
  guint64 track;
  guint64 seen, serial;
  RulesObject last;
  gchar *label;
  guint64 id;
  gboolean fits;
  guint64 since;

  gboolean inside, counted, appeared, dwelled;

  gint sign, side;
  gboolean through, touching;
  gint pending;
  RulePoint clear;
} RulesTrack;

/* What holds or does not: more than so many, a sentence. */
typedef struct {
  gboolean holds;
  guint64 since;
  guint64 id;
  guint64 quiet_until;
  guint count; /* that its last event told */
  guint seen;  /* of the frame before */
  guint64 seen_since;
} RulesLevel;

typedef struct {
  const Rule *rule;
  GPtrArray *tracks;   /* RulesTrack, in the order in which they were first seen */
  guint64 quiet_until; /* of single objects' events */
  gboolean crossed;    /* in this frame */
  guint count;
  guint64 total_in, total_out;
  gdouble score;
  RulesLevel above, below, phrase;
} RuleState;

struct _RulesState {
  Rules *rules;
  Rules *dropped;    /* nullable: those before, whose rules the last events may be of */
  GPtrArray *states; /* RuleState, one a rule */
  GArray *events;
  GPtrArray *labels; /* of the events */
  guint64 next_id;
  guint64 time; /* of the frame */
  guint64 serial;
  gdouble aspect;
  guint64 lost_time;
};

guint64 rules_nanoseconds (gdouble seconds);
/* An event of @id. @object: (nullable): without its label; @label: (nullable). */
void rules_emit (RulesState *state, RuleState *of, guint64 id, RulesEventType type, const gchar *what,
    const RulesObject *object, const gchar *label, guint64 since);
/* A new event, unless the rule is to be quiet. Returns: its id, or 0 */
guint64 rules_emit_new (RulesState *state, RuleState *of, guint64 *quiet_until, const gchar *what,
    const RulesObject *object, const gchar *label, guint64 since);
gboolean rules_fits (const Rule *rule, const RulesObject *object);
RulePoint rules_foot (const RulesObject *object);

/* An observed object that fits. */
void
rules_zone_take (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object, gboolean is_first);
/* @track has gone: with @what. */
void rules_zone_lose (RulesState *state, RuleState *of, RulesTrack *track, const gchar *what);
void
rules_line_take (RulesState *state, RuleState *of, RulesTrack *track, const RulesObject *object, gboolean is_first);

G_END_DECLS
