/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* phrases.h: how probably the rules' sentences are true of a frame: they are encoded beside the stream, and held
 * against each encoding once. */
#pragma once

#include "gst/filter.h"
#include "gst/rules/rules.h"

G_BEGIN_DECLS

typedef struct _GstUpiPhrases GstUpiPhrases;

GstUpiPhrases *gst_upi_phrases_new (void);
void gst_upi_phrases_free (GstUpiPhrases *phrases);

/* Streaming thread, but for the last: which sentences @rules have, whether there are any. */
void gst_upi_phrases_take_rules (GstUpiPhrases *phrases, const Rules *rules);
gboolean gst_upi_phrases_any (const GstUpiPhrases *phrases);
/* Whether @engine can say of a sentence alone how probably it is true. FALSE and @error (UPI_ERROR_ARGUMENT), which
 * names the first phrase of @rules: it cannot, and there is one. @engine: (nullable): TRUE */
gboolean gst_upi_phrases_can (UpiEngine *engine, const Rules *rules, GError **error);

/**
 * gst_upi_phrases_classify:
 * @probabilities: (out) (transfer none): one a phrase; NaN: not known now
 * @warning: (out): beside a result: what of the sentences does not count
 * Returns: FALSE and @error: the engine failed
 */
gboolean gst_upi_phrases_classify (GstUpiPhrases *phrases, const GstUpiFilterFrame *frame, const gfloat **probabilities,
    GError **warning, GError **error);

/* Nothing of a frame is held any more. */
void gst_upi_phrases_forget (GstUpiPhrases *phrases);
void gst_upi_phrases_stop (GstUpiPhrases *phrases);
/* Any thread. */
void gst_upi_phrases_set_flushing (GstUpiPhrases *phrases, gboolean flushing);

G_END_DECLS
