/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mqtt.h: a GstUpiLink to an MQTT broker, by libmosquitto, which is loaded when it is asked for. */
#pragma once

#include "gst/json/publisher.h"

G_BEGIN_DECLS

typedef struct _GstUpiMqtt GstUpiMqtt;

extern const GstUpiLink gst_upi_mqtt_link;

/* A message of a topic that was subscribed to; the publisher's thread. */
typedef void (*GstUpiMqttReceive) (const gchar *topic, const guint8 *payload, gsize length, gpointer data);

/**
 * gst_upi_mqtt_new:
 * @address: host, host:port, mqtt://host:port or mqtts://user:password@host:port
 * @settings: (nullable): id, username, password, cafile, capath, certfile, keyfile, insecure, keepalive
 * @will: (nullable) (transfer full): what the broker says when this client is lost
 * @topics: (nullable): to subscribe to
 *
 * Connects to nobody yet. Returns: NULL and an error that says what cannot be honoured
 */
GstUpiMqtt *gst_upi_mqtt_new (const gchar *address, GHashTable *settings, GstUpiMessage *will,
    const gchar *const *topics, GstUpiMqttReceive receive, gpointer data, GError **error);
void gst_upi_mqtt_free (GstUpiMqtt *mqtt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiMqtt, gst_upi_mqtt_free)

G_END_DECLS
