/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* content.c: GstUpiContent, what is known about a frame: never changed, each made from the one before; see
 * gstupimeta.h. */
#include "gst/meta/gstupimeta.h"

#include <string.h>

#include "gst/meta/items.h"

struct _GstUpiContent {
  UpiEncoding *encoding; /* nullable */
  gboolean encoded;
  gchar *dropper;       /* nullable: an atomic rc box */
  GstUpiContent *whole; /* nullable: before the geometry was lost */
  GstClockTime pts;
  GstUpiContentFlags flags;
  GstUpiList *lists[GST_UPI_N_ITEMS]; /* each nullable */
};

G_DEFINE_BOXED_TYPE (GstUpiContent, gst_upi_content, gst_upi_content_ref, gst_upi_content_unref)

static void
content_clear (gpointer data)
{
  GstUpiContent *content = data;

  g_clear_pointer (&content->encoding, upi_encoding_unref);
  g_clear_pointer (&content->dropper, g_atomic_rc_box_release);
  g_clear_pointer (&content->whole, gst_upi_content_unref);
  for (guint i = 0; i < GST_UPI_N_ITEMS; i++)
    g_clear_pointer (&content->lists[i], gst_upi_list_unref);
}

GstUpiContent *
gst_upi_content_new (UpiEncoding *encoding, GstClockTime pts, GstUpiContentFlags flags)
{
  GstUpiContent *content = g_atomic_rc_box_new0 (GstUpiContent);
  content->encoding = encoding != NULL ? upi_encoding_ref (encoding) : NULL;
  content->encoded = encoding != NULL;
  content->pts = pts;
  content->flags = flags;
  return content;
}

GstUpiContent *
gst_upi_content_ref (GstUpiContent *content)
{
  return g_atomic_rc_box_acquire (content);
}

void
gst_upi_content_unref (GstUpiContent *content)
{
  g_atomic_rc_box_release_full (content, content_clear);
}

/* The same as @content, everything shared. */
static GstUpiContent *
content_copy (const GstUpiContent *content)
{
  GstUpiContent *copy = gst_upi_content_new (content->encoding, content->pts, content->flags);

  copy->encoded = content->encoded;
  copy->dropper = content->dropper != NULL ? g_atomic_rc_box_acquire (content->dropper) : NULL;
  copy->whole = content->whole != NULL ? gst_upi_content_ref (content->whole) : NULL;
  for (guint i = 0; i < GST_UPI_N_ITEMS; i++)
    copy->lists[i] = gst_upi_list_ref (content->lists[i]);
  return copy;
}

/* Returns: (transfer full): @content with more items of a kind behind its own. */
static GstUpiContent *
content_add (GstUpiContent *content, GstUpiItems which, gconstpointer items, guint n)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (items != NULL || n == 0, NULL);

  if (n == 0)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  result->lists[which] = gst_upi_list_append (result->lists[which], &gst_upi_item_kinds[which], items, n);
  return result;
}

static gconstpointer
content_get (const GstUpiContent *content, GstUpiItems which, guint *n)
{
  const GstUpiList *list = content->lists[which];

  *n = list != NULL ? list->n_items : 0;
  return list != NULL ? list->items : NULL;
}

GstUpiContent *
gst_upi_content_add_objects (GstUpiContent *content, const GstUpiObject *objects, guint n_objects)
{
  return content_add (content, GST_UPI_ITEMS_OBJECTS, objects, n_objects);
}

GstUpiContent *
gst_upi_content_set_objects (GstUpiContent *content, const GstUpiObject *objects, guint n_objects)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (objects != NULL || n_objects == 0, NULL);

  g_autoptr (GstUpiContent) bare = content_copy (content);
  g_clear_pointer (&bare->lists[GST_UPI_ITEMS_OBJECTS], gst_upi_list_unref);
  g_clear_pointer (&bare->lists[GST_UPI_ITEMS_CANDIDATES], gst_upi_list_unref);
  return content_add (bare, GST_UPI_ITEMS_OBJECTS, objects, n_objects);
}

GstUpiContent *
gst_upi_content_add_candidates (GstUpiContent *content, const GstUpiObject *candidates, guint n_candidates)
{
  return content_add (content, GST_UPI_ITEMS_CANDIDATES, candidates, n_candidates);
}

GstUpiContent *
gst_upi_content_set_captions (GstUpiContent *content, const GstUpiCaption *captions, guint n_captions)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (captions != NULL || n_captions == 0, NULL);

  if (n_captions == 0 && content->lists[GST_UPI_ITEMS_CAPTIONS] == NULL)
    return gst_upi_content_ref (content);
  g_autoptr (GstUpiContent) bare = content_copy (content);
  g_clear_pointer (&bare->lists[GST_UPI_ITEMS_CAPTIONS], gst_upi_list_unref);
  return content_add (bare, GST_UPI_ITEMS_CAPTIONS, captions, n_captions);
}

