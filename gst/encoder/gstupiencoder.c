/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gstupiencoder.c: the element that runs the image side of the network once a frame. Its pads are in pads.c, the queue
 * between them in frames.c, the way from a buffer to the network's input in image.c. */
/**
 * SECTION:element-upiencoder
 * @title: upiencoder
 * @short_description: encodes every video frame once for detection, segmentation and captions
 *
 * upiencoder runs the image side of Uni-Perceiver v2 on video frames and attaches the encoding to each buffer as a
 * #GstUpiMeta. The frames themselves pass unchanged. upidetect and upicaption behind it read the encoding; none of them
 * looks at the pixels again.
 *
 * |[
 * gst-launch-1.0 filesrc location=yard.mkv ! decodebin ! videoconvert ! upiencoder !
 *   upidetect labels="person, bicycle, red car" !
 *   upioverlay ! videoconvert ! autovideosink sync=false
 * ]|
 * Here `sync=false` shows every frame however slow the machine is: with policy "block" a synchronising sink would drop
 * frames that come late. Behind a camera nothing needs to be set: policy "auto" then is "latest", and frames never
 * wait.
 *
 * |[
 * gst-launch-1.0 v4l2src ! videoconvert ! upiencoder ! upidetect ! upioverlay ! videoconvert ! autovideosink
 * ]|
 *
 * A phone's clip that was filmed upright is stored on its side, with an image-orientation tag: the network sees it
 * turned, the frames leave as they came, and what was found lies on them. Whoever wants to see upright frames turns
 * them before: `videoflip video-direction=auto ! upiencoder`; the tag is ignored then.
 *
 * Elements of equal `model`, `device` and `model-instance-id` share one copy of the weights and one set of workers, in
 * any number of pipelines of a process.
 *
 * **Static pictures.** With `static-threshold` above 0 a frame is first compared with the last one that was encoded; if
 * they differ by no more than that anywhere, it keeps the encoding, for the price of scaling it and comparing (a few
 * per cent of an encoding). What is compared is what the network sees, in blocks of 4 × 4 pixels, which takes most of a
 * sensor's noise away; a change of brightness of the whole picture (a lamp that flickers, dusk, automatic exposure) is
 * taken out; then the largest mean difference of a tile of 16 × 16 pixels counts, in parts of the range of levels. At
 * 384×224:
 *
 * | what happens | difference |
 * |---|---|
 * | nothing, but for a sensor's noise of 1, 2, 4 levels of 255 | 0.001, 0.003, 0.006 |
 * | brightness of the whole picture changes by a fifth | 0.002 to 0.007 |
 * | compression: blocks that are off by up to 1, 2, 3 levels | 0.006, 0.012, 0.018 |
 * | **0.02**, where to begin | |
 * | rain, leaves in wind: by their size and contrast | 0.02 to 0.1 |
 * | a person of 5 % of the height (11 pixels) appears, or moves by its own width | 0.04 to 0.09 |
 * | the camera turns by a pixel of a hundred | 0.1 and more |
 * | the lamp goes out, the lens is covered | 1 |
 *
 * Higher values pass over small and faint things, lower ones encode noise. A result is never older than
 * `static-max-age`; the frame that it was inferred from is in the metadata (inference PTS), and frames that were found
 * to look the same carry %GST_UPI_CONTENT_STATIC. Frames of CUDA memory are not compared.
 *
 * The property `stats` is a structure "upi-encoder-stats": frames-in, frames-out, encoded, static (frames that kept an
 * earlier one's encoding), skipped (policy "latest": frames that were due but met a busy engine, or gave their place in
 * its queue to a later one), outdated (policy "latest": frames whose encoding ended after that of a later frame, which
 * frames carried by then: results never go back), failed, queue-length (frames inside), in-flight (encodings under
 * way), batch-fill (frames in a run of the engine, of all elements that share it, on average), encode-time-mean,
 * encode-time-p95, convert-time-mean (of the last 256 encodings, nanoseconds of a worker), result-age, result-age-mean,
 * result-age-p95, result-age-max (how much older the attached result is than its frame, nanoseconds).
 */
