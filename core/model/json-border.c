/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from a file that nobody vouches for: limits that are checked before json-glib reads it. */
#include "core/model/json-border.h"

#include "core/upi.h"

/* Deepest nesting of brackets outside of strings. */
static guint
nesting (const gchar *text, gsize length)
{
  guint depth = 0, deepest = 0;
  gboolean in_string = FALSE;

  for (gsize i = 0; i < length; i++) {
    gchar c = text[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = FALSE;
    } else if (c == '"') {
      in_string = TRUE;
    } else if (c == '{' || c == '[') {
      depth++;
      deepest = MAX (deepest, depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
    }
  }
  return deepest;
}

/* json-glib also reads comments and `var x =`, inside which a quote would hide brackets from nesting(); a file of ours
 * has neither. */
static gboolean
is_plain_json (const gchar *text, gsize length, gsize *at)
{
  gboolean in_string = FALSE;

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
    } else if (!g_ascii_isalnum (c) && strchr ("{}[]:,+-. \t\r\n", c) == NULL) {
      return FALSE;
    }
  }
  return TRUE;
}

JsonParser *
upi_json_parse (const gchar *text, gsize length, guint max_depth, const gchar *file, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) cause = NULL;
  const gchar *bad;
  gsize at = 0;

  if (length == 0) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is empty, expected a JSON object", file);
    return NULL;
  }
  if (memchr (text, '\0', length) != NULL || !g_utf8_validate (text, length, &bad)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not text in UTF-8, expected a JSON object", file);
    return NULL;
  }
  if (!is_plain_json (text, length, &at)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not JSON: stray character 0x%02x at byte %" G_GSIZE_FORMAT,
        file, (guchar) text[at], at);
    return NULL;
  }
  if (nesting (text, length) > max_depth) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: brackets nest %u deep, expected at most %u", file,
        nesting (text, length), max_depth);
    return NULL;
  }
  if (!json_parser_load_from_data (parser, text, length, &cause)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: is not JSON: %s", file, cause->message);
    return NULL;
  }
  if (json_parser_get_root (parser) == NULL || !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser))) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: holds no JSON object", file);
    return NULL;
  }
  return g_steal_pointer (&parser);
}
