/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* draw.c: boxes, masks, labels, ids, captions and the words of rules as items with a place; see draw.h.
 *
 * Legible on any background: every line has a dark rim on both sides, every word on a background. Labels look for a
 * free place above their box, then inside of it, then below; rules choose first, then the best object. Everything is
 * clipped to the frame.
 */
#include "gst/overlay/draw-private.h"

#include <math.h>

#include "gst/overlay/color.h"
#include "gst/overlay/lines.h"
#include "gst/overlay/mask.h"
#include "gst/overlay/text.h"
#include "gst/overlay/trails.h"

#define LABEL_BACKGROUND_ALPHA 0xe6u
#define CAPTION_BACKGROUND 0xb4101010u
#define CAPTION_TEXT 0xffffffu
#define CAPTION_LINES 3

struct _GstUpiPainter {
  GstUpiTextCache *texts;
  GstUpiTrails *trails;
};

GstUpiPainter *
gst_upi_painter_new (void)
{
  GstUpiPainter *painter = g_new0 (GstUpiPainter, 1);
  painter->texts = gst_upi_text_cache_new ();
  painter->trails = gst_upi_trails_new ();
  return painter;
}

void
gst_upi_painter_free (GstUpiPainter *painter)
{
  gst_upi_text_cache_free (painter->texts);
  gst_upi_trails_free (painter->trails);
  g_free (painter);
}

gboolean
gst_upi_painter_has_fonts (GstUpiPainter *painter)
{
  return gst_upi_text_cache_has_fonts (painter->texts);
}

void
gst_upi_painter_follow (GstUpiPainter *painter, const GstUpiContent *content, GstClockTime now)
{
  gst_upi_trails_take (painter->trails, content, now);
}

void
gst_upi_painter_forget (GstUpiPainter *painter)
{
  gst_upi_trails_forget (painter->trails);
}

gboolean
gst_upi_painter_has_work (const GstUpiContent *content, const GstUpiOverlayStyle *style)
{
  guint n_objects, n_captions, n_rules, n_classes;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  gst_upi_content_get_captions (content, &n_captions);
  gst_upi_content_get_rules (content, &n_rules);
  gst_upi_content_get_classes (content, &n_classes);

  for (guint i = 0; i < n_objects; i++)
    if (style->draw_boxes || style->draw_labels || style->draw_masks
        || ((style->draw_ids || style->draw_trails) && objects[i].track_id != 0))
      return TRUE;
  return (n_captions > 0 && style->draw_caption) || (n_rules > 0 && style->draw_rules)
      || (n_classes > 0 && style->draw_classes);
}

/* 0..1 → a pixel edge; not a number and what lies outside end at the frame. */
static gint
to_pixels (gdouble value, gint size)
{
  return value > 0 ? (gint) floor (MIN (value, 1.) * size + 0.5) : 0;
}

/* The box in pixels, at least one each way; empty when its size is no number or it does not touch the frame. */
static GstVideoRectangle
box_of (const GstUpiObject *object, gint width, gint height)
{
  if (!(object->width > 0) || !(object->height > 0) || !(object->x < 1) || !(object->y < 1)
      || !(object->x + object->width > 0) || !(object->y + object->height > 0))
    return (GstVideoRectangle){ 0, 0, 0, 0 };
  gint x0 = MIN (to_pixels (object->x, width), width - 1), y0 = MIN (to_pixels (object->y, height), height - 1);
  gint x1 = MAX (to_pixels ((gdouble) object->x + object->width, width), x0 + 1);
  gint y1 = MAX (to_pixels ((gdouble) object->y + object->height, height), y0 + 1);
  return (GstVideoRectangle){ x0, y0, x1 - x0, y1 - y0 };
}

static gint
font_size_for (gint height)
{
  return 8 + height / 72;
}

static void
item_clear (gpointer data)
{
  GstUpiOverlayItem *item = data;
  g_clear_pointer (&item->text, cairo_surface_destroy);
  g_clear_pointer (&item->line, g_rc_box_release);
}

static void
add_item (GArray *items, GstUpiOverlayItem item, GstVideoRectangle area, GstVideoRectangle frame)
{
  item.area = gst_upi_rectangle_intersect (area, frame);
  if (gst_upi_rectangle_is_empty (item.area)) {
    item_clear (&item);
    return;
  }
  g_array_append_val (items, item);
}

