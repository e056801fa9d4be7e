/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rules-picture.c: rules drawn on a frame; see rules-picture.h. */
#include "tools/rules-picture.h"

#include <math.h>

#include "gst/overlay/color.h"

typedef struct {
  cairo_t *cairo;
  gdouble width, height;
  gdouble unit; /* width of a line */
} Picture;

static void
set_color (const Picture *picture, guint32 rgb, gdouble alpha)
{
  cairo_set_source_rgba (picture->cairo, (rgb >> 16) / 255.0, (rgb >> 8 & 0xff) / 255.0, (rgb & 0xff) / 255.0, alpha);
}

/* On a background, its upper left corner at the point, within the picture. Returns: the plate's height */
static gdouble
draw_text (const Picture *picture, gdouble x, gdouble y, const gchar *text, guint32 rgb)
{
  cairo_text_extents_t extents;
  cairo_font_extents_t font;
  const gdouble pad = 2 * picture->unit;

  cairo_text_extents (picture->cairo, text, &extents);
  cairo_font_extents (picture->cairo, &font);
  gdouble width = extents.x_advance + 2 * pad, height = font.ascent + font.descent + pad;
  x = CLAMP (x, 0, MAX (picture->width - width, 0));
  y = CLAMP (y, 0, MAX (picture->height - height, 0));
  set_color (picture, rgb, 0.85);
  cairo_rectangle (picture->cairo, x, y, width, height);
  cairo_fill (picture->cairo);
  set_color (picture, gst_upi_color_of_text_on (rgb), 1);
  cairo_move_to (picture->cairo, x + pad, y + pad / 2 + font.ascent);
  cairo_show_text (picture->cairo, text);
  return height;
}

/* "yard: zone · person, dog · dwell 30 s" */
static gchar *
describe (const Rule *rule)
{
  static const gchar *const kinds[] = { "zone", "line", "count", "phrase" };
  static const gchar *const modes[] = { "loose", "balanced", "strict" };
  static const gchar *const directions[] = { "both ways", "forward", "backward" };
  GString *text = g_string_new (NULL);

  g_string_printf (text, "%s: %s", rule->name, kinds[rule->kind]);
  if (rule->kind == RULE_LINE)
    g_string_append_printf (text, ", %s, %s", modes[rule->mode], directions[rule->direction]);
  if (rule->kind == RULE_PHRASE)
    g_string_append_printf (text, " \"%s\" from %g", rule->text, rule->threshold);
  if (rule->labels != NULL) {
    g_autofree gchar *labels = g_strjoinv (", ", rule->labels);
    g_string_append_printf (text, " · %s", labels);
  }
  if (rule->dwell > 0)
    g_string_append_printf (text, " · dwell %g s", rule->dwell);
  if (rule->above >= 0)
    g_string_append_printf (text, " · above %g", rule->above);
  if (rule->below >= 0)
    g_string_append_printf (text, " · below %g", rule->below);
  if (rule->min_time > 0)
    g_string_append_printf (text, " · for %g s", rule->min_time);
  return g_string_free (text, FALSE);
}

static void
draw_grid (const Picture *picture)
{
  for (guint i = 1; i < 10; i++) {
    g_autofree gchar *text = g_strdup_printf ("0.%u", i);
    gdouble x = i * picture->width / 10, y = i * picture->height / 10;
    cairo_set_line_width (picture->cairo, MAX (1, picture->unit / 3));
    cairo_move_to (picture->cairo, x, 0);
    cairo_line_to (picture->cairo, x, picture->height);
    cairo_move_to (picture->cairo, 0, y);
    cairo_line_to (picture->cairo, picture->width, y);
    set_color (picture, 0xffffff, 0.3);
    cairo_stroke (picture->cairo);
    draw_text (picture, x, 0, text, 0x000000);
    draw_text (picture, 0, y, text, 0x000000);
  }
}

static RulePoint
corner (const Picture *picture, const Rule *rule, guint index)
{
  const RulePoint *point = &g_array_index (rule->points, RulePoint, index);

  return (RulePoint){ point->x * picture->width, point->y * picture->height };
}

static void
draw_points (const Picture *picture, const Rule *rule, guint32 rgb)
{
  for (guint i = 0; i < rule->points->len; i++) {
    RulePoint point = corner (picture, rule, i);
    g_autofree gchar *number = g_strdup_printf ("%u", i + 1);
    cairo_arc (picture->cairo, point.x, point.y, 2.5 * picture->unit, 0, 2 * G_PI);
    set_color (picture, rgb, 1);
    cairo_fill (picture->cairo);
    draw_text (picture, point.x + 3 * picture->unit, point.y + picture->unit, number, rgb);
  }
}

