/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupimeta.c: GstUpiMeta, which a frame carries its content in, and what becomes of it where a frame is copied,
 * scaled, cut or turned; see gstupimeta.h. */
#include "gst/meta/gstupimeta.h"

#include <gst/video/video.h>

/* Orientation and size are tagged so that elements which turn or cut a frame without telling drop the meta rather than
 * let it lie (what they
 * leave: see the trace); scalers see that they may call the transform function. */
GType
gst_upi_meta_api_get_type (void)
{
  static gsize type = 0;
  static const gchar *tags[] = { GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
    GST_META_TAG_VIDEO_SIZE_STR, NULL };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, gst_meta_api_type_register ("GstUpiMetaAPI", tags));
  return type;
}

static gboolean
gst_upi_meta_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  GstUpiMeta *self = (GstUpiMeta *) meta;

  self->content = NULL;
  self->width = self->height = self->par_n = self->par_d = 0;
  return TRUE;
}

static void
gst_upi_meta_free (GstMeta *meta, GstBuffer *buffer)
{
  g_clear_pointer (&((GstUpiMeta *) meta)->content, gst_upi_content_unref);
}

/* Whether a whole picture fills the frame: borders beside it, or above and below, are a pixel together at most. */
static gboolean
same_aspect (const GstUpiMeta *picture, gint width, gint height, gint par_n, gint par_d)
{
  gdouble aspect = (gdouble) picture->width * picture->par_n / ((gdouble) picture->height * picture->par_d);
  gdouble pixel = (gdouble) par_n / par_d;

  return MAX (height - width * pixel / aspect, width - height * aspect / pixel) <= 1 + 1e-6;
}

gboolean
gst_upi_meta_lies_on (GstUpiMeta *meta, GstBuffer *buffer, gint width, gint height, gint par_n, gint par_d)
{
  gboolean known = meta->width > 0 && meta->height > 0 && meta->par_n > 0 && meta->par_d > 0 && width > 0 && height > 0;

  if (!known || (meta->width == width && meta->height == height))
    return TRUE;
  /* videocrop with such a meta leaves the buffer and all that is on it as they are */
  return (buffer == NULL || gst_buffer_get_video_crop_meta (buffer) == NULL)
      && same_aspect (meta, width, height, MAX (par_n, 1), MAX (par_d, 1));
}

void
gst_upi_meta_set_frame (GstUpiMeta *meta, gint width, gint height, gint par_n, gint par_d)
{
  meta->width = width;
  meta->height = height;
  meta->par_n = par_n;
  meta->par_d = par_d;
}

static void
set_frame_of (GstUpiMeta *meta, const GstVideoInfo *info)
{
  gst_upi_meta_set_frame (meta, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
      MAX (GST_VIDEO_INFO_PAR_N (info), 1), MAX (GST_VIDEO_INFO_PAR_D (info), 1));
}

/* Coordinates are in 0..1 of the frame: a picture that fills it before and after lets them be as they are. */
static GstUpiContent *
scaled_content (GstUpiMeta *meta, GstBuffer *buffer, const GstVideoMetaTransform *scale)
{
  const GstVideoInfo *in = scale->in_info, *out = scale->out_info;
  GstUpiMeta picture = *meta;

  if (!gst_upi_meta_lies_on (meta, buffer, GST_VIDEO_INFO_WIDTH (in), GST_VIDEO_INFO_HEIGHT (in),
          GST_VIDEO_INFO_PAR_N (in), GST_VIDEO_INFO_PAR_D (in)))
    return gst_upi_content_lose_geometry (meta->content, FALSE, FALSE);
  set_frame_of (&picture, in);
  if (same_aspect (&picture, GST_VIDEO_INFO_WIDTH (out), GST_VIDEO_INFO_HEIGHT (out),
          MAX (GST_VIDEO_INFO_PAR_N (out), 1), MAX (GST_VIDEO_INFO_PAR_D (out), 1)))
    return gst_upi_content_ref (meta->content);
  return gst_upi_content_lose_geometry (meta->content, FALSE, TRUE);
}

static gboolean
gst_upi_meta_transform (GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type, gpointer data)
{
  GstUpiMeta *self = (GstUpiMeta *) meta;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    const GstMetaTransformCopy *copy = data;
    if (copy->region) /* a part of the bytes is not the frame */
      return FALSE;
    gst_upi_meta_set_frame (
        gst_buffer_add_upi_meta (dest, self->content), self->width, self->height, self->par_n, self->par_d);
    return TRUE;
  }
  if (!GST_VIDEO_META_TRANSFORM_IS_SCALE (
          type)) /* who knows; the trace says so, unless a transform that we know is asked for next */
    return FALSE;
  const GstVideoMetaTransform *scale = data;
  g_autoptr (GstUpiContent) content = scaled_content (self, buffer, scale);
  set_frame_of (gst_buffer_add_upi_meta (dest, content), scale->out_info);
  return TRUE;
}

