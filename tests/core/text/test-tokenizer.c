/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tokenizers give the published tokenizers' ids and texts (models/reference/tokenizer_pairs.py), and refuse broken
 * vocabularies. */
#include "core/text/tokenizer.h"
#include "core/upi.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

static void
check_pairs (const gchar *directory, const gchar *pairs, UpiTokenizerKind kind)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiTokenizer) tokenizer = upi_tokenizer_open (directory, kind, TRUE, &error);
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonArray *rows;

  g_assert_no_error (error);
  json_parser_load_from_file (parser, pairs, &error);
  g_assert_no_error (error);
  rows = json_node_get_array (json_parser_get_root (parser));
  g_assert_cmpuint (json_array_get_length (rows), >, 70);
  for (guint i = 0; i < json_array_get_length (rows); i++) {
    JsonObject *row = json_array_get_object_element (rows, i);
    const gchar *text = json_object_get_string_member (row, "text");
    JsonArray *expected = json_object_get_array_member (row, "ids");
    g_autoptr (GArray) ids = upi_tokenizer_encode (tokenizer, text, 0);
    g_autofree gchar *decoded = upi_tokenizer_decode (tokenizer, (const gint32 *) ids->data, ids->len);

    for (guint j = 0; j < MIN (ids->len, json_array_get_length (expected)); j++)
      if (g_array_index (ids, gint32, j) != json_array_get_int_element (expected, j))
        g_error ("row %u, \"%.60s\": id %u is %d, expected %d", i, text, j, g_array_index (ids, gint32, j),
            (gint) json_array_get_int_element (expected, j));
    g_assert_cmpuint (ids->len, ==, json_array_get_length (expected));
    g_assert_cmpstr (decoded, ==, json_object_get_string_member (row, "decoded"));
  }
}

static void
test_wordpiece (void)
{
  g_autofree gchar *directory = g_test_build_filename (G_TEST_DIST, "data", "wordpiece", NULL);
  g_autofree gchar *pairs = g_build_filename (directory, "pairs.json", NULL);

  check_pairs (directory, pairs, UPI_TOKENIZER_WORDPIECE);
}

static void
test_bpe (void)
{
  g_autofree gchar *directory = g_test_build_filename (G_TEST_DIST, "data", "bpe", NULL);
  g_autofree gchar *pairs = g_build_filename (directory, "pairs.json", NULL);

  check_pairs (directory, pairs, UPI_TOKENIZER_BPE);
}

/* The vocabulary of the shipped model, BERT's own. */
static void
test_shipped (void)
{
  g_autofree gchar *directory = g_test_build_filename (G_TEST_DIST, "..", "..", "models", "nano", NULL);
  g_autofree gchar *pairs = g_test_build_filename (G_TEST_DIST, "data", "wordpiece-nano.json", NULL);

  check_pairs (directory, pairs, UPI_TOKENIZER_WORDPIECE);
}

static UpiTokenizer *
open_test (const gchar *name, UpiTokenizerKind kind, gboolean lower_case)
{
  g_autofree gchar *directory = g_test_build_filename (G_TEST_DIST, "data", name, NULL);
  g_autoptr (GError) error = NULL;
  UpiTokenizer *tokenizer = upi_tokenizer_open (directory, kind, lower_case, &error);

  g_assert_no_error (error);
  return tokenizer;
}

/* What people read: punctuation where they put it; the text of some first tokens begins that of all. */
static void
test_sentence (void)
{
  static const gchar *const texts[] = { "a man in a t-shirt (a close-up) of a dog's nose.",
    "is it a black-and-white cat? yes: it is, isn't it!", "a snowboarder" };
  g_autofree gchar *directory = g_test_build_filename (G_TEST_DIST, "..", "..", "models", "nano", NULL);
  g_autoptr (UpiTokenizer) tokenizer = upi_tokenizer_open (directory, UPI_TOKENIZER_WORDPIECE, TRUE, NULL);

  g_assert_nonnull (tokenizer);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GArray) ids = upi_tokenizer_encode (tokenizer, texts[i], 0);
    g_autofree gchar *all = upi_tokenizer_sentence (tokenizer, (const gint32 *) (gpointer) ids->data, ids->len);

    g_assert_cmpstr (all, ==, texts[i]);
    for (guint n = 0; n < ids->len; n++) {
      g_autofree gchar *first = upi_tokenizer_sentence (tokenizer, (const gint32 *) (gpointer) ids->data, n);
      g_assert_true (g_str_has_prefix (all, first));
    }
  }
}

