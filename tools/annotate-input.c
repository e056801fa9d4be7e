/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inputs of upi-annotate: files, folders, COCO files; decoding through GStreamer. */
#include "annotate-input.h"

#include "core/json-border.h"

#include <gst/app/gstappsink.h>
#include <string.h>

static void
clear_file (gpointer data)
{
  g_free (((AnnotateFile *) data)->path);
}

static GArray *
new_list (void)
{
  GArray *files = g_array_new (FALSE, TRUE, sizeof (AnnotateFile));

  g_array_set_clear_func (files, clear_file);
  return files;
}

static gboolean
is_picture_or_clip (const gchar *path)
{
  g_autofree gchar *type = g_content_type_guess (path, NULL, 0, NULL);
  g_autofree gchar *mime = g_content_type_get_mime_type (type);

  return mime != NULL && (g_str_has_prefix (mime, "image/") || g_str_has_prefix (mime, "video/"));
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

static gboolean
add_input (GArray *files, const gchar *path, gboolean chosen, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;
  g_autoptr (GDir) folder = NULL;
  const gchar *name;

  if (!g_file_test (path, G_FILE_TEST_IS_DIR)) {
    AnnotateFile file = { g_strdup (path), -1 };

    if (chosen || is_picture_or_clip (path))
      g_array_append_val (files, file);
    else
      g_free (file.path);
    return TRUE;
  }
  folder = g_dir_open (path, 0, error);
  if (folder == NULL)
    return FALSE;
  names = g_ptr_array_new_with_free_func (g_free);
  while (((name = g_dir_read_name (folder)) != NULL))
    if (name[0] != '.')
      g_ptr_array_add (names, g_build_filename (path, name, NULL));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    if (!add_input (files, names->pdata[i], FALSE, error))
      return FALSE;
  return TRUE;
}

GArray *
annotate_list_inputs (gchar **inputs, GError **error)
{
  g_autoptr (GArray) files = new_list ();

  for (guint i = 0; inputs != NULL && inputs[i] != NULL; i++)
    if (!add_input (files, inputs[i], TRUE, error))
      return NULL;
  return g_steal_pointer (&files);
}

void
annotate_categories_clear (AnnotateCategories *categories)
{
  g_strfreev (categories->names);
  g_free (categories->ids);
  memset (categories, 0, sizeof *categories);
}

static const gchar *
string_of (JsonNode *node, const gchar *member)
{
  JsonNode *value = JSON_NODE_HOLDS_OBJECT (node) ? json_object_get_member (json_node_get_object (node), member) : NULL;

  return value != NULL && JSON_NODE_HOLDS_VALUE (value) ? json_node_get_string (value) : NULL;
}

static gboolean
id_of (JsonNode *node, gint64 *id)
{
  JsonNode *value = JSON_NODE_HOLDS_OBJECT (node) ? json_object_get_member (json_node_get_object (node), "id") : NULL;

  if (value == NULL || !JSON_NODE_HOLDS_VALUE (value) || json_node_get_value_type (value) != G_TYPE_INT64)
    return FALSE;
  *id = json_node_get_int (value);
  return TRUE;
}

static JsonArray *
array_of (JsonNode *root, const gchar *member)
{
  JsonNode *value = root != NULL && JSON_NODE_HOLDS_OBJECT (root)
      ? json_object_get_member (json_node_get_object (root), member)
      : NULL;

  return value != NULL && JSON_NODE_HOLDS_ARRAY (value) ? json_node_get_array (value) : NULL;
}

#define MAX_COCO_DEPTH 32 /* a polygon of an annotation is 5 deep; what else a file may hold is passed over */

GArray *
annotate_read_coco (const gchar *path, const gchar *root, AnnotateCategories *categories, GError **error)
{
  static const gchar lists[] = "an object with the lists \"images\" and \"categories\"";
  g_autoptr (JsonParser) parser = NULL;
  g_autoptr (GArray) files = new_list ();
  g_autofree gchar *text = NULL;
  JsonArray *images, *classes;
  gsize length;
  guint n;

  if (!g_file_get_contents (path, &text, &length, error)) {
    g_prefix_error (error, "%s: ", path);
    return NULL;
  }
  parser = upi_json_parse (text, length, MAX_COCO_DEPTH, path, lists, error);
  if (parser == NULL)
    return NULL;
  images = array_of (json_parser_get_root (parser), "images");
  classes = array_of (json_parser_get_root (parser), "categories");
  if (images == NULL || classes == NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s is not a COCO file: expected %s", path, lists);
    return NULL;
  }
  n = json_array_get_length (classes);
  categories->names = g_new0 (gchar *, n + 1);
  categories->ids = g_new0 (gint64, n);
  for (guint i = 0; i < n; i++) {
    const gchar *name = string_of (json_array_get_element (classes, i), "name");

    if (name == NULL || !id_of (json_array_get_element (classes, i), &categories->ids[i])) {
      g_set_error (
          error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s: category %u lacks a name or a whole number as id", path, i);
      return NULL;
    }
    categories->names[i] = g_strdup (name);
  }
  for (guint i = 0; i < json_array_get_length (images); i++) {
    const gchar *name = string_of (json_array_get_element (images, i), "file_name");
    AnnotateFile file;

    if (name == NULL || !id_of (json_array_get_element (images, i), &file.id)) {
      g_set_error (
          error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s: image %u lacks a file_name or a whole number as id", path, i);
      return NULL;
    }
    file.path = root != NULL ? g_build_filename (root, name, NULL) : g_strdup (name);
    g_array_append_val (files, file);
  }
  return g_steal_pointer (&files);
}

struct _AnnotateDecoder {
  gchar *path;
  GstElement *pipeline;
  GstAppSink *sink;
  GstBus *bus;
};

static gboolean
bus_error (AnnotateDecoder *decoder, GError **error)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (decoder->bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) cause = NULL;

  if (message == NULL)
    return FALSE;
  gst_message_parse_error (message, &cause, NULL);
  g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT, "%s could not be decoded: %s", decoder->path, cause->message);
  return TRUE;
}

AnnotateDecoder *
annotate_decoder_new (const gchar *path, GError **error)
{
  AnnotateDecoder *decoder;
  g_autofree gchar *uri = NULL;
  g_autoptr (GstElement) source = NULL;
  g_autofree gchar *absolute = g_canonicalize_filename (path, NULL);
  GstElement *pipeline;

  uri = gst_filename_to_uri (absolute, error);
  if (uri == NULL)
    return NULL;
  pipeline = gst_parse_launch ("uridecodebin name=source caps=video/x-raw(ANY) expose-all-streams=false ! videoconvert"
                               " ! video/x-raw,format=RGB ! appsink name=sink sync=false max-buffers=4",
      error);
  if (pipeline == NULL)
    return NULL;
  decoder = g_new0 (AnnotateDecoder, 1);
  decoder->path = g_strdup (path);
  decoder->pipeline = pipeline;
  decoder->sink = GST_APP_SINK (gst_bin_get_by_name (GST_BIN (pipeline), "sink"));
  decoder->bus = gst_element_get_bus (pipeline);
  source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  g_object_set (source, "uri", uri, NULL);
  if (gst_element_set_state (pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
    if (!bus_error (decoder, error))
      g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT, "%s could not be opened", path);
    annotate_decoder_free (decoder);
    return NULL;
  }
  return decoder;
}

void
annotate_decoder_free (AnnotateDecoder *decoder)
{
  gst_element_set_state (decoder->pipeline, GST_STATE_NULL);
  gst_object_unref (decoder->bus);
  gst_object_unref (decoder->sink);
  gst_object_unref (decoder->pipeline);
  g_free (decoder->path);
  g_free (decoder);
}

GstSample *
annotate_decoder_next (AnnotateDecoder *decoder, GError **error)
{
  /* An error of the pipeline does not end a pull: look at both. */
  for (;;) {
    GstSample *sample = gst_app_sink_try_pull_sample (decoder->sink, 50 * GST_MSECOND);

    if (sample != NULL || bus_error (decoder, error) || gst_app_sink_is_eos (decoder->sink))
      return sample;
  }
}

typedef struct {
  GstSample *sample;
  GstVideoFrame frame;
} MappedFrame;

static void
release_frame (gpointer data)
{
  MappedFrame *mapped = data;

  gst_video_frame_unmap (&mapped->frame);
  gst_sample_unref (mapped->sample);
  g_free (mapped);
}

gboolean
annotate_image (GstSample *sample, UpiImage *image, guint *display_width, guint *display_height, GError **error)
{
  MappedFrame *mapped = g_new0 (MappedFrame, 1);
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (&mapped->frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ)) {
    g_set_error_literal (error, UPI_ERROR, UPI_ERROR_INPUT, "a decoded frame could not be read");
    g_free (mapped);
    return FALSE;
  }
  mapped->sample = gst_sample_ref (sample);
  *image = (UpiImage){ .size = sizeof *image };
  image->format = UPI_PIXELS_RGB;
  image->width = info.width;
  image->height = info.height;
  image->planes[0] = GST_VIDEO_FRAME_PLANE_DATA (&mapped->frame, 0);
  image->strides[0] = GST_VIDEO_FRAME_PLANE_STRIDE (&mapped->frame, 0);
  image->release = release_frame;
  image->user_data = mapped;
  *display_width = (guint) gst_util_uint64_scale_int_round (info.width, MAX (info.par_n, 1), MAX (info.par_d, 1));
  *display_height = info.height;
  return TRUE;
}
