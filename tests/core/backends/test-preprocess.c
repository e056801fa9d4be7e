/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conversion to the network's input: Pillow's numbers, every layout, every instruction set, odd sizes and strides,
 * no byte read outside. */

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "tests/core/backends/scaler.h"

/* Same frame, any layout: planes of exactly the bytes that the format needs, so that a sanitizer sees what is read
 * beyond. */
static void
set_planes (
    UpiImage *image, UpiPixelFormat format, const guint8 *luma, const guint8 *u, const guint8 *v, guint8 *owned[2])
{
  guint w = image->width, half = (w + 1) / 2, rows = (image->height + 1) / 2;

  image->format = format;
  owned[0] = g_memdup2 (luma, (gsize) w * image->height);
  image->planes[0] = owned[0];
  image->strides[0] = w;
  if (format == UPI_PIXELS_I420) {
    image->planes[1] = u;
    image->planes[2] = v;
    image->strides[1] = image->strides[2] = half;
    owned[1] = NULL;
  } else {
    owned[1] = g_malloc ((gsize) 2 * half * rows);
    for (gsize i = 0; i < (gsize) half * rows; i++) {
      owned[1][2 * i] = u[i];
      owned[1][2 * i + 1] = v[i];
    }
    image->planes[1] = owned[1];
    image->strides[1] = 2 * half;
  }
}

/* As upi_engine_encode() does it, with models/reference/resize_pairs.py's PADDED. */
static gfloat *
convert_letterboxed (const gchar *isa, UpiImage *image, guint width, guint height)
{
  static const gfloat pad[3] = { 0.2f, 0.4f, 0.6f };
  const UpiConfig config = { .input = { .letterbox = TRUE, .multiple = 32 } };
  g_autoptr (Scaler) scaler = scaler_new (isa);
  g_autoptr (GError) error = NULL;
  guint across, down;
  UpiFrame frame;
  gfloat *out;

  if (scaler == NULL)
    return NULL;
  upi_letterbox_picture (&config, image->width, image->height, width, height, &across, &down);
  out = g_new (gfloat, (gsize) width * height * 3);
  upi_frame_reader_describe (scaler->reader, image, across, down, no_mean, no_std, &frame, &error);
  g_assert_no_error (error);
  upi_frame_letterbox (&frame, image->orientation, width, height, pad);
  upi_converter_run (scaler->converter, &frame, out, &error);
  g_assert_no_error (error);
  return out;
}

static void
check_against (const gfloat *out, const gchar *hex, gsize count, const gchar *what)
{
  gdouble sum = 0, max = 0;

  g_assert_cmpuint (strlen (hex), ==, 2 * count);
  for (gsize i = 0; i < count; i++) {
    gdouble expected = g_ascii_xdigit_value (hex[2 * i]) * 16 + g_ascii_xdigit_value (hex[2 * i + 1]);
    gdouble off = fabs (out[i] - expected);

    sum += off;
    max = MAX (max, off);
  }
  /* Pillow rounds to 8 bits twice (after each direction): at most one level, a third of one on average. */
  if (max > 1.001 || sum / count > 0.36)
    g_error ("%s: differs by at most %g, on average %g", what, max, sum / count);
}