static void
test_cut (void)
{
  for (guint kind = 0; kind < 2; kind++) {
    g_autoptr (UpiTokenizer) tokenizer = open_test (kind ? "bpe" : "wordpiece", kind, TRUE);
    g_autoptr (GArray) whole = upi_tokenizer_encode (tokenizer, "a man in a red jacket rides a bicycle", 0);

    for (guint limit = 2; limit < whole->len + 3; limit++) {
      g_autoptr (GArray) ids = upi_tokenizer_encode (tokenizer, "a man in a red jacket rides a bicycle", limit);

      g_assert_cmpuint (ids->len, ==, MIN (limit, whole->len));
      g_assert_cmpint (g_array_index (ids, gint32, 0), ==, upi_tokenizer_start_id (tokenizer));
      g_assert_cmpint (g_array_index (ids, gint32, ids->len - 1), ==, upi_tokenizer_end_id (tokenizer));
      g_assert_cmpmem (ids->data, (ids->len - 1) * 4, whole->data, (ids->len - 1) * 4);
    }
  }
}

static void
test_cased (void)
{
  g_autoptr (UpiTokenizer) tokenizer = open_test ("wordpiece", UPI_TOKENIZER_WORDPIECE, FALSE);
  g_autoptr (UpiTokenizer) lower = open_test ("wordpiece", UPI_TOKENIZER_WORDPIECE, TRUE);
  g_autoptr (GArray) a = upi_tokenizer_encode (tokenizer, "Red", 0);
  g_autoptr (GArray) b = upi_tokenizer_encode (lower, "Red", 0);

  g_assert_cmpstr (upi_tokenizer_token (lower, g_array_index (b, gint32, 1)), ==, "red");
  g_assert_cmpint (g_array_index (a, gint32, 1), !=, g_array_index (b, gint32, 1));
}

