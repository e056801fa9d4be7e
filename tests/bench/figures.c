/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The figures of a model's card, from the file that the card's table is made of: DIRECTORY/figures.json
 * (models/training/card.py says what it holds). A model need not have one. */
#include "tests/bench/bench.h"

#include <json-glib/json-glib.h>

struct _BenchFigures {
  JsonParser *parser;
  JsonArray *rows; /* one for the ordinary input sizes, one for the large ones */
  const gchar *part;
  gint64 images;
};

static JsonNode *
member (JsonObject *object, const gchar *name, JsonNodeType type)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;

  return node != NULL && JSON_NODE_TYPE (node) == type ? node : NULL;
}

BenchFigures *
bench_figures_open (const gchar *directory, GError **error)
{
  g_autoptr (BenchFigures) figures = g_new0 (BenchFigures, 1);
  g_autofree gchar *path = g_build_filename (directory, "figures.json", NULL);
  JsonNode *root, *rows, *part, *images;

  figures->parser = json_parser_new ();
  if (!json_parser_load_from_file (figures->parser, path, error))
    return NULL;
  root = json_parser_get_root (figures->parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)
      || !(rows = member (json_node_get_object (root), "detection", JSON_NODE_ARRAY))
      || !(part = member (json_node_get_object (root), "part", JSON_NODE_VALUE))
      || !(images = member (json_node_get_object (root), "images", JSON_NODE_VALUE))
      || json_node_get_string (part) == NULL) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_MODEL, "%s: expected an object with \"part\", \"images\" and \"detection\"", path);
    return NULL;
  }
  figures->rows = json_node_get_array (rows);
  figures->part = json_node_get_string (part);
  figures->images = json_node_get_int (images);
  return g_steal_pointer (&figures);
}

void
bench_figures_free (BenchFigures *figures)
{
  g_object_unref (figures->parser);
  g_free (figures);
}

static gboolean
is_size (JsonNode *node, guint width, guint height)
{
  JsonArray *size = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  return size != NULL && json_array_get_length (size) == 2 && JSON_NODE_HOLDS_VALUE (json_array_get_element (size, 0))
      && JSON_NODE_HOLDS_VALUE (json_array_get_element (size, 1)) && json_array_get_int_element (size, 0) == width
      && json_array_get_int_element (size, 1) == height;
}

/* (nullable) */
static JsonObject *
row_of (const BenchFigures *figures, guint width, guint height)
{
  for (guint i = 0; i < json_array_get_length (figures->rows); i++) {
    JsonNode *row = json_array_get_element (figures->rows, i), *sizes;

    if (!JSON_NODE_HOLDS_OBJECT (row) || !(sizes = member (json_node_get_object (row), "sizes", JSON_NODE_ARRAY)))
      continue;
    for (guint k = 0; k < json_array_get_length (json_node_get_array (sizes)); k++)
      if (is_size (json_array_get_element (json_node_get_array (sizes), k), width, height))
        return json_node_get_object (row);
  }
  return NULL;
}

gchar *
bench_figures_say (const BenchFigures *figures, guint width, guint height)
{
  static const gchar *const names[] = { "box AP", "box AP50", "mask AP" };
  JsonObject *row = row_of (figures, width, height);
  JsonNode *suppressed = row != NULL ? member (row, "suppressed", JSON_NODE_OBJECT) : NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; suppressed != NULL && i < G_N_ELEMENTS (names); i++) {
    JsonNode *number = member (json_node_get_object (suppressed), names[i], JSON_NODE_VALUE);

    if (number != NULL)
      g_string_append_printf (text, "%s%s %.1f", text->len > 0 ? ", " : "", names[i], json_node_get_double (number));
  }
  if (text->len == 0)
    return NULL;
  g_string_append_printf (text, " (%s, %" G_GINT64_FORMAT " images)", figures->part, figures->images);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
