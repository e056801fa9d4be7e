/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static pictures: what a still frame costs, and what of the objects is found when still frames keep their encoding. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <string.h>

/* Best time of a worker for a frame that stays as it is, over that of one that is encoded. */
gboolean
bench_static (const Bench *bench, UpiEngine *engine)
{
  static const guint sizes[][2] = { { 1920, 1080 }, { 3840, 2160 } };

  for (guint s = 0; s < G_N_ELEMENTS (sizes); s++) {
    guint width = sizes[s][0], height = sizes[s][1];
    g_autofree guint8 *data = g_malloc ((gsize) width * height * 3 / 2);
    UpiImage image = { .size = sizeof image,
      .format = UPI_PIXELS_NV12,
      .width = width,
      .height = height,
      .planes = { data, data + (gsize) width * height },
      .strides = { width, width } };
    g_autoptr (UpiStream) stream = upi_stream_new (engine);
    g_autoptr (GArray) still = g_array_new (FALSE, FALSE, sizeof (gdouble)),
                       encoded = g_array_new (FALSE, FALSE, sizeof (gdouble));

    for (gsize i = 0; i < (gsize) width * height * 3 / 2; i++)
      data[i] = (guint8) (64 + i % width * 128 / width);
    for (guint frame = 0; frame < 2 * bench->frames; frame++) {
      g_autoptr (GError) error = NULL;
      guint64 convert_us = 0, infer_us = 0;

      upi_stream_set_static (stream, frame % 2 ? 1 : 1e-9f, frame % 2 ? G_MAXUINT64 : 0);
      g_autoptr (UpiTicket) ticket =
          upi_stream_encode (stream, &image, bench->width, bench->height, frame, FALSE, NULL, NULL, &error);
      if (ticket == NULL || !upi_ticket_wait (ticket, &error)) {
        g_printerr ("%s\n", error->message);
        return FALSE;
      }
      upi_ticket_get_times (ticket, &convert_us, &infer_us);
      gdouble time = (gdouble) (convert_us + infer_us);
      g_array_append_val (upi_ticket_is_static (ticket) ? still : encoded, time);
    }
    if (still->len == 0 || encoded->len == 0)
      return FALSE;
    BenchTimes a = bench_times (still), b = bench_times (encoded);
    g_autofree gchar *name = g_strdup_printf ("a still frame, %u×%u NV12", width, height);
    bench_line (name, "%.2f ms (median %.2f): %.1f %% of an encoding%s", a.best * 1e-3, a.median * 1e-3,
        100 * a.best / b.best, s == 0 ? " (to reach: 10)" : "");
  }
  return TRUE;
}

#ifdef UPI_BENCH_GST

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

/* What was found in each frame: of GArray of GstUpiObject, labels interned. */
typedef struct {
  GPtrArray *frames;
  guint64 encoded, still;
} Found;

static GstPadProbeReturn
keep_objects (GstPad *pad, GstPadProbeInfo *info, gpointer found)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (GST_PAD_PROBE_INFO_BUFFER (info));
  GArray *kept = g_array_new (FALSE, FALSE, sizeof (GstUpiObject));
  guint n = 0;
  const GstUpiObject *objects = gst_upi_content_get_objects (gst_upi_meta_get_content (meta), &n);

  for (guint i = 0; i < n; i++) {
    GstUpiObject object = objects[i];
    object.label = g_intern_string (object.label);
    object.mask = NULL;
    g_array_append_val (kept, object);
  }
  g_ptr_array_add (((Found *) found)->frames, kept);
  return GST_PAD_PROBE_OK;
}

