/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-bench [--model DIR] [--size WxH] [--frames N] [--streams 1,2,4,8,16] [--static CLIP]: milliseconds a frame on the
 * bundled model and where they go.
 *
 * Measures on the machine as it is: run it on a quiet one. Best times are printed with medians beside, as other
 * processes only ever add. */
#include "tests/bench/bench.h"

#include "core/backends/cpu/cpu.h"
#include "core/model/model.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static gint
ascending (gconstpointer a, gconstpointer b)
{
  const gdouble *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

BenchTimes
bench_times (GArray *microseconds)
{
  g_array_sort (microseconds, ascending);
  return (BenchTimes){ g_array_index (microseconds, gdouble, 0),
    g_array_index (microseconds, gdouble, microseconds->len / 2) };
}

void
bench_line (const gchar *name, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *text = NULL;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("  %-34s %s\n", name, text);
  fflush (stdout);
}

/* The engine and the pipeline are measured in a process of their own, so that the peak of its memory is theirs. */
static gboolean
run_part (const Bench *bench, const gchar *program, const gchar *part)
{
  g_autofree gchar *size = g_strdup_printf ("%ux%u", bench->width, bench->height),
                   *frames = g_strdup_printf ("%u", bench->frames);
  const gchar *argv[] = { program, "--part", part, "--model", bench->model, "--size", size, "--frames", frames, NULL };
  GError *error = NULL;
  gint status = 0;

  fflush (stdout);
  if (!g_spawn_sync (NULL, (gchar **) argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL, &status, &error)
      || !g_spawn_check_wait_status (status, &error)) {
    g_printerr ("%s: %s\n", part, error->message);
    g_clear_error (&error);
    return FALSE;
  }
  return TRUE;
}

static void
print_memory (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  bench_line ("peak memory of that process", "%.0f MB (to reach: 400)", (gdouble) usage.ru_maxrss / 1000);
}

static gboolean
all (Bench *bench, const gchar *program)
{
  g_autofree gchar *cpu = upi_cpu_description ();
  gboolean ok;

  g_print ("%s\n%s at %ux%u\n\n", cpu, bench->model, bench->width, bench->height);
  ok = bench_network (bench) && bench_pytorch (bench);
  ok = run_part (bench, program, "engine") && ok;
  return run_part (bench, program, "pipeline") && ok;
}

int
main (int argc, char **argv)
{
  static gchar *model, *size, *part, *python, *streams, *still;
  static gint frames = 60, seconds = 20;
  static gdouble threshold;
  static const GOptionEntry options[] = { { "model", 0, 0, G_OPTION_ARG_STRING, &model,
                                              "Model, name or directory (default: nano)", "MODEL" },
    { "size", 0, 0, G_OPTION_ARG_STRING, &size, "The network's input (default: the model's first)", "WxH" },
    { "frames", 0, 0, G_OPTION_ARG_INT, &frames, "Frames measured of each kind (60)", "N" },
    { "python", 0, 0, G_OPTION_ARG_STRING, &python, "Python with PyTorch (default: /usr/bin/python3)", "PROGRAM" },
    { "streams", 0, 0, G_OPTION_ARG_STRING, &streams, "Only: so many cameras at once, as 1,2,4,8,16", "N,..." },
    { "seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "Of each number of cameras (20)", "N" },
    { "static", 0, 0, G_OPTION_ARG_FILENAME, &still,
        "Only: what static-threshold finds in a clip, and what it saves; vtest.avi: that of Debian's opencv-doc",
        "CLIP" },
    { "threshold", 0, 0, G_OPTION_ARG_DOUBLE, &threshold, "Of --static (default: five of them)", "N" },
    { "part", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &part, "Only engine or pipeline", "PART" }, { NULL } };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autofree gchar *directory = NULL;
  Bench bench = { .source_root = UPI_SOURCE_ROOT };
  GError *error = NULL;
  gboolean ok;

  setlocale (LC_ALL, "");
  g_option_context_set_summary (context, "What a frame costs on this machine, and where the time goes.");
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  if (model == NULL && g_getenv ("UPI_MODEL_PATH") == NULL)
    g_setenv ("UPI_MODEL_PATH", UPI_SOURCE_ROOT "/models", TRUE);
  directory = upi_model_find (model != NULL ? model : "nano", &error);
  g_autoptr (UpiConfig) config = directory != NULL ? upi_config_open (directory, &error) : NULL;
  if (config == NULL) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  bench.model = directory;
  bench.frames = (guint) MAX (frames, 3);
  bench.python = python != NULL ? python : "/usr/bin/python3";
  bench.width = config->input.sizes[0][0];
  bench.height = config->input.sizes[0][1];
  if (size != NULL && sscanf (size, "%ux%u", &bench.width, &bench.height) != 2) {
    g_printerr ("--size %s: expected WxH, as 288x288\n", size);
    return 2;
  }
  if (streams != NULL) {
    ok = bench_streams (&bench, streams, (guint) MAX (seconds, 2));
  } else if (still != NULL) {
    ok = bench_static_clip (&bench, still, threshold);
  } else if (part == NULL) {
    ok = all (&bench, argv[0]);
  } else {
    ok = g_str_equal (part, "engine") ? bench_engine (&bench) : bench_pipeline (&bench);
    print_memory ();
  }
  return ok ? 0 : 1;
}
