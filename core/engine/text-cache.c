/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text cache: embeddings by string, bounded; the least recently used one makes room. */
#include "core/engine/engine-private.h"
#include "core/memory.h"

#include <string.h>

typedef struct {
  GList link; /* in UpiTextCache.recent */
  gchar *text;
  gfloat embedding[];
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->text);
  g_free (entry);
}

void
upi_text_cache_init (UpiTextCache *cache, guint capacity, guint width)
{
  g_mutex_init (&cache->lock);
  cache->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
  g_queue_init (&cache->recent);
  cache->capacity = capacity;
  cache->width = width;
}

void
upi_text_cache_clear (UpiTextCache *cache)
{
  g_clear_pointer (&cache->entries, g_hash_table_unref);
  g_mutex_clear (&cache->lock);
}

gboolean
upi_text_cache_get (UpiTextCache *cache, const gchar *text, gfloat *embedding)
{
  Entry *entry;

  g_mutex_lock (&cache->lock);
  entry = g_hash_table_lookup (cache->entries, text);
  if (entry != NULL) {
    memcpy (embedding, entry->embedding, cache->width * sizeof (gfloat));
    g_queue_unlink (&cache->recent, &entry->link);
    g_queue_push_head_link (&cache->recent, &entry->link);
  }
  g_mutex_unlock (&cache->lock);
  return entry != NULL;
}

void
upi_text_cache_put (UpiTextCache *cache, const gchar *text, const gfloat *embedding)
{
  Entry *entry;

  g_mutex_lock (&cache->lock);
  if (!g_hash_table_contains (cache->entries, text)) { /* two workers may have computed it */
    if (cache->recent.length >= cache->capacity) {
      entry = g_queue_pop_tail_link (&cache->recent)->data;
      g_hash_table_remove (cache->entries, entry->text);
    }
    entry = upi_memory_new0 (1, sizeof (Entry) + cache->width * sizeof (gfloat), "a text's embedding", NULL);
    if (entry == NULL) { /* it is encoded anew when it is asked for again */
      g_mutex_unlock (&cache->lock);
      return;
    }
    entry->text = g_strdup (text);
    entry->link.data = entry;
    memcpy (entry->embedding, embedding, cache->width * sizeof (gfloat));
    g_hash_table_insert (cache->entries, entry->text, entry);
    g_queue_push_head_link (&cache->recent, &entry->link);
  }
  g_mutex_unlock (&cache->lock);
}

guint
upi_text_cache_length (UpiTextCache *cache)
{
  guint length;

  g_mutex_lock (&cache->lock);
  length = cache->recent.length;
  g_mutex_unlock (&cache->lock);
  return length;
}
