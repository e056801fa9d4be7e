/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* counts.c: see counts.h. */
#include "gst/json/counts.h"

#include "gst/json/zones.h"

#define MAX_NUMBERS 4096 /* of labels times zones: words are free */

typedef struct {
  gchar *zone, *label; /* nullable */
  guint now, told;
  gboolean is_told;
} Number;

struct _GstUpiCounts {
  GHashTable *numbers; /* Number to itself */
};

static guint
number_hash (gconstpointer key)
{
  const Number *number = key;

  return (number->zone != NULL ? g_str_hash (number->zone) * 31 : 1)
      + (number->label != NULL ? g_str_hash (number->label) : 2);
}

static gboolean
number_equal (gconstpointer a, gconstpointer b)
{
  const Number *one = a, *other = b;

  return g_strcmp0 (one->zone, other->zone) == 0 && g_strcmp0 (one->label, other->label) == 0;
}

static void
number_free (gpointer data)
{
  Number *number = data;

  g_free (number->zone);
  g_free (number->label);
  g_free (number);
}

GstUpiCounts *
gst_upi_counts_new (void)
{
  GstUpiCounts *counts = g_new (GstUpiCounts, 1);

  counts->numbers = g_hash_table_new_full (number_hash, number_equal, NULL, number_free);
  return counts;
}

void
gst_upi_counts_free (GstUpiCounts *counts)
{
  g_hash_table_unref (counts->numbers);
  g_free (counts);
}

static void
add (GstUpiCounts *counts, const gchar *zone, const gchar *label, guint n)
{
  const Number key = { .zone = (gchar *) zone, .label = (gchar *) label };
  Number *number = g_hash_table_lookup (counts->numbers, &key);

  if (number == NULL) {
    if (g_hash_table_size (counts->numbers) >= MAX_NUMBERS)
      return;
    number = g_new0 (Number, 1);
    number->zone = g_strdup (zone);
    number->label = g_strdup (label);
    g_hash_table_add (counts->numbers, number);
  }
  number->now += n;
}

void
gst_upi_counts_take (GstUpiCounts *counts, const GstUpiContent *content, GstUpiCountsTell tell, gpointer data)
{
  guint n_objects, n_rules;
  const GstUpiObject *objects = gst_upi_content_get_objects (content, &n_objects);
  const GstUpiRule *rules = gst_upi_content_get_rules (content, &n_rules);
  GHashTableIter iter;
  gpointer item;

  for (g_hash_table_iter_init (&iter, counts->numbers); g_hash_table_iter_next (&iter, &item, NULL);)
    ((Number *) item)->now = 0;
  add (counts, NULL, NULL, n_objects);
  for (guint i = 0; i < n_objects; i++)
    add (counts, NULL, objects[i].label, 1);
  for (guint z = 0; z < n_rules; z++) {
    if (rules[z].kind != GST_UPI_RULE_ZONE)
      continue;
    add (counts, rules[z].name, NULL, rules[z].count);
    for (guint i = 0; i < n_objects; i++)
      if (gst_upi_zone_contains (&rules[z], &objects[i]))
        add (counts, rules[z].name, objects[i].label, 1);
  }
  for (g_hash_table_iter_init (&iter, counts->numbers); g_hash_table_iter_next (&iter, &item, NULL);) {
    Number *number = item;
    if (number->is_told && number->told == number->now)
      continue;
    tell (number->zone, number->label, number->now, !number->is_told, data);
    number->told = number->now;
    number->is_told = TRUE;
  }
}
