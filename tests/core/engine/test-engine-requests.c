/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to an engine: every ticket ends once, images are released once, batches equal single frames, faults stay
 * with their ticket. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"

#include <math.h>
#include <string.h>

static void
test_many_tickets (void)
{
  enum { N = 300 };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 3, 1, 0, NULL);
  static UpiTicket *tickets[N];
  FixtureCalls calls[N] = { 0 };
  g_autoptr (UpiEncoding) first = fixture_encoding (engine, 5);
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  for (guint i = 0; i < N; i++)
    tickets[i] = fixture_encode (engine, i, 64, 64, &calls[i]);
  for (guint i = 0; i < N; i++) {
    g_autoptr (UpiEncoding) encoding = fixture_take_encoding (tickets[i]);
    guint width, height;

    g_assert_cmpuint (upi_encoding_pts (encoding), ==, i);
    upi_encoding_source_size (encoding, &width, &height);
    g_assert_cmpuint (width, ==, 48);
    g_assert_cmpuint (height, ==, 32);
    g_assert_cmpint (calls[i].done, ==, 1);
    g_assert_cmpint (calls[i].released, ==, 1);
    if (i == 5) /* the same picture gives the same numbers, on whichever worker */
      g_assert_cmpmem (upi_encoding_part (encoding, UPI_PART_REGIONS), encoding->layout->bytes[UPI_PART_REGIONS],
          upi_encoding_part (first, UPI_PART_REGIONS), first->layout->bytes[UPI_PART_REGIONS]);
  }
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encoded, ==, N + 1);
  g_assert_cmpuint (stats.failed + stats.cancelled, ==, 0);
  g_assert_cmpuint (stats.queue_length, ==, 0);
  g_assert_cmpuint (stats.encodings_alive, ==, 1);
  g_assert_cmpuint (stats.encodings_pooled, >, 0);
  g_assert_cmpuint (stats.convert_us, >, 0);
  g_assert_cmpuint (stats.infer_us, >, 0);
  g_assert_cmpuint (stats.model_bytes, >, 0);
  g_assert_cmpuint (stats.context_bytes, >, 0);
  g_assert_cmpuint (stats.workers, ==, 3);
}

/* Largest difference between the parts of two encodings, relative to the part's largest value. */
static gfloat
difference (const UpiEncoding *a, const UpiEncoding *b)
{
  gfloat worst = 0;

  g_assert_cmpuint (a->layout->block_bytes, ==, b->layout->block_bytes);
  for (guint part = 0; part < a->layout->n_parts; part++) {
    const gfloat *x = upi_encoding_part (a, part), *y = upi_encoding_part (b, part);
    gfloat off = 0, top = 0;

    for (gsize i = 0; i < a->layout->bytes[part] / sizeof (gfloat); i++) {
      off = MAX (off, fabsf (x[i] - y[i]));
      top = MAX (top, fabsf (x[i]));
    }
    worst = MAX (worst, off / top);
  }
  return worst;
}

static void
test_batch_equals_single (void)
{
  for (guint device = 0; device < 2; device++) {
    const gchar *name = device ? "cpu" : "ref";
    g_autoptr (UpiEngine) single = fixture_engine (name, 1, 1, 0, "single");
    g_autoptr (UpiEngine) batched = fixture_engine (name, 1, 4, 0, "batched");
    UpiTicket *tickets[4];

    upi_engine_hold (batched);
    for (guint i = 0; i < 4; i++)
      tickets[i] = fixture_encode (batched, 20 + i, 64, 64, NULL);
    upi_engine_release (batched);
    for (guint i = 0; i < 4; i++) {
      g_autoptr (UpiEncoding) one = fixture_encoding (single, 20 + i);
      g_autoptr (UpiEncoding) of_four = fixture_take_encoding (tickets[i]);
      g_autoptr (UpiEncoding) other = fixture_encoding (single, 30 + i);

      g_assert_cmpuint (upi_encoding_pts (of_four), ==, 20 + i);
      g_assert_cmpfloat (difference (one, of_four), <=, device ? 1e-4f : 1e-6f);
      g_assert_cmpfloat (difference (one, other), >, 1e-3f); /* the comparison can tell frames apart */
    }
    g_assert_cmpuint (upi_engine_cached_plans (batched), ==, 1); /* the batch's: no frame ran alone */
  }
}

