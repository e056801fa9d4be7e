/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kafka.c: see kafka.h. The library connects again by itself, and sends again what was not acknowledged: here a
 * connection that stood once is never given up. */
#include "gst/json/kafka.h"

#ifdef HAVE_RDKAFKA
#include <gmodule.h>
#include <librdkafka/rdkafka.h>

#define LIBRARY "librdkafka.so.1"
#define WINDOW 500
#define LOOK_MS 1000 /* for the cluster */

/* The library is no dependency of the plugin: without it the other methods and elements go on. */
#define FUNCTIONS(X)                                                                                                   \
  X (conf_new)                                                                                                         \
  X (conf_destroy)                                                                                                     \
  X (conf_set)                                                                                                         \
  X (conf_set_opaque)                                                                                                  \
  X (conf_set_dr_msg_cb)                                                                                               \
  X (conf_set_error_cb)                                                                                                \
  X (conf_set_log_cb)                                                                                                  \
  X (new)                                                                                                              \
  X (destroy_flags)                                                                                                    \
  X (purge)                                                                                                            \
  X (poll)                                                                                                             \
  X (produce)                                                                                                          \
  X (last_error)                                                                                                       \
  X (err2str)                                                                                                          \
  X (topic_new)                                                                                                        \
  X (topic_destroy)                                                                                                    \
  X (metadata)                                                                                                         \
  X (metadata_destroy)                                                                                                 \
  X (queue_get_main)                                                                                                   \
  X (queue_destroy)                                                                                                    \
  X (queue_io_event_enable)

#define MEMBER(name) __typeof__ (rd_kafka_##name) *name;
static struct {
  FUNCTIONS (MEMBER)
} lib;

struct _GstUpiKafka {
  rd_kafka_t *producer;
  rd_kafka_topic_t *topic;
  gchar *address, *topic_name, *key;
  GstUpiPublisher *publisher; /* NULL before the first connect() and in free() */
  rd_kafka_queue_t *queue;    /* of reports; NULL before the first work() */
};

static gboolean
load_library (GError **error)
{
  static GMutex lock;
  static gboolean loaded;

  g_mutex_lock (&lock);
  if (!loaded) {
    GModule *module = g_module_open (LIBRARY, G_MODULE_BIND_LOCAL);
    gboolean complete = module != NULL;
#define LOOK_UP(name) complete = complete && g_module_symbol (module, "rd_kafka_" #name, (gpointer *) &lib.name);
    FUNCTIONS (LOOK_UP)
    if (complete) {
      g_module_make_resident (module);
      loaded = TRUE;
    } else {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
          "method=kafka needs librdkafka, which cannot be loaded: %s; install it (Debian: librdkafka1)",
          g_module_error ());
      g_clear_pointer (&module, g_module_close);
    }
  }
  gboolean result = loaded;
  g_mutex_unlock (&lock);
  return result;
}

static void
on_delivery (rd_kafka_t *producer, const rd_kafka_message_t *message, void *data)
{
  GstUpiKafka *self = data;
  guint64 tag = GPOINTER_TO_SIZE (message->_private);

  if (self->publisher == NULL)
    return;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    gst_upi_publisher_acknowledge (self->publisher, tag, NULL);
    return;
  }
  g_autofree gchar *why =
      g_strdup_printf ("%s, topic \"%s\": %s", self->address, self->topic_name, lib.err2str (message->err));
  gst_upi_publisher_acknowledge (self->publisher, tag, why);
}

static void
on_error (rd_kafka_t *producer, int code, const char *reason, void *data)
{
  GstUpiKafka *self = data;
  g_autofree gchar *text = g_strdup_printf ("%s: %s", self->address, reason);

  if (self->publisher != NULL)
    gst_upi_publisher_warn (self->publisher, text);
}

/* The library's threads. What matters comes to on_error() too. */
static void
on_log (const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
  g_debug ("librdkafka: %s: %s", facility, text);
}

/* TRUE: a broker has answered and knows the topic. */
static gboolean
kafka_connect (gpointer link, GstUpiPublisher *publisher, GCancellable *stop, GError **error)
{
  GstUpiKafka *self = link;
  const struct rd_kafka_metadata *metadata = NULL;

  self->publisher = publisher;
  rd_kafka_resp_err_t code = lib.metadata (self->producer, 0, self->topic, &metadata, LOOK_MS);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt > 0)
    code = metadata->topics[0].err;
  if (metadata != NULL)
    lib.metadata_destroy (metadata);
  lib.poll (self->producer, 0);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s, topic \"%s\": %s", self->address, self->topic_name,
      lib.err2str (code));
  return FALSE;
}

