/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-kafka.c: upijson sends to librdkafka's mock cluster, which speaks the protocol on loopback: what arrives, and
 * what happens when brokers are down, slow, refuse, or do not know the topic. TLS and SASL are not run here; that their
 * settings are checked is. */
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "tests/gst/json/lines.h"
#include "tests/gst/stream.h"

#define PRODUCE 0 /* request numbers of the protocol */

typedef struct {
  rd_kafka_t *owner;
  rd_kafka_mock_cluster_t *mock;
  rd_kafka_t *consumer; /* NULL before the first read */
} Cluster;

/* One broker, with the topic "upi" of one partition. */
static Cluster *
cluster_new (void)
{
  Cluster *cluster = g_new0 (Cluster, 1);
  gchar why[256];

  cluster->owner = rd_kafka_new (RD_KAFKA_PRODUCER, rd_kafka_conf_new (), why, sizeof why);
  cluster->mock = rd_kafka_mock_cluster_new (cluster->owner, 1);
  g_assert_cmpint (rd_kafka_mock_topic_create (cluster->mock, "upi", 1, 1), ==, RD_KAFKA_RESP_ERR_NO_ERROR);
  return cluster;
}

static void
cluster_free (Cluster *cluster)
{
  if (cluster->consumer != NULL) {
    rd_kafka_consumer_close (cluster->consumer);
    rd_kafka_destroy (cluster->consumer);
  }
  rd_kafka_mock_cluster_destroy (cluster->mock);
  rd_kafka_destroy (cluster->owner);
  g_free (cluster);
}

/* The next message of the topic. */
static gchar *
cluster_read (Cluster *cluster, gchar **key)
{
  if (cluster->consumer == NULL) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new (1);
    gchar why[256];

    rd_kafka_conf_set (conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps (cluster->mock), why, sizeof why);
    rd_kafka_conf_set (conf, "group.id", "test", why, sizeof why);
    cluster->consumer = rd_kafka_new (RD_KAFKA_CONSUMER, conf, why, sizeof why);
    g_assert_nonnull (cluster->consumer);
    rd_kafka_topic_partition_list_add (partitions, "upi", 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    g_assert_cmpint (rd_kafka_assign (cluster->consumer, partitions), ==, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy (partitions);
  }
  for (gint64 deadline = g_get_monotonic_time () + 60 * G_USEC_PER_SEC; g_get_monotonic_time () < deadline;) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll (cluster->consumer, 1000);
    gchar *text = NULL;
    if (message == NULL)
      continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      text = g_strndup (message->payload, message->len);
      if (key != NULL)
        *key = g_strndup (message->key, message->key_len);
    }
    rd_kafka_message_destroy (message);
    if (text != NULL)
      return text;
  }
  g_assert_not_reached ();
}

static Stream *
stream_to (Cluster *cluster, const gchar *properties)
{
  g_autofree gchar *description = g_strdup_printf (
      "upijson name=j method=kafka address=%s %s", rd_kafka_mock_cluster_bootstraps (cluster->mock), properties);
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "RGB", 64, 48);
  return s;
}

static void
push (Stream *s, guint first, guint n)
{
  for (guint i = first; i < first + n; i++) {
    GstBuffer *buffer = frame_new ("RGB", 64, 48, i);
    gst_buffer_add_upi_meta (buffer, NULL);
    g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref (stream_pull (s));
  }
}

static void
get_stats (Stream *s, guint64 *written, guint64 *lost, guint *queued)
{
  g_autoptr (GstElement) json = stream_get (s, "j");
  g_autoptr (GstStructure) stats = NULL;

  g_object_get (json, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (
      stats, "written", G_TYPE_UINT64, written, "lost", G_TYPE_UINT64, lost, "queued", G_TYPE_UINT, queued, NULL));
}

/* Until each of @n messages was written or lost. How many were written. */
static guint64
wait_acknowledged (Stream *s, guint n)
{
  guint64 written, lost;
  guint queued;

  do {
    g_thread_yield ();
    get_stats (s, &written, &lost, &queued);
  } while (written + lost < n);
  g_assert_cmpuint (queued, ==, 0);
  return written;
}

static void
expect_frames (Cluster *cluster, guint first, guint n)
{
  for (guint i = first; i < first + n; i++) {
    g_autofree gchar *line = cluster_read (cluster, NULL);
    g_autoptr (JsonParser) parser = json_lines_parse (line);
    g_assert_cmpint (json_object_get_int_member (json_node_get_object (json_parser_get_root (parser)), "frame"), ==, i);
  }
}

/* In their order, with the camera as key. */
static void
test_frames (void)
{
  Cluster *cluster = cluster_new ();
  Stream *s = stream_to (cluster, "source=\"T\xC3\xBCr #1/+\"");
  g_autofree gchar *key = NULL;

  push (s, 0, 20);
  g_free (cluster_read (cluster, &key));
  g_assert_cmpstr (key, ==, "T\xC3\xBCr #1/+");
  expect_frames (cluster, 1, 19);
  g_assert_cmpuint (wait_acknowledged (s, 20), ==, 20);
  stream_free (s);
  cluster_free (cluster);
}

/* What was handed over just before the end arrives. */
static void
test_end (void)
{
  Cluster *cluster = cluster_new ();
  Stream *s = stream_to (cluster, "");

  push (s, 0, 5);
  gst_element_set_state (s->element, GST_STATE_NULL);
  g_assert_cmpuint (wait_acknowledged (s, 5), ==, 5);
  expect_frames (cluster, 0, 5);
  stream_free (s);
  cluster_free (cluster);
}

