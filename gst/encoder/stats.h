/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.h: what upiencoder counts; any thread. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstUpiStats GstUpiStats;

typedef enum {
  GST_UPI_COUNT_FRAMES_IN,
  GST_UPI_COUNT_FRAMES_OUT,
  GST_UPI_COUNT_ENCODED,
  GST_UPI_COUNT_STATIC, /* kept an earlier frame's encoding: the picture is the same */
  GST_UPI_COUNT_SKIPPED,
  GST_UPI_COUNT_OUTDATED, /* encoded, but a later frame's result was there before */
  GST_UPI_COUNT_FAILED,
  GST_UPI_N_COUNTS
} GstUpiCount;

GstUpiStats *gst_upi_stats_new (void);
void gst_upi_stats_free (GstUpiStats *stats);
void gst_upi_stats_reset (GstUpiStats *stats);
void gst_upi_stats_count (GstUpiStats *stats, GstUpiCount count);
guint64 gst_upi_stats_get (GstUpiStats *stats, GstUpiCount count);
/* A worker's time for one frame, microseconds. */
void gst_upi_stats_add_encode_time (GstUpiStats *stats, guint64 convert_us, guint64 infer_us);
/* How much older the attached result is than its frame. */
void gst_upi_stats_add_age (GstUpiStats *stats, GstClockTime age);
/* (transfer full) All but what only the queue knows. */
GstStructure *gst_upi_stats_to_structure (GstUpiStats *stats);

G_END_DECLS
