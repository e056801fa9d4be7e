/* Engines on the device without a GPU: what crosses the bus for a frame and for a caption's step, a batch of which one frame cannot be read,
 * what device=auto takes, and what becomes of engines whose device is lost. */
#include "core/engine/engine-private.h"
#include "tests/core/engine-fixture.h"
#include "tests/cuda/device/device-testing.h"

#include <gmodule.h>
#include <math.h>
#include <string.h>

/* The test device is in the module that the engine loads. */
static struct {
  void (*reset) (int devices);
  void (*fail) (uint64_t nth, UpiDeviceFault fault);
  void (*driver) (int version);
  UpiDeviceCounts (*counts) (void);
  void (*reset_counts) (void);
  void *(*context) (int device, unsigned n);
  void *(*get_current) (void);
  void (*set_current) (void *context);
} device;

static void
find_device (void)
{
  g_autofree gchar *path = g_build_filename (g_getenv ("UPI_BACKEND_PATH"), "libupi-cuda.so", NULL);
  GModule *module = g_module_open (path, G_MODULE_BIND_LOCAL);

  g_assert_nonnull (module);
  g_module_make_resident (module);
  g_assert_true (g_module_symbol (module, "upi_test_device_reset", (gpointer *) &device.reset));
  g_assert_true (g_module_symbol (module, "upi_test_device_fail", (gpointer *) &device.fail));
  g_assert_true (g_module_symbol (module, "upi_test_device_driver", (gpointer *) &device.driver));
  g_assert_true (g_module_symbol (module, "upi_test_device_counts", (gpointer *) &device.counts));
  g_assert_true (g_module_symbol (module, "upi_test_device_context", (gpointer *) &device.context));
  g_assert_true (g_module_symbol (module, "upi_test_device_get_current", (gpointer *) &device.get_current));
  g_assert_true (g_module_symbol (module, "upi_test_device_set_current", (gpointer *) &device.set_current));
  g_assert_true (g_module_symbol (module, "upi_test_device_reset_counts", (gpointer *) &device.reset_counts));
}

static void
assert_close (const gfloat *a, const gfloat *b, gsize n, gdouble tolerance)
{
  for (gsize i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (a[i], b[i], tolerance);
}

static void
count_text (const gchar *text, gpointer n)
{
  (*(guint *) n)++;
}

/* A frame: its pixels up, what scores and boxes are made of down, keys, values and mask features nowhere but on the device. A step of a caption:
 * three numbers up, the scores down. */
static void
test_what_is_copied (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) first = fixture_encoding (engine, 3);
  g_autoptr (UpiEncoding) encoding = NULL;
  const UpiLayout *layout = first->layout;
  UpiDeviceCounts counts = { 0 };
  guint steps = 0;

  g_assert_cmpuint (layout->kept_bytes, >=, layout->bytes[UPI_PART_MASK_FEATURES] + 4 * layout->bytes[UPI_PART_KEYS]);
  for (guint seed = 3; steps < 4; seed++) { /* a picture whose caption is long enough; plans and contexts are made meanwhile */
    g_autoptr (UpiTicket) ticket = NULL;

    g_clear_pointer (&encoding, upi_encoding_unref);
    device.reset_counts ();
    encoding = fixture_encoding (engine, seed);
    counts = device.counts ();
    steps = 0;
    ticket = upi_engine_caption (engine, encoding, NULL, count_text, NULL, &steps, NULL);
    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_assert_cmpuint (seed, <, 40);
  }
  g_test_message (
      "a frame: %u bytes up, %u down, %u on the device", (guint) counts.to_device, (guint) counts.to_host, (guint) counts.on_device);
  g_assert_cmpuint (counts.to_device, >, 48 * 32 * 3);
  g_assert_cmpuint (counts.to_device, <, 64 * 64 * 3 * 4); /* the input as float32 */
  g_assert_cmpuint (counts.to_host, >=, layout->block_bytes - 64 * layout->n_parts);
  g_assert_cmpuint (counts.to_host, <, layout->block_bytes + 256 * layout->n_parts);
  g_assert_cmpuint (counts.on_device, >=, layout->kept_bytes - 64 * layout->n_parts);
  g_assert_cmpuint (counts.on_device, <=, layout->kept_bytes);
  g_assert_cmpuint (counts.graph_launches, ==, 1);
  g_assert_cmpuint (counts.allocations, <=, 2); /* the first of these frames has pixels of a new size, and an encoding of its own */
  {
    g_autoptr (UpiTicket) again = NULL;
    guint n = 0;

    device.reset_counts ();
    again = upi_engine_caption (engine, encoding, NULL, count_text, NULL, &n, NULL);
    g_assert_true (upi_ticket_wait (again, NULL));
    counts = device.counts ();
    g_test_message ("a caption of %u tokens: %u runs, %u bytes up, %u down, %u on the device", n, (guint) counts.graph_launches,
        (guint) counts.to_device, (guint) counts.to_host, (guint) counts.on_device);
    g_assert_cmpuint (n, ==, steps);
    g_assert_cmpuint (counts.graph_launches, >=, n);
    g_assert_cmpuint (counts.to_device, ==, counts.graph_launches * 3 * 256); /* id, position, length */
    g_assert_cmpuint (counts.to_host, <, counts.graph_launches * (150 * sizeof (gfloat) + 256));
    g_assert_cmpuint (counts.allocations, ==, 0);
    g_assert_cmpuint (counts.device_syncs, ==, 0);
  }
}

