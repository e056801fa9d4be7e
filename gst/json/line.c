/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.c: what is known about one frame as one line of JSON; see line.h. */
#include "gst/json/line.h"

#include <math.h>

#include "gst/json/event.h"
#include "gst/json/text.h"

/* COCO's uncompressed runs: down the columns, how many cells are 0, how many 1, and so on; a cell is 1 from probability
 * 1/2 on. */
static void
append_runs (GString *line, const UpiMask *mask)
{
  gboolean value = FALSE;
  guint run = 0;

  g_string_append (line, ",\"rle\":[");
  for (guint column = 0; column < mask->columns; column++)
    for (guint row = 0; row < mask->rows; row++) {
      if ((mask->data[(gsize) row * mask->columns + column] >= 128) != value) {
        g_string_append_printf (line, "%u,", run);
        run = 0;
        value = !value;
      }
      run++;
    }
  g_string_append_printf (line, "%u]", run);
}

static void
append_object (GString *line, const GstUpiObject *object, gboolean runs)
{
  g_string_append (line, "{\"label\":");
  gst_upi_json_append_string (line, object->label);
  g_string_append (line, ",\"score\":");
  gst_upi_json_append_number (line, object->score);
  g_string_append (line, ",\"box\":");
  gst_upi_json_append_box (line, object->x, object->y, object->width, object->height);
  if (object->track_id != 0) {
    g_string_append_printf (line, ",\"track_id\":%" G_GUINT64_FORMAT ",\"predicted\":%s,\"velocity\":[",
        object->track_id, (object->flags & GST_UPI_OBJECT_PREDICTED) != 0 ? "true" : "false");
    gst_upi_json_append_number (line, object->velocity_x);
    g_string_append_c (line, ',');
    gst_upi_json_append_number (line, object->velocity_y);
    g_string_append_printf (
        line, "],\"age\":%" G_GUINT64_FORMAT ",\"unseen\":%" G_GUINT64_FORMAT, object->age, object->unseen);
  }
  if (object->mask != NULL) {
    const UpiMask *mask = object->mask;
    g_string_append (line, ",\"mask\":{\"box\":");
    gst_upi_json_append_box (line, mask->x, mask->y, mask->width, mask->height);
    g_string_append_printf (line, ",\"columns\":%u,\"rows\":%u", mask->columns, mask->rows);
    if (runs)
      append_runs (line, mask);
    g_string_append_c (line, '}');
  }
  g_string_append_c (line, '}');
}

/* Words with regions: those of one word follow each other. JSON's strings are of characters, and so is "first". */
static void
append_words (GString *line, const GstUpiCaption *caption)
{
  for (guint i = 0; i < caption->n_regions; i++) {
    const GstUpiCaptionRegion *region = &caption->regions[i];
    gboolean goes_on = i > 0 && region->first == region[-1].first && region->bytes == region[-1].bytes;

    if (!goes_on) {
      g_autofree gchar *before = g_strndup (caption->text, region->first);
      g_autofree gchar *word = g_strndup (caption->text + region->first, region->bytes);
      g_autofree gchar *valid = g_utf8_make_valid (before, -1);

      g_string_append (line, i > 0 ? "]},{\"word\":" : "{\"word\":");
      gst_upi_json_append_string (line, word);
      g_string_append_printf (line, ",\"first\":%ld,\"regions\":[", g_utf8_strlen (valid, -1));
    }
    g_string_append (line, goes_on ? ",{\"label\":" : "{\"label\":");
    gst_upi_json_append_string (line, region->label);
    g_string_append (line, ",\"score\":");
    gst_upi_json_append_number (line, region->score);
    g_string_append (line, ",\"box\":");
    gst_upi_json_append_box (line, region->x, region->y, region->width, region->height);
    g_string_append_c (line, '}');
  }
  if (caption->n_regions > 0)
    g_string_append (line, "]}");
}

