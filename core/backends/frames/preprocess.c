/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conversion to the network's input. For each output row: the source rows under the filter are summed up (vertical), the sum is filtered
 * along the row (horizontal), component by component at its own resolution, then colour matrix and normalisation; nothing but rows is kept in
 * between. What a format is, is said by components (image.c). */
#include "core/backends/frames/preprocess.h"

#include "core/backends/frames/filters.h"
#include "core/backends/frames/image.h"
#include "core/backends/frames/orientation.h"
#include "core/backends/frames/kernels/scale.h"
#include "core/memory.h"
#include "core/processor.h"

#include <stdlib.h>
#include <string.h>

/* Floats that grow with the frames. Zeroed: the horizontal pass reads, and weighs with zero, what lies beyond the row; what is left there from a
 * wider row is finite too. */
typedef struct {
  gfloat *data;
  gsize n;
} Row;

struct _UpiScaler {
  const UpiScaleKernels *kernels;
  UpiFilters filters;
  gfloat scale[4], bias[4]; /* of the conversion that runs */
  Row sums[3];              /* vertical sums of a plane's row */
  Row picked;               /* of them, one component's */
  Row scaled[3];            /* the components at the network's width */
  Row turned;               /* pixels of a row that lies otherwise in the input */
  guint8 *rgb;              /* UPI_PIXELS_READ */
  gsize rgb_bytes;
};

static const UpiScaleKernels *const kernels_of[UPI_N_ISAS] = {
  [UPI_ISA_BASELINE] = &upi_scale_baseline,
#ifdef UPI_SCALE_X86
  [UPI_ISA_AVX2] = &upi_scale_avx2,
  [UPI_ISA_AVX512] = &upi_scale_avx512,
#endif
};

gboolean
upi_scaler_set_isa (UpiScaler *scaler, const gchar *isa)
{
  for (UpiIsa i = UPI_ISA_BASELINE; i <= upi_processor_isa (); i++)
    if (strcmp (isa, upi_isa_name (i)) == 0) {
      scaler->kernels = kernels_of[i];
      return TRUE;
    }
  return FALSE;
}

UpiScaler *
upi_scaler_new (void)
{
  UpiScaler *scaler = g_new0 (UpiScaler, 1);

  scaler->kernels = kernels_of[upi_processor_isa ()];
  return scaler;
}

void
upi_scaler_free (UpiScaler *scaler)
{
  upi_filters_clear (&scaler->filters);
  for (guint i = 0; i < 3; i++) {
    free (scaler->sums[i].data);
    free (scaler->scaled[i].data);
  }
  free (scaler->picked.data);
  free (scaler->turned.data);
  g_free (scaler->rgb);
  g_free (scaler);
}

static gboolean
grow (Row *row, gsize wanted, GError **error)
{
  if (row->data != NULL && row->n >= wanted)
    return TRUE;
  free (row->data);
  row->data = UPI_MEMORY_NEW0 (gfloat, wanted, "rows of a frame", error);
  row->n = row->data != NULL ? wanted : 0;
  return row->data != NULL;
}

/* ---- what is to be done ---------------------------------------------------------------------------------------------------------- */

/* Components as they are stored → R, G, B of 0..255. */
static void
matrix_of (const UpiImage *image, const UpiPixels *pixels, gfloat matrix[3][4])
{
  gdouble luma = pixels->full_range ? 1 : 255.0 / 219, black = pixels->full_range ? 0 : 16, chroma = pixels->full_range ? 1 : 255.0 / 224;
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
filter_along (UpiScaler *scaler, guint pixels, guint shift, guint n_out, GError **error)
{
  return upi_filters_get (&scaler->filters, upi_component_samples (pixels, shift), (gdouble) pixels / (1u << shift), n_out, error);
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
describe (UpiScaler *scaler, const UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3], UpiFrame *frame,
    GError **error)
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
    frame->scale[i] = scaler->scale[i] = 1 / (255 * std[i]);
    frame->bias[i] = scaler->bias[i] = -mean[i] / std[i];
  }
  matrix_of (image, &pixels, frame->matrix);
  upi_orientation_steps (image->orientation, width, height, &frame->origin, &frame->step_x, &frame->step_y);
  for (guint c = 0; c < pixels.n_components; c++) {
    const UpiComponent *component = &pixels.components[c];
    guint n = upi_component_samples (image->width, component->width_shift), i = frame_plane (&pixels, frame, c);

    frame->components[c].plane = i;
    frame->components[c].first = component->first / pixels.sample_bytes;
    frame->components[c].step = component->step / pixels.sample_bytes;
    frame->components[c].across = filter_along (scaler, image->width, component->width_shift, width, error);
    if (frame->components[c].across == NULL)
      return FALSE;
    if (i == frame->n_planes) {
      frame->n_planes++;
      frame->planes[i].data = image->planes[component->plane];
      frame->planes[i].stride = image->strides[component->plane];
      frame->planes[i].rows = upi_component_samples (image->height, component->height_shift);
      frame->planes[i].down = filter_along (scaler, image->height, component->height_shift, height, error);
      if (frame->planes[i].down == NULL)
        return FALSE;
    }
    frame->planes[i].samples = MAX (frame->planes[i].samples, frame->components[c].first + (n - 1) * frame->components[c].step + 1);
  }
  return TRUE;
}