#include "gst/encoder/private.h"

#include <stdio.h>
#include <string.h>

#include "gst/engine-error.h"
#include "gst/plugin.h"

GST_DEBUG_CATEGORY (gst_upi_encoder_debug);
#define GST_CAT_DEFAULT gst_upi_encoder_debug

enum {
  PROP_0,
  PROP_MODEL,
  PROP_DEVICE,
  PROP_INTERVAL,
  PROP_POLICY,
  PROP_BATCH_SIZE,
  PROP_BATCH_TIMEOUT,
  PROP_INSTANCE_ID,
  PROP_THREADS,
  PROP_THREADS_PER_FRAME,
  PROP_INPUT_SIZE,
  PROP_ORIENTATION,
  PROP_MAX_IN_FLIGHT,
  PROP_STATIC_THRESHOLD,
  PROP_STATIC_MAX_AGE,
  PROP_STATS,
  PROP_DEVICE_IN_USE,
  PROP_KEEP_ENCODING
};

G_DEFINE_TYPE (GstUpiEncoder, gst_upi_encoder, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upiencoder, "upiencoder", GST_RANK_NONE, GST_TYPE_UPI_ENCODER,
    GST_DEBUG_CATEGORY_INIT (gst_upi_encoder_debug, "upiencoder", 0, "encodes frames for the upi elements"))

GType
gst_upi_policy_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
    { GST_UPI_POLICY_AUTO, "latest behind a live source, otherwise block", "auto" },
    { GST_UPI_POLICY_BLOCK, "every chosen frame waits for its own encoding", "block" },
    { GST_UPI_POLICY_LATEST, "frames never wait, they leave with the newest finished encoding", "latest" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstUpiPolicy", values));
  return type;
}

/* "auto" (0×0) or one of the sizes that the model was trained for. */
static gboolean
parse_input_size (const gchar *text, const UpiEngineInfo *info, guint *width, guint *height, GError **error)
{
  guint w = 0, h = 0;
  gint end = 0;

  *width = *height = 0;
  if (text == NULL || *text == '\0' || g_str_equal (text, "auto"))
    return TRUE;
  if (strlen (text) < 32 && sscanf (text, "%5ux%5u%n", &w, &h, &end) == 2 && text[end] == '\0')
    for (guint i = 0; i < info->n_sizes; i++)
      if (info->sizes[i][0] == w && info->sizes[i][1] == h) {
        *width = w;
        *height = h;
        return TRUE;
      }

  g_autoptr (GString) known = g_string_new (NULL);
  for (guint i = 0; i < info->n_sizes; i++)
    g_string_append_printf (known, "%s%ux%u", i > 0 ? ", " : "", info->sizes[i][0], info->sizes[i][1]);
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
      "Property \"input-size\" is \"%s\", but model \"%s\" was trained for %s: set one of these, or \"auto\".", text,
      info->model_name, known->str);
  return FALSE;
}

static void
close_engine (GstUpiEncoder *self)
{
  /* Workers let go of their frames before the pipeline takes its pools away. */
  gst_upi_frames_wait_released (self->frames);
  GST_OBJECT_LOCK (self);
  UpiEngine *engine = g_steal_pointer (&self->engine);
  UpiStream *stream = g_steal_pointer (&self->stream);
  self->opened = FALSE;
  GST_OBJECT_UNLOCK (self);
  g_clear_pointer (&stream, upi_stream_free);
  g_clear_pointer (&engine, upi_engine_unref);
}

/* Lock held, `opened` set: settings do not change from then on, so that their strings may be read without the lock. */
static UpiEngineOptions
engine_options (GstUpiEncoder *self)
{
  return (UpiEngineOptions){
    .size = sizeof (UpiEngineOptions),
    .model = self->model,
    .device = self->device,
    .instance_id = self->instance_id,
    .threads = self->threads,
    .threads_per_frame = self->threads_per_frame,
    .batch_size = self->batch_size,
    .batch_timeout_us = self->batch_timeout / GST_USECOND,
  };
}

