/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracker.c: see tracker.h. F. Yang et al., "Hard to track objects with irregular motions and similar appearances? Make
 * it easier by buffering the matching space" (C-BIoU, 2023); Y. Zhang et al., "ByteTrack" (2022); J. Cao et al.,
 * "Observation-centric SORT" (OC-SORT, 2023). */
#include "gst/track/tracker.h"

#include <math.h>

#include "gst/track/tracker-private.h"

#define REFERENCE_HITS 2 /* the public implementation's */
#define SHOWN_TIME 0.15  /* seconds, of whom nobody sees, however short it was there */
#define SHOWN_SHARE 0.3  /* of the time that it was there: who is found in 8 of 10 frames is shown in all */
#define SHOWN 0.6        /* confidence of an object at its threshold */
#define HEIGHT_GAIN 0.2  /* of the latest box in the mean height, once there were as many */

gdouble
gst_upi_confidence (gdouble score, gdouble threshold)
{
  score = CLAMP (score, 0, 1);
  if (score < threshold)
    return SHOWN * score / threshold;
  return threshold < 1 ? SHOWN + (1 - SHOWN) * (score - threshold) / (1 - threshold) : 1;
}

void
gst_upi_tracker_options_init (GstUpiTrackerOptions *options)
{
  *options = (GstUpiTrackerOptions){ .iou_threshold = 0.22,
    .candidate_threshold = 0.6,
    .tentative_threshold = 0.3,
    .recovery_threshold = 0.7,
    .buffer = 0.3,
    .wide_buffer = 0.5,
    .max_lost_time = 4,
    .min_hits_time = 0.03,
    .sure = 0.7,
    .unsure_time = 0.2,
    .max_shown_time = 0.5,
    .velocity_memory = 10,
    .per_label = TRUE,
    .same_place = 0.7,
    .region = FALSE,
    .region_weight = 0.3,
    .away_time = 0.3,
    .recognition_threshold = 0.45,
    .recognition_weight = 0.6,
    .size_weight = 4,
    .doubt = 0.4,
    .patience = 1,
    .reach = 6 };
}

static void
release_label (gpointer label)
{
  if (label != NULL)
    g_ref_string_release (label);
}

GstUpiTracker *
gst_upi_tracker_new (GDestroyNotify free_user_data)
{
  GstUpiTracker *tracker = g_new0 (GstUpiTracker, 1);

  tracker->free_user_data = free_user_data;
  gst_upi_tracker_options_init (&tracker->options);
  tracker->entries = g_ptr_array_new_with_free_func (gst_upi_track_entry_free);
  tracker->labels = g_ptr_array_new_with_free_func (release_label);
  tracker->scales = g_array_new (FALSE, FALSE, sizeof (gdouble));
  tracker->looks = g_array_new (FALSE, FALSE, sizeof (gfloat));
  tracker->looked = g_array_new (FALSE, FALSE, sizeof (gboolean));
  tracker->owners = g_array_new (FALSE, FALSE, sizeof (gint));
  tracker->unnumbered = g_array_new (FALSE, FALSE, sizeof (guint));
  return tracker;
}

void
gst_upi_tracker_free (GstUpiTracker *tracker)
{
  g_ptr_array_unref (tracker->entries);
  g_ptr_array_unref (tracker->labels);
  g_array_unref (tracker->scales);
  g_array_unref (tracker->looks);
  g_array_unref (tracker->looked);
  g_array_unref (tracker->owners);
  g_array_unref (tracker->unnumbered);
  gst_upi_tracker_forget_appearance (tracker);
  g_free (tracker);
}

void
gst_upi_tracker_set_options (GstUpiTracker *tracker, const GstUpiTrackerOptions *options)
{
  tracker->options = *options;
  if (!options->reference)
    return;
  tracker->options.iou_threshold = 0.2;
  tracker->options.candidate_threshold = 0.5;
  tracker->options.tentative_threshold = 0.3;
  tracker->options.buffer = 0.3;
  tracker->options.wide_buffer = 0.5;
  tracker->options.max_lost_time = 1;
  tracker->options.sure = 0.7;
  tracker->options.per_label = tracker->options.region = FALSE;
}

void
gst_upi_tracker_reset (GstUpiTracker *tracker, gboolean numbers)
{
  g_ptr_array_set_size (tracker->entries, 0);
  g_array_set_size (tracker->owners, 0);
  tracker->observed = FALSE;
  gst_upi_tracker_forget_appearance (tracker);
  if (numbers)
    tracker->last_id = 0;
}

