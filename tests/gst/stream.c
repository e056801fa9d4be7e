/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c: an element under test; see stream.h. */
#include "tests/gst/stream.h"

#include <string.h>

static GstStaticPadTemplate source_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GstPadProbeReturn
record_probe (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Stream *stream = user_data;
  gchar *entry = NULL;

  if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
    entry = g_strdup_printf ("%d", frame_number (GST_PAD_PROBE_INFO_BUFFER (info)));
  } else {
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
    GstCaps *caps;
    switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_CAPS: {
      gint width = 0, height = 0;
      gst_event_parse_caps (event, &caps);
      gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
      gst_structure_get_int (gst_caps_get_structure (caps, 0), "height", &height);
      entry = g_strdup_printf ("caps %dx%d", width, height);
      break;
    }
    case GST_EVENT_SEGMENT: {
      const GstSegment *segment;
      gst_event_parse_segment (event, &segment);
      entry = g_strdup_printf ("segment %d", (gint) (segment->start / (40 * GST_MSECOND)));
      break;
    }
    case GST_EVENT_GAP: {
      GstClockTime time;
      gst_event_parse_gap (event, &time, NULL);
      entry = g_strdup_printf ("gap %d", (gint) (time / (40 * GST_MSECOND)));
      break;
    }
    case GST_EVENT_RECONFIGURE:
    case GST_EVENT_LATENCY:
      break;
    default:
      entry = g_strdup (GST_EVENT_TYPE_NAME (event));
      break;
    }
  }
  if (entry != NULL) {
    g_mutex_lock (&stream->lock);
    g_ptr_array_add (stream->record, entry);
    g_mutex_unlock (&stream->lock);
  }
  return GST_PAD_PROBE_OK;
}

/* The tests look at encodings: somebody reads them, as an application would. */
static GstPadProbeReturn
read_probe (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  const GstStructure *structure = gst_query_get_structure (GST_PAD_PROBE_INFO_QUERY (info));

  if (structure == NULL || !gst_structure_has_name (structure, GST_UPI_QUERY_ENCODING_READER))
    return GST_PAD_PROBE_OK;
  return g_atomic_int_get (&((Stream *) user_data)->reads) ? GST_PAD_PROBE_HANDLED : GST_PAD_PROBE_DROP;
}

/* The same tests on another device, where a test means the ordinary one. */
static const gchar *
test_device (void)
{
  const gchar *device = g_getenv ("UPI_TEST_DEVICE");

  return device != NULL ? device : "cpu";
}

Stream *
stream_new (const gchar *description, gboolean live)
{
  Stream *stream = g_new0 (Stream, 1);
  g_autoptr (GString) text = g_string_new (description);
  g_autofree gchar *device = g_strconcat ("device=", test_device (), NULL);
  g_autoptr (GError) error = NULL;

  g_string_replace (text, "device=cpu", device, 0);
  g_mutex_init (&stream->lock);
  stream->record = g_ptr_array_new_with_free_func (g_free);
  stream->element = gst_parse_bin_from_description (text->str, TRUE, &error);
  g_assert_no_error (error);
  gst_object_ref_sink (stream->element);
  stream->bus = gst_bus_new ();
  gst_element_set_bus (stream->element, stream->bus);
  /* The harness would be live by default and set the element to PLAYING before anybody listens. */
  stream->harness = gst_harness_new_empty ();
  gst_harness_set_live (stream->harness, live);
  gst_harness_add_element_full (stream->harness, stream->element, &source_template, "sink", &sink_template, "src");
  gst_pad_add_probe (stream->harness->sinkpad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH, record_probe,
      stream, NULL);
  stream->reads = TRUE;
  gst_pad_add_probe (stream->harness->sinkpad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, read_probe, stream, NULL);
  return stream;
}

