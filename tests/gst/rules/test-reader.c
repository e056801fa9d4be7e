/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-reader.c: what a rules file says is read whole, and a mistake in it is named by file, line and key, with what
 * was found, what was expected and the way out. */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/upi.h"
#include "gst/rules/rules.h"

static void
test_values (void)
{
  static const gchar text[] =
      "{\"lost_time\": 0.5, \"rules\": {"
      "\"z\": {\"type\": \"zone\", \"polygon\": [[0, 0], [1, 0], [0.5, 1e0]], \"dwell\": 2, \"above\": 3, "
      "\"cooldown\": 9},"
      "\"l\": {\"labels\": [\"a\", \"b\"], \"points\": [[0.25, 0.5], [1, 0.5]], \"type\": \"line\", \"mode\": "
      "\"strict\","
      " \"direction\": \"backward\", \"min_score\": 0.25, \"min_area\": 0.01, \"min_time\": 1.5},"
      "\"gr\\u00f6\\u00dfe\": {\"type\": \"count\"},"
      "\"p\": {\"type\": \"phrase\", \"text\": \"\\ud83d\\ude00 \\\"it\\\" snows\"}}}";
  g_autoptr (GError) error = NULL;
  g_autoptr (Rules) rules = rules_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (rules->rules->len, ==, 4);
  g_assert_cmpfloat (rules->lost_time, ==, 0.5);
  g_assert_true (rules_need_tracks (rules));
  const Rule *zone = rules->rules->pdata[0], *line = rules->rules->pdata[1], *count = rules->rules->pdata[2],
             *phrase = rules->rules->pdata[3];
  g_assert_cmpint (zone->kind, ==, RULE_ZONE);
  g_assert_cmpuint (zone->points->len, ==, 3);
  g_assert_cmpfloat (g_array_index (zone->points, RulePoint, 2).y, ==, 1);
  g_assert_cmpfloat (zone->dwell, ==, 2);
  g_assert_cmpfloat (zone->above, ==, 3);
  g_assert_cmpfloat (zone->below, ==, -1);
  g_assert_cmpfloat (zone->cooldown, ==, 9);
  g_assert_null (zone->labels);
  g_assert_cmpstr (line->name, ==, "l");
  g_assert_cmpint (line->mode, ==, RULE_STRICT);
  g_assert_cmpint (line->direction, ==, RULE_BACKWARD);
  g_assert_cmpstr (line->labels[1], ==, "b");
  g_assert_cmpfloat (line->min_score, ==, 0.25);
  g_assert_cmpfloat (line->min_area, ==, 0.01);
  g_assert_cmpfloat (line->min_time, ==, 1.5);
  g_assert_cmpstr (count->name, ==, "größe");
  g_assert_cmpfloat (count->above, ==, -1);
  g_assert_cmpstr (phrase->text, ==, "😀 \"it\" snows");
  g_assert_cmpfloat (phrase->threshold, ==, 0.5);
  g_assert_true (rule_equal (line, line));
  g_assert_false (rule_equal (line, zone));
}

