/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GStreamer pipelines at 1080p: what the elements add to the engine's work, and what the overlay costs. */
#include "tests/bench/bench.h"

#ifdef UPI_BENCH_GST

#include <gst/gst.h>

/* Times of buffers at a pad. */
typedef struct {
  GArray *times;
} Tap;

static GstPadProbeReturn
tap_buffer (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  gint64 now = g_get_monotonic_time ();

  g_array_append_val (((Tap *) data)->times, now);
  return GST_PAD_PROBE_OK;
}

static void
tap_init (Tap *tap, GstElement *pipeline, const gchar *element, const gchar *pad_name)
{
  g_autoptr (GstElement) found = gst_bin_get_by_name (GST_BIN (pipeline), element);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (found, pad_name);

  tap->times = g_array_new (FALSE, FALSE, sizeof (gint64));
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, tap_buffer, tap, NULL);
}

static gboolean
play (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gboolean ok;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ok = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  if (!ok) {
    GError *error = NULL;

    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s\n", error->message);
    g_error_free (error);
  }
  gst_message_unref (message);
  return ok;
}

static GstElement *
launch (const Bench *bench, const gchar *format, const gchar *behind)
{
  g_autofree gchar *text =
      g_strdup_printf ("videotestsrc pattern=smpte num-buffers=%u ! video/x-raw,format=%s,width=1920,height=1080,"
                       "framerate=30/1 ! upiencoder name=e device=cpu threads=1 policy=block model=\"%s\" input-size=%ux%u ! %s",
          bench->frames + 5, format, bench->model, bench->width, bench->height, behind);
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);

  if (error != NULL) {
    bench_line ("pipeline", "skipped: %s", error->message);
    g_clear_error (&error);
    gst_clear_object (&pipeline);
  }
  return pipeline;
}

/* Mean time between buffers that leave, against the mean time a worker spent on them. A first pipeline stays open: the second finds engine
 * and plan made, which would count as time of a worker otherwise. */
static gboolean
bench_overhead (Bench *bench)
{
  GstElement *first = launch (bench, "NV12", "fakesink sync=false"), *pipeline = launch (bench, "NV12", "fakesink name=s sync=false");
  GstElement *encoder;
  GstStructure *stats = NULL;
  guint64 encode = 0, convert = 0;
  gdouble period;
  Tap tap;

  if (first == NULL || pipeline == NULL)
    return TRUE;
  tap_init (&tap, pipeline, "s", "sink");
  if (!play (first) || !play (pipeline))
    return FALSE;
  encoder = gst_bin_get_by_name (GST_BIN (pipeline), "e");
  g_object_get (encoder, "stats", &stats, NULL);
  gst_structure_get (stats, "encode-time-mean", G_TYPE_UINT64, &encode, "convert-time-mean", G_TYPE_UINT64, &convert, NULL);
  period = (gdouble) (g_array_index (tap.times, gint64, tap.times->len - 1) - g_array_index (tap.times, gint64, 0)) / (tap.times->len - 1);
  bench_line ("1080p pipeline, one worker", "%.2f ms a frame: conversion %.2f, inference %.2f", period * 1e-3, (gdouble) convert * 1e-6,
      (gdouble) (encode - convert) * 1e-6);
  bench_line ("plugin's own share", "%.1f %% (to reach: 3)", 100 * (period - (gdouble) encode * 1e-3) / period);
  gst_structure_free (stats);
  gst_object_unref (encoder);
  gst_element_set_state (first, GST_STATE_NULL);
  gst_object_unref (first);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_array_unref (tap.times);
  return TRUE;
}

/* From a buffer's arrival at the overlay to its leaving, with many objects, boxes, labels and masks. */
static gboolean
bench_overlay (Bench *bench, const gchar *format)
{
  g_autofree gchar *name = g_strdup_printf ("overlay at 1080p, %s", format);
  GstElement *pipeline = launch (bench, format,
      "upidetect labels=\"person,car,dog\" threshold=0.0 max-objects=20 iou-threshold=0.5 "
      "! upioverlay name=o ! fakesink sync=false");
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gdouble));
  Tap in, out;
  BenchTimes t;

  if (pipeline == NULL)
    return TRUE;
  tap_init (&in, pipeline, "o", "sink");
  tap_init (&out, pipeline, "o", "src");
  if (!play (pipeline))
    return FALSE;
  for (guint i = 5; i < MIN (in.times->len, out.times->len); i++) {
    gdouble time = (gdouble) (g_array_index (out.times, gint64, i) - g_array_index (in.times, gint64, i));

    g_array_append_val (times, time);
  }
  t = bench_times (times);
  bench_line (name, "%.2f ms (median %.2f), 20 objects with masks", t.best * 1e-3, t.median * 1e-3);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_array_unref (in.times);
  g_array_unref (out.times);
  return TRUE;
}

gboolean
bench_pipeline (Bench *bench)
{
  gst_init (NULL, NULL);
  gst_registry_scan_path (gst_registry_get (), UPI_PLUGIN_DIR);
  return bench_overhead (bench) && bench_overlay (bench, "NV12") && bench_overlay (bench, "BGRx");
}

#else

gboolean
bench_pipeline (Bench *bench)
{
  bench_line ("pipelines", "skipped: built without GStreamer");
  return TRUE;
}

#endif
