/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Large blocks of memory: aligned for vector kernels, and an error instead of an abort when there is none. */
#include "core/engine/engine-private.h"
#include "core/memory.h"

#include <stdlib.h>

void *
upi_kept_new (const UpiBackend *backend, gsize bytes, const gchar *purpose, GError **error)
{
  void *memory = backend->memory ? backend->memory->memory_new (backend, bytes, error) : upi_block_new (bytes, purpose, error);

  if (!memory && backend->memory)
    g_prefix_error (error, "no memory for %s: ", purpose);
  return memory;
}

void
upi_kept_free (const UpiBackend *backend, void *memory)
{
  if (memory && backend->memory)
    backend->memory->memory_free (backend, memory);
  else
    free (memory);
}

void *
upi_block_new (gsize bytes, const gchar *purpose, GError **error)
{
  return upi_memory_new (1, bytes, purpose, error);
}
