/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupicaption.c: captions from the encoding, on a text pad, on the bus and in the GstUpiMeta: pads, events, states
 * and properties. What happens to a frame is in frames.c; the text stream is stream.c and its pad pad.c. */
/**
 * SECTION:element-upicaption
 * @title: upicaption
 * @short_description: says in a sentence what a frame shows
 *
 * Reads the encoding that upiencoder attached and puts the caption where it is wanted: on the request pad `text` as
 * timed text (text/x-raw, format=utf8) for textoverlay, matroskamux, mp4mux, webvttenc or srtenc; into the GstUpiMeta
 * for upioverlay and upijson; and on the bus, as element messages `upi-caption-partial` while its words are found and
 * `upi-caption` when it is complete. Both messages hold `text` (string), `stream` (guint; counts streams from 1) and,
 * all guint64 in nanoseconds, `stream-time` and `running-time` (where it starts), `duration`, `pts` (of the frame that
 * it starts with) and `described-pts` (of the frame that it describes).
 *
 * Captions are grounded: several candidates are decoded as one batch, and the one is taken that is likely, fits the
 * frame and names what its regions show. Each such word carries the region that shows it best, in the GstUpiMeta
 * (#GstUpiCaptionRegion), in the lines of upijson, and in the message `upi-caption` as a list `regions` of structures
 * with `word`, `first` and `bytes` (where it lies in the text), `label`, `score`, `x`, `y`, `width` and `height`; the
 * message's `grounded` (gboolean) tells whether it was. upidetect is not needed for it, and its labels do not count:
 * words are looked up in the model's own table. A model without one has the likeliest sentence as its caption, as
 * #GstUpiCaption:grounded=false has; so has #GstUpiCaption:beam-size above 1, with a beam in place of candidates.
 * Partial captions are those of the first candidate: another one may win.
 *
 * A caption leaves before its frame, with a duration of #GstUpiCaption:interval; every frame that starts no caption is
 * a GAP on the text pad. In the GstUpiMeta a caption stays until the next one takes its place. Where upiencoder runs
 * with policy `block`, frames wait for their caption; with `latest` they never do, and the caption starts at the next
 * frame that leaves after it is complete.
 *
 * The PTS on the text pad are stream times, which are where the caption is in the video, and the pad's segment turns
 * them into the running times of the video's frames: subtitle files print the one, muxers and overlays go by the other.
 * In reverse playback each caption has a segment of its own and covers the part of the video that is shown from its
 * frame on. With #GstUpiCaption:text-time=running PTS are running times instead, so that the cues of a playlist
 * (concat) go on in one file.
 *
 * Frames without PTS are counted: each lasts for its duration, or one frame of the caps' framerate, or, where neither
 * is known, an interval.
 *
 * What is known of a stream (the caption, the one on its way, when the next is due) ends at a flush, with a new stream
 * (STREAM_START, as between two streams of concat), and at a SEGMENT after which stream time is more than a second
 * elsewhere or runs the other way.
 *
 * ## Examples
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upicaption name=c ! fakesink \
 *     c.text ! webvttenc ! filesink location=yard.vtt
 * ]|
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upicaption name=c \
 *     ! queue ! videoconvert ! x264enc ! h264parse ! mux.   c.text ! queue ! mp4mux name=mux !
 *       filesink location=yard.mp4
 * ]|
 * mp4mux and qtmux need the `queue` on the video branch.
 */
#include <gst/video/video.h>

#include "gst/caption/private.h"
#include "gst/plugin.h"

GST_DEBUG_CATEGORY (gst_upi_caption_debug);
#define GST_CAT_DEFAULT gst_upi_caption_debug

#define DEFAULT_INTERVAL GST_SECOND
#define DEFAULT_MAX_TOKENS 0
#define DEFAULT_BEAM_SIZE 1
#define DEFAULT_LENGTH_PENALTY 1.0f
#define DEFAULT_GROUNDED TRUE
#define DEFAULT_CANDIDATES 0
#define DEFAULT_TEXT_TIME GST_UPI_TEXT_TIME_STREAM

enum {
  PROP_0,
  PROP_INTERVAL,
  PROP_MAX_TOKENS,
  PROP_BEAM_SIZE,
  PROP_LENGTH_PENALTY,
  PROP_GROUNDED,
  PROP_CANDIDATES,
  PROP_TEXT_TIME,
  PROP_STATS
};

