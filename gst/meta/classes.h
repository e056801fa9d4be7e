/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* classes.h: the list of what the whole frame shows in a GstUpiContent, which the contents that are made from one
 * another share. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* An atomic rc box, with its labels behind its items in one block: g_atomic_rc_box_release() frees all. */
typedef struct {
  guint n_items;
  GstUpiClass items[];
} GstUpiClassList;

/* @old: (nullable) (transfer full). (transfer full) Its items and, behind them, those that are added. */
GstUpiClassList *gst_upi_class_list_append (GstUpiClassList *old, const GstUpiClass *classes, guint n_classes);

G_END_DECLS
