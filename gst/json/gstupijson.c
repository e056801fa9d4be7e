/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupijson.c: the element that writes what is known about each frame as one line of JSON. Frames pass unchanged. */
/**
 * SECTION:element-upijson
 * @title: upijson
 * @short_description: one JSON line a frame: time, objects, caption
 *
 * upijson writes one JSON object a line for every frame that passes:
 *
 * |[
 * {"version":1,"frame":7,"stream":1,"stream_time":280000000,"running_time":280000000,"wall_clock":"2026-03-01T14:05:09.280000Z",
 *  "pts":280000000,"inference_pts":280000000,"width":1280,"height":720,
 *  "objects":[{"label":"person","score":0.91,"box":[0.1,0.2,0.05,0.3],"mask":{"box":[0.1,0.2,0.05,0.3],"columns":5,"rows":17}}],
 *  "caption":"a person walks past a red car",
 *  "caption_words":[{"word":"person","first":2,"regions":[{"label":"person","score":0.91,"box":[0.1,0.2,0.05,0.3]}]},
 *                   {"word":"car","first":26,"regions":[{"label":"car","score":0.84,"box":[0.6,0.5,0.3,0.2]}]}]}
 * ]|
 * (in one line). Times are nanoseconds or null: `stream_time` is the place in the video, `running_time` how long was played; `stream` counts
 * streams from 1, so that the items of a playlist (concat), each of whose stream times begins anew, are told apart. A frame without PTS has no
 * times. `wall_clock` is the time of day in UTC when a camera saw the frame, by its own clock where the buffer has a reference-timestamp meta
 * (rtspsrc add-reference-timestamp-meta=true), otherwise by the pipeline's clock; of a clip it is when the frame is due; null before the
 * pipeline plays. Deprecated: `pts` is the buffer's own timestamp, from which the place in the video is only found with the stream's
 * segment; it will go with the next version of this format. `inference_pts` is that of the frame that the objects were found in. Boxes are x, y,
 * width, height in 0..1 of the frame, caption is the newest one or null. `caption_words` are its words that regions answer for, each with
 * where it begins in the caption (in characters) and, for each thing that it needs, the model's own label and the region that shows it best;
 * empty where the caption is not grounded. #GstUpiJson:source and #GstUpiJson:tags add members of those names; with mask=rle a mask has its cells
 * too, as COCO's uncompressed run lengths. The file upi-frame-1.schema.json (JSON Schema, installed in share/upi/schema) describes every member;
 * within a version members are only added.
 *
 * Programs that read lines of DL Streamer's gvametaconvert or of DeepStream's minimal schema go on with format=dlstreamer and format=deepstream.
 * With #GstUpiJson:interval not every frame has a line.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upidetect ! upijson location=objects.jsonl ! fakesink
 * ]|
 * Every line is written when its frame passes, so that a file can be followed (`tail -f`), and is in the file whole or not at all. The file may be
 * rotated, by moving or by cutting it (logrotate does both), removed, and written by several elements and processes at once; lines of pipes and
 * of standard output are whole within a process. A disk that is full or a folder that goes costs lines, which #GstUpiJson:stats counts, and a
 * warning; the stream goes on, and writes again when it can: a folder is looked for once a second.
 */
#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <json-glib/json-glib.h>

#include "gst/encoding-life.h"
#include "gst/geometry.h"
#include "gst/meta/gstupimeta.h"
#include "gst/json/file.h"
#include "gst/json/foreign.h"
#include "gst/json/line.h"
#include "gst/plugin.h"
#include "gst/stream-time.h"
#include "gst/json/wall-clock.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_json_debug);
#define GST_CAT_DEFAULT gst_upi_json_debug

#define GST_TYPE_UPI_JSON (gst_upi_json_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiJson, gst_upi_json, GST, UPI_JSON, GstBaseTransform)

