/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupirtspsrc.c: a network camera that comes back: rtspsrc and a decoder, made anew with back-off whenever the camera
 * or its server is gone. */
/**
 * SECTION:element-upirtspsrc
 * @title: upirtspsrc
 * @short_description: the decoded video of an RTSP camera; reconnects by itself
 *
 * |[
 * gst-launch-1.0 upirtspsrc location=rtsp://camera.example/stream ! videoconvert ! upiencoder ! upidetect !
 *   upioverlay ! videoconvert ! autovideosink
 * ]|
 * A camera that cannot be reached, closes the connection, ends its stream or sends nothing for #GstUpiRtspSrc:timeout
 * never ends the pipeline and never holds up other cameras in it: the element waits, connects again (after
 * #GstUpiRtspSrc:min-backoff, then twice as long each time up to #GstUpiRtspSrc:max-backoff), and goes on with the same
 * pads and elements behind it. What follows the gap is a new stream: it begins with a STREAM_START, so that no result,
 * track or caption of before is held to belong to it; running time goes on.
 *
 * Element messages say what happens, without user name and password: `upi-rtsp-away` (`location`, `reason`, `attempt`:
 * how often it was tried since the last picture, `retry-in`: nanoseconds until it is tried again) and
 * `upi-rtsp-connected` (`location`, `connection`: 1, 2, 3 …, `gap`: nanoseconds since it was last seen; 0 the first
 * time) with the first picture. The first failure in a row is a warning too. A camera that refuses user name and
 * password is tried again after #GstUpiRtspSrc:max-backoff only: some lock the account of who tries often. A wrong
 * address and a missing decoder are errors, as is what elements downstream refuse.
 *
 * The address may begin with rtspt:// (through TCP alone: the right choice where packets are lost) or rtsps://. What
 * else rtspsrc can be told is set on it in a handler of #GstUpiRtspSrc::source-setup. Behind the decoder stands a queue
 * that drops the oldest of its few frames when downstream cannot keep up: delay stays bounded. Sound is not asked for.
 */
#include <string.h>

#include "gst/plugin.h"
#include "gst/source/rtsp-source-private.h"

GST_DEBUG_CATEGORY (gst_upi_rtsp_src_debug);
#define GST_CAT_DEFAULT gst_upi_rtsp_src_debug

#define QUEUED 4 /* decoded frames between the camera and what is slower */

enum {
  PROP_0,
  PROP_LOCATION,
  PROP_LATENCY,
  PROP_USER_ID,
  PROP_USER_PW,
  PROP_MIN_BACKOFF,
  PROP_MAX_BACKOFF,
  PROP_TIMEOUT,
  PROP_CONNECTIONS,
  PROP_CONNECTED
};
enum { SIGNAL_SOURCE_SETUP, N_SIGNALS };
static guint signals[N_SIGNALS];

#define gst_upi_rtsp_src_parent_class parent_class
G_DEFINE_TYPE (GstUpiRtspSrc, gst_upi_rtsp_src, GST_TYPE_BIN)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upirtspsrc, "upirtspsrc", GST_RANK_NONE, GST_TYPE_UPI_RTSP_SRC,
    GST_DEBUG_CATEGORY_INIT (gst_upi_rtsp_src_debug, "upirtspsrc", 0, "RTSP cameras that come back"))

gchar *
gst_upi_rtsp_src_public_location (GstUpiRtspSrc *self)
{
  GST_OBJECT_LOCK (self);
  g_autofree gchar *location = g_strdup (self->location);
  GST_OBJECT_UNLOCK (self);
  gchar *host = location != NULL ? strstr (location, "://") : NULL;
  if (host == NULL)
    return g_steal_pointer (&location);
  host += strlen ("://");
  gsize length = strcspn (host, "/?#");
  gchar *at = g_strrstr_len (host, (gssize) length, "@");
  if (at != NULL)
    memmove (host, at + 1, strlen (at + 1) + 1);
  return g_steal_pointer (&location);
}

void
gst_upi_rtsp_src_setup (GstUpiRtspSrc *self, GstElement *rtspsrc)
{
  g_signal_emit (self, signals[SIGNAL_SOURCE_SETUP], 0, rtspsrc);
}

static void
gst_upi_rtsp_src_handle_message (GstBin *bin, GstMessage *message)
{
  if (!gst_upi_rtsp_src_take_message (GST_UPI_RTSP_SRC (bin), message))
    GST_BIN_CLASS (parent_class)->handle_message (bin, message);
}

