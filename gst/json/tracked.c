/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracked.c: see tracked.h. Members and their meaning are those of Frigate's documentation,
 * https://docs.frigate.video/integrations/mqtt/ */
#include "gst/json/tracked.h"

#include <math.h>

#include "gst/json/text.h"
#include "gst/json/zones.h"

#define MAX_OBJECTS 1000
#define GONE_AFTER (3 * GST_SECOND)
#define UPDATE_AFTER GST_SECOND /* at most so often, but for a zone that changes */
#define BETTER 0.05f            /* a score that is worth an update */

typedef struct {
  guint64 track_id;
  gchar *id, *label;
  gfloat score, top_score, told_score;
  gint box[4]; /* left, top, right, bottom, in pixels */
  gint frame_width, frame_height;
  GstClockTime start, now;      /* since 1970 */
  GstClockTime seen, told;      /* running time */
  GPtrArray *current, *entered; /* names of zones */
  gboolean zones_changed;
  gchar *before; /* what was told last, or NULL */
} Object;

struct _GstUpiTracked {
  gchar *camera;
  guint stream;
  GstClockTime running_time;
  GHashTable *objects; /* by &track_id */
};

static void
object_free (gpointer data)
{
  Object *object = data;

  g_free (object->id);
  g_free (object->label);
  g_free (object->before);
  g_ptr_array_unref (object->current);
  g_ptr_array_unref (object->entered);
  g_free (object);
}

GstUpiTracked *
gst_upi_tracked_new (const gchar *camera)
{
  GstUpiTracked *tracked = g_new0 (GstUpiTracked, 1);

  tracked->camera = g_strdup (camera);
  tracked->objects = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, object_free);
  return tracked;
}

void
gst_upi_tracked_free (GstUpiTracked *tracked)
{
  g_hash_table_unref (tracked->objects);
  g_free (tracked->camera);
  g_free (tracked);
}

static void
append_seconds (GString *text, const gchar *name, GstClockTime time)
{
  g_string_append_printf (
      text, ",\"%s\":%" G_GUINT64_FORMAT ".%06u", name, time / GST_SECOND, (guint) (time % GST_SECOND / GST_USECOND));
}

static void
append_names (GString *text, const gchar *name, const GPtrArray *names)
{
  g_string_append_printf (text, ",\"%s\":[", name);
  for (guint i = 0; i < names->len; i++) {
    if (i > 0)
      g_string_append_c (text, ',');
    gst_upi_json_append_string (text, g_ptr_array_index (names, i));
  }
  g_string_append_c (text, ']');
}

static gchar *
describe (const GstUpiTracked *tracked, const Object *object, gboolean ended)
{
  GString *text = g_string_new ("{\"id\":");
  gint width = object->box[2] - object->box[0], height = object->box[3] - object->box[1];

  gst_upi_json_append_string (text, object->id);
  g_string_append (text, ",\"camera\":");
  gst_upi_json_append_string (text, tracked->camera);
  append_seconds (text, "frame_time", object->now);
  g_string_append (text, ",\"label\":");
  gst_upi_json_append_string (text, object->label);
  g_string_append (text, ",\"sub_label\":null,\"top_score\":");
  gst_upi_json_append_number (text, object->top_score);
  g_string_append (text, ",\"false_positive\":false");
  append_seconds (text, "start_time", object->start);
  if (ended)
    append_seconds (text, "end_time", object->now);
  else
    g_string_append (text, ",\"end_time\":null");
  g_string_append (text, ",\"score\":");
  gst_upi_json_append_number (text, object->score);
  g_string_append_printf (text, ",\"box\":[%d,%d,%d,%d],\"area\":%d,\"ratio\":", object->box[0], object->box[1],
      object->box[2], object->box[3], width * height);
  gst_upi_json_append_number (text, height > 0 ? (gdouble) width / height : 0);
  g_string_append_printf (text, ",\"region\":[0,0,%d,%d]", object->frame_width, object->frame_height);
  append_names (text, "current_zones", object->current);
  append_names (text, "entered_zones", object->entered);
  g_string_append (text, ",\"has_clip\":false,\"has_snapshot\":false}");
  return g_string_free (text, FALSE);
}

static void
tell_of (GstUpiTracked *tracked, Object *object, gboolean ended, GstUpiTrackedTell tell, gpointer data)
{
  gchar *after = describe (tracked, object, ended);
  const gchar *type = ended ? "end" : object->before == NULL ? "new" : "update";
  g_autofree gchar *message = g_strdup_printf (
      "{\"type\":\"%s\",\"before\":%s,\"after\":%s}", type, object->before != NULL ? object->before : after, after);

  g_free (object->before);
  object->before = after;
  object->told = tracked->running_time;
  object->told_score = object->top_score;
  object->zones_changed = FALSE;
  tell (message, data);
}

