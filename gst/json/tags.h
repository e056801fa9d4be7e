/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tags.h: what every line repeats, as a user wrote it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * gst_upi_json_read_tags:
 * @text: any bytes
 * @mistake: (out) (transfer full): what was found and what was expected
 *
 * Returns: (transfer full) (nullable): @text as one compact JSON object in UTF-8; NULL: it is none, and @mistake is set
 */
gchar *gst_upi_json_read_tags (const gchar *text, gchar **mistake);

G_END_DECLS
