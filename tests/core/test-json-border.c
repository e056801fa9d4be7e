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
      { "is not JSON: found 'q' at byte 11, expected one of \" \\ / b f n r t u behind a backslash" } },
  { "escape-of-a-wide-letter", "{\"name\": \"\\\xc3\xa9\"}", { "found '\xc3\xa9' at byte 11" } },
  { "escape-of-a-line-end", "{\"name\": \"\\\n\"}", { "found a control character (0x0a) at byte 11" } },
  { "octal-escape", "{\"name\": \"\\377\"}", { "found '3' at byte 11", "one of" } },
  { "escape-in-a-key", "{\"na\\me\": 1}", { "found 'm' at byte 5", "one of" } },
  { "unicode-of-letters", "{\"name\": \"\\u00zz\"}",
      { "found 'z' at byte 14, expected four hexadecimal digits behind \\u" } },
  { "unicode-cut-by-a-quote", "{\"name\": \"\\u12\", \"d\": 1}", { "found '\"' at byte 14", "four" } },
  { "unicode-nul", "{\"name\": \"x\\u0000y\"}", { "found \\u0000 at byte 11, expected a character other than NUL" } },
  { "pair-without-its-second", "{\"name\": \"\\ud83dx\"}",
      { "found 'x' at byte 16, expected the second half of a surrogate pair, \\udc00 to \\udfff" } },
  { "pair-without-its-second-at-the-end", "{\"name\": \"\\uD83D\"}", { "found '\"' at byte 16", "second half" } },
  { "pair-with-another-escape", "{\"name\": \"\\ud83d\\n\"}", { "found 'n' at byte 17", "second half" } },
  { "pair-with-a-letter", "{\"name\": \"\\ud83d\\u0041\"}", { "found \\u0041 at byte 16", "second half" } },
  { "pair-beyond-the-second", "{\"name\": \"\\ud83d\\ue000\"}", { "found \\ue000 at byte 16", "second half" } },
  { "pair-of-firsts", "{\"name\": \"\\ud83d\\ud83d\"}", { "found \\ud83d at byte 16", "second half" } },
  { "pair-with-letters", "{\"name\": \"\\ud83d\\ute00\"}", { "found 't' at byte 18", "four" } },
  { "pair-without-its-first", "{\"name\": \"x\\udE00\"}",
      { "found \\udE00 at byte 11, expected the first half of a surrogate pair before it, \\ud800 to \\udbff" } },
  { "pair-in-a-key", "{\"\\ude00\\ud83d\": 1}", { "found \\ude00 at byte 2", "first half" } },
  { "cut-behind-a-backslash", "{\"name\": \"\\", { "found the end of the text at byte 11", "one of" } },
  { "cut-in-an-escape", "{\"name\": \"\\u00", { "found the end of the text at byte 14", "four" } },
  { "cut-in-a-pair", "{\"name\": \"\\ud83d", { "found the end of the text at byte 16", "second half" } },
  { "cut-behind-a-pairs-backslash", "{\"name\": \"\\ud83d\\", { "found the end of the text at byte 17", "second" } },
  { "cut-in-a-pairs-second", "{\"name\": \"\\ud83d\\ude", { "found the end of the text at byte 20", "four" } },
  { "empty", "", { "is empty, expected a thing" } },
  { "list", "[1]", { "holds no JSON object, expected a thing" } },
  { "not-utf-8", "{\"name\": \"\xff\"}", { "is not text in UTF-8, expected a thing" } },
  { "comment", "{} // \"", { "stray character 0x2f at byte 3" } },
  { "deep", "{\"name\": [[[[1]]]]}", { "brackets nest 5 deep, expected at most 4" } },
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json-border/deep-behind-an-escape", test_deep_behind_an_escape);
  g_test_add_func ("/json-border/escapes", test_escapes);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree gchar *path = g_strconcat ("/json-border/wrong/", wrong[i].what, NULL);
    g_test_add_data_func (path, wrong + i, test_wrong);
  }
  return g_test_run ();
}
