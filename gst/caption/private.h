/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* private.h: upicaption's object, shared by its element (gstupicaption.c) and what it does with a frame (frames.c). */
#pragma once

#include <gst/gst.h>

#include "core/upi.h"
#include "gst/caption/request.h"
#include "gst/caption/schedule.h"
#include "gst/caption/stream.h"
#include "gst/filter.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_upi_caption_debug);

#define GST_TYPE_UPI_CAPTION (gst_upi_caption_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiCaptionElement, gst_upi_caption, GST, UPI_CAPTION, GstUpiFilter)

/* What is said once a run. */
enum { GST_UPI_CAPTION_WARNED_LOST, GST_UPI_CAPTION_WARNED_BEAM };

struct _GstUpiCaptionElement {
  GstUpiFilter parent;
  GstPadChainFunction chain; /* the base class's */

  /* object lock */
  GstClockTime interval;
  UpiCaptionOptions options;
  GstUpiTextTime text_time;
  GstClockTime latency;  /* what was reported */
  gboolean more_latency; /* it only grows; FALSE: what is measured next takes its place */
  guint64 n_captions, n_failed, n_lost;

  GstUpiCaptionStream text;

  /* lock: what the streaming thread, flushes and state changes share */
  GMutex lock;
  gboolean flushing;
  GstUpiCaptionRequest *request; /* the one on its way */

  /* streaming thread */
  GstUpiCaptionSchedule schedule;
  GstUpiContent *shown; /* of one caption, that in the meta; NULL: none yet */
  /* The encoding of the last frame: by the PTS that it was inferred from, or where that is NONE by itself. */
  gboolean has_seen;
  GstClockTime seen_pts;
  UpiEncoding *seen;
};

/* frames.c */

/* Until a frame waits for a caption, no latency is added. */
void gst_upi_caption_reset_latency (GstUpiCaptionElement *self);
/* The sink pad's chain function: the base class's, and what became of the text. */
GstFlowReturn gst_upi_caption_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer);
/* Of GstUpiFilterClass: a frame, and the video's GAP event, by which time goes on, on the text pad too. */
GstFlowReturn gst_upi_caption_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content);
void gst_upi_caption_gap (GstUpiFilter *filter, const GstUpiFrameTime *time);
/* Any thread: gives up the caption on its way, for which no frame waits any longer. @flushing: frames are refused until
 * gst_upi_caption_accept(). */
void gst_upi_caption_cancel (GstUpiCaptionElement *self, gboolean flushing);
/* Frames are no longer refused. */
void gst_upi_caption_accept (GstUpiCaptionElement *self);
/* State ends (see stream-time.h): no caption shows, none is on its way, and the next frame may ask for one. */
void gst_upi_caption_forget (GstUpiCaptionElement *self);
G_END_DECLS
