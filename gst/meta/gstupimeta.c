/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupimeta.c: GstUpiMeta and its immutable content; see gstupimeta.h. */
#include "gst/meta/gstupimeta.h"

#include <gst/video/video.h>

#include <string.h>

#include "gst/meta/classes.h"
#include "gst/meta/rules.h"

/* Lists are shared between a content and those made from it, so that a new caption does not copy a hundred objects. */
typedef struct {
  guint n_items;
  GstUpiObject items[];
} ObjectList;

typedef struct {
  guint n_items;
  GstUpiCaption items[];
} CaptionList;

struct _GstUpiContent {
  UpiEncoding *encoding; /* nullable */
  gboolean encoded;
  gchar *dropper;       /* nullable: an atomic rc box */
  GstUpiContent *whole; /* nullable: before the geometry was lost */
  GstClockTime pts;
  GstUpiContentFlags flags;
  ObjectList *objects;      /* nullable */
  ObjectList *candidates;   /* nullable */
  CaptionList *captions;    /* nullable */
  GstUpiEventList *events;  /* nullable */
  GstUpiRuleList *rules;    /* nullable */
  GstUpiClassList *classes; /* nullable */
};

G_DEFINE_BOXED_TYPE (GstUpiContent, gst_upi_content, gst_upi_content_ref, gst_upi_content_unref)

static void
object_list_clear (gpointer data)
{
  ObjectList *list = data;
  for (guint i = 0; i < list->n_items; i++) {
    g_atomic_rc_box_release ((gchar *) list->items[i].label);
    g_clear_pointer (&list->items[i].mask, upi_mask_unref);
    if (list->items[i].vector != NULL)
      g_atomic_rc_box_release ((gint8 *) list->items[i].vector);
  }
}

static void
caption_list_clear (gpointer data)
{
  CaptionList *list = data;
  for (guint i = 0; i < list->n_items; i++) {
    g_free ((gchar *) list->items[i].text);
    g_free ((GstUpiCaptionRegion *) list->items[i].regions);
  }
}

static void
content_clear (gpointer data)
{
  GstUpiContent *content = data;
  g_clear_pointer (&content->encoding, upi_encoding_unref);
  g_clear_pointer (&content->dropper, g_atomic_rc_box_release);
  g_clear_pointer (&content->whole, gst_upi_content_unref);
  if (content->objects != NULL)
    g_atomic_rc_box_release_full (content->objects, object_list_clear);
  if (content->candidates != NULL)
    g_atomic_rc_box_release_full (content->candidates, object_list_clear);
  if (content->captions != NULL)
    g_atomic_rc_box_release_full (content->captions, caption_list_clear);
  g_clear_pointer (&content->events, g_atomic_rc_box_release);
  g_clear_pointer (&content->rules, g_atomic_rc_box_release);
  g_clear_pointer (&content->classes, g_atomic_rc_box_release);
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
  copy->objects = content->objects != NULL ? g_atomic_rc_box_acquire (content->objects) : NULL;
  copy->candidates = content->candidates != NULL ? g_atomic_rc_box_acquire (content->candidates) : NULL;
  copy->captions = content->captions != NULL ? g_atomic_rc_box_acquire (content->captions) : NULL;
  copy->events = content->events != NULL ? g_atomic_rc_box_acquire (content->events) : NULL;
  copy->rules = content->rules != NULL ? g_atomic_rc_box_acquire (content->rules) : NULL;
  copy->classes = content->classes != NULL ? g_atomic_rc_box_acquire (content->classes) : NULL;
  return copy;
}

/* A label is a counted box of its own, shared by the contents that are made from one another. (GLib's interned strings,
 * one for all, can be handed out by one thread while another frees them.) */
static void
object_set (GstUpiObject *to, const GstUpiObject *from, gboolean shared)
{
  const gchar *label = from->label != NULL ? from->label : "";

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved); /* nobody owns what may be there */
  to->label = shared ? g_atomic_rc_box_acquire ((gchar *) label) : g_atomic_rc_box_dup (strlen (label) + 1, label);
  to->mask = from->mask != NULL ? upi_mask_ref (from->mask) : NULL;
  if (from->vector == NULL || from->vector_length == 0) {
    to->vector = NULL;
    to->vector_length = 0;
  } else {
    to->vector = shared ? g_atomic_rc_box_acquire ((gint8 *) from->vector)
                        : g_atomic_rc_box_dup (from->vector_length, from->vector);
  }
}

