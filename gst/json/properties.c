/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.c: see properties.h. */
#include "gst/json/properties.h"

/* Where a property of text is kept; NULL: it is none. */
static gchar **
text_of (GstUpiJsonProperties *properties, guint id)
{
  switch (id) {
  case GST_UPI_JSON_PROP_LOCATION:
    return &properties->target.location;
  case GST_UPI_JSON_PROP_ADDRESS:
    return &properties->target.address;
  case GST_UPI_JSON_PROP_TOPIC:
    return &properties->target.topic;
  case GST_UPI_JSON_PROP_SETTINGS:
    return &properties->target.settings;
  case GST_UPI_JSON_PROP_SETTINGS_FILE:
    return &properties->target.settings_file;
  case GST_UPI_JSON_PROP_SOURCE:
    return &properties->target.source;
  case GST_UPI_JSON_PROP_TAGS:
    return &properties->tags;
  default:
    return NULL;
  }
}

void
gst_upi_json_properties_init (GstUpiJsonProperties *properties)
{
  *properties = (GstUpiJsonProperties){ .target = { .location = g_strdup ("-"), .queue_size = 1000 } };
}

void
gst_upi_json_properties_clear (GstUpiJsonProperties *properties)
{
  for (guint id = 1; id <= GST_UPI_JSON_PROP_STATS; id++)
    if (text_of (properties, id) != NULL)
      g_clear_pointer (text_of (properties, id), g_free);
}

