/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pads.c: upiencoder's sink pad, whose thread requests encodings and queues frames; source-pad.c sends them on in
 * the same order. Events and serialised queries keep their place between them; what queries are answered with is in
 * queries.c. */
#include "gst/encoder/private.h"
#include "gst/pad-task.h"

#include "gst/engine-error.h"
#include "gst/geometry.h"

#define GST_CAT_DEFAULT gst_upi_encoder_debug

guint
gst_upi_encoder_frame_limit (GstUpiEncoder *self)
{
  GST_OBJECT_LOCK (self);
  guint limit = self->max_in_flight;
  if (limit == 0 && self->engine != NULL) {
    const UpiEngineInfo *info = upi_engine_info (self->engine);
    limit = info->workers * MAX (info->batch_size, 1) + 2;
  }
  GST_OBJECT_UNLOCK (self);
  return MAX (limit, 1);
}

/* Nothing of the stream so far is attached to frames from here on, and the next frame is encoded. */
static void
begin_generation (GstUpiEncoder *self)
{
  GST_OBJECT_LOCK (self);
  UpiStream *stream = self->stream; /* the streaming thread's as long as it runs */
  GST_OBJECT_UNLOCK (self);
  gst_upi_frames_new_generation (self->frames);
  if (stream != NULL)
    upi_stream_new_generation (stream);
  self->until_next = 0;
}

void
gst_upi_encoder_reset_stream (GstUpiEncoder *self)
{
  g_clear_pointer (&self->reader, gst_upi_reader_unref);
  gst_clear_caps (&self->sent_caps);
  gst_upi_stream_time_reset (&self->time);
  self->until_next = 0;
  self->plain_layout = FALSE;
  self->decided_serial = self->turned_serial = 0;
  self->tags = (GstUpiOrientationTags){ 0 };
  self->told_turner = FALSE;
  self->turned = UPI_ORIENTATION_IDENTITY;
  GST_OBJECT_LOCK (self);
  self->qos_earliest = GST_CLOCK_TIME_NONE;
  self->latency = 0;
  self->warned_input = self->warned_failed = FALSE;
  self->policy_serial = self->orientation_serial = 1;
  GST_OBJECT_UNLOCK (self);
}

void
gst_upi_encoder_set_latency (GstUpiEncoder *self, GstClockTime latency)
{
  GST_OBJECT_LOCK (self);
  gboolean changed = self->latency != latency;
  self->latency = latency;
  GST_OBJECT_UNLOCK (self);
  if (changed) {
    GST_INFO_OBJECT (self, "adds %" GST_TIME_FORMAT " of latency", GST_TIME_ARGS (latency));
    gst_element_post_message (GST_ELEMENT (self), gst_message_new_latency (GST_OBJECT (self)));
  }
}

/* "auto" is "latest" behind a live source. Asked at the first frame: before that upstream may not know. */
static void
decide_policy (GstUpiEncoder *self, GstUpiPolicy policy)
{
  gboolean live = FALSE;

  if (policy == GST_UPI_POLICY_AUTO) {
    GstQuery *query = gst_query_new_latency ();
    if (gst_pad_peer_query (self->sinkpad, query))
      gst_query_parse_latency (query, &live, NULL, NULL);
    gst_query_unref (query);
  }
  self->latest = policy == GST_UPI_POLICY_LATEST || (policy == GST_UPI_POLICY_AUTO && live);
  GST_INFO_OBJECT (self, "policy %s", self->latest ? "latest" : "block");
  if (self->latest)
    gst_upi_encoder_set_latency (self, 0);
}

/* The network's input: as it is set, or by the display aspect of the turned picture. */
static void
choose_size (GstUpiEncoder *self)
{
  GST_OBJECT_LOCK (self);
  self->width = self->fixed_width;
  self->height = self->fixed_height;
  UpiEngine *engine = self->engine != NULL ? upi_engine_ref (self->engine) : NULL;
  GST_OBJECT_UNLOCK (self);
  if (engine != NULL && self->width == 0) {
    gboolean transposed = upi_orientation_is_transposed (self->turned);
    guint64 width =
        (guint64) GST_VIDEO_INFO_WIDTH (&self->info) * (guint64) MAX (GST_VIDEO_INFO_PAR_N (&self->info), 1);
    guint64 height =
        (guint64) GST_VIDEO_INFO_HEIGHT (&self->info) * (guint64) MAX (GST_VIDEO_INFO_PAR_D (&self->info), 1);
    while (MAX (width, height) > 1 << 20) { /* only the ratio counts */
      width = MAX (width / 2, 1);
      height = MAX (height / 2, 1);
    }
    upi_engine_nearest_size (engine, (guint) (transposed ? height : width), (guint) (transposed ? width : height),
        &self->width, &self->height);
  }
  g_clear_pointer (&engine, upi_engine_unref);
}

