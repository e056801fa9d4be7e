/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.h: what is set of upidetect: what is looked for, and what counts as found. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

enum {
  GST_UPI_DETECT_PROP_LABELS = 1,
  GST_UPI_DETECT_PROP_LABELS_FILE,
  GST_UPI_DETECT_PROP_THRESHOLD,
  GST_UPI_DETECT_PROP_MAX_OBJECTS,
  GST_UPI_DETECT_PROP_MASKS,
  GST_UPI_DETECT_PROP_IOU_THRESHOLD,
  GST_UPI_DETECT_PROP_CROSS_LABEL_IOU,
  GST_UPI_DETECT_PROP_ROI_META,
  GST_UPI_DETECT_PROP_CANDIDATE_THRESHOLD,
  GST_UPI_DETECT_PROP_ENABLED,
  GST_UPI_DETECT_PROP_ANALYTICS_META
};

void gst_upi_detect_install_properties (GObjectClass *object_class);

G_END_DECLS
