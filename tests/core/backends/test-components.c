/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-components.c: pictures that are made late, or lie as components of any size, on their way into the input. */

#include <string.h>

#include "tests/core/backends/scaler.h"

static void
test_read (void)
{
  UpiImage image = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_READ, .width = 500, .height = 300, .read = read_gradient
  };
  g_autofree gfloat *out = convert (NULL, &image, 64, 32);
  g_autoptr (Scaler) scaler = scaler_new (NULL);
  g_autoptr (GError) silent = NULL;
  g_autoptr (GError) foreign = NULL;
  gint other;

  for (guint y = 0; y < 32; y++)
    for (guint x = 0; x < 64; x++)
      for (guint c = 0; c < 3; c++)
        g_assert_cmpfloat_with_epsilon (out[(y * 64 + x) * 3 + c], (guint8) (x + 2 * y + 50 * c), 1e-3);
  image.user_data = (gpointer) 1;
  g_assert_false (scaler_convert (scaler, &image, 64, 32, no_mean, no_std, out, &silent));
  g_assert_error (silent, UPI_ERROR, UPI_ERROR_INPUT);
  image.user_data = &other;
  g_assert_false (scaler_convert (scaler, &image, 64, 32, no_mean, no_std, out, &foreign));
  g_assert_error (foreign, UPI_ERROR, UPI_ERROR_INPUT);
  g_assert_nonnull (strstr (foreign->message, "the camera is gone"));
}

/* One picture described in other ways: components in any order and step, samples of two bytes with garbage below the
 * bits that count, made late by prepare; on every instruction set. */
static gboolean
prepare_planes (UpiImage *image, GError **error)
{
  const UpiImage *made = image->user_data;

  if (made == NULL) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the converter is gone");
    return FALSE;
  }
  for (guint i = 0; i < 4; i++) {
    image->planes[i] = made->planes[i];
    image->strides[i] = made->strides[i];
  }
  return TRUE;
}

static void
check_components (UpiImage *image, const gfloat *expected, const gchar *what)
{
  UpiImage late = *image, copy = *image;

  memset (late.planes, 0, sizeof late.planes);
  late.prepare = prepare_planes;
  late.user_data = &copy;
  for (guint k = 0; k < G_N_ELEMENTS (isas); k++) {
    g_autofree gfloat *out = convert (isas[k], image, 64, 32);

    if (out != NULL)
      assert_equal (out, expected, 64 * 32 * 3, 1e-3f, what);
  }
  g_autofree gfloat *out = convert (NULL, &late, 64, 32);
  assert_equal (out, expected, 64 * 32 * 3, 1e-3f, what);
  g_assert_null (late.prepare); /* once */
}

static void
test_components (void)
{
  const guint w = 53, h = 41, half = 27, rows = 21;
  g_autofree guint8 *luma = numbers ((gsize) w * h, 1), *u = numbers ((gsize) half * rows, 2),
                    *v = numbers ((gsize) half * rows, 3);

  for (guint full = 0; full < 2; full++) {
    UpiImage i420 = { .format = UPI_PIXELS_I420,
      .width = w,
      .height = h,
      .planes = { luma, u, v },
      .strides = { w, half, half },
      .kr = 0.2126f,
      .kb = 0.0722f,
      .full_range = full };
    g_autofree gfloat *expected = convert ("baseline", &i420, 64, 32);
    UpiImage image = i420;

    /* Chroma in the other order, 3 bytes apart, behind a byte, bottom-up. */
    g_autofree guint8 *chroma = g_malloc (1 + 6 * half * rows);
    for (guint y = 0; y < rows; y++)
      for (guint x = 0; x < half; x++) {
        guint8 *to = chroma + (rows - 1 - y) * 6 * half + 6 * x;
        to[1] = v[y * half + x];
        to[4] = u[y * half + x];
      }
    image.format = UPI_PIXELS_YUV_COMPONENTS;
    image.n_components = 3;
    image.planes[3] = chroma + (rows - 1) * 6 * half;
    image.strides[3] = -(gssize) 6 * half;
    image.components[0] = (UpiComponent){ 0, 0, 1, 0, 0 };
    image.components[1] = (UpiComponent){ 3, 4, 6, 1, 1 };
    image.components[2] = (UpiComponent){ 3, 1, 6, 1, 1 };
    check_components (&image, expected, "chroma 6 bytes apart");

    for (guint depth = 9; depth <= 16; depth++)
      for (guint shift = 0; shift <= 16 - depth; shift += MAX (16 - depth, 1)) {
        guint16 *words[3];
        const guint8 *bytes[3] = { luma, u, v };
        gsize counts[3] = { (gsize) w * h, (gsize) half * rows, (gsize) half * rows };
        g_autofree gchar *what = g_strdup_printf ("%u bits above %u", depth, shift);

        for (guint i = 0; i < 3; i++) {
          words[i] = g_new (guint16, counts[i]);
          for (gsize j = 0; j < counts[i]; j++)
            words[i][j] = bytes[i][j] << (depth - 8 + shift) | (j * 7919 & ((1 << (depth - 8 + shift)) - 1));
          image.planes[i] = (const guint8 *) words[i];
          image.strides[i] = 2 * (i ? half : w);
          image.components[i] = (UpiComponent){ i, 0, 2, i > 0, i > 0 };
        }
        image.depth = depth;
        image.shift = shift;
        check_components (&image, expected, what);
        for (guint i = 0; i < 3; i++)
          g_free (words[i]);
      }
  }
}

