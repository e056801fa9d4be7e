/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h: what a broker's library is told, as name=value. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * gst_upi_settings_parse:
 * @text: (nullable): name=value, separated by semicolons or ends of lines
 * @path: (nullable): of a file that has one a line, and comments behind #; for passwords, which others see on a command
 * line
 *
 * Returns: (transfer full): values by name, those of @text in place of those of @path; NULL and an error that names the
 * property and the line
 */
GHashTable *gst_upi_settings_parse (const gchar *text, const gchar *path, GError **error);

G_END_DECLS
