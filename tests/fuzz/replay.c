/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzzing target over the files of a folder: its seeds, and inputs that once broke it, as an ordinary test. */
#include <glib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
replay (gconstpointer path)
{
  g_autofree gchar *data = NULL;
  gsize size;
  GError *error = NULL;

  g_file_get_contents (path, &data, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpint (LLVMFuzzerTestOneInput ((const guint8 *) data, size), ==, 0);
}

int
main (int argc, char **argv)
{
  const gchar *folder = g_getenv ("UPI_FUZZ_SEEDS"), *name;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir))) {
    g_autofree gchar *test = g_strconcat ("/replay/", name, NULL);
    g_ptr_array_add (paths, g_build_filename (folder, name, NULL));
    g_test_add_data_func (test, paths->pdata[paths->len - 1], replay);
  }
  g_assert_cmpuint (paths->len, >, 0);
  return g_test_run ();
}
