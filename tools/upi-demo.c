/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-demo: the main job on one clip, as ./demo runs it: decode → upiencoder → upidetect → upitrack → upirules →
 * upicaption → upijson → upioverlay → encode.
 *
 * Leaves overlay.mkv, captions.vtt, objects.jsonl and sheet.png in a folder and prints what they hold and where the
 * time went; what happens (who comes, goes, crosses a line) is printed as it does. Live
 * sources (a camera, an RTSP address) go to a window instead. The pipeline it runs is printed: it is one that
 * gst-launch-1.0 takes.
 */
#include <gst/gst.h>
#include <glib-unix.h>
#include <json-glib/json-glib.h>
#include <locale.h>
#include <unistd.h>

#include "core/upi.h"
#include "tools/contact-sheet.h"
#include "tools/demo-events.h"
#include "tools/time-shares.h"

typedef struct {
  gchar *out, *model, *device, *labels, *input_size, *camera, *rules;
  gdouble threshold;
  gboolean plain;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->out);
  g_free (options->model);
  g_free (options->device);
  g_free (options->labels);
  g_free (options->input_size);
  g_free (options->camera);
  g_free (options->rules);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

typedef struct {
  GMainLoop *loop;
  GstElement *pipeline;
  UpiTimeShares *shares;
  UpiContactSheet *sheet;
  UpiDemoEvents *events;
  gint64 started, finished;
  guint captions;
  gboolean failed, live, terminal;
} Demo;

/* Without rules of one's own: who comes into the picture, and goes. */
#define PICTURE "picture"
#define PICTURE_RULES                                                                                                  \
  "{\"rules\":{\"" PICTURE "\":{\"type\":\"zone\",\"polygon\":[[0,0],[1,0],[1,1],[0,1]],\"min_time\":0.5}}}"

static void
say_event (Demo *demo, GstMessage *message)
{
  g_autofree gchar *line = upi_demo_events_take (demo->events, message);

  if (line != NULL)
    g_print ("%s%s%s\n", demo->terminal ? "\r" : "", line, demo->terminal ? "                                " : "");
}

static gboolean
on_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Demo *demo = user_data;

  switch (GST_MESSAGE_TYPE (message)) {
  case GST_MESSAGE_EOS:
    demo->finished = g_get_monotonic_time ();
    g_main_loop_quit (demo->loop);
    break;
  case GST_MESSAGE_ERROR: {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *debug = NULL;
    gst_message_parse_error (message, &error, &debug);
    g_printerr (
        "\n%s: %s\n%s\n", GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message, debug != NULL ? debug : "");
    demo->failed = TRUE;
    g_main_loop_quit (demo->loop);
    break;
  }
  case GST_MESSAGE_WARNING: {
    g_autoptr (GError) error = NULL;
    gst_message_parse_warning (message, &error, NULL);
    g_printerr ("\nwarning: %s: %s\n", GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message);
    break;
  }
  case GST_MESSAGE_INFO: {
    g_autoptr (GError) error = NULL;
    gst_message_parse_info (message, &error, NULL);
    g_print ("\n%s: %s\n", GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message);
    break;
  }
  case GST_MESSAGE_ELEMENT:
    if (gst_message_has_name (message, "upi-caption"))
      demo->captions++;
    else
      say_event (demo, message);
    break;
  case GST_MESSAGE_LATENCY:
    gst_bin_recalculate_latency (GST_BIN (demo->pipeline));
    break;
  default:
    break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
show_progress (gpointer user_data)
{
  Demo *demo = user_data;
  gint64 position = 0, duration = 0;
  guint frames = upi_time_shares_frames (demo->shares);
  gdouble seconds = (g_get_monotonic_time () - demo->started) / 1e6;

  gst_element_query_position (demo->pipeline, GST_FORMAT_TIME, &position);
  gst_element_query_duration (demo->pipeline, GST_FORMAT_TIME, &duration);
  g_print ("%s%5.1f s", demo->terminal ? "\r  " : "  ", position / (gdouble) GST_SECOND);
  if (duration > 0)
    g_print (" of %.1f s (%.0f %%)", duration / (gdouble) GST_SECOND, 100.0 * position / duration);
  g_print (", frame %u, %.1f frames/s%s", frames, frames / MAX (seconds, 1e-3), demo->terminal ? "   " : "\n");
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer user_data)
{
  Demo *demo = user_data;

  if (demo->live)
    g_main_loop_quit (demo->loop);
  else
    gst_element_send_event (demo->pipeline, gst_event_new_eos ()); /* so that the files written so far are whole */
  return G_SOURCE_CONTINUE;
}

/* A string as a pipeline description takes it: in quotes, with its own quotes and backslashes escaped and all else as
 * it is. (transfer full) */
static gchar *
quoted (const gchar *value)
{
  GString *text = g_string_new ("\"");

  for (const gchar *c = value; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_c (text, '\\');
    g_string_append_c (text, *c);
  }
  g_string_append_c (text, '"');
  return g_string_free (text, FALSE);
}

static void
append_property (GString *text, const gchar *name, const gchar *value)
{
  g_autofree gchar *in_quotes = quoted (value);

  g_string_append_printf (text, " %s=%s", name, in_quotes);
}

static gboolean
has_element (const gchar *name)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find (name);

  return factory != NULL;
}

