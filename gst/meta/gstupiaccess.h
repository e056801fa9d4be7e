/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupiaccess.h: what is known of a frame one by one, for languages that cannot walk C's arrays (GstUpi-1.0 by
 * introspection). What an accessor returns holds what it needs: it stays when the buffer, its content and the pipeline
 * are gone.
 *
 *   content = GstUpi.buffer_get_content (sample.get_buffer ())
 *   for i in range (content.get_n_objects ()):
 *       print (content.get_object (i).label)
 */
#pragma once

#include "gstupimeta.h" /* beside it, here and where it is installed */

G_BEGIN_DECLS

#define GST_TYPE_UPI_OBJECT (gst_upi_object_get_type ())
#define GST_TYPE_UPI_CAPTION_TEXT (gst_upi_caption_text_get_type ())
#define GST_TYPE_UPI_CAPTION_REGION (gst_upi_caption_region_get_type ())
#define GST_TYPE_UPI_EVENT (gst_upi_event_get_type ())
#define GST_TYPE_UPI_RULE (gst_upi_rule_get_type ())

/**
 * gst_upi_object_get_type: the boxed type of a #GstUpiObject that an accessor returned.
 * Returns: the type
 */
GST_UPI_API GType gst_upi_object_get_type (void);
/**
 * gst_upi_object_ref: one reference more.
 * @object: one that an accessor returned, none of an array
 * Returns: (transfer full): @object
 */
GST_UPI_API GstUpiObject *gst_upi_object_ref (GstUpiObject *object);
/**
 * gst_upi_object_unref: one reference less.
 * @object: (transfer full): one that an accessor returned, none of an array
 */
GST_UPI_API void gst_upi_object_unref (GstUpiObject *object);
/**
 * gst_upi_object_get_mask: the object's mask.
 * @object: an object
 * Returns: (transfer full) (nullable): %NULL: it has none
 */
GST_UPI_API UpiMask *gst_upi_object_get_mask (const GstUpiObject *object);

/**
 * GstUpiCaptionText: one sentence about the frame, a #GstUpiCaption (whose name is also that of upicaption's type).
 * @text: UTF-8
 * @pts: of the frame that it describes, nanoseconds, or GST_CLOCK_TIME_NONE
 * @duration: how long it is to be shown, nanoseconds, or GST_CLOCK_TIME_NONE
 * @flags: bits of #GstUpiCaptionFlags
 * @n_regions: how many regions its words stand for
 */
typedef struct _GstUpiCaptionText {
  const gchar *text;
  GstClockTime pts;
  GstClockTime duration;
  guint flags;
  guint n_regions;

  /*< private >*/
  const GstUpiCaptionRegion *regions;
  gpointer reserved[8];
} GstUpiCaptionText;

/**
 * gst_upi_caption_text_get_type: the boxed type of a #GstUpiCaptionText that an accessor returned.
 * Returns: the type
 */
GST_UPI_API GType gst_upi_caption_text_get_type (void);
/**
 * gst_upi_caption_text_ref: one reference more.
 * @caption: one that an accessor returned, none of an array
 * Returns: (transfer full): @caption
 */
GST_UPI_API GstUpiCaptionText *gst_upi_caption_text_ref (GstUpiCaptionText *caption);
/**
 * gst_upi_caption_text_unref: one reference less.
 * @caption: (transfer full): one that an accessor returned, none of an array
 */
GST_UPI_API void gst_upi_caption_text_unref (GstUpiCaptionText *caption);
/**
 * gst_upi_caption_text_get_region: a region that a word stands for.
 * @caption: one that an accessor returned, none of an array
 * @index: below its n_regions
 * Returns: (transfer full) (nullable): %NULL: there are not so many
 */
GST_UPI_API GstUpiCaptionRegion *gst_upi_caption_text_get_region (GstUpiCaptionText *caption, guint index);

/**
 * gst_upi_caption_region_get_type: the boxed type of a #GstUpiCaptionRegion that an accessor returned.
 * Returns: the type
 */
GST_UPI_API GType gst_upi_caption_region_get_type (void);
/**
 * gst_upi_caption_region_ref: one reference more.
 * @region: one that an accessor returned, none of an array
 * Returns: (transfer full): @region
 */
GST_UPI_API GstUpiCaptionRegion *gst_upi_caption_region_ref (GstUpiCaptionRegion *region);
/**
 * gst_upi_caption_region_unref: one reference less.
 * @region: (transfer full): one that an accessor returned, none of an array
 */
GST_UPI_API void gst_upi_caption_region_unref (GstUpiCaptionRegion *region);

/**
 * gst_upi_event_get_type: the boxed type of a #GstUpiEvent that an accessor returned.
 * Returns: the type
 */
GST_UPI_API GType gst_upi_event_get_type (void);
/**
 * gst_upi_event_ref: one reference more.
 * @event: one that an accessor returned, none of an array
 * Returns: (transfer full): @event
 */
GST_UPI_API GstUpiEvent *gst_upi_event_ref (GstUpiEvent *event);
/**
 * gst_upi_event_unref: one reference less.
 * @event: (transfer full): one that an accessor returned, none of an array
 */
GST_UPI_API void gst_upi_event_unref (GstUpiEvent *event);

/**
 * gst_upi_rule_get_type: the boxed type of a #GstUpiRule that an accessor returned.
 * Returns: the type
 */
