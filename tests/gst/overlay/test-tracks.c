/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tracks.c: what upioverlay draws of upitrack and upirules: ids, trails, zones and lines with their counts. */
#include "tests/gst/overlay/fixture.h"

#include <math.h>
#include <string.h>

#define W 640
#define H 360
#define QUIET " draw-boxes=false draw-labels=false draw-masks=false"
#define TRAILS "upioverlay draw-trails=true draw-ids=false" QUIET

static guint32
pixel (GstBuffer *buffer, gint x, gint y)
{
  guint8 bgrx[4];
  gst_buffer_extract (buffer, ((gsize) y * W + x) * 4, bgrx, 4);
  return (guint32) bgrx[2] << 16 | bgrx[1] << 8 | bgrx[0];
}

#define PLAIN (GREY << 16 | GREY << 8 | GREY)

/* How many pixels of the area have the colour; with 0: how many were changed. */
static guint
count (GstBuffer *buffer, guint32 rgb, gint x0, gint y0, gint x1, gint y1)
{
  guint n = 0;
  for (gint y = MAX (y0, 0); y < MIN (y1, H); y++)
    for (gint x = MAX (x0, 0); x < MIN (x1, W); x++)
      n += rgb != 0 ? pixel (buffer, x, y) == rgb : pixel (buffer, x, y) != PLAIN;
  return n;
}

static GstUpiObject
tracked (guint64 id, gfloat x, gfloat foot)
{
  return (GstUpiObject){
    .label = "person", .score = 0.9f, .x = x - 0.05f, .y = foot - 0.3f, .width = 0.1f, .height = 0.3f, .track_id = id
  };
}

static GstBuffer *
through (GstHarness *h, const GstVideoInfo *info, const GstUpiObject *objects, guint n, GstClockTime pts)
{
  GstBuffer *buffer = grey_frame (info);
  add_objects (buffer, objects, n, NULL);
  GST_BUFFER_PTS (buffer) = pts;
  g_assert_cmpint (gst_harness_push (h, buffer), ==, GST_FLOW_OK);
  GstBuffer *out = gst_harness_pull (h);
  g_assert_nonnull (out);
  return out;
}

/* Who has an id gets a text on that id's colour, beside the label's and over no other; who has none looks as before. */
static void
test_ids (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  GstUpiObject objects[] = { tracked (7, 0.3f, 0.8f), tracked (8, 0.7f, 0.8f), tracked (0, 0.5f, 0.8f) };
  guint64 large = G_GUINT64_CONSTANT (9007199254740991);
  GstUpiObject many = tracked (large, 0.02f, 0.2f);
  const struct {
    const gchar *properties;
    guint first, n;
    gboolean ids;
  } cases[] = { { "draw-ids=true" QUIET, 0, 2, TRUE },
    { "draw-ids=true draw-labels=true draw-boxes=false", 0, 3, TRUE },
    { "draw-ids=false draw-boxes=false", 0, 2, FALSE }, { "draw-boxes=false", 2, 1, FALSE } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBuffer *buffer = grey_frame (&info), *plain = grey_frame (&info);
    add_objects (buffer, objects + cases[i].first, cases[i].n, NULL);
    add_objects (plain, objects + cases[i].first, cases[i].n, NULL);
    buffer = overlay_once (cases[i].properties, &info, buffer);
    g_autofree gchar *without = g_strconcat (cases[i].properties, " draw-ids=false", NULL);
    plain = overlay_once (without, &info, plain);
    g_assert_true (same_bytes (buffer, plain) == !cases[i].ids);
    if (cases[i].ids)
      for (guint j = 0; j < 2; j++) /* above its box, most of the background's pixels are its own colour */
        g_assert_cmpuint (count (buffer, 0, j * 256 + 120, 150, j * 256 + 220, 180), >, 100);
    gst_buffer_unref (buffer);
    gst_buffer_unref (plain);
  }
  GstBuffer *out = grey_frame (&info);
  add_objects (out, &many, 1, NULL);
  out = overlay_once ("draw-ids=true" QUIET, &info, out);
  g_assert_cmpuint (count (out, 0, 0, 0, W, H), >, 500);
  gst_buffer_unref (out);
}

