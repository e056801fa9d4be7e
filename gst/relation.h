/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* relation.h: between a frame's GstUpiContent and GStreamer's own GstAnalyticsRelationMeta (from 1.24 on), in both
 * directions: what upi knows for GStreamer's overlays and converters, and what another detector found for upi's tracker
 * and rules.
 *
 * A relation meta cannot lose single entries, and on one frame there is one, which others write, too. So what upi wrote
 * hangs on an entry of a type of its own (it CONTAINs the others): that tells it apart from what is foreign, on copies
 * of the frame as well, and who has more to say builds the meta anew with all that is foreign. */
#pragma once

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/**
 * gst_upi_relation_write_objects: an object detection for each object, with the object's mask (from GStreamer 1.26 on;
 * detection CONTAIN mask) and its track (detection RELATE_TO track). Where another detector's metadata already has the
 * object, that stays as it is and gets the track. An empty list says: nothing was found.
 * @buffer: writable, a frame of @width × @height pixels
 * @objects: (array length=n_objects)
 * @replace: they are all of the frame's: what was written of objects before goes
 */
void gst_upi_relation_write_objects (
    GstBuffer *buffer, const GstUpiObject *objects, guint n_objects, gint width, gint height, gboolean replace);

/**
 * gst_upi_relation_write_classes: a classification of the whole frame.
 * @buffer: writable
 * @classes: (array length=n_classes): of one list
 */
void gst_upi_relation_write_classes (GstBuffer *buffer, const GstUpiClass *classes, guint n_classes);

/* Whether gst_upi_relation_write_objects() wrote something on @buffer, if only that there is nothing. */
gboolean gst_upi_relation_has_objects (GstBuffer *buffer);

/**
 * gst_upi_relation_take: the objects of another detector, in the order of their entries, with
 * %GST_UPI_OBJECT_FOREIGN.
 * @content: what is known of the frame
 * @width, @height: of the frame in pixels
 *
 * Returns: (transfer full) (nullable): @content with these objects in place of its own; %NULL: nobody looked at this
 * frame
 */
GstUpiContent *gst_upi_relation_take (GstBuffer *buffer, GstUpiContent *content, gint width, gint height);

/* Whether others wrote the entry @id. For relation-take.c. */
gboolean gst_upi_relation_is_foreign (GstAnalyticsRelationMeta *relation, guint id);

/* The property "analytics-meta" of elements that write. */
void gst_upi_relation_install_property (GObjectClass *klass, guint id);

G_END_DECLS
#endif
