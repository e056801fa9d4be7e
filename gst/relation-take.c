/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* relation-take.c: what another detector put into a GstAnalyticsRelationMeta, as objects of upi; see relation.h. */
#include <math.h>

#include "gst/relation.h"

/* Ids of tracks are 1 to this; 0: nobody follows it. */
#define LARGEST_TRACK_ID ((G_GUINT64_CONSTANT (1) << 53) - 1)

/* FALSE: of that type, none is related. */
static gboolean
get_related (GstAnalyticsRelationMeta *relation, guint id, GstAnalyticsMtdType type, GstAnalyticsMtd *related)
{
  gpointer state = NULL;

  return gst_analytics_relation_meta_get_direct_related (
      relation, id, GST_ANALYTICS_REL_TYPE_RELATE_TO, type, &state, related);
}

/* Some detectors say how sure they are of the class alone, some not at all: then they are. */
static gfloat
score_of (gfloat location, gboolean classified, GstAnalyticsClsMtd *classes)
{
  if (!(location > 0) && classified && gst_analytics_cls_mtd_get_length (classes) > 0)
    location = gst_analytics_cls_mtd_get_level (classes, 0);
  return location > 0 ? MIN (location, 1) : 1;
}

static const gchar *
label_of (GQuark type, gboolean classified, GstAnalyticsClsMtd *classes)
{
  if (type == 0 && classified && gst_analytics_cls_mtd_get_length (classes) > 0)
    type = gst_analytics_cls_mtd_get_quark (classes, 0);
  return type != 0 ? g_quark_to_string (type) : "object";
}

static void
take_track (GstAnalyticsRelationMeta *relation, guint id, GstUpiObject *object)
{
  GstAnalyticsTrackingMtd track;
  guint64 number;
  GstClockTime first, last;
  gboolean lost;

  if (!get_related (relation, id, gst_analytics_tracking_mtd_get_mtd_type (), &track)
      || !gst_analytics_tracking_mtd_get_info (&track, &number, &first, &last, &lost))
    return;
  number &= LARGEST_TRACK_ID;
  object->track_id = number != 0 ? number : LARGEST_TRACK_ID;
  if (lost)
    object->flags |= GST_UPI_OBJECT_PREDICTED;
}

/* What of @from to @from + @extent is on the frame, in 0..1 of it. FALSE: nothing */
static gboolean
from_pixels (gint from, gint extent, gint size, gfloat *edge, gfloat *length)
{
  const gint64 first = CLAMP ((gint64) from, 0, size), end = CLAMP ((gint64) from + extent, 0, size);

  *edge = (gfloat) ((gdouble) first / size);
  *length = (gfloat) ((gdouble) (end - first) / size);
  return end > first;
}

/* FALSE: it is not on the frame */
static gboolean
take_object (
    GstAnalyticsRelationMeta *relation, GstAnalyticsODMtd *detection, gint width, gint height, GstUpiObject *object)
{
  GstAnalyticsClsMtd classes;
  gint x, y, w, h;
  gfloat location;

  *object = (GstUpiObject){ .region = detection->id, .flags = GST_UPI_OBJECT_FOREIGN };
  if (!gst_analytics_od_mtd_get_location (detection, &x, &y, &w, &h, &location)
      || !from_pixels (x, w, width, &object->x, &object->width)
      || !from_pixels (y, h, height, &object->y, &object->height))
    return FALSE;
  const gboolean classified = get_related (relation, detection->id, gst_analytics_cls_mtd_get_mtd_type (), &classes);
  object->score = score_of (location, classified, &classes);
  object->label = label_of (gst_analytics_od_mtd_get_obj_type (detection), classified, &classes);
  take_track (relation, detection->id, object);
  return TRUE;
}

GstUpiContent *
gst_upi_relation_take (GstBuffer *buffer, GstUpiContent *content, gint width, gint height)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsODMtd detection;
  gpointer state = NULL;
  guint n_detections = 0;

  if (relation == NULL || width <= 0 || height <= 0)
    return NULL;
  g_autoptr (GArray) objects = g_array_new (FALSE, FALSE, sizeof (GstUpiObject));
  while (gst_analytics_relation_meta_iterate (relation, &state, gst_analytics_od_mtd_get_mtd_type (), &detection)) {
    GstUpiObject object;

    if (!gst_upi_relation_is_foreign (relation, detection.id))
      continue;
    n_detections++;
    if (take_object (relation, &detection, width, height, &object))
      g_array_append_val (objects, object);
  }
  /* Nothing in it: somebody looked and found nothing, unless it only stayed on a buffer of a pool. */
  if (n_detections == 0
      && (gst_analytics_relation_get_length (relation) > 0
          || GST_META_FLAG_IS_SET ((GstMeta *) relation, GST_META_FLAG_POOLED)))
    return NULL;
  return gst_upi_content_set_objects (content, (const GstUpiObject *) (gpointer) objects->data, objects->len);
}
