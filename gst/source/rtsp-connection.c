/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rtsp-connection.c: upirtspsrc's thread: makes rtspsrc and a decoder, stays until that connection ends, says so,
 * waits, and begins anew. */
#include <gst/video/video.h>

#include "gst/source/rtsp-source-private.h"

#define GST_CAT_DEFAULT gst_upi_rtsp_src_debug

#define PATIENCE                                                                                                       \
  (1 * G_USEC_PER_SEC) /* for which the other sources of a pipeline wait for the first picture before they play */

static void
post (GstUpiRtspSrc *self, GstStructure *structure)
{
  gst_element_post_message (GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self), structure));
}

void
gst_upi_rtsp_src_end_connection (GstUpiRtspSrc *self, GstUpiRtspEnd end, const gchar *reason)
{
  if (self->end != GST_UPI_RTSP_NONE)
    return;
  self->end = end;
  self->reason = g_strdup (reason);
  g_cond_broadcast (&self->changed);
}

/* Each connection is a stream of its own, whatever the server calls it. (transfer full) */
static GstEvent *
own_stream_start (GstEvent *event, guint connection)
{
  const gchar *id = "upirtspsrc";

  if (event != NULL)
    gst_event_parse_stream_start (event, &id);
  g_autofree gchar *own = g_strdup_printf ("%s/%u", id, connection);
  GstEvent *start = gst_event_new_stream_start (own);
  gst_event_set_group_id (start, gst_util_group_id_next ());
  return start;
}

static void
take_picture (GstUpiRtspSrc *self)
{
  g_mutex_lock (&self->lock);
  gint64 now = g_get_monotonic_time ();
  gboolean first = !self->has_picture;
  guint connection = self->connections;
  GstClockTime gap = self->lost != 0 ? (GstClockTime) (now - self->lost) * GST_USECOND : 0;
  self->has_picture = TRUE;
  self->attempt = 0;
  self->seen = self->lost = now;
  g_mutex_unlock (&self->lock);
  if (!first)
    return;
  g_autofree gchar *location = gst_upi_rtsp_src_public_location (self);
  if (connection > 1)
    GST_ELEMENT_INFO (self, RESOURCE, OPEN_READ,
        ("The camera at %s is back after %" G_GUINT64_FORMAT " s.", location, gap / GST_SECOND),
        ("connection %u", connection));
  post (self,
      gst_structure_new ("upi-rtsp-connected", "location", G_TYPE_STRING, location, "connection", G_TYPE_UINT,
          connection, "gap", G_TYPE_UINT64, gap, NULL));
}

/* Answered here: behind the queue it would wait as long as downstream holds a frame, and with it the end of the
 * connection. */
static GstPadProbeReturn
answer_query (GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_ALLOCATION) {
    gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
    return GST_PAD_PROBE_HANDLED;
  }
  return GST_QUERY_IS_SERIALIZED (query) ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

/* What a connection sends to the queue. */
static GstPadProbeReturn
watch_connection (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstUpiRtspSrc *self = user_data;

  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    take_picture (self);
    return GST_PAD_PROBE_OK;
  }
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM)
    return answer_query (GST_PAD_PROBE_INFO_QUERY (info));
  /* A seek or a new PLAY of the camera's is no matter of the elements behind: a flush would take their sinks out of
   * PLAYING. */
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_EVENT_FLUSH)
    return GST_PAD_PROBE_DROP;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    g_mutex_lock (&self->lock);
    guint connection = ++self->connections;
    self->sent_start = TRUE;
    g_mutex_unlock (&self->lock);
    GST_PAD_PROBE_INFO_DATA (info) = own_stream_start (event, connection);
    gst_event_unref (event);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) { /* of this connection, not of the camera */
    g_mutex_lock (&self->lock);
    gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_AWAY, "it ended its stream");
    g_mutex_unlock (&self->lock);
    return GST_PAD_PROBE_DROP;
  }
  return GST_PAD_PROBE_OK;
}

static gboolean
select_stream (GstElement *rtspsrc, guint number, GstCaps *caps, gpointer user_data)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const gchar *media = gst_structure_get_string (structure, "media");

  return media == NULL || g_str_equal (media, "video");
}

static void
link_stream (GstElement *rtspsrc, GstPad *pad, gpointer user_data)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (user_data, "sink");

  if (!gst_pad_is_linked (sink)) /* a camera's first picture is the one it is known for */
    gst_pad_link (pad, sink);
}

