/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output.h: where upijson's lines go: a file, an MQTT broker, a Kafka cluster. */
#pragma once

#include "gst/json/layout.h"
#include "gst/json/line.h"

G_BEGIN_DECLS

typedef enum { GST_UPI_JSON_FILE, GST_UPI_JSON_MQTT, GST_UPI_JSON_KAFKA } GstUpiJsonMethod;

/**
 * GstUpiJsonTarget: the properties that say where lines go.
 * @location, @append: of a file
 * @address, @topic, @settings, @settings_file, @queue_size: of a broker; nullable, as is @location
 * @source: the camera's name
 * @layout: MQTT: whether the broker gets all of the layout, or each line under @topic
 * @events: with a layout: whether counts and objects are told
 * @control, @discovery: with a layout
 */
typedef struct {
  GstUpiJsonMethod method;
  gchar *location;
  gboolean append;
  gchar *address, *topic, *settings, *settings_file, *source;
  guint queue_size;
  gboolean layout, events, control, discovery;
} GstUpiJsonTarget;

typedef struct _GstUpiJsonOutput GstUpiJsonOutput;

/**
 * GstUpiJsonOutputCallbacks:
 * @warn: a broker's; each cause once; any thread
 * @order: see #GstUpiMqttOrder
 */
typedef struct {
  GstUpiPublisherWarn warn;
  GstUpiMqttOrder order;
  gpointer data;
} GstUpiJsonOutputCallbacks;

/* NULL and an error of G_FILE_ERROR (a file's) or G_IO_ERROR that names the property or setting. */
GstUpiJsonOutput *
gst_upi_json_output_open (const GstUpiJsonTarget *target, const GstUpiJsonOutputCallbacks *callbacks, GError **error);

/* Streaming thread. A broker is never waited for, a pipe's reader is. FALSE and an error: this line is lost, or an
 * older one for it (G_FILE_ERROR_AGAIN: it was said); FALSE without one: flushing. */
gboolean gst_upi_json_output_write (
    GstUpiJsonOutput *output, gboolean is_event, const gchar *line, gsize length, GError **error);

/* Streaming thread: every frame, whether it has a line or not. */
void
gst_upi_json_output_take_frame (GstUpiJsonOutput *output, const GstUpiJsonFrame *frame, const GstUpiContent *content);

/* Streaming thread: state ends here, and with it the objects that were followed. */
void gst_upi_json_output_reset (GstUpiJsonOutput *output);

/* Any thread. */
void gst_upi_json_output_set_flushing (GstUpiJsonOutput *output, gboolean flushing);
void gst_upi_json_output_get_stats (GstUpiJsonOutput *output, GstUpiPublisherStats *stats);

/* What a broker has not got is sent for a second at most. Afterwards the stats are final. */
void gst_upi_json_output_stop (GstUpiJsonOutput *output);
void gst_upi_json_output_free (GstUpiJsonOutput *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiJsonOutput, gst_upi_json_output_free)

G_END_DECLS
