/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-line.c: what is known about one frame as one line of JSON; see json-line.h. */
#include "gst/json-line.h"

#include <math.h>

static void
append_string (GString *line, const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);

  g_string_append_c (line, '"');
  for (const gchar *c = valid; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_printf (line, "\\%c", *c);
    else if ((guchar) *c < 0x20 || *c == 0x7f)
      g_string_append_printf (line, "\\u%04x", (guint) (guchar) *c);
    else
      g_string_append_c (line, *c);
  }
  g_string_append_c (line, '"');
}

/* 0..1 with five digits: a tenth of a pixel at 8K. JSON has no NaN. */
static void
append_number (GString *line, gdouble value)
{
  gchar text[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (line, isfinite (value) ? g_ascii_formatd (text, sizeof text, "%.5g", value) : "null");
}

static void
append_box (GString *line, gfloat x, gfloat y, gfloat width, gfloat height)
{
  const gfloat box[] = { x, y, width, height };

  g_string_append_c (line, '[');
  for (guint i = 0; i < G_N_ELEMENTS (box); i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    append_number (line, box[i]);
  }
  g_string_append_c (line, ']');
}

static void
append_time (GString *line, GstClockTime time)
{
  if (GST_CLOCK_TIME_IS_VALID (time))
    g_string_append_printf (line, "%" G_GUINT64_FORMAT, time);
  else
    g_string_append (line, "null");
}

/* ISO 8601 in microseconds, the same in every locale. */
static void
append_wall_clock (GString *line, GstClockTime time)
{
  g_autoptr (GDateTime) date = GST_CLOCK_TIME_IS_VALID (time) ? g_date_time_new_from_unix_utc ((gint64) (time / GST_SECOND)) : NULL;

  if (date == NULL) {
    g_string_append (line, "null");
    return;
  }
  g_string_append_printf (line, "\"%04d-%02d-%02dT%02d:%02d:%02d.%06uZ\"", g_date_time_get_year (date), g_date_time_get_month (date),
      g_date_time_get_day_of_month (date), g_date_time_get_hour (date), g_date_time_get_minute (date), g_date_time_get_second (date),
      (guint) (time % GST_SECOND / GST_USECOND));
}

static void
append_object (GString *line, const GstUpiObject *object)
{
  g_string_append (line, "{\"label\":");
  append_string (line, object->label);
  g_string_append (line, ",\"score\":");
  append_number (line, object->score);
  g_string_append (line, ",\"box\":");
  append_box (line, object->x, object->y, object->width, object->height);
  if (object->mask != NULL) {
    const UpiMask *mask = object->mask;
    g_string_append (line, ",\"mask\":{\"box\":");
    append_box (line, mask->x, mask->y, mask->width, mask->height);
    g_string_append_printf (line, ",\"columns\":%u,\"rows\":%u}", mask->columns, mask->rows);
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
      append_string (line, word);
      g_string_append_printf (line, ",\"first\":%ld,\"regions\":[", g_utf8_strlen (valid, -1));
    }
    g_string_append (line, goes_on ? ",{\"label\":" : "{\"label\":");
    append_string (line, region->label);
    g_string_append (line, ",\"score\":");
    append_number (line, region->score);
    g_string_append (line, ",\"box\":");
    append_box (line, region->x, region->y, region->width, region->height);
    g_string_append_c (line, '}');
  }
  if (caption->n_regions > 0)
    g_string_append (line, "]}");
}

void
gst_upi_json_line (GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  guint n_objects, n_captions;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  const GstUpiCaption *captions = gst_upi_content_get_captions (content, &n_captions);

  g_string_truncate (line, 0);
  g_string_append_printf (line, "{\"frame\":%" G_GUINT64_FORMAT ",\"stream\":%u,\"stream_time\":", frame->number, frame->stream);
  append_time (line, frame->stream_time);
  g_string_append (line, ",\"running_time\":");
  append_time (line, frame->running_time);
  g_string_append (line, ",\"wall_clock\":");
  append_wall_clock (line, frame->wall_clock);
  g_string_append (line, ",\"pts\":");
  append_time (line, frame->pts);
  g_string_append (line, ",\"inference_pts\":");
  append_time (line, gst_upi_content_is_encoded (content) ? gst_upi_content_get_inference_pts (content) : GST_CLOCK_TIME_NONE);
  g_string_append_printf (line, ",\"width\":%d,\"height\":%d,\"objects\":[", frame->width, frame->height);
  for (guint i = 0; i < n_objects; i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    append_object (line, &objects[i]);
  }
  g_string_append (line, "],\"caption\":");
  if (n_captions > 0)
    append_string (line, captions[n_captions - 1].text);
  else
    g_string_append (line, "null");
  g_string_append (line, ",\"caption_words\":[");
  if (n_captions > 0)
    append_words (line, &captions[n_captions - 1]);
  g_string_append (line, "]}\n");
}
