/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Masks of regions. */
#pragma once

#include "core/engine/engine-private.h"

G_BEGIN_DECLS

/* The mask of a region in a box of the network's input; NULL and the device's error, or UPI_ERROR_MEMORY. (transfer
 * full) */
UpiMask *
upi_mask_cut (UpiEncoding *encoding, guint region, gfloat x, gfloat y, gfloat width, gfloat height, GError **error);

G_END_DECLS
