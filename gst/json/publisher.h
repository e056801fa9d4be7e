/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * publisher.h: messages on their way to a broker: a bounded queue, a thread that sends them and connects again when it
 * must. Whoever has a message never waits. */
#pragma once

#include <gio/gio.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct _GstUpiPublisher GstUpiPublisher;

/**
 * GstUpiMessage: one on its way. The publisher's.
 * @topic: UTF-8
 * @payload: bytes
 * @retain: a state: the broker keeps the newest for those who come later
 */
typedef struct {
  gchar *topic;
  GBytes *payload;
  gboolean retain;
} GstUpiMessage;

/**
 * GstUpiLink: how messages get to a kind of broker. All in the publisher's thread, but @new and @free.
 * @name: "MQTT"
 * @window: how many messages may be sent and not yet acknowledged
 * @connect: TRUE once the broker takes messages. Returns soon after @stop is cancelled
 * @send: hands over; it answers with gst_upi_publisher_acknowledge(@tag) from within @work or @send. FALSE: it cannot
 * now, try again after @work
 * @work: reads and writes; waits until there is something to do, @wake is readable or @timeout_ms have passed. FALSE:
 * the connection is lost
 * @disconnect: after a loss, after a @connect that failed, and at the end
 * @free: ends it
 */
typedef struct {
  const gchar *name;
  guint window;
  gboolean (*connect) (gpointer link, GstUpiPublisher *publisher, GCancellable *stop, GError **error);
  gboolean (*send) (gpointer link, const GstUpiMessage *message, guint64 tag, GError **error);
  gboolean (*work) (gpointer link, gint wake, gint timeout_ms, GError **error);
  void (*disconnect) (gpointer link);
  void (*free) (gpointer link);
} GstUpiLink;

typedef enum {
  GST_UPI_PUBLISHER_AWAY,    /* the broker cannot be reached, or refuses */
  GST_UPI_PUBLISHER_FULL,    /* the queue is: messages fell out */
  GST_UPI_PUBLISHER_REFUSED, /* the broker did not take a message */
} GstUpiPublisherCause;

/* From the publisher's thread or that of who has a message: each cause once. */
typedef void (*GstUpiPublisherWarn) (GstUpiPublisherCause cause, const gchar *text, gpointer data);

/**
 * gst_upi_publisher_new:
 * @link: (transfer full): of the kind @kind
 * @capacity: how many messages may wait; the oldest falls out
 * @last: (nullable) (transfer full): the last message, when it stops while it is connected
 */
GstUpiPublisher *gst_upi_publisher_new (const GstUpiLink *kind, gpointer link, guint capacity, GstUpiMessage *last,
    GstUpiPublisherWarn warn, gpointer data);

/* Connects. FALSE: there is no thread to be had. */
gboolean gst_upi_publisher_start (GstUpiPublisher *publisher, GError **error);

/* Sends what waits, for a second at most, and then @last; ends the thread. Afterwards the counts are final. */
void gst_upi_publisher_stop (GstUpiPublisher *publisher);

void gst_upi_publisher_free (GstUpiPublisher *publisher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiPublisher, gst_upi_publisher_free)

/* Any thread; waits for nobody. FALSE: another message fell out for it. */
gboolean gst_upi_publisher_push (GstUpiPublisher *publisher, const gchar *topic, const gchar *payload, gsize length);

/* A state: only its newest is sent, and sent again to a broker that comes back. FALSE: there are too many topics. */
gboolean gst_upi_publisher_set_state (GstUpiPublisher *publisher, const gchar *topic, const gchar *payload);

typedef struct {
  guint64 sent, lost; /* taken by the broker; fell out, were refused, or were left at the end */
  guint queued;       /* not yet taken */
  gboolean connected;
  guint64 connections;
} GstUpiPublisherStats;
void gst_upi_publisher_get_stats (GstUpiPublisher *publisher, GstUpiPublisherStats *stats);

/* For a link: the message is with the broker, or never will be. */
void gst_upi_publisher_acknowledge (GstUpiPublisher *publisher, guint64 tag, const gchar *refused);

/* For a link that goes on by itself: the broker is away. */
void gst_upi_publisher_warn (GstUpiPublisher *publisher, const gchar *text);

GstUpiMessage *gst_upi_message_new (const gchar *topic, const gchar *payload, gsize length, gboolean retain);
void gst_upi_message_free (GstUpiMessage *message);

G_END_DECLS
