/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queries.c: what upiencoder answers: buffers for the frames inside it (ALLOCATION), the time it adds (LATENCY), the
 * pipeline's CUDA context (CONTEXT). */
#include "gst/encoder/private.h"

/* Upstream's pool must cover what is inside here as well. */
static void
extend_allocation (GstUpiEncoder *self, GstQuery *query)
{
  guint held = gst_upi_encoder_frame_limit (self), index;
  GstCaps *caps = NULL;
  GstVideoInfo info;

  for (guint i = 0; i < gst_query_get_n_allocation_pools (query); i++) {
    GstBufferPool *pool;
    guint size, min, max;
    gst_query_parse_nth_allocation_pool (query, i, &pool, &size, &min, &max);
    min += held;
    max = max == 0 ? 0 : MAX (max + held, min);
    gst_query_set_nth_allocation_pool (query, i, pool, size, min, max);
    gst_clear_object (&pool);
  }
  gst_query_parse_allocation (query, &caps, NULL);
  if (gst_query_get_n_allocation_pools (query) == 0 && caps != NULL && gst_video_info_from_caps (&info, caps))
    gst_query_add_allocation_pool (query, NULL, (guint) GST_VIDEO_INFO_SIZE (&info), held, 0);

  /* Strides and offsets are always read from the meta; what downstream cannot read is copied for it. */
  self->plain_layout = !gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  if (self->plain_layout)
    gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  /* The network must see the frame that the caps describe. */
  if (gst_query_find_allocation_meta (query, GST_VIDEO_CROP_META_API_TYPE, &index))
    gst_query_remove_nth_allocation_meta (query, index);
}

/* Neighbours ask for the CUDA context of the pipeline. */
static gboolean
answer_context (GstUpiEncoder *self, GstQuery *query)
{
  GST_OBJECT_LOCK (self);
  GstUpiCuda *cuda = self->cuda != NULL ? gst_upi_cuda_ref (self->cuda) : NULL;
  GST_OBJECT_UNLOCK (self);
  gboolean answered = gst_upi_cuda_answer (GST_ELEMENT (self), query, cuda);
  g_clear_pointer (&cuda, gst_upi_cuda_unref);
  return answered;
}

gboolean
gst_upi_encoder_sink_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);

  if (GST_QUERY_TYPE (query) == GST_QUERY_CONTEXT && answer_context (self, query))
    return TRUE;
  if (gst_upi_encoding_life_is_query (query)) /* frames leave with an encoding of their own, whoever reads it */
    return FALSE;
  if (!GST_QUERY_IS_SERIALIZED (query))
    return gst_pad_query_default (pad, parent, query);
  gboolean answer = gst_upi_frames_push_query (self->frames, query);
  if (GST_QUERY_TYPE (query) == GST_QUERY_ALLOCATION && gst_upi_frames_get_result (self->frames) != GST_FLOW_FLUSHING) {
    extend_allocation (self, query);
    answer = TRUE;
  }
  return answer;
}

gboolean
gst_upi_encoder_src_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (parent);

  if (GST_QUERY_TYPE (query) == GST_QUERY_CONTEXT && answer_context (self, query))
    return TRUE;
  if (GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return gst_pad_query_default (pad, parent, query);
  if (!gst_pad_peer_query (self->sinkpad, query))
    return FALSE;
  gboolean live;
  GstClockTime min, max;
  gst_query_parse_latency (query, &live, &min, &max);
  GST_OBJECT_LOCK (self);
  min += self->latency;
  if (GST_CLOCK_TIME_IS_VALID (max))
    max += self->latency;
  GST_OBJECT_UNLOCK (self);
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}
