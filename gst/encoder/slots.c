/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* slots.c: the encodings under way in upiencoder: a ticket from its request to its end on a worker, and how its result reaches the
 * frames that leave. */
#include "gst/encoder/frames-private.h"

static void
slot_clear (gpointer data)
{
  GstUpiSlot *slot = data;
  g_clear_pointer (&slot->ticket, upi_ticket_unref);
  g_clear_pointer (&slot->encoding, upi_encoding_unref);
  g_clear_error (&slot->error);
  gst_upi_frames_unref (slot->frames);
}

void
gst_upi_slot_unref (GstUpiSlot *slot)
{
  g_atomic_rc_box_release_full (slot, slot_clear);
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

/* Lock held. (transfer full) the ticket, to be let go of without the lock */
static UpiTicket *
slot_finish (GstUpiSlot *slot, UpiEncoding *encoding, GError *error, guint64 convert_us, guint64 infer_us)
{
  GstUpiFrames *frames = slot->frames;

  slot->done = TRUE;
  slot->done_us = g_get_monotonic_time ();
  slot->encoding = encoding;
  slot->error = error;
  frames->n_running--;
  /* What a flush cancelled is no failure. */
  if (frames->stats != NULL && encoding != NULL) {
    gst_upi_stats_count (frames->stats, GST_UPI_COUNT_ENCODED);
    gst_upi_stats_add_encode_time (frames->stats, convert_us, infer_us);
  } else if (frames->stats != NULL && !slot->cancelled) {
    gst_upi_stats_count (frames->stats, GST_UPI_COUNT_FAILED);
  }
  g_cond_broadcast (&frames->changed);
  return g_steal_pointer (&slot->ticket);
}

/* UpiTicketFunc, from a worker or from whoever cancels. */
static void
slot_done (UpiTicket *ticket, gpointer user_data)
{
  GstUpiSlot *slot = user_data;
  GstUpiFrames *frames = slot->frames;
  UpiEncoding *encoding = upi_ticket_get_encoding (ticket);
  GError *error = NULL;
  guint64 convert_us = 0, infer_us = 0;

  if (encoding == NULL && upi_ticket_wait (ticket, &error)) /* done: returns at once */
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_FAILED, "The engine finished a frame without an encoding");
  upi_ticket_get_times (ticket, &convert_us, &infer_us);
  g_mutex_lock (&frames->lock);
  UpiTicket *kept = slot_finish (slot, encoding, error, convert_us, infer_us);
  g_mutex_unlock (&frames->lock);
  g_clear_pointer (&kept, upi_ticket_unref);
  gst_upi_slot_unref (slot);
}

GstUpiSlot *
gst_upi_frames_request (
    GstUpiFrames *frames, UpiStream *stream, const UpiImage *image, guint width, guint height, GstClockTime pts, gboolean latest)
{
  GstUpiSlot *slot = g_atomic_rc_box_new0 (GstUpiSlot);
  g_autoptr (GError) error = NULL;

  slot->frames = gst_upi_frames_ref (frames);
  slot->pts = pts;
  slot->requested_us = g_get_monotonic_time ();
  g_mutex_lock (&frames->lock);
  slot->sequence = frames->next_sequence;
  slot->generation = frames->generation;
  slot->cancelled = frames->flushing;
  frames->n_running++;
  if (!frames->flushing)
    g_queue_push_tail (&frames->slots, g_atomic_rc_box_acquire (slot));
  g_mutex_unlock (&frames->lock);

  UpiTicket *ticket = upi_stream_encode (stream, image, width, height, pts, latest, slot_done, g_atomic_rc_box_acquire (slot), &error);
  g_mutex_lock (&frames->lock);
  if (ticket == NULL) {
    slot_finish (slot, NULL, g_steal_pointer (&error), 0, 0);
  } else if (!slot->done && !slot->cancelled) {
    slot->ticket = g_steal_pointer (&ticket);
  }
  gboolean refused = slot->done && slot->encoding == NULL && ticket == NULL;
  gboolean cancel = ticket != NULL && !slot->done;
  g_mutex_unlock (&frames->lock);
  if (refused) /* no callback will come */
    gst_upi_slot_unref (slot);
  if (cancel) /* a flush came between */
    upi_ticket_cancel (ticket);
  g_clear_pointer (&ticket, upi_ticket_unref);
  return slot;
}

guint
gst_upi_frames_get_running (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  guint n = frames->n_running;
  g_mutex_unlock (&frames->lock);
  return n;
}

/* Lock held. Freshness: whether frames leave with @slot's result from here on. Workers end in any order; a result that comes after that of a
 * later frame stays behind for good. By order of arrival, not by time: that runs backwards at a negative rate. */
static gboolean
show (GstUpiFrames *frames, const GstUpiSlot *slot)
{
  if (slot->sequence < frames->first_fresh)
    return FALSE;
  frames->first_fresh = slot->sequence + 1;
  return TRUE;
}

void
gst_upi_frames_take_results (GstUpiFrames *frames, const QueueItem *item, GError **error)
{
  GList *next;

  for (GList *l = frames->slots.head; l != NULL; l = next) {
    GstUpiSlot *slot = l->data;
    next = l->next;
    if (slot->sequence > item->sequence)
      break;
    if (!slot->done)
      continue;
    g_queue_delete_link (&frames->slots, l);
    if (slot->encoding != NULL && slot->generation == item->generation && !show (frames, slot)) {
      if (frames->stats != NULL)
        gst_upi_stats_count (frames->stats, GST_UPI_COUNT_OUTDATED);
    } else if (slot->encoding != NULL && slot->generation == item->generation) {
      g_clear_pointer (&frames->content, gst_upi_content_unref);
      frames->content = gst_upi_content_new (slot->encoding, slot->pts, item->block ? GST_UPI_CONTENT_NONE : GST_UPI_CONTENT_NEVER_WAIT);
      frames->content_generation = slot->generation;
    } else if (slot->error != NULL && *error == NULL) {
      *error = g_error_copy (slot->error);
    }
    gst_upi_slot_unref (slot);
  }
}