void
stream_free (Stream *stream)
{
  gst_element_set_state (stream->element, GST_STATE_NULL);
  g_autofree gchar *error = stream_peek_message (stream, GST_MESSAGE_ERROR);
  g_autofree gchar *warning = stream_peek_message (stream, GST_MESSAGE_WARNING);
  g_assert_cmpstr (error, ==, NULL);
  g_assert_cmpstr (warning, ==, NULL);
  gst_element_set_bus (stream->element, NULL);
  gst_harness_teardown (stream->harness);
  gst_object_unref (stream->element);
  gst_object_unref (stream->bus);
  g_ptr_array_unref (stream->record);
  g_mutex_clear (&stream->lock);
  g_free (stream);
}

GstElement *
stream_get (Stream *stream, const gchar *name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (stream->element), name);
  g_assert_nonnull (element);
  return element;
}

void
stream_caps (Stream *stream, const gchar *caps)
{
  gst_harness_set_src_caps_str (stream->harness, caps);
}

void
stream_format (Stream *stream, const gchar *format, gint width, gint height)
{
  g_autofree gchar *caps =
      g_strdup_printf ("video/x-raw,format=%s,width=%d,height=%d,framerate=25/1", format, width, height);
  stream_caps (stream, caps);
}

gchar *
stream_take_record (Stream *stream)
{
  g_mutex_lock (&stream->lock);
  g_ptr_array_add (stream->record, NULL);
  gchar *text = g_strjoinv (", ", (gchar **) stream->record->pdata);
  g_ptr_array_set_size (stream->record, 0);
  g_mutex_unlock (&stream->lock);
  return text;
}

static gchar *
message_text (GstMessage *message)
{
  g_autoptr (GError) error = NULL;

  if (message == NULL)
    return NULL;
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING)
    gst_message_parse_warning (message, &error, NULL);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_INFO)
    gst_message_parse_info (message, &error, NULL);
  gchar *text = g_strdup (error != NULL ? error->message : GST_MESSAGE_TYPE_NAME (message));
  gst_message_unref (message);
  return text;
}

gchar *
stream_message (Stream *stream, GstMessageType type)
{
  gchar *text = message_text (gst_bus_timed_pop_filtered (stream->bus, 60 * GST_SECOND, type));
  g_assert_nonnull (text);
  return text;
}

gchar *
stream_peek_message (Stream *stream, GstMessageType type)
{
  return message_text (gst_bus_pop_filtered (stream->bus, type));
}

void
frame_paint (GstVideoFrame *frame, guint number)
{
  GstVideoInfo rgb_info;
  gint width = GST_VIDEO_FRAME_WIDTH (frame), height = GST_VIDEO_FRAME_HEIGHT (frame);
  gst_video_info_set_interlaced_format (
      &rgb_info, GST_VIDEO_FORMAT_RGBA, frame->info.interlace_mode, (guint) width, (guint) height);
  rgb_info.fps_n = frame->info.fps_n;
  rgb_info.fps_d = frame->info.fps_d;
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&rgb_info), NULL);
  GstVideoFrame rgb;

  g_assert_true (gst_video_frame_map (&rgb, &rgb_info, buffer, GST_MAP_READWRITE));
  for (gint y = 0; y < height; y++) {
    guint8 *row = (guint8 *) rgb.data[0] + y * rgb.info.stride[0];
    for (gint x = 0; x < width; x++) {
      /* Gradients that move, with a bright square that jumps. */
      gint tx = x * 64 / width, ty = y * 64 / height;
      gboolean square = ABS (tx - (gint) (number * 7 % 64)) < 8 && ABS (ty - (gint) (number * 13 % 64)) < 8;
      row[4 * x] = square ? 240 : (guint8) (tx * 2 + (gint) number);
      row[4 * x + 1] = square ? 230 : (guint8) (ty * 2 + 3 * (gint) number);
      row[4 * x + 2] = square ? 20 : (guint8) (tx + ty);
      row[4 * x + 3] = 255;
    }
  }
  GstVideoInfo info = frame->info;
  GstVideoConverter *converter = gst_video_converter_new (&rgb_info, &info, NULL);
  g_assert_nonnull (converter);
  gst_video_converter_frame (converter, &rgb, frame);
  gst_video_converter_free (converter);
  gst_video_frame_unmap (&rgb);
  gst_buffer_unref (buffer);
}

