/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What of the machine's memory a process can still get: the machine's own account, the limits of the process, the
 * limits of its control groups, of either version, each from files as Linux writes them. */
#include "core/memory.h"

#include <glib/gstdio.h>
#include <string.h>

#define MB ((gsize) 1 << 20)

typedef struct {
  const gchar *name, *text;
} File;

static const File machine = { "proc/meminfo",
  "MemTotal:       16000000 kB\nMemFree:          200000 kB\nMemAvailable:    8192000 kB\nSwapTotal:       0 kB\n"
  "SwapFree:        1024000 kB\nCommitLimit:     4096000 kB\nCommitted_AS:    1024000 kB\n" };
static const File unlimited = { "proc/self/limits",
  "Limit                     Soft Limit           Hard Limit           Units     \n"
  "Max data size             unlimited            unlimited            bytes     \n"
  "Max address space         unlimited            unlimited            bytes     \n" };
static const File status = { "proc/self/status", "Name:\tx\nVmSize:\t  204800 kB\nVmData:\t   51200 kB\n" };

static void
put (const gchar *root, const File *file)
{
  g_autofree gchar *path = g_build_filename (root, file->name, NULL), *directory = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  g_file_set_contents (path, file->text, -1, &error);
  g_assert_no_error (error);
}

static void
remove_tree (const gchar *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const gchar *name;

  while (directory != NULL && (name = g_dir_read_name (directory)) != NULL) {
    g_autofree gchar *inner = g_build_filename (path, name, NULL);

    remove_tree (inner);
  }
  g_remove (path);
}

static void
expect (const File *files, guint n, gsize bytes, const gchar *limit)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *root = g_dir_make_tmp ("upi-memory-XXXXXX", &error);
  const gchar *found;

  g_assert_no_error (error);
  for (guint i = 0; i < n; i++)
    put (root, &files[i]);
  g_assert_cmpuint (upi_memory_available_below (root, &found), ==, bytes);
  if (limit != NULL && strstr (found, limit) == NULL)
    g_error ("the limit is %s, expected %s", found, limit);
  remove_tree (root);
}
#define EXPECT(bytes, limit, ...)                                                                                      \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    const File files[] = { __VA_ARGS__ };                                                                              \
                                                                                                                       \
    expect (files, G_N_ELEMENTS (files), bytes, limit);                                                                \
  }                                                                                                                    \
  G_STMT_END

static void
test_machine (void)
{
  EXPECT (9000 * MB, "machine's memory", machine, unlimited, status); /* 8000 and the free swap */
  EXPECT (3000 * MB, "overcommit", machine, { "proc/sys/vm/overcommit_memory", "2\n" });
  EXPECT (9000 * MB, "machine's memory", machine, { "proc/sys/vm/overcommit_memory", "1\n" });
}

/* What is not said limits nothing. */
static void
test_unknown (void)
{
  EXPECT (G_MAXSIZE, NULL, status);
  EXPECT (G_MAXSIZE, NULL, { "proc/meminfo", "" }, { "proc/self/cgroup", "" }, { "proc/self/limits", "nonsense" },
      { "proc/self/status", "" });
  EXPECT (G_MAXSIZE, NULL, { "proc/meminfo", "MemAvailable: many\n" }, { "proc/self/cgroup", "0::\n0\n:\n" });
}

static void
test_process (void)
{
  EXPECT (300 * MB, "ulimit -v", machine, status,
      { "proc/self/limits", "Max address space         524288000            unlimited            bytes\n" });
  EXPECT (450 * MB, "ulimit -d", machine, status,
      { "proc/self/limits", "Max data size             524288000            unlimited            bytes\n" });
  EXPECT (0, "ulimit -v", machine, status,
      { "proc/self/limits", "Max address space         1000                 unlimited            bytes\n" });
}

/* Version 2: the group's own limit, less what it uses, but for the files' pages; its swap has a limit of its own. */
static void
test_group (void)
{
  const File cgroup = { "proc/self/cgroup", "0::/a/b\n" },
             current = { "sys/fs/cgroup/a/b/memory.current", "419430400\n" },
             most = { "sys/fs/cgroup/a/b/memory.max", "629145600\n" };

  EXPECT (1200 * MB, "control group", machine, cgroup, most, current);
  EXPECT (1300 * MB, "control group", machine, cgroup, most, current,
      { "sys/fs/cgroup/a/b/memory.stat",
          "anon 5\ninactive_file 52428800\nactive_file 31457280\nslab_reclaimable 20971520\n" });
  EXPECT (200 * MB, "control group", machine, cgroup, most, current, { "sys/fs/cgroup/a/b/memory.swap.max", "0\n" },
      { "sys/fs/cgroup/a/b/memory.swap.current", "0\n" });
  EXPECT (9000 * MB, "machine's memory", machine, cgroup, current, { "sys/fs/cgroup/a/b/memory.max", "max\n" });
  /* a group above it, and the one that is all a container sees */
  EXPECT (1100 * MB, "control group", machine, cgroup, most, current, { "sys/fs/cgroup/a/memory.max", "524288000\n" },
      { "sys/fs/cgroup/a/memory.current", "419430400\n" });
  EXPECT (1001 * MB, "control group", machine, { "proc/self/cgroup", "0::/\n" },
      { "sys/fs/cgroup/memory.max", "2097152\n" }, { "sys/fs/cgroup/memory.current", "1048576\n" });
}

static void
test_group_of_version_1 (void)
{
  EXPECT (1300 * MB, "control group", machine, { "proc/self/cgroup", "5:cpu:/x\n4:blkio,memory:/x/y\n" },
      { "sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "629145600\n" },
      { "sys/fs/cgroup/memory/x/y/memory.usage_in_bytes", "419430400\n" },
      { "sys/fs/cgroup/memory/x/y/memory.stat",
          "inactive_file 1\ntotal_inactive_file 52428800\ntotal_active_file 52428800\n" });
}

/* The system this runs on says something, and it is no more than it has. */
static void
test_here (void)
{
  const gchar *limit;

  g_assert_cmpuint (upi_memory_available_below ("/", &limit), >, 16 * MB);
  g_assert_nonnull (limit);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory/available/machine", test_machine);
  g_test_add_func ("/memory/available/unknown", test_unknown);
  g_test_add_func ("/memory/available/process", test_process);
  g_test_add_func ("/memory/available/group", test_group);
  g_test_add_func ("/memory/available/group-of-version-1", test_group_of_version_1);
  g_test_add_func ("/memory/available/here", test_here);
  return g_test_run ();
}
