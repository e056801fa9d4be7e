/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames and kept values of the cuda backend, through its module: pixels converted on the device against the processor's conversion (formats,
 * odd sizes, strides, matrices, kinds of numbers), and memory that stays there. Runs on the device without a GPU and on a GPU alike. */
#include "core/backends/frames/preprocess.h"
#include "core/backends/backend.h"

#include <math.h>
#include <string.h>

static const gfloat no_mean[3] = { 0, 0, 0 }, no_std[3] = { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f }; /* numbers are 0..255 */

typedef struct {
  const gchar *name;
  gfloat tolerance; /* levels of 8 bits */
} Kind;

static const Kind kinds[] = { { "cuda", 2e-3f }, { "cuda:f16", 0.0626f }, { "cuda:bf16", 0.501f } };

static const UpiBackend *
find (const gchar *name)
{
  GError *error = NULL;
  const UpiBackend *backend = upi_backend_find (name, &error);

  g_assert_no_error (error);
  return backend;
}

/* The input, as it is: image [N,H,W,3] kept → "out". */
static UpiContext *
open_image (const UpiBackend *backend, guint n, guint width, guint height, UpiPlan **plan)
{
  UpiProgram *p = upi_program_new ("frames");
  GError *error = NULL;
  UpiContext *context;

  upi_program_output (p, "out", upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 ((gint) n, (gint) height, (gint) width, 3)));
  upi_program_keep (p, "image");
  *plan = upi_plan_new (backend, p, 1, &error);
  g_assert_no_error (error);
  context = upi_context_new (*plan, &error);
  g_assert_no_error (error);
  return context;
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
put (UpiContext *context, UpiScaler *scaler, guint item, UpiImage *image, guint width, guint height, const gfloat *mean, const gfloat *std)
{
  GError *error = NULL;
  UpiFrame frame;

  g_assert_true (upi_scaler_describe (scaler, image, width, height, mean, std, &frame, &error));
  context->plan->backend->memory->put_frame (context, upi_plan_find (context->plan, "image"), item, &frame, &error);
  g_assert_no_error (error);
}

/* Neighbouring bytes differ, so that one that is read in place of another shows. */
static guint8 *
numbers (gsize count, guint32 seed)
{
  guint8 *out = g_malloc (count);
  guint32 state = seed * 2654435761u + 1;

  for (gsize i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    out[i] = state >> 24;
  }
  return out;
}

typedef struct {
  UpiImage image;
  guint8 *data[3];
} Picture;

/* Beside the formats with a name. */
enum {
  LAYOUT_WORDS = UPI_PIXELS_NV12 + 1, /* 4:2:0 of 10 bits, with garbage above them */
  LAYOUT_NV21_WORDS,                  /* 12 bits above 4 */
  LAYOUT_GBR,
  LAYOUT_LIMITED_ARGB,
  LAYOUT_GREY,
  N_LAYOUTS
};

