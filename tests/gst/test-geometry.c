/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-geometry.c: what was found lies on the picture or goes: GStreamer's own elements scale, cut, turn and mix frames
 * behind upiencoder. */
#include <string.h>

#include <glib/gstdio.h>

#include "tests/gst/stream.h"

#define ENCODER "upiencoder model=tiny device=cpu threads=1 policy=block max-in-flight=16 model-instance-id=geometry "
#define DETECT "upidetect name=d threshold=0 max-objects=10 iou-threshold=1 cross-label-iou=1 "
#define SQUASHED "capsfilter caps=video/x-raw,width=320,height=90,pixel-aspect-ratio=1/1 "

static const GstUpiObject one_object[] = {
  { .label = "cat", .score = 0.9f, .x = 0.25f, .y = 0.5f, .width = 0.25f, .height = 0.125f },
};
static const GstUpiCaption one_caption[] = { { "a cat", 40 * GST_MSECOND, GST_SECOND } };

static GstUpiContent *
full_content (void)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, 7, GST_UPI_CONTENT_NEVER_WAIT);
  g_autoptr (GstUpiContent) found = gst_upi_content_add_objects (empty, one_object, 1);
  return gst_upi_content_set_captions (found, one_caption, 1);
}

static GstUpiContent *
content_of (GstBuffer *buffer)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  g_assert_nonnull (meta);
  g_assert_cmpuint (gst_buffer_get_n_meta (buffer, GST_UPI_META_API_TYPE), ==, 1);
  return gst_upi_meta_get_content (meta);
}

static guint
n_objects (GstBuffer *buffer)
{
  guint n;
  gst_upi_content_get_objects (content_of (buffer), &n);
  return n;
}

static void
assert_lost (GstBuffer *buffer, gboolean named)
{
  const GstUpiContent *content = content_of (buffer);
  GstUpiContentFlags flags = gst_upi_content_get_flags (content);
  guint n_captions;

  g_assert_true (flags & GST_UPI_CONTENT_GEOMETRY_LOST);
  g_assert_cmpint ((flags & GST_UPI_CONTENT_GEOMETRY_NAMED) != 0, ==, named);
  g_assert_cmpuint (n_objects (buffer), ==, 0);
  g_assert_null (gst_upi_content_get_captions (content, &n_captions));
  g_assert_null (gst_upi_content_get_encoding (content));
  g_assert_false (gst_upi_content_is_encoded (content));
}

typedef enum { KEPT, LOST, RECOVERABLE } Fate;

typedef struct {
  const gchar *name, *description, *size; /* of the frame that comes */
  Fate fate;
} Case;

