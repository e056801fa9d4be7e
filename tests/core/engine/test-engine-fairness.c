/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fairness between cameras, by a clock of the test's own: sixteen live streams on two workers, frames and encodings as
 * events of a simulation around the engine's own queue. Nothing here depends on how fast the machine is. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"

#define STREAMS 16
#define WORKERS 2
#define ENCODING 34000 /* microseconds of a worker */
#define END 60000000

typedef struct {
  UpiStream *stream;
  gint64 period, next; /* of its frames */
  gint64 shown;        /* when the frame came whose result is shown; -1: none yet */
  gint64 longest;      /* without a new result */
  gint64 last_result;
  gdouble age_sum;
  guint n_ages, encoded, superseded;
} Camera;

typedef struct {
  UpiTicket *ticket;
  gint64 until;
} Busy;

static void
run_nothing (UpiWorker *worker, UpiTicket **tickets, guint n)
{
  g_assert_not_reached ();
}

static void
count_superseded (UpiTicket *ticket, gpointer camera)
{
  if (!upi_ticket_wait (ticket, NULL))
    ((Camera *) camera)->superseded++;
}

/* An engine that is nothing but its queue. */
static UpiEngine *
bare_engine (void)
{
  UpiEngine *engine = g_new0 (UpiEngine, 1);

  engine->ref_count = 1 + STREAMS;
  engine->info.workers = WORKERS;
  engine->info.batch_size = 1;
  engine->queue = upi_queue_new (1, 0);
  engine->queue->n_workers = WORKERS;
  return engine;
}

static void
send_frame (UpiEngine *engine, Camera *camera, gint64 now)
{
  if (camera->shown >= 0) {
    camera->age_sum += (gdouble) (now - camera->shown);
    camera->n_ages++;
  }
  if (!upi_stream_may_encode (camera->stream, FALSE))
    return;
  UpiTicket *ticket = upi_ticket_new (UPI_TICKET_ENCODE, run_nothing, engine->queue, count_superseded, camera);
  ticket->stream = upi_stream_hold (camera->stream);
  ticket->latest = TRUE;
  ticket->width = ticket->height = 64;
  ticket->pts = (guint64) now;
  upi_queue_push (engine->queue, ticket);
  upi_ticket_unref (ticket);
}

static void
end_encoding (Camera *cameras, Busy *busy)
{
  UpiTicket *ticket = g_steal_pointer (&busy->ticket);

  for (guint i = 0; i < STREAMS; i++)
    if (cameras[i].stream == ticket->stream && upi_ticket_show (ticket)) {
      cameras[i].longest = MAX (cameras[i].longest, busy->until - cameras[i].last_result);
      cameras[i].last_result = busy->until;
      cameras[i].shown = (gint64) ticket->pts;
      cameras[i].encoded++;
    }
  upi_ticket_finish (ticket, NULL);
}

/* A worker that is free takes what is first in the queue. */
static void
start_encodings (UpiEngine *engine, Busy *busy, gint64 now)
{
  UpiTicket *tickets[UPI_ENGINE_MAX_BATCH];

  for (guint i = 0; i < WORKERS; i++) {
    if (busy[i].ticket != NULL || g_queue_is_empty (&engine->queue->waiting))
      continue;
    g_assert_cmpuint (upi_queue_take (engine->queue, tickets), ==, 1);
    busy[i] = (Busy){ tickets[0], now + ENCODING };
  }
}

static void
simulate (UpiEngine *engine, Camera *cameras)
{
  Busy busy[WORKERS] = { { NULL, 0 } };

  for (gint64 now = 0; now < END;) {
    for (guint i = 0; i < WORKERS; i++)
      if (busy[i].ticket != NULL && busy[i].until <= now)
        end_encoding (cameras, &busy[i]);
    for (guint i = 0; i < STREAMS; i++)
      if (cameras[i].next <= now) {
        send_frame (engine, &cameras[i], now);
        cameras[i].next += cameras[i].period;
      }
    start_encodings (engine, busy, now);
    gint64 next = G_MAXINT64;
    for (guint i = 0; i < STREAMS; i++)
      next = MIN (next, cameras[i].next);
    for (guint i = 0; i < WORKERS; i++)
      if (busy[i].ticket != NULL)
        next = MIN (next, busy[i].until);
    now = next;
  }
  for (guint i = 0; i < WORKERS; i++)
    if (busy[i].ticket != NULL)
      end_encoding (cameras, &busy[i]);
}

/* @fast: frames a second of the first camera; the others have @slow, out of step with each other. Returns: mean age of
 * what the others show. */
