/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.h: a list of items of one kind, which the contents that are made from one another share: a new caption does not
 * copy a hundred objects. One block: the items and, behind them, what they point to. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What is particular to a kind of items. */
typedef struct {
  gsize item_bytes;
  /* How many bytes what @item points to needs behind the items. */
  gsize (*more_bytes) (gconstpointer item);
  /* Makes @to a copy of @from, whose pointers lead to @more, aligned as the items are. */
  void (*copy) (gpointer to, gconstpointer from, gchar *more);
  void (*clear) (gpointer item); /* nullable: lets go of what @item owns elsewhere */
} GstUpiItemKind;

/* An atomic rc box, never changed once it is made. */
typedef struct {
  const GstUpiItemKind *kind;
  guint n_items;
  guint64 items[]; /* of any kind: none needs more alignment */
} GstUpiList;

/* @old: (nullable) (transfer full). Returns: (transfer full): its items and, behind them, @n_items more. */
GstUpiList *gst_upi_list_append (GstUpiList *old, const GstUpiItemKind *kind, gconstpointer items, guint n_items);

/* @list: (nullable) */
GstUpiList *gst_upi_list_ref (GstUpiList *list);
void gst_upi_list_unref (GstUpiList *list);

G_END_DECLS
