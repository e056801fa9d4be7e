/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-trails.c: trails are bounded, in points, time and number. */
#include "gst/overlay/trails.h"

static void
take (GstUpiTrails *trails, guint64 first, guint n, gfloat x, GstClockTime now)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autofree GstUpiObject *objects = g_new0 (GstUpiObject, n);

  for (guint i = 0; i < n; i++)
    objects[i] = (GstUpiObject){ .label = "car", .x = x, .width = 0.1f, .height = 0.1f, .track_id = first + i };
  g_autoptr (GstUpiContent) content = gst_upi_content_add_objects (empty, objects, n);
  gst_upi_trails_take (trails, content, now);
}

static void
test_points (void)
{
  GstUpiTrails *trails = gst_upi_trails_new ();
  GstUpiPoint points[GST_UPI_TRAIL_POINTS];

  g_assert_cmpuint (gst_upi_trails_get (trails, 1, points), ==, 0);
  for (guint i = 0; i < 200; i++) /* it trembles */
    take (trails, 1, 1, 0.5f + (i % 2 ? 0.002f : 0), i * GST_MSECOND);
  g_assert_cmpuint (gst_upi_trails_get (trails, 1, points), ==, 2);
  for (guint i = 0; i < 200; i++) { /* it runs */
    take (trails, 2, 1, (gfloat) (i % 50) * 0.02f, (200 + i) * GST_MSECOND);
    guint n = gst_upi_trails_get (trails, 2, points);
    g_assert_cmpuint (n, ==, MIN (i + 1, GST_UPI_TRAIL_POINTS - 1));
    g_assert_cmpfloat_with_epsilon (points[n - 1].x, (i % 50) * 0.02f + 0.05f, 1e-4);
    g_assert_cmpfloat_with_epsilon (points[0].x, ((i + 1 - n) % 50) * 0.02f + 0.05f, 1e-4);
  }
  take (trails, 2, 1, 0.3f, 400 * GST_MSECOND + GST_UPI_TRAIL_TIME); /* and was away */
  g_assert_cmpuint (gst_upi_trails_get (trails, 2, points), ==, 1);
  gst_upi_trails_forget (trails);
  g_assert_cmpuint (gst_upi_trails_get (trails, 2, points), ==, 0);
  gst_upi_trails_free (trails);
}

static void
test_number (void)
{
  GstUpiTrails *trails = gst_upi_trails_new ();
  GstUpiPoint points[GST_UPI_TRAIL_POINTS];

  for (guint i = 0; i < 100; i++) {
    take (trails, 1 + i * 100, 100, 0.5f, i * GST_MSECOND);
    g_assert_cmpuint (gst_upi_trails_count (trails), ==, MIN ((i + 1) * 100, GST_UPI_TRAILS));
    g_assert_cmpuint (gst_upi_trails_get (trails, 1 + i * 100, points), ==, 1); /* those of the newest frame */
  }
  take (trails, 1, 0, 0.5f, 100 * GST_MSECOND + GST_UPI_TRAIL_TIME);
  g_assert_cmpuint (gst_upi_trails_count (trails), ==, 0);
  gst_upi_trails_free (trails);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/overlay-trails/points", test_points);
  g_test_add_func ("/overlay-trails/number", test_number);
  return g_test_run ();
}
