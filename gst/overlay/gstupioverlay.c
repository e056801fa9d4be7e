/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupioverlay.c: draws what the upi elements found onto the frame; the drawing itself is draw.c. */
/**
 * SECTION:element-upioverlay
 * @title: upioverlay
 * @short_description: draws boxes, labels, masks, tracks, rules and captions
 *
 * Draws the objects and captions of a buffer's GstUpiMeta: boxes, labels on a background, tinted masks, the caption at
 * the bottom; of upitrack's objects their ids and, with draw-trails, the way they took; of upirules' zones and lines
 * the shape, the name and the counts. It is the usual end of a chain of upi elements.
 *
 * With blur-labels the objects of these labels are made unrecognisable in the frame's pixels, also where downstream
 * draws all the rest; a frame in which that fails is dropped. It hides what was found: on upiencoder, policy=block
 * keeps frame and result together, inference-interval=1 leaves no frame without one of its own.
 *
 * Any raw format, in the frame's own colour matrix and range, fastest in the common 8-bit ones; where downstream takes
 * a #GstVideoOverlayComposition (a sink that draws with the GPU), one is attached and the pixels stay as they are.
 * Buffers without a GstUpiMeta pass untouched.
 *
 * ## Example
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upidetect ! upioverlay !
 *   videoconvert \
 *     ! autovideosink sync=false
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder policy=block !
 *   upidetect labels="person, car" \
 *     ! upioverlay blur-labels=person draw-boxes=false draw-labels=false draw-masks=false ! videoconvert ! x264enc !
 *       matroskamux \
 *     ! filesink location=yard-private.mkv
 * ]|
 * (`sync=false`, or `policy=latest` on upiencoder, where the machine is slower than the clip.)
 */
#include <gst/gst.h>
#include <gst/video/video.h>

#include "gst/filter.h"
#include "gst/overlay/blend.h"
#include "gst/overlay/blur.h"
#include "gst/overlay/draw.h"
#include "gst/overlay/items.h"
#include "gst/overlay/style.h"
#include "gst/plugin.h"

GST_DEBUG_CATEGORY_STATIC (upioverlay_debug);
#define GST_CAT_DEFAULT upioverlay_debug

#define GST_TYPE_UPI_OVERLAY (gst_upi_overlay_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiOverlay, gst_upi_overlay, GST, UPI_OVERLAY, GstUpiFilter)

#define COMPOSITION_FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

/* What is said once a run. */
enum { WARNED };

struct _GstUpiOverlay {
  GstUpiFilter parent;

  /* object lock */
  GstUpiOverlayStyle style;
  gboolean downstream_refuses; /* its caps take compositions, its ALLOCATION answer does not */

  /* streaming thread */
  GstVideoInfo info;
  gboolean attach;
  gboolean ask; /* whether downstream really draws what is attached */
  GstUpiPainter *painter;
  GstUpiScratch scratch; /* pixels of one item */
};

G_DEFINE_FINAL_TYPE (GstUpiOverlay, gst_upi_overlay, GST_TYPE_UPI_FILTER)

GST_ELEMENT_REGISTER_DEFINE (upioverlay, "upioverlay", GST_RANK_NONE, GST_TYPE_UPI_OVERLAY)

#define OVERLAY_CAPS                                                                                                   \
  GST_VIDEO_CAPS_MAKE_WITH_FEATURES (                                                                                  \
      GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY ", " COMPOSITION_FEATURE, GST_VIDEO_FORMATS_ALL)                           \
  "; " GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (OVERLAY_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (OVERLAY_CAPS));

static gboolean
has_composition_feature (const GstCaps *caps)
{
  GstCapsFeatures *features = gst_caps_is_empty (caps) ? NULL : gst_caps_get_features (caps, 0);
  return features != NULL && gst_caps_features_contains (features, COMPOSITION_FEATURE);
}

/* @caps with the feature added to, or removed from, every structure. */
static GstCaps *
caps_with_feature (const GstCaps *caps, gboolean with)
{
  GstCaps *result = gst_caps_copy (caps);

  for (guint i = 0; i < gst_caps_get_size (result); i++) {
    GstCapsFeatures *features = gst_caps_get_features (result, i);
    gboolean contains = gst_caps_features_contains (features, COMPOSITION_FEATURE);
    if (gst_caps_features_is_any (features) || contains == with)
      continue;
    if (with)
      gst_caps_features_add (features, COMPOSITION_FEATURE);
    else
      gst_caps_features_remove (features, COMPOSITION_FEATURE);
  }
  return result;
}

