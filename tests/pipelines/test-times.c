/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-times.c: captions are where their frames are, in subtitle files, in muxers and on the picture: clips whose PTS
 * do not begin at 0 (B-frames, MPEG-TS), playlists, seeks, reverse and fast playback.
 *
 * The clips are black and 100 frames long; every 40th frame is encoded and starts a caption of a second, so that 15
 * frames of 40 show none.
 */
#include "tests/pipelines/pipeline-run.h"

#include <glib/gstdio.h>
#include <string.h>

#define FRAME (40 * GST_MSECOND)
#define FORMAT "video/x-raw,format=I420,width=320,height=240,framerate=25/1 "
#define BLACK "videotestsrc num-buffers=100 pattern=black ! " FORMAT
#define CAPTION                                                                                                        \
  "! identity name=in ! upiencoder model=tiny device=cpu policy=block inference-interval=40 ! upicaption name=c "

typedef struct {
  GstClockTime pts, stream_time, running_time;
} Frame;

typedef struct {
  const gchar *name;
  const gchar *container; /* what the clip is written with and read back; NULL: it is generated */
  const gchar *decoder;
  gdouble rate; /* 0: no seek */
  GstClockTime from;
  gboolean concat;
} Case;

#define JPEG "jpegenc ! matroskamux", "matroskademux ! jpegdec"
#define X264 "x264enc bframes=3 b-adapt=false speed-preset=ultrafast ! h264parse ! "

static const Case cases[] = {
  { "plain", NULL, NULL, 0, 0, FALSE },
  { "b-frames", X264 "mp4mux", "qtdemux ! h264parse ! avdec_h264", 0, 0, FALSE },
  { "mpeg-ts", X264 "mpegtsmux", "tsdemux ! h264parse ! avdec_h264", 0, 0, FALSE },
  { "concat", NULL, NULL, 0, 0, TRUE },
  { "flushing-seek", JPEG, 1, 30 * FRAME, FALSE },
  { "reverse", JPEG, -1, 0, FALSE },
  { "fast", JPEG, 2, 0, FALSE },
};

static gchar *directory;

static GstPadProbeReturn
note_frame (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GArray *frames = user_data;
  const GstSegment *segment;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_FLUSH) {
    if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_FLUSH_STOP)
      g_array_set_size (frames, 0);
    return GST_PAD_PROBE_OK;
  }
  GstEvent *event = gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  gst_event_parse_segment (event, &segment);
  GstClockTime pts = GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info));
  const Frame frame = { pts, gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts),
    gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts) };
  g_array_append_val (frames, frame);
  gst_event_unref (event);
  return GST_PAD_PROBE_OK;
}

/* What the case plays, up to the caption element. */
static gchar *
describe (const Case *c)
{
  if (c->container != NULL) {
    g_autofree gchar *path = g_build_filename (directory, c->name, NULL);
    run_free (run_once (BLACK "! %s ! filesink location=%s", c->container, path));
    return g_strdup_printf ("filesrc location=%s ! %s " CAPTION, path, c->decoder);
  }
  if (c->concat)
    return g_strdup (BLACK "! k. " BLACK "! k. concat name=k " CAPTION);
  return g_strdup (BLACK CAPTION);
}

static void
check_frames (const Case *c, const GArray *frames)
{
  g_assert_cmpuint (frames->len, ==, c->concat ? 200u : 100u - (guint) (c->from / FRAME));
  if (c->container != NULL && c->rate == 0) { /* else the case would show nothing */
    g_assert_cmpuint (g_array_index (frames, Frame, 0).pts, >, 0);
    g_assert_cmpuint (g_array_index (frames, Frame, 0).running_time, ==, 0);
  }
}

typedef struct {
  GMutex lock;
  GCond cond;
  gboolean reached;
} Gate;

/* Holds the first frame, until a flush lets go of it. */
static GstPadProbeReturn
hold_first (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Gate *gate = user_data;

  g_mutex_lock (&gate->lock);
  GstPadProbeReturn result = gate->reached ? GST_PAD_PROBE_REMOVE : GST_PAD_PROBE_OK;
  gate->reached = TRUE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->lock);
  return result;
}