/* Frames of several sizes wait together: batches are of one size, what does not fill one runs alone, nothing is
 * lost. */
static void
test_batches_by_size (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 4, 1000, NULL);
  UpiTicket *tickets[22];

  upi_engine_hold (engine);
  for (guint i = 0; i < G_N_ELEMENTS (tickets); i++)
    tickets[i] = fixture_encode (engine, i, i % 3 ? 64 : 96, 64, NULL);
  upi_engine_release (engine);
  for (guint i = 0; i < G_N_ELEMENTS (tickets); i++) {
    g_autoptr (UpiEncoding) encoding = fixture_take_encoding (tickets[i]);

    g_assert_cmpuint (upi_encoding_pts (encoding), ==, i);
    g_assert_cmpuint (encoding->layout->width, ==, i % 3 ? 64 : 96);
  }
}

/* A batch that fills up is served at once, however long a partial one would wait; the other worker keeps its hands off
 * meanwhile. */
static void
test_batch_waits_for_more (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 3, G_GUINT64_CONSTANT (3600000000), NULL);
  UpiTicket *tickets[3];
  g_autoptr (UpiLabels) labels = NULL;

  tickets[0] = fixture_encode (engine, 0, 64, 64, NULL);
  tickets[1] = fixture_encode (engine, 1, 64, 64, NULL);
  labels = fixture_labels (engine, "cat,dog"); /* what is no frame passes the forming batch */
  g_assert_false (upi_ticket_is_done (tickets[0]));
  tickets[2] = fixture_encode (engine, 2, 64, 64, NULL);
  for (guint i = 0; i < 3; i++) {
    g_autoptr (UpiEncoding) encoding = fixture_take_encoding (tickets[i]);

    g_assert_cmpuint (upi_encoding_pts (encoding), ==, i);
  }
  /* One that waits for company can be cancelled at once. */
  tickets[0] = fixture_encode (engine, 3, 64, 64, NULL);
  upi_ticket_cancel (tickets[0]);
  g_assert_true (upi_ticket_is_done (tickets[0]));
  fixture_expect (tickets[0], UPI_ERROR_CANCELLED);
  upi_ticket_unref (tickets[0]);
}

static void
test_cancel_waiting (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  UpiTicket *tickets[8];
  FixtureCalls calls[8] = { 0 };
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  upi_engine_hold (engine);
  for (guint i = 0; i < 8; i++)
    tickets[i] = fixture_encode (engine, i, 64, 64, &calls[i]);
  for (guint i = 0; i < 8; i += 2) {
    upi_ticket_cancel (tickets[i]);
    g_assert_true (upi_ticket_is_done (tickets[i]));
    g_assert_true (calls[i].thread == g_thread_self ());
    g_assert_cmpint (calls[i].released, ==, 1);
    upi_ticket_cancel (tickets[i]); /* again: nothing */
  }
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.queue_length, ==, 4);
  g_assert_cmpuint (stats.cancelled, ==, 4);
  upi_engine_release (engine);
  for (guint i = 0; i < 8; i++) {
    guint64 convert_us, infer_us;

    if (i % 2 == 0)
      fixture_expect (tickets[i], UPI_ERROR_CANCELLED);
    else
      g_assert_true (upi_ticket_wait (tickets[i], NULL));
    upi_ticket_get_times (tickets[i], &convert_us, &infer_us);
    g_assert_true ((infer_us > 0) == (i % 2 == 1));
    g_assert_cmpint (calls[i].done, ==, 1);
    g_assert_cmpint (calls[i].released, ==, 1);
    upi_ticket_cancel (tickets[i]); /* done: nothing */
    upi_ticket_unref (tickets[i]);
  }
}

static void
test_cancel_running (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  FixtureGate gate;
  UpiTicket *ticket;
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  fixture_gate_init (&gate);
  ticket = fixture_encode_gated (engine, &gate);
  fixture_gate_wait (&gate);
  upi_ticket_cancel (ticket);
  g_assert_false (upi_ticket_is_done (ticket));
  fixture_gate_open (&gate);
  fixture_expect (ticket, UPI_ERROR_CANCELLED);
  upi_ticket_unref (ticket);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encodings_alive, ==, 0);
  fixture_gate_clear (&gate);
}

