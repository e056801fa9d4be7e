/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cuda.c: CUDA contexts and memory of GStreamer in upiencoder; see cuda.h. */
#include "gst/encoder/cuda.h"

#include <stdlib.h>
#include <string.h>

gboolean
gst_upi_cuda_caps_are_cuda (const GstCaps *caps)
{
  return gst_caps_get_size (caps) > 0
      && gst_caps_features_contains (gst_caps_get_features (caps, 0), "memory:CUDAMemory");
}

#ifdef HAVE_GST_CUDA

#define GST_USE_UNSTABLE_API
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

/* What can be read in place (image.c, is_read_in_place()). */
#define CUDA_CAPS                                                                                                      \
  GST_VIDEO_CAPS_MAKE_WITH_FEATURES (GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY,                                              \
      "{ NV12, NV21, I420, YV12, P010_10LE, I420_10LE, RGB, BGR, RGBx, BGRx, RGBA, BGRA, ARGB, ABGR, RGBP, BGRP, "     \
      "GBR, GBRA }")

GstCaps *
gst_upi_cuda_add_caps (GstCaps *system)
{
  return gst_caps_merge (system, gst_caps_from_string (CUDA_CAPS));
}

/* The number of "cuda", "cuda:1", "cuda:1:f16"; 0 for "auto", -1 for what is no GPU. */
static gint
device_number (const gchar *device)
{
  if (device == NULL || *device == '\0' || g_str_equal (device, "auto"))
    return 0;
  if (!g_str_has_prefix (device, "cuda"))
    return -1;
  return device[strlen ("cuda")] == ':' ? atoi (device + strlen ("cuda:")) : 0;
}

void
gst_upi_cuda_set_context (GstElement *element, GstContext *context, const gchar *device, GstUpiCuda **cuda)
{
  gint number = device_number (device);

  if (number >= 0 && gst_cuda_load_library ())
    gst_cuda_handle_set_context (element, context, number, (GstCudaContext **) cuda);
}

gboolean
gst_upi_cuda_answer (GstElement *element, GstQuery *query, GstUpiCuda *cuda)
{
  return GST_QUERY_TYPE (query) == GST_QUERY_CONTEXT && cuda != NULL
      && gst_cuda_handle_context_query (element, query, (GstCudaContext *) cuda);
}

static gboolean
peer_may_send_cuda (GstPad *sinkpad)
{
  g_autoptr (GstCaps) wanted = gst_caps_from_string (CUDA_CAPS);
  g_autoptr (GstCaps) caps = gst_pad_peer_query_caps (sinkpad, wanted);
  g_autoptr (GstPad) peer = gst_pad_get_peer (sinkpad);

  for (guint i = 0; peer != NULL && !gst_caps_is_any (caps) && i < gst_caps_get_size (caps); i++)
    if (gst_caps_features_contains (gst_caps_get_features (caps, i), GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY))
      return TRUE;
  return FALSE;
}

void
gst_upi_cuda_prepare (
    GstElement *element, GstPad *sinkpad, const gchar *device, GstUpiCuda **cuda, UpiEngineOptions *options)
{
  gint number = device_number (device);

  if (number < 0 || (*cuda == NULL && !peer_may_send_cuda (sinkpad)))
    return;
  if (!gst_cuda_load_library () || !gst_cuda_ensure_element_context (element, number, (GstCudaContext **) cuda))
    return; /* no driver or no such GPU: the engine says so */
  options->cuda_context = gst_cuda_context_get_handle ((GstCudaContext *) *cuda);
  options->cuda_context_data = gst_object_ref (*cuda);
  options->cuda_context_free = gst_object_unref;
}

gboolean
gst_upi_cuda_map (GstUpiCuda *cuda, GstVideoFrame *frame, const GstVideoInfo *info, GstBuffer *buffer)
{
  guint n = gst_buffer_n_memory (buffer);

  for (guint i = 0; cuda != NULL && i < n; i++) {
    GstMemory *memory = gst_buffer_peek_memory (buffer, i);

    if (!gst_is_cuda_memory (memory) || GST_CUDA_MEMORY_CAST (memory)->context != (GstCudaContext *) cuda)
      return FALSE;
  }
  if (cuda == NULL || n == 0 || !gst_video_frame_map (frame, info, buffer, GST_MAP_READ | GST_MAP_CUDA))
    return FALSE;
#if GST_CHECK_VERSION(1, 24, 0)
  /* Before 1.24 whoever fills a buffer waits for it. */
  for (guint i = 0; i < n; i++)
    gst_cuda_memory_sync (GST_CUDA_MEMORY_CAST (gst_buffer_peek_memory (buffer, i)));
#endif
  return TRUE;
}

GstUpiCuda *
gst_upi_cuda_ref (GstUpiCuda *cuda)
{
  return gst_object_ref (cuda);
}

void
gst_upi_cuda_unref (GstUpiCuda *cuda)
{
  gst_object_unref (cuda);
}

#else

GstCaps *
gst_upi_cuda_add_caps (GstCaps *system)
{
  return system;
}

void
gst_upi_cuda_set_context (GstElement *element, GstContext *context, const gchar *device, GstUpiCuda **cuda)
{
}

gboolean
gst_upi_cuda_answer (GstElement *element, GstQuery *query, GstUpiCuda *cuda)
{
  return FALSE;
}

void
gst_upi_cuda_prepare (
    GstElement *element, GstPad *sinkpad, const gchar *device, GstUpiCuda **cuda, UpiEngineOptions *options)
{
}

gboolean
gst_upi_cuda_map (GstUpiCuda *cuda, GstVideoFrame *frame, const GstVideoInfo *info, GstBuffer *buffer)
{
  return FALSE;
}

GstUpiCuda *
gst_upi_cuda_ref (GstUpiCuda *cuda)
{
  return cuda;
}

void
gst_upi_cuda_unref (GstUpiCuda *cuda)
{
}

#endif
