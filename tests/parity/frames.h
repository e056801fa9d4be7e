/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames and values bound item by item, on every backend: cases of the parity test. */
#pragma once

#include "tests/parity/parity.h"

G_BEGIN_DECLS

/* Adds the cases whose name contains filter (NULL: all), as /parity/NAME/frames/… and …/items. */
void frames_add_tests (const UpiBackend *backend, const gchar *name, ParityVariant numbers, const gchar *filter);

/* An input, as it is: image [n, height, width, 3], which put_frame takes, → "out". (transfer full) of both */
UpiContext *frames_open (const UpiBackend *backend, guint n, guint width, guint height, UpiPlan **plan);
/* Bytes of the host's as memory of the backend's: by a program that copies words as they are. */
void *frames_upload (const UpiBackend *backend, const guint8 *bytes, gsize count);

G_END_DECLS
