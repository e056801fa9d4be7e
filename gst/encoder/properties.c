/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.c: what can be set of upiencoder; gstupiencoder.c sets it. */
#include "gst/encoder/private.h"

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

void
gst_upi_encoder_install_properties (GObjectClass *object_class)
{
  const GParamFlags fixed = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags live = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  /**
   * GstUpiEncoder:model:
   *
   * Name or directory of a model; refused while playing.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_MODEL,
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
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_DEVICE,
      g_param_spec_string ("device", "Device",
          "Where the network runs: auto (a usable GPU, otherwise the CPU), cpu, cuda, cuda:1 (default: auto)", "auto",
          fixed));
  /**
   * GstUpiEncoder:inference-interval:
   *
   * Every n-th frame is encoded; 1: all. The others carry the last encoding.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_INTERVAL,
      g_param_spec_uint ("inference-interval", "Inference interval",
          "Encode every n-th frame; those between carry the last encoding, frames (default: 1 = all)", 1, G_MAXINT, 1,
          live));
  /**
   * GstUpiEncoder:policy:
   *
   * GST_UPI_POLICY_BLOCK: no frame leaves without its encoding. GST_UPI_POLICY_LATEST: none waits. GST_UPI_POLICY_AUTO
   * asks with a LATENCY query, at the first frame, whether the source is live.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_POLICY,
      g_param_spec_enum ("policy", "Policy",
          "Whether frames wait for their encoding: block, latest, or auto = latest behind a live source, otherwise "
          "block (default: auto)",
          GST_TYPE_UPI_POLICY, GST_UPI_POLICY_AUTO, live));
  /**
   * GstUpiEncoder:batch-size:
   *
   * Frames of one run, of all streams that share the engine. The first element that opens the engine decides.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_BATCH_SIZE,
      g_param_spec_uint ("batch-size", "Batch size",
          "Frames that the engine runs at once, across the streams that share it; a gain on a GPU, where frames of one "
          "file run together too, none on a CPU, where a stream's own frames never wait for each other, frames "
          "(default: 1)",
          1, 64, 1, fixed));
  /**
   * GstUpiEncoder:batch-timeout:
   *
   * Nanoseconds that an unfilled batch waits for other streams' frames.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_BATCH_TIMEOUT,
      g_param_spec_uint64 ("batch-timeout", "Batch timeout",
          "How long a batch that is not full waits for frames of other streams, nanoseconds (default: 0)", 0,
          10 * GST_SECOND, 0, fixed));
  /**
   * GstUpiEncoder:model-instance-id:
   *
   * Elements of one model, device and id share an engine: its weights and its workers.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_INSTANCE_ID,
      g_param_spec_string ("model-instance-id", "Model instance id",
          "Elements of equal model, device and id share one engine; elements of different ids never do (default: none)",
          NULL, fixed));
  /**
   * GstUpiEncoder:threads:
   *
   * CPU threads of the engine, 0: one a core. The first element that opens the engine decides.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_THREADS,
      g_param_spec_uint (
          "threads", "Threads", "CPU threads of the engine, threads (default: 0 = one a core)", 0, 1024, 0, fixed));
  /**
   * GstUpiEncoder:threads-per-frame:
   *
   * CPU threads that work on one frame; a frame a thread has the higher throughput.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_THREADS_PER_FRAME,
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
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_INPUT_SIZE,
      g_param_spec_string ("input-size", "Input size",
          "Size at which the network sees a frame: auto (of the ordinary ones it was trained for, the one meant for "
          "the frame's display aspect) or any of them as WxH, pixels; a larger one finds smaller objects (default: "
          "auto)",
          "auto", fixed));
  /**
   * GstUpiEncoder:orientation:
   *
   * How the network's input is turned; frames, boxes and masks are not. auto follows the image-orientation tag, in
   * mid-stream too.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_ORIENTATION,
      g_param_spec_enum ("orientation", "Orientation",
          "How the picture is turned before the network sees it; frames leave as they are, with boxes and masks that "
          "lie on them: auto (the image-orientation tag, unless a videoflip with automatic direction stands upstream), "
          "none, or a direction as of videoflip (default: auto)",
          GST_TYPE_UPI_ORIENTATION, GST_UPI_ORIENTATION_AUTO, live));
  /**
   * GstUpiEncoder:max-in-flight:
   *
   * Frames inside the element, with those that wait to be pushed; upstream gets no more back until one has left.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_MAX_IN_FLIGHT,
      g_param_spec_uint ("max-in-flight", "Maximum in flight",
          "Frames that may be inside the element, frames (default: 0 = workers × batch-size + 2)", 0, 1024, 0, live));
  /**
   * GstUpiEncoder:static-threshold:
   *
   * 0 to 1: what a frame may differ from the last encoded one, anywhere, and keep its encoding; 0: every frame is
   * encoded. See above for the scale.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_STATIC_THRESHOLD,
      g_param_spec_double ("static-threshold", "Static threshold",
          "A frame that differs from the last encoded one by no more than this anywhere keeps its encoding: largest "
          "mean difference of a tile of 16 × 16 pixels of the network's input, of the range of levels, after the "
          "change of brightness of the whole picture; 0.01 passes over noise and sees a person of 5 % of the height "
          "move, 0.02 passes over strong compression, too (default: 0 = encode every frame)",
          0, 1, 0, live));
  /**
   * GstUpiEncoder:static-max-age:
   *
   * Nanoseconds: an encoding that is older is not kept, however still the picture is.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_STATIC_MAX_AGE,
      g_param_spec_uint64 ("static-max-age", "Static maximum age",
          "However still the picture is, an encoding that is older is not kept, nanoseconds (default: 5 s)", 0,
          G_MAXUINT64, 5 * GST_SECOND, live));
  /**
   * GstUpiEncoder:stats:
   *
   * GstStructure upi-encoder-stats, from 0 at each start; times in nanoseconds, as guint64.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Structure of counters and times since the element started: frames-in, frames-out, encoded, static, skipped, "
          "outdated, failed, queue-length, in-flight, batch-fill, encode-time-mean, encode-time-p95, "
          "convert-time-mean, result-age, result-age-mean, result-age-p95, result-age-max (nanoseconds)",
          GST_TYPE_STRUCTURE, read));
  /**
   * GstUpiEncoder:device-in-use:
   *
   * What device=auto became: cpu, cuda:0. NULL in NULL and READY.
   */
  g_object_class_install_property (object_class, GST_UPI_ENCODER_PROP_DEVICE_IN_USE,
      g_param_spec_string (
          "device-in-use", "Device in use", "What device=auto chose: cpu, cuda:0; none before PAUSED", NULL, read));
  gst_upi_encoding_life_install_property (object_class, GST_UPI_ENCODER_PROP_KEEP_ENCODING);
}
