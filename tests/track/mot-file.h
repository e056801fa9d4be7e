/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mot-file.h: detections in MOTChallenge form: frame,id,left,top,width,height,score[,…], frames from 1 in any order. Or
 * region-dump's, which go on with label,threshold,length and so many numbers of a vector. */
#pragma once

#include "gst/track/tracker.h"

/* @id: as the file has it
 * @threshold: of region-dump, or 0 */
typedef struct {
  guint frame;
  gint id;
  gdouble threshold;
  GstUpiSighting sighting;
} MotRow;

/* Rows in the order of frames. Returns: (element-type MotRow) (nullable): NULL and @error names the line that is not of
 * this form */
GArray *mot_file_read (const gchar *path, GError **error);