static gboolean
kafka_send (gpointer link, const GstUpiMessage *message, guint64 tag, GError **error)
{
  GstUpiKafka *self = link;
  gsize length;
  gconstpointer payload = g_bytes_get_data (message->payload, &length);

  if (lib.produce (self->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (gpointer) payload, length, self->key,
          self->key != NULL ? strlen (self->key) : 0, GSIZE_TO_POINTER (tag))
      == 0)
    return TRUE;
  rd_kafka_resp_err_t code = lib.last_error ();
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
    return FALSE;
  gst_upi_publisher_acknowledge (self->publisher, tag, lib.err2str (code));
  return TRUE;
}

static gboolean
kafka_work (gpointer link, gint wake, gint timeout_ms, GError **error)
{
  static const guint64 one = 1; /* for an eventfd */
  GstUpiKafka *self = link;
  GPollFD fd = { wake, G_IO_IN, 0 };

  if (self->queue == NULL) {
    self->queue = lib.queue_get_main (self->producer);
    lib.queue_io_event_enable (self->queue, wake, &one, sizeof one);
  }
  if (lib.poll (self->producer, 0) == 0) {
    g_poll (&fd, 1, timeout_ms);
    lib.poll (self->producer, 0);
  }
  return TRUE;
}

static void
kafka_disconnect (gpointer link)
{
}

static gboolean
check_topic (const gchar *topic, GError **error)
{
  gsize length = strlen (topic);

  if (length > 0 && length <= 249 && strspn (topic, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length
      && !g_str_equal (topic, ".") && !g_str_equal (topic, ".."))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      "property topic is '%s': Kafka's topics have 1 to 249 of a-z, A-Z, 0-9, dot, underscore and hyphen", topic);
  return FALSE;
}

static gboolean
set (rd_kafka_conf_t *conf, const gchar *name, const gchar *value, GError **error)
{
  gchar why[512];

  if (lib.conf_set (conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "setting \"%s\": %s", name, why);
  return FALSE;
}

static rd_kafka_conf_t *
conf_new (GstUpiKafka *self, GHashTable *settings, GError **error)
{
  rd_kafka_conf_t *conf = lib.conf_new ();
  GHashTableIter iter;
  gpointer name, value;
  /* What waits is bounded by the publisher's queue, not by time. */
  gboolean good = set (conf, "message.timeout.ms", "0", error) && set (conf, "bootstrap.servers", self->address, error);

  if (settings != NULL)
    for (g_hash_table_iter_init (&iter, settings); good && g_hash_table_iter_next (&iter, &name, &value);)
      good = set (conf, name, value, error);
  if (!good) {
    lib.conf_destroy (conf);
    return NULL;
  }
  lib.conf_set_opaque (conf, self);
  lib.conf_set_dr_msg_cb (conf, on_delivery);
  lib.conf_set_error_cb (conf, on_error);
  lib.conf_set_log_cb (conf, on_log);
  return conf;
}

GstUpiKafka *
gst_upi_kafka_new (const gchar *address, const gchar *topic, const gchar *key, GHashTable *settings, GError **error)
{
  g_autoptr (GstUpiKafka) self = g_new0 (GstUpiKafka, 1);
  gchar why[512];

  self->address = g_strdup (address);
  self->topic_name = g_strdup (topic);
  self->key = g_strdup (key);
  if (!load_library (error) || !check_topic (topic, error))
    return NULL;
  rd_kafka_conf_t *conf = conf_new (self, settings, error);
  if (conf == NULL)
    return NULL;
  self->producer = lib.new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (self->producer == NULL) {
    lib.conf_destroy (conf);
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "settings of method=kafka: %s", why);
    return NULL;
  }
  self->topic = lib.topic_new (self->producer, topic, NULL);
  return g_steal_pointer (&self);
}

void
gst_upi_kafka_free (GstUpiKafka *self)
{
  self->publisher = NULL;
  g_clear_pointer (&self->queue, lib.queue_destroy);
  g_clear_pointer (&self->topic, lib.topic_destroy);
  if (self->producer != NULL) {
    lib.purge (self->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    lib.poll (self->producer, 0);
    lib.destroy_flags (self->producer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
  g_free (self->address);
  g_free (self->topic_name);
  g_free (self->key);
  g_free (self);
}

const GstUpiLink gst_upi_kafka_link = { "Kafka", WINDOW, kafka_connect, kafka_send, kafka_work, kafka_disconnect,
  (void (*) (gpointer)) gst_upi_kafka_free };

#else /* HAVE_RDKAFKA */

struct _GstUpiKafka {
  gint unused;
};

const GstUpiLink gst_upi_kafka_link = { "Kafka", 0, NULL, NULL, NULL, NULL, NULL };

GstUpiKafka *
gst_upi_kafka_new (const gchar *address, const gchar *topic, const gchar *key, GHashTable *settings, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
      "method=kafka is not in this build of upi: it was built without librdkafka's headers (Debian: librdkafka-dev)");
  return NULL;
}

void
gst_upi_kafka_free (GstUpiKafka *self)
{
}

#endif
