/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from a file that nobody vouches for: json-glib only ever sees what RFC 8259 allows.
 *
 * It takes more: comments, `var x =`, 010 and .5, several documents in one text; it makes strings that are not UTF-8 of
 * halves of surrogate pairs and of octal numbers, cuts a string at \u0000, reads on over a quote that cuts \uXXXX
 * short, and on much of this it leaks. Before 1.10 it also recurses as deep as a file tells it to. */
#include "core/json-border.h"

#include "core/upi.h"

#include <string.h>

/* A walk over the text. Each function begins at what it is named for and ends behind it, or sets the mistake. */
typedef struct {
  const gchar *text;
  gsize length;
  gsize at;
  guint depth, max_depth; /* of brackets */
  gsize n_members;        /* of all objects */
  /* The mistake: what was found at @at, and what was expected. */
  gsize found; /* bytes of an escape; 0: the character there */
  const gchar *expected;
} Walk;

static gboolean walk_value (Walk *walk);

static gboolean
refuse (Walk *walk, gsize found, const gchar *expected)
{
  walk->found = found;
  walk->expected = expected;
  return FALSE;
}

/* '\0' at the end: the text has none. */
static gchar
next_character (const Walk *walk)
{
  return walk->at < walk->length ? walk->text[walk->at] : '\0';
}

static gboolean
take (Walk *walk, gchar character)
{
  if (next_character (walk) != character)
    return FALSE;
  walk->at++;
  return TRUE;
}

static void
skip_space (Walk *walk)
{
  while (walk->at < walk->length && strchr (" \t\r\n", walk->text[walk->at]) != NULL)
    walk->at++;
}

/* Four hexadecimal digits. */
static gboolean
walk_unit (Walk *walk, gint *unit)
{
  *unit = 0;
  for (guint i = 0; i < 4; i++, walk->at++) {
    gint digit = g_ascii_xdigit_value (next_character (walk));
    if (digit < 0)
      return refuse (walk, 0, "four hexadecimal digits behind \\u");
    *unit = *unit * 16 + digit;
  }
  return TRUE;
}

/* An escape that is well-formed but stands for nothing: the mistake is all of it. */
static gboolean
refuse_escape (Walk *walk, gsize begin, const gchar *expected)
{
  gsize found = walk->at - begin;

  walk->at = begin;
  return refuse (walk, found, expected);
}

static gboolean
walk_escape (Walk *walk)
{
  static const gchar second[] = "the second half of a surrogate pair, \\udc00 to \\udfff";
  gsize begin = walk->at++;
  gchar letter = next_character (walk);
  gint unit;

  if (letter != '\0' && strchr ("\"\\/bfnrt", letter) != NULL)
    return take (walk, letter);
  if (!take (walk, 'u'))
    return refuse (walk, 0, "one of \" \\ / b f n r t u behind a backslash");
  if (!walk_unit (walk, &unit))
    return FALSE;
  if (unit == 0)
    return refuse_escape (walk, begin, "a character other than NUL");
  if (unit < 0xd800 || unit > 0xdfff)
    return TRUE;
  if (unit >= 0xdc00)
    return refuse_escape (walk, begin, "the first half of a surrogate pair before it, \\ud800 to \\udbff");
  begin = walk->at;
  if (!take (walk, '\\') || !take (walk, 'u'))
    return refuse (walk, 0, second);
  if (!walk_unit (walk, &unit))
    return FALSE;
  return (unit >= 0xdc00 && unit <= 0xdfff) || refuse_escape (walk, begin, second);
}

static gboolean
walk_string (Walk *walk)
{
  if (!take (walk, '"'))
    return refuse (walk, 0, "a key in double quotes");
  while (!take (walk, '"')) {
    if (walk->at == walk->length || (guchar) walk->text[walk->at] < 0x20)
      return refuse (walk, 0, "the rest of a text and its closing double quote");
    if (walk->text[walk->at] != '\\')
      walk->at++;
    else if (!walk_escape (walk))
      return FALSE;
  }
  return TRUE;
}

static gboolean
walk_digits (Walk *walk)
{
  if (!g_ascii_isdigit (next_character (walk)))
    return refuse (walk, 0, "a digit");
  while (g_ascii_isdigit (next_character (walk)))
    walk->at++;
  return TRUE;
}

static gboolean
walk_number (Walk *walk)
{
  take (walk, '-');
  if (take (walk, '0')) {
    if (g_ascii_isdigit (next_character (walk)))
      return refuse (walk, 0, "no digit behind a leading 0");
  } else if (!walk_digits (walk)) {
    return FALSE;
  }
  if (take (walk, '.') && !walk_digits (walk))
    return FALSE;
  if (take (walk, 'e') || take (walk, 'E')) {
    if (!take (walk, '-'))
      take (walk, '+');
    return walk_digits (walk);
  }
  return TRUE;
}

static gboolean
walk_member (Walk *walk)
{
  walk->n_members++;
  if (!walk_string (walk))
    return FALSE;
  skip_space (walk);
  if (!take (walk, ':'))
    return refuse (walk, 0, "':' behind a key");
  skip_space (walk);
  return walk_value (walk);
}

/* An object or a list. */
static gboolean
walk_items (Walk *walk)
{
  gboolean is_object = next_character (walk) == '{';
  gchar close = is_object ? '}' : ']';

  if (walk->depth == walk->max_depth)
    return refuse (walk, 0, NULL);
  walk->depth++;
  walk->at++;
  skip_space (walk);
  for (gboolean closed = take (walk, close); !closed;) {
    if (!(is_object ? walk_member (walk) : walk_value (walk)))
      return FALSE;
    skip_space (walk);
    closed = take (walk, close);
    if (!closed && !take (walk, ','))
      return refuse (walk, 0, is_object ? "',' or '}'" : "',' or ']'");
    skip_space (walk);
  }
  walk->depth--;
  return TRUE;
}

