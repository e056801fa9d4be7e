/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* soak: eight streams on one engine, and whatever may happen to them, for as long as it is told: soak [--minutes N |
 * --rounds N] [--seed N].
 *
 * A round picks a stream and seeks it, flushes it, stops and starts it, takes it away and puts another in its place,
 * gives it other words, another size, another static-threshold, or lets an inference fail. Checked all the time: frames
 * that leave a stream with policy "block" are all there, in order; a stream fails only if an inference was made to.
 * Checked at rests, when all streams stand: the process has no more memory (2 %) and no more threads than after the
 * first quarter. A round waits for frames, never for time. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gst/stream.h"

#define STREAMS 8
#define REST_EVERY 50 /* rounds */
#define WAIT (60 * G_TIME_SPAN_SECOND)
#define FRAME (40 * GST_MSECOND)

typedef struct {
  guint number;
  gboolean block;
  GstElement *pipeline;
  GMutex lock;
  GCond changed;
  guint64 frames, lost;
  GstClockTime next; /* PTS of the next frame; NONE: any */
} Camera;

typedef struct {
  Camera cameras[STREAMS];
  GRand *rand;
  UpiEngine *engine;
  guint64 frames, rounds, failures, restarts;
} Soak;

static GstPadProbeReturn
watch (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Camera *camera = user_data;

  g_mutex_lock (&camera->lock);
  if (GST_PAD_PROBE_INFO_TYPE (info) & GST_PAD_PROBE_TYPE_BUFFER) {
    GstClockTime pts = GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (info));
    if (GST_CLOCK_TIME_IS_VALID (camera->next) && pts != camera->next)
      camera->lost++;
    camera->next = pts + FRAME;
    camera->frames++;
  } else {
    switch (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info))) {
    case GST_EVENT_FLUSH_START:
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_STREAM_START:
    case GST_EVENT_CAPS: /* the source counts anew */
      camera->next = GST_CLOCK_TIME_NONE;
      break;
    default:
      break;
    }
  }
  g_cond_broadcast (&camera->changed);
  g_mutex_unlock (&camera->lock);
  return GST_PAD_PROBE_OK;
}

static void
camera_start (Soak *soak, Camera *camera)
{
  static const gchar *const policies[] = { "block", "block max-in-flight=3", "block inference-interval=3",
    "block static-threshold=0.02", "latest", "latest static-threshold=0.02", "latest inference-interval=2", "block" };
  g_autoptr (GError) error = NULL;
  g_autofree gchar *description =
      g_strdup_printf ("videotestsrc pattern=%s ! capsfilter name=size caps-change-mode=delayed "
                       "caps=video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! "
                       "upiencoder name=e model=tiny device=cpu threads=2 model-instance-id=soak policy=%s ! upidetect "
                       "name=d threshold=0 "
                       "labels=\"person,cat\" ! "
                       "%s fakesink name=s sync=false async=true",
          camera->number % 2 ? "ball" : "smpte", policies[camera->number],
          camera->number % 4 == 0 ? "upicaption interval=400000000 !" : "");

  camera->block = g_str_has_prefix (policies[camera->number], "block");
  camera->next = GST_CLOCK_TIME_NONE;
  camera->pipeline = gst_object_ref_sink (gst_parse_launch (description, &error));
  g_assert_no_error (error);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (camera->pipeline), "s");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH, watch, camera,
      NULL);
  gst_element_set_state (camera->pipeline, GST_STATE_PLAYING);
}

static void
camera_end (Soak *soak, Camera *camera)
{
  gst_element_set_state (camera->pipeline, GST_STATE_NULL);
  gst_clear_object (&camera->pipeline);
  g_mutex_lock (&camera->lock);
  g_assert_true (!camera->block || camera->lost == 0);
  soak->frames += camera->frames;
  camera->frames = camera->lost = 0;
  g_mutex_unlock (&camera->lock);
}

/* Errors are of those who asked for them; the stream begins anew. */
static void
look_at_bus (Soak *soak, Camera *camera)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (camera->pipeline);
  gboolean failed = FALSE, was_asked = FALSE;

  for (GstMessage *message; (message = gst_bus_pop (bus)) != NULL; gst_message_unref (message)) {
    g_autoptr (GError) error = NULL;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      gst_message_parse_error (message, &error, NULL);
    else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING)
      gst_message_parse_warning (message, &error, NULL);
    failed |= GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
    was_asked |= error != NULL && soak->failures > 0 && strstr (error->message, "a test asked for it") != NULL;
    if (error != NULL && !was_asked) /* what upstream says of it comes after */
      g_error ("camera %u: %s", camera->number, error->message);
  }
  if (failed) {
    soak->restarts++;
    camera_end (soak, camera);
    camera_start (soak, camera);
  }
}

/* Some more frames, unless the stream fails. */
static void
wait_for_frames (Soak *soak, Camera *camera, guint n)
{
  gint64 until = g_get_monotonic_time () + WAIT;

  g_mutex_lock (&camera->lock);
  guint64 wanted = camera->frames + n;
  while (camera->frames < wanted) {
    if (!g_cond_wait_until (&camera->changed, &camera->lock, g_get_monotonic_time () + G_TIME_SPAN_SECOND / 10)) {
      g_mutex_unlock (&camera->lock);
      if (g_get_monotonic_time () > until)
        g_error ("camera %u stands", camera->number);
      look_at_bus (soak, camera);
      g_mutex_lock (&camera->lock);
      wanted = MIN (wanted, camera->frames + n);
    }
  }
  g_mutex_unlock (&camera->lock);
}

