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
 * {"version":1,"frame":7,"stream":1,"stream_time":280000000,"running_time":280000000,
 *  "wall_clock":"2026-03-01T14:05:09.280000Z",
 *  "pts":280000000,"inference_pts":280000000,"width":1280,"height":720,
 *  "objects":[{"label":"person","score":0.91,"box":[0.1,0.2,0.05,0.3],
 *  "mask":{"box":[0.1,0.2,0.05,0.3],"columns":5,"rows":17}}],
 *  "caption":"a person walks past a red car",
 *  "caption_words":[{"word":"person","first":2,"regions":[{"label":"person","score":0.91,"box":[0.1,0.2,0.05,0.3]}]},
 *                   {"word":"car","first":26,"regions":[{"label":"car","score":0.84,"box":[0.6,0.5,0.3,0.2]}]}]}
 * ]|
 * (in one line). Times are nanoseconds or null: `stream_time` is the place in the video, `running_time` how long was
 * played; `stream` counts streams from 1, so that the items of a playlist (concat), each of whose stream times begins
 * anew, are told apart. A frame without PTS has no times. `wall_clock` is the time of day in UTC when a camera saw the
 * frame, by its own clock where the buffer has a reference-timestamp meta (rtspsrc add-reference-timestamp-meta=true),
 * otherwise by the pipeline's clock; of a clip it is when the frame is due; null before the pipeline plays. Deprecated:
 * `pts` is the buffer's own timestamp, from which the place in the video is only found with the stream's segment; it
 * will go with the next version of this format. `inference_pts` is that of the frame that the objects were found in.
 * Boxes are x, y, width, height in 0..1 of the frame, caption is the newest one or null. `caption_words` are its words
 * that regions answer for, each with where it begins in the caption (in characters) and, for each thing that it needs,
 * the model's own label and the region that shows it best; empty where the caption is not grounded. #GstUpiJson:source
 * and #GstUpiJson:tags add members of those names; with mask=rle a mask has its cells too, as COCO's uncompressed run
 * lengths. The file upi-frame-1.schema.json (JSON Schema, installed in share/upi/schema) describes every member; within
 * a version members are only added.
 *
 * Programs that read lines of DL Streamer's gvametaconvert or of DeepStream's minimal schema go on with
 * format=dlstreamer and format=deepstream. With #GstUpiJson:interval not every frame has a line. emit=events writes
 * what the rules of upirules noticed instead of frames, emit=all both; upi-event-1.schema.json describes the lines of
 * events.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder ! upidetect !
 *   upijson location=objects.jsonl ! fakesink
 * ]|
 * Every line is written when its frame passes, so that a file can be followed (`tail -f`), and is in the file whole or
 * not at all. The file may be rotated, by moving or by cutting it (logrotate does both), removed, and written by
 * several elements and processes at once; lines of pipes and of standard output are whole within a process. A disk that
 * is full or a folder that goes costs lines, which #GstUpiJson:stats counts, and a warning; the stream goes on, and
 * writes again when it can: a folder is looked for once a second.
 *
 * method=mqtt sends to an MQTT broker, in Frigate's layout under the prefix #GstUpiJson:topic (gst/json/layout.h has it
 * in full): the lines of frames under upi/CAMERA/frames, those of events under upi/CAMERA/events, and with emit=events
 * or all the number of objects of each label under upi/CAMERA/LABEL and upi/ZONE/LABEL and the life of each object that
 * upitrack follows under upi/events, as Frigate's notifiers read it. CAMERA is #GstUpiJson:source, or the element's
 * name. The lines of other formats go to the topic itself. method=kafka sends every line to one topic, with the camera
 * as its key.
 *
 * |[
 * gst-launch-1.0 rtspsrc location=rtsp://camera ! decodebin ! videoconvert ! upiencoder ! upidetect ! upitrack !
 *   upijson method=mqtt address=mqtt://broker source=gate emit=events ! fakesink
 * ]|
 * No frame waits for a broker: messages wait in a queue of #GstUpiJson:queue-size while it is away or slow, and when
 * that is full the oldest falls out, which stats counts and one warning says. What was not acknowledged is sent again
 * to a broker that comes back, and all states (counts, available) with it. With control=true messages to
 * upi/CAMERA/detect/set (ON, OFF), upi/CAMERA/labels/set, upi/CAMERA/rules/set and upi/CAMERA/sentences/set become an
 * upstream event upi-control (target, property, value), which the nearest upidetect, upirules or upiclassify answers;
 * each is an element message too. TLS and passwords: #GstUpiJson:settings and settings-file. Of Kafka, librdkafka
 * checks them when they are set; its TLS and SASL are not run in upi's own tests.
 */
