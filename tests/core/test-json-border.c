/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What json-glib must not see of a file that nobody vouches for, and that what is JSON gets through. */
#include "core/json-border.h"
#include "core/upi.h"

#include <string.h>

typedef struct {
  const gchar *what, *text;
  const gchar *says[2]; /* the error's message */
} Wrong;

static const Wrong wrong[] = {
  { "byte-order-mark", "\xef\xbb\xbf{}", { "byte order mark", "without one" } },
  { "escape-of-a-letter", "{\"name\": \"\\q\"}",
      { "is not JSON: found 'q' at byte 11 (line 1), expected one of \" \\ / b f n r t u behind a backslash" } },
  { "escape-of-a-wide-letter", "{\"name\": \"\\\xc3\xa9\"}", { "found '\xc3\xa9' at byte 11" } },
  { "escape-of-a-line-end", "{\"name\": \"\\\n\"}", { "found a control character (0x0a) at byte 11" } },
  { "octal-escape", "{\"name\": \"\\377\"}", { "found '3' at byte 11", "one of" } },
  { "escape-in-a-key", "{\"na\\me\": 1}", { "found 'm' at byte 5", "one of" } },
  { "unicode-of-letters", "{\"name\": \"\\u00zz\"}",
      { "found 'z' at byte 14 (line 1), expected four hexadecimal digits behind \\u" } },
  { "unicode-cut-by-a-quote", "{\"name\": \"\\u12\", \"d\": 1}", { "found '\"' at byte 14", "four" } },
  { "unicode-nul", "{\"name\": \"x\\u0000y\"}",
      { "found \\u0000 at byte 11 (line 1), expected a character other than NUL" } },
  { "pair-without-its-second", "{\"name\": \"\\ud83dx\"}",
      { "found 'x' at byte 16 (line 1), expected the second half of a surrogate pair, \\udc00 to \\udfff" } },
  { "pair-without-its-second-at-the-end", "{\"name\": \"\\uD83D\"}", { "found '\"' at byte 16", "second half" } },
  { "pair-with-another-escape", "{\"name\": \"\\ud83d\\n\"}", { "found 'n' at byte 17", "second half" } },
  { "pair-with-a-letter", "{\"name\": \"\\ud83d\\u0041\"}", { "found \\u0041 at byte 16", "second half" } },
  { "pair-beyond-the-second", "{\"name\": \"\\ud83d\\ue000\"}", { "found \\ue000 at byte 16", "second half" } },
  { "pair-of-firsts", "{\"name\": \"\\ud83d\\ud83d\"}", { "found \\ud83d at byte 16", "second half" } },
  { "pair-with-letters", "{\"name\": \"\\ud83d\\ute00\"}", { "found 't' at byte 18", "four" } },
  { "pair-without-its-first", "{\"name\": \"x\\udE00\"}",
      { "found \\udE00 at byte 11 (line 1), expected the first half of a surrogate pair before it, \\ud800 to "
        "\\udbff" } },
  { "pair-in-a-key", "{\"\\ude00\\ud83d\": 1}", { "found \\ude00 at byte 2", "first half" } },
  { "cut-behind-a-backslash", "{\"name\": \"\\", { "found the end of the text at byte 11", "one of" } },
  { "cut-in-an-escape", "{\"name\": \"\\u00", { "found the end of the text at byte 14", "four" } },
  { "cut-in-a-pair", "{\"name\": \"\\ud83d", { "found the end of the text at byte 16", "second half" } },
  { "cut-behind-a-pairs-backslash", "{\"name\": \"\\ud83d\\", { "found the end of the text at byte 17", "second" } },
  { "cut-in-a-pairs-second", "{\"name\": \"\\ud83d\\ude", { "found the end of the text at byte 20", "four" } },
  { "empty", "", { "is empty, expected a thing" } },
  { "list", "[1]", { "holds no JSON object, expected a thing" } },
  { "not-utf-8", "{\"name\": \"\xff\"}", { "is not text in UTF-8, expected a thing" } },
  { "comment", "{} // \"", { "found '/' at byte 3 (line 1), expected nothing behind the document" } },
  { "second-document", "{}{}", { "found '{' at byte 2 (line 1), expected nothing behind the document" } },
  { "second-document-on-a-line", "{\"a\": 1}\n[2]\n", { "found '[' at byte 9 (line 2), expected nothing behind" } },
  { "scalar-behind", "{} 1", { "found '1' at byte 3" } },
  { "nothing-but-space", " \n", { "found the end of the text at byte 2 (line 2), expected a value" } },
  { "scalar", "1", { "holds no JSON object, expected a thing" } },
  { "text", "\"name\"", { "holds no JSON object, expected a thing" } },
  { "declaration", "var x = {}", { "found 'v' at byte 0 (line 1), expected a value" } },
  { "hash-comment", "# x\n{}", { "found '#' at byte 0" } },
  { "comment-inside", "{/* x */}", { "found '/' at byte 1 (line 1), expected a key in double quotes" } },
  { "key-without-quotes", "{name: 1}", { "found 'n' at byte 1", "a key in double quotes" } },
  { "key-in-single-quotes", "{'name': 1}", { "found ''' at byte 1", "a key in double quotes" } },
  { "key-of-a-number", "{1: 1}", { "found '1' at byte 1", "a key in double quotes" } },
  { "key-without-colon", "{\"name\" 1}", { "found '1' at byte 8 (line 1), expected ':' behind a key" } },
  { "key-alone", "{\"name\"}", { "found '}' at byte 7 (line 1), expected ':' behind a key" } },
  { "value-missing", "{\"name\": }", { "found '}' at byte 9 (line 1), expected a value" } },
  { "value-of-a-word", "{\"name\": nul}", { "found 'n' at byte 9 (line 1), expected a value" } },
  { "value-of-a-longer-word", "{\"name\": nullx}", { "found 'x' at byte 13 (line 1), expected ',' or '}'" } },
  { "value-in-capitals", "{\"name\": True}", { "found 'T' at byte 9" } },
  { "value-not-a-number", "{\"name\": NaN}", { "found 'N' at byte 9" } },
  { "number-octal", "{\"n\": 010}", { "found '1' at byte 7 (line 1), expected no digit behind a leading 0" } },
  { "number-hexadecimal", "{\"n\": 0x10}", { "found 'x' at byte 7" } },
  { "number-begins-with-a-point", "{\"n\": .5}", { "found '.' at byte 6 (line 1), expected a value" } },
  { "number-ends-with-a-point", "{\"n\": 1.}", { "found '}' at byte 8 (line 1), expected a digit" } },
  { "number-with-a-plus", "{\"n\": +1}", { "found '+' at byte 6" } },
  { "number-of-two-signs", "{\"n\": --1}", { "found '-' at byte 7 (line 1), expected a digit" } },
  { "number-cut-in-its-exponent", "{\"n\": 1e", { "found the end of the text at byte 8 (line 1), expected a digit" } },
  { "comma-missing", "{\"a\": 1 \"b\": 2}", { "found '\"' at byte 8 (line 1), expected ',' or '}'" } },
  { "comma-too-many", "{\"a\": 1,}", { "found '}' at byte 8 (line 1), expected a key in double quotes" } },
  { "comma-too-many-in-a-list", "{\"a\": [1,]}", { "found ']' at byte 9 (line 1), expected a value" } },
  { "comma-alone", "{\"a\": [,]}", { "found ',' at byte 7" } },
  { "bracket-of-another-kind", "{\"a\": [1}", { "found '}' at byte 8 (line 1), expected ',' or ']'" } },
  { "bracket-missing", "{\"a\": [1", { "found the end of the text at byte 8" } },
  { "bracket-too-many", "{\"a\": 1}}", { "found '}' at byte 8" } },
  { "line-end-in-a-text", "{\"a\": \"x\ny\"}",
      { "found a control character (0x0a) at byte 8 (line 1), expected the rest" } },
  { "text-without-its-end", "{\"a\": \"x",
      { "found the end of the text at byte 8 (line 1), expected the rest of a text" } },
  { "key-twice", "{\"a\": 1, \"b\": 2, \"a\": 3}", { "has the key \"a\" twice in one object" } },
  { "key-twice-in-other-letters", "{\"a\": 1, \"\\u0061\": 3}", { "has the key \"a\" twice in one object" } },
  { "key-twice-below", "{\"a\": [{\"c\": 1, \"c\": {\"a\": 2}}]}", { "has the key \"c\" twice" } },
  { "deep", "{\"name\": [[[[1]]]]}", { "brackets nest 5 deep at byte 12 (line 1), expected at most 4" } },
};

