/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appearance.c: how alike a track and a sighting look; see tracker-private.h.
 *
 * To a network that tells labels apart, all people of a stream look alike: vectors of two of them have a cosine of 0.9.
 * What tells them apart is how each differs from the mean of all that was seen.
 */
#include <math.h>

#include "gst/track/tracker-private.h"

#define LONGEST_MEAN 10000 /* sightings: light changes over a day */
#define LEAST_SQUARE 1e-6f /* of a difference from the mean: less is rounding */

void
gst_upi_tracker_learn_appearance (GstUpiTracker *tracker, const GstUpiSighting *seen, gdouble scale)
{
  if (scale == 0)
    return;
  if (tracker->mean == NULL || tracker->mean_length != seen->vector_length) { /* of another model: begin anew */
    g_free (tracker->mean);
    tracker->mean = g_new0 (gfloat, seen->vector_length);
    tracker->mean_length = seen->vector_length;
    tracker->mean_weight = 0;
  }
  const gfloat share = (gfloat) (1 / (tracker->mean_weight + 1));
  for (guint i = 0; i < seen->vector_length; i++)
    tracker->mean[i] += share * ((gfloat) scale * seen->vector[i] - tracker->mean[i]);
  tracker->mean_weight = MIN (tracker->mean_weight + 1, LONGEST_MEAN);
}

gboolean
gst_upi_tracker_likeness (
    const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, guint sighting, gdouble *likeness)
{
  const GstUpiSighting *seen = &tracker->sightings[sighting];
  const gfloat scale = (gfloat) g_array_index (tracker->scales, gdouble, sighting);
  gfloat dot = 0, a_square = 0, b_square = 0;

  if (!(scale > 0) || entry->vector == NULL || entry->track.vector_length != seen->vector_length
      || tracker->mean_length != seen->vector_length)
    return FALSE;
  for (guint i = 0; i < seen->vector_length; i++) {
    const gfloat a = entry->vector[i] - tracker->mean[i], b = scale * seen->vector[i] - tracker->mean[i];

    dot += a * b;
    a_square += a * a;
    b_square += b * b;
  }
  if (!(a_square > LEAST_SQUARE) || !(b_square > LEAST_SQUARE))
    return FALSE;
  *likeness = dot / sqrt ((gdouble) a_square * b_square);
  return TRUE;
}

gdouble
gst_upi_tracker_closeness (const GstUpiTracker *tracker, const GstUpiTrackEntry *entry, guint sighting)
{
  const GstUpiBox *from = &entry->track.last_box, *to = &tracker->sightings[sighting].box;
  const gdouble x = (2 * (to->x - from->x) + to->width - from->width) / (to->width + from->width),
                y = (2 * (to->y - from->y) + to->height - from->height) / (to->height + from->height);
  const gdouble seconds = gst_upi_seconds_between (entry->track.last_seen, tracker->time);

  /* who is away for longer has gone for good or turned round as often as gone on */
  return MAX (1 - hypot (x, y) / (0.5 + tracker->options.reach * MIN (seconds, 1)), 0);
}
