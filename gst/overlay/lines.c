/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.c: see lines.h.
 *
 * Where items are pictures, a line is cut by a grid of squares into those that it touches, neighbours of a row
 * together. Every item draws all segments that reach it, clipped to itself: where items meet nothing shows.
 */
#include "gst/overlay/lines.h"

#include <math.h>
#include <string.h>

#include "gst/overlay/blend.h"
#include "gst/overlay/color.h"

#define SQUARE 64
#define RIM 1
#define RIM_COLOR 0x101010u
#define FAR 4 /* frames */

struct _GstUpiLine {
  gint width; /* pixels */
  guint n;
  struct {
    gfloat x, y;
  } points[];
};

static gint
margin_of (const GstUpiLine *line)
{
  return line->width / 2 + 2;
}

/* The part of the segment in the stripe between @top and @bottom, from left to right. FALSE: none. */
static gboolean
cut_to_rows (const GstUpiLine *line, guint i, gdouble top, gdouble bottom, gdouble *left, gdouble *right)
{
  gdouble x0 = line->points[i].x, y0 = line->points[i].y, x1 = line->points[i + 1].x, y1 = line->points[i + 1].y;

  if (MAX (y0, y1) < top || MIN (y0, y1) > bottom)
    return FALSE;
  if (fabs (y1 - y0) > 1e-6) {
    gdouble a = CLAMP ((top - y0) / (y1 - y0), 0, 1), b = CLAMP ((bottom - y0) / (y1 - y0), 0, 1), dx = x1 - x0;
    x1 = x0 + b * dx;
    x0 += a * dx;
  }
  *left = MIN (x0, x1);
  *right = MAX (x0, x1);
  return TRUE;
}

static GstUpiLine *
line_new (const GstUpiPoint *points, guint n_points, gboolean closed, gint line_width, gint width, gint height)
{
  GstUpiLine *line = g_rc_box_alloc0 (sizeof (GstUpiLine) + ((gsize) n_points + 1) * sizeof line->points[0]);

  line->width = line_width;
  for (guint i = 0; i < n_points + (closed ? 1 : 0); i++) {
    GstUpiPoint point = points[i % n_points];
    if (!(fabsf (point.x) <= FAR) || !(fabsf (point.y) <= FAR))
      break;
    line->points[line->n].x = point.x * (gfloat) width;
    line->points[line->n++].y = point.y * (gfloat) height;
  }
  return line;
}

static void
add_area (GArray *items, GstUpiLine *line, guint32 rgb, gint x0, gint y0, gint x1, gint y1)
{
  GstUpiOverlayItem item = { .area = { x0, y0, x1 - x0, y1 - y0 }, .line = g_rc_box_acquire (line), .rgb = rgb };
  g_array_append_val (items, item);
}

void
gst_upi_lines_add (GArray *items, const GstUpiPoint *points, guint n_points, gboolean closed, gint line_width,
    guint32 rgb, gint width, gint height, GstUpiLayout layout)
{
  gint columns = (width + SQUARE - 1) / SQUARE;
  g_autofree guint8 *touched = g_malloc (columns + 1);

  if (n_points < 2)
    return;
  GstUpiLine *line = line_new (points, n_points, closed, line_width, width, height);
  gint margin = margin_of (line);
  if (layout == GST_UPI_LAYOUT_PIXELS)
    add_area (items, line, rgb, 0, 0, width, height);
  for (gint top = 0; top < height && layout != GST_UPI_LAYOUT_PIXELS; top += SQUARE) {
    gint leftmost = columns, rightmost = -1;
    memset (touched, 0, columns + 1);
    for (guint i = 0; i + 1 < line->n; i++) {
      gdouble left, right;
      if (!cut_to_rows (line, i, top - margin, top + SQUARE + margin, &left, &right) || right + margin < 0
          || left - margin >= width)
        continue;
      gint first = (gint) MAX (left - margin, 0) / SQUARE,
           last = MIN ((gint) MIN (right + margin, width) / SQUARE, columns - 1);
      memset (touched + first, 1, last - first + 1);
      leftmost = MIN (leftmost, first);
      rightmost = MAX (rightmost, last);
    }
    if (layout == GST_UPI_LAYOUT_ROWS && rightmost >= leftmost)
      memset (touched + leftmost, 1, rightmost - leftmost + 1);
    for (gint first = 0; first < columns; first++) {
      gint end = first;
      while (touched[end]) /* the one behind the last is 0 */
        end++;
      if (end == first)
        continue;
      add_area (items, line, rgb, first * SQUARE, top, MIN (end * SQUARE, width), MIN (top + SQUARE, height));
      first = end;
    }
  }
  g_rc_box_release (line);
}

