/* The border where a frame's description is checked before it is queued. */
#include "core/engine/engine-private.h"

#define MAX_SIDE 32768 /* of a source image */

/* Bytes a row of each plane needs; 0 ends the list. */
static void
row_bytes (const UpiImage *image, gssize rows[3])
{
  gssize width = image->width, half = (width + 1) / 2;

  rows[0] = rows[1] = rows[2] = 0;
  switch (image->format) {
  case UPI_PIXELS_RGB:
  case UPI_PIXELS_BGR:
    rows[0] = 3 * width;
    break;
  case UPI_PIXELS_RGBX:
  case UPI_PIXELS_BGRX:
    rows[0] = 4 * width;
    break;
  case UPI_PIXELS_I420:
    rows[0] = width;
    rows[1] = rows[2] = half;
    break;
  case UPI_PIXELS_NV12:
    rows[0] = width;
    rows[1] = 2 * half;
    break;
  case UPI_PIXELS_READ:
    break;
  }
}

static gboolean
check_image (const UpiEngine *engine, const UpiImage *image, GError **error)
{
  gssize rows[3];

  if ((guint) image->format > UPI_PIXELS_READ) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "pixel format %d is not known", image->format);
    return FALSE;
  }
  if (image->width < 1 || image->height < 1 || image->width > MAX_SIDE || image->height > MAX_SIDE) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the image is %u × %u, expected 1 to %d a side", image->width, image->height, MAX_SIDE);
    return FALSE;
  }
  if (image->format == UPI_PIXELS_READ && !image->read) {
    g_set_error_literal (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "an image of format READ needs its read function");
    return FALSE;
  }
  if (image->on_device && (!engine->backend->memory || image->format == UPI_PIXELS_READ)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "an engine on %s cannot read an image of format %d in a GPU's memory",
        engine->info.device, image->format);
    return FALSE;
  }
  if (!(image->kr >= 0 && image->kb >= 0 && image->kr + image->kb < 1)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the YUV matrix has kr %g and kb %g, expected 0 or more and less than 1 together",
        (gdouble) image->kr, (gdouble) image->kb);
    return FALSE;
  }
  row_bytes (image, rows);
  for (guint i = 0; i < 3; i++)
    if (rows[i] && (!image->planes[i] || ABS (image->strides[i]) < rows[i])) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
          "plane %u of the image has %s and a stride of %" G_GSSIZE_FORMAT " bytes, expected %" G_GSSIZE_FORMAT " or more", i,
          image->planes[i] ? "data" : "no data", image->strides[i], rows[i]);
      return FALSE;
    }
  return TRUE;
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

UpiTicket *
upi_encode_ticket (UpiEngine *engine, const UpiImage *asked, guint width, guint height, guint64 pts, UpiTicketFunc done, gpointer user_data,
    GError **error)
{
  UpiTicket *ticket;
  UpiImage image;
  gboolean is_known = upi_sized_read (&image, sizeof image, asked, UPI_SIZED_FIRST (UpiImage, user_data), "UpiImage", error);

  if (width == 0 && height == 0)
    upi_engine_nearest_size (engine, image.width, image.height, &width, &height);
  if (!is_known || !check_image (engine, &image, error) || !check_size (width, height, error)) {
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
