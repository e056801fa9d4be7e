/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams that share an engine: which of their frames run together, who waits for whom, and how the workers are shared
 * out. Batches that nothing completes would wait for an hour. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"

#define AN_HOUR G_GUINT64_CONSTANT (3600000000)

static UpiTicket *
encode (UpiStream *stream, gboolean latest)
{
  static const guint8 pixels[48 * 32 * 3];
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = 48,
    .height = 32,
    .planes = { pixels },
    .strides = { 48 * 3 } };
  g_autoptr (GError) error = NULL;
  UpiTicket *ticket = upi_stream_encode (stream, &image, 64, 64, 0, latest, NULL, NULL, &error);

  g_assert_no_error (error);
  return ticket;
}

static void
finish (UpiTicket *ticket)
{
  upi_encoding_unref (fixture_take_encoding (ticket));
}

static guint
runs (UpiEngine *engine)
{
  UpiEngineStats stats = { .size = sizeof stats };

  upi_engine_get_stats (engine, &stats);
  return (guint) stats.image_runs;
}

/* Nothing but the stream's own next frame could fill the batch: its frames go at once, one by one; of those that are
 * wanted as soon as they can be had the latest alone, which has taken the place of the ones before. */
static void
test_alone (gconstpointer latest)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 8, AN_HOUR, NULL);
  g_autoptr (UpiStream) stream = upi_stream_new (engine);
  g_autoptr (UpiStream) silent = upi_stream_new (engine);
  UpiTicket *tickets[5];

  g_assert_nonnull (silent); /* has never sent anything */
  finish (encode (stream, GPOINTER_TO_INT (latest)));
  upi_engine_hold (engine);
  for (guint i = 0; i < G_N_ELEMENTS (tickets); i++)
    tickets[i] = encode (stream, GPOINTER_TO_INT (latest));
  upi_engine_release (engine);
  for (guint i = 0; i < G_N_ELEMENTS (tickets); i++) {
    if (latest == NULL || i == 4) {
      finish (tickets[i]);
    } else {
      fixture_expect (tickets[i], UPI_ERROR_CANCELLED);
      upi_ticket_unref (tickets[i]);
    }
  }
  g_assert_cmpuint (runs (engine), ==, latest == NULL ? 6 : 2);
  g_assert_cmpuint (upi_engine_cached_plans (engine), ==, 1);
}

/* Two that take turns wait for each other, and for nobody who has left or has been waited for in vain. */
static void
test_together (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 8, AN_HOUR, NULL);
  g_autoptr (UpiStream) a = upi_stream_new (engine);
  UpiStream *b = upi_stream_new (engine);
  UpiTicket *of_a, *of_b;

  finish (encode (a, FALSE));
  of_b = encode (b, FALSE);
  upi_labels_unref (fixture_labels (engine, "cat,dog")); /* what is no frame goes on meanwhile */
  g_assert_false (upi_ticket_is_done (of_b));
  of_a = encode (a, FALSE);
  finish (of_a);
  finish (of_b);
  g_assert_cmpuint (runs (engine), ==, 3); /* there is a worker for each of the two */

  of_a = encode (a, FALSE);
  upi_stream_free (b);
  finish (of_a);
  g_assert_cmpuint (runs (engine), ==, 4);
}

static void
test_not_twice_in_vain (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 8, 1, NULL);
  g_autoptr (UpiStream) a = upi_stream_new (engine), b = upi_stream_new (engine);

  finish (encode (b, FALSE));
  g_assert_true (b->expected);
  finish (encode (a, FALSE));
  g_assert_false (b->expected);
  finish (encode (b, FALSE));
  g_assert_true (b->expected);
}

/* A frame of each of n streams, of which none waits alone: how many runs they take. */
static guint
runs_of (guint threads, guint batch_size, guint n)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", threads, batch_size, 0, NULL);
  UpiStream *streams[16];
  UpiTicket *tickets[16];

  upi_engine_hold (engine);
  for (guint i = 0; i < n; i++) {
    streams[i] = upi_stream_new (engine);
    tickets[i] = encode (streams[i], TRUE);
  }
  upi_engine_release (engine);
  for (guint i = 0; i < n; i++) {
    finish (tickets[i]);
    upi_stream_free (streams[i]);
  }
  return runs (engine);
}

