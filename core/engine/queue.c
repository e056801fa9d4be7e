/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine's queue: tickets in order, handed to workers one by one or as batches of frames of one size (batch.c).
 *
 * It is bounded by its callers (each keeps a bounded number of tickets in flight). A worker that finds a partial batch
 * may wait for frames of other streams until the first of them has waited batch_timeout; meanwhile the tickets stay in
 * the queue, where they can still be cancelled, and the other workers pass them over.
 */
#include "core/engine/engine-private.h"

/* Frames and captions that go before a list that waits until it has its turn. */
#define MAX_PASSED 4

UpiQueue *
upi_queue_new (guint batch_size, guint64 batch_timeout_us)
{
  UpiQueue *queue = g_new0 (UpiQueue, 1);

  queue->ref_count = 1;
  g_mutex_init (&queue->lock);
  g_cond_init (&queue->changed);
  g_cond_init (&queue->finished);
  g_queue_init (&queue->waiting);
  g_queue_init (&queue->streams);
  queue->n_workers = 1;
  queue->turn = 1;
  queue->batch_size = batch_size;
  queue->batch_timeout_us = batch_timeout_us;
  return queue;
}

UpiQueue *
upi_queue_ref (UpiQueue *queue)
{
  g_atomic_int_inc (&queue->ref_count);
  return queue;
}

void
upi_queue_unref (UpiQueue *queue)
{
  if (!g_atomic_int_dec_and_test (&queue->ref_count))
    return;
  g_assert (queue->waiting.length == 0 && queue->streams.length == 0);
  g_mutex_clear (&queue->lock);
  g_cond_clear (&queue->changed);
  g_cond_clear (&queue->finished);
  g_clear_error (&queue->failure);
  g_free (queue);
}

gboolean
upi_queue_is_closed (UpiQueue *queue)
{
  return g_atomic_int_get (&queue->closed);
}

GError *
upi_queue_closing_error (UpiQueue *queue, const gchar *text)
{
  return queue->failure != NULL ? g_error_copy (queue->failure)
                                : g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, text);
}

/* The lock is held. */
static void
unlink_ticket (UpiQueue *queue, UpiTicket *ticket)
{
  g_queue_unlink (&queue->waiting, &ticket->link);
  ticket->is_waiting = FALSE;
}

void
upi_queue_push (UpiQueue *queue, UpiTicket *ticket)
{
  UpiTicket *older = NULL;

  g_mutex_lock (&queue->lock);
  gboolean closed = queue->closed;
  if (ticket->stream != NULL)
    older = upi_stream_take_ticket (ticket->stream, queue, ticket);
  if (!closed) {
    ticket->is_waiting = TRUE;
    ticket->link.data = upi_ticket_ref (ticket);
    if (older != NULL) { /* the stream's turn comes when it would have come, and with it what is newest then */
      ticket->submitted = older->submitted;
      ticket->has_waited = older->has_waited;
      g_queue_insert_before_link (&queue->waiting, &older->link, &ticket->link);
      unlink_ticket (queue, older);
    } else {
      g_queue_push_tail_link (&queue->waiting, &ticket->link);
    }
    /* All: the one that waits for its batch to fill must see it too. */
    g_cond_broadcast (&queue->changed);
  }
  g_mutex_unlock (&queue->lock);
  if (closed)
    upi_ticket_finish (upi_ticket_ref (ticket), upi_queue_closing_error (queue, "the engine is closing"));
  else if (older != NULL)
    upi_ticket_finish (
        older, g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "a later frame of its stream took its place"));
}

/* The lock is held. Whether workers run batches of a list. */
static gboolean
is_running (const UpiTicket *ticket)
{
  return ticket->parts.n_running > 0;
}

gboolean
upi_queue_remove (UpiQueue *queue, UpiTicket *ticket)
{
  gboolean waited;

  g_mutex_lock (&queue->lock);
  waited = ticket->is_waiting;
  if (waited)
    unlink_ticket (queue, ticket);
  gboolean runs = waited && is_running (ticket);
  g_mutex_unlock (&queue->lock);
  if (runs)
    upi_ticket_unref (ticket);
  return waited && !runs;
}

/* A list that has had its first turn, which is no longer than a frame's, and needs more. */
static gboolean
is_long_list (const UpiTicket *ticket)
{
  return ticket->kind == UPI_TICKET_LABELS && ticket->parts.is_begun;
}

/* The first ticket that is no long list and on which no forming batch has a claim. The lock is held. */
static UpiTicket *
first_free (UpiQueue *queue)
{
  for (GList *l = queue->waiting.head; l != NULL; l = l->next) {
    UpiTicket *ticket = l->data;

    if (is_long_list (ticket))
      continue;
    if (!queue->forming || !upi_batch_has_frame (ticket, queue->forming_width, queue->forming_height))
      return ticket;
  }
  return NULL;
}