/* One colour an id, whatever else is in the frame; the label's for who has none. */
static void
test_color_by_track (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  guint32 alone[3], among[3], first = 0;

  for (guint i = 0; i < 3; i++) {
    GstUpiObject object = tracked (i + 1, 0.5f, 0.8f);
    GstUpiObject objects[] = { tracked (99, 0.2f, 0.8f), tracked (0, 0.8f, 0.8f), object };
    GstBuffer *one = grey_frame (&info), *three = grey_frame (&info), *by_label = grey_frame (&info);
    add_objects (one, &object, 1, NULL);
    add_objects (three, objects, 3, NULL);
    add_objects (by_label, objects + 1, 1, NULL);
    one = overlay_once ("color-by=track draw-labels=false draw-ids=false", &info, one);
    three = overlay_once ("color-by=track draw-labels=false draw-ids=false", &info, three);
    by_label = overlay_once ("color-by=label draw-labels=false draw-ids=false", &info, by_label);
    alone[i] = pixel (one, 320, 180);
    among[i] = pixel (three, 320, 180);
    g_assert_cmphex (alone[i], !=, PLAIN);
    g_assert_cmphex (alone[i], ==, among[i]);
    g_assert_cmphex (pixel (three, 512, 180), ==, pixel (by_label, 512, 180));
    if (i == 0)
      first = alone[i];
    else
      g_assert_cmphex (alone[i], !=, first);
    gst_buffer_unref (one);
    gst_buffer_unref (three);
    gst_buffer_unref (by_label);
  }
}

/* A box where nobody saw its object is thinner. */
static void
test_predicted (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  GstUpiObject seen = tracked (1, 0.5f, 0.8f), predicted = seen;
  GstBuffer *a = grey_frame (&info), *b = grey_frame (&info);

  predicted.flags = GST_UPI_OBJECT_PREDICTED;
  add_objects (a, &seen, 1, NULL);
  add_objects (b, &predicted, 1, NULL);
  a = overlay_once ("line-width=4 draw-labels=false draw-ids=false", &info, a);
  b = overlay_once ("line-width=4 draw-labels=false draw-ids=false", &info, b);
  guint32 rgb = pixel (a, 289, 200);
  g_assert_cmphex (pixel (b, 289, 200), ==, rgb);
  g_assert_cmpuint (count (a, rgb, 270, 200, 310, 201), ==, 4);
  g_assert_cmpuint (count (b, rgb, 270, 200, 310, 201), ==, 2);
  gst_buffer_unref (a);
  gst_buffer_unref (b);
}

/* The way of the bottom centre, in the frames that follow it; not of objects that nobody tracks, nor of those that have
 * left. */
static void
test_trails (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  GstHarness *h = gst_harness_new_parse (TRAILS);
  GstBuffer *out = NULL;

  set_caps (h, &info);
  for (guint i = 0; i < 10; i++) {
    GstUpiObject objects[] = { tracked (3, 0.1f + 0.05f * i, 0.5f), tracked (0, 0.1f + 0.05f * i, 0.9f) };
    gst_clear_buffer (&out);
    out = through (h, &info, objects, 2, i * 40 * GST_MSECOND);
  }
  for (gint x = 66; x < 350; x++)
    g_assert_cmphex (pixel (out, x, 180), !=, PLAIN);
  g_assert_cmpuint (count (out, 0, 0, 300, W, 348), ==, 0);
  g_assert_cmpuint (count (out, 0, 360, 0, W, H), ==, 0); /* it ends where the object is */
  g_assert_cmpuint (count (out, 0, 0, 0, W, 170), ==, 0);
  gst_buffer_unref (out);
  GstUpiObject other = tracked (4, 0.9f, 0.5f);
  out = through (h, &info, &other, 1, GST_SECOND);
  g_assert_cmpuint (count (out, 0, 0, 0, 500, H), ==, 0);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
}

static void
send_segment (GstHarness *h, GstClockTime start)
{
  GstSegment segment;
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.position = segment.time = start;
  g_assert_true (gst_harness_push_event (h, gst_event_new_segment (&segment)));
}

