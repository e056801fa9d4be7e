/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pad.c: the text pad of upicaption; see pad.h.
 *
 * Text and video meet again downstream, in a muxer or in textoverlay, and there one waits for the other. A text pad
 * that is pushed from the video thread therefore hangs a pipeline in preroll: the text sink holds the thread that would
 * bring the video. Hence a task of its own, and a queue between it and the video thread, which never waits. The queue
 * stays short: captions are one a second, and the GAPs between them are joined when downstream stands still.
 */
#include "gst/caption/pad.h"

#include "gst/pad-task.h"

/* More items than that: downstream does not take them now. */
#define JOIN_GAPS_FROM 64
/* Captions of a pad that nobody drains for so long are lost, oldest first. */
#define MAX_ITEMS 4096
/* A push that has not returned for so long is taken for blocked: longer than any element needs for a sentence. */
#define BLOCKED_AFTER_US (100 * G_TIME_SPAN_MILLISECOND)

struct _GstUpiCaptionPad {
  GstPad parent;

  GMutex task_lock; /* starting and stopping; before lock; never taken by the task */
  gboolean active;

  GMutex lock;
  GCond cond;
  GQueue items; /* GstMiniObject: GstEvent, GstBuffer */
  gboolean flushing;
  gboolean pushing;
  guint lost; /* captions, since it was last asked for */
  GstFlowReturn flow;
};

G_DEFINE_FINAL_TYPE (GstUpiCaptionPad, gst_upi_caption_pad, GST_TYPE_PAD)

/* lock held */
static void
clear_items (GstUpiCaptionPad *pad)
{
  GstMiniObject *item;
  while ((item = g_queue_pop_head (&pad->items)) != NULL)
    gst_mini_object_unref (item);
}

/* lock held. What a flush empties: downstream would miss a sticky event that has not reached it yet, but for the
 * segment and EOS. */
static void
flush_items (GstUpiCaptionPad *pad)
{
  for (GList *link = pad->items.head, *next; link != NULL; link = next) {
    GstEvent *event = GST_IS_EVENT (link->data) ? GST_EVENT_CAST (link->data) : NULL;
    next = link->next;
    if (event != NULL && GST_EVENT_IS_STICKY (event) && GST_EVENT_TYPE (event) != GST_EVENT_SEGMENT
        && GST_EVENT_TYPE (event) != GST_EVENT_EOS)
      continue;
    gst_mini_object_unref (link->data);
    g_queue_delete_link (&pad->items, link);
  }
}

/* lock held. Nothing is pushed before there is a peer: a sticky event that is pushed while another thread links the pad
 * can miss the peer (GStreamer marks it as sent), and behind an EOS nothing follows that would bring what was
 * missed. */
static gboolean
has_item (GstUpiCaptionPad *pad)
{
  return !g_queue_is_empty (&pad->items) && gst_pad_is_linked (GST_PAD (pad));
}

static void
wake_task (GstUpiCaptionPad *pad)
{
  g_mutex_lock (&pad->lock);
  g_cond_broadcast (&pad->cond);
  g_mutex_unlock (&pad->lock);
}

/* The task: one item a turn. Flow errors do not stop it: NOT_LINKED may end when somebody links, FLUSHING when the
 * flush does; the video thread reports those that are fatal. */
static void
push_one (gpointer user_data)
{
  GstUpiCaptionPad *pad = user_data;
  GstFlowReturn flow = GST_FLOW_OK;

  g_mutex_lock (&pad->lock);
  while (!pad->flushing && !has_item (pad))
    g_cond_wait (&pad->cond, &pad->lock);
  if (pad->flushing) {
    g_mutex_unlock (&pad->lock);
    gst_pad_pause_task (GST_PAD (pad));
    return;
  }
  GstMiniObject *item = g_queue_pop_head (&pad->items);
  gboolean is_buffer = GST_IS_BUFFER (item);
  pad->pushing = TRUE;
  g_mutex_unlock (&pad->lock);

  if (is_buffer)
    flow = gst_pad_push (GST_PAD (pad), GST_BUFFER_CAST (item));
  else
    gst_pad_push_event (GST_PAD (pad), GST_EVENT_CAST (item));

  g_mutex_lock (&pad->lock);
  pad->pushing = FALSE;
  if (is_buffer && !pad->flushing)
    pad->flow = flow;
  g_cond_broadcast (&pad->cond);
  g_mutex_unlock (&pad->lock);
}