static gboolean
find_all (const Bench *bench, const gchar *clip, gdouble threshold, Found *found)
{
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];
  g_autofree gchar *text = g_strdup_printf ("filesrc location=\"%s\" ! decodebin ! video/x-raw ! upiencoder name=e "
                                            "model=\"%s\" device=cpu policy=block input-size=%ux%u "
                                            "static-threshold=%s ! upidetect masks=false ! fakesink name=s sync=false",
      clip, bench->model, bench->width, bench->height, g_ascii_formatd (number, sizeof number, "%g", threshold));
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (text, &error);

  if (error != NULL) {
    g_printerr ("%s\n", error->message);
    return FALSE;
  }
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "s"),
                         encoder = gst_bin_get_by_name (GST_BIN (pipeline), "e");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  found->frames = g_ptr_array_new_with_free_func ((GDestroyNotify) g_array_unref);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, keep_objects, found, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gboolean ok = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  if (!ok) {
    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s: %s\n", clip, error->message);
  }
  g_autoptr (GstStructure) stats = NULL;
  g_object_get (encoder, "stats", &stats, NULL);
  gst_structure_get (stats, "encoded", G_TYPE_UINT64, &found->encoded, "static", G_TYPE_UINT64, &found->still, NULL);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return ok;
}

static gdouble
overlap (const GstUpiObject *a, const GstUpiObject *b)
{
  gdouble width = MIN (a->x + a->width, b->x + b->width) - MAX (a->x, b->x);
  gdouble height = MIN (a->y + a->height, b->y + b->height) - MAX (a->y, b->y);
  gdouble both = width > 0 && height > 0 ? width * height : 0;

  return both > 0 ? both / (a->width * a->height + b->width * b->height - both) : 0;
}

/* Of the objects that @all has, the share that @some has too, in the same frame, under the same label. */
static gdouble
recall (const Found *all, const Found *some)
{
  guint n = 0, hits = 0;

  for (guint f = 0; f < all->frames->len && f < some->frames->len; f++) {
    const GArray *a = all->frames->pdata[f], *b = some->frames->pdata[f];
    for (guint i = 0; i < a->len; i++) {
      const GstUpiObject *object = &g_array_index (a, GstUpiObject, i);
      gboolean hit = FALSE;
      for (guint j = 0; j < b->len && !hit; j++) {
        const GstUpiObject *other = &g_array_index (b, GstUpiObject, j);
        hit = object->label == other->label && overlap (object, other) >= 0.5;
      }
      n++;
      hits += hit;
    }
  }
  return n > 0 ? (gdouble) hits / n : 1;
}

#define VTEST "/usr/share/doc/opencv-doc/examples/data/vtest.avi" /* pedestrians in a yard */

gboolean
bench_static_clip (const Bench *bench, const gchar *clip, gdouble threshold)
{
  static const gdouble thresholds[] = { 0.005, 0.01, 0.02, 0.03, 0.05 };
  const guint n = threshold > 0 ? 1 : G_N_ELEMENTS (thresholds);
  Found all = { NULL };

  if (g_str_equal (clip, "vtest.avi") && !g_file_test (clip, G_FILE_TEST_EXISTS))
    clip = VTEST;
  if (!g_file_test (clip, G_FILE_TEST_EXISTS)) {
    g_printerr ("--static %s: there is no such file%s\n", clip,
        g_str_equal (clip, VTEST) ? ": it comes with Debian's package opencv-doc (96 MB)" : "");
    return FALSE;
  }
  g_autofree gchar *name = g_path_get_basename (clip);
  g_setenv ("GST_PLUGIN_PATH", UPI_PLUGIN_DIR, TRUE);
  gst_init (NULL, NULL);
  gboolean ok = find_all (bench, clip, 0, &all);
  for (guint i = 0; i < n && ok; i++) {
    const gdouble chosen = threshold > 0 ? threshold : thresholds[i];
    Found some = { NULL };
    ok = find_all (bench, clip, chosen, &some);
    if (ok)
      g_print (
          "  %s, %u frames, static-threshold %.3f: %.1f %% of them encoded, recall of objects against encoding all "
          "%.2f %%\n",
          name, all.frames->len, chosen, 100. * (gdouble) some.encoded / (gdouble) (some.encoded + some.still),
          100 * recall (&all, &some));
    fflush (stdout);
    g_clear_pointer (&some.frames, g_ptr_array_unref);
  }
  g_clear_pointer (&all.frames, g_ptr_array_unref);
  return ok;
}

#else

gboolean
bench_static_clip (const Bench *bench, const gchar *clip, gdouble threshold)
{
  g_printerr ("--static needs the GStreamer plugin\n");
  return FALSE;
}

#endif
