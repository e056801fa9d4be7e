/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* classes.c: see classes.h. */
#include "gst/meta/classes.h"

#include <string.h>

static gsize
label_bytes (const GstUpiClass *classes, guint n)
{
  gsize bytes = 0;

  for (guint i = 0; i < n; i++)
    bytes += (classes[i].label != NULL ? strlen (classes[i].label) : 0) + 1;
  return bytes;
}

static gchar *
put_classes (GstUpiClass *to, const GstUpiClass *from, guint n, gchar *end)
{
  for (guint i = 0; i < n; i++) {
    to[i] = from[i];
    to[i].label = end;
    end = g_stpcpy (end, from[i].label != NULL ? from[i].label : "") + 1;
    memset (to[i].reserved, 0, sizeof to[i].reserved);
  }
  return end;
}

GstUpiClassList *
gst_upi_class_list_append (GstUpiClassList *old, const GstUpiClass *classes, guint n_classes)
{
  guint n_old = old != NULL ? old->n_items : 0, n = n_old + n_classes;
  gsize bytes = sizeof (GstUpiClassList) + (gsize) n * sizeof (GstUpiClass) + label_bytes (classes, n_classes);
  GstUpiClassList *list = g_atomic_rc_box_alloc0 (bytes + (old != NULL ? label_bytes (old->items, n_old) : 0));

  list->n_items = n;
  gchar *end = (gchar *) &list->items[n];
  if (old != NULL)
    end = put_classes (list->items, old->items, n_old, end);
  put_classes (&list->items[n_old], classes, n_classes, end);
  for (guint i = n_old; i < n; i++)
    list->items[i].list = n_old > 0 ? list->items[n_old - 1].list + 1 : 0;
  g_clear_pointer (&old, g_atomic_rc_box_release);
  return list;
}