typedef enum { GST_UPI_JSON_CONTINUE, GST_UPI_JSON_STOP } GstUpiJsonOnError;
typedef enum { GST_UPI_JSON_UPI, GST_UPI_JSON_DLSTREAMER, GST_UPI_JSON_DEEPSTREAM } GstUpiJsonFormat;
typedef enum { GST_UPI_JSON_MASK_NONE, GST_UPI_JSON_MASK_RLE } GstUpiJsonMask;

struct _GstUpiJson {
  GstBaseTransform parent;
  GstUpiEncodingLife life;
  GstUpiGeometry geometry;

  /* object lock */
  gchar *location;
  gboolean append;
  GstUpiJsonOnError on_error;
  GstUpiJsonFormat format;
  gchar *source, *tags; /* nullable; do not change while @opened */
  GstUpiJsonMask mask;
  GstClockTime interval;
  gboolean opened;
  guint64 n_written, n_lost;

  /* From start to stop. */
  GstUpiJsonFile *file; /* object lock where others than the streaming thread use it */
  gchar *path;          /* of @file, for messages */

  /* Streaming thread. */
  GstUpiStreamTime time;
  GString *line;
  guint64 n_frames, n_regions;
  GstClockTime last_line; /* its running time; NONE: before the first */
  guint32 warned;         /* bits of GFileError: each once */
  gint width, height;
};

enum {
  PROP_0,
  PROP_LOCATION,
  PROP_APPEND,
  PROP_ON_ERROR,
  PROP_FORMAT,
  PROP_SOURCE,
  PROP_TAGS,
  PROP_MASK,
  PROP_INTERVAL,
  PROP_STATS,
  PROP_KEEP_ENCODING
};

#define ANY_VIDEO GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)
static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANY_VIDEO));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (ANY_VIDEO));

G_DEFINE_TYPE (GstUpiJson, gst_upi_json, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upijson, "upijson", GST_RANK_NONE, GST_TYPE_UPI_JSON,
    GST_DEBUG_CATEGORY_INIT (gst_upi_json_debug, "upijson", 0, "writes results as JSON lines"))

#define GST_TYPE_UPI_JSON_ON_ERROR (gst_upi_json_on_error_get_type ())
static GType
gst_upi_json_on_error_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_JSON_CONTINUE, "The line is lost and counted, the stream goes on", "continue" },
    { GST_UPI_JSON_STOP, "The stream ends with an error", "stop" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiJsonOnError", values));
  return type;
}

#define GST_TYPE_UPI_JSON_FORMAT (gst_upi_json_format_get_type ())
static GType
gst_upi_json_format_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_JSON_UPI, "All that is known, as upi-frame-1.schema.json describes it", "upi" },
    { GST_UPI_JSON_DLSTREAMER, "As gvametaconvert of DL Streamer writes it", "dlstreamer" },
    { GST_UPI_JSON_DEEPSTREAM, "DeepStream's minimal schema", "deepstream" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiJsonFormat", values));
  return type;
}

#define GST_TYPE_UPI_JSON_MASK (gst_upi_json_mask_get_type ())
static GType
gst_upi_json_mask_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_JSON_MASK_NONE, "Where its grid lies and its size, no cells", "none" },
    { GST_UPI_JSON_MASK_RLE, "COCO's run lengths of the grid's cells (format=upi)", "rle" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiJsonMask", values));
  return type;
}

/* ---- lines ----------------------------------------------------------------------------------------------------------------------- */

