/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-static.c: upiencoder static-threshold: frames that look like the last encoded one keep its encoding, say so, and
 * say how old it is. */
#include "tests/gst/stream.h"

#define ENCODER "upiencoder name=e model=tiny device=cpu threads=1 model-instance-id=static static-threshold=0.02 "

/* Picture @picture as frame @number. */
static GstBuffer *
push (Stream *stream, guint picture, guint number)
{
  GstBuffer *buffer = frame_new ("I420", 64, 48, picture);

  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  g_assert_cmpint (gst_harness_push (stream->harness, buffer), ==, GST_FLOW_OK);
  return stream_pull (stream);
}

/* The frame that @buffer's result was inferred from, and whether it is said to look like it. */
static void
check (GstBuffer *buffer, gint inferred, gboolean is_static)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  g_assert_cmpint (frame_inferred (buffer), ==, inferred);
  g_assert_cmpint (
      (gst_upi_content_get_flags (gst_upi_meta_get_content (meta)) & GST_UPI_CONTENT_STATIC) != 0, ==, is_static);
  gst_buffer_unref (buffer);
}

static guint64
count (Stream *stream, const gchar *field)
{
  GstElement *element = stream_get (stream, "e");
  GstStructure *stats = NULL;
  guint64 value = 0;

  g_object_get (element, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, field, &value));
  gst_structure_free (stats);
  gst_object_unref (element);
  return value;
}

static void
test_block (void)
{
  Stream *stream = stream_new (ENCODER "policy=block static-max-age=400000000", FALSE);

  stream->reads = TRUE;
  stream_format (stream, "I420", 64, 48);
  check (push (stream, 3, 0), 0, FALSE);
  check (push (stream, 3, 1), 0, TRUE);
  check (push (stream, 3, 2), 0, TRUE);
  check (push (stream, 150, 3), 3, FALSE); /* another picture */
  check (push (stream, 150, 4), 3, TRUE);
  check (push (stream, 150, 13), 13, FALSE); /* too old */
  gst_harness_push_event (stream->harness, gst_event_new_stream_start ("another"));
  stream_format (stream, "I420", 64, 48);
  check (push (stream, 150, 14), 14, FALSE); /* of before the new stream nothing is kept */
  g_assert_cmpuint (count (stream, "static"), ==, 3);
  g_assert_cmpuint (count (stream, "encoded"), ==, 4);
  g_assert_cmpuint (count (stream, "frames-out"), ==, 7);
  stream_free (stream);
}

/* Off by default, and changed while playing. */
static void
test_property (void)
{
  Stream *stream = stream_new (ENCODER "policy=block static-threshold=0", FALSE);
  GstElement *element = stream_get (stream, "e");

  stream->reads = TRUE;
  stream_format (stream, "I420", 64, 48);
  check (push (stream, 3, 0), 0, FALSE);
  check (push (stream, 3, 1), 1, FALSE);
  g_object_set (element, "static-threshold", 0.02, NULL);
  check (push (stream, 3, 2), 2, FALSE);
  check (push (stream, 3, 3), 2, TRUE);
  g_object_set (element, "inference-interval", 2, NULL); /* nobody compares what lies between */
  check (push (stream, 3, 4), 2, TRUE);
  check (push (stream, 3, 5), 2, FALSE);
  g_object_set (element, "static-threshold", 0.0, "inference-interval", 1, NULL);
  check (push (stream, 3, 6), 6, FALSE);
  gst_object_unref (element);
  stream_free (stream);
}

/* Frames that never wait: the word that a frame looks the same comes with the first frame that leaves after it. */
static void
test_latest (void)
{
  g_autoptr (UpiEngine) engine = test_engine ("static", 1);
  Stream *stream = stream_new (ENCODER "policy=latest", FALSE);

  stream->reads = TRUE;
  stream_format (stream, "I420", 64, 48);
  gst_buffer_unref (push (stream, 3, 0));
  test_engine_drain (engine);
  upi_engine_hold (engine);              /* else a worker may have compared a frame before it leaves */
  check (push (stream, 3, 1), 0, FALSE); /* encoding of 0 */
  upi_engine_release (engine);
  test_engine_drain (engine);
  upi_engine_hold (engine);
  check (push (stream, 3, 2), 0, TRUE); /* of 1: the same */
  for (guint i = 3; i < 8; i++)         /* one frame waits, each takes the place of the one before */
    gst_buffer_unref (push (stream, 3, i));
  upi_engine_release (engine);
  test_engine_drain (engine);
  check (push (stream, 3, 8), 0, TRUE);
  g_assert_cmpuint (count (stream, "failed"), ==, 0);
  g_assert_cmpuint (count (stream, "skipped"), >=, 4);
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/encoder-static/block", test_block);
  g_test_add_func ("/encoder-static/property", test_property);
  g_test_add_func ("/encoder-static/latest", test_latest);
  return g_test_run ();
}
