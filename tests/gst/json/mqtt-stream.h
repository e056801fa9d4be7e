/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mqtt-stream.h: a stream that upijson sends to a broker. */
#pragma once

#include "tests/gst/json/broker.h"
#include "tests/gst/json/lines.h"
#include "tests/gst/stream.h"

/* An object of @label at a place in 0..1; @track_id 0: none. */
GstUpiObject object_at (const gchar *label, gfloat x, guint64 track_id, gfloat score);

GstUpiContent *content_of (const GstUpiObject *objects, guint n);

Stream *stream_to (Broker *broker, const gchar *properties);

void push (Stream *s, guint number, GstUpiContent *content);

guint64 stat_of (Stream *s, const gchar *name);

/* The lines of @n frames from @first on, in their order. */
void expect_frames (Listener *listener, guint first, guint n);
