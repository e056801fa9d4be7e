/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * golden-nano-engine.c: what the engine says of the generated pictures against the reference: grounded captions,
 * independent sentences. */
#include "tests/core/network/golden-nano.h"

#include "core/model/model-private.h"

#include <math.h>
#include <stdlib.h>

/* The generated picture, as golden.py says it, in bytes of the network's size: the engine converts without scaling. */
static UpiEncoding *
encode_picture (UpiEngine *engine, const GoldenPicture *p)
{
  gsize count = (gsize) p->width * p->height * 3;
  g_autofree gfloat *normalised = g_new (gfloat, count);
  g_autofree guint8 *pixels = g_new (guint8, count);
  const UpiConfig *config = upi_model_config (golden_nano.model);
  UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = (guint) p->width,
    .height = (guint) p->height,
    .planes = { pixels },
    .strides = { 3 * p->width } };
  GError *error = NULL;
  g_autoptr (UpiTicket) ticket = NULL;

  golden_picture_draw (normalised, p->width, p->height);
  for (gsize i = 0; i < count; i++)
    pixels[i] = (guint8) lrintf ((normalised[i] * config->input.std[i % 3] + config->input.mean[i % 3]) * 255);
  ticket = upi_engine_encode (engine, &image, (guint) p->width, (guint) p->height, 0, NULL, NULL, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  return upi_ticket_get_encoding (ticket);
}

/* The reference's queries are in another order where scores nearly tie: regions are compared by their scores. */
static void
check_words (const UpiCaptionText *text, JsonObject *expected)
{
  JsonArray *words = json_object_get_array_member (expected, "words"),
            *ids = json_object_get_array_member (expected, "ids");
  g_autofree gint32 *tokens = g_new (gint32, json_array_get_length (ids));

  for (guint i = 0; i < json_array_get_length (ids); i++)
    tokens[i] = (gint32) json_array_get_int_element (ids, i);
  g_assert_cmpuint (text->n_words, ==, json_array_get_length (words));
  for (guint i = 0; i < text->n_words; i++) {
    JsonObject *word = json_array_get_object_element (words, i);
    gint start = (gint) json_object_get_int_member (word, "start"),
         end = (gint) json_object_get_int_member (word, "end");
    JsonArray *regions = json_object_get_array_member (word, "regions");
    g_autofree gchar *found = g_strndup (text->text + text->words[i].first, text->words[i].bytes);
    g_autofree gchar *said = upi_tokenizer_sentence (golden_nano.tokenizer, tokens + start, (guint) (end - start));

    g_assert_cmpstr (found, ==, said);
    g_assert_cmpuint (text->words[i].n_objects, ==, json_array_get_length (regions));
    for (guint k = 0; k < text->words[i].n_objects; k++) {
      JsonObject *region = json_array_get_object_element (regions, k);
      const UpiObject *object = &text->words[i].objects[k];

      g_assert_cmpint (object->label, ==, json_object_get_int_member (region, "label"));
      g_assert_cmpfloat_with_epsilon (object->score, json_object_get_double_member (region, "score"), 1e-3);
      g_assert_cmpuint (object->region, <, (guint) upi_model_config (golden_nano.model)->query.count);
    }
  }
}

static void
check_number (gdouble found, JsonObject *expected, const gchar *name, gdouble tolerance)
{
  if (json_object_get_null_member (expected, name))
    g_assert_true (isnan (found));
  else
    g_assert_cmpfloat_with_epsilon (found, json_object_get_double_member (expected, name), tolerance);
}

