/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* label-properties.h: the properties "labels" and "labels-file" of an element: the one that was set last counts. A list
 * is taken whole or not at all: at the start one that cannot be read is an error, while playing a warning, and the list
 * before it stays. */
#pragma once

#include <gst/gst.h>

#include "gst/labels/label-encoder.h"

G_BEGIN_DECLS

/* Where the list comes from; @labels and @file keep what was set. */
typedef enum { GST_UPI_LABELS_OF_MODEL, GST_UPI_LABELS_OF_PROPERTY, GST_UPI_LABELS_OF_FILE } GstUpiLabelsSource;

typedef struct {
  GstUpiLabelEncoder *encoder;
  GMutex lock; /* reading a list and wishing for it are one step */

  /* Under the element's object lock. */
  gchar *labels, *file;
  GstUpiLabelsSource source;
  gboolean started;
} GstUpiLabelProperties;

void gst_upi_label_properties_init (GstUpiLabelProperties *properties);
void gst_upi_label_properties_clear (GstUpiLabelProperties *properties);

/* Object lock held. */
void gst_upi_label_properties_set_labels (GstUpiLabelProperties *properties, const GValue *value);
void gst_upi_label_properties_set_file (GstUpiLabelProperties *properties, const GValue *value);

/* Object lock not held. One of them was set: a started element takes the list, or warns. */
void gst_upi_label_properties_changed (GstUpiLabelProperties *properties, GstElement *element);
/* FALSE: the list cannot be read, which the element has posted as an error. */
gboolean gst_upi_label_properties_start (GstUpiLabelProperties *properties, GstElement *element);
void gst_upi_label_properties_stop (GstUpiLabelProperties *properties, GstElement *element);

/* Somebody outside wants @property of @element to be @value: the labels, if @value is a list, are what others may
 * change. FALSE: it stays as it is. */
gboolean gst_upi_label_properties_control (GstElement *element, const gchar *property, const gchar *value);

G_END_DECLS