GstUpiContent *
gst_upi_content_add_events (GstUpiContent *content, const GstUpiEvent *events, guint n_events)
{
  return content_add (content, GST_UPI_ITEMS_EVENTS, events, n_events);
}

GstUpiContent *
gst_upi_content_add_rules (GstUpiContent *content, const GstUpiRule *rules, guint n_rules)
{
  return content_add (content, GST_UPI_ITEMS_RULES, rules, n_rules);
}

/* They are the next list of the frame's: number 0, 1, … */
GstUpiContent *
gst_upi_content_add_classes (GstUpiContent *content, const GstUpiClass *classes, guint n_classes)
{
  guint n_old = 0;

  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (classes != NULL || n_classes == 0, NULL);

  const GstUpiClass *old = gst_upi_content_get_classes (content, &n_old);
  const guint number = n_old > 0 ? old[n_old - 1].list + 1 : 0;
  g_autofree GstUpiClass *numbered = g_memdup2 (classes, n_classes * sizeof (GstUpiClass));
  for (guint i = 0; i < n_classes; i++)
    numbered[i].list = number;
  return content_add (content, GST_UPI_ITEMS_CLASSES, numbered, n_classes);
}

GstUpiContent *
gst_upi_content_drop_encoding (GstUpiContent *content)
{
  g_return_val_if_fail (content != NULL, NULL);

  if (content->encoding == NULL)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  g_clear_pointer (&result->encoding, upi_encoding_unref);
  return result;
}

GstUpiContent *
gst_upi_content_drop_encoding_by (GstUpiContent *content, const gchar *element)
{
  g_return_val_if_fail (element != NULL, NULL);

  GstUpiContent *result = gst_upi_content_drop_encoding (content);
  if (result != content)
    result->dropper = (gchar *) g_atomic_rc_box_dup (strlen (element) + 1, element);
  return result;
}

GstUpiContent *
gst_upi_content_lose_geometry (GstUpiContent *content, gboolean named, gboolean recoverable)
{
  const GstUpiContentFlags lost = GST_UPI_CONTENT_GEOMETRY_LOST | (named ? GST_UPI_CONTENT_GEOMETRY_NAMED : 0);

  if (content != NULL && (content->flags & lost) == lost && (recoverable || content->whole == NULL))
    return gst_upi_content_ref (content);
  GstUpiContent *result =
      gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, (content != NULL ? content->flags : 0) | lost);
  if (content != NULL && recoverable)
    result->whole = gst_upi_content_ref (content->flags & GST_UPI_CONTENT_GEOMETRY_LOST ? content->whole : content);
  return result;
}

GstUpiContent *
gst_upi_content_get_whole (GstUpiContent *content)
{
  return content->whole;
}

const gchar *
gst_upi_content_get_dropper (const GstUpiContent *content)
{
  return content->dropper;
}

UpiEncoding *
gst_upi_content_get_encoding (const GstUpiContent *content)
{
  return content->encoding;
}

gboolean
gst_upi_content_is_encoded (const GstUpiContent *content)
{
  return content->encoded;
}

GstClockTime
gst_upi_content_get_inference_pts (const GstUpiContent *content)
{
  return content->pts;
}

GstUpiContentFlags
gst_upi_content_get_flags (const GstUpiContent *content)
{
  return content->flags;
}

const GstUpiObject *
gst_upi_content_get_objects (const GstUpiContent *content, guint *n_objects)
{
  return content_get (content, GST_UPI_ITEMS_OBJECTS, n_objects);
}

const GstUpiObject *
gst_upi_content_get_candidates (const GstUpiContent *content, guint *n_candidates)
{
  return content_get (content, GST_UPI_ITEMS_CANDIDATES, n_candidates);
}

const GstUpiCaption *
gst_upi_content_get_captions (const GstUpiContent *content, guint *n_captions)
{
  return content_get (content, GST_UPI_ITEMS_CAPTIONS, n_captions);
}

const GstUpiEvent *
gst_upi_content_get_events (const GstUpiContent *content, guint *n_events)
{
  return content_get (content, GST_UPI_ITEMS_EVENTS, n_events);
}

const GstUpiRule *
gst_upi_content_get_rules (const GstUpiContent *content, guint *n_rules)
{
  return content_get (content, GST_UPI_ITEMS_RULES, n_rules);
}

const GstUpiClass *
gst_upi_content_get_classes (const GstUpiContent *content, guint *n_classes)
{
  return content_get (content, GST_UPI_ITEMS_CLASSES, n_classes);
}