/* Not there at the start, and gone in the middle: a warning, and everything arrives. */
static void
test_broker_down (void)
{
  Cluster *cluster = cluster_new ();

  rd_kafka_mock_broker_set_down (cluster->mock, 1);
  Stream *s = stream_to (cluster, "settings=\"reconnect.backoff.ms=50;reconnect.backoff.max.ms=50\"");
  push (s, 0, 5);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "broker"));
  rd_kafka_mock_broker_set_up (cluster->mock, 1);
  g_assert_cmpuint (wait_acknowledged (s, 5), ==, 5);
  rd_kafka_mock_broker_set_down (cluster->mock, 1);
  push (s, 5, 5);
  rd_kafka_mock_broker_set_up (cluster->mock, 1);
  g_assert_cmpuint (wait_acknowledged (s, 10), ==, 10);
  expect_frames (cluster, 0, 10);
  stream_free (s);
  cluster_free (cluster);
}

/* Frames do not wait for a broker that does. */
static void
test_slow (void)
{
  Cluster *cluster = cluster_new ();
  Stream *s = stream_to (cluster, "");
  guint64 written, lost;
  guint queued;

  push (s, 0, 1);
  g_assert_cmpuint (wait_acknowledged (s, 1), ==, 1);
  rd_kafka_mock_broker_set_rtt (cluster->mock, 1, 500);
  push (s, 1, 100);
  get_stats (s, &written, &lost, &queued);
  g_assert_cmpuint (queued, >, 0);
  rd_kafka_mock_broker_set_rtt (cluster->mock, 1, 0);
  g_assert_cmpuint (wait_acknowledged (s, 101), ==, 101);
  expect_frames (cluster, 0, 101);
  stream_free (s);
  cluster_free (cluster);
}

/* An error that may pass is tried again; one that will not costs the message, which is counted and said. */
static void
test_request_errors (void)
{
  Cluster *cluster = cluster_new ();
  Stream *s = stream_to (cluster, "settings=\"retry.backoff.ms=10\"");

  rd_kafka_mock_push_request_errors (
      cluster->mock, PRODUCE, 2, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  push (s, 0, 1);
  g_assert_cmpuint (wait_acknowledged (s, 1), ==, 1);
  rd_kafka_mock_push_request_errors (cluster->mock, PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  push (s, 1, 1);
  g_assert_cmpuint (wait_acknowledged (s, 2), ==, 1);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "large"));
  push (s, 2, 1);
  g_assert_cmpuint (wait_acknowledged (s, 3), ==, 2);
  stream_free (s);
  cluster_free (cluster);
}

/* The warning names it; when it is made, all arrives. */
static void
test_topic_missing (void)
{
  Cluster *cluster = cluster_new ();

  rd_kafka_mock_topic_set_error (cluster->mock, "upi", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  Stream *s = stream_to (cluster, "");
  push (s, 0, 3);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "\"upi\""));
  g_assert_nonnull (strstr (warning, "topic"));
  rd_kafka_mock_topic_set_error (cluster->mock, "upi", RD_KAFKA_RESP_ERR_NO_ERROR);
  g_assert_cmpuint (wait_acknowledged (s, 3), ==, 3);
  expect_frames (cluster, 0, 3);
  stream_free (s);
  cluster_free (cluster);
}

/* Without a broker the oldest fall out; the end does not wait for it, and counts what it leaves. */
static void
test_full_queue (void)
{
  Cluster *cluster = cluster_new ();
  guint64 written, lost;
  guint queued;

  rd_kafka_mock_broker_set_down (cluster->mock, 1);
  Stream *s = stream_to (cluster, "queue-size=5");
  g_free (stream_message (s, GST_MESSAGE_WARNING)); /* that it is away */
  push (s, 0, 20);
  get_stats (s, &written, &lost, &queued);
  g_assert_cmpuint (lost, ==, 15);
  g_assert_cmpuint (queued, ==, 5);
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "queue"));
  gst_element_set_state (s->element, GST_STATE_NULL);
  get_stats (s, &written, &lost, &queued);
  g_assert_cmpuint (written + lost, ==, 20);
  g_assert_cmpuint (written, ==, 0);
  stream_free (s);
  cluster_free (cluster);
}

static void
test_bad_settings (void)
{
  static const JsonBadSetting cases[] = { { "topic", "T\xC3\xBCr", "topic" }, { "topic", "a/b", "topic" },
    { "topic", "#", "topic" }, { "topic", "+", "topic" }, { "topic", "", "topic" }, { "topic", "..", "topic" },
    { "settings", "color=red", "color" }, { "settings", "linger.ms=soon", "linger.ms" },
    { "settings", "security.protocol=perhaps", "security.protocol" },
    { "settings", "security.protocol=ssl;ssl.ca.location=/nowhere/ca.pem", "ssl.ca.location" },
    { "settings", "security.protocol=sasl_plaintext;sasl.mechanisms=PLAIN", "sasl.username" },
    { "settings", "linger", "settings" } };

  json_lines_test_bad_settings ("kafka", cases, G_N_ELEMENTS (cases));
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/json-kafka/frames", test_frames);
  g_test_add_func ("/json-kafka/end", test_end);
  g_test_add_func ("/json-kafka/broker-down", test_broker_down);
  g_test_add_func ("/json-kafka/slow", test_slow);
  g_test_add_func ("/json-kafka/request-errors", test_request_errors);
  g_test_add_func ("/json-kafka/topic-missing", test_topic_missing);
  g_test_add_func ("/json-kafka/full-queue", test_full_queue);
  g_test_add_func ("/json-kafka/bad-settings", test_bad_settings);
  g_test_add_func ("/json-kafka/schema", json_lines_test_schema);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
