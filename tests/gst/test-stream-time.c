/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-stream-time.c: when frames are, with PTS and without, and which events and frames end the state that elements
 * have of a stream. */
#include "gst/stream-time.h"

#define MS GST_MSECOND
#define FRAME (40 * MS)

static GstUpiStreamTime
new_time (void)
{
  GstUpiStreamTime time;
  gst_upi_stream_time_reset (&time);
  return time;
}

static gboolean
take (GstUpiStreamTime *time, GstEvent *event)
{
  gboolean ends = gst_upi_stream_time_take_event (time, event);
  gst_event_unref (event);
  return ends;
}

/* A segment in time from @start to @stop (NONE: open), at @time of the stream and running time @base. */
static gboolean
take_segment (GstUpiStreamTime *time, gdouble rate, GstClockTime start, GstClockTime stop, GstClockTime stream_time,
    GstClockTime base)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = rate;
  segment.start = start;
  segment.stop = stop;
  segment.time = stream_time;
  segment.base = base;
  return take (time, gst_event_new_segment (&segment));
}

static gboolean
take_caps (GstUpiStreamTime *time, const gchar *framerate)
{
  g_autofree gchar *text = g_strdup_printf ("video/x-raw,format=I420,width=64,height=48,framerate=%s", framerate);
  g_autoptr (GstCaps) caps = gst_caps_from_string (text);
  return take (time, gst_event_new_caps (caps));
}

/* A frame of 40 ms. */
static gboolean
frame (GstUpiStreamTime *time, GstClockTime pts)
{
  return gst_upi_stream_time_take_frame (time, pts, FRAME, NULL);
}

static GstClockTime
counted (GstUpiStreamTime *time, GstClockTime pts, GstClockTime duration)
{
  GstUpiFrameTime frame;
  gst_upi_stream_time_take_frame (time, pts, duration, &frame);
  g_assert_cmpint (frame.timed, ==, GST_CLOCK_TIME_IS_VALID (pts));
  return frame.stream_time;
}

static void
test_times (void)
{
  GstUpiStreamTime time = new_time ();
  GstUpiFrameTime f;

  /* As of a clip with B-frames that was played before for 3 s: PTS from 200 ms on. */
  take (&time, gst_event_new_stream_start ("a"));
  take_segment (&time, 2, 200 * MS, GST_CLOCK_TIME_NONE, 0, 3 * GST_SECOND);
  gst_upi_stream_time_take_frame (&time, 400 * MS, FRAME, &f);
  g_assert_true (f.timed);
  g_assert_cmpuint (f.stream_time, ==, 200 * MS);
  g_assert_cmpuint (f.running_time, ==, 3100 * MS);
  g_assert_cmpuint (f.duration, ==, FRAME);
  /* Before the segment: no time of its own, the nearer end's. */
  gst_upi_stream_time_take_frame (&time, 100 * MS, FRAME, &f);
  g_assert_false (f.timed);
  g_assert_cmpuint (f.stream_time, ==, 0);
  g_assert_cmpuint (f.running_time, ==, 3 * GST_SECOND);

  g_assert_cmpuint (time.stream, ==, 1);
  take (&time, gst_event_new_stream_start ("b"));
  g_assert_cmpuint (time.stream, ==, 2);
}

static void
test_without_pts (void)
{
  GstUpiStreamTime time = new_time ();

  take_segment (&time, 1, 10 * GST_SECOND, GST_CLOCK_TIME_NONE, GST_SECOND, 0);
  take_caps (&time, "25/1");
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, GST_SECOND + i * FRAME);
  g_assert_cmpuint (
      counted (&time, GST_CLOCK_TIME_NONE, 100 * MS), ==, GST_SECOND + 3 * FRAME); /* its own duration counts */
  g_assert_cmpuint (counted (&time, 15 * GST_SECOND, GST_CLOCK_TIME_NONE), ==, 6 * GST_SECOND); /* and a PTS is taken */
  g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, 6 * GST_SECOND + FRAME);

  /* Reverse playback counts down from the segment's end, and never below 0. */
  take_segment (&time, -1, 0, 100 * MS, 0, 0);
  g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, 60 * MS);
  g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, 20 * MS);
  g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, 0);

  /* Pictures without any time: what the element wants each to count for. */
  take (&time, gst_event_new_flush_stop (TRUE));
  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  take_caps (&time, "0/1");
  time.count_step = GST_SECOND;
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, i * GST_SECOND);
}

/* A segment of bytes says nothing about time: times are counted from 0, and no running time is asked of it. */
static void
test_bytes (void)
{
  GstUpiStreamTime time = new_time ();
  GstUpiFrameTime f;
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_BYTES);
  segment.start = 4000;
  take (&time, gst_event_new_segment (&segment));
  take_caps (&time, "25/1");
  for (guint i = 0; i < 3; i++) {
    gst_upi_stream_time_take_frame (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, &f);
    g_assert_false (f.timed);
    g_assert_cmpuint (f.stream_time, ==, i * FRAME);
    g_assert_cmpuint (f.running_time, ==, i * FRAME);
  }
}

/* Times do not wrap, whatever a frame counts for. */
static void
test_end_of_time (void)
{
  GstUpiStreamTime time = new_time ();

  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  time.count_step = G_MAXINT64;
  g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, 0);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (counted (&time, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE), ==, G_MAXINT64);
}