static void
test_pillow (void)
{
  g_autofree gchar *path = g_test_build_filename (G_TEST_DIST, "data", "resize.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  JsonArray *rows;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  rows = json_node_get_array (json_parser_get_root (parser));
  for (guint i = 0; i < json_array_get_length (rows); i++) {
    JsonObject *row = json_array_get_object_element (rows, i);
    JsonArray *source = json_object_get_array_member (row, "source"),
              *size = json_object_get_array_member (row, "size");
    const gchar *hex = json_object_get_string_member (row, "rgb");
    guint width = json_array_get_int_element (size, 0), height = json_array_get_int_element (size, 1);
    UpiImage image = { .size = sizeof (UpiImage),
      .width = json_array_get_int_element (source, 0),
      .height = json_array_get_int_element (source, 1) };
    gsize luma = (gsize) image.width * image.height,
          chroma = (gsize) ((image.width + 1) / 2) * ((image.height + 1) / 2);
    const gchar *kind = json_object_get_string_member (row, "kind");
    gboolean yuv = strcmp (kind, "yuv") == 0, letterbox = strcmp (kind, "letterbox") == 0;
    g_autofree guint8 *data = numbers (yuv ? luma + 2 * chroma : 3 * luma, json_object_get_int_member (row, "seed"));

    for (guint k = 0; k < G_N_ELEMENTS (isas); k++)
      for (guint layout = 0; layout < (yuv ? 2 : 1); layout++) {
        guint8 *owned[2] = { NULL };
        g_autofree gchar *what = g_strdup_printf ("row %u, %s, layout %u", i, isas[k], layout);
        g_autofree gfloat *out = NULL;

        if (yuv) {
          image.kr = json_object_get_double_member (row, "kr");
          image.kb = json_object_get_double_member (row, "kb");
          image.full_range = json_object_get_boolean_member (row, "full");
          set_planes (
              &image, layout ? UPI_PIXELS_NV12 : UPI_PIXELS_I420, data, data + luma, data + luma + chroma, owned);
        } else {
          image.format = UPI_PIXELS_RGB;
          image.planes[0] = data;
          image.strides[0] = 3 * image.width;
        }
        out =
            letterbox ? convert_letterboxed (isas[k], &image, width, height) : convert (isas[k], &image, width, height);
        if (out != NULL)
          check_against (out, hex, (gsize) width * height * 3, what);
        g_free (owned[0]);
        g_free (owned[1]);
      }
  }
}

/* The four packed layouts of one picture give one input, on every instruction set, with padded and with bottom-up
 * rows. */
static void
test_packed_layouts (void)
{
  const guint w = 53, h = 41;
  g_autofree guint8 *rgb = numbers ((gsize) w * h * 3, 9);
  UpiImage plain = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = w,
    .height = h,
    .planes = { rgb },
    .strides = { 3 * w } };
  g_autofree gfloat *expected = convert ("baseline", &plain, 64, 32);

  for (guint format = UPI_PIXELS_RGB; format <= UPI_PIXELS_BGRX; format++)
    for (guint variant = 0; variant < 3; variant++)
      for (guint k = 0; k < G_N_ELEMENTS (isas); k++) {
        gboolean reverse = format == UPI_PIXELS_BGR || format == UPI_PIXELS_BGRX;
        guint channels = format <= UPI_PIXELS_BGR ? 3 : 4;
        gsize stride = (gsize) w * channels + (variant == 1 ? 13 : 0), bytes = stride * (h - 1) + (gsize) w * channels;
        g_autofree guint8 *data = g_malloc (bytes);
        UpiImage image = { .size = sizeof (UpiImage),
          .format = format,
          .width = w,
          .height = h,
          .planes = { data },
          .strides = { stride } };
        g_autofree gchar *what = g_strdup_printf ("format %u, variant %u, %s", format, variant, isas[k]);
        g_autofree gfloat *out = NULL;

        memset (data, 0xee, bytes);
        for (guint y = 0; y < h; y++)
          for (guint x = 0; x < w; x++)
            for (guint c = 0; c < 3; c++)
              data[(variant == 2 ? h - 1 - y : y) * stride + x * channels + (reverse ? 2 - c : c)] =
                  rgb[(y * w + x) * 3 + c];
        if (variant == 2) {
          image.planes[0] = data + (h - 1) * stride;
          image.strides[0] = -(gssize) stride;
        }
        out = convert (isas[k], &image, 64, 32);
        if (out != NULL)
          assert_equal (out, expected, 64 * 32 * 3, 1e-3f, what);
      }
}

/* Every source size from 1 to 40 on a side, every layout: nothing is read outside (a sanitizer would tell), sets of
 * instructions agree, a flat frame stays flat. */
static void
test_sizes (void)
{
  for (guint w = 1; w <= 40; w += 3)
    for (guint h = 1; h <= 40; h += 4) {
      gsize luma = (gsize) w * h, chroma = (gsize) ((w + 1) / 2) * ((h + 1) / 2);
      g_autofree guint8 *y = numbers (luma, w * 100 + h);
      g_autofree guint8 *u = numbers (chroma, w), *v = numbers (chroma, h);

      for (guint layout = UPI_PIXELS_I420; layout <= UPI_PIXELS_NV12; layout++) {
        UpiImage image = { .size = sizeof (UpiImage), .width = w, .height = h, .kr = 0.2126f, .kb = 0.0722f };
        guint8 *owned[2];
        g_autofree gfloat *expected = NULL;

        set_planes (&image, layout, y, u, v, owned);
        expected = convert ("baseline", &image, 32, 64);
        for (guint k = 1; k < G_N_ELEMENTS (isas); k++) {
          g_autofree gfloat *out = convert (isas[k], &image, 32, 64);

          if (out != NULL)
            assert_equal (out, expected, 32 * 64 * 3, 1e-3f, isas[k]);
        }
        memset (owned[0], 126, luma); /* studio grey: (126 - 16) / 219 */
        image.format = UPI_PIXELS_I420;
        memset (u, 128, chroma);
        memset (v, 128, chroma);
        image.planes[1] = u;
        image.planes[2] = v;
        image.strides[1] = image.strides[2] = (w + 1) / 2;
        {
          g_autofree gfloat *flat = convert (NULL, &image, 32, 64);

          for (guint i = 0; i < 32 * 64 * 3; i++)
            g_assert_cmpfloat_with_epsilon (flat[i], 110 * 255 / 219.0, 1e-3);
        }
        g_free (owned[0]);
        g_free (owned[1]);
      }
    }
}

