/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-orientation.c: the network sees the picture upright, by the property or the image-orientation tag, and what it
 * finds lies on the frame as it leaves. */
#include <math.h>
#include <string.h>

#include "tests/gst/encoder/embedding.h"

#define ENCODER "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=4"

/* @number's frame, turned by GStreamer's own element. */
static GstBuffer *
flipped (guint number, gint width, gint height, const gchar *direction)
{
  g_autofree gchar *description = g_strdup_printf ("videoflip video-direction=%s", direction);
  GstHarness *harness = gst_harness_new_parse (description);
  g_autofree gchar *caps = g_strdup_printf ("video/x-raw,format=I420,width=%d,height=%d,framerate=25/1", width, height);

  gst_harness_set_src_caps_str (harness, caps);
  GstBuffer *out = gst_harness_push_and_pull (harness, frame_new ("I420", width, height, number));
  g_assert_nonnull (out);
  gst_harness_teardown (harness);
  return out;
}

static gboolean
is_transposed (const gchar *direction)
{
  return strstr (direction, "90") != NULL || strchr (direction, '-') != NULL;
}

static void
push_orientation (Stream *s, const gchar *orientation, GstTagScope scope)
{
  GstTagList *tags = gst_tag_list_new (GST_TAG_IMAGE_ORIENTATION, orientation, NULL);

  gst_tag_list_set_scope (tags, scope);
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_tag (tags)));
}

/* A STREAM_START (id NULL: of the stream there was), caps and segment. */
static void
restart (Stream *s, const gchar *id)
{
  g_autoptr (GstEvent) old = gst_pad_get_sticky_event (s->harness->srcpad, GST_EVENT_STREAM_START, 0);
  const gchar *old_id;
  GstSegment segment;

  gst_event_parse_stream_start (old, &old_id);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_stream_start (id != NULL ? id : old_id)));
  stream_format (s, "I420", 128, 80);
  g_assert_true (gst_harness_push_event (s->harness, gst_event_new_segment (&segment)));
}

/* The network sees the frame as videoflip would turn it, at the size for the turned aspect; the frame leaves as it
 * came. In every direction, by the property (also while playing) and by the tag, which may come and change in
 * mid-stream. */
static void
test_orientation (void)
{
  static const gchar *directions[][2] = { { "identity", "rotate-0" }, { "90r", "rotate-90" }, { "180", "rotate-180" },
    { "90l", "rotate-270" }, { "horiz", "flip-rotate-0" }, { "vert", "flip-rotate-180" },
    { "ul-lr", "flip-rotate-270" }, { "ur-ll", "flip-rotate-90" } };
  Stream *s = stream_new (ENCODER, FALSE), *plain = stream_new (ENCODER " orientation=none", FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  gfloat expected[EMBEDDING_WIDTH], got[EMBEDDING_WIDTH], none[EMBEDDING_WIDTH];

  stream_format (s, "I420", 128, 80);
  stream_format (plain, "I420", 128, 80);
  push_orientation (plain, "rotate-90", GST_TAG_SCOPE_STREAM); /* "none" does not look at it */
  embedding_encode (plain, frame_new ("I420", 128, 80, 3), none);
  for (guint i = 0; i < G_N_ELEMENTS (directions); i++) {
    gboolean transposed = is_transposed (directions[i][0]);

    stream_format (plain, "I420", transposed ? 80 : 128, transposed ? 128 : 80);
    embedding_encode (plain, flipped (3, 128, 80, directions[i][0]), expected);
    g_assert_true (i == 0 ? embedding_distance (expected, none) == 0 : embedding_distance (expected, none) > 0.02);
    gst_util_set_object_arg (G_OBJECT (encoder), "orientation", directions[i][0]);
    embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
    g_assert_cmpfloat (embedding_distance (expected, got), <, 1e-4);

    gst_util_set_object_arg (G_OBJECT (encoder), "orientation", "auto");
    push_orientation (s, directions[i][1], GST_TAG_SCOPE_STREAM);
    embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
    g_assert_cmpfloat (embedding_distance (expected, got), <, 1e-4);
    gst_harness_push_event (s->harness, gst_event_new_tag (gst_tag_list_new (GST_TAG_BITRATE, 1000u, NULL)));
    embedding_encode (s, frame_new ("I420", 128, 80, 3), got); /* other tags change nothing */
    g_assert_cmpfloat (embedding_distance (expected, got), <, 1e-4);
    gst_util_set_object_arg (G_OBJECT (encoder), "orientation", "none");
    embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
    g_assert_cmpfloat (embedding_distance (none, got), ==, 0);
  }
  /* The stream's own tag goes before a global one; a new stream has none of them. */
  gst_util_set_object_arg (G_OBJECT (encoder), "orientation", "auto");
  push_orientation (s, "rotate-0", GST_TAG_SCOPE_STREAM);
  push_orientation (s, "rotate-90", GST_TAG_SCOPE_GLOBAL);
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (none, got), ==, 0);
  push_orientation (s, "rotate-180", GST_TAG_SCOPE_STREAM);
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (none, got), >, 0.02);
  /* Neither a flush nor the same stream's start once more loses them. */
  gst_harness_push_event (s->harness, gst_event_new_flush_start ());
  gst_harness_push_event (s->harness, gst_event_new_flush_stop (TRUE));
  restart (s, NULL);
  embedding_encode (s, frame_new ("I420", 128, 80, 3), expected);
  g_assert_cmpfloat (embedding_distance (expected, got), ==, 0);
  restart (s, "another");
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (none, got), ==, 0);
  stream_free (s);
  stream_free (plain);
}

