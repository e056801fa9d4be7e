/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tracker.c: assignment, motion, and what the tracker makes of small scenes; its reference mode against the public
 * C-BIoU. */
#include "gst/track/assignment.h"
#include "gst/track/tracker.h"

#include <math.h>
#include <string.h>

#include "mot-file.h"

#define MS G_GINT64_CONSTANT (1000000)
#define STEP (40 * MS)

/* The best sum over all ways to give the rows from @row on a column each that is not @taken. */
static gdouble
best_sum (const gdouble *similarity, guint rows, guint columns, guint row, guint taken)
{
  gdouble best = -G_MAXDOUBLE;

  if (row == rows)
    return 0;
  for (guint c = 0; c < columns; c++) {
    if (!(taken & (1u << c)))
      best =
          MAX (best, similarity[row * columns + c] + best_sum (similarity, rows, columns, row + 1, taken | (1u << c)));
  }
  if (rows - row > columns - (guint) __builtin_popcount (taken)) /* more rows than columns: this one may go without */
    best = MAX (best, best_sum (similarity, rows, columns, row + 1, taken));
  return best;
}

static void
test_assignment (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  for (guint n = 0; n < 600; n++) {
    const guint rows = (guint) g_rand_int_range (random, 0, 7), columns = (guint) g_rand_int_range (random, 0, 7);
    gdouble similarity[36];
    gint found[6];
    guint taken = 0, pairs = 0;
    gdouble sum = 0;

    for (guint i = 0; i < rows * columns; i++) /* many ties, many zeros, some below */
      similarity[i] = n % 3 == 0 ? g_rand_int_range (random, 0, 3)
          : n % 3 == 1           ? g_rand_double (random)
                                 : g_rand_double_range (random, -1, 1);
    gst_upi_assign (similarity, rows, columns, found);
    for (guint r = 0; r < rows; r++) {
      if (found[r] < 0)
        continue;
      g_assert_cmpint (found[r], <, columns);
      g_assert_false (taken & (1u << found[r]));
      taken |= 1u << found[r];
      pairs++;
      sum += similarity[r * columns + (guint) found[r]];
    }
    g_assert_cmpuint (pairs, ==, MIN (rows, columns));
    if (pairs > 0)
      g_assert_cmpfloat_with_epsilon (sum, best_sum (similarity, rows, columns, 0, 0), 1e-9);
  }
}

static void
test_motion (void)
{
  const GstUpiBox first = { 0.1, 0.2, 0.1, 0.3 }, second = { 0.12, 0.2, 0.1, 0.3 };
  GstUpiMotion once, twice, wide;

  gst_upi_motion_start (&once, &first);
  gst_upi_motion_predict (&once, 1, TRUE);
  gst_upi_motion_correct (&once, &second);
  twice = once;
  gst_upi_motion_predict (&once, 6, TRUE);
  gst_upi_motion_predict (&twice, 2, TRUE);
  gst_upi_motion_predict (&twice, 4, TRUE);
  for (guint a = 0; a < 4; a++) { /* time may be cut anywhere; the width's change alone moves the noise a little */
    g_assert_cmpfloat_with_epsilon (once.axes[a].value, twice.axes[a].value, 1e-12);
    g_assert_cmpfloat_with_epsilon (once.axes[a].value_value / twice.axes[a].value_value, 1, 1e-9);
    g_assert_cmpfloat_with_epsilon (once.axes[a].rate_rate / twice.axes[a].rate_rate, 1, 1e-9);
  }
  g_assert_cmpfloat (once.axes[0].rate, >, 0);
  g_assert_cmpfloat (gst_upi_motion_get_box (&once).x, >, 0.12);
  /* pixels or shares of the frame: the same but for the unit */
  const GstUpiBox first_wide = { 64, 0.2, 64, 0.3 }, second_wide = { 76.8, 0.2, 64, 0.3 };
  gst_upi_motion_start (&wide, &first_wide);
  gst_upi_motion_predict (&wide, 1, TRUE);
  gst_upi_motion_correct (&wide, &second_wide);
  gst_upi_motion_predict (&wide, 6, TRUE);
  g_assert_cmpfloat_with_epsilon (wide.axes[0].value, 640 * once.axes[0].value, 1e-9);
  /* it comes to rest where nobody sees it any more */
  g_assert_cmpfloat_with_epsilon (
      gst_upi_motion_get_box_after (&once, 1e6, 30).x, gst_upi_motion_get_box (&once).x + 30 * once.axes[0].rate, 1e-9);
  /* overlaps: plain, grown, apart */
  const GstUpiBox a = { 0, 0, 10, 10 }, b = { 11, 0, 10, 10 };
  g_assert_cmpfloat_with_epsilon (gst_upi_box_overlap (&a, &a, 0.3), 1, 1e-12);
  g_assert_cmpfloat (gst_upi_box_overlap (&a, &b, 0), ==, 0);
  g_assert_cmpfloat_with_epsilon (gst_upi_box_overlap (&a, &b, 0.1), 1.0 * 12 / (2 * 144 - 12), 1e-12);
}

