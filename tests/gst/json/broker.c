/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker.c: see broker.h. */
#include "tests/gst/json/broker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <glib/gstdio.h>
#include <mosquitto.h>

#define PATIENCE_US (60 * G_USEC_PER_SEC) /* a test that waits for so long has failed */

static guint
free_port (void)
{
  g_autoptr (GSocketListener) listener = g_socket_listener_new ();
  guint port = g_socket_listener_add_any_inet_port (listener, NULL, NULL);
  g_assert_cmpuint (port, !=, 0);
  g_socket_listener_close (listener);
  return port;
}

/* Other programs have no sanitizer, and not what is loaded before one. */
static GSubprocessLauncher *
launcher_new (GSubprocessFlags flags)
{
  GSubprocessLauncher *launcher = g_subprocess_launcher_new (flags);

  g_subprocess_launcher_unsetenv (launcher, "LD_PRELOAD");
  return launcher;
}

void
run_program (const gchar *first, ...)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  va_list rest;

  g_ptr_array_add (words, (gchar *) first);
  va_start (rest, first);
  for (const gchar *word; (word = va_arg (rest, const gchar *)) != NULL;)
    g_ptr_array_add (words, (gchar *) word);
  va_end (rest);
  g_ptr_array_add (words, NULL);
  g_autoptr (GSubprocessLauncher) launcher =
      launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_autoptr (GSubprocess) process =
      g_subprocess_launcher_spawnv (launcher, (const gchar *const *) words->pdata, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_wait_check (process, NULL, NULL));
}

Broker *
broker_new (const gchar *config)
{
  Broker *broker = g_new0 (Broker, 1);

  broker->folder = g_dir_make_tmp ("broker-XXXXXX", NULL);
  broker->port = free_port ();
  broker_set_config (broker, config);
  return broker;
}

gchar *
broker_path (Broker *broker, const gchar *name)
{
  return g_build_filename (broker->folder, name, NULL);
}

void
broker_set_config (Broker *broker, const gchar *config)
{
  g_free (broker->config);
  broker->config = g_strdup (config != NULL ? config : "allow_anonymous true\n");
}

void
broker_start (Broker *broker)
{
  g_autofree gchar *path = broker_path (broker, "mosquitto.conf"), *program = g_find_program_in_path ("mosquitto");
  g_autofree gchar *config = g_strdup_printf (
      "user root\npersistence false\nlog_dest stderr\nlog_type information\nlog_type error\nlistener %u 127.0.0.1\n%s",
      broker->port, broker->config);
  g_autoptr (GError) error = NULL;

  if (program == NULL)
    program = g_strdup ("/usr/sbin/mosquitto");
  g_assert_true (g_file_set_contents (path, config, -1, NULL));
  g_autoptr (GSubprocessLauncher) launcher = launcher_new (G_SUBPROCESS_FLAGS_STDERR_PIPE);
  broker->process = g_subprocess_launcher_spawn (launcher, &error, program, "-c", path, NULL);
  g_assert_no_error (error);
  g_autoptr (GDataInputStream) log = g_data_input_stream_new (g_subprocess_get_stderr_pipe (broker->process));
  for (;;) {
    g_autofree gchar *line = g_data_input_stream_read_line (log, NULL, NULL, &error);
    g_assert_no_error (error);
    g_assert_nonnull (line); /* else it ended: g_test_message() has its words */
    g_test_message ("%s", line);
    if (g_str_has_suffix (line, " running"))
      break;
  }
  g_filter_input_stream_set_close_base_stream (G_FILTER_INPUT_STREAM (log), FALSE);
}

void
broker_signal (Broker *broker, int number)
{
  const gchar *identifier = g_subprocess_get_identifier (broker->process);
  g_assert_nonnull (identifier); /* else it has ended */
  pid_t process = (pid_t) g_ascii_strtoll (identifier, NULL, 10);
  siginfo_t now = { 0 };

  /* g_subprocess_send_signal() leaves it to GLib's worker, which comes to it later */
  g_assert_cmpint (kill (process, number), ==, 0);
  if (number == SIGSTOP) { /* it goes on until the system comes to stopping it */
    while (waitid (P_PID, (id_t) process, &now, WSTOPPED | WNOWAIT) != 0)
      g_assert_cmpint (errno, ==, EINTR);
    g_assert_cmpint (now.si_code, ==, CLD_STOPPED);
  }
}

void
broker_kill (Broker *broker)
{
  g_subprocess_force_exit (broker->process);
  g_subprocess_wait (broker->process, NULL, NULL);
  g_clear_object (&broker->process);
}