/* Bytes a row of each plane; 0 ends the list. */
static void
describe_layout (UpiImage *image, guint layout, guint bytes[3], guint rows[3])
{
  guint w = image->width, half = (w + 1) / 2, half_rows = (image->height + 1) / 2;

  bytes[0] = bytes[1] = bytes[2] = 0;
  rows[0] = rows[1] = rows[2] = image->height;
  image->format = layout;
  if (layout <= UPI_PIXELS_BGRX) {
    bytes[0] = w * (layout == UPI_PIXELS_RGB || layout == UPI_PIXELS_BGR ? 3 : 4);
    return;
  }
  image->n_components = layout == LAYOUT_GREY ? 1 : 3;
  image->format = layout <= UPI_PIXELS_NV12                   ? layout
      : layout == LAYOUT_GBR || layout == LAYOUT_LIMITED_ARGB ? UPI_PIXELS_RGB_COMPONENTS
                                                              : UPI_PIXELS_YUV_COMPONENTS;
  image->full_range |= layout == LAYOUT_GBR;
  switch (layout) {
  case LAYOUT_GREY:
    bytes[0] = w;
    image->components[0] = (UpiComponent){ 0, 0, 1, 0, 0 };
    break;
  case LAYOUT_GBR:
  case LAYOUT_LIMITED_ARGB:
    for (guint c = 0; c < 3; c++) {
      bytes[c] = layout == LAYOUT_GBR ? w : c == 0 ? 4 * w : 0;
      image->components[c] = layout == LAYOUT_GBR ? (UpiComponent){ (c + 2) % 3, 0, 1, 0, 0 } : (UpiComponent){ 0, 1 + c, 4, 0, 0 };
    }
    break;
  case UPI_PIXELS_NV12:
  case LAYOUT_NV21_WORDS:
    image->depth = layout == LAYOUT_NV21_WORDS ? 12 : 0;
    image->shift = layout == LAYOUT_NV21_WORDS ? 4 : 0;
    bytes[0] = image->depth > 0 ? 2 * w : w;
    bytes[1] = image->depth > 0 ? 4 * half : 2 * half;
    rows[1] = half_rows;
    image->components[0] = (UpiComponent){ 0, 0, 2, 0, 0 };
    image->components[1] = (UpiComponent){ 1, 2, 4, 1, 1 };
    image->components[2] = (UpiComponent){ 1, 0, 4, 1, 1 };
    break;
  default: /* I420 and words */
    image->depth = layout == LAYOUT_WORDS ? 10 : 0;
    for (guint c = 0; c < 3; c++) {
      bytes[c] = (c == 0 ? w : half) * (layout == LAYOUT_WORDS ? 2 : 1);
      rows[c] = c == 0 ? image->height : half_rows;
      image->components[c] = (UpiComponent){ c, 0, 2, c > 0, c > 0 };
    }
  }
}

/* padding: bytes behind each row; negative: rows from the bottom up. */
static void
picture_init (Picture *picture, guint layout, guint width, guint height, gint padding, guint32 seed)
{
  guint rows[3], bytes[3];

  *picture = (Picture){ .image = { .width = width, .height = height } };
  describe_layout (&picture->image, layout, bytes, rows);
  for (guint i = 0; i < 3 && bytes[i] > 0; i++) {
    gssize stride = bytes[i] + ABS (padding);

    picture->data[i] = numbers ((gsize) stride * rows[i], seed + i);
    picture->image.planes[i] = padding < 0 ? picture->data[i] + (rows[i] - 1) * stride : picture->data[i];
    picture->image.strides[i] = padding < 0 ? -stride : stride;
  }
}

static void
picture_clear (Picture *picture)
{
  for (guint i = 0; i < 3; i++)
    g_free (picture->data[i]);
}

static void
compare (const gfloat *found, UpiImage *image, guint width, guint height, const gfloat *mean, const gfloat *std, gdouble tolerance)
{
  g_autoptr (UpiScaler) scaler = upi_scaler_new ();
  g_autofree gfloat *expected = g_new (gfloat, (gsize) 3 * width * height);

  g_assert_true (upi_scaler_set_isa (scaler, "baseline"));
  g_assert_true (upi_scaler_convert (scaler, image, width, height, mean, std, expected, NULL));
  for (guint i = 0; i < 3 * width * height; i++)
    if (!(fabsf (found[i] - expected[i]) <= tolerance))
      g_error ("format %d, %u × %u → %u × %u: value %u is %g, expected %g", image->format, image->width, image->height, width, height, i,
          (gdouble) found[i], (gdouble) expected[i]);
}

