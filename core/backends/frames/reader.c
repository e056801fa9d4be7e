/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an image to a frame: matrix, filters and steps through the input follow from its format (image.c), size and
 * orientation. */
#include "core/backends/frames/reader.h"

#include "core/backends/frames/filters.h"
#include "core/backends/frames/image.h"
#include "core/backends/frames/orientation.h"
#include "core/memory.h"

/* Where pixels come to that only their own function reads. */
typedef struct {
  guint8 *rgb;
  gsize bytes;
} Pixels;

struct _UpiFrameReader {
  UpiFilters filters;
  GArray *read; /* Pixels, one an item of a batch */
};

UpiFrameReader *
upi_frame_reader_new (void)
{
  UpiFrameReader *reader = g_new0 (UpiFrameReader, 1);

  reader->read = g_array_new (FALSE, TRUE, sizeof (Pixels));
  return reader;
}

void
upi_frame_reader_free (UpiFrameReader *reader)
{
  upi_filters_clear (&reader->filters);
  for (guint i = 0; i < reader->read->len; i++)
    g_free (g_array_index (reader->read, Pixels, i).rgb);
  g_array_unref (reader->read);
  g_free (reader);
}

/* Components as they are stored → R, G, B of 0..255. */
static void
matrix_of (const UpiImage *image, const UpiPixels *pixels, gfloat matrix[3][4])
{
  gdouble luma = pixels->full_range ? 1 : 255.0 / 219, black = pixels->full_range ? 0 : 16,
          chroma = pixels->full_range ? 1 : 255.0 / 224;
  gdouble kr = image->kr, kb = image->kb, kg, to_rgb[3][2] = { { 0 } };

  if (kr == 0 && kb == 0) {
    kr = 0.299;
    kb = 0.114;
  }
  kg = 1 - kr - kb;
  if (pixels->n_components == 3) {
    to_rgb[0][1] = 2 * (1 - kr) * chroma;
    to_rgb[1][0] = -2 * kb * (1 - kb) / kg * chroma;
    to_rgb[1][1] = -2 * kr * (1 - kr) / kg * chroma;
    to_rgb[2][0] = 2 * (1 - kb) * chroma;
  }
  for (guint i = 0; i < 3; i++) {
    for (guint j = 0; j < 3; j++)
      matrix[i][j] = pixels->yuv ? (j == 0 ? luma : to_rgb[i][j - 1]) : (i == j ? luma : 0);
    matrix[i][3] = -black * luma - (pixels->yuv ? 128 * (to_rgb[i][0] + to_rgb[i][1]) : 0);
  }
}

/* extent: in an odd frame the last chroma sample lies half outside. */
static const UpiFilter *
filter_along (UpiFrameReader *reader, guint pixels, guint shift, guint n_out, GError **error)
{
  return upi_filters_get (
      &reader->filters, upi_component_samples (pixels, shift), (gdouble) pixels / (1u << shift), n_out, error);
}

/* Where the frame has the plane of component c; a new one at its end. */
static guint
frame_plane (const UpiPixels *pixels, const UpiFrame *frame, guint c)
{
  for (guint i = 0; i < c; i++)
    if (pixels->components[i].plane == pixels->components[c].plane)
      return frame->components[i].plane;
  return frame->n_planes;
}

