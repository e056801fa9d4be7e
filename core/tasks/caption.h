/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ways to caption share. */
#pragma once

#include "core/engine/engine-private.h"

G_BEGIN_DECLS

/* FALSE and @error: the ticket was cancelled, or the engine closed. */
gboolean upi_caption_may_go_on (UpiTicket *ticket, GError **error);
/* The caption of a model whose config has the table of words (tasks/caption-grounded.c). (transfer full): NULL and
 * @error */
UpiCaption *upi_caption_grounded (UpiWorker *worker, UpiTicket *ticket, GError **error);
/* Of so many texts, of which nothing is known. */
UpiCaption *upi_caption_new (guint n_texts);

G_END_DECLS