static void
test_formats (gconstpointer data)
{
  static const guint sizes[][4] = { { 97, 61, 64, 32 }, { 1, 1, 32, 32 }, { 2, 3, 32, 32 }, { 33, 200, 96, 64 }, { 640, 36, 64, 32 },
    { 64, 32, 64, 32 }, { 5000, 7, 32, 32 } };
  static const gfloat matrices[][2] = { { 0, 0 }, { 0.2126f, 0.0722f }, { 0.2627f, 0.0593f } };
  const Kind *kind = data;
  const UpiBackend *backend = find (kind->name);
  g_autoptr (UpiScaler) scaler = upi_scaler_new ();

  for (guint s = 0; s < G_N_ELEMENTS (sizes); s++) {
    const guint *size = sizes[s];
    UpiPlan *plan;
    UpiContext *context = open_image (backend, 1, size[2], size[3], &plan);
    g_autofree gfloat *out = g_new (gfloat, 3 * size[2] * size[3]);

    for (guint format = 0; format < N_LAYOUTS; format++)
      for (gint padding = -1; padding <= 1; padding++) {
        Picture picture;

        picture_init (&picture, format, size[0], size[1], padding * 6, s * 20 + format);
        picture.image.orientation = (s * 3 + format + (guint) (padding + 1)) % (UPI_ORIENTATION_UR_LL + 1);
        picture.image.kr = matrices[(s + (guint) (padding + 1)) % 3][0];
        picture.image.kb = matrices[(s + (guint) (padding + 1)) % 3][1];
        picture.image.full_range |= format <= LAYOUT_WORDS && (s + format) % 2;
        put (context, scaler, 0, &picture.image, size[2], size[3], no_mean, no_std);
        run (context, out);
        compare (out, &picture.image, size[2], size[3], no_mean, no_std, kind->tolerance);
        picture_clear (&picture);
      }
    upi_context_free (context);
    upi_plan_free (plan);
  }
}

/* The widest frame that the engine takes, at the narrowest input: shared memory holds a tile of one output. */
static void
test_widest (void)
{
  g_autoptr (UpiScaler) scaler = upi_scaler_new ();
  UpiPlan *plan;
  UpiContext *context = open_image (find ("cuda"), 1, 32, 32, &plan);
  g_autofree gfloat *out = g_new (gfloat, 3 * 32 * 32);
  Picture picture;

  picture_init (&picture, UPI_PIXELS_BGRX, 32768, 2, 0, 5);
  put (context, scaler, 0, &picture.image, 32, 32, no_mean, no_std);
  run (context, out);
  compare (out, &picture.image, 32, 32, no_mean, no_std, 5e-3);
  picture_clear (&picture);
  upi_context_free (context);
  upi_plan_free (plan);
}

