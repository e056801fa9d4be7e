/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-reload.c: rules of upirules that change while playing, and those that cannot be read. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/gst/rules/fixture.h"

/* A file that changes is taken whole once it has come to rest; what says the same goes on. */
static void
test_reload (void)
{
  Fixture fixture;

  fixture_open (&fixture, "{\"rules\": {\"z\": {" SQUARE "}, \"n\": {\"type\": \"count\", \"above\": 0}}}", "", "");
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 z; 2 new above 0 n");
  write_rules (&fixture, "{\"rules\": {\"m\": {\"type\": \"count\", \"above\": 0}, \"z\": {" SQUARE "}}}");
  expect (&fixture, 1, "7@0.5,0.5", ""); /* seen, and not yet at rest */
  expect (&fixture, 2, "7@0.5,0.5", "2 end stop 0 n; 3 new above 0 m");
  expect (&fixture, 3, "7@0.9,0.5", "1 end leave 7 z");
  g_unlink (fixture.path); /* one that goes changes nothing */
  expect (&fixture, 4, "7@0.5,0.5", "4 new enter 7 z");
  expect (&fixture, 5, "7@0.5,0.5", "");
  write_rules (&fixture, "{\"rules\": {\"l\": {\"type\": \"line\", \"points\": [[0, 0.5], [1, 0.5]]}}}");
  expect (&fixture, 6, "7@0.5,0.4", "");
  expect (&fixture, 7, "7@0.5,0.4", "3 end stop 0 m; 4 end stop 7 z");
  expect (&fixture, 8, "7@0.5,0.6", "5 new forward 7 l");
  fixture_close (&fixture);
}

static void
test_broken_reload (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 r");
  write_rules (&fixture, "{\"rules\": {\n\"r\": {\"type\": \"zone\"}}}");
  for (guint i = 1; i < 6; i++)
    expect (&fixture, i, "7@0.5,0.5", "");
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_autofree gchar *expected = g_strdup_printf (
      "%s:2: rules.r: found no key \"polygon\", expected one: no zone is without. The rules before stay.",
      fixture.path);
  g_assert_cmpstr (warning, ==, expected);
  g_assert_null (stream_peek_message (fixture.stream, GST_MESSAGE_WARNING)); /* once */
  expect (&fixture, 6, "7@0.9,0.5", "1 end leave 7 r");                      /* they do */
  write_rules (&fixture, ONE ("\"type\": \"count\", \"above\": 0"));
  expect (&fixture, 7, "7@0.5,0.5", "2 new enter 7 r");
  expect (&fixture, 8, "7@0.5,0.5", "2 end stop 7 r; 3 new above 0 r");
  fixture_close (&fixture);
}

static void
test_property_while_playing (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE (SQUARE), "", "");
  g_autoptr (GstElement) element = stream_get (fixture.stream, "e");
  g_autofree gchar *file = NULL, *text = NULL;
  expect (&fixture, 0, "7@0.5,0.5", "1 new appear 7 r");
  g_object_set (element, "rules", "{\"rules\": {}}", NULL);
  expect (&fixture, 1, "7@0.9,0.5", "1 end leave 7 r");
  g_autofree gchar *warning = stream_message (fixture.stream, GST_MESSAGE_WARNING);
  g_assert_cmpstr (warning, ==,
      "rules:1: rules: found an object with 0 keys, expected an object of 1 to 100 rules, {\"name\": {\"type\": …}, "
      "…}. The rules before "
      "stay.");
  g_object_set (element, "rules", ONE ("\"type\": \"count\", \"above\": 0"), NULL);
  expect (&fixture, 2, "7@0.9,0.5", "2 new above 0 r");
  g_object_get (element, "rules-file", &file, "rules", &text, NULL);
  g_assert_null (file); /* the later one counts */
  g_assert_cmpstr (text, ==, ONE ("\"type\": \"count\", \"above\": 0"));
  fixture_close (&fixture);
}

/* An order that comes up the stream is taken by the nearest one, or refused. */
static void
test_order (void)
{
  Fixture fixture;

  fixture_open (&fixture, ONE ("\"type\": \"count\", \"above\": 0"),
      "upirules name=far rules=\"{\\\"rules\\\":{\\\"f\\\":{\\\"type\\\":\\\"count\\\"}}}\" ! ", "");
  g_autoptr (GstElement) far = stream_get (fixture.stream, "far");
  static const struct {
    const gchar *target, *property, *value;
    gboolean taken;
  } orders[] = {
    { "upirules", "rules", "{\"rules\": {\"l\": {\"type\": \"line\"}}}", FALSE },
    { "upirules", "rules-file", "/etc/passwd", FALSE },
    { "upidetect", "labels", "cat", FALSE }, /* goes on upstream, where nobody is */
    { "upirules", "rules", ONE (SQUARE), TRUE },
  };
  expect (&fixture, 0, "7@0.5,0.5", "1 new above 0 r");
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++) {
    GstStructure *order = gst_structure_new ("upi-control", "target", G_TYPE_STRING, orders[i].target, "property",
        G_TYPE_STRING, orders[i].property, "value", G_TYPE_STRING, orders[i].value, NULL);
    gboolean taken = gst_harness_push_upstream_event (
        fixture.stream->harness, gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, order));
    if (!g_str_equal (orders[i].target, "upidetect")) /* the harness takes what comes out */
      g_assert_cmpint (taken, ==, orders[i].taken);
  }
  expect (&fixture, 1, "7@0.5,0.5", "1 end stop 0 r; 2 new appear 7 r");
  g_autofree gchar *text = NULL;
  g_object_get (far, "rules", &text, NULL);
  g_assert_cmpstr (text, ==, "{\"rules\":{\"f\":{\"type\":\"count\"}}}");
  fixture_close (&fixture);
}

static void
expect_start_error (const gchar *properties, const gchar *part)
{
  g_autofree gchar *description = g_strdup_printf ("upirules %s", properties);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) element = gst_parse_launch (description, &error);
  g_autoptr (GstBus) bus = gst_bus_new ();

  g_assert_no_error (error);
  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) reason = NULL;
  gst_message_parse_error (message, &reason, NULL);
  g_assert_nonnull (strstr (reason->message, part));
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
}

static void
test_start_errors (void)
{
  expect_start_error ("", "set property \"rules-file\"");
  expect_start_error ("rules-file=/nowhere/at/all.json", "/nowhere/at/all.json: cannot be read");
  expect_start_error ("rules-file=/", "/: found no regular file");
  expect_start_error ("rules=rules.json", "rules:1: found 'r', expected a value");
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/rules/reload", test_reload);
  g_test_add_func ("/rules/broken-reload", test_broken_reload);
  g_test_add_func ("/rules/property-while-playing", test_property_while_playing);
  g_test_add_func ("/rules/order", test_order);
  g_test_add_func ("/rules/start-errors", test_start_errors);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