static void
set_times (GstBuffer *buffer, guint number)
{
  GST_BUFFER_PTS (buffer) = number * 40 * GST_MSECOND;
  GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
}

GstBuffer *
frame_new (const gchar *format, gint width, gint height, guint number)
{
  GstVideoInfo info;
  GstVideoFrame frame;

  gst_video_info_set_format (&info, gst_video_format_from_string (format), (guint) width, (guint) height);
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (&info), NULL);
  g_assert_true (gst_video_frame_map (&frame, &info, buffer, GST_MAP_WRITE));
  frame_paint (&frame, number);
  gst_video_frame_unmap (&frame);
  set_times (buffer, number);
  return buffer;
}

GstFlowReturn
stream_push (Stream *stream, guint number)
{
  GstCaps *caps = gst_pad_get_current_caps (stream->harness->srcpad);
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  gint width = 0, height = 0;

  gst_structure_get_int (structure, "width", &width);
  gst_structure_get_int (structure, "height", &height);
  GstBuffer *buffer = frame_new (gst_structure_get_string (structure, "format"), width, height, number);
  gst_caps_unref (caps);
  return gst_harness_push (stream->harness, buffer);
}

GstBuffer *
stream_pull (Stream *stream)
{
  GstBuffer *buffer = gst_harness_pull (stream->harness);
  g_assert_nonnull (buffer);
  return buffer;
}

GstBuffer *
stream_pass (Stream *stream, guint number)
{
  g_assert_cmpint (stream_push (stream, number), ==, GST_FLOW_OK);
  return stream_pull (stream);
}

GstBuffer *
stream_pass_held (Stream *stream, UpiEngine *engine, guint number)
{
  upi_engine_hold (engine);
  GstBuffer *buffer = stream_pass (stream, number);
  upi_engine_release (engine);
  test_engine_drain (engine);
  g_assert_cmpint (frame_number (buffer), ==, (gint) number);
  return buffer;
}

gint
frame_number (GstBuffer *buffer)
{
  return (gint) (GST_BUFFER_PTS (buffer) / (40 * GST_MSECOND));
}

gint
frame_inferred (GstBuffer *buffer)
{
  GstUpiMeta *meta = gst_buffer_get_upi_meta (buffer);
  g_assert_nonnull (meta);
  const GstUpiContent *content = gst_upi_meta_get_content (meta);
  if (!gst_upi_content_is_encoded (content)) {
    g_assert_null (gst_upi_content_get_encoding (content));
    return -1;
  }
  GstClockTime pts = gst_upi_content_get_inference_pts (content);
  if (gst_upi_content_get_encoding (content) != NULL)
    g_assert_cmpuint (upi_encoding_pts (gst_upi_content_get_encoding (content)), ==, pts);
  return (gint) (pts / (40 * GST_MSECOND));
}

UpiEngine *
test_engine (const gchar *instance_id, guint threads)
{
  g_autoptr (GError) error = NULL;
  const UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = "tiny",
    .device = test_device (),
    .instance_id = instance_id,
    .threads = threads };
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);
  g_assert_no_error (error);
  return engine;
}

void
test_engine_drain (UpiEngine *engine)
{
  static const guint8 pixels[16 * 16 * 3];
  g_autoptr (GError) error = NULL;
  const UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = 16,
    .height = 16,
    .planes = { pixels },
    .strides = { 48 } };
  g_autoptr (UpiTicket) ticket = upi_engine_encode (engine, &image, 0, 0, 0, NULL, NULL, &error);
  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
}

guint
test_threads (void)
{
  guint n = 0;
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  g_assert_nonnull (tasks);
  while (g_dir_read_name (tasks) != NULL)
    n++;
  return n;
}

void
test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  gst_init (argc, argv);
  /* A g_critical () of GStreamer or of ours fails the test that caused it. */
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK);
}
