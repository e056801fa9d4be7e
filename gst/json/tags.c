/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tags.c: see tags.h. */
#include "gst/json/tags.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "gst/rules/json.h"

/* Whether no number is too large to be written again: 1e400 was read as infinity. */
static gboolean
is_finite (const RulesJson *value)
{
  gboolean finite = value->type != RULES_JSON_NUMBER || isfinite (value->number);

  for (guint i = 0; value->items != NULL && i < value->items->len && finite; i++)
    finite = is_finite (value->items->pdata[i]);
  return finite;
}

gchar *
gst_upi_json_read_tags (const gchar *text, gchar **mistake)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  guint line;

  /* json-glib alone would take strings that are not UTF-8, and cut others short. */
  g_autoptr (RulesJson) value = rules_json_parse (text, strlen (text), &line, mistake);
  if (value == NULL)
    return NULL;
  if (value->type != RULES_JSON_OBJECT) {
    g_autofree gchar *found = rules_json_describe (value);
    *mistake = g_strdup_printf ("found %s, expected an object in braces", found);
  } else if (!is_finite (value)) {
    *mistake = g_strdup ("a number is too large");
  } else if (!json_parser_load_from_data (parser, text, -1, &error)) {
    *mistake = g_strdup (error->message);
  }
  return *mistake == NULL ? json_to_string (json_parser_get_root (parser), FALSE) : NULL;
}
