/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-rtsp-source.c: upirtspsrc on a server of the loopback that is killed, stopped, restarted and locked.
 * UPI_RTSP_SERVER names the server's program. */
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/gst/stream.h"

#define WAIT (60 * GST_SECOND)
/* No test waits for a back-off: a millisecond instead of a second. */
#define BRISK "min-backoff=1000000 max-backoff=4000000"

typedef struct {
  GSubprocess *process;
  GDataInputStream *output;
  guint port;
} Server;

/* @port: 0: any. */
static Server
server_start (guint port, const gchar *password)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *number = g_strdup_printf ("%u", port);
  Server server = { 0 };

  server.process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
      g_getenv ("UPI_RTSP_SERVER"), number, password, NULL);
  g_assert_no_error (error);
  server.output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (server.process));
  g_autofree gchar *line = g_data_input_stream_read_line (server.output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (line);
  server.port = (guint) g_ascii_strtoull (line, NULL, 10);
  g_assert_cmpuint (server.port, >, 0);
  return server;
}

static void
server_kill (Server *server)
{
  g_subprocess_send_signal (server->process, SIGKILL);
  g_subprocess_wait (server->process, NULL, NULL);
  g_clear_object (&server->output);
  g_clear_object (&server->process);
}

typedef struct {
  GstElement *pipeline;
  GstBus *bus;
  GMutex lock;
  GCond changed;
  guint frames, starts, others, eos; /* of the camera, and of the other branch */
  GstClockTime running_time;         /* of the camera's last frame */
  GstSegment segment;
} Scene;

static GstPadProbeReturn
watch_camera (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Scene *scene = user_data;

  g_mutex_lock (&scene->lock);
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    GstClockTime now = gst_segment_to_running_time (
        &scene->segment, GST_FORMAT_TIME, GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info)));
    g_assert_true (GST_CLOCK_TIME_IS_VALID (now));
    g_assert_cmpuint (now, >=, scene->running_time); /* time goes on over a gap */
    scene->running_time = now;
    scene->frames++;
  } else {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
    if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START)
      scene->starts++;
    else if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT)
      gst_event_copy_segment (event, &scene->segment);
    else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
      scene->eos++;
  }
  g_cond_broadcast (&scene->changed);
  g_mutex_unlock (&scene->lock);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
watch_other (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Scene *scene = user_data;

  g_mutex_lock (&scene->lock);
  scene->others++;
  g_cond_broadcast (&scene->changed);
  g_mutex_unlock (&scene->lock);
  return GST_PAD_PROBE_OK;
}

static void
add_probe (Scene *scene, const gchar *name, GstPadProbeType type, GstPadProbeCallback callback)
{
  g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (scene->pipeline), name);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, "sink");

  gst_pad_add_probe (pad, type, callback, scene, NULL);
}

