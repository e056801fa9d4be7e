/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orientation.h: how upiencoder's picture is turned for the network: the property, the image-orientation tag, and who
 * turned it before. */
#pragma once

#include <gst/video/video.h>

#include "core/upi.h"

G_BEGIN_DECLS

/* The last eight in the order of GstVideoOrientationMethod and UpiOrientation. */
typedef enum {
  GST_UPI_ORIENTATION_AUTO,
  GST_UPI_ORIENTATION_NONE,
  GST_UPI_ORIENTATION_IDENTITY,
  GST_UPI_ORIENTATION_90R,
  GST_UPI_ORIENTATION_180,
  GST_UPI_ORIENTATION_90L,
  GST_UPI_ORIENTATION_HORIZ,
  GST_UPI_ORIENTATION_VERT,
  GST_UPI_ORIENTATION_UL_LR,
  GST_UPI_ORIENTATION_UR_LL
} GstUpiOrientation;
#define GST_TYPE_UPI_ORIENTATION (gst_upi_orientation_get_type ())
GType gst_upi_orientation_get_type (void);

/* What a stream's tags say; the stream's own go before global ones. */
typedef struct {
  guint stream_id; /* its hash */
  gboolean has_stream, has_global;
  UpiOrientation stream, global;
} GstUpiOrientationTags;

/* The STREAM_START of another stream begins anew, a TAG is taken. TRUE: what they say may have changed. */
gboolean gst_upi_orientation_tags_take_event (GstUpiOrientationTags *tags, GstEvent *event);
/* What @setting means for the stream that reaches @sinkpad. @turner: (out) (transfer full) (nullable): the name of an
 * element upstream that turns the picture by the tag already, so that "auto" leaves it. */
UpiOrientation gst_upi_orientation_decide (
    GstUpiOrientation setting, const GstUpiOrientationTags *tags, GstPad *sinkpad, gchar **turner);

G_END_DECLS