GST_UPI_API GType gst_upi_rule_get_type (void);
/**
 * gst_upi_rule_ref: one reference more.
 * @rule: one that an accessor returned, none of an array
 * Returns: (transfer full): @rule
 */
GST_UPI_API GstUpiRule *gst_upi_rule_ref (GstUpiRule *rule);
/**
 * gst_upi_rule_unref: one reference less.
 * @rule: (transfer full): one that an accessor returned, none of an array
 */
GST_UPI_API void gst_upi_rule_unref (GstUpiRule *rule);
/**
 * gst_upi_rule_get_point: a corner of a zone or an end of a line.
 * @rule: a rule
 * @index: below its n_points
 * @x: (out): in 0..1 of the frame
 * @y: (out): in 0..1 of the frame
 * Returns: %FALSE: there are not so many
 */
GST_UPI_API gboolean gst_upi_rule_get_point (const GstUpiRule *rule, guint index, gfloat *x, gfloat *y);

/**
 * gst_upi_class_get_type: the boxed type of a #GstUpiClass that an accessor returned.
 * Returns: the type
 */
GST_UPI_API GType gst_upi_class_get_type (void);
/**
 * gst_upi_class_ref: one reference more.
 * @item: one that an accessor returned, none of an array
 * Returns: (transfer full): @item
 */
GST_UPI_API GstUpiClass *gst_upi_class_ref (GstUpiClass *item);
/**
 * gst_upi_class_unref: one reference less.
 * @item: (transfer full): one that an accessor returned, none of an array
 */
GST_UPI_API void gst_upi_class_unref (GstUpiClass *item);

/**
 * gst_upi_content_get_n_objects: how many objects there are.
 * @content: a content
 * Returns: their number
 */
GST_UPI_API guint gst_upi_content_get_n_objects (const GstUpiContent *content);
/**
 * gst_upi_content_get_object: one object.
 * @content: a content
 * @index: below gst_upi_content_get_n_objects()
 * Returns: (transfer full) (nullable): %NULL: there are not so many
 */
GST_UPI_API GstUpiObject *gst_upi_content_get_object (GstUpiContent *content, guint index);
/**
 * gst_upi_content_get_n_captions: how many captions there are.
 * @content: a content
 * Returns: their number
 */
GST_UPI_API guint gst_upi_content_get_n_captions (const GstUpiContent *content);
/**
 * gst_upi_content_get_caption: one caption.
 * @content: a content
 * @index: below gst_upi_content_get_n_captions()
 * Returns: (transfer full) (nullable): %NULL: there are not so many
 */
GST_UPI_API GstUpiCaptionText *gst_upi_content_get_caption (GstUpiContent *content, guint index);
/**
 * gst_upi_content_get_n_events: how many events there are.
 * @content: a content
 * Returns: their number
 */
GST_UPI_API guint gst_upi_content_get_n_events (const GstUpiContent *content);
/**
 * gst_upi_content_get_event: one event.
 * @content: a content
 * @index: below gst_upi_content_get_n_events()
 * Returns: (transfer full) (nullable): %NULL: there are not so many
 */
GST_UPI_API GstUpiEvent *gst_upi_content_get_event (GstUpiContent *content, guint index);
/**
 * gst_upi_content_get_n_rules: how many rules the frame has passed.
 * @content: a content
 * Returns: their number
 */
GST_UPI_API guint gst_upi_content_get_n_rules (const GstUpiContent *content);
/**
 * gst_upi_content_get_rule: one rule and how it stands.
 * @content: a content
 * @index: below gst_upi_content_get_n_rules()
 * Returns: (transfer full) (nullable): %NULL: there are not so many
 */
GST_UPI_API GstUpiRule *gst_upi_content_get_rule (GstUpiContent *content, guint index);
/**
 * gst_upi_content_get_n_classes: how many classes there are, of all lists.
 * @content: a content
 * Returns: their number
 */
GST_UPI_API guint gst_upi_content_get_n_classes (const GstUpiContent *content);
/**
 * gst_upi_content_get_class: how probably one label is true of the frame.
 * @content: a content
 * @index: below gst_upi_content_get_n_classes()
 * Returns: (transfer full) (nullable): %NULL: there are not so many
 */
GST_UPI_API GstUpiClass *gst_upi_content_get_class (GstUpiContent *content, guint index);

/**
 * gst_upi_buffer_get_meta: gst_buffer_get_upi_meta() by a name that languages with namespaces find.
 * @buffer: a buffer
 * Returns: (transfer none) (nullable): %NULL: the buffer has none; the buffer's, and gone with it
 */
GST_UPI_API GstUpiMeta *gst_upi_buffer_get_meta (GstBuffer *buffer);
/**
 * gst_upi_buffer_add_meta: gst_buffer_add_upi_meta() by a name that languages with namespaces find.
 * @buffer: writable (its metadata; its memory need not be)
 * @content: (nullable) (transfer none): %NULL: an empty content
 * Returns: (transfer none): the buffer's meta, and gone with it
 */
GST_UPI_API GstUpiMeta *gst_upi_buffer_add_meta (GstBuffer *buffer, GstUpiContent *content);
/**
 * gst_upi_buffer_get_content: what is known of a frame, for as long as it is held.
 * @buffer: a buffer
 * Returns: (transfer full) (nullable): %NULL: the buffer has no GstUpiMeta
 */
GST_UPI_API GstUpiContent *gst_upi_buffer_get_content (GstBuffer *buffer);

G_END_DECLS
