/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* put_frame on every backend against ref: layouts, orientations, odd sizes, strides, matrices, ranges; and values that
 * are bound item by item. Runs on the device without a GPU and on a GPU alike. */
#include "tests/parity/frames.h"

#include "core/backends/frames/reader.h"
#include "tests/parity/picture.h"

#include <math.h>
#include <string.h>

static const gchar *const layouts[N_LAYOUTS] = { [UPI_PIXELS_RGB] = "rgb",
  [UPI_PIXELS_BGR] = "bgr",
  [UPI_PIXELS_RGBX] = "rgbx",
  [UPI_PIXELS_BGRX] = "bgrx",
  [UPI_PIXELS_I420] = "i420",
  [UPI_PIXELS_NV12] = "nv12",
  [LAYOUT_WORDS] = "i420-10",
  [LAYOUT_NV21_WORDS] = "nv21-12",
  [LAYOUT_GBR] = "gbr",
  [LAYOUT_LIMITED_ARGB] = "argb-limited",
  [LAYOUT_GREY] = "grey" };

typedef struct {
  const UpiBackend *backend;
  ParityVariant numbers; /* what the backend computes with */
  guint layout, orientation;
} Test;

/* The input, as it is: image [N,H,W,3] kept → "out". */
UpiContext *
frames_open (const UpiBackend *backend, guint n, guint width, guint height, UpiPlan **plan)
{
  UpiProgram *p = upi_program_new ("frames");
  GError *error = NULL;
  UpiContext *context;

  upi_program_output (
      p, "out", upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 ((gint) n, (gint) height, (gint) width, 3)));
  upi_program_make_resident (p, "image");
  *plan = upi_plan_new (backend, p, 1, &error);
  g_assert_no_error (error);
  context = upi_context_new (*plan, &error);
  g_assert_no_error (error);
  return context;
}

/* Two pictures as the items of one input, of that size in it. (transfer full) */
static gfloat *
input_of (const UpiBackend *backend, Picture *pictures, guint width, guint height, const guint picture[2])
{
  static const gfloat pad[3] = { 0.25f, 0.5f, 0.75f };
  static const gfloat mean[2][3] = { { 0, 0, 0 }, { 0.485f, 0.456f, 0.406f } };
  static const gfloat std[2][3] = { { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f },
    { 0.229f, 0.224f, 0.225f } }; /* the first: 0..255 */
  g_autoptr (UpiFrameReader) reader = upi_frame_reader_new ();
  gfloat *out = g_new (gfloat, (gsize) 2 * 3 * width * height);
  GError *error = NULL;
  UpiPlan *plan;
  UpiContext *context = frames_open (backend, 2, width, height, &plan);

  for (guint i = 2; i-- > 0;) {
    UpiFrame frame;

    g_assert_true (upi_frame_reader_describe (
        reader, &pictures[i].image, picture[0], picture[1], mean[i], std[i], &frame, &error));
    if (picture[0] < width || picture[1] < height)
      upi_frame_letterbox (&frame, pictures[i].image.orientation, width, height, pad);
    upi_context_put_frame (context, upi_plan_find (plan, "image"), i, &frame, &error);
    g_assert_no_error (error);
  }
  upi_context_bind (context, upi_plan_find (plan, "out"), out);
  upi_context_run (context, &error);
  g_assert_no_error (error);
  upi_context_free (context);
  upi_plan_free (plan);
  return out;
}

