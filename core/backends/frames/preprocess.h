/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a frame's pixels to the network's input in one pass: antialiased triangle filter (models/reference/NETWORK.md, "Input"; Pillow's
 * BILINEAR), colour matrix, normalisation. Y, U and V are scaled apart, at their own resolution, before the matrix. */
#pragma once

#include "core/backends/backend.h"
#include "core/upi.h"

G_BEGIN_DECLS

/* Filter tables and row buffers of one worker; not thread-safe. */
typedef struct _UpiScaler UpiScaler;

UpiScaler *upi_scaler_new (void);
void upi_scaler_free (UpiScaler *scaler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiScaler, upi_scaler_free)

/* out: [height, width, 3] RGB, (x/255 - mean) / std, of the picture turned by its orientation. The image was checked by upi_engine_encode(); one that makes its pixels late does it here,
 * once. UPI_ERROR_INPUT where that failed, or where it is read by its own function and that failed; UPI_ERROR_MEMORY. */
gboolean upi_scaler_convert (
    UpiScaler *scaler, UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3], gfloat *out, GError **error);
/* The same as a description, for a backend that converts frames itself: planes, components, filters, matrix. UPI_PIXELS_READ is read into memory
 * of the scaler's. Valid until the scaler's next use, and as long as the image's planes are. */
gboolean upi_scaler_describe (UpiScaler *scaler, UpiImage *image, guint width, guint height, const gfloat mean[3], const gfloat std[3],
    UpiFrame *frame, GError **error);
/* Chooses another instruction set than the best: "baseline", "avx2", "avx512". FALSE if this machine lacks it. */
gboolean upi_scaler_set_isa (UpiScaler *scaler, const gchar *isa);

G_END_DECLS
