/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.h: the ordered queue inside upiencoder. The sink pad's thread puts frames (with the ticket that encodes them),
 * events and serialised queries in; the source pad's task takes them out in the same order, each frame with the content
 * that it leaves with. Workers only mark tickets as done. It outlives the element as long as a worker holds a frame.
 *
 * Lock: one mutex, taken by pads' threads and by workers; nothing is called while it is held. */
#pragma once

#include <gst/gst.h>

#include "core/upi.h"
#include "gst/encoder/stats.h"
#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef struct _GstUpiFrames GstUpiFrames;
/* One encoding under way: from the request until the first frame that leaves after it has taken its result. */
typedef struct _GstUpiPendingFrame GstUpiPendingFrame;

/* What the task takes out: one of @buffer, @event, @query. */
typedef struct {
  GstBuffer *buffer;
  GstEvent *event;
  GstQuery *query;        /* borrowed from the thread that waits for it */
  gboolean is_buffer;     /* it was one, also when @buffer has left */
  GstUpiContent *content; /* what @buffer leaves with */
  GError *error;          /* the first failure met on the way to this frame */
  gboolean block;         /* policy of the frame */
  GstClockTime latency;   /* time its own encoding took from the request on, or NONE */
} GstUpiItem;

GstUpiFrames *gst_upi_frames_new (GstUpiStats *stats);
GstUpiFrames *gst_upi_frames_ref (GstUpiFrames *frames);
void gst_upi_frames_unref (GstUpiFrames *frames);
/* The element is going: its stats are no longer counted in. */
void gst_upi_frames_detach (GstUpiFrames *frames);

/* TRUE: everyone who waits returns GST_FLOW_FLUSHING, all tickets are cancelled and the queue is emptied but for sticky
 * events that a flush must not lose; of events that come meanwhile it takes these alone. FALSE: results may flow
 * again. */
void gst_upi_frames_set_flushing (GstUpiFrames *frames, gboolean flushing);
/* Flushing, and the task paused: nothing that it may have had in its hands comes after them. Those sticky events, in
 * order. (transfer full) (element-type GstEvent) */
GList *gst_upi_frames_take_sticky (GstUpiFrames *frames);
/* Blocks until no worker reads a frame of this queue any more (at most until running conversions end). */
void gst_upi_frames_wait_released (GstUpiFrames *frames);

/* What the last push downstream returned; the sink pad's thread returns it upstream. Flushing stays until set_flushing
 * (FALSE). */
GstFlowReturn gst_upi_frames_get_result (GstUpiFrames *frames);
void gst_upi_frames_set_result (GstUpiFrames *frames, GstFlowReturn result);

/* Sink pad's thread: blocks until fewer than @limit frames are inside. */
GstFlowReturn gst_upi_frames_wait_room (GstUpiFrames *frames, guint limit);
/* The same: blocks until no frame is inside and no encoding under way. */
GstFlowReturn gst_upi_frames_wait_idle (GstUpiFrames *frames);
/* Nothing that was requested before is attached to a frame that is pushed after. */
void gst_upi_frames_new_generation (GstUpiFrames *frames);
guint gst_upi_frames_get_running (GstUpiFrames *frames);
guint gst_upi_frames_get_length (GstUpiFrames *frames);

/* Requests the encoding of @image for the next frame pushed. gst_upi_frames_image_released () must be its last release
 * step, with the queue as data (see gst_upi_frames_borrow ()). @latest: the frame does not wait for it. */
GstUpiPendingFrame *gst_upi_frames_request (GstUpiFrames *frames, UpiStream *stream, const UpiImage *image, guint width,
    guint height, GstClockTime pts, gboolean latest);
gpointer gst_upi_frames_borrow (GstUpiFrames *frames);
void gst_upi_frames_image_released (gpointer frames);

/* @buffer: (transfer full). @pending: (transfer full) (nullable): its own encoding. @block: it waits for @pending.
 * @error: (transfer full) (nullable): why it could not be encoded. */
GstFlowReturn gst_upi_frames_push_buffer (
    GstUpiFrames *frames, GstBuffer *buffer, GstUpiPendingFrame *pending, gboolean block, GError *error);
/* @event: (transfer full) */
GstFlowReturn gst_upi_frames_push_event (GstUpiFrames *frames, GstEvent *event);
/* Blocks until the task has answered it. */
gboolean gst_upi_frames_push_query (GstUpiFrames *frames, GstQuery *query);

/* Task: blocks until the head of the queue may leave. GST_FLOW_OK and an @item, or GST_FLOW_FLUSHING. */
GstFlowReturn gst_upi_frames_pop (GstUpiFrames *frames, GstUpiItem *item);
/* The item that was popped last has left (or was dropped); @answer: of a query. Clears @item. */
void gst_upi_frames_popped (GstUpiFrames *frames, GstUpiItem *item, gboolean answer);
/* TRUE when EOS is in the queue or was taken from it and no stream began since. */
gboolean gst_upi_frames_at_eos (GstUpiFrames *frames);

G_END_DECLS