/* @old: (transfer full) (nullable). Returns: (transfer full): its items, and @objects behind them */
static ObjectList *
object_list_append (ObjectList *old, const GstUpiObject *objects, guint n_objects)
{
  const guint n_old = old != NULL ? old->n_items : 0;
  ObjectList *list = g_atomic_rc_box_alloc0 (sizeof (ObjectList) + (gsize) (n_old + n_objects) * sizeof (GstUpiObject));

  list->n_items = n_old + n_objects;
  for (guint i = 0; i < n_old; i++)
    object_set (&list->items[i], &old->items[i], TRUE);
  for (guint i = 0; i < n_objects; i++)
    object_set (&list->items[n_old + i], &objects[i], FALSE);
  if (old != NULL)
    g_atomic_rc_box_release_full (old, object_list_clear);
  return list;
}

GstUpiContent *
gst_upi_content_add_objects (GstUpiContent *content, const GstUpiObject *objects, guint n_objects)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (objects != NULL || n_objects == 0, NULL);

  if (n_objects == 0)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  result->objects = object_list_append (result->objects, objects, n_objects);
  return result;
}

GstUpiContent *
gst_upi_content_set_objects (GstUpiContent *content, const GstUpiObject *objects, guint n_objects)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (objects != NULL || n_objects == 0, NULL);

  GstUpiContent *result = content_copy (content);
  if (result->objects != NULL)
    g_atomic_rc_box_release_full (g_steal_pointer (&result->objects), object_list_clear);
  if (result->candidates != NULL)
    g_atomic_rc_box_release_full (g_steal_pointer (&result->candidates), object_list_clear);
  if (n_objects > 0)
    result->objects = object_list_append (NULL, objects, n_objects);
  return result;
}

GstUpiContent *
gst_upi_content_add_candidates (GstUpiContent *content, const GstUpiObject *candidates, guint n_candidates)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (candidates != NULL || n_candidates == 0, NULL);

  if (n_candidates == 0)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  result->candidates = object_list_append (result->candidates, candidates, n_candidates);
  return result;
}

/* The regions and, behind them, their labels: one block. Whoever reads them may take their words out of a text of so
 * many bytes. */
static GstUpiCaptionRegion *
copy_regions (const GstUpiCaptionRegion *regions, guint n, gsize text_bytes)
{
  gsize bytes = n * sizeof (GstUpiCaptionRegion);

  for (guint i = 0; i < n; i++)
    bytes += (regions[i].label != NULL ? strlen (regions[i].label) : 0) + 1;
  GstUpiCaptionRegion *copy = g_malloc0 (bytes);
  gchar *label = (gchar *) (copy + n);
  for (guint i = 0; i < n; i++) {
    copy[i] = regions[i];
    copy[i].label = label;
    copy[i].first = (guint) MIN (regions[i].first, text_bytes);
    copy[i].bytes = (guint) MIN (regions[i].bytes, text_bytes - copy[i].first);
    memset (copy[i].reserved, 0, sizeof copy[i].reserved);
    label = g_stpcpy (label, regions[i].label != NULL ? regions[i].label : "") + 1;
  }
  return copy;
}

static void
caption_set (GstUpiCaption *to, const GstUpiCaption *from)
{
  gboolean has_regions = from->regions != NULL && from->n_regions > 0;

  *to = *from;
  memset (to->reserved, 0, sizeof to->reserved);
  to->n_regions = has_regions ? from->n_regions : 0;
  to->text = g_strdup (from->text != NULL ? from->text : "");
  to->regions = has_regions ? copy_regions (from->regions, from->n_regions, strlen (to->text)) : NULL;
}

