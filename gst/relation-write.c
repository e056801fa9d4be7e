/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* relation-write.c: what upi knows of a frame as GstAnalyticsRelationMeta; see relation.h. */
#include "gst/relation.h"

#include <gst/video/video.h>

#include <string.h>

/* Regions of masks have these values: as many as segmentationoverlay has colours. */
#define MASK_VALUES 10

/* The entry that all entries of upi hang on. It holds nothing. */
static const GstAnalyticsMtdImpl mark_impl = { .name = "upi-objects" };

static gboolean
is_mark (GstAnalyticsRelationMeta *relation, guint id)
{
  GstAnalyticsMtd entry;

  return gst_analytics_relation_meta_get_mtd (relation, id, (GstAnalyticsMtdType) &mark_impl, &entry);
}

gboolean
gst_upi_relation_is_foreign (GstAnalyticsRelationMeta *relation, guint id)
{
  GstAnalyticsMtd mark;
  gpointer state = NULL;

  if (is_mark (relation, id))
    return FALSE;
  while (gst_analytics_relation_meta_iterate (relation, &state, (GstAnalyticsMtdType) &mark_impl, &mark))
    if (gst_analytics_relation_meta_get_relation (relation, mark.id, id) & GST_ANALYTICS_REL_TYPE_CONTAIN)
      return FALSE;
  return TRUE;
}

gboolean
gst_upi_relation_has_objects (GstBuffer *buffer)
{
  GstAnalyticsRelationMeta *relation = gst_buffer_get_analytics_relation_meta (buffer);
  GstAnalyticsMtd mark;
  gpointer state = NULL;

  return relation != NULL
      && gst_analytics_relation_meta_iterate (relation, &state, (GstAnalyticsMtdType) &mark_impl, &mark);
}

/* Room for so many entries: the square of their number is kept, and grows by steps of it. */
static GstAnalyticsRelationMeta *
get_relation_meta (GstBuffer *buffer, guint n_entries)
{
  GstAnalyticsRelationMetaInitParams room = { .initial_relation_order = MAX (n_entries, 1),
    .initial_buf_size = 128 * (gsize) MAX (n_entries, 1) };

  return gst_buffer_add_analytics_relation_meta_full (buffer, &room);
}

/* The entry @id of @from, which is on @buffer, with what it refers to also in @to, which is on @other. */
static void
copy_entry (GstBuffer *other, GstAnalyticsRelationMeta *to, GstBuffer *buffer, GstAnalyticsRelationMeta *from, guint id)
{
  GstMetaTransformCopy whole = { .region = FALSE, .offset = 0, .size = (gsize) -1 };
  GstAnalyticsMtd entry = { id, from }, copy;
  const GstAnalyticsMtdImpl *impl = (const GstAnalyticsMtdImpl *) gst_analytics_mtd_get_mtd_type (&entry);
  const gsize size = gst_analytics_mtd_get_size (&entry);
  gpointer data = gst_analytics_relation_meta_add_mtd (to, impl, size, &copy);

  if (size > 0)
    memcpy (data, gst_analytics_relation_meta_get_mtd_data (from, id), size);
  if (impl->mtd_meta_transform != NULL) /* as on a copy of the frame: what is counted is counted once more */
    impl->mtd_meta_transform (other, &copy, buffer, _gst_meta_transform_copy, &whole);
}

/* The entries that have a new number in @numbers, and the relations between them. Entry by entry: the copy of a whole
 * meta leaves out detections in GStreamer 1.28.2. */
static void
copy_entries (GstBuffer *other, GstAnalyticsRelationMeta *to, GstBuffer *buffer, GstAnalyticsRelationMeta *from,
    const GArray *numbers)
{
  const guint *number = (const guint *) (gconstpointer) numbers->data;

  for (guint i = 0; i < numbers->len; i++)
    if (number[i] != G_MAXUINT)
      copy_entry (other, to, buffer, from, i);
  for (guint i = 0; i < numbers->len; i++)
    for (guint j = 0; j < numbers->len; j++)
      if (number[i] != G_MAXUINT && number[j] != G_MAXUINT)
        gst_analytics_relation_meta_set_relation (
            to, gst_analytics_relation_meta_get_relation (from, i, j), number[i], number[j]);
}

