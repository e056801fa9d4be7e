/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* COCO's run-length masks: runs of 0 and 1 down the columns, compressed into a string as pycocotools does. */
#pragma once

#include "core/upi.h"

G_BEGIN_DECLS

/* The mask at the frame's size, probability ≥ 1/2, inside the object's box. (transfer full): "counts" of {"size":
 * [height, width]};
 * area: pixels set. */
gchar *annotate_rle (const UpiObject *object, guint width, guint height, guint64 *area);

G_END_DECLS
