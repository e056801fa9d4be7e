/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conversion of a frame on the processor. For each output row: the source rows under the filter are summed up
 * (vertical), the sum is filtered along the row (horizontal), component by component at its own resolution, then colour
 * matrix and normalisation; nothing but rows is kept in between. */
#include "core/backends/frames/convert.h"

#include "core/backends/frames/kernels/scale.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

/* Floats that grow with the frames. Zeroed: the horizontal pass reads, and weighs with zero, what lies beyond the row;
 * what is left there from a wider row is finite too. */
typedef struct {
  gfloat *data;
  gsize n;
} Row;

struct _UpiConverter {
  const UpiScaleKernels *kernels;
  gfloat scale[4], bias[4]; /* of the conversion that runs */
  Row sums[3];              /* vertical sums of a plane's row */
  Row picked;               /* of them, one component's */
  Row scaled[3];            /* the components at the network's width */
  Row turned;               /* pixels of a row that lies otherwise in the input */
};

static const UpiScaleKernels *const kernels_of[UPI_N_ISAS] = {
  [UPI_ISA_BASELINE] = &upi_scale_baseline,
#ifdef UPI_SCALE_X86
  [UPI_ISA_AVX2] = &upi_scale_avx2,
  [UPI_ISA_AVX512] = &upi_scale_avx512,
#endif
};

UpiConverter *
upi_converter_new (UpiIsa isa)
{
  UpiConverter *converter = g_new0 (UpiConverter, 1);

  g_assert (isa <= upi_processor_isa ());
  converter->kernels = kernels_of[isa];
  return converter;
}

