/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an image, as a program describes it, to a frame, as a backend's put_frame reads it: planes, components, colour
 * matrix, normalisation and the antialiased triangle filters (models/reference/NETWORK.md, "Input"; Pillow's BILINEAR).
 * Y, U and V are scaled apart, at their own resolution, before the matrix. The same for every backend. */
#pragma once

#include "core/backends/backend.h"
#include "core/upi.h"

G_BEGIN_DECLS

/* Filter tables of one worker; not thread-safe. */
typedef struct _UpiFrameReader UpiFrameReader;

UpiFrameReader *upi_frame_reader_new (void);
void upi_frame_reader_free (UpiFrameReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiFrameReader, upi_frame_reader_free)

/* Makes sure that the image, which upi_image_check() knows, has pixels: one that makes them late does it here, once;
 * UPI_PIXELS_READ is read into memory of the reader's, of the size of the input width × height, one for each item of a
 * batch. pixels: what is to be described then. UPI_ERROR_INPUT where that failed, UPI_ERROR_MEMORY. */
gboolean upi_frame_reader_read (
    UpiFrameReader *reader, guint item, UpiImage *image, guint width, guint height, UpiImage *pixels, GError **error);
/* Of an input [height, width, 3] RGB, (x/255 - mean) / std, of the picture turned by its orientation. Valid until the
 * reader's next use, and as long as the planes are. UPI_ERROR_MEMORY */
gboolean upi_frame_reader_describe (UpiFrameReader *reader, const UpiImage *pixels, guint width, guint height,
    const gfloat mean[3], const gfloat std[3], UpiFrame *frame, GError **error);
/* The described picture, of an image so turned, from the top left of a larger input; pad: of 0..1, what is beside and
 * below it. */
void upi_frame_letterbox (UpiFrame *frame, UpiOrientation orientation, guint width, guint height, const gfloat pad[3]);

G_END_DECLS
