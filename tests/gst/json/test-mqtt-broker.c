/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-mqtt-broker.c: a broker that goes, comes back, is slow or silent, or asks who is there. */
#include <signal.h>
#include <string.h>

#include "tests/gst/json/mqtt-stream.h"

/* The client is lost (another one takes its name): the broker says so; it comes back and says so. */
static void
test_last_will (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/yard/available");
  Stream *s = stream_to (broker, "settings=id=yard-1");

  listener_wait_for (listener, "upi/yard/available", "online");
  Listener *thief = listener_new (broker, "yard-1", "nothing");
  listener_wait_for (listener, "upi/yard/available", "offline");
  listener_free (thief);
  listener_wait_for (listener, "upi/yard/available", "online");
  g_assert_cmpuint (stat_of (s, "connections"), >=, 2);
  push (s, 0, NULL);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "broker"));
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

/* The broker is not there yet, dies, and comes back with no memory: every frame arrives, all states are there again. */
static void
test_restart (void)
{
  Broker *broker = broker_new (NULL);
  Stream *s = stream_to (broker, "emit=all");
  const GstUpiObject object = object_at ("person", 0, 0, 0.9f);
  g_autoptr (GstUpiContent) one = content_of (&object, 1);
  guint n = 0;

  while (n < 5)
    push (s, n++, one);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "127.0.0.1"));
  for (guint round = 0; round < 2; round++) {
    broker_start (broker);
    Listener *listener = listener_new (broker, NULL, "upi/#");
    guint first = n;
    while (n < first + 5)
      push (s, n++, one);
    for (guint seen = 0; seen + 1 != n;) { /* those from before may be gone already: the last one is there */
      g_autofree gchar *line = listener_wait (listener, "upi/yard/frames");
      g_autoptr (JsonParser) parser = json_lines_parse (line);
      seen = (guint) json_object_get_int_member (json_node_get_object (json_parser_get_root (parser)), "frame");
    }
    Listener *later = listener_new (broker, NULL, "upi/yard/person"),
             *there = listener_new (broker, NULL, "upi/yard/available");
    listener_wait_for (later, "upi/yard/person", "1");
    listener_wait_for (there, "upi/yard/available", "online");
    while (stat_of (s, "written") < n)
      g_thread_yield ();
    listener_free (listener);
    listener_free (later);
    listener_free (there);
    broker_kill (broker);
    for (first = n; n < first + 5;)
      push (s, n++, one);
  }
  g_assert_cmpuint (stat_of (s, "lost"), ==, 0);
  g_assert_cmpuint (stat_of (s, "queued"), ==, 5);
  g_assert_null (stream_peek_message (s, GST_MESSAGE_WARNING)); /* it was said once */
  stream_free (s);
  broker_free (broker);
}

/* Without a broker the newest messages wait, the oldest fall out and are counted; on-error=stop has it the other
 * way. */
static void
test_full_queue (void)
{
  Broker *broker = broker_new (NULL);
  Stream *s = stream_to (broker, "queue-size=5");

  g_free (stream_message (s, GST_MESSAGE_WARNING)); /* that it is away */
  for (guint i = 0; i < 20; i++)
    push (s, i, NULL);
  g_assert_cmpuint (stat_of (s, "lost"), ==, 15);
  g_assert_cmpuint (stat_of (s, "queued"), ==, 5);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "queue"));
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  push (s, 20, NULL);
  g_autofree gchar *line = listener_wait (listener, "upi/yard/frames");
  g_assert_nonnull (strstr (line, "\"frame\":"));
  while (stat_of (s, "queued") > 0)
    g_thread_yield ();
  g_assert_cmpuint (stat_of (s, "written") + stat_of (s, "lost"), ==, 21);
  broker_kill (broker);
  stream_free (s);
  listener_free (listener);

  s = stream_to (broker, "queue-size=5 on-error=stop");
  for (guint i = 0; i < 5; i++)
    push (s, i, NULL);
  GstBuffer *buffer = frame_new ("RGB", 64, 48, 5);
  gst_buffer_add_upi_meta (buffer, NULL);
  g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "queue"));
  while (stream_peek_message (s, GST_MESSAGE_WARNING) != NULL)
    continue;
  stream_free (s);
  broker_free (broker);
}

