/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.c: from a video buffer to the pixels that the network reads; see image.h. */
#include "gst/encoder/image.h"

#include <string.h>

/* Frames of any format as NV12, by GStreamer's own converter. It has state, so that two workers never share one; idle
 * ones are kept. */
typedef struct {
  GstVideoConverter *converter;
  GstVideoInfo info;
  guint8 *pixels;
} Converter;

struct _GstUpiReader {
  GstVideoInfo info;
  UpiImage image;       /* what is the same for every frame of the host's memory */
  UpiImage on_device;   /* and of a GPU's; format READ: comes to the host */
  GstVideoInfo in, out; /* of converters */
  GstUpiCuda *cuda;     /* nullable */
  GMutex lock;
  GPtrArray *idle; /* of Converter, under lock */
};

typedef struct {
  GstVideoFrame frame;
  GstUpiReader *reader;
  Converter *converter; /* nullable: whose pixels are read */
  GDestroyNotify released;
  gpointer user_data;
} MappedFrame;

static void
converter_free (Converter *converter)
{
  g_clear_pointer (&converter->converter, gst_video_converter_free);
  g_free (converter->pixels);
  g_free (converter);
}

/* Samples of one byte: 4:2:0, and full-range RGB. */
static gboolean
describe_bytes (const GstVideoFormatInfo *finfo, UpiImage *image)
{
  for (guint c = 0; c < 3; c++) {
    if (finfo->depth[c] != 8 || finfo->shift[c] != 0 || finfo->pixel_stride[c] <= 0)
      return FALSE;
    image->components[c] = (UpiComponent){
      .plane = finfo->plane[c],
      .first = finfo->poffset[c],
      .step = (guint) finfo->pixel_stride[c],
      .width_shift = finfo->w_sub[c],
      .height_shift = finfo->h_sub[c],
    };
  }
  return TRUE;
}

/* 4:2:0 of 10 or 12 bits in two bytes of the machine's order: a plane each, or chroma interleaved as in P010 (for which
 * the offsets of GStreamer's table are not in bytes). Their 8 upper bits are what GStreamer makes NV12 of; 16 bits it
 * dithers. */
static gboolean
describe_words (const GstVideoFormatInfo *finfo, UpiImage *image)
{
  gboolean interleaved = finfo->pixel_stride[1] == 4 && finfo->plane[1] == finfo->plane[2];

  if (GST_VIDEO_FORMAT_INFO_IS_LE (finfo) != (G_BYTE_ORDER == G_LITTLE_ENDIAN) || finfo->depth[0] <= 8
      || finfo->depth[0] > 12)
    return FALSE;
  for (guint c = 0; c < 3; c++) {
    gint step = c > 0 && interleaved ? 4 : 2;

    if (finfo->depth[c] != finfo->depth[0] || finfo->shift[c] != finfo->shift[0] || finfo->pixel_stride[c] != step)
      return FALSE;
    image->components[c] = (UpiComponent){
      .plane = finfo->plane[c],
      .first = c == 2 && interleaved ? 2 : 0,
      .step = (guint) step,
      .width_shift = finfo->w_sub[c],
      .height_shift = finfo->h_sub[c],
    };
  }
  image->depth = finfo->depth[0];
  image->shift = finfo->shift[0];
  return TRUE;
}

/* What gives the very input that its NV12 gives: 4:2:0. Everything else would give another one: chroma of another
 * sampling, a matrix' rounding, ranges, dithering. A frame in a GPU's memory is read there, RGB too. */
static gboolean
is_read_in_place (const GstVideoInfo *info, gboolean on_device, UpiImage *image)
{
  const GstVideoFormatInfo *finfo = info->finfo;

  if (GST_VIDEO_FORMAT_INFO_IS_COMPLEX (finfo) || GST_VIDEO_FORMAT_INFO_IS_TILED (finfo)
      || GST_VIDEO_FORMAT_INFO_HAS_PALETTE (finfo) || GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo) < 3)
    return FALSE;
  if (GST_VIDEO_FORMAT_INFO_IS_RGB (finfo))
    return on_device && info->colorimetry.range != GST_VIDEO_COLOR_RANGE_16_235 && describe_bytes (finfo, image);
  for (guint c = 1; c < 3; c++)
    if (finfo->w_sub[c] != 1 || finfo->h_sub[c] != 1)
      return FALSE;
  return GST_VIDEO_FORMAT_INFO_IS_YUV (finfo) && (describe_bytes (finfo, image) || describe_words (finfo, image));
}

/* GstVideoConverter writes where it should not when the two fields of a frame differ in their number of lines, and
 * reads beyond a field that has hardly a line of some component. Such a frame was not filmed in fields. */
static void
make_progressive_if_odd (GstVideoInfo *info)
{
  guint shift = 0;

  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (info->finfo); c++)
    shift = MAX (shift, GST_VIDEO_FORMAT_INFO_H_SUB (info->finfo, c));
  if (GST_VIDEO_INFO_IS_INTERLACED (info)
      && (GST_VIDEO_INFO_HEIGHT (info) % 2 != 0 || GST_VIDEO_INFO_HEIGHT (info) < 4 << shift))
    info->interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
}

