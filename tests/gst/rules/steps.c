/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.c: see steps.h. */
#include "tests/gst/rules/steps.h"

#include <string.h>

const gchar *const event_types[] = { "new", "update", "end" };

RulesState *
state_of (const gchar *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules = rules_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);
  return rules_state_new (rules);
}

gchar *
describe (RulesState *state, const GArray *events)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean one_rule = rules_state_rules (state)->rules->len == 1;

  for (guint i = 0; i < events->len; i++) {
    const RulesEvent *event = &g_array_index (events, RulesEvent, i);
    if (i > 0)
      g_string_append (text, "; ");
    if (!one_rule)
      g_string_append_printf (text, "%s: ", event->rule->name);
    g_string_append_printf (text, "%" G_GUINT64_FORMAT " %s %s", event->id, event_types[event->type], event->what);
    if (event->object.track != 0)
      g_string_append_printf (text, " %" G_GUINT64_FORMAT, event->object.track);
    if (event->rule->kind != RULE_PHRASE && event->rule->kind != RULE_LINE)
      g_string_append_printf (text, " n%u", event->count);
    if (event->rule->kind == RULE_ZONE || event->rule->kind == RULE_LINE)
      g_string_append_printf (text, " +%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, event->total_in, event->total_out);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

void
parse_object (const gchar *text, RulesObject *object)
{
  gchar *end;
  gdouble x, y;

  *object = (RulesObject){ .label = "person", .score = 0.9, .width = 0.1, .height = 0.2 };
  object->track = g_ascii_strtoull (text, &end, 10);
  object->predicted = *end == 'p';
  end += object->predicted;
  g_assert_cmpint (*end, ==, '@');
  x = g_ascii_strtod (end + 1, &end);
  g_assert_cmpint (*end, ==, ',');
  y = g_ascii_strtod (end + 1, &end);
  object->x = x - object->width / 2;
  object->y = y - object->height;
  if (*end == ':')
    object->score = g_ascii_strtod (end + 1, &end);
  if (*end == '<') {
    object->begin_x = g_ascii_strtod (end + 1, &end);
    g_assert_cmpint (*end, ==, ',');
    object->begin_y = g_ascii_strtod (end + 1, &end);
    g_assert_cmpint (*end, ==, '/');
    object->age = g_ascii_strtoull (end + 1, &end, 10) * G_GUINT64_CONSTANT (1000000);
  }
  if (*end == '=')
    object->label = end + 1;
  else
    g_assert_cmpint (*end, ==, '\0');
}

const GArray *
take (RulesState *state, const Step *step, const gfloat *phrases)
{
  g_auto (GStrv) words = g_strsplit (step->objects, " ", -1);
  RulesObject objects[16];
  guint n = 0;

  for (; words[n] != NULL && *words[n] != '\0'; n++)
    parse_object (words[n], &objects[n]);
  RulesFrame frame = {
    .time = step->time_ms * G_GUINT64_CONSTANT (1000000), .objects = objects, .n_objects = n, .phrases = phrases
  };
  return rules_state_take_frame (state, &frame);
}

void
run_steps (RulesState *state, const Step *steps, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autofree gchar *events = describe (state, take (state, &steps[i], NULL));
    if (!g_str_equal (events, steps[i].events))
      g_error ("at %u ms, step %u: found \"%s\", expected \"%s\"", steps[i].time_ms, i + 1, events, steps[i].events);
  }
}

void
run_rules (const gchar *rules, const Step *steps, guint n)
{
  g_autoptr (RulesState) state = state_of (rules);

  run_steps (state, steps, n);
}