GstUpiContent *
gst_upi_content_set_captions (GstUpiContent *content, const GstUpiCaption *captions, guint n_captions)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (captions != NULL || n_captions == 0, NULL);

  if (n_captions == 0 && content->captions == NULL)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  if (result->captions != NULL)
    g_atomic_rc_box_release_full (g_steal_pointer (&result->captions), caption_list_clear);
  if (n_captions > 0) {
    CaptionList *list = g_atomic_rc_box_alloc0 (sizeof (CaptionList) + (gsize) n_captions * sizeof (GstUpiCaption));
    list->n_items = n_captions;
    for (guint i = 0; i < n_captions; i++)
      caption_set (&list->items[i], &captions[i]);
    result->captions = list;
  }
  return result;
}

GstUpiContent *
gst_upi_content_add_events (GstUpiContent *content, const GstUpiEvent *events, guint n_events)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (events != NULL || n_events == 0, NULL);

  if (n_events == 0)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  result->events = gst_upi_event_list_append (result->events, events, n_events);
  return result;
}

GstUpiContent *
gst_upi_content_add_rules (GstUpiContent *content, const GstUpiRule *rules, guint n_rules)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (rules != NULL || n_rules == 0, NULL);

  if (n_rules == 0)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  result->rules = gst_upi_rule_list_append (result->rules, rules, n_rules);
  return result;
}

GstUpiContent *
gst_upi_content_add_classes (GstUpiContent *content, const GstUpiClass *classes, guint n_classes)
{
  g_return_val_if_fail (content != NULL, NULL);
  g_return_val_if_fail (classes != NULL || n_classes == 0, NULL);

  if (n_classes == 0)
    return gst_upi_content_ref (content);
  GstUpiContent *result = content_copy (content);
  result->classes = gst_upi_class_list_append (result->classes, classes, n_classes);
  return result;
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
  *n_objects = content->objects != NULL ? content->objects->n_items : 0;
  return content->objects != NULL ? content->objects->items : NULL;
}

const GstUpiObject *
gst_upi_content_get_candidates (const GstUpiContent *content, guint *n_candidates)
{
  *n_candidates = content->candidates != NULL ? content->candidates->n_items : 0;
  return content->candidates != NULL ? content->candidates->items : NULL;
}

const GstUpiCaption *
gst_upi_content_get_captions (const GstUpiContent *content, guint *n_captions)
{
  *n_captions = content->captions != NULL ? content->captions->n_items : 0;
  return content->captions != NULL ? content->captions->items : NULL;
}

const GstUpiEvent *
gst_upi_content_get_events (const GstUpiContent *content, guint *n_events)
{
  *n_events = content->events != NULL ? content->events->n_items : 0;
  return content->events != NULL ? content->events->items : NULL;
}

const GstUpiRule *
gst_upi_content_get_rules (const GstUpiContent *content, guint *n_rules)
{
  *n_rules = content->rules != NULL ? content->rules->n_items : 0;
  return content->rules != NULL ? content->rules->items : NULL;
}

const GstUpiClass *
gst_upi_content_get_classes (const GstUpiContent *content, guint *n_classes)
{
  *n_classes = content->classes != NULL ? content->classes->n_items : 0;
  return content->classes != NULL ? content->classes->items : NULL;
}

/* Orientation and size are tagged so that elements which turn or cut a frame without telling drop the meta rather than
 * let it lie (what they
 * leave: see the trace); scalers see that they may call the transform function. */
GType
gst_upi_meta_api_get_type (void)
{
  static gsize type = 0;
  static const gchar *tags[] = { GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
    GST_META_TAG_VIDEO_SIZE_STR, NULL };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, gst_meta_api_type_register ("GstUpiMetaAPI", tags));
  return type;
}

static gboolean
gst_upi_meta_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  GstUpiMeta *self = (GstUpiMeta *) meta;

  self->content = NULL;
  self->width = self->height = self->par_n = self->par_d = 0;
  return TRUE;
}

static void
gst_upi_meta_free (GstMeta *meta, GstBuffer *buffer)
{
  g_clear_pointer (&((GstUpiMeta *) meta)->content, gst_upi_content_unref);
}

