/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.c: what upicaption does with each frame: whether a caption starts with it, the wait for that caption (policy
 * "block"), and where it goes: messages, meta, text stream. A caption on its way is request.c, when one is due
 * schedule.c. */
#include "gst/caption/private.h"
#include "gst/engine-error.h"

#define GST_CAT_DEFAULT gst_upi_caption_debug

/* How long a caption is shown where nothing tells: no interval, and neither the frame nor its caps have a duration. */
#define UNKNOWN_DURATION GST_SECOND

/* @described_pts: of the frame that it describes. (transfer full) */
static GstStructure *
message_of (GstUpiCaptionElement *self, const gchar *name, const gchar *text, GstClockTime pts,
    const GstUpiFrameTime *frame, GstClockTime described_pts, GstClockTime duration)
{
  return gst_structure_new (name, "text", G_TYPE_STRING, text, "stream", G_TYPE_UINT,
      gst_upi_filter_get_time (GST_UPI_FILTER (self))->stream, "stream-time", G_TYPE_UINT64, frame->stream_time,
      "running-time", G_TYPE_UINT64, frame->running_time, "duration", G_TYPE_UINT64, duration, "pts", G_TYPE_UINT64,
      pts, "described-pts", G_TYPE_UINT64, described_pts, NULL);
}

static void
post (GstUpiCaptionElement *self, GstStructure *structure)
{
  gst_element_post_message (GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self), structure));
}

/* The regions of its words as a list of structures. */
static void
set_regions (GstStructure *message, const GstUpiCaption *caption)
{
  GValue list = G_VALUE_INIT;

  gst_value_list_init (&list, caption->n_regions);
  for (guint i = 0; i < caption->n_regions; i++) {
    const GstUpiCaptionRegion *region = &caption->regions[i];
    g_autofree gchar *word = g_strndup (caption->text + region->first, region->bytes);
    GValue value = G_VALUE_INIT;

    g_value_init (&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&value,
        gst_structure_new ("region", "word", G_TYPE_STRING, word, "first", G_TYPE_UINT, region->first, "bytes",
            G_TYPE_UINT, region->bytes, "label", G_TYPE_STRING, region->label, "score", G_TYPE_FLOAT, region->score,
            "x", G_TYPE_FLOAT, region->x, "y", G_TYPE_FLOAT, region->y, "width", G_TYPE_FLOAT, region->width, "height",
            G_TYPE_FLOAT, region->height, NULL));
    gst_value_list_append_and_take_value (&list, &value);
  }
  gst_structure_take_value (message, "regions", &list);
}

/* One of the numbers of the property "stats". */
static void
count (GstUpiCaptionElement *self, guint64 *number, guint n)
{
  GST_OBJECT_LOCK (self);
  *number += n;
  GST_OBJECT_UNLOCK (self);
}

void
gst_upi_caption_reset_latency (GstUpiCaptionElement *self)
{
  GST_OBJECT_LOCK (self);
  self->latency = 0;
  self->more_latency = FALSE;
  GST_OBJECT_UNLOCK (self);
}

static void
set_latency (GstUpiCaptionElement *self, GstClockTime latency, gboolean more)
{
  GST_OBJECT_LOCK (self);
  self->latency = latency;
  self->more_latency = more;
  GST_OBJECT_UNLOCK (self);
  gst_upi_filter_set_latency (GST_UPI_FILTER (self), latency);
}

/* A frame waited for so long. A quarter more than what was seen is reported: a pipeline is not told at every
 * caption. */
static void
note_wait (GstUpiCaptionElement *self, GstClockTime waited)
{
  GST_OBJECT_LOCK (self);
  gboolean enough = self->more_latency && waited <= self->latency;
  GST_OBJECT_UNLOCK (self);
  if (!enough)
    set_latency (self, (waited + waited / 4 + GST_MSECOND - 1) / GST_MSECOND * GST_MSECOND, TRUE);
}