/* A trail ends where a stream's state does, and only there. */
static void
test_trail_state (gconstpointer data)
{
  guint what = GPOINTER_TO_UINT (data);
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  GstHarness *h = gst_harness_new_parse (TRAILS);
  GstUpiObject here = tracked (3, 0.2f, 0.5f), there = tracked (3, 0.8f, 0.5f);
  GstClockTime next = 40 * GST_MSECOND;
  gboolean ends = what < 4;

  set_caps (h, &info);
  gst_buffer_unref (through (h, &info, &here, 1, 0));
  if (what == 0) {
    g_assert_true (gst_harness_push_event (h, gst_event_new_flush_start ()));
    g_assert_true (gst_harness_push_event (h, gst_event_new_flush_stop (TRUE)));
    send_segment (h, 0);
  } else if (what == 1) {
    g_assert_true (gst_harness_push_event (h, gst_event_new_stream_start ("another")));
    send_segment (h, 0);
  } else if (what == 2) { /* a jump */
    next = 10 * GST_SECOND;
    send_segment (h, next);
  } else if (what == 3) {
    GstElement *overlay = gst_harness_find_element (h, "upioverlay");
    g_object_set (overlay, "draw-trails", FALSE, NULL);
    gst_buffer_unref (through (h, &info, &here, 1, next));
    g_object_set (overlay, "draw-trails", TRUE, NULL);
    gst_object_unref (overlay);
    next *= 2;
  } else if (what == 4) { /* it goes on */
    send_segment (h, 0);
  } else if (what == 5) { /* other caps */
    GstVideoInfo other = video_info (GST_VIDEO_FORMAT_NV12, W / 2, H / 2);
    set_caps (h, &other);
    set_caps (h, &info);
  } else if (what == 6) {
    next = GST_CLOCK_TIME_NONE;
  }
  GstBuffer *out = through (h, &info, &there, 1, next);
  g_assert_cmpuint (count (out, 0, 0, 0, W, H) == 0, ==, ends);
  gst_buffer_unref (out);
  gst_harness_teardown (h);
}

static void
add_rules (GstBuffer *buffer, const GstUpiRule *rules, guint n)
{
  GstUpiMeta *meta = gst_buffer_add_upi_meta (buffer, NULL);
  g_autoptr (GstUpiContent) content = gst_upi_content_add_rules (gst_upi_meta_get_content (meta), rules, n);
  gst_upi_meta_set_content (meta, content);
}

/* A zone's sides, nothing inside of it but its words; in formats that are drawn in other ways it looks the same. */
static void
test_zone (void)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRA };
  const GstUpiPoint corners[] = { { 0.2f, 0.3f }, { 0.8f, 0.3f }, { 0.8f, 0.9f }, { 0.5f, 0.5f }, { 0.2f, 0.9f } };
  GstUpiRule rule = {
    .name = "yard", .kind = GST_UPI_RULE_ZONE, .points = corners, .n_points = G_N_ELEMENTS (corners), .count = 2
  };
  GstBuffer *reference = NULL;
  GstVideoInfo bgrx = video_info (GST_VIDEO_FORMAT_BGRx, W, H);

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstVideoInfo info = video_info (formats[i], W, H);
    GstBuffer *buffer = grey_frame (&info);
    add_rules (buffer, &rule, 1);
    buffer = overlay_once ("", &info, buffer);
    GstBuffer *out = video_convert (buffer, &info, &bgrx);
    gst_buffer_unref (buffer);
    for (gint y = 112; y < 320; y++) {
      g_assert_cmphex (pixel (out, 128, y), !=, PLAIN);
      g_assert_cmphex (pixel (out, 512, y), !=, PLAIN);
    }
    g_assert_cmpuint (count (out, 0, 136, 140, 500, 170), ==, 0);
    g_assert_cmpuint (count (out, 0, 128, 80, 300, 106), >, 500); /* its words, above the topmost corner */
    g_assert_cmpuint (count (out, 0, 516, 0, W, H), ==, 0);
    if (reference == NULL) {
      reference = gst_buffer_ref (out);
    } else {
      g_assert_true (formats[i] != GST_VIDEO_FORMAT_RGBx || same_bytes (out, reference));
      guint n = count (reference, 0, 0, 0, W, H); /* slanted lines end at other pixels where Cairo draws them */
      g_assert_cmpuint (count (out, 0, 0, 0, W, H), >, n * 9 / 10);
      g_assert_cmpuint (count (out, 0, 0, 0, W, H), <, n * 11 / 10);
    }
    gst_buffer_unref (out);
  }
  GstBuffer *buffer = grey_frame (&bgrx), *plain = gst_buffer_copy_deep (buffer);
  add_rules (buffer, &rule, 1);
  buffer = overlay_once ("draw-rules=false", &bgrx, buffer);
  g_assert_true (same_bytes (buffer, plain));
  gst_buffer_unref (buffer);
  gst_buffer_unref (plain);
  buffer = grey_frame (&bgrx);
  rule.flags = GST_UPI_RULE_ACTIVE;
  add_rules (buffer, &rule, 1);
  buffer = overlay_once ("", &bgrx, buffer);
  guint32 rgb = pixel (buffer, 128, 200);
  g_assert_cmpuint (
      count (buffer, rgb, 120, 112, 136, 300), >, count (reference, rgb, 120, 112, 136, 300)); /* it stands out */
  gst_buffer_unref (buffer);
  gst_buffer_unref (reference);
}

