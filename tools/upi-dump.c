/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-dump MODEL: what a model executes, operation by operation, as the engine would run it.
 *
 *   upi-dump nano                        the image side: shapes, bytes, what was fused, GMAC, arena
 *   upi-dump nano --time --device cpu    with microseconds and share of each operation and part, and the memory
 *   upi-dump nano --caption | --text     the caption step, the text encoder
 *   upi-dump --random config.json        a network that has no weights yet
 */

#include "core/model/model.h"
#include "core/backends/backend.h"
#include "core/upi.h"

#include <glib/gstdio.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define TEXT_TOKENS 16

static gchar *size_option, *device = NULL;
static gboolean do_time, do_text, do_caption, is_config;
static gint batch = 1, threads = 1, runs = 0;
static gchar **arguments;

static const GOptionEntry options[] = { { "size", 0, 0, G_OPTION_ARG_STRING, &size_option,
                                            "Input size of the image side (default: the model's first)", "WxH" },
  { "batch", 0, 0, G_OPTION_ARG_INT, &batch,
      "Images, or with --text texts, with --caption captions of one image, a run (default 1)", "N" },
  { "text", 0, 0, G_OPTION_ARG_NONE, &do_text, "The text side instead of the image side", NULL },
  { "caption", 0, 0, G_OPTION_ARG_NONE, &do_caption, "The caption step instead of the image side", NULL },
  { "time", 0, 0, G_OPTION_ARG_NONE, &do_time, "Run it, on noise, and print each operation's time (median of the runs)",
      NULL },
  { "device", 0, 0, G_OPTION_ARG_STRING, &device, "Backend for --time: cpu (default), cuda or ref", "NAME" },
  { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "Threads of one run (default 1)", "N" },
  { "runs", 0, 0, G_OPTION_ARG_INT, &runs, "Runs that are measured (default: a second's worth, at least 3)", "N" },
  { "random", 0, 0, G_OPTION_ARG_NONE, &is_config,
      "MODEL is a config.json: with random weights instead of trained ones", NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments, NULL, "MODEL" }, { NULL } };

static gboolean
parse_size (const UpiConfig *config, guint *width, guint *height, GError **error)
{
  gchar *end = NULL;

  *width = config->input.sizes[0][0];
  *height = config->input.sizes[0][1];
  if (size_option == NULL)
    return TRUE;
  *width = (guint) g_ascii_strtoull (size_option, &end, 10);
  if (*end == 'x')
    *height = (guint) g_ascii_strtoull (end + 1, &end, 10);
  if (*end == '\0' && *width >= 32 && *height >= 32 && *width % 32 == 0 && *height % 32 == 0 && *width <= UPI_MAX_SIDE
      && *height <= UPI_MAX_SIDE)
    return TRUE;
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "--size %s: expected WIDTHxHEIGHT, multiples of 32 up to %d, as in 288x288", size_option, UPI_MAX_SIDE);
  return FALSE;
}

static UpiProgram *
build (UpiModel *model, GError **error)
{
  const UpiConfig *config = upi_model_config (model);
  guint width, height;

  if (!parse_size (config, &width, &height, error))
    return NULL;
  if (do_text)
    return upi_model_texts_program (model, (guint) batch, TEXT_TOKENS, error);
  if (do_caption)
    return upi_model_captions_program (
        model, (guint) batch, upi_model_image_tokens (model, width, height), (guint) config->caption.max_tokens, error);
  return upi_model_image_program (model, (guint) batch, width, height, FALSE, error);
}

/* Noise for what is float; for what is counted, the longest text: the last position, all tokens. */
static void
fill_input (const UpiProgram *p, const UpiValueInfo *info, gpointer data)
{
  gsize count = upi_shape_count (&info->shape);
  guint32 state = 1;

  for (gsize i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    if (info->dtype == UPI_F32)
      ((gfloat *) data)[i] = (gfloat) (state >> 8) / 8388608.f - 1.f;
    else if (g_str_equal (info->name, "length"))
      ((gint32 *) data)[i] = TEXT_TOKENS;
    else
      ((gint32 *) data)[i] = 0;
  }
  /* text_length and position come with the capacity of the caches they count in. */
  for (guint i = 0; i < p->values->len && info->dtype == UPI_I32; i++) {
    const UpiValueInfo *cache = upi_program_value (p, i);

    if (cache->kind == UPI_VALUE_INPUT && g_str_has_prefix (cache->name, "text_keys.")) {
      if (g_str_equal (info->name, "text_length"))
        *(gint32 *) data = cache->shape.dim[1];
      else if (g_str_equal (info->name, "position"))
        *(gint32 *) data = cache->shape.dim[1] - 1;
    }
  }
}