/* Returns once a frame is about to reach upiencoder: nothing was written yet. */
static void
pause_before_first (Run *run, GstPad *pad, Gate *gate)
{
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, hold_first, gate, NULL);
  gst_element_set_state (run->pipeline, GST_STATE_PAUSED);
  g_mutex_lock (&gate->lock);
  while (!gate->reached)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
}

/* Plays the case. @muxed: a flush would cut what a muxer has written, so that it must come before that. (transfer
 * full): its frames */
static GArray *
play (Run *run, const Case *c, gboolean muxed)
{
  Gate gate = { 0 };
  GArray *frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  GstElement *in = gst_bin_get_by_name (GST_BIN (run->pipeline), "in");
  GstPad *pad = gst_element_get_static_pad (in, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_FLUSH, note_frame, frames, NULL);
  if (c->rate != 0) {
    if (muxed)
      pause_before_first (run, pad, &gate);
    else
      run_preroll (run);
    g_assert_true (gst_pad_send_event (pad,
        gst_event_new_seek (c->rate, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SEEK_TYPE_SET,
            (gint64) c->from, GST_SEEK_TYPE_SET, 100 * FRAME)));
  }
  run_play (run);
  gst_object_unref (pad);
  gst_object_unref (in);
  check_frames (c, frames);
  return frames;
}

/* The frames that captions start with. */
static GArray *
starts_of (const GArray *frames)
{
  GArray *starts = g_array_new (FALSE, FALSE, sizeof (Frame));

  for (guint i = 0; i < frames->len; i++)
    if (i % 100 % 40 == 0)
      g_array_append_val (starts, g_array_index (frames, Frame, i));
  return starts;
}

static void
assert_times (GstClockTime found, GstClockTime expected)
{
  g_assert_cmpuint (found / GST_MSECOND, ==, expected / GST_MSECOND);
}

static void
run_webvtt (gconstpointer data)
{
  const Case *c = data;
  g_autofree gchar *source = describe (c), *path = g_build_filename (directory, "captions.vtt", NULL);

  for (guint running = 0; running < 2; running++) {
    g_autofree gchar *text = NULL;
    Run *run = run_new ("%s text-time=%s ! fakesink c.text ! webvttenc ! filesink location=%s", source,
        running ? "running" : "stream", path);
    g_autoptr (GArray) frames = play (run, c, FALSE);
    g_autoptr (GArray) starts = starts_of (frames);
    g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
    g_autoptr (GPtrArray) cues = parse_cues (text, TRUE);
    g_assert_cmpuint (cues->len, ==, starts->len);
    for (guint i = 0; i < starts->len; i++) {
      const Frame *start = &g_array_index (starts, Frame, i);
      const Cue *cue = cues->pdata[i];
      if (running) {
        assert_times (cue->pts, start->running_time);
        assert_times (cue->duration, c->rate > 1 ? GST_SECOND / 2 : GST_SECOND);
      } else if (c->rate < 0) { /* what is shown from this frame on lies before it */
        GstClockTime end = start->stream_time + FRAME;
        assert_times (cue->pts, end > GST_SECOND ? end - GST_SECOND : 0);
        assert_times (cue->pts + cue->duration, end);
      } else {
        assert_times (cue->pts, start->stream_time);
        assert_times (cue->duration, GST_SECOND);
      }
    }
    run_free (run);
  }
}

static GstPadProbeReturn
note_pts (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  g_array_append_val ((GArray *) user_data, GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info)));
  return GST_PAD_PROBE_OK;
}