static void
test_mistakes (void)
{
  static const struct {
    const gchar *text, *message;
  } mistakes[] = {
    { "",
        "f.json:1: found the end of the text, expected a value: a number, a text in double quotes, a list, an object, "
        "true, false or "
        "null" },
    { "{\n\"rules\": {\n\"a\": {\"type\": \"count\",}}}",
        "f.json:3: found '}', expected one more behind the last comma; or take the comma away" },
    { "{\n\"rules\": {}, \n\n\"rules\": {}}",
        "f.json:4: found the key \"rules\" a second time, expected it once: the first is in line 2" },
    { "{}", "f.json:1: found no key \"rules\", expected {\"rules\": {\"name\": {\"type\": …}, …}}" },
    { "{\"rule\": 1}",
        "f.json:1: rule: found a key that no rules file has, expected one of rules, lost_time, version, comment, "
        "$schema" },
    { "{\"version\": 2,\n \"rules\": {\"a\": {\"type\": \"count\"}}}",
        "f.json:1: version: found 2, expected 1: this upi reads no other; leave the key out or take a newer upi" },
    { "{\"rules\": {\n\n\"gate\": {\"type\":\n\"zones\"}}}",
        "f.json:4: rules.gate.type: found the text \"zones\", expected one of \"zone\", \"line\", \"count\", "
        "\"phrase\"" },
    { "{\"rules\": {\n\"gate\": {\"type\": \"line\"}}}",
        "f.json:2: rules.gate: found no key \"points\", expected one: no line is without" },
    { "{\"rules\": {\"gate\": {\"polygon\": 1}}}",
        "f.json:1: rules.gate: found no key \"type\", expected \"zone\", \"line\", \"count\" or \"phrase\" there" },
    { "{\"rules\": {\"gate\": {\"type\": \"count\",\n\"min_score\": 50}}}",
        "f.json:2: rules.gate.min_score: found 50, expected a number of 0 to 1" },
    { "{\"rules\": {\"gate\": {\"type\": \"count\",\n\"above\": 1.5}}}",
        "f.json:2: rules.gate.above: found 1.5, expected a whole number of 0 to 1000000" },
    { "{\"rules\": {\"fire\": {\"type\": \"phrase\", \"text\": \"fire\",\n\"dwell\": 3}}}",
        "f.json:2: rules.fire.dwell: found a key that other types of rules have, expected one of type, min_time, "
        "cooldown, text, "
        "threshold, comment" },
    { "{\"rules\": {\"n\": {\"type\": \"count\", \"over\": 3}}}",
        "f.json:1: rules.n.over: found a key that no rule has, expected one of type, labels, min_score, min_area, "
        "min_time, cooldown, "
        "above, below, "
        "comment" },
    { "{\"rules\": {\"yard\": {\"type\": \"zone\", \"polygon\": [[0, 0], [1, 0],\n[1920, 1]]}}}",
        "f.json:2: rules.yard.polygon: found 1920, expected a point [x, y] in 0..1 of the frame, from its upper left "
        "corner: divide pixels "
        "by its width "
        "and height" },
    { "{\"rules\": {\"yard\": {\"type\": \"zone\", \"polygon\": [[0, 0], [1, 0], [1, 1], [0, 0]]}}}",
        "f.json:1: rules.yard.polygon: found point 1 again as point 4, expected each once: a polygon closes by "
        "itself" },
    { "{\"rules\": {\"n\": {\"type\": \"count\", \"labels\": \"person\"}}}",
        "f.json:1: rules.n.labels: found the text \"person\", expected a list of 1 to 1000 texts, such as [\"person\", "
        "\"red car\"]" },
    { "{\"rules\": {\"\": {}}}", "f.json:1: rules: found a name of 0 characters, expected 1 to 64" },
    { "{\"rules\": 7}",
        "f.json:1: rules: found 7, expected an object of 1 to 100 rules, {\"name\": {\"type\": …}, …}" },
    { "{\n\xff",
        "f.json:2: found the byte 0xff, which is not UTF-8, expected UTF-8 throughout: save the file in that "
        "encoding" },
    { "\xef\xbb\xbf{}", "f.json:1: found a byte order mark, expected JSON: save the file as UTF-8 without one" },
    { "{\"a\": \"\\ud800x\"}",
        "f.json:1: found 'x', expected the second half of a surrogate pair, \\udc00 to \\udfff" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (mistakes); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (rules_parse (mistakes[i].text, strlen (mistakes[i].text), "f.json", &error));
    g_assert_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT);
    g_assert_cmpstr (error->message, ==, mistakes[i].message);
  }
}

/* No text, however broken, does more than fail; what is too large or too deep fails at once. */
static void
test_broken_texts (void)
{
  static const gchar text[] = "{\"rules\": {\"z\": {\"type\": \"zone\", \"polygon\": [[0, 0], [1, 0], [0.5, 1e0]], "
                              "\"labels\": [\"a\\u00e4\"]}}}";
  const gsize length = strlen (text);
  g_autofree gchar *large = g_strnfill (2 << 20, ' ');
  g_autofree gchar *deep = g_strnfill (1 << 20, '[');
  g_autoptr (GError) too_large = NULL, too_deep = NULL;

  for (gsize n = 0; n < length; n++)
    g_assert_null (rules_parse (text, n, "cut", NULL));
  for (guint n = 0; n < 20000; n++) {
    g_autofree gchar *broken = g_memdup2 (text, length);
    for (gint i = g_test_rand_int_range (1, 4); i > 0; i--)
      broken[g_test_rand_int_range (0, (gint) length)] = "\"\\{}[],:0-1e.tu \n\x80\xff"[g_test_rand_int_range (0, 19)];
    g_autoptr (GError) error = NULL;
    g_autoptr (Rules) rules = rules_parse (broken, length, "broken", &error);
    g_assert_true ((rules == NULL) == (error != NULL));
  }
  g_assert_null (rules_parse (large, 2 << 20, "large", &too_large));
  g_assert_cmpstr (too_large->message, ==, "large:1: found 2097152 bytes, expected at most 1048576");
  g_assert_null (rules_parse (deep, 1 << 20, "deep", &too_deep));
  g_assert_nonnull (strstr (too_deep->message, "lists within lists"));
}

static void
test_files (void)
{
  g_autofree gchar *folder = g_dir_make_tmp ("upi-rules-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (folder, "rules.json", NULL);
  g_autofree gchar *fifo = g_build_filename (folder, "fifo", NULL);
  g_autoptr (GError) missing = NULL, no_file = NULL, no_file_either = NULL, broken = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_assert_null (rules_load (path, NULL, &missing));
  g_assert_error (missing, UPI_ERROR, UPI_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (missing->message, path));
  g_assert_null (rules_load (folder, NULL, &no_file));
  g_assert_nonnull (strstr (no_file->message, "no regular file"));
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_null (rules_load (fifo, NULL, &no_file_either)); /* and does not wait for who writes into it */
  g_assert_true (g_file_set_contents (path, "{\n]", -1, NULL));
  g_assert_null (rules_load (path, &bytes, &broken));
  g_assert_true (g_str_has_prefix (broken->message, path));
  g_assert_nonnull (strstr (broken->message, "rules.json:2: "));
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 3);
  g_unlink (fifo);
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rules-reader/values", test_values);
  g_test_add_func ("/rules-reader/mistakes", test_mistakes);
  g_test_add_func ("/rules-reader/broken-texts", test_broken_texts);
  g_test_add_func ("/rules-reader/files", test_files);
  return g_test_run ();
}