/* lock held. Without a peer events are kept for the one to come, the newest of a kind, as sticky events are. */
static void
queue_for_later (GstUpiCaptionPad *pad, GstMiniObject *item)
{
  if (!GST_IS_EVENT (item) || !GST_EVENT_IS_STICKY (item)) {
    gst_mini_object_unref (item);
    return;
  }
  for (GList *link = pad->items.head; link != NULL; link = link->next) {
    if (GST_IS_EVENT (link->data) && GST_EVENT_TYPE (link->data) == GST_EVENT_TYPE (item)) {
      gst_mini_object_unref (link->data);
      g_queue_delete_link (&pad->items, link);
      break;
    }
  }
  g_queue_push_tail (&pad->items, item);
}

static gboolean
is_event (const GList *link, GstEventType type)
{
  return link != NULL && GST_IS_EVENT (link->data) && GST_EVENT_TYPE (link->data) == type;
}

static void
delete_item (GstUpiCaptionPad *pad, GList *link)
{
  gst_mini_object_unref (link->data);
  g_queue_delete_link (&pad->items, link);
}

/* lock held. Makes room for one: the oldest caption or GAP goes, and the segment that was there for it alone. */
static void
drop_oldest (GstUpiCaptionPad *pad)
{
  for (GList *link = pad->items.head; link != NULL; link = link->next) {
    if (!GST_IS_BUFFER (link->data) && !is_event (link, GST_EVENT_GAP))
      continue;
    GList *before = link->prev, *after = link->next;
    pad->lost += GST_IS_BUFFER (link->data);
    delete_item (pad, link);
    if (is_event (before, GST_EVENT_SEGMENT) && is_event (after, GST_EVENT_SEGMENT))
      delete_item (pad, before);
    return;
  }
}

guint
gst_upi_caption_pad_take_lost (GstUpiCaptionPad *pad)
{
  g_mutex_lock (&pad->lock);
  guint lost = pad->lost;
  pad->lost = 0;
  g_mutex_unlock (&pad->lock);
  return lost;
}

void
gst_upi_caption_pad_queue (GstUpiCaptionPad *pad, GstMiniObject *item)
{
  g_mutex_lock (&pad->lock);
  if (pad->flushing) {
    gst_mini_object_unref (item);
  } else if (!gst_pad_is_linked (GST_PAD (pad))) {
    queue_for_later (pad, item);
  } else {
    /* Events are few, and make no caption go: nobody would be told of one that went for an EOS. */
    if (g_queue_get_length (&pad->items) >= MAX_ITEMS
        && (GST_IS_BUFFER (item) || GST_EVENT_TYPE (item) == GST_EVENT_GAP))
      drop_oldest (pad);
    g_queue_push_tail (&pad->items, item);
    g_cond_broadcast (&pad->cond);
  }
  g_mutex_unlock (&pad->lock);
}

/* lock held. The last GAP of the queue, if it ends where the new one begins (or overlaps it). */
static gboolean
join_gap (GstUpiCaptionPad *pad, GstClockTime pts, GstClockTime duration)
{
  GstMiniObject *last = g_queue_peek_tail (&pad->items);
  GstClockTime last_pts, last_duration;

  if (g_queue_get_length (&pad->items) < JOIN_GAPS_FROM || !GST_IS_EVENT (last)
      || GST_EVENT_TYPE (last) != GST_EVENT_GAP)
    return FALSE;
  gst_event_parse_gap (GST_EVENT_CAST (last), &last_pts, &last_duration);
  if (pts < last_pts)
    return FALSE;
  duration = pts - last_pts + (GST_CLOCK_TIME_IS_VALID (duration) ? duration : 0);
  g_queue_pop_tail (&pad->items);
  gst_mini_object_unref (last);
  g_queue_push_tail (&pad->items, gst_event_new_gap (last_pts, duration));
  return TRUE;
}

void
gst_upi_caption_pad_queue_gap (GstUpiCaptionPad *pad, GstClockTime pts, GstClockTime duration)
{
  g_mutex_lock (&pad->lock);
  gboolean joined = pad->flushing || join_gap (pad, pts, duration);
  g_mutex_unlock (&pad->lock);
  if (!joined)
    gst_upi_caption_pad_queue (pad, GST_MINI_OBJECT_CAST (gst_event_new_gap (pts, duration)));
}

static void
set_flushing (GstUpiCaptionPad *pad, gboolean flushing)
{
  g_mutex_lock (&pad->lock);
  pad->flushing = flushing;
  pad->flow = GST_FLOW_OK;
  flush_items (pad);
  g_cond_broadcast (&pad->cond);
  g_mutex_unlock (&pad->lock);
}

/* Without a thread the next frame returns the error that is told here. */
static gboolean
start_task (GstUpiCaptionPad *pad)
{
  if (gst_upi_pad_start_task (GST_PAD (pad), push_one, pad))
    return TRUE;
  g_mutex_lock (&pad->lock);
  pad->flow = GST_FLOW_ERROR;
  g_mutex_unlock (&pad->lock);
  return FALSE;
}

/* The task is paused: sticky events that a flush left are on the pad before anything of what follows, as GstQueue does
 * it. */
