/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An engine's life: opened once, shared, closed in every state by anyone, with nothing left. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"

#include <string.h>

static void
test_sharing (void)
{
  g_autoptr (UpiEngine) a = fixture_engine ("cpu", 2, 1, 0, NULL);
  g_autoptr (UpiEngine) b = fixture_engine ("cpu", 1, 4, 0, NULL);
  g_autoptr (UpiEngine) other_id = fixture_engine ("cpu", 1, 1, 0, "other");
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);
  g_autofree gchar *roundabout = g_build_filename (fixture_model (), ".", NULL);
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = roundabout, .device = "cpu" };
  g_autoptr (UpiEngine) same_path = upi_engine_open (&options, NULL, NULL);
  const UpiEngineInfo *info = upi_engine_info (a);

  g_assert_true (a == b);
  g_assert_true (a == same_path);
  g_assert_true (a != other_id);
  g_assert_true (a != ref);
  g_assert_cmpstr (info->model_name, ==, "tiny");
  g_assert_cmpstr (info->device, ==, "cpu");
  g_assert_cmpstr (upi_engine_info (ref)->device, ==, "ref");
  g_assert_nonnull (info->device_name);
  g_assert_cmpuint (info->workers, ==, 2);
  g_assert_cmpuint (info->batch_size, ==, 1);
  g_assert_cmpuint (info->n_sizes, ==, 4);
  g_assert_cmpuint (info->sizes[1][0], ==, 96);
  g_assert_cmpuint (info->width, ==, 48);
  g_assert_cmpuint (info->max_regions, ==, 10);
  g_assert_cmpuint (info->max_caption_tokens, ==, 12);
  g_assert_cmpstr (info->labels[2], ==, "person");
  g_assert_null (info->labels[3]);
}

static void
test_conflict (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 4, 500, NULL);
  const UpiEngineOptions same = { .size = sizeof (UpiEngineOptions),
    .threads = 2,
    .batch_size = 4,
    .batch_timeout_us = 500 },
                         silent = { .size = sizeof (UpiEngineOptions) };
  const UpiEngineOptions other = {
    .size = sizeof (UpiEngineOptions), .threads = 3, .threads_per_frame = 3, .batch_size = 1, .batch_timeout_us = 7
  };
  g_autofree gchar *text = upi_engine_options_conflict (engine, &other);

  g_assert_null (upi_engine_options_conflict (engine, &same));
  g_assert_null (upi_engine_options_conflict (engine, &silent));
  g_assert_nonnull (strstr (text, "2 workers (asked for: 1)"));
  g_assert_nonnull (strstr (text, "1 threads per frame (asked for: 3)"));
  g_assert_nonnull (strstr (text, "batch size 4 (asked for: 1)"));
  g_assert_nonnull (strstr (text, "500 µs (asked for: 7)"));
}

static gpointer
open_one (gpointer options)
{
  g_autoptr (GError) error = NULL;
  UpiEngine *engine = upi_engine_open (options, NULL, &error);

  g_assert_true ((engine == NULL) == (error != NULL));
  if (error != NULL)
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  return engine;
}

static void
test_opened_once (void)
{
  UpiEngineOptions good = {
    .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cpu", .threads = 2
  };
  gchar *broken_model = fixture_write_model (NULL, NULL);
  g_autofree gchar *weights = g_build_filename (broken_model, "model.safetensors", NULL);
  UpiEngineOptions bad = { .size = sizeof (UpiEngineOptions), .model = broken_model, .device = "cpu" };
  GThread *threads[8];

  g_assert_true (g_file_set_contents (weights, "short", -1, NULL));
  for (guint round = 0; round < 20; round++) {
    UpiEngine *engines[8];

    for (guint i = 0; i < 8; i++)
      threads[i] = g_thread_new ("opener", open_one, &good);
    for (guint i = 0; i < 8; i++) {
      engines[i] = g_thread_join (threads[i]);
      g_assert_true (engines[i] && engines[i] == engines[0]);
    }
    g_assert_cmpint (engines[0]->ref_count, ==, 8);
    for (guint i = 0; i < 8; i++)
      upi_engine_unref (engines[i]);
    for (guint i = 0; i < 8; i++)
      threads[i] = g_thread_new ("opener", open_one, &bad);
    for (guint i = 0; i < 8; i++)
      g_assert_null (g_thread_join (threads[i]));
  }
  fixture_remove_model (broken_model);
}

