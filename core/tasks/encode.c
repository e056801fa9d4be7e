/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encoding: a frame's description is checked at the border, in the caller's thread; a worker turns the pixels of one frame or a batch into the
 * network's input, runs the image side, and each frame's outputs land in its encoding. */
#include "core/engine/engine-private.h"
#include "core/backends/frames/image.h"
#include "core/backends/frames/orientation.h"

#include <stdlib.h>
#include <string.h>

/* Room for n frames of an input size. */
static gboolean
reserve_input (UpiWorker *worker, gsize frame_floats, guint n, GError **error)
{
  gsize bytes = frame_floats * n * sizeof (gfloat);

  if (worker->input_bytes >= bytes)
    return TRUE;
  g_clear_pointer (&worker->input, free);
  worker->input_bytes = 0;
  worker->input = upi_block_new (bytes, "the network's input", error);
  if (!worker->input)
    return FALSE;
  worker->input_bytes = bytes;
  return TRUE;
}

static gboolean
convert (UpiWorker *worker, UpiTicket *ticket, gfloat *input, GError **error)
{
  const UpiConfig *config = worker->engine->config;
  gint64 start = g_get_monotonic_time ();
  gboolean ok = upi_scaler_convert (
      worker->scaler, &ticket->image, ticket->width, ticket->height, config->input.mean, config->input.std, input, error);

  upi_ticket_release_image (ticket);
  ticket->convert_us = g_get_monotonic_time () - start;
  return ok;
}

/* Where the backend converts: pixels into item i of the context's input. A buffer of the host's is let go of at once, one of the device when the
 * run that reads it has ended. */
static gboolean
put_frame (UpiWorker *worker, UpiTicket *ticket, UpiContext *context, guint i, GError **error)
{
  const UpiConfig *config = worker->engine->config;
  const UpiBackendMemory *own = worker->engine->backend->memory;
  gint64 start = g_get_monotonic_time ();
  UpiFrame frame;
  gboolean ok = upi_scaler_describe (
                    worker->scaler, &ticket->image, ticket->width, ticket->height, config->input.mean, config->input.std, &frame, error)
      && own->put_frame (context, upi_plan_find (context->plan, "image"), i, &frame, error);

  if (!ok || !frame.on_device)
    upi_ticket_release_image (ticket);
  ticket->convert_us = g_get_monotonic_time () - start;
  return ok;
}

/* In place of a frame that could not be read: the others of its batch go on. */
static gboolean
put_black (UpiWorker *worker, UpiContext *context, guint i, guint width, guint height, GError **error)
{
  static const guint8 black[3];
  UpiImage image = { .size = sizeof (UpiImage), .format = UPI_PIXELS_RGB, .width = 1, .height = 1, .planes = { black }, .strides = { 3 } };
  const UpiConfig *config = worker->engine->config;
  UpiFrame frame;

  return upi_scaler_describe (worker->scaler, &image, width, height, config->input.mean, config->input.std, &frame, error)
      && worker->engine->backend->memory->put_frame (context, upi_plan_find (context->plan, "image"), i, &frame, error);
}

static UpiEncoding *
encoding_for (UpiWorker *worker, UpiTicket *ticket, UpiContext *context, GError **error)
{
  const UpiLayout *layout = upi_pool_layout (worker->engine->pool, worker->engine, context->plan, ticket->width, ticket->height);
  UpiEncoding *encoding = upi_encoding_new (worker->engine, layout, error);

  if (!encoding)
    return NULL;
  encoding->pts = ticket->pts;
  encoding->orientation = ticket->image.orientation;
  encoding->source_width = ticket->image.width;
  encoding->source_height = ticket->image.height;
  return encoding;
}

/* Parts that stay on the device go straight into their encoding, also those of a batch. */
static void
bind_kept_parts (UpiContext *context, UpiEncoding *encoding, guint item)
{
  const UpiLayout *layout = encoding->layout;

  for (guint i = 0; i < layout->n_parts; i++)
    if (layout->kept[i])
      context->plan->backend->memory->bind_item (
          context, upi_plan_find (context->plan, layout->names[i]), item, upi_encoding_memory (encoding, i));
}

/* One frame: the outputs go straight into its encoding. input: NULL where the backend converts. */
static UpiEncoding *
encode_one (UpiWorker *worker, UpiTicket *ticket, gfloat *input, GError **error)
{
  UpiPlanKey key = { UPI_PLAN_IMAGE, 1, ticket->width, ticket->height };
  UpiContext *context = upi_worker_context (worker, key, error);
  UpiEncoding *encoding = context ? encoding_for (worker, ticket, context, error) : NULL;

  if (!encoding)
    return NULL;
  if (input)
    upi_context_bind (context, upi_plan_find (context->plan, "image"), input);
  bind_kept_parts (context, encoding, 0);
  for (guint i = 0; i < encoding->layout->n_parts; i++)
    if (!encoding->layout->kept[i])
      upi_context_bind (context, upi_plan_find (context->plan, encoding->layout->names[i]), upi_encoding_memory (encoding, i));
  if ((!input && !put_frame (worker, ticket, context, 0, error)) || !upi_worker_infer (worker, context, error))
    g_clear_pointer (&encoding, upi_encoding_drop);
  return encoding;
}

/* n frames at once: each output is [n, ...] in staging memory, then every frame gets its part. Where the backend converts (input: NULL), what
 * cannot be read becomes an error of its own in errors. */