/* We may add the feature on the way down, never remove it: compositions of elements before us are not ours to lose. */
static GstCaps *
gst_upi_overlay_transform_caps (GstBaseTransform *trans, GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (trans);
  GstCaps *result;

  GST_OBJECT_LOCK (self);
  gboolean refuses = self->downstream_refuses;
  GST_OBJECT_UNLOCK (self);

  if (direction == GST_PAD_SINK)
    result = refuses ? gst_caps_copy (caps) : gst_caps_merge (caps_with_feature (caps, TRUE), gst_caps_copy (caps));
  else
    result = gst_caps_merge (gst_caps_copy (caps), caps_with_feature (caps, FALSE));
  if (filter != NULL) {
    GstCaps *filtered = gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (result);
    result = filtered;
  }
  return result;
}

static gboolean
gst_upi_overlay_set_caps (GstBaseTransform *trans, GstCaps *incaps, GstCaps *outcaps)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (trans);

  if (!gst_video_info_from_caps (&self->info, incaps)) {
    GST_ERROR_OBJECT (self, "caps are no raw video: %" GST_PTR_FORMAT, incaps);
    return FALSE;
  }
  self->attach = self->ask = has_composition_feature (outcaps);
  GST_DEBUG_OBJECT (self, "%s compositions for %" GST_PTR_FORMAT, self->attach ? "attaching" : "blending", outcaps);
  return GST_BASE_TRANSFORM_CLASS (gst_upi_overlay_parent_class)->set_caps (trans, incaps, outcaps);
}

/* Caps alone do not tell: a tee or a fakesink takes any feature. An ALLOCATION answer does; it needs downstream to have
 * the caps already, hence it is asked for before the first buffer. When it lacks the meta, the caps are sent once more
 * without the feature. */
static void
ask_downstream (GstUpiOverlay *self)
{
  GstPad *srcpad = GST_BASE_TRANSFORM_SRC_PAD (self);
  GstCaps *outcaps = gst_pad_get_current_caps (srcpad),
          *incaps = gst_pad_get_current_caps (GST_BASE_TRANSFORM_SINK_PAD (self));

  self->ask = FALSE;
  if (outcaps != NULL && incaps != NULL
      && !has_composition_feature (incaps)) { /* who attached before us has asked already */
    GstQuery *query = gst_query_new_allocation (outcaps, FALSE);
    self->attach = gst_pad_peer_query (srcpad, query)
        && gst_query_find_allocation_meta (query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_query_unref (query);
    if (!self->attach) {
      GST_DEBUG_OBJECT (self, "downstream does not draw compositions: blending");
      GST_OBJECT_LOCK (self);
      self->downstream_refuses = TRUE;
      GST_OBJECT_UNLOCK (self);
      gst_base_transform_update_src_caps (GST_BASE_TRANSFORM (self), incaps);
    }
  }
  gst_clear_caps (&outcaps);
  gst_clear_caps (&incaps);
}

static gboolean
gst_upi_overlay_src_event (GstBaseTransform *trans, GstEvent *event)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (trans);

  if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE) { /* something else may be linked now */
    GST_OBJECT_LOCK (self);
    self->downstream_refuses = FALSE;
    GST_OBJECT_UNLOCK (self);
  }
  return GST_BASE_TRANSFORM_CLASS (gst_upi_overlay_parent_class)->src_event (trans, event);
}

static GstUpiOverlayStyle
take_style (GstUpiOverlay *self)
{
  GST_OBJECT_LOCK (self);
  GstUpiOverlayStyle style = gst_upi_overlay_style_copy (&self->style);
  GST_OBJECT_UNLOCK (self);
  return style;
}

static gboolean
changes_frame (const GstUpiContent *content, const GstUpiOverlayStyle *style)
{
  return gst_upi_painter_has_work (content, style) || gst_upi_blur_has_work (content, style->blur_labels);
}

static gboolean
must_change (GstUpiOverlay *self, GstBuffer *buffer)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  if (meta == NULL)
    return FALSE;
  GstUpiOverlayStyle style = take_style (self);
  gboolean changes = changes_frame (meta->content, &style);
  gst_upi_overlay_style_clear (&style);
  return changes;
}

/* Trails grow with every frame, whatever becomes of it; the drawing itself waits until the base class has
 * negotiated. */