static void
test_fault_stays_with_its_ticket (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autoptr (GError) error = NULL;
  const gchar *const words[] = { "cat", "dog", "a car", NULL };
  UpiTicket *tickets[6];
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  upi_engine_hold (engine);
  upi_engine_fail_inference (engine, 3);
  for (guint i = 0; i < 6; i++)
    tickets[i] = fixture_encode (engine, i, 64, 64, NULL);
  upi_engine_release (engine);
  for (guint i = 0; i < 6; i++) {
    if (i == 2)
      fixture_expect (tickets[i], UPI_ERROR_FAILED);
    else
      g_assert_true (upi_ticket_wait (tickets[i], NULL));
    upi_ticket_unref (tickets[i]);
  }
  upi_engine_fail_inference (engine, 2);
  tickets[0] = upi_engine_encode_labels (engine, words, NULL, NULL, NULL, &error);
  fixture_expect (tickets[0], UPI_ERROR_FAILED);
  upi_ticket_unref (tickets[0]);
  upi_engine_fail_inference (engine, 2);
  tickets[0] = upi_engine_caption (engine, encoding, NULL, NULL, NULL, NULL, &error);
  fixture_expect (tickets[0], UPI_ERROR_FAILED);
  upi_ticket_unref (tickets[0]);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.failed, ==, 3);
  g_assert_cmpuint (stats.encodings_alive, ==, 1);
}

/* In a batch, a fault is everyone's; a frame that cannot be read is its own. */
static void
test_fault_in_batch (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 2, 0, NULL);
  UpiImage unreadable = { .size = sizeof (UpiImage), .format = UPI_PIXELS_READ, .width = 8, .height = 8 };
  g_autoptr (GError) error = NULL;
  UpiTicket *tickets[2];

  upi_engine_hold (engine);
  upi_engine_fail_inference (engine, 1);
  for (guint i = 0; i < 2; i++)
    tickets[i] = fixture_encode (engine, i, 64, 64, NULL);
  upi_engine_release (engine);
  for (guint i = 0; i < 2; i++) {
    fixture_expect (tickets[i], UPI_ERROR_FAILED);
    upi_ticket_unref (tickets[i]);
  }

  g_assert_null (upi_engine_encode (engine, &unreadable, 64, 64, 0, NULL, NULL, &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_clear_error (&error);
}

static gboolean
read_nothing (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  g_set_error_literal (error, UPI_ERROR, UPI_ERROR_INPUT, "the buffer is smaller than its caps say");
  return FALSE;
}

static void
test_unreadable_frame (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 2, 0, NULL);
  UpiImage unreadable = {
    .size = sizeof (UpiImage), .format = UPI_PIXELS_READ, .width = 8, .height = 8, .read = read_nothing
  };
  g_autoptr (GError) error = NULL;
  UpiTicket *good, *bad;

  upi_engine_hold (engine);
  bad = upi_engine_encode (engine, &unreadable, 64, 64, 0, NULL, NULL, &error);
  g_assert_no_error (error);
  good = fixture_encode (engine, 3, 64, 64, NULL);
  upi_engine_release (engine);
  fixture_expect (bad, UPI_ERROR_INPUT);
  g_assert_true (upi_ticket_wait (good, NULL));
  upi_ticket_unref (good);
  upi_ticket_unref (bad);
}

static void
count_release (gpointer user_data)
{
  ++*(guint *) user_data;
}

