/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event.c: see event.h. */
#include "gst/json/event.h"

#include "gst/json/text.h"

static const gchar *const types[] = { "new", "update", "end" };

const gchar *
gst_upi_json_rule_kind (GstUpiRuleKind kind)
{
  static const gchar *const kinds[] = { "zone", "line", "count", "phrase" };

  return kinds[MIN ((guint) kind, G_N_ELEMENTS (kinds) - 1)];
}

void
gst_upi_json_event_line (GString *line, const GstUpiJsonFrame *frame, const GstUpiEvent *event)
{
  g_string_printf (line,
      "{\"version\":1,\"event\":{\"id\":%" G_GUINT64_FORMAT ",\"type\":\"%s\",\"kind\":\"%s\",\"rule\":", event->id,
      types[MIN ((guint) event->type, G_N_ELEMENTS (types) - 1)], gst_upi_json_rule_kind (event->kind));
  gst_upi_json_append_string (line, event->rule);
  g_string_append (line, ",\"what\":");
  gst_upi_json_append_string (line, event->what);
  if (*event->label != '\0') {
    g_string_append (line, ",\"label\":");
    gst_upi_json_append_string (line, event->label);
    g_string_append (line, ",\"box\":");
    gst_upi_json_append_box (line, event->x, event->y, event->width, event->height);
  }
  if (event->track_id != 0)
    g_string_append_printf (line, ",\"track_id\":%" G_GUINT64_FORMAT, event->track_id);
  if (*event->label != '\0' || event->kind == GST_UPI_RULE_PHRASE) {
    g_string_append (line, ",\"score\":");
    gst_upi_json_append_number (line, event->score);
  }
  if (event->kind == GST_UPI_RULE_ZONE || event->kind == GST_UPI_RULE_COUNT)
    g_string_append_printf (line, ",\"count\":%u", event->count);
  if (event->kind == GST_UPI_RULE_ZONE || event->kind == GST_UPI_RULE_LINE)
    g_string_append_printf (line, ",\"total_in\":%" G_GUINT64_FORMAT ",\"total_out\":%" G_GUINT64_FORMAT,
        event->total_in, event->total_out);
  g_string_append (line, ",\"since\":");
  gst_upi_json_append_time (line, event->since);
  g_string_append_printf (line, "},\"frame\":%" G_GUINT64_FORMAT ",\"stream\":%u,", frame->number,
      event->stream); /* the end of what a stream before this frame's left open is that one's */
  if (frame->source != NULL) {
    g_string_append (line, "\"source\":");
    gst_upi_json_append_string (line, frame->source);
    g_string_append_c (line, ',');
  }
  if (frame->tags != NULL)
    g_string_append_printf (line, "\"tags\":%s,", frame->tags);
  g_string_append (line, "\"stream_time\":");
  gst_upi_json_append_time (line, event->stream_time);
  g_string_append (line, ",\"running_time\":");
  gst_upi_json_append_time (line, event->running_time);
  g_string_append (line, ",\"wall_clock\":");
  gst_upi_json_append_wall_clock (line, frame->wall_clock, 6);
  g_string_append (line, "}\n");
}