/* How the rules of upirules stand. */
static void
append_rules (GString *line, const GstUpiRule *rules, guint n)
{
  for (guint i = 0; i < n; i++) {
    const GstUpiRule *rule = &rules[i];
    const gboolean crossed_or_entered = rule->kind == GST_UPI_RULE_ZONE || rule->kind == GST_UPI_RULE_LINE;

    g_string_append (line, i > 0 ? ",{\"name\":" : "{\"name\":");
    gst_upi_json_append_string (line, rule->name);
    g_string_append_printf (line, ",\"kind\":\"%s\",\"active\":%s", gst_upi_json_rule_kind (rule->kind),
        rule->flags & GST_UPI_RULE_ACTIVE ? "true" : "false");
    if (rule->kind == GST_UPI_RULE_ZONE || rule->kind == GST_UPI_RULE_COUNT)
      g_string_append_printf (line, ",\"count\":%u", rule->count);
    if (crossed_or_entered)
      g_string_append_printf (line, ",\"total_in\":%" G_GUINT64_FORMAT ",\"total_out\":%" G_GUINT64_FORMAT,
          rule->total_in, rule->total_out);
    if (rule->kind == GST_UPI_RULE_PHRASE) {
      g_string_append (line, ",\"score\":");
      gst_upi_json_append_number (line, rule->score >= 0 ? rule->score : NAN);
    }
    g_string_append_c (line, '}');
  }
}

static void
append_classes (GString *line, const GstUpiClass *classes, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_string_append (line, i > 0 ? ",{\"label\":" : "{\"label\":");
    gst_upi_json_append_string (line, classes[i].label);
    g_string_append (line, ",\"probability\":");
    gst_upi_json_append_number (line, classes[i].probability);
    g_string_append_printf (line, ",\"list\":%u,\"independent\":%s,\"holds\":%s}", classes[i].list,
        classes[i].flags & GST_UPI_CLASS_INDEPENDENT ? "true" : "false",
        classes[i].flags & GST_UPI_CLASS_HOLDS ? "true" : "false");
  }
}

void
gst_upi_json_line (GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  guint n_objects, n_captions, n_rules, n_classes;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  const GstUpiCaption *captions = gst_upi_content_get_captions (content, &n_captions);
  const GstUpiRule *rules = gst_upi_content_get_rules (content, &n_rules);
  const GstUpiClass *classes = gst_upi_content_get_classes (content, &n_classes);

  g_string_truncate (line, 0);
  g_string_append_printf (
      line, "{\"version\":1,\"frame\":%" G_GUINT64_FORMAT ",\"stream\":%u,", frame->number, frame->stream);
  if (frame->source != NULL) {
    g_string_append (line, "\"source\":");
    gst_upi_json_append_string (line, frame->source);
    g_string_append_c (line, ',');
  }
  if (frame->tags != NULL)
    g_string_append_printf (line, "\"tags\":%s,", frame->tags);
  g_string_append (line, "\"stream_time\":");
  gst_upi_json_append_time (line, frame->stream_time);
  g_string_append (line, ",\"running_time\":");
  gst_upi_json_append_time (line, frame->running_time);
  g_string_append (line, ",\"wall_clock\":");
  gst_upi_json_append_wall_clock (line, frame->wall_clock, 6);
  g_string_append (line, ",\"pts\":");
  gst_upi_json_append_time (line, frame->pts);
  g_string_append (line, ",\"inference_pts\":");
  gst_upi_json_append_time (
      line, gst_upi_content_is_encoded (content) ? gst_upi_content_get_inference_pts (content) : GST_CLOCK_TIME_NONE);
  g_string_append_printf (line, ",\"width\":%d,\"height\":%d,\"objects\":[", frame->width, frame->height);
  for (guint i = 0; i < n_objects; i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    append_object (line, &objects[i], frame->mask_runs);
  }
  g_string_append (line, "],\"caption\":");
  if (n_captions > 0)
    gst_upi_json_append_string (line, captions[n_captions - 1].text);
  else
    g_string_append (line, "null");
  g_string_append (line, ",\"caption_words\":[");
  if (n_captions > 0)
    append_words (line, &captions[n_captions - 1]);
  g_string_append_c (line, ']');
  if (n_rules > 0) {
    g_string_append (line, ",\"rules\":[");
    append_rules (line, rules, n_rules);
    g_string_append_c (line, ']');
  }
  if (n_classes > 0) {
    g_string_append (line, ",\"classes\":[");
    append_classes (line, classes, n_classes);
    g_string_append_c (line, ']');
  }
  g_string_append (line, "}\n");
}
