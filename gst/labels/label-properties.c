/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* label-properties.c: from the properties "labels" and "labels-file" to the list that the label encoder is to
 * encode. */
#include "gst/labels/label-properties.h"

void
gst_upi_label_properties_init (GstUpiLabelProperties *properties)
{
  properties->encoder = gst_upi_label_encoder_new ();
  g_mutex_init (&properties->lock);
}

void
gst_upi_label_properties_clear (GstUpiLabelProperties *properties)
{
  gst_upi_label_encoder_unref (properties->encoder);
  g_mutex_clear (&properties->lock);
  g_free (properties->labels);
  g_free (properties->file);
}

void
gst_upi_label_properties_set_labels (GstUpiLabelProperties *properties, const GValue *value)
{
  g_free (properties->labels);
  properties->labels = g_value_dup_string (value);
  properties->source = properties->labels != NULL ? GST_UPI_LABELS_OF_PROPERTY : GST_UPI_LABELS_OF_MODEL;
}

void
gst_upi_label_properties_set_file (GstUpiLabelProperties *properties, const GValue *value)
{
  g_free (properties->file);
  properties->file = g_value_dup_string (value);
  properties->source = properties->file != NULL ? GST_UPI_LABELS_OF_FILE : GST_UPI_LABELS_OF_MODEL;
}

/* Reads the list that the properties name. One that cannot be read is FALSE and an error, and changes nothing. */
static gboolean
take (GstUpiLabelProperties *properties, GstElement *element, GError **error)
{
  g_autoptr (GstUpiWords) words = NULL;

  g_mutex_lock (&properties->lock);
  GST_OBJECT_LOCK (element);
  GstUpiLabelsSource source = properties->source;
  g_autofree gchar *labels = g_strdup (properties->labels), *path = g_strdup (properties->file);
  GST_OBJECT_UNLOCK (element);

  if (source == GST_UPI_LABELS_OF_PROPERTY)
    words = gst_upi_words_parse (labels, "labels", error);
  else if (source == GST_UPI_LABELS_OF_FILE)
    words = gst_upi_words_load (path, error);
  gboolean taken = words != NULL || source == GST_UPI_LABELS_OF_MODEL;
  if (taken)
    gst_upi_label_encoder_want (properties->encoder, words);
  g_mutex_unlock (&properties->lock);
  return taken;
}

static void
set_started (GstUpiLabelProperties *properties, GstElement *element, gboolean started)
{
  GST_OBJECT_LOCK (element);
  properties->started = started;
  GST_OBJECT_UNLOCK (element);
}

void
gst_upi_label_properties_changed (GstUpiLabelProperties *properties, GstElement *element)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (element);
  gboolean started = properties->started;
  GST_OBJECT_UNLOCK (element);
  if (started && !take (properties, element, &error))
    GST_ELEMENT_WARNING (element, RESOURCE, SETTINGS, ("%s The labels before it stay.", error->message),
        ("labels are taken whole or not at all"));
}

gboolean
gst_upi_label_properties_start (GstUpiLabelProperties *properties, GstElement *element)
{
  g_autoptr (GError) error = NULL;

  set_started (properties, element, TRUE);
  if (take (properties, element, &error))
    return TRUE;
  GST_ELEMENT_ERROR (element, RESOURCE, SETTINGS, ("%s", error->message),
      ("%s starts with the labels it was given, or not at all", G_OBJECT_TYPE_NAME (element)));
  set_started (properties, element, FALSE);
  return FALSE;
}

void
gst_upi_label_properties_stop (GstUpiLabelProperties *properties, GstElement *element)
{
  set_started (properties, element, FALSE);
  gst_upi_label_encoder_stop (properties->encoder);
}

gboolean
gst_upi_label_properties_control (GstElement *element, const gchar *property, const gchar *value)
{
  g_autoptr (GstUpiWords) words = g_str_equal (property, "labels") ? gst_upi_words_parse (value, "labels", NULL) : NULL;

  if (words != NULL)
    g_object_set (element, "labels", value, NULL);
  return words != NULL;
}