static void
test_frames (gconstpointer data)
{
  static const guint sources[][2] = { { 97, 61 }, { 1, 1 }, { 2, 3 }, { 33, 200 }, { 640, 36 }, { 64, 32 }, { 5000, 7 },
    { 96, 64 } };
  static const guint inputs[][2] = { { 64, 32 }, { 32, 32 }, { 96, 64 } };
  static const gfloat matrices[][2] = { { 0, 0 }, { 0.2126f, 0.0722f }, { 0.2627f, 0.0593f } };
  const Test *test = data;
  /* Levels of 8 bits: of float32, and half of what lies between two numbers of 16 bits. */
  const gfloat rounding = test->numbers & PARITY_BF16 ? 0.5f
      : test->numbers & PARITY_F16                    ? 0.0625f
                                                      : 0,
               tolerance = 2e-3f + rounding;

  for (guint k = 0; k < 2; k++) {
    guint first = test->layout + 3 * test->orientation + 5 * k;
    const guint *input = inputs[first % G_N_ELEMENTS (inputs)];
    /* letterboxed every other time: a border at the right, below, both */
    const guint picture[2] = { k == 0 || first % 3 == 0 ? input[0] : input[0] - 1 - first % 30,
      k == 0 || first % 3 == 1 ? input[1] : input[1] - 5 };
    g_autofree gfloat *found = NULL, *expected = NULL;
    Picture pictures[2];

    for (guint i = 0; i < 2; i++) {
      guint number = first + i, width = sources[number % G_N_ELEMENTS (sources)][0],
            height = sources[number % G_N_ELEMENTS (sources)][1];

      picture_init (&pictures[i], test->layout, width, height, ((gint) (number % 3) - 1) * 6, number);
      pictures[i].image.orientation = test->orientation;
      pictures[i].image.kr = matrices[(first + k) % 3][0];
      pictures[i].image.kb = matrices[(first + k) % 3][1];
      pictures[i].image.full_range |= test->layout <= LAYOUT_WORDS && (number + k) % 2;
    }
    found = input_of (test->backend, pictures, input[0], input[1], picture);
    expected = input_of (upi_backend_ref (), pictures, input[0], input[1], picture);
    for (guint i = 0; i < 2 * 3 * input[0] * input[1]; i++)
      if (!(fabsf (found[i] - expected[i]) <= tolerance))
        g_error ("%u × %u and %u × %u → %u × %u: value %u is %g, expected %g", pictures[0].image.width,
            pictures[0].image.height, pictures[1].image.width, pictures[1].image.height, input[0], input[1], i,
            (gdouble) found[i], (gdouble) expected[i]);
    for (guint i = 0; i < 2; i++)
      picture_clear (&pictures[i]);
  }
}

