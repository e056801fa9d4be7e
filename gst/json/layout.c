/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.c: see layout.h. */
#include "gst/json/layout.h"

#include <string.h>

#include "gst/json/counts.h"
#include "gst/json/discovery.h"
#include "gst/json/topics.h"
#include "gst/json/tracked.h"

#define MAX_ORDER (64 * 1024) /* bytes */

/* Levels that say something else: a label, a camera or a zone of that name is written another way. */
static const gchar *const words_below_prefix[] = { "available", "events", NULL };
static const gchar *const words_below_source[] = { "all", "available", "detect", "events", "frames", "labels", "rules",
  "sentences", NULL };
static const gchar *const words_below_zone[] = { "all", NULL };

static const struct {
  const gchar *word, *target, *property, *state;
} orders[] = {
  { "detect", "upidetect", "enabled", "ON" },
  { "labels", "upidetect", "labels", NULL },
  { "rules", "upirules", "rules", NULL },
  { "sentences", "upiclassify", "labels", NULL },
};

struct _GstUpiMqttLayout {
  gchar *prefix, *base; /* P, P/S */
  gchar *available, *frames, *events, *tracked_events;
  gchar *level; /* S */
  gchar **order_topics;
  GstUpiDiscovery *discovery; /* nullable */
  GstUpiMqttOrder order;
  gpointer data;
  GstUpiPublisher *publisher;

  /* Streaming thread. */
  GstUpiCounts *counts;
  GstUpiTracked *tracked;
};

GstUpiMqttLayout *
gst_upi_mqtt_layout_new (const gchar *prefix, const gchar *source, gboolean control, const gchar *discovery,
    GstUpiMqttOrder order, gpointer data)
{
  GstUpiMqttLayout *self = g_new0 (GstUpiMqttLayout, 1);

  self->prefix = g_strdup (prefix);
  self->level = gst_upi_topic_level (source, words_below_prefix);
  self->base = g_strconcat (prefix, "/", self->level, NULL);
  self->available = g_strconcat (self->base, "/available", NULL);
  self->frames = g_strconcat (self->base, "/frames", NULL);
  self->events = g_strconcat (self->base, "/events", NULL);
  self->tracked_events = g_strconcat (prefix, "/events", NULL);
  if (control) {
    self->order_topics = g_new0 (gchar *, G_N_ELEMENTS (orders) + 1);
    for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
      self->order_topics[i] = g_strconcat (self->base, "/", orders[i].word, "/set", NULL);
  }
  if (discovery != NULL)
    self->discovery = gst_upi_discovery_new (discovery, source, self->base);
  self->order = order;
  self->data = data;
  self->counts = gst_upi_counts_new ();
  self->tracked = gst_upi_tracked_new (source);
  return self;
}

void
gst_upi_mqtt_layout_free (GstUpiMqttLayout *self)
{
  gst_upi_counts_free (self->counts);
  gst_upi_tracked_free (self->tracked);
  g_clear_pointer (&self->discovery, gst_upi_discovery_free);
  g_strfreev (self->order_topics);
  g_free (self->prefix);
  g_free (self->level);
  g_free (self->base);
  g_free (self->available);
  g_free (self->frames);
  g_free (self->events);
  g_free (self->tracked_events);
  g_free (self);
}

GstUpiMessage *
gst_upi_mqtt_layout_new_will (GstUpiMqttLayout *self)
{
  return gst_upi_message_new (self->available, "offline", strlen ("offline"), TRUE);
}

const gchar *const *
gst_upi_mqtt_layout_get_order_topics (GstUpiMqttLayout *self)
{
  return (const gchar *const *) self->order_topics;
}

const gchar *
gst_upi_mqtt_layout_get_frames_topic (GstUpiMqttLayout *self)
{
  return self->frames;
}

const gchar *
gst_upi_mqtt_layout_get_events_topic (GstUpiMqttLayout *self)
{
  return self->events;
}

static void
set_order_state (GstUpiMqttLayout *self, const gchar *word, const gchar *value)
{
  g_autofree gchar *topic = g_strconcat (self->base, "/", word, "/state", NULL);
  gst_upi_publisher_set_state (self->publisher, topic, value);
}

void
gst_upi_mqtt_layout_receive (const gchar *topic, const guint8 *payload, gsize length, gpointer data)
{
  GstUpiMqttLayout *self = data;

  for (guint i = 0; i < G_N_ELEMENTS (orders); i++) {
    if (self->order_topics == NULL || !g_str_equal (topic, self->order_topics[i]))
      continue;
    if (length == 0 /* payload is NULL */ || length > MAX_ORDER || memchr (payload, '\0', length) != NULL
        || !g_utf8_validate ((const gchar *) payload, (gssize) length, NULL))
      return;
    g_autofree gchar *value = g_strstrip (g_strndup ((const gchar *) payload, length));
    gboolean is_switch = g_str_equal (orders[i].property, "enabled");
    gboolean on = g_ascii_strcasecmp (value, "ON") == 0;
    if (is_switch && !on && g_ascii_strcasecmp (value, "OFF") != 0)
      return;
    if (self->order (orders[i].target, orders[i].property, is_switch ? (on ? "true" : "false") : value, self->data))
      set_order_state (self, orders[i].word, is_switch ? (on ? "ON" : "OFF") : value);
  }
}

void
gst_upi_mqtt_layout_start (GstUpiMqttLayout *self, GstUpiPublisher *publisher)
{
  self->publisher = publisher;
  gst_upi_publisher_set_state (publisher, self->available, "online");
  if (self->order_topics != NULL)
    for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
      if (orders[i].state != NULL)
        set_order_state (self, orders[i].word, orders[i].state);
  if (self->discovery != NULL)
    gst_upi_discovery_tell_camera (self->discovery, publisher, self->order_topics != NULL);
}

static void
tell_count (const gchar *zone, const gchar *label, guint count, gboolean is_first, gpointer data)
{
  GstUpiMqttLayout *self = data;
  gchar number[16];
  g_autofree gchar *level = NULL, *topic = NULL;

  g_snprintf (number, sizeof number, "%u", count);
  level = label == NULL ? g_strdup ("all")
                        : gst_upi_topic_level (label, zone == NULL ? words_below_source : words_below_zone);
  if (zone == NULL) {
    topic = g_strconcat (self->base, "/", level, NULL);
  } else {
    const gchar *const reserved[] = { "available", "events", self->level, NULL };
    g_autofree gchar *zone_level = gst_upi_topic_level (zone, reserved);
    topic = g_strconcat (self->prefix, "/", zone_level, "/", level, NULL);
  }
  gst_upi_publisher_set_state (self->publisher, topic, number);
  if (is_first && self->discovery != NULL)
    gst_upi_discovery_tell_count (self->discovery, self->publisher, zone, label, topic);
}

static void
tell_tracked (const gchar *message, gpointer data)
{
  GstUpiMqttLayout *self = data;

  gst_upi_publisher_push (self->publisher, self->tracked_events, message, strlen (message));
}

void
gst_upi_mqtt_layout_take (GstUpiMqttLayout *self, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  gst_upi_counts_take (self->counts, content, tell_count, self);
  gst_upi_tracked_take (self->tracked, frame, content, tell_tracked, self);
}

void
gst_upi_mqtt_layout_end (GstUpiMqttLayout *self)
{
  gst_upi_tracked_end (self->tracked, tell_tracked, self);
}
