/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* match.c: which sightings go on with which tracks, round by round; see tracker-private.h. */
#include "gst/track/assignment.h"
#include "gst/track/tracker-private.h"

#define PATIENCE 4 /* sightings that tell what an object looks like */

gboolean
gst_upi_tracker_label_fits (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, guint sighting)
{
  return !tracker->options.per_label || entry->label == NULL || gst_upi_tracker_label_of (tracker, sighting) == NULL
      || entry->label == gst_upi_tracker_label_of (tracker, sighting);
}

/* Whether it was out of sight for so long that motion tells little: anybody may be there now. */
static gboolean
is_away (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry)
{
  return entry->track.misses > 0
      && gst_upi_seconds_between (entry->track.last_seen, tracker->time) > tracker->options.away_time;
}

gdouble
gst_upi_tracker_knowledge (const GstUpiTracker *tracker, guint sighting)
{
  const gint owner = *gst_upi_tracker_owner_of (tracker, sighting);

  if (owner < 0)
    return 1.0 / PATIENCE;
  const GstUpiTrack *track = &gst_upi_tracker_entry_at (tracker, (guint) owner)->track;
  return MIN (MAX ((gdouble) track->hits / PATIENCE,
                  gst_upi_seconds_between (track->first_seen, tracker->time) / tracker->options.patience),
      1);
}

/* How well they fit, 0..1. @enough: whether that makes a pair of them. */
static gdouble
similarity (const GstUpiTracker *tracker, GstUpiRound round, guint index, guint sighting, gboolean *enough)
{
  const GstUpiTrackerOptions *options = &tracker->options;
  GstUpiTrackEntry *entry = gst_upi_tracker_entry_at (tracker, index);
  const GstUpiSighting *seen = &tracker->sightings[sighting];
  const GstUpiBox predicted = gst_upi_motion_get_box (&entry->track.motion);
  gdouble fit = 0, threshold = 1, alike;

  *enough = FALSE;
  if (round != GST_UPI_ROUND_SAME_PLACE && !gst_upi_tracker_label_fits (tracker, entry, sighting))
    return 0;
  switch (round) {
  case GST_UPI_ROUND_FIRST:
    fit = gst_upi_box_overlap (&predicted, &seen->box, options->buffer) * seen->confidence;
    threshold = options->iou_threshold;
    break;
  case GST_UPI_ROUND_CANDIDATES:
    fit = gst_upi_box_overlap (&predicted, &seen->box, options->wide_buffer);
    threshold = options->candidate_threshold;
    break;
  case GST_UPI_ROUND_TENTATIVE:
    fit = gst_upi_box_overlap (&predicted, &seen->box, options->buffer) * seen->confidence;
    threshold = options->tentative_threshold;
    break;
  case GST_UPI_ROUND_RECOVERY:
    fit = gst_upi_box_overlap (&entry->track.last_box, &seen->box, options->buffer) * seen->confidence;
    threshold = options->recovery_threshold;
    break;
  case GST_UPI_ROUND_SAME_PLACE:
    fit = gst_upi_box_overlap (&predicted, &seen->box, 0);
    threshold = options->same_place;
    break;
  case GST_UPI_ROUND_APPEARANCE:
    fit = gst_upi_tracker_closeness (tracker, entry, sighting);
    if (!(fit > 0) || !gst_upi_tracker_likeness (tracker, entry, sighting, &alike))
      return 0;
    fit = (1 - options->recognition_weight) * fit + options->recognition_weight * alike;
    *enough =
        fit >= options->recognition_threshold + options->doubt * (1 - gst_upi_tracker_knowledge (tracker, sighting));
    return *enough ? fit : 0;
  }
  *enough = fit >= threshold;
  /* who is somewhere else need not be looked at: a hundred objects have ten thousand pairs, and few that touch */
  if (!options->region || !(fit > 0) || !gst_upi_tracker_likeness (tracker, entry, sighting, &alike))
    return fit;
  if (is_away (tracker, entry) && gst_upi_tracker_label_fits (tracker, entry, sighting)) { /* looks decide, later */
    *enough = FALSE;
    return 0;
  }
  return (1 - options->region_weight) * fit + options->region_weight * MAX (alike, 0);
}

/* Pairs @tracks and @sightings, and takes those that found each other out of both. All are paired, however badly, and
 * only good pairs taken, as SORT and its followers do it: who fits two would otherwise rather take what another has a
 * better claim to. */
void
gst_upi_tracker_match (GstUpiTracker *tracker, GstUpiRound round, GArray *tracks, GArray *sightings)
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
    const guint sighting = g_array_index (sightings, guint, (guint) found[r]);
    const gint owner = *gst_upi_tracker_owner_of (tracker, sighting);
    if (owner >= 0) /* it was someone known all the time: that track has no sighting, and ends for lack of a number */
      gst_upi_tracker_entry_at (tracker, (guint) owner)->track.sighting = -1;
    gst_upi_tracker_see (tracker, g_array_index (tracks, guint, r), sighting);
    g_array_remove_index (tracks, r);
  }
  for (guint c = columns; c-- > 0;) {
    if (*gst_upi_tracker_owner_of (tracker, g_array_index (sightings, guint, c)) >= 0)
      g_array_remove_index (sightings, c);
  }
}
