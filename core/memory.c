/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * memory.c: see memory.h. */
#include "core/memory.h"

#include "core/upi.h"

#include <string.h>

static GRecMutex *
lock (void)
{
  static GRecMutex mutex;

  return &mutex;
}

void
upi_memory_hold (void)
{
  g_rec_mutex_lock (lock ());
}

void
upi_memory_unhold (void)
{
  g_rec_mutex_unlock (lock ());
}

#define MEGABYTE ((gsize) 1 << 20)
/* From here on a single piece is held against what there is: for smaller ones that would cost more than it says. */
#define LARGE (16 * MEGABYTE)

static gsize
megabytes (gsize bytes)
{
  return bytes / MEGABYTE + (bytes % MEGABYTE > 0);
}

gboolean
upi_memory_expect (gsize bytes, const gchar *purpose, const gchar *mend, GError **error)
{
  const gchar *limit;
  gsize available = upi_memory_available (&limit);

  if (bytes <= available)
    return TRUE;
  g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
      "no memory for %s: %" G_GSIZE_FORMAT " MB are needed, %" G_GSIZE_FORMAT " MB are left of %s; %s", purpose,
      megabytes (bytes), available / MEGABYTE, limit, mend);
  return FALSE;
}

gpointer
upi_memory_new (gsize n, gsize bytes, const gchar *purpose, GError **error)
{
  gsize all = 0;
  gboolean fits = g_size_checked_mul (&all, n, bytes);
  gpointer memory = NULL;

  if (fits && all >= LARGE
      && !upi_memory_expect (all, purpose, "use a smaller input size, fewer threads or a smaller batch", error))
    return NULL;
  upi_memory_hold ();
  if (fits)
    memory = upi_memory_allocate (MAX (all, 64));
  upi_memory_unhold ();
  if (memory == NULL)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
        "no memory for %s: %" G_GSIZE_FORMAT " bytes%s; use a smaller input size, fewer threads or a smaller batch",
        purpose, fits ? all : n, fits ? "" : " and more");
  return memory;
}

gpointer
upi_memory_new0 (gsize n, gsize bytes, const gchar *purpose, GError **error)
{
  gpointer memory = upi_memory_new (n, bytes, purpose, error);

  return memory != NULL ? memset (memory, 0, n * bytes) : NULL;
}