void
gst_upi_caption_cancel (GstUpiCaptionElement *self, gboolean flushing)
{
  g_mutex_lock (&self->lock);
  self->flushing |= flushing;
  g_autoptr (GstUpiCaptionRequest) request = g_steal_pointer (&self->request);
  g_mutex_unlock (&self->lock);
  if (request != NULL)
    gst_upi_caption_request_cancel (request);
}

void
gst_upi_caption_accept (GstUpiCaptionElement *self)
{
  g_mutex_lock (&self->lock);
  self->flushing = FALSE;
  g_mutex_unlock (&self->lock);
}

void
gst_upi_caption_forget (GstUpiCaptionElement *self)
{
  gst_upi_caption_cancel (self, FALSE);
  gst_upi_caption_schedule_reset (&self->schedule);
  g_clear_pointer (&self->shown, gst_upi_content_unref);
  g_clear_pointer (&self->seen, upi_encoding_unref);
  self->has_seen = FALSE;
}

static GstFlowReturn
report_failure (GstUpiCaptionElement *self, const GError *error, gboolean may_wait)
{
  count (self, &self->n_failed, 1);
  return gst_upi_filter_fail (GST_UPI_FILTER (self), may_wait, error);
}

/* What to ask of the engine: a beam takes the place of candidates. */
static UpiCaptionOptions
options_for (GstUpiCaptionElement *self, UpiEncoding *encoding)
{
  GST_OBJECT_LOCK (self);
  UpiCaptionOptions options = self->options;
  GST_OBJECT_UNLOCK (self);

  if (!options.grounded || options.beam_size <= 1)
    return options;
  options.grounded = FALSE;
  if (options.candidates > 0 && upi_engine_info (upi_encoding_engine (encoding))->caption_candidates > 0
      && gst_upi_filter_is_first (GST_UPI_FILTER (self), GST_UPI_CAPTION_WARNED_BEAM))
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("beam-size=%u and candidates=%u are two ways to the same end: captions follow the beam and are not grounded. "
         "Set beam-size=1, or "
         "grounded=false.",
            options.beam_size, options.candidates),
        (NULL));
  return options;
}

/* Sends the frame's encoding on its way to become a caption. */
static GstFlowReturn
start_request (GstUpiCaptionElement *self, const GstUpiContent *content, gboolean may_wait)
{
  GstFlowReturn flow = GST_FLOW_OK;
  g_autoptr (GError) error = NULL;

  UpiCaptionOptions options = options_for (self, gst_upi_content_get_encoding (content));

  g_mutex_lock (&self->lock);
  gboolean flushing = self->flushing;
  if (!flushing)
    self->request = gst_upi_caption_request_new (
        gst_upi_content_get_encoding (content), &options, gst_upi_content_get_inference_pts (content), &error);
  g_mutex_unlock (&self->lock);

  if (flushing)
    flow = GST_FLOW_FLUSHING;
  else if (error != NULL)
    flow = report_failure (self, error, may_wait);
  return flow;
}

/* Takes what the request on its way has for us, waiting for its end if @wait.
 * @said: (out) (transfer full) (nullable): the caption, if it is complete */
static GstFlowReturn
take_caption (GstUpiCaptionElement *self, GstClockTime pts, const GstUpiFrameTime *frame, GstClockTime duration,
    gboolean wait, GstUpiContent **said)
{
  g_autoptr (GError) error = NULL;
  gboolean ended;

  *said = NULL;
  g_mutex_lock (&self->lock);
  g_autoptr (GstUpiCaptionRequest) request = self->request != NULL ? gst_upi_caption_request_ref (self->request) : NULL;
  g_mutex_unlock (&self->lock);
  if (request == NULL)
    return GST_FLOW_OK;

  do {
    g_autofree gchar *partial = NULL;
    ended = gst_upi_caption_request_take (request, wait, &partial);
    if (partial != NULL)
      post (self,
          message_of (
              self, "upi-caption-partial", partial, pts, frame, gst_upi_caption_request_get_pts (request), duration));
  } while (wait && !ended);
  if (!ended)
    return GST_FLOW_OK;

  g_mutex_lock (&self->lock);
  gboolean cancelled = self->request != request; /* by a flush or a state change */
  if (!cancelled)
    g_clear_pointer (&self->request, gst_upi_caption_request_unref);
  gboolean flushing = self->flushing;
  g_mutex_unlock (&self->lock);
  if (cancelled)
    return flushing ? GST_FLOW_FLUSHING : GST_FLOW_OK;

  *said = gst_upi_caption_request_finish (request, &error);
  return *said != NULL ? GST_FLOW_OK : report_failure (self, error, wait);
}

