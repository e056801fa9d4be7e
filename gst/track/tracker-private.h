/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracker-private.h: what the tracker's files share: tracker.c, an observation from sightings to tracks; match.c, which
 * sightings go on with which tracks; track-entry.c, what one track goes by; appearance.c, how alike things look. */
#pragma once

#include "gst/track/tracker.h"

G_BEGIN_DECLS

#define GST_UPI_TRACKER_SECOND 1e9 /* nanoseconds */

/* A track and what it goes by. */
typedef struct {
  GstUpiTrack track; /* first: it stands for the whole */
  GDestroyNotify free_user_data;
  GRefString *label;          /* of the winner */
  GArray *votes;              /* of labels, see track-entry.c */
  gfloat *vector;             /* the mean, of length 1 */
  gfloat *latest;             /* the last of them, of length 1 */
  gdouble weight;             /* sightings in it */
  gfloat *look, *latest_look; /* both against the mean of the label, of length 1 */
  gboolean looked;            /* they are there, */
  guint64 looked_at;          /* as of that observation */
  gdouble height;             /* the mean of its boxes', and after some time of the latest */
  GstUpiMotion seen;          /* the filter right after the last sighting */
  gboolean sure;              /* since @sure_since */
  gint64 sure_since;
  gboolean waits; /* for its number, see tracker.c's number() */
} GstUpiTrackEntry;

struct _GstUpiTracker {
  GstUpiTrackerOptions options;
  GDestroyNotify free_user_data;
  GPtrArray *entries; /* GstUpiTrackEntry, oldest first */
  gint64 time;        /* of the last sightings */
  gboolean observed;
  guint64 last_id;
  gfloat *mean; /* (nullable) of all sightings' vectors, each of length 1 */
  guint mean_length;
  gdouble mean_weight; /* sightings in it */
  GArray *label_means; /* (nullable), see appearance.c */

  /* one observation */
  guint64 observation; /* the how manyth */
  const GstUpiSighting *sightings;
  guint n_sightings;
  GPtrArray *labels;  /* (nullable) GRefString of each sighting */
  GArray *scales;     /* gdouble: 1 / length of each sighting's vector, 0 without */
  GArray *looks;      /* gfloat: [sightings, mean_length]: what each looks like against the mean, of length 1 */
  GArray *looked;     /* gboolean: it has such */
  GArray *owners;     /* gint: index of the entry that has it, or -1 */
  GArray *unnumbered; /* guint: indices of entries without a number that were seen */
};

/* A millionth of a second less than nothing is missing where times were rounded. */
static inline gdouble
gst_upi_seconds_between (gint64 from, gint64 to)
{
  return (gdouble) (to - from) / GST_UPI_TRACKER_SECOND + 1e-6;
}

static inline gdouble
gst_upi_steps_between (gint64 from, gint64 to)
{
  return (gdouble) (to - from) / GST_UPI_TRACKER_SECOND * GST_UPI_MOTION_STEPS_PER_SECOND;
}

static inline GstUpiTrackEntry *
gst_upi_tracker_entry_at (const GstUpiTracker *tracker, guint index)
{
  return g_ptr_array_index (tracker->entries, index);
}

static inline gint *
gst_upi_tracker_owner_of (const GstUpiTracker *tracker, guint sighting)
{
  return &g_array_index (tracker->owners, gint, sighting);
}

static inline GRefString *
gst_upi_tracker_label_of (const GstUpiTracker *tracker, guint sighting)
{
  return g_ptr_array_index (tracker->labels, sighting);
}

typedef enum {
  GST_UPI_ROUND_FIRST,
  GST_UPI_ROUND_CANDIDATES,
  GST_UPI_ROUND_TENTATIVE,
  GST_UPI_ROUND_RECOVERY,
  GST_UPI_ROUND_SAME_PLACE,
  GST_UPI_ROUND_APPEARANCE
} GstUpiRound;

/* @free_user_data: (nullable) */
GstUpiTrackEntry *gst_upi_track_entry_new (gint64 time, GDestroyNotify free_user_data);
void gst_upi_track_entry_free (gpointer entry);

/* Counts @label, and gives the track the one that most sightings had. @label: (nullable) */
void gst_upi_track_entry_vote (GstUpiTrackEntry *entry, GRefString *label, gdouble confidence);

/* Takes what a sighting looks like into the track's mean. @scale: 1 / length of @vector, 0: nobody knows. */
void gst_upi_track_entry_add_vector (GstUpiTrackEntry *entry, const gfloat *vector, guint length, gdouble scale);

/* Moves the filter to @time, as if the object had gone straight from its last sighting to @box. */
void gst_upi_track_entry_go_straight (GstUpiTrackEntry *entry, const GstUpiBox *box, gint64 time);

/* Takes what a sighting looks like into the means of all and of its label; the last sightings' labels and scales are
 * there. */
void gst_upi_tracker_learn_appearance (GstUpiTracker *tracker, guint sighting);

/* The means are learnt: what do the last sightings look like against them? */
void gst_upi_tracker_look (GstUpiTracker *tracker);

void gst_upi_tracker_forget_appearance (GstUpiTracker *tracker);

/* Cosine of what a track and a sighting look like, both against the mean of their label; the better one of the track's
 * mean and its latest. A sighting that a track has looks like that track. FALSE: nobody knows. */
gboolean
gst_upi_tracker_likeness (const GstUpiTracker *tracker, GstUpiTrackEntry *entry, guint sighting, gdouble *likeness);

/* 1: a sighting is where the track was last, or where it is expected, and as high; 0: farther away than it can have
 * come since. */
gdouble gst_upi_tracker_closeness (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, guint sighting);

/* The sighting is the track's. */
void gst_upi_tracker_see (GstUpiTracker *tracker, guint index, guint sighting);

/* Pairs @tracks and @sightings (guint: indices), and takes those that found each other out of both. */
void gst_upi_tracker_match (GstUpiTracker *tracker, GstUpiRound round, GArray *tracks, GArray *sightings);

/* May it be that track's, as far as labels go? */
gboolean gst_upi_tracker_label_fits (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, guint sighting);

/* How much of what there will be to see of the sighting's object was seen until now, 0..1, before it has a number. */
gdouble gst_upi_tracker_knowledge (const GstUpiTracker *tracker, guint sighting);

G_END_DECLS
