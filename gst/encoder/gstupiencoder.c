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
 * 288×288:
 *
 * | what happens | difference |
 * |---|---|
 * | nothing, but for a sensor's noise of 1, 2, 4 levels of 255 | 0.002, 0.004, 0.008 |
 * | brightness of the whole picture changes by a fifth | 0.002 to 0.007 |
 * | compression: blocks that are off by up to 1, 2, 3 levels | 0.006, 0.012, 0.018 |
 * | **0.01**, where to begin; **0.02** where compression is strong and misses matter less | |
 * | rain, leaves in wind: by their size and contrast | 0.02 to 0.1 |
 * | a person of 4 % of the height (11 pixels) appears, or moves by its own width | 0.04 to 0.09 |
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
#include "gst/plugin.h"

GST_DEBUG_CATEGORY (gst_upi_encoder_debug);
#define GST_CAT_DEFAULT gst_upi_encoder_debug

G_DEFINE_TYPE (GstUpiEncoder, gst_upi_encoder, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (upiencoder, "upiencoder", GST_RANK_NONE, GST_TYPE_UPI_ENCODER,
    GST_DEBUG_CATEGORY_INIT (gst_upi_encoder_debug, "upiencoder", 0, "encodes frames for the upi elements"))

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
    if (!gst_upi_encoder_open_engine (self))
      return GST_STATE_CHANGE_FAILURE;
  }
  GstStateChangeReturn ret = GST_ELEMENT_CLASS (gst_upi_encoder_parent_class)->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY
      || (transition == GST_STATE_CHANGE_READY_TO_PAUSED && ret == GST_STATE_CHANGE_FAILURE)) {
    gst_upi_encoder_close_engine (self);
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
  case GST_UPI_ENCODER_PROP_MODEL:
    accepted = set_fixed_string (self, &self->model, value);
    break;
  case GST_UPI_ENCODER_PROP_DEVICE:
    accepted = set_fixed_string (self, &self->device, value);
    break;
  case GST_UPI_ENCODER_PROP_INSTANCE_ID:
    accepted = set_fixed_string (self, &self->instance_id, value);
    break;
  case GST_UPI_ENCODER_PROP_INPUT_SIZE:
    accepted = set_fixed_string (self, &self->input_size, value);
    break;
  case GST_UPI_ENCODER_PROP_THREADS:
    accepted = set_fixed_uint (self, &self->threads, value);
    break;
  case GST_UPI_ENCODER_PROP_THREADS_PER_FRAME:
    accepted = set_fixed_uint (self, &self->threads_per_frame, value);
    break;
  case GST_UPI_ENCODER_PROP_BATCH_SIZE:
    accepted = set_fixed_uint (self, &self->batch_size, value);
    break;
  case GST_UPI_ENCODER_PROP_BATCH_TIMEOUT:
    accepted = !self->opened || self->batch_timeout == g_value_get_uint64 (value);
    if (accepted)
      self->batch_timeout = g_value_get_uint64 (value);
    break;
  case GST_UPI_ENCODER_PROP_INTERVAL:
    self->interval = g_value_get_uint (value);
    break;
  case GST_UPI_ENCODER_PROP_POLICY:
    self->policy = g_value_get_enum (value);
    self->policy_serial++;
    break;
  case GST_UPI_ENCODER_PROP_ORIENTATION:
    self->orientation = g_value_get_enum (value);
    self->orientation_serial++;
    break;
  case GST_UPI_ENCODER_PROP_MAX_IN_FLIGHT:
    self->max_in_flight = g_value_get_uint (value);
    break;
  case GST_UPI_ENCODER_PROP_STATIC_THRESHOLD:
    self->static_threshold = g_value_get_double (value);
    gst_upi_encoder_set_static (self);
    break;
  case GST_UPI_ENCODER_PROP_STATIC_MAX_AGE:
    self->static_max_age = g_value_get_uint64 (value);
    gst_upi_encoder_set_static (self);
    break;
  case GST_UPI_ENCODER_PROP_KEEP_ENCODING:
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

  if (id == GST_UPI_ENCODER_PROP_STATS) {
    g_value_take_boxed (value, get_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  switch (id) {
  case GST_UPI_ENCODER_PROP_MODEL:
    g_value_set_string (value, self->model);
    break;
  case GST_UPI_ENCODER_PROP_DEVICE:
    g_value_set_string (value, self->device);
    break;
  case GST_UPI_ENCODER_PROP_INSTANCE_ID:
    g_value_set_string (value, self->instance_id);
    break;
  case GST_UPI_ENCODER_PROP_INPUT_SIZE:
    g_value_set_string (value, self->input_size);
    break;
  case GST_UPI_ENCODER_PROP_THREADS:
    g_value_set_uint (value, self->threads);
    break;
  case GST_UPI_ENCODER_PROP_THREADS_PER_FRAME:
    g_value_set_uint (value, self->threads_per_frame);
    break;
  case GST_UPI_ENCODER_PROP_BATCH_SIZE:
    g_value_set_uint (value, self->batch_size);
    break;
  case GST_UPI_ENCODER_PROP_BATCH_TIMEOUT:
    g_value_set_uint64 (value, self->batch_timeout);
    break;
  case GST_UPI_ENCODER_PROP_INTERVAL:
    g_value_set_uint (value, self->interval);
    break;
  case GST_UPI_ENCODER_PROP_POLICY:
    g_value_set_enum (value, self->policy);
    break;
  case GST_UPI_ENCODER_PROP_ORIENTATION:
    g_value_set_enum (value, self->orientation);
    break;
  case GST_UPI_ENCODER_PROP_MAX_IN_FLIGHT:
    g_value_set_uint (value, self->max_in_flight);
    break;
  case GST_UPI_ENCODER_PROP_STATIC_THRESHOLD:
    g_value_set_double (value, self->static_threshold);
    break;
  case GST_UPI_ENCODER_PROP_STATIC_MAX_AGE:
    g_value_set_uint64 (value, self->static_max_age);
    break;
  case GST_UPI_ENCODER_PROP_KEEP_ENCODING:
    gst_upi_encoding_life_get (&self->life, value);
    break;
  case GST_UPI_ENCODER_PROP_DEVICE_IN_USE:
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
gst_upi_encoder_class_init (GstUpiEncoderClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->set_property = gst_upi_encoder_set_property;
  object_class->get_property = gst_upi_encoder_get_property;
  object_class->finalize = gst_upi_encoder_finalize;
  element_class->change_state = gst_upi_encoder_change_state;
  element_class->set_context = gst_upi_encoder_set_context;
  gst_upi_encoder_install_properties (object_class);
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_POLICY, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_UPI_ORIENTATION, 0);
  g_autoptr (GstCaps) caps = gst_upi_cuda_add_caps (gst_caps_from_string (GST_VIDEO_CAPS_MAKE (GST_VIDEO_FORMATS_ALL)));
  gst_element_class_add_pad_template (element_class, gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
  gst_element_class_add_pad_template (element_class, gst_pad_template_new ("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
  gst_element_class_set_static_metadata (element_class, "Uni-Perceiver v2 frame encoder", "Filter/Analyzer/Video",
      "Encodes each video frame once; upidetect and upicaption behind it read the encoding. Example: upiencoder ! "
      "upidetect labels=\"person, bicycle\" ! upioverlay",
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
