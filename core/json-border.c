/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from a file that nobody vouches for: limits that are checked before json-glib reads it. */
#include "core/json-border.h"

#include "core/upi.h"

#include <string.h>

/* json-glib also reads comments and `var x =`, inside which a quote would hide brackets from this; a file of ours has
 * neither. @deepest: (out): of brackets outside of strings. @at: (out): where it stopped, at what is no JSON's */
static gboolean
is_plain_json (const gchar *text, gsize length, guint *deepest, gsize *at)
{
  guint depth = 0;
  gboolean in_string = FALSE;

  *deepest = 0;
  for (gsize i = 0; i < length; i++) {
    gchar c = text[i];
    *at = i;
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = FALSE;
      else if ((guchar) c < 0x20)
        return FALSE;
    } else if (c == '"') {
      in_string = TRUE;
    } else if (c == '{' || c == '[') {
      depth++;
      *deepest = MAX (*deepest, depth);
    } else if (c == '}' || c == ']') {
      depth -= depth > 0;
    } else if (!g_ascii_isalnum (c) && strchr (":,+-. \t\r\n", c) == NULL) {
      return FALSE;
    }
  }
  return TRUE;
}

/* An escape that is not JSON's: what was found, from byte @at, and what was expected. */
typedef struct {
  gsize at;
  gsize found; /* bytes of an escape; 0: the character there */
  const gchar *expected;
} Mistake;

static gsize
refuse_escape (Mistake *mistake, gsize at, gsize found, const gchar *expected)
{
  *mistake = (Mistake){ at, found, expected };
  return 0;
}

/* Four hexadecimal digits; -1: mistake is set. */
static gint
read_unit (const gchar *text, gsize length, gsize at, Mistake *mistake)
{
  gint unit = 0;

  for (guint i = 0; i < 4; i++, at++) {
    gint digit = at < length ? g_ascii_xdigit_value (text[at]) : -1;
    if (digit < 0) {
      refuse_escape (mistake, at, 0, "four hexadecimal digits behind \\u");
      return -1;
    }
    unit = unit * 16 + digit;
  }
  return unit;
}

/* Where the escape ends whose backslash is at @at; 0: mistake is set. */
static gsize
skip_escape (const gchar *text, gsize length, gsize at, Mistake *mistake)
{
  static const gchar second[] = "the second half of a surrogate pair, \\udc00 to \\udfff";
  gsize next = at + 1;

  if (next < length && strchr ("\"\\/bfnrt", text[next]) != NULL)
    return next + 1;
  if (next == length || text[next] != 'u')
    return refuse_escape (mistake, next, 0, "one of \" \\ / b f n r t u behind a backslash");
  gint unit = read_unit (text, length, next + 1, mistake);
  if (unit < 0)
    return 0;
  next += 5;
  if (unit == 0)
    return refuse_escape (mistake, at, next - at, "a character other than NUL");
  if (unit < 0xd800 || unit > 0xdfff)
    return next;
  if (unit >= 0xdc00)
    return refuse_escape (mistake, at, next - at, "the first half of a surrogate pair before it, \\ud800 to \\udbff");
  for (guint i = 0; i < 2; i++)
    if (next + i == length || text[next + i] != "\\u"[i])
      return refuse_escape (mistake, next + i, 0, second);
  unit = read_unit (text, length, next + 2, mistake);
  if (unit < 0)
    return 0;
  return unit >= 0xdc00 && unit <= 0xdfff ? next + 6 : refuse_escape (mistake, next, 6, second);
}

/* json-glib takes any escape: of halves of surrogate pairs and of octal numbers it makes strings that are not UTF-8, it
 * cuts a string at \u0000, reads on over a quote that cuts \uXXXX short (and so would see brackets that is_plain_json()
 * takes for text), and leaks where it does refuse a pair. Only strings of plain JSON have backslashes. */
static gboolean
has_json_escapes (const gchar *text, gsize length, Mistake *mistake)
{
  for (gsize i = 0; i < length;) {
    i = text[i] == '\\' ? skip_escape (text, length, i, mistake) : i + 1;
    if (i == 0)
      return FALSE;
  }
  return TRUE;
}

static gchar *
describe_found (const gchar *text, gsize length, const Mistake *mistake)
{
  const gchar *found = text + mistake->at;

  if (mistake->at == length)
    return g_strdup ("the end of the text");
  if (mistake->found > 0)
    return g_strndup (found, mistake->found);
  if ((guchar) *found < 0x20)
    return g_strdup_printf ("a control character (0x%02x)", (guint) (guchar) *found);
  return g_strdup_printf ("'%.*s'", (gint) (g_utf8_next_char (found) - found), found);
}

JsonParser *
upi_json_parse (
    const gchar *text, gsize length, guint max_depth, const gchar *file, const gchar *expected, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) cause = NULL;
  const gchar *bad;
  Mistake mistake = { 0 };
  guint deepest = 0;
  gsize at = 0;

  if (length == 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is empty, expected %s", file, expected);
    return NULL;
  }
  if (memchr (text, '\0', length) != NULL || !g_utf8_validate (text, length, &bad)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not text in UTF-8, expected %s", file, expected);
    return NULL;
  }
  if (length >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: is not JSON: found a byte order mark, expected %s: save the file as UTF-8 without one", file, expected);
    return NULL;
  }
  if (!is_plain_json (text, length, &deepest, &at)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not JSON: stray character 0x%02x at byte %" G_GSIZE_FORMAT,
        file, (guchar) text[at], at);
    return NULL;
  }
  if (!has_json_escapes (text, length, &mistake)) {
    g_autofree gchar *found = describe_found (text, length, &mistake);
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: is not JSON: found %s at byte %" G_GSIZE_FORMAT ", expected %s", file, found, mistake.at,
        mistake.expected);
    return NULL;
  }
  if (deepest > max_depth) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_MODEL, "%s: brackets nest %u deep, expected at most %u", file, deepest, max_depth);
    return NULL;
  }
  if (!json_parser_load_from_data (parser, text, length, &cause)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not JSON: %s", file, cause->message);
    return NULL;
  }
  if (json_parser_get_root (parser) == NULL || !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser))) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: holds no JSON object, expected %s", file, expected);
    return NULL;
  }
  return g_steal_pointer (&parser);
}
