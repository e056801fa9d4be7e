/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pad.h: the text pad of upicaption: a pad with a queue and a task of its own. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_UPI_CAPTION_PAD (gst_upi_caption_pad_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiCaptionPad, gst_upi_caption_pad, GST, UPI_CAPTION_PAD, GstPad)

/* (transfer floating) */
GstPad *gst_upi_caption_pad_new (GstPadTemplate *templ, const gchar *name);

/* Serialised events and buffers: queued, never waiting; dropped while the pad is inactive or flushing, buffers and GAPs
 * also while it has no peer. @item: (transfer full) */
void gst_upi_caption_pad_queue (GstUpiCaptionPad *pad, GstMiniObject *item);
/* Queues a GAP event. Behind a downstream that does not keep up, neighbouring ones become one. */
void gst_upi_caption_pad_queue_gap (GstUpiCaptionPad *pad, GstClockTime pts, GstClockTime duration);

/* Captions that fell out of the queue since the last call, because downstream took none for thousands of them. */
guint gst_upi_caption_pad_take_lost (GstUpiCaptionPad *pad);

/* @event: (transfer full): FLUSH_START or FLUSH_STOP; goes out at once, what is queued is dropped. */
void gst_upi_caption_pad_flush (GstUpiCaptionPad *pad, GstEvent *event);

/* Makes a push that downstream holds return, so that the pad may be deactivated from any thread while the pipeline
 * plays. */
void gst_upi_caption_pad_unblock (GstUpiCaptionPad *pad);

/* What the last push said: GST_FLOW_OK before the first one, GST_FLOW_NOT_LINKED without a peer. */
GstFlowReturn gst_upi_caption_pad_get_flow (GstUpiCaptionPad *pad);

G_END_DECLS