/* What videoconvert would make of it: colours as they came, or those of NV12 of that size where they came as RGB or
 * grey. */
static void
describe_nv12 (const GstVideoInfo *info, GstVideoInfo *in, GstVideoInfo *out)
{
  *in = *info;
  make_progressive_if_odd (in);
  gst_video_info_set_interlaced_format (out, GST_VIDEO_FORMAT_NV12, in->interlace_mode,
      (guint) GST_VIDEO_INFO_WIDTH (in), (guint) GST_VIDEO_INFO_HEIGHT (in));
  /* The converter refuses infos whose frame rate differs. */
  out->fps_n = in->fps_n;
  out->fps_d = in->fps_d;
  out->par_n = in->par_n;
  out->par_d = in->par_d;
  if (GST_VIDEO_INFO_IS_YUV (in)) {
    out->colorimetry = in->colorimetry;
    if (GST_VIDEO_FORMAT_INFO_W_SUB (in->finfo, 1) == 1 && GST_VIDEO_FORMAT_INFO_H_SUB (in->finfo, 1) == 1)
      out->chroma_site = in->chroma_site;
  }
}

static Converter *
converter_new (const GstVideoInfo *in, const GstVideoInfo *out, GError **error)
{
  Converter *converter = g_new0 (Converter, 1);
  /* Some planes are scaled alone: as videoconvert does it. */
  GstStructure *config =
      gst_structure_new ("upi-converter", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD, GST_TYPE_VIDEO_RESAMPLER_METHOD,
          GST_VIDEO_RESAMPLER_METHOD_LINEAR, GST_VIDEO_RESAMPLER_OPT_MAX_TAPS, G_TYPE_INT, 2, NULL);

  converter->info = *out;
  converter->pixels = g_try_malloc (GST_VIDEO_INFO_SIZE (out));
  if (converter->pixels == NULL)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "no memory to convert a frame: %" G_GSIZE_FORMAT " bytes",
        GST_VIDEO_INFO_SIZE (out));
  else
    converter->converter = gst_video_converter_new (in, out, g_steal_pointer (&config));
  if (converter->pixels != NULL && converter->converter == NULL)
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT,
        "GstVideoConverter cannot read %s %d×%d: put videoconvert before upiencoder", GST_VIDEO_INFO_NAME (in),
        GST_VIDEO_INFO_WIDTH (in), GST_VIDEO_INFO_HEIGHT (in));
  g_clear_pointer (&config, gst_structure_free);
  if (converter->converter == NULL)
    g_clear_pointer (&converter, converter_free);
  return converter;
}

/* An idle converter or a new one. */
static Converter *
reader_take_converter (GstUpiReader *reader, GError **error)
{
  Converter *converter = NULL;

  g_mutex_lock (&reader->lock);
  if (reader->idle->len > 0)
    converter = g_ptr_array_steal_index_fast (reader->idle, reader->idle->len - 1);
  g_mutex_unlock (&reader->lock);
  return converter != NULL ? converter : converter_new (&reader->in, &reader->out, error);
}

/* UpiImagePrepare: the frame as NV12, on the worker. */
static gboolean
convert (UpiImage *image, GError **error)
{
  MappedFrame *mapped = image->user_data;
  Converter *converter = mapped->converter = reader_take_converter (mapped->reader, error);
  GstVideoFrame out;

  if (converter == NULL)
    return FALSE;
  memset (&out, 0, sizeof out); /* memory as a frame: no buffer behind it */
  out.info = converter->info;
  if (GST_VIDEO_INFO_IS_INTERLACED (&converter->info))
    out.flags = mapped->frame.flags; /* chroma is of fields */
  else
    GST_VIDEO_FRAME_FLAGS (&mapped->frame) &= ~GST_VIDEO_FRAME_FLAG_INTERLACED;
  for (guint i = 0; i < 2; i++) {
    out.data[i] = converter->pixels + GST_VIDEO_INFO_PLANE_OFFSET (&converter->info, i);
    image->planes[i] = out.data[i];
    image->strides[i] = GST_VIDEO_INFO_PLANE_STRIDE (&converter->info, i);
  }
  gst_video_converter_frame (converter->converter, &mapped->frame, &out);
  return TRUE;
}

/* A range that nobody named is the full one, as it is for videoconvert. */
static UpiImage
describe_colours (const GstVideoInfo *info)
{
  UpiImage image = {
    .size = sizeof (UpiImage),
    .format = GST_VIDEO_INFO_IS_RGB (info) ? UPI_PIXELS_RGB_COMPONENTS : UPI_PIXELS_YUV_COMPONENTS,
    .width = (guint) GST_VIDEO_INFO_WIDTH (info),
    .height = (guint) GST_VIDEO_INFO_HEIGHT (info),
    .full_range = info->colorimetry.range != GST_VIDEO_COLOR_RANGE_16_235,
    .n_components = 3,
    .pixel_width = (guint) MAX (GST_VIDEO_INFO_PAR_N (info), 0),
    .pixel_height = (guint) MAX (GST_VIDEO_INFO_PAR_D (info), 0),
  };
  gdouble kr = 0, kb = 0;

  if (gst_video_color_matrix_get_Kr_Kb (info->colorimetry.matrix, &kr, &kb)) {
    image.kr = (gfloat) kr;
    image.kb = (gfloat) kb;
  }
  return image;
}

