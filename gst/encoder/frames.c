/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.c: the ordered queue inside upiencoder; see frames.h. The encodings under way in it are in
 * pending-frames.c. */
#include "gst/encoder/frames-private.h"

/* Events do not count as frames; a producer of nothing but GAPs is still bounded. */
#define MAX_ITEMS 1024

static void
queue_item_free (QueueItem *item)
{
  gst_clear_buffer (&item->buffer);
  gst_clear_event (&item->event);
  g_clear_pointer (&item->pending, gst_upi_pending_frame_unref);
  g_clear_error (&item->error);
  g_free (item);
}

static void
frames_clear (gpointer data)
{
  GstUpiFrames *frames = data;
  g_queue_clear_full (&frames->items, (GDestroyNotify) queue_item_free);
  g_queue_clear_full (&frames->pending, (GDestroyNotify) gst_upi_pending_frame_unref);
  g_clear_pointer (&frames->content, gst_upi_content_unref);
  g_mutex_clear (&frames->lock);
  g_cond_clear (&frames->changed);
}

GstUpiFrames *
gst_upi_frames_new (GstUpiStats *stats)
{
  GstUpiFrames *frames = g_atomic_rc_box_new0 (GstUpiFrames);
  g_mutex_init (&frames->lock);
  g_cond_init (&frames->changed);
  g_queue_init (&frames->items);
  g_queue_init (&frames->pending);
  frames->stats = stats;
  frames->flushing = TRUE;
  frames->result = GST_FLOW_FLUSHING;
  return frames;
}

GstUpiFrames *
gst_upi_frames_ref (GstUpiFrames *frames)
{
  return g_atomic_rc_box_acquire (frames);
}

void
gst_upi_frames_unref (GstUpiFrames *frames)
{
  g_atomic_rc_box_release_full (frames, frames_clear);
}

void
gst_upi_frames_detach (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  frames->stats = NULL;
  g_mutex_unlock (&frames->lock);
}

/* Whether downstream would miss @event, after a flush as well. */
static gboolean
outlives_flush (GstEvent *event)
{
  return GST_EVENT_IS_STICKY (event) && GST_EVENT_TYPE (event) != GST_EVENT_SEGMENT
      && GST_EVENT_TYPE (event) != GST_EVENT_EOS;
}

void
gst_upi_frames_set_flushing (GstUpiFrames *frames, gboolean flushing)
{
  GQueue items = G_QUEUE_INIT, ended = G_QUEUE_INIT, sticky = G_QUEUE_INIT;
  g_autoptr (GPtrArray) tickets = g_ptr_array_new_with_free_func ((GDestroyNotify) upi_ticket_unref);
  g_autoptr (GstUpiContent) content = NULL;

  g_mutex_lock (&frames->lock);
  frames->flushing = flushing;
  frames->result = flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;
  frames->eos = FALSE;
  frames->generation++;
  content = g_steal_pointer (&frames->content);
  for (QueueItem *item; (item = g_queue_pop_head (&frames->items)) != NULL;) {
    if (item->buffer != NULL)
      frames->n_buffers--;
    if (item->query != NULL)
      item->query->done = TRUE;
    g_queue_push_tail (item->event != NULL && outlives_flush (item->event) ? &sticky : &items, item);
  }
  frames->items = sticky;
  for (GstUpiPendingFrame *pending; (pending = g_queue_pop_head (&frames->pending)) != NULL;) {
    pending->cancelled = TRUE;
    if (pending->ticket != NULL)
      g_ptr_array_add (tickets, upi_ticket_ref (pending->ticket));
    g_queue_push_tail (&ended, pending);
  }
  g_cond_broadcast (&frames->changed);
  g_mutex_unlock (&frames->lock);

  /* Cancelling calls back into pending_frame_done () of pending-frames.c, which takes the lock. */
  for (guint i = 0; i < tickets->len; i++)
    upi_ticket_cancel (g_ptr_array_index (tickets, i));
  g_queue_clear_full (&items, (GDestroyNotify) queue_item_free);
  g_queue_clear_full (&ended, (GDestroyNotify) gst_upi_pending_frame_unref);
}

