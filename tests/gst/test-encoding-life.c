/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How long frames carry their encoding: as long as somebody downstream reads it, whoever stands between, whenever they
 * come. */
#include <string.h>

#include "tests/gst/stream.h"

#define ENCODER                                                                                                        \
  "upiencoder name=e model=tiny device=cpu threads=1 policy=block max-in-flight=16 model-instance-id=life "
#define SECOND "upiencoder name=second model=tiny device=cpu threads=1 policy=block model-instance-id=life "
#define ALL "threshold=0 max-objects=5 iou-threshold=1 cross-label-iou=1 "

static GstUpiContent *
content_of (GstBuffer *buffer)
{
  return gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer));
}

/* The first frame of @description with nobody behind it: whether it has its encoding, and who dropped it. */
static void
assert_dropper (const gchar *description, const gchar *dropper)
{
  Stream *s = stream_new (description, FALSE);

  g_atomic_int_set (&s->reads, FALSE);
  stream_format (s, "BGRx", 64, 64);
  GstBuffer *buffer = stream_pass (s, 0);
  GstUpiContent *content = content_of (buffer);
  g_assert_true (gst_upi_content_is_encoded (content));
  g_assert_cmpint (frame_inferred (buffer), ==, 0);
  g_assert_true ((gst_upi_content_get_encoding (content) == NULL) == (dropper != NULL));
  g_assert_cmpstr (gst_upi_content_get_dropper (content), ==, dropper);
  gst_buffer_unref (buffer);
  stream_free (s);
}

static void
test_last_reader_drops (void)
{
  assert_dropper (ENCODER, "e");
  assert_dropper (ENCODER "! upidetect name=d", "d");
  assert_dropper (ENCODER "! upidetect name=d ! upicaption name=c", "c");
  assert_dropper (ENCODER "! upidetect name=d ! upioverlay name=o", "d");
  assert_dropper (ENCODER "! upidetect name=d ! queue ! identity ! videoconvert ! upijson location=/dev/null", "d");
  assert_dropper (
      ENCODER "! upioverlay ! queue ! tee ! videoconvert ! upicaption name=c ! upijson location=/dev/null", "c");
}

static void
test_property (void)
{
  assert_dropper (ENCODER "keep-encoding=no", "e");
  assert_dropper (ENCODER "keep-encoding=yes", NULL);
  assert_dropper (ENCODER "! upidetect name=d keep-encoding=yes", NULL);
  /* one that keeps it for an application is a reader to those before it */
  assert_dropper (ENCODER
      "! upidetect name=d ! upicaption name=c ! upijson location=/dev/null ! upioverlay keep-encoding=yes",
      NULL);
  assert_dropper (ENCODER
      "! upidetect name=d ! upijson location=/dev/null name=j keep-encoding=no ! upioverlay keep-encoding=yes",
      "j");
}

/* Of another element's encoding: what leaves upiencoder is its own. */
static void
test_second_encoder (void)
{
  assert_dropper (ENCODER "! upidetect name=d ! " SECOND " ! upidetect name=last", "last");
  Stream *s = stream_new (ENCODER "keep-encoding=auto ! identity name=between ! " SECOND "", FALSE);
  g_autoptr (GstElement) between = stream_get (s, "between");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (between, "sink");
  GstQuery *query = gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty (GST_UPI_QUERY_ENCODING_READER));

  stream_format (s, "BGRx", 64, 64);
  g_assert_false (gst_pad_query (pad, query)); /* though the harness behind the second one reads */
  gst_query_unref (query);
  stream_free (s);
}

