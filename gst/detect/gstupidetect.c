/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupidetect.c: the element that finds objects in an encoding. It never looks at pixels: frames pass, results are
 * attached. */
/**
 * SECTION:element-upidetect
 * @title: upidetect
 * @short_description: objects of any classes that words can say, with boxes and masks
 *
 * upidetect compares the regions of the encoding that upiencoder attached with a list of labels: any words. It adds the
 * objects it finds to the buffer's #GstUpiMeta and, with `roi-meta`, as #GstVideoRegionOfInterestMeta in pixels, whose
 * parameter structure "detection" has confidence, label_id, x_min, y_min, x_max, y_max (0..1 of the frame).
 *
 * From GStreamer 1.24 on (where the property `analytics-meta` is) the objects are also in the frame's
 * GstAnalyticsRelationMeta, which GStreamer's own overlays and converters read: an object detection with label, box in
 * pixels and score; from 1.26 on related to its mask (detection CONTAIN mask, instance segmentation of two regions: 0
 * and 1 to 10, by the object's number, so that segmentationoverlay has a colour for it); behind upitrack to its track
 * (detection RELATE_TO track). What others put there stays.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder !
 *   upidetect labels="person, bicycle, red car" !
 *   upijson location=objects.jsonl ! fakesink
 * ]|
 *
 * Labels may change while playing: the new list is encoded beside the stream and takes over, whole, between two frames;
 * until then the old one holds. A list of thousands is encoded in batches, behind the frames: with policy "block" the
 * first frame waits for it and PROGRESS messages (code "labels") say how far it is, with "latest" frames pass without
 * objects until it is there; an element message "upi-labels-progress" (done, total) comes in both cases. While playing,
 * a list that cannot be read is a warning, and the old list stays; at the start it is an error. Two upidetect in a row
 * add their objects. An upstream event "upi-control" (target "upidetect", property, value, all strings) changes
 * `labels` and `enabled` too, if it is the nearest upidetect above who sends it: upijson does, by orders of an MQTT
 * broker.
 */
#include <gst/gst.h>
#include <gst/video/video.h>

#include "gst/detect/detections.h"
#include "gst/detect/properties.h"
#include "gst/engine-error.h"
#include "gst/filter.h"
#include "gst/labels/label-progress.h"
#include "gst/labels/label-properties.h"
#include "gst/plugin.h"
#include "gst/reader-query.h"
#include "gst/relation.h"
#include "gst/roi.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_detect_debug);
#define GST_CAT_DEFAULT gst_upi_detect_debug

#define GST_TYPE_UPI_DETECT (gst_upi_detect_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiDetect, gst_upi_detect, GST, UPI_DETECT, GstUpiFilter)

struct _GstUpiDetect {
  GstUpiFilter parent;
  GstUpiLabelProperties labels;

  /* Settings; object lock. */
  UpiDetectOptions options; /* threshold < 0: the model's */
  gboolean roi_meta, analytics_meta, enabled;
  guint serial; /* counts changes */

  /* Streaming thread. */
  gboolean in_progress;       /* a PROGRESS message has begun that must be ended */
  UpiEncoding *last_encoding; /* what last_detections were found in */
  UpiDetections *last_detections;
  UpiLabels *last_labels;
  guint last_serial;
  gboolean last_candidates; /* they were asked for */
  gfloat last_threshold;
  GstUpiContent *last_in, *last_out; /* frames that share a content share what is made of it */
};

G_DEFINE_TYPE (GstUpiDetect, gst_upi_detect, GST_TYPE_UPI_FILTER)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upidetect, "upidetect", GST_RANK_NONE, GST_TYPE_UPI_DETECT,
    GST_DEBUG_CATEGORY_INIT (gst_upi_detect_debug, "upidetect", 0, "finds objects in encoded frames"))