/* Whether it has been there for long enough to get a number. */
static gboolean
is_known (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry)
{
  const GstUpiTrackerOptions *options = &tracker->options;

  if (options->reference)
    return entry->track.hits >= REFERENCE_HITS;
  return (entry->sure && gst_upi_seconds_between (entry->sure_since, tracker->time) >= options->min_hits_time)
      || gst_upi_seconds_between (entry->track.first_seen, tracker->time)
      >= MAX (options->unsure_time, options->min_hits_time);
}

void
gst_upi_tracker_see (GstUpiTracker *tracker, guint index, guint sighting)
{
  GstUpiTrackEntry *entry = gst_upi_tracker_entry_at (tracker, index);
  GstUpiTrack *track = &entry->track;
  const GstUpiSighting *seen = &tracker->sightings[sighting];

  if (track->hits > 0) {
    if (!tracker->options.reference && track->misses > 0 && tracker->time > track->last_seen)
      gst_upi_track_entry_go_straight (entry, &seen->box, tracker->time);
    gst_upi_motion_correct (&track->motion, &seen->box);
  } else {
    gst_upi_motion_start (&track->motion, &seen->box);
    track->first_box = seen->box;
  }
  entry->seen = track->motion;
  track->last_box = seen->box;
  track->last_seen = tracker->time;
  track->hits++;
  entry->height += MAX (1.0 / track->hits, HEIGHT_GAIN) * (seen->box.height - entry->height);
  track->misses = 0;
  track->sighting = (gint) sighting;
  if (!entry->sure && seen->confidence >= tracker->options.sure) {
    entry->sure = TRUE;
    entry->sure_since = tracker->time;
  }
  if (!seen->candidate) { /* who is not sure what it is has no vote, and does not look like it */
    gst_upi_track_entry_vote (entry, gst_upi_tracker_label_of (tracker, sighting), seen->confidence);
    gst_upi_track_entry_add_vector (
        entry, seen->vector, seen->vector_length, g_array_index (tracker->scales, gdouble, sighting));
  }
  if (track->id == 0)
    g_array_append_val (tracker->unnumbered, index);
  *gst_upi_tracker_owner_of (tracker, sighting) = (gint) index;
}

static GArray *
new_indices (void)
{
  return g_array_new (FALSE, FALSE, sizeof (guint));
}

static void
start (GstUpiTracker *tracker, guint sighting)
{
  GstUpiTrackEntry *entry = gst_upi_track_entry_new (tracker->time, tracker->free_user_data);

  g_ptr_array_add (tracker->entries, entry);
  gst_upi_tracker_see (tracker, tracker->entries->len - 1, sighting);
}

/* By looks, who was lost and has come back: also as a track that has no number yet. @tracks that nobody saw; @certain
 * sightings that fit no track */
static void
recognise (GstUpiTracker *tracker, GArray *tracks, GArray *certain)
{
  g_autoptr (GArray) arrivals = new_indices ();

  g_array_append_vals (arrivals, certain->data, certain->len);
  for (guint i = 0; i < tracker->n_sightings; i++) {
    const gint owner = *gst_upi_tracker_owner_of (tracker, i);

    if (owner >= 0 && gst_upi_tracker_entry_at (tracker, (guint) owner)->track.id == 0)
      g_array_append_val (arrivals, i);
  }
  gst_upi_tracker_match (tracker, GST_UPI_ROUND_APPEARANCE, tracks, arrivals);
  for (guint i = certain->len; i-- > 0;) {
    if (*gst_upi_tracker_owner_of (tracker, g_array_index (certain, guint, i)) >= 0)
      g_array_remove_index (certain, i);
  }
}

/* Whether it may turn out to be one of the lost @tracks when more is seen of it. */
static gboolean
may_be_lost (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, const GArray *tracks)
{
  const guint sighting = (guint) entry->track.sighting;
  gdouble likeness;

  if (gst_upi_tracker_knowledge (tracker, sighting) >= 1)
    return FALSE;
  for (guint i = 0; i < tracks->len; i++) {
    GstUpiTrackEntry *lost = gst_upi_tracker_entry_at (tracker, g_array_index (tracks, guint, i));

    if (gst_upi_tracker_label_fits (tracker, lost, sighting) && gst_upi_tracker_closeness (tracker, lost, sighting) > 0
        && gst_upi_tracker_likeness (tracker, lost, sighting, &likeness))
      return TRUE;
  }
  return FALSE;
}

/* Numbers for all that are known by now. An id that is given cannot be taken back: who may be one of the lost @tracks
 * waits for it. */
