/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h: a video buffer as the engine reads it: in place for 4:2:0 and RGB, as the NV12 that videoconvert would make
 * of it for every other format. So one picture gives one result in all of them. One reader per caps, shared by the
 * frames in flight. */
#pragma once

#include <gst/video/video.h>

#include "core/upi.h"
#include "gst/encoder/cuda.h"

G_BEGIN_DECLS

typedef struct _GstUpiReader GstUpiReader;

/* @cuda: (transfer none) (nullable): the context of an engine on a GPU; frames of its memory stay there. */
GstUpiReader *gst_upi_reader_new (const GstVideoInfo *info, GstUpiCuda *cuda);
GstUpiReader *gst_upi_reader_ref (GstUpiReader *reader);
void gst_upi_reader_unref (GstUpiReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiReader, gst_upi_reader_unref)

/* Maps @buffer and describes it in @image. @image->release unmaps it, lets go of the buffer and then calls @released
 * (@user_data), from any thread. FALSE and UPI_ERROR_INPUT, with nothing mapped and @released not called: the memory
 * cannot be mapped or is smaller than the caps or the buffer's GstVideoMeta say. */
gboolean gst_upi_reader_map (GstUpiReader *reader, GstBuffer *buffer, UpiImage *image, GDestroyNotify released,
    gpointer user_data, GError **error);

/* (transfer full) @buffer for an element that knows no GstVideoMeta: itself when its planes lie as its caps imply,
 * otherwise a copy. */
GstBuffer *gst_upi_reader_plain_layout (GstUpiReader *reader, GstBuffer *buffer);

G_END_DECLS
