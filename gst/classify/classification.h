/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* classification.h: what upiclassify says of a frame: the best of its list, and the structure of the message that
 * another label holds. */
#pragma once

#include "gst/filter.h"

G_BEGIN_DECLS

#define GST_TYPE_UPI_CLASSIFY_SCORES (gst_upi_classify_scores_get_type ())
/* The type of the property "scores". */
GType gst_upi_classify_scores_get_type (void);

/* @error: that the model of @engine cannot say what scores=independent asks for. */
void gst_upi_classification_set_not_calibrated (UpiEngine *engine, GError **error);

/**
 * gst_upi_classification_fill: the best of a list's probabilities.
 * @classes: (element-type GstUpiClass): becomes these; their texts live in @labels
 * @probabilities: (element-type gfloat): one a label
 * @top: how many; 0: all
 * @holds: the label that holds, or %GST_UPI_NO_LABEL
 * @pts: of the frame that they were found in
 *
 * Returns: %FALSE and @error: there is no memory
 */
gboolean gst_upi_classification_fill (GArray *classes, const GArray *probabilities, guint top, UpiLabels *labels,
    guint holds, UpiScores scores, GstClockTime pts, GError **error);

/* @label: which holds now, "": none. @previous: (nullable). @classes: the best of all. Returns: (transfer full) */
GstStructure *gst_upi_classification_new (const GstUpiFilterFrame *frame, const gchar *label, const gchar *previous,
    gfloat probability, UpiScores scores, const GstUpiClass *classes, guint n_classes);

G_END_DECLS