GList *
gst_upi_frames_take_sticky (GstUpiFrames *frames)
{
  GQueue items = G_QUEUE_INIT;
  GList *sticky = NULL;

  g_mutex_lock (&frames->lock);
  if (frames->flushing) {
    items = frames->items; /* sticky events alone */
    g_queue_init (&frames->items);
  }
  g_mutex_unlock (&frames->lock);
  for (QueueItem *item; (item = g_queue_pop_head (&items)) != NULL; queue_item_free (item))
    sticky = g_list_prepend (sticky, g_steal_pointer (&item->event));
  return g_list_reverse (sticky);
}

void
gst_upi_frames_wait_released (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  while (frames->n_borrowed > 0)
    g_cond_wait (&frames->changed, &frames->lock);
  g_mutex_unlock (&frames->lock);
}

GstFlowReturn
gst_upi_frames_get_result (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  GstFlowReturn result = frames->result;
  g_mutex_unlock (&frames->lock);
  return result;
}

void
gst_upi_frames_set_result (GstUpiFrames *frames, GstFlowReturn result)
{
  g_mutex_lock (&frames->lock);
  if (!frames->flushing && frames->result != result) {
    frames->result = result;
    g_cond_broadcast (&frames->changed);
  }
  g_mutex_unlock (&frames->lock);
}

void
gst_upi_frames_new_generation (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  frames->generation++;
  g_mutex_unlock (&frames->lock);
}

guint
gst_upi_frames_get_length (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  guint n = frames->n_buffers;
  g_mutex_unlock (&frames->lock);
  return n;
}

GstFlowReturn
gst_upi_frames_wait_room (GstUpiFrames *frames, guint limit)
{
  g_mutex_lock (&frames->lock);
  while (frames->result == GST_FLOW_OK && frames->n_buffers >= limit)
    g_cond_wait (&frames->changed, &frames->lock);
  GstFlowReturn result = frames->result;
  g_mutex_unlock (&frames->lock);
  return result;
}

GstFlowReturn
gst_upi_frames_wait_idle (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  while (frames->result == GST_FLOW_OK && (frames->n_buffers > 0 || frames->n_running > 0))
    g_cond_wait (&frames->changed, &frames->lock);
  GstFlowReturn result = frames->result;
  g_mutex_unlock (&frames->lock);
  return result;
}

/* Lock held; takes @item. */
static void
frames_append (GstUpiFrames *frames, QueueItem *item)
{
  item->generation = frames->generation;
  g_queue_push_tail (&frames->items, item);
  g_cond_broadcast (&frames->changed);
}

GstFlowReturn
gst_upi_frames_push_buffer (
    GstUpiFrames *frames, GstBuffer *buffer, GstUpiPendingFrame *pending, gboolean block, GError *error)
{
  QueueItem *item = g_new0 (QueueItem, 1);

  item->buffer = buffer;
  item->pending = pending;
  item->block = block;
  item->error = error;
  g_mutex_lock (&frames->lock);
  GstFlowReturn result = frames->result;
  if (result == GST_FLOW_OK) {
    item->sequence = frames->next_sequence++;
    frames->n_buffers++;
    frames_append (frames, g_steal_pointer (&item));
  }
  g_mutex_unlock (&frames->lock);
  g_clear_pointer (&item, queue_item_free);
  return result;
}

GstFlowReturn
gst_upi_frames_push_event (GstUpiFrames *frames, GstEvent *event)
{
  GstFlowReturn result = GST_FLOW_FLUSHING;

  g_mutex_lock (&frames->lock);
  while (!frames->flushing && g_queue_get_length (&frames->items) >= MAX_ITEMS)
    g_cond_wait (&frames->changed, &frames->lock);
  if (!frames->flushing || outlives_flush (event)) {
    QueueItem *item = g_new0 (QueueItem, 1);
    /* A stream that downstream had enough of may be followed by one that it wants. */
    if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START || GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
      frames->eos = FALSE;
      if (frames->result == GST_FLOW_EOS)
        frames->result = GST_FLOW_OK;
    }
    frames->eos |= GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    item->event = g_steal_pointer (&event);
    item->sequence = frames->next_sequence;
    frames_append (frames, item);
    result = GST_FLOW_OK;
  }
  g_mutex_unlock (&frames->lock);
  gst_clear_event (&event);
  return result;
}

