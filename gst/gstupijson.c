/* gstupijson.c: the element that writes what is known about each frame as one line of JSON. Frames pass unchanged. */
/**
 * SECTION:element-upijson
 * @title: upijson
 * @short_description: one JSON line a frame: time, objects, caption
 *
 * upijson writes one JSON object a line for every frame that passes:
 *
 * |[
 * {"frame":7,"pts":280000000,"inference_pts":280000000,"width":1280,"height":720,
 *  "objects":[{"label":"person","score":0.91,"box":[0.1,0.2,0.05,0.3],"mask":{"box":[0.1,0.2,0.05,0.3],"columns":5,"rows":17}}],
 *  "caption":"a person walks past a red car"}
 * ]|
 * (in one line). Times are nanoseconds or null, boxes are x, y, width, height in 0..1 of the frame, caption is the newest one or null.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upidetect ! upijson location=objects.jsonl ! fakesink
 * ]|
 * Every line is written when its frame passes, so that a file can be followed (`tail -f`) and a full disk is noticed at once.
 */
#include <errno.h>
#include <stdio.h>

#include <glib/gstdio.h>
#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include "gst/gstupimeta.h"
#include "gst/json-line.h"
#include "gst/plugin.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_json_debug);
#define GST_CAT_DEFAULT gst_upi_json_debug

#define GST_TYPE_UPI_JSON (gst_upi_json_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiJson, gst_upi_json, GST, UPI_JSON, GstBaseTransform)

struct _GstUpiJson {
  GstBaseTransform parent;
  gchar *location; /* object lock */
  gboolean opened; /* object lock */

  /* Streaming thread. */
  FILE *file;
  gchar *path; /* of @file, for messages */
  GString *line;
  guint64 n_frames;
  gint width, height;
};

enum { PROP_0, PROP_LOCATION };

#define ANY_VIDEO GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)
static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANY_VIDEO));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANY_VIDEO));

G_DEFINE_TYPE (GstUpiJson, gst_upi_json, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upijson, "upijson", GST_RANK_NONE, GST_TYPE_UPI_JSON,
    GST_DEBUG_CATEGORY_INIT (gst_upi_json_debug, "upijson", 0, "writes results as JSON lines"))

static void
post_write_error (GstUpiJson *self, gint error)
{
  if (error == ENOSPC)
    GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
        ("No space is left for \"%s\" after %" G_GUINT64_FORMAT " frames: free some, or set another \"location\".", self->path,
            self->n_frames),
        ("%s", g_strerror (error)));
  else
    GST_ELEMENT_ERROR (self, RESOURCE, WRITE,
        ("\"%s\" cannot be written after %" G_GUINT64_FORMAT " frames: %s.", self->path, self->n_frames, g_strerror (error)),
        ("property location"));
}

static GstFlowReturn
gst_upi_json_transform_ip (GstBaseTransform *trans, GstBuffer *buffer)
{
  GstUpiJson *self = GST_UPI_JSON (trans);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  if (meta == NULL && self->n_frames == 0) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
        ("The frames that reach upijson were not encoded: put upiencoder before it, with nothing between that cuts the frame (videocrop)."),
        ("the first buffer has no GstUpiMeta"));
    return GST_FLOW_ERROR;
  }
  g_autoptr (GstUpiContent) empty = meta == NULL ? gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE) : NULL;
  const GstUpiJsonFrame frame = { .number = self->n_frames, .pts = GST_BUFFER_PTS (buffer), .width = self->width, .height = self->height };
  gst_upi_json_line (self->line, &frame, meta != NULL ? gst_upi_meta_get_content (meta) : empty);
  if (fwrite (self->line->str, 1, self->line->len, self->file) != self->line->len || fflush (self->file) != 0) {
    post_write_error (self, errno);
    return GST_FLOW_ERROR;
  }
  self->n_frames++;
  return GST_FLOW_OK;
}