static gpointer gst_upi_caption_parent_class;
static void gst_upi_caption_class_init (gpointer klass, gpointer data);
static void gst_upi_caption_init (GTypeInstance *instance, gpointer klass);

/* G_DEFINE_FINAL_TYPE() but for the name: GStreamer calls elements after their type (upicaption0), and the C name
 * GstUpiCaption belongs to a structure of gstupimeta.h. */
GType
gst_upi_caption_get_type (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type,
        g_type_register_static_simple (GST_TYPE_UPI_FILTER, g_intern_static_string ("GstUpiCaption"),
            sizeof (GstUpiCaptionElementClass), gst_upi_caption_class_init, sizeof (GstUpiCaptionElement),
            gst_upi_caption_init, G_TYPE_FLAG_FINAL));
  return type;
}

GST_ELEMENT_REGISTER_DEFINE (upicaption, "upicaption", GST_RANK_NONE, GST_TYPE_UPI_CAPTION)

#define GST_TYPE_UPI_TEXT_TIME (gst_upi_text_time_get_type ())
static GType
gst_upi_text_time_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_TEXT_TIME_STREAM,
        "PTS are stream times: where the caption is in the video; each item of a playlist begins anew", "stream" },
    { GST_UPI_TEXT_TIME_RUNNING, "PTS are running times: how long was played; the items of a playlist go on",
        "running" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiTextTime", values));
  return type;
}

static GstStaticPadTemplate text_template =
    GST_STATIC_PAD_TEMPLATE ("text", GST_PAD_SRC, GST_PAD_REQUEST, GST_STATIC_CAPS ("text/x-raw, format=(string)utf8"));

/* Every event goes the video's way as it is; the text stream has its own, made from these. */
static void
gst_upi_caption_event (GstUpiFilter *filter, GstEvent *event)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (filter);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    gst_upi_caption_cancel (self, FALSE);
  gst_upi_caption_stream_take_event (&self->text, event, gst_upi_filter_get_time (filter));
}

/* Frames wait for their captions, and so do the captions. */
static gboolean
gst_upi_caption_text_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_LATENCY)
    return gst_upi_filter_query_latency (GST_UPI_FILTER (parent), query);
  return gst_pad_query_default (pad, parent, query);
}

/* What the video's upstream asks is answered by the video's downstream; the text pad is none of its business. */
static GstIterator *
gst_upi_caption_iterate_links (GstPad *pad, GstObject *parent)
{
  GstPad *other = GST_PAD_IS_SINK (pad) ? GST_BASE_TRANSFORM_SRC_PAD (parent) : GST_BASE_TRANSFORM_SINK_PAD (parent);
  GValue value = G_VALUE_INIT;

  g_value_init (&value, GST_TYPE_PAD);
  g_value_set_object (&value, other);
  GstIterator *iterator = gst_iterator_new_single (GST_TYPE_PAD, &value);
  g_value_unset (&value);
  return iterator;
}

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
  gst_pad_set_query_function (pad, gst_upi_caption_text_query);
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

static gboolean
gst_upi_caption_start (GstUpiFilter *filter)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (filter);

  GST_OBJECT_LOCK (self);
  GstUpiTextTime text_time = self->text_time;
  self->n_captions = self->n_failed = self->n_lost = 0;
  GST_OBJECT_UNLOCK (self);
  gst_upi_caption_stream_reset (&self->text, text_time);
  gst_upi_caption_reset_latency (self);
  return TRUE;
}

static void
gst_upi_caption_stop (GstUpiFilter *filter)
{
  gst_upi_caption_stream_reset (&GST_UPI_CAPTION (filter)->text, GST_UPI_TEXT_TIME_STREAM);
}

/* A frame that waits for its caption holds the streaming thread. */
static void
gst_upi_caption_unlock (GstUpiFilter *filter)
{
  gst_upi_caption_cancel (GST_UPI_CAPTION (filter), TRUE);
}

static void
gst_upi_caption_unlock_stop (GstUpiFilter *filter)
{
  gst_upi_caption_accept (GST_UPI_CAPTION (filter));
}

