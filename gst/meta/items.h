/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* items.h: the kinds of items that a GstUpiContent has lists of. */
#pragma once

#include "gst/meta/gstupimeta.h"
#include "gst/meta/list.h"

G_BEGIN_DECLS

typedef enum {
  GST_UPI_ITEMS_OBJECTS,    /* GstUpiObject */
  GST_UPI_ITEMS_CANDIDATES, /* GstUpiObject */
  GST_UPI_ITEMS_CAPTIONS,   /* GstUpiCaption */
  GST_UPI_ITEMS_EVENTS,     /* GstUpiEvent */
  GST_UPI_ITEMS_RULES,      /* GstUpiRule */
  GST_UPI_ITEMS_CLASSES,    /* GstUpiClass */
  GST_UPI_N_ITEMS
} GstUpiItems;

extern const GstUpiItemKind gst_upi_item_kinds[GST_UPI_N_ITEMS];

G_END_DECLS