static void
test_bad_images (void)
{
  static guint8 pixels[64 * 64 * 4];
  guint released = 0;
  UpiImage good = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_NV12,
    .width = 64,
    .height = 64,
    .planes = { pixels, pixels },
    .strides = { 64, 64 },
    .release = count_release,
    .user_data = &released };
  UpiImage images[] = { good, good, good, good, good, good, good, good };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  const guint sizes[][2] = { { 60, 64 }, { 64, 0 }, { 0, 64 }, { 8192, 64 }, { 64, 16 } };

  images[0].width = 0;
  images[1].height = 40000;
  images[2].planes[1] = NULL;
  images[3].strides[0] = 63;
  images[4].strides[1] = -62;
  images[5].kr = NAN;
  images[6].kb = 1;
  images[7].format = 17;
  for (guint i = 0; i < G_N_ELEMENTS (images) + G_N_ELEMENTS (sizes); i++) {
    gboolean bad_size = i >= G_N_ELEMENTS (images);
    const guint *size = bad_size ? sizes[i - G_N_ELEMENTS (images)] : (const guint[]){ 64, 64 };
    g_autoptr (GError) error = NULL;

    g_assert_null (upi_engine_encode (engine, bad_size ? &good : &images[i], size[0], size[1], 0, NULL, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_assert_cmpuint (released, ==, i + 1);
  }
}

static void
test_bad_texts (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, 1);
  g_autofree gchar *long_text = g_strnfill (20000, 'x');
  const gchar *lists[][3] = { { NULL }, { "cat", "", NULL }, { "cat", "\xff\xfe", NULL }, { long_text, NULL } };
  const gchar *const one[] = { "cat", NULL };
  const gfloat thresholds[] = { -0.1f, 1.1f, INFINITY };
  const UpiCaptionOptions options[] = { { .size = sizeof (UpiCaptionOptions), .beam_size = 100 },
    { .size = sizeof (UpiCaptionOptions), .beam_size = 2, .length_penalty = NAN },
    { .size = sizeof (UpiCaptionOptions), .beam_size = 2, .length_penalty = -1 } };

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (upi_engine_encode_labels (engine, lists[i], NULL, NULL, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
  }
  for (guint i = 0; i < G_N_ELEMENTS (thresholds); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (upi_engine_encode_labels (engine, one, &thresholds[i], NULL, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  }
  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (upi_engine_caption (engine, encoding, &options[i], NULL, NULL, NULL, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
  }
}

/* An input size that the model cannot serve is the ticket's error; the plan that failed is not kept. */
static void
test_impossible_size (void)
{
  gchar *model = fixture_write_model ("\"count\": 10", "\"count\": 30"); /* 32×32 has 21 tokens to choose from */
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 2 };
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, NULL);

  g_assert_nonnull (engine);
  for (guint i = 0; i < 3; i++) {
    UpiTicket *ticket = fixture_encode (engine, 1, 32, 32, NULL);

    fixture_expect (ticket, UPI_ERROR_ARGUMENT);
    upi_ticket_unref (ticket);
    g_assert_cmpuint (upi_engine_cached_plans (engine), ==, 0);
  }
  upi_encoding_unref (fixture_encoding (engine, 1));
  fixture_remove_model (model);
}

/* Frames that piled up somewhere are gone: so is their memory, but for what the next frames need. */
static void
test_pool_shrinks (void)
{
  enum { N = 100 };
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  UpiEncoding *piled[N];
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  for (guint i = 0; i < N; i++)
    piled[i] = fixture_encoding (engine, i);
  for (guint i = 0; i < N; i++)
    upi_encoding_unref (piled[i]);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encodings_alive, ==, 0);
  g_assert_cmpuint (stats.encodings_pooled, >, 0);
  g_assert_cmpuint (stats.encodings_pooled, <=, 8);
  /* Also where it is never idle: two at a time for a while. */
  for (guint i = 0; i < N; i++)
    piled[i] = fixture_encoding (engine, i);
  for (guint i = 2; i < N; i++)
    upi_encoding_unref (piled[i]);
  for (guint i = 0; i < 2 * N; i++) {
    upi_encoding_unref (piled[i % 2]);
    piled[i % 2] = fixture_encoding (engine, i);
  }
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.encodings_alive, ==, 2);
  g_assert_cmpuint (stats.encodings_pooled, <=, 2);
  upi_encoding_unref (piled[0]);
  upi_encoding_unref (piled[1]);
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/pool-shrinks", test_pool_shrinks);
  g_test_add_func ("/engine/many-tickets", test_many_tickets);
  g_test_add_func ("/engine/batch-equals-single", test_batch_equals_single);
  g_test_add_func ("/engine/batches-by-size", test_batches_by_size);
  g_test_add_func ("/engine/batch-waits-for-more", test_batch_waits_for_more);
  g_test_add_func ("/engine/cancel-waiting", test_cancel_waiting);
  g_test_add_func ("/engine/cancel-running", test_cancel_running);
  g_test_add_func ("/engine/fault-stays-with-its-ticket", test_fault_stays_with_its_ticket);
  g_test_add_func ("/engine/fault-in-batch", test_fault_in_batch);
  g_test_add_func ("/engine/unreadable-frame", test_unreadable_frame);
  g_test_add_func ("/engine/bad-images-are-named", test_bad_images);
  g_test_add_func ("/engine/bad-texts-are-named", test_bad_texts);
  g_test_add_func ("/engine/impossible-size", test_impossible_size);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