static void
set_on (Camera *camera, const gchar *name, const gchar *property, const gchar *value)
{
  g_autoptr (GstElement) element = gst_bin_get_by_name (GST_BIN (camera->pipeline), name);

  gst_util_set_object_arg (G_OBJECT (element), property, value);
}

static void
play_round (Soak *soak)
{
  static const gchar *const labels[] = { "person,cat", "dog", "bicycle,red car,bus", "a man with a dog,tree" };
  static const gchar *const sizes[] = { "64", "96", "80", "66" };
  Camera *camera = &soak->cameras[g_rand_int_range (soak->rand, 0, STREAMS)];
  guint choice = (guint) g_rand_int_range (soak->rand, 0, 10), which = (guint) g_rand_int_range (soak->rand, 0, 4);

  switch (choice) {
  case 0:
  case 1:
    gst_element_seek_simple (camera->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
        (gint64) which * 1000 * (gint64) FRAME);
    break;
  case 2: /* a storm of flushes */
    for (guint i = 0; i < 3; i++)
      gst_element_seek_simple (camera->pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, (gint64) i * (gint64) FRAME);
    break;
  case 3:
  case 4:
    set_on (camera, "d", "labels", labels[which]);
    break;
  case 5: {
    g_autofree gchar *caps =
        g_strdup_printf ("video/x-raw,format=I420,width=%s,height=48,framerate=25/1", sizes[which]);
    set_on (camera, "size", "caps", caps);
    break;
  }
  case 6:
    set_on (camera, "e", "static-threshold", which % 2 ? "0.02" : "0");
    break;
  case 7:
    gst_element_set_state (camera->pipeline, which % 2 ? GST_STATE_PAUSED : GST_STATE_READY);
    gst_element_set_state (camera->pipeline, GST_STATE_PLAYING);
    break;
  case 8:
    camera_end (soak, camera);
    camera_start (soak, camera);
    break;
  default:
    upi_engine_fail_inference (soak->engine, 1 + which);
    soak->failures++;
    break;
  }
  wait_for_frames (soak, camera, 1 + which);
  for (guint i = 0; i < STREAMS; i++)
    look_at_bus (soak, &soak->cameras[i]);
  soak->rounds++;
}

typedef struct {
  gdouble megabytes;
  guint threads;
} Rest;

/* All streams stand; what is left is what the process holds. */
static Rest
take_rest (Soak *soak)
{
  g_autofree gchar *text = NULL;
  Rest rest;

  for (guint i = 0; i < STREAMS; i++)
    camera_end (soak, &soak->cameras[i]);
  upi_engine_fail_inference (soak->engine, 0);
  test_engine_drain (soak->engine);
  malloc_trim (0);
  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  rest = (Rest){ (gdouble) strtoul (strchr (text, ' '), NULL, 10) * 4096 / 1e6, test_threads () };
  g_print ("# %" G_GUINT64_FORMAT " rounds, %" G_GUINT64_FORMAT " frames, %" G_GUINT64_FORMAT
           " failures, %" G_GUINT64_FORMAT " streams began anew after one: %.1f MB, %u threads\n",
      soak->rounds, soak->frames, soak->failures, soak->restarts, rest.megabytes, rest.threads);
  for (guint i = 0; i < STREAMS; i++)
    camera_start (soak, &soak->cameras[i]);
  return rest;
}

/* Until then memory grows by what is made on first use: plans of every size, caps, pools (measured: 2.4 MB over 350
 * rounds, 0.5 MB over the next 1200). */
#define WARM_UP 400 /* rounds */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS 200 /* they look for other things than memory that grows, and slowly */
#else
#define ROUNDS 1000
#endif

static gint minutes, rounds = ROUNDS, seed;

static void
test_soak (void)
{
  Soak soak = { .rand = g_rand_new_with_seed ((guint32) seed), .engine = test_engine ("soak", 2) };
  gint64 start = g_get_monotonic_time (), end = start + minutes * G_TIME_SPAN_MINUTE;
  Rest settled = { 0 }, last;

  mallopt (M_ARENA_MAX,
      2); /* memory that threads which come and go leave in arenas of their own is no leak, but looks like one */
  for (guint i = 0; i < STREAMS; i++) {
    soak.cameras[i].number = i;
    camera_start (&soak, &soak.cameras[i]);
  }
  for (;;) {
    play_round (&soak);
    if (soak.rounds % REST_EVERY != 0)
      continue;
    last = take_rest (&soak);
    gdouble done = minutes > 0 ? (gdouble) (g_get_monotonic_time () - start) / (gdouble) (end - start)
                               : (gdouble) soak.rounds / rounds;
    if (done < 0.25 || soak.rounds <= WARM_UP || settled.threads == 0)
      settled = (Rest){ last.megabytes, MAX (settled.threads, last.threads) };
    /* GLib's pools keep an idle one now and then: the most of the rests so far, as any one of them may have had few */
    g_assert_cmpuint (last.threads, <=, settled.threads + 2);
    if (done >= 1)
      break;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they keep what is freed for a while */
  g_assert_cmpfloat (last.megabytes, <=, settled.megabytes * 1.02);
#endif
  for (guint i = 0; i < STREAMS; i++)
    camera_end (&soak, &soak.cameras[i]);
  upi_engine_unref (soak.engine);
  g_rand_free (soak.rand);
}

int
main (int argc, char **argv)
{
  static const GOptionEntry options[] = { { "minutes", 0, 0, G_OPTION_ARG_INT, &minutes,
                                              "How long (default: by rounds)", "N" },
    { "rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "How often something happens (1000)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &seed, "Of what happens", "N" }, { NULL } };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_ignore_unknown_options (context, TRUE);
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  test_init (&argc, &argv);
  g_test_add_func ("/soak/streams", test_soak);
  return g_test_run ();
}
