/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * room.c: see room.h. */
#include "gst/room.h"

#include <sys/mman.h>

gboolean
gst_upi_has_room (gsize bytes)
{
  void *room = mmap (NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (room == MAP_FAILED)
    return FALSE;
  munmap (room, bytes);
  return TRUE;
}
