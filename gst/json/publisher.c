/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* publisher.c: see publisher.h. */
#include "gst/json/publisher.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/upi.h"

#define MAX_BYTES (64 * 1024 * 1024) /* that wait */
#define MAX_STATES 4096              /* topics with a state */
#define FIRST_RETRY_US (G_USEC_PER_SEC / 10)
#define LAST_RETRY_US (30 * G_USEC_PER_SEC)
#define DRAIN_US G_USEC_PER_SEC

/* What a topic with a state says, for as long as the publisher lives. */
typedef struct {
  GstUpiMessage *newest;
  gboolean dirty; /* to be sent */
} State;

typedef struct {
  GstUpiMessage *message;
  guint64 tag;
  State *state; /* of which it is, or NULL */
} InFlight;

struct _GstUpiPublisher {
  const GstUpiLink *kind;
  gpointer link;
  guint capacity;
  GstUpiMessage *last; /* nullable */
  GstUpiPublisherWarn warn;
  gpointer data;
  GThread *thread;
  gint wake; /* an eventfd */
  GCancellable *stop;

  /* The thread's. */
  GQueue in_flight; /* of InFlight, oldest first */
  guint64 next_tag;
  gint64 retry_us;

  GMutex lock;
  gboolean stopping;
  GQueue queue; /* of GstUpiMessage */
  gsize bytes;
  GHashTable *states; /* by topic */
  GQueue dirty;       /* of State */
  gboolean ended;     /* the thread's work */
  GCond changed;      /* @stopping, @ended */
  guint n_in_flight;  /* messages, without states */
  guint warned;       /* bits of GstUpiPublisherCause */
  GstUpiPublisherStats stats;
};

GstUpiMessage *
gst_upi_message_new (const gchar *topic, const gchar *payload, gsize length, gboolean retain)
{
  GstUpiMessage *message = g_new (GstUpiMessage, 1);

  *message = (GstUpiMessage){ .topic = g_strdup (topic), .payload = g_bytes_new (payload, length), .retain = retain };
  return message;
}

static GstUpiMessage *
message_copy (const GstUpiMessage *message)
{
  GstUpiMessage *copy = g_new (GstUpiMessage, 1);

  *copy = (GstUpiMessage){
    .topic = g_strdup (message->topic), .payload = g_bytes_ref (message->payload), .retain = message->retain
  };
  return copy;
}

void
gst_upi_message_free (GstUpiMessage *message)
{
  g_free (message->topic);
  g_bytes_unref (message->payload);
  g_free (message);
}

static void
state_free (State *state)
{
  gst_upi_message_free (state->newest);
  g_free (state);
}

static void
warn_once (GstUpiPublisher *self, GstUpiPublisherCause cause, const gchar *text)
{
  g_mutex_lock (&self->lock);
  gboolean first = (self->warned & (1u << cause)) == 0;
  self->warned |= 1u << cause;
  g_mutex_unlock (&self->lock);
  if (first)
    self->warn (cause, text, self->data);
}

void
gst_upi_publisher_warn (GstUpiPublisher *self, const gchar *text)
{
  warn_once (self, GST_UPI_PUBLISHER_AWAY, text);
}

static void
wake (GstUpiPublisher *self)
{
  const guint64 one = 1;
  gssize n;

  do
    n = write (self->wake, &one, sizeof one);
  while (n < 0 && errno == EINTR);
}

static void
clear_wake (GstUpiPublisher *self)
{
  guint64 count;
  gssize n;

  do
    n = read (self->wake, &count, sizeof count);
  while (n < 0 && errno == EINTR);
}

gboolean
gst_upi_publisher_push (GstUpiPublisher *self, const gchar *topic, const gchar *payload, gsize length)
{
  guint n_fell = 0;

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->queue, gst_upi_message_new (topic, payload, length, FALSE));
  self->bytes += length;
  while (
      self->queue.length > 0 && (self->queue.length + self->n_in_flight > self->capacity || self->bytes > MAX_BYTES)) {
    GstUpiMessage *oldest = g_queue_pop_head (&self->queue);
    self->bytes -= g_bytes_get_size (oldest->payload);
    gst_upi_message_free (oldest);
    self->stats.lost++;
    n_fell++;
  }
  g_mutex_unlock (&self->lock);
  wake (self);
  if (n_fell > 0)
    warn_once (self, GST_UPI_PUBLISHER_FULL, "the queue is full: the oldest messages fall out");
  return n_fell == 0;
}

/* Lock held. */
static void
mark_dirty (GstUpiPublisher *self, State *state)
{
  if (!state->dirty)
    g_queue_push_tail (&self->dirty, state);
  state->dirty = TRUE;
}

