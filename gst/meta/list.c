/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.c: see list.h. */
#include "gst/meta/list.h"

static gconstpointer
item_at (const GstUpiItemKind *kind, gconstpointer items, guint index)
{
  return (const gchar *) items + index * kind->item_bytes;
}

static gsize
aligned (gsize bytes)
{
  return (bytes + sizeof (guint64) - 1) / sizeof (guint64) * sizeof (guint64);
}

/* What @items need behind them. */
static gsize
more_bytes (const GstUpiItemKind *kind, gconstpointer items, guint n)
{
  gsize bytes = 0;

  for (guint i = 0; i < n; i++)
    bytes += aligned (kind->more_bytes (item_at (kind, items, i)));
  return bytes;
}

/* Copies @items from the @first place on. Returns: where what the next one points to goes. */
static gchar *
put_items (GstUpiList *list, guint first, gconstpointer items, guint n, gchar *more)
{
  const GstUpiItemKind *kind = list->kind;

  for (guint i = 0; i < n; i++) {
    gconstpointer item = item_at (kind, items, i);

    kind->copy ((gchar *) list->items + (first + i) * kind->item_bytes, item, more);
    more += aligned (kind->more_bytes (item));
  }
  return more;
}

GstUpiList *
gst_upi_list_append (GstUpiList *old, const GstUpiItemKind *kind, gconstpointer items, guint n_items)
{
  const guint n_old = old != NULL ? old->n_items : 0;
  const gsize items_bytes = (gsize) (n_old + n_items) * kind->item_bytes;
  gsize bytes = sizeof (GstUpiList) + items_bytes + more_bytes (kind, items, n_items);

  if (old != NULL)
    bytes += more_bytes (kind, old->items, n_old);
  GstUpiList *list = g_atomic_rc_box_alloc0 (bytes);
  list->kind = kind;
  list->n_items = n_old + n_items;
  gchar *more = (gchar *) list->items + items_bytes;
  if (old != NULL)
    more = put_items (list, 0, old->items, n_old, more);
  put_items (list, n_old, items, n_items, more);
  gst_upi_list_unref (old);
  return list;
}

GstUpiList *
gst_upi_list_ref (GstUpiList *list)
{
  return list != NULL ? g_atomic_rc_box_acquire (list) : NULL;
}

static void
list_clear (gpointer data)
{
  GstUpiList *list = data;

  for (guint i = 0; list->kind->clear != NULL && i < list->n_items; i++)
    list->kind->clear ((gchar *) list->items + i * list->kind->item_bytes);
}

void
gst_upi_list_unref (GstUpiList *list)
{
  if (list != NULL)
    g_atomic_rc_box_release_full (list, list_clear);
}
