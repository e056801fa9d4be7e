/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-json-mqtt.c: upijson sends to a real mosquitto on loopback: what is sent where, and what happens when the
 * broker refuses, goes, comes back, or does not answer. */
#include <string.h>

#include "tests/gst/json/mqtt-stream.h"

/* Frames in order; whoever comes later knows that the camera is there; the last word is that it is not. */
static void
test_frames (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "#");
  Stream *s = stream_to (broker, "");

  for (guint i = 0; i < 50; i++)
    push (s, i, NULL);
  listener_wait_for (listener, "upi/yard/available", "online");
  expect_frames (listener, 0, 50);
  Listener *later = listener_new (broker, NULL, "#");
  listener_wait_for (later, "upi/yard/available", "online");
  stream_free (s);
  listener_wait_for (listener, "upi/yard/available", "offline");
  listener_free (later);
  listener_free (listener);
  broker_free (broker);
}

/* What was handed over just before the end arrives, though the broker was never waited for. */
static void
test_end (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  Stream *s = stream_to (broker, "");
  g_autoptr (GstElement) json = stream_get (s, "j");
  g_autoptr (GstStructure) stats = NULL;
  guint64 written, lost;

  for (guint i = 0; i < 5; i++)
    push (s, i, NULL);
  gst_element_set_state (s->element, GST_STATE_NULL);
  g_object_get (json, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (stats, "written", G_TYPE_UINT64, &written, "lost", G_TYPE_UINT64, &lost, NULL));
  g_assert_cmpuint (written, ==, 5);
  g_assert_cmpuint (lost, ==, 0);
  expect_frames (listener, 0, 5);
  listener_wait_for (listener, "upi/yard/available", "offline");
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

static void
test_foreign_format (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "#");
  Stream *s = stream_to (broker, "format=deepstream topic=\"ds/events\"");

  push (s, 0, NULL);
  g_autofree gchar *line = listener_wait (listener, "ds/events");
  g_assert_nonnull (strstr (line, "\"sensorId\":\"yard\""));
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

/* Numbers when they change, also back to 0, for the frame and for a zone; retained. */
static void
test_counts (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  Stream *s = stream_to (broker, "emit=events");
  const GstUpiPoint corners[] = { { 0, 0 }, { 0.5f, 0 }, { 0.5f, 1 }, { 0, 1 } };
  const GstUpiRule zone = {
    .name = "Gate/1", .kind = GST_UPI_RULE_ZONE, .points = corners, .n_points = 4, .count = 1, .text = ""
  };
  const GstUpiObject objects[] = { object_at ("person", 0, 0, 0.9f), object_at ("person", 0.75f, 0, 0.8f),
    object_at ("car", 0.7f, 0, 0.7f) };
  g_autoptr (GstUpiContent) three = content_of (objects, 3), full = gst_upi_content_add_rules (three, &zone, 1),
                            none = content_of (NULL, 0);

  push (s, 0, full);
  listener_wait_for (listener, "upi/yard/available", "online");
  Listener *person = listener_new (broker, NULL, "upi/yard/person"), *car = listener_new (broker, NULL, "upi/yard/car"),
           *all = listener_new (broker, NULL, "upi/yard/all"),
           *in_zone = listener_new (broker, NULL, "upi/Gate%2F1/person");
  listener_wait_for (person, "upi/yard/person", "2");
  listener_wait_for (car, "upi/yard/car", "1");
  listener_wait_for (all, "upi/yard/all", "3");
  listener_wait_for (in_zone, "upi/Gate%2F1/person", "1");
  push (s, 1, none);
  listener_wait_for (person, "upi/yard/person", "0");
  listener_wait_for (all, "upi/yard/all", "0");
  listener_wait_for (in_zone, "upi/Gate%2F1/person", "0");
  stream_free (s);
  listener_free (person);
  listener_free (car);
  listener_free (all);
  listener_free (in_zone);
  listener_free (listener);
  broker_free (broker);
}

/* The next message about a tracked object: its "after"; the type is @type. */
static JsonObject *
wait_tracked (Listener *listener, const gchar *type, JsonParser **parser)
{
  g_autofree gchar *text = listener_wait (listener, "upi/events");

  *parser = json_parser_new ();
  g_assert_true (json_parser_load_from_data (*parser, text, -1, NULL));
  JsonObject *message = json_node_get_object (json_parser_get_root (*parser));
  g_assert_cmpstr (json_object_get_string_member (message, "type"), ==, type);
  g_assert_cmpstr (
      json_object_get_string_member (json_object_get_object_member (message, "before"), "camera"), ==, "yard");
  return json_object_get_object_member (message, "after");
}

/* The life of a tracked object, as Frigate's notifiers read it: seen, into a zone, gone. */
static void
test_tracked (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  Stream *s = stream_to (broker, "emit=events");
  const GstUpiPoint corners[] = { { 0.5f, 0 }, { 1, 0 }, { 1, 1 }, { 0.5f, 1 } };
  const GstUpiRule zone = { .name = "porch", .kind = GST_UPI_RULE_ZONE, .points = corners, .n_points = 4, .text = "" };
  const GstUpiObject outside = object_at ("person", 0, 7, 0.5f), inside = object_at ("person", 0.625f, 7, 0.75f);
  g_autoptr (GstUpiContent) a = content_of (&outside, 1), first = gst_upi_content_add_rules (a, &zone, 1),
                            b = content_of (&inside, 1), second = gst_upi_content_add_rules (b, &zone, 1),
                            none = content_of (NULL, 0);
  JsonParser *parsers[3] = { NULL, NULL, NULL };

  push (s, 0, first);
  push (s, 1, first);
  push (s, 2, second);
  push (s, 3, none);
  push (s, 3 + 4 * 25, none);
  JsonObject *seen = wait_tracked (listener, "new", &parsers[0]);
  g_assert_cmpstr (json_object_get_string_member (seen, "label"), ==, "person");
  g_assert_true (json_object_get_null_member (seen, "end_time"));
  g_assert_false (json_object_get_boolean_member (seen, "false_positive"));
  JsonArray *box = json_object_get_array_member (seen, "box");
  g_assert_cmpint (json_array_get_int_element (box, 0), ==, 0);
  g_assert_cmpint (json_array_get_int_element (box, 1), ==, 12);
  g_assert_cmpint (json_array_get_int_element (box, 2), ==, 16);
  g_assert_cmpint (json_array_get_int_element (box, 3), ==, 36);
  g_assert_cmpint (json_object_get_int_member (seen, "area"), ==, 16 * 24);
  JsonObject *moved = wait_tracked (listener, "update", &parsers[1]);
  g_assert_cmpstr (json_object_get_string_member (moved, "id"), ==, json_object_get_string_member (seen, "id"));
  g_assert_cmpstr (
      json_array_get_string_element (json_object_get_array_member (moved, "current_zones"), 0), ==, "porch");
  g_assert_cmpfloat (json_object_get_double_member (moved, "top_score"), ==, 0.75);
  JsonObject *gone = wait_tracked (listener, "end", &parsers[2]);
  g_assert_cmpstr (json_object_get_string_member (gone, "id"), ==, json_object_get_string_member (seen, "id"));
  g_assert_cmpfloat (
      json_object_get_double_member (gone, "end_time"), >=, json_object_get_double_member (gone, "start_time"));
  g_assert_cmpstr (
      json_array_get_string_element (json_object_get_array_member (gone, "entered_zones"), 0), ==, "porch");
  for (guint i = 0; i < 3; i++)
    g_clear_object (&parsers[i]);
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

/* What rules noticed, a line each. */
static void
test_events (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  Stream *s = stream_to (broker, "emit=all");
  const GstUpiEvent events[] = { { .id = 1,
                                     .kind = GST_UPI_RULE_ZONE,
                                     .rule = "T\xC3\xBCr",
                                     .what = "enter",
                                     .label = "person",
                                     .track_id = 3,
                                     .score = 0.5f,
                                     .width = 0.25f,
                                     .height = 0.5f,
                                     .count = 1,
                                     .total_in = 4,
                                     .since = GST_CLOCK_TIME_NONE },
    { .id = 2,
        .type = GST_UPI_EVENT_END,
        .kind = GST_UPI_RULE_PHRASE,
        .rule = "night",
        .what = "phrase",
        .label = "",
        .score = 0.75f } };
  g_autoptr (GstUpiContent) none = content_of (NULL, 0), full = gst_upi_content_add_events (none, events, 2);

  push (s, 0, full);
  for (guint i = 0; i < 2; i++) {
    g_autofree gchar *line = listener_wait (listener, "upi/yard/events");
    g_autoptr (JsonParser) parser = json_lines_parse (line);
    JsonObject *event = json_object_get_object_member (json_node_get_object (json_parser_get_root (parser)), "event");
    g_assert_cmpint (json_object_get_int_member (event, "id"), ==, i + 1);
    g_assert_cmpstr (json_object_get_string_member (event, "rule"), ==, events[i].rule);
    g_assert_cmpstr (json_object_get_string_member (event, "type"), ==, i == 0 ? "new" : "end");
    g_assert_cmpint (json_object_has_member (event, "box"), ==, i == 0);
  }
  expect_frames (listener, 0, 1);
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

/* Levels that a topic cannot have are written as addresses write them; no two names meet. */
static void
test_names (void)
{
  static const struct {
    const gchar *label, *level;
  } names[] = { { "T\xC3\xBCr", "T\xC3\xBCr" }, { "red car", "red car" }, { "a/b", "a%2Fb" }, { "#", "%23" },
    { "+1", "%2B1" }, { "50%", "50%25" }, { "all", "%61ll" }, { "frames", "%66rames" }, { "", "%" },
    { "\xE7\x8C\xAB", "\xE7\x8C\xAB" } };
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  g_autofree gchar *description = g_strdup_printf ("upijson name=j method=mqtt topic=\"h\xC3\xB6"
                                                   "fe/upi\" address=127.0.0.1:%u source=\"Hof #1/S\xC3\xBC"
                                                   "d+\" emit=events",
      broker->port);
  Stream *s = stream_new (description, FALSE);
  GstUpiObject objects[G_N_ELEMENTS (names)];

  stream_format (s, "RGB", 64, 48);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    objects[i] = object_at (names[i].label, 0, 0, 0.5f);
  g_autoptr (GstUpiContent) content = content_of (objects, G_N_ELEMENTS (names));
  push (s, 0, content);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *topic = g_strdup_printf ("h\xC3\xB6"
                                               "fe/upi/Hof %%231%%2FS\xC3\xBC"
                                               "d%%2B/%s",
        names[i].level);
    Listener *listener = listener_new (broker, NULL, topic);
    listener_wait_for (listener, topic, "1");
    listener_free (listener);
  }
  stream_free (s);
  broker_free (broker);
}

/* Home Assistant makes its entities from these; each has a number that is its own. */
static void
test_discovery (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "homeassistant/#");
  Stream *s = stream_to (broker, "emit=events discovery=true control=true");
  const GstUpiObject objects[] = { object_at ("red car", 0, 0, 0.9f) };
  g_autoptr (GstUpiContent) content = content_of (objects, 1);
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint n_sensors = 0;

  push (s, 0, content);
  for (guint i = 0; i < 5; i++) {
    g_autofree gchar *topic = NULL, *text = listener_wait_any (listener, &topic);
    g_autoptr (JsonParser) parser = json_parser_new ();
    g_assert_true (json_parser_load_from_data (parser, text, -1, NULL));
    JsonObject *entity = json_node_get_object (json_parser_get_root (parser));
    g_auto (GStrv) levels = g_strsplit (topic, "/", -1);
    g_assert_cmpuint (g_strv_length (levels), ==, 5);
    g_assert_cmpuint (strspn (levels[3], G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_-"), ==, strlen (levels[3]));
    g_assert_cmpstr (levels[4], ==, "config");
    g_assert_cmpstr (json_object_get_string_member (entity, "availability_topic"), ==, "upi/yard/available");
    g_assert_cmpstr (
        json_object_get_string_member (json_object_get_object_member (entity, "device"), "name"), ==, "yard");
    g_assert_true (g_hash_table_add (ids, g_strdup (json_object_get_string_member (entity, "unique_id"))));
    if (g_str_equal (levels[1], "switch"))
      g_assert_cmpstr (json_object_get_string_member (entity, "command_topic"), ==, "upi/yard/detect/set");
    n_sensors += g_str_equal (levels[1], "sensor");
  }
  g_assert_cmpuint (n_sensors, ==, 2); /* all, red car */
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

typedef struct {
  GMutex lock;
  GCond changed;
  GString *orders;
} Orders;

static GstPadProbeReturn
take_order (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  const GstStructure *structure = gst_event_get_structure (GST_PAD_PROBE_INFO_EVENT (info));
  Orders *orders = data;

  if (structure == NULL || !gst_structure_has_name (structure, "upi-control"))
    return GST_PAD_PROBE_OK;
  g_mutex_lock (&orders->lock);
  g_string_append_printf (orders->orders, "%s.%s=%s;", gst_structure_get_string (structure, "target"),
      gst_structure_get_string (structure, "property"), gst_structure_get_string (structure, "value"));
  g_cond_signal (&orders->changed);
  g_mutex_unlock (&orders->lock);
  gst_event_unref (GST_PAD_PROBE_INFO_EVENT (info));
  return GST_PAD_PROBE_HANDLED;
}

/* Messages to …/set become upstream events, what is no order does not, and the states say what holds. */
static void
test_orders (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/yard/+/state");
  listener_publish (listener, "upi/yard/labels/set", "from before", TRUE);
  Stream *s = stream_to (broker, "control=true");
  Orders orders = { .orders = g_string_new (NULL) };
  g_autofree gchar *large = g_strnfill (65537, 'x');

  gst_pad_add_probe (s->harness->srcpad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, take_order, &orders, NULL);
  push (s, 0, NULL);
  listener_wait_for (listener, "upi/yard/detect/state", "ON");
  while (stat_of (s, "written") < 1)
    g_thread_yield ();
  listener_publish (listener, "upi/yard/detect/set", "perhaps", FALSE);
  listener_publish (listener, "upi/yard/labels/set", large, FALSE);
  listener_publish (listener, "upi/yard/labels/set", "", FALSE);
  listener_publish (listener, "upi/yard/labels/set", "cut \xC3", FALSE);
  listener_publish (listener, "upi/yard/detect/set", "off", FALSE);
  listener_publish (listener, "upi/yard/labels/set", " T\xC3\xBCr, red car\n", FALSE);
  listener_publish (listener, "upi/yard/rules/set", "{}", FALSE);
  listener_publish (listener, "upi/yard/sentences/set", "an empty yard, a yard with people", FALSE);
  listener_wait_for (listener, "upi/yard/detect/state", "OFF");
  listener_wait_for (listener, "upi/yard/labels/state", "T\xC3\xBCr, red car");
  listener_wait_for (listener, "upi/yard/rules/state", "{}");
  listener_wait_for (listener, "upi/yard/sentences/state", "an empty yard, a yard with people");
  g_assert_cmpstr (orders.orders->str, ==,
      "upidetect.enabled=false;upidetect.labels=T\xC3\xBCr, red car;upirules.rules={};"
      "upiclassify.labels=an empty yard, a yard with people;");
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (s->bus, GST_MESSAGE_ELEMENT);
  g_assert_true (gst_message_has_name (message, "upi-control"));
  stream_free (s);
  g_string_free (orders.orders, TRUE);
  listener_free (listener);
  broker_free (broker);
}

/* Nobody listens without control=true. */
static void
test_no_orders (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  Stream *s = stream_to (broker, "");
  Orders orders = { .orders = g_string_new (NULL) };

  gst_pad_add_probe (s->harness->srcpad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, take_order, &orders, NULL);
  push (s, 0, NULL);
  expect_frames (listener, 0, 1);
  listener_publish (listener, "upi/yard/detect/set", "OFF", FALSE);
  push (s, 1, NULL); /* the broker would have sent the order before it takes this one */
  expect_frames (listener, 1, 1);
  g_assert_cmpstr (orders.orders->str, ==, "");
  stream_free (s);
  g_string_free (orders.orders, TRUE);
  listener_free (listener);
  broker_free (broker);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/json-mqtt/frames", test_frames);
  g_test_add_func ("/json-mqtt/end", test_end);
  g_test_add_func ("/json-mqtt/foreign-format", test_foreign_format);
  g_test_add_func ("/json-mqtt/counts", test_counts);
  g_test_add_func ("/json-mqtt/tracked", test_tracked);
  g_test_add_func ("/json-mqtt/events", test_events);
  g_test_add_func ("/json-mqtt/names", test_names);
  g_test_add_func ("/json-mqtt/discovery", test_discovery);
  g_test_add_func ("/json-mqtt/orders", test_orders);
  g_test_add_func ("/json-mqtt/no-orders", test_no_orders);
  g_test_add_func ("/json-mqtt/schema", json_lines_test_schema);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
