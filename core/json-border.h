/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON from a file that nobody vouches for: what the parser must not see is refused first. */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Parses text whose root must be an object. Refused, with an error that names file, byte and line: invalid UTF-8, NUL
 * bytes, all that RFC 8259 does not allow, escapes that stand for no character, a key that stands twice in one object,
 * brackets deeper than max_depth. expected: what the file should hold, for the error. (transfer full), owns the tree.
 */
JsonParser *upi_json_parse (
    const gchar *text, gsize length, guint max_depth, const gchar *file, const gchar *expected, GError **error);

G_END_DECLS
