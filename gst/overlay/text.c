/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c: words on a background; see text.h. Pango shapes any script; without it Cairo's own text draws what its font
 * has. */
#include "gst/overlay/text.h"

#include "gst/memory.h"

#include <math.h>
#include <string.h>
#ifdef HAVE_PANGOCAIRO
#include <pango/pangocairo.h>
#endif

/* Texts in the cache: about a hundred labels at their usual scores. Beyond that all are let go: simpler than ageing,
 * and rare. */
#define MAX_TEXTS 1024
/* Longer text could not be read at any size; shaping time grows with it. */
#define MAX_CHARACTERS 400

/* What fonts take when they are loaded, with the threads that do it. */
#define FONTS_ROOM ((gsize) 96 << 20)

struct _GstUpiTextCache {
  GHashTable *texts; /* gchar * (text and style) → cairo_surface_t * */
  gboolean has_fonts;
#ifdef HAVE_PANGOCAIRO
  PangoFontMap *fonts; /* own: Pango's default font map belongs to a thread, streaming threads come and go */
  PangoContext *context;
#endif
};

GstUpiTextCache *
gst_upi_text_cache_new (void)
{
  GstUpiTextCache *cache = g_new0 (GstUpiTextCache, 1);
  cache->texts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) cairo_surface_destroy);
  return cache;
}

void
gst_upi_text_cache_free (GstUpiTextCache *cache)
{
  g_hash_table_unref (cache->texts);
#ifdef HAVE_PANGOCAIRO
  g_clear_object (&cache->context);
  g_clear_object (&cache->fonts);
#endif
  g_free (cache);
}

static void
set_rgb (cairo_t *cr, guint32 rgb, gdouble alpha)
{
  cairo_set_source_rgba (cr, ((rgb >> 16) & 0xff) / 255., ((rgb >> 8) & 0xff) / 255., (rgb & 0xff) / 255., alpha);
}

/* A surface with the background on it, its corners a little rounded. */
static cairo_t *
draw_background (gint width, gint height, gint size, guint32 argb)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, MAX (width, 1), MAX (height, 1));
  cairo_t *cr = cairo_create (surface);
  gdouble r = size / 5.;

  cairo_surface_destroy (surface);
  cairo_new_sub_path (cr);
  cairo_arc (cr, width - r, r, r, -(G_PI / 2), 0);
  cairo_arc (cr, width - r, height - r, r, 0, (G_PI / 2));
  cairo_arc (cr, r, height - r, r, (G_PI / 2), G_PI);
  cairo_arc (cr, r, r, r, G_PI, 1.5 * G_PI);
  cairo_close_path (cr);
  set_rgb (cr, argb, (argb >> 24) / 255.);
  cairo_fill (cr);
  return cr;
}

#ifdef HAVE_PANGOCAIRO

static cairo_surface_t *
render (GstUpiTextCache *cache, const gchar *text, const GstUpiTextStyle *style, gint pad_x, gint pad_y)
{
  if (cache->context == NULL) {
    cache->fonts = pango_cairo_font_map_new ();
    cache->context = pango_font_map_create_context (cache->fonts);
  }

  PangoFontDescription *font = pango_font_description_from_string (style->font != NULL ? style->font : "Sans");
  if (pango_font_description_get_size (font) == 0)
    pango_font_description_set_absolute_size (font, (gdouble) style->size * PANGO_SCALE);

  g_autoptr (PangoLayout) layout = pango_layout_new (cache->context);
  pango_layout_set_font_description (layout, font);
  pango_font_description_free (font);
  pango_layout_set_text (layout, text, -1);
  pango_layout_set_single_paragraph_mode (layout, style->max_lines <= 1);
  pango_layout_set_alignment (layout, PANGO_ALIGN_CENTER);
  pango_layout_set_wrap (layout, PANGO_WRAP_WORD_CHAR);

  /* Only too wide text gets a width: with one, a layout is as wide as that, and so would be its background. */
  gint available = MAX (style->max_width - 2 * pad_x, 1), width, height;
  pango_layout_get_pixel_size (layout, &width, &height);
  if (width > available) {
    pango_layout_set_width (layout, available * PANGO_SCALE);
    pango_layout_set_height (layout, -MAX (style->max_lines, 1));
    pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
  }
  PangoRectangle logical;
  pango_layout_get_pixel_extents (layout, NULL, &logical);

  cairo_t *cr = draw_background (logical.width + 2 * pad_x, logical.height + 2 * pad_y, style->size, style->background);
  set_rgb (cr, style->text, 1);
  cairo_move_to (cr, pad_x - logical.x, pad_y - logical.y);
  pango_cairo_show_layout (cr, layout);
  cairo_surface_t *surface = cairo_surface_reference (cairo_get_target (cr));
  cairo_destroy (cr);
  return surface;
}

