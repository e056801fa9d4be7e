/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from a file that nobody vouches for: what the parser must not see is refused first. */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Parses text whose root must be an object. Refused, with an error that names file: invalid UTF-8, NUL bytes, escapes
 * that are not JSON's or stand for no character (json-glib takes them, and its strings are then not UTF-8, or cut),
 * brackets deeper than max_depth (json-glib before 1.10 recurses without a limit). expected: what the file should hold,
 * for the error. (transfer full), owns the tree. */
JsonParser *upi_json_parse (
    const gchar *text, gsize length, guint max_depth, const gchar *file, const gchar *expected, GError **error);

G_END_DECLS
