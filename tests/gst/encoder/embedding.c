/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* embedding.c: what the network makes of a frame; see embedding.h. */
#include "tests/gst/encoder/embedding.h"

#include <math.h>
#include <string.h>

void
frame_embedding (GstBuffer *buffer, gfloat *embedding)
{
  g_autoptr (GError) error = NULL;
  UpiEncoding *encoding = gst_upi_content_get_encoding (gst_upi_meta_get_content (gst_buffer_get_upi_meta (buffer)));
  g_assert_nonnull (encoding);
  UpiEngine *engine = upi_encoding_engine (encoding);
  g_assert_cmpuint (upi_engine_info (engine)->width, <=, EMBEDDING_WIDTH);
  g_assert_true (upi_engine_embed (engine, encoding, embedding, &error));
  g_assert_no_error (error);
}

gdouble
embedding_distance (const gfloat *a, const gfloat *b)
{
  gdouble sum = 0;
  for (guint i = 0; i < EMBEDDING_WIDTH; i++)
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt (sum);
}

void
embedding_encode (Stream *s, GstBuffer *buffer, gfloat *embedding)
{
  memset (embedding, 0, EMBEDDING_WIDTH * sizeof *embedding);
  g_assert_cmpint (gst_harness_push (s->harness, buffer), ==, GST_FLOW_OK);
  GstBuffer *out = stream_pull (s);
  g_assert_cmpint (frame_inferred (out), ==, frame_number (out));
  frame_embedding (out, embedding);
  gst_buffer_unref (out);
}