/* A zone that is the picture needs no lines around it. */
static const gchar *
overlay_of (const Options *options)
{
  return options->rules != NULL ? "upioverlay name=overlay draw-trails=true"
                                : "upioverlay name=overlay draw-trails=true draw-rules=false";
}

/* The analysis chain, the same for files and live sources. */
static gchar *
describe_analysis (const Options *options)
{
  g_autoptr (GString) text = g_string_new ("upiencoder name=encoder");
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];

  if (options->model != NULL)
    append_property (text, "model", options->model);
  if (options->device != NULL)
    append_property (text, "device", options->device);
  if (options->input_size != NULL)
    append_property (text, "input-size", options->input_size);
  /* fewer doubles than the default: the clip shows people one by one */
  g_string_append (text, " ! upidetect name=detect iou-threshold=0.4");
  if (options->labels != NULL)
    append_property (text, "labels", options->labels);
  if (options->threshold > 0) /* a pipeline's numbers have a point in every locale */
    g_string_append_printf (text, " threshold=%s", g_ascii_formatd (number, sizeof number, "%g", options->threshold));
  g_string_append (text, " ! upitrack name=track ! upirules name=rules");
  if (options->rules != NULL)
    append_property (text, "rules-file", options->rules);
  else
    append_property (text, "rules", PICTURE_RULES);
  g_string_append (text, " ! upicaption name=caption");
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Frames that a phone stored on their side are turned, so that words and boxes on them are upright. */
static const gchar *
upright (void)
{
  return has_element ("videoflip") ? "! videoflip video-direction=auto " : "";
}

static gchar *
describe_file (const Options *options, const gchar *uri)
{
  g_autofree gchar *analysis = describe_analysis (options);
  g_autofree gchar *json_path = g_build_filename (options->out, "objects.jsonl", NULL), *json = quoted (json_path);
  g_autofree gchar *video_path = g_build_filename (options->out, "overlay.mkv", NULL), *video = quoted (video_path);
  g_autofree gchar *captions_path = g_build_filename (options->out, "captions.vtt", NULL),
                   *captions = quoted (captions_path);

  return g_strdup_printf (
      "uridecodebin name=source caps=\"video/x-raw(ANY)\" expose-all-streams=false uri=\"%s\" ! queue name=decoded "
      "max-size-buffers=8 "
      "! videoconvert name=to-raw %s! %s text-time=running ! upijson name=json location=%s ! %s ! queue name=encode "
      "max-size-buffers=8 "
      "! videoconvert ! %s ! matroskamux name=mux ! filesink location=%s   caption.text ! tee name=text ! queue ! "
      "webvttenc "
      "! filesink location=%s   text. ! queue ! mux.",
      uri, upright (), analysis, json, overlay_of (options),
      has_element ("x264enc") ? "x264enc speed-preset=veryfast pass=qual quantizer=23 ! h264parse"
                              : "vp8enc deadline=1 cpu-used=8 end-usage=cq cq-level=20",
      video, captions);
}

