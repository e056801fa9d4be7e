/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topics.c: see topics.h. */
#include "gst/json/topics.h"

#include <gio/gio.h>
#include <string.h>

gboolean
gst_upi_topic_check (const gchar *topic, GError **error)
{
  const gchar *why = *topic == '\0'                    ? "it is empty"
      : *topic == '$'                                  ? "$ begins the broker's own"
      : strpbrk (topic, "#+")                          ? "# and + are for who listens"
      : strlen (topic) > 32768                         ? "it is too long"
      : *topic == '/' || g_str_has_suffix (topic, "/") ? "it begins or ends with a slash"
      : !g_utf8_validate (topic, -1, NULL)             ? "it is not UTF-8"
                                                       : NULL;

  if (why != NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
        "property topic is '%s': %s; write for example topic=upi", topic, why);
  return why == NULL;
}

gchar *
gst_upi_topic_level (const gchar *name, const gchar *const *reserved)
{
  g_autofree gchar *valid = g_utf8_make_valid (name, -1);
  gboolean taken = reserved != NULL && g_strv_contains (reserved, valid);
  GString *level = g_string_new (NULL);

  for (const gchar *c = valid; *c != '\0'; c++) {
    if ((taken && c == valid) || strchr ("/#+%", *c) != NULL || (guchar) *c < 0x20 || *c == 0x7f)
      g_string_append_printf (level, "%%%02X", (guint) (guchar) *c);
    else
      g_string_append_c (level, *c);
  }
  if (level->len == 0)
    g_string_append_c (level, '%');
  return g_string_free (level, FALSE);
}

gchar *
gst_upi_topic_object_id (const gchar *name)
{
  GString *id = g_string_new (NULL);
  gboolean changed = *name == '\0';

  for (const gchar *c = name; *c != '\0'; c++) {
    gboolean legal = g_ascii_isalnum (*c) || *c == '_' || *c == '-';
    changed |= !legal;
    g_string_append_c (id, legal ? *c : '_');
  }
  if (changed)
    g_string_append_printf (id, "_%08x", g_str_hash (name));
  return g_string_free (id, FALSE);
}