#define SCALE(caps) "videoscale ! capsfilter caps=video/x-raw," caps
static const Case cases[] = {
  { "scaled", SCALE ("width=128,height=96,pixel-aspect-ratio=1/1"), "width=64,height=48", KEPT },
  { "within-a-pixel", SCALE ("width=640,height=360,pixel-aspect-ratio=1/1"), "width=1366,height=768", KEPT },
  { "a-pixel-up-and-down", SCALE ("width=320,height=182,pixel-aspect-ratio=1/1"), "width=640,height=360", RECOVERABLE },
  { "free-aspect", SCALE ("width=100,height=100"), "width=64,height=48", KEPT },
  { "borders-beside", SCALE ("width=320,height=90,pixel-aspect-ratio=1/1"), "width=64,height=48", RECOVERABLE },
  { "borders-above", SCALE ("width=48,height=64,pixel-aspect-ratio=1/1"), "width=64,height=48", RECOVERABLE },
  { "wide-pixels", SCALE ("width=128,height=48,pixel-aspect-ratio=1/1"), "width=64,height=48,pixel-aspect-ratio=2/1",
      KEPT },
  { "wide-pixels-borders", SCALE ("width=64,height=48,pixel-aspect-ratio=1/1"),
      "width=64,height=48,pixel-aspect-ratio=2/1", RECOVERABLE },
  { "other-pixels", "capssetter caps=video/x-raw,pixel-aspect-ratio=2/1", "width=64,height=48", KEPT },
  { "scaled-twice",
      SCALE ("width=32,height=48,pixel-aspect-ratio=1/1 ! ") SCALE ("width=64,height=48,pixel-aspect-ratio=1/1"),
      "width=64,height=48", RECOVERABLE },
  { "videoconvert", "videoconvert ! capsfilter caps=video/x-raw,format=BGRx", "width=64,height=48", KEPT },
  { "videorate", "videorate ! capsfilter caps=video/x-raw,framerate=50/1", "width=64,height=48", KEPT },
  { "tee", "tee ! queue", "width=64,height=48", KEPT },
  { "videobalance", "videobalance saturation=0.5", "width=64,height=48", KEPT },
  { "videocrop", "videocrop left=8 top=4", "width=64,height=48", LOST },
  { "videocrop-of-equal-aspect", "videocrop left=8 top=6", "width=64,height=48", LOST },
  { "videocrop-and-scaled", "videocrop left=8 ! " SCALE ("width=64,height=48"), "width=64,height=48", LOST },
  { "scaled-and-videocrop", SCALE ("width=64,height=64,pixel-aspect-ratio=1/1") " ! videocrop left=8",
      "width=64,height=48", LOST },
  { "videobox-cuts", "videobox left=8", "width=64,height=48", LOST },
  { "videobox-adds", "videobox left=-8", "width=64,height=48", LOST },
  { "aspectratiocrop", "capsfilter caps=video/x-raw,width=64,height=48 ! aspectratiocrop aspect-ratio=1/1 ! queue",
      "width=64,height=48", LOST },
  { "videoflip-90", "videoflip video-direction=90r", "width=64,height=48", LOST },
  { "videoflip-180", "videoflip video-direction=180", "width=64,height=48", LOST },
  { "videoflip-horizontal", "videoflip video-direction=horiz", "width=64,height=48", LOST },
};

