/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* style.c: see style.h. */
#include "gst/overlay/style.h"

#include <gst/gst.h>

#include "gst/overlay/blur.h"

#define DEFAULT_MASK_OPACITY 0.45
#define DEFAULT_COLOR_BY GST_UPI_COLOR_BY_LABEL
#define DEFAULT_FONT "Sans"
#define DEFAULT_LINE_WIDTH 0

enum {
  PROP_0,
  PROP_DRAW_BOXES,
  PROP_DRAW_LABELS,
  PROP_DRAW_MASKS,
  PROP_DRAW_CAPTION,
  PROP_DRAW_CLASSES,
  PROP_DRAW_IDS,
  PROP_DRAW_TRAILS,
  PROP_DRAW_RULES,
  PROP_MASK_OPACITY,
  PROP_COLOR_BY,
  PROP_FONT,
  PROP_LINE_WIDTH,
  PROP_BLUR_LABELS
};
G_STATIC_ASSERT (PROP_BLUR_LABELS == GST_UPI_OVERLAY_STYLE_PROPERTIES);

GType
gst_upi_color_by_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_COLOR_BY_LABEL, "One colour a label, the same in every run", "label" },
    { GST_UPI_COLOR_BY_OBJECT, "One colour an object of the frame, best first", "object" },
    { GST_UPI_COLOR_BY_TRACK, "One colour a track id, the same in every run; that of the label for who has none",
        "track" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiColorBy", values));
  return type;
}

void
gst_upi_overlay_style_init (GstUpiOverlayStyle *style)
{
  *style = (GstUpiOverlayStyle){ .draw_boxes = TRUE,
    .draw_labels = TRUE,
    .draw_masks = TRUE,
    .draw_caption = TRUE,
    .draw_classes = TRUE,
    .draw_ids = TRUE,
    .draw_rules = TRUE,
    .mask_opacity = DEFAULT_MASK_OPACITY,
    .color_by = DEFAULT_COLOR_BY,
    .line_width = DEFAULT_LINE_WIDTH,
    .font = g_strdup (DEFAULT_FONT) };
}

void
gst_upi_overlay_style_clear (GstUpiOverlayStyle *style)
{
  g_clear_pointer (&style->font, g_free);
  g_clear_pointer (&style->blur_list, g_free);
  g_clear_pointer (&style->blur_labels, g_hash_table_unref);
}

GstUpiOverlayStyle
gst_upi_overlay_style_copy (const GstUpiOverlayStyle *style)
{
  GstUpiOverlayStyle copy = *style;
  copy.font = g_strdup (style->font);
  copy.blur_list = NULL;
  copy.blur_labels = style->blur_labels != NULL ? g_hash_table_ref (style->blur_labels) : NULL;
  return copy;
}

static gboolean *
switch_of (GstUpiOverlayStyle *style, guint id)
{
  switch (id) {
  case PROP_DRAW_BOXES:
    return &style->draw_boxes;
  case PROP_DRAW_LABELS:
    return &style->draw_labels;
  case PROP_DRAW_MASKS:
    return &style->draw_masks;
  case PROP_DRAW_CAPTION:
    return &style->draw_caption;
  case PROP_DRAW_CLASSES:
    return &style->draw_classes;
  case PROP_DRAW_IDS:
    return &style->draw_ids;
  case PROP_DRAW_TRAILS:
    return &style->draw_trails;
  case PROP_DRAW_RULES:
    return &style->draw_rules;
  default:
    return NULL;
  }
}

gboolean
gst_upi_overlay_style_set (GstUpiOverlayStyle *style, guint id, const GValue *value)
{
  switch (id) {
  case PROP_MASK_OPACITY:
    style->mask_opacity = g_value_get_double (value);
    return TRUE;
  case PROP_COLOR_BY:
    style->color_by = g_value_get_enum (value);
    return TRUE;
  case PROP_FONT:
    g_free (style->font);
    style->font = g_value_dup_string (value);
    return TRUE;
  case PROP_LINE_WIDTH:
    style->line_width = g_value_get_uint (value);
    return TRUE;
  case PROP_BLUR_LABELS:
    g_free (style->blur_list);
    style->blur_list = g_value_dup_string (value);
    g_clear_pointer (&style->blur_labels, g_hash_table_unref);
    style->blur_labels = gst_upi_blur_labels_new (style->blur_list);
    return TRUE;
  default:
    if (switch_of (style, id) == NULL)
      return FALSE;
    *switch_of (style, id) = g_value_get_boolean (value);
    return TRUE;
  }
}

gboolean
gst_upi_overlay_style_get (const GstUpiOverlayStyle *style, guint id, GValue *value)
{
  switch (id) {
  case PROP_MASK_OPACITY:
    g_value_set_double (value, style->mask_opacity);
    return TRUE;
  case PROP_COLOR_BY:
    g_value_set_enum (value, style->color_by);
    return TRUE;
  case PROP_FONT:
    g_value_set_string (value, style->font);
    return TRUE;
  case PROP_LINE_WIDTH:
    g_value_set_uint (value, style->line_width);
    return TRUE;
  case PROP_BLUR_LABELS:
    g_value_set_string (value, style->blur_list);
    return TRUE;
  default:
    if (switch_of ((GstUpiOverlayStyle *) style, id) == NULL)
      return FALSE;
    g_value_set_boolean (value, *switch_of ((GstUpiOverlayStyle *) style, id));
    return TRUE;
  }
}

