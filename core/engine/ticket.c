/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tickets: a request's life from queued to done. It completes, fails or is cancelled, once; its image is released once;
 * its callback runs once, and whoever waits wakes after the callback has returned, so that after a wait nothing of the
 * caller's is in use any more. */
#include "core/engine/engine-private.h"

UpiTicket *
upi_ticket_new (UpiTicketKind kind, UpiRunFunc run, UpiQueue *queue, UpiTicketFunc done, gpointer user_data)
{
  UpiTicket *ticket = g_new0 (UpiTicket, 1);

  ticket->ref_count = 1;
  ticket->kind = kind;
  ticket->run = run;
  ticket->queue = upi_queue_ref (queue);
  ticket->done_func = done;
  ticket->user_data = user_data;
  ticket->submitted = g_get_monotonic_time ();
  return ticket;
}

UpiTicket *
upi_ticket_ref (UpiTicket *ticket)
{
  g_atomic_int_inc (&ticket->ref_count);
  return ticket;
}

static void
ticket_free (UpiTicket *ticket)
{
  g_clear_pointer (&ticket->encoding, upi_encoding_drop);
  g_clear_pointer (&ticket->labels, upi_labels_unref);
  g_clear_error (&ticket->error);
  g_clear_pointer (&ticket->said, upi_caption_unref);
  g_clear_pointer (&ticket->stream, upi_stream_drop);
  if (ticket->texts != NULL)
    ticket->texts_free (ticket->texts);
  g_clear_error (&ticket->parts.error);
  upi_queue_unref (ticket->queue);
  g_free (ticket);
}

void
upi_ticket_unref (UpiTicket *ticket)
{
  if (g_atomic_int_dec_and_test (&ticket->ref_count))
    ticket_free (ticket);
}

gboolean
upi_ticket_is_cancelled (UpiTicket *ticket)
{
  return g_atomic_int_get (&ticket->cancelled);
}

gboolean
upi_ticket_is_done (UpiTicket *ticket)
{
  return g_atomic_int_get (&ticket->done);
}

void
upi_ticket_release_image (UpiTicket *ticket)
{
  GDestroyNotify release = ticket->image.release;

  ticket->image.release = NULL;
  if (release != NULL)
    release (ticket->image.user_data);
}

static void
count (UpiTicket *ticket, const GError *error)
{
  UpiCounters *counters = &ticket->queue->counters;

  if (error != NULL)
    g_atomic_pointer_add (
        g_error_matches (error, UPI_ERROR, UPI_ERROR_CANCELLED) ? &counters->cancelled : &counters->failed, 1);
  else if (ticket->kind == UPI_TICKET_ENCODE)
    g_atomic_pointer_add (ticket->is_static ? &counters->still : &counters->encoded, 1);
  else if (ticket->kind == UPI_TICKET_CAPTION)
    g_atomic_pointer_add (&counters->captions, 1);
  g_atomic_pointer_add (&counters->convert_us, ticket->convert_us);
  g_atomic_pointer_add (
      ticket->kind == UPI_TICKET_CAPTION ? &counters->caption_us : &counters->infer_us, ticket->infer_us);
}

void
upi_ticket_finish (UpiTicket *ticket, GError *error)
{
  UpiQueue *queue = upi_queue_ref (ticket->queue);
  gboolean last;

  upi_ticket_release_image (ticket);
  g_clear_pointer (&ticket->pending, upi_labels_unref);
  g_clear_pointer (&ticket->source, upi_encoding_drop);
  count (ticket, error);

  g_mutex_lock (&queue->lock);
  g_assert (!ticket->done);
  if (ticket->stream != NULL)
    ticket->stream->running--;
  ticket->error = error;
  ticket->finisher = g_thread_self ();
  g_atomic_int_set (&ticket->done, TRUE);
  g_mutex_unlock (&queue->lock);

  if (ticket->done_func != NULL)
    ticket->done_func (ticket, ticket->user_data);

  /* Who wakes finds this reference gone: its own unref, and that of the result, may then be the last. */
  g_mutex_lock (&queue->lock);
  ticket->has_called_back = TRUE;
  last = g_atomic_int_dec_and_test (&ticket->ref_count);
  g_cond_broadcast (&queue->finished);
  g_mutex_unlock (&queue->lock);
  if (last)
    ticket_free (ticket);
  upi_queue_unref (queue);
}

gboolean
upi_ticket_wait (UpiTicket *ticket, GError **error)
{
  UpiQueue *queue = ticket->queue;
  gboolean ok;

  g_mutex_lock (&queue->lock);
  /* A callback may ask for its own ticket. */
  while (!ticket->has_called_back && !(ticket->done && ticket->finisher == g_thread_self ()))
    g_cond_wait (&queue->finished, &queue->lock);
  ok = ticket->error == NULL;
  if (!ok && error != NULL)
    *error = g_error_copy (ticket->error);
  g_mutex_unlock (&queue->lock);
  return ok;
}

void
upi_ticket_cancel (UpiTicket *ticket)
{
  g_atomic_int_set (&ticket->cancelled, TRUE);
  if (upi_queue_remove (ticket->queue, ticket))
    upi_ticket_finish (ticket, g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled before it was served"));
}

/* Results are written before done is set and never change after. */
UpiEncoding *
upi_ticket_get_encoding (UpiTicket *ticket)
{
  UpiEngine *engine =
      upi_ticket_is_done (ticket) && ticket->encoding != NULL ? upi_engine_of_queue (ticket->queue) : NULL;

  return engine != NULL ? upi_encoding_publish (ticket->encoding) : NULL;
}

gboolean
upi_ticket_is_static (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) && ticket->is_static;
}

UpiLabels *
upi_ticket_get_labels (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) && ticket->labels != NULL ? upi_labels_ref (ticket->labels) : NULL;
}

gchar *
upi_ticket_get_text (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) && ticket->said != NULL ? g_strdup (ticket->said->texts[0].text) : NULL;
}

UpiCaption *
upi_ticket_get_caption (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) && ticket->said != NULL ? upi_caption_ref (ticket->said) : NULL;
}

void
upi_ticket_get_times (UpiTicket *ticket, guint64 *convert_us, guint64 *infer_us)
{
  gboolean done = upi_ticket_is_done (ticket);

  if (convert_us != NULL)
    *convert_us = done ? ticket->convert_us : 0;
  if (infer_us != NULL)
    *infer_us = done ? ticket->infer_us : 0;
}