#include <gst/gst.h>

#include "gst/filter.h"
#include "gst/json/event.h"
#include "gst/json/foreign.h"
#include "gst/json/line.h"
#include "gst/json/output.h"
#include "gst/json/properties.h"
#include "gst/json/tags.h"
#include "gst/json/text.h"
#include "gst/json/wall-clock.h"
#include "gst/plugin.h"

GST_DEBUG_CATEGORY_STATIC (gst_upi_json_debug);
#define GST_CAT_DEFAULT gst_upi_json_debug

#define GST_TYPE_UPI_JSON (gst_upi_json_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiJson, gst_upi_json, GST, UPI_JSON, GstUpiFilter)

struct _GstUpiJson {
  GstUpiFilter parent;

  /* Settings; object lock. Most do not change while @opened. */
  GstUpiJsonProperties properties;
  gboolean opened;
  GstUpiPublisherStats stats; /* of the last run */

  /* From start to stop. */
  GstUpiJsonOutput *output; /* object lock where others than the streaming thread use it */
  gchar *source;            /* nullable: as the lines have it */
  gchar *place;             /* where lines go, for messages */

  /* Streaming thread. */
  GString *line;
  guint64 n_regions;
  GstClockTime last_line; /* its running time; NONE: before the first */
  GstUpiJsonFrame last_frame;
};

G_DEFINE_TYPE (GstUpiJson, gst_upi_json, GST_TYPE_UPI_FILTER)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upijson, "upijson", GST_RANK_NONE, GST_TYPE_UPI_JSON,
    GST_DEBUG_CATEGORY_INIT (gst_upi_json_debug, "upijson", 0, "writes results as JSON lines"))

/* A line could not be written. */
static GstFlowReturn
lose (GstUpiJson *self, const GError *error)
{
  gboolean full = g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);

  GST_OBJECT_LOCK (self);
  gboolean stop = self->properties.on_error == GST_UPI_JSON_STOP;
  GST_OBJECT_UNLOCK (self);
  if (stop) {
    if (full)
      GST_ELEMENT_ERROR (self, RESOURCE, NO_SPACE_LEFT,
          ("No space is left for \"%s\": free some, or set another \"location\".", self->place),
          ("property on-error is stop"));
    else
      GST_ELEMENT_ERROR (self, RESOURCE, WRITE, ("\"%s\" cannot be written: %s.", self->place, error->message),
          ("property on-error is stop"));
    return GST_FLOW_ERROR;
  }
  /* Each cause once a run; G_FILE_ERROR_AGAIN is a folder that was looked for less than a second ago, or what a
   * broker's warning said. */
  if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_AGAIN)
      && gst_upi_filter_is_first (GST_UPI_FILTER (self), MIN ((guint) error->code, 30)))
    gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
        full ? GST_RESOURCE_ERROR_NO_SPACE_LEFT : GST_RESOURCE_ERROR_WRITE,
        g_strdup_printf (
            "\"%s\" cannot be written: %s. Lines are lost until it can again; on-error=stop would end the stream.",
            self->place, error->message),
        NULL, __FILE__, G_STRFUNC, __LINE__);
  GST_DEBUG_OBJECT (self, "a line is lost: %s", error->message);
  return GST_FLOW_OK;
}

/* Whether so much time has passed since the last line. A frame without a time has one; so has the first after a jump
 * back. */
static gboolean
is_due (GstUpiJson *self, GstClockTime running_time, GstClockTime interval)
{
  if (interval == 0 || !GST_CLOCK_TIME_IS_VALID (running_time))
    return TRUE;
  if (GST_CLOCK_TIME_IS_VALID (self->last_line) && running_time >= self->last_line
      && running_time - self->last_line < interval)
    return FALSE;
  self->last_line = running_time;
  return TRUE;
}

static void
format_frame (GstUpiJson *self, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  if (self->properties.format == GST_UPI_JSON_DLSTREAMER)
    gst_upi_json_line_dlstreamer (self->line, frame, content, &self->n_regions);
  else if (self->properties.format == GST_UPI_JSON_DEEPSTREAM)
    gst_upi_json_line_deepstream (self->line, frame, content);
  else
    gst_upi_json_line (self->line, frame, content);
}

