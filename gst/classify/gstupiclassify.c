/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupiclassify.c: the element that holds words and sentences against the whole frame. It never looks at pixels:
 * frames pass, results are attached. */
/**
 * SECTION:element-upiclassify
 * @title: upiclassify
 * @short_description: the whole frame against any words or sentences
 *
 * upiclassify says how probably each of `labels`, words or whole sentences, is true of the frame, from the encoding
 * that upiencoder attached. It adds the `top` best to the buffer's #GstUpiMeta (gst_upi_content_get_classes()). With
 * `scores=softmax` one of the labels is taken to be true, and the probabilities of all add up to 1: "night, day", "an
 * open gate, a closed gate". With `scores=independent` each sentence is true or not for itself: what a threshold can be
 * held against, and all may be untrue. Only models whose config.json has "calibration" know that. Words that name the
 * model's classes ("car"), or mean nearly the same ("sedan"), answer to what its regions show.
 *
 * From GStreamer 1.24 on (where the property `analytics-meta` is) the best are also a classification in the frame's
 * GstAnalyticsRelationMeta, which relates to nothing: it is of the whole frame.
 *
 * Negations and states ("the gate is not open") are not what the model was trained for: softmax over a pair tells them
 * apart better than a sentence alone.
 *
 * |[
 * gst-launch-1.0 -m filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder !
 *   upiclassify labels="an empty yard, a yard with people"
 *   interval=1000000000 ! upioverlay ! videoconvert ! autovideosink sync=false
 * gst-launch-1.0 rtspsrc location=rtsp://camera.example/ ! decodebin ! videoconvert ! upiencoder !
 *   upiclassify scores=independent
 *   labels-file=sentences.txt ! upijson location=scenes.jsonl ! fakesink
 * ]|
 *
 * When another label holds than before, an element message "upi-classification" says so: label (the new one; empty
 * where none holds any longer), previous, probability, scores, the arrays labels and probabilities (the `top` best),
 * stream, stream-time, running-time. Another label must lead by `hysteresis` to take over; of independent sentences the
 * best holds from 0.5 + hysteresis/2 until it falls below 0.5 - hysteresis/2.
 *
 * Labels may change while playing, as upidetect's: the new list takes over, whole, between two frames. While playing, a
 * list that cannot be read is a warning, and the old list stays; at the start it is an error. Two upiclassify in a row
 * add their lists. An upstream event "upi-control" (target "upiclassify", property, value, all strings) changes
 * `labels` too, if it is the nearest upiclassify above who sends it: upijson does, by orders of an MQTT broker.
 */
#include <gst/gst.h>

#include "gst/classify/best.h"
#include "gst/classify/classification.h"
#include "gst/engine-error.h"
#include "gst/filter.h"
#include "gst/labels/label-progress.h"
#include "gst/labels/label-properties.h"
#include "gst/plugin.h"
#include "gst/relation.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_classify_debug);
#define GST_CAT_DEFAULT gst_upi_classify_debug

#define GST_TYPE_UPI_CLASSIFY (gst_upi_classify_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiClassify, gst_upi_classify, GST, UPI_CLASSIFY, GstUpiFilter)

#define DEFAULT_TOP 5
#define DEFAULT_HYSTERESIS 0.1f
enum { WARNING_NOT_CALIBRATED }; /* said once a run */

typedef struct {
  GstClockTime interval;
  guint top;
  UpiScores scores;
  gfloat hysteresis;
  gboolean analytics_meta;
} Settings;

struct _GstUpiClassify {
  GstUpiFilter parent;
  GstUpiLabelProperties labels;

  /* Settings; object lock. */
  Settings settings;
  guint serial; /* counts changes */

  /* Streaming thread. */
  UpiEncoding *last_encoding; /* what the results are of */
  UpiLabels *last_labels;     /* their texts live in it */
  guint last_serial;
  GstClockTime last_time; /* running time of the frame */
  gboolean has_softmax;   /* of this run: a wish for independent scores that cannot be met leaves it */
  GArray *probabilities;  /* of gfloat, one a label */
  GArray *classes;        /* of GstUpiClass, the best */
  GstUpiBest best;
  gchar *best_label;                 /* nullable: what was said last */
  GstUpiContent *last_in, *last_out; /* frames that share a content share what is made of it */
};

enum {
  PROP_0,
  PROP_LABELS,
  PROP_LABELS_FILE,
  PROP_INTERVAL,
  PROP_TOP,
  PROP_SCORES,
  PROP_HYSTERESIS,
  PROP_ANALYTICS_META
};

G_DEFINE_TYPE (GstUpiClassify, gst_upi_classify, GST_TYPE_UPI_FILTER)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upiclassify, "upiclassify", GST_RANK_NONE, GST_TYPE_UPI_CLASSIFY,
    GST_DEBUG_CATEGORY_INIT (
        gst_upi_classify_debug, "upiclassify", 0, "holds words and sentences against encoded frames"))

