/* caption-stream.h: the text stream of upicaption: what its pad, which may come late and go early, sends between the captions. */
#pragma once

#include "gst/caption-pad.h"

G_BEGIN_DECLS

/* Any thread; embed it, gst_upi_caption_stream_init() it. */
typedef struct {
  GMutex lock; /* before the pad's own locks */
  GstUpiCaptionPad *pad;
  gchar *stream_id; /* NULL before the video's STREAM_START */
  guint group_id;
  gboolean has_group_id;
  GstEvent *segment;
  gboolean eos;
} GstUpiCaptionStream;

void gst_upi_caption_stream_init (GstUpiCaptionStream *stream);
void gst_upi_caption_stream_clear (GstUpiCaptionStream *stream);
/* A new run: nothing was seen of the video yet; the pad stays. */
void gst_upi_caption_stream_reset (GstUpiCaptionStream *stream);

/**
 * gst_upi_caption_stream_open: makes the pad, which gets what one that was there from the beginning would have seen.
 * @active: the element runs
 * Returns: (transfer none) (nullable): NULL if there is one already
 */
GstPad *gst_upi_caption_stream_open (GstUpiCaptionStream *stream, GstPadTemplate *templ, gboolean active);
/* Returns: (transfer full) (nullable): the pad, no longer the stream's; NULL if @pad is not it */
GstUpiCaptionPad *gst_upi_caption_stream_close (GstUpiCaptionStream *stream, GstPad *pad);

/* What the video's @event means to the text. @event: (transfer none) */
void gst_upi_caption_stream_take_event (GstUpiCaptionStream *stream, GstEvent *event);

/* One frame: the caption that starts with it, or a GAP where @caption is NULL or empty. */
void gst_upi_caption_stream_push (
    GstUpiCaptionStream *stream, const gchar *caption, GstClockTime pts, GstClockTime duration, GstClockTime frame_duration);

/* Of the pad; GST_FLOW_NOT_LINKED without one. */
GstFlowReturn gst_upi_caption_stream_get_flow (GstUpiCaptionStream *stream);

G_END_DECLS
