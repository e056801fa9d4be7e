/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * memory-system.c: the one place where large memory is asked for, and where it is asked how much there is. A file of
 * its own, so that tests can put others in their place when they link. */
#include "core/memory.h"

#include <stdlib.h>

gpointer
upi_memory_allocate (gsize bytes)
{
  void *memory = NULL;

  return posix_memalign (&memory, 64, bytes) == 0 ? memory : NULL;
}

gsize
upi_memory_available (const gchar **limit)
{
  return upi_memory_available_below ("/", limit);
}
