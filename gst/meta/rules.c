/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rules.c: the lists of events and rules in a GstUpiContent; see rules.h. */
#include "gst/meta/rules.h"

#include <string.h>

static gsize
text_bytes (const gchar *text)
{
  return (text != NULL ? strlen (text) : 0) + 1;
}

/* Where the next text goes. */
static const gchar *
put_text (gchar **end, const gchar *text)
{
  gchar *copy = *end;

  *end = g_stpcpy (copy, text != NULL ? text : "") + 1;
  return copy;
}

static gsize
event_bytes (const GstUpiEvent *events, guint n)
{
  gsize bytes = n * sizeof (GstUpiEvent);

  for (guint i = 0; i < n; i++)
    bytes += text_bytes (events[i].rule) + text_bytes (events[i].what) + text_bytes (events[i].label);
  return bytes;
}

static void
put_events (GstUpiEvent *to, const GstUpiEvent *from, guint n, gchar **end)
{
  for (guint i = 0; i < n; i++) {
    to[i] = from[i];
    to[i].rule = put_text (end, from[i].rule);
    to[i].what = put_text (end, from[i].what);
    to[i].label = put_text (end, from[i].label);
    memset (to[i].reserved, 0, sizeof to[i].reserved);
  }
}

GstUpiEventList *
gst_upi_event_list_append (GstUpiEventList *old, const GstUpiEvent *events, guint n_events)
{
  guint n_old = old != NULL ? old->n_items : 0;
  gsize bytes =
      sizeof (GstUpiEventList) + (old != NULL ? event_bytes (old->items, n_old) : 0) + event_bytes (events, n_events);
  GstUpiEventList *list = g_atomic_rc_box_alloc0 (bytes);

  list->n_items = n_old + n_events;
  gchar *end = (gchar *) &list->items[list->n_items];
  if (old != NULL)
    put_events (list->items, old->items, n_old, &end);
  put_events (&list->items[n_old], events, n_events, &end);
  g_clear_pointer (&old, g_atomic_rc_box_release);
  return list;
}

static gsize
rule_bytes (const GstUpiRule *rules, guint n)
{
  gsize bytes = n * sizeof (GstUpiRule);

  for (guint i = 0; i < n; i++)
    bytes += text_bytes (rules[i].name) + text_bytes (rules[i].text)
        + (rules[i].points != NULL ? rules[i].n_points * sizeof (GstUpiPoint) : 0);
  return bytes;
}

static void
put_points (GstUpiRule *to, const GstUpiRule *from, guint n, GstUpiPoint **points)
{
  for (guint i = 0; i < n; i++) {
    to[i] = from[i];
    to[i].n_points = from[i].points != NULL ? from[i].n_points : 0;
    to[i].points = to[i].n_points > 0 ? *points : NULL;
    if (to[i].n_points > 0)
      memcpy (*points, from[i].points, to[i].n_points * sizeof (GstUpiPoint));
    *points += to[i].n_points;
    memset (to[i].reserved, 0, sizeof to[i].reserved);
  }
}

GstUpiRuleList *
gst_upi_rule_list_append (GstUpiRuleList *old, const GstUpiRule *rules, guint n_rules)
{
  guint n_old = old != NULL ? old->n_items : 0;
  gsize bytes =
      sizeof (GstUpiRuleList) + (old != NULL ? rule_bytes (old->items, n_old) : 0) + rule_bytes (rules, n_rules);
  GstUpiRuleList *list = g_atomic_rc_box_alloc0 (bytes);

  list->n_items = n_old + n_rules;
  GstUpiPoint *points = (GstUpiPoint *) &list->items[list->n_items]; /* then the texts, which need no alignment */
  if (old != NULL)
    put_points (list->items, old->items, n_old, &points);
  put_points (&list->items[n_old], rules, n_rules, &points);
  gchar *end = (gchar *) points;
  for (guint i = 0; i < list->n_items; i++) { /* they still point to where the texts come from */
    list->items[i].name = put_text (&end, list->items[i].name);
    list->items[i].text = put_text (&end, list->items[i].text);
  }
  g_clear_pointer (&old, g_atomic_rc_box_release);
  return list;
}