/* A line could not be written. */
static GstFlowReturn
lose (GstUpiJson *self, const GError *error)
{
  gboolean full = g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);

  GST_OBJECT_LOCK (self);
  guint64 n_lost = ++self->n_lost;
  gboolean stop = self->on_error == GST_UPI_JSON_STOP;
  GST_OBJECT_UNLOCK (self);
  if (stop) {
    if (full)
      GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
          ("No space is left for \"%s\" after %" G_GUINT64_FORMAT " frames: free some, or set another \"location\".", self->path,
              self->n_frames),
          ("property on-error is stop"));
    else
      GST_ELEMENT_ERROR (self, RESOURCE, WRITE,
          ("\"%s\" cannot be written after %" G_GUINT64_FORMAT " frames: %s.", self->path, self->n_frames, error->message),
          ("property on-error is stop"));
    return GST_FLOW_ERROR;
  }
  /* Each cause once a run; G_FILE_ERROR_AGAIN is a folder that was looked for less than a second ago. */
  guint32 cause = 1u << MIN ((guint) error->code, 31);
  if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_AGAIN) && (self->warned & cause) == 0) {
    self->warned |= cause;
    gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
        full ? GST_RESOURCE_ERROR_NO_SPACE_LEFT : GST_RESOURCE_ERROR_WRITE,
        g_strdup_printf ("\"%s\" cannot be written: %s. Lines are lost until it can again; on-error=stop would end the stream.", self->path,
            error->message),
        g_strdup_printf ("frame %" G_GUINT64_FORMAT, self->n_frames), __FILE__, G_STRFUNC, __LINE__);
  }
  GST_DEBUG_OBJECT (self, "%" G_GUINT64_FORMAT " lines lost: %s", n_lost, error->message);
  return GST_FLOW_OK;
}

/* Whether so much time has passed since the last line. A frame without a time has one; so has the first after a jump back. */
static gboolean
is_due (GstUpiJson *self, GstClockTime running_time, GstClockTime interval)
{
  if (interval == 0 || !GST_CLOCK_TIME_IS_VALID (running_time))
    return TRUE;
  if (GST_CLOCK_TIME_IS_VALID (self->last_line) && running_time >= self->last_line && running_time - self->last_line < interval)
    return FALSE;
  self->last_line = running_time;
  return TRUE;
}

static void
format_line (GstUpiJson *self, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  if (self->format == GST_UPI_JSON_DLSTREAMER)
    gst_upi_json_line_dlstreamer (self->line, frame, content, &self->n_regions);
  else if (self->format == GST_UPI_JSON_DEEPSTREAM)
    gst_upi_json_line_deepstream (self->line, frame, content);
  else
    gst_upi_json_line (self->line, frame, content);
}

static GstFlowReturn
gst_upi_json_transform_ip (GstBaseTransform *trans, GstBuffer *buffer)
{
  GstUpiJson *self = GST_UPI_JSON (trans);
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);

  if (meta == NULL && self->n_frames == 0) {
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE, ("The frames that reach upijson were not encoded: put upiencoder before it."),
        ("the first buffer has no GstUpiMeta"));
    return GST_FLOW_ERROR;
  }
  g_autoptr (GstUpiContent) empty = meta == NULL ? gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE) : NULL;
  GstUpiFrameTime time;
  gst_upi_stream_time_take_frame (&self->time, GST_BUFFER_PTS (buffer), GST_BUFFER_DURATION (buffer), &time);
  const GstClockTime running_time = time.timed ? time.running_time : GST_CLOCK_TIME_NONE;
  GST_OBJECT_LOCK (self);
  gboolean mask_runs = self->mask == GST_UPI_JSON_MASK_RLE;
  GstClockTime interval = self->interval;
  GST_OBJECT_UNLOCK (self);
  const GstUpiJsonFrame frame = { .number = self->n_frames,
    .stream = self->time.stream,
    .stream_time = time.timed ? time.stream_time : GST_CLOCK_TIME_NONE,
    .running_time = running_time,
    .wall_clock = gst_upi_wall_clock (GST_ELEMENT (self), buffer, running_time),
    .pts = GST_BUFFER_PTS (buffer),
    .width = self->width,
    .height = self->height,
    .source = self->source,
    .tags = self->tags,
    .mask_runs = mask_runs };
  self->n_frames++;
  if (!is_due (self, running_time, interval))
    return GST_FLOW_OK;
  format_line (self, &frame, meta != NULL ? gst_upi_meta_get_content (meta) : empty);
  g_autoptr (GError) error = NULL;
  if (gst_upi_json_file_write (self->file, self->line->str, self->line->len, g_get_monotonic_time (), &error)) {
    GST_OBJECT_LOCK (self);
    self->n_written++;
    GST_OBJECT_UNLOCK (self);
  } else if (error != NULL) { /* else a flush, which takes the frame too */
    return lose (self, error);
  }
  return GST_FLOW_OK;
}

