/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.h: what tests of upidetect share. */
#pragma once

#include "tests/gst/stream.h"

#define ENCODER                                                                                                        \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 model-instance-id=detect "
#define LATEST                                                                                                         \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=latest max-in-flight=16 model-instance-id=detect "
/* Random weights find something everywhere. */
#define ALL "threshold=0 max-objects=20 iou-threshold=1 cross-label-iou=1 "

const GstUpiObject *objects_of (GstBuffer *buffer, guint *n);

/* TRUE if every label is one of @labels. */
gboolean all_labels_in (GstBuffer *buffer, const gchar *const *labels);
