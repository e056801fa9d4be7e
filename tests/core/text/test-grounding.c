/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of words and steering (models/reference/NETWORK.md, "grounded captions") against small tables: mentions of
 * a text, where they lie in it, and what each next token receives. */
#include "core/model/config.h"
#include "core/model/model.h"
#include "core/text/steering.h"
#include "core/upi.h"
#include "tests/tiny-config.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define GROUNDING                                                                                                      \
  "{ \"determiners\": [\"a\", \"the\"], \"groups\": { \"pet\": [\"cat\", \"dog\"] }, \"entries\": ["                   \
  "  { \"needs\": [\"dog\"], \"words\": [\"dog+\", \"hound\"] },"                                                      \
  "  { \"needs\": [\"pet\"], \"words\": [\"pet\"] },"                                                                  \
  "  { \"needs\": [\"person\", \"dog\"], \"words\": [\"walker\"] },"                                                   \
  "  { \"needs\": [\"cat\"], \"words\": [\"mouse\"], \"after_determiner\": true },"                                    \
  "  { \"needs\": [\"person\"], \"words\": [\"hot dog\"] },"                                                           \
  "  { \"needs\": [], \"words\": [\"dog house+\"] } ] }"

static const gchar vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nthe\ndog\n##s\ndogs\nhound\n##ed\nwalk\n##er\nmouse\nhot\nhouse\npet\ncat\n"
    "person\nnear\n'\ns\n.\nold\n";

typedef struct {
  gchar *directory;
  UpiConfig *config;
  UpiTokenizer *tokenizer;
  UpiGrounding *grounding;
  UpiSteering *steering;
  gint32 *ids; /* every token but the special ones can be said */
  guint n_ids;
} Fixture;

static gchar *
config_with (const gchar *grounding)
{
  const gchar *at = "\"max_tokens\": 12";
  g_auto (GStrv) parts = g_strsplit (UPI_TINY_MOBILENET_CONFIG, at, 2);

  return g_strconcat (parts[0], at, ", \"grounding\": ", grounding, parts[1], NULL);
}

static void
remove_directory (gchar *directory)
{
  static const gchar *const names[] = { "vocab.txt", "vocab.json", "merges.txt", "config.json", "model.safetensors",
    "text.safetensors" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *path = g_build_filename (directory, names[i], NULL);
    g_unlink (path);
  }
  g_rmdir (directory);
  g_free (directory);
}

static void
set_up (Fixture *f, gconstpointer grounding)
{
  g_autofree gchar *text = config_with (grounding != NULL ? grounding : GROUNDING), *path = NULL;
  GError *error = NULL;

  f->directory = g_dir_make_tmp ("upi-grounding-XXXXXX", &error);
  g_assert_no_error (error);
  path = g_build_filename (f->directory, "vocab.txt", NULL);
  g_file_set_contents (path, vocabulary, -1, &error);
  g_assert_no_error (error);
  f->config = upi_config_parse (text, -1, "config.json", &error);
  g_assert_no_error (error);
  f->tokenizer = upi_tokenizer_open (f->directory, UPI_TOKENIZER_WORDPIECE, TRUE, &error);
  g_assert_no_error (error);
  f->grounding = upi_grounding_new (f->config->caption.grounding, f->tokenizer, "config.json", &error);
  g_assert_no_error (error);
  f->n_ids = upi_tokenizer_size (f->tokenizer) - 5;
  f->ids = g_new (gint32, f->n_ids);
  for (guint i = 0; i < f->n_ids; i++)
    f->ids[i] = (gint32) i + 5;
  f->steering = upi_steering_new (f->grounding, f->ids, f->n_ids);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  upi_steering_free (f->steering);
  upi_grounding_free (f->grounding);
  upi_tokenizer_free (f->tokenizer);
  upi_config_free (f->config);
  remove_directory (f->directory);
  g_free (f->ids);
}