static void
forget_results (GstUpiDetect *self)
{
  g_clear_pointer (&self->last_encoding, upi_encoding_unref);
  g_clear_pointer (&self->last_detections, upi_detections_unref);
  g_clear_pointer (&self->last_labels, upi_labels_unref);
  g_clear_pointer (&self->last_in, gst_upi_content_unref);
  g_clear_pointer (&self->last_out, gst_upi_content_unref);
}

/* Objects of @encoding for @labels, kept for the next frame that shares them. */
static gboolean
detect (GstUpiDetect *self, UpiEncoding *encoding, UpiLabels *labels, const UpiDetectOptions *settings, guint serial,
    GError **error)
{
  UpiEngine *engine = upi_encoding_engine (encoding);
  UpiDetectOptions options = *settings;

  /* somebody downstream tracks: what scores too low to be shown may still go on with a track */
  const gboolean candidates = options.candidate_threshold > 0
      && gst_upi_reader_query_ask (GST_BASE_TRANSFORM_SRC_PAD (self), GST_UPI_QUERY_CANDIDATE_READER);
  if (self->last_encoding == encoding && self->last_labels == labels && self->last_serial == serial
      && self->last_candidates == candidates)
    return TRUE;
  forget_results (self);
  if (options.threshold < 0)
    options.threshold = upi_engine_info (engine)->threshold;
  if (!candidates)
    options.candidate_threshold = 0;
  options.cross_label_iou = MAX (options.cross_label_iou, 1e-6f); /* 0 means none there */
  self->last_detections = upi_engine_detect (engine, encoding, labels, &options, error);
  if (self->last_detections == NULL)
    return FALSE;
  self->last_encoding = upi_encoding_ref (encoding);
  self->last_labels = upi_labels_ref (labels);
  self->last_serial = serial;
  self->last_candidates = candidates;
  self->last_threshold = options.threshold;
  return TRUE;
}

static void
gst_upi_detect_attach (GstUpiFilter *filter, GstBuffer *buffer, const GstUpiFilterFrame *frame, GstUpiContent *content)
{
  GstUpiDetect *self = GST_UPI_DETECT (filter);
  guint n_before, n;

  GST_OBJECT_LOCK (self);
  gboolean roi_meta = self->roi_meta;
#ifdef HAVE_GST_ANALYTICS
  gboolean analytics_meta = self->analytics_meta;
#endif
  GST_OBJECT_UNLOCK (self);
  gst_upi_content_get_objects (frame->content, &n_before);
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);
  for (guint i = n_before; roi_meta && i < n; i++)
    gst_upi_roi_add (buffer, &objects[i], frame->width, frame->height);
#ifdef HAVE_GST_ANALYTICS
  if (analytics_meta)
    gst_upi_relation_write_objects (buffer, objects + n_before, n - n_before, frame->width, frame->height, FALSE);
#endif
}

/* What was found joins @content as last_out. */
static gboolean
add_objects (GstUpiDetect *self, GstUpiContent *content, UpiLabels *labels, GError **error)
{
  if (self->last_in == content)
    return TRUE;
  GstUpiContent *out = gst_upi_detections_add (content, self->last_detections, labels, self->last_threshold, error);
  if (out == NULL)
    return FALSE;
  g_clear_pointer (&self->last_in, gst_upi_content_unref);
  g_clear_pointer (&self->last_out, gst_upi_content_unref);
  self->last_in = gst_upi_content_ref (content);
  self->last_out = out;
  return TRUE;
}

/* A long list is on its way. */
static void
on_progress (guint done, guint total, gboolean waits, gpointer user_data)
{
  GstUpiDetect *self = user_data;

  gst_upi_label_progress_post (GST_ELEMENT (self), done, total);
  if (waits)
    gst_upi_label_progress_wait (GST_ELEMENT (self), &self->in_progress, done, total);
}

