/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-looks.c: upitrack knows again who was away by what it looks like (upi_encoding_looks()), not by what it is
 * (upi_encoding_region()): in an encoding whose vectors are written over the two say the opposite. */
#include <string.h>

#include "tests/gst/stream.h"

#define MS GST_MSECOND

/* Regions of the encoding: two individuals, as they were and as they come back, and a third that never leaves. */
enum { FIRST, SECOND, FIRST_AGAIN, SECOND_AGAIN, ANCHOR };

/* A vector of length 1 that points along @axis. */
static void
point (const gfloat *vector, guint width, guint axis)
{
  gfloat *own = (gfloat *) vector; /* of this test's encoding, which nobody else reads */

  memset (own, 0, width * sizeof *own);
  own[axis] = 1;
}

/* By looks FIRST_AGAIN is FIRST and SECOND_AGAIN SECOND; by what they are it is the other way round. */
static UpiEncoding *
new_encoding (void)
{
  static const guint looks[] = { 0, 1, 0, 1, 2 }, regions[] = { 0, 1, 1, 0, 2 };
  Stream *stream = stream_new ("upiencoder model=tiny device=cpu threads=1 policy=block", FALSE);
  guint width;

  stream_format (stream, "RGB", 64, 64);
  g_assert_cmpint (stream_push (stream, 0), ==, GST_FLOW_OK);
  g_autoptr (GstBuffer) buffer = stream_pull (stream);
  UpiEncoding *encoding =
      upi_encoding_ref (gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer))));
  for (guint i = 0; i < G_N_ELEMENTS (looks); i++) {
    const gfloat *vector = upi_encoding_looks (encoding, i, &width);

    point (vector, width, looks[i]);
    vector = upi_encoding_region (encoding, i, &width);
    point (vector, width, regions[i]);
  }
  stream_free (stream);
  return encoding;
}

static GstUpiContent *
add (GstUpiContent *content, guint region, gfloat x, gfloat y)
{
  const GstUpiObject object = { .label = "person",
    .label_id = 1,
    .score = 0.9f,
    .threshold = 0.4f,
    .x = x,
    .y = y,
    .width = 0.1f,
    .height = 0.2f,
    .region = region };
  GstUpiContent *more = gst_upi_content_add_objects (content, &object, 1);

  gst_upi_content_unref (content);
  return more;
}

/* The id of what came from @region in the frame at @pts, in which both stand ("there"), nobody but the third ("gone")
 * or both are back ("back"). */
static guint64
push (Stream *stream, UpiEncoding *encoding, GstClockTime pts, const gchar *who, guint region)
{
  GstBuffer *frame = frame_new ("GRAY8", 100, 100, 0);
  GstUpiContent *content = add (gst_upi_content_new (encoding, pts, GST_UPI_CONTENT_NONE), ANCHOR, 0.8f, 0.7f);
  guint64 id = 0;
  guint n;

  if (g_str_equal (who, "there"))
    content = add (add (content, FIRST, 0.2f, 0.4f), SECOND, 0.5f, 0.4f);
  else if (g_str_equal (who, "back")) /* each as far from where the one was as from where the other was */
    content = add (add (content, FIRST_AGAIN, 0.35f, 0.3f), SECOND_AGAIN, 0.35f, 0.6f);
  GST_BUFFER_PTS (frame) = pts;
  gst_buffer_add_upi_meta (frame, content);
  gst_upi_content_unref (content);
  g_assert_cmpint (gst_harness_push (stream->harness, frame), ==, GST_FLOW_OK);

  g_autoptr (GstBuffer) buffer = stream_pull (stream);
  const GstUpiObject *objects =
      gst_upi_content_get_objects (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)), &n);
  for (guint i = 0; i < n; i++)
    if (objects[i].region == region)
      id = objects[i].track_id;
  return id;
}

static void
test_looks (void)
{
  g_autoptr (UpiEncoding) encoding = new_encoding ();
  Stream *stream = stream_new ("upitrack tracking-type=region", FALSE);
  GstClockTime time = 0;
  guint64 first = 0, second = 0, first_again = 0, second_again = 0;

  stream_format (stream, "GRAY8", 100, 100);
  for (; time < 1500 * MS; time += 100 * MS) {
    first = push (stream, encoding, time, "there", FIRST);
    second = push (stream, encoding, time + 50 * MS, "there", SECOND);
  }
  g_assert_cmpuint (first, !=, 0);
  g_assert_cmpuint (second, !=, 0);
  g_assert_cmpuint (first, !=, second);
  for (; time < 3000 * MS; time += 100 * MS)
    push (stream, encoding, time, "gone", ANCHOR);
  for (; time < 4500 * MS; time += 100 * MS) { /* who cannot be told yet has no id, for a second at most */
    first_again = push (stream, encoding, time, "back", FIRST_AGAIN);
    second_again = push (stream, encoding, time + 50 * MS, "back", SECOND_AGAIN);
  }
  g_assert_cmpuint (first_again, ==, first);
  g_assert_cmpuint (second_again, ==, second);
  stream_free (stream);
}

int
main (int argc, char **argv)
{
  test_init (&argc, &argv);
  g_test_add_func ("/track/looks", test_looks);
  return g_test_run ();
}
