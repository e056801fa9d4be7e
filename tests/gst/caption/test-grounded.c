/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-grounded.c: upicaption's captions that answer to the regions, and upijson's lines of them: what the engine says
 * of an encoding is what the meta and the message say, word for word and region for region; how properties and the
 * model decide whether they do. */
#include "tests/gst/caption/fixture.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define GROUNDED                                                                                                       \
  "upiencoder model=grounded device=cpu threads=1 policy=block ! upicaption name=c interval=0 keep-encoding=yes "
#define WITHOUT_TABLE                                                                                                  \
  "upiencoder model=tiny device=cpu threads=1 policy=block ! upicaption name=c interval=0 keep-encoding=yes "

/* The next finished caption's message. (transfer full) */
static GstStructure *
next_caption (Fixture *f)
{
  GstStructure *result = NULL;

  while (result == NULL) {
    GstMessage *message = gst_bus_timed_pop_filtered (f->stream->bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ELEMENT);
    const GstStructure *structure = gst_message_get_structure (message);

    if (gst_structure_has_name (structure, "upi-caption"))
      result = gst_structure_copy (structure);
    gst_message_unref (message);
  }
  return result;
}

/* Passes a frame, the captions of which are @captions as long as it is held. (transfer full) */
static GstBuffer *
pass (Fixture *f, guint number, const GstUpiCaption **captions)
{
  guint n;

  fixture_push (f, number, number + 1);
  GstBuffer *buffer = stream_pull (f->stream);
  *captions = gst_upi_content_get_captions (gst_buffer_get_upi_meta (buffer)->content, &n);
  g_assert_cmpuint (n, ==, 1);
  return buffer;
}

