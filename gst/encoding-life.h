/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encoding-life.h: when an element lets go of the encoding in a frame's GstUpiMeta. It weighs megabytes: frames keep it
 * as long as somebody downstream reads it, which an element asks with a custom query (GST_UPI_QUERY_ENCODING_READER of
 * gstupimeta.h) before each frame leaves. The query passes queue, tee and converters; the first reader answers. Nobody
 * answers: the element lets go. Asking each frame needs nothing to be remembered: new caps, RECONFIGURE, a branch that
 * was added or went are in the next answer.
 *
 * What all elements share. */
#pragma once

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* Values of the property. The first three are what 0.1's boolean FALSE and TRUE were given as numbers; the last two its
 * names. */
typedef enum {
  GST_UPI_KEEP_ENCODING_AUTO,
  GST_UPI_KEEP_ENCODING_YES,
  GST_UPI_KEEP_ENCODING_NO,
  GST_UPI_KEEP_ENCODING_TRUE,
  GST_UPI_KEEP_ENCODING_FALSE
} GstUpiKeepEncoding;

typedef struct {
  GstElement *element; /* not referenced: it embeds this */
  GstPad *srcpad;      /* the same */
  gint keep;           /* atomic */
  gint old_name;       /* atomic: the value was given by its old name, and nobody was told */
  gboolean told;       /* streaming thread: of an encoding that had gone */
} GstUpiEncodingLife;

/* Installs the property keep-encoding of all elements. */
void gst_upi_encoding_life_install_property (GObjectClass *klass, guint id);

/* At the element's init. */
void gst_upi_encoding_life_init (GstUpiEncodingLife *life, GstElement *element, GstPad *srcpad);
void gst_upi_encoding_life_set (GstUpiEncodingLife *life, const GValue *value);
void gst_upi_encoding_life_get (GstUpiEncodingLife *life, GValue *value);
/* READY→PAUSED. */
void gst_upi_encoding_life_start (GstUpiEncodingLife *life);

/* Streaming thread. Whether the encoding of @content is to go with a frame that leaves now: FALSE also where there is
 * none. */
gboolean gst_upi_encoding_life_ends (GstUpiEncodingLife *life, const GstUpiContent *content);
/* (transfer full) @content, without its encoding if that is to go. */
GstUpiContent *gst_upi_encoding_life_filter (GstUpiEncodingLife *life, GstUpiContent *content);
/* The same with a buffer's meta. @buffer: (transfer full): made writable if it must. (transfer full) */
GstBuffer *gst_upi_encoding_life_filter_buffer (GstUpiEncodingLife *life, GstBuffer *buffer);

/**
 * gst_upi_encoding_life_take_query: for the sink pad's query function.
 * @reads: the element reads encodings itself
 * @answer: (out): what to return
 *
 * Returns: TRUE if @query asks for a reader and ends here; otherwise it goes on downstream. What keeps encodings for an
 * application counts as a reader.
 */
gboolean gst_upi_encoding_life_take_query (GstUpiEncodingLife *life, GstQuery *query, gboolean reads, gboolean *answer);
gboolean gst_upi_encoding_life_is_query (GstQuery *query);

/* A reader's frame had an encoding once: a warning, once, says who let go of it. */
void gst_upi_encoding_life_missing (GstUpiEncodingLife *life, const GstUpiContent *content);

G_END_DECLS
