/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-pipelines.c: whole pipelines on a generated clip: frames and timestamps in = out; captions into every muxer and
 * text writer that users have, read back; a tee; two streams that share a model. */
#include "tests/pipelines/pipeline-run.h"

#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <string.h>

/* Three seconds: captions at 0, 1 and 2 s. */
#define CLIP "videotestsrc num-buffers=75 pattern=ball ! video/x-raw,format=I420,width=96,height=64,framerate=25/1 "
#define BLACK "videotestsrc num-buffers=75 pattern=black ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 "
#define ENCODE "upiencoder model=tiny device=cpu policy=block "
#define ENCODE_GROUNDED "upiencoder model=grounded device=cpu policy=block "

static gchar *directory;

static gchar *
path_of (const gchar *name)
{
  return g_build_filename (directory, name, NULL);
}

static void
test_frames_unchanged (void)
{
  g_autofree gchar *json = path_of ("frames.jsonl");
  Run *run = run_once (CLIP "! identity name=in ! " ENCODE
                            "! upidetect threshold=0 ! upicaption ! upijson location=%s ! upioverlay "
                            "! identity name=out ! fakesink",
      json);
  g_autofree gchar *lines = NULL;
  guint n_lines = 0;

  g_assert_cmpuint (run->in->len, ==, 75);
  assert_same_times (run->out, run->in);
  assert_same_times (run->out_durations, run->in_durations);
  g_assert_cmpuint (run->captions->len, ==, 3);
  g_assert_true (g_file_get_contents (json, &lines, NULL, NULL));
  for (const gchar *c = lines; *c != '\0'; c++)
    n_lines += *c == '\n';
  g_assert_cmpuint (n_lines, ==, 75);
  run_free (run);
}

/* The bundled clip, decoded, through all elements, with captions that answer to regions, encoded and read again. */
static void
test_bundled_clip (void)
{
  g_autofree gchar *clip = g_build_filename (g_getenv ("UPI_TEST_CLIP"), NULL), *file = path_of ("clip.mkv");

  if (!have_elements ("matroskademux", "vp8dec", "jpegenc", "matroskamux", NULL))
    return;
  Run *run = run_once ("filesrc location=\"%s\" ! decodebin ! videoconvert ! identity name=in ! " ENCODE_GROUNDED
                       "! upidetect ! upicaption name=c "
                       "! upioverlay ! identity name=out ! jpegenc ! queue ! m. c.text ! queue ! m. matroskamux name=m "
                       "! filesink location=%s",
      clip, file);
  g_assert_cmpuint (run->in->len, >, 100);
  assert_same_times (run->out, run->in);
  assert_same_times (run->out_durations, run->in_durations);

  Run *again =
      run_once ("filesrc location=%s ! matroskademux name=d d.video_0 ! queue ! identity name=in ! fakesink sync=false "
                "d.subtitle_0 ! queue ! identity name=text ! fakesink sync=false",
          file);
  g_assert_cmpuint (again->in->len, ==, run->in->len);
  for (guint i = 0; i < run->in->len; i++) /* Matroska counts milliseconds */
    g_assert_cmpint (
        ABS (GST_CLOCK_DIFF (g_array_index (again->in, GstClockTime, i), g_array_index (run->in, GstClockTime, i))), <=,
        (GstClockTimeDiff) GST_MSECOND);
  g_assert_cmpuint (again->cues->len, ==, run->captions->len);
  run_free (again);
  run_free (run);
}

static GstPadProbeReturn
note_encoding (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (GST_PAD_PROBE_INFO_BUFFER (info));
  guint *counts = user_data;

  g_assert_nonnull (meta);
  g_assert_true (gst_upi_content_is_encoded (gst_upi_meta_get_content (meta)));
  counts[gst_upi_content_get_encoding (gst_upi_meta_get_content (meta)) != NULL]++;
  return GST_PAD_PROBE_OK;
}

/* The overlay lets go of the megabytes, unless it is told to keep them. */
static void
test_encoding_dropped (void)
{
  for (guint keep = 0; keep < 2; keep++) {
    Run *run = run_new (
        CLIP "! " ENCODE "! upidetect ! upioverlay name=o keep-encoding=%s ! fakesink", keep ? "true" : "false");
    guint counts[2] = { 0, 0 };
    run_watch (run, "o", note_encoding, counts);
    run_play (run);
    g_assert_cmpuint (counts[keep], ==, 75);
    g_assert_cmpuint (counts[!keep], ==, 0);
    run_free (run);
  }
}