/* Primaries of both matrices come out as they went in. */
static void
test_matrices (void)
{
  static const gfloat weights[][2] = { { 0.299f, 0.114f }, { 0.2126f, 0.0722f }, { 0.2627f, 0.0593f }, { 0, 0 } };

  for (guint m = 0; m < G_N_ELEMENTS (weights); m++)
    for (guint full = 0; full < 2; full++)
      for (guint color = 0; color < 8; color++) {
        gdouble kr = m == 3 ? 0.299 : weights[m][0], kb = m == 3 ? 0.114 : weights[m][1];
        gdouble rgb[3] = { color & 1 ? 1 : 0, color & 2 ? 1 : 0, color & 4 ? 1 : 0 };
        gdouble luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
        gdouble cb = (rgb[2] - luma) / (2 * (1 - kb)), cr = (rgb[0] - luma) / (2 * (1 - kr));
        guint8 y[16 * 16], uv[16 * 8];
        UpiImage image = { .size = sizeof (UpiImage),
          .format = UPI_PIXELS_NV12,
          .width = 16,
          .height = 16,
          .planes = { y, uv },
          .strides = { 16, 16 },
          .kr = weights[m][0],
          .kb = weights[m][1],
          .full_range = full };
        g_autofree gfloat *out = NULL;

        memset (y, (gint) round (full ? 255 * luma : 16 + 219 * luma), sizeof y);
        for (guint i = 0; i < sizeof uv; i += 2) {
          uv[i] = MIN (round (128 + (full ? 255 : 224) * cb), 255);
          uv[i + 1] = MIN (round (128 + (full ? 255 : 224) * cr), 255);
        }
        out = convert (NULL, &image, 32, 32);
        for (guint c = 0; c < 3; c++)
          g_assert_cmpfloat_with_epsilon (out[c], 255 * rgb[c], 2.1); /* 8-bit chroma */
      }
}

static void
test_normalisation (void)
{
  static const gfloat mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };
  g_autoptr (Scaler) scaler = scaler_new (NULL);
  guint8 pixel[4] = { 10, 200, 90, 77 };
  UpiImage image = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_BGRX, .width = 1, .height = 1, .planes = { pixel }, .strides = { 4 }
  };
  gfloat out[32 * 32 * 3];

  g_assert_true (scaler_convert (scaler, &image, 32, 32, mean, std, out, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (out); i++)
    g_assert_cmpfloat_with_epsilon (out[i], (pixel[2 - i % 3] / 255.0 - mean[i % 3]) / std[i % 3], 1e-5);
}

/* One scaler serves frames of changing size and layout, as a worker's does; tables and rows left by one do not show in
 * the next. */
static void
test_reuse (void)
{
  g_autoptr (Scaler) scaler = scaler_new (NULL);

  for (guint round = 0; round < 60; round++) {
    guint w = 8 + round * 37 % 200, h = 5 + round * 53 % 150, channels = round % 2 ? 3 : 4;
    g_autofree guint8 *data = numbers ((gsize) w * h * 4, round);
    UpiImage image = {
      .size = sizeof (UpiImage), .width = w, .height = h, .planes = { data }, .strides = { w * channels }
    };
    g_autofree gfloat *out = g_new (gfloat, 96 * 64 * 3);
    g_autofree gfloat *expected = NULL;

    if (round % 3 == 2) {
      image = (UpiImage){ .size = sizeof (UpiImage),
        .format = UPI_PIXELS_I420,
        .width = w,
        .height = h,
        .planes = { data, data + w * h, data + 2 * w * h },
        .strides = { w, (w + 1) / 2, (w + 1) / 2 } };
    } else {
      image.format = round % 2 ? UPI_PIXELS_BGR : UPI_PIXELS_RGBX;
    }
    g_assert_true (scaler_convert (scaler, &image, 96, 64, no_mean, no_std, out, NULL));
    expected = convert (NULL, &image, 96, 64);
    assert_equal (out, expected, 96 * 64 * 3, 0, "reused scaler");
  }
}

/* A stream of pictures of one width and ever other heights: the filter across stays in use while those down come and
 * go. */
static void
test_many_sizes (void)
{
  Scaler *scaler = scaler_new (NULL);

  for (guint i = 0; i < 40; i++) {
    UpiImage image = { .size = sizeof (UpiImage), .format = UPI_PIXELS_RGB, .width = 50, .height = 30 + i };
    g_autofree guint8 *data = numbers ((gsize) 3 * image.width * image.height, i);
    g_autofree gfloat *kept = g_new0 (gfloat, 3 * 96 * 64), *fresh = g_new0 (gfloat, 3 * 96 * 64);
    Scaler *other = scaler_new (NULL);

    image.planes[0] = data;
    image.strides[0] = 3 * image.width;
    g_assert_true (scaler_convert (scaler, &image, 96, 64, no_mean, no_std, kept, NULL));
    g_assert_true (scaler_convert (other, &image, 96, 64, no_mean, no_std, fresh, NULL));
    g_assert_cmpmem (kept, 3 * 96 * 64 * sizeof (gfloat), fresh, 3 * 96 * 64 * sizeof (gfloat));
    scaler_free (other);
  }
  scaler_free (scaler);
}

