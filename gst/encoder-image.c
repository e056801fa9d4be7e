/* encoder-image.c: from a video buffer to the pixels that the network reads; see encoder-image.h. */
#include "gst/encoder-image.h"

#include <string.h>

/* A converter for one input size of the network. It has state, so that two workers never share one; idle ones are kept. */
typedef struct {
  GstVideoConverter *converter;
  GstVideoInfo out;
} Converter;

struct _GstUpiReader {
  GstVideoInfo info;
  UpiPixelFormat format;
  gfloat kr, kb;
  gboolean full_range;
  GstUpiCuda *cuda; /* nullable */
  GMutex lock;
  GPtrArray *idle; /* of Converter, under lock */
};

typedef struct {
  GstVideoFrame frame;
  GstUpiReader *reader;
  GDestroyNotify released;
  gpointer user_data;
} MappedFrame;

static void
converter_free (Converter *converter)
{
  gst_video_converter_free (converter->converter);
  g_free (converter);
}

/* Which of the engine's kernels reads this video, or UPI_PIXELS_READ. */
static UpiPixelFormat
pixel_format (const GstVideoInfo *info)
{
  static const struct {
    GstVideoFormat video;
    UpiPixelFormat pixels;
  } formats[] = {
    { GST_VIDEO_FORMAT_RGB, UPI_PIXELS_RGB },
    { GST_VIDEO_FORMAT_BGR, UPI_PIXELS_BGR },
    { GST_VIDEO_FORMAT_RGBx, UPI_PIXELS_RGBX },
    { GST_VIDEO_FORMAT_RGBA, UPI_PIXELS_RGBX },
    { GST_VIDEO_FORMAT_BGRx, UPI_PIXELS_BGRX },
    { GST_VIDEO_FORMAT_BGRA, UPI_PIXELS_BGRX },
    { GST_VIDEO_FORMAT_I420, UPI_PIXELS_I420 },
    { GST_VIDEO_FORMAT_YV12, UPI_PIXELS_I420 },
    { GST_VIDEO_FORMAT_NV12, UPI_PIXELS_NV12 },
  };

  if (GST_VIDEO_INFO_IS_INTERLACED (info))
    return UPI_PIXELS_READ;
  if (GST_VIDEO_INFO_IS_RGB (info) && info->colorimetry.range == GST_VIDEO_COLOR_RANGE_16_235)
    return UPI_PIXELS_READ;
  if (GST_VIDEO_INFO_IS_YUV (info) && info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_RGB)
    return UPI_PIXELS_READ;
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    if (formats[i].video == GST_VIDEO_INFO_FORMAT (info))
      return formats[i].pixels;
  return UPI_PIXELS_READ;
}

/* GstVideoConverter writes where it should not when the two fields of a frame differ in their number of lines (the taps of its filter may
 * differ then), and reads beyond a field that has hardly a line of some component. Such a frame was not filmed in fields. */
static void
make_progressive_if_odd (GstVideoInfo *info)
{
  guint shift = 0;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (info->finfo); c++)
    shift = MAX (shift, GST_VIDEO_FORMAT_INFO_H_SUB (info->finfo, c));
  if (GST_VIDEO_INFO_IS_INTERLACED (info) && (GST_VIDEO_INFO_HEIGHT (info) % 2 != 0 || GST_VIDEO_INFO_HEIGHT (info) < 4 << shift))
    info->interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
}

GstUpiReader *
gst_upi_reader_new (const GstVideoInfo *info, GstUpiCuda *cuda)
{
  GstUpiReader *reader = g_atomic_rc_box_new0 (GstUpiReader);
  gdouble kr = 0, kb = 0;

  reader->info = *info;
  make_progressive_if_odd (&reader->info);
  reader->format = pixel_format (&reader->info);
  if (GST_VIDEO_INFO_IS_YUV (info) && gst_video_color_matrix_get_Kr_Kb (info->colorimetry.matrix, &kr, &kb)) {
    reader->kr = (gfloat) kr;
    reader->kb = (gfloat) kb;
  }
  reader->cuda = cuda != NULL ? gst_upi_cuda_ref (cuda) : NULL;
  reader->full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
  g_mutex_init (&reader->lock);
  reader->idle = g_ptr_array_new_with_free_func ((GDestroyNotify) converter_free);
  return reader;
}