/* Leaves what others wrote, with room for @n_more. Their numbers may change: @numbers has the new ones, by the old. */
static void
remove_objects (GstBuffer *buffer, guint n_more, GArray *numbers)
{
  GstAnalyticsRelationMeta *old = gst_buffer_get_analytics_relation_meta (buffer);
  const guint n = old != NULL ? (guint) gst_analytics_relation_get_length (old) : 0;
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (guint));

  g_array_set_size (numbers, n);
  for (guint i = 0; i < n; i++) {
    GstAnalyticsMtd entry = { i, old };
    /* some entries are gone: a transformation had to drop them */
    const gboolean stays = gst_analytics_mtd_get_mtd_type (&entry) != 0 && gst_upi_relation_is_foreign (old, i);
    const guint next = all->len;

    g_array_index (numbers, guint, i) = stays ? next : G_MAXUINT;
    if (stays)
      g_array_append_val (all, next);
  }
  if (all->len == n)
    return;
  g_autoptr (GstBuffer) aside = gst_buffer_new (); /* a frame has no second such meta */
  GstAnalyticsRelationMeta *kept = get_relation_meta (aside, all->len);
  copy_entries (aside, kept, buffer, old, numbers);
  gst_buffer_remove_meta (buffer, (GstMeta *) old);
  copy_entries (buffer, get_relation_meta (buffer, all->len + n_more), aside, kept, all);
}

/* Its left or upper edge and its extent in pixels, as region of interest metas have them. */
static void
to_pixels (gfloat from, gfloat extent, gint size, gint *edge, gint *length)
{
  const gint first = CLAMP ((gint) (from * (gfloat) size + 0.5f), 0, size);

  *edge = first;
  *length = CLAMP ((gint) ((from + extent) * (gfloat) size + 0.5f), first, size) - first;
}

#if GST_CHECK_VERSION(1, 26, 0)
/* The cells that belong to the object with @value, the others 0; rows without a gap, as some readers take them.
 * (transfer full) */
static GstBuffer *
new_mask (const UpiMask *mask, guint8 value)
{
  const gsize n_cells = (gsize) mask->columns * mask->rows;
  const gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
  const gint stride[GST_VIDEO_MAX_PLANES] = { (gint) mask->columns };
  GstMapInfo map;

  if (n_cells == 0)
    return NULL;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, n_cells, NULL);
  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  for (gsize i = 0; i < n_cells; i++)
    map.data[i] = mask->data[i] >= 128 ? value : 0;
  gst_buffer_unmap (buffer, &map);
  gst_buffer_add_video_meta_full (
      buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, mask->columns, mask->rows, 1, offset, stride);
  return buffer;
}

static void
write_mask (GstAnalyticsRelationMeta *relation, guint mark, guint detection, const UpiMask *mask, guint value,
    gint width, gint height)
{
  guint values[] = { 0, value };
  gint x, y, w, h;
  GstAnalyticsMtd entry;

  to_pixels (mask->x, mask->width, width, &x, &w);
  to_pixels (mask->y, mask->height, height, &y, &h);
  GstBuffer *buffer = w > 0 && h > 0 ? new_mask (mask, (guint8) value) : NULL;
  if (buffer == NULL)
    return;
  if (!gst_analytics_relation_meta_add_segmentation_mtd (relation, buffer, GST_SEGMENTATION_TYPE_INSTANCE,
          G_N_ELEMENTS (values), values, x, y, (guint) w, (guint) h, &entry)) {
    gst_buffer_unref (buffer);
    return;
  }
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_CONTAIN, mark, entry.id);
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_CONTAIN, detection, entry.id);
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_IS_PART_OF, entry.id, detection);
}
#endif

static GstClockTime
before (GstClockTime now, GstClockTime by)
{
  return GST_CLOCK_TIME_IS_VALID (now) ? now - MIN (now, by) : GST_CLOCK_TIME_NONE;
}