/* Bytes of the host's as memory of the device's: by a program that copies words as they are. */
void *
frames_upload (const UpiBackend *backend, const guint8 *bytes, gsize count)
{
  gsize words = (count + 3) / 4;
  g_autofree gfloat *padded = g_malloc0 (words * 4);
  UpiProgram *p = upi_program_new ("upload");
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  GError *error = NULL;
  void *memory;

  memcpy (padded, bytes, count);
  upi_program_output (p, "out", upi_program_input (p, "in", UPI_F32, UPI_SHAPE2 (1, (gint) words)));
  upi_program_make_resident (p, "out");
  plan = upi_plan_new (backend, p, 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  memory = backend->memory->memory_new (backend, words * 4, "a test", &error);
  g_assert_no_error (error);
  upi_context_bind (context, upi_plan_find (plan, "in"), padded);
  upi_context_bind_item (context, upi_plan_find (plan, "out"), 0, memory);
  upi_context_run (context, &error);
  g_assert_no_error (error);
  return memory;
}

#define ROWS 5
#define WIDTH 16

/* Values bound item by item: an input of several items, one that is changed in place, an output; each item lies in
 * memory of its own. */
static void
test_items (gconstpointer data)
{
  const UpiBackend *backend = data;
  const UpiBackendMemory *own = backend->memory;
  UpiProgram *p = upi_program_new ("items");
  UpiValue x = upi_program_input (p, "x", UPI_F32, UPI_SHAPE3 (2, ROWS, WIDTH)),
           cache = upi_program_input (p, "cache", UPI_F32, UPI_SHAPE3 (1, 8, WIDTH)),
           start = upi_program_input (p, "start", UPI_I32, UPI_SHAPE1 (1));
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  GError *error = NULL;
  gfloat numbers_of_x[2][ROWS * WIDTH], zeros[8 * WIDTH] = { 0 }, found[8 * WIDTH];
  void *in[2], *text, *copy, *out[2];
  gint32 row = 3;

  upi_program_part (p, "test");
  upi_program_output (p, "y", upi_activation (p, x, UPI_ACT_RELU));
  upi_program_output (p, "sum",
      upi_mean_tokens (p, upi_store_rows (p, cache, upi_slice (p, upi_slice (p, x, 0, 0, 1), 1, 0, 1), start)));
  upi_program_make_resident (p, "x");
  upi_program_make_resident (p, "cache");
  upi_program_make_resident (p, "y");
  upi_program_make_resident (p, "sum");
  upi_program_make_resident (p, "start"); /* not float32: stays the host's */
  for (guint i = 0; i < 2; i++)
    for (guint j = 0; j < ROWS * WIDTH; j++)
      numbers_of_x[i][j] = (gfloat) ((gint) (j * 7 + i * 3) % 64 - 32);
  plan = upi_plan_new (backend, p, 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    in[i] = frames_upload (backend, (const guint8 *) numbers_of_x[i], sizeof numbers_of_x[i]);
    out[i] = own->memory_new (backend, sizeof numbers_of_x[i], "a test", &error);
    upi_context_bind_item (context, upi_plan_find (plan, "x"), i, in[i]);
    upi_context_bind_item (context, upi_plan_find (plan, "y"), i, out[i]);
  }
  text = frames_upload (backend, (const guint8 *) zeros, sizeof zeros);
  copy = own->memory_new (backend, sizeof zeros, "a test", &error);
  upi_context_bind_item (context, upi_plan_find (plan, "cache"), 0, text);
  upi_context_bind (context, upi_plan_find (plan, "start"), &row);
  upi_context_bind_item (context, upi_plan_find (plan, "sum"), 0, NULL);
  upi_context_run (context, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    own->read (backend, out[i], found, sizeof numbers_of_x[i], &error);
    g_assert_no_error (error);
    for (guint j = 0; j < ROWS * WIDTH; j++)
      g_assert_cmpfloat (found[j], ==, MAX (numbers_of_x[i][j], 0));
  }
  /* The cache has the new row, and is not read again: what is written over it meanwhile does not show in the next
   * run's. */
  own->copy (context, copy, text, sizeof zeros, &error);
  g_assert_no_error (error);
  row = 4;
  upi_context_run (context, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    own->read (backend, i ? text : copy, found, sizeof zeros, &error);
    g_assert_no_error (error);
    for (guint j = 0; j < 8 * WIDTH; j++)
      g_assert_cmpfloat (found[j], ==, j / WIDTH == 3 || (i == 1 && j / WIDTH == 4) ? numbers_of_x[0][j % WIDTH] : 0);
  }
  for (guint i = 0; i < 2; i++) {
    own->memory_free (backend, in[i]);
    own->memory_free (backend, out[i]);
  }
  own->memory_free (backend, text);
  own->memory_free (backend, copy);
}

static void
add_test (const gchar *name, const gchar *filter, gchar *rest /* transfer full */, Test test, GTestDataFunc func)
{
  g_autofree gchar *path = g_strdup_printf ("/parity/%s/%s", name, rest);

  if (filter == NULL || strstr (rest, filter) != NULL)
    g_test_add_data_func_full (path, func == test_items ? (gpointer) test.backend : g_memdup2 (&test, sizeof test),
        func, func == test_items ? NULL : g_free);
  g_free (rest);
}

void
frames_add_tests (const UpiBackend *backend, const gchar *name, ParityVariant numbers, const gchar *filter)
{
  Test test = { .backend = backend, .numbers = numbers };

  for (test.layout = 0; test.layout < N_LAYOUTS; test.layout++)
    for (test.orientation = 0; test.orientation <= UPI_ORIENTATION_UR_LL; test.orientation++)
      add_test (name, filter, g_strdup_printf ("frames/%s orientation %u", layouts[test.layout], test.orientation),
          test, test_frames);
  add_test (name, filter, g_strdup ("items"), test, test_items);
}
