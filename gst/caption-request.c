/* caption-request.c: see caption-request.h. */
#include "gst/caption-request.h"

struct _GstUpiCaptionRequest {
  UpiTicket *ticket;
  guint64 pts;

  GMutex lock;
  GCond cond;
  gchar *partial; /* not yet taken */
  gchar *text;
  GError *error;
  gboolean ended;
};

static void
request_clear (gpointer data)
{
  GstUpiCaptionRequest *request = data;

  g_clear_pointer (&request->ticket, upi_ticket_unref);
  g_free (request->partial);
  g_free (request->text);
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

/* From a worker, or from upi_ticket_cancel(); once a ticket. */
static void
on_done (UpiTicket *ticket, gpointer user_data)
{
  GstUpiCaptionRequest *request = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree gchar *text = upi_ticket_wait (ticket, &error) ? upi_ticket_get_text (ticket) : NULL;

  g_mutex_lock (&request->lock);
  if (!request->ended) { /* else cancelled before */
    request->ended = TRUE;
    request->text = g_steal_pointer (&text);
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
  request->pts = pts;
  request->ticket = upi_engine_caption (
      upi_encoding_engine (encoding), encoding, options, on_partial, on_done, gst_upi_caption_request_ref (request), error);
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

gchar *
gst_upi_caption_request_finish (GstUpiCaptionRequest *request, GError **error)
{
  g_mutex_lock (&request->lock);
  gchar *text = g_strdup (request->text);
  if (text == NULL)
    g_propagate_error (error,
        request->error != NULL ? g_error_copy (request->error)
                               : g_error_new_literal (UPI_ERROR, UPI_ERROR_FAILED, "the engine gave no text"));
  g_mutex_unlock (&request->lock);
  return text;
}
