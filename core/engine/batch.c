/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches: which of the waiting frames a worker runs at once. A run has 1, 2, 4, … frames or the whole batch size, so
 * that there are few plans; what is left over stays in the queue for whichever worker comes next. All functions are
 * called with the queue's lock held. */
#include "core/engine/engine-private.h"

guint
upi_batch_plan_size (guint n, guint batch_size)
{
  guint size = 1;

  if (n >= batch_size)
    return batch_size;
  while (2 * size <= n)
    size *= 2;
  return size;
}

gboolean
upi_batch_has_frame (const UpiTicket *ticket, guint width, guint height)
{
  return ticket->kind == UPI_TICKET_ENCODE && ticket->width == width && ticket->height == height;
}

static gboolean
has_stream (UpiTicket *const *tickets, guint n, const UpiStream *stream)
{
  for (guint i = 0; i < n; i++)
    if (tickets[i]->stream == stream)
      return TRUE;
  return FALSE;
}

/* Whether a frame may run with others of its own stream. Not where it would wait for them in vain: a processor is no
 * faster with several frames than with one after the other (slower, as they do not fit its caches together), and a
 * stream may want each result as soon as it can be had. */
static gboolean
joins_its_own (const UpiQueue *queue, const UpiTicket *ticket)
{
  return ticket->stream == NULL || (queue->on_device && !ticket->latest);
}

static gboolean
has_ticket (UpiTicket *const *tickets, guint n, const UpiTicket *ticket)
{
  for (guint i = 0; i < n; i++)
    if (tickets[i] == ticket)
      return TRUE;
  return FALSE;
}

/* The next frame to run: of the stream whose turn is longest ago, so that one with many frames a second has no more
 * turns than the others; of one stream the first. One without a stream keeps its place. */
static UpiTicket *
next_frame (UpiQueue *queue, guint width, guint height, UpiTicket *const *tickets, guint n)
{
  UpiTicket *next = NULL;
  guint64 next_turn = G_MAXUINT64;

  for (GList *l = queue->waiting.head; l != NULL; l = l->next) {
    UpiTicket *ticket = l->data;
    if (!upi_batch_has_frame (ticket, width, height) || has_ticket (tickets, n, ticket)
        || (!joins_its_own (queue, ticket) && has_stream (tickets, n, ticket->stream)))
      continue;
    if (ticket->stream == NULL)
      return next != NULL ? next : ticket;
    if (ticket->stream->turn < next_turn) {
      next = ticket;
      next_turn = ticket->stream->turn;
    }
  }
  return next;
}

/* The frames that could run together now, in their order, still in the queue. */
static guint
find_frames (UpiQueue *queue, guint width, guint height, UpiTicket **tickets)
{
  UpiTicket *ticket;
  guint n = 0;

  while (n < queue->batch_size && (ticket = next_frame (queue, width, height, tickets, n)) != NULL)
    tickets[n++] = ticket;
  return n;
}

/* Who may still send a frame of that size that the batch does not have: a stream that did so before and has none in it.
 * Its own next frame is nothing that a frame waits for. Tickets without a stream may come from anybody. */
static gboolean
more_to_come (UpiQueue *queue, guint width, guint height, UpiTicket *const *tickets, guint n)
{
  if (has_stream (tickets, n, NULL))
    return TRUE;
  for (GList *l = queue->streams.head; l != NULL; l = l->next) {
    const UpiStream *stream = l->data;

    if (stream->expected && stream->width == width && stream->height == height && !has_stream (tickets, n, stream))
      return TRUE;
  }
  return FALSE;
}

/* A stream that kept others waiting in vain is not waited for again until it sends its next frame. */
static void
stop_expecting (UpiQueue *queue, guint width, guint height, UpiTicket *const *tickets, guint n)
{
  for (GList *l = queue->streams.head; l != NULL; l = l->next) {
    UpiStream *stream = l->data;

    if (stream->width == width && stream->height == height && !has_stream (tickets, n, stream))
      stream->expected = FALSE;
  }
}

void
upi_batch_fill (UpiQueue *queue, const UpiTicket *first)
{
  gint64 deadline = first->submitted + (gint64) queue->batch_timeout_us;
  guint width = first->width, height = first->height, n = 0;
  UpiTicket *tickets[UPI_ENGINE_MAX_BATCH];

  queue->forming = TRUE;
  queue->forming_width = width;
  queue->forming_height = height;
  while (!queue->closed && (n = find_frames (queue, width, height, tickets)) > 0 && n < queue->batch_size
      && more_to_come (queue, width, height, tickets, n))
    if (!g_cond_wait_until (&queue->changed, &queue->lock, deadline)) {
      n = find_frames (queue, width, height, tickets);
      stop_expecting (queue, width, height, tickets, n);
      break;
    }
  for (guint i = 0; !queue->closed && i < n; i++)
    tickets[i]->has_waited = TRUE;
  queue->forming = FALSE;
  g_cond_broadcast (&queue->changed);
}

guint
upi_batch_choose (UpiQueue *queue, guint width, guint height, UpiTicket **tickets)
{
  guint n = find_frames (queue, width, height, tickets);

  /* Processors share what waits: nobody takes what another could begin at once. */
  if (!queue->on_device)
    n = (n + queue->n_workers - 1) / queue->n_workers;
  return n == 0 ? 0 : upi_batch_plan_size (n, queue->batch_size);
}