static gboolean
contains (const GPtrArray *names, const gchar *name)
{
  return g_ptr_array_find_with_equal_func ((GPtrArray *) names, name, g_str_equal, NULL);
}

static void
take_zones (Object *object, const GstUpiObject *seen, const GstUpiContent *content)
{
  guint n_rules;
  const GstUpiRule *rules = gst_upi_content_get_rules (content, &n_rules);
  GPtrArray *now = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < n_rules; i++)
    if (gst_upi_zone_contains (&rules[i], seen)) {
      g_ptr_array_add (now, g_strdup (rules[i].name));
      object->zones_changed |= !contains (object->current, rules[i].name);
      if (!contains (object->entered, rules[i].name))
        g_ptr_array_add (object->entered, g_strdup (rules[i].name));
    }
  object->zones_changed |= now->len != object->current->len;
  g_ptr_array_unref (object->current);
  object->current = now;
}

static gint
to_pixels (gfloat position, gint size)
{
  return isfinite (position) ? (gint) lrintf (CLAMP (position, 0, 1) * (gfloat) size) : 0;
}

static void
take_object (GstUpiTracked *tracked, const GstUpiJsonFrame *frame, const GstUpiContent *content,
    const GstUpiObject *seen, GstUpiTrackedTell tell, gpointer data)
{
  Object *object = g_hash_table_lookup (tracked->objects, &seen->track_id);
  GstClockTime now =
      GST_CLOCK_TIME_IS_VALID (frame->wall_clock) ? frame->wall_clock : (GstClockTime) g_get_real_time () * GST_USECOND;

  if (object == NULL) {
    if (g_hash_table_size (tracked->objects) >= MAX_OBJECTS)
      return;
    object = g_new0 (Object, 1);
    object->track_id = seen->track_id;
    object->start = now;
    object->id = g_strdup_printf ("%" G_GUINT64_FORMAT ".%06u-s%ut%" G_GUINT64_FORMAT, now / GST_SECOND,
        (guint) (now % GST_SECOND / GST_USECOND), tracked->stream, seen->track_id);
    object->current = g_ptr_array_new_with_free_func (g_free);
    object->entered = g_ptr_array_new_with_free_func (g_free);
    g_hash_table_insert (tracked->objects, &object->track_id, object);
  }
  if (g_strcmp0 (object->label, seen->label) != 0) {
    g_free (object->label);
    object->label = g_strdup (seen->label);
  }
  object->now = now;
  object->seen = tracked->running_time;
  object->score = seen->score;
  object->top_score = MAX (object->top_score, seen->score);
  object->frame_width = frame->width;
  object->frame_height = frame->height;
  object->box[0] = to_pixels (seen->x, frame->width);
  object->box[1] = to_pixels (seen->y, frame->height);
  object->box[2] = to_pixels (seen->x + seen->width, frame->width);
  object->box[3] = to_pixels (seen->y + seen->height, frame->height);
  take_zones (object, seen, content);
  if (object->before == NULL || object->zones_changed
      || (object->top_score >= object->told_score + BETTER && tracked->running_time - object->told >= UPDATE_AFTER))
    tell_of (tracked, object, FALSE, tell, data);
}

void
gst_upi_tracked_end (GstUpiTracked *tracked, GstUpiTrackedTell tell, gpointer data)
{
  GHashTableIter iter;
  gpointer object;

  for (g_hash_table_iter_init (&iter, tracked->objects); g_hash_table_iter_next (&iter, NULL, &object);) {
    tell_of (tracked, object, TRUE, tell, data);
    g_hash_table_iter_remove (&iter);
  }
}

void
gst_upi_tracked_take (GstUpiTracked *tracked, const GstUpiJsonFrame *frame, const GstUpiContent *content,
    GstUpiTrackedTell tell, gpointer data)
{
  guint n_objects;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  gboolean goes_back = GST_CLOCK_TIME_IS_VALID (frame->running_time) && frame->running_time < tracked->running_time;
  GHashTableIter iter;
  gpointer item;

  if (frame->stream != tracked->stream || goes_back)
    gst_upi_tracked_end (tracked, tell, data);
  tracked->stream = frame->stream;
  if (GST_CLOCK_TIME_IS_VALID (frame->running_time))
    tracked->running_time = frame->running_time;
  for (guint i = 0; i < n_objects; i++)
    if (objects[i].track_id != 0)
      take_object (tracked, frame, content, &objects[i], tell, data);
  for (g_hash_table_iter_init (&iter, tracked->objects); g_hash_table_iter_next (&iter, NULL, &item);) {
    Object *object = item;
    if (tracked->running_time - object->seen < GONE_AFTER)
      continue;
    tell_of (tracked, object, TRUE, tell, data);
    g_hash_table_iter_remove (&iter);
  }
}
