/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wall-clock.h: the time of day at which a frame was seen. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * gst_upi_wall_clock:
 * @element: of a pipeline
 * @buffer: the frame
 * @running_time: of @buffer, or NONE
 *
 * What the camera says (a reference-timestamp meta in NTP or Unix time, as rtspsrc adds them with
 * add-reference-timestamp-meta), otherwise what the pipeline's clock says about @running_time: when a live source saw
 * the frame, or when a clip's frame is due.
 *
 * Returns: nanoseconds since 1970-01-01 00:00 UTC, or NONE where neither is known
 */
GstClockTime gst_upi_wall_clock (GstElement *element, GstBuffer *buffer, GstClockTime running_time);

G_END_DECLS
