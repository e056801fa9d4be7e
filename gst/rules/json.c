/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c: a strict reader of JSON that knows lines; see json.h. */
#include "gst/rules/json.h"

#include <string.h>

#define MAX_DEPTH 32
#define MAX_ITEMS 1000

typedef struct {
  const gchar *at, *end;
  guint line;
  guint depth;
  gchar *mistake; /* nullable; the first one */
} Reader;

static RulesJson *read_value (Reader *reader);

void
rules_json_free (RulesJson *value)
{
  g_free (value->name);
  g_free (value->string);
  g_clear_pointer (&value->items, g_ptr_array_unref);
  g_free (value);
}

const RulesJson *
rules_json_member (const RulesJson *object, const gchar *name)
{
  for (guint i = 0; object->type == RULES_JSON_OBJECT && i < object->items->len; i++) {
    const RulesJson *member = object->items->pdata[i];
    if (g_str_equal (member->name, name))
      return member;
  }
  return NULL;
}

gchar *
rules_json_describe (const RulesJson *value)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  switch (value->type) {
  case RULES_JSON_NULL:
    return g_strdup ("null");
  case RULES_JSON_BOOLEAN:
    return g_strdup (value->number != 0 ? "true" : "false");
  case RULES_JSON_NUMBER:
    return g_strdup (g_ascii_formatd (number, sizeof number, "%.10g", value->number));
  case RULES_JSON_ARRAY:
    return g_strdup_printf ("a list of %u", value->items->len);
  case RULES_JSON_OBJECT:
    return g_strdup_printf ("an object with %u keys", value->items->len);
  default: {
    gboolean is_long = g_utf8_strlen (value->string, -1) > 40;
    g_autofree gchar *head = is_long ? g_utf8_substring (value->string, 0, 40) : g_strdup (value->string);
    return g_strdup_printf ("the text \"%s%s\"", head, is_long ? "…" : "");
  }
  }
}

G_GNUC_PRINTF (2, 3)
static void
set_mistake (Reader *reader, const gchar *format, ...)
{
  va_list arguments;

  if (reader->mistake != NULL)
    return;
  va_start (arguments, format);
  reader->mistake = g_strdup_vprintf (format, arguments);
  va_end (arguments);
}

static void
skip_space (Reader *reader)
{
  for (; reader->at < reader->end && strchr (" \t\r\n", *reader->at) != NULL && *reader->at != '\0'; reader->at++)
    reader->line += *reader->at == '\n';
}

/* What stands here, for a message. */
static gchar *
describe_next (Reader *reader)
{
  if (reader->at >= reader->end)
    return g_strdup ("the end of the text");
  if ((guchar) *reader->at < 0x20)
    return g_strdup_printf ("a control character (0x%02x)", (guint) (guchar) *reader->at);
  return g_strdup_printf ("'%.*s'", (gint) (g_utf8_next_char (reader->at) - reader->at), reader->at);
}

static gboolean
expected (Reader *reader, const gchar *what)
{
  g_autofree gchar *found = describe_next (reader);

  set_mistake (reader, "found %s, expected %s", found, what);
  return FALSE;
}

static gboolean
take (Reader *reader, gchar character)
{
  if (reader->at >= reader->end || *reader->at != character)
    return FALSE;
  reader->at++;
  return TRUE;
}

/* Four hexadecimal digits. */
static gboolean
read_unit (Reader *reader, gunichar *unit)
{
  *unit = 0;
  for (guint i = 0; i < 4; i++, reader->at++) {
    if (reader->at >= reader->end || !g_ascii_isxdigit (*reader->at))
      return expected (reader, "four hexadecimal digits behind \\u");
    *unit = *unit * 16 + (gunichar) g_ascii_xdigit_value (*reader->at);
  }
  return TRUE;
}

/* Behind "\u". */
static gboolean
read_unicode (Reader *reader, GString *text)
{
  gunichar unit, low;

  if (!read_unit (reader, &unit))
    return FALSE;
  if (unit >= 0xd800 && unit < 0xdc00) {
    if (!take (reader, '\\') || !take (reader, 'u'))
      return expected (reader, "the second half of a surrogate pair, \\udc00 to \\udfff");
    if (!read_unit (reader, &low))
      return FALSE;
    unit = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : 0xdc00;
  }
  if (unit == 0 || (unit >= 0xd800 && unit < 0xe000)) {
    set_mistake (reader, "found \\u escapes that are no character, expected a character other than NUL");
    return FALSE;
  }
  g_string_append_unichar (text, unit);
  return TRUE;
}