/* ---- doing it -------------------------------------------------------------------------------------------------------------------- */

/* Sums the rows under output row y of one plane. */
static void
vertical (UpiScaler *scaler, const UpiFrame *frame, guint plane, guint y)
{
  const UpiFilter *down = frame->planes[plane].down;
  gssize stride = frame->planes[plane].stride;
  const guint8 *rows = frame->planes[plane].data + down->start[y] * stride;
  const gfloat *weights = down->weights + (gsize) y * down->taps;

  if (frame->sample_bytes == 1)
    scaler->kernels->vertical (rows, stride, weights, down->count[y], scaler->sums[plane].data, frame->planes[plane].samples);
  else
    scaler->kernels->vertical_words (
        rows, stride, frame->sample_shift, weights, down->count[y], scaler->sums[plane].data, frame->planes[plane].samples);
}

/* R, G, B beside each other, 0..255 as they are: scaled together, which is faster. */
static gboolean
is_packed_rgb (const UpiFrame *frame)
{
  guint step = frame->components[0].step;
  gint order = (gint) frame->components[1].first - (gint) frame->components[0].first;

  if (frame->n_components != 3 || frame->n_planes != 1 || (step != 3 && step != 4) || (order != 1 && order != -1))
    return FALSE;
  for (guint c = 0; c < 3; c++) {
    if (frame->components[c].step != step || frame->components[c].across != frame->components[0].across
        || (gint) frame->components[c].first != (gint) frame->components[0].first + (gint) c * order)
      return FALSE;
    for (guint i = 0; i < 4; i++)
      if (frame->matrix[c][i] != (c == i ? 1.0f : 0.0f))
        return FALSE;
  }
  return TRUE;
}

static void
convert_packed (UpiScaler *scaler, const UpiFrame *frame, gfloat *out)
{
  const UpiFilter *across = frame->components[0].across;
  gboolean reverse = frame->components[2].first < frame->components[0].first;

  scaler->kernels->horizontal_packed (scaler->sums[0].data + frame->components[reverse ? 2 : 0].first, frame->components[0].step, reverse,
      across->start, across->weights, across->taps, scaler->scale, scaler->bias, out, across->n_out);
}

static void
convert_components (UpiScaler *scaler, const UpiFrame *frame, gfloat *out)
{
  guint n = frame->components[0].across->n_out;
  const gfloat *scaled[3];

  for (guint c = 0; c < 3; c++) {
    if (c >= frame->n_components) { /* the matrix weighs it with 0 */
      scaled[c] = scaler->scaled[0].data;
      continue;
    }
    const UpiFilter *across = frame->components[c].across;
    const gfloat *row = scaler->sums[frame->components[c].plane].data + frame->components[c].first;

    if (frame->components[c].step > 1) {
      guint samples = (frame->planes[frame->components[c].plane].samples - 1 - frame->components[c].first) / frame->components[c].step + 1;

      scaler->kernels->pick (row, frame->components[c].step, scaler->picked.data, samples);
      row = scaler->picked.data;
    }
    scaler->kernels->horizontal (row, across->start, across->weights, across->taps, scaler->scaled[c].data, n);
    scaled[c] = scaler->scaled[c].data;
  }
  scaler->kernels->matrix (scaled[0], scaled[1], scaled[2], frame->matrix, scaler->scale, scaler->bias, out, n);
}

