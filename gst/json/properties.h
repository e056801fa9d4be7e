/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.h: what is set of upijson: where lines go, and what they are made of. */
#pragma once

#include "gst/json/choices.h"
#include "gst/json/output.h"

G_BEGIN_DECLS

enum {
  GST_UPI_JSON_PROP_METHOD = 1,
  GST_UPI_JSON_PROP_LOCATION,
  GST_UPI_JSON_PROP_APPEND,
  GST_UPI_JSON_PROP_ADDRESS,
  GST_UPI_JSON_PROP_TOPIC,
  GST_UPI_JSON_PROP_SETTINGS,
  GST_UPI_JSON_PROP_SETTINGS_FILE,
  GST_UPI_JSON_PROP_QUEUE_SIZE,
  GST_UPI_JSON_PROP_CONTROL,
  GST_UPI_JSON_PROP_DISCOVERY,
  GST_UPI_JSON_PROP_FORMAT,
  GST_UPI_JSON_PROP_EMIT,
  GST_UPI_JSON_PROP_SOURCE,
  GST_UPI_JSON_PROP_TAGS,
  GST_UPI_JSON_PROP_MASK,
  GST_UPI_JSON_PROP_INTERVAL,
  GST_UPI_JSON_PROP_ON_ERROR,
  GST_UPI_JSON_PROP_STATS
};

typedef struct {
  GstUpiJsonTarget target;
  GstUpiJsonFormat format;
  gchar *tags; /* nullable */
  GstUpiJsonEmit emit;
  GstUpiJsonOnError on_error;
  GstUpiJsonMask mask;
  GstClockTime interval;
} GstUpiJsonProperties;

void gst_upi_json_properties_init (GstUpiJsonProperties *properties);
void gst_upi_json_properties_clear (GstUpiJsonProperties *properties);

/* Those that may change while the element runs. FALSE: it is none of them. */
gboolean gst_upi_json_properties_set_live (GstUpiJsonProperties *properties, guint id, const GValue *value);

/* The others. FALSE: there is no such property. */
gboolean gst_upi_json_properties_set (GstUpiJsonProperties *properties, guint id, const GValue *value);

/* All but stats. FALSE: there is no such property. */
gboolean gst_upi_json_properties_get (GstUpiJsonProperties *properties, guint id, GValue *value);

void gst_upi_json_properties_install (GObjectClass *object_class);

G_END_DECLS
