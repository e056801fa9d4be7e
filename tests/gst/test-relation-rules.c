/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-relation-rules.c: upirules on the objects of another detector, in whole pipelines, beside an upiencoder or
 * upidetect and without. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/gst/foreign.h"

/* The right half. */
#define ZONE                                                                                                           \
  RULE ("\\\"type\\\":\\\"zone\\\",\\\"polygon\\\":[[0.5,0],[1,0],[1,1],[0.5,1]],\\\"labels\\\":[\\\"car\\\"]")

/* What @field of the events of kind "upi-event" is, in order: "new enter 1, …". */
static gchar *
pop_events (Stream *stream)
{
  g_autoptr (GString) text = g_string_new (NULL);
  GstMessage *message;

  while ((message = gst_bus_pop_filtered (stream->bus, GST_MESSAGE_ELEMENT)) != NULL) {
    const GstStructure *event = gst_message_get_structure (message);
    guint64 track = 0;

    gst_structure_get_uint64 (event, "track-id", &track);
    if (gst_structure_has_name (event, "upi-event"))
      g_string_append_printf (text, "%s%s %s %s %" G_GUINT64_FORMAT, text->len > 0 ? ", " : "",
          gst_structure_get_string (event, "type"), gst_structure_get_string (event, "what"),
          gst_structure_get_string (event, "label"), track);
    gst_message_unref (message);
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static guint
bright_pixels (GstBuffer *buffer, gint left, gint right)
{
  GstMapInfo map;
  guint n = 0;

  gst_buffer_map (buffer, &map, GST_MAP_READ);
  for (gint y = 0; y < HEIGHT; y++)
    for (gint x = left; x < right; x++) {
      const guint8 *pixel = map.data + 4 * (y * WIDTH + x);
      n += pixel[0] > 64 || pixel[1] > 64 || pixel[2] > 64;
    }
  gst_buffer_unmap (buffer, &map);
  return n;
}

/* A whole pipeline without upiencoder: a car drives into the zone and out of the picture; events on the bus, lines of
 * JSON, boxes on the picture. The first frames have no metadata at all: the detector had found nothing. */
static void
test_pipeline (void)
{
  g_autofree gchar *folder = g_dir_make_tmp ("upi-take-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (folder, "lines.jsonl", NULL);
  g_autofree gchar *description =
      g_strdup_printf ("upitrack ! queue ! upirules rules=\"" ZONE "\" ! upijson location=%s "
                       "emit=all ! upioverlay draw-rules=false draw-labels=false",
          path);
  Stream *stream = foreign_open (description);
  g_autofree gchar *lines = NULL;
  guint first = 0;

  for (guint i = 0; i < 160; i++) {
    const gint x = 10 + 3 * ((gint) i - 2);
    GstBuffer *buffer = foreign_frame (i * 40 * MS);

    if (i >= 2 && x < WIDTH)
      foreign_add (buffer, "car", x, 20, 20, 40, 0.9f);
    buffer = foreign_push (stream, buffer);
    if (i == 10) {
      g_assert_cmpuint (bright_pixels (buffer, 0, x + 30), >, 50);
      g_assert_cmpuint (bright_pixels (buffer, x + 40, WIDTH), ==, 0);
    } else if (i < 2) {
      first += bright_pixels (buffer, 0, WIDTH);
    }
    gst_buffer_unref (buffer);
  }
  g_assert_cmpuint (first, ==, 0);
  g_autofree gchar *events = pop_events (stream);
  g_assert_cmpstr (events, ==, "new enter car 1, end vanish car 1");
  stream_free (stream);
  g_assert_true (g_file_get_contents (path, &lines, NULL, NULL));
  g_assert_nonnull (strstr (lines, "\"label\":\"car\""));
  g_assert_nonnull (strstr (lines, "\"track_id\":1"));
  g_assert_nonnull (strstr (lines, "\"what\":\"enter\""));
  g_unlink (path);
  g_rmdir (folder);
}

/* Another tracker's ids will do for rules; one that it lost for a while keeps its place and makes no event. */
static void
test_rules (void)
{
  Stream *stream = foreign_open ("upirules rules=\"" ZONE "\"");

  for (guint i = 0; i < 40; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    const guint detection = foreign_add (buffer, "car", 5 * (gint) i, 20, 20, 40, 0.9f);

    foreign_add_track (buffer, detection, 4711, i >= 10 && i < 30);
    buffer = foreign_push (stream, buffer);
    g_assert_cmpuint (foreign_only_object (buffer)->track_id, ==, 4711);
    g_assert_cmpuint (foreign_only_object (buffer)->flags, ==,
        GST_UPI_OBJECT_FOREIGN | (i >= 10 && i < 30 ? GST_UPI_OBJECT_PREDICTED : 0));
    g_assert_cmpuint (foreign_track_of (buffer, detection), ==, 4711); /* it is the other's */
    gst_buffer_unref (buffer);
    g_autofree gchar *events = pop_events (stream);
    g_assert_cmpstr (events, ==, i == 30 ? "new enter car 4711" : "");
  }
  stream_free (stream);
}

/* Counts need no ids at all. */
static void
test_count (void)
{
  Stream *stream = foreign_open ("upirules rules=\"" COUNT "\"");
  GstBuffer *buffer = foreign_frame (0);

  foreign_add (buffer, "cat", 5, 5, 10, 10, 0.9f);
  foreign_add (buffer, "dog", 50, 50, 10, 10, 0.9f);
  gst_buffer_unref (foreign_push (stream, buffer));
  g_autofree gchar *events = pop_events (stream);
  g_assert_cmpstr (events, ==, "new above  0");
  stream_free (stream);
}

/* Objects that upi itself found count alone, also where there are none in a frame. */
static void
test_own_objects (void)
{
  static const gchar *const finds_nothing =
      "upiencoder model=tiny device=cpu threads=1 policy=block ! upidetect name=d max-objects=0 ! upitrack ! "
      "upirules rules=\"" COUNT "\"";
  Stream *stream = foreign_open (finds_nothing);
  g_autoptr (GstElement) detect = stream_get (stream, "d");
  guint n;

  for (guint i = 0; i < 3; i++) {
    if (i == 2)
      g_object_set (detect, "enabled", FALSE, NULL); /* switched off it is not another detector's turn */
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    foreign_add (buffer, "car", 20, 20, 40, 40, 0.9f);
    buffer = foreign_push (stream, buffer);
    foreign_objects (buffer, &n);
    g_assert_cmpuint (n, ==, 0);
    gst_buffer_unref (buffer);
  }
  stream_free (stream);

  stream = foreign_open ("upitrack"); /* a GstUpiMeta that comes from elsewhere */
  GstBuffer *buffer = foreign_frame (0);
  const GstUpiObject cat = { .label = "cat", .score = 0.9f, .x = 0.5f, .y = 0.5f, .width = 0.1f, .height = 0.1f };
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, 0, GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) content = gst_upi_content_add_objects (empty, &cat, 1);
  gst_buffer_add_upi_meta (buffer, content);
  foreign_add (buffer, "car", 20, 20, 40, 40, 0.9f);
  buffer = foreign_push (stream, buffer);
  g_assert_cmpstr (foreign_only_object (buffer)->label, ==, "cat");
  gst_buffer_unref (buffer);
  stream_free (stream);
}

/* An upiencoder for sentences, another detector for objects: both are of the frame. */
static void
test_beside_encoder (void)
{
  Stream *stream =
      foreign_open ("upiencoder model=calibrated device=cpu threads=1 policy=block inference-interval=3 ! upitrack ! "
                    "upirules rules=\"" RULE ("\\\"type\\\":\\\"phrase\\\",\\\"text\\\":\\\"a gate\\\"") "\"");

  for (guint i = 0; i < 10; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    guint n;

    foreign_add (buffer, "car", 20 + 2 * (gint) i, 20, 40, 40, 0.9f);
    buffer = foreign_push (stream, buffer);
    g_assert_cmpuint (foreign_only_object (buffer)->track_id, ==, 1);
    g_assert_cmpuint (foreign_only_object (buffer)->flags, ==, GST_UPI_OBJECT_FOREIGN); /* seen in every frame */
    g_assert_cmpfloat_with_epsilon (foreign_only_object (buffer)->x, 0.1f + 0.01f * (gfloat) i, 0.01f);
    const GstUpiContent *content = gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
    g_assert_true (gst_upi_content_is_encoded (content));
    const GstUpiRule *rules = gst_upi_content_get_rules (content, &n);
    g_assert_cmpuint (n, ==, 1);
    g_assert_cmpfloat (rules[0].score, >=, 0);
    gst_buffer_unref (buffer);
  }
  stream_free (stream);
}

/* Sentences cannot be asked without upiencoder: said once, zones and counts go on. */
static void
test_phrase_without_encoder (void)
{
  Stream *stream =
      foreign_open ("upirules name=e rules=\"" RULE ("\\\"type\\\":\\\"phrase\\\",\\\"text\\\":\\\"a gate\\\"") "\"");

  for (guint i = 0; i < 3; i++) {
    GstBuffer *buffer = foreign_frame (i * 40 * MS);
    foreign_add (buffer, "car", 20, 20, 40, 40, 0.9f);
    gst_buffer_unref (foreign_push (stream, buffer));
  }
  g_autofree gchar *warning = stream_message (stream, GST_MESSAGE_WARNING);
  g_assert_cmpstr (warning, ==,
      "e has phrases, and the frames that reach it were not encoded: put upiencoder before it. Only its zones, lines "
      "and "
      "counts work.");
  stream_free (stream);
}

/* Nobody ever said anything of a frame: told at the end, as a detector may have found nothing yet. */
static void
test_nothing_known (void)
{
  Stream *stream = foreign_open ("upitrack name=e");

  for (guint i = 0; i < 3; i++) {
    g_autoptr (GstBuffer) buffer = foreign_push (stream, foreign_frame (i * 40 * MS));
    g_assert_nonnull (gst_buffer_get_upi_meta (buffer));
    g_assert_null (gst_buffer_get_analytics_relation_meta (buffer));
  }
  gst_harness_push_event (stream->harness, gst_event_new_eos ());
  g_autofree gchar *warning = stream_message (stream, GST_MESSAGE_WARNING);
  g_assert_cmpstr (warning, ==,
      "Of no frame that reached e anything was known: put upiencoder and upidetect before it, or a detector that "
      "writes "
      "GstAnalyticsRelationMeta.");
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/gst/relation/rules/pipeline", test_pipeline);
  g_test_add_func ("/gst/relation/rules/rules", test_rules);
  g_test_add_func ("/gst/relation/rules/count", test_count);
  g_test_add_func ("/gst/relation/rules/own-objects", test_own_objects);
  g_test_add_func ("/gst/relation/rules/beside-encoder", test_beside_encoder);
  g_test_add_func ("/gst/relation/rules/phrase-without-encoder", test_phrase_without_encoder);
  g_test_add_func ("/gst/relation/rules/nothing-known", test_nothing_known);
  return g_test_run ();
}
