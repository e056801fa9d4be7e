/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * memory-available.c: how much memory this process can still get, as Linux says it: the machine's, and what of it the
 * limits of the process and of its control groups leave. What the system would give up for us (files that it keeps,
 * swap) counts as there. */
#include "core/memory.h"

#include <string.h>

static gboolean
read_file (const gchar *root, const gchar *directory, const gchar *name, gchar **text)
{
  g_autofree gchar *path = g_build_filename (root, directory, name, NULL);

  return g_file_get_contents (path, text, NULL, NULL);
}

/* The number behind a name at the start of a line, in @unit bytes. FALSE: there is none, or it is no number
 * ("max", "unlimited"). */
static gboolean
find_number (const gchar *text, const gchar *name, guint64 unit, guint64 *number)
{
  for (const gchar *line = text; line != NULL && *line != '\0'; line = strchr (line, '\n')) {
    line += *line == '\n';
    if (!g_str_has_prefix (line, name))
      continue;
    line += strlen (name);
    line += strspn (line, ": \t");
    if (!g_ascii_isdigit (*line))
      return FALSE;
    *number = g_ascii_strtoull (line, NULL, 10);
    *number = *number > G_MAXUINT64 / unit ? G_MAXUINT64 : *number * unit;
    return TRUE;
  }
  return FALSE;
}

static gboolean
read_number (const gchar *root, const gchar *directory, const gchar *name, guint64 *number)
{
  g_autofree gchar *text = NULL;

  return read_file (root, directory, name, &text) && find_number (text, "", 1, number);
}

typedef struct {
  guint64 least;
  const gchar *limit;
} Available;

static void
take (Available *available, guint64 limit, guint64 used, guint64 more, const gchar *name)
{
  guint64 left = (limit > used ? limit - used : 0);

  left = left > G_MAXUINT64 - more ? G_MAXUINT64 : left + more;
  if (left < available->least)
    *available = (Available){ left, name };
}

/* Of the machine. → free swap */
static guint64
take_machine (Available *available, const gchar *root)
{
  g_autofree gchar *text = NULL;
  guint64 free_bytes, swap = 0, limit, committed, mode;

  if (!read_file (root, "proc", "meminfo", &text))
    return 0;
  find_number (text, "SwapFree", 1024, &swap);
  if (find_number (text, "MemAvailable", 1024, &free_bytes))
    take (available, free_bytes, 0, swap, "the machine's memory");
  if (read_number (root, "proc/sys/vm", "overcommit_memory", &mode) && mode == 2
      && find_number (text, "CommitLimit", 1024, &limit) && find_number (text, "Committed_AS", 1024, &committed))
    take (available, limit, committed, 0, "what the machine may promise (vm.overcommit_memory is 2)");
  return swap;
}

/* ulimit -v, ulimit -d. */
static void
take_process (Available *available, const gchar *root)
{
  g_autofree gchar *limits = NULL, *status = NULL;
  guint64 limit, used;

  if (!read_file (root, "proc/self", "limits", &limits) || !read_file (root, "proc/self", "status", &status))
    return;
  if (find_number (limits, "Max address space", 1, &limit) && find_number (status, "VmSize", 1024, &used))
    take (available, limit, used, 0, "the process's address space (ulimit -v)");
  if (find_number (limits, "Max data size", 1, &limit) && find_number (status, "VmData", 1024, &used))
    take (available, limit, used, 0, "the process's data (ulimit -d)");
}

/* One control group: @directory below @root. Pages of files in it are given up first. */
static void
take_group (Available *available, const gchar *root, const gchar *directory, gboolean second, guint64 swap)
{
  g_autofree gchar *stat = NULL;
  guint64 limit, used, files, reclaimable = 0, swap_limit, swap_used;
  static const gchar *const names[2][3] = { { "total_inactive_file", "total_active_file", "" },
    { "inactive_file", "active_file", "slab_reclaimable" } };

  if (!read_number (root, directory, second ? "memory.max" : "memory.limit_in_bytes", &limit)
      || !read_number (root, directory, second ? "memory.current" : "memory.usage_in_bytes", &used))
    return;
  if (read_file (root, directory, "memory.stat", &stat))
    for (guint i = 0; i < G_N_ELEMENTS (names[0]); i++)
      if (*names[second][i] != '\0' && find_number (stat, names[second][i], 1, &files))
        reclaimable += files;
  if (second && read_number (root, directory, "memory.swap.max", &swap_limit)
      && read_number (root, directory, "memory.swap.current", &swap_used))
    swap = MIN (swap, swap_limit > swap_used ? swap_limit - swap_used : 0);
  take (available, limit, used > reclaimable ? used - reclaimable : 0, swap, "its control group's limit");
}

/* From the process's group up: each may have a limit. */
static void
take_groups (Available *available, const gchar *root, guint64 swap)
{
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!read_file (root, "proc/self", "cgroup", &text))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3); /* number, controllers, path */
    g_auto (GStrv) controllers = g_strv_length (parts) == 3 ? g_strsplit (parts[1], ",", -1) : NULL;
    gboolean second = controllers != NULL && *parts[1] == '\0';

    if (controllers == NULL || (!second && !g_strv_contains ((const gchar *const *) controllers, "memory")))
      continue;
    for (gchar *path = parts[2];;) {
      g_autofree gchar *directory = g_build_filename (second ? "sys/fs/cgroup" : "sys/fs/cgroup/memory", path, NULL);
      gchar *slash = strrchr (path, '/');

      take_group (available, root, directory, second, swap);
      if (slash == NULL || path[1] == '\0')
        break;
      slash[slash == path ? 1 : 0] = '\0';
    }
  }
}

gsize
upi_memory_available_below (const gchar *root, const gchar **limit)
{
  Available available = { G_MAXUINT64, "the machine's memory" };
  guint64 swap = take_machine (&available, root);

  take_process (&available, root);
  take_groups (&available, root, swap);
  *limit = available.limit;
  return (gsize) MIN (available.least, (guint64) G_MAXSIZE);
}
