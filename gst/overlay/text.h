/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h: words on a background, drawn once and cached: labels repeat from frame to frame. */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct _GstUpiTextCache GstUpiTextCache;

/**
 * GstUpiTextStyle:
 * @font: (nullable): Pango font description; a size in it wins over @size
 * @size: height of the font in pixels
 * @max_width: of the whole background in pixels; longer text is wrapped, then cut with an ellipsis
 * @max_lines: 1 = never wrapped
 * @background: 0xAARRGGBB, not premultiplied
 * @text: 0xRRGGBB
 */
typedef struct {
  const gchar *font;
  gint size;
  gint max_width;
  gint max_lines;
  guint32 background;
  guint32 text;
} GstUpiTextStyle;

GstUpiTextCache *gst_upi_text_cache_new (void);
void gst_upi_text_cache_free (GstUpiTextCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiTextCache, gst_upi_text_cache_free)

/* Whether the fonts are loaded, or there is memory to load them: the libraries that do crash where it is short. */
gboolean gst_upi_text_cache_has_fonts (GstUpiTextCache *cache);

/**
 * gst_upi_text_cache_get: @text on a background of the given style. One thread at a time per cache.
 * @text: any bytes; what is not UTF-8 is shown as U+FFFD
 * Returns: (transfer full): a CAIRO_FORMAT_ARGB32 surface, as large as the background
 */
cairo_surface_t *gst_upi_text_cache_get (GstUpiTextCache *cache, const gchar *text, const GstUpiTextStyle *style);

G_END_DECLS