static gboolean
gst_upi_json_query (GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  gboolean answer;

  if (direction == GST_PAD_SINK && gst_upi_encoding_life_take_query (&GST_UPI_JSON (trans)->life, query, FALSE, &answer))
    return answer;
  return GST_BASE_TRANSFORM_CLASS (gst_upi_json_parent_class)->query (trans, direction, query);
}

static GstFlowReturn
gst_upi_json_submit_input_buffer (GstBaseTransform *trans, gboolean is_discont, GstBuffer *input)
{
  GstUpiJson *self = GST_UPI_JSON (trans);

  input = gst_upi_geometry_check (&self->geometry, input);
  input = gst_upi_encoding_life_filter_buffer (&self->life, input); /* no line has anything of it */
  return GST_BASE_TRANSFORM_CLASS (gst_upi_json_parent_class)->submit_input_buffer (trans, is_discont, input);
}

static gboolean
gst_upi_json_set_caps (GstBaseTransform *trans, GstCaps *in, GstCaps *out)
{
  GstUpiJson *self = GST_UPI_JSON (trans);
  const GstStructure *structure = gst_caps_get_structure (in, 0);

  gst_upi_geometry_take_caps (&self->geometry, in);
  return gst_structure_get_int (structure, "width", &self->width) && gst_structure_get_int (structure, "height", &self->height);
}

static void
set_flushing (GstUpiJson *self, gboolean flushing)
{
  GST_OBJECT_LOCK (self);
  if (self->file != NULL)
    gst_upi_json_file_set_flushing (self->file, flushing);
  GST_OBJECT_UNLOCK (self);
}

static gboolean
gst_upi_json_sink_event (GstBaseTransform *trans, GstEvent *event)
{
  GstUpiJson *self = GST_UPI_JSON (trans);

  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START || GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    set_flushing (self, GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START);
  gst_upi_stream_time_take_event (&self->time, event);
  return GST_BASE_TRANSFORM_CLASS (gst_upi_json_parent_class)->sink_event (trans, event);
}

/* ---- states ---------------------------------------------------------------------------------------------------------------------- */

/* One compact object in place of what was set. FALSE: it is none. */
static gboolean
check_tags (GstUpiJson *self)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;

  if (self->tags == NULL)
    return TRUE;
  json_parser_load_from_data (parser, self->tags, -1, &error);
  JsonNode *root = error == NULL ? json_parser_get_root (parser) : NULL;
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)) {
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("Property \"tags\" is '%s', which is no JSON object%s%s: write for example tags='{\"site\":\"yard\"}'.", self->tags,
            error != NULL ? ": " : "", error != NULL ? error->message : ""),
        (NULL));
    return FALSE;
  }
  g_free (self->tags);
  self->tags = json_to_string (root, FALSE);
  return TRUE;
}

