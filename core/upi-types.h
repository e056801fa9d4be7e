/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi-types.h: what languages other than C need of libupi beside upi.h: its reference-counted things as boxed types,
 * and a mask's cells as bytes. */
#pragma once

#include <glib-object.h>

#include "core/upi.h"

G_BEGIN_DECLS

#define UPI_TYPE_ENGINE (upi_engine_get_type ())
#define UPI_TYPE_ENCODING (upi_encoding_get_type ())
#define UPI_TYPE_LABELS (upi_labels_get_type ())
#define UPI_TYPE_MASK (upi_mask_get_type ())

/**
 * upi_engine_get_type: the boxed type of #UpiEngine.
 * Returns: the type
 */
UPI_API GType upi_engine_get_type (void);
/**
 * upi_encoding_get_type: the boxed type of #UpiEncoding.
 * Returns: the type
 */
UPI_API GType upi_encoding_get_type (void);
/**
 * upi_labels_get_type: the boxed type of #UpiLabels.
 * Returns: the type
 */
UPI_API GType upi_labels_get_type (void);
/**
 * upi_mask_get_type: the boxed type of #UpiMask.
 * Returns: the type
 */
UPI_API GType upi_mask_get_type (void);

/**
 * upi_mask_get_bytes: the cells of a mask, row by row, 0..255 each; they stay while the bytes do.
 * @mask: a mask
 * Returns: (transfer full): rows × columns bytes
 */
UPI_API GBytes *upi_mask_get_bytes (UpiMask *mask);

G_END_DECLS
