/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static pictures through the engine: which frames keep an earlier one's encoding, and what becomes of those that wait
 * for it. */
#include "tests/core/engine-fixture.h"

#include <string.h>

typedef struct {
  guint8 pixels[64 * 64 * 3];
} Picture;

/* A checkerboard; the box is somewhere in it. */
static void
paint (Picture *picture, guint box)
{
  for (guint y = 0; y < 64; y++)
    for (guint x = 0; x < 64; x++)
      memset (picture->pixels + 3 * (64 * y + x), (x / 8 + y / 8) % 2 ? 90 : 60, 3);
  for (guint y = 20; y < 36; y++)
    memset (picture->pixels + 3 * (64 * y + box), 250, 3 * 16);
}

static UpiTicket *
send (UpiStream *stream, const Picture *picture, guint64 pts)
{
  const UpiImage image = { .size = sizeof image,
    .format = UPI_PIXELS_RGB,
    .width = 64,
    .height = 64,
    .planes = { picture->pixels },
    .strides = { 64 * 3 } };
  g_autoptr (GError) error = NULL;
  UpiTicket *ticket = upi_stream_encode (stream, &image, 64, 64, pts, FALSE, NULL, NULL, &error);

  g_assert_no_error (error);
  return ticket;
}

/* Whether the frame kept an encoding; that one's pts. */
static gboolean
finish (UpiTicket *ticket, guint64 *pts)
{
  g_autoptr (GError) error = NULL;

  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  gboolean is_static = upi_ticket_is_static (ticket);
  g_autoptr (UpiEncoding) encoding = upi_ticket_get_encoding (ticket);
  g_assert_nonnull (encoding);
  if (pts != NULL)
    *pts = upi_encoding_pts (encoding);
  upi_ticket_unref (ticket);
  return is_static;
}

static gboolean
is_static (UpiStream *stream, const Picture *picture, guint64 pts)
{
  return finish (send (stream, picture, pts), NULL);
}

/* On both ways to a frame's small input: the backend's own, and one that is made for the comparison alone (ref shows
 * nobody its input). */
static void
test_keeps (gconstpointer device)
{
  g_autoptr (UpiEngine) engine = fixture_engine (device, 1, 1, 0, NULL);
  g_autoptr (UpiStream) stream = upi_stream_new (engine);
  UpiEngineStats stats = { .size = sizeof stats };
  Picture here, there;
  guint64 pts;

  paint (&here, 8);
  paint (&there, 30);
  g_assert_false (is_static (stream, &here, 0)); /* off unless asked for */
  g_assert_false (is_static (stream, &here, 1));
  upi_stream_set_static (stream, 0.02f, 100);
  g_assert_false (is_static (stream, &here, 2));
  g_assert_true (finish (send (stream, &here, 3), &pts));
  g_assert_cmpuint (pts, ==, 2);
  g_assert_false (is_static (stream, &there, 4));
  g_assert_true (finish (send (stream, &there, 5), &pts));
  g_assert_cmpuint (pts, ==, 4);
  g_assert_true (finish (send (stream, &there, 103), &pts));
  g_assert_cmpuint (pts, ==, 4);
  g_assert_false (is_static (stream, &there, 104)); /* too old */
  g_assert_true (is_static (stream, &there, 50));   /* time runs backwards */
  g_assert_false (is_static (stream, &there, 4));
  upi_stream_new_generation (stream);
  g_assert_false (is_static (stream, &there, 5));
  upi_stream_set_static (stream, 0, 100);
  g_assert_false (is_static (stream, &there, 6));
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.still, ==, 4);
  g_assert_cmpuint (stats.encoded, ==, 8);
}

/* Each stream has its own last frame. */
static void
test_streams (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiStream) a = upi_stream_new (engine);
  g_autoptr (UpiStream) b = upi_stream_new (engine);
  Picture picture;

  paint (&picture, 8);
  upi_stream_set_static (a, 0.02f, 100);
  upi_stream_set_static (b, 0.02f, 100);
  g_assert_false (is_static (a, &picture, 0));
  g_assert_false (is_static (b, &picture, 0));
  g_assert_true (is_static (a, &picture, 1));
  g_assert_true (is_static (b, &picture, 1));
}

/* A batch of frames of several streams, some of which stayed as they were: the others run together, with their own
 * pixels. */
