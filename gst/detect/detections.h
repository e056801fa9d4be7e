/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* detections.h: what the engine found as objects of a frame's content. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/**
 * gst_upi_detections_add:
 * @labels: that @found speaks of
 * @threshold: from which score on objects are shown whose label has none of its own
 *
 * Returns: (transfer full) (nullable): @content with the objects of @found, and its candidates; %NULL and @error: there
 * is no memory
 */
GstUpiContent *gst_upi_detections_add (
    GstUpiContent *content, const UpiDetections *found, UpiLabels *labels, gfloat threshold, GError **error);

G_END_DECLS