static gboolean
take_word (Walk *walk, const gchar *word)
{
  gsize length = strlen (word);

  if (walk->length - walk->at < length || memcmp (walk->text + walk->at, word, length) != 0)
    return FALSE;
  walk->at += length;
  return TRUE;
}

static gboolean
walk_value (Walk *walk)
{
  gchar next = next_character (walk);

  if (next == '{' || next == '[')
    return walk_items (walk);
  if (next == '"')
    return walk_string (walk);
  if (next == '-' || g_ascii_isdigit (next))
    return walk_number (walk);
  return take_word (walk, "true") || take_word (walk, "false") || take_word (walk, "null")
      || refuse (walk, 0, "a value: a number, a text in double quotes, a list, an object, true, false or null");
}

/* One value and nothing else. */
static gboolean
walk_document (Walk *walk)
{
  skip_space (walk);
  if (!walk_value (walk))
    return FALSE;
  skip_space (walk);
  return walk->at == walk->length || refuse (walk, 0, "nothing behind the document");
}

static gchar *
describe_found (const Walk *walk)
{
  const gchar *found = walk->text + walk->at;

  if (walk->at == walk->length)
    return g_strdup ("the end of the text");
  if (walk->found > 0)
    return g_strndup (found, walk->found);
  if ((guchar) *found < 0x20)
    return g_strdup_printf ("a control character (0x%02x)", (guint) (guchar) *found);
  return g_strdup_printf ("'%.*s'", (gint) (g_utf8_next_char (found) - found), found);
}

static gboolean
check_text (const gchar *text, gsize length, const gchar *file, const gchar *expected, GError **error)
{
  const gchar *bad;

  if (length == 0)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is empty, expected %s", file, expected);
  else if (memchr (text, '\0', length) != NULL || !g_utf8_validate_len (text, length, &bad))
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not text in UTF-8, expected %s", file, expected);
  else if (length >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: is not JSON: found a byte order mark, expected %s: save the file as UTF-8 without one", file, expected);
  else
    return TRUE;
  return FALSE;
}

static gboolean
check_document (Walk *walk, const gchar *file, GError **error)
{
  guint line = 1;

  if (walk_document (walk))
    return TRUE;
  for (gsize i = 0; i < walk->at; i++)
    line += walk->text[i] == '\n';
  if (walk->expected == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: brackets nest %u deep at byte %" G_GSIZE_FORMAT " (line %u), expected at most %u", file,
        walk->max_depth + 1, walk->at, line, walk->max_depth);
  } else {
    g_autofree gchar *found = describe_found (walk);
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: is not JSON: found %s at byte %" G_GSIZE_FORMAT " (line %u), expected %s", file, found, walk->at, line,
        walk->expected);
  }
  return FALSE;
}

static gsize
count_members (JsonNode *node)
{
  gsize count = 0;

  if (JSON_NODE_HOLDS_OBJECT (node)) {
    JsonObjectIter members;
    JsonNode *value;
    json_object_iter_init (&members, json_node_get_object (node));
    while (json_object_iter_next (&members, NULL, &value))
      count += 1 + count_members (value);
  } else if (JSON_NODE_HOLDS_ARRAY (node)) {
    JsonArray *items = json_node_get_array (node);
    for (guint i = 0; i < json_array_get_length (items); i++)
      count += count_members (json_array_get_element (items, i));
  }
  return count;
}

/* The first key that an object has twice, however it is spelt. */
typedef struct {
  GHashTable *seen; /* "object key" */
  gchar *twice;
} Keys;

static void
on_member (JsonParser *parser G_GNUC_UNUSED, JsonObject *object, const gchar *key, gpointer data)
{
  Keys *keys = data;

  if (!g_hash_table_add (keys->seen, g_strdup_printf ("%p %s", (gpointer) object, key)) && keys->twice == NULL)
    keys->twice = g_strdup (key);
}

/* json-glib keeps the last of members that have one key, which whoever wrote the file may not have meant. */
static gboolean
check_keys (JsonParser *parser, const Walk *walk, const gchar *file, GError **error)
{
  g_autoptr (JsonParser) again = NULL;
  Keys keys = { 0 };

  if (count_members (json_parser_get_root (parser)) == walk->n_members)
    return TRUE;
  again = json_parser_new ();
  keys.seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_signal_connect (again, "object-member", G_CALLBACK (on_member), &keys);
  json_parser_load_from_data (again, walk->text, (gssize) walk->length, NULL);
  g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
      "%s: has the key \"%s\" twice in one object, expected it once: keep the one that is meant", file, keys.twice);
  g_hash_table_unref (keys.seen);
  g_free (keys.twice);
  return FALSE;
}

JsonParser *
upi_json_parse (
    const gchar *text, gsize length, guint max_depth, const gchar *file, const gchar *expected, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) cause = NULL;
  Walk walk = { .text = text, .length = length, .max_depth = max_depth };

  if (!check_text (text, length, file, expected, error) || !check_document (&walk, file, error))
    return NULL;
  if (text[strspn (text, " \t\r\n")] != '{') {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: holds no JSON object, expected %s", file, expected);
    return NULL;
  }
  if (!json_parser_load_from_data (parser, text, (gssize) length, &cause)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: cannot be read: %s", file, cause->message);
    return NULL;
  }
  return check_keys (parser, &walk, file, error) ? g_steal_pointer (&parser) : NULL;
}
