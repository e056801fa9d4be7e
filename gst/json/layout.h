/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.h: which topics of an MQTT broker say what: Frigate's layout, under another prefix. P is the prefix, S the
 * camera:
 *
 *   P/S/available          online, offline (also when the connection is lost)      retained
 *   P/S/LABEL, P/S/all     how many are in the frame                               retained
 *   P/ZONE/LABEL, …/all    how many are in a zone of upirules                      retained
 *   P/events               the life of each object that upitrack follows: new, update, end
 *   P/S/events             what the rules of upirules noticed, a line each
 *   P/S/frames             the frames' lines
 *   P/S/detect/set, /state; P/S/labels/…; P/S/rules/…; P/S/sentences/…             orders, with control=true; the
 *   states are retained
 */
#pragma once

#include "gst/json/line.h"
#include "gst/json/publisher.h"

G_BEGIN_DECLS

typedef struct _GstUpiMqttLayout GstUpiMqttLayout;

/**
 * GstUpiMqttOrder: somebody wants an element to change; the publisher's thread.
 * @target: "upidetect", "upirules", "upiclassify"
 * Returns: TRUE if an element took it
 */
typedef gboolean (*GstUpiMqttOrder) (const gchar *target, const gchar *property, const gchar *value, gpointer data);

/**
 * gst_upi_mqtt_layout_new:
 * @prefix: checked
 * @source: the camera's name
 * @control: whether orders are taken
 * @discovery: (nullable): prefix of Home Assistant's discovery messages
 */
GstUpiMqttLayout *gst_upi_mqtt_layout_new (const gchar *prefix, const gchar *source, gboolean control,
    const gchar *discovery, GstUpiMqttOrder order, gpointer data);
void gst_upi_mqtt_layout_free (GstUpiMqttLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiMqttLayout, gst_upi_mqtt_layout_free)

/* "offline": the last will, and the last word. (transfer full) */
GstUpiMessage *gst_upi_mqtt_layout_new_will (GstUpiMqttLayout *layout);
/* NULL-terminated, or NULL. */
const gchar *const *gst_upi_mqtt_layout_get_order_topics (GstUpiMqttLayout *layout);
const gchar *gst_upi_mqtt_layout_get_frames_topic (GstUpiMqttLayout *layout);
const gchar *gst_upi_mqtt_layout_get_events_topic (GstUpiMqttLayout *layout);

/* Says what is true at the start. @publisher: outlives the layout's use. */
void gst_upi_mqtt_layout_start (GstUpiMqttLayout *layout, GstUpiPublisher *publisher);
/* As GstUpiMqttReceive. */
void gst_upi_mqtt_layout_receive (const gchar *topic, const guint8 *payload, gsize length, gpointer layout);
/* Streaming thread: counts and objects of every frame. */
void gst_upi_mqtt_layout_take (GstUpiMqttLayout *layout, const GstUpiJsonFrame *frame, const GstUpiContent *content);
/* The stream is over. */
void gst_upi_mqtt_layout_end (GstUpiMqttLayout *layout);

G_END_DECLS
