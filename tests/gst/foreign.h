/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foreign.h: frames with what another detector, or another tracker, found in them, as GstAnalyticsRelationMeta. */
#pragma once

#include <gst/analytics/analytics.h>

#include "tests/gst/stream.h"

G_BEGIN_DECLS

#define MS GST_MSECOND
/* Of the frames, which are black, in pixels. */
#define WIDTH 200
#define HEIGHT 100

/* Rules as a property of a description. */
#define RULE(rule) "{\\\"rules\\\":{\\\"r\\\":{" rule "}}}"
#define COUNT RULE ("\\\"type\\\":\\\"count\\\",\\\"above\\\":1")

Stream *foreign_open (const gchar *description);
GstBuffer *foreign_frame (GstClockTime pts);
/* A detection of another detector, in pixels. */
guint foreign_add (GstBuffer *buffer, const gchar *label, gint x, gint y, gint w, gint h, gfloat score);
void foreign_add_track (GstBuffer *buffer, guint detection, guint64 id, gboolean lost);
/* (transfer full) both */
GstBuffer *foreign_push (Stream *stream, GstBuffer *buffer);
const GstUpiObject *foreign_objects (GstBuffer *buffer, guint *n);
const GstUpiObject *foreign_only_object (GstBuffer *buffer);
/* The track that others read from the detection @id: 0: none, or it has several */
guint64 foreign_track_of (GstBuffer *buffer, guint id);
guint foreign_count (GstBuffer *buffer);

G_END_DECLS