/* The box's line lies inside of the box, its outer rim around it. */
static void
add_box (GArray *items, const GstUpiOverlayItem *whole, GstVideoRectangle frame)
{
  GstVideoRectangle box = whole->box;
  gint side = whole->line_width + 2 * GST_UPI_RIM;
  GstVideoRectangle outer = { box.x - GST_UPI_RIM, box.y - GST_UPI_RIM, box.w + 2 * GST_UPI_RIM,
    box.h + 2 * GST_UPI_RIM };

  if (outer.w <= 2 * side || outer.h <= 2 * side) {
    add_item (items, *whole, outer, frame);
    return;
  }
  add_item (items, *whole, (GstVideoRectangle){ outer.x, outer.y, outer.w, side }, frame);
  add_item (items, *whole, (GstVideoRectangle){ outer.x, outer.y + outer.h - side, outer.w, side }, frame);
  add_item (items, *whole, (GstVideoRectangle){ outer.x, outer.y + side, side, outer.h - 2 * side }, frame);
  add_item (
      items, *whole, (GstVideoRectangle){ outer.x + outer.w - side, outer.y + side, side, outer.h - 2 * side }, frame);
}

static guint32
color_of (const GstUpiObject *object, guint index, const GstUpiOverlayStyle *style)
{
  if (style->color_by == GST_UPI_COLOR_BY_OBJECT)
    return gst_upi_color_of_index (index);
  if (style->color_by == GST_UPI_COLOR_BY_TRACK && object->track_id != 0)
    return gst_upi_color_of_track (object->track_id);
  return gst_upi_color_of_label (object->label);
}

static gint
line_width_for (const GstUpiOverlayStyle *style, gint height)
{
  return style->line_width > 0 ? (gint) style->line_width : MAX (height / 360, 1);
}

static void
add_object (GArray *items, const GstUpiObject *object, guint index, const GstUpiOverlayStyle *style,
    GstVideoRectangle frame, gboolean one_an_object)
{
  GstUpiOverlayItem whole = { .box = box_of (object, frame.w, frame.h), .opacity = CLAMP (style->mask_opacity, 0, 1) };

  if (gst_upi_rectangle_is_empty (whole.box))
    return;
  whole.rgb = color_of (object, index, style);
  if (style->draw_masks && object->mask != NULL && whole.opacity > 0)
    whole.mask = object->mask;
  if (style->draw_boxes)
    whole.line_width = MAX (line_width_for (style, frame.h) / (object->flags & GST_UPI_OBJECT_PREDICTED ? 2 : 1), 1);

  gint rim = whole.line_width > 0 ? GST_UPI_RIM : 0;
  GstVideoRectangle around = { whole.box.x - rim, whole.box.y - rim, whole.box.w + 2 * rim, whole.box.h + 2 * rim };
  if (one_an_object) {
    if (whole.mask != NULL || whole.line_width > 0)
      add_item (items, whole, around, frame);
    return;
  }
  if (whole.mask != NULL) {
    GstUpiOverlayItem mask = whole;
    mask.line_width = 0;
    add_item (items, mask, whole.box, frame);
    whole.mask = NULL;
  }
  if (whole.line_width > 0)
    add_box (items, &whole, frame);
}

/* The first place that no earlier label takes, or else the first. */
static GstVideoRectangle
place_label (GArray *taken, GstVideoRectangle box, gint text_width, gint text_height, GstVideoRectangle frame)
{
  gint x = CLAMP (box.x, 0, MAX (frame.w - text_width, 0));
  gint above = box.y - text_height - GST_UPI_RIM, below = box.y + box.h + GST_UPI_RIM;
  gboolean fits_inside = box.h >= 2 * text_height; /* or else it would hide what it names */
  const gint rows[] = { above, fits_inside ? box.y : below, fits_inside ? below : box.y, box.y + box.h - text_height,
    box.y + text_height };
  GstVideoRectangle first = { 0, 0, 0, 0 };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    GstVideoRectangle place = { x, rows[i], text_width, text_height };
    gboolean is_free = TRUE;
    if (rows[i] < 0 || (rows[i] + text_height > frame.h))
      continue;
    if (gst_upi_rectangle_is_empty (first))
      first = place;
    for (guint j = 0; j < taken->len && is_free; j++)
      is_free =
          gst_upi_rectangle_is_empty (gst_upi_rectangle_intersect (place, g_array_index (taken, GstVideoRectangle, j)));
    if (is_free)
      return place;
  }
  if (gst_upi_rectangle_is_empty (first)) /* a frame lower than a line of text */
    first = (GstVideoRectangle){ x, CLAMP (box.y, 0, MAX (frame.h - text_height, 0)), text_width, text_height };
  return first;
}

/* Text on a background of its colour, cached for the next frame. */
static cairo_surface_t *
text_for (
    GstUpiPainter *painter, const gchar *text, guint32 rgb, const GstUpiOverlayStyle *style, GstVideoRectangle frame)
{
  GstUpiTextStyle look = { .font = style->font,
    .size = font_size_for (frame.h),
    .max_width = frame.w,
    .max_lines = 1,
    .background = LABEL_BACKGROUND_ALPHA << 24 | rgb,
    .text = gst_upi_color_of_text_on (rgb) };
  return gst_upi_text_cache_get (painter->texts, text, &look);
}

