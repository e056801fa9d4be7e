/* Conversion to the network's input. For each output row: the source rows under the filter are summed up (vertical), the sum is filtered
 * along the row (horizontal), then colour matrix and normalisation; nothing but rows is kept in between. */
#include "core/engine/preprocess.h"

#include "core/engine/kernels/scale.h"
#include "core/processor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_FILTERS 8 /* a conversion uses up to four at once */

/* A table of weights; taps is padded to a multiple of 4 with zeros, count is without padding. */
typedef struct {
  UpiFilter table; /* first: what users of a filter see */
  guint n_in;
  gdouble extent;
  guint64 used; /* when, in the scaler's count of requests */
  gint *start;
  guint *count;
  gfloat *weights; /* NULL: a free place */
} Filter;

struct _UpiScaler {
  const UpiScaleKernels *kernels;
  Filter filters[KEPT_FILTERS];
  guint64 requests;
  gfloat scale[4], bias[4]; /* of the conversion that runs */
  gfloat *row;              /* vertical sums, channels interleaved */
  gfloat *planes[5];        /* split chroma at source width (0, 1); Y, U, V at the network's width (2, 3, 4) */
  gsize row_floats, plane_floats;
  guint8 *rgb; /* UPI_PIXELS_READ */
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

static void
filter_clear (Filter *filter)
{
  g_free (filter->start);
  g_free (filter->count);
  free (filter->weights);
}

void
upi_scaler_free (UpiScaler *scaler)
{
  for (guint i = 0; i < KEPT_FILTERS; i++)
    filter_clear (&scaler->filters[i]);
  for (guint i = 0; i < G_N_ELEMENTS (scaler->planes); i++)
    free (scaler->planes[i]);
  free (scaler->row);
  g_free (scaler->rgb);
  g_free (scaler);
}

static gboolean
no_memory (gsize bytes, GError **error)
{
  g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "no memory to convert a frame: %" G_GSIZE_FORMAT " bytes", bytes);
  return FALSE;
}

/* Pillow's precompute_coeffs with its bilinear filter: n_out samples over the first extent of n_in; the support grows with the reduction. */
static gboolean
filter_init (Filter *f, guint n_in, gdouble extent, guint n_out, GError **error)
{
  gdouble scale = extent / n_out, stretch = MAX (scale, 1.0), support = stretch;
  guint taps = ((guint) ceil (support) * 2 + 1 + 3) & ~3u;
  gsize bytes = (gsize) n_out * taps * sizeof (gfloat);

  f->n_in = n_in;
  f->extent = extent;
  f->weights = calloc (1, bytes);
  if (!f->weights)
    return no_memory (bytes, error);
  f->start = g_new (gint, n_out);
  f->count = g_new (guint, n_out);
  for (guint x = 0; x < n_out; x++) {
    gdouble center = (x + 0.5) * scale, sum = 0;
    gint first = MAX ((gint) (center - support + 0.5), 0), last = MIN ((gint) (center + support + 0.5), (gint) n_in);
    gfloat *w = f->weights + (gsize) x * taps;

    first = MIN (first, last - 1);
    for (gint i = first; i < last; i++)
      sum += MAX (1.0 - fabs ((i - center + 0.5) / stretch), 0.0);
    for (gint i = first; i < last; i++)
      w[i - first] = sum > 0 ? MAX (1.0 - fabs ((i - center + 0.5) / stretch), 0.0) / sum : 1.0 / (last - first);
    f->start[x] = first;
    f->count[x] = last - first;
    while (f->count[x] > 1 && w[f->count[x] - 1] == 0)
      f->count[x]--;
  }
  f->table = (UpiFilter){ n_out, taps, f->start, f->count, f->weights };
  return TRUE;
}

/* The filter is valid until KEPT_FILTERS others were asked for: the one used longest ago makes room. */
static const UpiFilter *
filter_for (UpiScaler *scaler, guint n_in, gdouble extent, guint n_out, GError **error)
{
  Filter *filter = &scaler->filters[0];

  scaler->requests++;
  for (guint i = 0; i < KEPT_FILTERS; i++) {
    Filter *kept = &scaler->filters[i];

    if (kept->weights && kept->n_in == n_in && kept->extent == extent && kept->table.n_out == n_out) {
      kept->used = scaler->requests;
      return &kept->table;
    }
    if (kept->used < filter->used)
      filter = kept;
  }
  filter_clear (filter);
  memset (filter, 0, sizeof *filter);
  if (!filter_init (filter, n_in, extent, n_out, error)) {
    filter_clear (filter);
    memset (filter, 0, sizeof *filter);
    return NULL;
  }
  filter->used = scaler->requests;
  return &filter->table;
}

