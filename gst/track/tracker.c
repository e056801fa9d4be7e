/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracker.c: see tracker.h. F. Yang et al., "Hard to track objects with irregular motions and similar appearances? Make
 * it easier by buffering the matching space" (C-BIoU, 2023); Y. Zhang et al., "ByteTrack" (2022); J. Cao et al.,
 * "Observation-centric SORT" (OC-SORT, 2023). */
#include "gst/track/tracker.h"

#include <math.h>

#include "gst/track/assignment.h"

#define SECOND 1e9 /* nanoseconds */

/* A label and the confidence of all sightings that had it. */
typedef struct {
  GRefString *label;
  gdouble votes;
} Vote;

typedef struct {
  GstUpiTrack track; /* first: it stands for the whole */
  GDestroyNotify free_user_data;
  GRefString *label; /* of the winner */
  GArray *votes;     /* Vote */
  gfloat *vector;    /* the mean, of length 1 */
  gdouble weight;    /* sightings in it */
  GstUpiMotion seen; /* the filter right after the last sighting */
  gboolean sure;     /* since @sure_since */
  gint64 sure_since;
} Entry;

struct _GstUpiTracker {
  GstUpiTrackerOptions options;
  GDestroyNotify free_user_data;
  GPtrArray *entries; /* Entry, oldest first */
  gint64 time;        /* of the last sightings */
  gboolean observed;
  guint64 last_id;

  /* one observation */
  const GstUpiSighting *sightings;
  guint n_sightings;
  GPtrArray *labels; /* (nullable) GRefString of each sighting */
  GArray *scales;    /* gdouble: 1 / length of each sighting's vector, 0 without */
  GArray *owners;    /* gint: index of the entry that has it, or -1 */
};

#define REFERENCE_HITS 2 /* the public implementation's */
#define SHOWN 0.6        /* confidence of an object at its threshold */

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
    .max_shown_time = 0.15,
    .velocity_memory = 10,
    .per_label = TRUE,
    .same_place = 0.7,
    .region = FALSE,
    .region_weight = 0.2,
    .region_threshold = 0.5 };
}

static void
clear_vote (gpointer vote)
{
  g_clear_pointer (&((Vote *) vote)->label, g_ref_string_release);
}

static void
free_entry (gpointer data)
{
  Entry *entry = data;

  if (entry->free_user_data != NULL && entry->track.user_data != NULL)
    entry->free_user_data (entry->track.user_data);
  g_clear_pointer (&entry->label, g_ref_string_release);
  g_array_unref (entry->votes);
  g_free (entry->vector);
  g_free (entry);
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
  tracker->entries = g_ptr_array_new_with_free_func (free_entry);
  tracker->labels = g_ptr_array_new_with_free_func (release_label);
  tracker->scales = g_array_new (FALSE, FALSE, sizeof (gdouble));
  tracker->owners = g_array_new (FALSE, FALSE, sizeof (gint));
  return tracker;
}

void
gst_upi_tracker_free (GstUpiTracker *tracker)
{
  g_ptr_array_unref (tracker->entries);
  g_ptr_array_unref (tracker->labels);
  g_array_unref (tracker->scales);
  g_array_unref (tracker->owners);
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
  if (numbers)
    tracker->last_id = 0;
}

static Entry *
entry_at (const GstUpiTracker *tracker, guint index)
{
  return g_ptr_array_index (tracker->entries, index);
}

static gint *
owner_of (const GstUpiTracker *tracker, guint sighting)
{
  return &g_array_index (tracker->owners, gint, sighting);
}

static GRefString *
label_of (const GstUpiTracker *tracker, guint sighting)
{
  return g_ptr_array_index (tracker->labels, sighting);
}

