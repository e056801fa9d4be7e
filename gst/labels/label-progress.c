/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* label-progress.c: see label-progress.h. */
#include "gst/labels/label-progress.h"

void
gst_upi_label_progress_post (GstElement *element, guint done, guint total)
{
  GST_INFO_OBJECT (element, "%u of %u labels are encoded", done, total);
  gst_element_post_message (element,
      gst_message_new_element (GST_OBJECT (element),
          gst_structure_new ("upi-labels-progress", "done", G_TYPE_UINT, done, "total", G_TYPE_UINT, total, NULL)));
}

void
gst_upi_label_progress_wait (GstElement *element, gboolean *in_progress, guint done, guint total)
{
  g_autofree gchar *text = g_strdup_printf ("%u of %u labels are encoded", done, total);

  gst_element_post_message (element,
      gst_message_new_progress (
          GST_OBJECT (element), *in_progress ? GST_PROGRESS_TYPE_CONTINUE : GST_PROGRESS_TYPE_START, "labels", text));
  *in_progress = TRUE;
}

void
gst_upi_label_progress_end (GstElement *element, gboolean *in_progress, gboolean complete)
{
  if (*in_progress)
    gst_element_post_message (element,
        gst_message_new_progress (GST_OBJECT (element),
            complete ? GST_PROGRESS_TYPE_COMPLETE : GST_PROGRESS_TYPE_CANCELED, "labels",
            complete ? "all labels are encoded" : "encoding the labels was cancelled"));
  *in_progress = FALSE;
}
