/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topics.h: names as levels of MQTT topics. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether messages may be sent under @topic, or under levels below it: not empty, UTF-8, no wildcards, not the broker's
 * own ($SYS). */
gboolean gst_upi_topic_check (const gchar *topic, GError **error);

/**
 * gst_upi_topic_level: @name as one level. What a level cannot have (slash, #, +, control characters) becomes %XX, as
 * in addresses, and so does the first character of a name that stands for something else there: two names are never one
 * level.
 * @reserved: (nullable): levels that are taken
 */
gchar *gst_upi_topic_level (const gchar *name, const gchar *const *reserved);

/* @name of the characters that Home Assistant's object ids may have; unlike those of all other names. */
gchar *gst_upi_topic_object_id (const gchar *name);

G_END_DECLS
