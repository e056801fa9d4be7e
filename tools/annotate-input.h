/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What upi-annotate reads: a list of images and clips (from the command line, folders, or a COCO file) and their
 * decoded frames. */
#pragma once

#include "core/upi.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

typedef struct {
  gchar *path;
  gint64 id; /* of the COCO file; -1: frames are numbered */
} AnnotateFile;

/* A COCO file's categories. */
typedef struct {
  gchar **names;
  gint64 *ids;
} AnnotateCategories;

/* Files, and what folders hold (by name, with what is below). (transfer full) of AnnotateFile */
GArray *annotate_list_inputs (gchar **inputs, GError **error);
/* Images of a COCO file under root. (transfer full) */
GArray *annotate_read_coco (const gchar *path, const gchar *root, AnnotateCategories *categories, GError **error);
void annotate_categories_clear (AnnotateCategories *categories);

/* A decoder of one image or clip into RGB frames. */
typedef struct _AnnotateDecoder AnnotateDecoder;

AnnotateDecoder *annotate_decoder_new (const gchar *path, GError **error);
void annotate_decoder_free (AnnotateDecoder *decoder);
/* The next frame; NULL without error at the end. (transfer full) */
GstSample *annotate_decoder_next (AnnotateDecoder *decoder, GError **error);
/* Describes a frame in place; the image's release lets go of it. Display aspect from the caps. */
gboolean
annotate_image (GstSample *sample, UpiImage *image, guint *display_width, guint *display_height, GError **error);

G_END_DECLS
