/* caption-frames.c: what upicaption does with each frame: whether a caption starts with it, the wait for that caption (policy "block"), and
 * where it goes: messages, meta, text stream. A caption on its way is caption-request.c, when one is due caption-schedule.c. */
#include "gst/caption-private.h"
#include "gst/engine-error.h"
#include "gst/gstupimeta.h"

#define GST_CAT_DEFAULT gst_upi_caption_debug

/* ---- messages -------------------------------------------------------------------------------------------------------------------- */

static void
post_caption (
    GstUpiCaptionElement *self, const gchar *name, const gchar *text, GstClockTime pts, GstClockTime described_pts, GstClockTime duration)
{
  GstClockTime running_time = self->segment.format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID (pts)
      ? gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME, pts)
      : GST_CLOCK_TIME_NONE;
  GstStructure *structure = gst_structure_new (name, "text", G_TYPE_STRING, text, "pts", G_TYPE_UINT64, pts, "running-time", G_TYPE_UINT64,
      running_time, "described-pts", G_TYPE_UINT64, described_pts, "duration", G_TYPE_UINT64, duration, NULL);
  gst_element_post_message (GST_ELEMENT (self), gst_message_new_element (GST_OBJECT (self), structure));
}

/* ---- the caption on its way ------------------------------------------------------------------------------------------------------ */

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
gst_upi_caption_restart (GstUpiCaptionElement *self)
{
  gst_upi_caption_schedule_reset (&self->schedule);
  g_clear_pointer (&self->shown, g_free);
  gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
  g_mutex_lock (&self->lock);
  self->flushing = FALSE;
  g_mutex_unlock (&self->lock);
}

static GstFlowReturn
report_failure (GstUpiCaptionElement *self, const GError *error, gboolean never_wait)
{
  if (!never_wait) {
    GST_UPI_ERROR (self, error);
    return GST_FLOW_ERROR;
  }
  if (!self->warned) {
    self->warned = TRUE;
    GST_UPI_WARNING (self, error);
  }
  return GST_FLOW_OK;
}

/* Sends the frame's encoding on its way to become a caption. */
static GstFlowReturn
start_request (GstUpiCaptionElement *self, const GstUpiContent *content, gboolean never_wait)
{
  GstFlowReturn flow = GST_FLOW_OK;
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  UpiCaptionOptions options = self->options;
  GST_OBJECT_UNLOCK (self);

  g_mutex_lock (&self->lock);
  gboolean flushing = self->flushing;
  if (!flushing)
    self->request =
        gst_upi_caption_request_new (gst_upi_content_get_encoding (content), &options, gst_upi_content_get_inference_pts (content), &error);
  g_mutex_unlock (&self->lock);

  if (flushing)
    flow = GST_FLOW_FLUSHING;
  else if (error != NULL)
    flow = report_failure (self, error, never_wait);
  return flow;
}

/* Takes what the request on its way has for us, waiting for its end if @wait.
 * @text: (out): the caption, if it is complete */
