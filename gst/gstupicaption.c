/* gstupicaption.c: captions from the encoding, on a text pad, on the bus and in the GstUpiMeta.
 * The text stream is caption-stream.c and its pad caption-pad.c, a caption on its way caption-request.c, when one is due caption-schedule.c. */
/**
 * SECTION:element-upicaption
 * @title: upicaption
 * @short_description: says in a sentence what a frame shows
 *
 * Reads the encoding that upiencoder attached and puts the caption where it is wanted: on the request pad `text` as timed text
 * (text/x-raw, format=utf8) for textoverlay, matroskamux, mp4mux, webvttenc or srtenc; into the GstUpiMeta for upioverlay and upijson; and
 * on the bus, as element messages `upi-caption-partial` while its words are found and `upi-caption` when it is complete. Both messages
 * hold `text` (string), `pts`, `running-time` (where it starts), `described-pts` (the frame that it describes) and `duration`, all guint64
 * in nanoseconds.
 *
 * A caption leaves before its frame, with the frame's PTS and a duration of #GstUpiCaption:interval; every frame that starts no caption
 * is a GAP on the text pad. Where upiencoder runs with policy `block`, frames wait for their caption; with `latest` they never do, and
 * the caption starts at the next frame that leaves after it is complete.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upicaption name=c ! fakesink \
 *     c.text ! webvttenc ! filesink location=yard.vtt
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upicaption name=c \
 *     ! queue ! videoconvert ! x264enc ! h264parse ! mux.   c.text ! queue ! mp4mux name=mux ! filesink location=yard.mp4
 * ]|
 * mp4mux and qtmux need the `queue` on the video branch.
 */
#include <gst/gst.h>
#include <gst/video/video.h>

#include "gst/caption-request.h"
#include "gst/caption-schedule.h"
#include "gst/caption-stream.h"
#include "gst/engine-error.h"
#include "gst/gstupimeta.h"
#include "gst/plugin.h"

GST_DEBUG_CATEGORY_STATIC (upicaption_debug);
#define GST_CAT_DEFAULT upicaption_debug

#define GST_TYPE_UPI_CAPTION (gst_upi_caption_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiCaptionElement, gst_upi_caption, GST, UPI_CAPTION, GstElement)

#define DEFAULT_INTERVAL GST_SECOND
#define DEFAULT_MAX_TOKENS 0
#define DEFAULT_BEAM_SIZE 1
#define DEFAULT_LENGTH_PENALTY 1.0f

enum { PROP_0, PROP_INTERVAL, PROP_MAX_TOKENS, PROP_BEAM_SIZE, PROP_LENGTH_PENALTY };

struct _GstUpiCaptionElement {
  GstElement parent;
  GstPad *sinkpad, *srcpad;

  /* object lock */
  GstClockTime interval;
  UpiCaptionOptions options;

  GstUpiCaptionStream text;

  /* lock: what the streaming thread, flushes and state changes share */
  GMutex lock;
  gboolean flushing;
  GstUpiCaptionRequest *request; /* the one on its way */

  /* streaming thread */
  GstSegment segment;
  GstClockTime frame_duration; /* from the caps */
  GstUpiCaptionSchedule schedule;
  gchar *shown; /* the caption in the meta */
  gboolean seen_meta, warned;
};

static gpointer gst_upi_caption_parent_class;
static void gst_upi_caption_class_init (gpointer klass, gpointer data);
static void gst_upi_caption_init (GTypeInstance *instance, gpointer klass);

/* G_DEFINE_FINAL_TYPE() but for the name: GStreamer calls elements after their type (upicaption0), and the C name GstUpiCaption belongs to a
 * structure of gstupimeta.h. */
GType
gst_upi_caption_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_type_register_static_simple (GST_TYPE_ELEMENT, g_intern_static_string ("GstUpiCaption"), sizeof (GstUpiCaptionElementClass),
            gst_upi_caption_class_init, sizeof (GstUpiCaptionElement), gst_upi_caption_init, G_TYPE_FLAG_FINAL));
  return type;
}

GST_ELEMENT_REGISTER_DEFINE (upicaption, "upicaption", GST_RANK_NONE, GST_TYPE_UPI_CAPTION)

#define VIDEO_CAPS "video/x-raw(ANY)"
static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (VIDEO_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (VIDEO_CAPS));
static GstStaticPadTemplate text_template =
    GST_STATIC_PAD_TEMPLATE ("text", GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS ("text/x-raw, format=(string)utf8"));

/* ---- text pad -------------------------------------------------------------------------------------------------------------------- */