static void
store_sticky_events (GstUpiCaptionPad *pad)
{
  GQueue items;

  g_mutex_lock (&pad->lock);
  flush_items (pad);
  items = pad->items;
  g_queue_init (&pad->items);
  g_mutex_unlock (&pad->lock);
  for (GstMiniObject *item; (item = g_queue_pop_head (&items)) != NULL; gst_mini_object_unref (item))
    if (GST_IS_EVENT (item) && GST_EVENT_IS_STICKY (item))
      gst_pad_store_sticky_event (GST_PAD (pad), GST_EVENT_CAST (item));
}

void
gst_upi_caption_pad_flush (GstUpiCaptionPad *pad, GstEvent *event)
{
  gboolean start = GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START;

  gst_pad_push_event (GST_PAD (pad), event); /* first: a push that is waiting returns */
  g_mutex_lock (&pad->task_lock);
  if (pad->active) { /* it may be released at the same moment */
    if (!start)
      store_sticky_events (pad);
    set_flushing (pad, start);
    if (start)
      gst_pad_pause_task (GST_PAD (pad));
    else
      start_task (pad);
  }
  g_mutex_unlock (&pad->task_lock);
}

void
gst_upi_caption_pad_unblock (GstUpiCaptionPad *pad)
{
  g_mutex_lock (&pad->lock);
  pad->flushing = TRUE;
  clear_items (pad);
  g_cond_broadcast (&pad->cond);
  gint64 deadline = g_get_monotonic_time () + BLOCKED_AFTER_US;
  while (pad->pushing && g_cond_wait_until (&pad->cond, &pad->lock, deadline))
    ;
  gboolean blocked = pad->pushing;
  g_mutex_unlock (&pad->lock);

  if (blocked) {
    gst_pad_push_event (GST_PAD (pad), gst_event_new_flush_start ());
    gst_pad_push_event (GST_PAD (pad), gst_event_new_flush_stop (FALSE));
  }
}

GstFlowReturn
gst_upi_caption_pad_get_flow (GstUpiCaptionPad *pad)
{
  g_mutex_lock (&pad->lock);
  GstFlowReturn flow = gst_pad_is_linked (GST_PAD (pad)) ? pad->flow : GST_FLOW_NOT_LINKED;
  g_mutex_unlock (&pad->lock);
  return flow;
}

static gboolean
activate_mode (GstPad *gst_pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  GstUpiCaptionPad *pad = GST_UPI_CAPTION_PAD (gst_pad);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  g_mutex_lock (&pad->task_lock);
  pad->active = active;
  set_flushing (pad, !active);
  if (!active) {
    g_mutex_lock (&pad->lock);
    clear_items (pad);
    g_mutex_unlock (&pad->lock);
  }
  gboolean ok = active ? start_task (pad) : gst_pad_stop_task (gst_pad);
  g_mutex_unlock (&pad->task_lock);
  return ok;
}

/* Seeks and latency go the way of the video; what a text sink says about its own lateness or caps is none of the
 * video's business. */
static gboolean
handle_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_QOS:
  case GST_EVENT_RECONFIGURE:
  case GST_EVENT_NAVIGATION:
    gst_event_unref (event);
    return TRUE;
  default:
    return gst_pad_event_default (pad, parent, event);
  }
}

static void
gst_upi_caption_pad_finalize (GObject *object)
{
  GstUpiCaptionPad *pad = GST_UPI_CAPTION_PAD (object);

  clear_items (pad);
  g_cond_clear (&pad->cond);
  g_mutex_clear (&pad->lock);
  g_mutex_clear (&pad->task_lock);
  G_OBJECT_CLASS (gst_upi_caption_pad_parent_class)->finalize (object);
}

static void
gst_upi_caption_pad_class_init (GstUpiCaptionPadClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gst_upi_caption_pad_finalize;
}

static void
gst_upi_caption_pad_init (GstUpiCaptionPad *pad)
{
  g_mutex_init (&pad->task_lock);
  g_mutex_init (&pad->lock);
  g_cond_init (&pad->cond);
  g_queue_init (&pad->items);
  pad->flushing = TRUE; /* until activated */
  pad->flow = GST_FLOW_OK;
}

GstPad *
gst_upi_caption_pad_new (GstPadTemplate *templ, const gchar *name)
{
  GstPad *pad =
      g_object_new (GST_TYPE_UPI_CAPTION_PAD, "name", name, "direction", GST_PAD_SRC, "template", templ, NULL);

  gst_pad_set_activatemode_function (pad, activate_mode);
  gst_pad_set_event_function (pad, handle_event);
  gst_pad_use_fixed_caps (pad);
  g_signal_connect (pad, "linked", G_CALLBACK (wake_task), NULL);
  return pad;
}