/* What does not fill a batch runs as 4, 2 and 1 frames; workers take what another could begin at once from nobody. */
static void
test_leftovers (void)
{
  static const struct {
    guint threads, batch_size, frames, runs;
  } cases[] = {
    { 1, 8, 8, 1 },  /* 8 */
    { 1, 8, 7, 3 },  /* 4 2 1 */
    { 1, 8, 13, 3 }, /* 8 4 1 */
    { 1, 6, 6, 1 },  /* 6 */
    { 1, 6, 5, 2 },  /* 4 1 */
    { 1, 1, 5, 5 },  /* 1 each */
    { 2, 8, 8, 4 },  /* 4 2 1 1 */
    { 2, 8, 2, 2 },  /* 1 1 */
    { 3, 8, 3, 3 },  /* 1 1 1 */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpuint (runs_of (cases[i].threads, cases[i].batch_size, cases[i].frames), ==, cases[i].runs);
}

/* Frames that cannot be read are no part of a run; what is left is split again. */
static gboolean
read_nothing (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  g_set_error_literal (error, UPI_ERROR, UPI_ERROR_INPUT, "nothing to read");
  return FALSE;
}

static void
test_fewer_than_taken (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 4, 0, NULL);
  const UpiImage bad = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_READ, .width = 8, .height = 8, .read = read_nothing
  };
  UpiTicket *tickets[4];

  upi_engine_hold (engine);
  for (guint i = 0; i < 4; i++)
    tickets[i] = i == 1 ? upi_engine_encode (engine, &bad, 64, 64, 0, NULL, NULL, NULL)
                        : fixture_encode (engine, i, 64, 64, NULL);
  upi_engine_release (engine);
  for (guint i = 0; i < 4; i++) {
    if (i == 1) {
      fixture_expect (tickets[i], UPI_ERROR_INPUT);
      upi_ticket_unref (tickets[i]);
    } else {
      g_autoptr (UpiEncoding) encoding = fixture_take_encoding (tickets[i]);
      g_assert_cmpuint (upi_encoding_pts (encoding), ==, i);
    }
  }
  g_assert_cmpuint (runs (engine), ==, 2); /* 2 1 */
}

/* All workers for one stream that is alone, whatever the batch size; a part of them, one at least, beside others that
 * have frames under way. */
static void
test_share (void)
{
  for (guint batch_size = 1; batch_size <= 8; batch_size += 7) {
    g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 4, batch_size, 0, NULL);
    UpiStream *streams[6];
    UpiTicket *tickets[6];
    static const guint share[] = { 4, 2, 2, 1, 1, 1 };

    upi_engine_hold (engine);
    for (guint i = 0; i < 6; i++) {
      streams[i] = upi_stream_new (engine);
      g_assert_cmpuint (upi_stream_share (streams[i]), ==, share[i]);
      tickets[i] = encode (streams[i], TRUE);
      g_assert_cmpuint (upi_stream_share (streams[i]), ==, share[i]);
    }
    upi_engine_release (engine);
    for (guint i = 0; i < 6; i++)
      finish (tickets[i]);
    g_assert_cmpuint (upi_stream_share (streams[0]), ==, 4);
    for (guint i = 0; i < 6; i++)
      upi_stream_free (streams[i]);
  }
}

/* Tickets outlive their stream, and one that is closed ends them. */
static void
test_life (void)
{
  UpiEngine *engine = fixture_engine ("cpu", 1, 4, 0, NULL);
  UpiStream *stream = upi_stream_new (engine);
  UpiTicket *tickets[3];

  upi_engine_hold (engine);
  for (guint i = 0; i < 3; i++)
    tickets[i] = encode (stream, FALSE);
  upi_ticket_cancel (tickets[1]);
  g_assert_cmpuint (stream->running, ==, 2);
  upi_engine_unref (engine);
  upi_stream_free (stream); /* the last user */
  for (guint i = 0; i < 3; i++) {
    fixture_expect (tickets[i], UPI_ERROR_CANCELLED);
    upi_ticket_unref (tickets[i]);
  }
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/streams/alone", GINT_TO_POINTER (FALSE), test_alone);
  g_test_add_data_func ("/streams/alone-latest", GINT_TO_POINTER (TRUE), test_alone);
  g_test_add_func ("/streams/together", test_together);
  g_test_add_func ("/streams/not-twice-in-vain", test_not_twice_in_vain);
  g_test_add_func ("/streams/leftovers", test_leftovers);
  g_test_add_func ("/streams/fewer-than-taken", test_fewer_than_taken);
  g_test_add_func ("/streams/share", test_share);
  g_test_add_func ("/streams/life", test_life);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
