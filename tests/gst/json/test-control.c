/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-control.c: the upstream event upi-control changes the nearest upidetect, upirules or upiclassify, nothing
 * else. */
#include <string.h>

#include "tests/gst/stream.h"

#define RULES "{\"rules\":{\"crowd\":{\"type\":\"count\",\"above\":5}}}"

/* Whether an element took it. */
static gboolean
order (Stream *s, const gchar *target, const gchar *property, const gchar *value)
{
  GstStructure *structure = gst_structure_new ("upi-control", "target", G_TYPE_STRING, target, "property",
      G_TYPE_STRING, property, "value", G_TYPE_STRING, value, NULL);
  return gst_pad_push_event (s->harness->sinkpad, gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, structure));
}

static void
expect (Stream *s, const gchar *name, const gchar *property, const gchar *expected)
{
  g_autoptr (GstElement) element = stream_get (s, name);
  GValue value = G_VALUE_INIT;

  g_object_get_property (G_OBJECT (element), property, &value);
  g_autofree gchar *text = gst_value_serialize (&value);
  if (G_VALUE_HOLDS_STRING (&value)) {
    g_free (text);
    text = g_value_dup_string (&value);
  }
  g_assert_cmpstr (text, ==, expected);
  g_value_unset (&value);
}

static guint
count_objects (Stream *s, guint number)
{
  guint n;

  stream_push (s, number);
  GstBuffer *buffer = stream_pull (s);
  gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  gst_buffer_unref (buffer);
  return n;
}

static void
test_nearest (void)
{
  Stream *s = stream_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block ! upidetect name=far labels=dog threshold=1 ! "
      "upidetect name=near labels=cat threshold=0 max-objects=3 ! upiclassify name=c labels=\"night, day\" top=0 ! "
      "upirules name=r "
      "rules=\"{\\\"rules\\\":{\\\"a\\\":{\\\"type\\\":\\\"count\\\",\\\"above\\\":9}}}\" ! "
      "upijson location=/dev/null",
      FALSE);

  stream_format (s, "RGB", 64, 48);
  g_assert_cmpuint (count_objects (s, 0), >, 0);
  g_assert_true (order (s, "upidetect", "labels", "T\xC3\xBCr, red car"));
  expect (s, "near", "labels", "T\xC3\xBCr, red car");
  expect (s, "far", "labels", "dog");
  g_assert_true (order (s, "upidetect", "enabled", "false"));
  g_assert_cmpuint (count_objects (s, 1), ==, 0);
  g_assert_true (order (s, "upidetect", "enabled", "true"));
  g_assert_cmpuint (count_objects (s, 2), >, 0);
  g_assert_true (order (s, "upirules", "rules", RULES));
  expect (s, "r", "rules", RULES);
  g_assert_true (order (s, "upiclassify", "labels", "an empty yard, people, a dog"));
  expect (s, "c", "labels", "an empty yard, people, a dog");
  expect (s, "near", "labels", "T\xC3\xBCr, red car");
  stream_push (s, 3);
  g_autoptr (GstBuffer) buffer = stream_pull (s);
  guint n;
  gst_upi_content_get_classes (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  g_assert_cmpuint (n, ==, 3);
  stream_free (s);
}

/* What is no list, no rules, no property that others may change, or for nobody: refused, and nothing is said on the
 * bus. */
static void
test_refused (void)
{
  static const struct {
    const gchar *target, *property, *value;
  } orders[] = { { "upidetect", "labels", "" }, { "upidetect", "labels", " , " }, { "upidetect", "enabled", "perhaps" },
    { "upidetect", "labels-file", "/etc/passwd" }, { "upidetect", "threshold", "0" }, { "upirules", "rules", "{" },
    { "upirules", "rules", "{\"rules\":{\"a\":{\"type\":\"moon\"}}}" }, { "upirules", "rules-file", "/etc/passwd" },
    { "upiclassify", "labels", "" }, { "upiclassify", "labels-file", "/etc/passwd" }, { "upiclassify", "top", "1" },
    { "upijson", "location", "/tmp/x" }, { "upiencoder", "model", "nano" }, { "", "", "" } };
  Stream *s = stream_new (
      "upiencoder model=tiny device=cpu threads=1 policy=block ! upidetect name=d labels=cat ! upiclassify name=c "
      "labels=night ! upirules name=r rules=\""
      "{\\\"rules\\\":{\\\"a\\\":{\\\"type\\\":\\\"count\\\",\\\"above\\\":9}}}\" ! upijson location=/dev/null",
      FALSE);

  stream_format (s, "RGB", 64, 48);
  count_objects (s, 0);
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++)
    g_assert_false (order (s, orders[i].target, orders[i].property, orders[i].value));
  expect (s, "d", "labels", "cat");
  expect (s, "c", "labels", "night");
  expect (s, "d", "labels-file", NULL);
  expect (s, "r", "rules", "{\"rules\":{\"a\":{\"type\":\"count\",\"above\":9}}}");
  count_objects (s, 1);
  stream_free (s);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/json-control/nearest", test_nearest);
  g_test_add_func ("/json-control/refused", test_refused);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
