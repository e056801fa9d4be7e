/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-appearance.c: what the tracker makes of what objects look like. */
#include "gst/track/tracker.h"

#define MS G_GINT64_CONSTANT (1000000)
#define STEP (40 * MS)

/* Id of the @index-th of the last sightings; 0: none. */
static guint64
id_of (const GstUpiTracker *tracker, guint index)
{
  const GstUpiTrack *track = gst_upi_tracker_get_track_of (tracker, index);

  return track != NULL ? track->id : 0;
}

/* What two people and a newcomer look like to a network that tells people from dogs: cosines of 0.98 and more. */
static const gfloat looks[3][4] = { { 1, 0.1f, 0, 0 }, { 1, 0, 0.1f, 0 }, { 1, -0.05f, -0.05f, 0.1f } };

static GstUpiSighting
sight_someone (gdouble x, guint who)
{
  return (GstUpiSighting){ .box = { x, 0.4, 0.1, 0.3 },
    .confidence = 0.9,
    .label = "person",
    .vector = looks[who],
    .vector_length = G_N_ELEMENTS (looks[who]) };
}

/* Two people stand side by side, then for @away there is nobody, then @who at @x. Returns: the id then. */
static guint64
id_of_who_comes (gboolean region, gint64 away, gdouble x, guint who)
{
  g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
  const GstUpiSighting both[2] = { sight_someone (0.3, 0), sight_someone (0.6, 1) }, one = sight_someone (x, who);
  GstUpiTrackerOptions options;
  gint64 time = 0;

  gst_upi_tracker_options_init (&options);
  options.region = region;
  gst_upi_tracker_set_options (tracker, &options);
  for (; time < 1000 * MS; time += STEP)
    gst_upi_tracker_observe (tracker, time, both, 2);
  for (const gint64 end = time + away; time < end; time += STEP)
    gst_upi_tracker_observe (tracker, time, NULL, 0);
  for (guint i = 0; i < 3; i++, time += STEP)
    gst_upi_tracker_observe (tracker, time, &one, 1);
  return id_of (tracker, 0);
}

/* Who comes back where no box overlaps is known by looks; a newcomer and who cannot have come that far are not. */
static void
test_recognition (void)
{
  g_assert_cmpuint (id_of_who_comes (TRUE, 2000 * MS, 0.45, 0), ==, 1);
  g_assert_cmpuint (id_of_who_comes (TRUE, 2000 * MS, 0.45, 1), ==, 2);
  g_assert_cmpuint (id_of_who_comes (TRUE, 2000 * MS, 0.45, 2), ==, 3);
  g_assert_cmpuint (id_of_who_comes (TRUE, 40 * MS, 0.45, 1), ==, 3);
  g_assert_cmpuint (id_of_who_comes (TRUE, 5000 * MS, 0.45, 1), ==, 3); /* max_lost_time is over */
  g_assert_cmpuint (id_of_who_comes (FALSE, 2000 * MS, 0.45, 1), ==, 3);
}

/* Two stand in one place and one of them is seen: looks say who. Vectors of another length or of nothing say nothing,
 * and boxes decide as ever. */
static void
test_looks (void)
{
  static const gfloat other[3] = { 1, 2, 3 }, nothing[4] = { 0 };

  for (guint who = 0; who < 2; who++) {
    g_autoptr (GstUpiTracker) tracker = gst_upi_tracker_new (NULL);
    const GstUpiSighting both[2] = { sight_someone (0.40, 0), sight_someone (0.44, 1) };
    GstUpiSighting one = sight_someone (0.42, who);
    GstUpiTrackerOptions options;
    gint64 time = 0;

    gst_upi_tracker_options_init (&options);
    options.region = TRUE;
    gst_upi_tracker_set_options (tracker, &options);
    for (; time < 1000 * MS; time += STEP)
      gst_upi_tracker_observe (tracker, time, both, 2);
    gst_upi_tracker_observe (tracker, time, &one, 1);
    g_assert_cmpuint (id_of (tracker, 0), ==, who + 1);
    one.box.x = 0.39 + 0.06 * who;
    one.vector = nothing;
    gst_upi_tracker_observe (tracker, time + STEP, &one, 1);
    g_assert_cmpuint (id_of (tracker, 0), ==, who + 1);
    one.vector = other;
    one.vector_length = G_N_ELEMENTS (other);
    gst_upi_tracker_observe (tracker, time + 2 * STEP, &one, 1);
    g_assert_cmpuint (id_of (tracker, 0), ==, who + 1);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/track-appearance/recognition", test_recognition);
  g_test_add_func ("/track-appearance/looks", test_looks);
  return g_test_run ();
}
