/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine-error.c: a GError of the inference core as one message on the bus; see engine-error.h. */
#include "gst/engine-error.h"

static void
post (
    GstElement *element, GstMessageType type, const GError *error, const gchar *file, const gchar *function, gint line)
{
  static const struct {
    UpiErrorCode code;
    gint domain; /* 0 resource, 1 library, 2 stream */
    gint value;
    const gchar *debug;
  } table[] = {
    { UPI_ERROR_MODEL, 0, GST_RESOURCE_ERROR_NOT_FOUND, "the model could not be opened" },
    { UPI_ERROR_DEVICE, 0, GST_RESOURCE_ERROR_OPEN_READ_WRITE, "the device could not be used" },
    { UPI_ERROR_MEMORY, 0, GST_RESOURCE_ERROR_NO_SPACE_LEFT, "memory ran out" },
    { UPI_ERROR_ARGUMENT, 1, GST_LIBRARY_ERROR_SETTINGS, "a setting is out of range or unreadable" },
    { UPI_ERROR_INPUT, 2, GST_STREAM_ERROR_FORMAT, "a frame could not be read" },
    { UPI_ERROR_CANCELLED, 1, GST_LIBRARY_ERROR_FAILED, "the engine closed" },
    { UPI_ERROR_FAILED, 1, GST_LIBRARY_ERROR_FAILED, "inference failed" },
  };
  GQuark domain = GST_LIBRARY_ERROR;
  gint code = GST_LIBRARY_ERROR_FAILED;
  const gchar *debug = g_quark_to_string (error->domain);

  for (guint i = 0; error->domain == UPI_ERROR && i < G_N_ELEMENTS (table); i++) {
    if (table[i].code != (UpiErrorCode) error->code)
      continue;
    domain = table[i].domain == 0 ? GST_RESOURCE_ERROR : table[i].domain == 1 ? GST_LIBRARY_ERROR : GST_STREAM_ERROR;
    code = table[i].value;
    debug = table[i].debug;
  }
  gst_element_message_full (
      element, type, domain, code, g_strdup (error->message), g_strdup (debug), file, function, line);
}

void
gst_upi_post_error (GstElement *element, const GError *error, const gchar *file, const gchar *function, gint line)
{
  post (element, GST_MESSAGE_ERROR, error, file, function, line);
}

void
gst_upi_post_warning (GstElement *element, const GError *error, const gchar *file, const gchar *function, gint line)
{
  post (element, GST_MESSAGE_WARNING, error, file, function, line);
}