static gboolean
check_start (GstUpiRtspSrc *self)
{
  static const gchar *const needed[] = { "rtspsrc", "decodebin" };
  g_autofree gchar *location = gst_upi_rtsp_src_public_location (self);
  g_autofree gchar *scheme = location != NULL ? g_uri_parse_scheme (location) : NULL;

  if (scheme == NULL || !g_str_has_prefix (scheme, "rtsp")) {
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
        ("Property \"location\" is \"%s\": set it to the address of a camera, rtsp://HOST/PATH.",
            location != NULL ? location : ""),
        (NULL));
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (needed); i++) {
    g_autoptr (GstElementFactory) factory = gst_element_factory_find (needed[i]);
    if (factory == NULL) {
      GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN,
          ("The element \"%s\" is missing: install GStreamer's plugins \"base\" and \"good\".", needed[i]), (NULL));
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
start (GstUpiRtspSrc *self)
{
  g_autoptr (GError) error = NULL;

  g_mutex_lock (&self->lock);
  self->stop = self->playing = self->sent_start = FALSE;
  self->end = GST_UPI_RTSP_NONE;
  self->connections = self->attempt = 0;
  self->lost = 0;
  self->thread = g_thread_try_new ("upirtspsrc", gst_upi_rtsp_src_run, self, &error);
  g_mutex_unlock (&self->lock);
  if (error != NULL)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("The thread that connects to the camera could not be made: %s; use fewer threads or streams.", error->message),
        (NULL));
  return error == NULL;
}

static void
stop (GstUpiRtspSrc *self)
{
  g_mutex_lock (&self->lock);
  self->stop = TRUE;
  GThread *thread = g_steal_pointer (&self->thread);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  if (thread != NULL)
    g_thread_join (thread);
  g_clear_pointer (&self->reason, g_free);
  g_clear_pointer (&self->error, gst_message_unref);
}

static void
set_playing (GstUpiRtspSrc *self, gboolean playing)
{
  g_mutex_lock (&self->lock);
  self->playing = playing;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static GstStateChangeReturn
gst_upi_rtsp_src_change_state (GstElement *element, GstStateChange transition)
{
  GstUpiRtspSrc *self = GST_UPI_RTSP_SRC (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !check_start (self))
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
    set_playing (self, FALSE);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    stop (self);
  if (GST_ELEMENT_CLASS (parent_class)->change_state (element, transition) == GST_STATE_CHANGE_FAILURE)
    return GST_STATE_CHANGE_FAILURE;
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start (self)) {
    GST_ELEMENT_CLASS (parent_class)->change_state (element, GST_STATE_CHANGE_PAUSED_TO_READY);
    return GST_STATE_CHANGE_FAILURE;
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    set_playing (self, TRUE);
  /* Live also while nobody answers: nothing waits for its first picture. In PLAYING there is nothing left to wait for,
   * whatever the connection's own state is. */
  gboolean is_paused =
      transition == GST_STATE_CHANGE_READY_TO_PAUSED || transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
  return is_paused ? GST_STATE_CHANGE_NO_PREROLL : GST_STATE_CHANGE_SUCCESS;
}

/* The application ends the stream: after what was received, and also while the camera is away. */
static gboolean
gst_upi_rtsp_src_send_event (GstElement *element, GstEvent *event)
{
  GstUpiRtspSrc *self = GST_UPI_RTSP_SRC (element);

  if (GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return GST_ELEMENT_CLASS (parent_class)->send_event (element, event);
  gst_event_unref (event);
  g_mutex_lock (&self->lock);
  gboolean runs = self->thread != NULL;
  g_clear_pointer (&self->reason, g_free);
  self->end = GST_UPI_RTSP_NONE;
  gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_DONE, NULL);
  g_mutex_unlock (&self->lock);
  return runs;
}

/* The queue's answer, or, while there is no camera, what it will add. */
static gboolean
src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_UPI_RTSP_SRC (parent)->ask_queue (pad, parent, query))
    return TRUE;
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return FALSE;
  GST_OBJECT_LOCK (parent);
  GstClockTime latency = GST_UPI_RTSP_SRC (parent)->latency * GST_MSECOND;
  GST_OBJECT_UNLOCK (parent);
  gst_query_set_latency (query, TRUE, latency, GST_CLOCK_TIME_NONE);
  return TRUE;
}

static void
replace_string (gchar **field, const GValue *value)
{
  g_free (*field);
  *field = g_value_dup_string (value);
}

