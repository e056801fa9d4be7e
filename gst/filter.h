/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* filter.h: the base class of all elements but upiencoder: those that look at what is known of a frame (the content of
 * its GstUpiMeta), perhaps ask the engine, and put a new content in its place. It owns what they share, so that an
 * element is what it does with a frame and nothing else:
 *
 * - the error where no upiencoder stands before, and the warning where the picture was moved in between (geometry.h);
 * - when a frame is, and when state ends (stream-time.h): one rule for all, at FLUSH_STOP, STREAM_START, and a SEGMENT
 *   after which stream time jumps by more than a second or turns round;
 * - the property keep-encoding, the query for a reader downstream, letting go of encodings, and the warning where one
 *   had gone (encoding-life.h);
 * - LATENCY: the query's answer and the message;
 * - errors of the engine: the stream's end where frames wait for results, a warning, once, where they never do (policy
 *   "latest").
 *
 * A new element is a folder with a subclass, and a line in plugin.c:
 *
 * |[<!-- language="C" -->
 * #define GST_TYPE_UPI_COUNT (gst_upi_count_get_type ())
 * G_DECLARE_FINAL_TYPE (GstUpiCount, gst_upi_count, GST, UPI_COUNT, GstUpiFilter)
 *
 * struct _GstUpiCount {
 *   GstUpiFilter parent;
 *   guint64 n_objects; // streaming thread
 * };
 *
 * G_DEFINE_FINAL_TYPE (GstUpiCount, gst_upi_count, GST_TYPE_UPI_FILTER)
 * GST_ELEMENT_REGISTER_DEFINE (upicount, "upicount", GST_RANK_NONE, GST_TYPE_UPI_COUNT)
 *
 * static GstFlowReturn
 * gst_upi_count_process (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content)
 * {
 *   guint n;
 *
 *   gst_upi_content_get_objects (frame->content, &n);
 *   GST_UPI_COUNT (filter)->n_objects += n;
 *   return GST_FLOW_OK; // the content stays: *content is left NULL
 * }
 *
 * static void
 * gst_upi_count_reset (GstUpiFilter *filter)
 * {
 *   GST_UPI_COUNT (filter)->n_objects = 0;
 * }
 *
 * static void
 * gst_upi_count_class_init (GstUpiCountClass *klass)
 * {
 *   GstUpiFilterClass *filter_class = GST_UPI_FILTER_CLASS (klass);
 *
 *   filter_class->process = gst_upi_count_process;
 *   filter_class->reset = gst_upi_count_reset;
 *   gst_upi_filter_class_add_pad_templates (filter_class);
 *   gst_element_class_set_static_metadata (GST_ELEMENT_CLASS (klass), ...);
 * }
 * ]|
 */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

#include "core/upi.h"
#include "gst/meta/gstupimeta.h"
#include "gst/stream-time.h"

G_BEGIN_DECLS

/**
 * GstUpiFilterFrame: one frame as an element sees it.
 * @buffer: its buffer, to be read alone; metadata is added in #GstUpiFilterClass.attach
 * @content: what is known of it; never %NULL, empty where it has no GstUpiMeta
 * @encoding: (nullable): of @content; %NULL before the first result, and where somebody let go of it
 * @number: of frames since the start, from 0
 * @stream: STREAM_STARTs since the start
 * @time: when it is; @time.timed is %FALSE where it has no PTS
 * @width: of the frame in pixels; 0: no caps yet
 * @height: the same
 * @foreign: its objects are another detector's, which looked at this very frame (@takes_foreign of the class)
 * @may_wait: policy "block": the frame leaves with what it asks for. Otherwise it leaves with what is there: nothing in
 * process waits
 */
typedef struct {
  GstBuffer *buffer;
  GstUpiContent *content;
  UpiEncoding *encoding;
  guint64 number;
  guint stream;
  GstUpiFrameTime time;
  gint width, height;
  gboolean foreign;
  gboolean may_wait;
} GstUpiFilterFrame;

#define GST_TYPE_UPI_FILTER (gst_upi_filter_get_type ())
G_DECLARE_DERIVABLE_TYPE (GstUpiFilter, gst_upi_filter, GST, UPI_FILTER, GstBaseTransform)