static guint64
pair_key (gint64 a, gint64 b)
{
  return ((guint64) a << 32) ^ (guint64) b;
}

/* Runs the reference mode over rows and demands ids that are @expected but for their names. */
static void
assert_equal_ids (GArray *rows, const gint *expected)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  g_autoptr (GHashTable) to = g_hash_table_new (NULL, NULL), from = g_hash_table_new (NULL, NULL);
  g_autoptr (GArray) sightings = g_array_new (FALSE, FALSE, sizeof (GstUpiSighting));
  g_autoptr (GArray) places = g_array_new (FALSE, FALSE, sizeof (guint));
  GstUpiTrackerOptions options;
  guint next = 0;

  gst_upi_tracker_options_init (&options);
  options.reference = TRUE;
  gst_upi_tracker_set_options (tracker, &options);
  for (guint frame = 1; next < rows->len; frame++) {
    g_array_set_size (sightings, 0);
    g_array_set_size (places, 0);
    for (; next < rows->len && g_array_index (rows, MotRow, next).frame == frame; next++) {
      GstUpiSighting sighting = g_array_index (rows, MotRow, next).sighting;

      sighting.candidate = sighting.confidence < 0.6;
      if (sighting.confidence <= 0.1)
        continue;
      g_array_append_val (sightings, sighting);
      g_array_append_val (places, next);
    }
    gst_upi_tracker_observe (
        tracker, (gint64) (frame * 1e9 / 30), (const GstUpiSighting *) (gpointer) sightings->data, sightings->len);
    for (guint i = 0; i < sightings->len; i++) {
      const GstUpiTrack *track = gst_upi_tracker_get_track_of (tracker, i);
      const gint64 id = track != NULL && track->id != 0 ? (gint64) track->id : -1;
      const gint64 wanted = expected[g_array_index (places, guint, i)];

      g_assert_cmpint (id < 0, ==, wanted < 0);
      if (id < 0)
        continue;
      if (!g_hash_table_contains (to, GSIZE_TO_POINTER (id))
          && !g_hash_table_contains (from, GSIZE_TO_POINTER (wanted + 1))) {
        g_hash_table_insert (to, GSIZE_TO_POINTER (id), GSIZE_TO_POINTER (wanted + 1));
        g_hash_table_insert (from, GSIZE_TO_POINTER (wanted + 1), GSIZE_TO_POINTER (id));
      }
      g_assert_cmpuint (pair_key (wanted + 1, id), ==,
          pair_key ((gint64) GPOINTER_TO_SIZE (g_hash_table_lookup (to, GSIZE_TO_POINTER (id))),
              (gint64) GPOINTER_TO_SIZE (g_hash_table_lookup (from, GSIZE_TO_POINTER (wanted + 1)))));
    }
  }
}

