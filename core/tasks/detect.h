/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regions by labels: scores and boxes, for all tasks that say something of a region. */
#pragma once

#include "core/engine/engine-private.h"

G_BEGIN_DECLS

/* Detection scores of one region for all labels. */
void upi_region_scores (
    const UpiEncoding *encoding, const UpiConfig *config, const UpiLabels *labels, guint region, gfloat *scores);
/* The region that scores best for a label; of equal ones the first. */
typedef struct {
  gfloat score;
  guint region;
} UpiSeen;

/* seen: [labels->n]. FALSE and @error: no memory. */
gboolean upi_best_regions (const UpiEncoding *encoding, const UpiLabels *labels, UpiSeen *seen, GError **error);
/* The box (cx, cy, w, h) of a region, cut at the frame. */
void upi_object_place (UpiObject *object, const gfloat *box);
/* The box and the mask, if it has one, that the network found in its input, where the picture may be turned and have a
 * border, lie on the frame as it is. */
gboolean upi_object_turn_back (UpiObject *object, const UpiEncoding *encoding, GError **error);

G_END_DECLS
