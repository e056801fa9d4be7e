/* Tickets: a request's life from queued to done. It completes, fails or is cancelled, once; its image is released once; its callback runs
 * once, and whoever waits wakes after the callback has returned, so that after a wait nothing of the caller's is in use any more. */
#include "core/engine/engine-private.h"

UpiTicket *
upi_ticket_new (UpiTicketKind kind, UpiQueue *queue, UpiTicketFunc done, gpointer user_data)
{
  UpiTicket *ticket = g_new0 (UpiTicket, 1);

  ticket->ref_count = 1;
  ticket->kind = kind;
  ticket->queue = upi_queue_ref (queue);
  ticket->done_func = done;
  ticket->user_data = user_data;
  ticket->submitted = g_get_monotonic_time ();
  g_mutex_init (&ticket->lock);
  g_cond_init (&ticket->settled_cond);
  return ticket;
}

UpiTicket *
upi_ticket_ref (UpiTicket *ticket)
{
  g_atomic_int_inc (&ticket->ref_count);
  return ticket;
}

void
upi_ticket_unref (UpiTicket *ticket)
{
  if (!g_atomic_int_dec_and_test (&ticket->ref_count))
    return;
  g_clear_pointer (&ticket->encoding, upi_encoding_unref);
  g_clear_pointer (&ticket->labels, upi_labels_unref);
  g_clear_error (&ticket->error);
  g_free (ticket->text);
  g_mutex_clear (&ticket->lock);
  g_cond_clear (&ticket->settled_cond);
  upi_queue_unref (ticket->queue);
  g_free (ticket);
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
  if (release)
    release (ticket->image.user_data);
}

static void
count (UpiTicket *ticket, const GError *error)
{
  UpiCounters *counters = &ticket->queue->counters;

  if (error)
    g_atomic_pointer_add (g_error_matches (error, UPI_ERROR, UPI_ERROR_CANCELLED) ? &counters->cancelled : &counters->failed, 1);
  else if (ticket->kind == UPI_TICKET_ENCODE)
    g_atomic_pointer_add (&counters->encoded, 1);
  else if (ticket->kind == UPI_TICKET_CAPTION)
    g_atomic_pointer_add (&counters->captions, 1);
  g_atomic_pointer_add (&counters->convert_us, ticket->convert_us);
  g_atomic_pointer_add (ticket->kind == UPI_TICKET_CAPTION ? &counters->caption_us : &counters->infer_us, ticket->infer_us);
}

void
upi_ticket_finish (UpiTicket *ticket, GError *error)
{
  upi_ticket_release_image (ticket);
  g_clear_pointer (&ticket->pending, upi_labels_unref);
  g_clear_pointer (&ticket->source, upi_encoding_drop);
  count (ticket, error);

  g_mutex_lock (&ticket->lock);
  g_assert (!ticket->done);
  ticket->error = error;
  ticket->finisher = g_thread_self ();
  g_atomic_int_set (&ticket->done, TRUE);
  g_mutex_unlock (&ticket->lock);

  if (ticket->done_func)
    ticket->done_func (ticket, ticket->user_data);

  g_mutex_lock (&ticket->lock);
  ticket->settled = TRUE;
  g_cond_broadcast (&ticket->settled_cond);
  g_mutex_unlock (&ticket->lock);
}

gboolean
upi_ticket_wait (UpiTicket *ticket, GError **error)
{
  gboolean ok;

  g_mutex_lock (&ticket->lock);
  /* A callback may ask for its own ticket. */
  while (!ticket->settled && !(ticket->done && ticket->finisher == g_thread_self ()))
    g_cond_wait (&ticket->settled_cond, &ticket->lock);
  ok = ticket->error == NULL;
  if (!ok && error)
    *error = g_error_copy (ticket->error);
  g_mutex_unlock (&ticket->lock);
  return ok;
}

void
upi_ticket_cancel (UpiTicket *ticket)
{
  g_atomic_int_set (&ticket->cancelled, TRUE);
  if (upi_queue_remove (ticket->queue, ticket)) {
    upi_ticket_finish (ticket, g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled before it was served"));
    upi_ticket_unref (ticket);
  }
}

/* Results are written before done is set and never change after. */
UpiEncoding *
upi_ticket_get_encoding (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) && ticket->encoding ? upi_encoding_ref (ticket->encoding) : NULL;
}

UpiLabels *
upi_ticket_get_labels (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) && ticket->labels ? upi_labels_ref (ticket->labels) : NULL;
}

gchar *
upi_ticket_get_text (UpiTicket *ticket)
{
  return upi_ticket_is_done (ticket) ? g_strdup (ticket->text) : NULL;
}

void
upi_ticket_get_times (UpiTicket *ticket, guint64 *convert_us, guint64 *infer_us)
{
  gboolean done = upi_ticket_is_done (ticket);

  if (convert_us)
    *convert_us = done ? ticket->convert_us : 0;
  if (infer_us)
    *infer_us = done ? ticket->infer_us : 0;
}