/* (nullable) */
static gchar *
read_string (Reader *reader)
{
  static const gchar escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  g_autoptr (GString) text = g_string_new (NULL);

  if (!take (reader, '"')) {
    expected (reader, "a text in double quotes");
    return NULL;
  }
  while (!take (reader, '"')) {
    if (reader->at >= reader->end || (guchar) *reader->at < 0x20) {
      expected (reader, "the rest of a text and its closing double quote");
      return NULL;
    }
    if (!take (reader, '\\')) {
      g_string_append_c (text, *reader->at++);
      continue;
    }
    const gchar *escape = reader->at < reader->end && *reader->at != '\0' ? strchr (escapes, *reader->at) : NULL;
    if (escape != NULL) {
      g_string_append_c (text, meanings[escape - escapes]);
      reader->at++;
    } else if (!take (reader, 'u')) {
      expected (reader, "one of \" \\ / b f n r t u behind a backslash");
      return NULL;
    } else if (!read_unicode (reader, text)) {
      return NULL;
    }
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
skip_digits (Reader *reader)
{
  const gchar *begin = reader->at;

  while (reader->at < reader->end && g_ascii_isdigit (*reader->at))
    reader->at++;
  return reader->at > begin || expected (reader, "a digit");
}

static gboolean
read_number (Reader *reader, gdouble *number)
{
  const gchar *begin = reader->at;

  take (reader, '-');
  if (take (reader, '0')) {
    if (reader->at < reader->end && g_ascii_isdigit (*reader->at))
      return expected (reader, "no digit behind a leading 0");
  } else if (!skip_digits (reader)) {
    return FALSE;
  }
  if (take (reader, '.') && !skip_digits (reader))
    return FALSE;
  if (take (reader, 'e') || take (reader, 'E')) {
    if (!take (reader, '-'))
      take (reader, '+');
    if (!skip_digits (reader))
      return FALSE;
  }
  g_autofree gchar *digits = g_strndup (begin, (gsize) (reader->at - begin));
  *number = g_ascii_strtod (digits, NULL);
  return TRUE;
}

static gboolean
read_member (Reader *reader, RulesJson *object)
{
  guint name_line = reader->line;
  g_autofree gchar *name = read_string (reader);

  if (name == NULL)
    return FALSE;
  const RulesJson *before = rules_json_member (object, name);
  if (before != NULL) {
    set_mistake (reader, "found the key \"%s\" a second time, expected it once: the first is in line %u", name,
        before->name_line);
    return FALSE;
  }
  skip_space (reader);
  if (!take (reader, ':'))
    return expected (reader, "':' behind a key");
  skip_space (reader);
  RulesJson *value = read_value (reader);
  if (value == NULL)
    return FALSE;
  value->name = g_steal_pointer (&name);
  value->name_line = name_line;
  g_ptr_array_add (object->items, value);
  return TRUE;
}

static gboolean
read_item (Reader *reader, RulesJson *list)
{
  RulesJson *value = read_value (reader);

  if (value != NULL)
    g_ptr_array_add (list->items, value);
  return value != NULL;
}

static gboolean
read_items (Reader *reader, RulesJson *container)
{
  gboolean is_object = container->type == RULES_JSON_OBJECT;
  gchar close = is_object ? '}' : ']';

  container->items = g_ptr_array_new_with_free_func ((GDestroyNotify) rules_json_free);
  if (++reader->depth > MAX_DEPTH) {
    set_mistake (reader, "found more than %d lists within lists, expected at most so many", MAX_DEPTH);
    return FALSE;
  }
  skip_space (reader);
  for (gboolean closed = take (reader, close); !closed;) {
    if (container->items->len == MAX_ITEMS) {
      set_mistake (reader, "found more than %d values in one list or object, expected at most so many", MAX_ITEMS);
      return FALSE;
    }
    if (!(is_object ? read_member (reader, container) : read_item (reader, container)))
      return FALSE;
    skip_space (reader);
    closed = take (reader, close);
    if (closed)
      break;
    if (!take (reader, ','))
      return expected (reader, is_object ? "',' or '}'" : "',' or ']'");
    skip_space (reader);
    if (reader->at < reader->end && *reader->at == close)
      return expected (reader, "one more behind the last comma; or take the comma away");
  }
  reader->depth--;
  return TRUE;
}

static gboolean
take_word (Reader *reader, const gchar *word)
{
  gsize length = strlen (word);

  if ((gsize) (reader->end - reader->at) < length || memcmp (reader->at, word, length) != 0)
    return FALSE;
  reader->at += length;
  return TRUE;
}

/* (nullable) */
static RulesJson *
read_value (Reader *reader)
{
  RulesJson *value = g_new0 (RulesJson, 1);
  gchar next = reader->at < reader->end ? *reader->at : '\0';
  gboolean good = TRUE;

  value->line = reader->line;
  if (next == '{' || next == '[') {
    value->type = next == '{' ? RULES_JSON_OBJECT : RULES_JSON_ARRAY;
    reader->at++;
    good = read_items (reader, value);
  } else if (next == '"') {
    value->type = RULES_JSON_STRING;
    value->string = read_string (reader);
    good = value->string != NULL;
  } else if (next == '-' || g_ascii_isdigit (next)) {
    value->type = RULES_JSON_NUMBER;
    good = read_number (reader, &value->number);
  } else if (take_word (reader, "true")) {
    value->type = RULES_JSON_BOOLEAN;
    value->number = 1;
  } else if (take_word (reader, "false")) {
    value->type = RULES_JSON_BOOLEAN;
  } else if (!take_word (reader, "null")) {
    good = expected (reader, "a value: a number, a text in double quotes, a list, an object, true, false or null");
  }
  if (!good)
    g_clear_pointer (&value, rules_json_free);
  return value;
}

RulesJson *
rules_json_parse (const gchar *text, gsize length, guint *line, gchar **mistake)
{
  Reader reader = { .at = text, .end = text + length, .line = 1 };
  const gchar *valid;

  *mistake = NULL;
  if (!g_utf8_validate_len (text, length, &valid)) {
    for (const gchar *c = text; c < valid; c++)
      reader.line += *c == '\n';
    *line = reader.line;
    *mistake = g_strdup_printf (
        "found the byte 0x%02x, which is not UTF-8, expected UTF-8 throughout: save the file in that encoding",
        (guint) (guchar) *valid);
    return NULL;
  }
  if (length >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0)
    set_mistake (&reader, "found a byte order mark, expected JSON: save the file as UTF-8 without one");
  skip_space (&reader);
  RulesJson *value = reader.mistake == NULL ? read_value (&reader) : NULL;
  skip_space (&reader);
  if (value != NULL && reader.at < reader.end) {
    expected (&reader, "nothing behind the closing brace");
    g_clear_pointer (&value, rules_json_free);
  }
  *line = reader.line;
  *mistake = reader.mistake;
  return value;
}
