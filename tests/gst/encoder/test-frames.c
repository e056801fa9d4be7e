/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-frames.c: the queue inside upiencoder with workers that end in an order that the test chooses: a frame's pixels
 * are read when its gate opens. */
#include "gst/encoder/frames.h"
#include "tests/gst/stream.h"

#include <string.h>

typedef struct {
  GMutex lock;
  GCond changed;
  gboolean reached, open;
} Gate;

static gboolean
read_at_gate (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  Gate *gate = user_data;

  g_mutex_lock (&gate->lock);
  gate->reached = TRUE;
  g_cond_broadcast (&gate->changed);
  while (!gate->open)
    g_cond_wait (&gate->changed, &gate->lock);
  g_mutex_unlock (&gate->lock);
  for (guint y = 0; y < height; y++)
    memset (rgb + y * stride, 100, (gsize) 3 * width);
  return TRUE;
}

static void
gate_init (Gate *gate)
{
  g_mutex_init (&gate->lock);
  g_cond_init (&gate->changed);
}

static void
gate_clear (Gate *gate)
{
  g_mutex_clear (&gate->lock);
  g_cond_clear (&gate->changed);
}

static void
gate_open (Gate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->open = TRUE;
  g_cond_broadcast (&gate->changed);
  g_mutex_unlock (&gate->lock);
}

static void
gate_wait (Gate *gate)
{
  g_mutex_lock (&gate->lock);
  while (!gate->reached)
    g_cond_wait (&gate->changed, &gate->lock);
  g_mutex_unlock (&gate->lock);
}

/* A frame of policy "latest" whose encoding is asked for; with NULL one that none is asked for. */
static void
push (GstUpiFrames *frames, UpiStream *stream, Gate *gate, guint number)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstUpiPendingFrame *pending = NULL;

  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  if (gate != NULL) {
    UpiImage image = { .size = sizeof (UpiImage),
      .format = UPI_PIXELS_READ,
      .width = 64,
      .height = 64,
      .read = read_at_gate,
      .user_data = gate };
    pending = gst_upi_frames_request (frames, stream, &image, 64, 64, GST_BUFFER_PTS (buffer), TRUE);
  }
  g_assert_cmpint (gst_upi_frames_push_buffer (frames, buffer, pending, FALSE, NULL), ==, GST_FLOW_OK);
}

/* The number of the frame whose encoding the next frame leaves with; -1: none. */
static gint
pop (GstUpiFrames *frames)
{
  GstUpiItem item;

  g_assert_cmpint (gst_upi_frames_pop (frames, &item), ==, GST_FLOW_OK);
  g_assert_nonnull (item.buffer);
  g_assert_no_error (item.error);
  gint inferred = gst_upi_content_is_encoded (item.content)
      ? (gint) (gst_upi_content_get_inference_pts (item.content) / (40 * GST_MSECOND))
      : -1;
  gst_upi_frames_popped (frames, &item, FALSE);
  return inferred;
}

static void
wait_running (GstUpiFrames *frames, guint n)
{
  while (gst_upi_frames_get_running (frames) > n)
    g_thread_yield ();
}

/* Four workers, frames 0 to 3 under way at once, and their encodings end in the order 1, 0, 3, 2: frames leave with 1,
 * 1, 3, 3. */
static void
test_never_back (void)
{
  static const guint order[] = { 1, 0, 3, 2 };
  static const gint shown[] = { 1, 1, 3, 3 };
  g_autoptr (UpiEngine) engine = test_engine ("never-back", 4);
  g_autoptr (UpiStream) stream = upi_stream_new (engine);
  GstUpiStats *stats = gst_upi_stats_new ();
  GstUpiFrames *frames = gst_upi_frames_new (stats);
  Gate gates[4] = { 0 };

  gst_upi_frames_set_flushing (frames, FALSE);
  for (guint i = 0; i < 4; i++) {
    gate_init (&gates[i]);
    push (frames, stream, &gates[i], i);
    gate_wait (&gates[i]);
    g_assert_cmpint (pop (frames), ==, -1);
  }
  for (guint i = 0; i < 4; i++) {
    gate_open (&gates[order[i]]);
    wait_running (frames, 3 - i);
    push (frames, stream, NULL, 4 + i);
    g_assert_cmpint (pop (frames), ==, shown[i]);
  }
  g_assert_cmpuint (gst_upi_stats_get (stats, GST_UPI_COUNT_ENCODED), ==, 4);
  g_assert_cmpuint (gst_upi_stats_get (stats, GST_UPI_COUNT_OUTDATED), ==, 2);

  /* Several that ended between two frames: the newest shows, and nothing that was passed over comes after it. */
  Gate more[2] = { 0 };
  for (guint i = 0; i < 2; i++) {
    gate_init (&more[i]);
    push (frames, stream, &more[i], 8 + i);
    gate_wait (&more[i]); /* else the later one might take its place in the queue */
    g_assert_cmpint (pop (frames), ==, 3);
  }
  gate_open (&more[1]);
  wait_running (frames, 1);
  gate_open (&more[0]);
  wait_running (frames, 0);
  push (frames, stream, NULL, 10);
  g_assert_cmpint (pop (frames), ==, 9);
  push (frames, stream, NULL, 11);
  g_assert_cmpint (pop (frames), ==, 9);
  for (guint i = 0; i < 2; i++)
    gate_clear (&more[i]);

  gst_upi_frames_set_flushing (frames, TRUE);
  for (guint i = 0; i < 4; i++)
    gate_clear (&gates[i]);
  gst_upi_frames_detach (frames);
  gst_upi_frames_unref (frames);
  gst_upi_stats_free (stats);
}

