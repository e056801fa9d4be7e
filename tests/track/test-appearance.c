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
  for (guint i = 0; i < 5; i++, time += STEP)
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
  g_assert_cmpuint (id_of_who_comes (TRUE, 2000 * MS, 0.30, 1), ==, 2); /* the other's place, and not he */
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

/* A tracker that goes by looks. */
static GstUpiTracker *
new_tracker (void)
{
  GstUpiTracker *tracker = gst_upi_tracker_new (NULL);
  GstUpiTrackerOptions options;

  gst_upi_tracker_options_init (&options);
  options.region = TRUE;
  gst_upi_tracker_set_options (tracker, &options);
  return tracker;
}

/* Shows it the same for so long. Returns: when it ended */
static gint64
show (GstUpiTracker *tracker, gint64 time, gint64 duration, const GstUpiSighting *sightings, guint n)
{
  for (const gint64 end = time + duration; time < end; time += STEP)
    gst_upi_tracker_observe (tracker, time, sightings, n);
  return time;
}

/* Beside a dog all people look alike: what tells them apart is how they differ from people, of which many were seen;
 * what may be no object at all does not count as one of them. */
static void
test_labels (void)
{
  static const gfloat dog[4] = { 0, -1, 1, 0.5f };

  for (guint k = 0; k < 4; k++) {
    const gboolean same = k % 2 == 0, candidate = k / 2 == 1;
    g_autoptr (GstUpiTracker) tracker = new_tracker ();
    GstUpiSighting all[3] = { sight_someone (0.8, 0), sight_someone (0.3, 0), sight_someone (0.6, 1) };
    gint64 time;

    all[0].vector = dog;
    all[0].candidate = candidate;
    if (candidate)
      all[0].confidence = 0.3;
    else
      all[0].label = "dog";
    time = show (tracker, 0, 40000 * MS, all, 3);
    time = show (tracker, time, 2000 * MS, all, 1);
    all[1] = sight_someone (0.45, same ? 0 : 2);
    show (tracker, time, 200 * MS, all, 2);
    g_assert_cmpuint (id_of (tracker, 0), ==, candidate ? 0 : 1);
    g_assert_cmpuint (id_of (tracker, 1), ==, (same ? 1 : 3) + !candidate);
  }
}