/* What the engine says of the frame's encoding. (transfer full) */
static UpiCaption *
ask (GstBuffer *buffer, UpiCaptionOptions options)
{
  UpiEncoding *encoding = gst_upi_content_get_encoding (gst_buffer_get_upi_meta (buffer)->content);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (encoding);
  options.size = sizeof options;
  g_autoptr (UpiTicket) ticket =
      upi_engine_caption (upi_encoding_engine (encoding), encoding, &options, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  return upi_ticket_get_caption (ticket);
}

static gboolean
message_grounded (const GstStructure *message)
{
  gboolean grounded = FALSE;

  g_assert_true (gst_structure_get_boolean (message, "grounded", &grounded));
  return grounded;
}

/* One region of the meta and of the message against the engine's. */
static void
compare_region (const GstUpiCaptionRegion *region, const GstStructure *told, const gchar *text,
    const UpiCaptionWord *word, const UpiObject *object, const gchar *const *labels)
{
  g_autofree gchar *said = g_strndup (text + word->first, word->bytes);
  guint first, bytes;
  gfloat score, x, y, width, height;

  g_assert_cmpuint (region->first, ==, word->first);
  g_assert_cmpuint (region->bytes, ==, word->bytes);
  g_assert_cmpstr (region->label, ==, labels[object->label]);
  g_assert_cmpuint (region->label_id, ==, object->label);
  g_assert_cmpuint (region->region, ==, object->region);
  g_assert_cmpfloat (region->score, ==, object->score);
  g_assert_cmpfloat (region->x, ==, object->x);
  g_assert_cmpfloat (region->y, ==, object->y);
  g_assert_cmpfloat (region->width, ==, object->width);
  g_assert_cmpfloat (region->height, ==, object->height);

  g_assert_cmpstr (gst_structure_get_string (told, "word"), ==, said);
  g_assert_cmpstr (gst_structure_get_string (told, "label"), ==, region->label);
  g_assert_true (gst_structure_get (told, "first", G_TYPE_UINT, &first, "bytes", G_TYPE_UINT, &bytes, "score",
      G_TYPE_FLOAT, &score, "x", G_TYPE_FLOAT, &x, "y", G_TYPE_FLOAT, &y, "width", G_TYPE_FLOAT, &width, "height",
      G_TYPE_FLOAT, &height, NULL));
  g_assert_cmpuint (first, ==, region->first);
  g_assert_cmpuint (bytes, ==, region->bytes);
  g_assert_cmpfloat (score, ==, region->score);
  g_assert_cmpfloat (x, ==, region->x);
  g_assert_cmpfloat (y, ==, region->y);
  g_assert_cmpfloat (width, ==, region->width);
  g_assert_cmpfloat (height, ==, region->height);
}

/* All regions of a frame's caption; returns how many there are. */
static guint
compare_caption (
    const GstUpiCaption *caption, const GstStructure *message, const UpiCaption *said, const gchar *const *labels)
{
  const GValue *regions = gst_structure_get_value (message, "regions");
  const UpiCaptionText *text = &said->texts[0];
  guint n = 0;

  g_assert_cmpstr (caption->text, ==, text->text);
  g_assert_cmpstr (gst_structure_get_string (message, "text"), ==, text->text);
  g_assert_cmpint ((caption->flags & GST_UPI_CAPTION_GROUNDED) != 0, ==, said->grounded);
  g_assert_cmpint (message_grounded (message), ==, said->grounded);
  g_assert_true (regions != NULL && GST_VALUE_HOLDS_LIST (regions));
  for (guint w = 0; w < text->n_words; w++)
    for (guint k = 0; k < text->words[w].n_objects; k++, n++) {
      g_assert_cmpuint (n, <, MIN (caption->n_regions, gst_value_list_get_size (regions)));
      compare_region (&caption->regions[n], gst_value_get_structure (gst_value_list_get_value (regions, n)), text->text,
          &text->words[w], &text->words[w].objects[k], labels);
    }
  g_assert_cmpuint (caption->n_regions, ==, n);
  g_assert_cmpuint (gst_value_list_get_size (regions), ==, n);
  return n;
}

/* Frames whose captions are what the engine says with @expected; returns how many regions their words have. */
static guint
run (const gchar *description, UpiCaptionOptions expected)
{
  Fixture f = fixture_new (description, FALSE);
  guint n_regions = 0;

  for (guint i = 0; i < 8; i++) {
    const GstUpiCaption *captions;
    GstBuffer *buffer = pass (&f, i, &captions);
    g_autoptr (GstStructure) message = next_caption (&f);
    g_autoptr (UpiCaption) said = ask (buffer, expected);
    UpiEncoding *encoding = gst_upi_content_get_encoding (gst_buffer_get_upi_meta (buffer)->content);

    g_assert_cmpint (said->grounded, ==, expected.grounded);
    n_regions +=
        compare_caption (&captions[0], message, said, upi_engine_info (upi_encoding_engine (encoding))->labels);
    gst_buffer_unref (buffer);
  }
  fixture_free (&f);
  return n_regions;
}

/* As it comes. */
static void
test_default (void)
{
  g_assert_cmpuint (run (GROUNDED, (UpiCaptionOptions){ .grounded = TRUE }), >, 0);
}

static void
test_candidates (void)
{
  run (GROUNDED "candidates=1", (UpiCaptionOptions){ .grounded = TRUE, .candidates = 1 });
  run (GROUNDED "candidates=3", (UpiCaptionOptions){ .grounded = TRUE, .candidates = 3 });
}

static void
test_switched_off (void)
{
  g_assert_cmpuint (run (GROUNDED "grounded=false candidates=3", (UpiCaptionOptions){ .grounded = FALSE }), ==, 0);
}

/* A model that has no table says what it said before, asked for or not; nobody is warned (fixture_free() looks). */
static void
test_without_table (void)
{
  g_assert_cmpuint (run (WITHOUT_TABLE "grounded=true candidates=3", (UpiCaptionOptions){ .grounded = FALSE }), ==, 0);
}

static void
test_beam (void)
{
  const UpiCaptionOptions beam = { .beam_size = 2, .length_penalty = 1 };

  g_assert_cmpuint (run (GROUNDED "beam-size=2", beam), ==, 0);
  g_assert_cmpuint (run (WITHOUT_TABLE "beam-size=2 candidates=3", beam), ==, 0);
}

/* Both are asked for: one warning that names them, then the beam. */
static void
test_beam_and_candidates (void)
{
  Fixture f = fixture_new (GROUNDED "beam-size=2 candidates=3", FALSE);

  for (guint i = 0; i < 3; i++) {
    const GstUpiCaption *captions;
    GstBuffer *buffer = pass (&f, i, &captions);

    g_assert_cmpuint (captions[0].flags, ==, GST_UPI_CAPTION_NONE);
    gst_buffer_unref (buffer);
  }
  g_autofree gchar *warning = stream_message (f.stream, GST_MESSAGE_WARNING);
  g_assert_nonnull (strstr (warning, "beam-size=2"));
  g_assert_nonnull (strstr (warning, "candidates=3"));
  fixture_free (&f); /* no second one */
}

/* Both properties may change while playing; the next caption follows. */
static void
test_changed_while_playing (void)
{
  Fixture f = fixture_new (GROUNDED, FALSE);

  for (guint i = 0; i < 4; i++) {
    const UpiCaptionOptions expected = { .grounded = i % 2 == 0, .candidates = i };
    const GstUpiCaption *captions;

    g_object_set (f.caption, "grounded", expected.grounded, "candidates", expected.candidates, NULL);
    GstBuffer *buffer = pass (&f, i, &captions);
    g_autoptr (UpiCaption) said = ask (buffer, expected);
    g_assert_cmpstr (captions[0].text, ==, said->texts[0].text);
    g_assert_cmpint ((captions[0].flags & GST_UPI_CAPTION_GROUNDED) != 0, ==, expected.grounded);
    gst_buffer_unref (buffer);
  }
  fixture_free (&f);
}

/* A caption stays, with its regions, on frames that start none, and when its engine is gone. */
static void
test_stays (void)
{
  Fixture f = fixture_new (
      "upiencoder model=grounded device=cpu threads=1 policy=block ! upicaption name=c interval=4000000000 ! identity",
      FALSE);
  GPtrArray *buffers = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  const GstUpiCaption *captions[4];

  for (guint i = 0; i < 4; i++)
    g_ptr_array_add (buffers, pass (&f, i, &captions[i]));
  fixture_free (&f);
  for (guint i = 1; i < 4; i++) {
    g_assert_cmpstr (captions[i]->text, ==, captions[0]->text);
    g_assert_cmpuint (captions[i]->flags, ==, GST_UPI_CAPTION_GROUNDED);
    g_assert_cmpuint (captions[i]->n_regions, ==, captions[0]->n_regions);
    for (guint k = 0; k < captions[0]->n_regions; k++) {
      g_assert_cmpstr (captions[i]->regions[k].label, ==, captions[0]->regions[k].label);
      g_assert_cmpfloat (captions[i]->regions[k].x, ==, captions[0]->regions[k].x);
    }
  }
  g_ptr_array_unref (buffers);
}

static void
push_with (Stream *s, guint number, GstUpiContent *content)
{
  GstBuffer *buffer = frame_new ("RGB", 64, 48, number);

  gst_buffer_add_upi_meta (buffer, content);
  g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
}

/* (transfer full) */
static JsonArray *
words_of (const gchar *line)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();

  json_parser_load_from_data (parser, line, -1, &error);
  g_assert_no_error (error);
  return json_array_ref (
      json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "caption_words"));
}

