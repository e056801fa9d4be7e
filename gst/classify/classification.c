/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* classification.c: see classification.h. */
#include "gst/classify/classification.h"

static void
append_string (GValue *array, const gchar *text)
{
  GValue value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_STRING);
  g_value_set_string (&value, text);
  gst_value_array_append_and_take_value (array, &value);
}

static void
append_double (GValue *array, gdouble number)
{
  GValue value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_DOUBLE);
  g_value_set_double (&value, number);
  gst_value_array_append_and_take_value (array, &value);
}

GstStructure *
gst_upi_classification_new (const GstUpiFilterFrame *frame, const gchar *label, const gchar *previous,
    gfloat probability, UpiScores scores, const GstUpiClass *classes, guint n_classes)
{
  GValue labels = G_VALUE_INIT, probabilities = G_VALUE_INIT;
  GstStructure *says = gst_structure_new ("upi-classification", "label", G_TYPE_STRING, label, "previous",
      G_TYPE_STRING, previous != NULL ? previous : "", "probability", G_TYPE_DOUBLE, (gdouble) probability, "scores",
      G_TYPE_STRING, scores == UPI_SCORES_INDEPENDENT ? "independent" : "softmax", "stream", G_TYPE_UINT, frame->stream,
      "stream-time", G_TYPE_UINT64, frame->time.stream_time, "running-time", G_TYPE_UINT64, frame->time.running_time,
      NULL);

  g_value_init (&labels, GST_TYPE_ARRAY);
  g_value_init (&probabilities, GST_TYPE_ARRAY);
  for (guint i = 0; i < n_classes; i++) {
    append_string (&labels, classes[i].label);
    append_double (&probabilities, (gdouble) classes[i].probability);
  }
  gst_structure_take_value (says, "labels", &labels);
  gst_structure_take_value (says, "probabilities", &probabilities);
  return says;
}
