/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See backend-fixture.h. */
#include "tests/cuda/backend-fixture.h"

#include "core/backends/frames/reader.h"

#include <math.h>
#include <string.h>

static gfloat weights[4096]; /* filled by the first program */

/* Every way an operation is run: cuDNN with and without an epilogue of ours, cuBLASLt with one, own kernels, a cache
 * that is changed in place. */
UpiProgram *
backend_program (void)
{
  UpiProgram *p = upi_program_new ("test");
  UpiValue image = upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 (1, 8, 6, 4));
  UpiValue cache = upi_program_input (p, "cache", UPI_F32, UPI_SHAPE3 (1, 20, WIDTH)),
           start = upi_program_input (p, "start", UPI_I32, UPI_SHAPE1 (1));
  UpiValue gamma = upi_program_weight (p, "gamma", weights, UPI_SHAPE1 (WIDTH)), x, y;

  for (guint i = 0; i < G_N_ELEMENTS (weights); i++)
    weights[i] = sinf ((gfloat) i * 1.7f) * 0.3f;
  upi_program_part (p, "test");
  x = upi_conv2d (p, image, upi_program_weight (p, "conv", weights + 16, UPI_SHAPE4 (WIDTH, 4, 3, 3)), gamma,
      &(UpiConv){ .stride = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .act = UPI_ACT_RELU6 });
  x = upi_conv2d (p, x, upi_program_weight (p, "depthwise", weights + 32, UPI_SHAPE4 (WIDTH, 1, 3, 3)), UPI_NO_VALUE,
      &(UpiConv){ .groups = WIDTH, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 });
  x = upi_reshape (p, x, UPI_SHAPE3 (1, TOKENS, WIDTH)); /* [1,4,3,C] */
  x = upi_group_norm (p, x, gamma, gamma, 4, 1e-5f);
  y = upi_linear (p, x, upi_program_weight (p, "linear", weights + 64, UPI_SHAPE2 (WIDTH, WIDTH)), gamma, UPI_ACT_GELU);
  x = upi_layer_norm (p, upi_add (p, x, y), gamma, gamma, 1e-5f);
  x = upi_attention (p, x, x, x, UPI_NO_VALUE, &(UpiAttention){ .heads = 2 });
  upi_program_output (p, "products", upi_matmul (p, x, x, &(UpiMatmul){ .transpose_b = TRUE, .scale = 0.5f }));
  cache = upi_store_rows (p, cache, x, start);
  upi_program_output (p, "sum", upi_mean_tokens (p, cache));
  return p;
}

void
backend_memory_init (BackendMemory *memory, gfloat phase)
{
  for (guint i = 0; i < G_N_ELEMENTS (memory->image); i++)
    memory->image[i] = sinf ((gfloat) i * 0.37f + phase);
  for (guint i = 0; i < G_N_ELEMENTS (memory->cache); i++)
    memory->cache[i] = (gfloat) i;
  memory->start = 3;
}

void
backend_bind (UpiContext *context, BackendMemory *memory)
{
  upi_context_bind (context, upi_plan_find (context->plan, "image"), memory->image);
  upi_context_bind (context, upi_plan_find (context->plan, "cache"), memory->cache);
  upi_context_bind (context, upi_plan_find (context->plan, "start"), &memory->start);
  upi_context_bind (context, upi_plan_find (context->plan, "products"), memory->products);
  upi_context_bind (context, upi_plan_find (context->plan, "sum"), memory->sum);
}

void
backend_run_ref (BackendMemory *memory)
{
  GError *error = NULL;
  g_autoptr (UpiPlan) plan = upi_plan_new (upi_backend_ref (), backend_program (), 1, &error);
  g_autoptr (UpiContext) context = upi_context_new (plan, &error);

  backend_bind (context, memory);
  upi_context_run (context, &error);
  g_assert_no_error (error);
}

