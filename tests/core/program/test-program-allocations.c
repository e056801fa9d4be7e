/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run() allocates nothing of ours: malloc and its kin are counted during a run of a program with every operation, by
 * the library that called them. What oneDNN and the C++ library do inside an execute is counted apart and bounded. */

#define _GNU_SOURCE
#include "core/backends/backend.h"
#include "core/program/passes.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define SANITIZED 1 /* they bring a malloc of their own */
#endif

static gboolean counting;
static guint ours, libraries;

#ifndef SANITIZED
extern void *__libc_malloc (size_t size);
extern void *__libc_calloc (size_t count, size_t size);
extern void *__libc_realloc (void *memory, size_t size);
extern void *__libc_memalign (size_t alignment, size_t size);

__attribute__ ((visibility ("default"))) void *malloc (size_t size);
__attribute__ ((visibility ("default"))) void *calloc (size_t count, size_t size);
__attribute__ ((visibility ("default"))) void *realloc (void *memory, size_t size);
__attribute__ ((visibility ("default"))) void *aligned_alloc (size_t alignment, size_t size);
__attribute__ ((visibility ("default"))) int posix_memalign (void **memory, size_t alignment, size_t size);

static void
count (const void *caller)
{
  Dl_info info;

  if (!counting)
    return;
  if (dladdr (caller, &info) != 0 && info.dli_fname != NULL
      && (strstr (info.dli_fname, "dnnl") != NULL || strstr (info.dli_fname, "libstdc++") != NULL
          || strstr (info.dli_fname, "libc++") != NULL || strstr (info.dli_fname, "gomp") != NULL
          || strstr (info.dli_fname, "tbb") != NULL || strstr (info.dli_fname, "omp") != NULL))
    libraries++;
  else
    ours++;
}

void *
malloc (size_t size)
{
  count (__builtin_return_address (0));
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  count (__builtin_return_address (0));
  return __libc_calloc (n, size);
}

void *
realloc (void *memory, size_t size)
{
  count (__builtin_return_address (0));
  return __libc_realloc (memory, size);
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  count (__builtin_return_address (0));
  return __libc_memalign (alignment, size);
}

int
posix_memalign (void **memory, size_t alignment, size_t size)
{
  count (__builtin_return_address (0));
  *memory = __libc_memalign (alignment, size);
  return *memory != NULL ? 0 : ENOMEM;
}
#endif

static UpiValue
weight (UpiProgram *p, UpiShape shape)
{
  gsize n = upi_shape_count (&shape);
  gfloat *data = g_new (gfloat, n);

  for (gsize i = 0; i < n; i++)
    data[i] = sinf ((gfloat) (i * 37 % 101)) * 0.2f;
  return upi_program_constant (p, data, shape);
}

/* Every operation at least once; inputs image [1,32,32,3], ids [1,4], start [1], cache [1,8,16]. */
static UpiProgram *
every_operation (void)
{
  UpiProgram *p = upi_program_new ("every operation");
  UpiValue x = upi_program_input (p, "image", UPI_F32, UPI_SHAPE4 (1, 32, 32, 3)), y, t, boxes, best, text, start,
           cache;
  UpiDeformable d = { .heads = 2, .points = 2, .levels = 1, .level = { { 8, 8, 0 } } };
  UpiConv depthwise = {
    .groups = 16, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .act = UPI_ACT_RELU6
  };

  x = upi_conv2d (p, x, weight (p, UPI_SHAPE4 (16, 3, 3, 3)), weight (p, UPI_SHAPE1 (16)),
      &(UpiConv){ .stride = 2, .pad_bottom = 1, .pad_right = 1 });
  y = upi_conv2d (p, x, weight (p, UPI_SHAPE4 (16, 1, 3, 3)), weight (p, UPI_SHAPE1 (16)), &depthwise);
  x = upi_add (p, x, upi_conv2d (p, y, weight (p, UPI_SHAPE4 (16, 16, 1, 1)), UPI_NO_VALUE, &(UpiConv){ 0 }));
  x = upi_group_norm (p, x, weight (p, UPI_SHAPE1 (16)), weight (p, UPI_SHAPE1 (16)), 4, 1e-5f);
  x = upi_max_pool (p, x, &(UpiPool){ 3, 2, 1 }); /* [1,8,8,16] */
  x = upi_adaptive_avg_pool (p, upi_resize (p, upi_resize_nearest (p, x, 12, 12), 16, 16), 8, 8);
  y = upi_linear (p, x, weight (p, UPI_SHAPE2 (48, 16)), weight (p, UPI_SHAPE1 (48)), UPI_ACT_NONE);
  x = upi_add (p, x,
      upi_window_attention (
          p, y, weight (p, UPI_SHAPE1 (48)), weight (p, UPI_SHAPE2 (25, 2)), &(UpiWindow){ 2, 3, 1 }));
  t = upi_reshape (p, x, UPI_SHAPE3 (1, 64, 16));
  y = upi_linear (p, t, weight (p, UPI_SHAPE2 (12, 16)), weight (p, UPI_SHAPE1 (12)), UPI_ACT_NONE);
  boxes = upi_activation (p, upi_slice (p, y, 2, 8, 4), UPI_ACT_SIGMOID); /* [1,64,4] */
  t = upi_deformable_attention (p, t, upi_slice (p, y, 2, 0, 8), upi_slice (p, y, 2, 0, 4), boxes, &d);
  t = upi_layer_norm (p, upi_add (p, t, upi_reshape (p, x, UPI_SHAPE3 (1, 64, 16))), weight (p, UPI_SHAPE1 (16)),
      weight (p, UPI_SHAPE1 (16)), 1e-5f);
  best = upi_top_k (p, upi_slice (p, y, 2, 0, 1), 20);
  best = upi_distinct (p, upi_gather (p, boxes, best), best, 10, 0.5f);
  t = upi_add (p, t, upi_anchor_max (p, boxes, t, boxes, 0.7f, 0));
  t = upi_joint_logit (p, t, upi_row_max (p, t));
  t = upi_gather (p, t, best);
  boxes = upi_gather (p, upi_box_refine (p, upi_slice (p, y, 2, 4, 4), boxes), best);
  t = upi_concat (
      p, (UpiValue[]){ upi_mean_tokens (p, t), upi_mul (p, t, upi_sine_position (p, boxes, 4)) }, 2, 1); /* [1,11,16] */
  text = upi_embed (p, weight (p, UPI_SHAPE2 (20, 16)), upi_program_input (p, "ids", UPI_I32, UPI_SHAPE2 (1, 4)));
  start = upi_program_input (p, "start", UPI_I32, UPI_SHAPE1 (1));
  cache = upi_store_rows (p, upi_program_input (p, "cache", UPI_F32, UPI_SHAPE3 (1, 8, 16)), text, start);
  text =
      upi_attention2 (p, text, t, t, UPI_NO_VALUE, cache, cache, start, &(UpiAttention){ .heads = 4, .causal = TRUE });
  text = upi_attention (p, text, t, t, UPI_NO_VALUE, &(UpiAttention){ .heads = 2 });
  upi_program_output (
      p, "scores", upi_softmax (p, upi_matmul (p, upi_l2_norm (p, text), t, &(UpiMatmul){ .transpose_b = TRUE })));
  upi_program_output (p, "boxes", boxes);
  return p;
}

