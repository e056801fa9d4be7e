/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.c: see frames.h. */
#include "tests/gst/json/frames.h"

GstBuffer *
frame_with (guint number, GstUpiContent *content)
{
  GstBuffer *buffer = frame_new ("RGB", 64, 48, number);
  gst_buffer_add_upi_meta (buffer, content);
  return buffer;
}