/* Zeroed: the horizontal pass reads, and weighs with zero, what lies beyond the row. */
static gboolean
grow (gfloat **buffer, gsize *floats, gsize wanted, GError **error)
{
  if (*buffer && *floats >= wanted)
    return TRUE;
  free (*buffer);
  *buffer = calloc (wanted, sizeof (gfloat));
  *floats = *buffer ? wanted : 0;
  return *buffer ? TRUE : no_memory (wanted * sizeof (gfloat), error);
}

static gboolean
reserve (UpiScaler *scaler, gsize row_floats, gsize plane_floats, GError **error)
{
  if (!grow (&scaler->row, &scaler->row_floats, row_floats, error))
    return FALSE;
  if (scaler->plane_floats >= plane_floats)
    return TRUE;
  scaler->plane_floats = 0;
  for (guint i = 0; i < G_N_ELEMENTS (scaler->planes); i++) {
    gsize floats = 0;

    if (!grow (&scaler->planes[i], &floats, plane_floats, error))
      return FALSE;
  }
  scaler->plane_floats = plane_floats;
  return TRUE;
}

/* Sums the rows under output row y of one plane into scaler->row. What lies beyond is left from a wider row or zero: finite, as the horizontal
 * pass needs it. */
static void
vertical (UpiScaler *scaler, const UpiFrame *frame, guint plane, guint y)
{
  const UpiFilter *down = frame->planes[plane].down;
  gssize stride = frame->planes[plane].stride;

  scaler->kernels->vertical (frame->planes[plane].data + down->start[y] * stride, stride, down->weights + (gsize) y * down->taps,
      down->count[y], scaler->row, frame->planes[plane].width * frame->planes[plane].channels);
}

static void
horizontal (UpiScaler *scaler, const UpiFilter *filter, const gfloat *in, gfloat *out)
{
  scaler->kernels->horizontal (in, filter->start, filter->weights, filter->taps, out, filter->n_out);
}

static gboolean
convert_packed (UpiScaler *scaler, const UpiFrame *frame, guint width, guint height, gfloat *out, GError **error)
{
  const UpiFilter *across = frame->planes[0].across;
  guint channels = frame->planes[0].channels;

  if (!reserve (scaler, ((gsize) frame->planes[0].width + across->taps) * channels + 4, 0, error))
    return FALSE;
  for (guint y = 0; y < height; y++) {
    vertical (scaler, frame, 0, y);
    scaler->kernels->horizontal_packed (scaler->row, channels, frame->reverse, across->start, across->weights, across->taps, scaler->scale,
        scaler->bias, out + (gsize) y * width * 3, width);
  }
  return TRUE;
}

static gboolean
convert_yuv (UpiScaler *scaler, const UpiFrame *frame, guint width, guint height, gfloat *out, GError **error)
{
  const UpiFilter *luma_across = frame->planes[0].across, *across = frame->planes[1].across;
  gsize floats = (gsize) frame->planes[0].width + MAX (luma_across->taps, 2 * across->taps) + 8;
  gfloat *split[2], *scaled[3];

  if (!reserve (scaler, floats, MAX (floats, width), error))
    return FALSE;
  for (guint i = 0; i < 2; i++)
    split[i] = scaler->planes[i];
  for (guint i = 0; i < 3; i++)
    scaled[i] = scaler->planes[2 + i];
  for (guint y = 0; y < height; y++) {
    vertical (scaler, frame, 0, y);
    horizontal (scaler, luma_across, scaler->row, scaled[0]);
    vertical (scaler, frame, 1, y);
    if (frame->n_planes == 2) {
      scaler->kernels->split (scaler->row, split[0], split[1], frame->planes[1].width);
      horizontal (scaler, across, split[0], scaled[1]);
      horizontal (scaler, across, split[1], scaled[2]);
    } else {
      horizontal (scaler, across, scaler->row, scaled[1]);
      vertical (scaler, frame, 2, y);
      horizontal (scaler, across, scaler->row, scaled[2]);
    }
    scaler->kernels->matrix (
        scaled[0], scaled[1], scaled[2], frame->matrix, scaler->scale, scaler->bias, out + (gsize) y * width * 3, width);
  }
  return TRUE;
}

/* Pixels that only their own function reads, already of the network's size. */
static gboolean
read_scaled (UpiScaler *scaler, const UpiImage *image, guint width, guint height, GError **error)
{
  gsize bytes = (gsize) width * height * 3;
  g_autoptr (GError) cause = NULL;

  if (scaler->rgb_bytes < bytes) {
    g_free (scaler->rgb);
    scaler->rgb = g_try_malloc (bytes);
    scaler->rgb_bytes = scaler->rgb ? bytes : 0;
    if (!scaler->rgb)
      return no_memory (bytes, error);
  }
  if (!image->read (image->user_data, scaler->rgb, width, height, (gsize) width * 3, &cause)) {
    if (cause && cause->domain == UPI_ERROR)
      g_propagate_error (error, g_steal_pointer (&cause));
    else
      g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT, "the frame could not be read: %s", cause ? cause->message : "no reason given");
    return FALSE;
  }
  return TRUE;
}

