/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Long label lists: in batches by length, shared by the workers, behind the frames, and ended between two batches. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"
#include "core/tasks/labels.h"
#include "core/tasks/text-batches.h"

#include <string.h>

/* n labels of one to five words, all different, in no order of length. */
static gchar **
list_of (guint n)
{
  static const gchar *const words[] = { "cat", "red", "car", "dog", "street", "photo" };
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (guint i = 0; i < n; i++) {
    g_autoptr (GString) text = g_string_new (NULL);

    g_string_append_printf (text, "%u", i);
    for (guint j = 0; j < i % 5; j++)
      g_string_append_printf (text, " %s", words[(i + j) % G_N_ELEMENTS (words)]);
    g_strv_builder_add (builder, text->str);
  }
  return g_strv_builder_end (builder);
}

typedef struct {
  GMutex lock;
  GCond changed;
  guint calls, most, wait_for; /* of progress: the first waits for so many */
  UpiTicket *cancel;           /* in the first */
} Progress;

static void
progress_init (Progress *progress)
{
  memset (progress, 0, sizeof *progress);
  g_mutex_init (&progress->lock);
  g_cond_init (&progress->changed);
}

static void
progress_clear (Progress *progress)
{
  g_mutex_clear (&progress->lock);
  g_cond_clear (&progress->changed);
}

static void
on_progress (guint done, guint total, gpointer user_data)
{
  Progress *progress = user_data;

  g_assert_cmpuint (done, <=, total);
  g_mutex_lock (&progress->lock);
  progress->calls++;
  progress->most = MAX (progress->most, done);
  g_cond_broadcast (&progress->changed);
  while (progress->calls < progress->wait_for)
    g_cond_wait (&progress->changed, &progress->lock);
  UpiTicket *cancel = g_steal_pointer (&progress->cancel);
  if (cancel != NULL) /* before the others go on, or they might take one more batch */
    upi_ticket_cancel (cancel);
  g_mutex_unlock (&progress->lock);
}

static UpiTicket *
encode (UpiEngine *engine, gchar **names, Progress *progress)
{
  g_autoptr (GError) error = NULL;
  UpiTicket *ticket = upi_engine_encode_labels_with_progress (
      engine, (const gchar *const *) names, NULL, progress != NULL ? on_progress : NULL, NULL, progress, &error);

  g_assert_no_error (error);
  return ticket;
}

static UpiLabels *
take (UpiTicket *ticket)
{
  g_autoptr (GError) error = NULL;

  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  UpiLabels *labels = upi_ticket_get_labels (ticket);
  upi_ticket_unref (ticket);
  return labels;
}

/* Every text is in one batch, no batch is larger than a run, and little is computed for padding. */
static void
test_batches (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_auto (GStrv) names = list_of (700);
  g_autofree UpiLabels *labels = g_new0 (UpiLabels, 1);
  g_autofree guint *seen = g_new0 (guint, 700);
  guint tokens = 0, rows = 0, turns = 1, full = 0;

  labels->n = 700;
  labels->names = names;
  labels->width = engine->info.width;
  g_autofree gfloat *embeddings = g_new0 (gfloat, (gsize) 700 * labels->width);

  labels->embeddings = embeddings;
  UpiTexts *texts = upi_texts_new (engine, labels, NULL);
  g_assert_nonnull (texts);
  while (!upi_texts_prepare (engine, texts, labels))
    turns++;
  g_assert_cmpuint (turns, ==, 2); /* frames have their turn between */
  for (guint i = 0; i < texts->batches->len; i++) {
    const UpiTextBatch *batch = &g_array_index (texts->batches, UpiTextBatch, i);

    g_assert_cmpuint (batch->n, <=, upi_text_plan_batch (batch->tokens));
    full += batch->n == upi_text_plan_batch (batch->tokens) ? batch->n : 0;
    rows += batch->n * batch->tokens;
    for (guint j = 0; j < batch->n; j++) {
      guint text = g_array_index (texts->order, guint, batch->first + j);

      seen[text]++;
      tokens += texts->counts[text];
      g_assert_cmpuint (texts->counts[text], <=, batch->tokens);
    }
  }
  for (guint i = 0; i < 700; i++)
    g_assert_cmpuint (seen[i], ==, 1);
  g_assert_cmpuint (100 * rows, <=, 110 * tokens);
  g_assert_cmpuint (full, >=, 600);
  upi_texts_free (texts);
}

static void
test_plans (void)
{
  for (guint tokens = 1; tokens <= 512; tokens++) {
    guint plan = upi_text_plan_tokens (tokens, 512), n = upi_text_plan_batch (plan);

    g_assert_cmpuint (plan, >=, tokens);
    g_assert_cmpuint (8 * plan, <=, 9 * tokens + 8);
    g_assert_true (tokens > 16 || plan == tokens);
    g_assert_true (n == 1 || n * plan <= 128);
    g_assert_true ((n & (n - 1)) == 0);
  }
  g_assert_cmpuint (upi_text_plan_tokens (509, 510), ==, 510);
}

/* A text has the same numbers alone and in any company, on any number of workers. */
static void
test_company (void)
{
  g_autoptr (UpiEngine) many = fixture_engine ("cpu", 3, 1, 0, "many"),
                        single = fixture_engine ("cpu", 1, 1, 0, "single");
  g_auto (GStrv) names = list_of (150);
  g_autoptr (UpiLabels) labels = take (encode (many, names, NULL));

  for (guint i = 0; i < 150; i += 7) {
    gchar *one[] = { names[i], NULL };
    g_autoptr (UpiLabels) alone = take (encode (single, one, NULL));

    g_assert_cmpmem (alone->embeddings, labels->width * sizeof (gfloat), labels->embeddings + (gsize) i * labels->width,
        labels->width * sizeof (gfloat));
  }
}