static GstFlowReturn
gst_upi_detect_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  GstUpiDetect *self = GST_UPI_DETECT (filter);
  g_autoptr (GError) error = NULL;

  if (frame->encoding == NULL)
    return GST_FLOW_OK;
  GST_OBJECT_LOCK (self);
  UpiDetectOptions options = self->options;
  guint serial = self->serial;
  gboolean enabled = self->enabled;
  GST_OBJECT_UNLOCK (self);
  if (!enabled)
    return GST_FLOW_OK;
  g_autoptr (UpiLabels) labels = gst_upi_label_encoder_get (
      self->labels.encoder, upi_encoding_engine (frame->encoding), frame->may_wait, on_progress, self, &error);
  gst_upi_label_progress_end (GST_ELEMENT (self), &self->in_progress, labels != NULL);
  if (labels == NULL && error != NULL) /* none ever */
    return gst_upi_filter_fail (filter, TRUE, error);
  if (labels == NULL) /* none yet, or a flush */
    return GST_FLOW_OK;
  if (error != NULL) {
    GST_UPI_WARNING (self, error);
    g_clear_error (&error);
  }
  if (!detect (self, frame->encoding, labels, &options, serial, &error)
      || !add_objects (self, frame->content, labels, &error))
    return gst_upi_filter_fail (filter, frame->may_wait, error);
  *content = gst_upi_content_ref (self->last_out);
  return GST_FLOW_OK;
}

static void
gst_upi_detect_unlock (GstUpiFilter *filter)
{
  gst_upi_label_encoder_set_flushing (GST_UPI_DETECT (filter)->labels.encoder, TRUE);
}

static void
gst_upi_detect_unlock_stop (GstUpiFilter *filter)
{
  gst_upi_label_encoder_set_flushing (GST_UPI_DETECT (filter)->labels.encoder, FALSE);
}

static void
gst_upi_detect_reset (GstUpiFilter *filter)
{
  forget_results (GST_UPI_DETECT (filter));
}

/* The labels and the switch are what others may change. */
static gboolean
gst_upi_detect_control (GstUpiFilter *filter, const gchar *property, const gchar *value)
{
  if (g_str_equal (property, "enabled")) {
    gboolean on = g_str_equal (value, "true"), known = on || g_str_equal (value, "false");
    if (known)
      g_object_set (filter, "enabled", on, NULL);
    return known;
  }
  return gst_upi_label_properties_control (GST_ELEMENT (filter), property, value);
}

static gboolean
gst_upi_detect_start (GstUpiFilter *filter)
{
  return gst_upi_label_properties_start (&GST_UPI_DETECT (filter)->labels, GST_ELEMENT (filter));
}

static void
gst_upi_detect_stop (GstUpiFilter *filter)
{
  gst_upi_label_properties_stop (&GST_UPI_DETECT (filter)->labels, GST_ELEMENT (filter));
}

