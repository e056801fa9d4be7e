/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* label-progress.h: how far the encoding of a long list of labels is, for applications. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* An element message "upi-labels-progress". */
void gst_upi_label_progress_post (GstElement *element, guint done, guint total);

/* Where frames wait for the list: PROGRESS messages, too, which tell applications to wait with PLAYING. @in_progress:
 * whether they began, and stay so until the end. */
void gst_upi_label_progress_wait (GstElement *element, gboolean *in_progress, guint done, guint total);
void gst_upi_label_progress_end (GstElement *element, gboolean *in_progress, gboolean complete);

G_END_DECLS
