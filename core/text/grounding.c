/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * grounding.c: phrases as tokens, and the object words of a text. */
#include "core/text/grounding.h"

#include "core/upi.h"

#include <math.h>
#include <string.h>

struct _UpiGrounding {
  const UpiGroundingTable *table;
  const UpiTokenizer *tokenizer;
  GArray *entries;         /* UpiGroundingEntry */
  GHashTable *by_first;    /* first token → GPtrArray of UpiGroundingEntry, longest first */
  GHashTable *determiners; /* set of tokens */
};

static void
clear_need (gpointer data)
{
  UpiNeed *need = data;

  g_free (need->name);
  g_free (need->labels);
}

static void
clear_phrase (gpointer data)
{
  UpiPhrase *phrase = data;

  g_free (phrase->text);
  g_free (phrase->needs);
}

UpiGroundingTable *
upi_grounding_table_new (void)
{
  UpiGroundingTable *table = g_new0 (UpiGroundingTable, 1);

  table->ranking = (UpiRanking) UPI_RANKING_DEFAULT;
  table->needs = g_array_new (FALSE, TRUE, sizeof (UpiNeed));
  g_array_set_clear_func (table->needs, clear_need);
  table->phrases = g_array_new (FALSE, TRUE, sizeof (UpiPhrase));
  g_array_set_clear_func (table->phrases, clear_phrase);
  return table;
}

void
upi_grounding_table_free (UpiGroundingTable *table)
{
  if (table == NULL)
    return;
  g_strfreev (table->determiners);
  g_array_unref (table->needs);
  g_array_unref (table->phrases);
  g_free (table);
}

/* Tokens of a word or phrase inside of a text: without start and end; to byte-level BPE a word is another one after a
 * space. */
static GArray *
tokens_of (const UpiGrounding *g, const gchar *phrase)
{
  g_autofree gchar *spaced = g_strconcat (" ", phrase, NULL);
  GArray *ids = upi_tokenizer_encode (g->tokenizer, spaced, 0);

  g_array_remove_index (ids, ids->len - 1);
  g_array_remove_index (ids, 0);
  return ids;
}

static void
clear_entry (gpointer data)
{
  g_free (((UpiGroundingEntry *) data)->tokens);
}

static gboolean
add_determiners (UpiGrounding *g, const gchar *file, GError **error)
{
  for (guint i = 0; g->table->determiners[i] != NULL; i++) {
    g_autoptr (GArray) ids = tokens_of (g, g->table->determiners[i]);

    if (ids->len != 1) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s: caption.grounding.determiners has \"%s\", which is %u tokens; expected words of one token", file,
          g->table->determiners[i], ids->len);
      return FALSE;
    }
    g_hash_table_add (g->determiners, GINT_TO_POINTER (g_array_index (ids, gint32, 0)));
  }
  return TRUE;
}

static gboolean
add_phrases (UpiGrounding *g, const gchar *file, GError **error)
{
  g_autoptr (GHashTable) known =
      g_hash_table_new_full (g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);

  for (guint i = 0; i < g->table->phrases->len; i++) {
    const UpiPhrase *phrase = &g_array_index (g->table->phrases, UpiPhrase, i);
    g_autoptr (GArray) ids = tokens_of (g, phrase->text);
    UpiGroundingEntry entry = { ids->len, NULL, phrase };
    const UpiPhrase *other;
    GBytes *key;

    if (ids->len == 0) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s: caption.grounding.entries has \"%s\", of which the tokenizer makes no token; expected words", file,
          phrase->text);
      return FALSE;
    }
    key = g_bytes_new (ids->data, ids->len * sizeof (gint32));
    other = g_hash_table_lookup (known, key);
    if (other != NULL) {
      g_bytes_unref (key);
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s: caption.grounding.entries has \"%s\" twice (also as \"%s\"); expected phrases of different tokens", file,
          phrase->text, other->text);
      return FALSE;
    }
    g_hash_table_insert (known, key, (gpointer) phrase);
    entry.tokens = g_memdup2 (ids->data, ids->len * sizeof (gint32));
    g_array_append_val (g->entries, entry);
  }
  return TRUE;
}

static gint
compare_lengths (gconstpointer a, gconstpointer b)
{
  const UpiGroundingEntry *x = *(UpiGroundingEntry *const *) a, *y = *(UpiGroundingEntry *const *) b;

  return x->n_tokens < y->n_tokens ? 1 : x->n_tokens > y->n_tokens ? -1 : 0;
}