/* What is in the line goes where lines go. */
static GstFlowReturn
write_line (GstUpiJson *self, gboolean is_event)
{
  g_autoptr (GError) error = NULL;

  if (!gst_upi_json_output_write (self->output, is_event, self->line->str, self->line->len, &error) && error != NULL)
    return lose (self, error);
  return GST_FLOW_OK; /* also at a flush, which takes the frame too */
}

static GstFlowReturn
write_events (GstUpiJson *self, const GstUpiJsonFrame *frame, const GstUpiContent *content)
{
  guint n;
  const GstUpiEvent *events = gst_upi_content_get_events (content, &n);
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < n && self->properties.emit != GST_UPI_JSON_FRAMES && ret == GST_FLOW_OK; i++) {
    gst_upi_json_event_line (self->line, frame, &events[i]);
    ret = write_line (self, TRUE);
  }
  return ret;
}

/* Events behind the last frame. */
static void
gst_upi_json_event (GstUpiFilter *filter, GstEvent *event)
{
  GstUpiJson *self = GST_UPI_JSON (filter);
  const GstStructure *structure =
      GST_EVENT_TYPE (event) == GST_EVENT_CUSTOM_DOWNSTREAM ? gst_event_get_structure (event) : NULL;
  g_autoptr (GstUpiContent) content = NULL;

  if (structure != NULL && gst_structure_has_name (structure, GST_UPI_LATE_EVENTS)
      && gst_structure_get (structure, "content", GST_TYPE_UPI_CONTENT, &content, NULL))
    write_events (self, &self->last_frame, content);
}

static GstFlowReturn
gst_upi_json_process (GstUpiFilter *filter, const GstUpiFilterFrame *filter_frame, GstUpiContent **content)
{
  GstUpiJson *self = GST_UPI_JSON (filter);
  const GstUpiFrameTime *time = &filter_frame->time;
  const GstClockTime running_time = time->timed ? time->running_time : GST_CLOCK_TIME_NONE;

  GST_OBJECT_LOCK (self);
  gboolean mask_runs = self->properties.mask == GST_UPI_JSON_MASK_RLE;
  GstClockTime interval = self->properties.interval;
  GST_OBJECT_UNLOCK (self);
  const GstUpiJsonFrame frame = { .number = filter_frame->number,
    .stream = filter_frame->stream,
    .stream_time = time->timed ? time->stream_time : GST_CLOCK_TIME_NONE,
    .running_time = running_time,
    .wall_clock = gst_upi_wall_clock (GST_ELEMENT (self), filter_frame->buffer, running_time),
    .pts = GST_BUFFER_PTS (filter_frame->buffer),
    .width = filter_frame->width,
    .height = filter_frame->height,
    .source = self->source,
    .tags = self->properties.tags,
    .mask_runs = mask_runs };
  gst_upi_json_output_take_frame (self->output, &frame, filter_frame->content);
  self->last_frame = frame;
  GstFlowReturn ret = write_events (self, &frame, filter_frame->content);
  if (ret == GST_FLOW_OK && self->properties.emit != GST_UPI_JSON_EVENTS && is_due (self, running_time, interval)) {
    format_frame (self, &frame, filter_frame->content);
    ret = write_line (self, FALSE);
  }
  return ret;
}

static void
gst_upi_json_reset (GstUpiFilter *filter)
{
  GstUpiJson *self = GST_UPI_JSON (filter);

  self->last_line = GST_CLOCK_TIME_NONE;
  if (self->output != NULL)
    gst_upi_json_output_reset (self->output);
}

