/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.c: see fixture.h. */
#include "tests/gst/classify/fixture.h"

#include "tests/gst/stream.h"

const GstUpiClass *
classes_of (GstBuffer *buffer, guint *n)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  g_assert_nonnull (meta);
  return gst_upi_content_get_classes (gst_upi_meta_get_content (meta), n);
}

GstMessage *
pop_classification (Stream *s)
{
  GstMessage *message;

  while ((message = gst_bus_pop_filtered (s->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    if (gst_message_has_name (message, "upi-classification"))
      return message;
    gst_message_unref (message);
  }
  return NULL;
}

gboolean
says (Stream *s, const gchar *label)
{
  GstMessage *message = pop_classification (s);
  gboolean same = message != NULL
      && g_strcmp0 (gst_structure_get_string (gst_message_get_structure (message), "label"), label) == 0;
  g_clear_pointer (&message, gst_message_unref);
  return same;
}