static GstFlowReturn
gst_upi_overlay_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (filter);

  GST_OBJECT_LOCK (self);
  gboolean wanted = self->style.draw_trails;
  GST_OBJECT_UNLOCK (self);
  if (wanted)
    gst_upi_painter_follow (self->painter, frame->content, frame->time.running_time);
  else
    gst_upi_painter_forget (self->painter);
  return GST_FLOW_OK;
}

static void
gst_upi_overlay_reset (GstUpiFilter *filter)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (filter);

  if (self->painter != NULL)
    gst_upi_painter_forget (self->painter);
}

/* Only a buffer that will change must be writable; memory that others hold too is copied when it is mapped, not
 * here. */
static GstFlowReturn
gst_upi_overlay_prepare_output_buffer (GstBaseTransform *trans, GstBuffer *input, GstBuffer **output)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (trans);

  if (self->ask)
    ask_downstream (self);
  if (gst_buffer_is_writable (input) || !must_change (self, input))
    *output = input;
  else
    *output = gst_buffer_copy (input);
  return GST_FLOW_OK;
}

static void
warn_of_memory (GstUpiOverlay *self)
{
  if (gst_upi_filter_is_first (GST_UPI_FILTER (self), WARNED))
    GST_ELEMENT_WARNING (self, RESOURCE, NO_SPACE_LEFT,
        ("No memory to draw all that was found on a frame of %dx%d; frames pass with what could be drawn.",
            GST_VIDEO_INFO_WIDTH (&self->info), GST_VIDEO_INFO_HEIGHT (&self->info)),
        (NULL));
}

static void
warn_of_mapping (GstUpiOverlay *self, GstBuffer *buffer, const gchar *what)
{
  if (gst_upi_filter_is_first (GST_UPI_FILTER (self), WARNED))
    GST_ELEMENT_WARNING (self, STREAM, FORMAT, ("%s", what),
        ("its memory of %" G_GSIZE_FORMAT " bytes could not be mapped for writing as %s, %dx%d (%" G_GSIZE_FORMAT
         " bytes)",
            gst_buffer_get_size (buffer), gst_video_format_to_string (GST_VIDEO_INFO_FORMAT (&self->info)),
            GST_VIDEO_INFO_WIDTH (&self->info), GST_VIDEO_INFO_HEIGHT (&self->info),
            GST_VIDEO_INFO_SIZE (&self->info)));
}

/* FALSE: the frame could not be mapped. */
static gboolean
draw_into_pixels (GstUpiOverlay *self, GstBuffer *buffer, const GstUpiContent *content, const GstUpiOverlayStyle *style)
{
  GstVideoFormat format = GST_VIDEO_INFO_FORMAT (&self->info);
  gint width = GST_VIDEO_INFO_WIDTH (&self->info), height = GST_VIDEO_INFO_HEIGHT (&self->info);
  GstVideoFrame frame;

  if (!gst_video_frame_map (&frame, &self->info, buffer, GST_MAP_READWRITE))
    return FALSE;
  g_autoptr (GArray) items = gst_upi_painter_layout (self->painter, content, style, width, height,
      gst_upi_blend_knows (format) ? GST_UPI_LAYOUT_PIXELS : GST_UPI_LAYOUT_ROWS);
  if (!gst_upi_items_paint (items, &frame, &self->scratch))
    warn_of_memory (self);
  gst_video_frame_unmap (&frame);
  return TRUE;
}

static void
draw (GstUpiOverlay *self, GstBuffer *buffer, const GstUpiContent *content, GstUpiOverlayStyle *style)
{
  gint width = GST_VIDEO_INFO_WIDTH (&self->info), height = GST_VIDEO_INFO_HEIGHT (&self->info);

  if ((style->draw_labels || style->draw_caption || style->draw_ids || style->draw_rules || style->draw_classes)
      && !gst_upi_painter_has_fonts (self->painter)) {
    warn_of_memory (self);
    style->draw_labels = style->draw_caption = style->draw_ids = style->draw_rules = style->draw_classes = FALSE;
  }
  if (self->attach) {
    g_autoptr (GArray) items =
        gst_upi_painter_layout (self->painter, content, style, width, height, GST_UPI_LAYOUT_PICTURES);
    if (!gst_upi_items_attach (items, buffer, width, height))
      warn_of_memory (self);
  } else if (!draw_into_pixels (self, buffer, content, style)) {
    warn_of_mapping (self, buffer, "A frame could not be drawn on; it passes as it is.");
  }
}