/* What follows the element does not take such pictures. */
static void
refuse (GstUpiRtspSrc *self, GstCaps *caps)
{
  GError *error = g_error_new_literal (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
      "What follows upirtspsrc does not take the camera's pictures: put videoconvert and videoscale behind it.");
  g_autofree gchar *sent = gst_caps_to_string (caps);
  g_autofree gchar *debug = g_strdup_printf ("the camera sends %s", sent);

  g_mutex_lock (&self->lock);
  if (self->end == GST_UPI_RTSP_NONE)
    self->error = gst_message_new_error (GST_OBJECT (self), error, debug);
  gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_FATAL, error->message);
  g_mutex_unlock (&self->lock);
  g_error_free (error);
}

static void
link_picture (GstElement *decodebin, GstPad *pad, gpointer user_data)
{
  GstUpiRtspSrc *self = user_data;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  if (gst_caps_is_empty (caps)
      || !g_str_has_prefix (gst_structure_get_name (gst_caps_get_structure (caps, 0)), "video/"))
    return;
  g_autoptr (GstPad) ghost = gst_ghost_pad_new ("src", pad);
  g_autoptr (GstObject) connection = gst_object_get_parent (GST_OBJECT (decodebin));
  if (connection == NULL || gst_pad_is_linked (self->entry))
    return;
  gst_pad_add_probe (ghost,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH
          | GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM,
      watch_connection, self, NULL);
  gst_pad_set_active (ghost, TRUE);
  gst_element_add_pad (GST_ELEMENT (connection), gst_object_ref (ghost));
  if (GST_PAD_LINK_FAILED (gst_pad_link (ghost, self->entry)))
    refuse (self, caps);
}

static void
no_more_streams (GstElement *rtspsrc, gpointer user_data)
{
  GstUpiRtspSrc *self = user_data;

  if (GST_ELEMENT (rtspsrc)->numsrcpads > 0)
    return;
  g_mutex_lock (&self->lock);
  gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_REFUSED, "it sends no video");
  g_mutex_unlock (&self->lock);
}

static void
no_more_pads (GstElement *decodebin, gpointer user_data)
{
  GstUpiRtspSrc *self = user_data;

  if (gst_pad_is_linked (self->entry))
    return;
  g_mutex_lock (&self->lock);
  gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_REFUSED, "it sends no video");
  g_mutex_unlock (&self->lock);
}

/* What an error says of the camera. It is taken out of the bus: only what trying again would not mend is told as an
 * error. */
static void
take_error (GstUpiRtspSrc *self, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstPad) peer = gst_pad_get_peer (self->entry);
  GstFlowReturn flow = peer != NULL ? gst_pad_get_last_flow_return (peer) : GST_FLOW_OK;
  GstUpiRtspEnd end = GST_UPI_RTSP_AWAY;
  const GstStructure *details = NULL;
  gint stopped;

  gst_message_parse_error (message, &error, NULL);
  gst_message_parse_error_details (message, &details);
  if (details != NULL && gst_structure_get_int (details, "flow-return", &stopped) && stopped == GST_FLOW_NOT_NEGOTIATED)
    flow = GST_FLOW_NOT_NEGOTIATED; /* a decoder may know before it has pushed anything */
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED))
    end = GST_UPI_RTSP_REFUSED;
  else if (g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND)
      || g_error_matches (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) || flow == GST_FLOW_NOT_LINKED
      || flow == GST_FLOW_NOT_NEGOTIATED || flow == GST_FLOW_ERROR)
    end = GST_UPI_RTSP_FATAL;
  else if (flow == GST_FLOW_EOS)
    end = GST_UPI_RTSP_DONE;
  g_mutex_lock (&self->lock);
  if (self->end == GST_UPI_RTSP_NONE && end == GST_UPI_RTSP_FATAL)
    self->error = gst_message_ref (message);
  gst_upi_rtsp_src_end_connection (self, end, error->message);
  g_mutex_unlock (&self->lock);
}

gboolean
gst_upi_rtsp_src_take_message (GstUpiRtspSrc *self, GstMessage *message)
{
  GstObject *source = GST_MESSAGE_SRC (message);

  g_mutex_lock (&self->lock);
  GstElement *connection = self->connection != NULL ? gst_object_ref (self->connection) : NULL;
  g_mutex_unlock (&self->lock);
  gboolean ours = connection != NULL && source != NULL
      && (source == GST_OBJECT (connection) || gst_object_has_as_ancestor (source, GST_OBJECT (connection)));
  g_clear_pointer (&connection, gst_object_unref);
  if (!ours)
    return FALSE;
  switch (GST_MESSAGE_TYPE (message)) {
  case GST_MESSAGE_ERROR:
    take_error (self, message);
    break;
  case GST_MESSAGE_ASYNC_START: /* the pipeline's state does not wait for a camera */
  case GST_MESSAGE_ASYNC_DONE:
    break;
  default:
    return FALSE;
  }
  gst_message_unref (message);
  return TRUE;
}

