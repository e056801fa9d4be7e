/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* discovery.c: see discovery.h; https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery */
#include "gst/json/discovery.h"

#include "gst/json/text.h"
#include "gst/json/topics.h"

struct _GstUpiDiscovery {
  gchar *prefix, *source, *base;
  gchar *node; /* the camera as part of a topic */
};

GstUpiDiscovery *
gst_upi_discovery_new (const gchar *prefix, const gchar *source, const gchar *base)
{
  GstUpiDiscovery *self = g_new (GstUpiDiscovery, 1);
  g_autofree gchar *id =
      gst_upi_topic_object_id (base); /* unlike that of a camera of the same name under another prefix */

  self->prefix = g_strdup (prefix);
  self->source = g_strdup (source);
  self->base = g_strdup (base);
  self->node = g_steal_pointer (&id);
  return self;
}

void
gst_upi_discovery_free (GstUpiDiscovery *self)
{
  g_free (self->prefix);
  g_free (self->source);
  g_free (self->base);
  g_free (self->node);
  g_free (self);
}

static void
append_member (GString *text, const gchar *name, const gchar *value)
{
  g_string_append_printf (text, "\"%s\":", name);
  gst_upi_json_append_string (text, value);
  g_string_append_c (text, ',');
}

/* An entity: what all have, around its own @members, each with a comma behind it. */
static void
tell (GstUpiDiscovery *self, GstUpiPublisher *publisher, const gchar *component, const gchar *object_id,
    const gchar *name, const gchar *members)
{
  g_autofree gchar *topic = g_strdup_printf ("%s/%s/%s/%s/config", self->prefix, component, self->node, object_id);
  g_autofree gchar *unique = g_strconcat (self->node, "_", object_id, NULL);
  g_autofree gchar *available = g_strconcat (self->base, "/available", NULL);
  g_autoptr (GString) text = g_string_new ("{");

  append_member (text, "name", name);
  append_member (text, "unique_id", unique);
  append_member (text, "availability_topic", available);
  g_string_append (text, members);
  g_string_append (text, "\"device\":{\"identifiers\":[");
  gst_upi_json_append_string (text, self->node);
  g_string_append (text, "],");
  append_member (text, "name", self->source);
  g_string_append (text, "\"manufacturer\":\"upi\",\"model\":\"Uni-Perceiver v2\"}}");
  gst_upi_publisher_set_state (publisher, topic, text->str);
}

static void
tell_order (GstUpiDiscovery *self, GstUpiPublisher *publisher, const gchar *component, const gchar *word,
    const gchar *name, const gchar *more)
{
  g_autofree gchar *command = g_strconcat (self->base, "/", word, "/set", NULL),
                   *state = g_strconcat (self->base, "/", word, "/state", NULL);
  g_autoptr (GString) members = g_string_new (NULL);

  append_member (members, "command_topic", command);
  append_member (members, "state_topic", state);
  g_string_append (members, more);
  tell (self, publisher, component, word, name, members->str);
}

void
gst_upi_discovery_tell_camera (GstUpiDiscovery *self, GstUpiPublisher *publisher, gboolean control)
{
  g_autoptr (GString) members = g_string_new (NULL);
  g_autofree gchar *all = g_strconcat (self->base, "/all", NULL);

  append_member (members, "state_topic", all);
  append_member (members, "value_template", "{{ 'ON' if value | int > 0 else 'OFF' }}");
  append_member (members, "device_class", "occupancy");
  tell (self, publisher, "binary_sensor", "occupancy", "Occupancy", members->str);
  if (control) {
    tell_order (self, publisher, "switch", "detect", "Detection", "\"payload_on\":\"ON\",\"payload_off\":\"OFF\",");
    tell_order (self, publisher, "text", "labels", "Labels", "\"max\":255,");
  }
}

void
gst_upi_discovery_tell_count (
    GstUpiDiscovery *self, GstUpiPublisher *publisher, const gchar *zone, const gchar *label, const gchar *topic)
{
  g_autofree gchar *name = zone == NULL ? g_strdup (label != NULL ? label : "all objects")
                                        : g_strdup_printf ("%s: %s", zone, label != NULL ? label : "all objects");
  g_autofree gchar *key =
      g_strdup_printf ("%s%s/%s", zone != NULL ? "zone/" : "", zone != NULL ? zone : "", label != NULL ? label : "");
  g_autofree gchar *object_id =
      gst_upi_topic_object_id (key); /* never one of the camera's own: it has a slash, and so a number */
  g_autoptr (GString) members = g_string_new (NULL);

  append_member (members, "state_topic", topic);
  append_member (members, "state_class", "measurement");
  append_member (members, "unit_of_measurement", "objects");
  tell (self, publisher, "sensor", object_id, name, members->str);
}
