/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.h: what tests of upiclassify share. */
#pragma once

#include "tests/gst/stream.h"

#define ENCODER                                                                                                        \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 model-instance-id=detect "
#define LATEST                                                                                                         \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=latest max-in-flight=16 model-instance-id=detect "
#define CALIBRATED "upiencoder name=e model=calibrated device=cpu threads=1 policy=block max-in-flight=16 "

const GstUpiClass *classes_of (GstBuffer *buffer, guint *n);

/* (transfer full) (nullable): the next "upi-classification" on the bus */
GstMessage *pop_classification (Stream *s);

gboolean says (Stream *s, const gchar *label);
