/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-errors.c: whatever a user or a stream gets wrong with upiencoder ends in one message that names it. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include <glib/gstdio.h>

#include "tests/gst/stream.h"

#define BLOCK "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 "
#define LATEST "upiencoder name=e model=tiny device=cpu threads=1 policy=latest max-in-flight=16 "

/* Takes @settings to PAUSED, which must fail; the text of its one error. */
static gchar *
open_error (const gchar *settings)
{
  g_autofree gchar *description = g_strdup_printf ("upiencoder %s", settings);
  g_autoptr (GError) error = NULL;
  GstElement *element = gst_parse_launch (description, &error);
  g_assert_no_error (error);
  GstBus *bus = gst_bus_new ();

  gst_object_ref_sink (element);
  gst_element_set_bus (element, bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  gst_message_parse_error (message, &error, NULL);
  gst_message_unref (message);
  g_assert_null (gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
  return g_strdup (error->message);
}

static void
assert_names (const gchar *text, const gchar *what)
{
  if (strstr (text, what) == NULL)
    g_error ("\"%s\" is not named in: %s", what, text);
}

/* A copy of the tiny model's directory, to be damaged. */
static gchar *
copy_model (void)
{
  g_autoptr (GError) error = NULL;
  gchar *copy = g_dir_make_tmp ("upi-model-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree gchar *source = g_build_filename (g_getenv ("UPI_MODEL_PATH"), "tiny", NULL);
  g_autoptr (GDir) dir = g_dir_open (source, 0, &error);
  g_assert_no_error (error);
  for (const gchar *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree gchar *from = g_build_filename (source, name, NULL), *to = g_build_filename (copy, name, NULL),
                     *bytes = NULL;
    gsize size;
    g_assert_true (g_file_get_contents (from, &bytes, &size, NULL));
    g_assert_true (g_file_set_contents (to, bytes, (gssize) size, NULL));
  }
  return copy;
}

static void
remove_model (const gchar *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  for (const gchar *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);
    g_unlink (file);
  }
  g_rmdir (path);
}

/* Replaces @from by @to, of the same length when it is inside the weights. */
static void
patch_file (const gchar *directory, const gchar *name, const gchar *from, const gchar *to, gssize keep)
{
  g_autofree gchar *path = g_build_filename (directory, name, NULL), *bytes = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  if (from != NULL) {
    gchar *found = memmem (bytes, size, from, strlen (from));
    g_assert_nonnull (found);
    g_assert_cmpuint (strlen (from), ==, strlen (to));
    memcpy (found, to, strlen (to));
  }
  g_assert_true (g_file_set_contents (path, bytes, keep >= 0 ? keep : (gssize) size, NULL));
}

static void
test_model_missing (void)
{
  g_autofree gchar *text = open_error ("model=/nowhere/at/all");
  assert_names (text, "/nowhere/at/all");
  g_autofree gchar *named = open_error ("model=nobody");
  assert_names (named, "nobody");
}

static void
test_model_truncated (void)
{
  g_autofree gchar *copy = copy_model (), *settings = g_strdup_printf ("model=%s", copy);
  patch_file (copy, "model.safetensors", NULL, NULL, 5000);
  g_autofree gchar *text = open_error (settings);
  assert_names (text, "model.safetensors");
  remove_model (copy);
}

static void
test_model_of_another_version (void)
{
  g_autofree gchar *copy = copy_model (), *settings = g_strdup_printf ("model=%s", copy);
  patch_file (copy, "config.json", "\"format_version\": 1", "\"format_version\": 9", -1);
  g_autofree gchar *text = open_error (settings);
  assert_names (text, "9");
  assert_names (text, "version");
  remove_model (copy);
}

/* The tensor that is missing and the one that nobody asked for are both named. */
static void
test_model_with_foreign_tensors (void)
{
  g_autofree gchar *copy = copy_model (), *settings = g_strdup_printf ("model=%s", copy);
  patch_file (copy, "model.safetensors", "proposals.box.bias", "proposals.fox.bias", -1);
  g_autofree gchar *text = open_error (settings);
  assert_names (text, "proposals.box.bias");
  assert_names (text, "proposals.fox.bias");
  remove_model (copy);
}

static void
test_device (void)
{
  g_autofree gchar *text = open_error ("model=tiny device=abacus");
  assert_names (text, "abacus");
  g_autofree gchar *cuda = open_error ("model=tiny device=cuda:77"); /* no machine has so many */
  assert_names (cuda, "cuda:77");
}

static void
test_input_size (void)
{
  static const gchar *wrong[] = { "65x64", "64", "64x64x64", "nonsense", "-64x64", "0x0" };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree gchar *settings = g_strdup_printf ("model=tiny device=cpu input-size=%s", wrong[i]);
    g_autofree gchar *text = open_error (settings);
    assert_names (text, wrong[i]);
    assert_names (text, "96x64"); /* what is possible */
  }
}

/* The second opener of an engine cannot have it with other threads: it works all the same, with a warning. */
static void
test_shared_engine_conflict (void)
{
  Stream *first = stream_new ("upiencoder name=e model=tiny device=cpu threads=1 model-instance-id=conflict", FALSE);
  Stream *second = stream_new ("upiencoder name=e model=tiny device=cpu threads=2 model-instance-id=conflict", FALSE);
  g_autofree gchar *text = stream_message (second, GST_MESSAGE_WARNING);
  assert_names (text, "workers");
  stream_free (second);
  stream_free (first);
}

static void
test_fixed_properties_while_playing (void)
{
  static const struct {
    const gchar *name, *value, *kept;
  } cases[] = { { "model", "other", "tiny" }, { "device", "cuda", "cpu" }, { "threads", "7", "1" },
    { "batch-size", "4", "1" }, { "threads-per-frame", "2", "1" }, { "batch-timeout", "5", "0" },
    { "model-instance-id", "other", "fixed" }, { "input-size", "96x64", "auto" } };
  Stream *s = stream_new (BLOCK "model-instance-id=fixed", FALSE);
  g_autoptr (GstElement) encoder = stream_get (s, "e");

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GValue value = G_VALUE_INIT, text = G_VALUE_INIT;
    gst_util_set_object_arg (G_OBJECT (encoder), cases[i].name, cases[i].value);
    g_autofree gchar *warning = stream_peek_message (s, GST_MESSAGE_WARNING);
    g_assert_nonnull (warning);
    assert_names (warning, cases[i].name);
    GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (encoder), cases[i].name);
    g_value_init (&value, spec->value_type);
    g_value_init (&text, G_TYPE_STRING);
    g_object_get_property (G_OBJECT (encoder), cases[i].name, &value);
    g_assert_true (g_value_transform (&value, &text));
    g_assert_cmpstr (g_value_get_string (&text), ==, cases[i].kept);
    g_value_unset (&value);
    g_value_unset (&text);
    gst_util_set_object_arg (G_OBJECT (encoder), cases[i].name, cases[i].kept); /* no change, no warning */
  }
  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  stream_free (s);
}