/* Lock held. */
static void
set_static (GstUpiEncoder *self)
{
  if (self->stream != NULL)
    upi_stream_set_static (self->stream, (gfloat) self->static_threshold, self->static_max_age);
}

static gboolean
open_engine (GstUpiEncoder *self)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  self->opened = TRUE;
  UpiEngineOptions options = engine_options (self);
  GST_OBJECT_UNLOCK (self);

  guint width = 0, height = 0;
  gst_upi_cuda_prepare (GST_ELEMENT (self), self->sinkpad, self->device, &self->cuda, &options);
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);
  if (engine != NULL && !parse_input_size (self->input_size, upi_engine_info (engine), &width, &height, &error))
    g_clear_pointer (&engine, upi_engine_unref);
  if (engine == NULL) {
    GST_UPI_ERROR (self, error);
    GST_OBJECT_LOCK (self);
    self->opened = FALSE;
    GST_OBJECT_UNLOCK (self);
    return FALSE;
  }
  const UpiEngineInfo *info = upi_engine_info (engine);
  GST_INFO_OBJECT (self, "model %s (%s) on %s (%s), %u workers", info->model_name, info->model_path, info->device,
      info->device_name, info->workers);
  g_autofree gchar *conflict = upi_engine_options_conflict (engine, &options);
  if (conflict != NULL)
    GST_ELEMENT_WARNING (
        self, LIBRARY, SETTINGS, ("%s", conflict), ("the engine is shared; set model-instance-id for one of its own"));

  GST_OBJECT_LOCK (self);
  self->engine = engine;
  self->stream = upi_stream_new (engine);
  set_static (self);
  self->in_cuda = options.cuda_context != NULL && g_str_has_prefix (info->device, "cuda");
  self->fixed_width = width;
  self->fixed_height = height;
  GST_OBJECT_UNLOCK (self);
  gst_upi_stats_reset (self->stats);
  gst_upi_encoder_reset_stream (self);
  return TRUE;
}

void
gst_upi_encoder_follow_cuda (GstUpiEncoder *self)
{
  g_autoptr (GError) error = NULL;

  GST_OBJECT_LOCK (self);
  gboolean elsewhere =
      self->engine != NULL && !self->in_cuda && g_str_has_prefix (upi_engine_info (self->engine)->device, "cuda");
  UpiEngineOptions options = engine_options (self);
  GST_OBJECT_UNLOCK (self);
  /* Frames before these leave with what the old engine makes of them. */
  if (!elsewhere || gst_upi_frames_wait_idle (self->frames) != GST_FLOW_OK)
    return;
  gst_upi_cuda_prepare (GST_ELEMENT (self), self->sinkpad, self->device, &self->cuda, &options);
  UpiEngine *engine = options.cuda_context != NULL ? upi_engine_open (&options, NULL, &error) : NULL;
  if (engine == NULL) {
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
        ("CUDA memory comes from a context that the model is not in, so that each frame goes through the host's "
         "memory: %s. Link upstream "
         "before "
         "the element is set to PAUSED, or give it the context of the pipeline (gst_element_set_context).",
            error != NULL ? error->message : "the pipeline has no context"),
        ("device %s", self->device));
    return;
  }
  GST_INFO_OBJECT (self, "CUDA memory came after the model was opened: it is opened again in the pipeline's context");
  GST_OBJECT_LOCK (self);
  UpiEngine *old = self->engine;
  UpiStream *old_stream = self->stream;
  self->engine = engine;
  self->stream = upi_stream_new (engine);
  set_static (self);
  self->in_cuda = g_str_has_prefix (upi_engine_info (engine)->device, "cuda");
  GST_OBJECT_UNLOCK (self);
  upi_stream_free (old_stream);
  upi_engine_unref (old);
}

static void
gst_upi_encoder_set_context (GstElement *element, GstContext *context)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (element);

  GST_OBJECT_LOCK (self);
  g_autofree gchar *device = g_strdup (self->device);
  GST_OBJECT_UNLOCK (self);
  gst_upi_cuda_set_context (element, context, device, &self->cuda);
  GST_ELEMENT_CLASS (gst_upi_encoder_parent_class)->set_context (element, context);
}