gboolean
gst_upi_json_properties_set_live (GstUpiJsonProperties *properties, guint id, const GValue *value)
{
  switch (id) {
  case GST_UPI_JSON_PROP_MASK:
    properties->mask = g_value_get_enum (value);
    return TRUE;
  case GST_UPI_JSON_PROP_INTERVAL:
    properties->interval = g_value_get_uint64 (value);
    return TRUE;
  case GST_UPI_JSON_PROP_ON_ERROR:
    properties->on_error = g_value_get_enum (value);
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean
gst_upi_json_properties_set (GstUpiJsonProperties *properties, guint id, const GValue *value)
{
  gchar **text = text_of (properties, id);

  if (text != NULL) {
    g_free (*text);
    *text = g_value_dup_string (value);
    return TRUE;
  }
  switch (id) {
  case GST_UPI_JSON_PROP_METHOD:
    properties->target.method = g_value_get_enum (value);
    return TRUE;
  case GST_UPI_JSON_PROP_APPEND:
    properties->target.append = g_value_get_boolean (value);
    return TRUE;
  case GST_UPI_JSON_PROP_QUEUE_SIZE:
    properties->target.queue_size = g_value_get_uint (value);
    return TRUE;
  case GST_UPI_JSON_PROP_CONTROL:
    properties->target.control = g_value_get_boolean (value);
    return TRUE;
  case GST_UPI_JSON_PROP_DISCOVERY:
    properties->target.discovery = g_value_get_boolean (value);
    return TRUE;
  case GST_UPI_JSON_PROP_FORMAT:
    properties->format = g_value_get_enum (value);
    return TRUE;
  case GST_UPI_JSON_PROP_EMIT:
    properties->emit = g_value_get_enum (value);
    return TRUE;
  default:
    return FALSE;
  }
}

gboolean
gst_upi_json_properties_get (GstUpiJsonProperties *properties, guint id, GValue *value)
{
  gchar **text = text_of (properties, id);

  if (text != NULL) {
    g_value_set_string (value, *text);
    return TRUE;
  }
  switch (id) {
  case GST_UPI_JSON_PROP_METHOD:
    g_value_set_enum (value, properties->target.method);
    return TRUE;
  case GST_UPI_JSON_PROP_APPEND:
    g_value_set_boolean (value, properties->target.append);
    return TRUE;
  case GST_UPI_JSON_PROP_QUEUE_SIZE:
    g_value_set_uint (value, properties->target.queue_size);
    return TRUE;
  case GST_UPI_JSON_PROP_CONTROL:
    g_value_set_boolean (value, properties->target.control);
    return TRUE;
  case GST_UPI_JSON_PROP_DISCOVERY:
    g_value_set_boolean (value, properties->target.discovery);
    return TRUE;
  case GST_UPI_JSON_PROP_FORMAT:
    g_value_set_enum (value, properties->format);
    return TRUE;
  case GST_UPI_JSON_PROP_EMIT:
    g_value_set_enum (value, properties->emit);
    return TRUE;
  case GST_UPI_JSON_PROP_MASK:
    g_value_set_enum (value, properties->mask);
    return TRUE;
  case GST_UPI_JSON_PROP_INTERVAL:
    g_value_set_uint64 (value, properties->interval);
    return TRUE;
  case GST_UPI_JSON_PROP_ON_ERROR:
    g_value_set_enum (value, properties->on_error);
    return TRUE;
  default:
    return FALSE;
  }
}

/* Those of all methods, and of what a line is made of. */
static void
install_line_properties (GObjectClass *object_class)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  /**
   * GstUpiJson:format:
   *
   * Whose lines they are: upi's own, DL Streamer's or DeepStream's. Set in NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_FORMAT,
      g_param_spec_enum ("format", "Format", "What a line is made of (default: upi)", GST_TYPE_UPI_JSON_FORMAT,
          GST_UPI_JSON_UPI, ready));
  /**
   * GstUpiJson:emit:
   *
   * Whether frames, the rules' events or both have lines. Set in NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_EMIT,
      g_param_spec_enum (
          "emit", "Emit", "What has a line (default: frames)", GST_TYPE_UPI_JSON_EMIT, GST_UPI_JSON_FRAMES, ready));
  /**
   * GstUpiJson:source:
   *
   * Name of the camera in lines, topics and keys. Set in NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_SOURCE,
      g_param_spec_string ("source", "Source",
          "The camera's name, in every line: source, in DeepStream's lines sensorId; also the level of MQTT topics and "
          "the key of Kafka's messages (default: none, in DeepStream's lines 0, for brokers the element's name)",
          NULL, ready));
  /**
   * GstUpiJson:tags:
   *
   * Text of a JSON object that lines repeat; anything else is an error at the start.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_TAGS,
      g_param_spec_string ("tags", "Tags",
          "A JSON object that every line repeats, as {\"site\":\"yard\"} (default: none; not with DeepStream)", NULL,
          ready));
  /**
   * GstUpiJson:mask:
   *
   * Whether lines have masks, as COCO's run lengths.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_MASK,
      g_param_spec_enum ("mask", "Mask",
          "What is written of an object's mask, where it has one (default: none, that is its place alone)",
          GST_TYPE_UPI_JSON_MASK, GST_UPI_JSON_MASK_NONE, live));
  /**
   * GstUpiJson:interval:
   *
   * Nanoseconds of running time between two frames' lines, 0: all frames. Events have no interval.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_INTERVAL,
      g_param_spec_uint64 ("interval", "Interval",
          "Nanoseconds of running time from one frame's line to the next, at least (default: 0 = every frame)", 0,
          G_MAXUINT64 - 1, 0, live));
  /**
   * GstUpiJson:on-error:
   *
   * Whether a line that cannot be written ends the stream, or is counted and warned of once a cause.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_ON_ERROR,
      g_param_spec_enum ("on-error", "On error",
          "What happens when a line cannot be written, because the disk or a broker's queue is full or the folder gone "
          "(default: continue)",
          GST_TYPE_UPI_JSON_ON_ERROR, GST_UPI_JSON_CONTINUE, live));
  /**
   * GstUpiJson:stats:
   *
   * GstStructure upi-json-stats, from 0 at each start.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Structure upi-json-stats: lines written (to a broker: acknowledged by it) and lost since the start "
          "(guint64); of a broker also queued, connected, and connections since the start",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void
install_target_properties (GObjectClass *object_class)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  /**
   * GstUpiJson:method:
   *
   * A file, an MQTT broker or Kafka. The broker's library is loaded when it is asked for. Set in NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_METHOD,
      g_param_spec_enum (
          "method", "Method", "Where lines go (default: file)", GST_TYPE_UPI_JSON_METHOD, GST_UPI_JSON_FILE, ready));
  /**
   * GstUpiJson:location:
   *
   * Path; - is standard output. Elements with one file, and other processes, never break each other's lines. Set in
   * NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_LOCATION,
      g_param_spec_string ("location", "Location",
          "File or named pipe that the lines are written to, or - for standard output; several elements may have the "
          "same (default: -)",
          "-", ready));
  /**
   * GstUpiJson:append:
   *
   * FALSE: the first element of the process that opens the file empties it.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_APPEND,
      g_param_spec_boolean ("append", "Append",
          "Keep what is in the file at the start; otherwise the first element of the process to open it empties it "
          "(default: false)",
          FALSE, ready));
  /**
   * GstUpiJson:address:
   *
   * Of the broker or brokers; without a port their protocol's own. Set in NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_ADDRESS,
      g_param_spec_string ("address", "Address",
          "Of the MQTT broker: host, host:port, mqtt://host:port, or with TLS mqtts://host:port (default: localhost); "
          "of Kafka's brokers: host:port, separated by commas (default: localhost:9092)",
          NULL, ready));
  /**
   * GstUpiJson:topic:
   *
   * Prefix of MQTT's topics or Kafka's topic. Set in NULL or READY.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_TOPIC,
      g_param_spec_string ("topic", "Topic",
          "MQTT: prefix of all topics, or with another format than upi the topic itself; Kafka: the topic (default: "
          "upi)",
          NULL, ready));
  /**
   * GstUpiJson:settings:
   *
   * name=value, separated by semicolons; one that is not known is an error at the start.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_SETTINGS,
      g_param_spec_string ("settings", "Settings",
          "name=value, separated by semicolons. MQTT: id, username, password, cafile, capath, certfile, keyfile, "
          "insecure, keepalive (seconds); Kafka: librdkafka's by their own names, as security.protocol (default: none)",
          NULL, ready));
  /**
   * GstUpiJson:settings-file:
   *
   * The same, one a line, from a file that others cannot read.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_SETTINGS_FILE,
      g_param_spec_string ("settings-file", "Settings file",
          "File of settings, one name=value a line, for passwords, which others can see on a command line (default: "
          "none)",
          NULL, ready));
  /**
   * GstUpiJson:queue-size:
   *
   * Messages that wait while a broker is away, 64 MiB of them at most; the oldest go, and are counted as lost.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_QUEUE_SIZE,
      g_param_spec_uint ("queue-size", "Queue size",
          "Most messages that wait for a broker, 64 MiB together at most; then the oldest falls out (default: 1000)", 1,
          1000000, 1000, ready));
  /**
   * GstUpiJson:control:
   *
   * Whether what is written to the broker's …/set topics becomes an upi-control event upstream.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_CONTROL,
      g_param_spec_boolean ("control", "Control",
          "MQTT: whoever may write to the broker may switch the detection and change labels, rules and sentences "
          "(default: false)",
          FALSE, ready));
  /**
   * GstUpiJson:discovery:
   *
   * Whether Home Assistant is told of the camera's numbers and switches.
   */
  g_object_class_install_property (object_class, GST_UPI_JSON_PROP_DISCOVERY,
      g_param_spec_boolean ("discovery", "Discovery",
          "MQTT: tell Home Assistant of the camera's numbers and switches, under homeassistant/; with emit=events or "
          "all (default: false)",
          FALSE, ready));
}

void
gst_upi_json_properties_install (GObjectClass *object_class)
{
  install_target_properties (object_class);
  install_line_properties (object_class);
}