static void
number (GstUpiTracker *tracker, const GArray *tracks)
{
  for (guint i = 0; i < tracker->unnumbered->len; i++) {
    GstUpiTrackEntry *entry = gst_upi_tracker_entry_at (tracker, g_array_index (tracker->unnumbered, guint, i));

    if (entry->track.sighting < 0) /* it was one of them */
      continue;
    entry->waits = tracker->options.region && may_be_lost (tracker, entry, tracks);
    /* what is certainly there when the stream begins need not prove itself */
    if (!entry->waits && (is_known (tracker, entry) || (!tracker->observed && entry->sure)))
      entry->track.id = ++tracker->last_id;
  }
}

static void
take_sightings (GstUpiTracker *tracker, const GstUpiSighting *sightings, guint n)
{
  tracker->sightings = sightings;
  tracker->n_sightings = n;
  g_ptr_array_set_size (tracker->labels, 0);
  g_array_set_size (tracker->scales, 0);
  g_array_set_size (tracker->owners, 0);
  g_array_set_size (tracker->unnumbered, 0);
  for (guint i = 0; i < n; i++) {
    gdouble square = 0;
    const gint nobody = -1;

    g_ptr_array_add (tracker->labels, sightings[i].label != NULL ? g_ref_string_new_intern (sightings[i].label) : NULL);
    for (guint k = 0; sightings[i].vector != NULL && k < sightings[i].vector_length; k++)
      square += sightings[i].vector[k] * sightings[i].vector[k];
    const gdouble scale = square > 0 && isfinite (square) ? 1 / sqrt (square) : 0;
    g_array_append_val (tracker->scales, scale);
    g_array_append_val (tracker->owners, nobody);
    if (tracker->options.region)
      gst_upi_tracker_learn_appearance (tracker, i);
  }
  if (tracker->options.region)
    gst_upi_tracker_look (tracker);
}

static void
predict (GstUpiTracker *tracker, gdouble steps)
{
  for (guint i = 0; i < tracker->entries->len; i++) {
    GstUpiTrackEntry *entry = gst_upi_tracker_entry_at (tracker, i);

    entry->track.sighting = -1;
    if (!tracker->options.reference && entry->track.misses > 0)
      gst_upi_motion_damp (
          &entry->track.motion, exp (-steps / (tracker->options.velocity_memory * GST_UPI_MOTION_STEPS_PER_SECOND)));
    if (steps > 0)
      gst_upi_motion_predict (&entry->track.motion, steps, !tracker->options.reference);
  }
}

/* What nobody saw: its clock runs, and may have run out. */
static void
miss (GstUpiTracker *tracker)
{
  guint kept = 0;
  g_autofree gint *places = g_new (gint, tracker->entries->len + 1);

  for (guint i = 0; i < tracker->entries->len; i++) {
    GstUpiTrackEntry *entry = gst_upi_tracker_entry_at (tracker, i);
    GstUpiTrack *track = &entry->track;

    if (track->sighting < 0)
      track->misses++;
    const gdouble lost = gst_upi_seconds_between (track->last_seen, tracker->time) - 2e-6;
    const gboolean dead = track->misses > 0 && (track->id == 0 || lost > tracker->options.max_lost_time);
    places[i] = dead ? -1 : (gint) kept;
    if (dead)
      gst_upi_track_entry_free (entry);
    else
      tracker->entries->pdata[kept++] = entry;
  }
  tracker->entries->len = kept; /* the others are freed already */
  for (guint i = 0; i < tracker->n_sightings; i++) {
    if (*gst_upi_tracker_owner_of (tracker, i) >= 0)
      *gst_upi_tracker_owner_of (tracker, i) = places[*gst_upi_tracker_owner_of (tracker, i)];
  }
}