/* Whether a whole picture fills the frame: borders beside it, or above and below, are a pixel together at most. */
static gboolean
same_aspect (const GstUpiMeta *picture, gint width, gint height, gint par_n, gint par_d)
{
  gdouble aspect = (gdouble) picture->width * picture->par_n / ((gdouble) picture->height * picture->par_d);
  gdouble pixel = (gdouble) par_n / par_d;

  return MAX (height - width * pixel / aspect, width - height * aspect / pixel) <= 1 + 1e-6;
}

gboolean
gst_upi_meta_lies_on (GstUpiMeta *meta, GstBuffer *buffer, gint width, gint height, gint par_n, gint par_d)
{
  gboolean known = meta->width > 0 && meta->height > 0 && meta->par_n > 0 && meta->par_d > 0 && width > 0 && height > 0;

  if (!known || (meta->width == width && meta->height == height))
    return TRUE;
  /* videocrop with such a meta leaves the buffer and all that is on it as they are */
  return (buffer == NULL || gst_buffer_get_video_crop_meta (buffer) == NULL)
      && same_aspect (meta, width, height, MAX (par_n, 1), MAX (par_d, 1));
}

void
gst_upi_meta_set_frame (GstUpiMeta *meta, gint width, gint height, gint par_n, gint par_d)
{
  meta->width = width;
  meta->height = height;
  meta->par_n = par_n;
  meta->par_d = par_d;
}

static void
set_frame_of (GstUpiMeta *meta, const GstVideoInfo *info)
{
  gst_upi_meta_set_frame (meta, GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
      MAX (GST_VIDEO_INFO_PAR_N (info), 1), MAX (GST_VIDEO_INFO_PAR_D (info), 1));
}

/* Coordinates are in 0..1 of the frame: a picture that fills it before and after lets them be as they are. */
static GstUpiContent *
scaled_content (GstUpiMeta *meta, GstBuffer *buffer, const GstVideoMetaTransform *scale)
{
  const GstVideoInfo *in = scale->in_info, *out = scale->out_info;
  GstUpiMeta picture = *meta;

  if (!gst_upi_meta_lies_on (meta, buffer, GST_VIDEO_INFO_WIDTH (in), GST_VIDEO_INFO_HEIGHT (in),
          GST_VIDEO_INFO_PAR_N (in), GST_VIDEO_INFO_PAR_D (in)))
    return gst_upi_content_lose_geometry (meta->content, FALSE, FALSE);
  set_frame_of (&picture, in);
  if (same_aspect (&picture, GST_VIDEO_INFO_WIDTH (out), GST_VIDEO_INFO_HEIGHT (out),
          MAX (GST_VIDEO_INFO_PAR_N (out), 1), MAX (GST_VIDEO_INFO_PAR_D (out), 1)))
    return gst_upi_content_ref (meta->content);
  return gst_upi_content_lose_geometry (meta->content, FALSE, TRUE);
}

static gboolean
gst_upi_meta_transform (GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type, gpointer data)
{
  GstUpiMeta *self = (GstUpiMeta *) meta;

  if (GST_META_TRANSFORM_IS_COPY (type)) {
    const GstMetaTransformCopy *copy = data;
    if (copy->region) /* a part of the bytes is not the frame */
      return FALSE;
    gst_upi_meta_set_frame (
        gst_buffer_add_upi_meta (dest, self->content), self->width, self->height, self->par_n, self->par_d);
    return TRUE;
  }
  if (!GST_VIDEO_META_TRANSFORM_IS_SCALE (
          type)) /* who knows; the trace says so, unless a transform that we know is asked for next */
    return FALSE;
  const GstVideoMetaTransform *scale = data;
  g_autoptr (GstUpiContent) content = scaled_content (self, buffer, scale);
  set_frame_of (gst_buffer_add_upi_meta (dest, content), scale->out_info);
  return TRUE;
}

const GstMetaInfo *
gst_upi_meta_get_info (void)
{
  static gsize info = 0;

  if (g_once_init_enter (&info)) {
    const GstMetaInfo *registered = gst_meta_register (GST_UPI_META_API_TYPE, "GstUpiMeta", sizeof (GstUpiMeta),
        gst_upi_meta_init, gst_upi_meta_free, gst_upi_meta_transform);
    g_once_init_leave (&info, (gsize) registered);
  }
  return (const GstMetaInfo *) info;
}

