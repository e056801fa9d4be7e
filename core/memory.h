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

/**
 * upi_memory_expect: whether what is about to be needed can be had, before it is taken piece by piece. An error in
 * place of what Linux does where more was promised than there is: it ends a process.
 * @bytes: no more than will be needed for certain
 * @purpose: what it is for, as the error says it: "the weights of base"
 * @mend: what a user can do
 *
 * Returns: FALSE and UPI_ERROR_MEMORY, which names purpose, need, what there is, and of which limit
 */
gboolean upi_memory_expect (gsize bytes, const gchar *purpose, const gchar *mend, GError **error);

/* What the process can still get, and of which limit that is; G_MAXSIZE where the system says nothing. Behind @root:
 * as files below it say ("/": the system's own). */
gsize upi_memory_available (const gchar **limit);
gsize upi_memory_available_below (const gchar *root, const gchar **limit);

/* Where it comes from (memory-system.c): tests link another in its place, which fails when they ask for it. */
gpointer upi_memory_allocate (gsize bytes);

G_END_DECLS
