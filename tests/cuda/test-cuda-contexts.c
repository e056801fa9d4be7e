/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Engines in CUDA contexts that somebody else made, callers that have contexts of their own, frames that are in the
 * engine's: the device without a GPU ends the test where anything is used in another context than its own. */
#include "core/engine/engine-private.h"
#include "tests/core/engine-fixture.h"
#include "tests/cuda/module-device.h"

static void
assert_close (const gfloat *a, const gfloat *b, gsize n, gdouble tolerance)
{
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (a[i], b[i], tolerance);
}

static void
count_free (gpointer n)
{
  g_atomic_int_inc ((gint *) n);
}

static UpiEngine *
open_in (gpointer context, const gchar *device_name, gint *freed)
{
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = fixture_model (),
    .device = device_name,
    .threads = 1,
    .cuda_context = context,
    .cuda_context_free = count_free,
    .cuda_context_data = freed };
  g_autoptr (GError) error = NULL;
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);

  g_assert_no_error (error);
  return engine;
}

/* An engine in a context that somebody else made: the test device ends the test if anything of it is used in another
 * one. */
static void
test_foreign_context (void)
{
  gint freed[4] = { 0 };
  UpiEngine *engine = open_in (device.context (0, 0), "cuda", &freed[0]);
  UpiEngine *same = open_in (device.context (0, 0), "cuda", &freed[1]),
            *another = open_in (device.context (0, 1), "cuda", &freed[2]);
  UpiEngine *own = fixture_engine ("cuda", 1, 1, 0, NULL), *cpu = open_in (device.context (0, 0), "ref", &freed[3]);
  UpiEngine *engines[] = { engine, another, own };
  g_autoptr (UpiEncoding) expected = fixture_encoding (cpu, 3);
  UpiEncoding *encoding;

  g_assert_true (engine == same && engine != another && engine != own && another != own);
  g_assert_cmpint (freed[1], ==, 1); /* it joined: the first one's reference holds the context */
  g_assert_cmpint (freed[3], ==, 1); /* and this one has no use for it */
  upi_engine_unref (same);
  for (guint i = 0; i < G_N_ELEMENTS (engines); i++) {
    g_autoptr (UpiTicket) ticket = NULL;

    encoding = fixture_encoding (engines[i], 3);
    assert_close (upi_encoding_part (encoding, UPI_PART_SPE), upi_encoding_part (expected, UPI_PART_SPE), 48, 1e-4);
    g_assert_nonnull (upi_encoding_mask_features (encoding, NULL));
    ticket = upi_engine_caption (engines[i], encoding, NULL, NULL, NULL, NULL, NULL);
    g_assert_true (upi_ticket_wait (ticket, NULL));
    upi_encoding_unref (encoding);
  }
  encoding = fixture_encoding (engine, 3);
  upi_engine_unref (engine);
  g_assert_cmpint (freed[0], ==, 0); /* the encoding is in it */
  upi_encoding_unref (encoding);
  g_assert_cmpint (freed[0], ==, 1);
  upi_engine_unref (another);
  g_assert_cmpint (freed[2], ==, 1);
  upi_engine_unref (own);
  upi_engine_unref (cpu);
  {
    const UpiEngineOptions wrong = { .size = sizeof (UpiEngineOptions),
      .model = "/nonexistent",
      .cuda_context_free = count_free,
      .cuda_context_data = &freed[0] };

    g_assert_null (upi_engine_open (&wrong, NULL, NULL));
    g_assert_cmpint (freed[0], ==, 2);
  }
}

/* Whatever context is current on a caller's thread, what that thread does to an engine is done in the engine's, and the
 * thread keeps its own: the test device ends the test if memory or a stream is touched, or freed, while another one is
 * current. */
