/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames of the cuda backend, through its module, beyond what every backend has in common (tests/parity/frames.c): the
 * widest ones, batches put and not run, pixels that are on the device already; and its memory. Runs on the device
 * without a GPU and on a GPU alike. */
#include "core/backends/frames/convert.h"
#include "core/backends/frames/reader.h"
#include "tests/parity/frames.h"
#include "tests/parity/picture.h"

#include <math.h>
#include <string.h>

static const gfloat no_mean[3] = { 0, 0, 0 },
                    no_std[3] = { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f }; /* numbers are 0..255 */

static const UpiBackend *
find (const gchar *name)
{
  GError *error = NULL;
  const UpiBackend *backend = upi_backend_find (name, &error);

  g_assert_no_error (error);
  return backend;
}

static void
run (UpiContext *context, gfloat *out)
{
  GError *error = NULL;

  upi_context_bind (context, upi_plan_find (context->plan, "out"), out);
  upi_context_run (context, &error);
  g_assert_no_error (error);
}

static void
put (UpiContext *context, UpiFrameReader *reader, guint item, UpiImage *image, guint width, guint height,
    const gfloat *mean, const gfloat *std)
{
  GError *error = NULL;
  UpiFrame frame;

  g_assert_true (upi_frame_reader_describe (reader, image, width, height, mean, std, &frame, &error));
  upi_context_put_frame (context, upi_plan_find (context->plan, "image"), item, &frame, &error);
  g_assert_no_error (error);
}

static void
compare (const gfloat *found, UpiImage *image, guint width, guint height, const gfloat *mean, const gfloat *std,
    gdouble tolerance)
{
  g_autoptr (UpiFrameReader) reader = upi_frame_reader_new ();
  g_autoptr (UpiConverter) converter = upi_converter_new (UPI_ISA_BASELINE);
  g_autofree gfloat *expected = g_new (gfloat, (gsize) 3 * width * height);
  UpiFrame frame;

  g_assert_true (upi_frame_reader_describe (reader, image, width, height, mean, std, &frame, NULL));
  g_assert_true (upi_converter_run (converter, &frame, expected, NULL));
  for (guint i = 0; i < 3 * width * height; i++)
    if (!(fabsf (found[i] - expected[i]) <= tolerance))
      g_error ("format %d, %u × %u → %u × %u: value %u is %g, expected %g", image->format, image->width, image->height,
          width, height, i, (gdouble) found[i], (gdouble) expected[i]);
}

/* The widest frame that the engine takes, at the narrowest input: shared memory holds a tile of one output. */
static void
test_widest (void)
{
  g_autoptr (UpiFrameReader) reader = upi_frame_reader_new ();
  UpiPlan *plan;
  UpiContext *context = frames_open (find ("cuda"), 1, 32, 32, &plan);
  g_autofree gfloat *out = g_new (gfloat, 3 * 32 * 32);
  Picture picture;

  picture_init (&picture, UPI_PIXELS_BGRX, 32768, 2, 0, 5);
  put (context, reader, 0, &picture.image, 32, 32, no_mean, no_std);
  run (context, out);
  compare (out, &picture.image, 32, 32, no_mean, no_std, 5e-3);
  picture_clear (&picture);
  upi_context_free (context);
  upi_plan_free (plan);
}

/* A batch of frames of all sizes and formats, with the network's mean and deviation; frames that were put and not run
 * do no harm. */
static void
test_batch (void)
{
  static const gfloat mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };
  g_autoptr (UpiFrameReader) reader = upi_frame_reader_new ();
  UpiPlan *plan;
  UpiContext *context = frames_open (find ("cuda"), 3, 64, 32, &plan);
  g_autofree gfloat *out = g_new (gfloat, 3 * 3 * 64 * 32);

  for (guint round = 0; round < 4; round++) {
    Picture pictures[3];

    for (guint i = 0; i < 3; i++) {
      picture_init (&pictures[i], (round + 2 * i) % N_LAYOUTS, 30 + 17 * i * (round + 1), 20 + 11 * (i + round), 0,
          round * 3 + i);
      put (context, reader, i, &pictures[i].image, 64, 32, mean, std);
    }
    if (round == 1) /* a frame that is still to be read */
      put (context, reader, 1, &pictures[1].image, 64, 32, mean, std);
    if (round != 2)
      run (context, out);
    for (guint i = 0; i < 3; i++) {
      if (round != 2)
        compare (out + i * 3 * 64 * 32, &pictures[i].image, 64, 32, mean, std, 1e-4);
      picture_clear (&pictures[i]);
    }
  }
  upi_context_free (context);
  upi_plan_free (plan);
}

/* Pixels that are on the device already. */
static void
test_on_device (void)
{
  const UpiBackend *backend = find ("cuda");
  g_autoptr (UpiFrameReader) reader = upi_frame_reader_new ();
  UpiPlan *plan;
  UpiContext *context = frames_open (backend, 1, 64, 32, &plan);
  g_autofree gfloat *out = g_new (gfloat, 3 * 64 * 32);

  for (guint format = 0; format < N_LAYOUTS; format++) {
    GError *error = NULL;
    void *memory[3] = { NULL };
    Picture picture;
    UpiFrame frame;

    picture_init (&picture, format, 101, 77, 8, format);
    g_assert_true (upi_frame_reader_describe (reader, &picture.image, 64, 32, no_mean, no_std, &frame, NULL));
    for (guint i = 0; i < frame.n_planes; i++)
      frame.planes[i].data = memory[i] =
          frames_upload (backend, frame.planes[i].data, (gsize) frame.planes[i].stride * frame.planes[i].rows);
    frame.on_device = TRUE;
    upi_context_put_frame (context, upi_plan_find (plan, "image"), 0, &frame, &error);
    g_assert_no_error (error);
    run (context, out);
    compare (out, &picture.image, 64, 32, no_mean, no_std, 2e-3);
    for (guint i = 0; i < frame.n_planes; i++)
      backend->memory->memory_free (backend, memory[i]);
    picture_clear (&picture);
  }
  upi_context_free (context);
  upi_plan_free (plan);
}

/* More than the staging memory holds. */
static void
test_read_large (void)
{
  const UpiBackend *backend = find ("cuda");
  const gsize bytes = 9 * 1024 * 1024 + 12;
  g_autofree guint8 *there = picture_numbers (bytes, 3), *back = g_malloc (bytes);
  void *memory = frames_upload (backend, there, bytes);
  GError *error = NULL;

  backend->memory->read (backend, memory, back, bytes, &error); /* no plan is left */
  g_assert_no_error (error);
  g_assert_cmpmem (back, bytes, there, bytes);
  backend->memory->memory_free (backend, memory);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) missing = NULL;

  g_test_init (&argc, &argv, NULL);
  if (!upi_backend_find ("cuda", &missing)) {
    g_print ("1..0 # SKIP %s\n", missing->message);
    return 0;
  }
  g_test_add_func ("/cuda-frames/widest", test_widest);
  g_test_add_func ("/cuda-frames/batch", test_batch);
  g_test_add_func ("/cuda-frames/on-device", test_on_device);
  g_test_add_func ("/cuda-frames/read-large", test_read_large);
  return g_test_run ();
}