/* Beside each GstUpiMeta, without tags: elements that drop the one, because they cut or turn the picture (videocrop,
 * videobox, videoflip), copy the other, which leaves an empty GstUpiMeta in the lost one's place. */
static GType
trace_api_get_type (void)
{
  static gsize type = 0;
  static const gchar *tags[] = { NULL };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, gst_meta_api_type_register ("GstUpiTraceMetaAPI", tags));
  return type;
}

static void add_trace (GstBuffer *buffer);

static gboolean
trace_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  return TRUE;
}

static gboolean
trace_transform (GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type, gpointer data)
{
  GstUpiMeta *before = gst_buffer_get_upi_meta (buffer);

  if (GST_META_TRANSFORM_IS_COPY (type) && ((const GstMetaTransformCopy *) data)->region)
    return FALSE;
  if (gst_buffer_get_upi_meta (dest) == NULL) { /* if it is copied too, it takes this one's place */
    g_autoptr (GstUpiContent) lost =
        gst_upi_content_lose_geometry (before != NULL ? before->content : NULL, FALSE, FALSE);
    gst_buffer_add_upi_meta (dest, lost);
  }
  add_trace (dest);
  return TRUE;
}

static void
add_trace (GstBuffer *buffer)
{
  static gsize info = 0;

  if (g_once_init_enter (&info)) {
    const GstMetaInfo *registered = gst_meta_register (
        trace_api_get_type (), "GstUpiTraceMeta", sizeof (GstMeta), trace_init, NULL, trace_transform);
    g_once_init_leave (&info, (gsize) registered);
  }
  if (gst_buffer_get_meta (buffer, trace_api_get_type ()) == NULL)
    gst_buffer_add_meta (buffer, (const GstMetaInfo *) info, NULL);
}

GstUpiMeta *
gst_buffer_get_upi_meta (GstBuffer *buffer)
{
  return (GstUpiMeta *) gst_buffer_get_meta (buffer, GST_UPI_META_API_TYPE);
}

GstUpiMeta *
gst_buffer_add_upi_meta (GstBuffer *buffer, GstUpiContent *content)
{
  g_return_val_if_fail (GST_IS_BUFFER (buffer), NULL);
  g_return_val_if_fail (gst_buffer_is_writable (buffer), NULL);

  g_autoptr (GstUpiContent) empty =
      content == NULL ? gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE) : NULL;
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  if (meta == NULL)
    meta = (GstUpiMeta *) gst_buffer_add_meta (buffer, GST_UPI_META_INFO, NULL);
  add_trace (buffer);
  gst_upi_meta_set_content (meta, content != NULL ? content : empty);
  return meta;
}

GstUpiContent *
gst_upi_meta_get_content (GstUpiMeta *meta)
{
  return meta->content;
}

void
gst_upi_meta_set_content (GstUpiMeta *meta, GstUpiContent *content)
{
  g_return_if_fail (content != NULL);

  GstUpiContent *old = meta->content;
  meta->content = gst_upi_content_ref (content);
  if (old != NULL)
    gst_upi_content_unref (old);
}

void
gst_upi_meta_add_objects (GstUpiMeta *meta, const GstUpiObject *objects, guint n_objects)
{
  g_autoptr (GstUpiContent) content = gst_upi_content_add_objects (meta->content, objects, n_objects);
  gst_upi_meta_set_content (meta, content);
}

void
gst_upi_meta_set_captions (GstUpiMeta *meta, const GstUpiCaption *captions, guint n_captions)
{
  g_autoptr (GstUpiContent) content = gst_upi_content_set_captions (meta->content, captions, n_captions);
  gst_upi_meta_set_content (meta, content);
}

void
gst_upi_meta_drop_encoding (GstUpiMeta *meta)
{
  g_autoptr (GstUpiContent) content = gst_upi_content_drop_encoding (meta->content);
  gst_upi_meta_set_content (meta, content);
}
