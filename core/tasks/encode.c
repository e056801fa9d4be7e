/* The border where a frame's description is checked before it is queued. */
#include "core/engine/engine-private.h"
#include "core/engine/image.h"
#include "core/engine/orientation.h"

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

UpiTicket *
upi_encode_ticket (UpiEngine *engine, const UpiImage *asked, guint width, guint height, guint64 pts, UpiTicketFunc done, gpointer user_data,
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
  ticket = upi_ticket_new (UPI_TICKET_ENCODE, engine->queue, done, user_data);
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
  UpiTicket *ticket = upi_encode_ticket (engine, image, width, height, pts, done, user_data, error);

  if (ticket != NULL)
    upi_queue_push (engine->queue, ticket);
  return ticket;
}
