/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lines.h: what upijson wrote, read again; every line of format=upi is held against its schema at the end of a test
 * program. */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* A new path in the temporary directory. */
gchar *json_lines_path (void);
/* Lines of @path, each a JsonParser. */
GPtrArray *json_lines_read (const gchar *path);
/* The same of lines that no schema describes. */
GPtrArray *json_lines_read_foreign (const gchar *path);
/* One line that came another way; with or without its newline. */
JsonParser *json_lines_parse (const gchar *line);
JsonObject *json_lines_object (GPtrArray *lines, guint index);
/* A test case, the last: all lines that were read so far are as the schema says (UPI_LINE_CHECK, UPI_LINE_SCHEMAS). */
void json_lines_test_schema (void);

/* A property of upijson that cannot be honoured, and what the error must say. */
typedef struct {
  const gchar *name, *value, *says;
} JsonBadSetting;

/* With each of them alone, upijson with that method does not start, and says why. */
void json_lines_test_bad_settings (const gchar *method, const JsonBadSetting *settings, guint n_settings);

G_END_DECLS