static GstPad *
gst_upi_caption_request_new_pad (GstElement *element, GstPadTemplate *templ, const gchar *name, const GstCaps *caps)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (element);

  GST_OBJECT_LOCK (self);
  gboolean is_running = GST_STATE (self) > GST_STATE_READY || GST_STATE_NEXT (self) > GST_STATE_READY;
  GST_OBJECT_UNLOCK (self);

  GstPad *pad = gst_upi_caption_stream_open (&self->text, templ, is_running);
  if (pad == NULL) {
    GST_WARNING_OBJECT (self, "the pad \"text\" was requested already; a tee behind it makes more of it");
    return NULL;
  }
  gst_element_add_pad (element, pad);
  return pad;
}

static void
gst_upi_caption_release_pad (GstElement *element, GstPad *pad)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (element);

  GstUpiCaptionPad *text = gst_upi_caption_stream_close (&self->text, pad);
  if (text == NULL)
    return;
  gst_upi_caption_pad_unblock (text);
  gst_pad_set_active (pad, FALSE);
  gst_element_remove_pad (element, pad);
  gst_object_unref (text);
}

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

/* ---- captions -------------------------------------------------------------------------------------------------------------------- */

static void
cancel_request (GstUpiCaptionElement *self, gboolean flushing)
{
  g_mutex_lock (&self->lock);
  self->flushing |= flushing;
  g_autoptr (GstUpiCaptionRequest) request = g_steal_pointer (&self->request);
  g_mutex_unlock (&self->lock);
  if (request != NULL)
    gst_upi_caption_request_cancel (request);
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

static GstFlowReturn
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

/* ---- events and queries ---------------------------------------------------------------------------------------------------------- */

static void
forget_captions (GstUpiCaptionElement *self)
{
  gst_upi_caption_schedule_reset (&self->schedule);
  g_clear_pointer (&self->shown, g_free);
}

static void
take_caps (GstUpiCaptionElement *self, GstEvent *event)
{
  GstCaps *caps;
  GstVideoInfo info;

  gst_event_parse_caps (event, &caps);
  self->frame_duration = GST_CLOCK_TIME_NONE;
  if (gst_video_info_from_caps (&info, caps) && info.fps_n > 0)
    self->frame_duration = gst_util_uint64_scale (GST_SECOND, info.fps_d, info.fps_n);
}

/* Every event goes the video's way as it is; the text stream has its own, made from these. */
static gboolean
gst_upi_caption_sink_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (parent);

  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_SEGMENT:
    gst_event_copy_segment (event, &self->segment);
    break;
  case GST_EVENT_CAPS:
    take_caps (self, event);
    break;
  case GST_EVENT_EOS:
    cancel_request (self, FALSE);
    break;
  case GST_EVENT_FLUSH_START:
    cancel_request (self, TRUE);
    break;
  case GST_EVENT_FLUSH_STOP:
    forget_captions (self);
    gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
    g_mutex_lock (&self->lock);
    self->flushing = FALSE;
    g_mutex_unlock (&self->lock);
    break;
  default:
    break;
  }
  gst_upi_caption_stream_take_event (&self->text, event);
  return gst_pad_push_event (self->srcpad, event);
}

/* What the video's upstream asks is answered by the video's downstream; the text pad is none of its business. */
static gboolean
gst_upi_caption_sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (parent);

  switch (GST_QUERY_TYPE (query)) {
  case GST_QUERY_CAPS:
  case GST_QUERY_ACCEPT_CAPS: /* the src pad's template is the same; the pad proxies its caps */
    return gst_pad_query_default (pad, parent, query);
  default:
    return gst_pad_peer_query (self->srcpad, query);
  }
}

static GstIterator *
gst_upi_caption_iterate_links (GstPad *pad, GstObject *parent)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (parent);
  GstPad *other = pad == self->sinkpad ? self->srcpad : self->sinkpad;
  GValue value = G_VALUE_INIT;

  g_value_init (&value, GST_TYPE_PAD);
  g_value_set_object (&value, other);
  GstIterator *iterator = gst_iterator_new_single (GST_TYPE_PAD, &value);
  g_value_unset (&value);
  return iterator;
}

/* ---- object ---------------------------------------------------------------------------------------------------------------------- */

static GstStateChangeReturn
gst_upi_caption_change_state (GstElement *element, GstStateChange transition)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    forget_captions (self);
    gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
    self->frame_duration = GST_CLOCK_TIME_NONE;
    self->seen_meta = self->warned = FALSE;
    g_mutex_lock (&self->lock);
    self->flushing = FALSE;
    g_mutex_unlock (&self->lock);
  } else if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
    cancel_request (self, TRUE); /* a frame that waits for it holds the streaming thread */
  }
  GstStateChangeReturn result = GST_ELEMENT_CLASS (gst_upi_caption_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    gst_upi_caption_stream_reset (&self->text);
  return result;
}

