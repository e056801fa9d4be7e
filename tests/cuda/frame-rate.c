/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * frame-rate [--device cuda:f16,...] [--batch N,...] [--seconds S] [--frames N] [--random CONFIG | MODEL]: frames a
 * second of an engine that always has enough to do, 1080p frames in NV12 from the host's memory as upiencoder sends
 * them. A line for each device and batch; one that fails does not keep the others from being measured.
 *
 * Frames are taken back by the callback of their tickets; those that were under way while the rest was still warming up
 * do not count. */
#include "core/model/model.h"
#include "core/upi.h"

#include <glib/gstdio.h>
#include <locale.h>

enum { FRAME_WIDTH = 1920, FRAME_HEIGHT = 1080 };

static gchar *devices, *batches, *random_config, **arguments;
static gint frames = G_MAXINT;
static gdouble seconds = 2;

static const GOptionEntry options[] = { { "device", 0, 0, G_OPTION_ARG_STRING, &devices,
                                            "cuda (default), cuda:f16, cpu", "NAME,..." },
  { "batch", 0, 0, G_OPTION_ARG_STRING, &batches, "Frames a run (1)", "N,..." },
  { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "How long frames are counted (2)", "S" },
  { "frames", 0, 0, G_OPTION_ARG_INT, &frames, "At most so many of them", "N" },
  { "random", 0, 0, G_OPTION_ARG_FILENAME, &random_config,
      "A network without weights: random ones for this config.json", "CONFIG" },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments, NULL, "[MODEL]" }, { NULL } };

typedef struct {
  GMutex lock;
  GCond returned;
  guint under_way, done;
  GError *error; /* the first one */
} Flow;

static void
frame_done (UpiTicket *ticket, gpointer user_data)
{
  Flow *flow = user_data;
  GError *error = NULL;

  upi_ticket_wait (ticket, &error); /* within the callback: not at all */
  g_mutex_lock (&flow->lock);
  flow->under_way--;
  flow->done++;
  if (flow->error == NULL)
    flow->error = g_steal_pointer (&error);
  g_cond_signal (&flow->returned);
  g_mutex_unlock (&flow->lock);
  g_clear_error (&error);
}

/* Keeps `depth` frames under way until `count` are done, or the time is over, and waits for the last. Returns what was
 * done. */
static guint
flow_run (Flow *flow, UpiEngine *engine, const UpiImage *image, guint depth, guint count, gint64 microseconds)
{
  gint64 end = g_get_monotonic_time () + microseconds;
  guint sent = 0;

  flow->done = 0;
  g_mutex_lock (&flow->lock);
  while (sent < count && flow->error == NULL && g_get_monotonic_time () < end) {
    UpiTicket *ticket;
    GError *error = NULL;

    if (flow->under_way == depth) {
      g_cond_wait (&flow->returned, &flow->lock);
      continue;
    }
    flow->under_way++;
    g_mutex_unlock (&flow->lock);
    ticket = upi_engine_encode (engine, image, 0, 0, sent++, frame_done, flow, &error);
    g_mutex_lock (&flow->lock);
    if (ticket != NULL)
      upi_ticket_unref (ticket);
    else
      flow->under_way--;
    if (flow->error == NULL)
      flow->error = g_steal_pointer (&error);
    g_clear_error (&error);
  }
  while (flow->under_way > 0)
    g_cond_wait (&flow->returned, &flow->lock);
  g_mutex_unlock (&flow->lock);
  return flow->done;
}

