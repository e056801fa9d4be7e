/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sized.c: structs that callers fill and that begin with their size: read from and written for programs that were
 * compiled against an older or a newer header than this library. */
#include "core/engine/engine-private.h"

#include <string.h>

#define LARGEST 4096 /* no struct of upi.h comes near: a size beyond is no size */

gboolean
upi_sized_read (gpointer to, gsize known, gconstpointer from, gsize first, const gchar *name, GError **error)
{
  gsize size = *(const gsize *) from;
  const guint8 *bytes = from;

  memset (to, 0, known);
  if (size < first || size > LARGEST) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "%s.size is %" G_GSIZE_FORMAT ", expected %" G_GSIZE_FORMAT " or more: set it to sizeof (%s)", name, size,
        first, name);
    return FALSE;
  }
  memcpy (to, from, MIN (size, known));
  for (gsize i = known; i < size; i++)
    if (bytes[i] != 0) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
          "%s has a setting in byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
          ", version %s of the library knows %" G_GSIZE_FORMAT
          " bytes of it: leave the setting at 0, or install a newer library",
          name, i, size, upi_version (), known);
      return FALSE;
    }
  return TRUE;
}

gboolean
upi_sized_write (gpointer to, gsize first, gconstpointer from, gsize known)
{
  gsize size = *(const gsize *) to;

  if (size < first || size > LARGEST)
    return FALSE;
  memset (to, 0, size);
  memcpy (to, from, MIN (size, known));
  *(gsize *) to = size;
  return TRUE;
}