static gchar *
describe_live (const Options *options, const gchar *uri)
{
  g_autofree gchar *analysis = describe_analysis (options);
  g_autofree gchar *source = NULL;

  if (options->camera != NULL)
    source = g_strdup_printf ("v4l2src name=source device=\"%s\" ! decodebin", options->camera);
  else if (g_str_has_prefix (uri, "rtsp"))
    source = g_strdup_printf ("upirtspsrc name=source location=\"%s\"", uri);
  else
    source =
        g_strdup_printf ("uridecodebin name=source caps=\"video/x-raw(ANY)\" expose-all-streams=false uri=\"%s\"", uri);

  return g_strdup_printf ("%s ! queue name=decoded max-size-buffers=2 ! videoconvert name=to-raw %s! %s ! %s ! "
                          "videoconvert ! autovideosink",
      source, upright (), analysis, overlay_of (options));
}

/* Frames and objects of the file that upijson wrote. */
static gboolean
count_objects (const gchar *path, guint *frames, guint *objects)
{
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;

  *frames = *objects = 0;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL && lines[i][0]; i++) {
    g_autoptr (JsonParser) parser = json_parser_new ();
    if (!json_parser_load_from_data (parser, lines[i], -1, NULL))
      return FALSE;
    JsonObject *line = json_node_get_object (json_parser_get_root (parser));
    if (json_object_has_member (line, "objects"))
      *objects += json_array_get_length (json_object_get_array_member (line, "objects"));
    (*frames)++;
  }
  return TRUE;
}

static void
report (Demo *demo, const Options *options)
{
  g_autofree gchar *json = g_build_filename (options->out, "objects.jsonl", NULL);
  g_autofree gchar *sheet = g_build_filename (options->out, "sheet.png", NULL);
  gdouble seconds = (demo->finished - demo->started) / 1e6;
  guint frames, objects;
  GError *error = NULL;

  if (!count_objects (json, &frames, &objects)) {
    g_printerr ("%s: cannot be read back\n", json);
    demo->failed = TRUE;
    return;
  }
  if (!upi_contact_sheet_write (demo->sheet, sheet, &error)) {
    g_printerr ("%s: %s\n", sheet, error->message);
    g_clear_error (&error);
    demo->failed = TRUE;
  }
  g_print ("\n%u frames, %u objects, %u captions in %.1f s: %.1f frames/s\n\n", frames, objects, demo->captions,
      seconds, frames / seconds);
  g_autofree gchar *happened = upi_demo_events_sum (demo->events);
  if (happened[0] != '\0')
    g_print ("%s\n", happened);
  upi_time_shares_print (demo->shares, options->model, options->device);
  g_print ("\n  %s/overlay.mkv    the annotated video, captions as a subtitle track\n"
           "  %s/captions.vtt   captions as WebVTT\n"
           "  %s/objects.jsonl  one line a frame: times, objects with label, score, box\n"
           "  %s/sheet.png      contact sheet\n",
      options->out, options->out, options->out, options->out);
}