static void
vote (Entry *entry, GRefString *label, gdouble confidence)
{
  guint winner = 0;
  guint i = 0;

  if (label == NULL)
    return;
  while (i < entry->votes->len && g_array_index (entry->votes, Vote, i).label != label)
    i++;
  if (i == entry->votes->len)
    g_array_append_val (entry->votes, ((Vote){ .label = g_ref_string_acquire (label) }));
  g_array_index (entry->votes, Vote, i).votes += MAX (confidence, 1e-3);
  for (guint k = 1; k < entry->votes->len; k++) {
    if (g_array_index (entry->votes, Vote, k).votes > g_array_index (entry->votes, Vote, winner).votes)
      winner = k;
  }
  label = g_ref_string_acquire (g_array_index (entry->votes, Vote, winner).label);
  g_clear_pointer (&entry->label, g_ref_string_release);
  entry->track.label = entry->label = label;
}

/* The mean of all, and after some time of the latest: an object that turns looks different. */
#define LONGEST_MEAN 16

static void
add_vector (Entry *entry, const gfloat *vector, guint length, gdouble scale)
{
  gdouble square = 0;

  if (scale == 0)
    return;
  if (entry->vector == NULL || entry->track.vector_length != length) { /* of another model: begin anew */
    g_free (entry->vector);
    entry->vector = g_new0 (gfloat, length);
    entry->track.vector = entry->vector;
    entry->track.vector_length = length;
    entry->weight = 0;
  }
  for (guint i = 0; i < length; i++) {
    entry->vector[i] = (gfloat) ((entry->weight * entry->vector[i] + scale * vector[i]) / (entry->weight + 1));
    square += entry->vector[i] * entry->vector[i];
  }
  if (square > 0) {
    for (guint i = 0; i < length; i++)
      entry->vector[i] /= (gfloat) sqrt (square);
  }
  entry->weight = MIN (entry->weight + 1, LONGEST_MEAN);
}

/* A millionth of a second less than nothing is missing where times were rounded. */
static gdouble
seconds_between (gint64 from, gint64 to)
{
  return (gdouble) (to - from) / SECOND + 1e-6;
}

static gdouble
steps_between (gint64 from, gint64 to)
{
  return (gdouble) (to - from) / SECOND * GST_UPI_MOTION_STEPS_PER_SECOND;
}

/* What the filter would be if the object had gone straight from its last sighting to this one (OC-SORT's re-update):
 * what it guessed meanwhile was without any. The caller corrects by the new sighting. */
static void
go_straight (Entry *entry, const GstUpiBox *box, gint64 time)
{
  const GstUpiBox from = entry->track.last_box;
  const gdouble steps = steps_between (entry->track.last_seen, time);
  const guint n = entry->track.misses + 1;

  entry->track.motion = entry->seen;
  for (guint i = 1; i <= n; i++) {
    const gdouble share = (gdouble) i / n;
    const GstUpiBox between = { from.x + share * (box->x - from.x), from.y + share * (box->y - from.y),
      from.width + share * (box->width - from.width), from.height + share * (box->height - from.height) };

    gst_upi_motion_predict (&entry->track.motion, steps / n, TRUE);
    if (i < n)
      gst_upi_motion_correct (&entry->track.motion, &between);
  }
}

/* Whether it has been there for long enough to get a number. */
static gboolean
is_known (const GstUpiTracker *tracker, const Entry *entry)
{
  const GstUpiTrackerOptions *options = &tracker->options;

  if (options->reference)
    return entry->track.hits >= REFERENCE_HITS;
  return (entry->sure && seconds_between (entry->sure_since, tracker->time) >= options->min_hits_time)
      || seconds_between (entry->track.first_seen, tracker->time) >= MAX (options->unsure_time, options->min_hits_time);
}

