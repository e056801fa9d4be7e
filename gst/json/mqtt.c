/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mqtt.c: see mqtt.h. One client object a connection; what it had not acknowledged when it was lost, the publisher
 * sends again. */
#include "gst/json/mqtt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_MOSQUITTO
#include <gmodule.h>
#include <mosquitto.h>

#define LIBRARY "libmosquitto.so.1"
#define WINDOW 20
#define ANSWER_US (10 * G_USEC_PER_SEC) /* a broker has to take a new client */
#define KEEPALIVE_S 15

/* The library is no dependency of the plugin: without it the other methods and elements go on. */
#define FUNCTIONS(X)                                                                                                   \
  X (lib_init)                                                                                                         \
  X (new)                                                                                                              \
  X (destroy)                                                                                                          \
  X (username_pw_set)                                                                                                  \
  X (will_set)                                                                                                         \
  X (tls_set)                                                                                                          \
  X (tls_insecure_set)                                                                                                 \
  X (int_option)                                                                                                       \
  X (connect_callback_set)                                                                                             \
  X (publish_callback_set)                                                                                             \
  X (message_callback_set)                                                                                             \
  X (log_callback_set)                                                                                                 \
  X (connect)                                                                                                          \
  X (disconnect)                                                                                                       \
  X (publish)                                                                                                          \
  X (subscribe)                                                                                                        \
  X (loop)                                                                                                             \
  X (socket)                                                                                                           \
  X (want_write)                                                                                                       \
  X (strerror)                                                                                                         \
  X (connack_string)

#define MEMBER(name) __typeof__ (mosquitto_##name) *name;
static struct {
  FUNCTIONS (MEMBER)
} lib;

struct _GstUpiMqtt {
  gchar *host;
  guint16 port;
  gboolean tls, insecure;
  gint keepalive;
  gchar *id, *username, *password, *cafile, *capath, *certfile, *keyfile; /* nullable */
  GstUpiMessage *will;                                                    /* nullable */
  gchar **topics;                                                         /* nullable */
  GstUpiMqttReceive receive;
  gpointer data;

  /* The publisher's thread. */
  GstUpiPublisher *publisher;
  struct mosquitto *client; /* NULL between two connections */
  gint answer;              /* of the broker to CONNECT; -1: none yet */
  GHashTable *tags;         /* of the messages that are with the broker, by their id there */
  gchar *last_log;          /* nullable: what OpenSSL says is nowhere else */
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
#define LOOK_UP(name) complete = complete && g_module_symbol (module, "mosquitto_" #name, (gpointer *) &lib.name);
    FUNCTIONS (LOOK_UP)
    if (complete) {
      g_module_make_resident (module);
      lib.lib_init ();
      loaded = TRUE;
    } else {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
          "method=mqtt needs libmosquitto, which cannot be loaded: %s; install it (Debian: libmosquitto1)",
          g_module_error ());
      g_clear_pointer (&module, g_module_close);
    }
  }
  gboolean result = loaded;
  g_mutex_unlock (&lock);
  return result;
}

static void
on_connect (struct mosquitto *client, void *data, int code)
{
  ((GstUpiMqtt *) data)->answer = code;
}

static void
on_publish (struct mosquitto *client, void *data, int id)
{
  GstUpiMqtt *self = data;
  gpointer tag;

  if (g_hash_table_steal_extended (self->tags, GINT_TO_POINTER (id), NULL, &tag))
    gst_upi_publisher_acknowledge (self->publisher, GPOINTER_TO_SIZE (tag), NULL);
}

static void
on_message (struct mosquitto *client, void *data, const struct mosquitto_message *message)
{
  GstUpiMqtt *self = data;

  if (self->receive != NULL && !message->retain) /* a retained order is from before */
    self->receive (message->topic, message->payload, (gsize) MAX (message->payloadlen, 0), self->data);
}

static void
on_log (struct mosquitto *client, void *data, int level, const char *text)
{
  GstUpiMqtt *self = data;

  if (level == MOSQ_LOG_ERR) {
    g_free (self->last_log);
    self->last_log = g_strdup (text);
  }
}

static void
set_library_error (GstUpiMqtt *self, gint code, GError **error)
{
  const gchar *text = code == MOSQ_ERR_ERRNO ? g_strerror (errno) : lib.strerror (code);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s:%u: %s%s%s", self->host, self->port, text,
      self->last_log != NULL ? " " : "", self->last_log != NULL ? self->last_log : "");
}

