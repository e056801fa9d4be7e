/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupiaccess.c: items of a content as things of their own, each with a reference to the content that owns what it
 * points to; see gstupiaccess.h. */
#include "gst/meta/gstupiaccess.h"

/* The item comes first: a pointer to it is one to all. */
#define DEFINE_VIEW(Type, type)                                                                                        \
  typedef struct {                                                                                                     \
    Type item;                                                                                                         \
    GstUpiContent *content;                                                                                            \
  } Type##View;                                                                                                        \
                                                                                                                       \
  static void type##_view_clear (gpointer data)                                                                        \
  {                                                                                                                    \
    gst_upi_content_unref (((Type##View *) data)->content);                                                            \
  }                                                                                                                    \
                                                                                                                       \
  static Type *type##_view_new (GstUpiContent *content, const Type *item)                                              \
  {                                                                                                                    \
    Type##View *view = g_atomic_rc_box_new0 (Type##View);                                                              \
                                                                                                                       \
    view->item = *item;                                                                                                \
    view->content = gst_upi_content_ref (content);                                                                     \
    return &view->item;                                                                                                \
  }                                                                                                                    \
                                                                                                                       \
  Type *type##_ref (Type *item)                                                                                        \
  {                                                                                                                    \
    return g_atomic_rc_box_acquire (item);                                                                             \
  }                                                                                                                    \
                                                                                                                       \
  void type##_unref (Type *item)                                                                                       \
  {                                                                                                                    \
    g_atomic_rc_box_release_full (item, type##_view_clear);                                                            \
  }                                                                                                                    \
                                                                                                                       \
  G_DEFINE_BOXED_TYPE (Type, type, type##_ref, type##_unref)

DEFINE_VIEW (GstUpiObject, gst_upi_object)
DEFINE_VIEW (GstUpiCaptionText, gst_upi_caption_text)
DEFINE_VIEW (GstUpiCaptionRegion, gst_upi_caption_region)
DEFINE_VIEW (GstUpiEvent, gst_upi_event)
DEFINE_VIEW (GstUpiRule, gst_upi_rule)
DEFINE_VIEW (GstUpiClass, gst_upi_class)

#define DEFINE_COUNT(names)                                                                                            \
  guint gst_upi_content_get_n_##names (const GstUpiContent *content)                                                   \
  {                                                                                                                    \
    guint n;                                                                                                           \
                                                                                                                       \
    gst_upi_content_get_##names (content, &n);                                                                         \
    return n;                                                                                                          \
  }

#define DEFINE_ACCESS(Type, type, names)                                                                               \
  Type *gst_upi_content_get_##type (GstUpiContent *content, guint index)                                               \
  {                                                                                                                    \
    guint n;                                                                                                           \
    const Type *items = gst_upi_content_get_##names (content, &n);                                                     \
                                                                                                                       \
    return index < n ? gst_upi_##type##_view_new (content, &items[index]) : NULL;                                      \
  }

DEFINE_COUNT (objects)
DEFINE_COUNT (captions)
DEFINE_COUNT (events)
DEFINE_COUNT (rules)
DEFINE_COUNT (classes)
DEFINE_ACCESS (GstUpiObject, object, objects)
DEFINE_ACCESS (GstUpiEvent, event, events)
DEFINE_ACCESS (GstUpiRule, rule, rules)
DEFINE_ACCESS (GstUpiClass, class, classes)

UpiMask *
gst_upi_object_get_mask (const GstUpiObject *object)
{
  return object->mask != NULL ? upi_mask_ref (object->mask) : NULL;
}

GstUpiCaptionText *
gst_upi_content_get_caption (GstUpiContent *content, guint index)
{
  guint n;
  const GstUpiCaption *captions = gst_upi_content_get_captions (content, &n);

  if (index >= n)
    return NULL;
  const GstUpiCaptionText text = { .text = captions[index].text,
    .pts = captions[index].pts,
    .duration = captions[index].duration,
    .flags = captions[index].flags,
    .n_regions = captions[index].n_regions,
    .regions = captions[index].regions };
  return gst_upi_caption_text_view_new (content, &text);
}

GstUpiCaptionRegion *
gst_upi_caption_text_get_region (GstUpiCaptionText *caption, guint index)
{
  if (index >= caption->n_regions)
    return NULL;
  return gst_upi_caption_region_view_new (((GstUpiCaptionTextView *) caption)->content, &caption->regions[index]);
}

gboolean
gst_upi_rule_get_point (const GstUpiRule *rule, guint index, gfloat *x, gfloat *y)
{
  gboolean known = index < rule->n_points;

  *x = known ? rule->points[index].x : 0;
  *y = known ? rule->points[index].y : 0;
  return known;
}

GstUpiMeta *
gst_upi_buffer_get_meta (GstBuffer *buffer)
{
  return gst_buffer_get_upi_meta (buffer);
}

GstUpiMeta *
gst_upi_buffer_add_meta (GstBuffer *buffer, GstUpiContent *content)
{
  return gst_buffer_add_upi_meta (buffer, content);
}

GstUpiContent *
gst_upi_buffer_get_content (GstBuffer *buffer)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  return meta != NULL ? gst_upi_content_ref (gst_upi_meta_get_content (meta)) : NULL;
}
