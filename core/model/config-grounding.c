/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * config-grounding.c: `caption.grounding` → UpiGroundingTable: which words need which labels, and how candidates are
 * ranked (models/reference/NETWORK.md, "grounded captions"). Phrases become tokens later, with the model's
 * tokenizer. */
#include "core/model/config-grounding.h"

#include "core/upi.h"

#include <string.h>

#define MOST_ROWS 65536 /* entries, groups, words of one entry */
#define PATH "caption.grounding."

typedef struct {
  UpiReader reader; /* of the table */
  const UpiConfig *config;
  UpiGroundingTable *table;
  JsonObject *groups;
  GHashTable *needs; /* name (of table->needs) → index + 1 */
} Parse;

static gboolean
has_failed (const Parse *p)
{
  return *p->reader.error != NULL;
}

static void
read_double (UpiReader *r, const gchar *key, gdouble *value, gdouble least, gdouble most)
{
  if (upi_reader_has (r, key))
    *value = upi_reader_double (r, key, least, most);
}

static void
read_count (UpiReader *r, const gchar *key, guint *value, gint least, gint most)
{
  if (upi_reader_has (r, key))
    *value = (guint) upi_reader_int (r, key, least, most);
}

static void
read_ranking (Parse *p)
{
  UpiRanking *ranking = &p->table->ranking;
  UpiReader r;

  if (!upi_reader_has (&p->reader, "ranking"))
    return;
  r = upi_reader_object (&p->reader, "ranking", PATH "ranking.",
      UPI_KEYS (
          "candidates", "sharpness", "encoded", "retrieval", "regions", "coverage", "agreement", "floor", "steering"));
  read_count (&r, "candidates", &ranking->candidates, 1, UPI_MAX_CANDIDATES);
  read_count (&r, "encoded", &ranking->encoded, 0, UPI_MAX_CANDIDATES);
  read_double (&r, "sharpness", &ranking->sharpness, 1e-2, 1e2);
  read_double (&r, "retrieval", &ranking->retrieval, 0, 1e4);
  read_double (&r, "regions", &ranking->regions, 0, 1e4);
  read_double (&r, "coverage", &ranking->coverage, 0, 1e4);
  read_double (&r, "agreement", &ranking->agreement, 0, 1e4);
  read_double (&r, "floor", &ranking->floor, 0, 1);
  read_double (&r, "steering", &ranking->steering, 0, 1e4);
}

/* Index of a label, or an error that says who asked for it. */
static gboolean
find_label (Parse *p, const gchar *key, const gchar *name, guint *index)
{
  for (guint i = 0; p->config->labels[i] != NULL; i++)
    if (strcmp (p->config->labels[i], name) == 0) {
      *index = i;
      return TRUE;
    }
  upi_reader_fail (
      &p->reader, key, "names \"%s\", which is neither one of the config's labels nor of the groups", name);
  return FALSE;
}

static void
check_groups (Parse *p)
{
  UpiReader groups = upi_reader_object (&p->reader, "groups", PATH "groups.", NULL);
  JsonObjectIter iter;
  const gchar *name;

  p->groups = groups.object;
  if (p->groups == NULL)
    return;
  json_object_iter_init (&iter, p->groups);
  while (json_object_iter_next (&iter, &name, NULL)) {
    g_auto (GStrv) labels = upi_reader_strings (&groups, name, 1, MOST_ROWS);
    g_autofree gchar *key = g_strconcat ("groups.", name, NULL);
    guint index;

    for (guint i = 0; labels != NULL && labels[i] != NULL; i++)
      if (!find_label (p, key, labels[i], &index))
        return;
  }
}

