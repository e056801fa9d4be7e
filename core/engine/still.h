/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Static pictures: by how much two small inputs of the network differ. Each is reduced to the means of its blocks of 4
 * × 4 pixels, which takes most of a sensor's noise away; the brightness of the whole picture may have changed (a gain
 * and an offset for each of R, G and B, as a lamp, dusk or an automatic exposure make them); what is left is looked at
 * in tiles of 16 × 16 pixels that overlap by half. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Floats that describe an input of that size: [3, height / 4, width / 4], multiples of 32 pixels. */
gsize upi_still_blocks (guint width, guint height);
/* @input: [height, width, 3] RGB, (x / 255 - mean) / std. @blocks: levels of 0..1 */
void upi_still_measure (
    const gfloat *input, guint width, guint height, const gfloat mean[3], const gfloat std[3], gfloat *blocks);
/* The largest mean difference of a tile, 0..1 of the range of levels; 1 where the brightness of the whole changed by
 * more than half, or by more than a quarter of the range: then it is another picture. */
gfloat upi_still_difference (const gfloat *before, const gfloat *after, guint width, guint height);

G_END_DECLS