/* After tags, caps and the property have changed. Who stands upstream is known once frames come. */
static void
decide_orientation (GstUpiEncoder *self, GstUpiOrientation setting)
{
  g_autofree gchar *turner = NULL;

  self->turned = gst_upi_orientation_decide (setting, &self->tags, self->sinkpad, &turner);
  choose_size (self);
  if (turner != NULL && !self->told_turner)
    GST_ELEMENT_INFO (self, STREAM, FORMAT,
        ("The image-orientation tag is ignored, since \"%s\" upstream has turned the picture by it: set orientation to "
         "turn it all the same.",
            turner),
        ("orientation=auto"));
  self->told_turner = turner != NULL;
  GST_INFO_OBJECT (self, "orientation %d, the network sees %u×%u", self->turned, self->width, self->height);
}

static gboolean
is_late (const GstUpiFrameTime *frame, GstClockTime earliest)
{
  return frame->timed && GST_CLOCK_TIME_IS_VALID (earliest) && GST_CLOCK_TIME_IS_VALID (frame->running_time)
      && frame->running_time < earliest;
}

/* Asks the engine to encode @buffer. NULL and @error when it cannot be read. */
static GstUpiPendingFrame *
request_encoding (GstUpiEncoder *self, UpiStream *stream, GstBuffer *buffer, GError **error)
{
  UpiImage image;
  gpointer borrowed = gst_upi_frames_borrow (self->frames);

  if (!gst_upi_reader_map (self->reader, buffer, &image, gst_upi_frames_image_released, borrowed, error)) {
    gst_upi_frames_image_released (borrowed);
    gst_upi_stats_count (self->stats, GST_UPI_COUNT_FAILED);
    return NULL;
  }
  image.orientation = self->turned;
  return gst_upi_frames_request (
      self->frames, stream, &image, self->width, self->height, GST_BUFFER_PTS (buffer), self->latest);
}

static GstFlowReturn
sink_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);
  GstUpiPendingFrame *pending = NULL;
  GError *error = NULL;

  if (self->reader == NULL) {
    GST_ELEMENT_ERROR (self, CORE, NEGOTIATION,
        ("A buffer came before caps: put the format of the video in front of upiencoder."),
        ("no CAPS event on %s:%s", GST_DEBUG_PAD_NAME (pad)));
    gst_buffer_unref (buffer);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  gst_upi_stats_count (self->stats, GST_UPI_COUNT_FRAMES_IN);
  GstUpiFrameTime frame;
  if (gst_upi_stream_time_take_frame (&self->time, GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer), &frame))
    begin_generation (self);

  GST_OBJECT_LOCK (self);
  guint interval = self->interval;
  GstUpiPolicy policy = self->policy;
  guint serial = self->policy_serial, orientation_serial = self->orientation_serial;
  GstUpiOrientation orientation = self->orientation;
  GstClockTime earliest = self->qos_earliest;
  UpiStream *stream = self->stream;
  GST_OBJECT_UNLOCK (self);
  if (self->decided_serial != serial) {
    decide_policy (self, policy);
    self->decided_serial = serial;
  }
  if (self->turned_serial != orientation_serial) {
    decide_orientation (self, orientation);
    self->turned_serial = orientation_serial;
  }

  GstFlowReturn ret = gst_upi_frames_wait_room (self->frames, gst_upi_encoder_frame_limit (self));
  if (ret != GST_FLOW_OK) {
    gst_buffer_unref (buffer);
    return ret;
  }
  if (self->plain_layout && !self->cuda_caps)
    buffer = gst_upi_reader_plain_layout (self->reader, buffer);

  if (self->until_next > 0) {
    self->until_next--;
  } else {
    /* A result that comes later because others are before it helps nobody; a machine that is late gets one frame at a
     * time. */
    if (self->latest && !upi_stream_may_encode (stream, is_late (&frame, earliest))) {
      gst_upi_stats_count (self->stats, GST_UPI_COUNT_SKIPPED);
    } else {
      pending = request_encoding (self, stream, buffer, &error);
      if (pending != NULL)
        self->until_next = interval - 1;
    }
  }
  return gst_upi_frames_push_buffer (self->frames, buffer, pending, !self->latest, error);
}