/* A broker that reads nothing for a while: frames pass, and all arrive when it goes on. */
static void
test_slow (void)
{
  Broker *broker = broker_new (NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");
  Stream *s = stream_to (broker, "");

  push (s, 0, NULL);
  expect_frames (listener, 0, 1);
  broker_signal (broker, SIGSTOP);
  for (guint i = 1; i < 500; i++)
    push (s, i, NULL);
  g_assert_cmpuint (stat_of (s, "queued"), >=, 400);
  broker_signal (broker, SIGCONT);
  expect_frames (listener, 1, 499);
  g_assert_cmpuint (stat_of (s, "lost"), ==, 0);
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

/* Somebody takes the connection and says nothing: frames pass, and the end does not wait for it. */
static void
test_silent (void)
{
  g_autoptr (GSocketListener) silent = g_socket_listener_new ();
  Broker *broker = broker_new (NULL);

  broker->port = g_socket_listener_add_any_inet_port (silent, NULL, NULL);
  Stream *s = stream_to (broker, "");
  for (guint i = 0; i < 10; i++)
    push (s, i, NULL);
  g_assert_cmpuint (stat_of (s, "queued"), ==, 10);
  gst_element_set_state (s->element, GST_STATE_NULL);
  g_assert_cmpuint (stat_of (s, "lost"), ==, 10);
  stream_free (s);
  broker_free (broker);
}

static void
test_password (void)
{
  Broker *broker = broker_new (NULL);
  g_autofree gchar *passwords = broker_path (broker, "passwords"), *secret = broker_path (broker, "secret");
  g_autofree gchar *config = g_strdup_printf ("allow_anonymous false\npassword_file %s\n", passwords);

  broker_set_config (broker, config);
  run_program ("mosquitto_passwd", "-b", "-c", passwords, "reader", "t\xC3\xBCr;=#", NULL);
  run_program ("mosquitto_passwd", "-b", passwords, "yard", "p=1;# 2", NULL);
  broker_start (broker);
  Listener *listener = listener_new (broker, NULL, "upi/#");

  Stream *s = stream_to (broker, "settings=\"username=yard;password=wrong\"");
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "authori"));
  g_assert_null (strstr (warning, "wrong"));
  push (s, 0, NULL);
  stream_free (s);

  g_assert_true (g_file_set_contents (secret, "# of the broker\nusername=yard\npassword=p=1;# 2\n", -1, NULL));
  g_autofree gchar *properties = g_strdup_printf ("settings-file=%s", secret);
  s = stream_to (broker, properties);
  push (s, 0, NULL);
  expect_frames (listener, 0, 1);
  stream_free (s);
  listener_free (listener);
  broker_free (broker);
}

/* A certificate for 127.0.0.1 that answers for itself, and its key. */
static void
make_certificate (const gchar *certificate, const gchar *key)
{
  run_program ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
      certificate, NULL);
}

static void
test_tls (void)
{
  Broker *broker = broker_new (NULL);
  g_autofree gchar *certificate = broker_path (broker, "c.pem"), *key = broker_path (broker, "k.pem"),
                   *other = broker_path (broker, "other.pem"), *other_key = broker_path (broker, "ok.pem");
  make_certificate (certificate, key);
  make_certificate (other, other_key);
  guint plain = broker->port;
  Broker *probe = broker_new (NULL); /* a second port of the same broker */
  g_autofree gchar *config =
      g_strdup_printf ("allow_anonymous true\nlistener %u 127.0.0.1\nallow_anonymous true\ncertfile %s\nkeyfile %s\n",
          probe->port, certificate, key);
  broker_set_config (broker, config);
  broker_start (broker);
  g_assert_cmpuint (plain, ==, broker->port);
  Listener *listener = listener_new (broker, NULL, "upi/#");

  for (guint right = 0; right < 2; right++) {
    g_autofree gchar *description =
        g_strdup_printf ("upijson name=j method=mqtt source=yard address=mqtts://127.0.0.1:%u settings=cafile=%s",
            probe->port, right ? certificate : other);
    Stream *s = stream_new (description, FALSE);
    stream_format (s, "RGB", 64, 48);
    push (s, 0, NULL);
    if (right) {
      expect_frames (listener, 0, 1);
    } else {
      g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
      g_assert_nonnull (strstr (warning, "certificate"));
    }
    stream_free (s);
  }
  listener_free (listener);
  broker_free (probe);
  broker_free (broker);
}

static void
test_bad_settings (void)
{
  static const JsonBadSetting cases[] = { { "address", "http://broker", "address" },
    { "address", "mqtt://", "address" }, { "address", "broker:x", "address" }, { "address", "broker/path", "address" },
    { "topic", "upi/#", "topic" }, { "topic", "+", "topic" }, { "topic", "", "topic" },
    { "topic", "$SYS/upi", "topic" }, { "topic", "upi/", "topic" }, { "settings", "color=red", "color" },
    { "settings", "id", "settings" }, { "settings", "cafile=/nowhere/ca.pem", "/nowhere/ca.pem" },
    { "settings", "insecure=perhaps", "insecure" }, { "settings", "insecure=true", "TLS" },
    { "settings", "keepalive=1", "keepalive" }, { "settings-file", "/nowhere/s", "/nowhere/s" } };

  json_lines_test_bad_settings ("mqtt", cases, G_N_ELEMENTS (cases));
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/json-mqtt/last-will", test_last_will);
  g_test_add_func ("/json-mqtt/restart", test_restart);
  g_test_add_func ("/json-mqtt/full-queue", test_full_queue);
  g_test_add_func ("/json-mqtt/slow", test_slow);
  g_test_add_func ("/json-mqtt/silent", test_silent);
  g_test_add_func ("/json-mqtt/password", test_password);
  g_test_add_func ("/json-mqtt/tls", test_tls);
  g_test_add_func ("/json-mqtt/bad-settings", test_bad_settings);
  g_test_add_func ("/json-mqtt/schema", json_lines_test_schema);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
