/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many cameras on one engine: 1080p H.264 that comes in real time, decoded, encoded with policy "latest" and looked
 * through for objects; what each camera gets, how old its results are, and what of the processors and of the memory
 * that takes. */
#include "tests/bench/bench.h"

#ifdef UPI_BENCH_GST

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "gst/meta/gstupimeta.h"

#define MAX_STREAMS 64

typedef struct {
  GMutex lock;
  GArray *ages; /* guint64, of every frame that left with a result */
  guint frames;
} Camera;

typedef struct {
  gdouble seconds, processor; /* of the clock, of all processors */
  gdouble resident;           /* MB, in the middle of the run */
  guint frames;
  guint64 encoded[MAX_STREAMS];
} Run;

static GstPadProbeReturn
count_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Camera *camera = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  GstClockTime inferred =
      meta != NULL ? gst_upi_content_get_inference_pts (gst_upi_meta_get_content (meta)) : GST_CLOCK_TIME_NONE;

  g_mutex_lock (&camera->lock);
  camera->frames++;
  if (GST_CLOCK_TIME_IS_VALID (inferred) && GST_CLOCK_TIME_IS_VALID (GST_BUFFER_PTS (buffer))) {
    guint64 age = GST_BUFFER_PTS (buffer) - inferred;
    g_array_append_val (camera->ages, age);
  }
  g_mutex_unlock (&camera->lock);
  return GST_PAD_PROBE_OK;
}

static gdouble
resident_megabytes (void)
{
  g_autofree gchar *text = NULL;
  gulong pages = 0;

  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    pages = strtoul (strchr (text, ' '), NULL, 10);
  return (gdouble) pages * 4096 / 1e6;
}

static gdouble
processor_seconds (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (gdouble) usage.ru_utime.tv_sec + (gdouble) usage.ru_stime.tv_sec
      + 1e-6 * (gdouble) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static gboolean
wait_for_end (GstElement *pipeline, GstClockTime time)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, time, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gboolean ok = TRUE;

  if (message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    ok = FALSE;
  }
  g_clear_pointer (&message, gst_message_unref);
  return ok;
}

/* @analysis: "" for decoding alone. */
static gboolean
run (const gchar *clip, guint n, guint seconds, const gchar *analysis, Camera *cameras, Run *result)
{
  g_autoptr (GString) text = g_string_new (NULL);
  GError *error = NULL;

  for (guint i = 0; i < n; i++)
    g_string_append_printf (text,
        "filesrc location=\"%s\" ! matroskademux ! h264parse ! avdec_h264 max-threads=1 ! clocksync ! %s fakesink "
        "name=s%u sync=false "
        "async=false ",
        clip, analysis[0] != '\0' ? analysis : "", i);
  g_autoptr (GstElement) pipeline = gst_parse_launch (text->str, &error);
  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    g_clear_error (&error);
    return FALSE;
  }
  for (guint i = 0; i < n; i++) {
    g_autofree gchar *name = g_strdup_printf ("s%u", i);
    g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), name);
    g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, count_frame, &cameras[i], NULL);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND);
  gdouble processor = processor_seconds ();
  gint64 start = g_get_monotonic_time ();
  gboolean ok = wait_for_end (pipeline, seconds * GST_SECOND / 2);
  result->resident = resident_megabytes ();
  ok = ok && wait_for_end (pipeline, seconds * GST_SECOND / 2);
  result->seconds = (gdouble) (g_get_monotonic_time () - start) * 1e-6;
  result->processor = processor_seconds () - processor;
  GstIterator *elements = gst_bin_iterate_all_by_element_factory_name (GST_BIN (pipeline), "upiencoder");
  GValue item = G_VALUE_INIT;
  for (guint i = 0; i < n && analysis[0] != '\0' && gst_iterator_next (elements, &item) == GST_ITERATOR_OK; i++) {
    g_autoptr (GstStructure) stats = NULL;
    g_object_get (g_value_get_object (&item), "stats", &stats, NULL);
    gst_structure_get_uint64 (stats, "encoded", &result->encoded[i]);
    g_value_reset (&item);
  }
  if (G_IS_VALUE (&item))
    g_value_unset (&item);
  gst_iterator_free (elements);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  result->frames = 0;
  for (guint i = 0; i < n; i++)
    result->frames += cameras[i].frames;
  return ok;
}

