/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames-private.h: what upiencoder's queue (frames.c) and the encodings under way in it (pending-frames.c) share. */
#pragma once

#include "gst/encoder/frames.h"

G_BEGIN_DECLS

struct _GstUpiPendingFrame {
  GstUpiFrames *frames;
  guint64 sequence;
  guint generation;
  gint64 requested_us, done_us;
  /* under the queue's lock */
  gboolean done, cancelled;
  gboolean latest;    /* a later frame may take its place */
  gboolean is_static; /* @encoding is an earlier frame's */
  UpiTicket *ticket;  /* nullable */
  UpiEncoding *encoding;
  GError *error;
};

/* A serialised query whose asker waits on its own stack. */
typedef struct {
  GstQuery *query;
  gboolean taken, done, answer;
} PendingQuery;

typedef struct {
  GstBuffer *buffer;
  GstEvent *event;
  PendingQuery *query;
  guint64 sequence;
  guint generation;
  GstUpiPendingFrame *pending; /* nullable */
  gboolean block;
  GError *error;
} QueueItem;

struct _GstUpiFrames {
  GMutex lock;
  GCond changed;
  GstUpiStats *stats; /* NULL once the element is gone */
  GQueue items;       /* of QueueItem */
  guint n_buffers;    /* queued, and the one that is being pushed */
  GQueue pending;     /* of GstUpiPendingFrame, in order of request */
  guint n_running;
  guint n_borrowed;
  guint64 next_sequence;
  guint generation;
  gboolean flushing, eos;
  GstFlowReturn result;
  /* what frames leave with */
  GstUpiContent *content;
  guint content_generation;
  PendingQuery *taken_query;
};

/* pending-frames.c */

void gst_upi_pending_frame_unref (GstUpiPendingFrame *pending);
/* Lock held. Takes the results of encodings that were requested up to @item's frame: the newest of its generation
 * becomes what frames leave with; failures are reported with the frame that meets them first. TRUE: that is an earlier
 * frame's, and was just found to be true of this one. */
gboolean gst_upi_frames_take_results (GstUpiFrames *frames, const QueueItem *item, GError **error);

G_END_DECLS