/* Words with their regions, by characters where the meta counts bytes, whatever bytes there are. */
static void
test_caption_words (void)
{
  g_autofree gchar *path = NULL;
  gint fd = g_file_open_tmp ("words-XXXXXX.jsonl", &path, NULL);
  g_autofree gchar *description = g_strdup_printf ("upijson location=%s", path);
  Stream *s = stream_new (description, FALSE);
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  const GstUpiCaptionRegion regions[] = {
    { .first = 7, .bytes = 12, .label = "person", .score = 0.75f, .x = 0.125f, .width = 0.5f },
    { .first = 7, .bytes = 12, .label = "skate\"board", .score = 0.25f, .region = 3 },
    { .first = 20, .bytes = 99, .label = NULL, .score = (gfloat) NAN },
  };
  const GstUpiCaption captions[] = {
    { .text = "a cat", .regions = regions, .n_regions = 3 },
    { .text = "\xc3\xa9t\xc3\xa9: skateboarder\ncat",
        .flags = GST_UPI_CAPTION_GROUNDED,
        .regions = regions,
        .n_regions = 3 },
  };
  g_autoptr (GstUpiContent) without = gst_upi_content_set_captions (empty, captions, 1);
  g_autoptr (GstUpiContent) with = gst_upi_content_set_captions (empty, captions, 2);

  stream_format (s, "RGB", 64, 48);
  push_with (s, 0, empty);
  push_with (s, 1, with);
  push_with (s, 2, without); /* ranges that lie beyond the text are cut */
  for (guint i = 0; i < 3; i++)
    gst_buffer_unref (stream_pull (s));
  g_autofree gchar *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 4);
  g_autoptr (JsonArray) none = words_of (lines[0]), words = words_of (lines[1]), cut = words_of (lines[2]);
  g_assert_cmpuint (json_array_get_length (none), ==, 0);
  /* three regions of the same no word */
  g_assert_cmpuint (json_array_get_length (cut), ==, 1);

  g_assert_cmpuint (json_array_get_length (words), ==, 2);
  JsonObject *word = json_array_get_object_element (words, 0);
  g_assert_cmpstr (json_object_get_string_member (word, "word"), ==, "skateboarder");
  g_assert_cmpint (json_object_get_int_member (word, "first"), ==, 5);
  JsonArray *shown = json_object_get_array_member (word, "regions");
  g_assert_cmpuint (json_array_get_length (shown), ==, 2);
  JsonObject *region = json_array_get_object_element (shown, 0);
  g_assert_cmpstr (json_object_get_string_member (region, "label"), ==, "person");
  g_assert_cmpfloat (json_object_get_double_member (region, "score"), ==, 0.75);
  g_assert_cmpfloat (json_array_get_double_element (json_object_get_array_member (region, "box"), 2), ==, 0.5);
  g_assert_cmpstr (
      json_object_get_string_member (json_array_get_object_element (shown, 1), "label"), ==, "skate\"board");
  word = json_array_get_object_element (words, 1);
  g_assert_cmpstr (json_object_get_string_member (word, "word"), ==, "cat");
  g_assert_cmpint (json_object_get_int_member (word, "first"), ==, 18);
  g_assert_true (json_object_get_null_member (
      json_array_get_object_element (json_object_get_array_member (word, "regions"), 0), "score"));
  stream_free (s);
  g_close (fd, NULL);
  g_unlink (path);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/caption-grounded/default", test_default);
  g_test_add_func ("/caption-grounded/candidates", test_candidates);
  g_test_add_func ("/caption-grounded/switched-off", test_switched_off);
  g_test_add_func ("/caption-grounded/without-table", test_without_table);
  g_test_add_func ("/caption-grounded/beam", test_beam);
  g_test_add_func ("/caption-grounded/beam-and-candidates", test_beam_and_candidates);
  g_test_add_func ("/caption-grounded/changed-while-playing", test_changed_while_playing);
  g_test_add_func ("/caption-grounded/stays", test_stays);
  g_test_add_func ("/caption-grounded/json", test_caption_words);
  int status = g_test_run ();
  gst_deinit ();
  return status;
}