void
upi_converter_free (UpiConverter *converter)
{
  for (guint i = 0; i < 3; i++) {
    free (converter->sums[i].data);
    free (converter->scaled[i].data);
  }
  free (converter->picked.data);
  free (converter->turned.data);
  g_free (converter);
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

/* Sums the rows under output row y of one plane. */
static void
vertical (UpiConverter *converter, const UpiFrame *frame, guint plane, guint y)
{
  const UpiFilter *down = frame->planes[plane].down;
  gssize stride = frame->planes[plane].stride;
  const guint8 *rows = frame->planes[plane].data + down->start[y] * stride;
  const gfloat *weights = down->weights + (gsize) y * down->taps;

  if (frame->sample_bytes == 1)
    converter->kernels->vertical (
        rows, stride, weights, down->count[y], converter->sums[plane].data, frame->planes[plane].samples);
  else
    converter->kernels->vertical_words (rows, stride, frame->sample_shift, weights, down->count[y],
        converter->sums[plane].data, frame->planes[plane].samples);
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
convert_packed (UpiConverter *converter, const UpiFrame *frame, gfloat *out)
{
  const UpiFilter *across = frame->components[0].across;
  gboolean reverse = frame->components[2].first < frame->components[0].first;

  converter->kernels->horizontal_packed (converter->sums[0].data + frame->components[reverse ? 2 : 0].first,
      frame->components[0].step, reverse, across->start, across->weights, across->taps, converter->scale,
      converter->bias, out, across->n_out);
}

static void
convert_components (UpiConverter *converter, const UpiFrame *frame, gfloat *out)
{
  guint n = frame->components[0].across->n_out;
  const gfloat *scaled[3];

  for (guint c = 0; c < 3; c++) {
    if (c >= frame->n_components) { /* the matrix weighs it with 0 */
      scaled[c] = converter->scaled[0].data;
      continue;
    }
    const UpiFilter *across = frame->components[c].across;
    const gfloat *row = converter->sums[frame->components[c].plane].data + frame->components[c].first;

    if (frame->components[c].step > 1) {
      guint samples = (frame->planes[frame->components[c].plane].samples - 1 - frame->components[c].first)
              / frame->components[c].step
          + 1;

      converter->kernels->pick (row, frame->components[c].step, converter->picked.data, samples);
      row = converter->picked.data;
    }
    converter->kernels->horizontal (row, across->start, across->weights, across->taps, converter->scaled[c].data, n);
    scaled[c] = converter->scaled[c].data;
  }
  converter->kernels->matrix (
      scaled[0], scaled[1], scaled[2], frame->matrix, converter->scale, converter->bias, out, n);
}

/* Beyond a row the kernels read up to a filter's taps and a vector. */
static gboolean
reserve_rows (UpiConverter *converter, const UpiFrame *frame, GError **error)
{
  gsize beyond = 0,
        room = ((gsize) frame->components[0].across->n_out + 3) & ~(gsize) 3; /* they write four pixels at a time */

  for (guint c = 0; c < frame->n_components; c++)
    beyond = MAX (beyond, (gsize) frame->components[c].across->taps * frame->components[c].step + 16);
  for (guint i = 0; i < frame->n_planes; i++)
    if (!grow (&converter->sums[i], frame->planes[i].samples + beyond, error)
        || !grow (&converter->picked, frame->planes[i].samples + beyond, error))
      return FALSE;
  for (guint c = 0; c < 3; c++)
    if (!grow (&converter->scaled[c], room, error))
      return FALSE;
  return grow (&converter->turned, 3 * room, error);
}

/* Whether a row of the picture can be made in the input: its pixels lie beside each other there, and are as many as the
 * kernels write. */
static gboolean
is_in_place (const UpiFrame *frame)
{
  return frame->step_x == 1 && frame->components[0].across->n_out % 4 == 0;
}

/* Where row y of the picture is to be made: in the input, or apart. */
static gfloat *
row_at (UpiConverter *converter, const UpiFrame *frame, gfloat *out, guint y)
{
  return is_in_place (frame) ? out + 3 * (frame->origin + (gssize) y * frame->step_y) : converter->turned.data;
}

static void
put_row (const gfloat *row, const UpiFrame *frame, gfloat *out, guint y, guint width)
{
  gfloat *to = out + 3 * (frame->origin + (gssize) y * frame->step_y);

  if (is_in_place (frame))
    return;
  for (guint x = 0; x < width; x++, row += 3, to += 3 * frame->step_x)
    memcpy (to, row, 3 * sizeof (gfloat));
}

/* Of the network's width, as it is: nothing is to be scaled along it. */
static gboolean
is_identity (const UpiFilter *filter)
{
  for (guint i = 0; i < filter->n_out; i++)
    if (filter->start[i] != (gint) i || filter->count[i] != 1)
      return FALSE;
  return TRUE;
}

/* Pixels that have the network's size and order already, as those have that a frame's own function read. */
static gboolean
is_scaled (const UpiFrame *frame)
{
  return is_packed_rgb (frame) && frame->sample_bytes == 1 && frame->components[0].step == 3
      && frame->components[0].first == 0 && is_identity (frame->components[0].across)
      && is_identity (frame->planes[0].down);
}

/* Row y of the input from pixel x on. */
static void
put_border (const UpiFrame *frame, gfloat *out, guint y, guint x)
{
  gfloat *to = out + 3 * ((gsize) y * frame->input_width + x);

  for (; x < frame->input_width; x++, to += 3)
    memcpy (to, frame->border, sizeof frame->border);
}

gboolean
upi_converter_run (UpiConverter *converter, const UpiFrame *frame, gfloat *out, GError **error)
{
  guint width = frame->components[0].across->n_out, height = frame->planes[0].down->n_out;
  gboolean scaled = is_scaled (frame), packed = is_packed_rgb (frame);

  g_assert (!frame->on_device);
  if (!reserve_rows (converter, frame, error))
    return FALSE;
  memcpy (converter->scale, frame->scale, sizeof frame->scale);
  memcpy (converter->bias, frame->bias, sizeof frame->bias);
  for (guint y = 0; y < height; y++) {
    gfloat *row = row_at (converter, frame, out, y);

    if (scaled) {
      converter->kernels->normalise (
          frame->planes[0].data + (gssize) y * frame->planes[0].stride, converter->scale, converter->bias, row, width);
    } else {
      for (guint i = 0; i < frame->n_planes; i++)
        vertical (converter, frame, i, y);
      if (packed)
        convert_packed (converter, frame, row);
      else
        convert_components (converter, frame, row);
    }
    put_row (row, frame, out, y, width);
  }
  for (guint y = 0; y < frame->input_height; y++)
    put_border (frame, out, y, y < frame->height ? frame->width : 0);
  return TRUE;
}
