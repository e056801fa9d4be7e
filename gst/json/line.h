/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.h: what is known about one frame as one line of JSON. */
#pragma once

#include <gst/gst.h>

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

typedef struct {
  guint64 number; /* of the frame since the file was opened */
  guint stream;   /* STREAM_STARTs so far */
  /* or NONE */
  GstClockTime stream_time, running_time;
  GstClockTime wall_clock; /* since 1970, UTC */
  GstClockTime pts;
  gint width, height;
  const gchar *source; /* the camera's name, or NULL */
  const gchar *tags;   /* a JSON object, or NULL */
  gboolean mask_runs;  /* masks with their cells */
} GstUpiJsonFrame;

/* Replaces what is in @line by one object and a newline. Valid JSON for any content: control characters are escaped,
 * bytes that are not UTF-8 replaced, numbers written as in the C locale. */
void gst_upi_json_line (GString *line, const GstUpiJsonFrame *frame, const GstUpiContent *content);

G_END_DECLS