/* Into the pixels also where the rest is attached: what is to be hidden must not leave. FALSE: it would. */
static gboolean
blur (GstUpiOverlay *self, GstBuffer *buffer, const GstUpiContent *content, const GstUpiOverlayStyle *style)
{
  GstVideoFrame frame;

  if (!gst_video_frame_map (&frame, &self->info, buffer, GST_MAP_READWRITE)) {
    warn_of_mapping (self, buffer, "A frame is dropped: blur-labels could not be hidden in it.");
    return FALSE;
  }
  gboolean complete = gst_upi_blur_frame (&frame, content, style->blur_labels);
  gst_video_frame_unmap (&frame);
  if (!complete && gst_upi_filter_is_first (GST_UPI_FILTER (self), WARNED))
    GST_ELEMENT_WARNING (
        self, RESOURCE, NO_SPACE_LEFT, ("A frame is dropped: there is no memory to hide blur-labels in it."), (NULL));
  return complete;
}

static GstFlowReturn
gst_upi_overlay_transform_ip (GstBaseTransform *trans, GstBuffer *buffer)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (trans);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  GstFlowReturn flow = GST_FLOW_OK;

  if (meta == NULL)
    return GST_FLOW_OK;
  GstUpiOverlayStyle style = take_style (self);
  if (gst_upi_blur_has_work (meta->content, style.blur_labels) && !blur (self, buffer, meta->content, &style))
    flow = GST_BASE_TRANSFORM_FLOW_DROPPED;
  else if (gst_upi_painter_has_work (meta->content, &style))
    draw (self, buffer, meta->content, &style);
  gst_upi_overlay_style_clear (&style);
  return flow;
}

static gboolean
gst_upi_overlay_start (GstUpiFilter *filter)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (filter);

  GST_OBJECT_LOCK (self);
  self->downstream_refuses = FALSE;
  GST_OBJECT_UNLOCK (self);
  self->painter = gst_upi_painter_new ();
  return TRUE;
}

static void
gst_upi_overlay_stop (GstUpiFilter *filter)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (filter);

  g_clear_pointer (&self->painter, gst_upi_painter_free);
  g_clear_pointer (&self->scratch.data, g_free);
  self->scratch.size = 0;
}

static void
gst_upi_overlay_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (object);

  GST_OBJECT_LOCK (self);
  if (!gst_upi_overlay_style_set (&self->style, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_overlay_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiOverlay *self = GST_UPI_OVERLAY (object);

  GST_OBJECT_LOCK (self);
  if (!gst_upi_overlay_style_get (&self->style, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_overlay_finalize (GObject *object)
{
  gst_upi_overlay_style_clear (&GST_UPI_OVERLAY (object)->style);
  G_OBJECT_CLASS (gst_upi_overlay_parent_class)->finalize (object);
}

static void
gst_upi_overlay_class_init (GstUpiOverlayClass *klass)
{
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (upioverlay_debug, "upioverlay", 0, "draws what the upi elements found");
  object_class->set_property = gst_upi_overlay_set_property;
  object_class->get_property = gst_upi_overlay_get_property;
  object_class->finalize = gst_upi_overlay_finalize;
  gst_upi_overlay_style_install (object_class);

  trans_class->transform_caps = gst_upi_overlay_transform_caps;
  trans_class->set_caps = gst_upi_overlay_set_caps;
  trans_class->src_event = gst_upi_overlay_src_event;
  trans_class->prepare_output_buffer = gst_upi_overlay_prepare_output_buffer;
  trans_class->transform_ip = gst_upi_overlay_transform_ip;
  filter_class->takes_unencoded = TRUE;
  filter_class->start = gst_upi_overlay_start;
  filter_class->stop = gst_upi_overlay_stop;
  filter_class->process = gst_upi_overlay_process;
  filter_class->reset = gst_upi_overlay_reset;

  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &sink_template);
  gst_element_class_add_static_pad_template (GST_ELEMENT_CLASS (klass), &src_template);
  gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), "Uni-Perceiver v2 overlay", "Filter/Editor/Video",
      "Draws boxes, labels, masks, tracks, rules and captions found by the upi elements before, and pixelates what "
      "must stay private; "
      "usually the last of the upi elements. Example: "
      "... ! upiencoder ! upidetect ! upicaption ! upioverlay ! videoconvert ! autovideosink",
      "The upi authors");
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_COLOR_BY, 0);
}

static void
gst_upi_overlay_init (GstUpiOverlay *self)
{
  gst_upi_overlay_style_init (&self->style);
}