static GstStateChangeReturn
gst_upi_encoder_change_state (GstElement *element, GstStateChange transition)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (element);

  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    gst_upi_encoding_life_start (&self->life);
    if (!open_engine (self))
      return GST_STATE_CHANGE_FAILURE;
  }
  GstStateChangeReturn ret = GST_ELEMENT_CLASS (gst_upi_encoder_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED && ret == GST_STATE_CHANGE_FAILURE)) {
    close_engine (self);
    gst_upi_encoder_reset_stream (self);
  }
  return ret;
}

static GstStructure *
get_stats (GstUpiEncoder *self)
{
  GstStructure *stats = gst_upi_stats_to_structure (self->stats);

  GST_OBJECT_LOCK (self);
  UpiEngine *engine = self->engine != NULL ? upi_engine_ref (self->engine) : NULL;
  GST_OBJECT_UNLOCK (self);
  UpiEngineStats shared = { .size = sizeof (UpiEngineStats) };
  if (engine != NULL)
    upi_engine_get_stats (engine, &shared);
  gdouble fill = shared.image_runs > 0 ? (gdouble) shared.encoded / (gdouble) shared.image_runs : 0;
  gst_structure_set (stats, "queue-length", G_TYPE_UINT, gst_upi_frames_get_length (self->frames), "in-flight",
      G_TYPE_UINT, gst_upi_frames_get_running (self->frames), "batch-fill", G_TYPE_DOUBLE, fill, NULL);
  g_clear_pointer (&engine, upi_engine_unref);
  return stats;
}

/* Lock held. Takes over a string that is fixed while the engine is open; FALSE if it would change. */
static gboolean
set_fixed_string (GstUpiEncoder *self, gchar **field, const GValue *value)
{
  if (self->opened)
    return g_strcmp0 (*field, g_value_get_string (value)) == 0;
  g_free (*field);
  *field = g_value_dup_string (value);
  return TRUE;
}

static gboolean
set_fixed_uint (GstUpiEncoder *self, guint *field, const GValue *value)
{
  if (self->opened)
    return *field == g_value_get_uint (value);
  *field = g_value_get_uint (value);
  return TRUE;
}

static void
gst_upi_encoder_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (object);
  gboolean accepted = TRUE;

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_MODEL:
    accepted = set_fixed_string (self, &self->model, value);
    break;
  case PROP_DEVICE:
    accepted = set_fixed_string (self, &self->device, value);
    break;
  case PROP_INSTANCE_ID:
    accepted = set_fixed_string (self, &self->instance_id, value);
    break;
  case PROP_INPUT_SIZE:
    accepted = set_fixed_string (self, &self->input_size, value);
    break;
  case PROP_THREADS:
    accepted = set_fixed_uint (self, &self->threads, value);
    break;
  case PROP_THREADS_PER_FRAME:
    accepted = set_fixed_uint (self, &self->threads_per_frame, value);
    break;
  case PROP_BATCH_SIZE:
    accepted = set_fixed_uint (self, &self->batch_size, value);
    break;
  case PROP_BATCH_TIMEOUT:
    accepted = !self->opened || self->batch_timeout == g_value_get_uint64 (value);
    if (accepted)
      self->batch_timeout = g_value_get_uint64 (value);
    break;
  case PROP_INTERVAL:
    self->interval = g_value_get_uint (value);
    break;
  case PROP_POLICY:
    self->policy = g_value_get_enum (value);
    self->policy_serial++;
    break;
  case PROP_ORIENTATION:
    self->orientation = g_value_get_enum (value);
    self->orientation_serial++;
    break;
  case PROP_MAX_IN_FLIGHT:
    self->max_in_flight = g_value_get_uint (value);
    break;
  case PROP_STATIC_THRESHOLD:
    self->static_threshold = g_value_get_double (value);
    set_static (self);
    break;
  case PROP_STATIC_MAX_AGE:
    self->static_max_age = g_value_get_uint64 (value);
    set_static (self);
    break;
  case PROP_KEEP_ENCODING:
    gst_upi_encoding_life_set (&self->life, value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
  if (!accepted)
    GST_ELEMENT_WARNING (self, LIBRARY, SETTINGS,
        ("Property \"%s\" cannot change while the model is open, it keeps its value: set the element to READY first.",
            pspec->name),
        ("set in PAUSED or PLAYING"));
}