static void
set_rgb (cairo_t *cr, guint32 rgb)
{
  cairo_set_source_rgb (cr, ((rgb >> 16) & 0xff) / 255., ((rgb >> 8) & 0xff) / 255., (rgb & 0xff) / 255.);
}

void
gst_upi_lines_draw (const GstUpiOverlayItem *item, cairo_t *cr)
{
  const GstUpiLine *line = item->line;
  gint margin = margin_of (line), from = item->area.x - margin, to = item->area.x + item->area.w + margin;
  gboolean on_path = FALSE;

  for (guint i = 0; i + 1 < line->n; i++) {
    gdouble left, right;
    if (!cut_to_rows (line, i, item->area.y - margin, item->area.y + item->area.h + margin, &left, &right)
        || right < from || left > to) {
      on_path = FALSE;
      continue;
    }
    if (!on_path)
      cairo_move_to (cr, line->points[i].x, line->points[i].y);
    cairo_line_to (cr, line->points[i + 1].x, line->points[i + 1].y);
    on_path = TRUE;
  }
  cairo_set_antialias (cr, CAIRO_ANTIALIAS_NONE);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap (cr, CAIRO_LINE_CAP_SQUARE);
  cairo_set_line_width (cr, line->width + 2 * RIM);
  set_rgb (cr, RIM_COLOR);
  cairo_stroke_preserve (cr);
  cairo_set_line_width (cr, line->width);
  set_rgb (cr, item->rgb);
  cairo_stroke (cr);
}

/* A segment as upright or level strokes of @width pixels across it, neighbours at one height together. */
static void
append_strokes (
    GArray *strokes, gdouble x0, gdouble y0, gdouble x1, gdouble y1, gint width, gint frame_width, gint frame_height)
{
  gboolean level = fabs (x1 - x0) >= fabs (y1 - y0);
  gdouble from = level ? x0 : y0, to = level ? x1 : y1, at = level ? y0 : x0, other = level ? y1 : x1;

  if (from > to) {
    gdouble swap = from;
    from = to, to = swap;
    swap = at, at = other, other = swap;
  }
  gdouble slope = to > from ? (other - at) / (to - from) : 0, reach = width / 2. * sqrt (1 + slope * slope);
  gint first = MAX ((gint) floor (from - width / 2.), 0),
       end = MIN ((gint) ceil (to + width / 2.), level ? frame_width : frame_height);
  gint length = MAX ((gint) (2 * reach + 0.5), 1);
  for (gint i = first; i < end;) {
    gint start = i, place = (gint) floor (at + slope * (i + 0.5 - from) - reach + 0.5);
    for (i++; i < end && (gint) floor (at + slope * (i + 0.5 - from) - reach + 0.5) == place;)
      i++;
    GstVideoRectangle stroke = level ? (GstVideoRectangle){ start, place, i - start, length }
                                     : (GstVideoRectangle){ place, start, length, i - start };
    g_array_append_val (strokes, stroke);
  }
}

