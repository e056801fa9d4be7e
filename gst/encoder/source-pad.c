/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source-pad.c: upiencoder's source pad, whose task sends frames on in the order they came in, each with its
 * encoding or the one before; pads.c has the other side. */
#include "gst/encoder/private.h"
#include "gst/engine-error.h"
#include "gst/pad-task.h"

#define GST_CAT_DEFAULT gst_upi_encoder_debug

/* Upstream is done and will not see what a chain function returns: the failure must reach the bus from here. An element
 * that returns GST_FLOW_ERROR has said why itself. */
void
gst_upi_encoder_post_flow_error (GstUpiEncoder *self, GstFlowReturn ret)
{
  if (ret == GST_FLOW_NOT_LINKED || (ret < GST_FLOW_EOS && ret != GST_FLOW_ERROR))
    GST_ELEMENT_FLOW_ERROR (self, ret);
}

static gboolean
src_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);

  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    gdouble proportion;
    GstClockTimeDiff diff;
    GstClockTime timestamp;
    gst_event_parse_qos (event, NULL, &proportion, &diff, &timestamp);
    GST_OBJECT_LOCK (self);
    if (!GST_CLOCK_TIME_IS_VALID (timestamp))
      self->qos_earliest = GST_CLOCK_TIME_NONE;
    else if (diff > 0) /* late: catching up takes as long again */
      self->qos_earliest = timestamp + 2 * (GstClockTime) diff;
    else
      self->qos_earliest = timestamp > (GstClockTime) -diff ? timestamp - (GstClockTime) -diff : 0;
    GST_OBJECT_UNLOCK (self);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE
      && gst_upi_frames_get_result (self->frames) == GST_FLOW_NOT_LINKED) {
    gst_upi_frames_set_result (self->frames, GST_FLOW_OK); /* somebody linked the pad */
  } else if (gst_event_has_name (event, "upi-control")) {  /* none whom it is for was on its way, and none is above */
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_event_default (pad, parent, event);
}

/* A frame met a failure. TRUE when the stream goes on. */
static gboolean
tolerate (GstUpiEncoder *self, const GError *error, gboolean block)
{
  gboolean input = g_error_matches (error, UPI_ERROR, UPI_ERROR_INPUT);
  gboolean lasting =
      g_error_matches (error, UPI_ERROR, UPI_ERROR_DEVICE) || g_error_matches (error, UPI_ERROR, UPI_ERROR_MODEL);

  if (lasting || (block && !input)) {
    GST_UPI_ERROR (self, error);
    return FALSE;
  }
  GST_OBJECT_LOCK (self);
  gboolean *warned = input ? &self->warned_input : &self->warned_failed;
  gboolean first = !*warned;
  *warned = TRUE;
  GST_OBJECT_UNLOCK (self);
  if (first)
    GST_UPI_WARNING (self, error);
  else
    GST_DEBUG_OBJECT (self, "%s", error->message);
  return TRUE;
}

/* The caps that frames leave with now: those of the sink pad are ahead of them. */
static void
take_sent_caps (GstUpiEncoder *self)
{
  GstCaps *caps = gst_pad_get_current_caps (self->srcpad);

  if (caps != self->sent_caps && caps != NULL)
    gst_video_info_from_caps (&self->sent_info, caps);
  gst_caps_replace (&self->sent_caps, caps);
  gst_clear_caps (&caps);
}