/* The arrow of a line points to the right hand of one who walks along it; counts change the words. */
static void
test_line (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  const GstUpiPoint down[] = { { 0.5f, 0.2f }, { 0.5f, 0.8f } }, up[] = { { 0.5f, 0.8f }, { 0.5f, 0.2f } };
  GstBuffer *frames[3];

  for (guint i = 0; i < 3; i++) {
    GstUpiRule rule = { .name = "door",
      .kind = GST_UPI_RULE_LINE,
      .points = i == 1 ? up : down,
      .n_points = 2,
      .total_in = i == 2 ? 17 : 0 };
    frames[i] = grey_frame (&info);
    add_rules (frames[i], &rule, 1);
    frames[i] = overlay_once ("", &info, frames[i]);
  }
  g_assert_cmpuint (count (frames[0], 0, 300, 170, 314, 190), >,
      10); /* who walks down the picture has their right hand at its left */
  g_assert_cmpuint (count (frames[0], 0, 326, 170, 340, 190), ==, 0);
  g_assert_cmpuint (count (frames[1], 0, 326, 170, 340, 190), >, 10);
  g_assert_cmpuint (count (frames[1], 0, 300, 170, 314, 190), ==, 0);
  g_assert_false (same_bytes (frames[0], frames[2]));
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (frames[i]);
}

/* Rules of the whole frame stand below one another; any name, any point, any frame. */
static void
test_any_rule (void)
{
  static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_P010_10LE };
  static const gint sizes[][2] = { { 1, 1 }, { 17, 9 }, { 130, 70 }, { W, H } };
  const GstUpiPoint wild[] = { { NAN, 0 }, { 0, INFINITY }, { -3, 2 }, { 1e30f, 0.5f }, { 0.5f, 0.5f }, { 1, 1 },
    { 0, 0 } };
  const GstUpiRule rules[] = {
    { .name = "people", .kind = GST_UPI_RULE_COUNT, .count = 3 },
    { .name = "\xd7\xa9\xd7\xa2\xd7\xa8 %s%n",
        .kind = GST_UPI_RULE_PHRASE,
        .text = "an empty car park",
        .score = 0.5f },
    { .name = "", .kind = GST_UPI_RULE_PHRASE, .score = -1 },
    { .name = "wild", .kind = GST_UPI_RULE_ZONE, .points = wild, .n_points = G_N_ELEMENTS (wild) },
    { .name = "wild", .kind = GST_UPI_RULE_ZONE, .points = wild + 2, .n_points = 1 },
    { .name = "wild", .kind = GST_UPI_RULE_LINE, .points = wild + 4, .n_points = 2 },
    { .name = "nowhere", .kind = GST_UPI_RULE_LINE, .points = wild + 5, .n_points = 1 },
    { .name = "out", .kind = GST_UPI_RULE_ZONE, .points = wild + 2, .n_points = 5 },
    { .name = "strange", .kind = 99 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    for (guint j = 0; j < G_N_ELEMENTS (sizes); j++) {
      GstVideoInfo info = video_info (formats[i], sizes[j][0], sizes[j][1]);
      GstBuffer *buffer = grey_frame (&info);
      add_rules (buffer, rules, G_N_ELEMENTS (rules));
      buffer = overlay_once ("line-width=256", &info, buffer);
      gst_buffer_unref (buffer);
    }
  }
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  GstBuffer *buffer = grey_frame (&info);
  add_rules (buffer, rules, 2);
  buffer = overlay_once ("", &info, buffer);
  g_assert_cmpuint (count (buffer, 0, 0, 0, 60, 14), >, 100);
  g_assert_cmpuint (count (buffer, 0, 0, 18, 60, 30), >, 100);
  gst_buffer_unref (buffer);
}

