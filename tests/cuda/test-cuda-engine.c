/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Engines on the device without a GPU: what crosses the bus for a frame and for a caption's step, a batch of which one
 * frame cannot be read, what device=auto takes, and what becomes of engines whose device is lost. */
#include "core/engine/engine-private.h"
#include "tests/core/engine-fixture.h"
#include "tests/cuda/module-device.h"

#include <math.h>
#include <string.h>

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

/* A frame: its pixels up, what scores and boxes are made of down, keys, values and mask features nowhere but on the
 * device. A step of a caption: three numbers up, the scores down. */
static void
test_what_is_copied (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) first = fixture_encoding (engine, 3);
  g_autoptr (UpiEncoding) encoding = NULL;
  const UpiLayout *layout = first->layout;
  UpiDeviceCounts counts = { 0 };
  guint steps = 0;

  g_assert_cmpuint (
      layout->resident_bytes, >=, layout->bytes[UPI_PART_MASK_FEATURES] + 4 * layout->bytes[UPI_PART_KEYS]);
  for (guint seed = 3; steps < 4;
       seed++) { /* a picture whose caption is long enough; plans and contexts are made meanwhile */
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
  g_test_message ("a frame: %u bytes up, %u down, %u on the device", (guint) counts.to_device, (guint) counts.to_host,
      (guint) counts.on_device);
  g_assert_cmpuint (counts.to_device, >, 48 * 32 * 3);
  g_assert_cmpuint (counts.to_device, <, 64 * 64 * 3 * 4); /* the input as float32 */
  g_assert_cmpuint (counts.to_host, >=, layout->block_bytes - 64 * layout->n_parts);
  g_assert_cmpuint (counts.to_host, <, layout->block_bytes + 256 * layout->n_parts);
  g_assert_cmpuint (counts.on_device, >=, layout->resident_bytes - 64 * layout->n_parts);
  g_assert_cmpuint (counts.on_device, <=, layout->resident_bytes);
  g_assert_cmpuint (counts.graph_launches, ==, 1);
  g_assert_cmpuint (
      counts.allocations, <=, 2); /* the first of these frames has pixels of a new size, and an encoding of its own */
  {
    g_autoptr (UpiTicket) again = NULL;
    guint n = 0;

    device.reset_counts ();
    again = upi_engine_caption (engine, encoding, NULL, count_text, NULL, &n, NULL);
    g_assert_true (upi_ticket_wait (again, NULL));
    counts = device.counts ();
    g_test_message ("a caption of %u tokens: %u runs, %u bytes up, %u down, %u on the device", n,
        (guint) counts.graph_launches, (guint) counts.to_device, (guint) counts.to_host, (guint) counts.on_device);
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
  UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 5
  };
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
    assert_close (upi_encoding_mask_features (encoding, NULL), upi_encoding_mask_features (same, NULL),
        bytes / sizeof (gfloat), 1e-3);
    device.fail (1, UPI_FAULT_CALL); /* what is there needs no device */
    g_assert_nonnull (upi_encoding_mask_features (encoding, NULL));
    device.fail (0, UPI_FAULT_CALL);
  }
}

static void
test_masks_fail (void)
{
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 5, .masks = TRUE
  };
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
  const UpiImage bad = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_READ, .width = 48, .height = 32, .read = read_fails
  };
  g_autoptr (UpiEngine) engine = fixture_engine ("cuda", 1, 3, 0, NULL);
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);
  UpiTicket *tickets[3];
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

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
    assert_close (features, upi_encoding_part (same, UPI_PART_MASK_FEATURES),
        same->layout->bytes[UPI_PART_MASK_FEATURES] / sizeof (gfloat), 2e-3);
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
  const UpiCaptionOptions options = { .size = sizeof (UpiCaptionOptions), .beam_size = 3, .length_penalty = 0.6f };
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
expect_auto (const gchar *device_name)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("auto", 1, 1, 0, NULL);

  g_assert_cmpstr (upi_engine_info (engine)->device, ==, device_name);
}

static void
expect_missing (const gchar *text)
{
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cuda:3" };
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

/* Last: the device stays lost. Two engines share it; requests of both that wait end with the error, as does whatever
 * comes later; engines on another device and on the processor go on. */
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
    const UpiEngineOptions options = {
      .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cuda:0"
    };

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
  module_device_find ();
  g_test_add_func ("/cuda-engine/auto", test_auto);
  g_test_add_func ("/cuda-engine/what-is-copied", test_what_is_copied);
  g_test_add_func ("/cuda-engine/masks-on-demand", test_masks_on_demand);
  g_test_add_func ("/cuda-engine/masks-fail", test_masks_fail);
  g_test_add_func ("/cuda-engine/batch-with-a-bad-frame", test_batch_with_a_bad_frame);
  g_test_add_func ("/cuda-engine/beam", test_beam);
  g_test_add_func ("/cuda-engine/lost-device", test_lost_device);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
