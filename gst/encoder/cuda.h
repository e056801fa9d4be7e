/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cuda.h: GStreamer's CUDA contexts and memory in upiencoder, where it is built with libgstcuda; without it none of
 * this does anything. A pipeline whose upstream has CUDA memory shares one GstCudaContext, and the engine works in it,
 * from the start or, where upstream is linked later, from the first CUDA caps on; every other pipeline leaves the
 * engine in the device's own context, which all of a process share. */
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include "core/upi.h"

G_BEGIN_DECLS

/* A GstCudaContext. */
typedef struct _GstUpiCuda GstUpiCuda;

/* @system with memory:CUDAMemory beside it, in the formats that the engine reads there. (transfer full) of both */
GstCaps *gst_upi_cuda_add_caps (GstCaps *system);
gboolean gst_upi_cuda_caps_are_cuda (const GstCaps *caps);
/* GstElementClass.set_context and the CONTEXT query; @cuda: where the element keeps its context. */
void gst_upi_cuda_set_context (GstElement *element, GstContext *context, const gchar *device, GstUpiCuda **cuda);
gboolean gst_upi_cuda_answer (GstElement *element, GstQuery *query, GstUpiCuda *cuda);
/* Before an engine is opened on @device: finds or makes the pipeline's context, if there is one already or the peer of
 * @sinkpad may send CUDA memory, and has the engine opened in it. */
void gst_upi_cuda_prepare (
    GstElement *element, GstPad *sinkpad, const gchar *device, GstUpiCuda **cuda, UpiEngineOptions *options);
/* Maps @buffer for the device: FALSE, with nothing mapped, unless all of it is CUDA memory of @cuda. */
gboolean gst_upi_cuda_map (GstUpiCuda *cuda, GstVideoFrame *frame, const GstVideoInfo *info, GstBuffer *buffer);
GstUpiCuda *gst_upi_cuda_ref (GstUpiCuda *cuda);
void gst_upi_cuda_unref (GstUpiCuda *cuda);

G_END_DECLS