static gdouble
run_cameras (guint fast, guint slow)
{
  UpiEngine *engine = bare_engine ();
  Camera cameras[STREAMS] = { { NULL } };
  gdouble least_age = G_MAXDOUBLE, most_age = 0, sum = 0;
  guint least = G_MAXUINT, most = 0;

  for (guint i = 0; i < STREAMS; i++) {
    gint64 period = 1000000 / (i == 0 ? fast : slow);
    cameras[i] = (Camera){
      .stream = upi_stream_new (engine), .period = period, .next = period * i / STREAMS + 137 * i, .shown = -1
    };
  }
  simulate (engine, cameras);
  for (guint i = 0; i < STREAMS; i++) {
    gdouble age = cameras[i].age_sum / cameras[i].n_ages;
    g_test_message ("%2u: %u encodings, %u superseded, mean age %.0f ms, longest without a result %" G_GINT64_FORMAT
                    " ms",
        i, cameras[i].encoded, cameras[i].superseded, age / 1000, cameras[i].longest / 1000);
    if (i > 0 || fast == slow) { /* a result is at least as old as the frames of its camera are apart */
      least_age = MIN (least_age, age);
      most_age = MAX (most_age, age);
    }
    sum += i > 0 ? age : 0;
    least = MIN (least, cameras[i].encoded);
    most = MAX (most, cameras[i].encoded);
    /* Two rounds of the queue, and a frame that came too late for one. */
    g_assert_cmpint (cameras[i].longest, <=, 2 * STREAMS * ENCODING / WORKERS + cameras[i].period);
  }
  g_assert_cmpfloat (most_age, <=, 1.5 * least_age);
  g_assert_cmpuint (10 * most, <=, 12 * least);
  /* No worker ever idles while frames are there. */
  if (slow >= 5) {
    guint all = 0;
    for (guint i = 0; i < STREAMS; i++)
      all += cameras[i].encoded;
    g_assert_cmpuint (all, >=, (guint) (END / ENCODING * WORKERS * 97 / 100));
  }
  while (engine->queue->waiting.length > 0) {
    UpiTicket *ticket = engine->queue->waiting.head->data;
    upi_ticket_cancel (ticket);
  }
  for (guint i = 0; i < STREAMS; i++)
    upi_stream_free (cameras[i].stream);
  upi_queue_unref (engine->queue);
  g_free (engine);
  return sum / (STREAMS - 1);
}

static void
test_equal (void)
{
  run_cameras (5, 5);
  run_cameras (15, 15);
}

/* A camera of 60 frames/s shows younger results, since its frames are younger when their turn comes; it takes nothing
 * from the others by that: what they show is no older than beside fifteen of their own kind. */
static void
test_one_fast (void)
{
  g_assert_cmpfloat (run_cameras (60, 5), <=, 1.02 * run_cameras (5, 5));
  g_assert_cmpfloat (run_cameras (60, 15), <=, 1.02 * run_cameras (15, 15));
}

/* A turn that is taken over keeps its place in the queue and its time: a batch waits no longer for it. */
static void
test_turn (void)
{
  UpiEngine *engine = bare_engine ();
  UpiStream *a = upi_stream_new (engine), *b = upi_stream_new (engine);
  Camera camera = { NULL };
  UpiTicket *tickets[3], *taken[UPI_ENGINE_MAX_BATCH];

  for (guint i = 0; i < 3; i++) {
    tickets[i] = upi_ticket_new (UPI_TICKET_ENCODE, run_nothing, engine->queue, count_superseded, &camera);
    tickets[i]->stream = upi_stream_hold (i == 1 ? b : a);
    tickets[i]->latest = TRUE;
    tickets[i]->submitted = 1000 * i;
    upi_queue_push (engine->queue, tickets[i]);
  }
  g_assert_cmpuint (camera.superseded, ==, 1);
  g_assert_true (upi_ticket_is_done (tickets[0]));
  g_assert_cmpuint (upi_queue_take (engine->queue, taken), ==, 1);
  g_assert_true (taken[0] == tickets[2]);
  g_assert_cmpint (tickets[2]->submitted, ==, 0);
  upi_ticket_finish (taken[0], NULL);
  g_assert_cmpuint (upi_queue_take (engine->queue, taken), ==, 1);
  g_assert_true (taken[0] == tickets[1]);
  upi_ticket_finish (taken[0], NULL);
  for (guint i = 0; i < 3; i++)
    upi_ticket_unref (tickets[i]);
  upi_stream_free (a);
  upi_stream_free (b);
  upi_queue_unref (engine->queue);
  g_free (engine);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fairness/equal", test_equal);
  g_test_add_func ("/fairness/one-fast", test_one_fast);
  g_test_add_func ("/fairness/turn", test_turn);
  return g_test_run ();
}