static gboolean
gst_upi_json_start (GstBaseTransform *trans)
{
  GstUpiJson *self = GST_UPI_JSON (trans);
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  self->path = g_strdup (self->location);
  gboolean append = self->append;
  self->opened = TRUE;
  self->n_written = self->n_lost = 0;
  GST_OBJECT_UNLOCK (self);
  gst_upi_stream_time_reset (&self->time);
  self->n_frames = self->n_regions = 0;
  self->last_line = GST_CLOCK_TIME_NONE;
  self->warned = 0;
  gst_upi_encoding_life_start (&self->life);
  gst_upi_geometry_start (&self->geometry);
  if (!check_tags (self)) {
    /* said */
  } else if (self->path == NULL || *self->path == '\0') {
    GST_ELEMENT_ERROR (
        self, RESOURCE, NOT_FOUND, ("Property \"location\" is empty: set the path of a file, or \"-\" for standard output."), (NULL));
  } else {
    self->file = gst_upi_json_file_open (self->path, append, &error);
    if (self->file == NULL)
      GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
          ("\"%s\" cannot be opened for writing: %s. Set \"location\" to a file in a directory that exists and may be written, or to "
           "\"-\".",
              self->path, error->message),
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

  if (self->n_lost > 0)
    GST_WARNING_OBJECT (self, "%" G_GUINT64_FORMAT " lines of \"%s\" were lost", self->n_lost, self->path);
  GST_OBJECT_LOCK (self);
  GstUpiJsonFile *file = g_steal_pointer (&self->file);
  self->opened = FALSE;
  GST_OBJECT_UNLOCK (self);
  g_clear_pointer (&file, gst_upi_json_file_close);
  g_clear_pointer (&self->path, g_free);
  return TRUE;
}

static GstStateChangeReturn
gst_upi_json_change_state (GstElement *element, GstStateChange transition)
{
  GstUpiJson *self = GST_UPI_JSON (element);

  /* The streaming thread may wait for a pipe's reader, and the base class for the streaming thread. */
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    set_flushing (self, TRUE);
  return GST_ELEMENT_CLASS (gst_upi_json_parent_class)->change_state (element, transition);
}

/* ---- properties ------------------------------------------------------------------------------------------------------------------ */

/* Object lock held. FALSE: what a run began with stays until its end. */
static gboolean
set_string (GstUpiJson *self, gchar **text, const GValue *value)
{
  if (self->opened)
    return g_strcmp0 (*text, g_value_get_string (value)) == 0;
  g_free (*text);
  *text = g_value_dup_string (value);
  return TRUE;
}

static void
gst_upi_json_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiJson *self = GST_UPI_JSON (object);
  gboolean taken = TRUE;

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_LOCATION:
    taken = set_string (self, &self->location, value);
    break;
  case PROP_APPEND:
    self->append = g_value_get_boolean (value);
    break;
  case PROP_ON_ERROR:
    self->on_error = g_value_get_enum (value);
    break;
  case PROP_FORMAT:
    taken = !self->opened || self->format == g_value_get_enum (value);
    if (taken)
      self->format = g_value_get_enum (value);
    break;
  case PROP_SOURCE:
    taken = set_string (self, &self->source, value);
    break;
  case PROP_TAGS:
    taken = set_string (self, &self->tags, value);
    break;
  case PROP_MASK:
    self->mask = g_value_get_enum (value);
    break;
  case PROP_INTERVAL:
    self->interval = g_value_get_uint64 (value);
    break;
  case PROP_KEEP_ENCODING:
    gst_upi_encoding_life_set (&self->life, value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
  if (!taken)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("Property \"%s\" cannot change while the element runs, it keeps its value: set the element to READY first.", pspec->name), (NULL));
}

