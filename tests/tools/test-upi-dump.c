/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-dump as a user runs it: on a config with random weights, each side of the network, with times; and what it says
 * when it cannot. */

#include "tests/tiny-config.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

typedef struct {
  gchar *config;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  GError *error = NULL;
  gint fd = g_file_open_tmp ("upi-config-XXXXXX.json", &f->config, &error);

  g_assert_no_error (error);
  g_close (fd, NULL);
  g_file_set_contents (f->config, UPI_TINY_CONFIG, -1, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_unlink (f->config);
  g_free (f->config);
}

/* Runs `upi-dump ARGUMENTS...`; returns what it printed, on stderr if it failed. */
static gchar *
run (gboolean succeeds, const gchar *first, ...)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  g_auto (GStrv) environment = g_environ_setenv (g_get_environ (), "LC_ALL", "C.UTF-8", TRUE);
  gchar *out = NULL, *err = NULL;
  gint status = 0;
  GError *error = NULL;
  va_list list;

  g_ptr_array_add (arguments, (gpointer) g_getenv ("UPI_DUMP"));
  va_start (list, first);
  for (const gchar *argument = first; argument != NULL; argument = va_arg (list, const gchar *))
    g_ptr_array_add (arguments, (gpointer) argument);
  va_end (list);
  g_ptr_array_add (arguments, NULL);
  g_spawn_sync (
      NULL, (gchar **) arguments->pdata, environment, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status, &error);
  g_assert_no_error (error);
  if (!succeeds) {
    g_assert_cmpint (status, !=, 0);
    g_assert_cmpstr (out, ==, "");
    g_free (out);
    return err;
  }
  g_test_message ("%s", err);
  g_assert_cmpint (status, ==, 0);
  g_free (err);
  return out;
}

static void
assert_has (const gchar *text, const gchar *word)
{
  if (strstr (text, word) == NULL)
    g_error ("\"%s\" is missing in: %s", word, text);
}

static void
test_image (Fixture *f, gconstpointer data)
{
  g_autofree gchar *text = run (TRUE, "--random", f->config, "--size", "96x64", NULL);

  assert_has (text, "\n── pixel encoder (4.1)\n");
  assert_has (text, "[1,32,48,32]"); /* the stem's map */
  assert_has (text, "deformable_attention");
  assert_has (text, "= \"boxes\"");
  assert_has (text, "into a part");
  assert_has (text, " MiB of values (");
}

/* The second generation's parts have their places. */
static void
test_second (Fixture *f, gconstpointer data)
{
  g_autofree gchar *text = NULL;

  g_file_set_contents (f->config, UPI_TINY_MOBILENET_CONFIG, -1, NULL);
  text = run (TRUE, "--random", f->config, "--size", "96x64", NULL);
  assert_has (text, "── backbone (5.2)\n");
  assert_has (text, "[1,2,3,1280]");
  assert_has (text, "\n── global backbone (5.2)\n");
  assert_has (text, "[1,32,48,3]"); /* the picture averaged */
  assert_has (text, "[1,1,2,320]"); /* half of 2 × 3 cells, rounded up */
}

/* What a detector is made of. */
static void
test_detector (Fixture *f, gconstpointer data)
{
  g_autofree gchar *text = NULL;

  g_file_set_contents (f->config, UPI_TINY_DETECTOR_CONFIG, -1, NULL);
  text = run (TRUE, "--random", f->config, "--size", "96x64", NULL);
  assert_has (text, "\n── pyramid (5.3)\n");
  assert_has (text, " 5×5 s2 g96 hard-swish");
  assert_has (text, " hard-sigmoid");
  assert_has (text, " nearest into a part");
  assert_has (text, "\n── detector (5.3)\n");
  assert_has (text, "joint_logit");
  assert_has (text, "[1,128,3]"); /* tokens of four levels */
}

static void
test_time (Fixture *f, gconstpointer data)
{
  g_autofree gchar *text =
      run (TRUE, "--random", f->config, "--time", "--device", "ref", "--runs", "1", "--batch", "2", NULL);

  assert_has (text, "ref, 1 threads: median ");
  assert_has (text, "memory: weights ");
  assert_has (text, " MB or more, this process at most ");
  assert_has (text, "[2,32,32,32]");
  assert_has (text, " µs ");
}

static void
test_text_and_caption (Fixture *f, gconstpointer data)
{
  g_autofree gchar *text = run (TRUE, "--random", f->config, "--text", NULL);
  g_autofree gchar *caption = run (TRUE, "--random", f->config, "--caption", "--time", "--runs", "1", NULL);

  assert_has (text, "= \"embedding\"");
  assert_has (caption, "store_rows");
  assert_has (caption, "= \"scores\"");
}

static void
test_errors (Fixture *f, gconstpointer data)
{
  g_autofree gchar *nothing = run (FALSE, NULL, NULL), *missing = run (FALSE, "no-such-model", NULL);
  g_autofree gchar *size = run (FALSE, "--random", f->config, "--size", "100x64", NULL);
  g_autofree gchar *device = run (FALSE, "--random", f->config, "--time", "--device", "abacus", NULL);

  assert_has (nothing, "expected one MODEL");
  assert_has (missing, "no-such-model");
  assert_has (size, "multiples of 32");
  assert_has (device, "abacus");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/upi-dump/image", Fixture, NULL, set_up, test_image, tear_down);
  g_test_add ("/upi-dump/second", Fixture, NULL, set_up, test_second, tear_down);
  g_test_add ("/upi-dump/detector", Fixture, NULL, set_up, test_detector, tear_down);
  g_test_add ("/upi-dump/time", Fixture, NULL, set_up, test_time, tear_down);
  g_test_add ("/upi-dump/text-and-caption", Fixture, NULL, set_up, test_text_and_caption, tear_down);
  g_test_add ("/upi-dump/errors", Fixture, NULL, set_up, test_errors, tear_down);
  return g_test_run ();
}