static gboolean
run (const Options *options, const gchar *uri)
{
  Demo demo = { .live = options->camera != NULL || g_str_has_prefix (uri, "rtsp"), .terminal = isatty (STDOUT_FILENO) };
  g_autofree gchar *description = demo.live ? describe_live (options, uri) : describe_file (options, uri);
  g_autoptr (GError) error = NULL;

  if (!demo.live && g_mkdir_with_parents (options->out, 0755) != 0) {
    g_printerr ("%s: cannot be made; give another folder with --out\n", options->out);
    return FALSE;
  }
  g_print ("gst-launch-1.0 %s\n\n", description);
  demo.pipeline = gst_parse_launch (description, &error);
  if (demo.pipeline == NULL || error != NULL) { /* a missing element leaves a partial pipeline and an error */
    g_printerr ("%s\n", error->message);
    return FALSE;
  }
  demo.loop = g_main_loop_new (NULL, FALSE);
  demo.shares = upi_time_shares_new (GST_BIN (demo.pipeline));
  demo.events = upi_demo_events_new (options->rules == NULL ? PICTURE : NULL);
  demo.sheet = upi_contact_sheet_new (GST_BIN (demo.pipeline), "overlay", 12);
  g_autoptr (GstBus) bus = gst_element_get_bus (demo.pipeline);
  guint watch = gst_bus_add_watch (bus, on_message, &demo);
  guint progress = g_timeout_add (demo.terminal ? 250 : 5000, show_progress, &demo);
  guint interrupt = g_unix_signal_add (SIGINT, on_interrupt, &demo);

  demo.started = g_get_monotonic_time ();
  if (gst_element_set_state (demo.pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
    demo.failed = TRUE; /* the message on the bus says why: the loop below prints it */
  g_main_loop_run (demo.loop);
  if (demo.finished && !demo.live)
    report (&demo, options);
  if (demo.live) {
    g_autofree gchar *happened = upi_demo_events_sum (demo.events);
    g_print ("\n%s", happened);
  }
  gst_element_set_state (demo.pipeline, GST_STATE_NULL);
  g_source_remove (watch);
  g_source_remove (progress);
  g_source_remove (interrupt);
  upi_time_shares_free (demo.shares);
  upi_contact_sheet_free (demo.sheet);
  upi_demo_events_free (demo.events);
  gst_object_unref (demo.pipeline);
  g_main_loop_unref (demo.loop);
  return !demo.failed;
}

int
main (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  const GOptionEntry entries[] = {
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, "folder for the results (default: out)", "DIR" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &options.model, "model name or directory (default: nano)", "MODEL" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &options.device, "auto, cpu, cuda, cuda:1 (default: auto)", "DEVICE" },
    { "labels", 'l', 0, G_OPTION_ARG_FILENAME, &options.labels,
        "comma-separated classes, any words (default: the model's)", "LABELS" },
    { "threshold", 't', 0, G_OPTION_ARG_DOUBLE, &options.threshold, "detection threshold, 0..1 (default: the model's)",
        "SCORE" },
    { "input-size", 's', 0, G_OPTION_ARG_STRING, &options.input_size, "network input, WxH (default: by aspect)",
        "SIZE" },
    { "rules", 'r', 0, G_OPTION_ARG_FILENAME, &options.rules,
        "what is to be told: zones, lines, counts (default: who comes and goes)", "FILE" },
    { "camera", 'c', 0, G_OPTION_ARG_FILENAME, &options.camera, "a camera, live to a window", "/dev/video0" }, { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[FILE|URI]");
  g_autoptr (GError) error = NULL;
  g_autofree gchar *uri = NULL;

  setlocale (LC_ALL, "");
  g_option_context_set_summary (context, "Detects, segments and captions a clip, and draws what was found.");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("%s (upi-demo --help shows the options)\n", error->message);
    return 2;
  }
  if (argc > 2 || (argc == 2 && options.camera != NULL)) {
    g_printerr ("expected one file or address, or --camera; found \"%s\" as well (upi-demo --help shows the options)\n",
        argv[argc - 1]);
    return 2;
  }
  if (options.out == NULL)
    options.out = g_strdup ("out");
  if (options.camera == NULL) {
    const gchar *clip = argc == 2 ? argv[1] : UPI_DEMO_CLIP;
    if (!gst_uri_is_valid (clip) && !g_file_test (clip, G_FILE_TEST_IS_REGULAR)) {
      g_printerr ("%s: no such file, and not an address like rtsp://...\n", clip);
      return 2;
    }
    uri = gst_uri_is_valid (clip) ? g_strdup (clip) : gst_filename_to_uri (clip, NULL);
  }
  return run (&options, uri != NULL ? uri : "") ? 0 : 1;
}