static gboolean
take_caps (GstUpiEncoder *self, GstCaps *caps)
{
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, caps)) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("These caps are not raw video that upiencoder reads: put videoconvert before it."),
        ("caps %" GST_PTR_FORMAT, caps));
    return FALSE;
  }
  if (self->reader != NULL && gst_video_info_is_equal (&info, &self->info)
      && self->cuda_caps == gst_upi_cuda_caps_are_cuda (caps))
    return TRUE;
  begin_generation (self);
  if (gst_upi_cuda_caps_are_cuda (caps))
    gst_upi_encoder_follow_cuda (self);
  g_clear_pointer (&self->reader, gst_upi_reader_unref);
  GST_OBJECT_LOCK (self);
  self->reader = gst_upi_reader_new (&info, self->in_cuda ? self->cuda : NULL);
  GST_OBJECT_UNLOCK (self);
  self->info = info;
  self->cuda_caps = gst_upi_cuda_caps_are_cuda (caps);

  GST_OBJECT_LOCK (self);
  gboolean has_engine = self->engine != NULL;
  GST_OBJECT_UNLOCK (self);
  choose_size (self);
  self->turned_serial = 0; /* with the caps upstream may have changed */
  GST_INFO_OBJECT (self, "%" GST_PTR_FORMAT " is read at %u×%u", caps, self->width, self->height);
  return has_engine;
}

static GstFlowReturn
sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);

  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_FLUSH_START:
    gst_pad_push_event (self->srcpad, event);
    gst_upi_frames_set_flushing (self->frames, TRUE);
    gst_pad_pause_task (self->srcpad);
    return GST_FLOW_OK;
  case GST_EVENT_FLUSH_STOP:
    gst_upi_stream_time_take_event (&self->time, event);
    gst_pad_push_event (self->srcpad, event);
    begin_generation (self);
    GST_OBJECT_LOCK (self);
    self->qos_earliest = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK (self);
    if (!gst_upi_encoder_start_task (self))
      gst_upi_frames_set_result (self->frames, GST_FLOW_ERROR);
    return GST_FLOW_OK;
  case GST_EVENT_CAPS: {
    GstCaps *caps;
    gst_event_parse_caps (event, &caps);
    if (!take_caps (self, caps)) {
      gst_event_unref (event);
      return GST_FLOW_NOT_NEGOTIATED;
    }
    break;
  }
  case GST_EVENT_EOS:
    gst_upi_encoder_post_flow_error (self, gst_upi_frames_get_result (self->frames));
    break;
  default:
    break;
  }
  if (gst_upi_stream_time_take_event (&self->time, event))
    begin_generation (self);
  if (gst_upi_orientation_tags_take_event (&self->tags, event))
    self->turned_serial = 0;
  if (GST_EVENT_IS_SERIALIZED (event))
    return gst_upi_frames_push_event (self->frames, event);
  return gst_pad_push_event (self->srcpad, event) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

static gboolean
sink_activate_mode (GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  if (!active) {
    gst_upi_frames_set_flushing (self->frames, TRUE);
    /* Whoever is in the chain function leaves it now. */
    GST_PAD_STREAM_LOCK (pad);
    GST_PAD_STREAM_UNLOCK (pad);
  }
  return TRUE;
}

void
gst_upi_encoder_init_pads (GstUpiEncoder *self)
{
  GstElementClass *klass = GST_ELEMENT_GET_CLASS (self);

  self->sinkpad = gst_pad_new_from_template (gst_element_class_get_pad_template (klass, "sink"), "sink");
  gst_pad_set_chain_function (self->sinkpad, sink_chain);
  gst_pad_set_event_full_function (self->sinkpad, sink_event);
  gst_pad_set_query_function (self->sinkpad, gst_upi_encoder_sink_query);
  gst_pad_set_activatemode_function (self->sinkpad, sink_activate_mode);
  GST_PAD_SET_PROXY_CAPS (self->sinkpad);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  gst_upi_encoder_init_source_pad (self);
  gst_upi_encoding_life_init (&self->life, GST_ELEMENT (self), self->srcpad);
  gst_upi_geometry_mark_source (GST_ELEMENT (self));
}