GstUpiReader *
gst_upi_reader_ref (GstUpiReader *reader)
{
  return g_atomic_rc_box_acquire (reader);
}

static void
reader_clear (gpointer data)
{
  GstUpiReader *reader = data;
  g_clear_pointer (&reader->cuda, gst_upi_cuda_unref);
  g_ptr_array_unref (reader->idle);
  g_mutex_clear (&reader->lock);
}

void
gst_upi_reader_unref (GstUpiReader *reader)
{
  g_atomic_rc_box_release_full (reader, reader_clear);
}

static Converter *
converter_new (const GstVideoInfo *in, guint width, guint height)
{
  Converter *converter = g_new0 (Converter, 1);

  /* The converter refuses infos whose interlace mode or frame rate differ. */
  gst_video_info_set_interlaced_format (&converter->out, GST_VIDEO_FORMAT_RGB, in->interlace_mode, width, height);
  converter->out.fps_n = in->fps_n;
  converter->out.fps_d = in->fps_d;
  /* Linear taps widen with the scale: a triangle, as the network was trained with. */
  GstStructure *config = gst_structure_new ("upi-converter", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
      GST_VIDEO_RESAMPLER_METHOD_LINEAR, GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE,
      GST_VIDEO_CONVERTER_OPT_THREADS, G_TYPE_UINT, 1, NULL);
  converter->converter = gst_video_converter_new (in, &converter->out, config);
  if (converter->converter == NULL)
    g_clear_pointer (&converter, g_free);
  return converter;
}

/* An idle converter for that size, or a new one; NULL if GStreamer has none. */
static Converter *
reader_take_converter (GstUpiReader *reader, guint width, guint height)
{
  Converter *converter = NULL;

  g_mutex_lock (&reader->lock);
  for (guint i = 0; i < reader->idle->len && converter == NULL; i++) {
    Converter *idle = g_ptr_array_index (reader->idle, i);
    if (GST_VIDEO_INFO_WIDTH (&idle->out) == (gint) width && GST_VIDEO_INFO_HEIGHT (&idle->out) == (gint) height)
      converter = g_ptr_array_steal_index_fast (reader->idle, i);
  }
  g_mutex_unlock (&reader->lock);
  return converter != NULL ? converter : converter_new (&reader->info, width, height);
}

/* UpiImageRead: any video format into the network's input, in one pass, on the worker. */
static gboolean
read_converted (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  MappedFrame *mapped = user_data;
  GstUpiReader *reader = mapped->reader;
  Converter *converter = reader_take_converter (reader, width, height);

  if (converter == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT, "GstVideoConverter cannot read %s %d×%d: put videoconvert before upiencoder",
        gst_video_format_to_string (GST_VIDEO_INFO_FORMAT (&reader->info)), GST_VIDEO_INFO_WIDTH (&reader->info),
        GST_VIDEO_INFO_HEIGHT (&reader->info));
    return FALSE;
  }
  /* The engine's memory as a frame: no buffer behind it. */
  GstVideoFrame out;
  memset (&out, 0, sizeof out);
  out.info = converter->out;
  out.info.stride[0] = (gint) stride;
  out.data[0] = rgb;
  gst_video_converter_frame (converter->converter, &mapped->frame, &out);

  g_mutex_lock (&reader->lock);
  g_ptr_array_add (reader->idle, converter);
  g_mutex_unlock (&reader->lock);
  return TRUE;
}

static void
mapped_frame_release (gpointer user_data)
{
  MappedFrame *mapped = user_data;

  gst_video_frame_unmap (&mapped->frame);
  gst_upi_reader_unref (mapped->reader);
  if (mapped->released != NULL)
    mapped->released (mapped->user_data);
  g_free (mapped);
}

