/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rtsp-source-private.h: upirtspsrc's object, shared by its element (gstupirtspsrc.c) and the thread that connects
 * (rtsp-connection.c). */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_upi_rtsp_src_debug);

#define GST_TYPE_UPI_RTSP_SRC (gst_upi_rtsp_src_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiRtspSrc, gst_upi_rtsp_src, GST, UPI_RTSP_SRC, GstBin)

/* What ended a connection. */
typedef enum {
  GST_UPI_RTSP_NONE,
  GST_UPI_RTSP_AWAY,    /* the camera is: it is tried again */
  GST_UPI_RTSP_REFUSED, /* it does not let us in: likewise, not often */
  GST_UPI_RTSP_DONE,    /* downstream has enough, or the application ends the stream */
  GST_UPI_RTSP_FATAL    /* trying again would not help */
} GstUpiRtspEnd;

struct _GstUpiRtspSrc {
  GstBin parent;
  GstElement *queue;
  GstPadQueryFunction ask_queue; /* the source pad's own */
  GstPad *entry;                 /* the queue's sink pad: what a connection links to */

  /* Settings; object lock. */
  gchar *location, *user_id, *user_pw;
  guint latency;
  GstClockTime min_backoff, max_backoff, timeout;

  GMutex lock;
  GCond changed;
  /* under lock */
  GThread *thread;        /* connects, waits, takes apart */
  GstElement *connection; /* the thread's; nullable */
  gboolean stop, playing;
  GstUpiRtspEnd end; /* of this connection */
  gchar *reason;     /* of it */
  GstMessage *error; /* nullable: the same, of GST_UPI_RTSP_FATAL */
  guint connections, attempt;
  gint64 seen; /* monotonic: when this connection began or last sent something */
  gint64 lost; /* when the camera was seen last; 0: never */
  gboolean has_picture, sent_start;
};

/* The address as it may be shown: without user name and password. (transfer full) */
gchar *gst_upi_rtsp_src_public_location (GstUpiRtspSrc *self);
/* Tells the application of a new rtspsrc. */
void gst_upi_rtsp_src_setup (GstUpiRtspSrc *self, GstElement *rtspsrc);

/* rtsp-connection.c */

/* TRUE: @message, (transfer full) then, is of a connection and not for the bus. */
gboolean gst_upi_rtsp_src_take_message (GstUpiRtspSrc *self, GstMessage *message);
/* Lock held. The first reason counts: what follows follows from it. */
void gst_upi_rtsp_src_end_connection (GstUpiRtspSrc *self, GstUpiRtspEnd end, const gchar *reason);
/* The thread: connects until it is stopped, or nothing more is to come. */
gpointer gst_upi_rtsp_src_run (gpointer self);

G_END_DECLS
