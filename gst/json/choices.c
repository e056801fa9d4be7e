/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choices.c: see choices.h. */
#include "gst/json/choices.h"

static const GEnumValue methods[] = {
  { GST_UPI_JSON_FILE, "A file, a named pipe or standard output: location, append", "file" },
  { GST_UPI_JSON_MQTT, "An MQTT broker (needs libmosquitto): address, topic, settings", "mqtt" },
  { GST_UPI_JSON_KAFKA, "A Kafka cluster (needs librdkafka): address, topic, settings", "kafka" },
  { 0, NULL, NULL },
};
static const GEnumValue on_errors[] = {
  { GST_UPI_JSON_CONTINUE, "The line is lost and counted, the stream goes on", "continue" },
  { GST_UPI_JSON_STOP, "The stream ends with an error", "stop" },
  { 0, NULL, NULL },
};
static const GEnumValue formats[] = {
  { GST_UPI_JSON_UPI, "All that is known, as upi-frame-1.schema.json and upi-event-1.schema.json describe it", "upi" },
  { GST_UPI_JSON_DLSTREAMER, "As gvametaconvert of DL Streamer writes it", "dlstreamer" },
  { GST_UPI_JSON_DEEPSTREAM, "DeepStream's minimal schema", "deepstream" },
  { 0, NULL, NULL },
};
static const GEnumValue masks[] = {
  { GST_UPI_JSON_MASK_NONE, "Where its grid lies and its size, no cells", "none" },
  { GST_UPI_JSON_MASK_RLE, "COCO's run lengths of the grid's cells (format=upi)", "rle" },
  { 0, NULL, NULL },
};
static const GEnumValue emits[] = {
  { GST_UPI_JSON_FRAMES, "A line a frame", "frames" },
  { GST_UPI_JSON_EVENTS, "A line an event of upirules; to MQTT counts and the lives of tracked objects too", "events" },
  { GST_UPI_JSON_ALL, "Both", "all" },
  { 0, NULL, NULL },
};

#define DEFINE_TYPE(name, Name, values)                                                                                \
  GType gst_upi_json_##name##_get_type (void)                                                                          \
  {                                                                                                                    \
    static gsize type = 0;                                                                                             \
                                                                                                                       \
    if (g_once_init_enter (&type))                                                                                     \
      g_once_init_leave (&type, g_enum_register_static ("GstUpiJson" Name, values));                                   \
    return type;                                                                                                       \
  }

DEFINE_TYPE (method, "Method", methods)
DEFINE_TYPE (on_error, "OnError", on_errors)
DEFINE_TYPE (format, "Format", formats)
DEFINE_TYPE (mask, "Mask", masks)
DEFINE_TYPE (emit, "Emit", emits)
