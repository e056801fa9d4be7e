/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rules.h: what a rules file says: zones, lines, counts and sentences, each with its conditions. rules.schema.json says
 * the same to editors. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The values of GstUpiRuleKind. */
typedef enum { RULE_ZONE, RULE_LINE, RULE_COUNT, RULE_PHRASE } RuleKind;
typedef enum { RULE_LOOSE, RULE_BALANCED, RULE_STRICT } RuleMode;
typedef enum { RULE_BOTH, RULE_FORWARD, RULE_BACKWARD } RuleDirection;

typedef struct {
  gdouble x, y; /* 0..1 of the frame */
} RulePoint;

/**
 * Rule: times are seconds.
 * @labels: (nullable): only objects with one of these; NULL: all
 * @min_score, @min_area: what an object must have had once since it was first seen; the area of its box in 0..1 of the
 * frame's
 * @min_time: how long it must hold before it is an event
 * @cooldown: so long after an event began, no other begins
 * @points: (element-type RulePoint) (nullable): of a zone or a line
 * @dwell: of a zone: an event for who is inside for so long; 0: none
 * @above, @below: of zones and counts: events while there are more or fewer than so many; -1: none
 * @text: (nullable): of a phrase
 * @threshold: of a phrase: the probability from which it holds
 */
typedef struct {
  gchar *name;
  RuleKind kind;
  gchar **labels;
  gdouble min_score, min_area, min_time, cooldown;
  GArray *points;
  gdouble dwell;
  gdouble above, below;
  RuleMode mode;
  RuleDirection direction;
  gchar *text;
  gdouble threshold;
} Rule;

/**
 * Rules: immutable, reference-counted.
 * @rules: (element-type Rule): in the file's order, at least one
 * @lost_time: an object that was not seen for longer has gone, seconds
 */
typedef struct {
  gint ref_count;
  GPtrArray *rules;
  gdouble lost_time;
} Rules;

/**
 * rules_parse:
 * @origin: what messages call the text: a file's name, "rules"
 * Returns: (transfer full) (nullable): NULL and @error (UPI_ERROR_ARGUMENT): origin, line and key, what was found and
 * what was expected
 */
Rules *rules_parse (const gchar *text, gsize length, const gchar *origin, GError **error);
/* The same with a file. Its bytes are in @contents also when they are no rules. @contents: (out) (optional)
 * (nullable) */
Rules *rules_load (const gchar *path, GBytes **contents, GError **error);
Rules *rules_ref (Rules *rules);
void rules_unref (Rules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rules, rules_unref)

/* Whether both say the same, their names included. */
gboolean rule_equal (const Rule *a, const Rule *b);
/* Whether any rule follows single objects. */
gboolean rules_need_tracks (const Rules *rules);

G_END_DECLS