/* Whether @content has another encoding than the last frame's. */
static gboolean
is_new (const GstUpiCaptionElement *self, const GstUpiContent *content)
{
  const UpiEncoding *encoding = gst_upi_content_get_encoding (content);
  GstClockTime inferred = gst_upi_content_get_inference_pts (content);

  if (encoding == NULL || !self->has_seen)
    return encoding != NULL;
  return inferred != self->seen_pts || (!GST_CLOCK_TIME_IS_VALID (inferred) && encoding != self->seen);
}

static void
note_seen (GstUpiCaptionElement *self, const GstUpiContent *content)
{
  self->has_seen = TRUE;
  self->seen_pts = gst_upi_content_get_inference_pts (content);
  g_clear_pointer (&self->seen, upi_encoding_unref);
  if (!GST_CLOCK_TIME_IS_VALID (self->seen_pts)) /* held, so that no other can have its place */
    self->seen = upi_encoding_ref (gst_upi_content_get_encoding (content));
}

static const gchar *
text_of (const GstUpiContent *said)
{
  guint n;

  return gst_upi_content_get_captions (said, &n)->text;
}

/* The caption of @said starts with this frame. */
static void
start_caption (GstUpiCaptionElement *self, GstUpiContent *said, GstClockTime pts, const GstUpiFrameTime *frame,
    GstClockTime duration)
{
  guint n;
  GstUpiCaption caption = *gst_upi_content_get_captions (said, &n);

  GST_LOG_OBJECT (self, "%" GST_TIME_FORMAT ": %s", GST_TIME_ARGS (frame->stream_time), caption.text);
  gst_upi_caption_schedule_start (&self->schedule, frame->stream_time);
  count (self, &self->n_captions, 1);
  caption.duration = duration;
  g_clear_pointer (&self->shown, gst_upi_content_unref);
  self->shown = gst_upi_content_set_captions (said, &caption, 1);

  GstStructure *message = message_of (self, "upi-caption", caption.text, pts, frame, caption.pts, duration);
  gst_structure_set (message, "grounded", G_TYPE_BOOLEAN, (caption.flags & GST_UPI_CAPTION_GROUNDED) != 0, NULL);
  set_regions (message, &caption);
  post (self, message);
}

/* (transfer full) (nullable): @content with the caption that is shown, unless it says nothing, behind those that it
 * already has (of another upicaption). */
static GstUpiContent *
add_caption (GstUpiCaptionElement *self, GstUpiContent *content)
{
  guint n;
  const GstUpiCaption *shown = self->shown != NULL ? gst_upi_content_get_captions (self->shown, &n) : NULL;

  if (shown == NULL || shown->text[0] == '\0')
    return NULL;
  const GstUpiCaption *others = gst_upi_content_get_captions (content, &n);
  g_autofree GstUpiCaption *captions = g_new (GstUpiCaption, n + 1);

  for (guint i = 0; i < n; i++)
    captions[i] = others[i];
  captions[n] = *shown;
  return gst_upi_content_set_captions (content, captions, n + 1);
}

/* A text branch that failed for good fails the stream; one that nobody links or that is flushing does not. Without
 * anything on the video pad the captions alone keep the stream going. */