static GstFlowReturn
send_frame (GstUpiEncoder *self, GstUpiItem *item)
{
  if (item->error != NULL && !tolerate (self, item->error, item->block))
    return GST_FLOW_ERROR;

  GstBuffer *buffer = gst_buffer_make_writable (g_steal_pointer (&item->buffer));
  GstClockTime pts = GST_BUFFER_PTS (buffer), inferred = gst_upi_content_get_inference_pts (item->content);
  GstUpiContent *content = gst_upi_encoding_life_filter (&self->life, item->content);
  take_sent_caps (self);
  gst_upi_meta_set_frame (gst_buffer_add_upi_meta (buffer, content), GST_VIDEO_INFO_WIDTH (&self->sent_info),
      GST_VIDEO_INFO_HEIGHT (&self->sent_info), GST_VIDEO_INFO_PAR_N (&self->sent_info),
      GST_VIDEO_INFO_PAR_D (&self->sent_info));
  gst_upi_content_unref (content);
  g_clear_pointer (&item->content, gst_upi_content_unref); /* the push may take long */
  if (GST_CLOCK_TIME_IS_VALID (pts) && GST_CLOCK_TIME_IS_VALID (inferred))
    gst_upi_stats_add_age (self->stats, pts > inferred ? pts - inferred : 0);

  if (GST_CLOCK_TIME_IS_VALID (item->latency)) {
    GST_OBJECT_LOCK (self);
    gboolean more = item->latency > self->latency;
    GST_OBJECT_UNLOCK (self);
    /* A quarter more than what was seen: a pipeline is not told at every frame. */
    if (more)
      gst_upi_encoder_set_latency (
          self, (item->latency + item->latency / 4 + GST_MSECOND - 1) / GST_MSECOND * GST_MSECOND);
  }
  gst_upi_stats_count (self->stats, GST_UPI_COUNT_FRAMES_OUT);
  return gst_pad_push (self->srcpad, buffer);
}

static void
task_loop (gpointer user_data)
{
  GstUpiEncoder *self = user_data;
  GstUpiItem item;
  gboolean answer = FALSE;

  if (gst_upi_frames_pop (self->frames, &item) != GST_FLOW_OK) {
    gst_pad_pause_task (self->srcpad);
    return;
  }
  if (item.event != NULL) {
    gst_pad_push_event (self->srcpad, g_steal_pointer (&item.event));
  } else if (item.query != NULL) {
    answer = gst_pad_peer_query (self->srcpad, item.query);
  } else if (gst_upi_frames_get_result (self->frames) == GST_FLOW_OK) {
    GstFlowReturn ret = send_frame (self, &item);
    if (ret != GST_FLOW_OK) {
      GST_DEBUG_OBJECT (self, "downstream returned %s", gst_flow_get_name (ret));
      gst_upi_frames_set_result (self->frames, ret);
      if (gst_upi_frames_at_eos (self->frames))
        gst_upi_encoder_post_flow_error (self, ret);
    }
  }
  gst_upi_frames_popped (self->frames, &item, answer);
}

/* After a flush, as GstQueue does it: sticky events that had not left are on the pad before anything of what
 * follows. */
static void
store_sticky_events (GstUpiEncoder *self)
{
  GList *events = gst_upi_frames_take_sticky (self->frames);

  for (GList *l = events; l != NULL; l = l->next)
    gst_pad_store_sticky_event (self->srcpad, l->data);
  g_list_free_full (events, (GDestroyNotify) gst_event_unref);
}

gboolean
gst_upi_encoder_start_task (GstUpiEncoder *self)
{
  gboolean started = TRUE;

  g_mutex_lock (&self->task_lock);
  if (self->task_allowed) {
    store_sticky_events (self);
    gst_upi_frames_set_flushing (self->frames, FALSE);
    started = gst_upi_pad_start_task (self->srcpad, task_loop, self);
  }
  g_mutex_unlock (&self->task_lock);
  return started;
}

static gboolean
src_activate_mode (GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);

  if (mode != GST_PAD_MODE_PUSH)
    return FALSE;
  g_mutex_lock (&self->task_lock);
  self->task_allowed = active;
  g_mutex_unlock (&self->task_lock);
  if (active) {
    g_list_free_full (
        gst_upi_frames_take_sticky (self->frames), (GDestroyNotify) gst_event_unref); /* of a stream before */
    return gst_upi_encoder_start_task (self);
  }
  gst_upi_frames_set_flushing (self->frames, TRUE);
  return gst_pad_stop_task (pad);
}

void
gst_upi_encoder_init_source_pad (GstUpiEncoder *self)
{
  GstElementClass *klass = GST_ELEMENT_GET_CLASS (self);

  self->srcpad = gst_pad_new_from_template (gst_element_class_get_pad_template (klass, "src"), "src");
  gst_pad_set_event_function (self->srcpad, src_event);
  gst_pad_set_query_function (self->srcpad, gst_upi_encoder_src_query);
  gst_pad_set_activatemode_function (self->srcpad, src_activate_mode);
  GST_PAD_SET_PROXY_CAPS (self->srcpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
