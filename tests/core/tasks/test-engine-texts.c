/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-engine-texts.c: words into an engine and out of it: embeddings of labels, their cache, captions. */
#include "tests/core/engine-fixture.h"

#include "core/engine/engine-private.h"
#include "core/tasks/labels.h"
#include "tests/tiny-config.h"

/* The bucket a string falls into does not show in its embedding, nor does its company. */
static void
test_text_lengths (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (UpiLabels) mixed = fixture_labels (
      engine, "cat,a cat on a red car in the street with a man and two dogs at the photo of a person,dog");
  g_autofree gchar *endless = g_strnfill (3000, 'c');
  g_autoptr (UpiLabels) cut = NULL;

  for (guint i = 0; i < mixed->n; i++) {
    g_autoptr (UpiEngine) other = fixture_engine ("cpu", 1, 1, 0, "other");
    g_autoptr (UpiLabels) alone = fixture_labels (other, upi_labels_name (mixed, i));

    g_assert_cmpmem (alone->embeddings, 48 * sizeof (gfloat), mixed->embeddings + i * 48, 48 * sizeof (gfloat));
  }
  g_assert_cmpfloat (fixture_cosine (mixed->embeddings, mixed->embeddings + 48, 48), <, 0.999);
  for (guint i = 1; i < 3000; i += 2)
    endless[i] = ' ';
  cut = fixture_labels (engine, endless); /* more tokens than the model has positions */
  g_assert_cmpfloat_with_epsilon (fixture_cosine (cut->embeddings, cut->embeddings, 48), 1, 1e-4);
}

static void
test_text_cache (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  g_autoptr (UpiLabels) first = fixture_labels (engine, "cat,dog,cat");
  g_autoptr (UpiLabels) again = NULL;
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.text_cache_misses, ==, 2);
  g_assert_cmpuint (stats.text_cache_hits, ==, 1);
  again = fixture_labels (engine, "dog,cat");
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.text_cache_misses, ==, 2);
  g_assert_cmpuint (stats.text_cache_hits, ==, 3);
  g_assert_cmpmem (again->embeddings, 48 * sizeof (gfloat), first->embeddings + 48, 48 * sizeof (gfloat));
  g_assert_cmpuint (upi_engine_cached_texts (engine), ==, 2);
}

static void
test_text_cache_is_bounded (void)
{
  UpiTextCache cache;
  gfloat value[2];

  upi_text_cache_init (&cache, 8, 2);
  for (guint i = 0; i < 100; i++) {
    g_autofree gchar *text = g_strdup_printf ("text %u", i);

    upi_text_cache_put (&cache, text, (const gfloat[]){ i, -1.0f * i });
    upi_text_cache_put (&cache, text, (const gfloat[]){ 0, 0 });  /* known: stays as it is */
    g_assert_true (upi_text_cache_get (&cache, "text 0", value)); /* used all the time: stays */
    g_assert_cmpuint (upi_text_cache_length (&cache), ==, MIN (i + 1, 8));
  }
  g_assert_false (upi_text_cache_get (&cache, "text 50", value));
  g_assert_true (upi_text_cache_get (&cache, "text 99", value));
  g_assert_cmpfloat (value[1], ==, -99);
  upi_text_cache_clear (&cache);
}

static void
count_turn (UpiTicket *ticket, gpointer order)
{
  g_async_queue_push (order, ticket);
}

/* A long list leaves room for frames that come after it. */
static void
test_long_list_lets_frames_pass (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) names = NULL;
  GAsyncQueue *order = g_async_queue_new ();
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_BGRX,
    .width = 1,
    .height = 1,
    .planes = { (const guint8 *) "abcd" },
    .strides = { 4 } };
  g_autoptr (UpiTicket) list = NULL;
  g_autoptr (UpiTicket) frame = NULL;

  for (guint i = 0; i < 60; i++) {
    g_autofree gchar *name = g_strdup_printf ("cat %u", i);

    g_strv_builder_add (builder, name);
  }
  names = g_strv_builder_end (builder);
  upi_engine_hold (engine);
  list = upi_engine_encode_labels (engine, (const gchar *const *) names, NULL, count_turn, order, NULL);
  frame = upi_engine_encode (engine, &image, 64, 64, 0, count_turn, order, NULL);
  upi_engine_release (engine);
  g_assert_true (g_async_queue_pop (order) == frame);
  g_assert_true (g_async_queue_pop (order) == list);
  g_assert_true (upi_ticket_wait (list, NULL));
  g_async_queue_unref (order);
}