static void
gst_upi_encoder_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, get_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_MODEL:
    g_value_set_string (value, self->model);
    break;
  case PROP_DEVICE:
    g_value_set_string (value, self->device);
    break;
  case PROP_INSTANCE_ID:
    g_value_set_string (value, self->instance_id);
    break;
  case PROP_INPUT_SIZE:
    g_value_set_string (value, self->input_size);
    break;
  case PROP_THREADS:
    g_value_set_uint (value, self->threads);
    break;
  case PROP_THREADS_PER_FRAME:
    g_value_set_uint (value, self->threads_per_frame);
    break;
  case PROP_BATCH_SIZE:
    g_value_set_uint (value, self->batch_size);
    break;
  case PROP_BATCH_TIMEOUT:
    g_value_set_uint64 (value, self->batch_timeout);
    break;
  case PROP_INTERVAL:
    g_value_set_uint (value, self->interval);
    break;
  case PROP_POLICY:
    g_value_set_enum (value, self->policy);
    break;
  case PROP_ORIENTATION:
    g_value_set_enum (value, self->orientation);
    break;
  case PROP_MAX_IN_FLIGHT:
    g_value_set_uint (value, self->max_in_flight);
    break;
  case PROP_STATIC_THRESHOLD:
    g_value_set_double (value, self->static_threshold);
    break;
  case PROP_STATIC_MAX_AGE:
    g_value_set_uint64 (value, self->static_max_age);
    break;
  case PROP_KEEP_ENCODING:
    gst_upi_encoding_life_get (&self->life, value);
    break;
  case PROP_DEVICE_IN_USE:
    g_value_set_string (value, self->engine != NULL ? upi_engine_info (self->engine)->device : NULL);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_upi_encoder_finalize (GObject *object)
{
  GstUpiEncoder *self = GST_UPI_ENCODER (object);

  gst_upi_frames_detach (self->frames);
  gst_upi_frames_unref (self->frames);
  gst_upi_stats_free (self->stats);
  g_clear_pointer (&self->cuda, gst_upi_cuda_unref);
  g_free (self->model);
  g_free (self->device);
  g_free (self->instance_id);
  g_free (self->input_size);
  g_mutex_clear (&self->task_lock);
  G_OBJECT_CLASS (gst_upi_encoder_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
{
  const GParamFlags fixed = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * GstUpiEncoder:model:
   *
   * Name or directory of a model; refused while playing.
   */
  g_object_class_install_property (object_class, PROP_MODEL,
      g_param_spec_string ("model", "Model",
          "Directory of a model, or the name of one in $UPI_MODEL_PATH, the user's data directory or the installed "
          "models (default: nano)",
          "nano", fixed));
  /**
   * GstUpiEncoder:device:
   *
   * Where the engine runs. auto says in device-in-use what it chose; a device that is asked for and is not there is an
   * error. Refused while playing.
   */
  g_object_class_install_property (object_class, PROP_DEVICE,
      g_param_spec_string ("device", "Device",
          "Where the network runs: auto (a usable GPU, otherwise the CPU), cpu, cuda, cuda:1 (default: auto)", "auto",
          fixed));
  /**
   * GstUpiEncoder:inference-interval:
   *
   * Every n-th frame is encoded; 1: all. The others carry the last encoding.
   */
  g_object_class_install_property (object_class, PROP_INTERVAL,
      g_param_spec_uint ("inference-interval", "Inference interval",
          "Encode every n-th frame; those between carry the last encoding, frames (default: 1 = all)", 1, G_MAXINT, 1,
          live));
  /**
   * GstUpiEncoder:policy:
   *
   * GST_UPI_POLICY_BLOCK: no frame leaves without its encoding. GST_UPI_POLICY_LATEST: none waits. GST_UPI_POLICY_AUTO
   * asks with a LATENCY query, at the first frame, whether the source is live.
   */
  g_object_class_install_property (object_class, PROP_POLICY,
      g_param_spec_enum ("policy", "Policy",
          "Whether frames wait for their encoding: block, latest, or auto = latest behind a live source, otherwise "
          "block (default: auto)",
          GST_TYPE_UPI_POLICY, GST_UPI_POLICY_AUTO, live));
  /**
   * GstUpiEncoder:batch-size:
   *
   * Frames of one run, of all streams that share the engine. The first element that opens the engine decides.
   */
  g_object_class_install_property (object_class, PROP_BATCH_SIZE,
      g_param_spec_uint ("batch-size", "Batch size",
          "Frames that the engine runs at once, across the streams that share it; a gain on a GPU, where frames of one "
          "file run together "
          "too, none on "
          "a CPU, where a stream's own frames never wait for each other, frames (default: 1)",
          1, 64, 1, fixed));
  /**
   * GstUpiEncoder:batch-timeout:
   *
   * Nanoseconds that an unfilled batch waits for other streams' frames.
   */
  g_object_class_install_property (object_class, PROP_BATCH_TIMEOUT,
      g_param_spec_uint64 ("batch-timeout", "Batch timeout",
          "How long a batch that is not full waits for frames of other streams, nanoseconds (default: 0)", 0,
          10 * GST_SECOND, 0, fixed));
  /**
   * GstUpiEncoder:model-instance-id:
   *
   * Elements of one model, device and id share an engine: its weights and its workers.
   */
  g_object_class_install_property (object_class, PROP_INSTANCE_ID,
      g_param_spec_string ("model-instance-id", "Model instance id",
          "Elements of equal model, device and id share one engine; elements of different ids never do (default: none)",
          NULL, fixed));
  /**
   * GstUpiEncoder:threads:
   *
   * CPU threads of the engine, 0: one a core. The first element that opens the engine decides.
   */
  g_object_class_install_property (object_class, PROP_THREADS,
      g_param_spec_uint (
          "threads", "Threads", "CPU threads of the engine, threads (default: 0 = one a core)", 0, 1024, 0, fixed));
  /**
   * GstUpiEncoder:threads-per-frame:
   *
   * CPU threads that work on one frame; a frame a thread has the higher throughput.
   */
  g_object_class_install_property (object_class, PROP_THREADS_PER_FRAME,
      g_param_spec_uint ("threads-per-frame", "Threads per frame",
          "CPU threads that share one frame; more than 1 only for lowest latency on a quiet machine, threads (default: "
          "1)",
          1, 1024, 1, fixed));
  /**
   * GstUpiEncoder:input-size:
   *
   * WIDTHxHEIGHT of the network's input, one that the model was trained for, or auto, by the display aspect of the
   * caps.
   */
  g_object_class_install_property (object_class, PROP_INPUT_SIZE,
      g_param_spec_string ("input-size", "Input size",
          "Size at which the network sees a frame: auto (of the ordinary ones it was trained for, the one nearest to "
          "the frame's display "
          "aspect) or any of them as WxH, pixels; a larger one finds smaller objects (default: auto)",
          "auto", fixed));
  /**
   * GstUpiEncoder:orientation:
   *
   * How the network's input is turned; frames, boxes and masks are not. auto follows the image-orientation tag, in
   * mid-stream too.
   */
  g_object_class_install_property (object_class, PROP_ORIENTATION,
      g_param_spec_enum ("orientation", "Orientation",
          "How the picture is turned before the network sees it; frames leave as they are, with boxes and masks that "
          "lie on them: auto "
          "(the "
          "image-orientation tag, unless a videoflip with automatic direction stands upstream), none, or a direction "
          "as of videoflip "
          "(default: "
          "auto)",
          GST_TYPE_UPI_ORIENTATION, GST_UPI_ORIENTATION_AUTO, live));
  /**
   * GstUpiEncoder:max-in-flight:
   *
   * Frames inside the element, with those that wait to be pushed; upstream gets no more back until one has left.
   */
  g_object_class_install_property (object_class, PROP_MAX_IN_FLIGHT,
      g_param_spec_uint ("max-in-flight", "Maximum in flight",
          "Frames that may be inside the element, frames (default: 0 = workers × batch-size + 2)", 0, 1024, 0, live));
  /**
   * GstUpiEncoder:static-threshold:
   *
   * 0 to 1: what a frame may differ from the last encoded one, anywhere, and keep its encoding; 0: every frame is
   * encoded. See above for the scale.
   */
  g_object_class_install_property (object_class, PROP_STATIC_THRESHOLD,
      g_param_spec_double ("static-threshold", "Static threshold",
          "A frame that differs from the last encoded one by no more than this anywhere keeps its encoding: largest "
          "mean difference of a "
          "tile "
          "of 16 × 16 pixels of the network's input, of the range of levels, after the change of brightness of the "
          "whole picture; 0.02 "
          "passes "
          "over noise and compression and sees a person of 5 % of the height move (default: 0 = encode every frame)",
          0, 1, 0, live));
  /**
   * GstUpiEncoder:static-max-age:
   *
   * Nanoseconds: an encoding that is older is not kept, however still the picture is.
   */
  g_object_class_install_property (object_class, PROP_STATIC_MAX_AGE,
      g_param_spec_uint64 ("static-max-age", "Static maximum age",
          "However still the picture is, an encoding that is older is not kept, nanoseconds (default: 5 s)", 0,
          G_MAXUINT64, 5 * GST_SECOND, live));
  /**
   * GstUpiEncoder:stats:
   *
   * GstStructure upi-encoder-stats, from 0 at each start; times in nanoseconds, as guint64.
   */
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Structure of counters and times since the element started: frames-in, frames-out, encoded, static, skipped, "
          "outdated, failed, "
          "queue-length, in-flight, batch-fill, encode-time-mean, encode-time-p95, convert-time-mean, result-age, "
          "result-age-mean, "
          "result-age-p95, result-age-max "
          "(nanoseconds)",
          GST_TYPE_STRUCTURE, read));
  /**
   * GstUpiEncoder:device-in-use:
   *
   * What device=auto became: cpu, cuda:0. NULL in NULL and READY.
   */
  g_object_class_install_property (object_class, PROP_DEVICE_IN_USE,
      g_param_spec_string (
          "device-in-use", "Device in use", "What device=auto chose: cpu, cuda:0; none before PAUSED", NULL, read));
  gst_upi_encoding_life_install_property (object_class, PROP_KEEP_ENCODING);
}