/* @surface: (transfer full) */
static void
add_text (GArray *items, cairo_surface_t *surface, gint x, gint y, GstVideoRectangle frame)
{
  GstUpiOverlayItem item = { .text = surface, .text_x = x, .text_y = y };
  add_item (items, item,
      (GstVideoRectangle){ x, y, cairo_image_surface_get_width (surface), cairo_image_surface_get_height (surface) },
      frame);
}

/* The id stands before the label: each is cached for itself, a hundred ids times a hundred scores would not be. */
static void
add_labels (GstUpiPainter *painter, GArray *items, GArray *taken, const GstUpiObject *objects, guint n_objects,
    const GstUpiOverlayStyle *style, GstVideoRectangle frame)
{
  for (guint i = 0; i < n_objects; i++) {
    GstVideoRectangle box = box_of (&objects[i], frame.w, frame.h);
    cairo_surface_t *id = NULL, *label = NULL;
    gint width = 0, height = 0;
    if (gst_upi_rectangle_is_empty (box))
      continue;
    if (style->draw_ids && objects[i].track_id != 0) {
      g_autofree gchar *text = g_strdup_printf ("#%" G_GUINT64_FORMAT, objects[i].track_id);
      guint32 rgb = style->color_by == GST_UPI_COLOR_BY_OBJECT ? gst_upi_color_of_index (i)
                                                               : gst_upi_color_of_track (objects[i].track_id);
      id = text_for (painter, text, rgb, style, frame);
      width = cairo_image_surface_get_width (id);
      height = cairo_image_surface_get_height (id);
    }
    if (style->draw_labels) {
      g_autofree gchar *text = NULL;
      if (objects[i].score >= 0
          && objects[i].score <= 1) /* a label in a right-to-left script must not draw the score into it: isolated */
        text = g_strdup_printf (g_str_is_ascii (objects[i].label) ? "%s %.0f%%" : "\u2068%s\u2069 %.0f%%",
            objects[i].label, objects[i].score * 100);
      label =
          text_for (painter, text != NULL ? text : objects[i].label, color_of (&objects[i], i, style), style, frame);
      width += cairo_image_surface_get_width (label);
      height = MAX (height, cairo_image_surface_get_height (label));
    }
    if (width == 0)
      continue;
    GstVideoRectangle place = place_label (taken, box, width, height, frame);
    g_array_append_val (taken, place);
    if (id != NULL)
      add_text (items, id, place.x, place.y, frame);
    if (label != NULL)
      add_text (items, label, place.x + width - cairo_image_surface_get_width (label), place.y, frame);
  }
}

/* At its shape, or, for a rule of the whole frame, in its top-left corner, one below the other. */
static void
add_rule_texts (GstUpiPainter *painter, GArray *items, GArray *taken, const GstUpiRule *rules, guint n_rules,
    const GstUpiOverlayStyle *style, GstVideoRectangle frame)
{
  gint corner = 0;

  for (guint i = 0; i < n_rules; i++) {
    g_autofree gchar *text = gst_upi_lines_rule_text (&rules[i]);
    cairo_surface_t *surface = text_for (painter, text, gst_upi_color_of_label (rules[i].name), style, frame);
    gint width = cairo_image_surface_get_width (surface), height = cairo_image_surface_get_height (surface);
    GstVideoRectangle place = { 0, corner, width, height };
    if (rules[i].points != NULL && rules[i].n_points > 0) { /* its topmost corner */
      GstUpiPoint top = rules[i].points[0];
      for (guint j = 1; j < rules[i].n_points; j++)
        if (rules[i].points[j].y < top.y)
          top = rules[i].points[j];
      GstVideoRectangle at = { MIN (to_pixels (top.x, frame.w), frame.w - 1),
        MIN (to_pixels (top.y, frame.h), frame.h - 1), 1, 1 };
      place = place_label (taken, at, width, height, frame);
    } else {
      corner += height + GST_UPI_RIM;
    }
    g_array_append_val (taken, place);
    add_text (items, surface, place.x, place.y, frame);
  }
}