void
gst_upi_tracker_observe (GstUpiTracker *tracker, gint64 time, const GstUpiSighting *sightings, guint n)
{
  const gboolean reference = tracker->options.reference;
  g_autoptr (GArray) tracks = new_indices ();
  g_autoptr (GArray) tentative = new_indices ();
  g_autoptr (GArray) certain = new_indices ();
  g_autoptr (GArray) candidates = new_indices ();

  time = tracker->observed ? MAX (time, tracker->time) : time;
  predict (tracker, tracker->observed ? gst_upi_steps_between (tracker->time, time) : 0);
  tracker->time = time;
  take_sightings (tracker, sightings, n);
  for (guint i = 0; i < n; i++)
    g_array_append_val (sightings[i].candidate ? candidates : certain, i);
  /* those seen last time first, then the lost: only where pairs tie the order matters */
  for (guint lost = 0; lost < 2; lost++) {
    for (guint i = 0; i < tracker->entries->len; i++) {
      const GstUpiTrack *track = &gst_upi_tracker_entry_at (tracker, i)->track;

      if ((track->misses > 0) == lost)
        g_array_append_val (track->id != 0 ? tracks : tentative, i);
    }
  }
  gst_upi_tracker_match (tracker, GST_UPI_ROUND_FIRST, tracks, certain);
  g_autoptr (GArray) recent = new_indices ();
  for (guint i = 0; i < tracks->len; i++) {
    const guint index = g_array_index (tracks, guint, i);

    if (gst_upi_tracker_entry_at (tracker, index)->track.misses == 0)
      g_array_append_val (recent, index);
  }
  gst_upi_tracker_match (tracker, GST_UPI_ROUND_CANDIDATES, recent, candidates);
  for (guint i = tracks->len; i-- > 0;) {
    if (gst_upi_tracker_entry_at (tracker, g_array_index (tracks, guint, i))->track.sighting >= 0)
      g_array_remove_index (tracks, i);
  }
  if (!reference)
    gst_upi_tracker_match (tracker, GST_UPI_ROUND_RECOVERY, tracks, certain);
  gst_upi_tracker_match (tracker, GST_UPI_ROUND_TENTATIVE, tentative, certain);
  if (!reference && tracker->options.per_label)
    gst_upi_tracker_match (tracker, GST_UPI_ROUND_SAME_PLACE, tracks, certain);
  if (tracker->options.region)
    recognise (tracker, tracks, certain);
  for (guint i = 0; i < certain->len; i++) {
    const guint sighting = g_array_index (certain, guint, i);

    if (!reference || sightings[sighting].confidence >= tracker->options.sure)
      start (tracker, sighting);
  }
  number (tracker, tracks);
  miss (tracker);
  tracker->sightings = NULL;
  tracker->observed = TRUE;
}

void
gst_upi_tracker_observe_still (GstUpiTracker *tracker, gint64 time)
{
  if (!tracker->observed || time <= tracker->time)
    return;
  const gint64 passed = time - tracker->time;
  const gdouble kept = exp (-(gdouble) passed / GST_UPI_TRACKER_SECOND / tracker->options.velocity_memory);
  tracker->time = time;
  for (guint i = 0; i < tracker->entries->len; i++) {
    GstUpiTrackEntry *entry = gst_upi_tracker_entry_at (tracker, i);
    GstUpiTrack *track = &entry->track;

    gst_upi_motion_damp (&track->motion, kept);
    if (track->sighting < 0)
      continue;
    track->last_seen = time;
    if (track->id == 0 && is_known (tracker, entry)
        && (!entry->waits || gst_upi_seconds_between (track->first_seen, time) >= tracker->options.patience))
      track->id = ++tracker->last_id;
    entry->seen = track->motion;
  }
  miss (tracker);
}

guint
gst_upi_tracker_get_n_tracks (const GstUpiTracker *tracker)
{
  return tracker->entries->len;
}

const GstUpiTrack *
gst_upi_tracker_get_track (const GstUpiTracker *tracker, guint index)
{
  return &gst_upi_tracker_entry_at (tracker, index)->track;
}

void
gst_upi_track_set_user_data (const GstUpiTrack *track, gpointer user_data)
{
  ((GstUpiTrackEntry *) track)->track.user_data = user_data;
}

const GstUpiTrack *
gst_upi_tracker_get_track_of (const GstUpiTracker *tracker, guint sighting)
{
  if (sighting >= tracker->owners->len || *gst_upi_tracker_owner_of (tracker, sighting) < 0)
    return NULL;
  return &gst_upi_tracker_entry_at (tracker, (guint) *gst_upi_tracker_owner_of (tracker, sighting))->track;
}

gboolean
gst_upi_tracker_get_box (const GstUpiTracker *tracker, const GstUpiTrack *track, gint64 time, GstUpiBox *box)
{
  const gdouble steps = MAX (gst_upi_steps_between (tracker->time, time), 0);

  *box = gst_upi_motion_get_box_after (
      &track->motion, steps, tracker->options.velocity_memory * GST_UPI_MOTION_STEPS_PER_SECOND);
  if (track->id == 0)
    return FALSE;
  const gdouble shown = MAX (SHOWN_TIME, SHOWN_SHARE * gst_upi_seconds_between (track->first_seen, track->last_seen));
  return track->sighting >= 0 || track->misses <= 1
      || gst_upi_seconds_between (track->last_seen, time) - 2e-6 <= MIN (tracker->options.max_shown_time, shown);
}
