/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GStreamer pipelines at 1080p: what the elements add to the engine's work, and what the overlay costs. */
#include "tests/bench/bench.h"

#ifdef UPI_BENCH_GST

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

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
  g_autofree gchar *text = g_strdup_printf (
      "videotestsrc pattern=smpte num-buffers=%u ! video/x-raw,format=%s,width=1920,height=1080,"
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

/* Mean time between buffers that leave, against the mean time a worker spent on them. A first pipeline stays open: the
 * second finds engine and plan made, which would count as time of a worker otherwise. */
static gboolean
bench_overhead (Bench *bench)
{
  GstElement *first = launch (bench, "NV12", "fakesink sync=false"),
             *pipeline = launch (bench, "NV12", "fakesink name=s sync=false");
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
  gst_structure_get (
      stats, "encode-time-mean", G_TYPE_UINT64, &encode, "convert-time-mean", G_TYPE_UINT64, &convert, NULL);
  period = (gdouble) (g_array_index (tap.times, gint64, tap.times->len - 1) - g_array_index (tap.times, gint64, 0))
      / (tap.times->len - 1);
  bench_line ("1080p pipeline, one worker", "%.2f ms a frame: conversion %.2f, inference %.2f", period * 1e-3,
      (gdouble) convert * 1e-6, (gdouble) (encode - convert) * 1e-6);
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

/* Before the overlay, outside of what is measured: every object has moved on, and two rules stand where they always
 * do. */
static GstPadProbeReturn
on_track (GstPad *pad, GstPadProbeInfo *probe, gpointer user_data)
{
  static const GstUpiPoint corners[] = { { 0.2f, 0.3f }, { 0.8f, 0.3f }, { 0.9f, 0.9f }, { 0.1f, 0.9f } };
  const GstUpiRule rules[] = {
    { .name = "yard", .kind = GST_UPI_RULE_ZONE, .points = corners, .n_points = 4, .count = 2 },
    { .name = "door", .kind = GST_UPI_RULE_LINE, .points = corners, .n_points = 2, .total_in = 7 }
  };
  guint *frame = user_data, n;
  GstBuffer *buffer = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (probe));
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  GST_PAD_PROBE_INFO_DATA (probe) = buffer;
  if (meta == NULL)
    return GST_PAD_PROBE_OK;
  const GstUpiObject *found = gst_upi_content_get_objects (meta->content, &n);
  g_autofree GstUpiObject *objects = g_new0 (GstUpiObject, n);
  for (guint i = 0; i < n; i++) {
    objects[i] = found[i];
    objects[i].track_id = i + 1;
    objects[i].x = CLAMP (objects[i].x + 0.02f * (gfloat) (*frame % 32) - 0.3f, 0, 1 - objects[i].width);
  }
  (*frame)++;
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GstUpiContent) tracked = gst_upi_content_add_objects (empty, objects, n);
  g_autoptr (GstUpiContent) ruled = gst_upi_content_add_rules (tracked, rules, G_N_ELEMENTS (rules));
  gst_upi_meta_set_content (meta, ruled);
  return GST_PAD_PROBE_OK;
}

/* From a buffer's arrival at the overlay to its leaving, with many objects, boxes, labels and masks; then with ids,
 * trails and rules besides, and with objects to hide. */
static gboolean
bench_overlay (Bench *bench, const gchar *format, const gchar *properties, const gchar *what)
{
  g_autofree gchar *name = g_strdup_printf ("overlay at 1080p, %s", format);
  g_autofree gchar *behind =
      g_strdup_printf ("upidetect labels=\"person,car,dog\" threshold=0.0 max-objects=20 iou-threshold=0.5 "
                       "! upioverlay name=o %s ! fakesink sync=false",
          properties);
  GstElement *pipeline = launch (bench, format, behind);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gdouble));
  Tap in, out;
  BenchTimes t;
  guint frame = 0;

  if (pipeline == NULL)
    return TRUE;
  if (properties[0] != '\0') {
    GstElement *overlay = gst_bin_get_by_name (GST_BIN (pipeline), "o");
    GstPad *pad = gst_element_get_static_pad (overlay, "sink");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_track, &frame, NULL);
    gst_object_unref (pad);
    gst_object_unref (overlay);
  }
  tap_init (&in, pipeline, "o", "sink");
  tap_init (&out, pipeline, "o", "src");
  if (!play (pipeline))
    return FALSE;
  for (guint i = 5; i < MIN (in.times->len, out.times->len); i++) {
    gdouble time = (gdouble) (g_array_index (out.times, gint64, i) - g_array_index (in.times, gint64, i));

    g_array_append_val (times, time);
  }
  t = bench_times (times);
  bench_line (name, "%.2f ms (median %.2f), 20 objects with masks%s", t.best * 1e-3, t.median * 1e-3, what);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_array_unref (in.times);
  g_array_unref (out.times);
  return TRUE;
}

static gboolean
bench_overlay_all (Bench *bench, const gchar *format)
{
  return bench_overlay (bench, format, "", "")
      && bench_overlay (
          bench, format, "draw-trails=true color-by=track", ", ids, trails, rules (to reach: a fifth more)")
      && bench_overlay (bench, format, "blur-labels=person,car,dog", ", ids, rules, all pixelated");
}

gboolean
bench_pipeline (Bench *bench)
{
  gst_init (NULL, NULL);
  gst_registry_scan_path (gst_registry_get (), UPI_PLUGIN_DIR);
  return bench_overhead (bench) && bench_overlay_all (bench, "NV12") && bench_overlay_all (bench, "BGRx")
      && bench_overlay (bench, "I420_10LE", "", "");
}

#else

gboolean
bench_pipeline (Bench *bench)
{
  bench_line ("pipelines", "skipped: built without GStreamer");
  return TRUE;
}

#endif
