/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* classification.c: see classification.h. */
#include "gst/classify/classification.h"

#include "gst/classify/best.h"

GType
gst_upi_classify_scores_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { UPI_SCORES_SOFTMAX, "One of the labels is true: their probabilities add up to 1", "softmax" },
    { UPI_SCORES_INDEPENDENT, "Each label is true or not, whatever the others are (models with calibration)",
        "independent" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiClassifyScores", values));
  return type;
}

void
gst_upi_classification_set_not_calibrated (UpiEngine *engine, GError **error)
{
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "scores=independent: model \"%s\" (%s) was not calibrated: it cannot say of one sentence how probably it is "
      "true. Use a model whose config.json has \"calibration\", or scores=softmax with sentences that exclude each "
      "other (\"a photo at night, a photo by day\").",
      upi_engine_info (engine)->model_name, upi_engine_info (engine)->model_path);
}

gboolean
gst_upi_classification_fill (GArray *classes, const GArray *probabilities, guint top, UpiLabels *labels, guint holds,
    UpiScores scores, GstClockTime pts, GError **error)
{
  const gfloat *values = (const gfloat *) (gpointer) probabilities->data;
  guint n = probabilities->len, n_best = top == 0 ? n : MIN (top, n);
  g_autofree guint *best = g_try_new (guint, n_best + 1);

  if (best == NULL) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_MEMORY, "no memory for the %u best labels of a frame: use a smaller top", n_best);
    return FALSE;
  }
  n_best = gst_upi_best_top (values, n, best, n_best);
  g_array_set_size (classes, 0);
  for (guint i = 0; i < n_best; i++) {
    GstUpiClass class = { .label = upi_labels_name (labels, best[i]),
      .label_id = best[i],
      .probability = values[best[i]],
      .flags = (scores == UPI_SCORES_INDEPENDENT ? GST_UPI_CLASS_INDEPENDENT : 0)
          | (best[i] == holds ? GST_UPI_CLASS_HOLDS : 0),
      .pts = pts };
    g_array_append_val (classes, class);
  }
  return TRUE;
}

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
