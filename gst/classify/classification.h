/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* classification.h: the structure of the message by which upiclassify says that another label holds. */
#pragma once

#include "gst/filter.h"

G_BEGIN_DECLS

/* @label: which holds now, "": none. @previous: (nullable). @classes: the best of all. Returns: (transfer full) */
GstStructure *gst_upi_classification_new (const GstUpiFilterFrame *frame, const gchar *label, const gchar *previous,
    gfloat probability, UpiScores scores, const GstUpiClass *classes, guint n_classes);

G_END_DECLS