/* Mask features come to the host once, and only where masks are asked for. */
static void
test_masks_on_demand (void)
{
  UpiDetectOptions options = { .threshold = 0, .iou_threshold = 1, .max_objects = 5 };
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 1, 0, NULL);
  g_autoptr (UpiEngine) cpu = fixture_engine ("ref", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog");
  g_autoptr (UpiEncoding) same = fixture_encoding (cpu, 3);

  for (guint round = 0; round < 2; round++) { /* the second in memory that the first gave back */
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
    g_autoptr (UpiDetections) boxes = NULL;
    gsize bytes = encoding->layout->bytes[UPI_PART_MASK_FEATURES];

    device.reset_counts ();
    options.masks = FALSE;
    boxes = upi_engine_detect (engine, encoding, labels, &options, NULL);
    g_assert_cmpuint (boxes->n_objects, ==, 5);
    g_assert_cmpuint (device.counts ().calls, ==, 0);
    options.masks = TRUE;
    for (guint i = 0; i < 2; i++) {
      g_autoptr (UpiDetections) masks = upi_engine_detect (engine, encoding, labels, &options, NULL);

      g_assert_nonnull (masks->objects[4].mask);
      g_assert_cmpuint (device.counts ().to_host, ==, bytes);
    }
    assert_close (upi_encoding_mask_features (encoding, NULL), upi_encoding_mask_features (same, NULL), bytes / sizeof (gfloat), 1e-3);
    device.fail (1, UPI_FAULT_CALL); /* what is there needs no device */
    g_assert_nonnull (upi_encoding_mask_features (encoding, NULL));
    device.fail (0, UPI_FAULT_CALL);
  }
}

static void
test_masks_fail (void)
{
  const UpiDetectOptions options = { .threshold = 0, .iou_threshold = 1, .max_objects = 5, .masks = TRUE };
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) labels = fixture_labels (engine, "cat,dog");
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 3);
  g_autoptr (UpiDetections) detections = NULL;
  g_autoptr (GError) error = NULL;

  device.fail (2, UPI_FAULT_CALL);
  g_assert_null (upi_engine_detect (engine, encoding, labels, &options, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "cuda:0"));
  detections = upi_engine_detect (engine, encoding, labels, &options, NULL); /* once */
  g_assert_nonnull (detections);
}

static gboolean
read_fails (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  g_set_error_literal (error, UPI_ERROR, UPI_ERROR_INPUT, "the camera is gone");
  return FALSE;
}

/* The other frames of a batch are what they are alone, and the same on ref. */
static void
test_batch_with_a_bad_frame (void)
{
  const UpiImage bad = { .format = UPI_PIXELS_READ, .width = 48, .height = 32, .read = read_fails };
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 3, 0, NULL);
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);
  UpiTicket *tickets[3];
  UpiEngineStats stats;

  upi_engine_hold (engine);
  tickets[0] = fixture_encode (engine, 1, 64, 64, NULL);
  tickets[1] = upi_engine_encode (engine, &bad, 64, 64, 0, NULL, NULL, NULL);
  tickets[2] = fixture_encode (engine, 2, 64, 64, NULL);
  upi_engine_release (engine);
  fixture_expect (tickets[1], UPI_ERROR_INPUT);
  upi_ticket_unref (tickets[1]);
  for (guint i = 0; i < 3; i += 2) {
    g_autoptr (UpiEncoding) encoding = fixture_take_encoding (tickets[i]);
    g_autoptr (UpiEncoding) same = fixture_encoding (ref, 1 + i / 2);
    const gfloat *features = upi_encoding_mask_features (encoding, NULL);
    guint parts[] = { UPI_PART_BOXES, UPI_PART_REGIONS, UPI_PART_SPE };

    for (guint p = 0; p < G_N_ELEMENTS (parts); p++)
      assert_close (upi_encoding_part (encoding, parts[p]), upi_encoding_part (same, parts[p]),
          same->layout->bytes[parts[p]] / sizeof (gfloat), 1e-3);
    assert_close (
        features, upi_encoding_part (same, UPI_PART_MASK_FEATURES), same->layout->bytes[UPI_PART_MASK_FEATURES] / sizeof (gfloat), 2e-3);
  }
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.image_runs, ==, 1);
  g_assert_cmpuint (stats.failed, ==, 1);
  g_assert_cmpuint (stats.encoded, ==, 2);
}

