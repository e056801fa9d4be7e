/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-relation-absent.c: where GStreamer has no GstAnalyticsRelationMeta (before 1.24) no property speaks of it, and
 * trackers and rules say what they need. */
#include "tests/gst/stream.h"

static void
test_properties (void)
{
  static const gchar *const elements[] = { "upidetect", "upitrack", "upirules", "upiclassify" };

  for (guint i = 0; i < G_N_ELEMENTS (elements); i++) {
    g_autoptr (GstElement) element = gst_object_ref_sink (gst_element_factory_make (elements[i], NULL));

    g_assert_null (g_object_class_find_property (G_OBJECT_GET_CLASS (element), "analytics-meta"));
    gst_element_set_state (element, GST_STATE_NULL);
  }
}

/* Nobody but upiencoder can have said anything of these frames. */
static void
test_needs_encoder (void)
{
  static const gchar *const elements[] = { "upitrack name=e",
    "upirules name=e rules=\"{\\\"rules\\\":{\\\"n\\\":{\\\"type\\\":\\\"count\\\",\\\"above\\\":1}}}\"" };

  for (guint i = 0; i < G_N_ELEMENTS (elements); i++) {
    Stream *stream = stream_new (elements[i], FALSE);

    stream_format (stream, "GRAY8", 16, 16);
    g_assert_cmpint (stream_push (stream, 0), ==, GST_FLOW_ERROR);
    g_autofree gchar *error = stream_message (stream, GST_MESSAGE_ERROR);
    g_assert_cmpstr (error, ==, "The frames that reach e were not encoded: put upiencoder before it.");
    stream_free (stream);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/gst/relation/absent/properties", test_properties);
  g_test_add_func ("/gst/relation/absent/needs-encoder", test_needs_encoder);
  return g_test_run ();
}
