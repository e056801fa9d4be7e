/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encoding: a frame's description is checked at the border, in the caller's thread; on a worker the backend puts the
 * pixels of one frame or a batch into the network's input, the image side runs, and each frame's outputs land in its
 * encoding. */
#include "core/engine/engine-private.h"
#include "core/backends/frames/image.h"
#include "core/backends/frames/orientation.h"
#include "core/engine/still.h"
#include "core/memory.h"
#include "core/model/letterbox.h"
#include "core/processor.h"

#include <stdlib.h>

/* The ticket's frame as put_frame reads it. */
static gboolean
describe (UpiWorker *worker, const UpiTicket *ticket, const UpiImage *pixels, UpiFrame *frame, GError **error)
{
  const UpiConfig *config = worker->engine->config;

  if (!upi_frame_reader_describe (worker->frames, pixels, ticket->picture_width, ticket->picture_height,
          config->input.mean, config->input.std, frame, error))
    return FALSE;
  if (ticket->picture_width != ticket->width || ticket->picture_height != ticket->height)
    upi_frame_letterbox (frame, pixels->orientation, ticket->width, ticket->height, config->input.pad);
  return TRUE;
}

/* Pixels into item i of the context's input. A buffer of the host's is let go of at once, one of the device when the
 * run that reads it has ended. */
static gboolean
put_frame (UpiWorker *worker, UpiTicket *ticket, const UpiImage *pixels, UpiContext *context, guint i, GError **error)
{
  gint64 start = g_get_monotonic_time ();
  UpiFrame frame;
  gboolean ok = describe (worker, ticket, pixels, &frame, error)
      && upi_context_put_frame (context, upi_plan_find (context->plan, "image"), i, &frame, error);

  if (!pixels->on_device)
    upi_ticket_release_image (ticket);
  ticket->convert_us += g_get_monotonic_time () - start;
  return ok;
}

static UpiEncoding *
encoding_for (UpiWorker *worker, UpiTicket *ticket, UpiContext *context, GError **error)
{
  const UpiLayout *layout =
      upi_pool_layout (worker->engine->pool, worker->engine, context->plan, ticket->width, ticket->height);
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
    upi_context_bind_item (
        context, upi_plan_find (context->plan, layout->names[i]), item, upi_encoding_memory (encoding, i));
}