/* width × height: of the picture as it is. */
static gboolean
describe (UpiFrameReader *reader, const UpiImage *image, guint width, guint height, const gfloat mean[3],
    const gfloat std[3], UpiFrame *frame, GError **error)
{
  UpiPixels pixels;

  upi_image_pixels (image, &pixels);
  *frame = (UpiFrame){
    .sample_bytes = pixels.sample_bytes,
    .sample_shift = pixels.sample_shift,
    .n_components = pixels.n_components,
    .on_device = image->on_device,
  };
  for (guint i = 0; i < 3; i++) {
    frame->scale[i] = 1 / (255 * std[i]);
    frame->bias[i] = -mean[i] / std[i];
  }
  matrix_of (image, &pixels, frame->matrix);
  frame->width = frame->input_width = upi_orientation_is_transposed (image->orientation) ? height : width;
  frame->height = frame->input_height = upi_orientation_is_transposed (image->orientation) ? width : height;
  upi_orientation_steps (
      image->orientation, width, height, frame->width, &frame->origin, &frame->step_x, &frame->step_y);
  for (guint c = 0; c < pixels.n_components; c++) {
    const UpiComponent *component = &pixels.components[c];
    guint n = upi_component_samples (image->width, component->width_shift), i = frame_plane (&pixels, frame, c);

    frame->components[c].plane = i;
    frame->components[c].first = component->first / pixels.sample_bytes;
    frame->components[c].step = component->step / pixels.sample_bytes;
    frame->components[c].across = filter_along (reader, image->width, component->width_shift, width, error);
    if (frame->components[c].across == NULL)
      return FALSE;
    if (i == frame->n_planes) {
      frame->n_planes++;
      frame->planes[i].data = image->planes[component->plane];
      frame->planes[i].stride = image->strides[component->plane];
      frame->planes[i].rows = upi_component_samples (image->height, component->height_shift);
      frame->planes[i].down = filter_along (reader, image->height, component->height_shift, height, error);
      if (frame->planes[i].down == NULL)
        return FALSE;
    }
    frame->planes[i].samples =
        MAX (frame->planes[i].samples, frame->components[c].first + (n - 1) * frame->components[c].step + 1);
  }
  return TRUE;
}

/* Pixels that only their own function reads, already of the network's size: width × height of the picture as it is. */
static const guint8 *
read_scaled (Pixels *pixels, const UpiImage *image, guint width, guint height, GError **error)
{
  gsize bytes = (gsize) width * height * 3;
  GError *cause = NULL;

  if (pixels->bytes < bytes) {
    g_free (pixels->rgb);
    pixels->rgb = upi_memory_new (1, bytes, "a converted frame", error);
    pixels->bytes = pixels->rgb != NULL ? bytes : 0;
    if (pixels->rgb == NULL)
      return NULL;
  }
  if (!image->read (image->user_data, pixels->rgb, width, height, (gsize) width * 3, &cause)) {
    upi_image_read_failed (error, cause);
    return NULL;
  }
  return pixels->rgb;
}

gboolean
upi_frame_reader_read (
    UpiFrameReader *reader, guint item, UpiImage *image, guint width, guint height, UpiImage *pixels, GError **error)
{
  gboolean transposed = upi_orientation_is_transposed (image->orientation);
  guint across = transposed ? height : width, down = transposed ? width : height;

  if (!upi_image_prepare (image, error))
    return FALSE;
  *pixels = *image;
  if (image->format != UPI_PIXELS_READ)
    return TRUE;
  *pixels = (UpiImage){
    .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = across,
    .height = down,
    .strides = { 3 * (gssize) across },
    .orientation = image->orientation,
  };
  if (reader->read->len <= item)
    g_array_set_size (reader->read, item + 1);
  pixels->planes[0] = read_scaled (&g_array_index (reader->read, Pixels, item), image, across, down, error);
  return pixels->planes[0] != NULL;
}

gboolean
upi_frame_reader_describe (UpiFrameReader *reader, const UpiImage *pixels, guint width, guint height,
    const gfloat mean[3], const gfloat std[3], UpiFrame *frame, GError **error)
{
  gboolean transposed = upi_orientation_is_transposed (pixels->orientation);

  return describe (reader, pixels, transposed ? height : width, transposed ? width : height, mean, std, frame, error);
}

void
upi_frame_letterbox (UpiFrame *frame, UpiOrientation orientation, guint width, guint height, const gfloat pad[3])
{
  g_assert (width >= frame->width && height >= frame->height);
  frame->input_width = width;
  frame->input_height = height;
  upi_orientation_steps (orientation, frame->components[0].across->n_out, frame->planes[0].down->n_out, width,
      &frame->origin, &frame->step_x, &frame->step_y);
  for (guint i = 0; i < 3; i++)
    frame->border[i] = 255 * pad[i] * frame->scale[i] + frame->bias[i];
}
