/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frame-times.h: when frames were, for results that come later than their frame. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_UPI_FRAME_TIMES 256 /* frames whose encoding may still be on its way */

typedef struct {
  gint64 time;            /* of this frame: nanoseconds of stream time that went by, either way */
  GstClockTime last_time; /* stream time of the frame before, or NONE */
  struct {
    GstClockTime pts;
    gint64 time;
  } frames[GST_UPI_FRAME_TIMES];
  guint next_frame;
} GstUpiFrameTimes;

void gst_upi_frame_times_init (GstUpiFrameTimes *times);

/* The next frame. Its time never goes back: a frame that comes late counts as the one before.
 * @stream_time, @pts: or NONE. @reverse: stream time runs backwards */
void gst_upi_frame_times_take (GstUpiFrameTimes *times, GstClockTime stream_time, GstClockTime pts, gboolean reverse);

/* When the frame of @pts was, which a content was inferred from; the time of this one if nobody knows. */
gint64 gst_upi_frame_times_find (const GstUpiFrameTimes *times, GstClockTime pts);

G_END_DECLS