static gboolean
encode_batch (UpiWorker *worker, UpiTicket **tickets, guint n, gfloat *input, UpiEncoding **encodings, GError **errors, GError **error)
{
  UpiPlanKey key = { UPI_PLAN_IMAGE, n, tickets[0]->width, tickets[0]->height };
  UpiContext *context = upi_worker_context (worker, key, error);
  const UpiLayout *layout;
  guint8 *staging = NULL;
  gboolean ok = context != NULL;

  for (guint i = 0; i < n && ok; i++)
    ok = (encodings[i] = encoding_for (worker, tickets[i], context, error)) != NULL;
  if (ok) {
    layout = encodings[0]->layout;
    staging = upi_block_new (n * layout->block_bytes, "a batch of encodings", error);
    ok = staging != NULL;
  }
  for (guint i = 0; i < n && ok && !input; i++)
    ok = put_frame (worker, tickets[i], context, i, &errors[i])
        || put_black (worker, context, i, tickets[i]->width, tickets[i]->height, error);
  if (ok) {
    if (input)
      upi_context_bind (context, upi_plan_find (context->plan, "image"), input);
    for (guint i = 0; i < layout->n_parts; i++)
      if (!layout->kept[i])
        upi_context_bind (context, upi_plan_find (context->plan, layout->names[i]), staging + n * layout->offsets[i]);
    for (guint i = 0; i < n; i++)
      bind_kept_parts (context, encodings[i], i);
    ok = upi_worker_infer (worker, context, error);
  }
  for (guint j = 0; j < n && ok; j++)
    for (guint i = 0; i < layout->n_parts; i++)
      if (!layout->kept[i])
        memcpy (upi_encoding_memory (encodings[j], i), staging + n * layout->offsets[i] + j * layout->bytes[i], layout->bytes[i]);
  for (guint i = 0; i < n && !ok; i++)
    g_clear_pointer (&encodings[i], upi_encoding_drop);
  free (staging);
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

/* One run of the image side: n is the size of a plan. input: the converted frames, NULL where the backend converts. */
static void
run_batch (UpiWorker *worker, UpiTicket **tickets, guint n, gfloat *input)
{
  gint64 start = g_get_monotonic_time (), convert_us = 0;
  GError *error = NULL, *errors[UPI_ENGINE_MAX_BATCH] = { NULL };
  UpiEncoding *encodings[UPI_ENGINE_MAX_BATCH] = { NULL };
  gboolean ok;

  if (n == 1) {
    encodings[0] = encode_one (worker, tickets[0], input, &error);
    ok = encodings[0] != NULL;
  } else {
    ok = encode_batch (worker, tickets, n, input, encodings, errors, &error);
  }
  g_atomic_pointer_add (&worker->engine->queue->counters.image_runs, 1);
  for (guint i = 0; i < n && input == NULL; i++) /* a part of the run */
    convert_us += (gint64) tickets[i]->convert_us;
  gint64 infer_us = (g_get_monotonic_time () - start - convert_us) / n;

  upi_worker_check_device (worker, error);
  for (guint i = 0; i < n; i++) {
    tickets[i]->infer_us = (guint64) MAX (infer_us, 0);
    if (!errors[i] && !ok)
      errors[i] = g_error_copy (error);
    finish_encode (tickets[i], encodings[i], errors[i]);
  }
  g_clear_error (&error);
}

static void
run_frames (UpiWorker *worker, UpiTicket **tickets, guint n)
{
  gsize frame = (gsize) 3 * tickets[0]->width * tickets[0]->height;
  guint full = worker->engine->info.batch_size, ready = 0;
  gboolean convert_here = worker->engine->backend->memory == NULL;

  /* What fails or was cancelled here does not keep the others from being encoded. */
  for (guint i = 0; i < n; i++) {
    GError *error = NULL;

    if (upi_ticket_is_cancelled (tickets[i]))
      error = g_error_new_literal (UPI_ERROR, UPI_ERROR_CANCELLED, "cancelled before it was served");
    else if (convert_here && reserve_input (worker, frame, n, &error))
      convert (worker, tickets[i], worker->input + ready * frame, &error);
    if (error)
      finish_encode (tickets[i], NULL, error);
    else
      tickets[ready++] = tickets[i];
  }
  /* What is left of a batch runs as batches of fewer frames. */
  for (guint first = 0, n_run; first < ready; first += n_run) {
    n_run = upi_batch_plan_size (ready - first, full);
    run_batch (worker, tickets + first, n_run, convert_here ? worker->input + first * frame : NULL);
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
  gboolean is_known = upi_sized_read (&image, sizeof image, asked, UPI_SIZED_FIRST (UpiImage, user_data), "UpiImage", error);

  is_known = is_known && upi_image_check (&image, engine->info.device, engine->backend->memory != NULL, error);
  if (is_known && width == 0 && height == 0) {
    gboolean transposed = upi_orientation_is_transposed (image.orientation);

    upi_engine_nearest_size (engine, transposed ? image.height : image.width, transposed ? image.width : image.height, &width, &height);
  }
  if (!is_known || !check_size (width, height, error)) {
    if (image.release)
      image.release (image.user_data);
    return NULL;
  }
  ticket = upi_ticket_new (UPI_TICKET_ENCODE, run_frames, engine->queue, done, user_data);
  ticket->image = image;
  ticket->width = width;
  ticket->height = height;
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