/* Two workers have a batch of the same list in their hands. */
static void
test_shared (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  g_auto (GStrv) names = list_of (200);
  Progress progress;

  progress_init (&progress);
  progress.wait_for = 2;
  upi_labels_unref (take (encode (engine, names, &progress)));
  g_assert_cmpuint (progress.most, ==, 200);
  g_assert_cmpuint (progress.calls, >, 5);
  progress_clear (&progress);
}

static void
test_cancel (gconstpointer threads)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", GPOINTER_TO_UINT (threads), 1, 0, NULL);
  g_auto (GStrv) names = list_of (200);
  Progress progress;

  progress_init (&progress);
  progress.wait_for = GPOINTER_TO_UINT (threads); /* as many batches run when it comes */
  upi_engine_hold (engine);
  UpiTicket *ticket = encode (engine, names, &progress);
  progress.cancel = ticket;
  upi_engine_release (engine);
  fixture_expect (ticket, UPI_ERROR_CANCELLED);
  g_assert_cmpuint (progress.calls, ==, GPOINTER_TO_UINT (threads));
  g_assert_cmpuint (upi_engine_cached_texts (engine), <, 200);
  upi_ticket_unref (ticket);
  upi_labels_unref (fixture_labels (engine, "cat,dog")); /* the engine goes on */
  progress_clear (&progress);
}

static void
test_failure (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  g_auto (GStrv) names = list_of (200);
  FixtureCalls calls = { 0 };
  g_autoptr (GError) error = NULL;

  upi_engine_fail_inference (engine, 3);
  g_autoptr (UpiTicket) ticket =
      upi_engine_encode_labels (engine, (const gchar *const *) names, NULL, fixture_done, &calls, &error);
  g_assert_no_error (error);
  fixture_expect (ticket, UPI_ERROR_FAILED);
  g_assert_cmpint (calls.done, ==, 1);
  upi_labels_unref (take (encode (engine, names, NULL)));
}

/* The engine's last user goes while batches run and others wait. */
static gpointer
leave (gpointer engine)
{
  upi_engine_unref (engine);
  return NULL;
}

static void
test_closing (void)
{
  UpiEngine *engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  UpiQueue *queue = upi_queue_ref (engine->queue);
  g_auto (GStrv) names = list_of (200);
  Progress progress;

  progress_init (&progress);
  progress.wait_for = 3; /* there are two workers: both wait */
  UpiTicket *ticket = encode (engine, names, &progress);
  g_mutex_lock (&progress.lock);
  while (progress.calls < 2)
    g_cond_wait (&progress.changed, &progress.lock);
  g_mutex_unlock (&progress.lock);
  GThread *thread = g_thread_new ("leave", leave, engine);
  while (!upi_queue_is_closed (queue))
    g_thread_yield ();
  g_mutex_lock (&progress.lock);
  progress.wait_for = 0;
  g_cond_broadcast (&progress.changed);
  g_mutex_unlock (&progress.lock);
  fixture_expect (ticket, UPI_ERROR_CANCELLED);
  upi_ticket_unref (ticket);
  g_thread_join (thread);
  upi_queue_unref (queue);
  progress_clear (&progress);
}

typedef struct {
  gint frames; /* that have ended */
  gint at;     /* how many had when the list ended */
} Order;

static void
frame_done (UpiTicket *ticket, gpointer user_data)
{
  g_atomic_int_inc (&((Order *) user_data)->frames);
}

static void
list_done (UpiTicket *ticket, gpointer user_data)
{
  Order *order = user_data;
  order->at = g_atomic_int_get (&order->frames);
}

/* Frames go first, and a list is encoded all the same where they never end. */
static void
test_among_frames (void)
{
  enum { N = 120 };
  static const guint8 pixels[48 * 32 * 3];
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = 48,
    .height = 32,
    .planes = { pixels },
    .strides = { 48 * 3 } };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_auto (GStrv) names = list_of (200);
  UpiTicket *frames[N];
  Order order = { 0, -1 };
  g_autoptr (GError) error = NULL;

  upi_engine_hold (engine);
  g_autoptr (UpiTicket) list =
      upi_engine_encode_labels (engine, (const gchar *const *) names, NULL, list_done, &order, &error);
  for (guint i = 0; i < N; i++)
    frames[i] = upi_engine_encode (engine, &image, 64, 64, i, frame_done, &order, &error);
  g_assert_no_error (error);
  upi_engine_release (engine);
  g_assert_true (upi_ticket_wait (list, NULL));
  for (guint i = 0; i < N; i++) {
    g_assert_true (upi_ticket_wait (frames[i], NULL));
    upi_ticket_unref (frames[i]);
  }
  g_assert_cmpint (order.at, >=, 20);
  g_assert_cmpint (order.at, <, N);
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/labels/batches", test_batches);
  g_test_add_func ("/labels/plans", test_plans);
  g_test_add_func ("/labels/company", test_company);
  g_test_add_func ("/labels/shared-by-workers", test_shared);
  g_test_add_data_func ("/labels/cancel", GUINT_TO_POINTER (1), test_cancel);
  g_test_add_data_func ("/labels/cancel-while-two-run", GUINT_TO_POINTER (2), test_cancel);
  g_test_add_func ("/labels/failure", test_failure);
  g_test_add_func ("/labels/closing", test_closing);
  g_test_add_func ("/labels/among-frames", test_among_frames);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