/* R, G and B: in planes, behind alpha, of limited range; Y alone. */
static void
test_rgb_and_grey_components (void)
{
  const guint w = 37, h = 29, n = 37 * 29;
  g_autofree guint8 *rgb = numbers (3 * n, 4), *planes = g_malloc (3 * n), *argb = g_malloc (4 * n),
                    *limited = g_malloc (3 * n);
  UpiImage packed = { .format = UPI_PIXELS_RGB, .width = w, .height = h, .planes = { rgb }, .strides = { 3 * w } };
  UpiImage image = {
    .format = UPI_PIXELS_RGB_COMPONENTS, .width = w, .height = h, .full_range = TRUE, .n_components = 3
  };

  for (guint i = 0; i < n; i++)
    for (guint c = 0; c < 3; c++) {
      rgb[3 * i + c] = MIN (rgb[3 * i + c], 219);
      planes[c * n + i] = argb[4 * i + 1 + c] = rgb[3 * i + c];
      limited[3 * i + 2 - c] = rgb[3 * i + c] + 16;
    }
  g_autofree gfloat *expected = convert ("baseline", &packed, 64, 32);
  for (guint c = 0; c < 3; c++) {
    image.planes[c] = planes + c * n;
    image.strides[c] = w;
    image.components[c] = (UpiComponent){ c, 0, 1, 0, 0 };
  }
  check_components (&image, expected, "planar RGB");
  image.planes[0] = argb;
  image.strides[0] = 4 * w;
  for (guint c = 0; c < 3; c++)
    image.components[c] = (UpiComponent){ 0, 1 + c, 4, 0, 0 };
  check_components (&image, expected, "ARGB");
  image.planes[0] = limited;
  image.strides[0] = 3 * w;
  image.full_range = FALSE;
  for (guint c = 0; c < 3; c++)
    image.components[c] = (UpiComponent){ 0, 2 - c, 3, 0, 0 };
  for (guint i = 0; i < 64 * 32 * 3; i++)
    expected[i] *= 255 / 219.0f;
  check_components (&image, expected, "limited BGR");

  UpiImage grey = { .format = UPI_PIXELS_YUV_COMPONENTS,
    .width = w,
    .height = h,
    .planes = { rgb },
    .strides = { 3 * w },
    .full_range = TRUE,
    .n_components = 1,
    .components = { { 0, 0, 1, 0, 0 } } };
  g_autofree gfloat *of_grey = convert (NULL, &grey, 64, 32);
  for (guint i = 0; i < 64 * 32; i++) {
    g_assert_cmpfloat_with_epsilon (of_grey[3 * i], of_grey[3 * i + 1], 1e-5);
    g_assert_cmpfloat_with_epsilon (of_grey[3 * i], of_grey[3 * i + 2], 1e-5);
  }
}

/* An image that cannot be made, or whose making gives nothing to read. */
static gboolean
prepare_nothing (UpiImage *image, GError **error)
{
  return TRUE;
}

static void
test_prepare_fails (void)
{
  g_autoptr (Scaler) scaler = scaler_new (NULL);
  g_autoptr (GError) foreign = NULL, nothing = NULL;
  UpiImage image = { .format = UPI_PIXELS_NV12, .width = 16, .height = 16, .prepare = prepare_planes };
  g_autofree gfloat *out = g_new (gfloat, 32 * 32 * 3);

  g_assert_false (scaler_convert (scaler, &image, 32, 32, no_mean, no_std, out, &foreign));
  g_assert_error (foreign, UPI_ERROR, UPI_ERROR_INPUT);
  g_assert_nonnull (strstr (foreign->message, "the converter is gone"));
  image.prepare = prepare_nothing;
  g_assert_false (scaler_convert (scaler, &image, 32, 32, no_mean, no_std, out, &nothing));
  g_assert_error (nothing, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (nothing->message, "no data"));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocess/components", test_components);
  g_test_add_func ("/preprocess/rgb-and-grey-components", test_rgb_and_grey_components);
  g_test_add_func ("/preprocess/prepare-fails", test_prepare_fails);
  g_test_add_func ("/preprocess/read-by-callback", test_read);
  return g_test_run ();
}