typedef struct {
  GPtrArray *texts;
  UpiTicket *cancel; /* at the third; set before the worker may start */
} Partials;

static void
collect_partial (const gchar *text, gpointer user_data)
{
  Partials *partials = user_data;

  g_ptr_array_add (partials->texts, g_strdup (text));
  if (partials->cancel != NULL && partials->texts->len == 3)
    upi_ticket_cancel (partials->cancel);
}

static gchar *
caption (UpiEngine *engine, UpiEncoding *encoding, UpiCaptionOptions options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  return upi_ticket_get_text (ticket);
}

static void
test_greedy_caption (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 2, 1, 0, NULL);
  g_autoptr (UpiEngine) ref = fixture_engine ("ref", 1, 1, 0, NULL);
  guint different = 0;

  for (guint seed = 0; seed < 6; seed++) {
    g_autoptr (UpiEncoding) encoding = fixture_encoding (engine, seed);
    g_autoptr (UpiEncoding) same = fixture_encoding (ref, seed);
    g_autofree gchar *text = caption (engine, encoding, (UpiCaptionOptions){ .size = sizeof (UpiCaptionOptions) });
    g_autofree gchar *by_ref =
        caption (ref, same, (UpiCaptionOptions){ .size = sizeof (UpiCaptionOptions), .beam_size = 1 });
    g_autofree gchar *shorter =
        caption (engine, encoding, (UpiCaptionOptions){ .size = sizeof (UpiCaptionOptions), .max_tokens = 2 });
    Partials partials = { g_ptr_array_new_with_free_func (g_free), NULL };
    g_autoptr (UpiTicket) ticket = upi_engine_caption (engine, encoding, NULL, collect_partial, NULL, &partials, NULL);

    g_assert_true (upi_ticket_wait (ticket, NULL));
    g_assert_cmpstr (text, ==, by_ref);
    g_assert_true (g_str_has_prefix (text, shorter) || partials.texts->len <= 2);
    g_assert_cmpuint (partials.texts->len, <=, 12);
    if (partials.texts->len > 0)
      g_assert_cmpstr (partials.texts->pdata[partials.texts->len - 1], ==, text);
    different += partials.texts->len > 0;
    g_ptr_array_unref (partials.texts);
  }
  g_assert_cmpuint (different, >, 0);
}

static void
test_caption_cancelled_between_steps (void)
{
  g_autoptr (UpiEngine) engine = fixture_engine ("cpu", 1, 1, 0, NULL);
  Partials partials = { g_ptr_array_new_with_free_func (g_free), NULL };
  g_autoptr (UpiEncoding) encoding = NULL;
  g_autoptr (UpiTicket) ticket = NULL;
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };

  for (guint seed = 0;; seed++) { /* a picture whose caption is long enough */
    g_autoptr (UpiTicket) probe = NULL;

    encoding = fixture_encoding (engine, seed);
    probe = upi_engine_caption (engine, encoding, NULL, collect_partial, NULL, &partials, NULL);
    g_assert_true (upi_ticket_wait (probe, NULL));
    if (partials.texts->len > 4)
      break;
    g_assert_cmpuint (seed, <, 20);
    g_ptr_array_set_size (partials.texts, 0);
    g_clear_pointer (&encoding, upi_encoding_unref);
  }
  g_ptr_array_set_size (partials.texts, 0);
  upi_engine_hold (engine);
  ticket = partials.cancel = upi_engine_caption (engine, encoding, NULL, collect_partial, NULL, &partials, NULL);
  upi_engine_release (engine);
  fixture_expect (ticket, UPI_ERROR_CANCELLED);
  g_assert_cmpuint (partials.texts->len, ==, 3);
  upi_engine_get_stats (engine, &stats);
  g_assert_cmpuint (stats.cancelled, ==, 1);
  g_ptr_array_unref (partials.texts);
}

int
main (int argc, char *argv[])
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/text-lengths", test_text_lengths);
  g_test_add_func ("/engine/text-cache", test_text_cache);
  g_test_add_func ("/engine/text-cache-is-bounded", test_text_cache_is_bounded);
  g_test_add_func ("/engine/long-list-lets-frames-pass", test_long_list_lets_frames_pass);
  g_test_add_func ("/engine/greedy-caption", test_greedy_caption);
  g_test_add_func ("/engine/caption-cancelled-between-steps", test_caption_cancelled_between_steps);
  result = g_test_run ();
  fixture_clear ();
  return result;
}
