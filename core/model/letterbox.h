/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a picture lies in the network's input, by the model's config: over all of it ("stretch"), or as large as its
 * own aspect lets it be, from the top left, with a border at the right and below ("letterbox"). The twin of
 * models/reference/preprocess.py, in whole numbers: both round alike. */
#pragma once

#include "core/model/config.h"

G_BEGIN_DECLS

/* The picture's size in an input width × height, of an image of that display size (turned, if it is). */
void upi_letterbox_picture (const UpiConfig *config, guint image_width, guint image_height, guint width, guint height,
    guint *picture_width, guint *picture_height);
/* The input's size for an image, where the config has a short side. */
void upi_letterbox_input (const UpiConfig *config, guint image_width, guint image_height, guint *width, guint *height);

G_END_DECLS