/* The camera, and beside it a source of the same pipeline that must not notice. */
static void
scene_start (Scene *scene, const gchar *settings, const gchar *scheme, const gchar *credentials, guint port)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *description = g_strdup_printf (
      "upirtspsrc name=camera latency=0 %s location=%s://%s127.0.0.1:%u/camera ! fakesink name=seen sync=false   "
      "videotestsrc is-live=true ! video/x-raw,width=16,height=16,framerate=100/1 ! fakesink name=other sync=false",
      settings, scheme, credentials, port);

  *scene = (Scene){ .pipeline = gst_parse_launch (description, &error) };
  g_assert_no_error (error);
  gst_segment_init (&scene->segment, GST_FORMAT_TIME);
  scene->bus = gst_element_get_bus (scene->pipeline);
  add_probe (scene, "seen", GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, watch_camera);
  add_probe (scene, "other", GST_PAD_PROBE_TYPE_BUFFER, watch_other);
  g_assert_cmpint (gst_element_set_state (scene->pipeline, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
}

static void
scene_end (Scene *scene)
{
  g_assert_cmpint (gst_element_set_state (scene->pipeline, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (scene->bus);
  gst_object_unref (scene->pipeline);
  g_mutex_clear (&scene->lock);
  g_cond_clear (&scene->changed);
}

/* Until @counter has grown by @more. */
static void
wait_for_more (Scene *scene, guint *counter, guint more)
{
  gint64 until = g_get_monotonic_time () + (gint64) (WAIT / GST_USECOND);

  g_mutex_lock (&scene->lock);
  guint wanted = *counter + more;
  while (*counter < wanted)
    g_assert_true (g_cond_wait_until (&scene->changed, &scene->lock, until));
  g_mutex_unlock (&scene->lock);
}

/* The next message of that name; no error comes before it. (transfer full) */
static GstMessage *
wait_for (Scene *scene, const gchar *name)
{
  for (;;) {
    GstMessage *message =
        gst_bus_timed_pop_filtered (scene->bus, WAIT, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    g_assert_nonnull (message);
    g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_ELEMENT);
    if (gst_message_has_name (message, name))
      return message;
    gst_message_unref (message);
  }
}

static guint
number_of (GstMessage *message, const gchar *field)
{
  guint value = 0;

  g_assert_true (gst_structure_get_uint (gst_message_get_structure (message), field, &value));
  return value;
}

/* Ten times: the server dies, the camera is away, other sources go on, the server is back, frames come as a new
 * stream. */
static void
test_restarts (void)
{
  Server server = server_start (0, NULL);
  guint port = server.port;
  Scene scene;
  g_autofree gchar *location = g_strdup_printf ("rtspt://127.0.0.1:%u/camera", port);

  scene_start (&scene, BRISK, "rtspt", "", port);
  for (guint i = 1; i <= 10; i++) {
    GstMessage *back = wait_for (&scene, "upi-rtsp-connected");
    g_assert_cmpuint (number_of (back, "connection"), ==, i);
    g_assert_cmpstr (gst_structure_get_string (gst_message_get_structure (back), "location"), ==, location);
    gst_message_unref (back);
    wait_for_more (&scene, &scene.frames, 3);
    g_mutex_lock (&scene.lock);
    g_assert_cmpuint (scene.starts, ==, i);
    g_mutex_unlock (&scene.lock);
    server_kill (&server);
    GstMessage *away = wait_for (&scene, "upi-rtsp-away");
    g_assert_cmpuint (number_of (away, "attempt"), ==, 1);
    g_assert_nonnull (gst_structure_get_string (gst_message_get_structure (away), "reason"));
    gst_message_unref (away);
    away = wait_for (&scene, "upi-rtsp-away"); /* it was tried again, in vain */
    g_assert_cmpuint (number_of (away, "attempt"), ==, 2);
    gst_message_unref (away);
    wait_for_more (&scene, &scene.others, 3);
    server = server_start (port, NULL);
  }
  gst_message_unref (wait_for (&scene, "upi-rtsp-connected"));
  wait_for_more (&scene, &scene.frames, 3);
  g_mutex_lock (&scene.lock);
  g_assert_cmpuint (scene.eos, ==, 0);
  g_mutex_unlock (&scene.lock);
  scene_end (&scene);
  server_kill (&server);
}

/* A camera that hangs keeps its connection and sends nothing: over TCP as over UDP it is away when the timeout has
 * passed. */
static void
run_hang (const gchar *scheme)
{
  Server server = server_start (0, NULL);
  guint port = server.port;
  Scene scene;

  scene_start (&scene, BRISK " timeout=3000000000", scheme, "", port);
  gst_message_unref (wait_for (&scene, "upi-rtsp-connected"));
  g_subprocess_send_signal (server.process, SIGSTOP);
  g_autoptr (GstMessage) away = wait_for (&scene, "upi-rtsp-away");
  g_assert_cmpstr (gst_structure_get_string (gst_message_get_structure (away), "reason"), ==, "it sends nothing");
  server_kill (&server);
  server = server_start (port, NULL);
  gst_message_unref (wait_for (&scene, "upi-rtsp-connected"));
  wait_for_more (&scene, &scene.frames, 3);
  scene_end (&scene);
  server_kill (&server);
}

static void
test_hangs (void)
{
  run_hang ("rtspt");
  run_hang ("rtspu");
}

/* A refused password is tried again after the longest back-off, and is told nobody. */
static void
test_password (void)
{
  Server server = server_start (0, "sesame");
  g_autofree gchar *location = g_strdup_printf ("rtspt://127.0.0.1:%u/camera", server.port);
  guint64 wait = 0;
  Scene scene;

  scene_start (&scene, "min-backoff=1000000 max-backoff=3600000000000", "rtspt", "guard:open@", server.port);
  g_autoptr (GstMessage) away = wait_for (&scene, "upi-rtsp-away");
  const GstStructure *said = gst_message_get_structure (away);
  g_assert_true (gst_structure_get_uint64 (said, "retry-in", &wait));
  g_assert_cmpuint (wait, ==, 3600 * GST_SECOND);
  g_assert_cmpstr (gst_structure_get_string (said, "location"), ==, location);
  scene_end (&scene); /* does not wait for it */
  scene_start (&scene, BRISK, "rtspt", "guard:sesame@", server.port);
  gst_message_unref (wait_for (&scene, "upi-rtsp-connected"));
  scene_end (&scene);
  server_kill (&server);
}

/* Back-off doubles up to its bound. */
static void
test_backoff (void)
{
  Server server = server_start (0, NULL);
  guint port = server.port;
  Scene scene;

  server_kill (&server); /* nobody listens there now */
  scene_start (&scene, "min-backoff=1000000 max-backoff=5000000", "rtspt", "", port);
  for (guint i = 1; i <= 5; i++) {
    static const guint expected[] = { 1, 2, 4, 5, 5 };
    guint64 wait = 0;
    g_autoptr (GstMessage) away = wait_for (&scene, "upi-rtsp-away");
    g_assert_cmpuint (number_of (away, "attempt"), ==, i);
    g_assert_true (gst_structure_get_uint64 (gst_message_get_structure (away), "retry-in", &wait));
    g_assert_cmpuint (wait, ==, expected[i - 1] * GST_MSECOND);
  }
  wait_for_more (&scene, &scene.others, 3);
  /* The application's EOS ends the stream of a camera that never came. */
  g_assert_true (gst_element_send_event (scene.pipeline, gst_event_new_eos ()));
  GstMessage *eos = gst_bus_timed_pop_filtered (scene.bus, WAIT, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpint (GST_MESSAGE_TYPE (eos), ==, GST_MESSAGE_EOS);
  gst_message_unref (eos);
  scene_end (&scene);
}

/* EOS of the application also while pictures come; states in any order; nothing is left. */
static void
test_states (void)
{
  Server server = server_start (0, NULL);
  Scene scene;
  guint threads = 0;

  scene_start (&scene, BRISK, "rtspt", "", server.port);
  gst_message_unref (wait_for (&scene, "upi-rtsp-connected"));
  g_assert_cmpint (gst_element_set_state (scene.pipeline, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_NO_PREROLL);
  gst_element_set_state (scene.pipeline, GST_STATE_PLAYING);
  wait_for_more (&scene, &scene.frames, 5);
  g_assert_true (gst_element_send_event (scene.pipeline, gst_event_new_eos ()));
  GstMessage *eos = gst_bus_timed_pop_filtered (scene.bus, WAIT, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpint (GST_MESSAGE_TYPE (eos), ==, GST_MESSAGE_EOS);
  gst_message_unref (eos);
  for (guint i = 0; i < 12; i++) {
    gst_element_set_state (scene.pipeline, GST_STATE_READY);
    scene.running_time = 0;
    gst_element_set_state (scene.pipeline, i % 2 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
    if (i % 4 == 3) {
      gst_message_unref (wait_for (&scene, "upi-rtsp-connected"));
      wait_for_more (&scene, &scene.frames, 1);
    }
    if (i == 7) {
      gst_element_set_state (scene.pipeline, GST_STATE_NULL);
      threads = test_threads ();
    }
  }
  gst_element_set_state (scene.pipeline, GST_STATE_NULL);
  g_assert_cmpuint (test_threads (), <=, threads + 2);
  scene_end (&scene);
  server_kill (&server);
}

/* What trying again would not mend is an error: no address, another protocol, downstream that refuses. */
static void
test_errors (void)
{
  static const gchar *const wrong[] = { "upirtspsrc ! fakesink", "upirtspsrc location=http://127.0.0.1/ ! fakesink",
    "upirtspsrc location=\"\" ! fakesink" };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GstElement) pipeline = gst_parse_launch (wrong[i], NULL);
    g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
    g_autoptr (GError) error = NULL;
    g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
    gst_message_parse_error (message, &error, NULL);
    g_assert_nonnull (strstr (error->message, "location"));
    gst_element_set_state (pipeline, GST_STATE_NULL);
  }

  Server server = server_start (0, NULL);
  g_autofree gchar *description = g_strdup_printf (
      "upirtspsrc " BRISK " latency=0 location=rtspt://127.0.0.1:%u/camera ! video/x-raw,width=1 ! fakesink",
      server.port);
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, NULL);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, WAIT, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  gst_message_unref (message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  server_kill (&server);
}

/* Both ends of every number's range are taken. */
static void
test_ranges (void)
{
  static const gchar *const settings[] = { "min-backoff=1000000 max-backoff=1000000", "min-backoff=9223372036854775807",
    "max-backoff=9223372036854775807", "timeout=0", "timeout=9223372036854775807", "latency=2147483647" };
  Server server = server_start (0, NULL);
  guint port = server.port;

  server_kill (&server);
  for (guint i = 0; i < G_N_ELEMENTS (settings); i++) {
    Scene scene;
    scene_start (&scene, settings[i], "rtspt", "", port);
    gst_message_unref (wait_for (&scene, "upi-rtsp-away"));
    wait_for_more (&scene, &scene.others, 1);
    scene_end (&scene);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/rtsp-source/restarts", test_restarts);
  g_test_add_func ("/rtsp-source/hangs", test_hangs);
  g_test_add_func ("/rtsp-source/password", test_password);
  g_test_add_func ("/rtsp-source/backoff", test_backoff);
  g_test_add_func ("/rtsp-source/states", test_states);
  g_test_add_func ("/rtsp-source/errors", test_errors);
  g_test_add_func ("/rtsp-source/ranges", test_ranges);
  return g_test_run ();
}