#else

/* Breaks at spaces and newlines into at most @max_lines; what is left over is cut with an ellipsis. */
static GPtrArray *
break_lines (cairo_t *cr, const gchar *text, gint available, gint max_lines)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) words = g_strsplit_set (text, " \n", -1);
  g_autoptr (GString) line = g_string_new (NULL);
  cairo_text_extents_t extents;

  for (guint i = 0; words[i] != NULL; i++) {
    gsize before = line->len;
    g_string_append_printf (line, "%s%s", before > 0 ? " " : "", words[i]);
    cairo_text_extents (cr, line->str, &extents);
    if (extents.x_advance > available && before > 0 && (gint) lines->len + 1 < max_lines) {
      g_ptr_array_add (lines, g_strndup (line->str, before));
      g_string_assign (line, words[i]);
    }
  }
  cairo_text_extents (cr, line->str, &extents);
  while (extents.x_advance > available && line->len > strlen ("…") + 1) {
    gsize text_end = g_str_has_suffix (line->str, "…") ? line->len - strlen ("…") : line->len;
    g_string_truncate (line, g_utf8_find_prev_char (line->str, line->str + text_end) - line->str);
    g_string_append (line, "…");
    cairo_text_extents (cr, line->str, &extents);
  }
  g_ptr_array_add (lines, g_strdup (line->str));
  return lines;
}

static cairo_surface_t *
render (GstUpiTextCache *cache, const gchar *text, const GstUpiTextStyle *style, gint pad_x, gint pad_y)
{
  cairo_surface_t *none = cairo_image_surface_create (CAIRO_FORMAT_A8, 1, 1);
  cairo_t *measure = cairo_create (none);
  cairo_font_extents_t font;
  cairo_text_extents_t extents;
  gdouble width = 0;

  cairo_surface_destroy (none);
  cairo_select_font_face (
      measure, style->font != NULL ? style->font : "sans", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (measure, style->size);
  cairo_font_extents (measure, &font);
  g_autoptr (GPtrArray) lines = break_lines (measure, text, MAX (style->max_width - 2 * pad_x, 1), style->max_lines);
  for (guint i = 0; i < lines->len; i++) {
    cairo_text_extents (measure, lines->pdata[i], &extents);
    width = MAX (width, extents.x_advance);
  }

  gint surface_width = (gint) ceil (width) + 2 * pad_x,
       surface_height = (gint) ceil (font.height * lines->len) + 2 * pad_y;
  cairo_t *cr = draw_background (surface_width, surface_height, style->size, style->background);
  cairo_set_font_face (cr, cairo_get_font_face (measure));
  cairo_set_font_size (cr, style->size);
  set_rgb (cr, style->text, 1);
  for (guint i = 0; i < lines->len; i++) {
    cairo_text_extents (cr, lines->pdata[i], &extents);
    cairo_move_to (cr, (surface_width - extents.x_advance) / 2, pad_y + font.height * i + font.ascent);
    cairo_show_text (cr, lines->pdata[i]);
  }
  cairo_destroy (measure);
  cairo_surface_t *surface = cairo_surface_reference (cairo_get_target (cr));
  cairo_destroy (cr);
  return surface;
}

#endif

gboolean
gst_upi_text_cache_has_fonts (GstUpiTextCache *cache)
{
  cache->has_fonts = cache->has_fonts || gst_upi_can_allocate (FONTS_ROOM);
  return cache->has_fonts;
}

cairo_surface_t *
gst_upi_text_cache_get (GstUpiTextCache *cache, const gchar *text, const GstUpiTextStyle *style)
{
  g_autofree gchar *key = g_strdup_printf ("%s|%d|%d|%d|%x|%x|%s", style->font != NULL ? style->font : "", style->size,
      style->max_width, style->max_lines, style->background, style->text, text);
  cairo_surface_t *surface = g_hash_table_lookup (cache->texts, key);

  if (surface == NULL) {
    g_autofree gchar *valid = g_utf8_make_valid (text, -1);
    if (g_utf8_strlen (valid, -1) > MAX_CHARACTERS)
      *g_utf8_offset_to_pointer (valid, MAX_CHARACTERS) = '\0';
    surface = render (cache, valid, style, MAX (style->size / 3, 2), MAX (style->size / 8, 1));
    cairo_surface_flush (surface);
    if (g_hash_table_size (cache->texts) >= MAX_TEXTS)
      g_hash_table_remove_all (cache->texts);
    g_hash_table_insert (cache->texts, g_steal_pointer (&key), surface);
  }
  return cairo_surface_reference (surface);
}