static gint
ascending_times (gconstpointer a, gconstpointer b)
{
  const guint64 *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

static void
print_row (guint n, guint rate, const Run *decoding, const Run *all, Camera *cameras)
{
  g_autoptr (GArray) ages = g_array_new (FALSE, FALSE, sizeof (guint64));
  gdouble least = G_MAXDOUBLE, most = 0, sum = 0, least_rate = G_MAXDOUBLE, most_rate = 0;

  for (guint i = 0; i < n; i++) {
    gdouble own = 0, per_second = (gdouble) all->encoded[i] / all->seconds;
    for (guint k = 0; k < cameras[i].ages->len; k++)
      own += (gdouble) g_array_index (cameras[i].ages, guint64, k) / cameras[i].ages->len;
    least = MIN (least, own);
    most = MAX (most, own);
    sum += own / n;
    least_rate = MIN (least_rate, per_second);
    most_rate = MAX (most_rate, per_second);
    g_array_append_vals (ages, cameras[i].ages->data, cameras[i].ages->len);
  }
  g_array_sort (ages, ascending_times);
  guint64 p95 = ages->len > 0 ? g_array_index (ages, guint64, (guint) ((guint64) ages->len * 95 / 100)) : 0;
  g_print ("  %2u × %2u/s %8.1f frames/s %5.1f to %4.1f encodings/s a camera   age %4.0f ms (%.0f to %.0f), p95 %4.0f  "
           " decoding %3.0f %% "
           "of %3.0f %%   "
           "%5.1f MB a stream\n",
      n, rate, all->frames / all->seconds, least_rate, most_rate, sum * 1e-6, least * 1e-6, most * 1e-6,
      (gdouble) p95 * 1e-6, 100 * decoding->processor / decoding->seconds, 100 * all->processor / all->seconds,
      (all->resident - decoding->resident) / n);
  fflush (stdout);
}

static gboolean
bench_row (const Bench *bench, const gchar *clip, guint n, guint rate, guint seconds)
{
  Camera cameras[MAX_STREAMS];
  g_autofree gchar *analysis =
      g_strdup_printf ("upiencoder model=\"%s\" device=cpu policy=latest input-size=%ux%u ! upidetect !", bench->model,
          bench->width, bench->height);
  Run decoding = { 0 }, all = { 0 };
  gboolean ok = TRUE;

  for (guint part = 0; part < 2 && ok; part++) {
    for (guint i = 0; i < n; i++) {
      cameras[i] = (Camera){ .ages = g_array_new (FALSE, FALSE, sizeof (guint64)) };
      g_mutex_init (&cameras[i].lock);
    }
    ok = run (clip, n, seconds, part == 0 ? "" : analysis, cameras, part == 0 ? &decoding : &all);
    if (part == 1 && ok)
      print_row (n, rate, &decoding, &all, cameras);
    for (guint i = 0; i < n; i++) {
      g_array_unref (cameras[i].ages);
      g_mutex_clear (&cameras[i].lock);
    }
  }
  return ok;
}

/* A camera's H.264 at that rate, as long as the run. (transfer full) (nullable) */
static gchar *
make_clip (const gchar *folder, guint rate, guint seconds)
{
  g_autofree gchar *path = g_strdup_printf ("%s/camera-%u.mkv", folder, rate);
  g_autofree gchar *text = g_strdup_printf (
      "videotestsrc pattern=ball num-buffers=%u ! video/x-raw,format=I420,width=1920,height=1080,framerate=%u/1 ! "
      "x264enc speed-preset=ultrafast key-int-max=%u ! h264parse ! matroskamux ! filesink location=\"%s\"",
      rate * (seconds + 2), rate, 2 * rate, path);
  GError *error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (text, &error);

  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    g_clear_error (&error);
    return NULL;
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gboolean ok = wait_for_end (pipeline, GST_CLOCK_TIME_NONE);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return ok ? g_steal_pointer (&path) : NULL;
}

/* What all streams share is there before the first row, and stays: the model, and the memory of each worker. (transfer
 * full) (nullable) */
static GstElement *
open_engine (const Bench *bench)
{
  g_autofree gchar *text = g_strdup_printf (
      "videotestsrc num-buffers=16 ! video/x-raw,format=I420,width=1920,height=1080 ! "
      "upiencoder model=\"%s\" device=cpu policy=block input-size=%ux%u ! upidetect ! fakesink sync=false",
      bench->model, bench->width, bench->height);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);

  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    gst_clear_object (&pipeline);
    return NULL;
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_end (pipeline, GST_CLOCK_TIME_NONE);
  return pipeline;
}

gboolean
bench_streams (const Bench *bench, const gchar *numbers, guint seconds)
{
  static const guint rates[] = { 5, 15 };
  g_auto (GStrv) words = g_strsplit (numbers, ",", -1);
  g_autofree gchar *folder = g_dir_make_tmp ("upi-bench-XXXXXX", NULL);
  gboolean ok = folder != NULL;

  g_setenv ("GST_PLUGIN_PATH", UPI_PLUGIN_DIR, TRUE);
  gst_init (NULL, NULL);
  GstElement *shared = open_engine (bench);
  ok = ok && shared != NULL;
  g_print ("1080p H.264 in real time, %u s a row; processors: 100 %% is one\n", seconds);
  for (guint r = 0; ok && r < G_N_ELEMENTS (rates); r++) {
    g_autofree gchar *clip = make_clip (folder, rates[r], seconds);
    ok = clip != NULL;
    for (guint i = 0; ok && words[i] != NULL; i++) {
      guint n = (guint) g_ascii_strtoull (words[i], NULL, 10);
      if (n < 1 || n > MAX_STREAMS) {
        g_printerr ("--streams %s: expected numbers from 1 to %u\n", numbers, MAX_STREAMS);
        ok = FALSE;
      }
      ok = ok && bench_row (bench, clip, n, rates[r], seconds);
    }
    if (clip != NULL)
      g_remove (clip);
  }
  if (folder != NULL)
    g_rmdir (folder);
  if (shared != NULL)
    gst_element_set_state (shared, GST_STATE_NULL);
  gst_clear_object (&shared);
  return ok;
}

#else

gboolean
bench_streams (const Bench *bench, const gchar *numbers, guint seconds)
{
  g_printerr ("--streams needs the GStreamer plugin\n");
  return FALSE;
}

#endif