/* n frames at once: the size of a plan. is_placed: the one frame's pixels are in the input already. */
static gboolean
encode (UpiWorker *worker, UpiTicket **tickets, const UpiImage *pixels, guint n, gboolean is_placed,
    UpiEncoding **encodings, GError **error)
{
  UpiPlanKey key = { UPI_PLAN_IMAGE, n, tickets[0]->width, tickets[0]->height };
  UpiContext *context = upi_worker_context (worker, key, error);
  gboolean ok = context != NULL;

  if (is_placed)
    upi_ticket_release_image (tickets[0]);
  for (guint i = 0; i < n && ok && !is_placed; i++)
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

/* (transfer full) of all */
static void
finish_encode (UpiTicket *ticket, UpiEncoding *encoding, GError *error)
{
  g_autoptr (GError) failure = error != NULL ? g_error_copy (error) : NULL;
  UpiEncoding *shared = NULL;

  if (error == NULL && upi_ticket_is_cancelled (ticket))
    error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled while its frame was encoded");
  if (error == NULL && upi_queue_is_closed (ticket->queue))
    error = upi_queue_closing_error (ticket->queue, "the engine closed while the frame was encoded");
  /* Frames that looked like this one end as it did, whether somebody still wants it or not. Where there are none
   * nothing more is held: who hears of the end may find the encoding unused. */
  ticket->encoding = error == NULL ? encoding : NULL;
  g_autoptr (GPtrArray) followers = upi_stream_leave (ticket);
  if (followers != NULL && encoding != NULL)
    shared = upi_encoding_hold (encoding);
  if (error != NULL)
    g_clear_pointer (&encoding, upi_encoding_drop);
  upi_ticket_finish (ticket, error);
  for (guint i = 0; followers != NULL && i < followers->len; i++)
    finish_encode (followers->pdata[i], shared != NULL ? upi_encoding_hold (shared) : NULL,
        failure != NULL ? g_error_copy (failure) : NULL);
  g_clear_pointer (&shared, upi_encoding_drop);
}

static gboolean
reserve (gfloat **memory, gsize *has, gsize bytes, const gchar *purpose, GError **error)
{
  if (*has >= bytes)
    return TRUE;
  g_clear_pointer (memory, free);
  *has = 0;
  *memory = upi_memory_new (1, bytes, purpose, error);
  *has = *memory != NULL ? bytes : 0;
  return *memory != NULL;
}

/* The network's input of one frame, as the host sees it: the backend's own, whose context then has the frame
 * (is_placed), or another that is made here. NULL and @error. */
static const gfloat *
small_input (UpiWorker *worker, UpiTicket *ticket, const UpiImage *pixels, gboolean *is_placed, GError **error)
{
  UpiPlanKey key = { UPI_PLAN_IMAGE, 1, ticket->width, ticket->height };
  gboolean is_shown = worker->engine->backend->get_frame != NULL;
  UpiContext *context = is_shown ? upi_worker_context (worker, key, error) : NULL;
  UpiFrame frame;

  *is_placed = FALSE;
  if ((is_shown && context == NULL) || !describe (worker, ticket, pixels, &frame, error))
    return NULL;
  if (is_shown) {
    UpiValue image = upi_plan_find (context->plan, "image");
    *is_placed = upi_context_put_frame (context, image, 0, &frame, error);
    return *is_placed ? upi_context_get_frame (context, image, 0) : NULL;
  }
  if (worker->converter == NULL)
    worker->converter = upi_converter_new (upi_processor_isa ());
  return reserve (&worker->small, &worker->small_bytes, (gsize) 3 * ticket->width * ticket->height * sizeof (gfloat),
             "a frame to compare", error)
          && upi_converter_run (worker->converter, &frame, worker->small, error)
      ? worker->small
      : NULL;
}

/* TRUE: the frame looks like the last encoded one of its stream and has, or will have, its encoding: the ticket is
 * taken. FALSE: it is to be encoded, with @error if it cannot even be read. */
static gboolean
take_static (UpiWorker *worker, UpiTicket *ticket, const UpiImage *pixels, gboolean *is_placed, GError **error)
{
  const UpiConfig *config = worker->engine->config;
  gint64 start = g_get_monotonic_time ();
  gboolean ends = FALSE, joins = FALSE;
  gfloat threshold = upi_stream_get_threshold (ticket);

  *is_placed = FALSE;
  if (!(threshold > 0) || pixels->on_device) /* what never leaves the device is not compared on the host */
    return FALSE;
  const gfloat *input = small_input (worker, ticket, pixels, is_placed, error);
  if (input == NULL
      || !reserve (&worker->blocks, &worker->block_bytes,
          upi_still_blocks (ticket->width, ticket->height) * sizeof (gfloat), "a frame to compare", error))
    return FALSE;
  upi_still_measure (input, ticket->width, ticket->height, config->input.mean, config->input.std, worker->blocks);
  UpiReference *reference = upi_stream_get_reference (ticket);
  if (reference != NULL
      && upi_still_difference (reference->blocks, worker->blocks, ticket->width, ticket->height) <= threshold) {
    upi_ticket_release_image (ticket);
    ticket->convert_us += g_get_monotonic_time () - start;
    joins = upi_stream_join (ticket, reference, &ends);
    if (joins && ends)
      finish_encode (ticket, g_steal_pointer (&ticket->encoding), NULL);
  }
  if (!joins) {
    upi_stream_set_reference (ticket, worker->blocks);
    ticket->convert_us += g_get_monotonic_time () - start;
  }
  g_clear_pointer (&reference, upi_reference_unref);
  return joins;
}

/* One run of the image side: n is the size of a plan. */
static void
run_batch (UpiWorker *worker, UpiTicket **tickets, const UpiImage *pixels, guint n, gboolean is_placed)
{
  gint64 start = g_get_monotonic_time (), read_us = 0, put_us = 0;
  GError *error = NULL;
  UpiEncoding *encodings[UPI_ENGINE_MAX_BATCH] = { NULL };

  for (guint i = 0; i < n; i++)
    read_us += (gint64) tickets[i]->convert_us;
  encode (worker, tickets, pixels, n, is_placed, encodings, &error);
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
  gboolean is_placed = FALSE;

  /* What fails or was cancelled here does not keep the others from being encoded. */
  for (guint i = 0; i < n; i++) {
    UpiTicket *ticket = tickets[i];
    gint64 start = g_get_monotonic_time ();
    GError *error = NULL;

    if (upi_ticket_is_cancelled (ticket))
      error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled before it was served");
    else
      upi_frame_reader_read (
          worker->frames, ready, &ticket->image, ticket->picture_width, ticket->picture_height, &pixels[ready], &error);
    ticket->convert_us = g_get_monotonic_time () - start;
    if (error == NULL && ticket->stream != NULL && take_static (worker, ticket, &pixels[ready], &is_placed, &error))
      continue;
    if (error != NULL)
      finish_encode (ticket, NULL, error);
    else
      tickets[ready++] = ticket;
  }
  /* What is left of a batch runs as batches of fewer frames. */
  for (guint first = 0, n_run; first < ready; first += n_run) {
    n_run = upi_batch_plan_size (ready - first, full);
    /* Each comparison has overwritten the one before; only a frame alone is still there. */
    run_batch (worker, tickets + first, pixels + first, n_run, is_placed && n == 1);
  }
}

static gboolean
check_size (guint width, guint height, GError **error)
{
  if (width % 32 || height % 32 || width < 32 || height < 32 || width > UPI_MAX_SIDE || height > UPI_MAX_SIDE) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "input size %u × %u: expected multiples of 32 from 32 to %d",
        width, height, UPI_MAX_SIDE);
    return FALSE;
  }
  return TRUE;
}

