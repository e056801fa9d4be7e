/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.c: see properties.h. */
#include "gst/detect/properties.h"

#include "gst/relation.h"

void
gst_upi_detect_install_properties (GObjectClass *object_class)
{
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  /**
   * GstUpiDetect:labels:
   *
   * Words separated by commas. A new list is encoded beside the stream and takes over whole; one that cannot be read is
   * a warning, at the start an error. NULL: the model's own list.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_LABELS,
      g_param_spec_string ("labels", "Labels",
          "What to look for: any words, separated by commas; may change while playing; the later set of labels and "
          "labels-file counts (default: the model's own list)",
          NULL, live));
  /**
   * GstUpiDetect:labels-file:
   *
   * Path of a UTF-8 file, one label a line with any line ends; behind a tab its own threshold, 0..1. Read when it is
   * set and at the start.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_LABELS_FILE,
      g_param_spec_string ("labels-file", "Labels file",
          "Text file with one label a line, optionally followed by a tab and its own threshold 0..1 (default: none)",
          NULL, live));
  /**
   * GstUpiDetect:threshold:
   *
   * Score, 0..1, below which there is no object; -1: the model's. A label's own threshold in labels-file goes before
   * it.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_THRESHOLD,
      g_param_spec_float ("threshold", "Threshold",
          "Lowest score of an object, 0..1 (default: -1 = the threshold of the model card, where F1 was best on "
          "validation)",
          -1, 1, -1, live));
  /**
   * GstUpiDetect:max-objects:
   *
   * Objects of the highest scores that stay, of all labels together.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_MAX_OBJECTS,
      g_param_spec_uint ("max-objects", "Maximum of objects",
          "Most objects a frame, best first, objects (default: 100)", 0, 10000, 100, live));
  /**
   * GstUpiDetect:masks:
   *
   * FALSE: boxes alone, which saves the mask's product and its memory.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_MASKS,
      g_param_spec_boolean ("masks", "Masks", "Cut the instance mask of each object (default: true)", TRUE, live));
  /**
   * GstUpiDetect:iou-threshold:
   *
   * Intersection over union, 0..1, from which two objects of one label are taken for one, at 1 never.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_IOU_THRESHOLD,
      g_param_spec_float ("iou-threshold", "IoU threshold",
          "Of two objects of one label that overlap more than this (intersection over union, 0..1) the better stays; 1 "
          "= keep all (default: 0.6)",
          0, 1, 0.6f, live));
  /**
   * GstUpiDetect:cross-label-iou:
   *
   * Intersection over union, 0..1, from which two objects of different labels are taken for one, at 1 never. Only two
   * labels of the model's own list shut each other out, of which a thing has one: a van is no car beside a truck. A
   * label of the user's own words may be true beside any other ("a man in red" is a person too) and hides nothing.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_CROSS_LABEL_IOU,
      g_param_spec_float ("cross-label-iou", "Cross-label IoU",
          "Of two objects of different labels, both of the model's own list, that overlap more than this (intersection "
          "over union, 0..1) the better stays; other labels hide nothing; 1 = keep all (default: 0.8)",
          0, 1, 0.8f, live));
  /**
   * GstUpiDetect:roi-meta:
   *
   * Whether each object is a GstVideoRegionOfInterestMeta as well, in pixels, with a structure "detection".
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_ROI_META,
      g_param_spec_boolean ("roi-meta", "Region of interest meta",
          "Also add a GstVideoRegionOfInterestMeta for each object (default: true)", TRUE, live));
  /**
   * GstUpiDetect:candidate-threshold:
   *
   * Lowest score of candidates: what is too uncertain to be shown and may still go on with a track.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_CANDIDATE_THRESHOLD,
      g_param_spec_float ("candidate-threshold", "Candidate threshold",
          "Lowest score, 0..1, of what is too uncertain to be shown and may still go on with a track: only an upitrack "
          "downstream gets to see it; 0 = none (default: 0.1)",
          0, 1, 0.1f, live));
  /**
   * GstUpiDetect:enabled:
   *
   * FALSE: frames pass as they are, and nothing of them is looked at. What upi-control switches.
   */
  g_object_class_install_property (object_class, GST_UPI_DETECT_PROP_ENABLED,
      g_param_spec_boolean (
          "enabled", "Enabled", "Look for objects; false lets frames pass as they are (default: true)", TRUE, live));
#ifdef HAVE_GST_ANALYTICS
  gst_upi_relation_install_property (object_class, GST_UPI_DETECT_PROP_ANALYTICS_META);
#endif
}
