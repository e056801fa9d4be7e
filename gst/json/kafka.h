/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kafka.h: a GstUpiLink to the brokers of a Kafka cluster, by librdkafka, which is loaded when it is asked for. */
#pragma once

#include "gst/json/publisher.h"

G_BEGIN_DECLS

typedef struct _GstUpiKafka GstUpiKafka;

extern const GstUpiLink gst_upi_kafka_link;

/**
 * gst_upi_kafka_new:
 * @address: host:port of one or more brokers, separated by commas: bootstrap.servers
 * @topic: of every message
 * @key: (nullable): of every message: those of one key keep their order
 * @settings: (nullable): librdkafka's, by its own names; TLS and SASL too
 *
 * Connects to nobody yet. Returns: NULL and an error that says what cannot be honoured
 */
GstUpiKafka *
gst_upi_kafka_new (const gchar *address, const gchar *topic, const gchar *key, GHashTable *settings, GError **error);
void gst_upi_kafka_free (GstUpiKafka *kafka);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiKafka, gst_upi_kafka_free)

G_END_DECLS
