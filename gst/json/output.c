/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.c: see output.h. */
#include "gst/json/output.h"

#include "gst/json/file.h"
#include "gst/json/kafka.h"
#include "gst/json/mqtt.h"
#include "gst/json/settings.h"
#include "gst/json/topics.h"

#define DEFAULT_TOPIC "upi"
#define DISCOVERY_PREFIX "homeassistant"

struct _GstUpiJsonOutput {
  GstUpiJsonFile *file;       /* or */
  GstUpiPublisher *publisher; /* one of the two */
  GstUpiMqttLayout *layout;   /* nullable */
  gboolean events;
  gboolean begun; /* streaming thread: something is known */
  gchar *topic;   /* without a layout */
  GMutex lock;
  GstUpiPublisherStats stats; /* of @file; under the lock */
};

static gboolean
open_mqtt (GstUpiJsonOutput *self, const GstUpiJsonTarget *target, const GstUpiJsonOutputCallbacks *callbacks,
    GHashTable *settings, GError **error)
{
  if (!gst_upi_topic_check (self->topic, error))
    return FALSE;
  if (target->layout)
    self->layout = gst_upi_mqtt_layout_new (self->topic, target->source, target->control,
        target->discovery && target->events ? DISCOVERY_PREFIX : NULL, callbacks->order, callbacks->data);
  GstUpiMqtt *mqtt = gst_upi_mqtt_new (target->address != NULL ? target->address : "localhost", settings,
      self->layout != NULL ? gst_upi_mqtt_layout_new_will (self->layout) : NULL,
      self->layout != NULL ? gst_upi_mqtt_layout_get_order_topics (self->layout) : NULL, gst_upi_mqtt_layout_receive,
      self->layout, error);
  if (mqtt == NULL)
    return FALSE;
  self->publisher = gst_upi_publisher_new (&gst_upi_mqtt_link, mqtt, target->queue_size,
      self->layout != NULL ? gst_upi_mqtt_layout_new_will (self->layout) : NULL, callbacks->warn, callbacks->data);
  if (self->layout != NULL)
    gst_upi_mqtt_layout_start (self->layout, self->publisher);
  return gst_upi_publisher_start (self->publisher, error);
}

static gboolean
open_kafka (GstUpiJsonOutput *self, const GstUpiJsonTarget *target, const GstUpiJsonOutputCallbacks *callbacks,
    GHashTable *settings, GError **error)
{
  GstUpiKafka *kafka = gst_upi_kafka_new (
      target->address != NULL ? target->address : "localhost:9092", self->topic, target->source, settings, error);

  if (kafka == NULL)
    return FALSE;
  self->publisher =
      gst_upi_publisher_new (&gst_upi_kafka_link, kafka, target->queue_size, NULL, callbacks->warn, callbacks->data);
  return gst_upi_publisher_start (self->publisher, error);
}

GstUpiJsonOutput *
gst_upi_json_output_open (const GstUpiJsonTarget *target, const GstUpiJsonOutputCallbacks *callbacks, GError **error)
{
  g_autoptr (GstUpiJsonOutput) self = g_new0 (GstUpiJsonOutput, 1);

  g_mutex_init (&self->lock);
  self->events = target->events;
  if (target->method == GST_UPI_JSON_FILE) {
    self->file = gst_upi_json_file_open (target->location, target->append, error);
    return self->file != NULL ? g_steal_pointer (&self) : NULL;
  }
  self->topic = g_strdup (target->topic != NULL ? target->topic : DEFAULT_TOPIC);
  g_autoptr (GHashTable) settings = gst_upi_settings_parse (target->settings, target->settings_file, error);
  if (settings == NULL)
    return NULL;
  if (target->method == GST_UPI_JSON_MQTT ? !open_mqtt (self, target, callbacks, settings, error)
                                          : !open_kafka (self, target, callbacks, settings, error))
    return NULL;
  return g_steal_pointer (&self);
}

gboolean
gst_upi_json_output_write (GstUpiJsonOutput *self, gboolean is_event, const gchar *line, gsize length, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (self->publisher != NULL) { /* a message ends without a newline */
    const gchar *topic = self->layout == NULL ? self->topic
        : is_event                            ? gst_upi_mqtt_layout_get_events_topic (self->layout)
                                              : gst_upi_mqtt_layout_get_frames_topic (self->layout);
    if (gst_upi_publisher_push (self->publisher, topic, line, length - 1))
      return TRUE;
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, "the queue to the broker is full");
    return FALSE;
  }
  gboolean written = gst_upi_json_file_write (self->file, line, length, g_get_monotonic_time (), &why);
  g_mutex_lock (&self->lock);
  self->stats.sent += written;
  self->stats.lost += why != NULL;
  g_mutex_unlock (&self->lock);
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  return written;
}

void
gst_upi_json_output_take_frame (GstUpiJsonOutput *self, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  guint n_objects, n_rules;

  if (self->layout == NULL || !self->events)
    return;
  gst_upi_content_get_objects (content, &n_objects);
  gst_upi_content_get_rules (content, &n_rules);
  /* Before the first result nobody knows that nothing is there. */
  self->begun |= gst_upi_content_is_encoded (content) || n_objects > 0 || n_rules > 0;
  if (self->begun)
    gst_upi_mqtt_layout_take (self->layout, frame, content);
}

void
gst_upi_json_output_reset (GstUpiJsonOutput *self)
{
  if (self->layout != NULL && self->events)
    gst_upi_mqtt_layout_end (self->layout);
}

void
gst_upi_json_output_set_flushing (GstUpiJsonOutput *self, gboolean flushing)
{
  if (self->file != NULL)
    gst_upi_json_file_set_flushing (self->file, flushing);
}

void
gst_upi_json_output_get_stats (GstUpiJsonOutput *self, GstUpiPublisherStats *stats)
{
  if (self->publisher != NULL) {
    gst_upi_publisher_get_stats (self->publisher, stats);
    return;
  }
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  g_mutex_unlock (&self->lock);
}

void
gst_upi_json_output_stop (GstUpiJsonOutput *self)
{
  gst_upi_json_output_reset (self);
  if (self->publisher != NULL)
    gst_upi_publisher_stop (self->publisher);
}

void
gst_upi_json_output_free (GstUpiJsonOutput *self)
{
  g_clear_pointer (&self->publisher, gst_upi_publisher_free);
  g_clear_pointer (&self->layout, gst_upi_mqtt_layout_free);
  g_clear_pointer (&self->file, gst_upi_json_file_close);
  g_free (self->topic);
  g_mutex_clear (&self->lock);
  g_free (self);
}
