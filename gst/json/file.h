/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * file.h: a file, a pipe or standard output that lines are appended to: each is there whole, or not at all, whoever
 * else writes there. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* One writer's hold of a file. All holds of one file in the process share a descriptor and take turns; processes take
 * turns with flock(). */
typedef struct _GstUpiJsonFile GstUpiJsonFile;

/**
 * gst_upi_json_file_open:
 * @path: of a file, which is made if its folder is there; of a pipe, which needs no reader yet; or "-" for standard
 * output
 * @append: FALSE: what is in the file goes, unless somebody in this process writes to it already
 *
 * Returns: (transfer full) (nullable): NULL and an error of G_FILE_ERROR that says why
 */
GstUpiJsonFile *gst_upi_json_file_open (const gchar *path, gboolean append, GError **error);

/**
 * gst_upi_json_file_write: one thread at a time a hold.
 * @line: with its newline
 * @now: monotonic time in microseconds: a folder that is gone is looked for once a second
 *
 * A file that was moved or removed meanwhile is made again at its path; one that was cut is gone on with at its new
 * end. Waits for the reader of a pipe. FALSE and an error of G_FILE_ERROR: nothing of @line is in the file; FALSE
 * without one: flushing.
 */
gboolean gst_upi_json_file_write (GstUpiJsonFile *file, const gchar *line, gsize length, gint64 now, GError **error);

/* Any thread. TRUE: who waits for a pipe's reader or for another writer returns at once; a line that was begun is ended
 * before the next one. */
void gst_upi_json_file_set_flushing (GstUpiJsonFile *file, gboolean flushing);

void gst_upi_json_file_close (GstUpiJsonFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiJsonFile, gst_upi_json_file_close)

G_END_DECLS