gboolean
gst_upi_publisher_set_state (GstUpiPublisher *self, const gchar *topic, const gchar *payload)
{
  g_mutex_lock (&self->lock);
  State *state = g_hash_table_lookup (self->states, topic);
  gboolean taken = state != NULL || g_hash_table_size (self->states) < MAX_STATES;
  if (taken) {
    GstUpiMessage *message = gst_upi_message_new (topic, payload, strlen (payload), TRUE);
    if (state == NULL) {
      state = g_new0 (State, 1);
      g_hash_table_insert (self->states, g_strdup (topic), state);
    } else {
      gst_upi_message_free (state->newest);
    }
    state->newest = message;
    mark_dirty (self, state);
  } else {
    self->stats.lost++;
  }
  g_mutex_unlock (&self->lock);
  if (taken)
    wake (self);
  else
    warn_once (self, GST_UPI_PUBLISHER_FULL, "there are too many labels and zones: some have no count");
  return taken;
}

void
gst_upi_publisher_get_stats (GstUpiPublisher *self, GstUpiPublisherStats *stats)
{
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  stats->queued = self->queue.length + self->n_in_flight;
  g_mutex_unlock (&self->lock);
}

void
gst_upi_publisher_acknowledge (GstUpiPublisher *self, guint64 tag, const gchar *refused)
{
  for (GList *l = self->in_flight.head; l != NULL; l = l->next) {
    InFlight *entry = l->data;
    if (entry->tag != tag)
      continue;
    g_queue_delete_link (&self->in_flight, l);
    g_mutex_lock (&self->lock);
    if (entry->state == NULL) {
      self->n_in_flight--;
      self->bytes -= g_bytes_get_size (entry->message->payload);
      if (refused != NULL)
        self->stats.lost++;
      else
        self->stats.sent++;
    }
    g_mutex_unlock (&self->lock);
    gst_upi_message_free (entry->message);
    g_free (entry);
    break;
  }
  if (refused != NULL)
    warn_once (self, GST_UPI_PUBLISHER_REFUSED, refused);
}

/* What to send next: states first. NULL: nothing. */
static InFlight *
next_message (GstUpiPublisher *self)
{
  InFlight *entry = NULL;

  g_mutex_lock (&self->lock);
  State *state = g_queue_pop_head (&self->dirty);
  if (state != NULL || self->queue.length > 0) {
    entry = g_new0 (InFlight, 1);
    entry->state = state;
    if (state != NULL) {
      state->dirty = FALSE;
      entry->message = message_copy (state->newest);
    } else {
      entry->message = g_queue_pop_head (&self->queue);
      self->n_in_flight++;
    }
    entry->tag = self->next_tag++;
  }
  g_mutex_unlock (&self->lock);
  return entry;
}

/* Back to where it came from, in front. */
static void
put_back (GstUpiPublisher *self, InFlight *entry)
{
  g_mutex_lock (&self->lock);
  if (entry->state != NULL) {
    mark_dirty (self, entry->state);
    gst_upi_message_free (entry->message);
  } else {
    g_queue_push_head (&self->queue, entry->message);
    self->n_in_flight--;
  }
  g_mutex_unlock (&self->lock);
  g_free (entry);
}

