/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a pipeline's processor time goes: see time-shares.h. */
#include "tools/time-shares.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/upi.h"

#define N_WATCHED 4
static const gchar *const watched[N_WATCHED] = { "to-raw", "detect", "json", "overlay" };

typedef struct {
  UpiTimeShares *shares;
  guint index;
  GThread *thread;
  gint64 entered; /* thread CPU time, nanoseconds; written and read by the one streaming thread */
} Watch;

struct _UpiTimeShares {
  Watch watch[N_WATCHED];
  gint64 spent[N_WATCHED]; /* atomic, nanoseconds */
  gint frames;             /* atomic */
};

static gint64
thread_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

static GstPadProbeReturn
on_enter (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Watch *watch = user_data;

  watch->thread = g_thread_self ();
  watch->entered = thread_time ();
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_leave (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Watch *watch = user_data;

  if (watch->thread == g_thread_self ())
    __atomic_add_fetch (&watch->shares->spent[watch->index], thread_time () - watch->entered, __ATOMIC_RELAXED);
  if (watch->index == N_WATCHED - 1)
    g_atomic_int_inc (&watch->shares->frames);
  return GST_PAD_PROBE_OK;
}

UpiTimeShares *
upi_time_shares_new (GstBin *bin)
{
  UpiTimeShares *shares = g_new0 (UpiTimeShares, 1);

  for (guint i = 0; i < N_WATCHED; i++) {
    g_autoptr (GstElement) element = gst_bin_get_by_name (bin, watched[i]);
    shares->watch[i] = (Watch){ .shares = shares, .index = i };
    if (element == NULL)
      continue;
    g_autoptr (GstPad) sink = gst_element_get_static_pad (element, "sink");
    g_autoptr (GstPad) src = gst_element_get_static_pad (element, "src");
    gst_pad_add_probe (sink, GST_PAD_PROBE_TYPE_BUFFER, on_enter, &shares->watch[i], NULL);
    gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_BUFFER, on_leave, &shares->watch[i], NULL);
  }
  return shares;
}

void
upi_time_shares_free (UpiTimeShares *shares)
{
  g_free (shares);
}

guint
upi_time_shares_frames (UpiTimeShares *shares)
{
  return g_atomic_int_get (&shares->frames);
}

/* CPU seconds of the living threads whose name begins with prefix: GStreamer names a streaming thread after its pad,
 * and an encoder's own threads inherit the name. */
static gdouble
threads_seconds (const gchar *prefix)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const gchar *task;
  gdouble ticks = 0;

  while (tasks != NULL && ((task = g_dir_read_name (tasks)) != NULL)) {
    g_autofree gchar *path = g_build_filename ("/proc/self/task", task, "stat", NULL);
    g_autofree gchar *line = NULL;
    unsigned long user = 0, system = 0;
    if (!g_file_get_contents (path, &line, NULL, NULL))
      continue; /* ended meanwhile */
    const gchar *name = strchr (line, '('), *end = strrchr (line, ')');
    if (name == NULL || end == NULL || strncmp (name + 1, prefix, strlen (prefix)) != 0)
      continue;
    if (sscanf (end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
      ticks += user + system;
  }
  return ticks / sysconf (_SC_CLK_TCK);
}

static void
print_row (const gchar *name, gdouble seconds, gdouble total, guint frames)
{
  g_print ("  %-34s %5.1f %%  %7.2f ms a frame\n", name, 100 * seconds / total, 1000 * seconds / MAX (frames, 1));
}

void
upi_time_shares_print (UpiTimeShares *shares, const gchar *model, const gchar *device)
{
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions), .model = model, .device = device };
  g_autoptr (UpiEngine) engine = upi_engine_open (&options, NULL, NULL);
  UpiEngineStats stats = { .size = sizeof (UpiEngineStats) };
  struct rusage usage;
  guint frames = upi_time_shares_frames (shares);
  gdouble seconds[N_WATCHED];

  if (engine != NULL)
    upi_engine_get_stats (engine, &stats);
  for (guint i = 0; i < N_WATCHED; i++)
    seconds[i] = __atomic_load_n (&shares->spent[i], __ATOMIC_RELAXED) / 1e9;
  getrusage (RUSAGE_SELF, &usage);
  gdouble total =
      usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  gdouble encode = threads_seconds ("encode:");
  /* The engine counts wall time; its workers' processor time is divided in the same proportions. */
  gdouble workers = threads_seconds ("upi-worker");
  gdouble wall = MAX (stats.convert_us + stats.infer_us + stats.caption_us, 1);
  gdouble convert = workers * stats.convert_us / wall, infer = workers * stats.infer_us / wall,
          caption = workers * stats.caption_us / wall;
  gdouble known = workers + encode;
  for (guint i = 0; i < N_WATCHED; i++)
    known += seconds[i];

  g_print ("share of processor time (%s)\n", engine != NULL ? upi_engine_info (engine)->device_name : "no engine");
  print_row ("videoconvert before the encoder", seconds[0], total, frames);
  print_row ("upiencoder: conversion, scaling", convert, total, frames);
  print_row ("upiencoder: network", infer, total, frames);
  print_row ("upidetect", seconds[1], total, frames);
  print_row ("upicaption: network", caption, total, frames);
  print_row ("upijson", seconds[2], total, frames);
  print_row ("upioverlay", seconds[3], total, frames);
  print_row ("video encoding, muxing", encode, total, frames);
  print_row ("decoding, model start, the rest", MAX (total - known, 0), total, frames);
}
