/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* roi.c: see roi.h. */
#include "gst/roi.h"

#define DETECTION "detection"

static void
set_detection (GstStructure *detection, const GstUpiObject *object)
{
  gst_structure_set (detection, "confidence", G_TYPE_DOUBLE, (gdouble) object->score, "label_id", G_TYPE_INT,
      (gint) object->label_id, "x_min", G_TYPE_DOUBLE, (gdouble) object->x, "y_min", G_TYPE_DOUBLE, (gdouble) object->y,
      "x_max", G_TYPE_DOUBLE, (gdouble) (object->x + object->width), "y_max", G_TYPE_DOUBLE,
      (gdouble) (object->y + object->height), NULL);
  if (object->track_id != 0)
    gst_structure_set (detection, "track_id", G_TYPE_UINT64, object->track_id, NULL);
}

static void
set_pixels (GstVideoRegionOfInterestMeta *roi, const GstUpiObject *object, gint width, gint height)
{
  const gint x0 = CLAMP ((gint) (object->x * (gfloat) width + 0.5f), 0, width);
  const gint y0 = CLAMP ((gint) (object->y * (gfloat) height + 0.5f), 0, height);
  const gint x1 = CLAMP ((gint) ((object->x + object->width) * (gfloat) width + 0.5f), x0, width);
  const gint y1 = CLAMP ((gint) ((object->y + object->height) * (gfloat) height + 0.5f), y0, height);

  roi->x = (guint) x0;
  roi->y = (guint) y0;
  roi->w = (guint) (x1 - x0);
  roi->h = (guint) (y1 - y0);
}

void
gst_upi_roi_add (GstBuffer *buffer, const GstUpiObject *object, gint width, gint height)
{
  GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta (buffer, object->label, 0, 0, 0, 0);
  GstStructure *detection = gst_structure_new_empty (DETECTION);

  set_pixels (roi, object, width, height);
  set_detection (detection, object);
  gst_video_region_of_interest_meta_add_param (roi, detection);
}

void
gst_upi_roi_set (GstVideoRegionOfInterestMeta *roi, const GstUpiObject *object, gint width, gint height)
{
  roi->roi_type = g_quark_from_string (object->label);
  set_pixels (roi, object, width, height);
  set_detection (gst_video_region_of_interest_meta_get_param (roi, DETECTION), object);
}

GPtrArray *
gst_upi_roi_list (GstBuffer *buffer)
{
  GPtrArray *metas = g_ptr_array_new ();
  gpointer state = NULL;
  GstMeta *meta;

  while (
      (meta = gst_buffer_iterate_meta_filtered (buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
    if (gst_video_region_of_interest_meta_get_param ((GstVideoRegionOfInterestMeta *) meta, DETECTION) != NULL)
      g_ptr_array_add (metas, meta);
  }
  return metas;
}

static gboolean
is_of (GstVideoRegionOfInterestMeta *roi, const GstUpiObject *object)
{
  const GstStructure *detection = gst_video_region_of_interest_meta_get_param (roi, DETECTION);
  gdouble x, y, right, bottom;

  return g_strcmp0 (g_quark_to_string (roi->roi_type), object->label) == 0
      && gst_structure_get (detection, "x_min", G_TYPE_DOUBLE, &x, "y_min", G_TYPE_DOUBLE, &y, "x_max", G_TYPE_DOUBLE,
          &right, "y_max", G_TYPE_DOUBLE, &bottom, NULL)
      && x == (gdouble) object->x && y == (gdouble) object->y && right == (gdouble) (object->x + object->width)
      && bottom == (gdouble) (object->y + object->height);
}

GstVideoRegionOfInterestMeta *
gst_upi_roi_find (GPtrArray *metas, const GstUpiObject *object, guint *next)
{
  for (guint i = 0; i < metas->len; i++) {
    GstVideoRegionOfInterestMeta *roi = g_ptr_array_index (metas, (*next + i) % metas->len);

    if (is_of (roi, object)) {
      *next = (*next + i + 1) % metas->len;
      return roi;
    }
  }
  return NULL;
}