/* Where a pixel of a w × h picture is once it is turned; by the words of UpiOrientation. */
static void
turned_place (UpiOrientation orientation, guint w, guint h, guint x, guint y, guint *to_x, guint *to_y)
{
  const guint places[][2] = { { x, y }, { h - 1 - y, x }, { w - 1 - x, h - 1 - y }, { y, w - 1 - x }, { w - 1 - x, y },
    { x, h - 1 - y }, { y, x }, { h - 1 - y, w - 1 - x } };

  *to_x = places[orientation][0];
  *to_y = places[orientation][1];
}

/* A picture that is turned on its way gives what the turned picture gives: packed, in planes, and read by its own
 * function. */
static void
test_orientations (void)
{
  const guint w = 38, h = 22, n = w * h;
  g_autofree guint8 *rgb = numbers (3 * n, 6), *turned = g_malloc (3 * n), *planes = g_malloc (3 * n);

  for (guint o = UPI_ORIENTATION_IDENTITY; o <= UPI_ORIENTATION_UR_LL; o++) {
    gboolean transposed = o == UPI_ORIENTATION_90R || o == UPI_ORIENTATION_90L || o >= UPI_ORIENTATION_UL_LR;
    guint across = transposed ? h : w, down = transposed ? w : h;
    UpiImage as_is = {
      .format = UPI_PIXELS_RGB, .width = w, .height = h, .planes = { rgb }, .strides = { 3 * w }, .orientation = o
    };
    UpiImage upright = {
      .format = UPI_PIXELS_RGB, .width = across, .height = down, .planes = { turned }, .strides = { 3 * across }
    };
    UpiImage planar = { .format = UPI_PIXELS_RGB_COMPONENTS,
      .width = w,
      .height = h,
      .full_range = TRUE,
      .n_components = 3,
      .orientation = o };
    UpiImage read = { .format = UPI_PIXELS_READ, .width = w, .height = h, .read = read_gradient, .orientation = o };

    for (guint y = 0; y < h; y++)
      for (guint x = 0; x < w; x++) {
        guint to_x, to_y;

        turned_place (o, w, h, x, y, &to_x, &to_y);
        for (guint c = 0; c < 3; c++) {
          turned[3 * (to_y * across + to_x) + c] = rgb[3 * (y * w + x) + c];
          planes[c * n + y * w + x] = rgb[3 * (y * w + x) + c];
        }
      }
    for (guint c = 0; c < 3; c++) {
      planar.planes[c] = planes + c * n;
      planar.strides[c] = w;
      planar.components[c] = (UpiComponent){ c, 0, 1, 0, 0 };
    }
    for (guint k = 0; k < G_N_ELEMENTS (isas); k++) {
      g_autofree gfloat *expected = convert (isas[k], &upright, 64, 32);
      g_autofree gfloat *out = convert (isas[k], &as_is, 64, 32), *out_planar = convert (isas[k], &planar, 64, 32);

      if (expected == NULL)
        continue;
      assert_equal (out, expected, 64 * 32 * 3, 1e-3f, "turned");
      assert_equal (out_planar, expected, 64 * 32 * 3, 1e-3f, "turned planes");
    }
    g_autofree gfloat *out = convert (NULL, &read, 64, 32);
    guint read_w = transposed ? 32 : 64, read_h = transposed ? 64 : 32;
    for (guint y = 0; y < read_h; y++)
      for (guint x = 0; x < read_w; x++) {
        guint to_x, to_y;

        turned_place (o, read_w, read_h, x, y, &to_x, &to_y);
        g_assert_cmpfloat_with_epsilon (out[3 * (to_y * 64 + to_x)], (guint8) (x + 2 * y), 1e-3);
      }
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/preprocess/equals-pillow", test_pillow);
  g_test_add_func ("/preprocess/packed-layouts-strides-order", test_packed_layouts);
  g_test_add_func ("/preprocess/odd-sizes", test_sizes);
  g_test_add_func ("/preprocess/orientations", test_orientations);
  g_test_add_func ("/preprocess/matrices", test_matrices);
  g_test_add_func ("/preprocess/normalisation", test_normalisation);
  g_test_add_func ("/preprocess/reuse", test_reuse);
  g_test_add_func ("/preprocess/many-sizes", test_many_sizes);
  return g_test_run ();
}