static void
test_reference_scenes (void)
{
  for (guint scene = 1; scene <= 20; scene++) {
    g_autofree gchar *name = g_strdup_printf ("scene-%02u.txt", scene);
    g_autofree gchar *path = g_test_build_filename (G_TEST_DIST, "golden", name, NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (GArray) rows = mot_file_read (path, &error);

    g_assert_no_error (error);
    g_autofree gint *expected = g_new (gint, rows->len + 1);
    for (guint i = 0; i < rows->len; i++)
      expected[i] = g_array_index (rows, MotRow, i).id;
    assert_equal_ids (rows, expected);
  }
}

/* The detections are not this project's: they lie beside the checkout, or the test has nothing to run on. */
static void
test_reference_street (void)
{
  g_autofree gchar *found =
      g_test_build_filename (G_TEST_DIST, "..", "..", "..", "shared", "tracking", "TUD-Campus-det.txt", NULL);
  g_autofree gchar *ids = g_test_build_filename (G_TEST_DIST, "golden", "tud-campus-ids.txt", NULL);
  g_autofree gchar *text = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_file_test (found, G_FILE_TEST_EXISTS)) {
    g_test_skip ("no ../shared/tracking beside the checkout");
    return;
  }
  g_autoptr (GArray) rows = mot_file_read (found, &error);
  g_assert_no_error (error);
  g_file_get_contents (ids, &text, NULL, &error);
  g_assert_no_error (error);
  g_auto (GStrv) lines = g_strsplit (g_strstrip (text), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, rows->len);
  g_autofree gint *expected = g_new (gint, rows->len);
  for (guint i = 0; i < rows->len; i++)
    expected[i] = (gint) g_ascii_strtoll (lines[i], NULL, 10);
  assert_equal_ids (rows, expected);
}

static GstUpiSighting
sight (gdouble x, const gchar *label)
{
  return (GstUpiSighting){ .box = { x, 0.4, 0.1, 0.3 }, .confidence = 0.9, .label = label };
}

/* Id of the @index-th of the last sightings; 0: none. */
static guint64
id_of (const GstUpiTracker *tracker, guint index)
{
  const GstUpiTrack *track = gst_upi_tracker_get_track_of (tracker, index);

  return track != NULL ? track->id : 0;
}

