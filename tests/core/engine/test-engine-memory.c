/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every allocation whose size depends on the model, the frame, the batch or the list fails once, from the start of an
 * engine to its end: each is an error that names what it was for, nothing leaks, and what comes after it works. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <string.h>

#include "core/engine/engine-private.h"
#include "core/memory.h"
#include "core/model/model.h"
#include "tests/core/engine-fixture.h"
#include "tests/tiny-config.h"

static gboolean no_threads; /* atomic: the engine gets none */

GThread *
g_thread_try_new (const gchar *name, GThreadFunc function, gpointer data, GError **error)
{
  static GThread *(*real) (const gchar *, GThreadFunc, gpointer, GError **);

  if (real == NULL)
    real = (GThread * (*) (const gchar *, GThreadFunc, gpointer, GError **) ) dlsym (RTLD_NEXT, "g_thread_try_new");
  if (!g_atomic_int_get (&no_threads))
    return real (name, function, data, error);
  g_set_error (error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "no more of them");
  return NULL;
}

static gboolean
encode (UpiEngine *engine, UpiEncoding *encodings[2], GError **error)
{
  FixtureCalls calls[2] = { 0 };
  g_autoptr (UpiTicket) first = fixture_encode (engine, 1, 64, 64, &calls[0]),
                        second = fixture_encode (engine, 2, 64, 64, &calls[1]);
  gboolean ok = upi_ticket_wait (first, error);

  ok = upi_ticket_wait (second, ok ? error : NULL) && ok;
  encodings[0] = upi_ticket_get_encoding (first);
  encodings[1] = upi_ticket_get_encoding (second);
  return ok;
}

static gboolean
look (UpiEngine *engine, UpiEncoding *encoding, GError **error)
{
  static const gchar *const words[] = { "cat", "red car", NULL };
  const UpiDetectOptions options = {
    .size = sizeof options, .threshold = 0, .iou_threshold = 1, .max_objects = 5, .masks = TRUE
  };
  const UpiCaptionOptions beam = { .size = sizeof beam, .max_tokens = 2, .beam_size = 2, .length_penalty = 1 };
  g_autoptr (UpiTicket) ticket = upi_engine_encode_labels (engine, words, NULL, NULL, NULL, error);
  if (ticket == NULL || !upi_ticket_wait (ticket, error))
    return FALSE;
  g_autoptr (UpiLabels) labels = upi_ticket_get_labels (ticket);
  g_autoptr (UpiDetections) found = upi_engine_detect (engine, encoding, labels, &options, error);
  if (found == NULL)
    return FALSE;
  g_autoptr (UpiTicket) caption = upi_engine_caption (engine, encoding, &beam, NULL, NULL, NULL, error);
  if (caption == NULL || !upi_ticket_wait (caption, error))
    return FALSE;
  if (upi_engine_info (engine)->caption_candidates == 0)
    return TRUE;
  g_autoptr (UpiTicket) grounded = upi_engine_caption (
      engine, encoding, &(UpiCaptionOptions){ .size = sizeof beam, .grounded = TRUE }, NULL, NULL, NULL, error);
  return grounded != NULL && upi_ticket_wait (grounded, error);
}

/* Start, run, stop. */
static gboolean
live (const gchar *model, const gchar *device, guint threads_per_frame, GError **error)
{
  const UpiEngineOptions options = { .size = sizeof options,
    .model = model,
    .device = device,
    .threads = threads_per_frame,
    .threads_per_frame = threads_per_frame,
    .batch_size = 2,
    .batch_timeout_us = 1000000 };
  UpiEncoding *encodings[2] = { NULL };
  UpiEngine *engine = upi_engine_open (&options, NULL, error);
  gboolean ok = engine != NULL && encode (engine, encodings, error) && look (engine, encodings[0], error);

  for (guint i = 0; i < 2; i++)
    g_clear_pointer (&encodings[i], upi_encoding_unref);
  g_clear_pointer (&engine, upi_engine_unref);
  return ok;
}

