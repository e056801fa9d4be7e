/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* track-entry.c: what a track goes by: the votes for its label, what it looks like, and its way while nobody saw it;
 * see tracker-private.h. */
#include <math.h>

#include "gst/track/tracker-private.h"

/* A label and the confidence of all sightings that had it. */
typedef struct {
  GRefString *label;
  gdouble votes;
} Vote;

static void
clear_vote (gpointer vote)
{
  g_clear_pointer (&((Vote *) vote)->label, g_ref_string_release);
}

GstUpiTrackEntry *
gst_upi_track_entry_new (gint64 time, GDestroyNotify free_user_data)
{
  GstUpiTrackEntry *entry = g_new0 (GstUpiTrackEntry, 1);

  entry->free_user_data = free_user_data;
  entry->votes = g_array_new (FALSE, FALSE, sizeof (Vote));
  g_array_set_clear_func (entry->votes, clear_vote);
  entry->track.first_seen = time;
  return entry;
}

static void
free_vectors (GstUpiTrackEntry *entry)
{
  g_free (entry->vector);
  g_free (entry->latest);
  g_free (entry->look);
  g_free (entry->latest_look);
}

void
gst_upi_track_entry_free (gpointer data)
{
  GstUpiTrackEntry *entry = data;

  if (entry->free_user_data != NULL && entry->track.user_data != NULL)
    entry->free_user_data (entry->track.user_data);
  g_clear_pointer (&entry->label, g_ref_string_release);
  g_array_unref (entry->votes);
  free_vectors (entry);
  g_free (entry);
}

void
gst_upi_track_entry_vote (GstUpiTrackEntry *entry, GRefString *label, gdouble confidence)
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

void
gst_upi_track_entry_add_vector (GstUpiTrackEntry *entry, const gfloat *vector, guint length, gdouble scale)
{
  gdouble square = 0;

  if (scale == 0)
    return;
  if (entry->vector == NULL || entry->track.vector_length != length) { /* of another model: begin anew */
    free_vectors (entry);
    entry->vector = g_new0 (gfloat, length);
    entry->latest = g_new0 (gfloat, length);
    entry->look = g_new0 (gfloat, length);
    entry->latest_look = g_new0 (gfloat, length);
    entry->track.vector = entry->vector;
    entry->track.vector_length = length;
    entry->weight = 0;
  }
  const gfloat kept = (gfloat) (entry->weight / (entry->weight + 1)), added = 1 - kept;
  for (guint i = 0; i < length; i++) {
    entry->latest[i] = (gfloat) scale * vector[i];
    entry->vector[i] = kept * entry->vector[i] + added * entry->latest[i];
    square += entry->vector[i] * entry->vector[i];
  }
  const gfloat shorten = square > 0 ? (gfloat) (1 / sqrt (square)) : 1;
  for (guint i = 0; i < length; i++)
    entry->vector[i] *= shorten;
  entry->weight = MIN (entry->weight + 1, LONGEST_MEAN);
}

/* What the filter would be if the object had gone straight from its last sighting to this one (OC-SORT's re-update):
 * what it guessed meanwhile was without any. The caller corrects by the new sighting. */
void
gst_upi_track_entry_go_straight (GstUpiTrackEntry *entry, const GstUpiBox *box, gint64 time)
{
  const GstUpiBox from = entry->track.last_box;
  const gdouble steps = gst_upi_steps_between (entry->track.last_seen, time);
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