/* What was said in vain before: the overlay does not drop what a reader behind it needs. */
static void
test_readers_behind_the_overlay (void)
{
  Stream *s = stream_new (
      ENCODER "! upioverlay ! upidetect labels=cat " ALL "! upijson location=/dev/null ! upicaption interval=0", FALSE);
  guint n_objects, n_captions;

  stream_format (s, "BGRx", 64, 64);
  GstBuffer *buffer = stream_pass (s, 0);
  gst_upi_content_get_objects (content_of (buffer), &n_objects);
  gst_upi_content_get_captions (content_of (buffer), &n_captions);
  g_assert_cmpuint (n_objects, >, 0);
  g_assert_cmpuint (n_captions, ==, 1);
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* A reader that meets a dropped encoding says once who dropped it; frames pass. */
static void
test_dropped_before (void)
{
  static const gchar *const readers[] = { "upidetect", "upicaption" };

  for (guint i = 0; i < G_N_ELEMENTS (readers); i++) {
    g_autofree gchar *description =
        g_strdup_printf (ENCODER "! upioverlay name=theculprit keep-encoding=no ! %s", readers[i]);
    Stream *s = stream_new (description, FALSE);

    stream_format (s, "BGRx", 64, 64);
    for (guint number = 0; number < 3; number++)
      gst_buffer_unref (stream_pass (s, number));
    g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
    g_assert_nonnull (strstr (warning, "theculprit"));
    g_assert_nonnull (strstr (warning, "keep-encoding"));
    stream_free (s); /* no second one */
  }
}

/* A reader that comes, and one that goes, without any event that says so: the next frame is right. */
static void
test_reader_comes_and_goes (void)
{
  Stream *s = stream_new (ENCODER "! upidetect", FALSE);

  stream_format (s, "BGRx", 64, 64);
  for (guint i = 0; i < 6; i++) {
    gboolean reads = i / 2 % 2 != 0;
    g_atomic_int_set (&s->reads, reads);
    GstBuffer *buffer = stream_pass (s, i);
    g_assert_true ((gst_upi_content_get_encoding (content_of (buffer)) != NULL) == reads);
    gst_buffer_unref (buffer);
  }
  stream_free (s);
}

/* A branch that is added to a tee while it plays. */
static void
test_branch_added (void)
{
  Stream *s = stream_new (ENCODER "! tee name=t ! queue", FALSE);
  g_autoptr (GstElement) tee = stream_get (s, "t");
  GstElement *detect = gst_element_factory_make ("upidetect", NULL),
             *sink = gst_element_factory_make ("fakesink", NULL);
  GstBin *bin = GST_BIN (s->element);

  g_atomic_int_set (&s->reads, FALSE);
  stream_format (s, "BGRx", 64, 64);
  GstBuffer *buffer = stream_pass (s, 0);
  g_assert_null (gst_upi_content_get_encoding (content_of (buffer)));
  gst_buffer_unref (buffer);
  g_object_set (sink, "async", FALSE, "sync", FALSE, NULL);
  gst_bin_add_many (bin, detect, sink, NULL);
  g_assert_true (gst_element_link_many (tee, detect, sink, NULL)); /* before it is active: no query would pass now */
  gst_element_sync_state_with_parent (sink);
  gst_element_sync_state_with_parent (detect);
  buffer = stream_pass (s, 1);
  g_assert_nonnull (gst_upi_content_get_encoding (content_of (buffer)));
  gst_buffer_unref (buffer);
  stream_free (s);
}

/* Frames that queue up behind the last reader are light. */
static void
test_queued_frames_are_light (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("life", 1);
  Stream *s = stream_new (ENCODER "! upidetect ! queue max-size-buffers=0 max-size-bytes=0 max-size-time=0", FALSE);
  UpiEngineStats stats = { .size = sizeof stats };

  g_atomic_int_set (&s->reads, FALSE);
  stream_format (s, "BGRx", 64, 64);
  for (guint i = 0; i < 60; i++)
    g_assert_cmpint (stream_push (s, i), ==, GST_FLOW_OK);
  test_engine_drain (engine);
  GstBuffer *buffers[60];
  for (guint i = 0; i < 60; i++)
    buffers[i] = stream_pull (s);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encodings_alive, <=, 3); /* the encoder's last one and the detector's */
  for (guint i = 0; i < 60; i++)
    gst_buffer_unref (buffers[i]);
  stream_free (s);
}

/* The boolean of before: its names and numbers keep working, and a warning says what they are called now. */
static void
test_old_names (void)
{
  static const struct {
    const gchar *old, *name;
    gint value;
  } cases[] = { { "true", "write yes", 1 }, { "false", "write auto", 0 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *description = g_strdup_printf (ENCODER "! upioverlay name=o keep-encoding=%s", cases[i].old);
    Stream *s = stream_new (description, FALSE);
    g_autoptr (GstElement) overlay = stream_get (s, "o");
    g_autofree gchar *warning = stream_message (s, GST_MESSAGE_WARNING);
    gint value = -1;

    g_assert_nonnull (strstr (warning, cases[i].name));
    g_object_get (overlay, "keep-encoding", &value, NULL);
    g_assert_cmpint (value, ==, cases[i].value);
    g_object_set (overlay, "keep-encoding", !cases[i].value, NULL); /* as programs set a boolean */
    g_object_get (overlay, "keep-encoding", &value, NULL);
    g_assert_cmpint (value, ==, !cases[i].value);
    stream_free (s);
  }
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoding-life/last-reader-drops", test_last_reader_drops);
  g_test_add_func ("/encoding-life/property", test_property);
  g_test_add_func ("/encoding-life/second-encoder", test_second_encoder);
  g_test_add_func ("/encoding-life/readers-behind-the-overlay", test_readers_behind_the_overlay);
  g_test_add_func ("/encoding-life/dropped-before", test_dropped_before);
  g_test_add_func ("/encoding-life/reader-comes-and-goes", test_reader_comes_and_goes);
  g_test_add_func ("/encoding-life/branch-added", test_branch_added);
  g_test_add_func ("/encoding-life/queued-frames-are-light", test_queued_frames_are_light);
  g_test_add_func ("/encoding-life/old-names", test_old_names);
  int status = g_test_run ();

  gst_deinit (); /* the leaks tracer reports here */
  return status;
}