/**
 * GstUpiFilterClass: what an element fills in; all but @process are optional. The base class has set its own functions
 * of GstBaseTransformClass and change_state of GstElementClass: who overrides one chains up.
 * @reads_encoding: the element reads encodings: those before it keep them, and one that had gone is said
 * @takes_unencoded: a stream that no upiencoder stands before is no error, its frames have an empty content: for what
 * shows what others found
 * @takes_foreign: from GStreamer 1.24 on: where no upidetect, and no other element that does this, stands before, the
 * objects of a GstAnalyticsRelationMeta are the frame's; such a stream needs no upiencoder
 * @start: READY→PAUSED, before the first event: checks settings and opens what a run needs. %FALSE: an error was
 * posted, the state change fails
 * @stop: the counterpart of a successful @start; no frame is inside, and @reset was called
 * @unlock: any thread, at FLUSH_START and before PAUSED→READY: what @process waits for is given up, it returns at once
 * (with %GST_FLOW_FLUSHING,
 *   if the frame cannot go on)
 * @unlock_stop: at FLUSH_STOP and before @start: @process may wait again
 * @process: streaming thread, once a frame, in order. @content is %NULL on entry: a new content (transfer full) takes
 * the place of the frame's. It runs
 *   no network itself: a ticket does. Another flow than %GST_FLOW_OK drops the frame
 * @attach: streaming thread, after a @process that gave a content, if only the frame's own: adds other metadata than
 * GstUpiMeta, which is in place already. @buffer: writable,
 *   its memory shared
 * @reset: streaming thread: state ends here (stream-time.h), before the frame that begins anew
 * @event: every event of the sink pad, in its thread, after the base class looked at it and before it goes downstream
 * @control: any thread: the upstream event "upi-control" (upijson control=true) wants @property to be @value. %FALSE:
 * it is none that others may
 *   change, or no such value; the nearest element of the event's target alone is asked
 * @gap: streaming thread: time goes on without a frame, after @reset if state ended, before the GAP goes downstream
 */
struct _GstUpiFilterClass {
  GstBaseTransformClass parent_class;

  gboolean reads_encoding, takes_unencoded, takes_foreign;
  gboolean (*start) (GstUpiFilter *filter);
  void (*stop) (GstUpiFilter *filter);
  void (*unlock) (GstUpiFilter *filter);
  void (*unlock_stop) (GstUpiFilter *filter);
  GstFlowReturn (*process) (GstUpiFilter *filter, const GstUpiFilterFrame *frame, GstUpiContent **content);
  void (*attach) (GstUpiFilter *filter, GstBuffer *buffer, const GstUpiFilterFrame *frame, GstUpiContent *content);
  void (*reset) (GstUpiFilter *filter);
  void (*event) (GstUpiFilter *filter, GstEvent *event);
  void (*gap) (GstUpiFilter *filter, const GstUpiFrameTime *time);
  gboolean (*control) (GstUpiFilter *filter, const gchar *property, const gchar *value);
};

/* At class_init: the pads "sink" and "src", of video in any format and memory. Others, with these names, may be added
 * instead. */
void gst_upi_filter_class_add_pad_templates (GstUpiFilterClass *klass);

/* Streaming thread. Where the stream is; its count_step may be set. */
GstUpiStreamTime *gst_upi_filter_get_time (GstUpiFilter *filter);

/**
 * gst_upi_filter_set_latency: any thread.
 * @latency: by how much frames may be held; 0 from the start of each run
 *
 * Answers LATENCY queries from here on, and posts a LATENCY message where it changes.
 */
void gst_upi_filter_set_latency (GstUpiFilter *filter, GstClockTime latency);

/* Any thread. In place of #GstUpiFilterClass.reads_encoding, for an element that reads encodings by its settings. */
void gst_upi_filter_set_reads_encoding (GstUpiFilter *filter, gboolean reads);

/* Any thread. Answers a LATENCY query, for pads of the element's own. */
gboolean gst_upi_filter_query_latency (GstUpiFilter *filter, GstQuery *query);

/**
 * gst_upi_filter_fail: what @process returns where it failed. Streaming thread.
 * @may_wait: of the frame
 * @error: of the engine
 *
 * Returns: %GST_FLOW_ERROR, and an error is posted, where frames wait for their results or a device is gone; otherwise
 * %GST_FLOW_OK, and a warning is posted, once a run: a failure costs results, never the stream
 */
GstFlowReturn gst_upi_filter_fail (GstUpiFilter *filter, gboolean may_wait, const GError *error);

/**
 * gst_upi_filter_is_first: for what is said once a run. Streaming thread.
 * @warning: which, 0 to 30, by the element's own numbers
 *
 * Returns: %TRUE the first time since the start
 */
gboolean gst_upi_filter_is_first (GstUpiFilter *filter, guint warning);

G_END_DECLS
