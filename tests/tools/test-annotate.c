/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-annotate on pictures made here: files, folders, clips and COCO files in; results that COCO's tools would read
 * out. */
#include "core/model/model.h"
#include "core/upi.h"
#include "tests/tiny-config.h"
#include "tools/annotate-rle.h"

#include <glib/gstdio.h>
#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

static gchar *directory; /* model, pictures and results, for this process */

static gchar *
in_directory (const gchar *name)
{
  return g_build_filename (directory, name, NULL);
}

static void
make (const gchar *name, const gchar *description)
{
  g_autofree gchar *path = in_directory (name);
  g_autofree gchar *line = g_strdup_printf ("%s ! filesink location=%s", description, path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (line, &error);
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  g_assert_no_error (error);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

/* Runs the program in the directory; gives its status and what it said. */
static gint
run (gchar **said, const gchar *arguments)
{
  g_autofree gchar *line = g_strdup_printf ("%s -m ./model -d cpu -j 2 %s", g_getenv ("UPI_TEST_ANNOTATE"), arguments);
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) error = NULL;
  gint status;

  g_assert_true (g_shell_parse_argv (line, NULL, &argv, NULL));
  g_spawn_sync (directory, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, said, &status, &error);
  g_assert_no_error (error);
  return status;
}

static JsonArray *
read_list (const gchar *name)
{
  g_autofree gchar *path = in_directory (name);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  return json_array_ref (json_node_get_array (json_parser_get_root (parser)));
}

/* pycocotools' rleFrString */
static GArray *
read_counts (const gchar *text)
{
  GArray *counts = g_array_new (FALSE, FALSE, sizeof (gint64));

  while (*text) {
    gint64 x = 0;
    guint shift = 0;
    gint bits;

    do {
      bits = *text++ - 48;
      x |= (gint64) (bits & 0x1f) << shift;
      shift += 5;
    } while (bits & 0x20);
    if (bits & 0x10)
      x |= (gint64) (~(guint64) 0 << shift);
    if (counts->len > 2)
      x += g_array_index (counts, gint64, counts->len - 2);
    g_array_append_val (counts, x);
  }
  return counts;
}

static void
check_object (JsonObject *object, gint width, gint height)
{
  JsonArray *box = json_object_get_array_member (object, "bbox");
  JsonObject *mask = json_object_get_object_member (object, "segmentation");
  JsonArray *size = json_object_get_array_member (mask, "size");
  g_autoptr (GArray) counts = read_counts (json_object_get_string_member (mask, "counts"));
  gint64 sum = 0, area = 0;

  for (guint i = 0; i < counts->len; i++) {
    gint64 count = g_array_index (counts, gint64, i);

    g_assert_cmpint (count, >=, i == 0 ? 0 : 1);
    sum += count;
    area += i % 2 ? count : 0;
  }
  g_assert_cmpint (json_array_get_int_element (size, 0), ==, height);
  g_assert_cmpint (json_array_get_int_element (size, 1), ==, width);
  g_assert_cmpint (sum, ==, width * height);
  g_assert_cmpint (area, ==, json_object_get_int_member (object, "area"));
  g_assert_cmpfloat (json_array_get_double_element (box, 0) + json_array_get_double_element (box, 2), <=, width + 0.02);
  g_assert_cmpfloat (
      json_array_get_double_element (box, 1) + json_array_get_double_element (box, 3), <=, height + 0.02);
  g_assert_cmpfloat (json_object_get_double_member (object, "score"), >, 0);
}

static void
test_picture (void)
{
  g_autoptr (JsonArray) objects = NULL;
  g_autoptr (JsonArray) captions = NULL;

  g_assert_cmpint (
      run (NULL, "-t 0 --iou-threshold 1 --cross-label-iou 1 -o objects.json --captions captions.json a.png"), ==, 0);
  objects = read_list ("objects.json");
  captions = read_list ("captions.json");
  g_assert_cmpuint (json_array_get_length (objects), ==, 10); /* the model's regions, one class each */
  for (guint i = 0; i < 10; i++) {
    JsonObject *object = json_array_get_object_element (objects, i);

    g_assert_cmpint (json_object_get_int_member (object, "image_id"), ==, 1);
    g_assert_cmpstr (json_object_get_string_member (object, "file_name"), ==, "a.png");
    g_assert_cmpint (json_object_get_int_member (object, "category_id"), <=, 3);
    check_object (object, 100, 70);
  }
  g_assert_cmpuint (json_array_get_length (captions), ==, 1);
  g_assert_nonnull (json_object_get_string_member (json_array_get_object_element (captions, 0), "caption"));
}

static void
test_folder_and_clip (void)
{
  g_autoptr (JsonArray) captions = NULL;
  gint last = 0;

  /* a.png, b.jpg, then 12 frames of the clip, every third; the text file is passed over */
  g_assert_cmpint (run (NULL, "--no-objects --captions captions.json --interval 3 folder clip.avi"), ==, 0);
  captions = read_list ("captions.json");
  g_assert_cmpuint (json_array_get_length (captions), ==, 2 + 4);
  for (guint i = 0; i < 6; i++) {
    JsonObject *caption = json_array_get_object_element (captions, i);

    g_assert_cmpint (json_object_get_int_member (caption, "image_id"), ==, ++last);
    g_assert_true (json_object_has_member (caption, "time") == (i >= 2));
    if (i >= 2)
      g_assert_cmpfloat_with_epsilon (json_object_get_double_member (caption, "time"), (i - 2) * 0.3, 0.002);
  }
  g_assert_true (g_str_has_suffix (
      json_object_get_string_member (json_array_get_object_element (captions, 1), "file_name"), "b.jpg"));
}

/* A clip with B-frames: its first PTS is 200 ms, and is where the clip begins. */
static void
test_times_of_clip (void)
{
  g_autoptr (GstElementFactory) encoder = gst_element_factory_find ("x264enc");
  g_autoptr (GstElementFactory) decoder = gst_element_factory_find ("avdec_h264");
  g_autoptr (JsonArray) captions = NULL;

  if (encoder == NULL || decoder == NULL) {
    g_test_skip ("no x264enc or no avdec_h264 on this system");
    return;
  }
  make ("late.mp4",
      "videotestsrc num-buffers=6 ! video/x-raw,format=I420,width=64,height=48,framerate=10/1 ! x264enc bframes=3 "
      "b-adapt=false ! "
      "h264parse "
      "! mp4mux");
  g_assert_cmpint (run (NULL, "--no-objects --captions late.json late.mp4"), ==, 0);
  captions = read_list ("late.json");
  g_assert_cmpuint (json_array_get_length (captions), ==, 6);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpfloat_with_epsilon (
        json_object_get_double_member (json_array_get_object_element (captions, i), "time"), i * 0.1, 0.002);
}

static void
test_coco (void)
{
  static const gchar coco[] =
      "{\"images\":[{\"id\":70,\"file_name\":\"a.png\"},{\"id\":9,\"file_name\":\"folder/b.jpg\"}],"
      "\"categories\":[{\"id\":44,\"name\":\"cat\"},{\"id\":7,\"name\":\"red car\"}]}";
  g_autofree gchar *path = in_directory ("coco.json");
  g_autoptr (JsonArray) objects = NULL;
  guint first = 0, of_44 = 0;

  g_assert_true (g_file_set_contents (path, coco, -1, NULL));
  g_assert_cmpint (run (NULL, "--coco coco.json -t 0 -o objects.json"), ==, 0);
  objects = read_list ("objects.json");
  g_assert_cmpuint (
      json_array_get_length (objects), ==, 2 * 10 * 2); /* every pair of region and category, no suppression */
  for (guint i = 0; i < json_array_get_length (objects); i++) {
    JsonObject *object = json_array_get_object_element (objects, i);
    gint64 id = json_object_get_int_member (object, "image_id"),
           category = json_object_get_int_member (object, "category_id");

    g_assert_true (id == 70 || id == 9);
    g_assert_true (category == 44 || category == 7);
    g_assert_false (json_object_has_member (object, "file_name"));
    check_object (object, id == 70 ? 100 : 64, id == 70 ? 70 : 90);
    first += id == 70;
    of_44 += category == 44;
  }
  g_assert_cmpuint (first, ==, 20);
  g_assert_cmpuint (of_44, ==, 20);
}

static void
test_lines (void)
{
  g_autofree gchar *texts = in_directory ("texts.txt"), *path = in_directory ("embeddings.jsonl"),
                   *classes = in_directory ("classes.jsonl");
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_set_contents (texts, "a cat\n\n  the \"red\" car\n", -1, NULL));
  g_assert_cmpint (
      run (NULL, "--no-objects --classify classes.jsonl --embed embeddings.jsonl --texts texts.txt a.png"), ==, 0);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 4); /* two texts, a picture, nothing after the last line end */
  for (guint i = 0; i < 3; i++) {
    g_autoptr (JsonNode) node = json_from_string (lines[i], NULL);
    JsonArray *embedding = json_object_get_array_member (json_node_get_object (node), "embedding");
    gdouble sum = 0;

    if (i == 1)
      g_assert_cmpstr (json_object_get_string_member (json_node_get_object (node), "text"), ==, "the \"red\" car");
    g_assert_cmpuint (json_array_get_length (embedding), ==, 48);
    for (guint j = 0; j < 48; j++)
      sum += pow (json_array_get_double_element (embedding, j), 2);
    g_assert_cmpfloat_with_epsilon (sum, 1, 1e-3);
  }
  g_free (text);
  g_assert_true (g_file_get_contents (classes, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "\"classes\":[{\"label\":"));
}

