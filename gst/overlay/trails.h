/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trails.h: where the objects of a stream went: a few points a track, the last seconds only. */
#pragma once

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef struct _GstUpiTrails GstUpiTrails;

/* How long a point of a trail is kept. */
#define GST_UPI_TRAIL_TIME (5 * GST_SECOND)
/* Points of a trail, and trails, at most: what moves on makes room for itself. */
#define GST_UPI_TRAIL_POINTS 48
#define GST_UPI_TRAILS 256

GstUpiTrails *gst_upi_trails_new (void);
void gst_upi_trails_free (GstUpiTrails *trails);
/* The stream's state ends. */
void gst_upi_trails_forget (GstUpiTrails *trails);

/**
 * gst_upi_trails_take: once a frame, in order.
 * @now: running time of the frame
 */
void gst_upi_trails_take (GstUpiTrails *trails, const GstUpiContent *content, GstClockTime now);

/**
 * gst_upi_trails_get: the way of one track up to its object in the frame that was taken last, oldest first, in 0..1 of
 * the frame.
 * @points: room for %GST_UPI_TRAIL_POINTS
 * Returns: how many; 0 where nobody knows the track
 */
guint gst_upi_trails_get (GstUpiTrails *trails, guint64 track_id, GstUpiPoint *points);
/* Trails that are kept. */
guint gst_upi_trails_count (GstUpiTrails *trails);

G_END_DECLS
