/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c: see request.h. */
#include "gst/caption/request.h"

struct _GstUpiCaptionRequest {
  UpiTicket *ticket;
  guint64 pts;
  const gchar *const *labels; /* the engine's, read by its workers alone */

  GMutex lock;
  GCond cond;
  gchar *partial; /* not yet taken */
  GstUpiContent *said;
  GError *error;
  gboolean ended;
};

static void
request_clear (gpointer data)
{
  GstUpiCaptionRequest *request = data;

  g_clear_pointer (&request->ticket, upi_ticket_unref);
  g_free (request->partial);
  g_clear_pointer (&request->said, gst_upi_content_unref);
  g_clear_error (&request->error);
  g_cond_clear (&request->cond);
  g_mutex_clear (&request->lock);
}

GstUpiCaptionRequest *
gst_upi_caption_request_ref (GstUpiCaptionRequest *request)
{
  return g_atomic_rc_box_acquire (request);
}

void
gst_upi_caption_request_unref (GstUpiCaptionRequest *request)
{
  g_atomic_rc_box_release_full (request, request_clear);
}

guint64
gst_upi_caption_request_get_pts (const GstUpiCaptionRequest *request)
{
  return request->pts;
}

/* From a worker. */
static void
on_partial (const gchar *text, gpointer user_data)
{
  GstUpiCaptionRequest *request = user_data;

  g_mutex_lock (&request->lock);
  if (!request->ended) {
    g_free (request->partial);
    request->partial = g_strdup (text);
    g_cond_broadcast (&request->cond);
  }
  g_mutex_unlock (&request->lock);
}

/* One caption with the regions of its words. (transfer full) */
static GstUpiContent *
content_of (const UpiCaptionText *text, gboolean grounded, const gchar *const *labels, guint64 pts)
{
  g_autoptr (GstUpiContent) empty = gst_upi_content_new (NULL, GST_CLOCK_TIME_NONE, GST_UPI_CONTENT_NONE);
  g_autoptr (GArray) regions = g_array_new (FALSE, TRUE, sizeof (GstUpiCaptionRegion));

  for (guint i = 0; i < text->n_words; i++) {
    const UpiCaptionWord *word = &text->words[i];

    for (guint k = 0; k < word->n_objects; k++) {
      const UpiObject *object = &word->objects[k];
      const GstUpiCaptionRegion region = { .first = word->first,
        .bytes = word->bytes,
        .label = labels[object->label],
        .label_id = object->label,
        .score = object->score,
        .x = object->x,
        .y = object->y,
        .width = object->width,
        .height = object->height,
        .region = object->region };

      g_array_append_val (regions, region);
    }
  }
  const GstUpiCaption caption = { .text = text->text,
    .pts = pts,
    .duration = GST_CLOCK_TIME_NONE,
    .flags = grounded ? GST_UPI_CAPTION_GROUNDED : GST_UPI_CAPTION_NONE,
    .n_regions = regions->len,
    .regions = (const GstUpiCaptionRegion *) (gconstpointer) regions->data };
  return gst_upi_content_set_captions (empty, &caption, 1);
}

/* From a worker, or from upi_ticket_cancel(); once a ticket. */
static void
on_done (UpiTicket *ticket, gpointer user_data)
{
  GstUpiCaptionRequest *request = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiCaption) caption = upi_ticket_wait (ticket, &error) ? upi_ticket_get_caption (ticket) : NULL;
  g_autoptr (GstUpiContent) said =
      caption != NULL ? content_of (&caption->texts[0], caption->grounded, request->labels, request->pts) : NULL;

  g_mutex_lock (&request->lock);
  if (!request->ended) { /* else cancelled before */
    request->ended = TRUE;
    request->said = g_steal_pointer (&said);
    request->error = g_steal_pointer (&error);
    g_cond_broadcast (&request->cond);
  }
  g_mutex_unlock (&request->lock);
  gst_upi_caption_request_unref (request);
}

GstUpiCaptionRequest *
gst_upi_caption_request_new (UpiEncoding *encoding, const UpiCaptionOptions *options, guint64 pts, GError **error)
{
  g_autoptr (GstUpiCaptionRequest) request = g_atomic_rc_box_new0 (GstUpiCaptionRequest);

  g_mutex_init (&request->lock);
  g_cond_init (&request->cond);
  UpiEngine *engine = upi_encoding_engine (encoding);
  request->pts = pts;
  request->labels = upi_engine_info (engine)->labels;
  request->ticket =
      upi_engine_caption (engine, encoding, options, on_partial, on_done, gst_upi_caption_request_ref (request), error);
  if (request->ticket == NULL) {
    gst_upi_caption_request_unref (request); /* the one of on_done() */
    return NULL;
  }
  return g_steal_pointer (&request);
}

void
gst_upi_caption_request_cancel (GstUpiCaptionRequest *request)
{
  g_mutex_lock (&request->lock);
  if (!request->ended) {
    request->ended = TRUE;
    g_clear_pointer (&request->partial, g_free);
    request->error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "the caption was cancelled");
    g_cond_broadcast (&request->cond);
  }
  g_mutex_unlock (&request->lock);
  upi_ticket_cancel (request->ticket);
}

gboolean
gst_upi_caption_request_take (GstUpiCaptionRequest *request, gboolean wait, gchar **partial)
{
  g_mutex_lock (&request->lock);
  while (wait && !request->ended && request->partial == NULL)
    g_cond_wait (&request->cond, &request->lock);
  *partial = g_steal_pointer (&request->partial);
  gboolean ended = request->ended;
  g_mutex_unlock (&request->lock);
  return ended;
}

GstUpiContent *
gst_upi_caption_request_finish (GstUpiCaptionRequest *request, GError **error)
{
  g_mutex_lock (&request->lock);
  GstUpiContent *said = request->said != NULL ? gst_upi_content_ref (request->said) : NULL;
  if (said == NULL)
    g_propagate_error (error,
        request->error != NULL ? g_error_copy (request->error)
                               : g_error_new_literal (UPI_ERROR, UPI_ERROR_FAILED, "the engine gave no text"));
  g_mutex_unlock (&request->lock);
  return said;
}
