/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pipeline-run.h: runs a pipeline to its end and keeps what the tests look at: captions from the bus, timestamps of
 * frames, text. */
#pragma once

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* One piece of timed text. */
typedef struct {
  GstClockTime pts, duration;
  gchar *text;
} Cue;

typedef struct {
  GstElement *pipeline;
  GMutex lock;
  GPtrArray *captions; /* of Cue: the upi-caption messages */
  /* of GstClockTime: PTS and durations of frames that left the elements named "in" and "out" */
  GArray *in, *out, *in_durations, *out_durations;
  GPtrArray *cues; /* of Cue: buffers that left the element named "text" */
} Run;

/* @format: a pipeline as for gst-launch-1.0, printf style. */
Run *run_new (const gchar *format, ...) G_GNUC_PRINTF (1, 2);
/* Plays until EOS; an error or a hang fails the test. */
void run_play (Run *run);
/* Waits until the pipeline is PAUSED: every sink has its first buffer. */
void run_preroll (Run *run);
void run_free (Run *run);
/* run_new(), run_play() */
Run *run_once (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Calls @function for every buffer that leaves the element @name. */
void run_watch (Run *run, const gchar *name, GstPadProbeCallback function, gpointer user_data);

gboolean have_elements (const gchar *first, ...) G_GNUC_NULL_TERMINATED;
/* The same captions at the same times, milliseconds exact. */
void assert_same_cues (const GPtrArray *found, const GPtrArray *expected);
/* The cues of a WebVTT (or SRT) text, read by its specification. */
GPtrArray *parse_cues (const gchar *text, gboolean webvtt);
void assert_same_times (const GArray *a, const GArray *b);

G_END_DECLS