/* A batch of frames of all sizes and formats, with the network's mean and deviation; frames that were put and not run do no harm. */
static void
test_batch (void)
{
  static const gfloat mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };
  g_autoptr (UpiScaler) scaler = upi_scaler_new ();
  UpiPlan *plan;
  UpiContext *context = open_image (find ("cuda"), 3, 64, 32, &plan);
  g_autofree gfloat *out = g_new (gfloat, 3 * 3 * 64 * 32);

  for (guint round = 0; round < 4; round++) {
    Picture pictures[3];

    for (guint i = 0; i < 3; i++) {
      picture_init (&pictures[i], (round + 2 * i) % N_LAYOUTS, 30 + 17 * i * (round + 1), 20 + 11 * (i + round), 0, round * 3 + i);
      put (context, scaler, i, &pictures[i].image, 64, 32, mean, std);
    }
    if (round == 1) /* a slot that is still to be read */
      put (context, scaler, 1, &pictures[1].image, 64, 32, mean, std);
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

/* Bytes of the host's as memory of the device's: by a program that copies words as they are. */
static void *
upload (const UpiBackend *backend, const guint8 *bytes, gsize count)
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
  upi_program_keep (p, "out");
  plan = upi_plan_new (backend, p, 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  memory = backend->memory->memory_new (backend, words * 4, &error);
  g_assert_no_error (error);
  upi_context_bind (context, upi_plan_find (plan, "in"), padded);
  backend->memory->bind_item (context, upi_plan_find (plan, "out"), 0, memory);
  upi_context_run (context, &error);
  g_assert_no_error (error);
  return memory;
}

/* Pixels that are on the device already. */
static void
test_on_device (void)
{
  const UpiBackend *backend = find ("cuda");
  g_autoptr (UpiScaler) scaler = upi_scaler_new ();
  UpiPlan *plan;
  UpiContext *context = open_image (backend, 1, 64, 32, &plan);
  g_autofree gfloat *out = g_new (gfloat, 3 * 64 * 32);

  for (guint format = 0; format < N_LAYOUTS; format++) {
    GError *error = NULL;
    void *memory[3] = { NULL };
    Picture picture;
    UpiFrame frame;

    picture_init (&picture, format, 101, 77, 8, format);
    g_assert_true (upi_scaler_describe (scaler, &picture.image, 64, 32, no_mean, no_std, &frame, NULL));
    for (guint i = 0; i < frame.n_planes; i++)
      frame.planes[i].data = memory[i] = upload (backend, frame.planes[i].data, (gsize) frame.planes[i].stride * frame.planes[i].rows);
    frame.on_device = TRUE;
    backend->memory->put_frame (context, upi_plan_find (plan, "image"), 0, &frame, &error);
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

#define ROWS 5
#define WIDTH 16

/* Kept values: an input of several items, one that is changed in place, an output; each item lies in memory of its own. */
static void
test_kept (gconstpointer data)
{
  const Kind *kind = data;
  const UpiBackend *backend = find (kind->name);
  const UpiBackendMemory *own = backend->memory;
  UpiProgram *p = upi_program_new ("kept");
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
  upi_program_output (p, "sum", upi_mean_tokens (p, upi_store_rows (p, cache, upi_slice (p, upi_slice (p, x, 0, 0, 1), 1, 0, 1), start)));
  upi_program_keep (p, "x");
  upi_program_keep (p, "cache");
  upi_program_keep (p, "y");
  upi_program_keep (p, "sum");
  upi_program_keep (p, "start"); /* not float32: stays the host's */
  for (guint i = 0; i < 2; i++)
    for (guint j = 0; j < ROWS * WIDTH; j++)
      numbers_of_x[i][j] = (gfloat) ((gint) (j * 7 + i * 3) % 64 - 32);
  plan = upi_plan_new (backend, p, 1, &error);
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    in[i] = upload (backend, (const guint8 *) numbers_of_x[i], sizeof numbers_of_x[i]);
    out[i] = own->memory_new (backend, sizeof numbers_of_x[i], &error);
    own->bind_item (context, upi_plan_find (plan, "x"), i, in[i]);
    own->bind_item (context, upi_plan_find (plan, "y"), i, out[i]);
  }
  text = upload (backend, (const guint8 *) zeros, sizeof zeros);
  copy = own->memory_new (backend, sizeof zeros, &error);
  own->bind_item (context, upi_plan_find (plan, "cache"), 0, text);
  upi_context_bind (context, upi_plan_find (plan, "start"), &row);
  upi_context_run (context, &error); /* "sum" is bound to nothing */
  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++) {
    own->read (backend, out[i], found, sizeof numbers_of_x[i], &error);
    g_assert_no_error (error);
    for (guint j = 0; j < ROWS * WIDTH; j++)
      g_assert_cmpfloat (found[j], ==, MAX (numbers_of_x[i][j], 0));
  }
  /* The cache has the new row, and is not read again: what is written over it meanwhile does not show in the next run's. */
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

/* More than the staging memory holds. */
static void
test_read_large (void)
{
  const UpiBackend *backend = find ("cuda");
  const gsize bytes = 9 * 1024 * 1024 + 12;
  g_autofree guint8 *there = numbers (bytes, 3), *back = g_malloc (bytes);
  void *memory = upload (backend, there, bytes);
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
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree gchar *formats = g_strdup_printf ("/cuda-frames/formats/%s", kinds[i].name);
    g_autofree gchar *kept = g_strdup_printf ("/cuda-frames/kept/%s", kinds[i].name);

    g_test_add_data_func (formats, &kinds[i], test_formats);
    g_test_add_data_func (kept, &kinds[i], test_kept);
  }
  g_test_add_func ("/cuda-frames/widest", test_widest);
  g_test_add_func ("/cuda-frames/batch", test_batch);
  g_test_add_func ("/cuda-frames/on-device", test_on_device);
  g_test_add_func ("/cuda-frames/read-large", test_read_large);
  return g_test_run ();
}