static void
write_file (const gchar *name, const gchar *text)
{
  g_autofree gchar *path = in_directory (name);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
test_errors (void)
{
  static const gchar *const cases[][2] = {
    { "", "nothing to read" },
    { "--coco coco.json a.png", "leave out the others" },
    { "--coco missing.json", "missing.json" },
    { "--coco texts.txt", "texts.txt: is not JSON" },
    { "--coco list.json", "list.json: holds no JSON object, expected an object with the lists \"images\"" },
    { "--coco other.json", "other.json is not a COCO file: expected an object with the lists \"images\"" },
    { "--coco pair.json", "pair.json: is not JSON: found \\u0041 at byte 39 (line 1), expected the second half" },
    { "--coco octal.json", "octal.json: is not JSON: found '3' at byte 34 (line 1), expected one of" },
    { "--coco deep.json", "deep.json: brackets nest 33 deep" },
    { "--labels a --labels-file b a.png", "give one" },
    { "--labels , a.png", "label list is empty" },
    { "--image-size 100x100 a.png", "100x100" },
    { "-m nowhere a.png", "nowhere" },
    { "-d toaster a.png", "toaster" },
    { "-o /nowhere/x.json a.png", "/nowhere/x.json" },
    { "-o objects.json missing.png", "missing.png" },
    { "-o objects.json note.txt", "note.txt" },
    { "--max-objects 0 a.png", "--max-objects" },
    { "--threshold 7 a.png", "--threshold" },
    { "--captions x.json --beam-size 17 a.png", "--beam-size" },
    { "--captions x.json --beam-size 2 --length-penalty=-1 a.png", "--length-penalty" },
    { "--captions x.json --candidates 33 a.png", "--candidates is up to 32" },
    { "--captions x.json --greedy --candidates 2 a.png", "--greedy" },
    { "--captions x.json --greedy --grounded a.png", "--greedy" },
    { "--captions x.json --beam-size 2 --grounded a.png", "--beam-size" },
    { "--no-such-option a.png", "--no-such-option" },
  };

  write_file ("list.json", "[]");
  write_file ("other.json", "{\"images\":[]}");
  write_file ("pair.json", "{\"images\":[{\"id\":70,\"file_name\":\"\\ud83d\\u0041\"}],\"categories\":[]}");
  write_file ("octal.json", "{\"images\":[{\"id\":70,\"file_name\":\"\\377\"}],\"categories\":[]}");
  g_autofree gchar *open = g_strnfill (100, '['), *closed = g_strnfill (100, ']');
  g_autofree gchar *deep = g_strconcat ("{\"images\":", open, closed, "}", NULL);
  write_file ("deep.json", deep);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *said = NULL;

    g_assert_cmpint (run (&said, cases[i][0]), !=, 0);
    if (strstr (said, cases[i][1]) == NULL)
      g_error ("\"%s\": expected to hear of \"%s\", heard \"%s\"", cases[i][0], cases[i][1], said);
  }
}