static void
assert_stats (Stream *s, guint64 encoded, guint64 failed)
{
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  g_autoptr (GstStructure) stats = NULL;
  guint64 got_encoded = 0, got_failed = 0;

  g_object_get (encoder, "stats", &stats, NULL);
  gst_structure_get (stats, "encoded", G_TYPE_UINT64, &got_encoded, "failed", G_TYPE_UINT64, &got_failed, NULL);
  g_assert_cmpuint (got_encoded, ==, encoded);
  g_assert_cmpuint (got_failed, ==, failed);
}

/* Too small for its caps; a GstVideoMeta of another size or format; strides and offsets beyond the memory; no
 * memory. */
static GstBuffer *
broken_frame (guint kind)
{
  GstBuffer *buffer = kind == 0 ? gst_buffer_new_allocate (NULL, 100, NULL)
      : kind == 5               ? gst_buffer_new ()
                                : frame_new ("I420", 64, 48, kind);
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0, 64 * 48, 64 * 48 + 32 * 24 };
  gint stride[GST_VIDEO_MAX_PLANES] = { 64, 32, 32 };

  switch (kind) {
  case 1:
    gst_buffer_add_video_meta_full (buffer, 0, GST_VIDEO_FORMAT_I420, 32, 48, 3, offset, stride);
    break;
  case 2:
    gst_buffer_add_video_meta_full (buffer, 0, GST_VIDEO_FORMAT_NV12, 64, 48, 2, offset, stride);
    break;
  case 3:
    stride[0] = 4096;
    gst_buffer_add_video_meta_full (buffer, 0, GST_VIDEO_FORMAT_I420, 64, 48, 3, offset, stride);
    break;
  case 4:
    offset[2] = 64 * 48 + 2 * 32 * 24 - 8;
    gst_buffer_add_video_meta_full (buffer, 0, GST_VIDEO_FORMAT_I420, 64, 48, 3, offset, stride);
    break;
  case 6:
    stride[0] = -64; /* reaches before its memory */
    gst_buffer_add_video_meta_full (buffer, 0, GST_VIDEO_FORMAT_I420, 64, 48, 3, offset, stride);
    break;
  default:
    break;
  }
  GST_BUFFER_PTS (buffer) = kind * 40 * GST_MSECOND;
  return buffer;
}

