/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * caption-candidates.h: several captions of one image decoded as one batch (models/reference/NETWORK.md, "grounded
 * captions"). */
#pragma once

#include "core/engine/engine-private.h"

G_BEGIN_DECLS

typedef struct {
  GArray *ids;        /* gint32 of the tokenizer, without [CLS] and [SEP] */
  gdouble likelihood; /* mean ln P of its tokens, [SEP] counted where it was said */
} UpiCandidate;

/**
 * upi_candidates_decode: the captions of the ticket's encoding, the greedy one first; what the ticket wants to hear of
 * captions on their way is that one's.
 * @shown: (nullable): of upi_steering_show(): what the image shows; NULL: nothing is steered
 * Returns: (transfer full): of @n UpiCandidate; NULL and @error
 */
GArray *upi_candidates_decode (UpiWorker *worker, UpiTicket *ticket, guint n, const gdouble *shown, GError **error);

/* How much of text @k of @n [ids] the other ones say as well, 0..1: over them the mean of 2·|a ∩ b| / (|a| + |b|), with
 * the multisets of tokens and of pairs of tokens of both. What is most like all that might be said is least wrong on
 * the whole (minimum Bayes risk decoding, 2108.04718). */
gdouble upi_candidates_agreement (const GArray *const *texts, guint n, guint k);

/* In [0, 1), for a candidate's step, the same everywhere: splitmix64 by its counter. */
gdouble upi_candidates_uniform (guint candidate, guint step);

G_END_DECLS