/* In the top right corner: of a softmax list its best, of independent sentences those that are true. */
static void
test_classes (void)
{
  GstVideoInfo info = video_info (GST_VIDEO_FORMAT_BGRx, W, H);
  const GstUpiClass scene[] = { { .label = "night", .probability = 0.6f }, { .label = "day", .probability = 0.4f } };
  const GstUpiClass sentences[] = { { .label = "fire", .probability = 0.9f, .flags = GST_UPI_CLASS_INDEPENDENT },
    { .label = "\xd7\xa9 smoke", .probability = 0.5f, .flags = GST_UPI_CLASS_INDEPENDENT },
    { .label = "rain", .probability = NAN, .flags = GST_UPI_CLASS_INDEPENDENT } };
  const struct {
    gboolean scene, sentences;
    guint rows;
    const gchar *properties;
  } cases[] = { { TRUE, FALSE, 1, "" }, { FALSE, TRUE, 2, "" }, { TRUE, TRUE, 3, "" },
    { TRUE, TRUE, 0, "draw-classes=false" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBuffer *buffer = grey_frame (&info);
    GstUpiMeta *meta = gst_buffer_add_upi_meta (buffer, NULL);
    g_autoptr (GstUpiContent) one =
        gst_upi_content_add_classes (gst_upi_meta_get_content (meta), scene, cases[i].scene ? 2 : 0);
    g_autoptr (GstUpiContent) two = gst_upi_content_add_classes (one, sentences, cases[i].sentences ? 3 : 0);
    gst_upi_meta_set_content (meta, two);
    buffer = overlay_once (cases[i].properties, &info, buffer);
    guint rows = 0;
    for (gint y = 0; y < H; y++) /* backgrounds below one another, a row of pixels between them */
      if (count (buffer, 0, W - 20, y, W - 10, y + 1) > 0 && count (buffer, 0, W - 20, y + 1, W - 10, y + 2) == 0)
        rows++;
    g_assert_cmpuint (rows, ==, cases[i].rows);
    g_assert_cmpuint (count (buffer, 0, 0, 0, W / 2, H), ==, 0);
    gst_buffer_unref (buffer);
  }
}

int
main (int argc, char **argv)
{
  static const gchar *states[] = { "flush", "stream-start", "jump", "switched-off", "segment-goes-on", "caps",
    "no-pts" };

  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/overlay-tracks/ids", test_ids);
  g_test_add_func ("/overlay-tracks/color-by-track", test_color_by_track);
  g_test_add_func ("/overlay-tracks/predicted", test_predicted);
  g_test_add_func ("/overlay-tracks/trails", test_trails);
  for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
    g_autofree gchar *path = g_strconcat ("/overlay-tracks/trail-state/", states[i], NULL);
    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_trail_state);
  }
  g_test_add_func ("/overlay-tracks/zone", test_zone);
  g_test_add_func ("/overlay-tracks/line", test_line);
  g_test_add_func ("/overlay-tracks/any-rule", test_any_rule);
  g_test_add_func ("/overlay-tracks/classes", test_classes);
  return g_test_run ();
}