static void
set_flushing (GstUpiFilter *filter, gboolean flushing)
{
  GstUpiJson *self = GST_UPI_JSON (filter);

  GST_OBJECT_LOCK (self);
  if (self->output != NULL)
    gst_upi_json_output_set_flushing (self->output, flushing);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_json_unlock (GstUpiFilter *filter)
{
  set_flushing (filter, TRUE);
}

static void
gst_upi_json_unlock_stop (GstUpiFilter *filter)
{
  set_flushing (filter, FALSE);
}

/* From any thread; each cause once. */
static void
on_warning (GstUpiPublisherCause cause, const gchar *text, gpointer data)
{
  GstUpiJson *self = data;

  gst_element_message_full (GST_ELEMENT (self), GST_MESSAGE_WARNING, GST_RESOURCE_ERROR,
      cause == GST_UPI_PUBLISHER_AWAY ? GST_RESOURCE_ERROR_OPEN_WRITE : GST_RESOURCE_ERROR_WRITE,
      cause == GST_UPI_PUBLISHER_AWAY ? g_strdup_printf (
          "The broker cannot be used: %s. Messages wait in the queue (queue-size), and it is tried again.", text)
                                      : g_strdup_printf ("Messages are lost: %s.", text),
      NULL, __FILE__, G_STRFUNC, __LINE__);
}

/* The publisher's thread. */
static gboolean
on_order (const gchar *target, const gchar *property, const gchar *value, gpointer data)
{
  GstUpiJson *self = data;
  GstStructure *order = gst_structure_new ("upi-control", "target", G_TYPE_STRING, target, "property", G_TYPE_STRING,
      property, "value", G_TYPE_STRING, value, NULL);
  GstMessage *message = gst_message_new_element (GST_OBJECT (self), gst_structure_copy (order));

  gboolean taken =
      gst_pad_push_event (GST_BASE_TRANSFORM_SINK_PAD (self), gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, order));
  GST_INFO_OBJECT (
      self, "order by the broker: %s %s=%s: %s", target, property, value, taken ? "taken" : "nobody took it");
  gst_element_post_message (GST_ELEMENT (self), message);
  return taken;
}

/* One compact object in place of what was set. FALSE: it is none. */
static gboolean
check_tags (GstUpiJson *self)
{
  g_autofree gchar *mistake = NULL;

  if (self->properties.tags == NULL)
    return TRUE;
  gchar *tags = gst_upi_json_read_tags (self->properties.tags, &mistake);
  if (tags == NULL) {
    g_autofree gchar *shown = g_utf8_make_valid (self->properties.tags, -1);
    GST_ELEMENT_ERROR (self, LIBRARY, SETTINGS,
        ("Property \"tags\" is '%s', which is no JSON object: %s: write for example tags='{\"site\":\"yard\"}'.", shown,
            mistake),
        (NULL));
    return FALSE;
  }
  g_free (self->properties.tags);
  self->properties.tags = tags;
  return TRUE;
}

static gboolean
open_output (GstUpiJson *self)
{
  const GstUpiJsonOutputCallbacks callbacks = { on_warning, on_order, self };
  g_autofree gchar *name = gst_object_get_name (GST_OBJECT (self));
  GstUpiJsonTarget target = self->properties.target;
  g_autoptr (GError) error = NULL;

  target.source = self->source != NULL ? self->source : name;
  target.layout = self->properties.format == GST_UPI_JSON_UPI;
  target.events = self->properties.emit != GST_UPI_JSON_FRAMES;
  GstUpiJsonOutput *output = gst_upi_json_output_open (&target, &callbacks, &error);
  GST_OBJECT_LOCK (self);
  self->output = output;
  GST_OBJECT_UNLOCK (self);
  if (output != NULL)
    return TRUE;
  if (target.method == GST_UPI_JSON_FILE)
    GST_ELEMENT_ERROR (self, RESOURCE, OPEN_WRITE,
        ("\"%s\" cannot be opened for writing: %s. Set \"location\" to a file in a directory that exists and may be "
         "written, or to \"-\".",
            target.location, error->message),
        ("property location"));
  else
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("The results cannot be sent: %s.", error->message), (NULL));
  return FALSE;
}

static gboolean
gst_upi_json_start (GstUpiFilter *filter)
{
  GstUpiJson *self = GST_UPI_JSON (filter);

  GST_OBJECT_LOCK (self);
  self->opened = TRUE; /* from here on the settings stay */
  GST_OBJECT_UNLOCK (self);
  self->n_regions = 0;
  self->last_line = GST_CLOCK_TIME_NONE;
  gboolean is_file = self->properties.target.method == GST_UPI_JSON_FILE, started = FALSE;
  self->source = g_strdup (self->properties.target.source);
  self->last_frame =
      (GstUpiJsonFrame){ .wall_clock = GST_CLOCK_TIME_NONE, .source = self->source, .tags = self->properties.tags };
  self->place = g_strdup (is_file                               ? self->properties.target.location
          : self->properties.target.method == GST_UPI_JSON_MQTT ? "the MQTT broker"
                                                                : "the Kafka cluster");
  if (!check_tags (self)) {
    /* said */
  } else if (is_file && (self->place == NULL || *self->place == '\0')) {
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
        ("Property \"location\" is empty: set the path of a file, or \"-\" for standard output."), (NULL));
  } else {
    started = open_output (self);
  }
  if (!started) {
    g_clear_pointer (&self->source, g_free);
    g_clear_pointer (&self->place, g_free);
    GST_OBJECT_LOCK (self);
    self->opened = FALSE;
    GST_OBJECT_UNLOCK (self);
  }
  return started;
}

