/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-rules-draw.c: a picture of the rules of upirules on a frame of a clip, since people draw zones by looking. */
#include <cairo.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <string.h>

#include "gst/rules/rules.h"
#include "tools/rules-picture.h"

#define TIMEOUT (30 * GST_SECOND)

static gdouble at;
static gchar **files;

static const GOptionEntry options[] = {
  { "at", 'a', 0, G_OPTION_ARG_DOUBLE, &at, "Which frame: so many seconds into the clip (default: 0)", "SECONDS" },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, "RULES CLIP [OUT.png]" },
  { NULL, 0, 0, 0, NULL, NULL, NULL },
};

/* The pipeline's error, or that it takes for ever. */
static void
set_pipeline_error (GstElement *pipeline, const gchar *clip, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) reason = NULL;

  if (message != NULL)
    gst_message_parse_error (message, &reason, NULL);
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
      "%s: no frame of it can be decoded (%s), expected a clip or a picture", clip,
      reason != NULL ? reason->message : "nothing came for 30 seconds");
}

/* (transfer full) (nullable) */
static GstSample *
read_frame (const gchar *clip, GError **error)
{
  g_autoptr (GstElement) pipeline =
      gst_parse_launch ("filesrc name=file ! decodebin ! videoconvert ! videoscale ! "
                        "video/x-raw,format=BGRx,pixel-aspect-ratio=1/1 ! fakesink name=sink sync=false",
          error);
  GstSample *sample = NULL;

  if (pipeline == NULL)
    return NULL;
  gst_object_ref_sink (pipeline);
  g_autoptr (GstElement) file = gst_bin_get_by_name (GST_BIN (pipeline), "file");
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (file, "location", clip, NULL);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gboolean good = gst_element_get_state (pipeline, NULL, NULL, TIMEOUT) == GST_STATE_CHANGE_SUCCESS;
  if (good && at > 0)
    good = gst_element_seek_simple (pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
               (gint64) (at * (gdouble) GST_SECOND))
        && gst_element_get_state (pipeline, NULL, NULL, TIMEOUT) == GST_STATE_CHANGE_SUCCESS;
  if (good)
    g_object_get (sink, "last-sample", &sample, NULL);
  if (sample == NULL)
    set_pipeline_error (pipeline, clip, error);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return sample;
}

/* (transfer full) (nullable) */
static cairo_surface_t *
make_surface (GstSample *sample)
{
  GstVideoInfo info;
  GstVideoFrame frame;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (&frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return NULL;
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, info.width, info.height);
  if (cairo_surface_status (surface) == CAIRO_STATUS_SUCCESS) {
    guint8 *rows = cairo_image_surface_get_data (surface);
    for (gint y = 0; y < info.height; y++)
      memcpy (rows + (gsize) y * (gsize) cairo_image_surface_get_stride (surface),
          (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&frame, 0) + (gssize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0),
          (gsize) info.width * 4);
    cairo_surface_mark_dirty (surface);
  } else {
    g_clear_pointer (&surface, cairo_surface_destroy);
  }
  gst_video_frame_unmap (&frame);
  return surface;
}

static gboolean
draw (const gchar *rules_path, const gchar *clip, const gchar *out, GError **error)
{
  g_autoptr (Rules) rules = rules_load (rules_path, NULL, error);
  GstSample *sample = rules != NULL ? read_frame (clip, error) : NULL;
  cairo_surface_t *surface = sample != NULL ? make_surface (sample) : NULL;
  cairo_status_t status = CAIRO_STATUS_SUCCESS;

  g_clear_pointer (&sample, gst_sample_unref);
  if (surface == NULL) {
    if (error != NULL && *error == NULL)
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: its frames are too large for a picture", clip);
    return FALSE;
  }
  rules_picture_draw (surface, rules);
  status = cairo_surface_write_to_png (surface, out);
  cairo_surface_destroy (surface);
  if (status != CAIRO_STATUS_SUCCESS)
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: the picture cannot be written: %s", out,
        cairo_status_to_string (status));
  return status == CAIRO_STATUS_SUCCESS;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context,
      "Draws the rules of upirules on a frame of a clip or a picture.\n"
      "Corners are numbered as in the file; arrows of lines point forward, as \"direction\" counts them.");
  g_option_context_set_description (context, "OUT.png: rules.png unless it is given.");
  g_option_context_add_main_entries (context, options, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("upi-rules-draw: %s\n", error->message);
    return 2;
  }
  guint n = files != NULL ? g_strv_length (files) : 0;
  if (n < 2 || n > 3) {
    g_autofree gchar *help = g_option_context_get_help (context, TRUE, NULL);
    g_printerr ("upi-rules-draw: found %u file names, expected RULES, CLIP and perhaps OUT.png\n\n%s", n, help);
    return 2;
  }
  const gchar *out = n == 3 ? files[2] : "rules.png";
  if (!draw (files[0], files[1], out, &error)) {
    g_printerr ("upi-rules-draw: %s\n", error->message);
    return 1;
  }
  g_print ("%s\n", out);
  g_strfreev (files);
  return 0;
}
