/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* demo-events.c: see demo-events.h. */
#include "tools/demo-events.h"

#include <string.h>

/* One rule. */
typedef struct {
  gchar *kind;
  guint64 total_in, total_out;
  guint most;         /* of its objects at once */
  guint times;        /* that it began */
  GHashTable *tracks; /* label → set of track ids */
} Tally;

struct _UpiDemoEvents {
  gchar *picture;
  GHashTable *rules; /* name → Tally */
  GPtrArray *names;  /* in the order in which something happened */
};

static void
tally_free (gpointer data)
{
  Tally *tally = data;

  g_free (tally->kind);
  g_hash_table_unref (tally->tracks);
  g_free (tally);
}

UpiDemoEvents *
upi_demo_events_new (const gchar *picture)
{
  UpiDemoEvents *events = g_new0 (UpiDemoEvents, 1);

  events->picture = g_strdup (picture);
  events->rules = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, tally_free);
  events->names = g_ptr_array_new_with_free_func (g_free);
  return events;
}

void
upi_demo_events_free (UpiDemoEvents *events)
{
  g_hash_table_unref (events->rules);
  g_ptr_array_unref (events->names);
  g_free (events->picture);
  g_free (events);
}

static Tally *
tally_of (UpiDemoEvents *events, const gchar *name, const gchar *kind)
{
  Tally *tally = g_hash_table_lookup (events->rules, name);

  if (tally == NULL) {
    gchar *own = g_strdup (name);
    tally = g_new0 (Tally, 1);
    tally->kind = g_strdup (kind);
    tally->tracks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
    g_ptr_array_add (events->names, own);
    g_hash_table_insert (events->rules, own, tally);
  }
  return tally;
}

static void
count_track (Tally *tally, const gchar *label, guint64 track_id)
{
  GHashTable *ids = g_hash_table_lookup (tally->tracks, label);

  if (track_id == 0)
    return;
  if (ids == NULL) {
    ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    g_hash_table_insert (tally->tracks, g_strdup (label), ids);
  }
  g_hash_table_add (ids, g_memdup2 (&track_id, sizeof track_id));
}

/* "person 7 enters"; NULL: not worth a line */
static gchar *
sentence (const GstStructure *says, const gchar *what, const gchar *who, gboolean picture)
{
  guint count = 0;
  guint64 in = 0, out = 0, since = GST_CLOCK_TIME_NONE, now = GST_CLOCK_TIME_NONE;
  gdouble score = 0;

  gst_structure_get (says, "count", G_TYPE_UINT, &count, "total-in", G_TYPE_UINT64, &in, "total-out", G_TYPE_UINT64,
      &out, "since", G_TYPE_UINT64, &since, "running-time", G_TYPE_UINT64, &now, "score", G_TYPE_DOUBLE, &score, NULL);
  if (g_str_equal (what, "enter") || g_str_equal (what, "appear"))
    return g_strdup_printf (picture ? "%s comes into the picture (%u in it)" : "%s enters (%u inside)", who, count);
  if (g_str_equal (what, "leave") || g_str_equal (what, "vanish"))
    return g_strdup_printf (picture ? "%s is gone (%u in the picture)" : "%s leaves (%u inside)", who, count);
  if (g_str_equal (what, "dwell") && GST_CLOCK_TIME_IS_VALID (since) && GST_CLOCK_TIME_IS_VALID (now) && now >= since)
    return g_strdup_printf ("%s has been inside for %.0f s", who, (gdouble) (now - since) / GST_SECOND);
  if (g_str_equal (what, "forward") || g_str_equal (what, "backward"))
    return g_strdup_printf ("%s crosses %s (%" G_GUINT64_FORMAT " forward, %" G_GUINT64_FORMAT " back)", who,
        g_str_equal (what, "forward") ? what : "back", in, out);
  if (g_str_equal (what, "above") || g_str_equal (what, "below"))
    return g_strdup_printf ("%u: %s", count, g_str_equal (what, "above") ? "too many" : "too few");
  if (g_str_equal (what, "phrase"))
    return g_strdup_printf ("true (%.0f %%)", score * 100);
  return NULL;
}

