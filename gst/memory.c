/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * memory.c: see memory.h. */
#include "gst/memory.h"

#include <sys/mman.h>

gboolean
gst_upi_can_allocate (gsize bytes)
{
  void *memory = mmap (NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED)
    return FALSE;
  munmap (memory, bytes);
  return TRUE;
}
