/* test-caption-schedule.c: which frames start a caption and on which it shows; timestamps alone, no clock. */
#include "gst/caption-schedule.h"

#define MS GST_MSECOND

/* Frames of 40 ms: those that ask, with an encoding of every @every-th frame. */
static gchar *
run (GstClockTime interval, guint n_frames, guint every)
{
  GstUpiCaptionSchedule schedule;
  GString *starts = g_string_new (NULL);

  gst_upi_caption_schedule_reset (&schedule);
  for (guint i = 0; i < n_frames; i++) {
    GstClockTime pts = i * 40 * MS, inferred = i / every * every * 40 * MS;
    if (gst_upi_caption_schedule_is_due (&schedule, pts, interval, TRUE, inferred, FALSE)) {
      gst_upi_caption_schedule_start (&schedule, pts, inferred, interval > 0 ? interval : 40 * MS, interval == 0);
      g_string_append_printf (starts, "%u ", i);
    }
  }
  return g_string_free (starts, FALSE);
}

static void
assert_starts (GstClockTime interval, guint n_frames, guint every, const gchar *expected)
{
  g_autofree gchar *starts = run (interval, n_frames, every);
  g_assert_cmpstr (starts, ==, expected);
}

static void
test_interval (void)
{
  assert_starts (0, 5, 1, "0 1 2 3 4 ");
  assert_starts (0, 7, 3, "0 3 6 ");
  assert_starts (200 * MS, 16, 1, "0 5 10 15 ");
  assert_starts (GST_SECOND, 51, 1, "0 25 50 ");
  assert_starts (100 * MS, 10, 1, "0 3 6 9 "); /* the first frame at or after it, never before */
  assert_starts (200 * MS, 20, 4, "0 8 16 ");  /* only with a new encoding */
  assert_starts (G_MAXINT64, 100, 1, "0 ");
}

static void
test_waiting (void)
{
  GstUpiCaptionSchedule schedule;

  gst_upi_caption_schedule_reset (&schedule);
  /* Nothing before the first encoding; then at once; none while one is on its way, and the encoding is not lost by that. */
  g_assert_false (gst_upi_caption_schedule_is_due (&schedule, 0, 100 * MS, FALSE, GST_CLOCK_TIME_NONE, FALSE));
  g_assert_false (gst_upi_caption_schedule_is_due (&schedule, 40 * MS, 100 * MS, TRUE, 0, TRUE));
  g_assert_true (gst_upi_caption_schedule_is_due (&schedule, 80 * MS, 100 * MS, TRUE, 0, FALSE));
  g_assert_false (gst_upi_caption_schedule_is_due (&schedule, 120 * MS, 100 * MS, TRUE, 0, FALSE));
}

static void
test_shows (void)
{
  GstUpiCaptionSchedule schedule;

  gst_upi_caption_schedule_reset (&schedule);
  g_assert_false (gst_upi_caption_schedule_shows (&schedule, 0, 0));
  gst_upi_caption_schedule_start (&schedule, 100 * MS, 60 * MS, 200 * MS, FALSE);
  g_assert_true (gst_upi_caption_schedule_shows (&schedule, 100 * MS, 100 * MS));
  g_assert_true (gst_upi_caption_schedule_shows (&schedule, 299 * MS, 299 * MS));
  g_assert_false (gst_upi_caption_schedule_shows (&schedule, 300 * MS, 300 * MS));

  /* interval 0: on the frames that share its encoding */
  gst_upi_caption_schedule_start (&schedule, 400 * MS, 400 * MS, 40 * MS, TRUE);
  g_assert_true (gst_upi_caption_schedule_shows (&schedule, 480 * MS, 400 * MS));
  g_assert_false (gst_upi_caption_schedule_shows (&schedule, 520 * MS, 520 * MS));
}

static void
test_reverse_and_timeless (void)
{
  GstUpiCaptionSchedule schedule;
  guint n = 0;

  gst_upi_caption_schedule_reset (&schedule);
  for (gint i = 50; i >= 0; i--) { /* reverse playback */
    GstClockTime pts = (GstClockTime) i * 40 * MS;
    if (gst_upi_caption_schedule_is_due (&schedule, pts, GST_SECOND, TRUE, pts, FALSE)) {
      gst_upi_caption_schedule_start (&schedule, pts, pts, GST_SECOND, FALSE);
      n++;
    }
  }
  g_assert_cmpuint (n, ==, 3);

  gst_upi_caption_schedule_reset (&schedule); /* no timestamps: one for the first, and every one with interval 0 */
  g_assert_true (gst_upi_caption_schedule_is_due (&schedule, GST_CLOCK_TIME_NONE, GST_SECOND, TRUE, GST_CLOCK_TIME_NONE, FALSE));
  gst_upi_caption_schedule_start (&schedule, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, GST_SECOND, FALSE);
  g_assert_false (gst_upi_caption_schedule_is_due (&schedule, GST_CLOCK_TIME_NONE, GST_SECOND, TRUE, GST_CLOCK_TIME_NONE, FALSE));
  g_assert_true (gst_upi_caption_schedule_is_due (&schedule, GST_CLOCK_TIME_NONE, 0, TRUE, GST_CLOCK_TIME_NONE, FALSE));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/caption-schedule/interval", test_interval);
  g_test_add_func ("/caption-schedule/waiting", test_waiting);
  g_test_add_func ("/caption-schedule/shows", test_shows);
  g_test_add_func ("/caption-schedule/reverse-and-timeless", test_reverse_and_timeless);
  return g_test_run ();
}