/* Invalid UTF-8 is U+FFFD, once for each broken sequence. */
static void
test_invalid_utf8 (void)
{
  static const gchar *const cases[][2] = {
    { "a\xff\xfe red", "a\xef\xbf\xbd\xef\xbf\xbd red" },
    { "\xc3", "\xef\xbf\xbd" },
    { "\xe7\x8c red", "\xef\xbf\xbd red" },
    { "\xf0\x9f\x98x", "\xef\xbf\xbdx" },
    { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
    { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
  };

  for (guint kind = 0; kind < 2; kind++) {
    g_autoptr (UpiTokenizer) tokenizer = open_test (kind ? "bpe" : "wordpiece", kind, TRUE);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
      g_autoptr (GArray) broken = upi_tokenizer_encode (tokenizer, cases[i][0], 0);
      g_autoptr (GArray) repaired = upi_tokenizer_encode (tokenizer, cases[i][1], 0);

      g_assert_cmpmem (broken->data, broken->len * 4, repaired->data, repaired->len * 4);
    }
  }
}

static void
test_decode_any_ids (void)
{
  g_autoptr (UpiTokenizer) wordpiece = open_test ("wordpiece", UPI_TOKENIZER_WORDPIECE, TRUE);
  g_autoptr (UpiTokenizer) bpe = open_test ("bpe", UPI_TOKENIZER_BPE, TRUE);
  const gint32 outside[] = { -1, G_MININT32, G_MAXINT32, (gint32) upi_tokenizer_size (wordpiece) };
  g_autofree gchar *nothing = upi_tokenizer_decode (wordpiece, outside, G_N_ELEMENTS (outside));
  g_autofree gchar *empty = upi_tokenizer_decode (bpe, NULL, 0);

  g_assert_cmpstr (nothing, ==, "");
  g_assert_cmpstr (empty, ==, "");
  g_assert_null (upi_tokenizer_token (bpe, -1));
  g_assert_null (upi_tokenizer_token (bpe, upi_tokenizer_size (bpe)));
  for (gint32 id = 0; id < (gint32) upi_tokenizer_size (bpe); id++) {
    g_autofree gchar *text = upi_tokenizer_decode (bpe, &id, 1);

    g_assert_true (g_utf8_validate (text, -1, NULL));
  }
}

typedef struct {
  const gchar *vocabulary, *merges; /* NULL: no such file */
  gssize bytes;                     /* of the vocabulary, -1: to its NUL */
  UpiTokenizerKind kind;
  const gchar *message; /* what the error must say */
} BrokenCase;

static void
test_broken_files (void)
{
  static const BrokenCase cases[] = {
    { NULL, NULL, -1, UPI_TOKENIZER_WORDPIECE, "*vocab.txt*could not be read*" },
    { "", NULL, -1, UPI_TOKENIZER_WORDPIECE, "*0 bytes*" },
    { "[CLS]\n[SEP]\nred\n", NULL, -1, UPI_TOKENIZER_WORDPIECE, "*lacks the token ?UNK?*3 tokens*" },
    { "[CLS]\n[SEP]\n[UNK]\n\xff\n", NULL, -1, UPI_TOKENIZER_WORDPIECE, "*not UTF-8*byte 18*" },
    { "[CLS]\n\0[SEP]\n[UNK]\n", NULL, 19, UPI_TOKENIZER_WORDPIECE, "*not UTF-8*byte 6*" },
    { NULL, "", -1, UPI_TOKENIZER_BPE, "*vocab.json*could not be read*" },
    { "{", "", -1, UPI_TOKENIZER_BPE, "*not JSON*" },
    { "[]", "", -1, UPI_TOKENIZER_BPE, "*/vocab.json: *expected an object of token: id" },
    { "{\"a\\ud83d\\u0041\":1}", "", -1, UPI_TOKENIZER_BPE, "*/vocab.json: *found \\u0041 at byte 9 *second half*" },
    { "{\"a\\377\":1}", "", -1, UPI_TOKENIZER_BPE, "*/vocab.json: *found '3' at byte 4 *expected one of*" },
    { "{\"a\\u0000b\":1}", "", -1, UPI_TOKENIZER_BPE, "*/vocab.json: *found \\u0000 at byte 3 *other than NUL" },
    { "{\"a\":[[[[1]]]]}", "", -1, UPI_TOKENIZER_BPE, "*/vocab.json: *5 deep*" },
    { "{\"a\":\"b\"}", "", -1, UPI_TOKENIZER_BPE, "*\"a\" is not a whole number*" },
    { "{\"a\":-5}", "", -1, UPI_TOKENIZER_BPE, "*-5 is out of range*" },
    { "{\"a\":99999999999}", "", -1, UPI_TOKENIZER_BPE, "*99999999999 is out of range*" },
    { "{\"a\":1,\"b\":1}", "", -1, UPI_TOKENIZER_BPE, "*1 is given twice*" },
    { "{\"a\":1}", "", -1, UPI_TOKENIZER_BPE, "*lacks the symbol*byte 0x00*" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *directory = g_dir_make_tmp ("upi-tokenizer-XXXXXX", &error);
    g_autofree gchar *path = g_build_filename (directory, cases[i].kind ? "vocab.json" : "vocab.txt", NULL);

    g_assert_no_error (error);
    if (cases[i].vocabulary != NULL)
      g_assert_true (g_file_set_contents (path, cases[i].vocabulary, cases[i].bytes, NULL));
    g_assert_null (upi_tokenizer_open (directory, cases[i].kind, TRUE, &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
    if (!g_pattern_match_simple (cases[i].message, error->message))
      g_error ("case %u: \"%s\" does not match \"%s\"", i, error->message, cases[i].message);
    g_unlink (path);
    g_assert_cmpint (g_rmdir (directory), ==, 0);
  }
}

static void
test_broken_merges (void)
{
  static const gchar *const cases[][2] = {
    { "#version: 0.2\na\n", "*line 2: expected two symbols*" },
    { "a b c\n", "*line 1: expected two symbols*" },
    { "a \342\202\254\n", "*line 1: \"\342\202\254\" is not a token*" },
    { "q q\n", "*line 1: \"qq\" is not a token*" },
  };
  g_autofree gchar *source = g_test_build_filename (G_TEST_DIST, "data", "bpe", "vocab.json", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *directory = g_dir_make_tmp ("upi-tokenizer-XXXXXX", &error);
  g_autofree gchar *vocabulary = g_build_filename (directory, "vocab.json", NULL);
  g_autofree gchar *merges = g_build_filename (directory, "merges.txt", NULL);
  g_autofree gchar *text = NULL;

  g_assert_true (g_file_get_contents (source, &text, NULL, NULL));
  g_assert_true (g_file_set_contents (vocabulary, text, -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) refused = NULL;

    g_assert_true (g_file_set_contents (merges, cases[i][0], -1, NULL));
    g_assert_null (upi_tokenizer_open (directory, UPI_TOKENIZER_BPE, TRUE, &refused));
    g_assert_error (refused, UPI_ERROR, UPI_ERROR_MODEL);
    if (!g_pattern_match_simple (cases[i][1], refused->message))
      g_error ("case %u: \"%s\" does not match \"%s\"", i, refused->message, cases[i][1]);
  }
  g_unlink (vocabulary);
  g_unlink (merges);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tokenizer/wordpiece-equals-published", test_wordpiece);
  g_test_add_func ("/tokenizer/bpe-equals-published", test_bpe);
  {
    g_autofree gchar *vocabulary = g_test_build_filename (G_TEST_DIST, "..", "..", "models", "nano", "vocab.txt", NULL);

    if (g_file_test (vocabulary, G_FILE_TEST_EXISTS))
      g_test_add_func ("/tokenizer/shipped-vocabulary-equals-published", test_shipped);
    g_test_add_func ("/tokenizer/sentence", test_sentence);
  }
  g_test_add_func ("/tokenizer/cut-keeps-end-token", test_cut);
  g_test_add_func ("/tokenizer/cased", test_cased);
  g_test_add_func ("/tokenizer/invalid-utf8", test_invalid_utf8);
  g_test_add_func ("/tokenizer/decode-any-ids", test_decode_any_ids);
  g_test_add_func ("/tokenizer/broken-vocabulary-is-named", test_broken_files);
  g_test_add_func ("/tokenizer/broken-merges-are-named", test_broken_merges);
  return g_test_run ();
}
