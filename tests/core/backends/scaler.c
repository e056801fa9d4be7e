/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scaler.c: see scaler.h. */
#include "tests/core/backends/scaler.h"

#include <math.h>
#include <string.h>

guint8 *
numbers (gsize count, guint32 seed)
{
  guint8 *out = g_malloc (count);
  guint32 state = seed;
  gint value = 128;

  for (gsize i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    value = CLAMP (value + (gint) ((state >> 24) % 65) - 32, 0, 255);
    out[i] = value;
  }
  return out;
}

Scaler *
scaler_new (const gchar *isa)
{
  for (gint i = upi_processor_isa (); i >= UPI_ISA_BASELINE; i--)
    if (isa == NULL || strcmp (isa, upi_isa_name ((UpiIsa) i)) == 0) {
      Scaler *scaler = g_new (Scaler, 1);

      *scaler = (Scaler){ upi_frame_reader_new (), upi_converter_new ((UpiIsa) i) };
      return scaler;
    }
  return NULL;
}

void
scaler_free (Scaler *scaler)
{
  upi_frame_reader_free (scaler->reader);
  upi_converter_free (scaler->converter);
  g_free (scaler);
}

gboolean
scaler_convert (Scaler *scaler, UpiImage *image, guint width, guint height, const gfloat *mean, const gfloat *std,
    gfloat *out, GError **error)
{
  UpiImage pixels;
  UpiFrame frame;

  return upi_frame_reader_read (scaler->reader, 0, image, width, height, &pixels, error)
      && upi_frame_reader_describe (scaler->reader, &pixels, width, height, mean, std, &frame, error)
      && upi_converter_run (scaler->converter, &frame, out, error);
}

gfloat *
convert (const gchar *isa, UpiImage *image, guint width, guint height)
{
  g_autoptr (Scaler) scaler = scaler_new (isa);
  g_autoptr (GError) error = NULL;
  gfloat *out;

  if (scaler == NULL)
    return NULL;
  out = g_new (gfloat, (gsize) width * height * 3);
  g_assert_true (scaler_convert (scaler, image, width, height, no_mean, no_std, out, &error));
  g_assert_no_error (error);
  return out;
}

void
assert_equal (const gfloat *a, const gfloat *b, gsize n, gfloat tolerance, const gchar *what)
{
  for (gsize i = 0; i < n; i++)
    if (!(fabsf (a[i] - b[i]) <= tolerance))
      g_error ("%s: value %" G_GSIZE_FORMAT " is %g, expected %g", what, i, (gdouble) a[i], (gdouble) b[i]);
}

gboolean
read_gradient (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  if (user_data != NULL) {
    if (user_data != (gpointer) 1)
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the camera is gone");
    return FALSE;
  }
  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < width; x++)
      for (guint c = 0; c < 3; c++)
        rgb[y * stride + 3 * x + c] = x + 2 * y + 50 * c;
  return TRUE;
}