static void
gst_upi_rtsp_src_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiRtspSrc *self = GST_UPI_RTSP_SRC (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_LOCATION:
    replace_string (&self->location, value);
    break;
  case PROP_USER_ID:
    replace_string (&self->user_id, value);
    break;
  case PROP_USER_PW:
    replace_string (&self->user_pw, value);
    break;
  case PROP_LATENCY:
    self->latency = g_value_get_uint (value);
    break;
  case PROP_MIN_BACKOFF:
    self->min_backoff = g_value_get_uint64 (value);
    break;
  case PROP_MAX_BACKOFF:
    self->max_backoff = g_value_get_uint64 (value);
    break;
  case PROP_TIMEOUT:
    self->timeout = g_value_get_uint64 (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
get_state_property (GstUpiRtspSrc *self, guint id, GValue *value)
{
  g_mutex_lock (&self->lock);
  if (id == PROP_CONNECTED)
    g_value_set_boolean (value, self->connection != NULL && self->has_picture && self->end == GST_UPI_RTSP_NONE);
  else
    g_value_set_uint (value, self->connections);
  g_mutex_unlock (&self->lock);
}

static void
gst_upi_rtsp_src_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiRtspSrc *self = GST_UPI_RTSP_SRC (object);

  if (id == PROP_CONNECTED || id == PROP_CONNECTIONS) {
    get_state_property (self, id, value);
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_LOCATION:
    g_value_set_string (value, self->location);
    break;
  case PROP_USER_ID:
    g_value_set_string (value, self->user_id);
    break;
  case PROP_USER_PW:
    g_value_set_string (value, self->user_pw);
    break;
  case PROP_LATENCY:
    g_value_set_uint (value, self->latency);
    break;
  case PROP_MIN_BACKOFF:
    g_value_set_uint64 (value, self->min_backoff);
    break;
  case PROP_MAX_BACKOFF:
    g_value_set_uint64 (value, self->max_backoff);
    break;
  case PROP_TIMEOUT:
    g_value_set_uint64 (value, self->timeout);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_rtsp_src_dispose (GObject *object)
{
  gst_clear_object (&GST_UPI_RTSP_SRC (object)->entry);
  G_OBJECT_CLASS (parent_class)->dispose (object);
}

static void
gst_upi_rtsp_src_finalize (GObject *object)
{
  GstUpiRtspSrc *self = GST_UPI_RTSP_SRC (object);

  g_free (self->location);
  g_free (self->user_id);
  g_free (self->user_pw);
  g_free (self->reason);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags next =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING; /* from the next connection on */
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * GstUpiRtspSrc:location:
   *
   * rtsp:// or rtspt:// address of the camera; set in NULL or READY.
   */
  g_object_class_install_property (object_class, PROP_LOCATION,
      g_param_spec_string ("location", "Location",
          "Address of the camera: rtsp://HOST/PATH; rtspt:// goes through TCP alone (default: none)", NULL, next));
  /**
   * GstUpiRtspSrc:user-id:
   *
   * User name where the address has none.
   */
  g_object_class_install_property (object_class, PROP_USER_ID,
      g_param_spec_string ("user-id", "User name",
          "Who the camera asks for, where the address does not say it (default: none)", NULL, next));
  /**
   * GstUpiRtspSrc:user-pw:
   *
   * Password of user-id.
   */
  g_object_class_install_property (object_class, PROP_USER_PW,
      g_param_spec_string ("user-pw", "Password", "The password to user-id (default: none)", NULL, next));
  /**
   * GstUpiRtspSrc:latency:
   *
   * Milliseconds of the jitter buffer.
   */
  g_object_class_install_property (object_class, PROP_LATENCY,
      g_param_spec_uint ("latency", "Latency", "How long late packets are waited for, milliseconds (default: 200)", 0,
          G_MAXINT, 200, next));
  /**
   * GstUpiRtspSrc:min-backoff:
   *
   * Nanoseconds before the second attempt; doubled by each that fails, up to max-backoff.
   */
  g_object_class_install_property (object_class, PROP_MIN_BACKOFF,
      g_param_spec_uint64 ("min-backoff", "Shortest back-off",
          "Time before the first attempt to connect again; it doubles with every failure, nanoseconds (default: 1 s)",
          GST_MSECOND, G_MAXINT64, GST_SECOND, next));
  /**
   * GstUpiRtspSrc:max-backoff:
   *
   * Nanoseconds that lie between two attempts at most, and after a refused password.
   */
  g_object_class_install_property (object_class, PROP_MAX_BACKOFF,
      g_param_spec_uint64 ("max-backoff", "Longest back-off",
          "What the time between two attempts grows to, and what it is after a refused password, nanoseconds (default: "
          "30 s)",
          GST_MSECOND, G_MAXINT64, 30 * GST_SECOND, next));
  /**
   * GstUpiRtspSrc:timeout:
   *
   * Nanoseconds without a picture after which the connection is given up; 0: never.
   */
  g_object_class_install_property (object_class, PROP_TIMEOUT,
      g_param_spec_uint64 ("timeout", "Timeout",
          "A camera that sends no picture for so long is away, nanoseconds (0 = never; default: 10 s)", 0, G_MAXINT64,
          10 * GST_SECOND, next));
  /**
   * GstUpiRtspSrc:connections:
   *
   * Connections that had a picture since the start.
   */
  g_object_class_install_property (object_class, PROP_CONNECTIONS,
      g_param_spec_uint (
          "connections", "Connections", "Streams received since the element started", 0, G_MAXUINT, 0, read));
  /**
   * GstUpiRtspSrc:connected:
   *
   * Whether pictures come from the camera now.
   */
  g_object_class_install_property (object_class, PROP_CONNECTED,
      g_param_spec_boolean ("connected", "Connected", "Whether pictures come from the camera", FALSE, read));
}

static void
gst_upi_rtsp_src_class_init (GstUpiRtspSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = gst_upi_rtsp_src_set_property;
  object_class->get_property = gst_upi_rtsp_src_get_property;
  object_class->dispose = gst_upi_rtsp_src_dispose;
  object_class->finalize = gst_upi_rtsp_src_finalize;
  element_class->change_state = gst_upi_rtsp_src_change_state;
  element_class->send_event = gst_upi_rtsp_src_send_event;
  GST_BIN_CLASS (klass)->handle_message = gst_upi_rtsp_src_handle_message;
  install_properties (object_class);
  /**
   * GstUpiRtspSrc::source-setup:
   * @source: the rtspsrc of a new connection
   *
   * Emitted before each attempt, from the element's own thread: for properties of rtspsrc that this element does not
   * have.
   */
  signals[SIGNAL_SOURCE_SETUP] = g_signal_new ("source-setup", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
      NULL, NULL, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);
  g_autoptr (GstCaps) caps = gst_caps_from_string ("video/x-raw(ANY)");
  gst_element_class_add_pad_template (element_class, gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_element_class_set_static_metadata (element_class, "RTSP camera that comes back", "Source/Network/Video",
      "Receives and decodes the video of a network camera, and connects again by itself when the camera or its server "
      "is gone. "
      "Example: upirtspsrc location=rtsp://camera.example/stream ! videoconvert ! upiencoder",
      "The upi authors");
}

static void
gst_upi_rtsp_src_init (GstUpiRtspSrc *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->latency = 200;
  self->min_backoff = GST_SECOND;
  self->max_backoff = 30 * GST_SECOND;
  self->timeout = 10 * GST_SECOND;

  /* A source for the pipeline, also while there is no connection. */
  gst_bin_set_suppressed_flags (GST_BIN (self), GST_ELEMENT_FLAG_SOURCE | GST_ELEMENT_FLAG_SINK);
  GST_OBJECT_FLAG_SET (self, GST_ELEMENT_FLAG_SOURCE);
  self->queue = gst_element_factory_make ("queue", "frames");
  GstPadTemplate *template = gst_element_class_get_pad_template (GST_ELEMENT_GET_CLASS (self), "src");
  if (self->queue == NULL) { /* GStreamer's core elements are not there: nothing works */
    gst_element_add_pad (GST_ELEMENT (self), gst_ghost_pad_new_no_target_from_template ("src", template));
    return;
  }
  gst_util_set_object_arg (G_OBJECT (self->queue), "leaky", "downstream");
  g_object_set (self->queue, "max-size-buffers", QUEUED, "max-size-bytes", 0, "max-size-time", (guint64) 0, NULL);
  gst_bin_add (GST_BIN (self), self->queue);
  self->entry = gst_element_get_static_pad (self->queue, "sink");
  g_autoptr (GstPad) target = gst_element_get_static_pad (self->queue, "src");
  GstPad *src = gst_ghost_pad_new_from_template ("src", target, template);
  self->ask_queue = GST_PAD_QUERYFUNC (src);
  gst_pad_set_query_function (src, src_query);
  gst_element_add_pad (GST_ELEMENT (self), src);
}
