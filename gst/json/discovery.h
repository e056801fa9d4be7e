/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* discovery.h: messages from which Home Assistant makes a camera's sensors and switches by itself (MQTT discovery). */
#pragma once

#include "gst/json/publisher.h"

G_BEGIN_DECLS

typedef struct _GstUpiDiscovery GstUpiDiscovery;

/* @prefix: Home Assistant's, "homeassistant"; @source: the camera's name; @base: the topic that all of its begin
 * with */
GstUpiDiscovery *gst_upi_discovery_new (const gchar *prefix, const gchar *source, const gchar *base);
void gst_upi_discovery_free (GstUpiDiscovery *discovery);

/* Whether somebody is there; with @control the switch of the detection, and its labels. */
void gst_upi_discovery_tell_camera (GstUpiDiscovery *discovery, GstUpiPublisher *publisher, gboolean control);
/* The number under @topic: objects of @label (NULL: all) in @zone (NULL: the frame). */
void gst_upi_discovery_tell_count (
    GstUpiDiscovery *discovery, GstUpiPublisher *publisher, const gchar *zone, const gchar *label, const gchar *topic);

G_END_DECLS