static void
see (GstUpiTracker *tracker, guint index, guint sighting)
{
  Entry *entry = entry_at (tracker, index);
  GstUpiTrack *track = &entry->track;
  const GstUpiSighting *seen = &tracker->sightings[sighting];

  if (track->hits > 0) {
    if (!tracker->options.reference && track->misses > 0 && tracker->time > track->last_seen)
      go_straight (entry, &seen->box, tracker->time);
    gst_upi_motion_correct (&track->motion, &seen->box);
  } else {
    gst_upi_motion_start (&track->motion, &seen->box);
  }
  entry->seen = track->motion;
  track->last_box = seen->box;
  track->last_seen = tracker->time;
  track->hits++;
  track->misses = 0;
  track->sighting = (gint) sighting;
  if (!entry->sure && seen->confidence >= tracker->options.sure) {
    entry->sure = TRUE;
    entry->sure_since = tracker->time;
  }
  if (!seen->candidate) /* who is not sure what it is has no vote */
    vote (entry, label_of (tracker, sighting), seen->confidence);
  add_vector (entry, seen->vector, seen->vector_length, g_array_index (tracker->scales, gdouble, sighting));
  if (track->id == 0 && is_known (tracker, entry))
    track->id = ++tracker->last_id;
  *owner_of (tracker, sighting) = (gint) index;
}

static void
start (GstUpiTracker *tracker, guint sighting)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->free_user_data = tracker->free_user_data;
  entry->votes = g_array_new (FALSE, FALSE, sizeof (Vote));
  g_array_set_clear_func (entry->votes, clear_vote);
  entry->track.first_seen = tracker->time;
  g_ptr_array_add (tracker->entries, entry);
  see (tracker, tracker->entries->len - 1, sighting);
  /* what is certainly there when the stream begins need not prove itself */
  if (!tracker->observed && entry->track.id == 0 && entry->sure)
    entry->track.id = ++tracker->last_id;
}

typedef enum { ROUND_FIRST, ROUND_CANDIDATES, ROUND_TENTATIVE, ROUND_RECOVERY, ROUND_SAME_PLACE } Round;

static gboolean
label_fits (const GstUpiTracker *tracker, const Entry *entry, guint sighting)
{
  return !tracker->options.per_label || entry->label == NULL || label_of (tracker, sighting) == NULL
      || entry->label == label_of (tracker, sighting);
}

/* Cosine of what track and sighting look like; 2 if nobody knows. */
static gdouble
likeness (const GstUpiTracker *tracker, const Entry *entry, guint sighting)
{
  const GstUpiSighting *seen = &tracker->sightings[sighting];
  const gdouble scale = g_array_index (tracker->scales, gdouble, sighting);
  gfloat dot = 0;

  if (scale == 0 || entry->vector == NULL || entry->track.vector_length != seen->vector_length)
    return 2;
  for (guint i = 0; i < seen->vector_length; i++)
    dot += entry->vector[i] * seen->vector[i];
  return scale * dot;
}

/* How well they fit, 0..1. @enough: whether that makes a pair of them. */
static gdouble
similarity (const GstUpiTracker *tracker, Round round, guint index, guint sighting, gboolean *enough)
{
  const GstUpiTrackerOptions *options = &tracker->options;
  const Entry *entry = entry_at (tracker, index);
  const GstUpiSighting *seen = &tracker->sightings[sighting];
  const GstUpiBox predicted = gst_upi_motion_get_box (&entry->track.motion);
  gdouble fit = 0, threshold = 1;

  *enough = FALSE;
  if (round != ROUND_SAME_PLACE && !label_fits (tracker, entry, sighting))
    return 0;
  switch (round) {
  case ROUND_FIRST:
    fit = gst_upi_box_overlap (&predicted, &seen->box, options->buffer) * seen->confidence;
    threshold = options->iou_threshold;
    break;
  case ROUND_CANDIDATES:
    fit = gst_upi_box_overlap (&predicted, &seen->box, options->wide_buffer);
    threshold = options->candidate_threshold;
    break;
  case ROUND_TENTATIVE:
    fit = gst_upi_box_overlap (&predicted, &seen->box, options->buffer) * seen->confidence;
    threshold = options->tentative_threshold;
    break;
  case ROUND_RECOVERY:
    fit = gst_upi_box_overlap (&entry->track.last_box, &seen->box, options->buffer) * seen->confidence;
    threshold = options->recovery_threshold;
    break;
  case ROUND_SAME_PLACE:
    fit = gst_upi_box_overlap (&predicted, &seen->box, 0);
    threshold = options->same_place;
    break;
  }
  *enough = fit >= threshold;
  /* who is somewhere else need not be looked at: a hundred objects have ten thousand pairs, and few that touch */
  const gdouble alike = options->region && fit > 0 ? likeness (tracker, entry, sighting) : 2;
  if (alike > 1.5)
    return fit;
  *enough &= alike >= options->region_threshold;
  return (1 - options->region_weight) * fit + options->region_weight * MAX (alike, 0);
}