static void
fail_each (const gchar *model, const gchar *device, guint threads_per_frame, guint step)
{
  guint failures = 0, n = 1;

  for (;; n += step) {
    g_autoptr (GError) error = NULL;

    upi_testing_fail_allocation (n);
    gboolean ok = live (model, device, threads_per_frame, &error);
    if (upi_testing_fail_allocation (0) > 0) { /* there were fewer */
      g_assert_no_error (error);
      break;
    }
    if (ok) /* a warning's worth: it could do without */
      continue;
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MEMORY);
    if (strstr (error->message, "memory") == NULL || strlen (error->message) < 20)
      g_error ("allocation %u: %s", n, error->message);
    failures++;
  }
  g_test_message ("%u of %u allocations ended a run", failures, n - 1);
  g_assert_cmpuint (failures, >, 30);
}

static void
test_cpu (void)
{
  fail_each (fixture_model (), "cpu", 1, 1);
}

static void
test_thread_pool (void)
{
  fail_each (fixture_model (), "cpu", 2, 9);
}

static void
test_ref (void)
{
  fail_each (fixture_model (), "ref", 1, 2);
}

/* With grounded captions: their candidates, and the plans for those that go on. */
static void
test_grounded (void)
{
  g_autoptr (GError) error = NULL;
  gchar *model = g_dir_make_tmp ("upi-engine-XXXXXX", &error);

  g_assert_no_error (error);
  upi_model_write_random (model, UPI_TINY_GROUNDED_CONFIG, 7, &error);
  g_assert_no_error (error);
  fail_each (model, "cpu", 1, 11);
  fixture_remove_model (model);
}

static void
test_sizes (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree gpointer nothing = upi_memory_new0 (0, 8, "nothing", &error);

  g_assert_nonnull (nothing);
  g_assert_null (upi_memory_new (G_MAXSIZE / 2, 8, "the largest list", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MEMORY);
  g_assert_nonnull (strstr (error->message, "the largest list"));
}

/* How many MB the error says are needed. */
static gsize
needed (const GError *error)
{
  const gchar *at = strstr (error->message, " MB are needed");

  g_assert_nonnull (at);
  while (at > error->message && g_ascii_isdigit (at[-1]))
    at--;
  return (gsize) g_ascii_strtoull (at, NULL, 10);
}

static UpiEngine *
open_in (gsize megabytes, const gchar *model, GError **error)
{
  const UpiEngineOptions options = { .size = sizeof options, .model = model, .device = "cpu", .threads = 1 };

  upi_testing_set_available_memory (megabytes << 20);
  return upi_engine_open (&options, NULL, error);
}

/* Opening says what is missing, for the weights and for what runs beside them, and refuses nothing that fits. */
static void
test_open (void)
{
  gchar *model = fixture_write_model (NULL, NULL);
  guint refused = 0;
  gsize megabytes = 0;

  for (;;) {
    g_autoptr (GError) error = NULL;
    g_autoptr (UpiEngine) engine = open_in (megabytes, model, &error);

    if (engine != NULL)
      break;
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MEMORY);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, model));
    g_assert_nonnull (strstr (error->message, "left of what a test leaves"));
    g_assert_nonnull (strstr (error->message, "smaller model"));
    g_assert_cmpuint (needed (error), >, megabytes);
    megabytes = needed (error);
    refused++;
  }
  g_assert_cmpuint (refused, >=, 1);
  upi_testing_set_available_memory (G_MAXSIZE);
  fixture_remove_model (model);
}

/* A plan that does not fit is its frame's error; smaller ones go on. */
static void
test_large_input (void)
{
  UpiEngine *engine = fixture_engine ("cpu", 1, 1, 0, "large");
  g_autoptr (GError) error = NULL;

  upi_testing_set_available_memory (40 << 20);
  g_autoptr (UpiTicket) large = fixture_encode (engine, 1, 1024, 1024, NULL);
  g_assert_false (upi_ticket_wait (large, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MEMORY);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, "plan of the image program"));
  g_assert_nonnull (strstr (error->message, "smaller input size"));
  upi_encoding_unref (fixture_encoding (engine, 1));
  g_assert_cmpuint (upi_engine_cached_plans (engine), ==, 1);
  upi_testing_set_available_memory (needed (error) << 20);
  upi_encoding_unref (fixture_take_encoding (fixture_encode (engine, 1, 1024, 1024, NULL)));
  upi_testing_set_available_memory (G_MAXSIZE);
  upi_engine_unref (engine);
}

