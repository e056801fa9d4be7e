/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What it costs to track a hundred objects, by motion alone and with what they look like. */
#include "gst/track/tracker.h"

#include "tests/bench/bench.h"

#define N_OBJECTS 100
#define VECTOR_LENGTH 48 /* upi_encoding_looks() of the bundled model */
#define FRAMES 200

/* They walk to and fro over the frame, each at its own pace, and overlap; one in ten is missed at any time. */
static guint
sight (GstUpiSighting *sightings, const gfloat *vectors, guint frame)
{
  guint n = 0;

  for (guint i = 0; i < N_OBJECTS; i++) {
    const gdouble way = 0.37 * i + 0.002 * (1 + i % 7) * frame, there = way - 2 * (guint) (way / 2);

    if ((i * 31 + frame * 17) % 10 == 0)
      continue;
    sightings[n++] = (GstUpiSighting){
      .box = { 0.95 * (there < 1 ? there : 2 - there), 0.07 * (i % 13), 0.05, 0.15 },
      .confidence = 0.6 + 0.004 * ((i * 13 + frame * 7) % 100),
      .label = i % 2 ? "person" : "bicycle",
      .vector = &vectors[i * VECTOR_LENGTH],
      .vector_length = VECTOR_LENGTH,
    };
  }
  return n;
}

void
bench_track (gdouble frame_us)
{
  g_autofree gfloat *vectors = g_new (gfloat, N_OBJECTS * VECTOR_LENGTH);
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  for (guint i = 0; i < N_OBJECTS * VECTOR_LENGTH; i++)
    vectors[i] = (gfloat) g_rand_double_range (random, -1, 1);
  for (guint region = 0; region < 2; region++) {
    g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
    g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gdouble));
    GstUpiTrackerOptions options;

    gst_upi_tracker_options_init (&options);
    options.region = region == 1;
    gst_upi_tracker_set_options (tracker, &options);
    for (guint frame = 0; frame < FRAMES; frame++) {
      GstUpiSighting sightings[N_OBJECTS];
      const guint n = sight (sightings, vectors, frame);
      const gint64 start = g_get_monotonic_time ();

      gst_upi_tracker_observe (tracker, frame * G_GINT64_CONSTANT (100000000), sightings, n);
      const gdouble time = (gdouble) (g_get_monotonic_time () - start);
      if (frame >= 20)
        g_array_append_val (times, time);
    }
    const BenchTimes cost = bench_times (times);
    bench_line (region == 1 ? "  and by what they look like" : "tracking 100 objects",
        "%.2f ms (median %.2f): %.2f %% of a frame (to reach: 1)", cost.best * 1e-3, cost.median * 1e-3,
        100 * cost.median / frame_us);
  }
}