static GstFlowReturn
take_caption (GstUpiCaptionElement *self, GstClockTime pts, GstClockTime duration, gboolean wait, gchar **text, GstClockTime *described_pts)
{
  g_autoptr (GError) error = NULL;
  gboolean ended;

  *text = NULL;
  g_mutex_lock (&self->lock);
  g_autoptr (GstUpiCaptionRequest) request = self->request != NULL ? gst_upi_caption_request_ref (self->request) : NULL;
  g_mutex_unlock (&self->lock);
  if (request == NULL)
    return GST_FLOW_OK;

  *described_pts = gst_upi_caption_request_get_pts (request);
  do {
    g_autofree gchar *partial = NULL;
    ended = gst_upi_caption_request_take (request, wait, &partial);
    if (partial != NULL)
      post_caption (self, "upi-caption-partial", partial, pts, *described_pts, duration);
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

  *text = gst_upi_caption_request_finish (request, &error);
  return *text != NULL ? GST_FLOW_OK : report_failure (self, error, !wait);
}

/* ---- frames ---------------------------------------------------------------------------------------------------------------------- */

/* Adds the caption that is shown to those the frame already has (of another upicaption). */
static GstBuffer *
attach_caption (GstUpiCaptionElement *self, GstBuffer *buffer)
{
  buffer = gst_buffer_make_writable (buffer);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  guint n;
  const GstUpiCaption *others = gst_upi_content_get_captions (meta->content, &n);
  g_autofree GstUpiCaption *captions = g_new (GstUpiCaption, n + 1);

  for (guint i = 0; i < n; i++)
    captions[i] = others[i];
  captions[n] = (GstUpiCaption){ self->shown, self->schedule.described_pts, self->schedule.duration };
  gst_upi_meta_set_captions (meta, captions, n + 1);
  return buffer;
}

/* A text branch that failed for good fails the stream; one that nobody links or that is flushing does not. Without anything on the video
 * pad the captions alone keep the stream going. */
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

GstFlowReturn
gst_upi_caption_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (parent);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  GstClockTime frame_duration = GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) : self->frame_duration;

  if (meta == NULL && !self->seen_meta) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT, ("Put upiencoder before upicaption: the frames carry no encoding."),
        ("expected a GstUpiMeta on the first buffer, found none"));
    gst_buffer_unref (buffer);
    return GST_FLOW_ERROR;
  }
  if (meta == NULL) {
    gst_upi_caption_stream_push (&self->text, NULL, pts, 0, frame_duration);
    return combine_flows (self, gst_pad_push (self->srcpad, buffer));
  }
  self->seen_meta = TRUE;

  GST_OBJECT_LOCK (self);
  GstClockTime interval = self->interval;
  GST_OBJECT_UNLOCK (self);
  const GstUpiContent *content = meta->content;
  gboolean never_wait = (gst_upi_content_get_flags (content) & GST_UPI_CONTENT_NEVER_WAIT) != 0;
  GstClockTime duration = interval > 0 ? interval : frame_duration, described_pts = pts;
  g_autofree gchar *text = NULL;

  /* Under "latest" one asked for at an earlier frame may be complete by now; then this frame may ask for the next one. */
  GstFlowReturn flow = take_caption (self, pts, duration, !never_wait, &text, &described_pts);
  g_mutex_lock (&self->lock);
  gboolean busy = self->request != NULL;
  g_mutex_unlock (&self->lock);
  gboolean due = gst_upi_caption_schedule_is_due (&self->schedule, pts, interval, gst_upi_content_get_encoding (content) != NULL,
      gst_upi_content_get_inference_pts (content), text != NULL || busy);
  if (flow == GST_FLOW_OK && due) {
    flow = start_request (self, content, never_wait);
    if (flow == GST_FLOW_OK && !never_wait)
      flow = take_caption (self, pts, duration, TRUE, &text, &described_pts);
  }
  if (flow != GST_FLOW_OK) {
    gst_buffer_unref (buffer);
    return flow;
  }

  if (text != NULL) {
    GST_LOG_OBJECT (self, "%" GST_TIME_FORMAT ": %s", GST_TIME_ARGS (pts), text);
    gst_upi_caption_schedule_start (&self->schedule, pts, described_pts, duration, interval == 0);
    post_caption (self, "upi-caption", text, pts, described_pts, duration);
    g_free (self->shown);
    self->shown = g_strdup (text);
  }
  gst_upi_caption_stream_push (&self->text, text, pts, duration, frame_duration);
  if (self->shown != NULL && self->shown[0] != '\0'
      && gst_upi_caption_schedule_shows (&self->schedule, pts, gst_upi_content_get_inference_pts (content)))
    buffer = attach_caption (self, buffer);
  return combine_flows (self, gst_pad_push (self->srcpad, buffer));
}
