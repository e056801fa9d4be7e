/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.h: one caption on its way from the engine: words as they come, then the sentence. */
#pragma once

#include "gst/meta/gstupimeta.h"

G_BEGIN_DECLS

/* Reference-counted, any thread. The engine's worker leaves its words here and touches nothing else of ours. */
typedef struct _GstUpiCaptionRequest GstUpiCaptionRequest;

/* Never blocks. Returns: (transfer full) (nullable): NULL and @error */
GstUpiCaptionRequest *
gst_upi_caption_request_new (UpiEncoding *encoding, const UpiCaptionOptions *options, guint64 pts, GError **error);
GstUpiCaptionRequest *gst_upi_caption_request_ref (GstUpiCaptionRequest *request);
void gst_upi_caption_request_unref (GstUpiCaptionRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstUpiCaptionRequest, gst_upi_caption_request_unref)

/* PTS of the frame that it describes. */
guint64 gst_upi_caption_request_get_pts (const GstUpiCaptionRequest *request);

/* Makes gst_upi_caption_request_take() return at once, everywhere, with UPI_ERROR_CANCELLED. */
void gst_upi_caption_request_cancel (GstUpiCaptionRequest *request);

/**
 * gst_upi_caption_request_take:
 * @wait: TRUE: until there are new words, or the end
 * @partial: (out) (transfer full) (nullable): the text so far, if it grew since the last call
 * Returns: TRUE once it has ended
 */
gboolean gst_upi_caption_request_take (GstUpiCaptionRequest *request, gboolean wait, gchar **partial);

/* After its end. Returns: (transfer full) (nullable): a content of one caption, with the regions of its words and
 * without a duration, or NULL and @error */
GstUpiContent *gst_upi_caption_request_finish (GstUpiCaptionRequest *request, GError **error);

G_END_DECLS