static void
write_text (const gchar *element, const gchar *name, gboolean webvtt)
{
  g_autofree gchar *file = path_of (name), *text = NULL;

  if (!have_elements (element, "subparse", NULL))
    return;
  Run *run =
      run_once (CLIP "! " ENCODE "! upicaption name=c ! fakesink c.text ! %s ! filesink location=%s", element, file);
  g_assert_cmpuint (run->captions->len, ==, 3);
  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  g_autoptr (GPtrArray) cues = parse_cues (text, webvtt);
  assert_same_cues (cues, run->captions);

  /* A player's reader finds the same. */
  Run *again = run_once (
      "filesrc location=%s ! subparse ! text/x-raw,format=pango-markup ! identity name=text ! fakesink sync=false",
      file);
  g_assert_cmpuint (again->cues->len, ==, 3);
  for (guint i = 0; i < 3; i++) {
    g_assert_cmpuint (((Cue *) again->cues->pdata[i])->pts, ==, i * GST_SECOND);
    g_assert_cmpuint (((Cue *) again->cues->pdata[i])->duration, ==, GST_SECOND);
  }
  run_free (again);
  run_free (run);
}

static void
test_webvtt (void)
{
  write_text ("webvttenc", "captions.vtt", TRUE);
}

static void
test_srt (void)
{
  write_text ("srtenc", "captions.srt", FALSE);
}

/* Video and captions into one file; the pipeline prerolls, ends, and a demuxer finds both streams whole. */
static void
mux (const gchar *video, const gchar *muxer, const gchar *demuxer)
{
  g_autofree gchar *file = path_of (muxer);

  Run *run = run_new (CLIP
      "! " ENCODE
      "! upicaption name=c ! queue ! %s ! m.video_%%u c.text ! queue ! m.subtitle_%%u %s name=m ! filesink location=%s",
      video, muxer, file);
  run_preroll (run);
  run_play (run);
  g_assert_cmpuint (run->captions->len, ==, 3);

  Run *again = run_once ("filesrc location=%s ! %s name=d d.video_0 ! queue ! identity name=in ! fakesink sync=false "
                         "d.subtitle_0 ! queue ! identity name=text ! fakesink sync=false",
      file, demuxer);
  g_assert_cmpuint (again->in->len, ==, 75);
  assert_same_cues (again->cues, run->captions);
  run_free (again);
  run_free (run);
}

static void
test_matroska (void)
{
  if (have_elements ("jpegenc", "matroskamux", "matroskademux", NULL))
    mux ("jpegenc", "matroskamux", "matroskademux");
}

static void
test_qtmux (void)
{
  if (have_elements ("x264enc", "h264parse", "qtmux", "qtdemux", NULL))
    mux ("x264enc speed-preset=ultrafast bframes=0 ! h264parse", "qtmux", "qtdemux");
}

static void
test_mp4mux (void)
{
  if (have_elements ("x264enc", "h264parse", "mp4mux", "qtdemux", NULL))
    mux ("x264enc speed-preset=ultrafast bframes=0 ! h264parse", "mp4mux", "qtdemux");
}

typedef struct {
  guint frames, bright, objects, captions;
} Seen;

/* Counts frames with bright pixels (of a black clip), objects and captions in their metas. */
static GstPadProbeReturn
look (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Seen *seen = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  GstMapInfo map;
  gboolean bright = FALSE;
  guint n;

  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  for (gsize i = 0; i < 320 * 240 && !bright; i++)
    bright = map.data[i] > 60;
  gst_buffer_unmap (buffer, &map);
  seen->frames++;
  seen->bright += bright;
  if (meta != NULL) {
    gst_upi_content_get_objects (gst_upi_meta_get_content (meta), &n);
    seen->objects += n;
    gst_upi_content_get_captions (gst_upi_meta_get_content (meta), &n);
    seen->captions += n;
  }
  return GST_PAD_PROBE_OK;
}