static void
gst_upi_encoder_class_init (GstUpiEncoderClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = gst_upi_encoder_set_property;
  object_class->get_property = gst_upi_encoder_get_property;
  object_class->finalize = gst_upi_encoder_finalize;
  element_class->change_state = gst_upi_encoder_change_state;
  element_class->set_context = gst_upi_encoder_set_context;
  install_properties (object_class);
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_POLICY, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_ORIENTATION, 0);
  g_autoptr (GstCaps) caps = gst_upi_cuda_add_caps (gst_caps_from_string (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)));
  gst_element_class_add_pad_template (element_class, gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template (element_class, gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_element_class_set_static_metadata (element_class, "Uni-Perceiver v2 frame encoder", "Filter/Analyzer/Video",
      "Encodes each video frame once; upidetect and upicaption behind it read the encoding. "
      "Example: upiencoder ! upidetect labels=\"person, bicycle\" ! upioverlay",
      "The upi authors");
}

static void
gst_upi_encoder_init (GstUpiEncoder *self)
{
  self->model = g_strdup ("nano");
  self->device = g_strdup ("auto");
  self->input_size = g_strdup ("auto");
  self->threads_per_frame = self->batch_size = self->interval = 1;
  self->static_max_age = 5 * GST_SECOND;
  self->stats = gst_upi_stats_new ();
  self->frames = gst_upi_frames_new (self->stats);
  g_mutex_init (&self->task_lock);
  gst_upi_encoder_reset_stream (self);
  gst_upi_encoder_init_pads (self);
}