static void
test_wrong (gconstpointer data)
{
  const Wrong *w = data;
  g_autofree gchar *text = g_memdup2 (w->text, strlen (w->text)); /* nothing behind it */
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonParser) parser = upi_json_parse (text, strlen (w->text), 4, "the/file.json", "a thing", &error);

  g_assert_null (parser);
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_test_message ("%s", error->message);
  g_assert_true (g_str_has_prefix (error->message, "the/file.json: "));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (w->says) && w->says[i] != NULL; i++)
    if (strstr (error->message, w->says[i]) == NULL)
      g_error ("\"%s\" does not say \"%s\"", error->message, w->says[i]);
}

/* Behind a quote that cuts an escape short and that json-glib reads over, what looks like text would be brackets to
 * it. */
static void
test_deep_behind_an_escape (void)
{
  g_autoptr (GString) text = g_string_new ("{\"name\": [\"\\u12\", \",");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 1000000; i++)
    g_string_append_c (text, '[');
  g_assert_null (upi_json_parse (text->str, text->len, 4, "deep", "a thing", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "four hexadecimal digits"));
}

/* Every escape of JSON, and what stands at the limits of surrogate pairs. */
static void
test_escapes (void)
{
  static const struct {
    const gchar *written, *read;
  } cases[] = {
    { "\\ud83d\\ude00", "\xf0\x9f\x98\x80" },
    { "\\uD800\\uDC00\\udbff\\udfff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
    { "\\ud7ff\\ue000\\u0001", "\xed\x9f\xbf\xee\x80\x80\x01" },
    { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
    { "\\\\u0000\\\\ud83d", "\\u0000\\ud83d" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *text = g_strconcat ("{\"", cases[i].written, "\": \"", cases[i].written, "\"}", NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonParser) parser = upi_json_parse (text, strlen (text), 4, "the/file.json", "a thing", &error);

    g_assert_no_error (error);
    JsonObject *object = json_node_get_object (json_parser_get_root (parser));
    g_assert_true (json_object_has_member (object, cases[i].read));
    g_assert_cmpstr (json_object_get_string_member (object, cases[i].read), ==, cases[i].read);
    g_assert_true (g_utf8_validate (cases[i].read, -1, NULL));
  }
}

/* What JSON allows and a hand seldom writes. */
static void
test_allowed (void)
{
  static const gchar *const allowed[] = { "{}", " \t\r\n{ } \r\n", "{\"\": null}",
    "{\"n\": [-0, 0.5, 1E+2, 1e-2, -1.25e3]}", "{\"a\": {\"a\": [{\"a\": true}, {\"a\": false}]}}",
    "{\"a\": [[[]]], \"b\": \"\x7f// { [ # '\"}" };

  for (guint i = 0; i < G_N_ELEMENTS (allowed); i++) {
    gsize length = strlen (allowed[i]);
    g_autofree gchar *text = g_memdup2 (allowed[i], length); /* nothing behind it */
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonParser) parser = upi_json_parse (text, length, 4, "the/file.json", "a thing", &error);

    g_assert_no_error (error);
    g_assert_nonnull (parser);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json-border/allowed", test_allowed);
  g_test_add_func ("/json-border/deep-behind-an-escape", test_deep_behind_an_escape);
  g_test_add_func ("/json-border/escapes", test_escapes);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree gchar *path = g_strconcat ("/json-border/wrong/", wrong[i].what, NULL);
    g_test_add_data_func (path, wrong + i, test_wrong);
  }
  return g_test_run ();
}