/* A client with all settings, not yet connected. */
static struct mosquitto *
client_new (GstUpiMqtt *self, GError **error)
{
  struct mosquitto *client = lib.new(self->id, true, self);

  if (client == NULL) {
    g_set_error (
        error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "setting \"id\": no client can be called '%s'", self->id);
    return NULL;
  }
  lib.connect_callback_set (client, on_connect);
  lib.publish_callback_set (client, on_publish);
  lib.message_callback_set (client, on_message);
  lib.log_callback_set (client, on_log);
  lib.int_option (client, MOSQ_OPT_TCP_NODELAY, 1);
  gint code = MOSQ_ERR_SUCCESS;
  if (self->username != NULL || self->password != NULL)
    code = lib.username_pw_set (client, self->username != NULL ? self->username : "", self->password);
  if (code == MOSQ_ERR_SUCCESS && self->tls)
    code = lib.tls_set (client, self->cafile, self->capath, self->certfile, self->keyfile, NULL);
  if (code == MOSQ_ERR_SUCCESS && self->tls && self->insecure)
    code = lib.tls_insecure_set (client, true);
  if (code == MOSQ_ERR_SUCCESS && self->will != NULL)
    code = lib.will_set (client, self->will->topic, (gint) g_bytes_get_size (self->will->payload),
        g_bytes_get_data (self->will->payload, NULL), 1, self->will->retain);
  if (code == MOSQ_ERR_SUCCESS)
    return client;
  set_library_error (self, code, error);
  lib.destroy (client);
  return NULL;
}

/* Whether anybody listens there. The library's own connect() cannot be cancelled, and may wait for minutes for an
 * address that is silent. */
static gboolean
knock (GstUpiMqtt *self, GCancellable *stop, GError **error)
{
  g_autoptr (GSocketClient) client = g_socket_client_new ();

  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_set_timeout (client, 10);
  g_autoptr (GSocketConnection) connection =
      g_socket_client_connect_to_host (client, self->host, self->port, stop, error);
  if (connection == NULL)
    g_prefix_error (error, "%s:%u: ", self->host, self->port);
  return connection != NULL;
}

/* Waits for the broker, or for @other to become readable. */
static gboolean
mqtt_work (gpointer link, gint other, gint timeout_ms, GError **error)
{
  GstUpiMqtt *self = link;
  GPollFD fds[] = { { lib.socket (self->client), G_IO_IN, 0 }, { other, G_IO_IN, 0 } };

  if (lib.want_write (self->client))
    fds[0].events |= G_IO_OUT;
  if (fds[0].fd >= 0)
    g_poll (fds, G_N_ELEMENTS (fds), timeout_ms);
  gint code = lib.loop (self->client, 0, 1);
  if (code != MOSQ_ERR_SUCCESS) {
    set_library_error (self, code, error);
    return FALSE;
  }
  return TRUE;
}

static gboolean
mqtt_connect (gpointer link, GstUpiPublisher *publisher, GCancellable *stop, GError **error)
{
  GstUpiMqtt *self = link;
  GPollFD cancelled;

  self->publisher = publisher;
  self->answer = -1;
  g_clear_pointer (&self->last_log, g_free);
  if (!knock (self, stop, error))
    return FALSE;
  self->client = client_new (self, error);
  if (self->client == NULL)
    return FALSE;
  gint code = lib.connect (self->client, self->host, self->port, self->keepalive);
  if (code != MOSQ_ERR_SUCCESS) {
    set_library_error (self, code, error);
    return FALSE;
  }
  gint64 deadline = g_get_monotonic_time () + ANSWER_US;
  gboolean alive = g_cancellable_make_pollfd (stop, &cancelled);
  while (alive && self->answer < 0 && !g_cancellable_is_cancelled (stop) && g_get_monotonic_time () < deadline)
    alive = mqtt_work (self, cancelled.fd, 250, error);
  g_cancellable_release_fd (stop);
  if (self->answer == 0) {
    g_clear_error (error);
    for (guint i = 0; self->topics != NULL && self->topics[i] != NULL; i++)
      lib.subscribe (self->client, NULL, self->topics[i], 1);
    return TRUE;
  }
  if (self->answer > 0) { /* and then it hung up */
    g_clear_error (error);
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, "%s:%u: %s", self->host, self->port,
        lib.connack_string (self->answer));
  } else if (alive) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "%s:%u: no answer", self->host, self->port);
  }
  return FALSE;
}