/* In the top right corner, one below the other. */
static void
add_classes (GstUpiPainter *painter, GArray *items, GArray *taken, const GstUpiContent *content,
    const GstUpiOverlayStyle *style, GstVideoRectangle frame)
{
  guint n;
  const GstUpiClass *classes = gst_upi_content_get_classes (content, &n);
  gint y = 0;

  for (guint i = 0; i < n && y < frame.h; i++) {
    gboolean independent = classes[i].flags & GST_UPI_CLASS_INDEPENDENT,
             first = i == 0 || classes[i].list != classes[i - 1].list;
    if (independent ? !(classes[i].probability >= 0.5f) : !first)
      continue;
    g_autofree gchar *text = g_strdup_printf (g_str_is_ascii (classes[i].label) ? "%s %.0f%%" : "\u2068%s\u2069 %.0f%%",
        classes[i].label, CLAMP (classes[i].probability, 0, 1) * 100);
    cairo_surface_t *surface = text_for (painter, text, gst_upi_color_of_label (classes[i].label), style, frame);
    GstVideoRectangle place = { frame.w - cairo_image_surface_get_width (surface), y,
      cairo_image_surface_get_width (surface), cairo_image_surface_get_height (surface) };
    g_array_append_val (taken, place);
    y += place.h + GST_UPI_RIM;
    add_text (items, surface, place.x, place.y, frame);
  }
}

static void
add_trails (GstUpiPainter *painter, GArray *items, const GstUpiObject *objects, guint n_objects,
    const GstUpiOverlayStyle *style, GstVideoRectangle frame, GstUpiLayout layout)
{
  GstUpiPoint points[GST_UPI_TRAIL_POINTS];

  for (guint i = n_objects; i-- > 0;) {
    guint n = objects[i].track_id != 0 ? gst_upi_trails_get (painter->trails, objects[i].track_id, points) : 0;
    guint32 rgb = style->color_by == GST_UPI_COLOR_BY_OBJECT ? gst_upi_color_of_index (i)
                                                             : gst_upi_color_of_track (objects[i].track_id);
    gst_upi_lines_add (
        items, points, n, FALSE, MAX (line_width_for (style, frame.h), 2), rgb, frame.w, frame.h, layout);
  }
}

static void
add_captions (GstUpiPainter *painter, GArray *items, const GstUpiCaption *captions, guint n_captions,
    const GstUpiOverlayStyle *style, GstVideoRectangle frame)
{
  gint size = font_size_for (frame.h) * 5 / 4, lines = CLAMP (frame.h / (4 * size), 1, CAPTION_LINES),
       bottom = frame.h - MAX (frame.h / 36, 1);

  for (guint i = n_captions; i-- > 0;) {
    if (captions[i].text[0] == '\0')
      continue;
    GstUpiTextStyle look = { .font = style->font,
      .size = size,
      .max_width = frame.w - frame.w / 10,
      .max_lines = lines,
      .background = CAPTION_BACKGROUND,
      .text = CAPTION_TEXT };
    GstUpiOverlayItem item = { .text = gst_upi_text_cache_get (painter->texts, captions[i].text, &look) };
    gint text_width = cairo_image_surface_get_width (item.text),
         text_height = cairo_image_surface_get_height (item.text);
    item.text_x = (frame.w - text_width) / 2;
    item.text_y = bottom - text_height;
    bottom = item.text_y - GST_UPI_RIM;
    add_item (items, item, (GstVideoRectangle){ item.text_x, item.text_y, text_width, text_height }, frame);
  }
}

GArray *
gst_upi_painter_layout (GstUpiPainter *painter, const GstUpiContent *content, const GstUpiOverlayStyle *style,
    gint width, gint height, GstUpiLayout layout)
{
  GArray *items = g_array_new (FALSE, FALSE, sizeof (GstUpiOverlayItem));
  GstVideoRectangle frame = { 0, 0, width, height };
  guint n_objects, n_captions;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  const GstUpiCaption *captions = gst_upi_content_get_captions (content, &n_captions);

  g_autoptr (GArray) taken = g_array_new (FALSE, FALSE, sizeof (GstVideoRectangle)); /* by words */
  guint n_rules = 0;
  const GstUpiRule *rules = style->draw_rules ? gst_upi_content_get_rules (content, &n_rules) : NULL;

  g_array_set_clear_func (items, item_clear);
  for (guint i = 0; i < n_rules; i++)
    gst_upi_lines_add_rule (items, &rules[i], line_width_for (style, height), width, height, layout);
  if (style->draw_trails)
    add_trails (painter, items, objects, n_objects, style, frame, layout);
  for (guint i = n_objects; i-- > 0;) /* the best on top */
    add_object (items, &objects[i], i, style, frame, layout != GST_UPI_LAYOUT_PIXELS);
  add_rule_texts (painter, items, taken, rules, n_rules, style, frame);
  if (style->draw_classes)
    add_classes (painter, items, taken, content, style, frame);
  if (style->draw_labels || style->draw_ids)
    add_labels (painter, items, taken, objects, n_objects, style, frame);
  if (style->draw_caption)
    add_captions (painter, items, captions, n_captions, style, frame);
  return items;
}
