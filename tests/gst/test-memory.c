/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Elements where memory is short: what the engine cannot have is an error on the bus that names it, what an element
 * cannot have costs a part of its result and a warning. tests/core/engine/test-engine-memory.c fails every one of the
 * engine's allocations. */
#define _GNU_SOURCE /* dladdr, RTLD_NEXT */
#include <dlfcn.h>
#include <string.h>

#include "tests/gst/stream.h"

static gint until_failure;   /* atomic; of the plugin's calls */
static gint until_no_thread; /* the same, of the threads that it and the engine make */

static gboolean
is_of (const void *address, const gchar *library)
{
  Dl_info caller;

  return dladdr (address, &caller) != 0 && caller.dli_fname != NULL && strstr (caller.dli_fname, library) != NULL;
}

static gboolean
fails_now (gint *until)
{
  return g_atomic_int_get (until) > 0 && g_atomic_int_dec_and_test (until);
}

G_MODULE_EXPORT gpointer
g_try_malloc (gsize bytes)
{
  static gpointer (*real) (gsize);

  if (real == NULL)
    real = (gpointer (*) (gsize)) dlsym (RTLD_NEXT, "g_try_malloc");
  if (is_of (__builtin_return_address (0), "libgstupi.so") && fails_now (&until_failure))
    return NULL;
  return real (bytes);
}

G_MODULE_EXPORT GThread *
g_thread_try_new (const gchar *name, GThreadFunc function, gpointer data, GError **error)
{
  static GThread *(*real) (const gchar *, GThreadFunc, gpointer, GError **);

  if (real == NULL)
    real = (GThread * (*) (const gchar *, GThreadFunc, gpointer, GError **) ) dlsym (RTLD_NEXT, "g_thread_try_new");
  if ((is_of (__builtin_return_address (0), "libgstupi.so") || is_of (__builtin_return_address (0), "libupi-testing"))
      && fails_now (&until_no_thread)) {
    g_set_error (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "no more of them");
    return NULL;
  }
  return real (name, function, data, error);
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

#define FRAMES "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=64,height=48 ! "

/* From NULL to PLAYING and back, @to_the_end after EOS or an error; what the error said. (transfer full) (nullable) */
static gchar *
live (const gchar *line, gboolean to_the_end)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  gchar *said = NULL;

  g_assert_no_error (error);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, to_the_end ? GST_CLOCK_TIME_NONE : 0, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
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
    g_autofree gchar *said = live (FRAMES
        "upiencoder model=tiny device=cpu threads=1 batch-size=2 policy=block ! upidetect threshold=0 ! upicaption "
        "! upioverlay ! fakesink",
        TRUE);
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

/* Each thread that an element makes is refused once: an error of that element, and the same pipeline starts afterwards.
 * Nobody listens at the addresses. */
static void
test_thread_refused (void)
{
  static const struct {
    const gchar *line;
    guint threads;
  } cases[] = {
    { FRAMES "upiencoder model=tiny device=cpu threads=3 model-instance-id=three ! fakesink", 3 },
    { FRAMES "upiencoder model=tiny device=cpu threads=2 threads-per-frame=2 model-instance-id=two ! fakesink", 2 },
    { FRAMES "upijson method=mqtt address=127.0.0.1:9 ! fakesink", 1 },
    { FRAMES "upijson method=kafka address=127.0.0.1:9 ! fakesink", 1 },
    { "upirtspsrc location=rtsp://127.0.0.1:9/camera ! fakesink", 1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    guint n = 1;
    for (;; n++) {
      g_atomic_int_set (&until_no_thread, (gint) n);
      g_autofree gchar *said = live (cases[i].line, n <= cases[i].threads); /* nothing would end a camera's */
      if (g_atomic_int_get (&until_no_thread) > 0)
        break;
      g_assert_nonnull (said);
      g_assert_nonnull (strstr (said, "no more of them"));
      g_assert_nonnull (strstr (said, "use fewer threads"));
    }
    g_test_message ("%s: %u", cases[i].line, n - 1);
    g_assert_true (n - 1 == cases[i].threads || strstr (cases[i].line, "method") != NULL); /* not built in */
  }
  g_atomic_int_set (&until_no_thread, 0);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/memory/elements", test_elements);
  g_test_add_func ("/memory/engine-behind-elements", test_engine_behind_elements);
  g_test_add_func ("/memory/threads", test_thread_refused);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
