/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine-error.h: a GError of the inference core as one message on the bus. */
#pragma once

#include <gst/gst.h>

#include "core/upi.h"

G_BEGIN_DECLS

/* Posts @error as an error of @element in the GStreamer domain that fits its code; its message is the sentence that the
 * user reads. */
void gst_upi_post_error (GstElement *element, const GError *error, const gchar *file, const gchar *function, gint line);
void
gst_upi_post_warning (GstElement *element, const GError *error, const gchar *file, const gchar *function, gint line);
#define GST_UPI_ERROR(element, error) gst_upi_post_error (GST_ELEMENT (element), error, __FILE__, G_STRFUNC, __LINE__)
#define GST_UPI_WARNING(element, error)                                                                                \
  gst_upi_post_warning (GST_ELEMENT (element), error, __FILE__, G_STRFUNC, __LINE__)

G_END_DECLS