static void
gst_upi_caption_reset (GstUpiFilter *filter)
{
  gst_upi_caption_forget (GST_UPI_CAPTION (filter));
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
    self->more_latency = FALSE; /* the next caption may take less */
    break;
  case PROP_BEAM_SIZE:
    self->options.beam_size = g_value_get_uint (value);
    self->more_latency = FALSE;
    break;
  case PROP_LENGTH_PENALTY:
    self->options.length_penalty = g_value_get_float (value);
    break;
  case PROP_GROUNDED:
    self->options.grounded = g_value_get_boolean (value);
    self->more_latency = FALSE;
    break;
  case PROP_CANDIDATES:
    self->options.candidates = g_value_get_uint (value);
    self->more_latency = FALSE;
    break;
  case PROP_TEXT_TIME:
    self->text_time = g_value_get_enum (value);
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
  case PROP_GROUNDED:
    g_value_set_boolean (value, self->options.grounded);
    break;
  case PROP_CANDIDATES:
    g_value_set_uint (value, self->options.candidates);
    break;
  case PROP_TEXT_TIME:
    g_value_set_enum (value, self->text_time);
    break;
  case PROP_STATS:
    g_value_take_boxed (value,
        gst_structure_new ("upi-caption-stats", "captions", G_TYPE_UINT64, self->n_captions, "failed", G_TYPE_UINT64,
            self->n_failed, "lost", G_TYPE_UINT64, self->n_lost, NULL));
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

  gst_upi_caption_forget (self);
  gst_upi_caption_stream_clear (&self->text);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gst_upi_caption_parent_class)->finalize (object);
}

