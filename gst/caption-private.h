/* caption-private.h: upicaption's object, shared by its element (gstupicaption.c) and what it does with a frame (caption-frames.c). */
#pragma once

#include <gst/gst.h>

#include "core/upi.h"
#include "gst/caption-request.h"
#include "gst/caption-schedule.h"
#include "gst/caption-stream.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_upi_caption_debug);

#define GST_TYPE_UPI_CAPTION (gst_upi_caption_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiCaptionElement, gst_upi_caption, GST, UPI_CAPTION, GstElement)

struct _GstUpiCaptionElement {
  GstElement parent;
  GstPad *sinkpad, *srcpad;

  /* object lock */
  GstClockTime interval;
  UpiCaptionOptions options;

  GstUpiCaptionStream text;

  /* lock: what the streaming thread, flushes and state changes share */
  GMutex lock;
  gboolean flushing;
  GstUpiCaptionRequest *request; /* the one on its way */

  /* streaming thread */
  GstSegment segment;
  GstClockTime frame_duration; /* from the caps */
  GstUpiCaptionSchedule schedule;
  gchar *shown; /* the caption in the meta */
  gboolean seen_meta, warned;
};

/* caption-frames.c */

/* The sink pad's chain function. */
GstFlowReturn gst_upi_caption_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer);
/* Any thread: gives up the caption on its way, for which no frame waits any longer. @flushing: frames are refused until
 * gst_upi_caption_restart(). */
void gst_upi_caption_cancel (GstUpiCaptionElement *self, gboolean flushing);
/* A stream begins, or goes on after a flush: no caption shows, and the next frame may ask for one. */
void gst_upi_caption_restart (GstUpiCaptionElement *self);

G_END_DECLS