static gchar *
take_event (UpiDemoEvents *events, const GstStructure *says)
{
  const gchar *rule = gst_structure_get_string (says, "rule"), *kind = gst_structure_get_string (says, "kind");
  const gchar *type = gst_structure_get_string (says, "type"), *what = gst_structure_get_string (says, "what");
  const gchar *label = gst_structure_get_string (says, "label");
  guint64 track_id = 0, in = 0, out = 0, stream_time = 0;
  guint count = 0;

  if (rule == NULL || kind == NULL || type == NULL || what == NULL)
    return NULL;
  gst_structure_get (says, "track-id", G_TYPE_UINT64, &track_id, "count", G_TYPE_UINT, &count, "total-in",
      G_TYPE_UINT64, &in, "total-out", G_TYPE_UINT64, &out, "stream-time", G_TYPE_UINT64, &stream_time, NULL);
  label = label != NULL && label[0] != '\0' ? label : "somebody";
  Tally *tally = tally_of (events, rule, kind);
  tally->total_in = in;
  tally->total_out = out;
  tally->most = MAX (tally->most, count);
  tally->times += g_str_equal (type, "new");
  count_track (tally, label, track_id);

  gboolean picture = g_strcmp0 (rule, events->picture) == 0, ends = g_str_equal (type, "end");
  if (ends && !g_str_equal (what, "leave") && !g_str_equal (what, "vanish"))
    return NULL; /* what is over again */
  g_autofree gchar *who = track_id != 0 ? g_strdup_printf ("%s %" G_GUINT64_FORMAT, label, track_id) : g_strdup (label);
  g_autofree gchar *text = sentence (says, what, who, picture);
  if (text == NULL)
    return NULL;
  return g_strdup_printf ("%7.1f s  %s%s%s",
      GST_CLOCK_TIME_IS_VALID (stream_time) ? (gdouble) stream_time / GST_SECOND : 0., picture ? "" : rule,
      picture ? "" : ": ", text);
}

gchar *
upi_demo_events_take (UpiDemoEvents *events, GstMessage *message)
{
  return gst_message_has_name (message, "upi-event") ? take_event (events, gst_message_get_structure (message)) : NULL;
}

/* ", 3 person, 1 dog": how many different ones */
static void
append_tracks (GString *text, const Tally *tally)
{
  g_autoptr (GList) labels = g_list_sort (g_hash_table_get_keys (tally->tracks), (GCompareFunc) g_strcmp0);

  for (const GList *label = labels; label != NULL; label = label->next)
    g_string_append_printf (text, "%s%s × %u", label == labels ? "" : ", ", (const gchar *) label->data,
        g_hash_table_size (g_hash_table_lookup (tally->tracks, label->data)));
}

gchar *
upi_demo_events_sum (UpiDemoEvents *events)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < events->names->len; i++) {
    const gchar *name = events->names->pdata[i];
    const Tally *tally = g_hash_table_lookup (events->rules, name);
    gboolean picture = g_strcmp0 (name, events->picture) == 0, tracked = g_hash_table_size (tally->tracks) > 0;
    g_string_append_printf (text, "  %s: ", picture ? "in the picture" : name);
    if (g_str_equal (tally->kind, "zone") && !picture)
      g_string_append_printf (
          text, "%" G_GUINT64_FORMAT " entered, %" G_GUINT64_FORMAT " left", tally->total_in, tally->total_out);
    else if (g_str_equal (tally->kind, "line"))
      g_string_append_printf (
          text, "%" G_GUINT64_FORMAT " forward, %" G_GUINT64_FORMAT " back", tally->total_in, tally->total_out);
    else if (!picture)
      g_string_append_printf (text, tally->times == 1 ? "once" : "%u times", tally->times);
    if (tracked) {
      g_string_append (text, picture ? "" : "; ");
      append_tracks (text, tally);
    }
    if (tally->most > 0 && !g_str_equal (tally->kind, "line"))
      g_string_append_printf (text, "%s%u at most at once", picture && !tracked ? "" : "; ", tally->most);
    g_string_append_c (text, '\n');
  }
  return g_string_free (text, FALSE);
}
