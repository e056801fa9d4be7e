/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attach.c: between a frame's GstUpiContent and the rules; see attach.h. */
#include "gst/rules/attach.h"

G_STATIC_ASSERT ((gint) RULE_ZONE == GST_UPI_RULE_ZONE && (gint) RULE_LINE == GST_UPI_RULE_LINE
    && (gint) RULE_COUNT == GST_UPI_RULE_COUNT && (gint) RULE_PHRASE == GST_UPI_RULE_PHRASE);
G_STATIC_ASSERT ((gint) RULES_EVENT_NEW == GST_UPI_EVENT_NEW && (gint) RULES_EVENT_UPDATE == GST_UPI_EVENT_UPDATE
    && (gint) RULES_EVENT_END == GST_UPI_EVENT_END);

GArray *
gst_upi_rules_objects (const GstUpiContent *content)
{
  guint n;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);
  GArray *array = g_array_sized_new (FALSE, FALSE, sizeof (RulesObject), n);

  for (guint i = 0; i < n; i++) {
    const GstUpiObject *o = &objects[i];
    RulesObject object = { .track = o->track_id,
      .label = o->label,
      .score = o->score,
      .x = o->x,
      .y = o->y,
      .width = o->width,
      .height = o->height,
      .predicted = (o->flags & GST_UPI_OBJECT_PREDICTED) != 0,
      .age = o->age,
      .begin_x = o->begin_x,
      .begin_y = o->begin_y };
    g_array_append_val (array, object);
  }
  return array;
}

gchar **
gst_upi_rules_phrases (const Rules *rules)
{
  GPtrArray *texts = g_ptr_array_new ();

  for (guint i = 0; i < rules->rules->len; i++) {
    const Rule *rule = rules->rules->pdata[i];
    if (rule->kind == RULE_PHRASE)
      g_ptr_array_add (texts, g_strdup (rule->text));
  }
  g_ptr_array_add (texts, NULL);
  return (gchar **) g_ptr_array_free (texts, FALSE);
}

GstUpiEvent
gst_upi_rules_take_event (const RulesEvent *event, guint stream, GstClockTime stream_time)
{
  return (GstUpiEvent){ .id = event->id,
    .type = (GstUpiEventType) event->type,
    .kind = (GstUpiRuleKind) event->rule->kind,
    .rule = event->rule->name,
    .what = event->what,
    .label = event->object.label,
    .track_id = event->object.track,
    .score = (gfloat) event->object.score,
    .x = (gfloat) event->object.x,
    .y = (gfloat) event->object.y,
    .width = (gfloat) event->object.width,
    .height = (gfloat) event->object.height,
    .count = event->count,
    .stream = stream,
    .total_in = event->total_in,
    .total_out = event->total_out,
    .stream_time = stream_time,
    .running_time = event->time,
    .since = event->since };
}

GstStructure *
gst_upi_rules_event_structure (const GstUpiEvent *event)
{
  static const gchar *const types[] = { "new", "update", "end" };
  static const gchar *const kinds[] = { "zone", "line", "count", "phrase" };

  return gst_structure_new ("upi-event", "id", G_TYPE_UINT64, event->id, "type", G_TYPE_STRING, types[event->type],
      "kind", G_TYPE_STRING, kinds[event->kind], "rule", G_TYPE_STRING, event->rule, "what", G_TYPE_STRING, event->what,
      "label", G_TYPE_STRING, event->label, "track-id", G_TYPE_UINT64, event->track_id, "score", G_TYPE_DOUBLE,
      (gdouble) event->score, "x", G_TYPE_DOUBLE, (gdouble) event->x, "y", G_TYPE_DOUBLE, (gdouble) event->y, "width",
      G_TYPE_DOUBLE, (gdouble) event->width, "height", G_TYPE_DOUBLE, (gdouble) event->height, "count", G_TYPE_UINT,
      event->count, "total-in", G_TYPE_UINT64, event->total_in, "total-out", G_TYPE_UINT64, event->total_out, "stream",
      G_TYPE_UINT, event->stream, "stream-time", G_TYPE_UINT64, event->stream_time, "running-time", G_TYPE_UINT64,
      event->running_time, "since", G_TYPE_UINT64, event->since, NULL);
}

GstUpiContent *
gst_upi_rules_add_views (GstUpiContent *content, RulesState *state)
{
  const guint n = rules_state_rules (state)->rules->len;
  g_autofree GstUpiRule *rules = g_new0 (GstUpiRule, n);
  g_autoptr (GArray) points = g_array_new (FALSE, FALSE, sizeof (GstUpiPoint));
  guint first = 0;

  for (guint i = 0; i < n; i++) {
    RulesView view;
    rules_state_view (state, i, &view);
    const GArray *corners = view.rule->points;
    rules[i] = (GstUpiRule){ .name = view.rule->name,
      .kind = (GstUpiRuleKind) view.rule->kind,
      .flags = view.active ? GST_UPI_RULE_ACTIVE : GST_UPI_RULE_NONE,
      .n_points = corners != NULL ? corners->len : 0,
      .count = view.count,
      .total_in = view.total_in,
      .total_out = view.total_out,
      .score = (gfloat) view.score,
      .text = view.rule->text };
    for (guint j = 0; j < rules[i].n_points; j++) {
      const RulePoint *corner = &g_array_index (corners, RulePoint, j);
      GstUpiPoint point = { (gfloat) corner->x, (gfloat) corner->y };
      g_array_append_val (points, point);
    }
  }
  for (guint i = 0; i < n; i++) { /* the array stays where it is now */
    if (rules[i].n_points > 0)
      rules[i].points = &g_array_index (points, GstUpiPoint, first);
    first += rules[i].n_points;
  }
  return gst_upi_content_add_rules (content, rules, n);
}