/* ---- what is to be done ---------------------------------------------------------------------------------------------------------- */

/* y·gain + offset, and the matrix of (kr, kb), for 8-bit limited or full range. */
static void
matrix_of (const UpiImage *image, gfloat c[6])
{
  gdouble kr = image->kr, kb = image->kb, kg, luma, chroma;

  if (kr == 0 && kb == 0) {
    kr = 0.299;
    kb = 0.114;
  }
  kg = 1 - kr - kb;
  luma = image->full_range ? 1.0 : 255.0 / 219.0;
  chroma = image->full_range ? 1.0 : 255.0 / 224.0;
  c[0] = luma;
  c[1] = image->full_range ? 0 : -16 * luma;
  c[2] = 2 * (1 - kr) * chroma;
  c[3] = -2 * kb * (1 - kb) / kg * chroma;
  c[4] = -2 * kr * (1 - kr) / kg * chroma;
  c[5] = 2 * (1 - kb) * chroma;
}

/* extent: in an odd frame the last chroma sample lies half outside. */
static gboolean
describe_plane (
    UpiScaler *scaler, UpiFrame *frame, const UpiImage *image, guint channels, guint divisor, guint width, guint height, GError **error)
{
  guint i = frame->n_planes++, w = (image->width + divisor - 1) / divisor, h = (image->height + divisor - 1) / divisor;

  frame->planes[i].data = image->planes[i];
  frame->planes[i].stride = image->strides[i];
  frame->planes[i].width = w;
  frame->planes[i].height = h;
  frame->planes[i].channels = channels;
  frame->planes[i].across = filter_for (scaler, w, (gdouble) image->width / divisor, width, error);
  frame->planes[i].down = frame->planes[i].across ? filter_for (scaler, h, (gdouble) image->height / divisor, height, error) : NULL;
  return frame->planes[i].down != NULL;
}

static gboolean
describe (UpiScaler *scaler, const UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3], UpiFrame *frame,
    GError **error)
{
  *frame = (UpiFrame){ .on_device = image->on_device };
  for (guint i = 0; i < 3; i++) {
    frame->scale[i] = scaler->scale[i] = 1 / (255 * std[i]);
    frame->bias[i] = scaler->bias[i] = -mean[i] / std[i];
  }
  switch (image->format) {
  case UPI_PIXELS_I420:
  case UPI_PIXELS_NV12:
    frame->yuv = TRUE;
    matrix_of (image, frame->matrix);
    if (!describe_plane (scaler, frame, image, 1, 1, width, height, error))
      return FALSE;
    if (image->format == UPI_PIXELS_NV12)
      return describe_plane (scaler, frame, image, 2, 2, width, height, error);
    return describe_plane (scaler, frame, image, 1, 2, width, height, error)
        && describe_plane (scaler, frame, image, 1, 2, width, height, error);
  default:
    frame->reverse = image->format == UPI_PIXELS_BGR || image->format == UPI_PIXELS_BGRX;
    return describe_plane (
        scaler, frame, image, image->format == UPI_PIXELS_RGB || image->format == UPI_PIXELS_BGR ? 3 : 4, 1, width, height, error);
  }
}

gboolean
upi_scaler_describe (UpiScaler *scaler, const UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3],
    UpiFrame *frame, GError **error)
{
  UpiImage scaled = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_RGB, .width = width, .height = height, .strides = { 3 * (gssize) width }
  };

  if (image->format != UPI_PIXELS_READ)
    return describe (scaler, image, width, height, mean, std, frame, error);
  if (!read_scaled (scaler, image, width, height, error))
    return FALSE;
  scaled.planes[0] = scaler->rgb;
  return describe (scaler, &scaled, width, height, mean, std, frame, error); /* filters of one tap */
}

gboolean
upi_scaler_convert (UpiScaler *scaler, const UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3],
    gfloat *out, GError **error)
{
  UpiFrame frame;

  if (!upi_scaler_describe (scaler, image, width, height, mean, std, &frame, error))
    return FALSE;
  if (image->format == UPI_PIXELS_READ) {
    scaler->kernels->normalise (scaler->rgb, scaler->scale, scaler->bias, out, width * height);
    return TRUE;
  }
  return frame.yuv ? convert_yuv (scaler, &frame, width, height, out, error) : convert_packed (scaler, &frame, width, height, out, error);
}
