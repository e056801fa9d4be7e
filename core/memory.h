/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * memory.h: memory whose size depends on a model, a frame, a batch or a list: an error instead of an abort where there
 * is none. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * upi_memory_new: aligned to 64 bytes, uninitialised; free() or g_free() releases it.
 * @n, @bytes: how many of what size
 * @purpose: what it is for, as the error says it: "a frame's encoding"
 *
 * Returns: (nullable): never NULL for 0 bytes; NULL and UPI_ERROR_MEMORY, which names purpose and bytes
 */
gpointer upi_memory_new (gsize n, gsize bytes, const gchar *purpose, GError **error);
/* The same, zeroed. */
gpointer upi_memory_new0 (gsize n, gsize bytes, const gchar *purpose, GError **error);
#define UPI_MEMORY_NEW(Type, n, purpose, error) ((Type *) upi_memory_new (n, sizeof (Type), purpose, error))
#define UPI_MEMORY_NEW0(Type, n, purpose, error) ((Type *) upi_memory_new0 (n, sizeof (Type), purpose, error))

/* While a library takes memory that it does not check, nobody of ours takes what it was seen to have. The same thread
 * may take memory meanwhile. */
void upi_memory_hold (void);
void upi_memory_unhold (void);

/* Where it comes from (memory-system.c): tests link another in its place, which fails when they ask for it. */
gpointer upi_memory_allocate (gsize bytes);

G_END_DECLS