static gint
ascending (gconstpointer a, gconstpointer b)
{
  const gdouble *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

/* Runs until a second is over (or --runs), and leaves the run with the median total in `best`. */
static gboolean
measure (UpiContext *context, guint n_ops, gdouble *median, GError **error)
{
  const UpiBackend *backend = context->plan->backend;
  g_autoptr (GArray) totals = g_array_new (FALSE, FALSE, sizeof (gdouble));
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  gint64 start = g_get_monotonic_time ();
  gdouble middle;

  while (runs > 0 ? all->len < (guint) runs
                  : all->len < 3 || (g_get_monotonic_time () - start < G_USEC_PER_SEC && all->len < 1000)) {
    gdouble *times = g_new0 (gdouble, n_ops + 1);

    g_ptr_array_add (all, times);
    if (!backend->run_timed (context, times, error))
      return FALSE;
    for (guint i = 0; i < n_ops; i++)
      times[n_ops] += times[i];
    g_array_append_val (totals, times[n_ops]);
  }
  g_array_sort (totals, ascending);
  middle = g_array_index (totals, gdouble, totals->len / 2);
  for (guint i = 0; i < all->len; i++) {
    const gdouble *times = g_ptr_array_index (all, i);

    if (times[n_ops] == middle)
      memcpy (median, times, n_ops * sizeof *times);
  }
  g_print ("%s, %d threads: median %.2f ms, best %.2f ms of %u runs\n", backend->name, threads, middle / 1000,
      g_array_index (totals, gdouble, 0) / 1000, totals->len);
  return TRUE;
}

/* What it takes to run this, and what the process had at most. */
static void
print_memory (const UpiModel *model, const UpiPlan *plan)
{
  struct rusage usage = { 0 };

  getrusage (RUSAGE_SELF, &usage);
  g_print ("memory: weights %.0f MB, the plan and its values %.0f MB or more, this process at most %.0f MB\n",
      (gdouble) upi_model_bytes (model) / 1048576,
      (gdouble) MAX (upi_plan_least_bytes (plan->backend, plan->program), plan->program->arena_bytes) / 1048576,
      (gdouble) usage.ru_maxrss / 1024);
}

static gboolean
run_and_print (const UpiModel *model, UpiProgram *program, GError **error)
{
  const UpiBackend *backend = upi_backend_find (device != NULL ? device : "cpu", error);
  g_autoptr (UpiPlan) plan = NULL;
  g_autoptr (UpiContext) context = NULL;
  g_autoptr (GPtrArray) memory = g_ptr_array_new_with_free_func (free);
  g_autofree gdouble *median = NULL;
  g_autofree gchar *text = NULL;

  if (backend == NULL) {
    upi_program_free (program);
    return FALSE;
  }
  plan = upi_plan_new (backend, program, (guint) threads, error);
  context = plan != NULL ? upi_context_new (plan, error) : NULL;
  if (context == NULL)
    return FALSE;
  for (guint i = 0; i < program->values->len; i++) {
    const UpiValueInfo *info = upi_program_value (program, i);
    gsize bytes = upi_plan_bytes (plan, i);
    void *data = NULL;

    if (info->kind != UPI_VALUE_INPUT && !info->is_output)
      continue;
    if (posix_memalign (&data, UPI_ALIGNMENT, bytes) != 0) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MEMORY, "no %" G_GSIZE_FORMAT " bytes for \"%s\"", bytes, info->name);
      return FALSE;
    }
    g_ptr_array_add (memory, data);
    memset (data, 0, bytes);
    if (info->kind == UPI_VALUE_INPUT)
      fill_input (program, info, data);
    upi_context_bind (context, i, data);
  }
  median = g_new0 (gdouble, program->ops->len);
  if (!upi_context_run (context, error) || !measure (context, program->ops->len, median, error))
    return FALSE;
  print_memory (model, plan);
  text = upi_program_dump (program, median);
  g_print ("%s", text);
  return TRUE;
}

/* A model with random weights for the config in `file`; its directory is gone when this returns, since weights stay
 * mapped. */
static UpiModel *
open_random (const gchar *file, GError **error)
{
  g_autofree gchar *config = NULL, *directory = NULL;
  UpiModel *model = NULL;
  GDir *dir;
  const gchar *name;

  if (!g_file_get_contents (file, &config, NULL, error))
    return NULL;
  directory = g_dir_make_tmp ("upi-dump-XXXXXX", error);
  if (directory == NULL)
    return NULL;
  if (upi_model_write_random (directory, config, 1, error))
    model = upi_model_open (directory, error);
  dir = g_dir_open (directory, 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);

    g_unlink (path);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (directory);
  return model;
}

static UpiModel *
open_model (const gchar *name, GError **error)
{
  g_autofree gchar *path = NULL;

  if (is_config)
    return open_random (name, error);
  path = upi_model_find (name, error);
  return path != NULL ? upi_model_open (path, error) : NULL;
}

static gboolean
dump (const gchar *name, GError **error)
{
  g_autoptr (UpiModel) model = open_model (name, error);
  UpiProgram *program = model != NULL ? build (model, error) : NULL;
  g_autofree gchar *text = NULL;

  if (program == NULL)
    return FALSE;
  if (do_time)
    return run_and_print (model, program, error);
  if (upi_program_finish (program, error)) {
    text = upi_program_dump (program, NULL);
    g_print ("%s", text);
  }
  upi_program_free (program);
  return text != NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  GError *error = NULL;
  gboolean ok;

  setlocale (LC_ALL, "");
  g_option_context_set_summary (
      context, "Prints the operations that a model executes, and with --time what each costs.");
  g_option_context_add_main_entries (context, options, NULL);
  if (g_option_context_parse (context, &argc, &argv, &error)
      && (arguments == NULL || g_strv_length (arguments) != 1 || batch < 1 || threads < 1 || runs < 0
          || (do_text && do_caption)))
    g_set_error_literal (&error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "expected one MODEL (a name or a directory), counts above 0, at most one of --text and --caption; upi-dump "
        "--help lists the "
        "options");
  ok = error == NULL && dump (arguments[0], &error);
  if (!ok)
    g_printerr ("upi-dump: %s\n", error->message);
  g_clear_error (&error);
  g_strfreev (arguments);
  g_free (size_option);
  g_free (device);
  return ok ? 0 : 1;
}