static UpiTicket *
first_long_list (UpiQueue *queue)
{
  for (GList *l = queue->waiting.head; l != NULL; l = l->next)
    if (is_long_list (l->data))
      return l->data;
  return NULL;
}

/* What a worker does next. Frames and captions go before long lists; where they never end, a list has its turn now and
 * then. The lock is held. */
static UpiTicket *
choose (UpiQueue *queue)
{
  UpiTicket *first = first_free (queue), *list = first_long_list (queue);

  if (first != NULL && (list == NULL || queue->n_passed < MAX_PASSED)) {
    queue->n_passed += list != NULL;
    return first;
  }
  queue->n_passed = 0;
  return list;
}

/* One batch of a prepared list for the calling worker, which gets a reference: the list stays for other workers until
 * all are taken. */
static void
take_part (UpiQueue *queue, UpiTicket *ticket)
{
  UpiParts *parts = &ticket->parts;

  parts->n_running++;
  if (++parts->n_taken < parts->n)
    upi_ticket_ref (ticket);
  else
    unlink_ticket (queue, ticket);
}

guint
upi_queue_count_texts (UpiQueue *queue, UpiTicket *ticket, guint n)
{
  g_mutex_lock (&queue->lock);
  guint done = ticket->parts.n_done += n;
  g_mutex_unlock (&queue->lock);
  return done;
}

gboolean
upi_queue_end_part (UpiQueue *queue, UpiTicket *ticket, guint64 time_us, GError **error)
{
  UpiParts *parts = &ticket->parts;

  g_mutex_lock (&queue->lock);
  parts->n_running--;
  ticket->infer_us += time_us;
  if (*error != NULL && parts->error == NULL)
    parts->error = g_steal_pointer (error);
  gboolean gives_up = parts->error != NULL && ticket->is_waiting;
  if (gives_up)
    unlink_ticket (queue, ticket);
  gboolean last = parts->n_running == 0 && !ticket->is_waiting;
  g_clear_error (error);
  if (last)
    *error = g_steal_pointer (&parts->error);
  g_mutex_unlock (&queue->lock);
  if (gives_up)
    upi_ticket_unref (ticket);
  return last;
}

guint
upi_queue_take (UpiQueue *queue, UpiTicket *tickets[UPI_ENGINE_MAX_BATCH])
{
  guint n = 0;

  g_mutex_lock (&queue->lock);
  while (n == 0 && !queue->closed) {
    UpiTicket *ticket = queue->holds ? NULL : choose (queue);

    if (ticket == NULL) {
      g_cond_wait (&queue->changed, &queue->lock);
      continue;
    }
    if (ticket->kind == UPI_TICKET_LABELS && ticket->parts.is_prepared) {
      take_part (queue, ticket);
      tickets[n++] = ticket;
    } else if (ticket->kind != UPI_TICKET_ENCODE) {
      unlink_ticket (queue, ticket);
      tickets[n++] = ticket;
    } else {
      guint width = ticket->width, height = ticket->height;

      if (queue->batch_size > 1 && queue->batch_timeout_us > 0 && !queue->forming && !ticket->has_waited)
        upi_batch_fill (queue, ticket);
      if (!queue->holds && !queue->closed)
        n = upi_batch_choose (queue, width, height, tickets);
      for (guint i = 0; i < n; i++) {
        unlink_ticket (queue, tickets[i]);
        if (tickets[i]->stream != NULL)
          tickets[i]->stream->turn = queue->turn;
      }
      queue->turn++;
    }
  }
  g_mutex_unlock (&queue->lock);
  return n;
}

static void
close_with (UpiQueue *queue, const GError *error)
{
  GQueue waiting = G_QUEUE_INIT, running = G_QUEUE_INIT;
  UpiTicket *ticket;

  g_mutex_lock (&queue->lock);
  if (!queue->closed && error->code != UPI_ERROR_CANCELLED)
    queue->failure = g_error_copy (error);
  g_atomic_int_set (&queue->closed, TRUE);
  while (!g_queue_is_empty (&queue->waiting)) {
    ticket = queue->waiting.head->data;
    unlink_ticket (queue, ticket);
    if (is_running (ticket))
      g_queue_push_tail_link (&running, &ticket->link);
    else
      g_queue_push_tail_link (&waiting, &ticket->link);
  }
  g_cond_broadcast (&queue->changed);
  g_mutex_unlock (&queue->lock);

  while (!g_queue_is_empty (&waiting)) {
    ticket = g_queue_pop_head_link (&waiting)->data;
    upi_ticket_finish (ticket, g_error_copy (error));
  }
  while (!g_queue_is_empty (&running)) /* its last worker ends it */
    upi_ticket_unref (g_queue_pop_head_link (&running)->data);
}

void
upi_queue_close (UpiQueue *queue)
{
  g_autoptr (GError) error =
      g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "the engine closed before this request was served");

  close_with (queue, error);
}

void
upi_queue_fail (UpiQueue *queue, const GError *error)
{
  close_with (queue, error);
}