static void
test_allocations (gconstpointer data)
{
  GError *error = NULL;
  const UpiBackend *backend = upi_backend_find (data, &error);
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  gfloat image[32 * 32 * 3], cache[8 * 16] = { 0 }, scores[4 * 11], boxes[10 * 4];
  gint32 ids[4] = { 3, 1, 19, 0 }, start = 2;
  gboolean seen[UPI_OP_COUNT] = { FALSE };

#ifdef SANITIZED
  g_test_skip ("a sanitizer has a malloc of its own");
  g_clear_error (&error);
  (void) backend;
  (void) libraries;
  (void) ours;
  (void) counting;
  return;
#endif
  if (backend == NULL) {
    g_test_skip (error->message);
    g_error_free (error);
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS (image); i++)
    image[i] = sinf ((gfloat) i);
  plan = upi_plan_new (backend, every_operation (), 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < plan->program->ops->len; i++)
    seen[upi_program_op (plan->program, i)->kind] = TRUE;
  for (guint kind = 0; kind < UPI_OP_COUNT; kind++) {
    /* Fused and in-place ones apart, nothing may be missing from what is counted. */
    if (kind != UPI_OP_COPY && kind != UPI_OP_ADD && !seen[kind])
      g_error ("%s is not in the program", upi_op_name (kind));
  }
  context = upi_context_new (plan, &error);
  g_assert_no_error (error);
  upi_context_bind (context, upi_plan_find (plan, "image"), image);
  upi_context_bind (context, upi_plan_find (plan, "ids"), ids);
  upi_context_bind (context, upi_plan_find (plan, "start"), &start);
  upi_context_bind (context, upi_plan_find (plan, "cache"), cache);
  upi_context_bind (context, upi_plan_find (plan, "scores"), scores);
  upi_context_bind (context, upi_plan_find (plan, "boxes"), boxes);
  g_assert_true (upi_context_run (context, &error)); /* libraries may set themselves up in the first */
  ours = libraries = 0;
  counting = TRUE;
  g_assert_true (upi_context_run (context, &error));
  counting = FALSE;
  g_test_message ("%s: %u allocations of ours, %u of libraries in %u operations", backend->name, ours, libraries,
      plan->program->ops->len);
  g_assert_cmpuint (ours, ==, 0);
  g_assert_cmpuint (libraries, <=, 4 * plan->program->ops->len);
  g_assert_true (isfinite (scores[0]) && isfinite (boxes[0]));
}

/* The counter counts: a test that could not fail would prove nothing. */
static void
test_counter (void)
{
  void *volatile memory;

#ifdef SANITIZED
  g_test_skip ("a sanitizer has a malloc of its own");
  return;
#endif
  ours = 0;
  counting = TRUE;
  memory = g_malloc (10);
  counting = FALSE;
  g_free (memory);
  g_assert_cmpuint (ours, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/allocations/counter", test_counter);
  g_test_add_data_func ("/program/allocations/ref", "ref", test_allocations);
  g_test_add_data_func ("/program/allocations/cpu", "cpu", test_allocations);
  return g_test_run ();
}
