/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blur.h: privacy: objects of chosen labels become large squares of one colour each, in the frame's own pixels. */
#pragma once

#include <gst/video/video.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* Returns: (transfer full) (nullable): a set of the words between the commas of @list, in which their case does not
 * count; NULL: none */
GHashTable *gst_upi_blur_labels_new (const gchar *list);

/* Whether @content has an object of one of @labels. @labels: (nullable) */
gboolean gst_upi_blur_has_work (const GstUpiContent *content, GHashTable *labels);

/**
 * gst_upi_blur_frame: pixelates every object of one of @labels: the squares that its mask touches, with the mask's own
 * step to spare, or all of its box where it has no mask. A square is a quarter of the box's shorter side, at least 8
 * and at most 128 pixels.
 * @frame: mapped for reading and writing, of any raw format
 *
 * Returns: FALSE: memory was short, and something may be left as it was
 */
gboolean gst_upi_blur_frame (GstVideoFrame *frame, const GstUpiContent *content, GHashTable *labels);

G_END_DECLS