static void
on_progress (guint done, guint total, gboolean waits, gpointer user_data)
{
  gst_upi_label_progress_post (user_data, done, total);
}

static void
forget_shared (GstUpiClassify *self)
{
  g_clear_pointer (&self->last_in, gst_upi_content_unref);
  g_clear_pointer (&self->last_out, gst_upi_content_unref);
}

static void
forget_results (GstUpiClassify *self)
{
  forget_shared (self);
  g_clear_pointer (&self->last_encoding, upi_encoding_unref);
  g_clear_pointer (&self->last_labels, upi_labels_unref);
  g_array_set_size (self->classes, 0);
  g_array_set_size (self->probabilities, 0);
}

static void
say_best (GstUpiClassify *self, const GstUpiFilterFrame *frame, UpiScores scores)
{
  const guint best = self->best.label;
  const gchar *label = best != GST_UPI_NO_LABEL ? upi_labels_name (self->last_labels, best) : "";
  const gfloat probability = best != GST_UPI_NO_LABEL ? g_array_index (self->probabilities, gfloat, best) : 0;

  GST_DEBUG_OBJECT (self, "\"%s\" holds", label);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self),
          gst_upi_classification_new (frame, label, self->best_label, probability, scores,
              (const GstUpiClass *) self->classes->data, self->classes->len)));
  g_free (self->best_label);
  self->best_label = g_strdup (label);
}

/* Whether what is known is still what the settings ask for. */
static gboolean
is_fresh (
    GstUpiClassify *self, const GstUpiFilterFrame *frame, UpiLabels *labels, const Settings *settings, guint serial)
{
  GstClockTime now = frame->time.running_time, last = self->last_time;

  if (self->last_labels != labels || self->last_serial != serial)
    return FALSE;
  if (self->last_encoding == frame->encoding)
    return TRUE;
  return settings->interval > 0 && GST_CLOCK_TIME_IS_VALID (now) && GST_CLOCK_TIME_IS_VALID (last) && now >= last
      && now - last < settings->interval;
}

static gboolean
classify (GstUpiClassify *self, const GstUpiFilterFrame *frame, UpiLabels *labels, const Settings *settings,
    guint serial, UpiScores scores, GError **error)
{
  UpiClassifyOptions options = { .size = sizeof options, .scores = scores };

  if (is_fresh (self, frame, labels, settings, serial))
    return TRUE;
  if (self->last_labels != labels) /* another list: what held says nothing of it */
    gst_upi_best_forget (&self->best);
  forget_results (self);
  g_array_set_size (self->probabilities, upi_labels_count (labels));
  if (!upi_engine_classify_with_options (upi_encoding_engine (frame->encoding), frame->encoding, labels, &options,
          (gfloat *) self->probabilities->data, error)) {
    forget_results (self);
    return FALSE;
  }
  self->last_encoding = upi_encoding_ref (frame->encoding);
  self->last_labels = upi_labels_ref (labels);
  self->last_serial = serial;
  self->last_time = frame->time.running_time;
  gboolean changed = gst_upi_best_take (&self->best, (const gfloat *) self->probabilities->data,
      self->probabilities->len, scores == UPI_SCORES_INDEPENDENT, settings->hysteresis);
  if (!gst_upi_classification_fill (self->classes, self->probabilities, settings->top, labels, self->best.label, scores,
          gst_upi_content_get_inference_pts (frame->content), error)) {
    forget_results (self);
    return FALSE;
  }
  if (changed)
    say_best (self, frame, scores);
  return TRUE;
}

/* What can be had of what is wished for. FALSE: nothing, from the start. */
static gboolean
choose_scores (GstUpiClassify *self, UpiEngine *engine, UpiScores wished, UpiScores *scores, GError **error)
{
  *scores = wished;
  self->has_softmax = self->has_softmax || wished == UPI_SCORES_SOFTMAX;
  if (wished == UPI_SCORES_SOFTMAX || upi_engine_info (engine)->independent_scores)
    return TRUE;
  gst_upi_classification_set_not_calibrated (engine, error);
  *scores = UPI_SCORES_SOFTMAX;
  return self->has_softmax;
}