/* Beams on the device say what they say on the processor. */
static void
test_beam (void)
{
  const UpiCaptionOptions options = { .beam_size = 3, .length_penalty = 0.6f };
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 1, 0, NULL);
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);

  for (guint seed = 0; seed < 2; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (UpiEncoding) same = fixture_encoding (ref, seed);
    g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, NULL);
    g_autoptr (UpiTicket) expected = upi_engine_caption (ref, same, &options, NULL, NULL, NULL, NULL);
    g_autofree gchar *text = NULL, *by_ref = NULL;

    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_assert_true (upi_ticket_wait (expected, NULL));
    text = upi_ticket_get_text (ticket);
    by_ref = upi_ticket_get_text (expected);
    g_assert_cmpstr (text, ==, by_ref);
  }
}

static void
count_free (gpointer n)
{
  g_atomic_int_inc ((gint *) n);
}

static UpiEngine *
open_in (gpointer context, const gchar *device_name, gint *freed)
{
  UpiEngineOptions options = { .model = fixture_model (),
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

/* An engine in a context that somebody else made: the test device ends the test if anything of it is used in another one. */
static void
test_foreign_context (void)
{
  gint freed[4] = { 0 };
  UpiEngine *engine = open_in (device.context (0, 0), "cuda", &freed[0]);
  UpiEngine *same = open_in (device.context (0, 0), "cuda", &freed[1]), *another = open_in (device.context (0, 1), "cuda", &freed[2]);
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
    const UpiEngineOptions wrong = { .model = "/nonexistent", .cuda_context_free = count_free, .cuda_context_data = &freed[0] };

    g_assert_null (upi_engine_open (&wrong, NULL, NULL));
    g_assert_cmpint (freed[0], ==, 2);
  }
}

/* Whatever context is current on a caller's thread, what that thread does to an engine is done in the engine's, and the thread keeps its own: the
 * test device ends the test if memory or a stream is touched, or freed, while another one is current. */
static void
test_callers_thread (void)
{
  const UpiDetectOptions options = { .threshold = 0, .iou_threshold = 1, .max_objects = 5, .masks = TRUE };
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

/* Pixels in the device's memory, in the engine's context: nothing but the tables of the filters goes up, and the buffer is let go of when the run
 * that reads it has ended. */
static void
test_frame_on_device (void)
{
  gint freed = 0;
  g_autoptr (UpiEngine) engine = open_in (device.context (0, 0), "cuda", &freed);
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);
  const UpiBackend *backend = engine->backend;
  guint8 pixels[48 * 32 * 4];
  UpiImage image = { .format = UPI_PIXELS_BGRX, .width = 48, .height = 32, .planes = { pixels }, .strides = { 48 * 4 } };
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
  upi_program_keep (p, "out");
  plan = upi_plan_new (backend, p, 1, &error);
  context = upi_context_new (plan, &error);
  memory = backend->memory->memory_new (backend, sizeof pixels, &error);
  g_assert_no_error (error);
  upi_context_bind (context, upi_plan_find (plan, "in"), pixels);
  backend->memory->bind_item (context, upi_plan_find (plan, "out"), 0, memory);
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

static void
expect_auto (const gchar *device_name)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("auto", 1, 1, 0, NULL);

  g_assert_cmpstr (upi_engine_info (engine)->device, ==, device_name);
}

static void
expect_missing (const gchar *text)
{
  const UpiEngineOptions options = { .model = fixture_model (), .device = "cuda:3" };
  g_autoptr (GError) error = NULL;

  g_assert_null (upi_engine_open (&options, NULL, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_assert_nonnull (strstr (error->message, text));
  g_assert_nonnull (strstr (error->message, "use device=cpu"));
}

/* First: a device that was opened once stays open. */
static void
test_auto (void)
{
  device.reset (0);
  expect_auto ("cpu");
  expect_missing ("this machine has no NVIDIA GPU");
  device.driver (0);
  expect_auto ("cpu");
  expect_missing ("no NVIDIA driver");
  device.driver (12040);
  expect_auto ("cpu");
  expect_missing ("the NVIDIA driver is for CUDA 12.4");
  device.reset (2);
  expect_auto ("cuda:0");
}

/* Last: the device stays lost. Two engines share it; requests of both that wait end with the error, as does whatever comes later; engines on
 * another device and on the processor go on. */
static void
test_lost_device (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda:0", 1, 1, 0, NULL);
  g_autoptr (UpiEngine) half = fixture_engine ("cuda:0:f16", 2, 1, 0, NULL);
  g_autoptr (UpiEngine) other = fixture_engine ("cuda:1", 1, 1, 0, NULL);
  g_autoptr (UpiEngine) cpu = fixture_engine ("ref", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) before = fixture_encoding (engine, 1);
  g_autoptr (UpiEncoding) of_other = fixture_encoding (other, 1);
  UpiTicket *waiting[4];
  g_autoptr (UpiTicket) failing = NULL;
  g_autoptr (GError) error = NULL;
  FixtureCalls calls = { 0 };
  gfloat spe[48];

  upi_engine_hold (engine);
  upi_engine_hold (half);
  failing = fixture_encode (engine, 2, 64, 64, &calls);
  waiting[0] = fixture_encode (engine, 3, 64, 64, &calls);
  waiting[1] = upi_engine_caption (engine, before, NULL, NULL, fixture_done, &calls, NULL);
  waiting[2] = fixture_encode (half, 3, 64, 64, &calls);
  waiting[3] = upi_engine_encode_labels (half, (const gchar *const[]){ "cat", NULL }, NULL, fixture_done, &calls, NULL);
  device.fail (3, UPI_FAULT_STICKY);
  upi_engine_release (engine); /* and nobody lets the other one's workers go */
  fixture_expect (failing, UPI_ERROR_DEVICE);
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++) {
    g_autoptr (GError) reason = NULL;

    g_assert_false (upi_ticket_wait (waiting[i], &reason));
    g_assert_error (reason, UPI_ERROR, UPI_ERROR_DEVICE);
    g_assert_nonnull (strstr (reason->message, "was lost"));
    upi_ticket_unref (waiting[i]);
  }
  g_assert_cmpint (g_atomic_int_get (&calls.done), ==, 5);
  g_assert_cmpint (g_atomic_int_get (&calls.released), ==, 3);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (UpiTicket) later = fixture_encode (i ? half : engine, 4, 64, 64, NULL);

    g_assert_true (upi_ticket_is_done (later));
    fixture_expect (later, UPI_ERROR_DEVICE);
  }
  g_assert_true (upi_engine_embed (engine, before, spe, NULL)); /* what the host has, it has */
  g_assert_null (upi_encoding_mask_features (before, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  g_clear_error (&error);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (UpiEncoding) still = fixture_encoding (i ? cpu : other, 1);

    assert_close (upi_encoding_part (still, UPI_PART_SPE), upi_encoding_part (of_other, UPI_PART_SPE), 48, 1e-4);
  }
  {
    const UpiEngineOptions options = { .model = fixture_model (), .device = "cuda:0" };

    g_assert_null (upi_engine_open (&options, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_DEVICE);
  }
  expect_auto ("cpu");
  upi_engine_release (half);
}

int
main (int argc, char **argv)
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  find_device ();
  g_test_add_func ("/cuda-engine/auto", test_auto);
  g_test_add_func ("/cuda-engine/what-is-copied", test_what_is_copied);
  g_test_add_func ("/cuda-engine/masks-on-demand", test_masks_on_demand);
  g_test_add_func ("/cuda-engine/masks-fail", test_masks_fail);
  g_test_add_func ("/cuda-engine/batch-with-a-bad-frame", test_batch_with_a_bad_frame);
  g_test_add_func ("/cuda-engine/beam", test_beam);
  g_test_add_func ("/cuda-engine/foreign-context", test_foreign_context);
  g_test_add_func ("/cuda-engine/callers-thread", test_callers_thread);
  g_test_add_func ("/cuda-engine/frame-on-device", test_frame_on_device);
  g_test_add_func ("/cuda-engine/lost-device", test_lost_device);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