static gboolean
gst_upi_json_set_caps (GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  GstUpiJson *self = GST_UPI_JSON (trans);
  const GstStructure *structure = gst_caps_get_structure (in, 0);

  return gst_structure_get_int (structure, "width", &self->width) && gst_structure_get_int (structure, "height", &self->height);
}

static gboolean
gst_upi_json_start (GstBaseTransform *trans)
{
  GstUpiJson *self = GST_UPI_JSON (trans);

  GST_OBJECT_LOCK (self);
  self->path = g_strdup (self->location);
  self->opened = TRUE;
  GST_OBJECT_UNLOCK (self);
  self->n_frames = 0;
  if (self->path == NULL || *self->path == '\0') {
    GST_ELEMENT_ERROR (
        self, RESOURCE, NOT_FOUND, ("Property \"location\" is empty: set the path of a file, or \"-\" for standard output."), (NULL));
  } else if (g_str_equal (self->path, "-")) {
    self->file = stdout;
  } else {
    self->file = g_fopen (self->path, "w");
    if (self->file == NULL)
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("\"%s\" cannot be opened for writing: %s. Set \"location\" to a file in a directory that exists and may be written, or to "
           "\"-\".",
              self->path, g_strerror (errno)),
          ("property location"));
  }
  if (self->file == NULL) {
    GST_OBJECT_LOCK (self);
    self->opened = FALSE;
    GST_OBJECT_UNLOCK (self);
    g_clear_pointer (&self->path, g_free);
    return FALSE;
  }
  return TRUE;
}

static gboolean
gst_upi_json_stop (GstBaseTransform *trans)
{
  GstUpiJson *self = GST_UPI_JSON (trans);

  if (self->file != NULL && self->file != stdout && fclose (self->file) != 0)
    post_write_error (self, errno);
  self->file = NULL;
  g_clear_pointer (&self->path, g_free);
  GST_OBJECT_LOCK (self);
  self->opened = FALSE;
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static void
gst_upi_json_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  if (id != PROP_LOCATION) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  gboolean refused = self->opened && g_strcmp0 (self->location, g_value_get_string (value)) != 0;
  if (!refused) {
    g_free (self->location);
    self->location = g_value_dup_string (value);
  }
  GST_OBJECT_UNLOCK (self);
  if (refused)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("Property \"location\" cannot change while its file is open, it keeps its value: set the element to READY first."), (NULL));
}

static void
gst_upi_json_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  if (id != PROP_LOCATION) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  GST_OBJECT_LOCK (self);
  g_value_set_string (value, self->location);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_json_finalize (GObject *object)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  g_free (self->location);
  g_string_free (self->line, TRUE);
  G_OBJECT_CLASS (gst_upi_json_parent_class)->finalize (object);
}

static void
gst_upi_json_class_init (GstUpiJsonClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);

  object_class->set_property = gst_upi_json_set_property;
  object_class->get_property = gst_upi_json_get_property;
  object_class->finalize = gst_upi_json_finalize;
  trans_class->transform_ip = gst_upi_json_transform_ip;
  trans_class->transform_ip_on_passthrough = TRUE;
  trans_class->set_caps = gst_upi_json_set_caps;
  trans_class->start = gst_upi_json_start;
  trans_class->stop = gst_upi_json_stop;
  g_object_class_install_property (object_class, PROP_LOCATION,
      g_param_spec_string ("location", "Location",
          "File that the lines are written to, replaced at start, or - for standard output (default: -)", "-",
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Uni-Perceiver v2 results as JSON lines", "Filter/Analyzer/Video",
      "Writes one line of JSON a frame with its time, objects (label, score, box) and caption. "
      "Example: upiencoder ! upidetect ! upijson location=objects.jsonl ! fakesink",
      "The upi authors");
}

static void
gst_upi_json_init (GstUpiJson *self)
{
  self->location = g_strdup ("-");
  self->line = g_string_new (NULL);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), TRUE);
  gst_base_transform_set_in_place (GST_BASE_TRANSFORM (self), TRUE);
}