/* Beyond a row the kernels read up to a filter's taps and a vector. */
static gboolean
reserve_rows (UpiScaler *scaler, const UpiFrame *frame, GError **error)
{
  gsize beyond = 0;

  for (guint c = 0; c < frame->n_components; c++)
    beyond = MAX (beyond, (gsize) frame->components[c].across->taps * frame->components[c].step + 16);
  for (guint i = 0; i < frame->n_planes; i++)
    if (!grow (&scaler->sums[i], frame->planes[i].samples + beyond, error)
        || !grow (&scaler->picked, frame->planes[i].samples + beyond, error))
      return FALSE;
  for (guint c = 0; c < 3; c++)
    if (!grow (&scaler->scaled[c], frame->components[0].across->n_out, error))
      return FALSE;
  return grow (&scaler->turned, 3 * (gsize) frame->components[0].across->n_out, error);
}

/* Where row y of the picture is to be made: in the input, or apart if its pixels do not lie beside each other there. */
static gfloat *
row_at (UpiScaler *scaler, const UpiFrame *frame, gfloat *out, guint y)
{
  return frame->step_x == 1 ? out + 3 * (frame->origin + (gssize) y * frame->step_y) : scaler->turned.data;
}

static void
put_row (const gfloat *row, const UpiFrame *frame, gfloat *out, guint y, guint width)
{
  gfloat *to = out + 3 * (frame->origin + (gssize) y * frame->step_y);

  if (frame->step_x == 1)
    return;
  for (guint x = 0; x < width; x++, row += 3, to += 3 * frame->step_x)
    memcpy (to, row, 3 * sizeof (gfloat));
}

static gboolean
convert (UpiScaler *scaler, const UpiFrame *frame, gfloat *out, GError **error)
{
  guint width = frame->components[0].across->n_out, height = frame->planes[0].down->n_out;
  gboolean packed = is_packed_rgb (frame);

  if (!reserve_rows (scaler, frame, error))
    return FALSE;
  for (guint y = 0; y < height; y++) {
    gfloat *row = row_at (scaler, frame, out, y);

    for (guint i = 0; i < frame->n_planes; i++)
      vertical (scaler, frame, i, y);
    if (packed)
      convert_packed (scaler, frame, row);
    else
      convert_components (scaler, frame, row);
    put_row (row, frame, out, y, width);
  }
  return TRUE;
}

/* Pixels that only their own function reads, already of the network's size. */
static gboolean
read_scaled (UpiScaler *scaler, const UpiImage *image, guint width, guint height, GError **error)
{
  gsize bytes = (gsize) width * height * 3;
  GError *cause = NULL;

  if (scaler->rgb_bytes < bytes) {
    g_free (scaler->rgb);
    scaler->rgb = upi_memory_new (1, bytes, "a converted frame", error);
    scaler->rgb_bytes = scaler->rgb != NULL ? bytes : 0;
    if (scaler->rgb == NULL)
      return FALSE;
  }
  if (!image->read (image->user_data, scaler->rgb, width, height, (gsize) width * 3, &cause)) {
    upi_image_read_failed (error, cause);
    return FALSE;
  }
  return TRUE;
}

gboolean
upi_scaler_describe (UpiScaler *scaler, UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3],
    UpiFrame *frame, GError **error)
{
  gboolean transposed = upi_orientation_is_transposed (image->orientation);
  guint across = transposed ? height : width, down = transposed ? width : height; /* of the picture as it is */
  UpiImage scaled = {
    .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = across,
    .height = down,
    .strides = { 3 * (gssize) across },
    .orientation = image->orientation,
  };

  if (!upi_image_prepare (image, error))
    return FALSE;
  if (image->format != UPI_PIXELS_READ)
    return describe (scaler, image, across, down, mean, std, frame, error);
  if (!read_scaled (scaler, image, across, down, error))
    return FALSE;
  scaled.planes[0] = scaler->rgb;
  return describe (scaler, &scaled, across, down, mean, std, frame, error); /* filters of one tap */
}

gboolean
upi_scaler_convert (
    UpiScaler *scaler, UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3], gfloat *out, GError **error)
{
  UpiFrame frame;

  if (!upi_scaler_describe (scaler, image, width, height, mean, std, &frame, error))
    return FALSE;
  if (image->format != UPI_PIXELS_READ || image->orientation != UPI_ORIENTATION_IDENTITY)
    return convert (scaler, &frame, out, error);
  scaler->kernels->normalise (scaler->rgb, scaler->scale, scaler->bias, out, width * height);
  return TRUE;
}