/* FALSE: the connection is lost. */
static gboolean
send_some (GstUpiPublisher *self, GError **error)
{
  while (self->in_flight.length < self->kind->window) {
    InFlight *entry = next_message (self);
    g_autoptr (GError) why = NULL;

    if (entry == NULL)
      return TRUE;
    guint64 tag = entry->tag;
    g_queue_push_tail (&self->in_flight, entry);
    if (self->kind->send (self->link, entry->message, tag, &why))
      continue;
    put_back (self, g_queue_pop_tail (&self->in_flight));
    if (why != NULL) {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
    return TRUE;
  }
  return TRUE;
}

/* What was sent and not acknowledged goes out again, in its order; states all, as the broker may have forgotten
 * them. */
static void
take_back (GstUpiPublisher *self)
{
  while (self->in_flight.length > 0)
    put_back (self, g_queue_pop_tail (&self->in_flight));
  g_mutex_lock (&self->lock);
  self->stats.connected = FALSE;
  GHashTableIter iter;
  gpointer state;
  g_hash_table_iter_init (&iter, self->states);
  while (g_hash_table_iter_next (&iter, NULL, &state))
    mark_dirty (self, state);
  g_mutex_unlock (&self->lock);
}

static gboolean
is_stopping (GstUpiPublisher *self)
{
  g_mutex_lock (&self->lock);
  gboolean stopping = self->stopping;
  g_mutex_unlock (&self->lock);
  return stopping;
}

static gboolean
is_empty (GstUpiPublisher *self)
{
  g_mutex_lock (&self->lock);
  gboolean empty = self->queue.length == 0 && self->dirty.length == 0;
  g_mutex_unlock (&self->lock);
  return empty && self->in_flight.length == 0;
}

/* Until it is time to try again: twice as long each time, and not all cameras of a site at once. */
static void
wait_to_retry (GstUpiPublisher *self)
{
  gint64 until = g_get_monotonic_time () + self->retry_us + g_random_int_range (0, (gint32) self->retry_us / 4);

  g_mutex_lock (&self->lock);
  while (!self->stopping && g_cond_wait_until (&self->changed, &self->lock, until))
    continue;
  g_mutex_unlock (&self->lock);
  self->retry_us = MIN (2 * self->retry_us, LAST_RETRY_US);
}

static gboolean
connect_or_wait (GstUpiPublisher *self)
{
  g_autoptr (GError) error = NULL;

  if (self->kind->connect (self->link, self, self->stop, &error)) {
    self->retry_us = FIRST_RETRY_US;
    g_mutex_lock (&self->lock);
    self->stats.connected = TRUE;
    self->stats.connections++;
    g_mutex_unlock (&self->lock);
    return TRUE;
  }
  self->kind->disconnect (self->link);
  if (!g_cancellable_is_cancelled (self->stop))
    warn_once (self, GST_UPI_PUBLISHER_AWAY, error->message);
  wait_to_retry (self);
  return FALSE;
}

/* Sends and receives until the connection is lost or all is said. */
static void
run_connected (GstUpiPublisher *self)
{
  g_autoptr (GError) error = NULL;
  gint64 deadline = 0;

  for (;;) {
    gboolean stopping = is_stopping (self);
    gint64 now = g_get_monotonic_time ();
    if (stopping && deadline == 0)
      deadline = now + DRAIN_US;
    if (stopping && self->last != NULL && (is_empty (self) || now >= deadline - DRAIN_US / 4)) {
      g_autofree gchar *text =
          g_strndup (g_bytes_get_data (self->last->payload, NULL), g_bytes_get_size (self->last->payload));
      gst_upi_publisher_set_state (self, self->last->topic, text);
      g_clear_pointer (&self->last, gst_upi_message_free);
    }
    if (stopping && (now >= deadline || is_empty (self)))
      break;
    if (!send_some (self, &error))
      break;
    gboolean alive = self->kind->work (self->link, self->wake, stopping ? 50 : 1000, &error);
    clear_wake (self);
    if (!alive)
      break;
  }
  self->kind->disconnect (self->link);
  take_back (self);
  if (error != NULL && !is_stopping (self))
    warn_once (self, GST_UPI_PUBLISHER_AWAY, error->message);
}

static gpointer
publisher_thread (gpointer data)
{
  GstUpiPublisher *self = data;

  do {
    if (connect_or_wait (self))
      run_connected (self);
  } while (!is_stopping (self));
  g_mutex_lock (&self->lock);
  self->ended = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  return NULL;
}

GstUpiPublisher *
gst_upi_publisher_new (
    const GstUpiLink *kind, gpointer link, guint capacity, GstUpiMessage *last, GstUpiPublisherWarn warn, gpointer data)
{
  GstUpiPublisher *self = g_new0 (GstUpiPublisher, 1);

  self->kind = kind;
  self->link = link;
  self->capacity = capacity;
  self->last = last;
  self->warn = warn;
  self->data = data;
  self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->stop = g_cancellable_new ();
  self->retry_us = FIRST_RETRY_US;
  self->states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) state_free);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  return self;
}

gboolean
gst_upi_publisher_start (GstUpiPublisher *self, GError **error)
{
  g_autoptr (GError) cause = NULL;

  self->thread = g_thread_try_new ("upi-publisher", publisher_thread, self, &cause);
  if (self->thread == NULL)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
        "the thread that sends messages could not be made: %s; use fewer threads or streams", cause->message);
  return self->thread != NULL;
}

void
gst_upi_publisher_stop (GstUpiPublisher *self)
{
  if (self->thread == NULL)
    return;
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast (&self->changed);
  wake (self);
  gint64 deadline = g_get_monotonic_time () + DRAIN_US;
  while (!self->ended && g_cond_wait_until (&self->changed, &self->lock, deadline))
    continue;
  g_mutex_unlock (&self->lock);
  g_cancellable_cancel (self->stop);
  g_thread_join (g_steal_pointer (&self->thread));
  g_mutex_lock (&self->lock);
  self->stats.lost += self->queue.length;
  g_queue_clear_full (&self->queue, (GDestroyNotify) gst_upi_message_free);
  self->bytes = 0;
  g_mutex_unlock (&self->lock);
}

void
gst_upi_publisher_free (GstUpiPublisher *self)
{
  gst_upi_publisher_stop (self);
  self->kind->free (self->link);
  g_clear_pointer (&self->last, gst_upi_message_free);
  g_queue_clear_full (&self->queue, (GDestroyNotify) gst_upi_message_free); /* of one that never started */
  g_queue_clear (&self->dirty);
  g_hash_table_unref (self->states);
  g_object_unref (self->stop);
  if (self->wake >= 0)
    close (self->wake);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}
