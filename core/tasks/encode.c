/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encoding: a frame's description is checked at the border, in the caller's thread; on a worker the backend puts the pixels of one frame or a
 * batch into the network's input, the image side runs, and each frame's outputs land in its encoding. */
#include "core/engine/engine-private.h"
#include "core/backends/frames/image.h"
#include "core/backends/frames/orientation.h"
#include "core/model/letterbox.h"

/* Pixels into item i of the context's input. A buffer of the host's is let go of at once, one of the device when the run that reads it has
 * ended. */
static gboolean
put_frame (UpiWorker *worker, UpiTicket *ticket, const UpiImage *pixels, UpiContext *context, guint i, GError **error)
{
  const UpiConfig *config = worker->engine->config;
  gint64 start = g_get_monotonic_time ();
  UpiFrame frame;
  gboolean ok = upi_frame_reader_describe (
      worker->frames, pixels, ticket->picture_width, ticket->picture_height, config->input.mean, config->input.std, &frame, error);

  if (ok && (ticket->picture_width != ticket->width || ticket->picture_height != ticket->height))
    upi_frame_letterbox (&frame, pixels->orientation, ticket->width, ticket->height, config->input.pad);
  ok = ok && upi_context_put_frame (context, upi_plan_find (context->plan, "image"), i, &frame, error);
  if (!pixels->on_device)
    upi_ticket_release_image (ticket);
  ticket->convert_us += g_get_monotonic_time () - start;
  return ok;
}

static UpiEncoding *
encoding_for (UpiWorker *worker, UpiTicket *ticket, UpiContext *context, GError **error)
{
  const UpiLayout *layout = upi_pool_layout (worker->engine->pool, worker->engine, context->plan, ticket->width, ticket->height);
  UpiEncoding *encoding = upi_encoding_new (worker->engine, layout, error);

  if (encoding == NULL)
    return NULL;
  encoding->pts = ticket->pts;
  encoding->orientation = ticket->image.orientation;
  encoding->across = (gfloat) ticket->picture_width / ticket->width;
  encoding->down = (gfloat) ticket->picture_height / ticket->height;
  encoding->source_width = ticket->image.width;
  encoding->source_height = ticket->image.height;
  return encoding;
}

/* Each frame's parts go into its encoding. */
static void
bind_parts (UpiContext *context, UpiEncoding *encoding, guint item)
{
  const UpiLayout *layout = encoding->layout;

  for (guint i = 0; i < layout->n_parts; i++)
    upi_context_bind_item (context, upi_plan_find (context->plan, layout->names[i]), item, upi_encoding_memory (encoding, i));
}

/* n frames at once: the size of a plan. */
static gboolean
encode (UpiWorker *worker, UpiTicket **tickets, const UpiImage *pixels, guint n, UpiEncoding **encodings, GError **error)
{
  UpiPlanKey key = { UPI_PLAN_IMAGE, n, tickets[0]->width, tickets[0]->height };
  UpiContext *context = upi_worker_context (worker, key, error);
  gboolean ok = context != NULL;

  for (guint i = 0; i < n && ok; i++)
    ok = put_frame (worker, tickets[i], &pixels[i], context, i, error);
  for (guint i = 0; i < n && ok; i++) {
    ok = (encodings[i] = encoding_for (worker, tickets[i], context, error)) != NULL;
    if (ok)
      bind_parts (context, encodings[i], i);
  }
  ok = ok && upi_worker_infer (worker, context, error);
  for (guint i = 0; i < n && !ok; i++)
    g_clear_pointer (&encodings[i], upi_encoding_drop);
  return ok;
}

static void
finish_encode (UpiTicket *ticket, UpiEncoding *encoding, GError *error)
{
  if (!error && upi_ticket_is_cancelled (ticket))
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled while its frame was encoded");
  if (!error && upi_queue_is_closed (ticket->queue))
    error = upi_queue_closing_error (ticket->queue, "the engine closed while the frame was encoded");
  if (error)
    g_clear_pointer (&encoding, upi_encoding_drop);
  ticket->encoding = encoding;
  upi_ticket_finish (ticket, error);
}