static void
test_numbers (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  const GstUpiSighting three[3] = { sight (0.1, "cat"), sight (0.5, "cat"), sight (0.8, "cat") };

  gst_upi_tracker_observe (tracker, 0, three, 2); /* there when it begins */
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  g_assert_cmpuint (id_of (tracker, 1), ==, 2);
  gst_upi_tracker_observe (tracker, 20 * MS, three, 3);
  g_assert_cmpuint (id_of (tracker, 2), ==, 0); /* not yet known for long enough */
  gst_upi_tracker_observe (tracker, 40 * MS, three, 3);
  g_assert_cmpuint (id_of (tracker, 2), ==, 0);
  gst_upi_tracker_observe (tracker, 60 * MS, three, 3);
  g_assert_cmpuint (id_of (tracker, 2), ==, 3);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  g_assert_cmpint (gst_upi_tracker_get_track_of (tracker, 2)->first_seen, ==, 20 * MS);
  gst_upi_tracker_reset (tracker, FALSE); /* another scene of the same stream */
  g_assert_cmpuint (gst_upi_tracker_get_n_tracks (tracker), ==, 0);
  g_assert_cmpuint (id_of (tracker, 0), ==, 0);
  gst_upi_tracker_observe (tracker, 0, three, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 4);
  gst_upi_tracker_reset (tracker, TRUE);
  gst_upi_tracker_observe (tracker, 0, three, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
}

/* What never gets sure is believed after a while; what flickers once is not. */
static void
test_unsure (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiSighting unsure = sight (0.5, "cat");

  unsure.confidence = 0.65;
  for (gint64 time = 0; time < 200 * MS; time += STEP) {
    gst_upi_tracker_observe (tracker, time, &unsure, 1);
    g_assert_cmpuint (id_of (tracker, 0), ==, 0);
  }
  gst_upi_tracker_observe (tracker, 200 * MS, &unsure, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  gst_upi_tracker_reset (tracker, TRUE);
  gst_upi_tracker_observe (tracker, 0, NULL, 0);
  unsure.confidence = 0.9;
  gst_upi_tracker_observe (tracker, STEP, &unsure, 1);
  gst_upi_tracker_observe (tracker, 2 * STEP, NULL, 0);
  g_assert_cmpuint (gst_upi_tracker_get_n_tracks (tracker), ==, 0);
}

/* The same walk, seen 60, 25 and 5 times a second and at irregular times: one id, one speed. */
static void
test_rates (void)
{
  const gint64 steps[4][3] = { { MS * 1000 / 60, MS * 1000 / 60, MS * 1000 / 60 }, { STEP, STEP, STEP },
    { 200 * MS, 200 * MS, 200 * MS }, { 30 * MS, 170 * MS, 80 * MS } };

  for (guint rate = 0; rate < 4; rate++) {
    g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
    gint64 time = 0;

    for (guint i = 0; time < 3000 * MS; time += steps[rate][i++ % 3]) {
      const GstUpiSighting sighting = sight (0.1 + 0.2 * (gdouble) time / 1e9, "cat");

      gst_upi_tracker_observe (tracker, time, &sighting, 1);
      g_assert_cmpuint (id_of (tracker, 0), ==, 1);
    }
    g_assert_cmpfloat_with_epsilon (
        gst_upi_tracker_get_track_of (tracker, 0)->motion.axes[0].rate * GST_UPI_MOTION_STEPS_PER_SECOND, 0.2, 0.01);
  }
}

static void
test_lost (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiSighting sighting = sight (0.1, "cat");
  GstUpiBox box;
  gint64 time = 0;

  for (; time < 1000 * MS; time += STEP) { /* walks right */
    sighting.box.x = 0.1 + 0.2 * (gdouble) time / 1e9;
    gst_upi_tracker_observe (tracker, time, &sighting, 1);
  }
  gst_upi_tracker_observe (tracker, time, NULL, 0); /* once overlooked: shown where it would be */
  const GstUpiTrack *track = gst_upi_tracker_get_track (tracker, 0);
  g_assert_cmpint (track->sighting, ==, -1);
  g_assert_true (gst_upi_tracker_get_box (tracker, track, time, &box));
  g_assert_cmpfloat_with_epsilon (box.x, 0.1 + 0.2 * (gdouble) time / 1e9, 0.01);
  g_assert_true (gst_upi_tracker_get_box (tracker, track, time + STEP, &box)); /* and moves on between */
  g_assert_cmpfloat_with_epsilon (box.x, 0.1 + 0.2 * (gdouble) (time + STEP) / 1e9, 0.01);
  for (time += STEP; time < 2000 * MS; time += STEP) /* behind a tree: not shown any more */
    gst_upi_tracker_observe (tracker, time, NULL, 0);
  g_assert_false (gst_upi_tracker_get_box (tracker, gst_upi_tracker_get_track (tracker, 0), time, &box));
  sighting.box.x = 0.1 + 0.2 * (gdouble) time / 1e9;
  gst_upi_tracker_observe (tracker, time, &sighting, 1); /* comes back on the other side */
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  for (const gint64 end = time + 4100 * MS; time < end; time += STEP)
    gst_upi_tracker_observe (tracker, time, NULL, 0);
  g_assert_cmpuint (gst_upi_tracker_get_n_tracks (tracker), ==, 0);
  gst_upi_tracker_observe (tracker, time, &sighting, 1);
  gst_upi_tracker_observe (tracker, time + STEP, &sighting, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 2);
}

/* Ten frames a second, of which two in a row are missed again and again: it is shown in all. What was there for a
 * moment is not shown for longer than that when it is gone. */
static void
test_flicker (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiSighting sighting = sight (0.1, "cat");
  GstUpiBox box;

  for (gint64 frame = 0, time = 0; frame < 50; frame++, time += 100 * MS) {
    sighting.box.x = 0.1 + 0.01 * (gdouble) frame;
    gst_upi_tracker_observe (tracker, time, &sighting, frame % 10 < 8);
    g_assert_true (gst_upi_tracker_get_box (tracker, gst_upi_tracker_get_track (tracker, 0), time, &box));
    g_assert_cmpfloat_with_epsilon (box.x, sighting.box.x, 0.01);
  }
  gst_upi_tracker_reset (tracker, TRUE);
  gst_upi_tracker_observe (tracker, 0, &sighting, 1);
  for (guint frame = 1; frame < 6; frame++) {
    gst_upi_tracker_observe (tracker, frame * STEP, NULL, 0);
    g_assert_cmpint (
        gst_upi_tracker_get_box (tracker, gst_upi_tracker_get_track (tracker, 0), frame * STEP, &box), ==, frame < 4);
  }
}

/* Somebody walks, stops behind a tree, and is found where it was last seen, not where it would have gone. */
static void
test_recovery (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiSighting sighting = sight (0.1, "cat");
  gint64 time = 0;

  for (; time < 1000 * MS; time += STEP) {
    sighting.box.x = 0.1 + 0.3 * (gdouble) time / 1e9;
    gst_upi_tracker_observe (tracker, time, &sighting, 1);
  }
  for (; time < 2000 * MS; time += STEP)
    gst_upi_tracker_observe (tracker, time, NULL, 0);
  gst_upi_tracker_observe (tracker, time, &sighting, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  /* it stood: what the filter believed of its speed meanwhile is forgotten */
  g_assert_cmpfloat (
      gst_upi_tracker_get_track_of (tracker, 0)->motion.axes[0].rate * GST_UPI_MOTION_STEPS_PER_SECOND, <, 0.1);
}

static void
test_candidates (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiSighting sighting = sight (0.5, "cat"), candidate = sight (0.51, "dog");

  candidate.confidence = 0.3;
  candidate.candidate = TRUE;
  for (gint64 time = 0; time < 2000 * MS; time += STEP) /* alone it is nothing */
    gst_upi_tracker_observe (tracker, time, &candidate, 1);
  g_assert_cmpuint (gst_upi_tracker_get_n_tracks (tracker), ==, 0);
  candidate.label = "cat";
  gst_upi_tracker_observe (tracker, 2000 * MS, &sighting, 1);
  gst_upi_tracker_observe (tracker, 2040 * MS, &sighting, 1);
  for (gint64 time = 2080 * MS; time < 9000 * MS; time += STEP) /* but it carries a track on */
    gst_upi_tracker_observe (tracker, time, &candidate, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
}

static void
test_labels (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiTrackerOptions options;
  GstUpiSighting sighting = sight (0.5, "van");
  gint64 time = 0;

  for (; time < 400 * MS; time += STEP)
    gst_upi_tracker_observe (tracker, time, &sighting, 1);
  sighting.label = "bus"; /* one frame says so */
  gst_upi_tracker_observe (tracker, time, &sighting, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  g_assert_cmpstr (gst_upi_tracker_get_track_of (tracker, 0)->label, ==, "van");
  for (time += STEP; time < 1000 * MS; time += STEP) /* more and more do */
    gst_upi_tracker_observe (tracker, time, &sighting, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  g_assert_cmpstr (gst_upi_tracker_get_track_of (tracker, 0)->label, ==, "bus");
  /* beside it something of another label: not the same thing, unless labels do not count */
  sighting = (GstUpiSighting){ .box = { 0.54, 0.4, 0.1, 0.3 }, .confidence = 0.9, .label = "dog" };
  gst_upi_tracker_observe (tracker, time, &sighting, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 0);
  gst_upi_tracker_options_init (&options);
  options.per_label = FALSE;
  gst_upi_tracker_set_options (tracker, &options);
  gst_upi_tracker_reset (tracker, TRUE);
  sighting = sight (0.5, "bus");
  gst_upi_tracker_observe (tracker, 0, &sighting, 1);
  sighting = (GstUpiSighting){ .box = { 0.54, 0.4, 0.1, 0.3 }, .confidence = 0.9, .label = "dog" };
  gst_upi_tracker_observe (tracker, STEP, &sighting, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
}

/* A dog and a cat run through each other. */
static void
test_crossing (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);

  for (gint64 time = 0; time < 2000 * MS; time += 100 * MS) {
    const gdouble way = 0.3 * (gdouble) time / 1e9;
    const GstUpiSighting both[2] = { sight (0.1 + way, "dog"), sight (0.7 - way, "cat") };

    gst_upi_tracker_observe (tracker, time, both, 2);
    g_assert_cmpuint (id_of (tracker, 0), ==, 1);
    g_assert_cmpuint (id_of (tracker, 1), ==, 2);
  }
}

static void
test_still (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  GstUpiSighting sighting = sight (0.1, "cat");
  GstUpiBox before, after;
  gint64 time = 0;

  gst_upi_tracker_observe_still (tracker, 0); /* nothing to repeat yet */
  for (; time < 1000 * MS; time += STEP) {
    sighting.box.x = 0.1 + 0.2 * (gdouble) time / 1e9;
    gst_upi_tracker_observe (tracker, time, &sighting, 1);
  }
  const GstUpiTrack *track = gst_upi_tracker_get_track (tracker, 0);
  const gdouble rate = track->motion.axes[0].rate;
  before = gst_upi_motion_get_box (&track->motion);
  for (const gint64 end = time + 20000 * MS; time < end; time += STEP)
    gst_upi_tracker_observe_still (tracker, time);
  track = gst_upi_tracker_get_track_of (tracker, 0);
  g_assert_nonnull (track);
  g_assert_cmpuint (track->id, ==, 1);
  g_assert_cmpint (track->sighting, ==, 0);
  g_assert_cmpint (track->last_seen, ==, time - STEP);
  after = gst_upi_motion_get_box (&track->motion);
  g_assert_cmpfloat (after.x, ==, before.x);
  g_assert_cmpfloat (track->motion.axes[0].rate, <, rate / 4);
  /* what was missing stays missing, and its time runs out */
  gst_upi_tracker_observe (tracker, time, NULL, 0);
  gst_upi_tracker_observe_still (tracker, time + 4100 * MS);
  g_assert_cmpuint (gst_upi_tracker_get_n_tracks (tracker), ==, 0);
}

static void
test_backwards (void)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  const GstUpiSighting sighting = sight (0.5, "cat");
  GstUpiBox box;

  for (gint64 time = 10000 * MS; time > 0; time -= STEP) { /* times that go back, or repeat, count as the last */
    gst_upi_tracker_observe (tracker, time, &sighting, 1);
    g_assert_cmpuint (id_of (tracker, 0), ==, 1);
    g_assert_true (gst_upi_tracker_get_box (tracker, gst_upi_tracker_get_track_of (tracker, 0), time, &box));
    g_assert_true (isfinite (box.x));
  }
  g_assert_cmpfloat_with_epsilon (box.x, 0.5, 1e-9);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/track/assignment", test_assignment);
  g_test_add_func ("/track/motion", test_motion);
  g_test_add_func ("/track/reference/scenes", test_reference_scenes);
  g_test_add_func ("/track/reference/street", test_reference_street);
  g_test_add_func ("/track/numbers", test_numbers);
  g_test_add_func ("/track/unsure", test_unsure);
  g_test_add_func ("/track/rates", test_rates);
  g_test_add_func ("/track/lost", test_lost);
  g_test_add_func ("/track/flicker", test_flicker);
  g_test_add_func ("/track/recovery", test_recovery);
  g_test_add_func ("/track/candidates", test_candidates);
  g_test_add_func ("/track/labels", test_labels);
  g_test_add_func ("/track/crossing", test_crossing);
  g_test_add_func ("/track/still", test_still);
  g_test_add_func ("/track/backwards", test_backwards);
  return g_test_run ();
}
