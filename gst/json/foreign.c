/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foreign.c: lines of DL Streamer and of DeepStream; see foreign.h. */
#include "gst/json/foreign.h"

#include <math.h>

#include "gst/json/text.h"

#define DEEPSTREAM_UNTRACKED "18446744073709551615" /* UNTRACKED_OBJECT_ID of nvdsmeta.h */

static gint
to_pixels (gfloat position, gint size)
{
  return isfinite (position) ? (gint) lrintf (CLAMP (position, 0, 1) * (gfloat) size) : 0;
}

static void
append_dlstreamer_object (GString *line, const GstUpiJsonFrame *frame, const GstUpiObject *object, guint64 region_id)
{
  gint left = to_pixels (object->x, frame->width), top = to_pixels (object->y, frame->height);
  gint right = to_pixels (object->x + object->width, frame->width),
       bottom = to_pixels (object->y + object->height, frame->height);

  g_string_append (line, "{\"detection\":{\"bounding_box\":{\"x_max\":");
  gst_upi_json_append_number (line, object->x + object->width);
  g_string_append (line, ",\"x_min\":");
  gst_upi_json_append_number (line, object->x);
  g_string_append (line, ",\"y_max\":");
  gst_upi_json_append_number (line, object->y + object->height);
  g_string_append (line, ",\"y_min\":");
  gst_upi_json_append_number (line, object->y);
  g_string_append (line, "},\"confidence\":");
  gst_upi_json_append_number (line, object->score);
  g_string_append (line, ",\"label\":");
  gst_upi_json_append_string (line, object->label);
  g_string_append_printf (line, ",\"label_id\":%u},\"h\":%d,", object->label_id, bottom - top);
  if (object->track_id != 0)
    g_string_append_printf (line, "\"id\":%" G_GUINT64_FORMAT ",", object->track_id);
  g_string_append_printf (line, "\"region_id\":%" G_GUINT64_FORMAT ",\"roi_type\":", region_id);
  gst_upi_json_append_string (line, object->label);
  g_string_append_printf (line, ",\"w\":%d,\"x\":%d,\"y\":%d}", right - left, left, top);
}

void
gst_upi_json_line_dlstreamer (
    GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content, guint64 *region_id)
{
  guint n_objects, n_captions;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  const GstUpiCaption *captions = gst_upi_content_get_captions (content, &n_captions);

  g_string_assign (line, "{");
  if (n_objects > 0 || n_captions > 0)
    g_string_append (line, "\"objects\":[");
  for (guint i = 0; i < n_objects; i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    append_dlstreamer_object (line, frame, &objects[i], ++*region_id);
  }
  if (n_captions > 0) {
    g_string_append (line, n_objects > 0 ? ",{\"caption\":{\"label\":" : "{\"caption\":{\"label\":");
    gst_upi_json_append_string (line, captions[n_captions - 1].text);
    g_string_append_printf (
        line, ",\"model\":{\"name\":\"upi\"}},\"h\":%d,\"w\":%d,\"x\":0,\"y\":0}", frame->height, frame->width);
  }
  if (n_objects > 0 || n_captions > 0)
    g_string_append (line, "],");
  g_string_append_printf (line, "\"resolution\":{\"height\":%d,\"width\":%d}", frame->height, frame->width);
  if (frame->source != NULL) {
    g_string_append (line, ",\"source\":");
    gst_upi_json_append_string (line, frame->source);
  }
  if (frame->tags != NULL)
    g_string_append_printf (line, ",\"tags\":%s", frame->tags);
  if (GST_CLOCK_TIME_IS_VALID (frame->stream_time))
    g_string_append_printf (line, ",\"timestamp\":%" G_GUINT64_FORMAT, frame->stream_time);
  g_string_append (line, "}\n");
}

static void
append_deepstream_object (GString *line, const GstUpiJsonFrame *frame, const GstUpiObject *object)
{
  const gfloat edges[] = { object->x * frame->width, object->y * frame->height,
    (object->x + object->width) * frame->width, (object->y + object->height) * frame->height };
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree gchar *label = g_strdelimit (g_strdup (object->label), "|", '/'); /* a bar would begin the next field */

  if (object->track_id != 0)
    g_string_append_printf (text, "%" G_GUINT64_FORMAT, object->track_id);
  else
    g_string_append (text, DEEPSTREAM_UNTRACKED);
  for (guint i = 0; i < G_N_ELEMENTS (edges); i++) {
    g_string_append_c (text, '|');
    gst_upi_json_append_number (text, isfinite (edges[i]) ? edges[i] : 0);
  }
  g_string_append_printf (text, "|%s|#|", label);
  gst_upi_json_append_number (text, isfinite (object->score) ? object->score : 0);
  gst_upi_json_append_string (line, text->str);
}

void
gst_upi_json_line_deepstream (GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  guint n_objects;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);

  g_string_printf (line, "{\"version\":\"4.0\",\"id\":\"%" G_GUINT64_FORMAT "\",\"@timestamp\":", frame->number);
  /* Its readers need one: a frame of which nobody knows when it was seen has that of now. */
  gst_upi_json_append_wall_clock (line,
      GST_CLOCK_TIME_IS_VALID (frame->wall_clock) ? frame->wall_clock : (GstClockTime) g_get_real_time () * GST_USECOND,
      3);
  g_string_append (line, ",\"sensorId\":");
  gst_upi_json_append_string (line, frame->source != NULL ? frame->source : "0");
  g_string_append (line, ",\"objects\":[");
  for (guint i = 0; i < n_objects; i++) {
    if (i > 0)
      g_string_append_c (line, ',');
    append_deepstream_object (line, frame, &objects[i]);
  }
  g_string_append (line, "]}\n");
}