static void
test_batch (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 4, 0, NULL);
  UpiStream *streams[4];
  UpiTicket *tickets[4];
  Picture here, there;
  gfloat alone[64], batched[64];
  guint width = upi_engine_info (engine)->width;

  g_assert_cmpuint (width, <=, G_N_ELEMENTS (alone));
  paint (&here, 8);
  paint (&there, 30);
  for (guint i = 0; i < 4; i++) {
    streams[i] = upi_stream_new (engine);
    upi_stream_set_static (streams[i], 0.02f, 100);
    g_assert_false (is_static (streams[i], &here, 0));
  }
  upi_engine_hold (engine);
  for (guint i = 0; i < 4; i++)
    tickets[i] = send (streams[i], i % 2 ? &there : &here, 1);
  upi_engine_release (engine);
  for (guint i = 0; i < 4; i++) {
    upi_ticket_wait (tickets[i], NULL);
    g_assert_cmpint (upi_ticket_is_static (tickets[i]), ==, i % 2 == 0);
  }
  g_autoptr (UpiEncoding) encoding = upi_ticket_get_encoding (tickets[3]);
  g_assert_true (upi_engine_embed (engine, encoding, batched, NULL));
  upi_stream_set_static (streams[0], 0, 0);
  g_autoptr (UpiEncoding) single = fixture_take_encoding (send (streams[0], &there, 2));
  g_assert_true (upi_engine_embed (engine, single, alone, NULL));
  for (guint i = 0; i < width; i++)
    g_assert_cmpfloat_with_epsilon (alone[i], batched[i], 1e-4);
  for (guint i = 0; i < 4; i++) {
    upi_ticket_unref (tickets[i]);
    upi_stream_free (streams[i]);
  }
}

/* Several workers have frames of one still picture at once: some wait for the one that is being encoded; all end, with
 * the same encoding or an earlier one, whatever becomes of each: one that fails lets those fail that wait for it, and
 * the next is encoded. */
static void
test_waits (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 4, 1, 0, NULL);
  g_autoptr (UpiStream) stream = upi_stream_new (engine);
  Picture picture;

  paint (&picture, 8);
  upi_stream_set_static (stream, 0.02f, 1000);
  for (guint round = 0; round < 20; round++) {
    UpiTicket *tickets[16];
    guint n_static = 0;
    upi_stream_new_generation (stream);
    upi_engine_fail_inference (engine, round % 4 == 1);
    upi_engine_hold (engine);
    for (guint i = 0; i < G_N_ELEMENTS (tickets); i++)
      tickets[i] = send (stream, &picture, round * 16 + i);
    if (round % 4 == 2)
      upi_ticket_cancel (tickets[5]);
    upi_engine_release (engine);
    if (round % 4 == 3)
      upi_ticket_cancel (tickets[0]);
    for (guint i = 0; i < G_N_ELEMENTS (tickets); i++) {
      g_autoptr (GError) error = NULL;
      if (upi_ticket_wait (tickets[i], &error)) {
        g_autoptr (UpiEncoding) encoding = upi_ticket_get_encoding (tickets[i]);
        g_assert_nonnull (encoding);
        g_assert_cmpuint (upi_encoding_pts (encoding), <=, round * 16 + i); /* never of a later frame */
        n_static += upi_ticket_is_static (tickets[i]);
      } else {
        g_assert_cmpint (round % 4, !=, 0);
      }
      upi_ticket_unref (tickets[i]);
    }
    if (round % 4 == 0) /* each worker may have begun one before the first was there to compare with */
      g_assert_cmpuint (n_static, >=, G_N_ELEMENTS (tickets) - 4);
    upi_engine_fail_inference (engine, 0);
    g_assert_cmpuint (finish (send (stream, &picture, round * 16 + 16), NULL), <=, 1);
  }
}

/* A later result that was shown lets no earlier one be shown. */
static void
test_fresh (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiStream) stream = upi_stream_new (engine);
  UpiTicket *tickets[3];
  Picture picture;

  paint (&picture, 8);
  for (guint i = 0; i < 3; i++) {
    tickets[i] = send (stream, &picture, i);
    upi_ticket_wait (tickets[i], NULL);
  }
  g_assert_true (upi_ticket_show (tickets[1]));
  g_assert_false (upi_ticket_show (tickets[0]));
  g_assert_true (upi_ticket_show (tickets[2]));
  g_assert_false (upi_ticket_show (tickets[1]));
  for (guint i = 0; i < 3; i++)
    upi_ticket_unref (tickets[i]);
}

/* A stream that is freed while its frames are under way leaves nothing behind. */
static void
test_freed (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  UpiStream *stream = upi_stream_new (engine);
  UpiTicket *tickets[6];
  Picture picture;

  paint (&picture, 8);
  upi_stream_set_static (stream, 0.02f, 1000);
  upi_engine_hold (engine);
  for (guint i = 0; i < G_N_ELEMENTS (tickets); i++)
    tickets[i] = send (stream, &picture, i);
  upi_engine_release (engine);
  upi_stream_free (stream);
  for (guint i = 0; i < G_N_ELEMENTS (tickets); i++)
    finish (tickets[i], NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/static/keeps-cpu", "cpu", test_keeps);
  g_test_add_data_func ("/static/keeps-ref", "ref", test_keeps);
  g_test_add_func ("/static/streams", test_streams);
  g_test_add_func ("/static/batch", test_batch);
  g_test_add_func ("/static/waits", test_waits);
  g_test_add_func ("/static/fresh", test_fresh);
  g_test_add_func ("/static/freed", test_freed);
  int status = g_test_run ();
  fixture_clear ();
  return status;
}
