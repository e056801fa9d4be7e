/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h: words on a plate, drawn once and kept: labels repeat from frame to frame. */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct _GstUpiTextCache GstUpiTextCache;

/**
 * GstUpiPlateStyle:
 * @font: (nullable): Pango font description; a size in it wins over @size
 * @size: height of the font in pixels
 * @max_width: of the whole plate in pixels; longer text is wrapped, then cut with an ellipsis
 * @max_lines: 1 = never wrapped
 * @plate: 0xAARRGGBB, not premultiplied
 * @text: 0xRRGGBB
 */
typedef struct {
  const gchar *font;
  gint size;
  gint max_width;
  gint max_lines;
  guint32 plate;
  guint32 text;
} GstUpiPlateStyle;

GstUpiTextCache *gst_upi_text_cache_new (void);
void gst_upi_text_cache_free (GstUpiTextCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiTextCache, gst_upi_text_cache_free)

/* Whether the fonts are loaded, or there is memory to load them: the libraries that do crash where it is short. */
gboolean gst_upi_text_cache_has_fonts (GstUpiTextCache *cache);

/**
 * gst_upi_text_cache_plate: @text on a plate of the given style. One thread at a time per cache.
 * @text: any bytes; what is not UTF-8 is shown as U+FFFD
 * Returns: (transfer full): a CAIRO_FORMAT_ARGB32 surface, as large as the plate
 */
cairo_surface_t *gst_upi_text_cache_plate (GstUpiTextCache *cache, const gchar *text, const GstUpiPlateStyle *style);

G_END_DECLS
