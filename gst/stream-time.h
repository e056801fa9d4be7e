/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-time.h: where a stream is, told by its events and frames: stream time and running time of every frame, also of
 * those without PTS, and the one rule by which all elements forget what they know of a stream. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * GstUpiStreamTime:
 * @stream: STREAM_STARTs so far; 0 before the first
 * @segment: of the stream. Always in time: where upstream's is not (bytes), an open one from 0
 * @frame_duration: by the framerate of the caps, or NONE
 * @count_step: what a frame counts for that has neither PTS nor a duration, nor caps with a framerate; 0 by default
 *
 * Streaming thread. Embed it, gst_upi_stream_time_reset() it at READY→PAUSED.
 *
 * State (the last encoding, a caption, tracks, rules) ends at FLUSH_STOP, at STREAM_START, and with the first frame
 * after a SEGMENT that is more than a second of stream time away from the frames before, or whose stream time runs the
 * other way. A SEGMENT that goes on, and new caps, keep it.
 */
typedef struct {
  guint stream;
  GstSegment segment;
  GstClockTime frame_duration;
  GstClockTime count_step;

  /*< private >*/
  gboolean is_time;                  /* upstream's segment is in time */
  GstClockTime next_pts;             /* where a frame without PTS would be; NONE: at the beginning of the segment */
  gboolean after_segment;            /* no frame since the last SEGMENT */
  GstClockTime last_start, last_end; /* the last frame in stream time; NONE: none that the next could go on from */
} GstUpiStreamTime;

/**
 * GstUpiFrameTime: when a frame is.
 * @timed: it has a PTS within a segment in time; otherwise the times below are counted, or those of the segment's
 * nearer end
 * @pts: within the segment
 * @duration: its own, otherwise that of the caps, or NONE
 * @stream_time: of @pts
 * @running_time: of @pts
 */
typedef struct {
  gboolean timed;
  GstClockTime pts;
  GstClockTime duration;
  GstClockTime stream_time;
  GstClockTime running_time;
} GstUpiFrameTime;

void gst_upi_stream_time_reset (GstUpiStreamTime *time);

/* Every event of the sink pad. Returns: TRUE if state ends here. */
gboolean gst_upi_stream_time_take_event (GstUpiStreamTime *time, GstEvent *event);

/**
 * gst_upi_stream_time_take_frame: once a frame, in order.
 * @pts: of the buffer, or NONE
 * @duration: of the buffer, or NONE
 * @frame: (out) (optional): when it is
 * Returns: TRUE if state ends before this frame
 */
gboolean gst_upi_stream_time_take_frame (
    GstUpiStreamTime *time, GstClockTime pts, GstClockTime duration, GstUpiFrameTime *frame);

/* Stream time runs backwards: reverse playback. */
gboolean gst_upi_stream_time_is_reverse (const GstUpiStreamTime *time);

G_END_DECLS
