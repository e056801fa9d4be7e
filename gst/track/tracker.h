/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracker.h: the same object keeps its number. Sightings of one moment after the other go in, tracks come out: by
 * motion and buffered overlap (C-BIoU), with low scores in a round of their own (ByteTrack), recovery from the last
 * sighting (OC-SORT), and by what objects look like.
 *
 * It counts in times, never in frames: 5 sightings a second or 60, regular or not. It knows neither GStreamer nor
 * pixels.
 */
#pragma once

#include "gst/track/motion.h"

G_BEGIN_DECLS

typedef struct _GstUpiTracker GstUpiTracker;

/**
 * GstUpiTrackerOptions: gst_upi_tracker_options_init() sets the defaults. Thresholds are least similarities, 0..1: of
 * the overlap of two boxes that both grew, times the sighting's confidence, which is not asked of candidates.
 * @iou_threshold: of a track and a sighting
 * @candidate_threshold: the same where the sighting is a candidate
 * @tentative_threshold: the same where the track has no number yet
 * @recovery_threshold: the same where all of that failed, with the box of the track's last sighting
 * @buffer: how far boxes grow on every side, in shares of their size
 * @wide_buffer: the same for candidates
 * @max_lost_time: after how long without a sighting a track ends, seconds
 * @min_hits_time: for how long an object must be known until it gets a number, seconds
 * @sure: confidence from which an object counts as known
 * @unsure_time: for how long it must be there without ever getting there, seconds
 * @max_shown_time: for how long a track is shown that later sightings lack, seconds, where it was known for long
 * enough, or else for 0.3 of that time; 0.15 s and one observation are always bridged
 * @velocity_memory: after how long without a sighting a velocity means little, seconds
 * @per_label: objects of another label belong to a track only where they lie on it
 * @same_place: how much that is: least overlap, nothing grown
 * @region: compare what objects look like, too
 * @region_weight: of that, against motion
 * @away_time: after how long without a sighting looks decide and not where it would be by now, seconds
 * @recognition_threshold: of how close they are and that cosine, from which a lost track has come back
 * @recognition_weight: of the cosine in that
 * @size_weight: of another height, as its logarithm, in how close they are
 * @doubt: how much more it takes at first; less and less until four sightings
 * @patience: or that time, seconds; for so long who may have come back waits for an id
 * @reach: how far it may have come in the first second, in sizes of its box; later no farther
 * @reference: nothing but C-BIoU as PyPI trackers has it with its defaults, in steps of 1/30 s: for comparison
 */
typedef struct {
  gdouble iou_threshold, candidate_threshold, tentative_threshold, recovery_threshold;
  gdouble buffer, wide_buffer;
  gdouble max_lost_time, min_hits_time, sure, unsure_time, max_shown_time;
  gdouble velocity_memory;
  gboolean per_label;
  gdouble same_place;
  gboolean region;
  gdouble region_weight, away_time, recognition_threshold, recognition_weight, size_weight, doubt, patience, reach;
  gboolean reference;
} GstUpiTrackerOptions;

/**
 * GstUpiSighting: an object that was found at one moment.
 * @confidence: 0..1, see gst_upi_confidence()
 * @label: (nullable): UTF-8
 * @candidate: too uncertain to be shown; may go on with a track, never starts one
 * @vector: (nullable) (array length=vector_length): what it looks like, of any length but 0
 */
typedef struct {
  GstUpiBox box;
  gdouble confidence;
  const gchar *label;
  gboolean candidate;
  const gfloat *vector;
  guint vector_length;
} GstUpiSighting;

/**
 * GstUpiTrack: owned by the tracker; what is said of the last sightings holds until the next.
 * @id: 1, 2, 3 …; 0: not long enough known
 * @first_seen, @last_seen: nanoseconds
 * @hits: sightings so far
 * @misses: sightings of others since its own last one
 * @sighting: its index among the last sightings, or -1
 * @label: (nullable): the one with most votes, by scores
 * @first_box, @last_box: of its first and its last sighting
 * @motion: at the time of the last sightings
 * @vector: (nullable) (array length=vector_length): mean of its sightings' vectors, of length 1
 * @user_data: (nullable): see gst_upi_track_set_user_data()
 */
typedef struct {
  guint64 id;
  gint64 first_seen, last_seen;
  guint hits, misses;
  gint sighting;
  const gchar *label;
  GstUpiBox first_box, last_box;
  GstUpiMotion motion;
  const gfloat *vector;
  guint vector_length;
  gpointer user_data;
} GstUpiTrack;

/**
 * gst_upi_confidence: what a score says where another detector's scores mean other things: 0.6 at the threshold that
 * objects are shown from, as the trackers that this one is made after have it.
 * @score: 0..1
 * @threshold: 0..1
 */
gdouble gst_upi_confidence (gdouble score, gdouble threshold);

void gst_upi_tracker_options_init (GstUpiTrackerOptions *options);

/* @free_user_data: (nullable): of tracks that end */
GstUpiTracker *gst_upi_tracker_new (GDestroyNotify free_user_data);
void gst_upi_tracker_free (GstUpiTracker *tracker);

/* Takes over with the next sightings; tracks stay. */
void gst_upi_tracker_set_options (GstUpiTracker *tracker, const GstUpiTrackerOptions *options);

/* Forgets all tracks. Numbers begin at 1 again if @numbers. */
void gst_upi_tracker_reset (GstUpiTracker *tracker, gboolean numbers);

/**
 * gst_upi_tracker_observe:
 * @time: nanoseconds; not before the last, or it counts as the last
 * @sightings: (array length=n): all that was found at @time; none are an observation too
 */
void gst_upi_tracker_observe (GstUpiTracker *tracker, gint64 time, const GstUpiSighting *sightings, guint n);

/* At @time the picture is still the one of the last sightings: all that was seen then is seen again, where it was, and
 * comes to rest. */
void gst_upi_tracker_observe_still (GstUpiTracker *tracker, gint64 time);

guint gst_upi_tracker_get_n_tracks (const GstUpiTracker *tracker);
const GstUpiTrack *gst_upi_tracker_get_track (const GstUpiTracker *tracker, guint index);

/* Whatever the caller wants to remember of a track. What was there is not freed. */
void gst_upi_track_set_user_data (const GstUpiTrack *track, gpointer user_data);

/* Which track has the sighting of this index among the last? Returns: (nullable) */
const GstUpiTrack *gst_upi_tracker_get_track_of (const GstUpiTracker *tracker, guint sighting);

/**
 * gst_upi_tracker_get_box: where a track is at @time, at or after the last sightings.
 * Returns: FALSE if it is not to be shown then
 */
gboolean gst_upi_tracker_get_box (const GstUpiTracker *tracker, const GstUpiTrack *track, gint64 time, GstUpiBox *box);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiTracker, gst_upi_tracker_free)

G_END_DECLS