static void
test_textoverlay (void)
{
  Seen seen = { 0 };

  if (!have_elements ("textoverlay", NULL))
    return;
  Run *run = run_new (
      BLACK "! " ENCODE "! upicaption name=c ! t.video_sink c.text ! t.text_sink textoverlay name=t ! fakesink");
  run_watch (run, "t", look, &seen);
  run_preroll (run);
  run_play (run);
  g_assert_cmpuint (seen.frames, ==, 75);
  g_assert_cmpuint (seen.bright, ==, 75); /* every frame, the first included: its caption was there before it */
  run_free (run);
}

static void
test_overlay_caption (void)
{
  Seen seen = { 0 };
  Run *run = run_new (BLACK "! " ENCODE "! upicaption ! upioverlay name=o ! fakesink");

  run_watch (run, "o", look, &seen);
  run_play (run);
  g_assert_cmpuint (seen.frames, ==, 75);
  g_assert_cmpuint (seen.bright, ==, 75);
  g_assert_cmpuint (seen.captions, ==, 75);
  run_free (run);
}

/* Branches share one encoding and see nothing of each other: neither pixels nor results. */
static void
test_tee (void)
{
  Seen drawn = { 0 }, plain = { 0 };
  Run *run = run_new (
      BLACK "! " ENCODE "! tee name=t ! queue ! upidetect threshold=0 masks=false ! upioverlay name=a ! fakesink "
            "t. ! queue ! upicaption name=b ! fakesink");

  run_watch (run, "a", look, &drawn);
  run_watch (run, "b", look, &plain);
  run_play (run);
  g_assert_cmpuint (drawn.frames, ==, 75);
  g_assert_cmpuint (drawn.objects, >, 0);
  g_assert_cmpuint (drawn.captions, ==, 0);
  g_assert_cmpuint (drawn.bright, >, 0);
  g_assert_cmpuint (plain.frames, ==, 75);
  g_assert_cmpuint (plain.objects, ==, 0);
  g_assert_cmpuint (plain.captions, ==, 75);
  g_assert_cmpuint (plain.bright, ==, 0);
  run_free (run);
}

/* Two streams of one process on one engine, each with its own text track. */
static void
test_two_streams (void)
{
  g_autoptr (GError) error = NULL;
  const UpiEngineOptions options = {
    .size = sizeof (UpiEngineOptions), .model = "tiny", .device = "cpu", .instance_id = "two"
  };
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);
  g_autofree gchar *first = path_of ("first.vtt"), *second = path_of ("second.vtt"), *a = NULL, *b = NULL;
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  g_assert_no_error (error);
  if (!have_elements ("webvttenc", NULL))
    return;
  Run *run = run_once (CLIP
      "! identity name=in ! " ENCODE "model-instance-id=two ! upidetect ! upicaption name=c ! fakesink "
      "c.text ! webvttenc ! filesink location=%s " BLACK "! " ENCODE
      "model-instance-id=two ! upidetect ! upicaption name=d interval=500000000 ! identity name=out ! fakesink "
      "d.text ! webvttenc ! filesink location=%s",
      first, second);
  assert_same_times (run->out, run->in);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encoded, ==, 150);
  g_assert_cmpuint (stats.captions, ==, 9);
  g_assert_true (g_file_get_contents (first, &a, NULL, NULL));
  g_assert_true (g_file_get_contents (second, &b, NULL, NULL));
  g_autoptr (GPtrArray) cues_a = parse_cues (a, TRUE), cues_b = parse_cues (b, TRUE);
  g_assert_cmpuint (cues_a->len, ==, 3);
  g_assert_cmpuint (cues_b->len, ==, 6);
  run_free (run);
}

/* A live source: no frame waits and none is lost, whatever the engine does. */
static void
test_live (void)
{
  Run *run =
      run_once ("videotestsrc is-live=true num-buffers=25 ! video/x-raw,format=I420,width=96,height=64,framerate=100/1 "
                "! identity name=in ! upiencoder model=tiny device=cpu ! upidetect ! upicaption name=c ! upioverlay "
                "! identity name=out ! fakesink sync=true qos=true c.text ! fakesink sync=true async=false");
  assert_same_times (run->out, run->in);
  g_assert_cmpuint (run->out->len, ==, 25);
  run_free (run);
}