static void
gst_upi_detect_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiDetect *self = GST_UPI_DETECT (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case GST_UPI_DETECT_PROP_LABELS:
    gst_upi_label_properties_set_labels (&self->labels, value);
    break;
  case GST_UPI_DETECT_PROP_LABELS_FILE:
    gst_upi_label_properties_set_file (&self->labels, value);
    break;
  case GST_UPI_DETECT_PROP_THRESHOLD:
    self->options.threshold = g_value_get_float (value);
    break;
  case GST_UPI_DETECT_PROP_MAX_OBJECTS:
    self->options.max_objects = g_value_get_uint (value);
    break;
  case GST_UPI_DETECT_PROP_MASKS:
    self->options.masks = g_value_get_boolean (value);
    break;
  case GST_UPI_DETECT_PROP_IOU_THRESHOLD:
    self->options.iou_threshold = g_value_get_float (value);
    break;
  case GST_UPI_DETECT_PROP_CROSS_LABEL_IOU:
    self->options.cross_label_iou = g_value_get_float (value);
    break;
  case GST_UPI_DETECT_PROP_ROI_META:
    self->roi_meta = g_value_get_boolean (value);
    break;
  case GST_UPI_DETECT_PROP_CANDIDATE_THRESHOLD:
    self->options.candidate_threshold = g_value_get_float (value);
    break;
  case GST_UPI_DETECT_PROP_ENABLED:
    self->enabled = g_value_get_boolean (value);
    break;
  case GST_UPI_DETECT_PROP_ANALYTICS_META:
    self->analytics_meta = g_value_get_boolean (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  self->serial++;
  GST_OBJECT_UNLOCK (self);
  if (id == GST_UPI_DETECT_PROP_LABELS || id == GST_UPI_DETECT_PROP_LABELS_FILE)
    gst_upi_label_properties_changed (&self->labels, GST_ELEMENT (self));
}

static void
gst_upi_detect_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiDetect *self = GST_UPI_DETECT (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case GST_UPI_DETECT_PROP_LABELS:
    g_value_set_string (value, self->labels.labels);
    break;
  case GST_UPI_DETECT_PROP_LABELS_FILE:
    g_value_set_string (value, self->labels.file);
    break;
  case GST_UPI_DETECT_PROP_THRESHOLD:
    g_value_set_float (value, self->options.threshold);
    break;
  case GST_UPI_DETECT_PROP_MAX_OBJECTS:
    g_value_set_uint (value, self->options.max_objects);
    break;
  case GST_UPI_DETECT_PROP_MASKS:
    g_value_set_boolean (value, self->options.masks);
    break;
  case GST_UPI_DETECT_PROP_IOU_THRESHOLD:
    g_value_set_float (value, self->options.iou_threshold);
    break;
  case GST_UPI_DETECT_PROP_CROSS_LABEL_IOU:
    g_value_set_float (value, self->options.cross_label_iou);
    break;
  case GST_UPI_DETECT_PROP_ROI_META:
    g_value_set_boolean (value, self->roi_meta);
    break;
  case GST_UPI_DETECT_PROP_CANDIDATE_THRESHOLD:
    g_value_set_float (value, self->options.candidate_threshold);
    break;
  case GST_UPI_DETECT_PROP_ENABLED:
    g_value_set_boolean (value, self->enabled);
    break;
  case GST_UPI_DETECT_PROP_ANALYTICS_META:
    g_value_set_boolean (value, self->analytics_meta);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_detect_finalize (GObject *object)
{
  GstUpiDetect *self = GST_UPI_DETECT (object);

  forget_results (self);
  gst_upi_label_properties_clear (&self->labels);
  G_OBJECT_CLASS (gst_upi_detect_parent_class)->finalize (object);
}

static void
gst_upi_detect_class_init (GstUpiDetectClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);

  object_class->set_property = gst_upi_detect_set_property;
  object_class->get_property = gst_upi_detect_get_property;
  object_class->finalize = gst_upi_detect_finalize;
  filter_class->reads_encoding = TRUE;
  filter_class->start = gst_upi_detect_start;
  filter_class->stop = gst_upi_detect_stop;
  filter_class->unlock = gst_upi_detect_unlock;
  filter_class->unlock_stop = gst_upi_detect_unlock_stop;
  filter_class->process = gst_upi_detect_process;
  filter_class->attach = gst_upi_detect_attach;
  filter_class->reset = gst_upi_detect_reset;
  filter_class->control = gst_upi_detect_control;
  gst_upi_detect_install_properties (object_class);
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Uni-Perceiver v2 object detector",
      "Filter/Analyzer/Video",
      "Finds objects with box and mask, of any labels that words can say, in frames that upiencoder encoded. Example: "
      "upiencoder ! upidetect labels=\"person, bicycle, red car\" ! upioverlay",
      "The upi authors");
}

static void
gst_upi_detect_init (GstUpiDetect *self)
{
  gst_upi_label_properties_init (&self->labels);
  self->options = (UpiDetectOptions){ .size = sizeof (UpiDetectOptions),
    .threshold = -1,
    .iou_threshold = 0.6f,
    .cross_label_iou = 0.8f,
    .max_objects = 100,
    .masks = TRUE,
    .candidate_threshold = 0.1f };
  self->roi_meta = TRUE;
  self->analytics_meta = TRUE;
  self->enabled = TRUE;
}