static void
gst_upi_json_stop (GstUpiFilter *filter)
{
  GstUpiJson *self = GST_UPI_JSON (filter);
  GstUpiPublisherStats stats;

  gst_upi_json_output_stop (self->output);
  gst_upi_json_output_get_stats (self->output, &stats);
  if (stats.lost > 0)
    GST_WARNING_OBJECT (self, "%" G_GUINT64_FORMAT " lines for %s were lost", stats.lost, self->place);
  GST_OBJECT_LOCK (self);
  GstUpiJsonOutput *output = g_steal_pointer (&self->output);
  self->stats = stats;
  self->opened = FALSE;
  GST_OBJECT_UNLOCK (self);
  gst_upi_json_output_free (output);
  g_clear_pointer (&self->source, g_free);
  g_clear_pointer (&self->place, g_free);
}

static void
gst_upi_json_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  GST_OBJECT_LOCK (self);
  const gboolean live = gst_upi_json_properties_set_live (&self->properties, id, value);
  const gboolean refused = !live && self->opened;
  if (!live && !refused && !gst_upi_json_properties_set (&self->properties, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
  if (refused)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("Property \"%s\" cannot change while the element runs, it keeps its value: set the element to READY first.",
            pspec->name),
        (NULL));
}

/* Object lock held. */
static GstStructure *
stats_new (GstUpiJson *self)
{
  GstUpiPublisherStats stats = self->stats;

  if (self->output != NULL)
    gst_upi_json_output_get_stats (self->output, &stats);
  return gst_structure_new ("upi-json-stats", "written", G_TYPE_UINT64, stats.sent, "lost", G_TYPE_UINT64, stats.lost,
      "queued", G_TYPE_UINT, stats.queued, "connected", G_TYPE_BOOLEAN, stats.connected, "connections", G_TYPE_UINT64,
      stats.connections, NULL);
}

static void
gst_upi_json_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  GST_OBJECT_LOCK (self);
  if (id == GST_UPI_JSON_PROP_STATS)
    g_value_take_boxed (value, stats_new (self));
  else if (!gst_upi_json_properties_get (&self->properties, id, value))
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_json_finalize (GObject *object)
{
  GstUpiJson *self = GST_UPI_JSON (object);

  gst_upi_json_properties_clear (&self->properties);
  g_string_free (self->line, TRUE);
  G_OBJECT_CLASS (gst_upi_json_parent_class)->finalize (object);
}

static void
gst_upi_json_class_init (GstUpiJsonClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);

  object_class->set_property = gst_upi_json_set_property;
  object_class->get_property = gst_upi_json_get_property;
  object_class->finalize = gst_upi_json_finalize;
  filter_class->start = gst_upi_json_start;
  filter_class->stop = gst_upi_json_stop;
  filter_class->unlock = gst_upi_json_unlock;
  filter_class->unlock_stop = gst_upi_json_unlock_stop;
  filter_class->process = gst_upi_json_process;
  filter_class->reset = gst_upi_json_reset;
  filter_class->event = gst_upi_json_event;
  gst_upi_json_properties_install (object_class);
  gst_upi_filter_class_add_pad_templates (filter_class);
  gst_element_class_set_static_metadata (element_class, "Uni-Perceiver v2 results as JSON lines",
      "Filter/Analyzer/Video",
      "Writes one line of JSON a frame or an event, with its time, objects (label, score, box) and caption, to a file, "
      "an MQTT broker or Kafka. Example: upiencoder ! upidetect ! upijson location=objects.jsonl ! fakesink",
      "The upi authors");
}

static void
gst_upi_json_init (GstUpiJson *self)
{
  gst_upi_json_properties_init (&self->properties);
  self->line = g_string_new (NULL);
}