/* "dog: dog; hot dog: person" of a text, and the words' places in it. */
static gchar *
mentions_of (const UpiGrounding *grounding, const UpiTokenizer *tokenizer, const gchar *text)
{
  g_autoptr (GArray) ids = upi_tokenizer_encode (tokenizer, text, 0);
  g_autoptr (GArray) mentions = NULL;
  g_autoptr (GString) out = g_string_new (NULL);
  const gint32 *words = (const gint32 *) (gpointer) ids->data + 1;
  g_autofree gchar *decoded = upi_tokenizer_sentence (tokenizer, words, ids->len - 2);
  const UpiGroundingTable *table = upi_grounding_table (grounding);

  mentions = upi_grounding_mentions (grounding, words, ids->len - 2);
  for (guint i = 0; i < mentions->len; i++) {
    const UpiMention *mention = &g_array_index (mentions, UpiMention, i);
    guint first, bytes;

    g_assert_true (upi_grounding_place (grounding, words, mention, decoded, &first, &bytes));
    g_string_append_printf (out, "%s%.*s@%u:", i ? "; " : "", (gint) bytes, decoded + first, first);
    for (guint k = 0; k < mention->phrase->n_needs; k++)
      g_string_append_printf (out, " %s", g_array_index (table->needs, UpiNeed, mention->phrase->needs[k]).name);
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
test_mentions (Fixture *f, gconstpointer data)
{
  static const gchar *const texts[][2] = {
    { "a dog near the dogs", "dog@2: dog; dogs@15: dog" },          /* the plural, a token of its own */
    { "hound near hounds", "hound@0: dog" },                        /* no + : "hounds" only begins like it */
    { "hounded", "" },                                              /* as does this */
    { "old walker. walk", "walker@4: person dog" },                 /* two tokens, two needs */
    { "the hot dog near a dog", "hot dog@4: person; dog@19: dog" }, /* the longest */
    { "a dog house near dog houses near a dog", "dog@35: dog" },    /* what only hides */
    { "a mouse near mouse near old mouse", "mouse@2: cat" },        /* after a determiner alone */
    { "mouse", "" },                                                /* nothing before it */
    { "the dog's house near the pet ' s dog", "dog@4: dog; pet@25: pet; dog@31: dog" }, /* joined by the decoder */
    { "", "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree gchar *found = mentions_of (f->grounding, f->tokenizer, texts[i][0]);

    g_assert_cmpstr (found, ==, texts[i][1]);
  }
}

static void
test_table (Fixture *f, gconstpointer data)
{
  const UpiGroundingTable *table = f->config->caption.grounding;
  static const gchar *const names[] = { "dog", "pet", "person", "cat" };
  const UpiNeed *pet = &g_array_index (table->needs, UpiNeed, 1);

  g_assert_cmpuint (table->needs->len, ==, G_N_ELEMENTS (names));
  for (guint i = 0; i < table->needs->len; i++)
    g_assert_cmpstr (g_array_index (table->needs, UpiNeed, i).name, ==, names[i]);
  g_assert_cmpuint (pet->n_labels, ==, 2);
  g_assert_cmpuint (pet->labels[0], ==, 0);
  g_assert_cmpuint (pet->labels[1], ==, 1);
  g_assert_cmpuint (table->phrases->len, ==, 9);
  g_assert_cmpuint (table->ranking.candidates, ==, 8);
  g_assert_cmpfloat (table->ranking.sharpness, ==, 0.6);
  g_assert_cmpfloat (upi_grounding_support (0.7, 0.5), ==, 0);
  g_assert_cmpfloat_with_epsilon (upi_grounding_support (0.1, 0.5), log (0.11 / 0.51), 1e-12);
}

/* The sum that the tokens of a text receive, one after the other, and what the last one does. */
static gdouble
received (Fixture *f, const gdouble *shown, const gchar *text, gdouble *last)
{
  g_autoptr (GArray) ids = upi_tokenizer_encode (f->tokenizer, text, 0);
  UpiSteeringState state = { 0 };
  gdouble sum = 0;

  for (guint i = 1; i + 1 < ids->len; i++) {
    gint32 id = g_array_index (ids, gint32, i);
    g_autofree gfloat *logits = g_new0 (gfloat, f->n_ids);

    upi_steering_add (f->steering, shown, state, logits);
    *last = logits[id - 5];
    sum += *last;
    state = upi_steering_step (f->steering, state, id);
  }
  return sum;
}

static void
test_steering (Fixture *f, gconstpointer data)
{
  const gdouble needs[] = { -1, -2, -4, -8 }; /* dog, pet, person, cat */
  g_autofree gdouble *shown = upi_steering_show (f->steering, needs);
  static const struct {
    const gchar *text;
    gdouble sum, last;
  } rows[] = {
    { "a dog", -1, -1 },
    { "a dog near", -1, 0 },
    { "walk", 0, 0 },
    { "walker", -5, -5 },  /* with the token that completes it, its needs together */
    { "hot", 0, 0 },       /* a beginning */
    { "hot dog", -4, -4 }, /* in place of the dog's own */
    { "near dog", -1, -1 },
    { "dog house", 0, 1 }, /* given back */
    { "dog houses", 0, 0 },
    { "dog dog", -2, -1 }, /* a beginning that ends, and one more */
    { "hot hot dog", -4, -4 },
    { "hounded", -1, 0 }, /* outside of the table, keeps what it received */
    { "mouse", 0, 0 },
    { "a mouse", -8, -8 },
    { "a old mouse", 0, 0 },
    { "a dog the mouse", -9, -8 },
    { "pet the dog", -3, -1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    gdouble last = 0, sum = received (f, shown, rows[i].text, &last);

    g_test_message ("%s", rows[i].text);
    g_assert_cmpfloat_with_epsilon (sum, rows[i].sum, 1e-12);
    g_assert_cmpfloat_with_epsilon (last, rows[i].last, 1e-12);
  }
}

/* A phrase that has a token which no caption can say is in no trie. */
static void
test_unsayable (Fixture *f, gconstpointer data)
{
  const gdouble needs[] = { -1, -2, -4, -8 };
  g_autoptr (UpiSteering) few = upi_steering_new (f->grounding, f->ids, 3); /* a, the, dog */
  g_autofree gdouble *shown = upi_steering_show (few, needs);
  gfloat logits[3] = { 0 };

  upi_steering_add (few, shown, (UpiSteeringState){ 0 }, logits);
  g_assert_cmpfloat (logits[0], ==, 0);
  g_assert_cmpfloat (logits[2], ==, -1);
  logits[2] = 0;
  upi_steering_add (few, shown, upi_steering_step (few, (UpiSteeringState){ 0 }, f->ids[2]), logits);
  g_assert_cmpfloat (logits[2], ==, -1); /* after "dog": no house is there to give it back */
}

/* The small vocabulary has " cat" as one token: words have a space in front, and what has none goes on with a word. */
static void
test_bpe (void)
{
  g_autofree gchar *text = config_with (
      "{ \"determiners\": [], \"groups\": {}, \"entries\": ["
      "  { \"needs\": [\"cat\"], \"words\": [\"cat+\"] }, { \"needs\": [\"dog\"], \"words\": [\"cab\"] } ] }");
  GError *error = NULL;
  gchar *directory = g_dir_make_tmp ("upi-grounding-XXXXXX", &error);
  g_autoptr (UpiConfig) config = upi_config_parse (text, -1, "config.json", &error);
  g_autoptr (UpiTokenizer) tokenizer = NULL;
  g_autoptr (UpiGrounding) grounding = NULL;
  static const gchar *const texts[][2] = {
    { " a cat", "cat@3: cat" }, { " cats cab", "cats@1: cat; cab@6: dog" }, { " catch cat", "cat@7: cat" },
    { " scat", "" }, { "cat cat", "cat@4: cat" }, /* the first one has no space in front */
  };

  g_assert_no_error (error);
  upi_model_write_random (directory, UPI_TINY_BASE_CONFIG, 3, &error);
  g_assert_no_error (error);
  tokenizer = upi_tokenizer_open (directory, UPI_TOKENIZER_BPE, FALSE, &error);
  g_assert_no_error (error);
  grounding = upi_grounding_new (config->caption.grounding, tokenizer, "config.json", &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree gchar *found = mentions_of (grounding, tokenizer, texts[i][0]);

    g_assert_cmpstr (found, ==, texts[i][1]);
  }
  remove_directory (directory);
}

static void
test_wrong (Fixture *f, gconstpointer data)
{
  static const struct {
    const gchar *grounding, *says[2];
  } rows[] = {
    { "{ \"determiners\": [\"a\", \"walker\"], \"groups\": {}, \"entries\": [] }",
        { "determiners has \"walker\"", "2 tokens" } },
    { "{ \"determiners\": [], \"groups\": {}, \"entries\": [{ \"needs\": [\"cat\"], \"words\": [\"Dog\", \"dog\"] }] }",
        { "\"dog\" twice", "\"Dog\"" } },
    { "{ \"determiners\": [], \"groups\": {}, \"entries\": [{ \"needs\": [\"cat\"], \"words\": [\" \"] }] }",
        { "has \" \"", "no token" } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree gchar *text = config_with (rows[i].grounding);
    g_autoptr (GError) error = NULL;
    g_autoptr (UpiConfig) config = upi_config_parse (text, -1, "config.json", &error);

    g_assert_no_error (error);
    g_assert_null (upi_grounding_new (config->caption.grounding, f->tokenizer, "the/config.json", &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
    g_test_message ("%s", error->message);
    g_assert_true (g_str_has_prefix (error->message, "the/config.json: caption.grounding."));
    g_assert_nonnull (strstr (error->message, rows[i].says[0]));
    g_assert_nonnull (strstr (error->message, rows[i].says[1]));
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/grounding/table", Fixture, NULL, set_up, test_table, tear_down);
  g_test_add ("/grounding/mentions", Fixture, NULL, set_up, test_mentions, tear_down);
  g_test_add ("/grounding/steering", Fixture, NULL, set_up, test_steering, tear_down);
  g_test_add ("/grounding/unsayable", Fixture, NULL, set_up, test_unsayable, tear_down);
  g_test_add ("/grounding/wrong", Fixture, NULL, set_up, test_wrong, tear_down);
  g_test_add_func ("/grounding/bpe", test_bpe);
  return g_test_run ();
}
