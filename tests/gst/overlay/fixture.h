/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture.h: grey frames in any format, objects and a caption in their meta, and the way through upioverlay. */
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

#define GREY 0x60

/* 25 frames a second. */
GstVideoInfo video_info (GstVideoFormat format, gint width, gint height);
/* Without interpolation of chroma, which GStreamer does in some formats only. @buffer: (transfer none) */
GstBuffer *video_convert (GstBuffer *buffer, const GstVideoInfo *from, const GstVideoInfo *to);
/* A frame of one grey. */
GstBuffer *grey_frame (const GstVideoInfo *info);
/* @caption: (nullable) */
void add_objects (GstBuffer *buffer, const GstUpiObject *objects, guint n, const gchar *caption);
gboolean same_bytes (GstBuffer *a, GstBuffer *b);

void set_caps (GstHarness *h, const GstVideoInfo *info);
/* One frame through an element set up by @properties; takes @buffer. */
GstBuffer *overlay_once (const gchar *properties, const GstVideoInfo *info, GstBuffer *buffer);

G_END_DECLS