static GstFlowReturn
gst_upi_classify_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (filter);
  g_autoptr (GError) error = NULL;
  UpiScores scores;

  if (frame->encoding == NULL)
    return GST_FLOW_OK;
  GST_OBJECT_LOCK (self);
  Settings settings = self->settings;
  guint serial = self->serial;
  GST_OBJECT_UNLOCK (self);
  UpiEngine *engine = upi_encoding_engine (frame->encoding);
  if (!choose_scores (self, engine, settings.scores, &scores, &error))
    return gst_upi_filter_fail (filter, TRUE, error);
  if (error != NULL && gst_upi_filter_is_first (filter, WARNING_NOT_CALIBRATED))
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS, ("%s The scores before stay: softmax.", error->message), (NULL));
  g_clear_error (&error);
  g_autoptr (UpiLabels) labels =
      gst_upi_label_encoder_get (self->labels.encoder, engine, frame->may_wait, on_progress, self, &error);
  if (labels == NULL && error != NULL) /* none ever */
    return gst_upi_filter_fail (filter, TRUE, error);
  if (labels == NULL) /* none yet, or a flush */
    return GST_FLOW_OK;
  if (error != NULL) {
    GST_UPI_WARNING (self, error);
    g_clear_error (&error);
  }
  if (!classify (self, frame, labels, &settings, serial, scores, &error))
    return gst_upi_filter_fail (filter, frame->may_wait, error);
  if (self->last_in != frame->content) {
    forget_shared (self);
    self->last_in = gst_upi_content_ref (frame->content);
    self->last_out =
        gst_upi_content_add_classes (frame->content, (const GstUpiClass *) self->classes->data, self->classes->len);
  }
  *content = gst_upi_content_ref (self->last_out);
  return GST_FLOW_OK;
}

#ifdef HAVE_GST_ANALYTICS
static void
gst_upi_classify_attach (
    GstUpiFilter *filter, GstBuffer *buffer, const GstUpiFilterFrame *frame, GstUpiContent *content)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (filter);

  GST_OBJECT_LOCK (self);
  const gboolean wanted = self->settings.analytics_meta;
  GST_OBJECT_UNLOCK (self);
  if (wanted)
    gst_upi_relation_write_classes (buffer, (const GstUpiClass *) self->classes->data, self->classes->len);
}
#endif

static void
gst_upi_classify_unlock (GstUpiFilter *filter)
{
  gst_upi_label_encoder_set_flushing (GST_UPI_CLASSIFY (filter)->labels.encoder, TRUE);
}

static void
gst_upi_classify_unlock_stop (GstUpiFilter *filter)
{
  gst_upi_label_encoder_set_flushing (GST_UPI_CLASSIFY (filter)->labels.encoder, FALSE);
}

static gboolean
gst_upi_classify_control (GstUpiFilter *filter, const gchar *property, const gchar *value)
{
  return gst_upi_label_properties_control (GST_ELEMENT (filter), property, value);
}

static void
gst_upi_classify_reset (GstUpiFilter *filter)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (filter);

  forget_results (self);
  gst_upi_best_forget (&self->best);
  g_clear_pointer (&self->best_label, g_free);
}

static gboolean
gst_upi_classify_start (GstUpiFilter *filter)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (filter);

  self->has_softmax = FALSE;
  gst_upi_best_forget (&self->best);
  return gst_upi_label_properties_start (&self->labels, GST_ELEMENT (filter));
}

static void
gst_upi_classify_stop (GstUpiFilter *filter)
{
  gst_upi_label_properties_stop (&GST_UPI_CLASSIFY (filter)->labels, GST_ELEMENT (filter));
}

static void
gst_upi_classify_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_LABELS:
    gst_upi_label_properties_set_labels (&self->labels, value);
    break;
  case PROP_LABELS_FILE:
    gst_upi_label_properties_set_file (&self->labels, value);
    break;
  case PROP_INTERVAL:
    self->settings.interval = g_value_get_uint64 (value);
    break;
  case PROP_TOP:
    self->settings.top = g_value_get_uint (value);
    break;
  case PROP_SCORES:
    self->settings.scores = (UpiScores) g_value_get_enum (value);
    break;
  case PROP_HYSTERESIS:
    self->settings.hysteresis = g_value_get_float (value);
    break;
  case PROP_ANALYTICS_META:
    self->settings.analytics_meta = g_value_get_boolean (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  self->serial++;
  GST_OBJECT_UNLOCK (self);
  if (id == PROP_LABELS || id == PROP_LABELS_FILE)
    gst_upi_label_properties_changed (&self->labels, GST_ELEMENT (self));
}

