/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mqtt-stream.c: see mqtt-stream.h. */
#include "tests/gst/json/mqtt-stream.h"

GstUpiObject
object_at (const gchar *label, gfloat x, guint64 track_id, gfloat score)
{
  return (GstUpiObject){
    .label = label, .score = score, .x = x, .y = 0.25f, .width = 0.25f, .height = 0.5f, .track_id = track_id
  };
}

GstUpiContent *
content_of (const GstUpiObject *objects, guint n)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  return gst_upi_content_add_objects (empty, objects, n);
}

Stream *
stream_to (Broker *broker, const gchar *properties)
{
  g_autofree gchar *description =
      g_strdup_printf ("upijson name=j method=mqtt address=127.0.0.1:%u source=yard %s", broker->port, properties);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  return s;
}

void
push (Stream *s, guint number, GstUpiContent *content)
{
  GstBuffer *buffer = frame_new ("RGB", 64, 48, number);

  gst_buffer_add_upi_meta (buffer, content);
  g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
  gst_buffer_unref (stream_pull (s));
}

guint64
stat_of (Stream *s, const gchar *name)
{
  g_autoptr (GstElement) json = stream_get (s, "j");
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;
  guint small;

  g_object_get (json, "stats", &stats, NULL);
  if (!gst_structure_get_uint64 (stats, name, &value) && gst_structure_get_uint (stats, name, &small))
    value = small;
  return value;
}

void
expect_frames (Listener *listener, guint first, guint n)
{
  for (guint i = first; i < first + n; i++) {
    g_autofree gchar *line = listener_wait (listener, "upi/yard/frames");
    g_autoptr (JsonParser) parser = json_lines_parse (line);
    JsonObject *object = json_node_get_object (json_parser_get_root (parser));
    g_assert_cmpint (json_object_get_int_member (object, "frame"), ==, i);
    g_assert_cmpstr (json_object_get_string_member (object, "source"), ==, "yard");
  }
}