/* Index of the need, which is new with the first entry that has it. */
static gboolean
find_need (Parse *p, const gchar *key, const gchar *name, guint *index)
{
  UpiNeed need = { NULL, 1, NULL };
  guint known = GPOINTER_TO_UINT (g_hash_table_lookup (p->needs, name));

  if (known == 0) {
    JsonArray *group = json_object_has_member (p->groups, name) ? json_object_get_array_member (p->groups, name) : NULL;

    need.n_labels = group != NULL ? json_array_get_length (group) : 1;
    need.labels = g_new (guint, need.n_labels);
    for (guint i = 0; i < need.n_labels; i++)
      if (!find_label (p, key, group != NULL ? json_array_get_string_element (group, i) : name, &need.labels[i])) {
        g_free (need.labels);
        return FALSE;
      }
    need.name = g_strdup (name);
    g_array_append_val (p->table->needs, need);
    known = p->table->needs->len;
    g_hash_table_insert (p->needs, need.name, GUINT_TO_POINTER (known));
  }
  *index = known - 1;
  return TRUE;
}

/* A + at the end stands for the plural in s: "dog+" is dog and dogs. */
static void
add_phrase (Parse *p, const gchar *word, const UpiPhrase *like)
{
  gboolean has_plural = g_str_has_suffix (word, "+");

  for (guint i = 0; i <= (guint) has_plural; i++) {
    UpiPhrase phrase = *like;

    phrase.text = g_strdup_printf ("%.*s%s", (gint) strlen (word) - has_plural, word, i == 0 ? "" : "s");
    phrase.needs = g_memdup2 (like->needs, like->n_needs * sizeof (guint));
    g_array_append_val (p->table->phrases, phrase);
  }
}

static void
read_entry (Parse *p, JsonNode *node, guint i)
{
  g_autofree gchar *key = g_strdup_printf ("entries[%u]", i), *path = g_strdup_printf (PATH "%s.", key),
                   *needs_key = g_strconcat (key, ".needs", NULL);
  UpiReader r = upi_reader_node_object (&p->reader, key, node, path, UPI_KEYS ("needs", "words", "after_determiner"));
  g_auto (GStrv) names = upi_reader_strings (&r, "needs", 0, 64);
  g_auto (GStrv) words = upi_reader_strings (&r, "words", 1, MOST_ROWS);
  g_autofree guint *needs = NULL;
  UpiPhrase like = { 0 };

  if (upi_reader_has (&r, "after_determiner"))
    like.after_determiner = upi_reader_boolean (&r, "after_determiner");
  if (has_failed (p))
    return;
  like.n_needs = g_strv_length (names);
  like.needs = needs = g_new0 (guint, like.n_needs);
  for (guint k = 0; k < like.n_needs; k++)
    if (!find_need (p, needs_key, names[k], &needs[k]))
      return;
  for (guint k = 0; words[k] != NULL; k++)
    add_phrase (p, words[k], &like);
}

UpiGroundingTable *
upi_config_read_grounding (UpiReader *root, const UpiConfig *config)
{
  g_autoptr (UpiGroundingTable) table = upi_grounding_table_new ();
  g_autoptr (GHashTable) needs = g_hash_table_new (g_str_hash, g_str_equal);
  Parse parse = { .config = config, .table = table, .needs = needs }, *p = &parse;
  UpiReader caption = upi_reader_object (root, "caption", "caption.", NULL);
  JsonArray *entries;

  if (*root->error != NULL || !json_object_has_member (caption.object, "grounding"))
    return NULL;
  p->reader = upi_reader_object (&caption, "grounding", PATH, UPI_KEYS ("ranking", "determiners", "groups", "entries"));
  read_ranking (p);
  table->determiners = upi_reader_strings (&p->reader, "determiners", 0, MOST_ROWS);
  check_groups (p);
  entries = upi_reader_array (&p->reader, "entries", 0, MOST_ROWS);
  for (guint i = 0; !has_failed (p) && i < json_array_get_length (entries); i++)
    read_entry (p, json_array_get_element (entries, i), i);
  return has_failed (p) ? NULL : g_steal_pointer (&table);
}