static void
gst_upi_json_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_LOCATION:
    g_value_set_string (value, self->location);
    break;
  case PROP_APPEND:
    g_value_set_boolean (value, self->append);
    break;
  case PROP_ON_ERROR:
    g_value_set_enum (value, self->on_error);
    break;
  case PROP_FORMAT:
    g_value_set_enum (value, self->format);
    break;
  case PROP_SOURCE:
    g_value_set_string (value, self->source);
    break;
  case PROP_TAGS:
    g_value_set_string (value, self->tags);
    break;
  case PROP_MASK:
    g_value_set_enum (value, self->mask);
    break;
  case PROP_INTERVAL:
    g_value_set_uint64 (value, self->interval);
    break;
  case PROP_KEEP_ENCODING:
    gst_upi_encoding_life_get (&self->life, value);
    break;
  case PROP_STATS:
    g_value_take_boxed (
        value, gst_structure_new ("upi-json-stats", "written", G_TYPE_UINT64, self->n_written, "lost", G_TYPE_UINT64, self->n_lost, NULL));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_json_finalize (GObject *object)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  g_free (self->location);
  g_free (self->source);
  g_free (self->tags);
  g_string_free (self->line, TRUE);
  G_OBJECT_CLASS (gst_upi_json_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;

  g_object_class_install_property (object_class, PROP_LOCATION,
      g_param_spec_string ("location", "Location",
          "File or named pipe that the lines are written to, or - for standard output; several elements may have the same (default: -)",
          "-", ready));
  g_object_class_install_property (object_class, PROP_APPEND,
      g_param_spec_boolean ("append", "Append",
          "Keep what is in the file at the start; otherwise the first element of the process to open it empties it (default: false)", FALSE,
          ready));
  g_object_class_install_property (object_class, PROP_ON_ERROR,
      g_param_spec_enum ("on-error", "On error",
          "What happens when a line cannot be written, because the disk is full or the folder gone (default: continue)",
          GST_TYPE_UPI_JSON_ON_ERROR, GST_UPI_JSON_CONTINUE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_FORMAT,
      g_param_spec_enum ("format", "Format", "What a line is made of (default: upi)", GST_TYPE_UPI_JSON_FORMAT, GST_UPI_JSON_UPI, ready));
  g_object_class_install_property (object_class, PROP_SOURCE,
      g_param_spec_string ("source", "Source",
          "The camera's name, in every line: source, in DeepStream's lines sensorId (default: none, in DeepStream's lines 0)", NULL,
          ready));
  g_object_class_install_property (object_class, PROP_TAGS,
      g_param_spec_string ("tags", "Tags",
          "A JSON object that every line repeats, as {\"site\":\"yard\"} (default: none; not with DeepStream)", NULL, ready));
  g_object_class_install_property (object_class, PROP_MASK,
      g_param_spec_enum ("mask", "Mask", "What is written of an object's mask, where it has one (default: none, that is its place alone)",
          GST_TYPE_UPI_JSON_MASK, GST_UPI_JSON_MASK_NONE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_INTERVAL,
      g_param_spec_uint64 ("interval", "Interval",
          "Nanoseconds of running time from one line to the next, at least (default: 0 = every frame)", 0, G_MAXUINT64 - 1, 0,
          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics", "Structure upi-json-stats: lines written and lost since the start (guint64)",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  gst_upi_encoding_life_install_property (object_class, PROP_KEEP_ENCODING);
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
  element_class->change_state = gst_upi_json_change_state;
  trans_class->sink_event = gst_upi_json_sink_event;
  trans_class->submit_input_buffer = gst_upi_json_submit_input_buffer;
  trans_class->query = gst_upi_json_query;
  trans_class->transform_ip = gst_upi_json_transform_ip;
  trans_class->transform_ip_on_passthrough = TRUE;
  trans_class->set_caps = gst_upi_json_set_caps;
  trans_class->start = gst_upi_json_start;
  trans_class->stop = gst_upi_json_stop;
  install_properties (object_class);
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
  gst_upi_encoding_life_init (&self->life, GST_ELEMENT (self), GST_BASE_TRANSFORM_SRC_PAD (self));
  gst_upi_geometry_init (&self->geometry, GST_ELEMENT (self), GST_BASE_TRANSFORM_SINK_PAD (self));
  self->location = g_strdup ("-");
  self->line = g_string_new (NULL);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (self), TRUE);
  gst_base_transform_set_in_place (GST_BASE_TRANSFORM (self), TRUE);
}
