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

gpointer
upi_memory_new (gsize n, gsize bytes, const gchar *purpose, GError **error)
{
  gsize all = 0;
  gpointer memory = NULL;

  upi_memory_hold ();
  if (g_size_checked_mul (&all, n, bytes))
    memory = upi_memory_allocate (MAX (all, 64));
  upi_memory_unhold ();
  if (memory == NULL)
    g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY,
        "no memory for %s: %" G_GSIZE_FORMAT " bytes%s; use a smaller input size, fewer threads or a smaller batch",
        purpose, all > 0 ? all : n, all > 0 || n == 0 ? "" : " and more");
  return memory;
}

gpointer
upi_memory_new0 (gsize n, gsize bytes, const gchar *purpose, GError **error)
{
  gpointer memory = upi_memory_new (n, bytes, purpose, error);

  return memory != NULL ? memset (memory, 0, n * bytes) : NULL;
}
