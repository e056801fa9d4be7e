/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-stream.c: frames through upioverlay's pads: what it must leave alone, compositions attached instead of pixels
 * drawn, caps and states that change. */
#include "tests/gst/overlay/fixture.h"

#define FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION

static void
test_untouched (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_NV12, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.2f, .y = 0.2f, .width = 0.5f, .height = 0.5f };
  const struct {
    gboolean meta;
    guint n_objects;
    const gchar *caption, *properties;
  } cases[] = {
    { FALSE, 0, NULL, "" }, { TRUE, 0, NULL, "" }, { TRUE, 0, "", "" },
    { TRUE, 1, "a caption", "draw-boxes=false draw-labels=false draw-masks=false draw-caption=false" },
    { TRUE, 1, NULL, "draw-boxes=false draw-labels=false" }, /* has no mask */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBuffer *buffer = grey_frame (&info), *before = gst_buffer_copy_deep (buffer), *out;
    if (cases[i].meta)
      add_objects (buffer, &object, cases[i].n_objects, cases[i].caption);
    gst_buffer_ref (buffer); /* not writable: a branch of a tee */
    out = overlay_once (cases[i].properties, &info, buffer);
    g_assert_true (same_bytes (out, before));
    if (i != 2 && i != 4) /* a content with something in it may cost a new buffer, never new pixels */
      g_assert_true (out == buffer);
    gst_buffer_unref (out);
    gst_buffer_unref (buffer);
    gst_buffer_unref (before);
  }
}

/* The other branch of a tee keeps its pixels. */
static void
test_shared_buffer (void)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_I420_10LE };
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.2f, .y = 0.2f, .width = 0.5f, .height = 0.5f };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstVideoInfo info = video_info (formats[i], 64, 48);
    GstBuffer *buffer = grey_frame (&info), *before = gst_buffer_copy_deep (buffer);
    add_objects (buffer, &object, 1, NULL);
    GstBuffer *out = overlay_once ("", &info, gst_buffer_ref (buffer));
    g_assert_true (same_bytes (buffer, before));
    g_assert_false (same_bytes (out, before));
    g_assert_nonnull (gst_buffer_get_upi_meta (out));
    gst_buffer_unref (out);
    gst_buffer_unref (buffer);
    gst_buffer_unref (before);
  }
}

/* A frame that is smaller than its caps say passes as it is, with one warning for all. */
static void
test_short_frames (void)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.2f, .y = 0.2f, .width = 0.5f, .height = 0.5f };
  GstBus *bus = gst_bus_new ();
  guint warnings = 0;
  GstMessage *message;

  gst_element_set_bus (h->element, bus);
  set_caps (h, &info);
  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 100, NULL);
    gst_buffer_memset (buffer, 0, 7, 100);
    add_objects (buffer, &object, 1, NULL);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_cmpuint (gst_buffer_get_size (out), ==, 100);
    gst_buffer_unref (out);
  }
  while ((message = gst_bus_pop_filtered (bus, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR)) != NULL) {
    g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_WARNING);
    warnings++;
    gst_message_unref (message);
  }
  g_assert_cmpuint (warnings, ==, 1);
  gst_element_set_bus (h->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (h);
}

static GstHarness *
harness_with_sink_caps (const GstVideoInfo *info, const gchar *feature, gboolean meta)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  GstCaps *caps = gst_video_info_to_caps (info);

  if (feature != NULL)
    gst_caps_set_features (caps, 0, gst_caps_features_new (GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY, feature, NULL));
  if (meta)
    gst_harness_add_propose_allocation_meta (h, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_harness_set_sink_caps (h, caps);
  set_caps (h, info);
  return h;
}

