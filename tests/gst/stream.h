/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.h: an element or a chain of them under test: a GstHarness around it, its bus, frames to feed it, and a record
 * of everything that leaves its source pad in order. */
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include "core/engine/engine-testing.h"
#include "core/upi.h"
#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef struct {
  GstHarness *harness;
  GstElement *element; /* the bin, or the element when the description names one */
  GstBus *bus;
  GMutex lock;
  gint reads;        /* atomic: whoever takes the frames reads encodings (TRUE) */
  GPtrArray *record; /* of gchar *: "caps 64x64", "buffer 40", "eos"; under lock */
} Stream;

/* @description as for gst-launch-1.0. The source counts as live when @live. */
Stream *stream_new (const gchar *description, gboolean live);
/* Ends it; no error or warning may be left on the bus. */
void stream_free (Stream *stream);
/* The element named @name in the description, e.g. "e". (transfer full) */
GstElement *stream_get (Stream *stream, const gchar *name);
void stream_caps (Stream *stream, const gchar *caps);
/* "video/x-raw,format=I420,width=64,height=48,framerate=25/1" */
void stream_format (Stream *stream, const gchar *format, gint width, gint height);
/* What left so far, joined by ", ". */
gchar *stream_take_record (Stream *stream);
/* Blocks until a message of @type is there. Its text, e.g. of an error. */
gchar *stream_message (Stream *stream, GstMessageType type);
/* The same without blocking: NULL if there is none. */
gchar *stream_peek_message (Stream *stream, GstMessageType type);

/* A picture that differs with @number; PTS is @number × 40 ms. */
GstBuffer *frame_new (const gchar *format, gint width, gint height, guint number);
/* The same picture in any format and layout. */
void frame_paint (GstVideoFrame *frame, guint number);
GstFlowReturn stream_push (Stream *stream, guint number);
GstBuffer *stream_pull (Stream *stream);
/* Sends frame @number and takes it at the other end. */
GstBuffer *stream_pass (Stream *stream, guint number);
/* The same before a worker of @engine has begun anything, so that with policy "latest" the frame cannot carry its own
 * result; whatever it asked for has ended when this returns (threads=1). */
GstBuffer *stream_pass_held (Stream *stream, UpiEngine *engine, guint number);
/* Number of the frame whose encoding @buffer carries; -1: none yet. */
gint frame_inferred (GstBuffer *buffer);
gint frame_number (GstBuffer *buffer);

/* The engine that elements of the tiny model with these settings share. threads=1 makes tickets end in their order. */
UpiEngine *test_engine (const gchar *instance_id, guint threads);
/* Returns when all encodings that were requested before have ended (threads=1). */
void test_engine_drain (UpiEngine *engine);
guint test_threads (void);
void test_init (int *argc, char ***argv);

G_END_DECLS
