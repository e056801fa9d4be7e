/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Elements where memory is short: what the engine cannot have is an error on the bus that names it, what an element
 * cannot have costs a part of its result and a warning. tests/core/engine/test-engine-memory.c fails every one of the
 * engine's allocations. */
#define _GNU_SOURCE /* dladdr, RTLD_NEXT */
#include <dlfcn.h>
#include <string.h>

#include "tests/gst/stream.h"

static gint until_failure; /* atomic; of the plugin's calls */

G_MODULE_EXPORT gpointer
g_try_malloc (gsize bytes)
{
  static gpointer (*real) (gsize);
  Dl_info caller;

  if (real == NULL)
    real = (gpointer (*) (gsize)) dlsym (RTLD_NEXT, "g_try_malloc");
  if (dladdr (__builtin_return_address (0), &caller) != 0 && caller.dli_fname != NULL
      && strstr (caller.dli_fname, "libgstupi.so") != NULL && g_atomic_int_get (&until_failure) > 0
      && g_atomic_int_dec_and_test (&until_failure))
    return NULL;
  return real (bytes);
}

static void
test_elements (void)
{
  static const gchar *const formats[] = { "BGRx", "I420", "NV12", "ARGB64" };

  for (guint f = 0; f < G_N_ELEMENTS (formats); f++) {
    guint n = 1, failures = 0;
    for (;; n++) {
      Stream *s = stream_new (
          "upiencoder model=tiny device=cpu threads=1 policy=block model-instance-id=memory ! upidetect threshold=0 "
          "max-objects=4 ! upioverlay draw-labels=false",
          FALSE);
      stream_format (s, formats[f], 64, 48);
      g_atomic_int_set (&until_failure, (gint) n);
      GstFlowReturn ret = stream_push (s, 0);
      gst_harness_push_event (s->harness, gst_event_new_eos ());
      GstBuffer *buffer = NULL; /* it comes before EOS, or not at all */
      for (gboolean ended = ret != GST_FLOW_OK; !ended && buffer == NULL;) {
        g_autofree gchar *record = stream_take_record (s);
        ended = strstr (record, "eos") != NULL;
        buffer = gst_harness_try_pull (s->harness);
      }
      gint left = g_atomic_int_get (&until_failure);
      g_atomic_int_set (&until_failure, 0);
      g_autofree gchar *error = stream_peek_message (s, GST_MESSAGE_ERROR),
                       *warning = stream_peek_message (s, GST_MESSAGE_WARNING);
      gst_clear_buffer (&buffer);
      stream_free (s);
      if (left > 0) { /* there were fewer */
        g_assert_null (error);
        g_assert_null (warning);
        break;
      }
      if (error != NULL || warning != NULL)
        g_assert_nonnull (strstr (error != NULL ? error : warning, "emory"));
      failures++;
    }
    g_test_message ("%s: %u allocations", formats[f], failures);
    g_assert_cmpuint (failures, >, 0);
  }
}

/* From NULL to PLAYING to EOS and back; what ended it. (transfer full) (nullable) */
static gchar *
live (void)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (
      "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=64,height=48 ! upiencoder model=tiny "
      "device=cpu threads=1 batch-size=2 policy=block ! upidetect threshold=0 ! upicaption ! upioverlay "
      "! fakesink",
      &error);
  gchar *said = NULL;

  g_assert_no_error (error);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    said = g_strdup (error->message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return said;
}

static void
test_engine_behind_elements (void)
{
  guint failures = 0;

  for (guint n = 1;; n += 11) {
    upi_testing_fail_allocation (n);
    g_autofree gchar *said = live ();
    if (upi_testing_fail_allocation (0) > 0) {
      g_assert_null (said);
      break;
    }
    if (said != NULL && strstr (said, "emory") == NULL)
      g_error ("allocation %u: %s", n, said);
    failures += said != NULL;
  }
  g_assert_cmpuint (failures, >, 20);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/memory/elements", test_elements);
  g_test_add_func ("/memory/engine-behind-elements", test_engine_behind_elements);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
