/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turned pictures: where a pixel of the image lies in the network's input, and the way back for boxes and masks. */
#pragma once

#include "core/upi.h"

G_BEGIN_DECLS

/* A picture of width × height, as it is: its pixel (x, y) is number origin + x · step_x + y · step_y of the turned one,
 * whose rows begin `stride` pixels from each other. */
void upi_orientation_steps (UpiOrientation orientation, guint width, guint height, guint stride, gssize *origin,
    gssize *step_x, gssize *step_y);
/* A box of the turned picture, 0..1, becomes one of the picture. */
void upi_orientation_turn_back (UpiOrientation orientation, gfloat *x, gfloat *y, gfloat *width, gfloat *height);
/* The same for a mask: a new one. (transfer full) of both; NULL: no memory, and @mask is gone */
UpiMask *upi_orientation_turn_mask_back (UpiOrientation orientation, UpiMask *mask, GError **error);

G_END_DECLS