static gboolean
measure (const gchar *model, const gchar *device, guint batch, GError **error)
{
  const UpiEngineOptions wanted = {
    .size = sizeof (UpiEngineOptions), .model = model, .device = device, .batch_size = batch
  };
  g_autofree guint8 *data = g_malloc (FRAME_WIDTH * FRAME_HEIGHT * 3 / 2);
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_NV12,
    .width = FRAME_WIDTH,
    .height = FRAME_HEIGHT,
    .kr = 0.2126f,
    .kb = 0.0722f,
    .planes = { data, data + FRAME_WIDTH * FRAME_HEIGHT },
    .strides = { FRAME_WIDTH, FRAME_WIDTH } };
  g_autoptr (UpiEngine) engine = NULL;
  const UpiEngineInfo *info;
  Flow flow = { .done = 0 };
  guint depth, done;
  gint64 start;

  for (guint i = 0; i < FRAME_WIDTH * FRAME_HEIGHT * 3 / 2; i++)
    data[i] = (guint8) ((i % FRAME_WIDTH * 3 + i / FRAME_WIDTH * 5) / 16);
  engine = upi_engine_open (&wanted, NULL, error);
  if (engine == NULL)
    return FALSE;
  g_mutex_init (&flow.lock);
  g_cond_init (&flow.returned);
  info = upi_engine_info (engine);
  depth = 2 * info->workers * info->batch_size;
  flow_run (&flow, engine, &image, depth, MIN ((guint) frames, 2 * depth), 60 * G_USEC_PER_SEC);
  start = g_get_monotonic_time ();
  done = flow_run (&flow, engine, &image, depth, (guint) frames, (gint64) (seconds * G_USEC_PER_SEC));
  g_cond_clear (&flow.returned);
  g_mutex_clear (&flow.lock);
  if (flow.error != NULL) {
    g_propagate_error (error, flow.error);
    return FALSE;
  }
  g_print ("%s on %s (%s), %ux%u, batch %u, %u workers: %.1f frames/s\n", info->model_name, info->device,
      info->device_name, info->sizes[0][0], info->sizes[0][1], info->batch_size, info->workers,
      (gdouble) done * G_USEC_PER_SEC / (gdouble) MAX (g_get_monotonic_time () - start, 1));
  return TRUE;
}

static gboolean
measure_all (const gchar *model)
{
  g_auto (GStrv) device_list = g_strsplit (devices != NULL ? devices : "cuda", ",", -1);
  g_auto (GStrv) batch_list = g_strsplit (batches != NULL ? batches : "1", ",", -1);
  gboolean ok = TRUE;

  for (guint d = 0; device_list[d] != NULL; d++) {
    for (guint b = 0; batch_list[b] != NULL; b++) {
      g_autoptr (GError) error = NULL;
      guint64 batch = g_ascii_strtoull (batch_list[b], NULL, 10);

      if (batch < 1 || batch > G_MAXINT)
        g_set_error (&error, UPI_ERROR, UPI_ERROR_ARGUMENT, "expected a count of frames");
      if (error != NULL || !measure (model, device_list[d], (guint) batch, &error)) {
        g_printerr ("frame-rate: %s, batch %s: %s\n", device_list[d], batch_list[b], error->message);
        ok = FALSE;
      }
    }
  }
  return ok;
}

static void
remove_random (const gchar *directory)
{
  GDir *dir = g_dir_open (directory, 0, NULL);
  const gchar *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (directory, name, NULL);

    g_unlink (path);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (directory);
}

/* A directory with random weights for the config in `file`. */
static gchar *
write_random (const gchar *file, GError **error)
{
  g_autofree gchar *config = NULL;
  gchar *directory = NULL;

  if (g_file_get_contents (file, &config, NULL, error))
    directory = g_dir_make_tmp ("upi-frame-rate-XXXXXX", error);
  if (directory != NULL && !upi_model_write_random (directory, config, 1, error)) {
    remove_random (directory);
    g_clear_pointer (&directory, g_free);
  }
  return directory;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autofree gchar *directory = NULL;
  GError *error = NULL;
  gboolean ok;

  setlocale (LC_ALL, "");
  g_option_context_add_main_entries (context, options, NULL);
  ok = g_option_context_parse (context, &argc, &argv, &error);
  if (ok && (frames < 1 || seconds <= 0 || (arguments != NULL && (random_config != NULL || arguments[1] != NULL)))) {
    g_set_error_literal (
        &error, UPI_ERROR, UPI_ERROR_ARGUMENT, "expected one MODEL or --random CONFIG, counts and seconds above 0");
    ok = FALSE;
  }
  if (ok && random_config != NULL)
    ok = (directory = write_random (random_config, &error)) != NULL;
  if (ok)
    ok = measure_all (directory != NULL ? directory : arguments != NULL ? arguments[0] : "nano");
  if (directory != NULL)
    remove_random (directory);
  if (error != NULL)
    g_printerr ("frame-rate: %s\n", error->message);
  g_clear_error (&error);
  g_strfreev (arguments);
  g_free (devices);
  g_free (batches);
  g_free (random_config);
  return ok ? 0 : 1;
}
