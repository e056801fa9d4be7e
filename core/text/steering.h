/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * steering.h: what the regions show, told to the decoder before a word is said (models/reference/NETWORK.md, "grounded
 * captions"): the table of words as two tries of tokens, one for texts that end with a determiner. Immutable,
 * thread-safe; what an image shows is an array beside it.
 */
#pragma once

#include "core/text/grounding.h"

G_BEGIN_DECLS

typedef struct _UpiSteering UpiSteering;

/* The longest beginning of phrases that a text ends with, and whether its last token is a determiner. All 0: an empty
 * text. */
typedef struct {
  guint node;
  gboolean determiner;
} UpiSteeringState;

/* @token_ids: the @n tokens that can be said, in the order of their logits; they and the grounding must outlive it.
 * (transfer full) */
UpiSteering *upi_steering_new (const UpiGrounding *grounding, const gint32 *token_ids, guint n);
void upi_steering_free (UpiSteering *steering);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiSteering, upi_steering_free)

/**
 * upi_steering_show: what one image shows.
 * @needs: for each need of the table its support times the weight of steering, at most 0
 * Returns: (transfer full): for upi_steering_add(), to be freed with g_free()
 */
gdouble *upi_steering_show (const UpiSteering *steering, const gdouble *needs);
/* Adds to the @n logits of the next token what @shown, of upi_steering_show(), says of them. */
void upi_steering_add (const UpiSteering *steering, const gdouble *shown, UpiSteeringState state, gfloat *logits);
/* The state after one more token. */
UpiSteeringState upi_steering_step (const UpiSteering *steering, UpiSteeringState state, gint32 token);

G_END_DECLS