/* Bytes that a reader of @plane touches in its last row, and how many rows it has. */
static void
plane_extent (const GstVideoInfo *info, guint plane, gsize *row_bytes, gsize *rows)
{
  const GstVideoFormatInfo *finfo = info->finfo;

  *row_bytes = 0;
  *rows = 0;
  if (GST_VIDEO_FORMAT_INFO_HAS_PALETTE (finfo) && plane == 1) {
    *row_bytes = 4 * 256;
    *rows = 1;
    return;
  }
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo); c++) {
    if (GST_VIDEO_FORMAT_INFO_PLANE (finfo, c) != plane)
      continue;
    gsize bytes = (gsize) GST_VIDEO_INFO_COMP_WIDTH (info, c) * (gsize) GST_VIDEO_INFO_COMP_PSTRIDE (info, c);
    if (GST_VIDEO_INFO_COMP_PSTRIDE (info, c) <= 0) /* pixels packed across bytes: a whole default row */
      bytes = (gsize) GST_VIDEO_INFO_PLANE_STRIDE (info, plane);
    *row_bytes = MAX (*row_bytes, bytes);
    *rows = MAX (*rows, (gsize) GST_VIDEO_INFO_COMP_HEIGHT (info, c));
  }
}

/* A GstVideoMeta may claim more than its memory has: GStreamer maps it all the same. */
static gboolean
plane_fits (const GstVideoInfo *info, const GstVideoFrame *frame, guint plane)
{
  gsize row_bytes, rows;
  const GstMapInfo *map = &frame->map[plane];
  gint64 first = (const guint8 *) frame->data[plane] - map->data;
  gint64 stride = GST_VIDEO_FRAME_PLANE_STRIDE (frame, plane);

  if (GST_VIDEO_FORMAT_INFO_IS_TILED (info->finfo)) {
    /* A tiled plane's stride counts tiles: only the default layout is read. */
    gsize end = plane + 1 < GST_VIDEO_INFO_N_PLANES (info) ? GST_VIDEO_INFO_PLANE_OFFSET (info, plane + 1) : GST_VIDEO_INFO_SIZE (info);
    gsize size = end - GST_VIDEO_INFO_PLANE_OFFSET (info, plane);
    return stride == GST_VIDEO_INFO_PLANE_STRIDE (info, plane) && first >= 0 && (gsize) first + size <= map->size;
  }
  plane_extent (info, plane, &row_bytes, &rows);
  if (rows == 0)
    return TRUE;
  gint64 last = first + stride * (gint64) (rows - 1);
  return MIN (first, last) >= 0 && MAX (first, last) + (gint64) row_bytes <= (gint64) map->size;
}

static gboolean
video_meta_agrees (const GstVideoInfo *info, const GstVideoMeta *meta)
{
  return meta->format == GST_VIDEO_INFO_FORMAT (info) && meta->n_planes == GST_VIDEO_INFO_N_PLANES (info)
      && meta->width >= (guint) GST_VIDEO_INFO_WIDTH (info) && meta->height >= (guint) GST_VIDEO_INFO_HEIGHT (info);
}