/* One run of the image side: n is the size of a plan. */
static void
run_batch (UpiWorker *worker, UpiTicket **tickets, const UpiImage *pixels, guint n)
{
  gint64 start = g_get_monotonic_time (), read_us = 0, put_us = 0;
  GError *error = NULL;
  UpiEncoding *encodings[UPI_ENGINE_MAX_BATCH] = { NULL };

  for (guint i = 0; i < n; i++)
    read_us += (gint64) tickets[i]->convert_us;
  encode (worker, tickets, pixels, n, encodings, &error);
  g_atomic_pointer_add (&worker->engine->queue->counters.image_runs, 1);
  for (guint i = 0; i < n; i++)
    put_us += (gint64) tickets[i]->convert_us;
  put_us -= read_us;
  gint64 infer_us = (g_get_monotonic_time () - start - put_us) / n;

  upi_worker_check_device (worker, error);
  for (guint i = 0; i < n; i++) {
    tickets[i]->infer_us = (guint64) MAX (infer_us, 0);
    finish_encode (tickets[i], encodings[i], error != NULL ? g_error_copy (error) : NULL);
  }
  g_clear_error (&error);
}

static void
run_frames (UpiWorker *worker, UpiTicket **tickets, guint n)
{
  UpiImage pixels[UPI_ENGINE_MAX_BATCH];
  guint full = worker->engine->info.batch_size, ready = 0;

  /* What fails or was cancelled here does not keep the others from being encoded. */
  for (guint i = 0; i < n; i++) {
    UpiTicket *ticket = tickets[i];
    gint64 start = g_get_monotonic_time ();
    GError *error = NULL;

    if (upi_ticket_is_cancelled (ticket))
      error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled before it was served");
    else if (upi_frame_reader_read (
                 worker->frames, ready, &ticket->image, ticket->picture_width, ticket->picture_height, &pixels[ready], &error))
      tickets[ready++] = ticket;
    ticket->convert_us = g_get_monotonic_time () - start;
    if (error != NULL)
      finish_encode (ticket, NULL, error);
  }
  /* What is left of a batch runs as batches of fewer frames. */
  for (guint first = 0, n_run; first < ready; first += n_run) {
    n_run = upi_batch_plan_size (ready - first, full);
    run_batch (worker, tickets + first, pixels + first, n_run);
  }
}

static gboolean
check_size (guint width, guint height, GError **error)
{
  if (width % 32 || height % 32 || width < 32 || height < 32 || width > UPI_MAX_SIDE || height > UPI_MAX_SIDE) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_ARGUMENT, "input size %u × %u: expected multiples of 32 from 32 to %d", width, height, UPI_MAX_SIDE);
    return FALSE;
  }
  return TRUE;
}

/* Checks the arguments; not queued yet. NULL and @error: the image has been released. */
static UpiTicket *
encode_ticket (UpiEngine *engine, const UpiImage *asked, guint width, guint height, guint64 pts, UpiTicketFunc done, gpointer user_data,
    GError **error)
{
  UpiTicket *ticket;
  UpiImage image;
  gboolean transposed;
  gboolean is_known = upi_sized_read (&image, sizeof image, asked, UPI_SIZED_FIRST (UpiImage, user_data), "UpiImage", error);

  is_known = is_known && upi_image_check (&image, engine->backend, engine->info.device, error);
  transposed = is_known && upi_orientation_is_transposed (image.orientation);
  if (is_known && width == 0 && height == 0)
    upi_engine_nearest_size (engine, transposed ? image.height : image.width, transposed ? image.width : image.height, &width, &height);
  if (!is_known || !check_size (width, height, error)) {
    if (image.release != NULL)
      image.release (image.user_data);
    return NULL;
  }
  ticket = upi_ticket_new (UPI_TICKET_ENCODE, run_frames, engine->queue, done, user_data);
  ticket->image = image;
  ticket->width = width;
  ticket->height = height;
  upi_letterbox_picture (engine->config, transposed ? image.height : image.width, transposed ? image.width : image.height, width, height,
      &ticket->picture_width, &ticket->picture_height);
  ticket->pts = pts;
  return ticket;
}

UpiTicket *
upi_engine_encode (UpiEngine *engine, const UpiImage *image, guint width, guint height, guint64 pts, UpiTicketFunc done, gpointer user_data,
    GError **error)
{
  UpiTicket *ticket = encode_ticket (engine, image, width, height, pts, done, user_data, error);

  if (ticket != NULL)
    upi_queue_push (engine->queue, ticket);
  return ticket;
}

UpiTicket *
upi_stream_encode (UpiStream *stream, const UpiImage *image, guint width, guint height, guint64 pts, gboolean latest, UpiTicketFunc done,
    gpointer user_data, GError **error)
{
  UpiTicket *ticket = encode_ticket (stream->engine, image, width, height, pts, done, user_data, error);

  if (ticket == NULL)
    return NULL;
  ticket->stream = upi_stream_hold (stream);
  ticket->latest = latest;
  upi_queue_push (ticket->queue, ticket);
  return ticket;
}