void
broker_free (Broker *broker)
{
  if (broker->process != NULL)
    broker_kill (broker);
  g_autoptr (GDir) dir = g_dir_open (broker->folder, 0, NULL);
  for (const gchar *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree gchar *path = broker_path (broker, name);
    g_unlink (path);
  }
  g_rmdir (broker->folder);
  g_free (broker->folder);
  g_free (broker->config);
  g_free (broker);
}

struct _Listener {
  struct mosquitto *client;
  GQueue heard; /* of gchar *: topic, payload, topic … */
  gboolean subscribed, published;
  gchar *topic;
};

static void
on_connect (struct mosquitto *client, void *data, int code)
{
  Listener *listener = data;
  g_assert_cmpint (code, ==, 0);
  mosquitto_subscribe (client, NULL, listener->topic, 1);
}

static void
on_subscribe (struct mosquitto *client, void *data, int id, int n, const int *granted)
{
  ((Listener *) data)->subscribed = TRUE;
}

static void
on_publish (struct mosquitto *client, void *data, int id)
{
  ((Listener *) data)->published = TRUE;
}

static void
on_message (struct mosquitto *client, void *data, const struct mosquitto_message *message)
{
  Listener *listener = data;
  g_queue_push_tail (&listener->heard, g_strdup (message->topic));
  g_queue_push_tail (&listener->heard, g_strndup (message->payload, (gsize) message->payloadlen));
}

static void
listener_loop (Listener *listener, gint64 deadline)
{
  int code = mosquitto_loop (listener->client, 100, 1);
  if (code != MOSQ_ERR_SUCCESS) /* the broker was killed: it comes again */
    mosquitto_reconnect (listener->client);
  g_assert_cmpint (g_get_monotonic_time (), <, deadline);
}

Listener *
listener_new (Broker *broker, const gchar *id, const gchar *topic)
{
  Listener *listener = g_new0 (Listener, 1);
  gint64 deadline = g_get_monotonic_time () + PATIENCE_US;

  mosquitto_lib_init ();
  listener->topic = g_strdup (topic);
  listener->client = mosquitto_new (id, true, listener);
  mosquitto_connect_callback_set (listener->client, on_connect);
  mosquitto_subscribe_callback_set (listener->client, on_subscribe);
  mosquitto_publish_callback_set (listener->client, on_publish);
  mosquitto_message_callback_set (listener->client, on_message);
  mosquitto_username_pw_set (listener->client, "reader", "t\xC3\xBCr;=#");
  g_assert_cmpint (mosquitto_connect (listener->client, "127.0.0.1", (int) broker->port, 60), ==, MOSQ_ERR_SUCCESS);
  while (!listener->subscribed)
    listener_loop (listener, deadline);
  return listener;
}

gchar *
listener_wait (Listener *listener, const gchar *topic)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_US;

  for (;;) {
    while (listener->heard.length > 0) {
      g_autofree gchar *heard = g_queue_pop_head (&listener->heard);
      gchar *payload = g_queue_pop_head (&listener->heard);
      if (g_str_equal (heard, topic))
        return payload;
      g_test_message ("%s: %.200s", heard, payload);
      g_free (payload);
    }
    listener_loop (listener, deadline);
  }
}

gchar *
listener_wait_any (Listener *listener, gchar **topic)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_US;

  while (listener->heard.length == 0)
    listener_loop (listener, deadline);
  *topic = g_queue_pop_head (&listener->heard);
  return g_queue_pop_head (&listener->heard);
}

void
listener_wait_for (Listener *listener, const gchar *topic, const gchar *payload)
{
  for (;;) {
    g_autofree gchar *heard = listener_wait (listener, topic);
    if (g_str_equal (heard, payload))
      return;
    g_test_message ("%s: %.200s", topic, heard);
  }
}

void
listener_publish (Listener *listener, const gchar *topic, const gchar *payload, gboolean retain)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE_US;

  listener->published = FALSE;
  g_assert_cmpint (mosquitto_publish (listener->client, NULL, topic, (int) strlen (payload), payload, 1, retain), ==,
      MOSQ_ERR_SUCCESS);
  while (!listener->published)
    listener_loop (listener, deadline);
}

void
listener_free (Listener *listener)
{
  mosquitto_disconnect (listener->client);
  mosquitto_destroy (listener->client);
  g_queue_clear_full (&listener->heard, g_free);
  g_free (listener->topic);
  g_free (listener);
}
