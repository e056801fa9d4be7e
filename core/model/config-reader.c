/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of a JSON object, each read by a function that names it in the error. */
#include "core/model/config-reader.h"

#include "core/upi.h"

void
upi_reader_fail (UpiReader *r, const gchar *key, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *what = NULL;

  if (r->error != NULL && *r->error != NULL)
    return;
  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (r->error, UPI_ERROR, UPI_ERROR_MODEL, "%s: %s%s %s", r->file, r->path, key, what);
}

/* The value as the file spells it, for errors. */
gchar *
upi_reader_spell (JsonNode *node)
{
  g_autofree gchar *text = json_to_string (node, FALSE);

  return g_utf8_strlen (text, -1) <= 60 ? g_steal_pointer (&text) : g_utf8_substring (text, 0, 60);
}

gboolean
upi_reader_has (const UpiReader *r, const gchar *key)
{
  return r->object != NULL && json_object_has_member (r->object, key);
}

static JsonNode *
member (UpiReader *r, const gchar *key)
{
  if (r->object == NULL)
    return NULL;
  if (!json_object_has_member (r->object, key)) {
    upi_reader_fail (r, key, "is missing");
    return NULL;
  }
  return json_object_get_member (r->object, key);
}

gint64
upi_reader_node_int (UpiReader *r, const gchar *key, JsonNode *node, gint64 least, gint64 most)
{
  g_autofree gchar *found = NULL;

  if (node == NULL)
    return 0;
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64) {
    gint64 value = json_node_get_int (node);
    if (value >= least && value <= most)
      return value;
  }
  found = upi_reader_spell (node);
  upi_reader_fail (
      r, key, "is %s, expected an integer from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, found, least, most);
  return 0;
}

gint
upi_reader_int (UpiReader *r, const gchar *key, gint least, gint most)
{
  return (gint) upi_reader_node_int (r, key, member (r, key), least, most);
}

static gdouble
node_double (UpiReader *r, const gchar *key, JsonNode *node, gdouble least, gdouble most)
{
  g_autofree gchar *found = NULL;

  if (node == NULL)
    return 0;
  if (JSON_NODE_HOLDS_VALUE (node)
      && (json_node_get_value_type (node) == G_TYPE_INT64 || json_node_get_value_type (node) == G_TYPE_DOUBLE)) {
    gdouble value = json_node_get_double (node);
    if (value >= least && value <= most)
      return value;
  }
  found = upi_reader_spell (node);
  upi_reader_fail (r, key, "is %s, expected a number from %g to %g", found, least, most);
  return 0;
}

gfloat
upi_reader_node_float (UpiReader *r, const gchar *key, JsonNode *node, gdouble least, gdouble most)
{
  return (gfloat) node_double (r, key, node, least, most);
}

gfloat
upi_reader_float (UpiReader *r, const gchar *key, gdouble least, gdouble most)
{
  return upi_reader_node_float (r, key, member (r, key), least, most);
}

gdouble
upi_reader_double (UpiReader *r, const gchar *key, gdouble least, gdouble most)
{
  return node_double (r, key, member (r, key), least, most);
}

gboolean
upi_reader_boolean (UpiReader *r, const gchar *key)
{
  JsonNode *node = member (r, key);

  if (node == NULL)
    return FALSE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN) {
    g_autofree gchar *found = upi_reader_spell (node);
    upi_reader_fail (r, key, "is %s, expected true or false", found);
    return FALSE;
  }
  return json_node_get_boolean (node);
}

const gchar *
upi_reader_string (UpiReader *r, const gchar *key)
{
  JsonNode *node = member (r, key);

  if (node == NULL)
    return NULL;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING
      || *json_node_get_string (node) == '\0') {
    g_autofree gchar *found = upi_reader_spell (node);
    upi_reader_fail (r, key, "is %s, expected a string that is not empty", found);
    return NULL;
  }
  return json_node_get_string (node);
}

/* Index of the string among choices. */
gint
upi_reader_choice (UpiReader *r, const gchar *key, const gchar *const *choices)
{
  const gchar *found = upi_reader_string (r, key);
  g_autofree gchar *known = NULL;

  if (found == NULL)
    return 0;
  for (gint i = 0; choices[i] != NULL; i++)
    if (g_str_equal (choices[i], found))
      return i;
  known = g_strjoinv (" or ", (gchar **) choices);
  upi_reader_fail (r, key, "is \"%s\", expected %s", found, known);
  return 0;
}

