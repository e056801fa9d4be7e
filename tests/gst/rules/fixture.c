/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.c: see fixture.h. */
#include "tests/gst/rules/fixture.h"

#include <glib/gstdio.h>

void
write_rules (Fixture *fixture, const gchar *text)
{
  g_autoptr (GError) error = NULL;

  g_file_set_contents (fixture->path, text, -1, &error);
  g_assert_no_error (error);
}

void
fixture_open (Fixture *fixture, const gchar *rules, const gchar *before, const gchar *behind)
{
  fixture->folder = g_dir_make_tmp ("upi-rules-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "rules.json", NULL);
  write_rules (fixture, rules);
  g_autofree gchar *description = g_strdup_printf ("%supirules name=e rules-file=%s%s", before, fixture->path, behind);
  fixture->stream = stream_new (description, FALSE);
  stream_format (fixture->stream, "GRAY8", 16, 16);
}

void
fixture_close (Fixture *fixture)
{
  g_clear_pointer (&fixture->stream, stream_free);
  g_unlink (fixture->path);
  g_rmdir (fixture->folder);
  g_free (fixture->path);
  g_free (fixture->folder);
}

gchar *
push (Fixture *fixture, guint number, const gchar *places)
{
  g_auto (GStrv) words = g_strsplit (places, " ", -1);
  GstBuffer *buffer = frame_new ("GRAY8", 16, 16, number);
  GstUpiObject objects[8];
  guint n = 0, n_events;
  static const gchar *const types[] = { "new", "update", "end" };
  g_autoptr (GString) text = g_string_new (NULL);

  for (; words[n] != NULL && *words[n] != '\0'; n++) {
    gchar *end;
    guint64 track = g_ascii_strtoull (words[n], &end, 10);
    gfloat x = (gfloat) g_ascii_strtod (end + 1, &end), y = (gfloat) g_ascii_strtod (end + 1, &end);
    objects[n] = (GstUpiObject){
      .label = "person", .score = 0.9f, .x = x - 0.05f, .y = y - 0.2f, .width = 0.1f, .height = 0.2f, .track_id = track
    };
    if (*end == '<') {
      objects[n].begin_x = (gfloat) g_ascii_strtod (end + 1, &end);
      objects[n].begin_y = (gfloat) g_ascii_strtod (end + 1, &end);
      objects[n].age = g_ascii_strtoull (end + 1, NULL, 10) * GST_MSECOND;
    }
  }
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_BUFFER_PTS (buffer), GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) content = gst_upi_content_add_objects (empty, objects, n);
  gst_buffer_add_upi_meta (buffer, content);
  g_assert_cmpint (gst_harness_push (fixture->stream->harness, buffer), ==, GST_FLOW_OK);
  g_autoptr (GstBuffer) out = stream_pull (fixture->stream);
  const GstUpiEvent *events =
      gst_upi_content_get_events (gst_upi_meta_get_content (gst_buffer_get_upi_meta (out)), &n_events);
  for (guint i = 0; i < n_events; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT " %s %s %" G_GUINT64_FORMAT " %s", i > 0 ? "; " : "",
        events[i].id, types[events[i].type], events[i].what, events[i].track_id, events[i].rule);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

void
expect (Fixture *fixture, guint number, const gchar *places, const gchar *events)
{
  g_autofree gchar *found = push (fixture, number, places);
  g_assert_cmpstr (found, ==, events);
}

GstStructure *
pop_event (Fixture *fixture)
{
  GstMessage *message;

  while ((message = gst_bus_pop_filtered (fixture->stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    GstStructure *structure = gst_structure_copy (gst_message_get_structure (message));
    gst_message_unref (message);
    if (gst_structure_has_name (structure, "upi-event"))
      return structure;
    gst_structure_free (structure);
  }
  return NULL;
}

void
expect_message (Fixture *fixture, const gchar *expected)
{
  g_autoptr (GstStructure) event = pop_event (fixture);

  g_assert_true ((event != NULL) == (expected != NULL));
  if (event == NULL)
    return;
  guint64 id, track;
  g_assert_true (gst_structure_get_uint64 (event, "id", &id));
  g_assert_true (gst_structure_get_uint64 (event, "track-id", &track));
  g_autofree gchar *text = g_strdup_printf ("%" G_GUINT64_FORMAT " %s %s %" G_GUINT64_FORMAT " %s", id,
      gst_structure_get_string (event, "type"), gst_structure_get_string (event, "what"), track,
      gst_structure_get_string (event, "rule"));
  g_assert_cmpstr (text, ==, expected);
}