gboolean
gst_upi_reader_map (GstUpiReader *reader, GstBuffer *buffer, UpiImage *image, GDestroyNotify released, gpointer user_data, GError **error)
{
  const GstVideoInfo *info = &reader->info;
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  const gchar *format = gst_video_format_to_string (GST_VIDEO_INFO_FORMAT (info));
  MappedFrame *mapped = g_new0 (MappedFrame, 1);

  if (meta != NULL && !video_meta_agrees (info, meta)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT, "A frame's GstVideoMeta says %s %u×%u, its caps say %s %d×%d",
        gst_video_format_to_string (meta->format), meta->width, meta->height, format, GST_VIDEO_INFO_WIDTH (info),
        GST_VIDEO_INFO_HEIGHT (info));
    g_free (mapped);
    return FALSE;
  }
  /* What only GstVideoConverter reads comes to the host, as does memory of another context: mapping brings it. */
  gboolean on_device = reader->format != UPI_PIXELS_READ && gst_upi_cuda_map (reader->cuda, &mapped->frame, info, buffer);
  if (!on_device && !gst_video_frame_map (&mapped->frame, info, buffer, GST_MAP_READ)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT,
        "A frame of %" G_GSIZE_FORMAT " bytes cannot be mapped as %s %d×%d, which takes %" G_GSIZE_FORMAT " bytes",
        gst_buffer_get_size (buffer), format, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info), GST_VIDEO_INFO_SIZE (info));
    g_free (mapped);
    return FALSE;
  }
  for (guint plane = 0; meta != NULL && plane < GST_VIDEO_INFO_N_PLANES (info); plane++) {
    if (plane_fits (info, &mapped->frame, plane))
      continue;
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT,
        "Plane %u of a %s %d×%d frame (stride %d) reaches beyond its memory of %" G_GSIZE_FORMAT " bytes", plane, format,
        GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info), GST_VIDEO_FRAME_PLANE_STRIDE (&mapped->frame, plane),
        mapped->frame.map[plane].size);
    gst_video_frame_unmap (&mapped->frame);
    g_free (mapped);
    return FALSE;
  }

  mapped->reader = gst_upi_reader_ref (reader);
  mapped->released = released;
  mapped->user_data = user_data;
  *image = (UpiImage){
    .size = sizeof (UpiImage),
    .format = reader->format,
    .width = (guint) GST_VIDEO_INFO_WIDTH (info),
    .height = (guint) GST_VIDEO_INFO_HEIGHT (info),
    .kr = reader->kr,
    .kb = reader->kb,
    .full_range = reader->full_range,
    .on_device = on_device,
    .read = read_converted,
    .release = mapped_frame_release,
    .user_data = mapped,
  };
  /* YV12 is I420 with its chroma planes exchanged: components have the order that planes lack. */
  gboolean planar = reader->format == UPI_PIXELS_I420;
  for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES (info); i++) {
    guint plane = planar ? GST_VIDEO_FORMAT_INFO_PLANE (info->finfo, i) : i;
    image->planes[i] = GST_VIDEO_FRAME_PLANE_DATA (&mapped->frame, plane);
    image->strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE (&mapped->frame, plane);
  }
  return TRUE;
}

GstBuffer *
gst_upi_reader_plain_layout (GstUpiReader *reader, GstBuffer *buffer)
{
  const GstVideoInfo *info = &reader->info;
  const GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  gboolean plain = meta == NULL || !video_meta_agrees (info, meta);

  if (!plain) {
    plain = meta->width == (guint) GST_VIDEO_INFO_WIDTH (info) && meta->height == (guint) GST_VIDEO_INFO_HEIGHT (info);
    for (guint i = 0; i < meta->n_planes; i++)
      plain &= meta->offset[i] == GST_VIDEO_INFO_PLANE_OFFSET (info, i) && meta->stride[i] == GST_VIDEO_INFO_PLANE_STRIDE (info, i);
  }
  if (plain)
    return buffer;

  GstVideoFrame from, to;
  GstBuffer *copy = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  if (copy == NULL || !gst_video_frame_map (&from, info, buffer, GST_MAP_READ)) {
    gst_clear_buffer (&copy);
    return buffer;
  }
  gboolean copied = gst_video_frame_map (&to, info, copy, GST_MAP_WRITE);
  if (copied) {
    copied = gst_video_frame_copy (&to, &from);
    gst_video_frame_unmap (&to);
  }
  gst_video_frame_unmap (&from);
  if (!copied) {
    gst_buffer_unref (copy);
    return buffer;
  }
  /* All metas but those about the memory, the video meta with them: the layout is that of the caps now. */
  gst_buffer_copy_into (copy, buffer, GST_BUFFER_COPY_METADATA, 0, -1);
  gst_buffer_unref (buffer);
  return copy;
}