/* Nothing tells when these frames are; the text pad is linked without a queue. Neither sink waits for ever. */
static void
test_no_timestamps (void)
{
  static const gchar *sources[] = {
    "fakesrc num-buffers=60 sizetype=fixed sizemax=9216 filltype=random format=time ! video/x-raw,framerate=25/1",
    "fakesrc num-buffers=60 sizetype=fixed sizemax=9216 filltype=random format=bytes ! video/x-raw,framerate=25/1",
    "fakesrc num-buffers=60 sizetype=fixed sizemax=9216 filltype=random format=time ! video/x-raw,framerate=0/1",
    ("fakesrc num-buffers=60 sizetype=fixed sizemax=9216 filltype=random format=time do-timestamp=true ! "
     "video/x-raw,framerate=25/1"),
    "filesrc location=/dev/zero num-buffers=60 blocksize=9216 ! video/x-raw,framerate=25/1",
  };

  for (guint i = 0; i < G_N_ELEMENTS (sources); i++) {
    Run *run = run_new ("%s,format=I420,width=96,height=64 ! " ENCODE
                        "! upicaption name=c ! fakesink c.text ! identity name=text ! fakesink",
        sources[i]);
    run_preroll (run);
    run_play (run);
    if (i != 3) /* whose times are the clock's */
      g_assert_cmpuint (run->cues->len, ==, (i == 2 ? 60u : 3u));
    g_assert_cmpuint (run->cues->len, ==, run->captions->len);
    run_free (run);
  }
}

/* Flushing seeks while playing: captions begin anew at the place sought, video and text end. */
static void
test_seek (void)
{
  g_autofree gchar *file = path_of ("seek.mkv");

  if (!have_elements ("jpegenc", "jpegdec", "matroskamux", "matroskademux", NULL))
    return;
  run_free (run_once (CLIP "! jpegenc ! matroskamux ! filesink location=%s", file));
  Run *run =
      run_new ("filesrc location=%s ! matroskademux ! jpegdec ! " ENCODE "! upicaption name=c ! fakesink sync=false "
               "c.text ! identity name=text ! fakesink sync=false async=false",
          file);
  run_preroll (run);
  for (guint i = 0; i < 20; i++)
    g_assert_true (gst_element_seek_simple (run->pipeline, GST_FORMAT_TIME,
        GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, (i % 3) * 800 * GST_MSECOND + 40 * GST_MSECOND));
  run_play (run);
  g_assert_cmpuint (run->cues->len, >=, 3); /* from 0.84 s to 3 s */
  for (guint i = 0; i < 3; i++)
    g_assert_cmpuint (((Cue *) run->cues->pdata[run->cues->len - 3 + i])->pts / GST_MSECOND, ==, 840 + 1000 * i);
  run_free (run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
  directory = g_dir_make_tmp ("upi-pipelines-XXXXXX", NULL);
  g_assert_nonnull (directory);

  g_test_add_func ("/pipelines/frames-unchanged", test_frames_unchanged);
  g_test_add_func ("/pipelines/bundled-clip", test_bundled_clip);
  g_test_add_func ("/pipelines/encoding-dropped", test_encoding_dropped);
  g_test_add_func ("/pipelines/webvtt", test_webvtt);
  g_test_add_func ("/pipelines/srt", test_srt);
  g_test_add_func ("/pipelines/matroska", test_matroska);
  g_test_add_func ("/pipelines/qtmux", test_qtmux);
  g_test_add_func ("/pipelines/mp4mux", test_mp4mux);
  g_test_add_func ("/pipelines/textoverlay", test_textoverlay);
  g_test_add_func ("/pipelines/overlay-caption", test_overlay_caption);
  g_test_add_func ("/pipelines/tee", test_tee);
  g_test_add_func ("/pipelines/two-streams", test_two_streams);
  g_test_add_func ("/pipelines/live", test_live);
  g_test_add_func ("/pipelines/no-timestamps", test_no_timestamps);
  g_test_add_func ("/pipelines/seek", test_seek);
  int status = g_test_run ();

  GDir *dir = g_dir_open (directory, 0, NULL);
  for (const gchar *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree gchar *path = path_of (name);
    g_remove (path);
  }
  g_dir_close (dir);
  g_rmdir (directory);
  g_free (directory);
  gst_deinit ();
  return status;
}
