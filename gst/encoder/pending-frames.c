/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pending-frames.c: the encodings under way in upiencoder: a ticket from its request to its end on a worker, and how
 * its result reaches the frames that leave. */
#include "gst/encoder/frames-private.h"

static void
pending_frame_clear (gpointer data)
{
  GstUpiPendingFrame *pending = data;
  g_clear_pointer (&pending->ticket, upi_ticket_unref);
  g_clear_pointer (&pending->encoding, upi_encoding_unref);
  g_clear_error (&pending->error);
  gst_upi_frames_unref (pending->frames);
}

void
gst_upi_pending_frame_unref (GstUpiPendingFrame *pending)
{
  g_atomic_rc_box_release_full (pending, pending_frame_clear);
}

gpointer
gst_upi_frames_borrow (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  frames->n_borrowed++;
  g_mutex_unlock (&frames->lock);
  return gst_upi_frames_ref (frames);
}

void
gst_upi_frames_image_released (gpointer data)
{
  GstUpiFrames *frames = data;

  g_mutex_lock (&frames->lock);
  frames->n_borrowed--;
  g_cond_broadcast (&frames->changed);
  g_mutex_unlock (&frames->lock);
  gst_upi_frames_unref (frames);
}

/* Lock held. */
static void
pending_frame_finish (
    GstUpiPendingFrame *pending, UpiEncoding *encoding, GError *error, guint64 convert_us, guint64 infer_us)
{
  GstUpiFrames *frames = pending->frames;

  pending->done = TRUE;
  pending->done_us = g_get_monotonic_time ();
  pending->encoding = encoding;
  pending->error = error;
  frames->n_running--;
  /* What a flush cancelled is no failure, nor is a frame whose place a later one has taken. */
  if (error != NULL && pending->latest && !pending->cancelled
      && g_error_matches (error, UPI_ERROR, UPI_ERROR_CANCELLED)) {
    g_clear_error (&pending->error);
    if (frames->stats != NULL)
      gst_upi_stats_count (frames->stats, GST_UPI_COUNT_SKIPPED);
  } else if (frames->stats != NULL && encoding != NULL && pending->is_static) {
    gst_upi_stats_count (frames->stats, GST_UPI_COUNT_STATIC);
  } else if (frames->stats != NULL && encoding != NULL) {
    gst_upi_stats_count (frames->stats, GST_UPI_COUNT_ENCODED);
    gst_upi_stats_add_encode_time (frames->stats, convert_us, infer_us);
  } else if (frames->stats != NULL && !pending->cancelled) {
    gst_upi_stats_count (frames->stats, GST_UPI_COUNT_FAILED);
  }
  g_cond_broadcast (&frames->changed);
}

/* UpiTicketFunc, from a worker or from whoever cancels. */
static void
pending_frame_done (UpiTicket *ticket, gpointer user_data)
{
  GstUpiPendingFrame *pending = user_data;
  GstUpiFrames *frames = pending->frames;
  UpiEncoding *encoding = upi_ticket_get_encoding (ticket);
  GError *error = NULL;
  guint64 convert_us = 0, infer_us = 0;

  if (encoding == NULL && upi_ticket_wait (ticket, &error)) /* done: returns at once */
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_FAILED, "The engine finished a frame without an encoding");
  upi_ticket_get_times (ticket, &convert_us, &infer_us);
  g_mutex_lock (&frames->lock);
  if (pending->ticket == NULL)
    pending->ticket = upi_ticket_ref (ticket);
  pending->is_static = upi_ticket_is_static (ticket);
  pending_frame_finish (pending, encoding, error, convert_us, infer_us);
  g_mutex_unlock (&frames->lock);
  gst_upi_pending_frame_unref (pending);
}

GstUpiPendingFrame *
gst_upi_frames_request (GstUpiFrames *frames, UpiStream *stream, const UpiImage *image, guint width, guint height,
    GstClockTime pts, gboolean latest)
{
  GstUpiPendingFrame *pending = g_atomic_rc_box_new0 (GstUpiPendingFrame);
  g_autoptr (GError) error = NULL;

  pending->frames = gst_upi_frames_ref (frames);
  pending->latest = latest;
  pending->requested_us = g_get_monotonic_time ();
  g_mutex_lock (&frames->lock);
  pending->sequence = frames->next_sequence;
  pending->generation = frames->generation;
  pending->cancelled = frames->flushing;
  frames->n_running++;
  if (!frames->flushing)
    g_queue_push_tail (&frames->pending, g_atomic_rc_box_acquire (pending));
  g_mutex_unlock (&frames->lock);

  UpiTicket *ticket = upi_stream_encode (
      stream, image, width, height, pts, latest, pending_frame_done, g_atomic_rc_box_acquire (pending), &error);
  g_mutex_lock (&frames->lock);
  if (ticket == NULL) {
    pending_frame_finish (pending, NULL, g_steal_pointer (&error), 0, 0);
  } else if (pending->ticket == NULL && !pending->cancelled) {
    pending->ticket = g_steal_pointer (&ticket);
  }
  gboolean refused = pending->done && pending->ticket == NULL && ticket == NULL;
  gboolean cancel = ticket != NULL && !pending->done;
  g_mutex_unlock (&frames->lock);
  if (refused) /* no callback will come */
    gst_upi_pending_frame_unref (pending);
  if (cancel) /* a flush came between */
    upi_ticket_cancel (ticket);
  g_clear_pointer (&ticket, upi_ticket_unref);
  return pending;
}

guint
gst_upi_frames_get_running (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  guint n = frames->n_running;
  g_mutex_unlock (&frames->lock);
  return n;
}

gboolean
gst_upi_frames_take_results (GstUpiFrames *frames, const QueueItem *item, GError **error)
{
  gboolean is_static = FALSE;
  GList *next;

  for (GList *l = frames->pending.head; l != NULL; l = next) {
    GstUpiPendingFrame *pending = l->data;
    next = l->next;
    if (pending->sequence > item->sequence)
      break;
    if (!pending->done)
      continue;
    g_queue_delete_link (&frames->pending, l);
    if (pending->encoding != NULL && pending->generation == item->generation && !upi_ticket_show (pending->ticket)) {
      if (frames->stats != NULL)
        gst_upi_stats_count (frames->stats, GST_UPI_COUNT_OUTDATED);
    } else if (pending->encoding != NULL && pending->generation == item->generation) {
      g_clear_pointer (&frames->content, gst_upi_content_unref);
      is_static = pending->is_static;
      frames->content = gst_upi_content_new (pending->encoding, upi_encoding_pts (pending->encoding),
          item->block ? GST_UPI_CONTENT_NONE : GST_UPI_CONTENT_NEVER_WAIT);
      frames->content_generation = pending->generation;
    } else if (pending->error != NULL && *error == NULL) {
      *error = g_error_copy (pending->error);
    }
    gst_upi_pending_frame_unref (pending);
  }
  return is_static;
}