JsonArray *
upi_reader_node_array (UpiReader *r, const gchar *key, JsonNode *node, guint least, guint most)
{
  g_autofree gchar *found = NULL;

  if (node == NULL)
    return NULL;
  if (JSON_NODE_HOLDS_ARRAY (node)) {
    JsonArray *array = json_node_get_array (node);
    if (json_array_get_length (array) >= least && json_array_get_length (array) <= most)
      return array;
    if (least == most)
      upi_reader_fail (r, key, "has %u entries, expected %u", json_array_get_length (array), least);
    else
      upi_reader_fail (r, key, "has %u entries, expected %u to %u", json_array_get_length (array), least, most);
    return NULL;
  }
  found = upi_reader_spell (node);
  upi_reader_fail (r, key, "is %s, expected an array", found);
  return NULL;
}

JsonArray *
upi_reader_array (UpiReader *r, const gchar *key, guint least, guint most)
{
  return upi_reader_node_array (r, key, member (r, key), least, most);
}

gchar **
upi_reader_strings (UpiReader *r, const gchar *key, guint least, guint most)
{
  JsonArray *array = upi_reader_array (r, key, least, most);
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);

  if (array == NULL)
    return NULL;
  for (guint i = 0; i < json_array_get_length (array); i++) {
    JsonNode *node = json_array_get_element (array, i);
    if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING
        || *json_node_get_string (node) == '\0') {
      g_autofree gchar *found = upi_reader_spell (node);
      upi_reader_fail (r, key, "holds %s, expected strings that are not empty", found);
      return NULL;
    }
    g_ptr_array_add (strings, g_strdup (json_node_get_string (node)));
  }
  g_ptr_array_add (strings, NULL);
  return (gchar **) g_ptr_array_free (g_steal_pointer (&strings), FALSE);
}

/* Members that the format does not know are errors: a misspelt key must not silently mean its default. */
void
upi_reader_check_keys (UpiReader *r, const gchar *const *known)
{
  JsonObjectIter iter;
  const gchar *key;

  if (r->object == NULL)
    return;
  json_object_iter_init (&iter, r->object);
  while (json_object_iter_next (&iter, &key, NULL)) {
    if (!g_strv_contains (known, key)) {
      g_autofree gchar *list = g_strjoinv (", ", (gchar **) known);
      upi_reader_fail (r, key, "is unknown; known here: %s", list);
      return;
    }
  }
}

UpiReader
upi_reader_node_object (UpiReader *r, const gchar *key, JsonNode *node, const gchar *path, const gchar *const *known)
{
  UpiReader child = { r->file, path, NULL, r->error };

  if (node != NULL && !JSON_NODE_HOLDS_OBJECT (node)) {
    g_autofree gchar *found = upi_reader_spell (node);
    upi_reader_fail (r, key, "is %s, expected an object", found);
  } else if (node != NULL) {
    child.object = json_node_get_object (node);
    if (known != NULL)
      upi_reader_check_keys (&child, known);
  }
  return child;
}

/* The object at key; path is what its own members are called by. known NULL: any members. */
UpiReader
upi_reader_object (UpiReader *r, const gchar *key, const gchar *path, const gchar *const *known)
{
  return upi_reader_node_object (r, key, member (r, key), path, known);
}

void
upi_reader_check_multiple (UpiReader *r, const gchar *key, gint value, gint of, const gchar *why)
{
  if (r->object != NULL && of > 0 && value % of != 0)
    upi_reader_fail (r, key, "is %d, expected a multiple of %d (%s)", value, of, why);
}

void
upi_reader_ints (UpiReader *r, const gchar *key, gint *values, guint n, gint least, gint most)
{
  JsonArray *array = upi_reader_array (r, key, n, n);

  for (guint i = 0; array != NULL && i < n; i++)
    values[i] = (gint) upi_reader_node_int (r, key, json_array_get_element (array, i), least, most);
}

gfloat
upi_reader_float_or (UpiReader *r, const gchar *key, gdouble least, gdouble most, gfloat otherwise)
{
  return upi_reader_has (r, key) ? upi_reader_float (r, key, least, most) : otherwise;
}