static void
test_meta (gconstpointer data)
{
  const Case *c = data;
  g_autofree gchar *caps = g_strdup_printf ("video/x-raw,format=I420,%s,framerate=25/1", c->size);
  g_autoptr (GstCaps) parsed = gst_caps_from_string (caps);
  g_autoptr (GstUpiContent) content = full_content ();
  Stream *s = stream_new (c->description, FALSE);
  GstVideoInfo info;

  g_assert_true (gst_video_info_from_caps (&info, parsed));
  stream_caps (s, caps);
  for (guint known = 0; known < 2; known++) { /* whether the meta knows the size it was made for */
    for (guint i = 0; i < 2; i++) {           /* videorate holds one back */
      GstBuffer *buffer = frame_new ("I420", info.width, info.height, 2 * known + i);
      GstUpiMeta *meta = gst_buffer_add_upi_meta (buffer, content);
      if (known)
        gst_upi_meta_set_frame (meta, info.width, info.height, info.par_n, info.par_d);
      g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
    }
    GstBuffer *buffer = stream_pull (s);
    if (c->fate == KEPT) {
      g_assert_true (content_of (buffer) == content);
    } else {
      assert_lost (buffer, FALSE);
      g_assert_true (gst_upi_content_get_flags (content_of (buffer)) & GST_UPI_CONTENT_NEVER_WAIT);
      g_assert_true (gst_upi_content_get_whole (content_of (buffer)) == (c->fate == RECOVERABLE ? content : NULL));
    }
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

/* Where downstream knows GstVideoCropMeta, videocrop leaves the buffer as it is, our meta too: the size says it. */
static void
test_crop_in_place (void)
{
  const gint lefts[] = { 8, 16 };

  for (guint i = 0; i < G_N_ELEMENTS (lefts); i++) {
    g_autofree gchar *description =
        g_strdup_printf ("videocrop left=%d top=%d", lefts[i], lefts[i] * 3 / 4); /* of equal aspect */
    Stream *s = stream_new (description, FALSE);
    g_autoptr (GstUpiContent) content = full_content ();
    GstBuffer *buffer = frame_new ("I420", 64, 48, 0);

    gst_harness_add_propose_allocation_meta (s->harness, GST_VIDEO_CROP_META_API_TYPE, NULL);
    gst_harness_add_propose_allocation_meta (s->harness, GST_VIDEO_META_API_TYPE, NULL);
    gst_upi_meta_set_frame (gst_buffer_add_upi_meta (buffer, content), 64, 48, 1, 1);
    stream_format (s, "I420", 64, 48);
    g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
    buffer = stream_pull (s);
    g_assert_nonnull (gst_buffer_get_video_crop_meta (buffer));
    GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
    g_assert_false (gst_upi_meta_lies_on (meta, buffer, 64 - lefts[i], 48 - lefts[i] * 3 / 4, 1, 1));
    g_assert_true (gst_upi_meta_lies_on (meta, buffer, 64, 48, 1, 1));
    gst_buffer_unref (buffer);
    stream_free (s);
  }
}

static gchar *json_path;

/* Frames through @description; the last one that leaves. */
static GstBuffer *
run (Stream *s, guint n)
{
  GstBuffer *last = NULL, *buffer;

  stream_format (s, "I420", 64, 48);
  for (guint i = 0; i < n; i++)
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_eos ()));
  for (GstEventType type = GST_EVENT_UNKNOWN; type != GST_EVENT_EOS;) { /* which leaves behind the last frame */
    GstEvent *event = gst_harness_pull_event (s->harness);

    g_assert_nonnull (event);
    type = GST_EVENT_TYPE (event);
    gst_event_unref (event);
  }
  last = stream_pull (s);
  while ((buffer = gst_harness_try_pull (s->harness)) != NULL) {
    gst_buffer_unref (last);
    last = buffer;
  }
  return last;
}

static void
assert_warned (Stream *s, const gchar *element)
{
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);

  g_test_message ("%s", warning);
  g_assert_nonnull (strstr (warning, element));
  g_assert_nonnull (strstr (warning, "add-borders=false"));
  g_assert_nonnull (strstr (warning, "before upiencoder"));
}

/* Between upiencoder and the first reader, or behind upidetect: one warning, of the next element, and no error.
 * stream_free() sees to the rest. */
static void
test_warns_once (gconstpointer between)
{
  const gchar *readers[] = { DETECT, "upioverlay name=d ", "upicaption name=d ", NULL };

  readers[3] = g_strdup_printf ("upijson name=d location=%s ", json_path);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++) {
    for (guint behind_detect = 0; behind_detect < 2; behind_detect++) {
      g_autofree gchar *description = g_strdup_printf ("%s ! %s%s ! %s ! %s ! upioverlay ! upijson location=%s",
          ENCODER, behind_detect ? "upidetect name=before threshold=0 ! " : "", (const gchar *) between, readers[i],
          "identity", json_path);
      Stream *s = stream_new (description, FALSE);
      GstBuffer *last = run (s, 4);

      assert_warned (s, "reach d:");
      assert_lost (last, TRUE);
      gst_buffer_unref (last);
      stream_free (s);
    }
  }
  g_free ((gchar *) readers[3]);
}

