/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The card's figures as upi-bench finds them: of each input size of the bundled model, and in files that are not what
 * they should be. */
#include "tests/bench/bench.h"

#include "core/model/config.h"

#include <glib/gstdio.h>
#include <string.h>

static gchar *directory;

static BenchFigures *
open_text (const gchar *json, GError **error)
{
  g_autofree gchar *path = g_build_filename (directory, "figures.json", NULL);

  g_assert_true (g_file_set_contents (path, json, -1, NULL));
  return bench_figures_open (directory, error);
}

static void
test_says (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (BenchFigures) figures = open_text (
      "{\"part\": \"val\", \"images\": 509, \"detection\": [ 7, {\"sizes\": [[1], 2, [384, 224], [224, 384]],"
      " \"suppressed\": {\"box AP\": 16, \"box AP50\": 27.6, \"mask AP\": 10.5}},"
      " {\"sizes\": [[640, 384]], \"suppressed\": {\"mask AP\": 11.44}}, {\"sizes\": [[480, 288]]} ]}",
      &error);
  g_autofree gchar *first = NULL, *turned = NULL, *large = NULL;

  g_assert_no_error (error);
  first = bench_figures_say (figures, 384, 224);
  turned = bench_figures_say (figures, 224, 384);
  large = bench_figures_say (figures, 640, 384);
  g_assert_cmpstr (first, ==, turned);
  g_assert_nonnull (strstr (first, "box AP 16"));
  g_assert_nonnull (strstr (first, "(val, 509 images)"));
  g_assert_null (strstr (large, "box AP"));
  g_assert_nonnull (strstr (large, "mask AP 11"));
  g_assert_null (bench_figures_say (figures, 480, 288)); /* nothing was measured */
  g_assert_null (bench_figures_say (figures, 384, 384)); /* no such size */
}

static void
test_broken (void)
{
  static const gchar *const broken[] = { "", "[]", "{}", "{\"part\": \"val\", \"images\": 5, \"detection\": 3}",
    "{\"part\"", "{\"part\": 4, \"images\": 5, \"detection\": []}" };

  for (guint i = 0; i < G_N_ELEMENTS (broken); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (open_text (broken[i], &error));
    g_assert_nonnull (error);
  }
}

/* Every size that the bundled model offers has its figures. */
static void
test_nano (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiConfig) config = upi_config_open (g_getenv ("UPI_TEST_NANO"), &error);
  g_autoptr (BenchFigures) figures = bench_figures_open (g_getenv ("UPI_TEST_NANO"), &error);

  g_assert_no_error (error);
  for (guint i = 0; i < config->input.n_sizes; i++) {
    g_autofree gchar *text = bench_figures_say (figures, config->input.sizes[i][0], config->input.sizes[i][1]);

    g_assert_nonnull (text);
    g_assert_nonnull (strstr (text, "box AP "));
  }
}

int
main (int argc, char **argv)
{
  g_autofree gchar *path = NULL;
  gint status;

  g_test_init (&argc, &argv, NULL);
  directory = g_dir_make_tmp ("upi-figures-XXXXXX", NULL);
  path = g_build_filename (directory, "figures.json", NULL);
  g_test_add_func ("/bench-figures/says", test_says);
  g_test_add_func ("/bench-figures/broken", test_broken);
  g_test_add_func ("/bench-figures/nano", test_nano);
  status = g_test_run ();
  g_unlink (path);
  g_rmdir (directory);
  g_free (directory);
  return status;
}
