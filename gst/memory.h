/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * memory.h: whether there is memory for what does not say when there is none. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Asked before a library, or a thread of somebody else's, takes memory that it does not check. */
gboolean gst_upi_can_allocate (gsize bytes);

G_END_DECLS