static gboolean
mqtt_send (gpointer link, const GstUpiMessage *message, guint64 tag, GError **error)
{
  GstUpiMqtt *self = link;
  gint id;
  gint code = lib.publish (self->client, &id, message->topic, (gint) g_bytes_get_size (message->payload),
      g_bytes_get_data (message->payload, NULL), 1, message->retain);

  if (code == MOSQ_ERR_SUCCESS) {
    g_hash_table_insert (self->tags, GINT_TO_POINTER (id), GSIZE_TO_POINTER (tag));
    return TRUE;
  }
  if (code == MOSQ_ERR_PAYLOAD_SIZE || code == MOSQ_ERR_INVAL || code == MOSQ_ERR_MALFORMED_UTF8
      || code == MOSQ_ERR_OVERSIZE_PACKET) {
    gst_upi_publisher_acknowledge (self->publisher, tag, lib.strerror (code)); /* it will not be taken later either */
    return TRUE;
  }
  set_library_error (self, code, error);
  return FALSE;
}

static void
mqtt_disconnect (gpointer link)
{
  GstUpiMqtt *self = link;

  if (self->client != NULL) {
    lib.disconnect (self->client);
    if (lib.socket (self->client) >= 0)
      lib.loop (self->client, 0, 1);
    lib.destroy (self->client);
    self->client = NULL;
  }
  g_hash_table_remove_all (self->tags);
}

static gboolean
parse_address (GstUpiMqtt *self, const gchar *address, GError **error)
{
  g_autofree gchar *full =
      strstr (address, "://") != NULL ? g_strdup (address) : g_strconcat ("mqtt://", address, NULL);
  g_autoptr (GUri) uri = g_uri_parse (full, G_URI_FLAGS_HAS_PASSWORD, NULL);
  const gchar *scheme = uri != NULL ? g_uri_get_scheme (uri) : "";

  self->tls = g_str_equal (scheme, "mqtts");
  if (uri == NULL || (!self->tls && !g_str_equal (scheme, "mqtt")) || g_uri_get_host (uri) == NULL
      || *g_uri_get_host (uri) == '\0' || g_strcmp0 (g_uri_get_path (uri), "/") > 0 || g_uri_get_query (uri) != NULL
      || g_uri_get_fragment (uri) != NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, /* without the address: it may have a password */
        "property address is no MQTT broker's: write host, host:port, mqtt://host:port or mqtts://host:port");
    return FALSE;
  }
  self->host = g_strdup (g_uri_get_host (uri));
  self->port = g_uri_get_port (uri) > 0 ? (guint16) g_uri_get_port (uri) : self->tls ? 8883 : 1883;
  self->username = g_strdup (g_uri_get_user (uri));
  self->password = g_strdup (g_uri_get_password (uri));
  return TRUE;
}

static gboolean
take_file (gchar **to, const gchar *name, const gchar *path, GError **error)
{
  if (access (path, R_OK) != 0) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "setting \"%s\": \"%s\" cannot be read: %s", name, path,
        g_strerror (errno));
    return FALSE;
  }
  g_free (*to);
  *to = g_strdup (path);
  return TRUE;
}

static gboolean
take_setting (GstUpiMqtt *self, const gchar *name, const gchar *value, GError **error)
{
  const struct {
    const gchar *name;
    gchar **to;
    gboolean is_file;
  } texts[] = { { "id", &self->id, FALSE }, { "username", &self->username, FALSE },
    { "password", &self->password, FALSE }, { "cafile", &self->cafile, TRUE }, { "capath", &self->capath, TRUE },
    { "certfile", &self->certfile, TRUE }, { "keyfile", &self->keyfile, TRUE } };
  guint64 seconds;

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    if (!g_str_equal (name, texts[i].name))
      continue;
    if (texts[i].is_file)
      return take_file (texts[i].to, name, value, error);
    g_free (*texts[i].to);
    *texts[i].to = g_strdup (value);
    return TRUE;
  }
  if (g_str_equal (name, "insecure")) {
    self->insecure = g_str_equal (value, "true");
    if (self->insecure || g_str_equal (value, "false"))
      return TRUE;
    g_set_error (
        error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "setting \"insecure\" is '%s': it is true or false", value);
    return FALSE;
  }
  if (g_str_equal (name, "keepalive")) {
    if (!g_ascii_string_to_unsigned (value, 10, 5, 65535, &seconds, NULL)) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
          "setting \"keepalive\" is '%s': it is 5 to 65535 seconds", value);
      return FALSE;
    }
    self->keepalive = (gint) seconds;
    return TRUE;
  }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
      "setting \"%s\" is none of method=mqtt: it has id, username, password, cafile, capath, certfile, keyfile, "
      "insecure, keepalive",
      name);
  return FALSE;
}

