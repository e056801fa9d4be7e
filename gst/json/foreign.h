/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foreign.h: the lines of other frameworks, for programs that read those already. */
#pragma once

#include "gst/json/line.h"

G_BEGIN_DECLS

/* As gvametaconvert of DL Streamer writes them: resolution, source, tags, timestamp (stream time in nanoseconds, absent
 * without one) and, where something was found, objects: pixels, region_id, roi_type, id when tracked, detection with
 * the box in 0..1. The caption is a classification of the whole frame. @region_id: counts the regions of a run. */
void gst_upi_json_line_dlstreamer (
    GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content, guint64 *region_id);

/* DeepStream's minimal schema (nvmsgconv payload-type 1): version, id, @timestamp, sensorId, and an object a string:
 * "trackingId|left|top|right|bottom|label|#|confidence", in pixels. */
void gst_upi_json_line_deepstream (GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content);

G_END_DECLS
