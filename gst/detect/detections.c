/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* detections.c: see detections.h. */
#include "gst/detect/detections.h"

GstUpiContent *
gst_upi_detections_add (
    GstUpiContent *content, const UpiDetections *found, UpiLabels *labels, gfloat threshold, GError **error)
{
  g_autofree GstUpiObject *objects = g_try_malloc (((gsize) found->n_objects + 1) * sizeof (GstUpiObject));
  if (objects == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
        "no memory for the %u objects of a frame: use a smaller max-objects", found->n_objects);
    return NULL;
  }
  guint n = found->n_objects; /* without the candidates behind them */
  while (n > 0 && (found->objects[n - 1].flags & UPI_OBJECT_CANDIDATE) != 0)
    n--;
  for (guint i = 0; i < found->n_objects; i++) {
    const UpiObject *o = &found->objects[i];
    objects[i] = (GstUpiObject){ .label = upi_labels_name (labels, o->label),
      .label_id = o->label,
      .score = o->score,
      .x = o->x,
      .y = o->y,
      .width = o->width,
      .height = o->height,
      .mask = o->mask,
      .region = o->region,
      .threshold = upi_labels_threshold (labels, o->label, threshold) };
  }
  g_autoptr (GstUpiContent) with_objects = gst_upi_content_add_objects (content, objects, n);
  return gst_upi_content_add_candidates (with_objects, objects + n, found->n_objects - n);
}
