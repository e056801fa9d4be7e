/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: what the engine knows about one camera or file among those that share it, and what is decided about its
 * frames, here and nowhere else: how many may be under way (fairness), which result may be shown after which
 * (freshness), and which frame looks like the last one that was encoded (static pictures). A ticket holds a stream's
 * memory, never its engine. All but the reference count is under the queue's lock. */
#include "core/engine/engine-private.h"
#include "core/engine/still.h"

#include <string.h>

UpiStream *
upi_stream_new (UpiEngine *engine)
{
  UpiStream *stream = g_new0 (UpiStream, 1);
  UpiQueue *queue = engine->queue;

  stream->ref_count = 1;
  stream->engine = upi_engine_ref (engine);
  g_mutex_lock (&queue->lock);
  stream->link.data = stream;
  g_queue_push_tail_link (&queue->streams, &stream->link);
  g_mutex_unlock (&queue->lock);
  return stream;
}

UpiStream *
upi_stream_hold (UpiStream *stream)
{
  g_atomic_int_inc (&stream->ref_count);
  return stream;
}

void
upi_stream_drop (UpiStream *stream)
{
  if (g_atomic_int_dec_and_test (&stream->ref_count)) {
    g_assert (stream->reference == NULL); /* it would hold the stream */
    g_free (stream);
  }
}

static void
reference_clear (gpointer data)
{
  upi_ticket_unref (((UpiReference *) data)->ticket);
}

void
upi_reference_unref (UpiReference *reference)
{
  g_atomic_rc_box_release_full (reference, reference_clear);
}

/* Puts another in its place; nobody holds the lock when the old one goes. */
static void
replace_reference (UpiStream *stream, UpiQueue *queue, UpiReference *reference)
{
  g_mutex_lock (&queue->lock);
  UpiReference *old = stream->reference;
  stream->reference = reference;
  g_mutex_unlock (&queue->lock);
  g_clear_pointer (&old, upi_reference_unref);
}

void
upi_stream_set_static (UpiStream *stream, gfloat threshold, guint64 max_age)
{
  UpiQueue *queue = stream->engine->queue;

  g_mutex_lock (&queue->lock);
  stream->threshold = threshold;
  stream->max_age = max_age;
  g_mutex_unlock (&queue->lock);
  if (!(threshold > 0))
    replace_reference (stream, queue, NULL);
}

void
upi_stream_new_generation (UpiStream *stream)
{
  UpiQueue *queue = stream->engine->queue;

  g_mutex_lock (&queue->lock);
  stream->generation++;
  g_mutex_unlock (&queue->lock);
  replace_reference (stream, queue, NULL);
}

gfloat
upi_stream_get_threshold (UpiTicket *ticket)
{
  g_mutex_lock (&ticket->queue->lock);
  gfloat threshold = ticket->stream->threshold;
  g_mutex_unlock (&ticket->queue->lock);
  return threshold;
}

static gboolean
has_same_shape (const UpiTicket *a, const UpiTicket *b)
{
  return a->width == b->width && a->height == b->height && a->image.width == b->image.width
      && a->image.height == b->image.height && a->image.orientation == b->image.orientation;
}

/* By the streams' own time, which may run backwards; without one by the clock (pts is nanoseconds then). */
static guint64
age_of (const UpiTicket *before, const UpiTicket *ticket)
{
  if (before->pts == G_MAXUINT64 || ticket->pts == G_MAXUINT64)
    return (guint64) ABS (ticket->submitted - before->submitted) * 1000;
  return before->pts > ticket->pts ? before->pts - ticket->pts : ticket->pts - before->pts;
}

UpiReference *
upi_stream_get_reference (UpiTicket *ticket)
{
  UpiStream *stream = ticket->stream;
  UpiReference *reference;

  g_mutex_lock (&ticket->queue->lock);
  reference = stream->reference;
  /* A frame is never given the encoding of a later one. */
  gboolean fits = reference != NULL && stream->generation == ticket->generation
      && reference->ticket->number < ticket->number && has_same_shape (reference->ticket, ticket)
      && age_of (reference->ticket, ticket) < stream->max_age;
  reference = fits ? g_atomic_rc_box_acquire (reference) : NULL;
  g_mutex_unlock (&ticket->queue->lock);
  return reference;
}

void
upi_stream_set_reference (UpiTicket *ticket, const gfloat *blocks)
{
  UpiStream *stream = ticket->stream;
  gsize bytes = upi_still_blocks (ticket->width, ticket->height) * sizeof *blocks;
  UpiReference *reference = g_atomic_rc_box_alloc (sizeof *reference + bytes), *other = reference;

  reference->ticket = upi_ticket_ref (ticket);
  reference->width = ticket->width;
  reference->height = ticket->height;
  memcpy (reference->blocks, blocks, bytes);
  g_mutex_lock (&ticket->queue->lock);
  /* Workers end in any order: the latest stays. Of a stream that has been freed none does. */
  gboolean is_last = !stream->freed && stream->generation == ticket->generation
      && (stream->reference == NULL || stream->reference->ticket->number < ticket->number);
  if (is_last) {
    other = stream->reference;
    stream->reference = reference;
  }
  g_mutex_unlock (&ticket->queue->lock);
  g_clear_pointer (&other, upi_reference_unref);
}

