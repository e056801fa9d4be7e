/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foreign.c: see foreign.h. */
#include "tests/gst/foreign.h"

Stream *
foreign_open (const gchar *description)
{
  Stream *stream = stream_new (description, FALSE);

  stream_format (stream, "BGRx", WIDTH, HEIGHT);
  return stream;
}

GstBuffer *
foreign_frame (GstClockTime pts)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, WIDTH * HEIGHT * 4, NULL);

  gst_buffer_memset (buffer, 0, 0, (gsize) -1);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = 40 * MS;
  return buffer;
}

/* A detection of another detector, in pixels. */
guint
foreign_add (GstBuffer *buffer, const gchar *label, gint x, gint y, gint w, gint h, gfloat score)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_add_analytics_relation_meta (buffer);
  GstAnalyticsODMtd entry;

  g_assert_true (gst_analytics_relation_meta_add_od_mtd (
      relation, label != NULL ? g_quark_from_string (label) : 0, x, y, w, h, score, &entry));
  return entry.id;
}

void
foreign_add_track (GstBuffer *buffer, guint detection, guint64 id, gboolean lost)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsTrackingMtd entry;

  gst_analytics_relation_meta_add_tracking_mtd (relation, id, 0, &entry);
  if (lost)
    gst_analytics_tracking_mtd_set_lost (&entry);
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_RELATE_TO, detection, entry.id);
}

/* (transfer full) both */
GstBuffer *
foreign_push (Stream *stream, GstBuffer *buffer)
{
  g_assert_cmpint (gst_harness_push (stream->harness, buffer), ==, GST_FLOW_OK);
  return stream_pull (stream);
}

const GstUpiObject *
foreign_objects (GstBuffer *buffer, guint *n)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  g_assert_nonnull (meta);
  return gst_upi_content_get_objects (gst_upi_meta_get_content (meta), n);
}

const GstUpiObject *
foreign_only_object (GstBuffer *buffer)
{
  guint n;
  const GstUpiObject *objects = foreign_objects (buffer, &n);

  g_assert_cmpuint (n, ==, 1);
  return objects;
}

/* The track that others read from the detection @id: 0: none, or it has several */
guint64
foreign_track_of (GstBuffer *buffer, guint id)
{
  GstAnalyticsMtd track;
  gpointer state = NULL;
  guint64 number, found = 0;
  GstClockTime first, last;
  gboolean lost;
  guint n = 0;

  while (gst_analytics_relation_meta_get_direct_related (gst_buffer_get_analytics_relation_meta (buffer), id,
      GST_ANALYTICS_REL_TYPE_RELATE_TO, gst_analytics_tracking_mtd_get_mtd_type (), &state, &track)) {
    gst_analytics_tracking_mtd_get_info (&track, &number, &first, &last, &lost);
    found = number;
    n++;
  }
  return n == 1 ? found : 0;
}

guint
foreign_count (GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsMtd entry;
  gpointer state = NULL;
  guint n = 0;

  while (relation != NULL
      && gst_analytics_relation_meta_iterate (relation, &state, gst_analytics_od_mtd_get_mtd_type (), &entry))
    n++;
  return n;
}