static void
describe (GstUpiReader *reader)
{
  const GstVideoInfo *info = &reader->info;

  reader->image = reader->on_device = describe_colours (info);
  if (!is_read_in_place (info, TRUE, &reader->on_device))
    reader->on_device.format = UPI_PIXELS_READ;
  reader->on_device.on_device = TRUE;
  if (is_read_in_place (info, FALSE, &reader->image))
    return;
  describe_nv12 (info, &reader->in, &reader->out);
  reader->image = describe_colours (&reader->out);
  reader->image.format = UPI_PIXELS_NV12;
  reader->image.prepare = convert;
}

GstUpiReader *
gst_upi_reader_new (const GstVideoInfo *info, GstUpiCuda *cuda)
{
  GstUpiReader *reader = g_atomic_rc_box_new0 (GstUpiReader);

  reader->info = *info;
  reader->cuda = cuda != NULL ? gst_upi_cuda_ref (cuda) : NULL;
  describe (reader);
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

static void
mapped_frame_release (gpointer user_data)
{
  MappedFrame *mapped = user_data;

  gst_video_frame_unmap (&mapped->frame);
  if (mapped->converter != NULL) {
    g_mutex_lock (&mapped->reader->lock);
    g_ptr_array_add (mapped->reader->idle, mapped->converter);
    g_mutex_unlock (&mapped->reader->lock);
  }
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
    /* A tiled plane's stride counts tiles: across, and down. */
    gint plain = GST_VIDEO_INFO_PLANE_STRIDE (info, plane);
    gsize end = plane + 1 < GST_VIDEO_INFO_N_PLANES (info) ? GST_VIDEO_INFO_PLANE_OFFSET (info, plane + 1)
                                                           : GST_VIDEO_INFO_SIZE (info);
    gsize tiles = (gsize) GST_VIDEO_TILE_X_TILES (plain) * (gsize) GST_VIDEO_TILE_Y_TILES (plain);
    gsize size = (end - GST_VIDEO_INFO_PLANE_OFFSET (info, plane)) / MAX (tiles, 1)
        * (gsize) GST_VIDEO_TILE_X_TILES (stride) * (gsize) GST_VIDEO_TILE_Y_TILES (stride);
    return GST_VIDEO_TILE_X_TILES (stride) >= GST_VIDEO_TILE_X_TILES (plain)
        && GST_VIDEO_TILE_Y_TILES (stride) >= GST_VIDEO_TILE_Y_TILES (plain) && first >= 0
        && (gsize) first + size <= map->size;
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
gst_upi_reader_map (GstUpiReader *reader, GstBuffer *buffer, UpiImage *image, GDestroyNotify released,
    gpointer user_data, GError **error)
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
  /* What is converted comes to the host, as does memory of another context: mapping brings it. */
  gboolean on_device =
      reader->on_device.format != UPI_PIXELS_READ && gst_upi_cuda_map (reader->cuda, &mapped->frame, info, buffer);
  if (!on_device && !gst_video_frame_map (&mapped->frame, info, buffer, GST_MAP_READ)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT,
        "A frame of %" G_GSIZE_FORMAT " bytes cannot be mapped as %s %d×%d, which takes %" G_GSIZE_FORMAT " bytes",
        gst_buffer_get_size (buffer), format, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
        GST_VIDEO_INFO_SIZE (info));
    g_free (mapped);
    return FALSE;
  }
  for (guint plane = 0; meta != NULL && plane < GST_VIDEO_INFO_N_PLANES (info); plane++) {
    if (plane_fits (info, &mapped->frame, plane))
      continue;
    g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT,
        "Plane %u of a %s %d×%d frame (stride %d) reaches beyond its memory of %" G_GSIZE_FORMAT " bytes", plane,
        format, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
        GST_VIDEO_FRAME_PLANE_STRIDE (&mapped->frame, plane), mapped->frame.map[plane].size);
    gst_video_frame_unmap (&mapped->frame);
    g_free (mapped);
    return FALSE;
  }

  mapped->reader = gst_upi_reader_ref (reader);
  mapped->released = released;
  mapped->user_data = user_data;
  *image = on_device ? reader->on_device : reader->image;
  image->release = mapped_frame_release;
  image->user_data = mapped;
  for (guint plane = 0; image->prepare == NULL && plane < GST_VIDEO_INFO_N_PLANES (info); plane++) {
    image->planes[plane] = GST_VIDEO_FRAME_PLANE_DATA (&mapped->frame, plane);
    image->strides[plane] = GST_VIDEO_FRAME_PLANE_STRIDE (&mapped->frame, plane);
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
      plain &= meta->offset[i] == GST_VIDEO_INFO_PLANE_OFFSET (info, i)
          && meta->stride[i] == GST_VIDEO_INFO_PLANE_STRIDE (info, i);
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