/* A sink that draws compositions gets them, one rectangle an object, a label, a caption; the pixels stay. */
static void
test_attached (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 320, 240);
  GstHarness *h = harness_with_sink_caps (&info, FEATURE, TRUE);
  GstUpiObject objects[] = {
    { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f },
    { .label = "car", .score = 0.8f, .x = 0.5f, .y = 0.3f, .width = 0.4f, .height = 0.4f },
  };

  for (guint i = 0; i < 2; i++) {
    GstBuffer *buffer = grey_frame (&info), *before = gst_buffer_copy_deep (buffer);
    add_objects (buffer, objects, 2, "a person beside a car");
    if (i == 1) { /* an element before us attached one already */
      GstBuffer *dot = gst_buffer_new_allocate (NULL, 4, NULL);
      gst_buffer_memset (dot, 0, 0xff, 4);
      gst_buffer_add_video_meta (dot, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, 1, 1);
      GstVideoOverlayRectangle *rectangle =
          gst_video_overlay_rectangle_new_raw (dot, 0, 0, 1, 1, GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
      GstVideoOverlayComposition *composition = gst_video_overlay_composition_new (rectangle);
      gst_buffer_add_video_overlay_composition_meta (buffer, composition);
      gst_video_overlay_composition_unref (composition);
      gst_video_overlay_rectangle_unref (rectangle);
      gst_buffer_unref (dot);
    }
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    GstVideoOverlayCompositionMeta *meta = gst_buffer_get_video_overlay_composition_meta (out);
    g_assert_nonnull (meta);
    g_assert_cmpuint (gst_video_overlay_composition_n_rectangles (meta->overlay), ==, 5 + i);
    g_assert_true (same_bytes (out, before));

    /* Drawn by whoever takes it, it changes the picture where the objects are. */
    GstVideoFrame frame;
    g_assert_true (gst_video_frame_map (&frame, &info, before, GST_MAP_READWRITE));
    gst_video_overlay_composition_blend (meta->overlay, &frame);
    gst_video_frame_unmap (&frame);
    g_assert_false (same_bytes (out, before));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
  }
  gst_harness_teardown (h);
}

/* Caps take anything, the ALLOCATION answer names no composition: drawn into the pixels, and the caps say so before the
 * first buffer. */
static void
test_refused (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 320, 240);
  GstHarness *h = harness_with_sink_caps (&info, FEATURE, FALSE);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f };
  GstCaps *any = gst_caps_new_any ();

  gst_harness_set_sink_caps (h, any);
  for (guint i = 0; i < 2; i++) {
    GstBuffer *buffer = grey_frame (&info), *before = gst_buffer_copy_deep (buffer);
    add_objects (buffer, &object, 1, NULL);
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_null (gst_buffer_get_video_overlay_composition_meta (out));
    g_assert_false (same_bytes (out, before));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
    GstCaps *caps = gst_pad_get_current_caps (h->sinkpad);
    g_assert_false (gst_caps_features_contains (gst_caps_get_features (caps, 0), FEATURE));
    gst_caps_unref (caps);
  }
  gst_harness_teardown (h);
}

/* Size and format change between two frames, many times; every frame leaves drawn on, timestamps as they were. */
static void
test_caps_changes (void)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_BGRA,
    GST_VIDEO_FORMAT_YUY2 };
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f };

  for (guint i = 0; i < 40; i++) {
    GstVideoInfo info = video_info (formats[i % 4], 32 + 7 * (gint) i, 200 - 3 * (gint) i);
    GstBuffer *buffer = grey_frame (&info), *before = gst_buffer_copy_deep (buffer);
    set_caps (h, &info);
    add_objects (buffer, &object, 1, NULL);
    GST_BUFFER_PTS (buffer) = i * 40 * GST_MSECOND;
    GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull (h);
    g_assert_cmpuint (GST_BUFFER_PTS (out), ==, i * 40 * GST_MSECOND);
    g_assert_cmpuint (GST_BUFFER_DURATION (out), ==, 40 * GST_MSECOND);
    g_assert_false (same_bytes (out, before));
    gst_buffer_unref (out);
    gst_buffer_unref (before);
  }
  gst_harness_teardown (h);
}

static void
test_start_stop (void)
{
  GstHarness *h = gst_harness_new ("upioverlay");
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_I420, 64, 48);
  GstUpiObject object = { .label = "person", .score = 0.9f, .x = 0.1f, .y = 0.3f, .width = 0.2f, .height = 0.5f };

  for (guint i = 0; i < 50; i++) {
    gst_element_set_state (h->element, GST_STATE_NULL);
    gst_element_set_state (h->element, GST_STATE_PLAYING);
    gst_harness_play (h);
    set_caps (h, &info);
    gst_harness_push_event (h, gst_event_new_stream_start ("test"));
    GstBuffer *buffer = grey_frame (&info);
    add_objects (buffer, &object, 1, "a caption");
    g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref (gst_harness_pull (h));
  }
  gst_harness_teardown (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  g_test_add_func ("/overlay/untouched", test_untouched);
  g_test_add_func ("/overlay/shared-buffer", test_shared_buffer);
  g_test_add_func ("/overlay/short-frames", test_short_frames);
  g_test_add_func ("/overlay/attached", test_attached);
  g_test_add_func ("/overlay/refused", test_refused);
  g_test_add_func ("/overlay/caps-changes", test_caps_changes);
  g_test_add_func ("/overlay/start-stop", test_start_stop);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