static void
draw_zone (const Picture *picture, const Rule *rule, guint32 rgb)
{
  cairo_new_path (picture->cairo); /* a text before it left a point */
  for (guint i = 0; i < rule->points->len; i++) {
    RulePoint point = corner (picture, rule, i);
    cairo_line_to (picture->cairo, point.x, point.y);
  }
  cairo_close_path (picture->cairo);
  cairo_set_fill_rule (picture->cairo, CAIRO_FILL_RULE_EVEN_ODD); /* as it counts */
  set_color (picture, rgb, 0.25);
  cairo_fill_preserve (picture->cairo);
  set_color (picture, rgb, 1);
  cairo_set_line_width (picture->cairo, picture->unit);
  cairo_stroke (picture->cairo);
}

/* An arrow from @from by (dx, dy). */
static void
draw_arrow (const Picture *picture, RulePoint from, gdouble dx, gdouble dy, guint32 rgb)
{
  gdouble angle = atan2 (dy, dx), head = 5 * picture->unit;

  set_color (picture, rgb, 1);
  cairo_set_line_width (picture->cairo, picture->unit);
  cairo_move_to (picture->cairo, from.x, from.y);
  cairo_line_to (picture->cairo, from.x + dx, from.y + dy);
  cairo_line_to (picture->cairo, from.x + dx - head * cos (angle - 0.5), from.y + dy - head * sin (angle - 0.5));
  cairo_move_to (picture->cairo, from.x + dx, from.y + dy);
  cairo_line_to (picture->cairo, from.x + dx - head * cos (angle + 0.5), from.y + dy - head * sin (angle + 0.5));
  cairo_stroke (picture->cairo);
}

/* Forward is to the right hand of one who walks from the first point to the second; on the screen y runs down. */
static void
draw_line (const Picture *picture, const Rule *rule, guint32 rgb)
{
  RulePoint a = corner (picture, rule, 0), b = corner (picture, rule, 1), middle = { (a.x + b.x) / 2, (a.y + b.y) / 2 };
  gdouble length = hypot (b.x - a.x, b.y - a.y), arrow = picture->height / 12;
  gdouble dx = length > 0 ? -(b.y - a.y) / length * arrow : 0, dy = length > 0 ? (b.x - a.x) / length * arrow : 0;

  set_color (picture, rgb, 1);
  cairo_set_line_width (picture->cairo, 1.5 * picture->unit);
  cairo_move_to (picture->cairo, a.x, a.y);
  cairo_line_to (picture->cairo, b.x, b.y);
  cairo_stroke (picture->cairo);
  if (rule->direction != RULE_BACKWARD) {
    draw_arrow (picture, middle, dx, dy, rgb);
    draw_text (picture, middle.x + dx + picture->unit, middle.y + dy, "forward", rgb);
  }
  if (rule->direction != RULE_FORWARD) {
    draw_arrow (picture, middle, -dx, -dy, rgb);
    draw_text (picture, middle.x - dx + picture->unit, middle.y - dy, "backward", rgb);
  }
}

void
rules_picture_draw (cairo_surface_t *surface, const Rules *rules)
{
  Picture picture = { .cairo = cairo_create (surface),
    .width = cairo_image_surface_get_width (surface),
    .height = cairo_image_surface_get_height (surface) };

  picture.unit = MAX (1.5, picture.height / 360);
  cairo_select_font_face (picture.cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  cairo_set_font_size (picture.cairo, MAX (11, picture.height / 36));
  draw_grid (&picture);
  for (guint i = 0; i < rules->rules->len; i++) {
    const Rule *rule = rules->rules->pdata[i];
    guint32 rgb = gst_upi_color_of_label (rule->name);
    if (rule->kind == RULE_ZONE)
      draw_zone (&picture, rule, rgb);
    else if (rule->kind == RULE_LINE)
      draw_line (&picture, rule, rgb);
    if (rule->points != NULL)
      draw_points (&picture, rule, rgb);
  }
  gdouble y = picture.height / 10 + 4 * picture.unit; /* the rules' names, below the grid's numbers */
  for (guint i = 0; i < rules->rules->len; i++) {
    g_autofree gchar *text = describe (rules->rules->pdata[i]);
    y += draw_text (
             &picture, picture.width / 12, y, text, gst_upi_color_of_label (((Rule *) rules->rules->pdata[i])->name))
        + picture.unit;
  }
  cairo_destroy (picture.cairo);
  cairo_surface_flush (surface);
}