static guint
count_words (const gchar *name, gboolean *grounded)
{
  g_autoptr (JsonArray) captions = read_list (name);
  guint n = 0;

  for (guint i = 0; i < json_array_get_length (captions); i++) {
    JsonObject *caption = json_array_get_object_element (captions, i);
    const gchar *text = json_object_get_string_member (caption, "caption");
    JsonArray *words;

    *grounded = json_object_has_member (caption, "words");
    if (!*grounded)
      continue;
    words = json_object_get_array_member (caption, "words");
    for (guint w = 0; w < json_array_get_length (words); w++, n++) {
      JsonObject *word = json_array_get_object_element (words, w), *region;
      JsonArray *regions = json_object_get_array_member (word, "regions");

      g_assert_true (g_str_has_prefix (g_utf8_offset_to_pointer (text, json_object_get_int_member (word, "first")),
          json_object_get_string_member (word, "word")));
      g_assert_cmpuint (
          json_array_get_length (regions), ==, 2); /* the word that the model says often needs two things */
      region = json_array_get_object_element (regions, 0);
      g_assert_cmpstr (json_object_get_string_member (region, "category"), ==, "person");
      g_assert_cmpuint (json_array_get_length (json_object_get_array_member (region, "bbox")), ==, 4);
      g_assert_cmpfloat (json_object_get_double_member (region, "score"), <=, 1);
    }
  }
  return n;
}

