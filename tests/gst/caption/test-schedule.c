/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-schedule.c: which frames start a caption; stream times alone, no clock. */
#include "gst/caption/schedule.h"

#define MS GST_MSECOND

/* Frames of 40 ms: those that ask, with an encoding of every @every-th frame. */
static void
assert_starts (GstClockTime interval, gint first, gint last, guint every, const gchar *expected)
{
  GstUpiCaptionSchedule schedule;
  g_autoptr (GString) starts = g_string_new (NULL);
  gint step = first <= last ? 1 : -1;

  gst_upi_caption_schedule_reset (&schedule);
  for (gint i = first; i != last + step; i += step) {
    GstClockTime now = (GstClockTime) i * 40 * MS;
    if ((guint) i % every == 0 && gst_upi_caption_schedule_is_due (&schedule, now, interval)) {
      gst_upi_caption_schedule_start (&schedule, now);
      g_string_append_printf (starts, "%d ", i);
    }
  }
  g_assert_cmpstr (starts->str, ==, expected);
}

static void
test_interval (void)
{
  assert_starts (0, 0, 4, 1, "0 1 2 3 4 ");
  assert_starts (0, 0, 6, 3, "0 3 6 ");
  assert_starts (200 * MS, 0, 15, 1, "0 5 10 15 ");
  assert_starts (GST_SECOND, 0, 50, 1, "0 25 50 ");
  assert_starts (100 * MS, 0, 9, 1, "0 3 6 9 "); /* the first frame at or after it, never before */
  assert_starts (200 * MS, 0, 19, 4, "0 8 16 "); /* only with a new encoding */
  assert_starts (G_MAXINT64, 0, 99, 1, "0 ");
}

static void
test_reverse (void)
{
  assert_starts (GST_SECOND, 50, 0, 1, "50 25 0 ");
}

static void
test_reset (void)
{
  GstUpiCaptionSchedule schedule;

  gst_upi_caption_schedule_reset (&schedule);
  gst_upi_caption_schedule_start (&schedule, 0);
  g_assert_false (gst_upi_caption_schedule_is_due (&schedule, 40 * MS, GST_SECOND));
  gst_upi_caption_schedule_reset (&schedule);
  g_assert_true (gst_upi_caption_schedule_is_due (&schedule, 40 * MS, GST_SECOND));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/caption-schedule/interval", test_interval);
  g_test_add_func ("/caption-schedule/reverse", test_reverse);
  g_test_add_func ("/caption-schedule/reset", test_reset);
  return g_test_run ();
}
