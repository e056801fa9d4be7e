/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: what the engine knows about one camera or file among those that share it: how many of its frames are under way, how many may be,
 * and whether a batch waits for it. A ticket holds a stream's memory, never its engine. All but the reference count is under the queue's
 * lock. */
#include "core/engine/engine-private.h"

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
  if (g_atomic_int_dec_and_test (&stream->ref_count))
    g_free (stream);
}

void
upi_stream_free (UpiStream *stream)
{
  UpiEngine *engine = stream->engine;
  UpiQueue *queue = engine->queue;

  g_mutex_lock (&queue->lock);
  g_queue_unlink (&queue->streams, &stream->link);
  g_cond_broadcast (&queue->changed); /* nobody waits for it any more */
  g_mutex_unlock (&queue->lock);
  upi_stream_drop (stream);
  upi_engine_unref (engine);
}

/* What all workers can have at once, shared out among the streams that have frames under way. Never more than a frame a worker: the next
 * one would only wait for its own stream. */
guint
upi_stream_share (UpiStream *stream)
{
  const UpiEngineInfo *info = &stream->engine->info;
  UpiQueue *queue = stream->engine->queue;
  guint active = 1, capacity = info->workers;

  if (queue->on_device)
    capacity *= info->batch_size;
  g_mutex_lock (&queue->lock);
  for (GList *l = queue->streams.head; l != NULL; l = l->next) {
    const UpiStream *other = l->data;
    active += other != stream && other->running > 0;
  }
  g_mutex_unlock (&queue->lock);
  return CLAMP ((capacity + active - 1) / active, 1, info->workers);
}
