/* caption-schedule.h: which frames start a caption, and on which it shows. Reads no clock: timestamps alone decide. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  gboolean has_seen;
  GstClockTime seen_pts; /* inference PTS of the encoding on the last frame */

  gboolean has_started;
  gboolean every_encoding;    /* it shows on the frames that share its encoding, and not for @duration */
  GstClockTime started_pts;   /* of the frame that the last caption started with */
  GstClockTime described_pts; /* of the frame that it describes */
  GstClockTime duration;
} GstUpiCaptionSchedule;

void gst_upi_caption_schedule_reset (GstUpiCaptionSchedule *schedule);

/**
 * gst_upi_caption_schedule_is_due: call it once a frame.
 * @pts: of the frame
 * @interval: from one start to the next; 0 = every encoding
 * @has_encoding: the frame carries one
 * @inference_pts: of the frame that its encoding was inferred from
 * @taken: another caption is on its way or starts with this frame
 * Returns: TRUE if this frame asks for a caption: the interval is over and the encoding is not the last frame's
 */
gboolean gst_upi_caption_schedule_is_due (GstUpiCaptionSchedule *schedule, GstClockTime pts, GstClockTime interval, gboolean has_encoding,
    GstClockTime inference_pts, gboolean taken);

/* A caption starts with the frame of @pts. */
void gst_upi_caption_schedule_start (
    GstUpiCaptionSchedule *schedule, GstClockTime pts, GstClockTime described_pts, GstClockTime duration, gboolean every_encoding);

/* Whether the last caption shows on the frame of @pts. */
gboolean gst_upi_caption_schedule_shows (const GstUpiCaptionSchedule *schedule, GstClockTime pts, GstClockTime inference_pts);

G_END_DECLS