/* rtspsrc ! decodebin, in the bin, not started. (transfer none) */
static GstElement *
connection_new (GstUpiRtspSrc *self)
{
  GstElement *connection = gst_bin_new (NULL);
  GstElement *rtspsrc = gst_element_factory_make ("rtspsrc", NULL),
             *decodebin = gst_element_factory_make ("decodebin", NULL);
  g_autoptr (GstCaps) raw = gst_caps_from_string ("video/x-raw(ANY)");

  gst_bin_add_many (GST_BIN (connection), rtspsrc, decodebin, NULL); /* both were found at the start */
  GST_OBJECT_LOCK (self);
  g_object_set (rtspsrc, "location", self->location, "latency", self->latency, "user-id", self->user_id, "user-pw",
      self->user_pw, NULL);
  GST_OBJECT_UNLOCK (self);
  g_object_set (decodebin, "caps", raw, NULL);
  g_signal_connect (rtspsrc, "select-stream", G_CALLBACK (select_stream), NULL);
  g_signal_connect (rtspsrc, "pad-added", G_CALLBACK (link_stream), decodebin);
  g_signal_connect (rtspsrc, "no-more-pads", G_CALLBACK (no_more_streams), self);
  g_signal_connect (decodebin, "pad-added", G_CALLBACK (link_picture), self);
  g_signal_connect (decodebin, "no-more-pads", G_CALLBACK (no_more_pads), self);
  gst_upi_rtsp_src_setup (self, rtspsrc);
  gst_element_set_locked_state (connection, TRUE); /* the thread alone starts and ends it */
  gst_bin_add (GST_BIN (self), connection);
  return connection;
}

/* GStreamer takes a pipeline to PLAYING when each of its sinks has something: a camera that does not answer would hold
 * up the others. So a stream without pictures comes first, unless a picture is there soon: a GAP is something. */
static void
send_placeholder (GstUpiRtspSrc *self)
{
  GstSegment segment;

  g_mutex_lock (&self->lock);
  gboolean needed = !self->sent_start;
  self->sent_start = TRUE;
  g_mutex_unlock (&self->lock);
  if (needed) {
    gst_segment_init (&segment, GST_FORMAT_TIME);
    gst_pad_send_event (self->entry, own_stream_start (NULL, 0));
    gst_pad_send_event (self->entry, gst_event_new_segment (&segment));
    gst_pad_send_event (self->entry, gst_event_new_gap (0, GST_CLOCK_TIME_NONE));
  }
}

static void
set_connection_state (GstUpiRtspSrc *self, GstElement *connection, GstState state)
{
  g_autoptr (GstClock) clock = gst_element_get_clock (GST_ELEMENT (self));

  if (state == GST_STATE_PLAYING) {
    gst_element_set_clock (connection, clock);
    gst_element_set_base_time (connection, gst_element_get_base_time (GST_ELEMENT (self)));
    gst_element_set_start_time (connection, gst_element_get_start_time (GST_ELEMENT (self)));
  }
  /* A failure has said why. */
  if (gst_element_set_state (connection, state) == GST_STATE_CHANGE_FAILURE) {
    g_mutex_lock (&self->lock);
    gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_AWAY, "it cannot be opened");
    g_mutex_unlock (&self->lock);
  }
}

/* Lock held. Until when nothing is to do but wait: G_MAXINT64: as long as nobody says otherwise. */
static gint64
next_deadline (GstUpiRtspSrc *self, GstClockTime timeout, gint64 begun)
{
  gint64 until = G_MAXINT64;

  if (!self->sent_start)
    until = begun + PATIENCE;
  if (self->playing && timeout > 0)
    until = MIN (until, self->seen + (gint64) (timeout / GST_USECOND));
  return until;
}