/* The turned picture as it is shown, in square pixels; its ratio counts alone. */
static void
get_display_size (const UpiImage *image, guint *width, guint *height)
{
  gboolean is_square = image->pixel_width == 0 || image->pixel_height == 0;
  guint64 across = (guint64) image->width * (is_square ? 1 : image->pixel_width),
          down = (guint64) image->height * (is_square ? 1 : image->pixel_height);
  gboolean transposed = upi_orientation_is_transposed (image->orientation);

  while (MAX (across, down) > 1 << 20) {
    across = MAX (across / 2, 1);
    down = MAX (down / 2, 1);
  }
  *width = (guint) (transposed ? down : across);
  *height = (guint) (transposed ? across : down);
}

/* Checks the arguments; not queued yet. NULL and @error: the image has been released. */
static UpiTicket *
encode_ticket (UpiEngine *engine, const UpiImage *asked, guint width, guint height, guint64 pts, UpiTicketFunc done,
    gpointer user_data, GError **error)
{
  UpiTicket *ticket;
  UpiImage image;
  guint display_width = 0, display_height = 0;
  gboolean is_known =
      upi_sized_read (&image, sizeof image, asked, UPI_SIZED_FIRST (UpiImage, user_data), "UpiImage", error);

  is_known = is_known && upi_image_check (&image, engine->backend, engine->info.device, error);
  if (is_known)
    get_display_size (&image, &display_width, &display_height);
  if (is_known && width == 0 && height == 0)
    upi_engine_nearest_size (engine, display_width, display_height, &width, &height);
  if (!is_known || !check_size (width, height, error)) {
    if (image.release != NULL)
      image.release (image.user_data);
    return NULL;
  }
  ticket = upi_ticket_new (UPI_TICKET_ENCODE, run_frames, engine->queue, done, user_data);
  ticket->image = image;
  ticket->width = width;
  ticket->height = height;
  upi_letterbox_picture (
      engine->config, display_width, display_height, width, height, &ticket->picture_width, &ticket->picture_height);
  ticket->pts = pts;
  return ticket;
}

UpiTicket *
upi_engine_encode (UpiEngine *engine, const UpiImage *image, guint width, guint height, guint64 pts, UpiTicketFunc done,
    gpointer user_data, GError **error)
{
  UpiTicket *ticket = encode_ticket (engine, image, width, height, pts, done, user_data, error);

  if (ticket != NULL)
    upi_queue_push (engine->queue, ticket);
  return ticket;
}

UpiTicket *
upi_stream_encode (UpiStream *stream, const UpiImage *image, guint width, guint height, guint64 pts, gboolean latest,
    UpiTicketFunc done, gpointer user_data, GError **error)
{
  UpiTicket *ticket = encode_ticket (stream->engine, image, width, height, pts, done, user_data, error);

  if (ticket == NULL)
    return NULL;
  ticket->stream = upi_stream_hold (stream);
  ticket->latest = latest;
  upi_queue_push (ticket->queue, ticket);
  return ticket;
}
