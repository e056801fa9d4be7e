/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trails.c: see trails.h. A trail is a ring: a point joins it when the object has moved on by a step. */
#include "gst/overlay/trails.h"

#include <math.h>

#define STEP 0.015f /* of the frame's width or height */

typedef struct {
  guint64 track_id;
  GstClockTime seen;
  guint first, n; /* of the ring */
  GstUpiPoint points[GST_UPI_TRAIL_POINTS];
  GstClockTime times[GST_UPI_TRAIL_POINTS];
  GstUpiPoint now;
} Trail;

struct _GstUpiTrails {
  GHashTable *by_id; /* guint64 * of a Trail → that Trail */
};

GstUpiTrails *
gst_upi_trails_new (void)
{
  GstUpiTrails *trails = g_new0 (GstUpiTrails, 1);
  trails->by_id = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  return trails;
}

void
gst_upi_trails_free (GstUpiTrails *trails)
{
  g_hash_table_unref (trails->by_id);
  g_free (trails);
}

void
gst_upi_trails_forget (GstUpiTrails *trails)
{
  g_hash_table_remove_all (trails->by_id);
}

static void
trail_add (Trail *trail, GstUpiPoint point, GstClockTime now)
{
  trail->now = point;
  trail->seen = now;
  while (trail->n > 0 && trail->times[trail->first] + GST_UPI_TRAIL_TIME < now) {
    trail->first = (trail->first + 1) % GST_UPI_TRAIL_POINTS;
    trail->n--;
  }
  if (trail->n > 0) {
    GstUpiPoint last = trail->points[(trail->first + trail->n - 1) % GST_UPI_TRAIL_POINTS];
    if (fabsf (last.x - point.x) < STEP && fabsf (last.y - point.y) < STEP)
      return;
  }
  if (trail->n == GST_UPI_TRAIL_POINTS - 1) { /* one is left for where the object is now */
    trail->first = (trail->first + 1) % GST_UPI_TRAIL_POINTS;
    trail->n--;
  }
  guint at = (trail->first + trail->n++) % GST_UPI_TRAIL_POINTS;
  trail->points[at] = point;
  trail->times[at] = now;
}

/* Who was not seen for as long as a point is kept goes, and while there are too many the one that was not seen for
 * longest. */
static void
make_room (GstUpiTrails *trails, GstClockTime now)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, trails->by_id);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Trail *) value)->seen + GST_UPI_TRAIL_TIME < now)
      g_hash_table_iter_remove (&iter);
  while (g_hash_table_size (trails->by_id) > GST_UPI_TRAILS) {
    Trail *oldest = NULL;
    g_hash_table_iter_init (&iter, trails->by_id);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
      Trail *trail = value;
      if (oldest == NULL || trail->seen < oldest->seen
          || (trail->seen == oldest->seen && trail->track_id < oldest->track_id))
        oldest = trail;
    }
    g_hash_table_remove (trails->by_id, &oldest->track_id);
  }
}

void
gst_upi_trails_take (GstUpiTrails *trails, const GstUpiContent *content, GstClockTime now)
{
  guint n;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);

  for (guint i = 0; i < n; i++) {
    GstUpiPoint foot = { objects[i].x + objects[i].width / 2, objects[i].y + objects[i].height };
    if (objects[i].track_id == 0 || !isfinite (foot.x) || !isfinite (foot.y))
      continue;
    foot.x = CLAMP (foot.x, -1, 2);
    foot.y = CLAMP (foot.y, -1, 2);
    Trail *trail = g_hash_table_lookup (trails->by_id, &objects[i].track_id);
    if (trail == NULL) {
      trail = g_new0 (Trail, 1);
      trail->track_id = objects[i].track_id;
      g_hash_table_insert (trails->by_id, &trail->track_id, trail);
    }
    trail_add (trail, foot, now);
  }
  make_room (trails, now);
}

guint
gst_upi_trails_get (GstUpiTrails *trails, guint64 track_id, GstUpiPoint *points)
{
  const Trail *trail = g_hash_table_lookup (trails->by_id, &track_id);
  guint n = 0;

  if (trail == NULL)
    return 0;
  for (; n < trail->n; n++)
    points[n] = trail->points[(trail->first + n) % GST_UPI_TRAIL_POINTS];
  if (n == 0 || points[n - 1].x != trail->now.x || points[n - 1].y != trail->now.y)
    points[n++] = trail->now;
  return n;
}

guint
gst_upi_trails_count (GstUpiTrails *trails)
{
  return g_hash_table_size (trails->by_id);
}