static void
test_callers_thread (void)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 5, .masks = TRUE
  };
  gpointer callers[] = { NULL, device.context (0, 3), device.context (1, 0), device.context (0, 2) };
  gpointer engines[] = { NULL, device.context (0, 2) };

  for (guint e = 0; e < G_N_ELEMENTS (engines); e++) {
    for (guint c = 0; c < G_N_ELEMENTS (callers); c++) {
      gint freed = 0;
      UpiEngine *engine;
      UpiEncoding *encoding;
      UpiLabels *labels;
      UpiDetections *detections;

      device.set_current (callers[c]);
      engine = open_in (engines[e], "cuda", &freed);
      g_assert_true (device.get_current () == callers[c]);
      encoding = fixture_encoding (engine, 3);
      g_assert_nonnull (upi_encoding_mask_features (encoding, NULL));
      g_assert_true (device.get_current () == callers[c]);
      labels = fixture_labels (engine, "cat,dog");
      detections = upi_engine_detect (engine, encoding, labels, &options, NULL);
      g_assert_cmpuint (detections->n_objects, ==, 5);
      g_assert_true (device.get_current () == callers[c]);
      upi_detections_unref (detections);
      upi_labels_unref (labels);
      if (c % 2) { /* the engine goes with its last encoding, or before */
        upi_encoding_unref (encoding);
        g_assert_true (device.get_current () == callers[c]);
        upi_engine_unref (engine);
      } else {
        upi_engine_unref (engine);
        g_assert_true (device.get_current () == callers[c]);
        upi_encoding_unref (encoding);
      }
      g_assert_true (device.get_current () == callers[c]);
      g_assert_cmpint (freed, ==, 1);
    }
  }
  device.set_current (NULL);
}

/* Pixels in the device's memory, in the engine's context: nothing but the tables of the filters goes up, and the buffer
 * is let go of when the run that reads it has ended. */
static void
test_frame_on_device (void)
{
  gint freed = 0;
  g_autoptr (UpiEngine) engine = open_in (device.context (0, 0), "cuda", &freed);
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);
  const UpiBackend *backend = engine->backend;
  guint8 pixels[96 * 64 * 4]; /* more than the tables of the three components' filters */
  UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_BGRX,
    .width = 96,
    .height = 64,
    .planes = { pixels },
    .strides = { 96 * 4 } };
  UpiProgram *p = upi_program_new ("upload");
  g_autoptr (UpiEncoding) expected = NULL;
  g_autoptr (GError) error = NULL;
  UpiPlan *plan;
  UpiContext *context;
  UpiDeviceCounts counts;
  void *memory;

  for (guint i = 0; i < sizeof pixels; i++)
    pixels[i] = i * 7 % 251;
  {
    g_autoptr (UpiTicket) ticket = upi_engine_encode (ref, &image, 64, 64, 0, NULL, NULL, NULL);
    upi_ticket_wait (ticket, NULL);
    expected = upi_ticket_get_encoding (ticket);
  }
  upi_program_output (p, "out", upi_program_input (p, "in", UPI_F32, UPI_SHAPE2 (1, sizeof pixels / 4)));
  upi_program_make_resident (p, "out");
  plan = upi_plan_new (backend, p, 1, &error);
  context = upi_context_new (plan, &error);
  memory = backend->memory->memory_new (backend, sizeof pixels, "a test", &error);
  g_assert_no_error (error);
  upi_context_bind (context, upi_plan_find (plan, "in"), pixels);
  upi_context_bind_item (context, upi_plan_find (plan, "out"), 0, memory);
  g_assert_true (upi_context_run (context, NULL));
  upi_context_free (context);
  upi_plan_free (plan);

  image.planes[0] = memory;
  image.on_device = TRUE;
  for (guint i = 0; i < 2; i++) {
    FixtureCalls calls = { 0 };
    g_autoptr (UpiTicket) ticket = NULL;
    g_autoptr (UpiEncoding) encoding = NULL;

    image.release = count_free;
    image.user_data = &calls.released;
    device.reset_counts ();
    ticket = upi_engine_encode (engine, &image, 64, 64, 0, NULL, NULL, &error);
    upi_ticket_wait (ticket, &error);
    g_assert_no_error (error);
    counts = device.counts ();
    encoding = upi_ticket_get_encoding (ticket);
    g_assert_cmpint (calls.released, ==, 1);
    assert_close (upi_encoding_part (encoding, UPI_PART_REGIONS), upi_encoding_part (expected, UPI_PART_REGIONS),
        expected->layout->bytes[UPI_PART_REGIONS] / sizeof (gfloat), 1e-3);
  }
  g_assert_cmpuint (counts.to_device, <, sizeof pixels);
  g_assert_cmpuint (counts.allocations, ==, 0);
  backend->memory->memory_free (backend, memory);
  {
    gint released = 0;

    image.user_data = &released;
    g_assert_null (upi_engine_encode (ref, &image, 64, 64, 0, NULL, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_assert_cmpint (released, ==, 1);
  }
}

int
main (int argc, char **argv)
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  module_device_find ();
  device.reset (2);
  g_test_add_func ("/cuda-contexts/foreign", test_foreign_context);
  g_test_add_func ("/cuda-contexts/callers-thread", test_callers_thread);
  g_test_add_func ("/cuda-contexts/frame-on-device", test_frame_on_device);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