static void
gst_upi_caption_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_INTERVAL:
    self->interval = g_value_get_uint64 (value);
    break;
  case PROP_MAX_TOKENS:
    self->options.max_tokens = g_value_get_uint (value);
    break;
  case PROP_BEAM_SIZE:
    self->options.beam_size = g_value_get_uint (value);
    break;
  case PROP_LENGTH_PENALTY:
    self->options.length_penalty = g_value_get_float (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_caption_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_INTERVAL:
    g_value_set_uint64 (value, self->interval);
    break;
  case PROP_MAX_TOKENS:
    g_value_set_uint (value, self->options.max_tokens);
    break;
  case PROP_BEAM_SIZE:
    g_value_set_uint (value, self->options.beam_size);
    break;
  case PROP_LENGTH_PENALTY:
    g_value_set_float (value, self->options.length_penalty);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_caption_finalize (GObject *object)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (object);

  g_free (self->shown);
  gst_upi_caption_stream_clear (&self->text);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_upi_caption_parent_class)->finalize (object);
}

static void
gst_upi_caption_class_init (gpointer klass, gpointer data)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  gst_upi_caption_parent_class = g_type_class_peek_parent (klass);
  GST_DEBUG_CATEGORY_INIT (upicaption_debug, "upicaption", 0, "captions from the encoding");
  object_class->set_property = gst_upi_caption_set_property;
  object_class->get_property = gst_upi_caption_get_property;
  object_class->finalize = gst_upi_caption_finalize;

  g_object_class_install_property (object_class, PROP_INTERVAL,
      g_param_spec_uint64 ("interval", "Interval",
          "Nanoseconds from the start of one caption to the next, and how long each is shown; 0 = one for every encoded frame "
          "(default: 1000000000, one second)",
          0, G_MAXINT64, DEFAULT_INTERVAL, flags));
  g_object_class_install_property (object_class, PROP_MAX_TOKENS,
      g_param_spec_uint ("max-tokens", "Maximum of tokens",
          "Longest caption in tokens (a token is a word or a part of one); 0 = the model's limit, which also bounds larger values "
          "(default: 0)",
          0, 65535, DEFAULT_MAX_TOKENS, flags));
  g_object_class_install_property (object_class, PROP_BEAM_SIZE,
      g_param_spec_uint ("beam-size", "Beam size",
          "Sentences that are followed at the same time; 1 = greedy, the fastest; time grows with it (default: 1)", 1, 64,
          DEFAULT_BEAM_SIZE, flags));
  g_object_class_install_property (object_class, PROP_LENGTH_PENALTY,
      g_param_spec_float ("length-penalty", "Length penalty",
          "With beam-size > 1, a sentence's score is divided by its length to this power: larger values prefer longer sentences "
          "(default: 1.0)",
          -10, 10, DEFAULT_LENGTH_PENALTY, flags));

  element_class->request_new_pad = gst_upi_caption_request_new_pad;
  element_class->release_pad = gst_upi_caption_release_pad;
  element_class->change_state = gst_upi_caption_change_state;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_add_static_pad_template (element_class, &text_template);
  gst_element_class_set_static_metadata (element_class, "Uni-Perceiver v2 captions", "Filter/Analyzer/Video",
      "Says in a sentence what a frame shows: timed text on the request pad \"text\", messages on the bus, and in the frame's GstUpiMeta. "
      "Needs upiencoder before it. Example: ... ! upiencoder ! upicaption name=c ! fakesink  c.text ! webvttenc ! filesink location=a.vtt",
      "The upi authors");
}

static void
gst_upi_caption_init (GTypeInstance *instance, gpointer klass)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (instance);

  g_mutex_init (&self->lock);
  gst_upi_caption_stream_init (&self->text);
  self->interval = DEFAULT_INTERVAL;
  self->options = (UpiCaptionOptions){ DEFAULT_MAX_TOKENS, DEFAULT_BEAM_SIZE, DEFAULT_LENGTH_PENALTY };
  gst_upi_caption_schedule_reset (&self->schedule);

  self->sinkpad = gst_pad_new_from_static_template (&sink_template, "sink");
  gst_pad_set_chain_function (self->sinkpad, gst_upi_caption_chain);
  gst_pad_set_event_function (self->sinkpad, gst_upi_caption_sink_event);
  gst_pad_set_query_function (self->sinkpad, gst_upi_caption_sink_query);
  gst_pad_set_iterate_internal_links_function (self->sinkpad, gst_upi_caption_iterate_links);
  GST_PAD_SET_PROXY_CAPS (self->sinkpad);
  GST_PAD_SET_PROXY_ALLOCATION (self->sinkpad);
  GST_PAD_SET_PROXY_SCHEDULING (self->sinkpad);
  gst_element_add_pad (GST_ELEMENT (self), self->sinkpad);

  self->srcpad = gst_pad_new_from_static_template (&src_template, "src");
  gst_pad_set_iterate_internal_links_function (self->srcpad, gst_upi_caption_iterate_links);
  GST_PAD_SET_PROXY_CAPS (self->srcpad);
  GST_PAD_SET_PROXY_SCHEDULING (self->srcpad);
  gst_element_add_pad (GST_ELEMENT (self), self->srcpad);
}