const GstMetaInfo *
gst_upi_meta_get_info (void)
{
  static gsize info = 0;

  if (g_once_init_enter (&info)) {
    const GstMetaInfo *registered = gst_meta_register (GST_UPI_META_API_TYPE, "GstUpiMeta", sizeof (GstUpiMeta),
        gst_upi_meta_init, gst_upi_meta_free, gst_upi_meta_transform);
    g_once_init_leave (&info, (gsize) registered);
  }
  return (const GstMetaInfo *) info;
}

/* Beside each GstUpiMeta, without tags: elements that drop the one, because they cut or turn the picture (videocrop,
 * videobox, videoflip), copy the other, which leaves an empty GstUpiMeta in the lost one's place. */
static GType
trace_api_get_type (void)
{
  static gsize type = 0;
  static const gchar *tags[] = { NULL };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, gst_meta_api_type_register ("GstUpiTraceMetaAPI", tags));
  return type;
}

static void add_trace (GstBuffer *buffer);

static gboolean
trace_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  return TRUE;
}

static gboolean
trace_transform (GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type, gpointer data)
{
  GstUpiMeta *before = gst_buffer_get_upi_meta (buffer);

  if (GST_META_TRANSFORM_IS_COPY (type) && ((const GstMetaTransformCopy *) data)->region)
    return FALSE;
  if (gst_buffer_get_upi_meta (dest) == NULL) { /* if it is copied too, it takes this one's place */
    g_autoptr (GstUpiContent) lost =
        gst_upi_content_lose_geometry (before != NULL ? before->content : NULL, FALSE, FALSE);
    gst_buffer_add_upi_meta (dest, lost);
  }
  add_trace (dest);
  return TRUE;
}

static void
add_trace (GstBuffer *buffer)
{
  static gsize info = 0;

  if (g_once_init_enter (&info)) {
    const GstMetaInfo *registered = gst_meta_register (
        trace_api_get_type (), "GstUpiTraceMeta", sizeof (GstMeta), trace_init, NULL, trace_transform);
    g_once_init_leave (&info, (gsize) registered);
  }
  if (gst_buffer_get_meta (buffer, trace_api_get_type ()) == NULL)
    gst_buffer_add_meta (buffer, (const GstMetaInfo *) info, NULL);
}

GstUpiMeta *
gst_buffer_get_upi_meta (GstBuffer *buffer)
{
  return (GstUpiMeta *) gst_buffer_get_meta (buffer, GST_UPI_META_API_TYPE);
}

GstUpiMeta *
gst_buffer_add_upi_meta (GstBuffer *buffer, GstUpiContent *content)
{
  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (gst_buffer_is_writable (buffer), NULL);

  g_autoptr (GstUpiContent) empty =
      content == NULL ? gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE) : NULL;
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  if (meta == NULL)
    meta = (GstUpiMeta *) gst_buffer_add_meta (buffer, GST_UPI_META_INFO, NULL);
  add_trace (buffer);
  gst_upi_meta_set_content (meta, content != NULL ? content : empty);
  return meta;
}

GstUpiContent *
gst_upi_meta_get_content (GstUpiMeta *meta)
{
  return meta->content;
}

void
gst_upi_meta_set_content (GstUpiMeta *meta, GstUpiContent *content)
{
  g_return_if_fail (content != NULL);

  GstUpiContent *old = meta->content;
  meta->content = gst_upi_content_ref (content);
  if (old != NULL)
    gst_upi_content_unref (old);
}

void
gst_upi_meta_add_objects (GstUpiMeta *meta, const GstUpiObject *objects, guint n_objects)
{
  g_autoptr (GstUpiContent) content = gst_upi_content_add_objects (meta->content, objects, n_objects);
  gst_upi_meta_set_content (meta, content);
}

void
gst_upi_meta_set_captions (GstUpiMeta *meta, const GstUpiCaption *captions, guint n_captions)
{
  g_autoptr (GstUpiContent) content = gst_upi_content_set_captions (meta->content, captions, n_captions);
  gst_upi_meta_set_content (meta, content);
}

void
gst_upi_meta_drop_encoding (GstUpiMeta *meta)
{
  g_autoptr (GstUpiContent) content = gst_upi_content_drop_encoding (meta->content);
  gst_upi_meta_set_content (meta, content);
}