gboolean
upi_stream_join (UpiTicket *ticket, UpiReference *reference, gboolean *ends)
{
  UpiTicket *leader = reference->ticket;
  gboolean joins = TRUE;

  g_mutex_lock (&ticket->queue->lock);
  *ends = leader->has_left;
  if (leader->has_left) {
    joins = leader->encoding != NULL;
    ticket->encoding = joins ? upi_encoding_hold (leader->encoding) : NULL;
  } else {
    if (leader->followers == NULL)
      leader->followers = g_ptr_array_new ();
    g_ptr_array_add (leader->followers, ticket);
  }
  ticket->is_static = joins;
  g_mutex_unlock (&ticket->queue->lock);
  return joins;
}

GPtrArray *
upi_stream_leave (UpiTicket *ticket)
{
  UpiStream *stream = ticket->stream;
  UpiReference *old = NULL;

  if (stream == NULL)
    return NULL;
  g_mutex_lock (&ticket->queue->lock);
  GPtrArray *followers = g_steal_pointer (&ticket->followers);
  ticket->has_left = TRUE;
  if (ticket->encoding == NULL && stream->reference != NULL && stream->reference->ticket == ticket)
    old = g_steal_pointer (&stream->reference);
  g_mutex_unlock (&ticket->queue->lock);
  g_clear_pointer (&old, upi_reference_unref);
  return followers;
}

gboolean
upi_ticket_show (UpiTicket *ticket)
{
  UpiStream *stream = ticket->stream;

  if (stream == NULL)
    return TRUE;
  g_mutex_lock (&ticket->queue->lock);
  gboolean is_newest = ticket->number > stream->shown;
  if (is_newest)
    stream->shown = ticket->number;
  g_mutex_unlock (&ticket->queue->lock);
  return is_newest;
}

/* A frame of the stream that nobody has begun, and that is not wanted for itself. */
static UpiTicket *
waiting_ticket (UpiStream *stream, UpiQueue *queue)
{
  for (GList *l = queue->waiting.head; l != NULL; l = l->next) {
    UpiTicket *ticket = l->data;

    if (ticket->stream == stream && ticket->latest)
      return ticket;
  }
  return NULL;
}

UpiTicket *
upi_stream_take_ticket (UpiStream *stream, UpiQueue *queue, UpiTicket *ticket)
{
  ticket->number = ++stream->next;
  ticket->generation = stream->generation;
  stream->running++;
  stream->expected = TRUE;
  stream->width = ticket->width;
  stream->height = ticket->height;
  return ticket->latest ? waiting_ticket (stream, queue) : NULL;
}

void
upi_stream_free (UpiStream *stream)
{
  UpiEngine *engine = stream->engine;
  UpiQueue *queue = engine->queue;

  g_mutex_lock (&queue->lock);
  stream->freed = TRUE;
  g_queue_unlink (&queue->streams, &stream->link);
  g_cond_broadcast (&queue->changed); /* nobody waits for it any more */
  g_mutex_unlock (&queue->lock);
  replace_reference (stream, queue, NULL);
  upi_stream_drop (stream);
  upi_engine_unref (engine);
}

/* What all workers can have at once, shared out among the streams that have frames under way. Never more than a frame a
 * worker: the next one would only wait for its own stream. The lock is held. */
static guint
share_of (UpiStream *stream)
{
  const UpiEngineInfo *info = &stream->engine->info;
  UpiQueue *queue = stream->engine->queue;
  guint active = 1, capacity = info->workers;

  if (queue->on_device)
    capacity *= info->batch_size;
  for (GList *l = queue->streams.head; l != NULL; l = l->next) {
    const UpiStream *other = l->data;
    active += other != stream && other->running > 0;
  }
  return CLAMP ((capacity + active - 1) / active, 1, info->workers);
}

guint
upi_stream_share (UpiStream *stream)
{
  UpiQueue *queue = stream->engine->queue;

  g_mutex_lock (&queue->lock);
  guint share = share_of (stream);
  g_mutex_unlock (&queue->lock);
  return share;
}

gboolean
upi_stream_may_encode (UpiStream *stream, gboolean is_late)
{
  UpiQueue *queue = stream->engine->queue;

  g_mutex_lock (&queue->lock);
  gboolean may = stream->running == 0 || waiting_ticket (stream, queue) != NULL
      || (!is_late && stream->running < share_of (stream));
  g_mutex_unlock (&queue->lock);
  return may;
}