static void
gst_upi_caption_class_init (gpointer klass, gpointer data)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  gst_upi_caption_parent_class = g_type_class_peek_parent (klass);
  GST_DEBUG_CATEGORY_INIT (gst_upi_caption_debug, "upicaption", 0, "captions from the encoding");
  object_class->set_property = gst_upi_caption_set_property;
  object_class->get_property = gst_upi_caption_get_property;
  object_class->finalize = gst_upi_caption_finalize;

  /**
   * GstUpiCaption:interval:
   *
   * Nanoseconds of stream time from one caption to the next; the text buffers' duration, too.
   */
  g_object_class_install_property (object_class, PROP_INTERVAL,
      g_param_spec_uint64 ("interval", "Interval",
          "Nanoseconds from the start of one caption to the next, and how long each is shown; 0 = one for every "
          "encoded frame "
          "(default: 1000000000, one second)",
          0, G_MAXINT64, DEFAULT_INTERVAL, flags));
  /**
   * GstUpiCaption:max-tokens:
   *
   * Tokens after which a sentence is cut off; 0 and more than the model's limit are that limit.
   */
  g_object_class_install_property (object_class, PROP_MAX_TOKENS,
      g_param_spec_uint ("max-tokens", "Maximum of tokens",
          "Longest caption in tokens (a token is a word or a part of one); 0 = the model's limit, which also bounds "
          "larger values "
          "(default: 0)",
          0, 65535, DEFAULT_MAX_TOKENS, flags));
  /**
   * GstUpiCaption:beam-size:
   *
   * Width of the beam search, 1 (greedy) to UPI_MAX_BEAM_SIZE. A frame of policy=block waits longer with each.
   */
  g_object_class_install_property (object_class, PROP_BEAM_SIZE,
      g_param_spec_uint ("beam-size", "Beam size",
          "Sentences that are followed at the same time; time grows with it; with more than 1 captions are not "
          "grounded (default: 1)",
          1, UPI_MAX_BEAM_SIZE, DEFAULT_BEAM_SIZE, flags));
  /**
   * GstUpiCaption:length-penalty:
   *
   * Exponent of the length that a sentence's score is divided by, 0 to UPI_MAX_LENGTH_PENALTY; without meaning where
   * beam-size is 1.
   */
  g_object_class_install_property (object_class, PROP_LENGTH_PENALTY,
      g_param_spec_float ("length-penalty", "Length penalty",
          "With beam-size > 1, a sentence's score is divided by its length to this power: larger values prefer longer "
          "sentences "
          "(default: 1.0)",
          0, UPI_MAX_LENGTH_PENALTY, DEFAULT_LENGTH_PENALTY, flags));
  /**
   * GstUpiCaption:grounded:
   *
   * Whether sentences are ranked by what the frame's regions show. It takes a model with a table of words, and
   * beam-size=1.
   */
  g_object_class_install_property (object_class, PROP_GROUNDED,
      g_param_spec_boolean ("grounded", "Grounded",
          "Captions answer to the regions: of several candidates the one is taken whose words are seen in the frame, "
          "and its words carry "
          "their regions; false = the likeliest sentence, which is faster; a model without a table of words has only "
          "those (default: true)",
          DEFAULT_GROUNDED, flags));
  /**
   * GstUpiCaption:candidates:
   *
   * How many sentences a grounded caption is chosen from, up to UPI_MAX_CANDIDATES; 0: what the model's config.json
   * says.
   */
  g_object_class_install_property (object_class, PROP_CANDIDATES,
      g_param_spec_uint ("candidates", "Candidates",
          "Sentences that a grounded caption is chosen from; time grows with it; 0 = as many as the model's config "
          "says (default: 0)",
          0, UPI_MAX_CANDIDATES, DEFAULT_CANDIDATES, flags));
  /**
   * GstUpiCaption:text-time:
   *
   * What PTS on the pad "text" are: stream times, or running times for a playlist's subtitles. Read at READY→PAUSED.
   */
  g_object_class_install_property (object_class, PROP_TEXT_TIME,
      g_param_spec_enum ("text-time", "Text time",
          "What the timestamps on the text pad count, which is what subtitle files print: stream (the place in the "
          "video) or running (the "
          "time played, which goes on from one item of a playlist to the next); muxers and overlays get the same from "
          "both; a change "
          "counts "
          "from the next start (default: stream)",
          GST_TYPE_UPI_TEXT_TIME, DEFAULT_TEXT_TIME,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_TEXT_TIME, 0);
  /**
   * GstUpiCaption:stats:
   *
   * GstStructure upi-caption-stats of guint64: captions, failed, lost; from 0 at each start.
   */
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Structure of counters since the element started: captions, failed (the engine had an error), lost (nobody "
          "took them from the "
          "text "
          "pad, and thousands waited)",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  element_class->request_new_pad = gst_upi_caption_request_new_pad;
  element_class->release_pad = gst_upi_caption_release_pad;
  filter_class->reads_encoding = TRUE;
  filter_class->start = gst_upi_caption_start;
  filter_class->stop = gst_upi_caption_stop;
  filter_class->unlock = gst_upi_caption_unlock;
  filter_class->unlock_stop = gst_upi_caption_unlock_stop;
  filter_class->process = gst_upi_caption_process;
  filter_class->reset = gst_upi_caption_reset;
  filter_class->event = gst_upi_caption_event;
  filter_class->gap = gst_upi_caption_gap;
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_add_static_pad_template (element_class, &text_template);
  gst_element_class_set_static_metadata (element_class, "Uni-Perceiver v2 captions", "Filter/Analyzer/Video",
      "Says in a sentence what a frame shows: timed text on the request pad \"text\", messages on the bus, and in the "
      "frame's GstUpiMeta. "
      "Needs upiencoder before it. Example: ... ! upiencoder ! upicaption name=c ! fakesink  c.text ! webvttenc ! "
      "filesink location=a.vtt",
      "The upi authors");
}

static void
gst_upi_caption_init (GTypeInstance *instance, gpointer klass)
{
  GstUpiCaptionElement *self = GST_UPI_CAPTION (instance);

  g_mutex_init (&self->lock);
  gst_upi_caption_stream_init (&self->text);
  self->interval = DEFAULT_INTERVAL;
  self->options = (UpiCaptionOptions){ .size = sizeof (UpiCaptionOptions),
    .max_tokens = DEFAULT_MAX_TOKENS,
    .beam_size = DEFAULT_BEAM_SIZE,
    .length_penalty = DEFAULT_LENGTH_PENALTY,
    .grounded = DEFAULT_GROUNDED,
    .candidates = DEFAULT_CANDIDATES };
  gst_upi_caption_forget (self);

  GstPad *sinkpad = GST_BASE_TRANSFORM_SINK_PAD (self);
  self->chain = GST_PAD_CHAINFUNC (sinkpad);
  gst_pad_set_chain_function (sinkpad, gst_upi_caption_chain);
  gst_pad_set_iterate_internal_links_function (sinkpad, gst_upi_caption_iterate_links);
  gst_pad_set_iterate_internal_links_function (GST_BASE_TRANSFORM_SRC_PAD (self), gst_upi_caption_iterate_links);
}
