/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine on 1080p frames: conversion's share, labels, detection, captions, the time to open. */
#include "tests/bench/bench.h"

#include "core/upi.h"

#define FRAME_WIDTH 1920
#define FRAME_HEIGHT 1080

/* A frame with edges and slopes, NV12. */
static guint8 *
picture (void)
{
  guint8 *data = g_malloc (FRAME_WIDTH * FRAME_HEIGHT * 3 / 2);

  for (guint y = 0; y < FRAME_HEIGHT * 3 / 2; y++)
    for (guint x = 0; x < FRAME_WIDTH; x++)
      data[y * FRAME_WIDTH + x] = (guint8) ((x * 3 + y * 5) / 16 + ((x / 60 + y / 60) % 2) * 60);
  return data;
}

static UpiTicket *
finished (UpiTicket *ticket, GError *error)
{
  if (ticket == NULL || !upi_ticket_wait (ticket, &error))
    g_error ("%s", error->message);
  return ticket;
}

gboolean
bench_engine (Bench *bench)
{
  static const gchar *const words[] = { "person", "bicycle", "red car", "dog", "bus", "traffic light", "chair",
    "backpack", NULL };
  g_autofree guint8 *data = picture ();
  UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_NV12,
    .width = FRAME_WIDTH,
    .height = FRAME_HEIGHT,
    .kr = 0.2126f,
    .kb = 0.0722f,
    .planes = { data, data + FRAME_WIDTH * FRAME_HEIGHT },
    .strides = { FRAME_WIDTH, FRAME_WIDTH } };
  g_autoptr (GArray) convert = g_array_new (FALSE, FALSE, sizeof (gdouble)),
                     infer = g_array_new (FALSE, FALSE, sizeof (gdouble));
  g_autoptr (GArray) detect = g_array_new (FALSE, FALSE, sizeof (gdouble)),
                     caption = g_array_new (FALSE, FALSE, sizeof (gdouble));
  g_autoptr (UpiEncoding) encoding = NULL;
  g_autoptr (UpiLabels) labels = NULL;
  g_autoptr (UpiEngine) engine = NULL;
  GError *error = NULL;
  gint64 start = g_get_monotonic_time ();
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  UpiTicket *ticket;
  BenchTimes c, i;

  engine = upi_engine_open (
      &(UpiEngineOptions){ .size = sizeof (UpiEngineOptions), .model = bench->model, .device = "cpu", .threads = 1 },
      NULL, &error);
  if (engine == NULL) {
    g_printerr ("%s\n", error->message);
    return FALSE;
  }
  bench_line ("engine open", "%.0f ms (to reach: 1000)", (gdouble) (g_get_monotonic_time () - start) * 1e-3);

  for (guint frame = 0; frame < bench->frames + 3; frame++) {
    guint64 convert_us = 0, infer_us = 0;
    gdouble a, b;

    ticket =
        finished (upi_engine_encode (engine, &image, bench->width, bench->height, frame, NULL, NULL, &error), error);
    upi_ticket_get_times (ticket, &convert_us, &infer_us);
    a = (gdouble) convert_us;
    b = (gdouble) infer_us;
    if (frame >= 3) {
      g_array_append_val (convert, a);
      g_array_append_val (infer, b);
    }
    g_clear_pointer (&encoding, upi_encoding_unref);
    encoding = upi_ticket_get_encoding (ticket);
    upi_ticket_unref (ticket);
  }
  c = bench_times (convert);
  i = bench_times (infer);
  bench_line ("1080p NV12 to the network's input", "%.2f ms (median %.2f): %.1f %% of a frame (to reach: 8)",
      c.best * 1e-3, c.median * 1e-3, 100 * c.best / (c.best + i.best));

  if (!bench_static (bench, engine))
    return FALSE;
  bench_track (c.best + i.best);
  start = g_get_monotonic_time ();
  ticket = finished (upi_engine_encode_labels (engine, words, NULL, NULL, NULL, &error), error);
  labels = upi_ticket_get_labels (ticket);
  upi_ticket_unref (ticket);
  bench_line (
      "new labels", "%.1f ms for %u", (gdouble) (g_get_monotonic_time () - start) * 1e-3, upi_labels_count (labels));

  bench_labels (engine);
  for (guint k = 0; k < bench->frames / 3 + 1; k++) {
    UpiDetectOptions options = {
      .size = sizeof (UpiDetectOptions), .threshold = 0.0f, .iou_threshold = 0.7f, .max_objects = 100, .masks = TRUE
    };
    gdouble time;

    start = g_get_monotonic_time ();
    upi_detections_unref (upi_engine_detect (engine, encoding, labels, &options, &error));
    time = (gdouble) (g_get_monotonic_time () - start);
    g_array_append_val (detect, time);
    start = g_get_monotonic_time ();
    ticket = finished (upi_engine_caption (engine, encoding, NULL, NULL, NULL, NULL, &error), error);
    time = (gdouble) (g_get_monotonic_time () - start);
    g_array_append_val (caption, time);
    upi_ticket_unref (ticket);
  }
  c = bench_times (detect);
  bench_line ("detection, every region, with masks", "%.2f ms (median %.2f)", c.best * 1e-3, c.median * 1e-3);
  upi_engine_get_stats (engine, &stats);
  c = bench_times (caption);
  bench_line ("a caption, greedy", "%.2f ms (median %.2f), %.2f ms a token", c.best * 1e-3, c.median * 1e-3,
      (gdouble) stats.caption_us * 1e-3 / (gdouble) MAX (stats.caption_tokens, 1));
  return bench_captions (bench, engine, &image);
}