/* Lock held. Stays with @connection until it ends. */
static void
follow (GstUpiRtspSrc *self, GstElement *connection, GstClockTime timeout)
{
  gint64 begun = self->seen = g_get_monotonic_time ();
  GstState state = GST_STATE_NULL;

  while (!self->stop && self->end == GST_UPI_RTSP_NONE) {
    GstState wanted = self->playing ? GST_STATE_PLAYING : GST_STATE_PAUSED;
    gint64 until = next_deadline (self, timeout, begun);
    if (state != wanted) {
      self->seen = g_get_monotonic_time ();
      g_mutex_unlock (&self->lock);
      set_connection_state (self, connection, state = wanted);
      g_mutex_lock (&self->lock);
    } else if (until == G_MAXINT64) {
      g_cond_wait (&self->changed, &self->lock);
    } else if (g_get_monotonic_time () < until) {
      g_cond_wait_until (&self->changed, &self->lock, until);
    } else if (!self->sent_start && begun + PATIENCE <= until) {
      g_mutex_unlock (&self->lock);
      send_placeholder (self);
      g_mutex_lock (&self->lock);
    } else {
      gst_upi_rtsp_src_end_connection (self, GST_UPI_RTSP_AWAY, "it sends nothing");
    }
  }
}

static void
connect_once (GstUpiRtspSrc *self)
{
  GstElement *connection = connection_new (self);

  GST_OBJECT_LOCK (self);
  GstClockTime timeout = self->timeout;
  GST_OBJECT_UNLOCK (self);
  g_mutex_lock (&self->lock);
  self->connection = connection;
  self->has_picture = FALSE;
  follow (self, connection, timeout);
  g_mutex_unlock (&self->lock);
  gst_element_set_state (connection, GST_STATE_NULL);
  g_mutex_lock (&self->lock);
  self->connection = NULL;
  g_mutex_unlock (&self->lock);
  gst_bin_remove (GST_BIN (self), connection);
}

/* Says why the camera is away, and waits. */
static void
back_off (GstUpiRtspSrc *self, GstUpiRtspEnd end, const gchar *reason)
{
  g_autofree gchar *location = gst_upi_rtsp_src_public_location (self);

  send_placeholder (self);
  GST_OBJECT_LOCK (self);
  GstClockTime longest = self->max_backoff, wait = MIN (self->min_backoff, longest);
  GST_OBJECT_UNLOCK (self);
  g_mutex_lock (&self->lock);
  guint attempt = ++self->attempt;
  g_mutex_unlock (&self->lock);
  for (guint i = 1; i < attempt && wait < longest; i++)
    wait = MIN (2 * wait, longest);
  if (end == GST_UPI_RTSP_REFUSED)
    wait = longest;
  if (attempt == 1)
    GST_ELEMENT_WARNING (self, RESOURCE, READ,
        ("The camera at %s is away: %s Connecting again until it is back.", location, reason),
        ("retry in %" GST_TIME_FORMAT, GST_TIME_ARGS (wait)));
  post (self,
      gst_structure_new ("upi-rtsp-away", "location", G_TYPE_STRING, location, "reason", G_TYPE_STRING, reason,
          "attempt", G_TYPE_UINT, attempt, "retry-in", G_TYPE_UINT64, wait, NULL));
  gint64 until = g_get_monotonic_time () + (gint64) (wait / GST_USECOND);
  g_mutex_lock (&self->lock);
  while (!self->stop && self->end == GST_UPI_RTSP_NONE && g_cond_wait_until (&self->changed, &self->lock, until))
    continue;
  g_mutex_unlock (&self->lock);
}

gpointer
gst_upi_rtsp_src_run (gpointer user_data)
{
  GstUpiRtspSrc *self = user_data;
  GstUpiRtspEnd end = GST_UPI_RTSP_NONE;

  while (end < GST_UPI_RTSP_DONE) {
    g_autofree gchar *reason = NULL;
    g_mutex_lock (&self->lock);
    gboolean go_on = !self->stop && self->end == GST_UPI_RTSP_NONE;
    g_mutex_unlock (&self->lock);
    if (go_on)
      connect_once (self);
    g_mutex_lock (&self->lock);
    end = self->end;
    reason = g_steal_pointer (&self->reason);
    GstMessage *error = g_steal_pointer (&self->error);
    gboolean stop = self->stop;
    if (end < GST_UPI_RTSP_DONE)
      self->end = GST_UPI_RTSP_NONE;
    g_mutex_unlock (&self->lock);
    if (stop) {
      g_clear_pointer (&error, gst_message_unref);
      break;
    }
    if (error != NULL)
      gst_element_post_message (GST_ELEMENT (self), error);
    if (end == GST_UPI_RTSP_AWAY || end == GST_UPI_RTSP_REFUSED)
      back_off (self, end, reason);
  }
  if (end >= GST_UPI_RTSP_DONE) {
    send_placeholder (self);
    gst_pad_send_event (self->entry, gst_event_new_eos ());
  }
  return NULL;
}