static void
gst_upi_classify_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_LABELS:
    g_value_set_string (value, self->labels.labels);
    break;
  case PROP_LABELS_FILE:
    g_value_set_string (value, self->labels.file);
    break;
  case PROP_INTERVAL:
    g_value_set_uint64 (value, self->settings.interval);
    break;
  case PROP_TOP:
    g_value_set_uint (value, self->settings.top);
    break;
  case PROP_SCORES:
    g_value_set_enum (value, (gint) self->settings.scores);
    break;
  case PROP_HYSTERESIS:
    g_value_set_float (value, self->settings.hysteresis);
    break;
  case PROP_ANALYTICS_META:
    g_value_set_boolean (value, self->settings.analytics_meta);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_classify_finalize (GObject *object)
{
  GstUpiClassify *self = GST_UPI_CLASSIFY (object);

  forget_results (self);
  g_array_unref (self->classes);
  g_array_unref (self->probabilities);
  gst_upi_label_properties_clear (&self->labels);
  g_free (self->best_label);
  G_OBJECT_CLASS (gst_upi_classify_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  /**
   * GstUpiClassify:labels:
   *
   * Words or sentences of the list, separated by commas.
   */
  g_object_class_install_property (object_class, PROP_LABELS,
      g_param_spec_string ("labels", "Labels",
          "Words or sentences to hold against the frame, separated by commas; may change while playing; the later set "
          "of labels and labels-file counts (default: the model's own list)",
          NULL, live));
  /**
   * GstUpiClassify:labels-file:
   *
   * The same from a file, a line each.
   */
  g_object_class_install_property (object_class, PROP_LABELS_FILE,
      g_param_spec_string ("labels-file", "Labels file",
          "Text file with one word or sentence a line; there it may have commas; what stands behind a tab does not "
          "count here (default: none)",
          NULL, live));
  /**
   * GstUpiClassify:interval:
   *
   * How often the frame is classified.
   */
  g_object_class_install_property (object_class, PROP_INTERVAL,
      g_param_spec_uint64 ("interval", "Interval",
          "Time between two classifications, nanoseconds; the frames in between carry the last results; 0 = every "
          "encoded frame (default: 0)",
          0, G_MAXUINT64, 0, live));
  /**
   * GstUpiClassify:top:
   *
   * How much of the list a frame carries.
   */
  g_object_class_install_property (object_class, PROP_TOP,
      g_param_spec_uint ("top", "Top", "How many labels a frame gets, best first; 0 = all (default: 5)", 0, G_MAXUINT,
          DEFAULT_TOP, live));
  /**
   * GstUpiClassify:scores:
   *
   * Shares of a list, or each label for itself.
   */
  g_object_class_install_property (object_class, PROP_SCORES,
      g_param_spec_enum ("scores", "Scores",
          "What a probability says: softmax = one of the labels is true; independent = each is true or not, which "
          "needs a model with calibration (default: softmax)",
          GST_TYPE_UPI_CLASSIFY_SCORES, UPI_SCORES_SOFTMAX, live));
  /**
   * GstUpiClassify:hysteresis:
   *
   * What keeps two labels that are nearly alike from taking turns.
   */
  g_object_class_install_property (object_class, PROP_HYSTERESIS,
      g_param_spec_float ("hysteresis", "Hysteresis",
          "By how much another label must lead, 0..1, for a message that it holds now (default: 0.1)", 0, 1,
          DEFAULT_HYSTERESIS, live));
#ifdef HAVE_GST_ANALYTICS
  gst_upi_relation_install_property (object_class, PROP_ANALYTICS_META);
#endif
}

static void
gst_upi_classify_class_init (GstUpiClassifyClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);

  object_class->set_property = gst_upi_classify_set_property;
  object_class->get_property = gst_upi_classify_get_property;
  object_class->finalize = gst_upi_classify_finalize;
  filter_class->reads_encoding = TRUE;
  filter_class->start = gst_upi_classify_start;
  filter_class->stop = gst_upi_classify_stop;
  filter_class->unlock = gst_upi_classify_unlock;
  filter_class->unlock_stop = gst_upi_classify_unlock_stop;
  filter_class->process = gst_upi_classify_process;
#ifdef HAVE_GST_ANALYTICS
  filter_class->attach = gst_upi_classify_attach;
#endif
  filter_class->reset = gst_upi_classify_reset;
  filter_class->control = gst_upi_classify_control;
  install_properties (object_class);
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Uni-Perceiver v2 classifier",
      "Filter/Analyzer/Video",
      "Says how probably each of any words or sentences is true of the whole frame, from the encoding of an upiencoder "
      "before it. Example: ... ! upiencoder ! upiclassify labels=\"night, day\" ! upijson location=- ! fakesink",
      "The upi authors");
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_CLASSIFY_SCORES, 0);
}

static void
gst_upi_classify_init (GstUpiClassify *self)
{
  gst_upi_label_properties_init (&self->labels);
  self->settings = (Settings){
    .top = DEFAULT_TOP, .scores = UPI_SCORES_SOFTMAX, .hysteresis = DEFAULT_HYSTERESIS, .analytics_meta = TRUE
  };
  self->probabilities = g_array_new (FALSE, TRUE, sizeof (gfloat));
  self->classes = g_array_new (FALSE, FALSE, sizeof (GstUpiClass));
  gst_upi_best_forget (&self->best);
}