/* Whether the tag that reaches the encoder still tells it to turn the picture. */
static gboolean
is_told_to_turn (GstElement *encoder)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (encoder, "sink");
  g_autoptr (GstEvent) event = NULL;
  gboolean turn = FALSE;

  for (guint i = 0; !turn && (event = gst_pad_get_sticky_event (pad, GST_EVENT_TAG, i)) != NULL;
       i++, gst_clear_event (&event)) {
    g_autofree gchar *orientation = NULL;
    GstTagList *tags;

    gst_event_parse_tag (event, &tags);
    turn = gst_tag_list_get_string (tags, GST_TAG_IMAGE_ORIENTATION, &orientation)
        && !g_str_equal (orientation, "rotate-0");
  }
  return turn;
}

/* On 1.22 videoflip turns the picture and lets the tag through (on 1.26 it says that there is nothing left to turn): it
 * is not turned twice, and a message says so; also through a queue and a bin. A direction that was asked for is taken
 * all the same. */
static void
test_orientation_behind_videoflip (void)
{
  Stream *plain = stream_new (ENCODER, FALSE);
  Stream *s = stream_new ("( videoflip video-direction=auto ! videoconvert ) ! queue ! " ENCODER, FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  gfloat expected[EMBEDDING_WIDTH], got[EMBEDDING_WIDTH];

  stream_format (plain, "I420", 80, 128);
  embedding_encode (plain, flipped (3, 128, 80, "90r"), expected);
  stream_format (s, "I420", 128, 80);
  push_orientation (s, "rotate-90", GST_TAG_SCOPE_STREAM);
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (expected, got), ==, 0);
  if (is_told_to_turn (encoder)) {
    g_autofree gchar *message = stream_message (s, GST_MESSAGE_INFO);
    g_assert_nonnull (strstr (message, "videoflip"));
  }
  push_orientation (s, "rotate-90", GST_TAG_SCOPE_STREAM); /* said once */
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (expected, got), ==, 0);
  g_assert_null (stream_peek_message (s, GST_MESSAGE_INFO));
  gst_util_set_object_arg (G_OBJECT (encoder), "orientation", "180");
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (expected, got), >, 0.02);
  stream_free (s);
  stream_free (plain);
}

/* A tag that comes before the caps counts from the first frame on. */
static void
test_tag_before_caps (void)
{
  Stream *plain = stream_new (ENCODER, FALSE), *s = stream_new (ENCODER, FALSE);
  gfloat expected[EMBEDDING_WIDTH], got[EMBEDDING_WIDTH];

  stream_format (plain, "I420", 80, 128);
  embedding_encode (plain, flipped (3, 128, 80, "90r"), expected);
  push_orientation (s, "rotate-90", GST_TAG_SCOPE_GLOBAL);
  stream_format (s, "I420", 128, 80);
  embedding_encode (s, frame_new ("I420", 128, 80, 3), got);
  g_assert_cmpfloat (embedding_distance (expected, got), <, 1e-4);
  stream_free (s);
  stream_free (plain);
}

static GstBuffer *
detect (Stream *s, gint width, gint height, GstBuffer *frame)
{
  stream_format (s, "I420", width, height);
  g_assert_cmpint (gst_harness_push (s->harness, frame), ==, GST_FLOW_OK);
  return stream_pull (s);
}

/* Objects, their masks and region-of-interest metas are those of the frame turned clockwise, turned back. */
static void
test_objects_lie_on_the_frame (void)
{
  const gchar *detector = ENCODER " ! upidetect threshold=0 max-objects=10 iou-threshold=1 cross-label-iou=1";
  Stream *plain = stream_new (detector, FALSE), *s = stream_new (detector, FALSE);
  push_orientation (s, "rotate-90", GST_TAG_SCOPE_STREAM);
  GstBuffer *upright = detect (plain, 80, 128, flipped (3, 128, 80, "90r")),
            *frame = detect (s, 128, 80, frame_new ("I420", 128, 80, 3));
  GstUpiContent *upright_content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (upright));
  guint n, n_upright, n_roi = 0;
  const GstUpiObject *objects =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (frame)), &n);
  const GstUpiObject *expected = gst_upi_content_get_objects (upright_content, &n_upright);
  gpointer state = NULL;
  GstMeta *meta;

  g_assert_cmpuint (n, ==, n_upright);
  g_assert_cmpuint (n, >, 3);
  for (guint i = 0; i < n; i++) {
    const GstUpiObject *o = &objects[i], *e = &expected[i];
    g_assert_cmpfloat (fabsf (o->x - e->y), <, 1e-3);
    g_assert_cmpfloat (fabsf (o->y - (1 - e->x - e->width)), <, 1e-3);
    g_assert_cmpfloat (fabsf (o->width - e->height), <, 1e-3);
    g_assert_cmpfloat (fabsf (o->height - e->width), <, 1e-3);
    g_assert_cmpuint (o->mask->columns, ==, e->mask->rows);
    g_assert_cmpfloat (fabsf (o->mask->x - e->mask->y), <, 1e-6);
  }
  while (
      (meta = gst_buffer_iterate_meta_filtered (frame, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) != NULL) {
    GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *) meta;
    g_assert_cmpuint (roi->x, ==, (guint) (objects[n_roi].x * 128 + 0.5f));
    g_assert_cmpuint (roi->y, ==, (guint) (objects[n_roi++].y * 80 + 0.5f));
  }
  g_assert_cmpuint (n_roi, ==, n);
  gst_buffer_unref (frame);
  gst_buffer_unref (upright);
  stream_free (s);
  stream_free (plain);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/orientation/property-and-tag", test_orientation);
  g_test_add_func ("/orientation/tag-before-caps", test_tag_before_caps);
  g_test_add_func ("/orientation/behind-videoflip", test_orientation_behind_videoflip);
  g_test_add_func ("/orientation/objects-lie-on-the-frame", test_objects_lie_on_the_frame);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