/* More labels than have a mean of their own; those seen lately have one. */
static void
test_many_labels (void)
{
  g_autoptr (GstUpiTracker) tracker = new_tracker ();
  GstUpiSighting all[3] = { sight_someone (0.3, 0), sight_someone (0.6, 1), sight_someone (0.9, 2) };
  gint64 time = 0;

  for (guint i = 0; i < 300; i++, time += STEP) {
    g_autofree gchar *label = g_strdup_printf ("thing %u", i);

    all[2].label = label;
    gst_upi_tracker_observe (tracker, time, all, 3);
  }
  time = show (tracker, time, 2000 * MS, NULL, 0);
  all[0].box.x = 0.45;
  show (tracker, time, 200 * MS, all, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
}

/* What may be no object at all says nothing of what a track looks like. */
static void
test_candidates (void)
{
  g_autoptr (GstUpiTracker) tracker = new_tracker ();
  GstUpiSighting one = sight_someone (0.3, 0);
  gint64 time = show (tracker, 0, 200 * MS, &one, 1);

  one.candidate = TRUE;
  one.confidence = 0.5;
  one.vector = looks[1];
  show (tracker, time, 400 * MS, &one, 1);
  const GstUpiTrack *track = gst_upi_tracker_get_track_of (tracker, 0);
  g_assert_cmpuint (track->id, ==, 1);
  g_assert_cmpfloat (track->vector[1], >, 0.09f);
  g_assert_cmpfloat (track->vector[2], ==, 0);
}

/* Who turned round looks as he did last as well as on the whole. */
static void
test_latest (void)
{
  static const gfloat front[4] = { 1, 0.1f, 0, 0 }, back[4] = { 1, -0.1f, 0, 0.1f };
  g_autoptr (GstUpiTracker) tracker = new_tracker ();
  GstUpiSighting both[2] = { sight_someone (0.3, 0), sight_someone (0.7, 1) };
  gint64 time = show (tracker, 0, 2000 * MS, both, 2);

  both[0].vector = back;
  time = show (tracker, time, STEP, both, 2);
  time = show (tracker, time, 1200 * MS, &both[1], 1);
  both[0].box.x = 0.45;
  for (guint side = 0; side < 2; side++) {
    both[0].vector = side == 0 ? back : front;
    time = show (tracker, time, STEP, both, 2);
    g_assert_cmpuint (id_of (tracker, 0), ==, 1);
    time = show (tracker, time, 1200 * MS, &both[1], 1);
  }
}

/* Of two lost ones that look alike the one that was as high has come back. */
static void
test_height (void)
{
  for (guint who = 0; who < 2; who++) {
    g_autoptr (GstUpiTracker) tracker = new_tracker ();
    GstUpiSighting all[3] = { sight_someone (0.35, 0), sight_someone (0.55, 0), sight_someone (0.9, 1) };
    gint64 time;

    all[1].box.height = 0.2;
    time = show (tracker, 0, 1000 * MS, all, 3);
    time = show (tracker, time, 2000 * MS, &all[2], 1);
    all[0].box = (GstUpiBox){ 0.45, 0.42, 0.1, who == 0 ? 0.28 : 0.22 };
    show (tracker, time, 40 * MS, all, 1);
    g_assert_cmpuint (id_of (tracker, 0), ==, who + 1);
  }
}

/* Who goes on behind a wall as before comes out where he is expected, many sizes from where he was seen last; or where
 * he went in; one who looks otherwise is another. */
static void
test_way (void)
{
  for (guint way = 0; way < 3; way++) {
    g_autoptr (GstUpiTracker) tracker = new_tracker ();
    GstUpiSighting both[2] = { sight_someone (0, 0), sight_someone (0.9, 1) };
    gint64 time = 0;

    both[0].box.width = 0.02;
    for (; time < 3400 * MS; time += STEP) {
      const gboolean hidden = time >= 1000 * MS && time < 3000 * MS;

      both[0].box.x = way == 2 && time > 1000 * MS ? 0.24 : 0.25 * (gdouble) time / 1e9;
      both[0].vector = looks[time < 2000 * MS || way != 1 ? 0 : 2];
      gst_upi_tracker_observe (tracker, time, &both[hidden], 2 - hidden);
    }
    g_assert_cmpuint (id_of (tracker, 0), ==, way != 1 ? 1 : 3);
    g_assert_cmpuint (id_of (tracker, 1), ==, 2);
  }
}

/* At first sight it takes more to be one of the lost, and later all sightings count, not the last. */
static void
test_doubt (void)
{
  static const gfloat unclear[4] = { 1, 0.03f, 0.07f, 0.05f };
  const gfloat *const looks_now[4] = { unclear, looks[1], looks[1], looks[0] };
  g_autoptr (GstUpiTracker) tracker = new_tracker ();
  GstUpiSighting both[2] = { sight_someone (0.3, 0), sight_someone (0.9, 1) };
  gint64 time = show (tracker, 0, 1000 * MS, both, 2);

  time = show (tracker, time, 1200 * MS, &both[1], 1);
  both[0].box.x = 0.36;
  for (guint i = 0; i < 4; i++) {
    g_assert_cmpuint (id_of (tracker, 0), ==, i == 0 ? 2 : 0);
    both[0].vector = looks_now[i];
    time = show (tracker, time, STEP, both, 2);
  }
  g_assert_cmpuint (id_of (tracker, 0), ==, 3);
}

/* Who may be a lost one has no id until more is seen of him: four sightings, or a second of a picture that stands
 * still; who comes where nobody was lost gets one at once. */
static void
test_patience (void)
{
  static const gfloat unclear[4] = { 1, 0.06f, 0.06f, 0.05f };
  g_autoptr (GstUpiTracker) tracker = new_tracker ();
  GstUpiSighting all[2] = { sight_someone (0.3, 0), sight_someone (0.6, 1) };
  GstUpiSighting new[2] = { sight_someone (0.45, 2), sight_someone (0.9, 2) };
  gint64 time = show (tracker, 0, 1000 * MS, all, 2);

  new[1].label = "dog";
  time = show (tracker, time, 1200 * MS, NULL, 0);
  time = show (tracker, time, 3 * STEP, new, 2);
  g_assert_cmpuint (id_of (tracker, 0), ==, 0);
  g_assert_cmpuint (id_of (tracker, 1), ==, 3);
  time = show (tracker, time, STEP, new, 2);
  g_assert_cmpuint (id_of (tracker, 0), ==, 4);

  gst_upi_tracker_reset (tracker, TRUE);
  time = show (tracker, time, 1000 * MS, all, 2);
  time = show (tracker, time, 1200 * MS, NULL, 0);
  gst_upi_tracker_observe (tracker, time, new, 1);
  gst_upi_tracker_observe_still (tracker, time + 900 * MS);
  g_assert_cmpuint (id_of (tracker, 0), ==, 0);
  gst_upi_tracker_observe_still (tracker, time + 1000 * MS);
  g_assert_cmpuint (id_of (tracker, 0), ==, 3);

  gst_upi_tracker_reset (tracker, TRUE);
  time = show (tracker, time, 1000 * MS, all, 2);
  time = show (tracker, time, 1200 * MS, NULL, 0);
  new[0].vector = unclear;
  time = show (tracker, time, STEP, new, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 0);
  new[0].vector = looks[0];
  show (tracker, time, 2 * STEP, new, 1);
  g_assert_cmpuint (id_of (tracker, 0), ==, 1);
  g_assert_cmpuint (gst_upi_tracker_get_n_tracks (tracker), ==, 2); /* what waited is that track now */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/track-appearance/recognition", test_recognition);
  g_test_add_func ("/track-appearance/looks", test_looks);
  g_test_add_func ("/track-appearance/labels", test_labels);
  g_test_add_func ("/track-appearance/many-labels", test_many_labels);
  g_test_add_func ("/track-appearance/candidates", test_candidates);
  g_test_add_func ("/track-appearance/latest", test_latest);
  g_test_add_func ("/track-appearance/height", test_height);
  g_test_add_func ("/track-appearance/way", test_way);
  g_test_add_func ("/track-appearance/doubt", test_doubt);
  g_test_add_func ("/track-appearance/patience", test_patience);
  return g_test_run ();
}
