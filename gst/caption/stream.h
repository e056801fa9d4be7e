/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.h: the text stream of upicaption: what its pad, which may come late and go early, sends between the captions,
 * and the times that its captions have there.
 *
 * Its segment is its own, since who takes text asks for times in two ways: writers of subtitle files print the PTS,
 * muxers and overlays go by running time. So PTS are stream times, and the segment turns them into the running times
 * that the frames have in theirs. Reverse playback has a forward segment for each caption: within it running time grows
 * from the first frame that shows it, while its PTS is where it begins in the video. (With a segment that runs
 * backwards, as the video's does, textoverlay never shows a text, and muxers, which look at the PTS alone, are late by
 * the caption's duration.)
 */
#pragma once

#include "gst/caption/pad.h"
#include "gst/stream-time.h"

G_BEGIN_DECLS

/**
 * GstUpiTextTime:
 * @GST_UPI_TEXT_TIME_STREAM: PTS are stream times: where the caption is in the video; a playlist's next item begins
 * anew
 * @GST_UPI_TEXT_TIME_RUNNING: PTS are running times: how long the pipeline has played; a playlist's next item goes on
 */
typedef enum { GST_UPI_TEXT_TIME_STREAM, GST_UPI_TEXT_TIME_RUNNING } GstUpiTextTime;

/* Any thread; embed it, gst_upi_caption_stream_init() it. */
typedef struct {
  GMutex lock; /* before the pad's own locks */
  GstUpiCaptionPad *pad;
  gchar *stream_id; /* NULL before the video's STREAM_START */
  guint group_id;
  gboolean has_group_id;
  GstEvent *segment;
  gboolean eos;

  /* streaming thread */
  GstUpiTextTime text_time; /* fixed from READY→PAUSED on */
  GstSegment text;          /* what @segment says */
} GstUpiCaptionStream;

void gst_upi_caption_stream_init (GstUpiCaptionStream *stream);
void gst_upi_caption_stream_clear (GstUpiCaptionStream *stream);
/* A new run: nothing was seen of the video yet; the pad stays. */
void gst_upi_caption_stream_reset (GstUpiCaptionStream *stream, GstUpiTextTime text_time);

/**
 * gst_upi_caption_stream_open: makes the pad, which gets what one that was there from the beginning would have seen.
 * @active: the element runs
 * Returns: (transfer none) (nullable): NULL if there is one already
 */
GstPad *gst_upi_caption_stream_open (GstUpiCaptionStream *stream, GstPadTemplate *templ, gboolean active);
/* Returns: (transfer full) (nullable): the pad, no longer the stream's; NULL if @pad is not it */
GstUpiCaptionPad *gst_upi_caption_stream_close (GstUpiCaptionStream *stream, GstPad *pad);

/* What the video's @event means to the text; GAPs are frames. @event: (transfer none). @time: which has taken it */
void gst_upi_caption_stream_take_event (GstUpiCaptionStream *stream, GstEvent *event, const GstUpiStreamTime *time);

/**
 * gst_upi_caption_stream_push: once a frame, in order.
 * @caption: (nullable): the one that starts with it; a GAP where it is NULL or empty
 * @duration: of the caption, in stream time
 *
 * Returns: captions that were lost since the last call: nobody took them, and too many waited
 */
guint gst_upi_caption_stream_push (GstUpiCaptionStream *stream, const gchar *caption, const GstUpiStreamTime *time,
    const GstUpiFrameTime *frame, GstClockTime duration);

/* Of the pad; GST_FLOW_NOT_LINKED without one. */
GstFlowReturn gst_upi_caption_stream_get_flow (GstUpiCaptionStream *stream);

G_END_DECLS