/* Pairs @tracks and @sightings, and takes those that found each other out of both. All are paired, however badly, and
 * only good pairs taken, as SORT and its followers do it: who fits two would otherwise rather take what another has a
 * better claim to. */
static void
match (GstUpiTracker *tracker, Round round, GArray *tracks, GArray *sightings)
{
  const guint rows = tracks->len, columns = sightings->len;
  gboolean any = FALSE;

  if (rows == 0 || columns == 0)
    return;
  g_autofree gdouble *similarities = g_new (gdouble, (gsize) rows * columns);
  g_autofree gboolean *enough = g_new (gboolean, (gsize) rows * columns);
  g_autofree gint *found = g_new (gint, rows);
  for (guint r = 0; r < rows; r++) {
    for (guint c = 0; c < columns; c++) {
      const gsize pair = (gsize) r * columns + c;

      similarities[pair] = similarity (
          tracker, round, g_array_index (tracks, guint, r), g_array_index (sightings, guint, c), &enough[pair]);
      any |= enough[pair];
    }
  }
  if (!any)
    return;
  gst_upi_assign (similarities, rows, columns, found);
  for (guint r = rows; r-- > 0;) {
    if (found[r] < 0 || !enough[(gsize) r * columns + (guint) found[r]])
      continue;
    see (tracker, g_array_index (tracks, guint, r), g_array_index (sightings, guint, (guint) found[r]));
    g_array_remove_index (tracks, r);
  }
  for (guint c = columns; c-- > 0;) {
    if (*owner_of (tracker, g_array_index (sightings, guint, c)) >= 0)
      g_array_remove_index (sightings, c);
  }
}

static GArray *
new_indices (void)
{
  return g_array_new (FALSE, FALSE, sizeof (guint));
}

static void
take_sightings (GstUpiTracker *tracker, const GstUpiSighting *sightings, guint n)
{
  tracker->sightings = sightings;
  tracker->n_sightings = n;
  g_ptr_array_set_size (tracker->labels, 0);
  g_array_set_size (tracker->scales, 0);
  g_array_set_size (tracker->owners, 0);
  for (guint i = 0; i < n; i++) {
    gdouble square = 0;
    const gint nobody = -1;

    g_ptr_array_add (tracker->labels, sightings[i].label != NULL ? g_ref_string_new_intern (sightings[i].label) : NULL);
    for (guint k = 0; sightings[i].vector != NULL && k < sightings[i].vector_length; k++)
      square += sightings[i].vector[k] * sightings[i].vector[k];
    const gdouble scale = square > 0 && isfinite (square) ? 1 / sqrt (square) : 0;
    g_array_append_val (tracker->scales, scale);
    g_array_append_val (tracker->owners, nobody);
  }
}

