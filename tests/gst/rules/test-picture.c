/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-picture.c: rules drawn on a frame lie where they count. */
#include <cairo.h>
#include <glib.h>
#include <string.h>

#include "gst/overlay/color.h"
#include "tools/rules-picture.h"

#define SIZE 1000

static cairo_surface_t *
draw (const gchar *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules = rules_parse (text, strlen (text), "test", &error);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, SIZE, SIZE);

  g_assert_no_error (error);
  rules_picture_draw (surface, rules);
  return surface;
}

static guint32
pixel (cairo_surface_t *surface, gdouble x, gdouble y)
{
  const guint8 *row =
      cairo_image_surface_get_data (surface) + (gsize) (y * SIZE) * (gsize) cairo_image_surface_get_stride (surface);

  return ((const guint32 *) (gconstpointer) row)[(gsize) (x * SIZE)] & 0xffffff;
}

/* A U below the names: filled in its arms, not between them. The line before it in the file leaves nothing in its
 * shape. */
static void
test_zone (void)
{
  cairo_surface_t *surface = draw (
      "{\"rules\": {\"l\": {\"type\": \"line\", \"points\": [[0.05, 0.35], [0.25, 0.35]]}, \"u\": {\"type\": \"zone\", "
      "\"polygon\": [[0.32, 0.42], [0.48, 0.42], [0.48, 0.78], [0.72, 0.78], [0.72, 0.42], [0.88, 0.42], [0.88, 0.95], "
      "[0.32, 0.95]]}}}");

  g_assert_cmphex (pixel (surface, 0.43, 0.65), !=, 0);
  g_assert_cmphex (pixel (surface, 0.83, 0.65), ==, pixel (surface, 0.43, 0.65));
  g_assert_cmphex (pixel (surface, 0.55, 0.88), ==, pixel (surface, 0.43, 0.65));
  g_assert_cmphex (pixel (surface, 0.55, 0.65), ==, 0);
  g_assert_cmphex (pixel (surface, 0.28, 0.65), ==, 0);
  for (gdouble x = 0.26; x < 0.31; x += 0.001) /* between the line and the zone */
    if (x < 0.295 || x > 0.305)                /* the grid */
      for (gdouble y = 0.51; y < 0.78; y += 0.001)
        if ((gint) (y * SIZE + 0.5) % 100 > 3 && (gint) (y * SIZE + 0.5) % 100 < 97)
          g_assert_cmphex (pixel (surface, x, y), ==, 0);
  cairo_surface_destroy (surface);
}

/* From left to right, forward is downwards; only what counts has an arrow. */
static void
test_line (void)
{
  const guint32 color = gst_upi_color_of_label ("l");
  cairo_surface_t *forward = draw ("{\"rules\": {\"l\": {\"type\": \"line\", \"points\": [[0.32, 0.55], [0.78, 0.55]], "
                                   "\"direction\": \"forward\"}}}");
  cairo_surface_t *backward = draw ("{\"rules\": {\"l\": {\"type\": \"line\", \"points\": [[0.32, 0.55], [0.78, "
                                    "0.55]], \"direction\": \"backward\"}}}");

  g_assert_cmphex (pixel (forward, 0.45, 0.55), ==, color);
  g_assert_cmphex (pixel (forward, 0.55, 0.58), ==, color);
  g_assert_cmphex (pixel (forward, 0.55, 0.52), ==, 0);
  g_assert_cmphex (pixel (backward, 0.55, 0.58), ==, 0);
  g_assert_cmphex (pixel (backward, 0.55, 0.52), ==, color);
  cairo_surface_destroy (forward);
  cairo_surface_destroy (backward);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rules-picture/zone", test_zone);
  g_test_add_func ("/rules-picture/line", test_line);
  return g_test_run ();
}