static void
run_matroska (gconstpointer data)
{
  const Case *c = data;
  g_autofree gchar *source = describe (c), *path = g_build_filename (directory, "captions.mkv", NULL);

  if (!have_elements ("jpegenc", "matroskamux", "matroskademux", NULL))
    return;
  for (guint running = 0; running < 2; running++) {
    Run *run =
        run_new ("%s text-time=%s ! queue ! jpegenc ! m. c.text ! queue ! m. matroskamux name=m ! filesink location=%s",
            source, running ? "running" : "stream", path);
    g_autoptr (GArray) frames = play (run, c, TRUE), found = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
    g_autoptr (GArray) starts = starts_of (frames);

    Run *again = run_new (
        "filesrc location=%s ! matroskademux name=d d.video_0 ! queue ! identity name=in ! fakesink sync=false "
        "d.subtitle_0 ! queue ! identity name=text ! fakesink sync=false",
        path);
    run_watch (again, "in", note_pts, found);
    run_play (again);
    g_assert_cmpuint (again->cues->len, ==, starts->len);
    for (guint i = 0; i < starts->len; i++) {
      const Cue *cue = again->cues->pdata[i];
      assert_times (cue->pts, g_array_index (starts, Frame, i).running_time);
      gboolean has_frame = FALSE; /* its own, at the same time */
      for (guint n = 0; n < found->len; n++)
        has_frame |= g_array_index (found, GstClockTime, n) / GST_MSECOND == cue->pts / GST_MSECOND;
      g_assert_true (has_frame);
      if (c->rate >= 0)
        assert_times (cue->duration, running && c->rate > 1 ? GST_SECOND / 2 : GST_SECOND);
    }
    run_free (again);
    run_free (run);
  }
}

static GstPadProbeReturn
note_text (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GArray *bright = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstMapInfo map;
  gboolean has_text = FALSE;

  if (info->type & GST_PAD_PROBE_TYPE_EVENT_FLUSH) {
    g_array_set_size (bright, 0);
    return GST_PAD_PROBE_OK;
  }
  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  for (gsize i = 0; i < 320 * 240 && !has_text; i++)
    has_text = map.data[i] > 60;
  gst_buffer_unmap (buffer, &map);
  g_array_append_val (bright, has_text);
  return GST_PAD_PROBE_OK;
}

static void
run_textoverlay (gconstpointer data)
{
  const Case *c = data;
  g_autofree gchar *source = describe (c);
  /* In reverse playback textoverlay takes a frame's time for that of its end: text begins and ends there two frames
   * late at most. */
  const guint blur = c->rate < 0 ? 2 : 0;

  if (!have_elements ("textoverlay", NULL))
    return;
  for (guint running = 0; running < 2; running++) {
    g_autoptr (GArray) bright = g_array_new (FALSE, FALSE, sizeof (gboolean));
    Run *run = run_new ("%s text-time=%s ! t.video_sink c.text ! t.text_sink textoverlay name=t ! fakesink", source,
        running ? "running" : "stream");
    GstElement *overlay = gst_bin_get_by_name (GST_BIN (run->pipeline), "t");
    GstPad *pad = gst_element_get_static_pad (overlay, "src");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_FLUSH, note_text, bright, NULL);
    g_autoptr (GArray) frames = play (run, c, FALSE);
    g_assert_cmpuint (bright->len, ==, frames->len);
    for (guint i = 0; i < frames->len; i++) {
      const guint since = i % 100 % 40; /* frames since the caption began */
      if (since >= blur && (since < 25 || since >= 25 + blur))
        g_assert_cmpint (g_array_index (bright, gboolean, i), ==, since < 25);
    }
    gst_object_unref (pad);
    gst_object_unref (overlay);
    run_free (run);
  }
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *name;
    GTestDataFunc function;
  } outputs[] = { { "webvtt", run_webvtt }, { "matroska", run_matroska }, { "textoverlay", run_textoverlay } };

  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  directory = g_dir_make_tmp ("upi-times-XXXXXX", NULL);
  g_assert_nonnull (directory);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstElementFactory *x264 = gst_element_factory_find ("x264enc"), *decoder = gst_element_factory_find ("avdec_h264");
    for (guint n = 0; n < G_N_ELEMENTS (outputs); n++) {
      g_autofree gchar *path = g_strdup_printf ("/times/%s/%s", cases[i].name, outputs[n].name);
      if (cases[i].container == NULL || (x264 != NULL && decoder != NULL))
        g_test_add_data_func (path, &cases[i], outputs[n].function);
    }
    g_clear_pointer (&x264, gst_object_unref);
    g_clear_pointer (&decoder, gst_object_unref);
  }
  int status = g_test_run ();

  GDir *dir = g_dir_open (directory, 0, NULL);
  for (const gchar *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);
    g_remove (path);
  }
  g_dir_close (dir);
  g_rmdir (directory);
  g_free (directory);
  gst_deinit ();
  return status;
}
