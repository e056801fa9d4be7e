/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seen.h: what upidetect, or another detector, saw: the objects of a content and the candidates behind them in one
 * row. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* The @index-th of the row. */
const GstUpiObject *gst_upi_seen_get (const GstUpiContent *content, guint index);

/* The row's length. @n_objects: (out): how many of it are no candidates */
guint gst_upi_seen_count (const GstUpiContent *content, guint *n_objects);

/* Whether @content comes from another encoding than @last: of another frame, or where nobody knows, with other
 * objects. */
gboolean gst_upi_seen_is_new (const GstUpiContent *last, const GstUpiContent *content);

/**
 * gst_upi_seen_attach_roi: region of interest metas say what the frame's objects are: those of upidetect follow their
 * objects, and who is predicted has one, too.
 * @seen: what the objects were made of
 * @origins: (array length=n): which of @seen each is, or -1
 * @objects: (array length=n): of the frame
 * @metas: those of the frame that upidetect made
 */
void gst_upi_seen_attach_roi (const GstUpiContent *seen, const gint *origins, const GstUpiObject *objects, guint n,
    GstBuffer *buffer, GPtrArray *metas, gint width, gint height);

G_END_DECLS