/* Settings that only work together, or with TLS. */
static gboolean
check_settings (GstUpiMqtt *self, GError **error)
{
  const gchar *tls_only = self->cafile != NULL ? "cafile"
      : self->capath != NULL                   ? "capath"
      : self->certfile != NULL                 ? "certfile"
      : self->keyfile != NULL                  ? "keyfile"
      : self->insecure                         ? "insecure"
                                               : NULL;

  if (!self->tls && tls_only != NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "setting \"%s\" is for TLS, and the address is not: write mqtts://%s:%u", tls_only, self->host, self->port);
    return FALSE;
  }
  if ((self->certfile == NULL) != (self->keyfile == NULL)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "settings \"certfile\" and \"keyfile\" go together: \"%s\" is missing",
        self->certfile == NULL ? "certfile" : "keyfile");
    return FALSE;
  }
  if (self->tls && self->cafile == NULL && self->capath == NULL)
    self->capath = g_strdup ("/etc/ssl/certs"); /* whom the system trusts */
  return TRUE;
}

GstUpiMqtt *
gst_upi_mqtt_new (const gchar *address, GHashTable *settings, GstUpiMessage *will, const gchar *const *topics,
    GstUpiMqttReceive receive, gpointer data, GError **error)
{
  g_autoptr (GstUpiMqtt) self = g_new0 (GstUpiMqtt, 1);
  GHashTableIter iter;
  gpointer name, value;

  self->will = will;
  self->topics = g_strdupv ((gchar **) topics);
  self->receive = receive;
  self->data = data;
  self->keepalive = KEEPALIVE_S;
  self->tags = g_hash_table_new (NULL, NULL);
  if (!load_library (error) || !parse_address (self, address, error))
    return NULL;
  if (settings != NULL)
    for (g_hash_table_iter_init (&iter, settings); g_hash_table_iter_next (&iter, &name, &value);)
      if (!take_setting (self, name, value, error))
        return NULL;
  if (!check_settings (self, error))
    return NULL;
  struct mosquitto *trial = client_new (self, error); /* the library reads the files of certificates */
  if (trial == NULL)
    return NULL;
  lib.destroy (trial);
  return g_steal_pointer (&self);
}

void
gst_upi_mqtt_free (GstUpiMqtt *self)
{
  if (self->client != NULL)
    mqtt_disconnect (self);
  g_clear_pointer (&self->will, gst_upi_message_free);
  g_strfreev (self->topics);
  g_hash_table_unref (self->tags);
  g_free (self->host);
  g_free (self->id);
  g_free (self->username);
  g_free (self->password);
  g_free (self->cafile);
  g_free (self->capath);
  g_free (self->certfile);
  g_free (self->keyfile);
  g_free (self->last_log);
  g_free (self);
}

const GstUpiLink gst_upi_mqtt_link = { "MQTT", WINDOW, mqtt_connect, mqtt_send, mqtt_work, mqtt_disconnect,
  (void (*) (gpointer)) gst_upi_mqtt_free };

#else /* HAVE_MOSQUITTO */

struct _GstUpiMqtt {
  gint unused;
};

const GstUpiLink gst_upi_mqtt_link = { "MQTT", 0, NULL, NULL, NULL, NULL, NULL };

GstUpiMqtt *
gst_upi_mqtt_new (const gchar *address, GHashTable *settings, GstUpiMessage *will, const gchar *const *topics,
    GstUpiMqttReceive receive, gpointer data, GError **error)
{
  g_clear_pointer (&will, gst_upi_message_free);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
      "method=mqtt is not in this build of upi: it was built without libmosquitto's headers (Debian: "
      "libmosquitto-dev)");
  return NULL;
}

void
gst_upi_mqtt_free (GstUpiMqtt *self)
{
}

#endif