gdouble
backend_difference (const gfloat *a, const gfloat *b, gsize n)
{
  gdouble error = 0, norm = 0;

  for (gsize i = 0; i < n; i++) {
    error += ((gdouble) a[i] - b[i]) * ((gdouble) a[i] - b[i]);
    norm += (gdouble) b[i] * b[i];
  }
  return error / norm;
}

void
backend_assert_same (const BackendMemory *found, const BackendMemory *expected, gdouble tolerance)
{
  g_assert_cmpfloat (
      backend_difference (found->products, expected->products, G_N_ELEMENTS (found->products)), <=, tolerance);
  g_assert_cmpfloat (backend_difference (found->cache, expected->cache, G_N_ELEMENTS (found->cache)), <=, tolerance);
  g_assert_cmpfloat (backend_difference (found->sum, expected->sum, G_N_ELEMENTS (found->sum)), <=, tolerance);
}

/* Opens, runs `runs` times, closes. FALSE and the first error. */
gboolean
backend_whole_path (const gchar *device, guint runs, BackendMemory *memory, GError **error)
{
  const UpiBackend *backend = upi_backend_cuda (device, error);
  g_autoptr (UpiPlan) plan = backend ? upi_plan_new (backend, backend_program (), 1, error) : NULL;
  g_autoptr (UpiContext) context = plan ? upi_context_new (plan, error) : NULL;

  if (!context)
    return FALSE;
  backend_bind (context, memory);
  for (guint i = 0; i < runs; i++) {
    backend_memory_init (memory, 0);
    if (!upi_context_run (context, error))
      return FALSE;
  }
  return TRUE;
}

/* The same for what stays on the device: frames of a batch in, kept outputs, a copy, back to the host. */
gboolean
backend_resident_path (const gchar *device, gfloat *result, GError **error)
{
  static const gfloat mean[3] = { 0 }, std[3] = { 1, 1, 1 };
  static guint8 pixels[2][40 * 20 * 3];
  const UpiBackend *backend = upi_backend_cuda (device, error);
  UpiImage image = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_RGB, .width = 40, .height = 20, .strides = { 120 }
  };
  g_autoptr (UpiFrameReader) reader = upi_frame_reader_new ();
  UpiProgram *p = upi_program_new ("kept");
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  guint8 *memory[2] = { NULL };
  const gsize bytes = 32 * 32 * 3 * sizeof (gfloat);
  gboolean ok = TRUE;

  upi_program_output (
      p, "out", upi_activation (p, upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 (2, 32, 32, 3)), UPI_ACT_RELU));
  upi_program_make_resident (p, "image");
  upi_program_make_resident (p, "out");
  if (backend)
    plan = upi_plan_new (backend, p, 1, error);
  else
    upi_program_free (p);
  context = plan ? upi_context_new (plan, error) : NULL;
  if (!context)
    return FALSE;
  for (guint i = 0; i < 2 && ok; i++) {
    UpiFrame frame;

    memset (pixels[i], 255 - 100 * (gint) i, sizeof pixels[i]);
    image.planes[0] = pixels[i];
    upi_frame_reader_describe (reader, &image, 32, 32, mean, std, &frame, NULL);
    memory[i] = backend->memory->memory_new (backend, bytes, "a test", error);
    ok = memory[i] && upi_context_put_frame (context, upi_plan_find (plan, "image"), i, &frame, error);
    upi_context_bind_item (context, upi_plan_find (plan, "out"), i, memory[i]);
  }
  for (guint i = 0; i < 2 && ok; i++)
    ok = upi_context_run (context, error);
  ok = ok && backend->memory->copy (context, memory[0], memory[1], bytes, error) && upi_context_run (context, error)
      && backend->memory->read (backend, memory[1], result, bytes, error);
  for (guint i = 0; i < 2; i++)
    if (memory[i])
      backend->memory->memory_free (backend, memory[i]);
  return ok;
}