static void
sort_entries (UpiGrounding *g)
{
  GHashTableIter iter;
  gpointer list;

  for (guint i = 0; i < g->entries->len; i++) {
    UpiGroundingEntry *entry = &g_array_index (g->entries, UpiGroundingEntry, i);
    gpointer first = GINT_TO_POINTER (entry->tokens[0]);

    list = g_hash_table_lookup (g->by_first, first);
    if (list == NULL)
      g_hash_table_insert (g->by_first, first, list = g_ptr_array_new ());
    g_ptr_array_add (list, entry);
  }
  g_hash_table_iter_init (&iter, g->by_first);
  while (g_hash_table_iter_next (&iter, NULL, &list))
    g_ptr_array_sort (list, compare_lengths);
}

UpiGrounding *
upi_grounding_new (const UpiGroundingTable *table, const UpiTokenizer *tokenizer, const gchar *file, GError **error)
{
  g_autoptr (UpiGrounding) g = g_new0 (UpiGrounding, 1);

  g->table = table;
  g->tokenizer = tokenizer;
  g->entries = g_array_new (FALSE, TRUE, sizeof (UpiGroundingEntry));
  g_array_set_clear_func (g->entries, clear_entry);
  g->by_first = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_ptr_array_unref);
  g->determiners = g_hash_table_new (NULL, NULL);
  if (!add_determiners (g, file, error) || !add_phrases (g, file, error))
    return NULL;
  sort_entries (g);
  return g_steal_pointer (&g);
}

void
upi_grounding_free (UpiGrounding *g)
{
  if (g == NULL)
    return;
  g_hash_table_unref (g->by_first);
  g_hash_table_unref (g->determiners);
  g_array_unref (g->entries);
  g_free (g);
}

const UpiGroundingTable *
upi_grounding_table (const UpiGrounding *g)
{
  return g->table;
}

const GArray *
upi_grounding_entries (const UpiGrounding *g)
{
  return g->entries;
}

gboolean
upi_grounding_is_determiner (const UpiGrounding *g, gint32 id)
{
  return g_hash_table_contains (g->determiners, GINT_TO_POINTER (id));
}

static const UpiGroundingEntry *
entry_at (const UpiGrounding *g, const gint32 *ids, guint n_ids, guint i)
{
  const GPtrArray *entries = g_hash_table_lookup (g->by_first, GINT_TO_POINTER (ids[i]));

  if (entries == NULL || upi_tokenizer_continues (g->tokenizer, ids[i]))
    return NULL;
  for (guint k = 0; k < entries->len; k++) {
    const UpiGroundingEntry *entry = entries->pdata[k];
    guint end = i + entry->n_tokens;

    if (end > n_ids || memcmp (ids + i, entry->tokens, entry->n_tokens * sizeof (gint32)) != 0)
      continue;
    if (end < n_ids && upi_tokenizer_continues (g->tokenizer, ids[end]))
      continue; /* a word that only begins like it */
    if (entry->phrase->after_determiner && (i == 0 || !upi_grounding_is_determiner (g, ids[i - 1])))
      continue;
    return entry;
  }
  return NULL;
}

GArray *
upi_grounding_mentions (const UpiGrounding *g, const gint32 *ids, guint n_ids)
{
  GArray *mentions = g_array_new (FALSE, FALSE, sizeof (UpiMention));

  for (guint i = 0; i < n_ids;) {
    const UpiGroundingEntry *entry = entry_at (g, ids, n_ids, i);
    guint end = i + (entry != NULL ? entry->n_tokens : 1);

    if (entry != NULL && entry->phrase->n_needs > 0)
      g_array_append_val (mentions, ((UpiMention){ i, end, entry->phrase }));
    i = end;
  }
  return mentions;
}

gboolean
upi_grounding_place (
    const UpiGrounding *g, const gint32 *ids, const UpiMention *mention, const gchar *text, guint *first, guint *bytes)
{
  g_autofree gchar *until = upi_tokenizer_sentence (g->tokenizer, ids, mention->end);
  g_autofree gchar *own = upi_tokenizer_sentence (g->tokenizer, ids + mention->start, mention->end - mention->start);
  const gchar *word = own + strspn (own, " ");
  gsize end = strlen (until), length = strlen (word);

  /* What the decoder joins it joins to the left (a full stop, 's), so that the text up to a word's end is how the whole
   * begins. */
  if (length == 0 || length > end || strncmp (text, until, end) != 0 || memcmp (text + end - length, word, length) != 0)
    return FALSE;
  *first = (guint) (end - length);
  *bytes = (guint) length;
  return TRUE;
}

gdouble
upi_grounding_support (gdouble score, gdouble floor)
{
  return MIN (0, log ((score + 0.01) / (floor + 0.01)));
}
