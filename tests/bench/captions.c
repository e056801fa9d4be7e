/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Captions: the greedy one, candidates of a grounded one decoded as one batch, their ranking, and all of upicaption's
 * default. One worker does it all, so that the time of the process on its processors is the cost, whoever else uses
 * them. */
#include "tests/bench/bench.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TIMES 12

/* Microseconds. */
static gdouble
processor_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return (gdouble) time.tv_sec * 1e6 + (gdouble) time.tv_nsec * 1e-3;
}

static UpiTicket *
finished (UpiTicket *ticket, GError *error)
{
  if (ticket == NULL || !upi_ticket_wait (ticket, &error))
    g_error ("%s", error->message);
  return ticket;
}

static gdouble
time_caption (UpiEngine *engine, UpiEncoding *encoding, gboolean grounded)
{
  const UpiCaptionOptions options = { .size = sizeof (UpiCaptionOptions), .grounded = grounded };
  GError *error = NULL;
  gdouble start = processor_time ();

  upi_ticket_unref (finished (upi_engine_caption (engine, encoding, &options, NULL, NULL, NULL, &error), error));
  return processor_time () - start;
}

/* The last of them. (transfer full) */
static UpiEncoding *
time_frames (const Bench *bench, UpiEngine *engine, const UpiImage *image, BenchTimes *result)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gdouble));
  UpiEncoding *encoding = NULL;
  GError *error = NULL;

  for (guint i = 0; i < TIMES; i++) {
    gdouble start = processor_time ();
    g_autoptr (UpiTicket) ticket =
        finished (upi_engine_encode (engine, image, bench->width, bench->height, 0, NULL, NULL, &error), error);

    start = processor_time () - start;
    g_array_append_val (times, start);
    g_clear_pointer (&encoding, upi_encoding_unref);
    encoding = upi_ticket_get_encoding (ticket);
  }
  *result = bench_times (times);
  return encoding;
}

static BenchTimes
time_captions (UpiEngine *engine, UpiEncoding *encoding, gboolean grounded)
{
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gdouble));

  time_caption (engine, encoding, grounded); /* plans are made, labels encoded */
  for (guint i = 0; i < TIMES; i++) {
    gdouble time = time_caption (engine, encoding, grounded);

    g_array_append_val (times, time);
  }
  return bench_times (times);
}

static UpiEngine *
open_model (const gchar *model, GError **error)
{
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = "cpu", .threads = 1 };

  return upi_engine_open (&options, NULL, error);
}

/* The same weights with another config, in which no candidate's text is encoded: what is left is the decoding.
 * (transfer full): a directory */
static gchar *
without_ranking (const gchar *model, GError **error)
{
  g_autofree gchar *path = g_build_filename (model, "config.json", NULL), *config = NULL, *changed = NULL;
  g_autofree gchar *absolute = g_canonicalize_filename (model, NULL);
  g_autoptr (GRegex) encoded = g_regex_new ("\"encoded\":\\s*[0-9]+", 0, 0, NULL);
  g_autoptr (GDir) files = g_dir_open (model, 0, error);
  g_autofree gchar *directory = files != NULL ? g_dir_make_tmp ("upi-bench-XXXXXX", error) : NULL;
  const gchar *name;

  if (directory == NULL || !g_file_get_contents (path, &config, NULL, error))
    return NULL;
  changed = g_regex_replace_literal (encoded, config, -1, 0, "\"encoded\": 0", 0, NULL);
  while ((name = g_dir_read_name (files)) != NULL) {
    g_autofree gchar *from = g_build_filename (absolute, name, NULL), *to = g_build_filename (directory, name, NULL);
    GStatBuf status;

    if (g_str_equal (name, "config.json")) {
      if (!g_file_set_contents (to, changed, -1, error))
        return NULL;
    } else if (g_stat (from, &status) == 0 && S_ISREG (status.st_mode) && symlink (from, to) != 0) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s could not be made", to);
      return NULL;
    }
  }
  return g_steal_pointer (&directory);
}

static void
remove_directory (const gchar *directory)
{
  g_autoptr (GDir) files = g_dir_open (directory, 0, NULL);
  const gchar *name;

  while (files != NULL && (name = g_dir_read_name (files)) != NULL) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);

    g_unlink (path);
  }
  g_rmdir (directory);
}

gboolean
bench_captions (const Bench *bench, UpiEngine *engine, const UpiImage *image)
{
  const UpiEngineInfo *info = upi_engine_info (engine);
  g_autofree gchar *directory = NULL;
  g_autoptr (UpiEngine) unranked = NULL;
  g_autoptr (GError) error = NULL;
  BenchTimes times[2][2], frame; /* greedy, grounded; of each engine */

  if (info->caption_candidates == 0)
    return TRUE;
  directory = without_ranking (info->model_path, &error);
  unranked = directory != NULL ? open_model (directory, &error) : NULL;
  if (directory != NULL)
    remove_directory (directory); /* the weights are mapped */
  if (unranked == NULL) {
    g_printerr ("%s\n", error->message);
    return FALSE;
  }
  for (guint i = 0; i < 2; i++) {
    UpiEngine *each = i == 0 ? engine : unranked;
    g_autoptr (UpiEncoding) encoding = time_frames (bench, each, image, &frame);

    times[i][0] = time_captions (each, encoding, FALSE);
    times[i][1] = time_captions (each, encoding, TRUE);
  }
  bench_line ("candidates of a caption over a greedy one", "%.2f × (median %.2f): %u in %.2f ms (to reach: 3)",
      times[1][1].best / times[1][0].best, times[1][1].median / times[1][0].median, info->caption_candidates,
      times[1][1].best * 1e-3);
  bench_line ("ranking them", "%.2f frames (median %.2f; to reach: 0.35)",
      (times[0][1].best - times[1][1].best) / frame.best, (times[0][1].median - times[1][1].median) / frame.median);
  bench_line ("a grounded caption", "%.2f frames (median %.2f; to reach: 1), %.2f ms", times[0][1].best / frame.best,
      times[0][1].median / frame.median, times[0][1].best * 1e-3);
  return TRUE;
}
