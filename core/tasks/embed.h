/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Embeddings compared. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The inner product of two vectors of n; of L2-normalised ones their cosine. */
gfloat upi_dot (const gfloat *a, const gfloat *b, guint n);

G_END_DECLS