gboolean
gst_upi_frames_push_query (GstUpiFrames *frames, GstQuery *query)
{
  PendingQuery pending = { .query = query };

  g_mutex_lock (&frames->lock);
  if (!frames->flushing) {
    QueueItem *item = g_new0 (QueueItem, 1);
    item->query = &pending;
    item->sequence = frames->next_sequence;
    frames_append (frames, item);
    /* A flush marks it as done unless the task has it: then the task's push downstream returns soon. */
    while (!pending.done)
      g_cond_wait (&frames->changed, &frames->lock);
  }
  g_mutex_unlock (&frames->lock);
  return pending.answer;
}

GstFlowReturn
gst_upi_frames_pop (GstUpiFrames *frames, GstUpiItem *out)
{
  QueueItem *item = NULL;

  *out = (GstUpiItem){ .latency = GST_CLOCK_TIME_NONE };
  g_mutex_lock (&frames->lock);
  while (!frames->flushing) {
    item = g_queue_peek_head (&frames->items);
    if (item != NULL && !(item->block && item->pending != NULL && !item->pending->done))
      break;
    g_cond_wait (&frames->changed, &frames->lock);
  }
  if (frames->flushing) {
    g_mutex_unlock (&frames->lock);
    return GST_FLOW_FLUSHING;
  }

  g_queue_pop_head (&frames->items);
  if (item->query != NULL) {
    item->query->taken = TRUE;
    frames->taken_query = item->query;
    out->query = item->query->query;
  } else if (item->buffer != NULL) {
    gboolean own_failed = item->block && item->pending != NULL && item->pending->encoding == NULL;
    out->error = g_steal_pointer (&item->error);
    own_failed |= out->error != NULL;
    gboolean is_static = gst_upi_frames_take_results (frames, item, &out->error);
    /* A frame that failed leaves without a result rather than with another's, unless results may be old anyway. */
    gboolean valid =
        frames->content != NULL && frames->content_generation == item->generation && !(item->block && own_failed);
    if (valid && is_static) /* said of this frame alone: nobody has looked at those that follow */
      out->content = gst_upi_content_new (gst_upi_content_get_encoding (frames->content),
          gst_upi_content_get_inference_pts (frames->content),
          gst_upi_content_get_flags (frames->content) | GST_UPI_CONTENT_STATIC);
    else
      out->content = valid ? gst_upi_content_ref (frames->content)
                           : gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE,
                               item->block ? GST_UPI_CONTENT_NONE : GST_UPI_CONTENT_NEVER_WAIT);
    if (item->block && item->pending != NULL)
      out->latency = (GstClockTime) (item->pending->done_us - item->pending->requested_us) * GST_USECOND;
    out->buffer = g_steal_pointer (&item->buffer);
    out->is_buffer = TRUE;
    out->block = item->block;
  } else {
    out->event = g_steal_pointer (&item->event);
  }
  g_cond_broadcast (&frames->changed);
  g_mutex_unlock (&frames->lock);
  queue_item_free (item);
  return GST_FLOW_OK;
}

void
gst_upi_frames_popped (GstUpiFrames *frames, GstUpiItem *item, gboolean answer)
{
  g_mutex_lock (&frames->lock);
  if (item->is_buffer)
    frames->n_buffers--;
  if (frames->taken_query != NULL) {
    frames->taken_query->answer = answer;
    frames->taken_query->done = TRUE;
    frames->taken_query = NULL;
  }
  g_cond_broadcast (&frames->changed);
  g_mutex_unlock (&frames->lock);
  gst_clear_buffer (&item->buffer);
  gst_clear_event (&item->event);
  g_clear_pointer (&item->content, gst_upi_content_unref);
  g_clear_error (&item->error);
}

gboolean
gst_upi_frames_at_eos (GstUpiFrames *frames)
{
  g_mutex_lock (&frames->lock);
  gboolean eos = frames->eos;
  g_mutex_unlock (&frames->lock);
  return eos;
}
