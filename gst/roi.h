/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* roi.h: objects as GstVideoRegionOfInterestMeta, the way DL Streamer's users expect them: pixels, the label as type,
 * and a structure "detection" with confidence, label_id, x_min, y_min, x_max, y_max (0..1 of the frame) and, with a
 * track, track_id. */
#pragma once

#include <gst/video/video.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* @buffer: writable, a frame of @width × @height pixels */
void gst_upi_roi_add (GstBuffer *buffer, const GstUpiObject *object, gint width, gint height);

/* The metas that gst_upi_roi_add() made, in their order. (element-type GstVideoRegionOfInterestMeta) (transfer
 * container) */
GPtrArray *gst_upi_roi_list (GstBuffer *buffer);

/**
 * gst_upi_roi_find:
 * @metas: from gst_upi_roi_list()
 * @next: (inout): where to look first: 0, then what came back
 *
 * Returns: (nullable): that of @object
 */
GstVideoRegionOfInterestMeta *gst_upi_roi_find (GPtrArray *metas, const GstUpiObject *object, guint *next);

/* From now on @roi, of a writable buffer, says what @object is; what others added to it stays. */
void gst_upi_roi_set (GstVideoRegionOfInterestMeta *roi, const GstUpiObject *object, gint width, gint height);

G_END_DECLS
