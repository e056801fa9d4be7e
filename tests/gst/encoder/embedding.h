/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* embedding.h: two frames are the same picture to the network when their <SPE> embeddings are. */
#pragma once

#include "tests/gst/stream.h"

G_BEGIN_DECLS

#define EMBEDDING_WIDTH 64 /* at most; the tiny model's: 32 */

/* The <SPE> embedding of the frame, of length 1: what the network makes of the whole picture. */
void frame_embedding (GstBuffer *buffer, gfloat *embedding);
gdouble embedding_distance (const gfloat *a, const gfloat *b);
/* Sends @buffer (transfer full) and takes the embedding it leaves with. */
void embedding_encode (Stream *s, GstBuffer *buffer, gfloat *embedding);

G_END_DECLS