static GstFlowReturn
combine_flows (GstUpiCaptionElement *self, GstFlowReturn video)
{
  GstFlowReturn flow = gst_upi_caption_stream_get_flow (&self->text);

  if (flow == GST_FLOW_ERROR || flow == GST_FLOW_NOT_NEGOTIATED || flow == GST_FLOW_NOT_SUPPORTED)
    return flow;
  if (video == GST_FLOW_NOT_LINKED && flow == GST_FLOW_OK)
    return GST_FLOW_OK;
  return video;
}

/* The caption, or NULL, goes onto the text pad with its frame. */
static void
push_text (GstUpiCaptionElement *self, const gchar *text, const GstUpiFrameTime *frame, GstClockTime duration)
{
  guint lost =
      gst_upi_caption_stream_push (&self->text, text, gst_upi_filter_get_time (GST_UPI_FILTER (self)), frame, duration);

  if (lost == 0)
    return;
  count (self, &self->n_lost, lost);
  if (gst_upi_filter_is_first (GST_UPI_FILTER (self), GST_UPI_CAPTION_WARNED_LOST))
    GST_ELEMENT_WARNING (self, STREAM, FAILED,
        ("Captions are lost: the pad \"text\" is linked, but nothing has taken text from it for thousands of captions. "
         "Let what is behind "
         "it run, put \"queue leaky=downstream\" there, or release the pad."),
        ("the oldest go; the property stats counts them"));
}

static GstClockTime
get_interval (GstUpiCaptionElement *self)
{
  GST_OBJECT_LOCK (self);
  GstClockTime interval = self->interval;
  GST_OBJECT_UNLOCK (self);
  return interval;
}

void
gst_upi_caption_gap (GstUpiFilter *filter, const GstUpiFrameTime *time)
{
  push_text (GST_UPI_CAPTION (filter), NULL, time, 0);
}

GstFlowReturn
gst_upi_caption_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (filter);
  GstClockTime pts = GST_BUFFER_PTS (frame->buffer), interval = get_interval (self);
  GstClockTime duration = interval > 0 ? interval : frame->time.duration;
  g_autoptr (GstUpiContent) said = NULL;

  if (!frame->may_wait)
    set_latency (self, 0, FALSE);
  if (!GST_CLOCK_TIME_IS_VALID (duration))
    duration = UNKNOWN_DURATION;

  /* Under "latest" one asked for at an earlier frame may be complete by now; then this frame may ask for the next
   * one. */
  GstFlowReturn flow = take_caption (self, pts, &frame->time, duration, frame->may_wait, &said);
  g_mutex_lock (&self->lock);
  gboolean busy = self->request != NULL;
  g_mutex_unlock (&self->lock);
  if (flow == GST_FLOW_OK && said == NULL && !busy && is_new (self, frame->content)) {
    note_seen (self, frame->content);
    if (gst_upi_caption_schedule_is_due (&self->schedule, frame->time.stream_time, interval)) {
      gint64 asked = g_get_monotonic_time ();
      flow = start_request (self, frame->content, frame->may_wait);
      if (flow == GST_FLOW_OK && frame->may_wait)
        flow = take_caption (self, pts, &frame->time, duration, TRUE, &said);
      if (flow == GST_FLOW_OK && frame->may_wait)
        note_wait (self, (GstClockTime) (g_get_monotonic_time () - asked) * GST_USECOND);
    }
  }
  if (flow != GST_FLOW_OK)
    return flow;

  if (said != NULL)
    start_caption (self, said, pts, &frame->time, duration);
  push_text (self, said != NULL ? text_of (said) : NULL, &frame->time, duration);
  *content = add_caption (self, frame->content);
  return GST_FLOW_OK;
}

/* Captions and the text pad go on by count where a frame has no PTS. */
GstFlowReturn
gst_upi_caption_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (parent);
  GstClockTime interval = get_interval (self);

  gst_upi_filter_get_time (GST_UPI_FILTER (self))->count_step = interval > 0 ? interval : UNKNOWN_DURATION;
  return combine_flows (self, self->chain (pad, parent, buffer));
}