static void
test_flush_and_stream (void)
{
  GstUpiStreamTime time = new_time ();

  g_assert_true (take (&time, gst_event_new_stream_start ("a")));
  g_assert_false (take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0));
  g_assert_false (take_caps (&time, "25/1"));
  g_assert_false (frame (&time, 0));
  g_assert_false (take_caps (&time, "30/1")); /* new caps keep it */
  g_assert_false (frame (&time, FRAME));
  g_assert_false (take (&time, gst_event_new_flush_start ()));
  g_assert_true (take (&time, gst_event_new_flush_stop (TRUE)));
  take_segment (&time, 1, 9 * GST_SECOND, GST_CLOCK_TIME_NONE, 9 * GST_SECOND, 0);
  g_assert_false (frame (&time, 9 * GST_SECOND)); /* it ended already */
  g_assert_false (take (&time, gst_event_new_eos ()));
  g_assert_true (take (&time, gst_event_new_stream_start ("b")));
}

static void
test_segment_that_goes_on (void)
{
  GstUpiStreamTime time = new_time ();

  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  g_assert_false (frame (&time, 0));
  g_assert_false (frame (&time, 60 * GST_SECOND)); /* within a segment nothing jumps */
  /* The same place of the stream under other PTS. */
  g_assert_false (take_segment (&time, 1, 500 * GST_SECOND, GST_CLOCK_TIME_NONE, 60 * GST_SECOND, 60 * GST_SECOND));
  g_assert_false (frame (&time, 500 * GST_SECOND + FRAME));
  /* Faster; then exactly a second on, and a second back. */
  g_assert_false (take_segment (&time, 2, 500 * GST_SECOND, GST_CLOCK_TIME_NONE, 60 * GST_SECOND, 60 * GST_SECOND));
  g_assert_false (frame (&time, 501 * GST_SECOND + 2 * FRAME));
  g_assert_false (take_segment (&time, 2, 500 * GST_SECOND, GST_CLOCK_TIME_NONE, 60 * GST_SECOND, 60 * GST_SECOND));
  g_assert_false (frame (&time, 500 * GST_SECOND + FRAME));
}

static void
test_segment_that_jumps (void)
{
  GstUpiStreamTime time = new_time ();

  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  g_assert_false (frame (&time, 10 * GST_SECOND));
  g_assert_false (take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0)); /* the frame tells */
  g_assert_true (frame (&time, 11 * GST_SECOND + FRAME + 1));
  g_assert_false (frame (&time, 12 * GST_SECOND)); /* once */
  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  g_assert_true (frame (&time, 11 * GST_SECOND - FRAME - 1));
  /* Equal PTS elsewhere in the stream. */
  take_segment (&time, 1, 10 * GST_SECOND, GST_CLOCK_TIME_NONE, 90 * GST_SECOND, 0);
  g_assert_true (frame (&time, 11 * GST_SECOND));
  /* A GAP is a frame in this. */
  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  g_assert_true (take (&time, gst_event_new_gap (0, FRAME)));
  g_assert_false (frame (&time, FRAME));
}

static void
test_segment_that_turns (void)
{
  GstUpiStreamTime time = new_time ();
  GstSegment segment;

  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  g_assert_false (frame (&time, GST_SECOND));
  g_assert_true (take_segment (&time, -1, 0, GST_SECOND, 0, 0));
  g_assert_true (gst_upi_stream_time_is_reverse (&time));
  g_assert_false (frame (&time, GST_SECOND - FRAME));
  g_assert_false (take_segment (&time, -4, 0, GST_SECOND - FRAME, 0, 0)); /* faster the same way */
  g_assert_false (frame (&time, GST_SECOND - 2 * FRAME));
  g_assert_true (take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0));
  g_assert_false (frame (&time, GST_SECOND - FRAME));
  /* A server that sends the frames in reverse itself. */
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.applied_rate = -1;
  segment.stop = 5 * GST_SECOND;
  g_assert_true (take (&time, gst_event_new_segment (&segment)));
  g_assert_true (gst_upi_stream_time_is_reverse (&time));
}

/* Frames without PTS are counted on over a segment that says nothing new. */
static void
test_segment_without_pts (void)
{
  GstUpiStreamTime time = new_time ();

  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  for (guint i = 0; i < 100; i++)
    g_assert_false (frame (&time, GST_CLOCK_TIME_NONE));
  take_segment (&time, 1, 0, GST_CLOCK_TIME_NONE, 0, 0);
  g_assert_false (frame (&time, GST_CLOCK_TIME_NONE));
  take_segment (&time, 1, 50 * GST_SECOND, GST_CLOCK_TIME_NONE, 50 * GST_SECOND, 0);
  g_assert_true (frame (&time, GST_CLOCK_TIME_NONE));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  g_test_add_func ("/stream-time/times", test_times);
  g_test_add_func ("/stream-time/without-pts", test_without_pts);
  g_test_add_func ("/stream-time/bytes", test_bytes);
  g_test_add_func ("/stream-time/end-of-time", test_end_of_time);
  g_test_add_func ("/stream-time/flush-and-stream", test_flush_and_stream);
  g_test_add_func ("/stream-time/segment-that-goes-on", test_segment_that_goes_on);
  g_test_add_func ("/stream-time/segment-that-jumps", test_segment_that_jumps);
  g_test_add_func ("/stream-time/segment-that-turns", test_segment_that_turns);
  g_test_add_func ("/stream-time/segment-without-pts", test_segment_without_pts);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