static void
test_open_errors (void)
{
  const struct {
    UpiEngineOptions options;
    UpiErrorCode code;
    const gchar *message;
  } cases[] = {
    { { .size = sizeof (UpiEngineOptions), .model = "/nowhere/at/all" }, UPI_ERROR_MODEL, "/nowhere/at/all" },
    { { .size = sizeof (UpiEngineOptions), .model = "no-such-name" }, UPI_ERROR_MODEL, "no-such-name" },
    { { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "tpu" }, UPI_ERROR_ARGUMENT, "tpu" },
    { { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cuda:x" }, UPI_ERROR_ARGUMENT,
        "cuda:x" },
    { { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cuda:987" }, UPI_ERROR_DEVICE,
        "cuda" },
    { { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cpu", .batch_size = 65 },
        UPI_ERROR_ARGUMENT, "65" },
    { { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cpu", .threads = 5000 },
        UPI_ERROR_ARGUMENT, "5000" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (upi_engine_open (&cases[i].options, NULL, &error));
    g_assert_error (error, UPI_ERROR, (gint) cases[i].code);
    g_assert_nonnull (strstr (error->message, cases[i].message));
  }
}

static void
test_open_cancelled (void)
{
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cpu" };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, cancellable, NULL);
  UpiEngineOptions elsewhere = {
    .size = sizeof (UpiEngineOptions), .model = fixture_model (), .device = "cpu", .instance_id = "elsewhere"
  };
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (engine);
  g_cancellable_cancel (cancellable);
  g_assert_null (upi_engine_open (&elsewhere, cancellable, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_CANCELLED);
}

/* The vocabulary must fit the text encoder's table. */
static void
test_foreign_vocabulary (void)
{
  gchar *model = fixture_write_model (NULL, NULL);
  g_autofree gchar *path = g_build_filename (model, "vocab.txt", NULL);
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu" };
  g_autoptr (GError) error = NULL;
  g_autofree gchar *text = NULL;
  g_autofree gchar *longer = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  longer = g_strconcat (text, "onemore\n", NULL);
  g_assert_true (g_file_set_contents (path, longer, -1, NULL));
  g_assert_null (upi_engine_open (&options, NULL, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "151 tokens"));
  fixture_remove_model (model);
}

static void
test_close_with_waiting_tickets (void)
{
  enum { N = 20 };
  UpiEngine *engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  FixtureCalls calls[N + 2] = { 0 };
  UpiTicket *tickets[N + 2];
  const gchar *const words[] = { "cat", NULL };
  UpiEncoding *encoding = fixture_encoding (engine, 1);

  upi_engine_hold (engine);
  for (guint i = 0; i < N; i++)
    tickets[i] = fixture_encode (engine, i, 64, 64, &calls[i]);
  tickets[N] = upi_engine_encode_labels (engine, words, NULL, fixture_done, &calls[N], NULL);
  tickets[N + 1] = upi_engine_caption (engine, encoding, NULL, NULL, fixture_done, &calls[N + 1], NULL);
  upi_engine_unref (engine);
  g_assert_false (upi_ticket_is_done (tickets[0])); /* the encoding holds the engine */
  upi_encoding_unref (encoding);
  for (guint i = 0; i < N + 2; i++) {
    g_assert_true (upi_ticket_is_done (tickets[i]));
    fixture_expect (tickets[i], UPI_ERROR_CANCELLED);
    g_assert_cmpint (calls[i].done, ==, 1);
    g_assert_cmpint (calls[i].released, ==, i < N);
    upi_ticket_cancel (tickets[i]); /* the engine is gone, the ticket is not */
    upi_ticket_unref (tickets[i]);
  }
}

static gpointer
unref_engine (gpointer engine)
{
  upi_engine_unref (engine);
  return NULL;
}

static void
test_close_while_running (void)
{
  UpiEngine *engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  UpiQueue *queue = upi_queue_ref (engine->queue);
  FixtureGate gate;
  UpiTicket *running, *waiting;
  GThread *closer;

  fixture_gate_init (&gate);
  running = fixture_encode_gated (engine, &gate);
  waiting = fixture_encode (engine, 1, 64, 64, NULL);
  fixture_gate_wait (&gate);
  closer = g_thread_new ("closer", unref_engine, engine);
  fixture_expect (waiting, UPI_ERROR_CANCELLED); /* closing has begun, and waits for the one that runs */
  g_assert_true (upi_queue_is_closed (queue));
  g_assert_false (upi_ticket_is_done (running));
  fixture_gate_open (&gate);
  g_thread_join (closer);
  fixture_expect (running, UPI_ERROR_CANCELLED);
  upi_ticket_unref (running);
  upi_ticket_unref (waiting);
  upi_queue_unref (queue);
  fixture_gate_clear (&gate);
}

/* What a callback drops, once the test has let go of it. */
typedef struct {
  UpiEngine *engine;
  FixtureGate gate;
  GAsyncQueue *dropped; /* (nullable) */
} Drop;

static void
drop_engine (UpiTicket *ticket, gpointer user_data)
{
  Drop *drop = user_data;

  fixture_gate_pass (&drop->gate);
  g_clear_pointer (&drop->engine, upi_engine_unref);
}

static UpiTicket *
encode_word (UpiEngine *engine, Drop *drop)
{
  const gchar *const words[] = { "cat", NULL };

  return upi_engine_encode_labels (engine, words, NULL, drop_engine, drop, NULL);
}

/* The last user leaves in a worker's callback: the worker must not wait for itself. */
static void
test_last_user_is_a_worker (void)
{
  for (guint i = 0; i < 20; i++) {
    Drop drop = { fixture_engine ("cpu", 2, 1, 0, NULL) };
    UpiTicket *ticket;

    fixture_gate_init (&drop.gate);
    ticket = encode_word (drop.engine, &drop);
    fixture_gate_open (&drop.gate);
    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_assert_null (drop.engine);
    upi_ticket_unref (ticket);
    fixture_gate_clear (&drop.gate);
    upi_engine_settle ();
  }
}

static void
drop_all (UpiTicket *ticket, gpointer user_data)
{
  Drop *drop = user_data;

  fixture_gate_pass (&drop->gate);
  upi_encoding_unref (upi_ticket_get_encoding (ticket));
  upi_ticket_unref (ticket); /* the caller's, so that the worker's is the last */
  g_clear_pointer (&drop->engine, upi_engine_unref);
  g_async_queue_push (drop->dropped, drop);
}

static void
test_ticket_ends_in_its_callback (void)
{
  UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_BGRX,
    .width = 1,
    .height = 1,
    .planes = { (const guint8 *) "abcd" },
    .strides = { 4 } };
  GAsyncQueue *dropped = g_async_queue_new ();

  for (guint i = 0; i < 20; i++) {
    Drop drop = { fixture_engine ("cpu", 2, 1, 0, NULL), .dropped = dropped };

    fixture_gate_init (&drop.gate);
    upi_engine_encode (drop.engine, &image, 64, 64, i, drop_all, &drop, NULL);
    fixture_gate_open (&drop.gate);
    g_assert_true (g_async_queue_pop (dropped) == &drop);
    fixture_gate_clear (&drop.gate);
    upi_engine_settle ();
  }
  g_async_queue_unref (dropped);
}

/* Two engines whose workers drop each other. */
static void
test_workers_close_each_other (void)
{
  for (guint i = 0; i < 20; i++) {
    Drop drop_b = { fixture_engine ("cpu", 1, 1, 0, "b") }, drop_a = { fixture_engine ("cpu", 1, 1, 0, "a") };
    UpiTicket *on_a, *on_b;

    fixture_gate_init (&drop_a.gate);
    fixture_gate_init (&drop_b.gate);
    on_a = encode_word (drop_a.engine, &drop_b);
    on_b = encode_word (drop_b.engine, &drop_a);
    fixture_gate_wait (&drop_a.gate);
    fixture_gate_wait (&drop_b.gate);
    fixture_gate_open (&drop_a.gate);
    fixture_gate_open (&drop_b.gate);
    g_assert_true (upi_ticket_wait (on_a, NULL));
    g_assert_true (upi_ticket_wait (on_b, NULL));
    upi_ticket_unref (on_a);
    upi_ticket_unref (on_b);
    upi_engine_settle ();
    fixture_gate_clear (&drop_a.gate);
    fixture_gate_clear (&drop_b.gate);
  }
}

static void
test_encoding_outlives_engine (void)
{
  UpiEngine *engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  UpiEncoding *encoding = fixture_encoding (engine, 4);
  UpiLabels *labels = fixture_labels (engine, "cat,dog");
  const UpiDetectOptions options = {
    .size = sizeof (UpiDetectOptions), .threshold = 0, .iou_threshold = 1, .max_objects = 100, .masks = TRUE
  };
  UpiDetections *detections;

  upi_engine_unref (engine);
  g_assert_true (upi_encoding_engine (encoding) == engine);
  detections = upi_engine_detect (engine, encoding, labels, &options, NULL);
  g_assert_cmpuint (detections->n_objects, ==, 10);
  upi_encoding_unref (encoding);
  /* Labels and detections are data. */
  g_assert_cmpstr (upi_labels_name (detections->labels, 1), ==, "dog");
  g_assert_cmpuint (detections->objects[9].mask->rows, >, 0);
  upi_detections_unref (detections);
  upi_labels_unref (labels);
}

static void
test_few_plans_kept (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);

  for (guint i = 0; i < 20; i++) {
    guint width = 64 + 32 * (i % 10);
    g_autoptr (UpiEncoding) encoding = fixture_take_encoding (fixture_encode (engine, i, width, 64, NULL));

    g_assert_cmpuint (encoding->layout->width, ==, width);
    g_assert_cmpuint (upi_engine_cached_plans (engine), <=, 6);
  }
}

/* Several workers ask for a plan at the same moment: one is built. */
static void
test_plan_built_once (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 4, 1, 0, NULL);
  UpiTicket *tickets[8];

  upi_engine_hold (engine);
  for (guint i = 0; i < 8; i++)
    tickets[i] = fixture_encode (engine, i, 64, 64, NULL);
  upi_engine_release (engine);
  for (guint i = 0; i < 8; i++)
    upi_encoding_unref (fixture_take_encoding (tickets[i]));
  g_assert_cmpuint (upi_engine_cached_plans (engine), ==, 1);
}

/* Everything at once from many threads: a place for the thread sanitizer to look. */
static gpointer
busy (gpointer data)
{
  guint seed = GPOINTER_TO_UINT (data);
  GRand *rand = g_rand_new_with_seed (seed);

  for (guint i = 0; i < 15; i++) {
    g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 2, 200, i % 5 ? NULL : "second");
    g_autoptr (UpiTicket) frame = fixture_encode (engine, i, i % 2 ? 64 : 96, 64, NULL);
    g_autofree gchar *word = g_strdup_printf ("word %d", g_rand_int_range (rand, 0, 6));
    const gchar *const words[] = { "cat", word, NULL };
    g_autoptr (UpiTicket) text = upi_engine_encode_labels (engine, words, NULL, NULL, NULL, NULL);
    g_autoptr (UpiEncoding) encoding = NULL;

    if (g_rand_int_range (rand, 0, 4) == 0)
      upi_ticket_cancel (frame);
    if (g_rand_int_range (rand, 0, 4) == 0)
      upi_ticket_cancel (text);
    if (g_rand_int_range (rand, 0, 6) == 0)
      continue; /* and leave */
    if (upi_ticket_wait (frame, NULL)) {
      g_autoptr (UpiTicket) caption = NULL;

      encoding = upi_ticket_get_encoding (frame);
      caption = upi_engine_caption (engine, encoding, NULL, NULL, NULL, NULL, NULL);
      if (g_rand_int_range (rand, 0, 2) == 0)
        upi_ticket_cancel (caption);
      if (upi_ticket_wait (text, NULL)) {
        g_autoptr (UpiLabels) labels = upi_ticket_get_labels (text);
        const UpiDetectOptions options = {
          .size = sizeof (UpiDetectOptions), .threshold = 0.05f, .iou_threshold = 0.7f, .max_objects = 5, .masks = TRUE
        };

        upi_detections_unref (upi_engine_detect (engine, encoding, labels, &options, NULL));
      }
    }
  }
  g_rand_free (rand);
  return NULL;
}

static void
test_busy (void)
{
  GThread *threads[6];

  for (guint i = 0; i < 6; i++)
    threads[i] = g_thread_new ("busy", busy, GUINT_TO_POINTER (i + 1));
  for (guint i = 0; i < 6; i++)
    g_thread_join (threads[i]);
  upi_engine_settle ();
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/sharing", test_sharing);
  g_test_add_func ("/engine/options-conflict", test_conflict);
  g_test_add_func ("/engine/opened-once", test_opened_once);
  g_test_add_func ("/engine/open-errors", test_open_errors);
  g_test_add_func ("/engine/open-cancelled", test_open_cancelled);
  g_test_add_func ("/engine/foreign-vocabulary", test_foreign_vocabulary);
  g_test_add_func ("/engine/close-with-waiting-tickets", test_close_with_waiting_tickets);
  g_test_add_func ("/engine/close-while-running", test_close_while_running);
  g_test_add_func ("/engine/last-user-is-a-worker", test_last_user_is_a_worker);
  g_test_add_func ("/engine/ticket-ends-in-its-callback", test_ticket_ends_in_its_callback);
  g_test_add_func ("/engine/workers-close-each-other", test_workers_close_each_other);
  g_test_add_func ("/engine/encoding-outlives-engine", test_encoding_outlives_engine);
  g_test_add_func ("/engine/few-plans-kept", test_few_plans_kept);
  g_test_add_func ("/engine/plan-built-once", test_plan_built_once);
  g_test_add_func ("/engine/busy", test_busy);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
