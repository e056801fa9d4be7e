/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What put_frame is: each pixel of the input by itself, from all samples under its filters. */
#include "core/backends/ref/ref.h"

#include <string.h>

/* A sample's 8 bits. */
static guint
sample (const UpiFrame *frame, const guint8 *p)
{
  guint16 word;

  if (frame->sample_bytes == 1)
    return *p;
  memcpy (&word, p, sizeof word);
  return word >> frame->sample_shift & 255;
}

/* Component c at (x, y) of the scaled picture. */
static gdouble
scaled (const UpiFrame *frame, guint c, guint x, guint y)
{
  guint plane = frame->components[c].plane;
  const UpiFilter *down = frame->planes[plane].down, *across = frame->components[c].across;
  gdouble sum = 0;

  for (guint i = 0; i < down->count[y]; i++) {
    const guint8 *row = frame->planes[plane].data + (down->start[y] + (gssize) i) * frame->planes[plane].stride;

    for (guint j = 0; j < across->count[x]; j++) {
      gsize at = frame->components[c].first + ((gsize) across->start[x] + j) * frame->components[c].step;
      gdouble weight = (gdouble) down->weights[y * down->taps + i] * (gdouble) across->weights[x * across->taps + j];

      sum += weight * sample (frame, row + at * frame->sample_bytes);
    }
  }
  return sum;
}

gboolean
upi_ref_put_frame (UpiContext *context, UpiValue value, guint item, const UpiFrame *frame, GError **error)
{
  gfloat *input = upi_steps_own_item (context, value, item, error);

  g_assert (!frame->on_device);
  for (guint y = 0; input != NULL && y < frame->planes[0].down->n_out; y++)
    for (guint x = 0; x < frame->components[0].across->n_out; x++) {
      gfloat *pixel = input + 3 * (frame->origin + (gssize) x * frame->step_x + (gssize) y * frame->step_y);
      gdouble stored[3] = { 0 };

      for (guint c = 0; c < frame->n_components; c++)
        stored[c] = scaled (frame, c, x, y);
      for (guint i = 0; i < 3; i++) {
        const gfloat *m = frame->matrix[i];
        gdouble level = m[0] * stored[0] + m[1] * stored[1] + m[2] * stored[2] + m[3];

        pixel[i] = (gfloat) (CLAMP (level, 0., 255.) * frame->scale[i] + frame->bias[i]);
      }
    }
  for (guint y = 0; input != NULL && y < frame->input_height; y++)
    for (guint x = 0; x < frame->input_width; x++)
      for (guint i = 0; i < 3 && (x >= frame->width || y >= frame->height); i++)
        input[3 * ((gsize) y * frame->input_width + x) + i] = frame->border[i];
  return input != NULL;
}
