/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader-query.h: the custom queries by which an element asks whether somebody downstream reads what it makes
 * (GST_UPI_QUERY_ENCODING_READER and GST_UPI_QUERY_CANDIDATE_READER of gst/meta/gstupimeta.h). */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Whether anybody behind @srcpad answers the query of that name. */
gboolean gst_upi_reader_query_ask (GstPad *srcpad, const gchar *name);

/* Whether @query is the one of that name. */
gboolean gst_upi_reader_query_is (GstQuery *query, const gchar *name);

G_END_DECLS