void
golden_nano_grounded (gconstpointer data)
{
  const GoldenPicture *p = data;
  JsonArray *expected = json_object_get_array_member (p->json, "grounded");
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = g_getenv ("UPI_TEST_NANO"),
    .device = golden_nano_backends[p->backend].name,
    .threads = 1 };
  const UpiCaptionOptions grounded = { .size = sizeof (UpiCaptionOptions), .grounded = TRUE };
  GError *error = NULL;
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);
  g_autoptr (UpiEncoding) encoding = NULL;
  g_autoptr (UpiTicket) ticket = NULL;
  g_autoptr (UpiCaption) caption = NULL;
  g_autofree gchar *best = NULL;

  g_assert_no_error (error);
  encoding = encode_picture (engine, p);
  ticket = upi_engine_caption (engine, encoding, &grounded, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  caption = upi_ticket_get_caption (ticket);
  g_assert_true (caption->grounded);
  for (guint i = 0; i < MIN (caption->n_texts, json_array_get_length (expected)); i++) {
    JsonObject *candidate = json_array_get_object_element (expected, i);
    const UpiCaptionText *text = &caption->texts[i];

    g_assert_cmpstr (text->text, ==, json_object_get_string_member (candidate, "text"));
    check_number (text->likelihood, candidate, "likelihood", 1e-3);
    check_number (text->support, candidate, "support", 5e-3);
    check_number (text->cosine, candidate, "cosine", 1e-4);
    check_number (text->score, candidate, "score", 1e-2);
    check_words (text, candidate);
  }
  g_assert_cmpuint (caption->n_texts, ==, json_array_get_length (expected));
  best = upi_ticket_get_text (ticket);
  g_assert_cmpstr (best, ==, caption->texts[0].text);
}

static gint
compare_falling (gconstpointer a, gconstpointer b)
{
  const gfloat *x = a, *y = b;

  return (*x < *y) - (*x > *y);
}

void
golden_nano_independent (gconstpointer data)
{
  const GoldenPicture *p = data;
  JsonObject *expected = json_object_get_object_member (p->json, "independent");
  JsonArray *image, *regions, *classes = json_object_get_array_member (p->json, "classes"),
                              *texts = json_object_get_array_member (golden_nano.golden, "texts");
  const UpiClassifyOptions alone = { .size = sizeof (UpiClassifyOptions), .scores = UPI_SCORES_INDEPENDENT };
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = g_getenv ("UPI_TEST_NANO"),
    .device = golden_nano_backends[p->backend].name,
    .threads = 1 };
  guint n = json_array_get_length (texts), n_regions = (guint) upi_model_config (golden_nano.model)->query.count;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree guint *every = g_new (guint, n_regions);
  g_autofree gfloat *found = g_new (gfloat, (gsize) n * n_regions), *of_text = g_new (gfloat, n_regions);
  g_autoptr (UpiEncoding) encoding = NULL;
  g_autoptr (UpiTicket) ticket = NULL;
  g_autoptr (UpiLabels) sentences = NULL;
  GError *error = NULL;
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (expected); /* golden.py of today */
  image = json_object_get_array_member (expected, "image");
  regions = json_object_get_array_member (expected, "regions");
  for (guint i = 0; i < n; i++)
    g_ptr_array_add (
        names, (gpointer) json_object_get_string_member (json_array_get_object_element (texts, i), "text"));
  g_ptr_array_add (names, NULL);
  ticket = upi_engine_encode_labels (engine, (const gchar *const *) names->pdata, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  sentences = upi_ticket_get_labels (ticket);
  encoding = encode_picture (engine, p);

  upi_engine_classify (engine, encoding, sentences, found, &error);
  g_assert_no_error (error);
  g_assert_nonnull (classes); /* golden.py of today */
  g_assert_cmpuint (json_array_get_length (classes), ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (found[i], json_array_get_double_element (classes, i), 1e-3);

  upi_engine_classify_with_options (engine, encoding, sentences, &alone, found, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (json_array_get_length (image), ==, n);
  for (guint i = 0; i < n; i++)
    g_assert_cmpfloat_with_epsilon (found[i], json_array_get_double_element (image, i), 1e-3);

  for (guint r = 0; r < n_regions; r++)
    every[r] = r;
  upi_engine_classify_regions (engine, encoding, sentences, every, n_regions, found, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < n; i++) {
    JsonArray *best = json_array_get_array_element (regions, i);
    for (guint r = 0; r < n_regions; r++)
      of_text[r] = found[r * n + i];
    qsort (of_text, n_regions, sizeof *of_text, compare_falling);
    for (guint r = 0; r < json_array_get_length (best); r++)
      g_assert_cmpfloat_with_epsilon (of_text[r], json_array_get_double_element (best, r), 1e-3);
  }
}