/* They pass without a result, are counted, and warned of once. */
static void
test_broken_frames (gconstpointer description)
{
  Stream *s = stream_new (description, FALSE);

  stream_format (s, "I420", 64, 48);
  for (guint kind = 0; kind < 7; kind++) {
    g_assert_cmpint (gst_harness_push (s->harness, broken_frame (kind)), ==, GST_FLOW_OK);
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_number (buffer), ==, (gint) kind);
    g_assert_cmpint (frame_inferred (buffer), ==, -1);
    gst_buffer_unref (buffer);
  }
  g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
  assert_names (warning, "100 bytes");
  assert_stats (s, 0, 7);
  g_autoptr (GstElement) encoder = stream_get (s, "e");
  gst_util_set_object_arg (G_OBJECT (encoder), "policy", "block");
  stream_push (s, 7);
  GstBuffer *buffer = stream_pull (s);
  g_assert_cmpint (frame_inferred (buffer), ==, 7);
  gst_buffer_unref (buffer);
  stream_free (s);
}

static void
test_inference_fails_block (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (BLOCK, FALSE);
  GstFlowReturn ret = GST_FLOW_OK;

  stream_format (s, "RGB", 64, 64);
  stream_push (s, 0);
  gst_buffer_unref (stream_pull (s));
  upi_engine_fail_inference (engine, 1);
  g_assert_cmpint (stream_push (s, 1), ==, GST_FLOW_OK);
  g_autofree gchar *error = stream_message (s, GST_MESSAGE_ERROR);
  assert_names (error, "inference failed");
  for (guint i = 2; ret == GST_FLOW_OK; i++)
    ret = stream_push (s, i);
  g_assert_cmpint (ret, ==, GST_FLOW_ERROR);
  g_assert_cmpuint (gst_harness_buffers_in_queue (s->harness), ==, 0);
  stream_free (s);
}

static void
test_inference_fails_latest (void)
{
  g_autoptr (UpiEngine) engine = test_engine (NULL, 1);
  Stream *s = stream_new (LATEST, FALSE);

  stream_format (s, "RGB", 64, 64);
  for (guint i = 0; i < 4; i++) {
    if (i > 0)
      upi_engine_fail_inference (engine, 1);
    stream_push (s, i);
    test_engine_drain (engine); /* when the frame's own inference was the one that failed, this one succeeds */
    gst_buffer_unref (stream_pull (s));
  }
  stream_push (s, 4);
  test_engine_drain (engine);
  stream_push (s, 5);
  for (guint i = 4; i < 6; i++) {
    GstBuffer *buffer = stream_pull (s);
    g_assert_cmpint (frame_inferred (buffer), >=, 0);
    gst_buffer_unref (buffer);
  }
  test_engine_drain (engine);
  g_free (stream_message (s, GST_MESSAGE_WARNING)); /* one for three failures */
  assert_stats (s, 3, 3);
  stream_free (s);
}

static void
test_no_caps (void)
{
  GstElement *encoder = gst_element_factory_make ("upiencoder", NULL);
  GstPad *src = gst_pad_new ("src", GST_PAD_SRC), *sink = gst_element_get_static_pad (encoder, "sink");
  GstBus *bus = gst_bus_new ();
  GstSegment segment;

  gst_object_ref_sink (encoder);
  gst_element_set_bus (encoder, bus);
  gst_util_set_object_arg (G_OBJECT (encoder), "model", "tiny");
  gst_pad_set_active (src, TRUE);
  g_assert_cmpint (gst_pad_link (src, sink), ==, GST_PAD_LINK_OK);
  g_assert_cmpint (gst_element_set_state (encoder, GST_STATE_PLAYING), ==, GST_STATE_CHANGE_SUCCESS);
  gst_pad_push_event (src, gst_event_new_stream_start ("s"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (src, gst_event_new_segment (&segment));
  g_assert_cmpint (gst_pad_push (src, gst_buffer_new_allocate (NULL, 100, NULL)), ==, GST_FLOW_NOT_NEGOTIATED);
  GstMessage *message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  gst_message_unref (message);
  gst_element_set_state (encoder, GST_STATE_NULL);
  gst_element_set_bus (encoder, NULL);
  gst_object_unref (bus);
  gst_object_unref (sink);
  gst_object_unref (src);
  gst_object_unref (encoder);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder/model-missing", test_model_missing);
  g_test_add_func ("/encoder/model-truncated", test_model_truncated);
  g_test_add_func ("/encoder/model-of-another-version", test_model_of_another_version);
  g_test_add_func ("/encoder/model-with-foreign-tensors", test_model_with_foreign_tensors);
  g_test_add_func ("/encoder/device", test_device);
  g_test_add_func ("/encoder/input-size-unknown", test_input_size);
  g_test_add_func ("/encoder/shared-engine-conflict", test_shared_engine_conflict);
  g_test_add_func ("/encoder/fixed-properties-while-playing", test_fixed_properties_while_playing);
  g_test_add_data_func ("/encoder/broken-frames-block", BLOCK, test_broken_frames);
  g_test_add_data_func ("/encoder/broken-frames-latest", LATEST, test_broken_frames);
  g_test_add_func ("/encoder/inference-fails-block", test_inference_fails_block);
  g_test_add_func ("/encoder/inference-fails-latest", test_inference_fails_latest);
  g_test_add_func ("/encoder/no-caps", test_no_caps);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