/* Grounded unless it is told otherwise, where the model can. */
static void
test_grounded (void)
{
  static const struct {
    const gchar *options;
    gboolean grounded;
  } rows[] = {
    { "-m ./grounded", TRUE },
    { "-m ./grounded --grounded --candidates 4", TRUE },
    { "-m ./grounded --greedy", FALSE },
    { "-m ./grounded --beam-size 2", FALSE },
    { "--grounded", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree gchar *arguments =
        g_strdup_printf ("%s --no-objects --captions captions.json --interval 2 clip.avi", rows[i].options);
    g_autofree gchar *said = NULL;
    gboolean grounded = FALSE;
    guint n;

    g_assert_cmpint (run (&said, arguments), ==, 0);
    g_assert_cmpint (strstr (said, "has no grounded captions") != NULL, ==, i == 4);
    n = count_words ("captions.json", &grounded);
    g_assert_cmpint (grounded, ==, rows[i].grounded);
    g_assert_true (!grounded || n > 0);
  }
}

/* A broken file does not keep the others from being done. */
static void
test_broken_file (void)
{
  g_autoptr (JsonArray) captions = NULL;
  g_autofree gchar *said = NULL;

  g_assert_cmpint (run (&said, "--no-objects --captions captions.json a.png note.txt a.png"), !=, 0);
  captions = read_list ("captions.json");
  g_assert_cmpuint (json_array_get_length (captions), ==, 2);
  g_assert_nonnull (strstr (said, "note.txt"));
}

/* A mask that is all on fills its box exactly; all off, nothing; runs are column by column. */
static void
test_rle (void)
{
  UpiMask *mask = upi_mask_new (5, 3);
  UpiObject object = { .x = 0.2f, .y = 0.25f, .width = 0.5f, .height = 0.5f, .mask = mask };
  guint64 area;
  g_autofree gchar *off = NULL;
  g_autofree gchar *on = NULL;
  g_autoptr (GArray) counts = NULL;
  const gint64 expected[] = { 2 * 8 + 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3 * 8 + 2 };

  mask->x = 0.2f;
  mask->y = 0.25f;
  mask->width = mask->height = 0.5f;
  off = annotate_rle (&object, 10, 8, &area);
  g_assert_cmpuint (area, ==, 0);
  counts = read_counts (off);
  g_assert_cmpuint (counts->len, ==, 1);
  g_assert_cmpint (g_array_index (counts, gint64, 0), ==, 80);
  g_array_unref (counts);
  memset (mask->data, 255, 15);
  on = annotate_rle (&object, 10, 8, &area);
  g_assert_cmpuint (area, ==, 20);
  counts = read_counts (on);
  g_assert_cmpmem (counts->data, counts->len * sizeof (gint64), expected, sizeof expected);
  upi_mask_unref (mask);
}

static void
remove_all (const gchar *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const gchar *name;

  while (folder != NULL && (name = g_dir_read_name (folder))) {
    g_autofree gchar *inside = g_build_filename (path, name, NULL);

    remove_all (inside);
  }
  g_remove (path);
}

int
main (int argc, char *argv[])
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *model = NULL, *grounded = NULL, *folder = NULL, *note = NULL, *inside = NULL;
  gint result;

  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  directory = g_dir_make_tmp ("upi-annotate-XXXXXX", &error);
  g_assert_no_error (error);
  model = in_directory ("model");
  folder = in_directory ("folder");
  note = in_directory ("note.txt");
  inside = in_directory ("folder/note.txt");
  g_mkdir (model, 0700);
  g_mkdir (folder, 0700);
  upi_model_write_random (model, UPI_TINY_CONFIG, 5, &error);
  g_assert_no_error (error);
  grounded = in_directory ("grounded");
  g_mkdir (grounded, 0700);
  upi_model_write_random (grounded, UPI_TINY_GROUNDED_CONFIG, 7, &error);
  g_assert_no_error (error);
  g_assert_true (
      g_file_set_contents (note, "not a picture\n", -1, NULL) && g_file_set_contents (inside, "neither\n", -1, NULL));
  make ("a.png", "videotestsrc num-buffers=1 ! video/x-raw,format=RGB,width=100,height=70 ! pngenc");
  make (
      "folder/a.png", "videotestsrc num-buffers=1 pattern=ball ! video/x-raw,format=RGB,width=100,height=70 ! pngenc");
  make ("folder/b.jpg", "videotestsrc num-buffers=1 pattern=snow ! video/x-raw,width=64,height=90 ! jpegenc");
  make ("clip.avi", "videotestsrc num-buffers=12 ! video/x-raw,width=64,height=48,framerate=10/1 ! jpegenc ! avimux");

  g_test_add_func ("/annotate/picture", test_picture);
  g_test_add_func ("/annotate/folder-and-clip", test_folder_and_clip);
  g_test_add_func ("/annotate/times-of-clip", test_times_of_clip);
  g_test_add_func ("/annotate/coco", test_coco);
  g_test_add_func ("/annotate/classes-and-embeddings", test_lines);
  g_test_add_func ("/annotate/errors-say-what", test_errors);
  g_test_add_func ("/annotate/grounded", test_grounded);
  g_test_add_func ("/annotate/broken-file", test_broken_file);
  g_test_add_func ("/annotate/run-lengths", test_rle);
  result = g_test_run ();
  remove_all (directory);
  g_free (directory);
  return result;
}
