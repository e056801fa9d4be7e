/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text-sink.h: a pad that takes the text of an upicaption under test and writes down what came, in order; it can be
 * closed like a muxer that waits for its other stream. */
#pragma once

#include "tests/gst/stream.h"

G_BEGIN_DECLS

typedef struct {
  GstPad *pad;
  GMutex lock;
  GCond cond;
  /* of gchar *: "stream-start", "caps", "segment 0", "text 10 for 400", "gap 3", "flush-start", "eos"; under lock */
  GPtrArray *record;
  GPtrArray *texts; /* of gchar * */
  gboolean closed, flushing, waiting;
  gchar *stream_id;
  GstStreamFlags flags;
  guint group_id;
} TextSink;

TextSink *text_sink_new (void);
void text_sink_free (TextSink *sink);
/* Requests the pad "text" of the element and links it. */
void text_sink_request (TextSink *sink, GstElement *caption);
void text_sink_release (TextSink *sink, GstElement *caption);
/* Closed: buffers and GAPs wait until it opens, or until a flush. */
void text_sink_set_closed (TextSink *sink, gboolean closed);
/* Blocks until something waits at the closed sink. */
void text_sink_wait_blocked (TextSink *sink);
/* Blocks until @entry was written down; then all of the record, joined by ", "; it starts anew. */
gchar *text_sink_take (TextSink *sink, const gchar *entry);
/* Blocks until @entry was written down; leaves the record. */
void text_sink_wait (TextSink *sink, const gchar *entry);

G_END_DECLS
