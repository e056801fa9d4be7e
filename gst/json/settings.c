/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.c: see settings.h. */
#include "gst/json/settings.h"

#include <gio/gio.h>

static gboolean
take_lines (GHashTable *settings, const gchar *text, const gchar *separators, const gchar *where, GError **error)
{
  g_auto (GStrv) lines = g_strsplit_set (text, separators, -1);

  for (guint i = 0; lines[i] != NULL; i++) {
    gchar *line = g_strstrip (lines[i]), *equals = strchr (line, '=');
    if (*line == '\0' || *line == '#')
      continue;
    if (equals == NULL || equals == line) { /* without the line: it may be half a password */
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s: entry %u is not name=value", where, i + 1);
      return FALSE;
    }
    *equals = '\0';
    g_hash_table_replace (settings, g_strdup (g_strstrip (line)), g_strdup (g_strstrip (equals + 1)));
  }
  return TRUE;
}

GHashTable *
gst_upi_settings_parse (const gchar *text, const gchar *path, GError **error)
{
  g_autoptr (GHashTable) settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  if (path != NULL && *path != '\0') {
    g_autofree gchar *content = NULL, *where = g_strdup_printf ("property settings-file, %s", path);
    g_autoptr (GError) why = NULL;
    if (!g_file_get_contents (path, &content, NULL, &why)) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "property settings-file: %s", why->message);
      return NULL;
    }
    if (!take_lines (settings, content, "\r\n", where, error))
      return NULL;
  }
  if (text != NULL && !take_lines (settings, text, ";\r\n", "property settings", error))
    return NULL;
  return g_steal_pointer (&settings);
}
