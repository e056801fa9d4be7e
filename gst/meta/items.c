/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* items.c: how items of each kind are copied, with the texts, points and regions that they lead to; see items.h.
 * Fields in reserve are cleared: nobody owns what may be there. */
#include "gst/meta/items.h"

#include <string.h>

static gsize
text_bytes (const gchar *text)
{
  return (text != NULL ? strlen (text) : 0) + 1;
}

/* No text is an empty one. *@end: where the next goes. */
static const gchar *
put_text (gchar **end, const gchar *text)
{
  gchar *copy = *end;

  *end = g_stpcpy (copy, text != NULL ? text : "") + 1;
  return copy;
}

static gsize
object_vector_bytes (const GstUpiObject *object)
{
  return object->vector != NULL ? object->vector_length : 0;
}

static gsize
object_bytes (gconstpointer item)
{
  const GstUpiObject *object = item;

  return object_vector_bytes (object) + text_bytes (object->label);
}

static void
copy_object (gpointer item, gconstpointer original, gchar *end)
{
  GstUpiObject *to = item;
  const GstUpiObject *from = original;

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved);
  to->mask = from->mask != NULL ? upi_mask_ref (from->mask) : NULL;
  to->vector_length = (guint) object_vector_bytes (from);
  to->vector = to->vector_length > 0 ? memcpy (end, from->vector, to->vector_length) : NULL;
  end += to->vector_length;
  to->label = put_text (&end, from->label);
}

static void
clear_object (gpointer item)
{
  g_clear_pointer (&((GstUpiObject *) item)->mask, upi_mask_unref);
}

static guint
n_regions (const GstUpiCaption *caption)
{
  return caption->regions != NULL ? caption->n_regions : 0;
}

static gsize
caption_bytes (gconstpointer item)
{
  const GstUpiCaption *caption = item;
  gsize bytes = text_bytes (caption->text);

  for (guint i = 0; i < n_regions (caption); i++)
    bytes += sizeof (GstUpiCaptionRegion) + text_bytes (caption->regions[i].label);
  return bytes;
}

/* Whoever reads the regions may take their words out of the text: they end where it does. */
static void
copy_caption (gpointer item, gconstpointer original, gchar *end)
{
  GstUpiCaption *to = item;
  const GstUpiCaption *from = original;
  const gsize length = text_bytes (from->text) - 1;
  GstUpiCaptionRegion *regions = (GstUpiCaptionRegion *) (gpointer) end;

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved);
  to->n_regions = n_regions (from);
  to->regions = to->n_regions > 0 ? regions : NULL;
  end += to->n_regions * sizeof (GstUpiCaptionRegion);
  to->text = put_text (&end, from->text);
  for (guint i = 0; i < to->n_regions; i++) {
    regions[i] = from->regions[i];
    memset (regions[i].reserved, 0, sizeof regions[i].reserved);
    regions[i].label = put_text (&end, from->regions[i].label);
    regions[i].first = (guint) MIN (from->regions[i].first, length);
    regions[i].bytes = (guint) MIN (from->regions[i].bytes, length - regions[i].first);
  }
}

static gsize
event_bytes (gconstpointer item)
{
  const GstUpiEvent *event = item;

  return text_bytes (event->rule) + text_bytes (event->what) + text_bytes (event->label);
}

static void
copy_event (gpointer item, gconstpointer original, gchar *end)
{
  GstUpiEvent *to = item;
  const GstUpiEvent *from = original;

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved);
  to->rule = put_text (&end, from->rule);
  to->what = put_text (&end, from->what);
  to->label = put_text (&end, from->label);
}

static guint
n_points (const GstUpiRule *rule)
{
  return rule->points != NULL ? rule->n_points : 0;
}

static gsize
rule_bytes (gconstpointer item)
{
  const GstUpiRule *rule = item;

  return n_points (rule) * sizeof (GstUpiPoint) + text_bytes (rule->name) + text_bytes (rule->text);
}

static void
copy_rule (gpointer item, gconstpointer original, gchar *end)
{
  GstUpiRule *to = item;
  const GstUpiRule *from = original;

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved);
  to->n_points = n_points (from);
  to->points = to->n_points > 0 ? memcpy (end, from->points, to->n_points * sizeof (GstUpiPoint)) : NULL;
  end += to->n_points * sizeof (GstUpiPoint);
  to->name = put_text (&end, from->name);
  to->text = put_text (&end, from->text);
}

static gsize
class_bytes (gconstpointer item)
{
  return text_bytes (((const GstUpiClass *) item)->label);
}

static void
copy_class (gpointer item, gconstpointer original, gchar *end)
{
  GstUpiClass *to = item;
  const GstUpiClass *from = original;

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved);
  to->label = put_text (&end, from->label);
}

const GstUpiItemKind gst_upi_item_kinds[GST_UPI_N_ITEMS] = {
  [GST_UPI_ITEMS_OBJECTS] = { sizeof (GstUpiObject), object_bytes, copy_object, clear_object },
  [GST_UPI_ITEMS_CANDIDATES] = { sizeof (GstUpiObject), object_bytes, copy_object, clear_object },
  [GST_UPI_ITEMS_CAPTIONS] = { sizeof (GstUpiCaption), caption_bytes, copy_caption, NULL },
  [GST_UPI_ITEMS_EVENTS] = { sizeof (GstUpiEvent), event_bytes, copy_event, NULL },
  [GST_UPI_ITEMS_RULES] = { sizeof (GstUpiRule), rule_bytes, copy_rule, NULL },
  [GST_UPI_ITEMS_CLASSES] = { sizeof (GstUpiClass), class_bytes, copy_class, NULL },
};
