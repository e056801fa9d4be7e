/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.c: see fixture.h. */
#include "tests/gst/caption/fixture.h"

Fixture
fixture_new (const gchar *description, gboolean with_text)
{
  Fixture f = { .stream = stream_new (description, FALSE), .text = text_sink_new () };

  f.caption = stream_get (f.stream, "c");
  if (with_text)
    text_sink_request (f.text, f.caption);
  stream_format (f.stream, "I420", 64, 48);
  return f;
}

void
fixture_free (Fixture *f)
{
  gst_object_unref (f->caption);
  stream_free (f->stream);
  text_sink_free (f->text);
}

void
fixture_push (Fixture *f, guint first, guint end)
{
  for (guint i = first; i < end; i++)
    g_assert_cmpint (stream_push (f->stream, i), ==, GST_FLOW_OK);
}

void
fixture_pull (Fixture *f, gint first, gint end)
{
  for (gint i = first; i < end; i++) {
    GstBuffer *buffer = stream_pull (f->stream);
    g_assert_cmpint (frame_number (buffer), ==, i);
    gst_buffer_unref (buffer);
  }
}

void
fixture_push_eos (Fixture *f)
{
  g_assert_true (gst_harness_push_event (f->stream->harness, gst_event_new_eos ()));
}

GstStructure *
next_message (Fixture *f, const gchar *name)
{
  GstMessage *message;
  GstStructure *result = NULL;

  while (result == NULL && (message = gst_bus_pop_filtered (f->stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    const GstStructure *structure = gst_message_get_structure (message);
    if (gst_structure_has_name (structure, name))
      result = gst_structure_copy (structure);
    gst_message_unref (message);
  }
  return result;
}
