/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seen.c: see seen.h. */
#include "gst/track/seen.h"

#include "gst/roi.h"

const GstUpiObject *
gst_upi_seen_get (const GstUpiContent *content, guint index)
{
  guint n, n_candidates;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);

  return index < n ? &objects[index] : &gst_upi_content_get_candidates (content, &n_candidates)[index - n];
}

guint
gst_upi_seen_count (const GstUpiContent *content, guint *n_objects)
{
  guint n_candidates;

  gst_upi_content_get_objects (content, n_objects);
  gst_upi_content_get_candidates (content, &n_candidates);
  return *n_objects + n_candidates;
}

gboolean
gst_upi_seen_is_new (const GstUpiContent *last, const GstUpiContent *content)
{
  guint n, n_candidates;
  const GstClockTime pts = gst_upi_content_get_inference_pts (content),
                     last_pts = gst_upi_content_get_inference_pts (last);

  if (GST_CLOCK_TIME_IS_VALID (pts) && GST_CLOCK_TIME_IS_VALID (last_pts))
    return pts != last_pts;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n);
  const GstUpiObject *candidates = gst_upi_content_get_candidates (content, &n_candidates);
  return (objects == NULL && candidates == NULL) || objects != gst_upi_content_get_objects (last, &n)
      || candidates != gst_upi_content_get_candidates (last, &n_candidates);
}

void
gst_upi_seen_attach_roi (const GstUpiContent *seen, const gint *origins, const GstUpiObject *objects, guint n,
    GstBuffer *buffer, GPtrArray *metas, gint width, gint height)
{
  guint n_objects, next = 0;

  gst_upi_seen_count (seen, &n_objects);
  for (guint i = 0; i < n; i++) {
    GstVideoRegionOfInterestMeta *roi = origins[i] >= 0 && (guint) origins[i] < n_objects
        ? gst_upi_roi_find (metas, gst_upi_seen_get (seen, (guint) origins[i]), &next)
        : NULL;

    if (roi != NULL)
      gst_upi_roi_set (roi, &objects[i], width, height);
    else if (objects[i].track_id != 0)
      gst_upi_roi_add (buffer, &objects[i], width, height);
  }
}