static void
install_switch (
    GObjectClass *object_class, guint id, const gchar *name, const gchar *nick, const gchar *blurb, gboolean value)
{
  g_object_class_install_property (object_class, id,
      g_param_spec_boolean (
          name, nick, blurb, value, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
}

void
gst_upi_overlay_style_install (GObjectClass *object_class)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  /**
   * GstUpiOverlay:draw-boxes:
   *
   * A rectangle around each object.
   */
  install_switch (object_class, PROP_DRAW_BOXES, "draw-boxes", "Draw boxes",
      "Draw a rectangle around every object (default: true)", TRUE);
  /**
   * GstUpiOverlay:draw-labels:
   *
   * Label and score at each box.
   */
  install_switch (object_class, PROP_DRAW_LABELS, "draw-labels", "Draw labels",
      "Write label and score of every object at its box (default: true)", TRUE);
  /**
   * GstUpiOverlay:draw-masks:
   *
   * Each mask as a tint of its object's colour.
   */
  install_switch (object_class, PROP_DRAW_MASKS, "draw-masks", "Draw masks",
      "Tint the pixels of every object that has a mask (default: true)", TRUE);
  /**
   * GstUpiOverlay:draw-caption:
   *
   * The content's captions at the bottom, one above the other.
   */
  install_switch (object_class, PROP_DRAW_CAPTION, "draw-caption", "Draw caption",
      "Write the frame's caption at its bottom (default: true)", TRUE);
  /**
   * GstUpiOverlay:draw-classes:
   *
   * What upiclassify says of the whole frame, in its top right corner.
   */
  install_switch (object_class, PROP_DRAW_CLASSES, "draw-classes", "Draw classes",
      "Write in the top right corner which of upiclassify's labels are true of the frame: of each list the best, of "
      "independent ones all "
      "from 50 % on (default: true)",
      TRUE);
  /**
   * GstUpiOverlay:draw-ids:
   *
   * The track's number beside the label.
   */
  install_switch (object_class, PROP_DRAW_IDS, "draw-ids", "Draw ids",
      "Write the number that upitrack gave an object at its box, in the colour of that number (default: true)", TRUE);
  /**
   * GstUpiOverlay:draw-trails:
   *
   * Where the foot of each track was, for some seconds. While it is FALSE no trail is remembered.
   */
  install_switch (object_class, PROP_DRAW_TRAILS, "draw-trails", "Draw trails",
      "Draw where the bottom centre of every tracked object went in the last five seconds (default: false)", FALSE);
  /**
   * GstUpiOverlay:draw-rules:
   *
   * The shapes of upirules with their names and counts.
   */
  install_switch (object_class, PROP_DRAW_RULES, "draw-rules", "Draw rules",
      "Draw the zones and lines of upirules, with their names and counts (default: true)", TRUE);
  /**
   * GstUpiOverlay:mask-opacity:
   *
   * 0 (nothing) to 1 (the pixels are covered).
   */
  g_object_class_install_property (object_class, PROP_MASK_OPACITY,
      g_param_spec_double ("mask-opacity", "Mask opacity",
          "How much of a mask's colour covers the pixels: 0 = nothing, 1 = all (default: 0.45)", 0, 1,
          DEFAULT_MASK_OPACITY, flags));
  /**
   * GstUpiOverlay:color-by:
   *
   * What has a colour of its own; by label and by track it is the same in every run and on every machine.
   */
  g_object_class_install_property (object_class, PROP_COLOR_BY,
      g_param_spec_enum ("color-by", "Color by",
          "What decides the colour: the label or the track id (the same in every frame and run), or the object's place "
          "in the frame's list "
          "(default: label)",
          GST_TYPE_UPI_COLOR_BY, DEFAULT_COLOR_BY, flags));
  /**
   * GstUpiOverlay:font:
   *
   * A Pango description. One that says no size follows the frame's height.
   */
  g_object_class_install_property (object_class, PROP_FONT,
      g_param_spec_string ("font", "Font",
          "Font of labels and captions as a Pango description, such as \"Sans Bold\" or \"Noto Sans 14\"; without a "
          "size in it, the size "
          "follows the frame's height (default: Sans)",
          DEFAULT_FONT, flags));
  /**
   * GstUpiOverlay:line-width:
   *
   * Pixels; 0: by the frame's height.
   */
  g_object_class_install_property (object_class, PROP_LINE_WIDTH,
      g_param_spec_uint ("line-width", "Line width",
          "Width of the boxes' lines in pixels; 0 = a 360th of the frame's height (default: 0)", 0, 256,
          DEFAULT_LINE_WIDTH, flags));
  /**
   * GstUpiOverlay:blur-labels:
   *
   * Labels, separated by commas, whose objects become large squares in the pixels; a frame in which that fails is
   * dropped.
   */
  g_object_class_install_property (object_class, PROP_BLUR_LABELS,
      g_param_spec_string ("blur-labels", "Blur labels",
          "Privacy: objects of these labels (separated by commas; case does not count) become large squares in the "
          "frame itself: what "
          "their "
          "masks touch, or their whole box where there is no mask. What is not found is not hidden, and with "
          "policy=latest upiencoder's "
          "results "
          "come later than the frame (default: none)",
          NULL, flags));
}