/* Inputs of any aspect, by their short side: the long one has a bound, and so has the number of plans, and of what the
 * worker has of them. */
static void
test_any_aspect (void)
{
  g_autoptr (GError) error = NULL;
  gchar *model = g_dir_make_tmp ("upi-engine-XXXXXX", &error);
  guint8 pixels[64 * 640 * 3] = { 0 };
  gsize most = 0;

  g_assert_no_error (error);
  upi_model_write_random (model, UPI_TINY_LETTERBOX_CONFIG (", \"short\": 64, \"long\": 200"), 7, &error);
  g_assert_no_error (error);
  g_autoptr (UpiEngine) engine = open_in (G_MAXSIZE >> 20, model, &error);
  g_assert_no_error (error);
  for (guint width = 64; width <= 640; width += 32) {
    const UpiImage image = { .size = sizeof image,
      .format = UPI_PIXELS_RGB,
      .width = width,
      .height = 64,
      .planes = { pixels },
      .strides = { 3 * 640 } };
    UpiEngineStats stats = { .size = sizeof stats };
    guint input_width, input_height;

    upi_engine_nearest_size (engine, width, 64, &input_width, &input_height);
    g_assert_cmpuint (input_width, ==, MIN (width, 224)); /* whole multiples */
    g_assert_cmpuint (input_height, ==, width <= 192 ? 64 : width <= 400 ? 64 : 32);
    upi_encoding_unref (fixture_take_encoding (upi_engine_encode (engine, &image, 0, 0, 0, NULL, NULL, &error)));
    g_assert_no_error (error);
    g_assert_cmpuint (upi_engine_cached_plans (engine), <=, 6);
    upi_engine_get_stats (engine, &stats);
    if (width <= 224)
      most = stats.context_bytes;
    g_assert_cmpuint (stats.context_bytes, <=, most * 2);
  }
  g_clear_pointer (&engine, upi_engine_unref);
  upi_testing_set_available_memory (G_MAXSIZE);
  fixture_remove_model (model);
}

/* What an opened engine's threads keep is there when it is opened: nobody who asks then what is left meets their first
 * allocations. */
static void
test_workers (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("ref", 8, 1, 0, NULL);

  g_assert_cmpuint (engine->workers->len, ==, 8);
  g_mutex_lock (&engine->queue->lock);
  for (guint i = 0; i < engine->workers->len; i++)
    g_assert_true (((const UpiWorker *) engine->workers->pdata[i])->ready);
  g_mutex_unlock (&engine->queue->lock);
}

static void
drop (UpiTicket *ticket, gpointer engine)
{
  g_atomic_int_set (&no_threads, TRUE);
  upi_engine_unref (engine);
  g_atomic_int_set (&no_threads, FALSE);
}

/* The last user leaves in a worker's callback, and there is no thread that could free the engine: it stays, a warning
 * says so, and nobody waits for its end. */
static void
test_reaper (void)
{
  static const gchar *const words[] = { "cat", NULL };
  UpiEngine *engine = fixture_engine ("ref", 1, 1, 0, "kept");

  g_test_expect_message ("upi", G_LOG_LEVEL_WARNING, "*is not freed: no more of them");
  UpiTicket *ticket = upi_engine_encode_labels (engine, words, NULL, drop, engine, NULL);
  g_assert_true (upi_ticket_wait (ticket, NULL));
  upi_ticket_unref (ticket);
  upi_engine_settle ();
  g_test_assert_expected_messages ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/memory/sizes", test_sizes);
  g_test_add_func ("/engine/memory/open", test_open);
  g_test_add_func ("/engine/memory/large-input", test_large_input);
  g_test_add_func ("/engine/memory/any-aspect", test_any_aspect);
  g_test_add_func ("/engine/memory/cpu", test_cpu);
  g_test_add_func ("/engine/memory/thread-pool", test_thread_pool);
  g_test_add_func ("/engine/memory/grounded", test_grounded);
  g_test_add_func ("/engine/memory/ref", test_ref);
  g_test_add_func ("/engine/memory/workers", test_workers);
  g_test_add_func ("/engine/memory/reaper", test_reaper);
  gint status = g_test_run ();
  fixture_clear ();
  return status;
}
