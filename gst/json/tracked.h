/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracked.h: the life of each object that upitrack follows, as the messages that Frigate sends under events: new,
 * update, end. */
#pragma once

#include "gst/json/line.h"

G_BEGIN_DECLS

typedef struct _GstUpiTracked GstUpiTracked;

/* @message: a JSON object: type, before, after */
typedef void (*GstUpiTrackedTell) (const gchar *message, gpointer data);

/* @camera: its name in the messages */
GstUpiTracked *gst_upi_tracked_new (const gchar *camera);
void gst_upi_tracked_free (GstUpiTracked *tracked);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiTracked, gst_upi_tracked_free)

/* Every frame in order. An object is gone when it was not seen for three seconds, or when the stream changes. */
void gst_upi_tracked_take (GstUpiTracked *tracked, const GstUpiJsonFrame *frame, const GstUpiContent *content,
    GstUpiTrackedTell tell, gpointer data);

/* The stream is over: and so are all. */
void gst_upi_tracked_end (GstUpiTracked *tracked, GstUpiTrackedTell tell, gpointer data);

G_END_DECLS
