/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* private.h: upiencoder's object, shared by its element (gstupiencoder.c, properties.c), its engine (engine.c) and
 * its pads (pads.c, source-pad.c, queries.c). */
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include "core/upi.h"
#include "gst/encoder/cuda.h"
#include "gst/encoder/frames.h"
#include "gst/encoder/image.h"
#include "gst/encoder/orientation.h"
#include "gst/encoder/stats.h"
#include "gst/encoding-life.h"
#include "gst/stream-time.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_upi_encoder_debug);

typedef enum { GST_UPI_POLICY_AUTO, GST_UPI_POLICY_BLOCK, GST_UPI_POLICY_LATEST } GstUpiPolicy;
#define GST_TYPE_UPI_POLICY (gst_upi_policy_get_type ())
GType gst_upi_policy_get_type (void);

#define GST_TYPE_UPI_ENCODER (gst_upi_encoder_get_type ())
G_DECLARE_FINAL_TYPE (GstUpiEncoder, gst_upi_encoder, GST, UPI_ENCODER, GstElement)

enum {
  GST_UPI_ENCODER_PROP_MODEL = 1,
  GST_UPI_ENCODER_PROP_DEVICE,
  GST_UPI_ENCODER_PROP_INTERVAL,
  GST_UPI_ENCODER_PROP_POLICY,
  GST_UPI_ENCODER_PROP_BATCH_SIZE,
  GST_UPI_ENCODER_PROP_BATCH_TIMEOUT,
  GST_UPI_ENCODER_PROP_INSTANCE_ID,
  GST_UPI_ENCODER_PROP_THREADS,
  GST_UPI_ENCODER_PROP_THREADS_PER_FRAME,
  GST_UPI_ENCODER_PROP_INPUT_SIZE,
  GST_UPI_ENCODER_PROP_ORIENTATION,
  GST_UPI_ENCODER_PROP_MAX_IN_FLIGHT,
  GST_UPI_ENCODER_PROP_STATIC_THRESHOLD,
  GST_UPI_ENCODER_PROP_STATIC_MAX_AGE,
  GST_UPI_ENCODER_PROP_STATS,
  GST_UPI_ENCODER_PROP_DEVICE_IN_USE,
  GST_UPI_ENCODER_PROP_KEEP_ENCODING
};

struct _GstUpiEncoder {
  GstElement parent;
  GstPad *sinkpad, *srcpad;
  GstUpiEncodingLife life;
  GstUpiFrames *frames;
  GstUpiStats *stats;

  /* Settings; object lock. */
  gchar *model, *device, *instance_id, *input_size;
  guint threads, threads_per_frame, batch_size, interval, max_in_flight;
  guint64 batch_timeout, static_max_age;
  gdouble static_threshold;
  GstUpiPolicy policy;
  GstUpiOrientation orientation;
  guint orientation_serial; /* counts its changes, like the next one */
  guint policy_serial;      /* counts changes of the policy: it is decided anew at the next frame */

  /* From READY→PAUSED to PAUSED→READY; object lock. */
  gboolean opened; /* set before the engine is opened: settings are fixed from then on */
  UpiEngine *engine;
  UpiStream *stream;               /* this element's, of that engine */
  GstUpiCuda *cuda;                /* nullable; the pipeline's, from set_context on */
  gboolean in_cuda;                /* the engine works in it */
  guint fixed_width, fixed_height; /* input-size, 0 = auto */
  GstClockTime qos_earliest;       /* running time; NONE: nobody complained */
  GstClockTime latency;            /* what the LATENCY query adds */
  gboolean warned_input, warned_failed;

  /* Sink pad's streaming thread. */
  GstUpiReader *reader; /* NULL before caps */
  GstVideoInfo info;
  guint width, height; /* the network's input */
  GstUpiOrientationTags tags;
  UpiOrientation turned; /* how the network sees the picture */
  guint turned_serial;   /* of the orientation that this was decided by; 0: it is to be decided anew */
  gboolean told_turner;  /* that the tag is ignored */
  GstUpiStreamTime time;
  guint until_next; /* frames until the next one is encoded */
  gboolean latest;
  guint decided_serial;
  gboolean plain_layout; /* downstream knows no GstVideoMeta */
  gboolean cuda_caps;    /* the caps say memory:CUDAMemory */

  /* Source pad's task. */
  GstCaps *sent_caps; /* nullable: of frames that leave */
  GstVideoInfo sent_info;

  /* Starting and stopping it. */
  GMutex task_lock;
  gboolean task_allowed;
};

void gst_upi_encoder_install_properties (GObjectClass *object_class); /* properties.c */

/* engine.c. Opens the engine, or posts an error. */
gboolean gst_upi_encoder_open_engine (GstUpiEncoder *self);
void gst_upi_encoder_close_engine (GstUpiEncoder *self);

/* Object lock held: the settings of static pictures, for the stream, if there is one. */
void gst_upi_encoder_set_static (GstUpiEncoder *self);

/* CUDA memory is about to come. An engine that is on the GPU but not in the pipeline's context,
 * because upstream was linked after it was opened, is opened anew in that context. Sink pad's thread, at caps. */
void gst_upi_encoder_follow_cuda (GstUpiEncoder *self);

/* pads.c */
void gst_upi_encoder_init_pads (GstUpiEncoder *self);
void gst_upi_encoder_reset_stream (GstUpiEncoder *self);
/* What the LATENCY query adds from now on; a message says so where that is new. */
void gst_upi_encoder_set_latency (GstUpiEncoder *self, GstClockTime latency);
/* Frames that may be inside, with the engine open. */
guint gst_upi_encoder_frame_limit (GstUpiEncoder *self);

/* source-pad.c */
void gst_upi_encoder_init_source_pad (GstUpiEncoder *self);
/* Begins to send frames, if the pad is active. FALSE: there is no thread for it. */
gboolean gst_upi_encoder_start_task (GstUpiEncoder *self);
/* Upstream has ended: a failure downstream goes to the bus. */
void gst_upi_encoder_post_flow_error (GstUpiEncoder *self, GstFlowReturn ret);

/* queries.c: the pads' query functions. */
gboolean gst_upi_encoder_sink_query (GstPad *pad, GstObject *parent, GstQuery *query);
gboolean gst_upi_encoder_src_query (GstPad *pad, GstObject *parent, GstQuery *query);

G_END_DECLS
