/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appearance.c: how alike a track and a sighting look; see tracker-private.h.
 *
 * To a network that tells labels apart, all people of a stream look alike: vectors of two of them have a cosine of 0.9.
 * What tells them apart is how each differs from the mean of its label, as far as that is known, and of all.
 */
#include <math.h>
#include <string.h>

#include "gst/track/tracker-private.h"

#define LONGEST_MEAN 10000 /* sightings: light changes over a day */
#define FEW_SIGHTINGS 30.0 /* of a label: its mean counts as much as that of all */
#define MOST_LABELS 64     /* with a mean of their own; who is not seen for longest gives his to the next */
#define LEAST_SQUARE 1e-6f /* of a difference from the mean: less is rounding */

/* The mean of the vectors of a label's sightings, each of length 1. */
typedef struct {
  GRefString *label;
  gfloat *vector; /* [mean_length] */
  gdouble weight; /* sightings in it */
  gint64 seen;
  gfloat *centre;  /* [mean_length]: between it and the mean of all, */
  guint64 centred; /* as of that observation */
} LabelMean;

/* Loops in steps that fill registers, and sums that need not wait for each other: compilers leave them as they are
 * otherwise. */
#define LANES 8

static gfloat
sum_of (const gfloat sums[LANES])
{
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static void
clear_label_mean (gpointer data)
{
  LabelMean *mean = data;

  g_clear_pointer (&mean->label, g_ref_string_release);
  g_clear_pointer (&mean->vector, g_free);
  g_clear_pointer (&mean->centre, g_free);
}

void
gst_upi_tracker_forget_appearance (GstUpiTracker *tracker)
{
  g_clear_pointer (&tracker->mean, g_free);
  g_clear_pointer (&tracker->label_means, g_array_unref);
  tracker->mean_length = 0;
  tracker->mean_weight = 0;
}

static LabelMean *
find_label_mean (const GstUpiTracker *tracker, const GRefString *label)
{
  for (guint i = 0; label != NULL && i < tracker->label_means->len; i++) {
    if (g_array_index (tracker->label_means, LabelMean, i).label == label)
      return &g_array_index (tracker->label_means, LabelMean, i);
  }
  return NULL;
}

/* A new label's; where there are too many, in the place of the one that nobody saw for longest. */
static LabelMean *
add_label_mean (GstUpiTracker *tracker, GRefString *label)
{
  GArray *means = tracker->label_means;
  guint oldest = 0;

  if (means->len < MOST_LABELS) {
    g_array_append_val (means,
        ((LabelMean){
            .vector = g_new0 (gfloat, tracker->mean_length), .centre = g_new0 (gfloat, tracker->mean_length) }));
    oldest = means->len - 1;
  }
  for (guint i = 0; means->len == MOST_LABELS && i < means->len; i++) {
    if (g_array_index (means, LabelMean, i).seen < g_array_index (means, LabelMean, oldest).seen)
      oldest = i;
  }
  LabelMean *mean = &g_array_index (means, LabelMean, oldest);
  g_clear_pointer (&mean->label, g_ref_string_release);
  mean->label = g_ref_string_acquire (label);
  mean->weight = 0;
  return mean;
}

static void
learn (gfloat *mean, gdouble *weight, const GstUpiSighting *seen, gdouble scale)
{
  const gfloat share = (gfloat) (1 / (*weight + 1)), kept = 1 - share, added = share * (gfloat) scale;
  guint i = 0;

  for (; i + LANES <= seen->vector_length; i += LANES) {
    for (guint k = 0; k < LANES; k++)
      mean[i + k] = kept * mean[i + k] + added * seen->vector[i + k];
  }
  for (; i < seen->vector_length; i++)
    mean[i] = kept * mean[i] + added * seen->vector[i];
  *weight = MIN (*weight + 1, LONGEST_MEAN);
}

void
gst_upi_tracker_learn_appearance (GstUpiTracker *tracker, guint sighting)
{
  const GstUpiSighting *seen = &tracker->sightings[sighting];
  const gdouble scale = g_array_index (tracker->scales, gdouble, sighting);
  GRefString *label = gst_upi_tracker_label_of (tracker, sighting);

  if (scale == 0 || seen->candidate) /* half of the candidates are no objects */
    return;
  if (tracker->mean == NULL || tracker->mean_length != seen->vector_length) { /* of another model: begin anew */
    gst_upi_tracker_forget_appearance (tracker);
    tracker->mean = g_new0 (gfloat, seen->vector_length);
    tracker->mean_length = seen->vector_length;
    tracker->label_means = g_array_new (FALSE, FALSE, sizeof (LabelMean));
    g_array_set_clear_func (tracker->label_means, clear_label_mean);
  }
  learn (tracker->mean, &tracker->mean_weight, seen, scale);
  if (label == NULL)
    return;
  LabelMean *mean = find_label_mean (tracker, label);
  if (mean == NULL)
    mean = add_label_mean (tracker, label);
  learn (mean->vector, &mean->weight, seen, scale);
  mean->seen = tracker->time;
}

/* What all of a label have in common: their mean, as far as it is known, or else that of all. */
static const gfloat *
centre_of (const GstUpiTracker *tracker, const GRefString *label)
{
  LabelMean *mean = find_label_mean (tracker, label);

  if (mean == NULL)
    return tracker->mean;
  if (mean->centred != tracker->observation) {
    const gfloat share = (gfloat) (mean->weight / (mean->weight + FEW_SIGHTINGS));

    for (guint i = 0; i < tracker->mean_length; i++)
      mean->centre[i] = tracker->mean[i] + share * (mean->vector[i] - tracker->mean[i]);
    mean->centred = tracker->observation;
  }
  return mean->centre;
}

/* @look: (out): how @vector, scaled, differs from @centre, of length 1. Returns: FALSE: not at all */
static gboolean
compare (const gfloat *vector, gfloat scale, const gfloat *centre, guint length, gfloat *look)
{
  gfloat sums[LANES] = { 0 };
  guint i = 0;

  for (; i + LANES <= length; i += LANES) {
    for (guint k = 0; k < LANES; k++) {
      const gfloat difference = scale * vector[i + k] - centre[i + k];

      look[i + k] = difference;
      sums[k] += difference * difference;
    }
  }
  for (; i < length; i++) {
    look[i] = scale * vector[i] - centre[i];
    sums[0] += look[i] * look[i];
  }
  const gfloat square = sum_of (sums);
  if (!(square > LEAST_SQUARE))
    return FALSE;
  const gfloat shorten = 1 / sqrtf (square);
  for (i = 0; i + LANES <= length; i += LANES) {
    for (guint k = 0; k < LANES; k++)
      look[i + k] *= shorten;
  }
  for (; i < length; i++)
    look[i] *= shorten;
  return TRUE;
}

void
gst_upi_tracker_look (GstUpiTracker *tracker)
{
  const gsize length = tracker->mean_length;

  tracker->observation++;
  g_array_set_size (tracker->looks, (guint) (tracker->n_sightings * length));
  g_array_set_size (tracker->looked, tracker->n_sightings);
  for (guint i = 0; i < tracker->n_sightings; i++) {
    const GstUpiSighting *seen = &tracker->sightings[i];
    const gfloat scale = (gfloat) g_array_index (tracker->scales, gdouble, i);

    g_array_index (tracker->looked, gboolean, i) = scale > 0 && seen->vector_length == length
        && compare (seen->vector, scale, centre_of (tracker, gst_upi_tracker_label_of (tracker, i)), (guint) length,
            &g_array_index (tracker->looks, gfloat, i * length));
  }
}

/* What a track looks like as long as the means do not change: worth its while where many sightings are near. */
static gboolean
look_at_track (const GstUpiTracker *tracker, GstUpiTrackEntry *entry)
{
  const guint length = tracker->mean_length;

  if (entry->vector == NULL || entry->track.vector_length != length)
    return FALSE;
  if (entry->looked_at != tracker->observation) {
    entry->looked_at = tracker->observation;
    const gfloat *centre = centre_of (tracker, entry->label);
    entry->looked = compare (entry->vector, 1, centre, length, entry->look)
        && compare (entry->latest, 1, centre, length, entry->latest_look);
  }
  return entry->looked;
}

static gfloat
product (const gfloat *a, const gfloat *b, guint length)
{
  gfloat sums[LANES] = { 0 };
  guint i = 0;

  for (; i + LANES <= length; i += LANES) {
    for (guint k = 0; k < LANES; k++)
      sums[k] += a[i + k] * b[i + k];
  }
  for (; i < length; i++)
    sums[0] += a[i] * b[i];
  return sum_of (sums);
}

gboolean
gst_upi_tracker_likeness (const GstUpiTracker *tracker, GstUpiTrackEntry *entry, guint sighting, gdouble *likeness)
{
  const guint length = tracker->mean_length;
  const gint owner = *gst_upi_tracker_owner_of (tracker, sighting);
  const gfloat *look;

  if (owner >= 0) { /* of several sightings more can be told */
    GstUpiTrackEntry *other = gst_upi_tracker_entry_at (tracker, (guint) owner);

    if (!look_at_track (tracker, other))
      return FALSE;
    look = other->look;
  } else {
    if (!g_array_index (tracker->looked, gboolean, sighting))
      return FALSE;
    look = &g_array_index (tracker->looks, gfloat, (gsize) sighting * length);
  }
  if (!look_at_track (tracker, entry))
    return FALSE;
  *likeness = MAX (product (entry->look, look, length), product (entry->latest_look, look, length));
  return TRUE;
}

/* From one box's middle to another's, in sizes. */
static gdouble
distance (const GstUpiBox *from, const GstUpiBox *to)
{
  return hypot ((2 * (to->x - from->x) + to->width - from->width) / (to->width + from->width),
      (2 * (to->y - from->y) + to->height - from->height) / (to->height + from->height));
}

gdouble
gst_upi_tracker_closeness (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, guint sighting)
{
  const GstUpiTrackerOptions *options = &tracker->options;
  const gint owner = *gst_upi_tracker_owner_of (tracker, sighting);
  const GstUpiBox *box = &tracker->sightings[sighting].box;
  const gdouble height = owner >= 0 ? gst_upi_tracker_entry_at (tracker, (guint) owner)->height : box->height;
  const GstUpiBox predicted = gst_upi_motion_get_box (&entry->track.motion);
  const gdouble way = MIN (distance (&entry->track.last_box, box), distance (&predicted, box));
  const gdouble growth = options->size_weight * log (height / entry->height);
  const gdouble seconds = gst_upi_seconds_between (entry->track.last_seen, tracker->time);

  /* who is away for longer has gone for good or turned round as often as gone on */
  return MAX (1 - hypot (way, growth) / (0.5 + options->reach * MIN (seconds, 1)), 0);
}