static void
predict (GstUpiTracker *tracker, gdouble steps)
{
  for (guint i = 0; i < tracker->entries->len; i++) {
    Entry *entry = entry_at (tracker, i);

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
    Entry *entry = entry_at (tracker, i);
    GstUpiTrack *track = &entry->track;

    if (track->sighting < 0)
      track->misses++;
    const gdouble lost = seconds_between (track->last_seen, tracker->time) - 2e-6;
    const gboolean dead = track->misses > 0 && (track->id == 0 || lost > tracker->options.max_lost_time);
    places[i] = dead ? -1 : (gint) kept;
    if (dead)
      free_entry (entry);
    else
      tracker->entries->pdata[kept++] = entry;
  }
  tracker->entries->len = kept; /* the others are freed already */
  for (guint i = 0; i < tracker->n_sightings; i++) {
    if (*owner_of (tracker, i) >= 0)
      *owner_of (tracker, i) = places[*owner_of (tracker, i)];
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
  predict (tracker, tracker->observed ? steps_between (tracker->time, time) : 0);
  tracker->time = time;
  take_sightings (tracker, sightings, n);
  for (guint i = 0; i < n; i++)
    g_array_append_val (sightings[i].candidate ? candidates : certain, i);
  /* those seen last time first, then the lost: only where pairs tie the order matters */
  for (guint lost = 0; lost < 2; lost++) {
    for (guint i = 0; i < tracker->entries->len; i++) {
      const GstUpiTrack *track = &entry_at (tracker, i)->track;

      if ((track->misses > 0) == lost)
        g_array_append_val (track->id != 0 ? tracks : tentative, i);
    }
  }
  match (tracker, ROUND_FIRST, tracks, certain);
  g_autoptr (GArray) recent = new_indices ();
  for (guint i = 0; i < tracks->len; i++) {
    const guint index = g_array_index (tracks, guint, i);

    if (entry_at (tracker, index)->track.misses == 0)
      g_array_append_val (recent, index);
  }
  match (tracker, ROUND_CANDIDATES, recent, candidates);
  for (guint i = tracks->len; i-- > 0;) {
    if (entry_at (tracker, g_array_index (tracks, guint, i))->track.sighting >= 0)
      g_array_remove_index (tracks, i);
  }
  if (!reference)
    match (tracker, ROUND_RECOVERY, tracks, certain);
  match (tracker, ROUND_TENTATIVE, tentative, certain);
  if (!reference && tracker->options.per_label)
    match (tracker, ROUND_SAME_PLACE, tracks, certain);
  for (guint i = 0; i < certain->len; i++) {
    const guint sighting = g_array_index (certain, guint, i);

    if (!reference || sightings[sighting].confidence >= tracker->options.sure)
      start (tracker, sighting);
  }
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
  const gdouble kept = exp (-(gdouble) passed / SECOND / tracker->options.velocity_memory);
  tracker->time = time;
  for (guint i = 0; i < tracker->entries->len; i++) {
    Entry *entry = entry_at (tracker, i);
    GstUpiTrack *track = &entry->track;

    gst_upi_motion_damp (&track->motion, kept);
    if (track->sighting < 0)
      continue;
    track->last_seen = time;
    if (track->id == 0 && is_known (tracker, entry))
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
  return &entry_at (tracker, index)->track;
}

void
gst_upi_track_set_user_data (const GstUpiTrack *track, gpointer user_data)
{
  ((Entry *) track)->track.user_data = user_data;
}

const GstUpiTrack *
gst_upi_tracker_get_track_of (const GstUpiTracker *tracker, guint sighting)
{
  if (sighting >= tracker->owners->len || *owner_of (tracker, sighting) < 0)
    return NULL;
  return &entry_at (tracker, (guint) *owner_of (tracker, sighting))->track;
}

gboolean
gst_upi_tracker_get_box (const GstUpiTracker *tracker, const GstUpiTrack *track, gint64 time, GstUpiBox *box)
{
  const gdouble steps = MAX (steps_between (tracker->time, time), 0);

  *box = gst_upi_motion_get_box_after (
      &track->motion, steps, tracker->options.velocity_memory * GST_UPI_MOTION_STEPS_PER_SECOND);
  if (track->id == 0)
    return FALSE;
  return track->sighting >= 0 || track->misses <= 1
      || seconds_between (track->last_seen, time) - 2e-6 <= tracker->options.max_shown_time;
}