void
gst_upi_lines_fill (const GstUpiOverlayItem *item, GstVideoFrame *frame)
{
  const GstUpiLine *line = item->line;
  g_autoptr (GArray) strokes = g_array_new (FALSE, FALSE, sizeof (GstVideoRectangle));

  for (gint rim = RIM; rim >= 0; rim -= RIM) {
    g_array_set_size (strokes, 0);
    for (guint i = 0; i + 1 < line->n; i++)
      append_strokes (strokes, line->points[i].x, line->points[i].y, line->points[i + 1].x, line->points[i + 1].y,
          line->width + 2 * rim, GST_VIDEO_FRAME_WIDTH (frame), GST_VIDEO_FRAME_HEIGHT (frame));
    gst_upi_blend_fill (
        frame, rim > 0 ? RIM_COLOR : item->rgb, (const GstVideoRectangle *) strokes->data, strokes->len);
  }
}

/* From the middle of the line to the right hand of one who walks from its first point to its second: on a picture,
 * whose y goes down, that is (x, y) → (-y, x). */
static void
add_arrow (
    GArray *items, const GstUpiPoint *ends, gint line_width, guint32 rgb, gint width, gint height, GstUpiLayout layout)
{
  gfloat dx = (ends[1].x - ends[0].x) * (gfloat) width, dy = (ends[1].y - ends[0].y) * (gfloat) height,
         length = hypotf (dx, dy);
  gfloat reach = (gfloat) height / 20, side = reach / 3;

  if (!(length > 0))
    return;
  gfloat along_x = dx / length, along_y = dy / length, out_x = -along_y, out_y = along_x;
  gfloat x = (ends[0].x + ends[1].x) / 2 * (gfloat) width, y = (ends[0].y + ends[1].y) / 2 * (gfloat) height;
  gfloat tip_x = x + out_x * reach, tip_y = y + out_y * reach, neck_x = tip_x - out_x * side,
         neck_y = tip_y - out_y * side;
  const GstUpiPoint arrow[] = { { x / (gfloat) width, y / (gfloat) height },
    { tip_x / (gfloat) width, tip_y / (gfloat) height },
    { (neck_x + along_x * side) / (gfloat) width, (neck_y + along_y * side) / (gfloat) height },
    { tip_x / (gfloat) width, tip_y / (gfloat) height },
    { (neck_x - along_x * side) / (gfloat) width, (neck_y - along_y * side) / (gfloat) height } };
  gst_upi_lines_add (items, arrow, G_N_ELEMENTS (arrow), FALSE, line_width, rgb, width, height, layout);
}

void
gst_upi_lines_add_rule (
    GArray *items, const GstUpiRule *rule, gint line_width, gint width, gint height, GstUpiLayout layout)
{
  guint32 rgb = gst_upi_color_of_label (rule->name);

  if (rule->flags & GST_UPI_RULE_ACTIVE)
    line_width *= 2;
  if (rule->points == NULL)
    return;
  gst_upi_lines_add (
      items, rule->points, rule->n_points, rule->kind == GST_UPI_RULE_ZONE, line_width, rgb, width, height, layout);
  if (rule->kind == GST_UPI_RULE_LINE && rule->n_points == 2)
    add_arrow (items, rule->points, line_width, rgb, width, height, layout);
}

gchar *
gst_upi_lines_rule_text (const GstUpiRule *rule)
{
  g_autofree gchar *name =
      g_str_is_ascii (rule->name) ? g_strdup (rule->name) : g_strdup_printf ("\u2068%s\u2069", rule->name);

  switch (rule->kind) {
  case GST_UPI_RULE_ZONE:
    return g_strdup_printf ("%s: %u inside, %" G_GUINT64_FORMAT " in, %" G_GUINT64_FORMAT " out", name, rule->count,
        rule->total_in, rule->total_out);
  case GST_UPI_RULE_LINE:
    return g_strdup_printf (
        "%s: %" G_GUINT64_FORMAT " forward, %" G_GUINT64_FORMAT " back", name, rule->total_in, rule->total_out);
  case GST_UPI_RULE_COUNT:
    return g_strdup_printf ("%s: %u", name, rule->count);
  case GST_UPI_RULE_PHRASE:
    if (rule->score >= 0 && rule->score <= 1)
      return g_strdup_printf ("%s: %.0f%%", name, rule->score * 100);
    break;
  }
  return g_steal_pointer (&name);
}