static void
push_caps (GstUpiFrames *frames, gint width)
{
  GstCaps *caps = gst_caps_new_simple ("video/x-raw", "width", G_TYPE_INT, width, NULL);
  GstFlowReturn ret = gst_upi_frames_push_event (frames, gst_event_new_caps (caps));

  gst_caps_unref (caps);
  g_assert_cmpint (ret, ==, GST_FLOW_OK);
}

/* The sticky events that a flush left: "stream-start, caps 7". */
static gchar *
take_sticky (GstUpiFrames *frames)
{
  GString *text = g_string_new (NULL);
  GList *events = gst_upi_frames_take_sticky (frames);

  for (GList *l = events; l != NULL; l = l->next) {
    gint width = 0;
    GstCaps *caps;

    g_string_append_printf (text, "%s%s", l != events ? ", " : "", GST_EVENT_TYPE_NAME (l->data));
    if (GST_EVENT_TYPE (l->data) != GST_EVENT_CAPS)
      continue;
    gst_event_parse_caps (l->data, &caps);
    gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
    g_string_append_printf (text, " %d", width);
  }
  g_list_free_full (events, (GDestroyNotify) gst_event_unref);
  return g_string_free (text, FALSE);
}

/* Caps 1 are on their way when a flush begins: what it keeps can be had when they have left. */
static void
test_flush_keeps_sticky_events (void)
{
  GstUpiStats *stats = gst_upi_stats_new ();
  GstUpiFrames *frames = gst_upi_frames_new (stats);
  GstSegment segment;
  GstUpiItem item;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_upi_frames_set_flushing (frames, FALSE);
  push_caps (frames, 1);
  push (frames, NULL, NULL, 0);
  gst_upi_frames_push_event (frames, gst_event_new_stream_start ("next"));
  push_caps (frames, 2);
  gst_upi_frames_push_event (frames, gst_event_new_segment (&segment));
  push_caps (frames, 3);
  g_assert_cmpint (gst_upi_frames_pop (frames, &item), ==, GST_FLOW_OK);
  gst_upi_frames_set_flushing (frames, TRUE);
  push_caps (frames, 4); /* was in the pad's event function already */
  g_assert_cmpint (gst_upi_frames_push_event (frames, gst_event_new_segment (&segment)), ==, GST_FLOW_FLUSHING);
  g_assert_cmpint (gst_upi_frames_push_event (frames, gst_event_new_eos ()), ==, GST_FLOW_FLUSHING);
  GstUpiItem none;
  g_assert_cmpint (gst_upi_frames_pop (frames, &none), ==, GST_FLOW_FLUSHING);
  gst_upi_frames_popped (frames, &item, FALSE);
  g_autofree gchar *sticky = take_sticky (frames), *none_left = take_sticky (frames);
  g_assert_cmpstr (sticky, ==, "stream-start, caps 2, caps 3, caps 4");
  g_assert_cmpstr (none_left, ==, "");
  gst_upi_frames_set_flushing (frames, FALSE);
  g_assert_false (gst_upi_frames_at_eos (frames));
  g_autofree gchar *nothing = take_sticky (frames); /* what is queued while frames flow is the task's */
  g_assert_cmpstr (nothing, ==, "");
  gst_upi_frames_detach (frames);
  gst_upi_frames_unref (frames);
  gst_upi_stats_free (stats);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder-frames/never-back", test_never_back);
  g_test_add_func ("/encoder-frames/flush-keeps-sticky-events", test_flush_keeps_sticky_events);
  int status = g_test_run ();

  gst_deinit ();
  return status;
}
