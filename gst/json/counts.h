/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* counts.h: how many objects of each label are in the frame and in each zone, told when a number changes. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef struct _GstUpiCounts GstUpiCounts;

/* @zone: NULL: the whole frame; @label: NULL: of all labels together; @is_first: for the first time */
typedef void (*GstUpiCountsTell) (const gchar *zone, const gchar *label, guint count, gboolean is_first, gpointer data);

GstUpiCounts *gst_upi_counts_new (void);
void gst_upi_counts_free (GstUpiCounts *counts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiCounts, gst_upi_counts_free)

/* A label that was seen once is told of with 0 too when it is gone. */
void gst_upi_counts_take (GstUpiCounts *counts, const GstUpiContent *content, GstUpiCountsTell tell, gpointer data);

G_END_DECLS