/* A foreign detection that another tracker follows, too, is upi's track from now on. */
static void
write_track (
    GstAnalyticsRelationMeta *relation, guint mark, guint detection, const GstUpiObject *object, GstClockTime now)
{
  GstAnalyticsMtd entry, other;
  gpointer state = NULL;

  while (gst_analytics_relation_meta_get_direct_related (relation, detection, GST_ANALYTICS_REL_TYPE_RELATE_TO,
      gst_analytics_tracking_mtd_get_mtd_type (), &state, &other))
    gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_NONE, detection, other.id);
  if (!gst_analytics_relation_meta_add_tracking_mtd (relation, object->track_id, before (now, object->age), &entry))
    return;
  gst_analytics_tracking_mtd_update_last_seen (&entry, before (now, object->unseen));
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_CONTAIN, mark, entry.id);
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_RELATE_TO, detection, entry.id);
}

/* The detection that @object is on this frame. FALSE: none that others should see */
static gboolean
find_or_write_detection (GstAnalyticsRelationMeta *relation, guint mark, const GstUpiObject *object, gint width,
    gint height, const GArray *numbers, guint *detection)
{
  GstAnalyticsODMtd entry;
  gint x, y, w, h;

  if ((object->flags & GST_UPI_OBJECT_FOREIGN) != 0) {
    if (object->track_id == 0) /* it is as it was */
      return FALSE;
    if ((object->flags & GST_UPI_OBJECT_PREDICTED) == 0 && object->region < numbers->len) {
      *detection = g_array_index (numbers, guint, object->region);
      if (*detection != G_MAXUINT && gst_analytics_relation_meta_get_od_mtd (relation, *detection, &entry))
        return TRUE;
    }
  }
  to_pixels (object->x, object->width, width, &x, &w);
  to_pixels (object->y, object->height, height, &y, &h);
  if (!gst_analytics_relation_meta_add_od_mtd (
          relation, g_quark_from_string (object->label), x, y, w, h, object->score, &entry))
    return FALSE;
  gst_analytics_relation_meta_set_relation (relation, GST_ANALYTICS_REL_TYPE_CONTAIN, mark, entry.id);
  *detection = entry.id;
  return TRUE;
}

void
gst_upi_relation_write_objects (
    GstBuffer *buffer, const GstUpiObject *objects, guint n_objects, gint width, gint height, gboolean replace)
{
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (guint));
  const guint n_entries = 1 + 3 * n_objects; /* the mark; of each its box, mask and track */
  GstAnalyticsMtd mark;

  if (replace)
    remove_objects (buffer, n_entries, numbers);
  GstAnalyticsRelationMeta *relation = get_relation_meta (buffer, n_entries);
  gst_analytics_relation_meta_add_mtd (relation, &mark_impl, 0, &mark);
  for (guint i = 0; i < n_objects; i++) {
    const GstUpiObject *object = &objects[i];
    guint detection;

    if (!find_or_write_detection (relation, mark.id, object, width, height, numbers, &detection))
      continue;
#if GST_CHECK_VERSION(1, 26, 0)
    if (object->mask != NULL) {
      const guint64 which = object->track_id != 0 ? object->track_id - 1 : i;
      write_mask (relation, mark.id, detection, object->mask, 1 + (guint) (which % MASK_VALUES), width, height);
    }
#endif
    if (object->track_id != 0)
      write_track (relation, mark.id, detection, object, GST_BUFFER_PTS (buffer));
  }
}

void
gst_upi_relation_write_classes (GstBuffer *buffer, const GstUpiClass *classes, guint n_classes)
{
  g_autofree gfloat *levels = g_new (gfloat, n_classes + 1);
  g_autofree GQuark *words = g_new (GQuark, n_classes + 1);
  GstAnalyticsClsMtd entry;

  if (n_classes == 0)
    return;
  for (guint i = 0; i < n_classes; i++) {
    levels[i] = classes[i].probability;
    words[i] = g_quark_from_string (classes[i].label);
  }
  gst_analytics_relation_meta_add_cls_mtd (get_relation_meta (buffer, 1), n_classes, levels, words, &entry);
}

void
gst_upi_relation_install_property (GObjectClass *klass, guint id)
{
  /**
   * GstUpiDetect:analytics-meta:
   *
   * Whether what was found is in the frame's GstAnalyticsRelationMeta as well, for GStreamer's own overlays and
   * converters. upiclassify has the same property. From GStreamer 1.24 on.
   */
  g_object_class_install_property (klass, id,
      g_param_spec_boolean ("analytics-meta", "Analytics meta",
          "Also put what was found into the GstAnalyticsRelationMeta of each frame (default: true)", TRUE,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
}