/* Borders switched off: the picture fills the frame, stretched, and everything stays. */
static void
test_add_borders_false (void)
{
  static const gchar *descriptions[] = { ENCODER "! " DETECT,
    ENCODER "! queue ! tee ! queue ! videoscale add-borders=false ! " SQUASHED "! identity ! " DETECT,
    ENCODER "! videoconvertscale add-borders=false ! " SQUASHED "! " DETECT,
    ENCODER "! " DETECT "! videoscale add-borders=false ! " SQUASHED "! videoconvert ! upijson location=%s",
    ENCODER "! " DETECT "! videoscale add-borders=false ! " SQUASHED
            "! videoscale ! capsfilter caps=video/x-raw,width=160 ! upijson location=%s" };
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (descriptions); i++) {
    g_auto (GStrv) parts = g_strsplit (descriptions[i], "%s", 2);
    g_autofree gchar *description = g_strjoinv (json_path, parts);
    Stream *s = stream_new (description, FALSE);
    GstBuffer *last = run (s, 3);

    if (i == 0)
      n = n_objects (last);
    g_assert_cmpuint (n, >, 3);
    g_assert_cmpuint (n_objects (last), ==, n);
    g_assert_cmpint (gst_upi_content_get_flags (content_of (last)), ==, GST_UPI_CONTENT_NONE);
    gst_buffer_unref (last);
    stream_free (s);
  }
}

/* Of two scalers one adds borders. */
static void
test_one_of_two_adds_borders (void)
{
  Stream *s =
      stream_new (ENCODER "! videoscale ! " SQUASHED
                          "! videoscale add-borders=false ! capsfilter caps=video/x-raw,width=64,height=48 ! " DETECT,
          FALSE);
  GstBuffer *last = run (s, 2);

  assert_warned (s, "reach d:");
  assert_lost (last, TRUE);
  gst_buffer_unref (last);
  stream_free (s);
}

/* Encoded anew behind the crop, frames are as any others. */
static void
test_encoded_again (void)
{
  Stream *s = stream_new (ENCODER "! videocrop left=8 ! " ENCODER "! " DETECT, FALSE);
  GstBuffer *last = run (s, 2);

  g_assert_cmpuint (n_objects (last), >, 3);
  gst_buffer_unref (last);
  stream_free (s);
}

/* Without an upiencoder it is an error, as ever. */
static void
test_never_encoded (void)
{
  Stream *s = stream_new ("videocrop left=8 ! " DETECT, FALSE);

  stream_format (s, "I420", 64, 48);
  g_assert_cmpint (stream_push (s, 0), ==, GST_FLOW_ERROR);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  g_assert_nonnull (strstr (error, "put upiencoder before it"));
  stream_free (s);
}

int
main (int argc, char **argv)
{
  static const gchar *movers[][2] = { { "videoscale", "videoscale ! " SQUASHED }, { "videocrop", "videocrop left=8" },
    { "videobox", "videobox top=-8" }, { "videoflip", "videoflip video-direction=180" },
    { "aspectratiocrop", "capsfilter caps=video/x-raw,width=64,height=48 ! aspectratiocrop aspect-ratio=1/1 ! queue" },
    { "compositor", "compositor" } };
  g_autofree gchar *directory = g_dir_make_tmp ("upi-geometry-XXXXXX", NULL);

  test_init (&argc, &argv);
  json_path = g_build_filename (directory, "lines.jsonl", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path = g_strconcat ("/geometry/meta/", cases[i].name, NULL);
    g_test_add_data_func (path, &cases[i], test_meta);
  }
  for (guint i = 0; i < G_N_ELEMENTS (movers); i++) {
    g_autofree gchar *path = g_strconcat ("/geometry/warns-once/", movers[i][0], NULL);
    g_test_add_data_func (path, movers[i][1], test_warns_once);
  }
  g_test_add_func ("/geometry/crop-in-place", test_crop_in_place);
  g_test_add_func ("/geometry/add-borders-false", test_add_borders_false);
  g_test_add_func ("/geometry/one-of-two-adds-borders", test_one_of_two_adds_borders);
  g_test_add_func ("/geometry/encoded-again", test_encoded_again);
  g_test_add_func ("/geometry/never-encoded", test_never_encoded);
  int status = g_test_run ();

  g_unlink (json_path);
  g_rmdir (directory);
  g_free (json_path);
  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
