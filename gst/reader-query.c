/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-query.c: see reader-query.h. */
#include "gst/reader-query.h"

gboolean
gst_upi_reader_query_ask (GstPad *srcpad, const gchar *name)
{
  GstQuery *query = gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (name));
  const gboolean answered = gst_pad_peer_query (srcpad, query);

  gst_query_unref (query);
  return answered;
}

gboolean
gst_upi_reader_query_is (GstQuery *query, const gchar *name)
{
  return GST_QUERY_TYPE (query) == GST_QUERY_CUSTOM && gst_query_get_structure (query) != NULL
      && gst_structure_has_name (gst_query_get_structure (query), name);
}
