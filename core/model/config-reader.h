/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading config.json strictly: a member that is missing, of the wrong type or out of range is one error, which names
 * file and member, says what was found and what was expected.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* One object of the file. After the first error every read returns zero, so that parsing needs no branch a line. */
typedef struct {
  const gchar *file;
  const gchar *path;  /* "decoder." or "" */
  JsonObject *object; /* NULL once something failed */
  GError **error;
} UpiReader;

#define UPI_KEYS(...) ((const gchar *const[]){ __VA_ARGS__, NULL })

/* The error "FILE: PATHkey what", unless there is one already. */
void upi_reader_fail (UpiReader *r, const gchar *key, const gchar *format, ...) G_GNUC_PRINTF (3, 4);
/* (transfer full) the value as the file spells it, for errors */
gchar *upi_reader_spell (JsonNode *node);

/* Whether the object is there and has the member: of those that a file may leave out. */
gboolean upi_reader_has (const UpiReader *r, const gchar *key);
gint upi_reader_int (UpiReader *r, const gchar *key, gint least, gint most);
gfloat upi_reader_float (UpiReader *r, const gchar *key, gdouble least, gdouble most);
gdouble upi_reader_double (UpiReader *r, const gchar *key, gdouble least, gdouble most);
/* The same of a member that may be left out. */
gfloat upi_reader_float_or (UpiReader *r, const gchar *key, gdouble least, gdouble most, gfloat otherwise);
/* An array of n. */
void upi_reader_ints (UpiReader *r, const gchar *key, gint *values, guint n, gint least, gint most);
gboolean upi_reader_boolean (UpiReader *r, const gchar *key);
/* Not empty. */
const gchar *upi_reader_string (UpiReader *r, const gchar *key);
/* Index of the string among choices. */
gint upi_reader_choice (UpiReader *r, const gchar *key, const gchar *const *choices);
/* NULL after an error. */
JsonArray *upi_reader_array (UpiReader *r, const gchar *key, guint least, guint most);
/* The object at key; path is what its own members are called by. known NULL: any members. */
UpiReader upi_reader_object (UpiReader *r, const gchar *key, const gchar *path, const gchar *const *known);

/* The strings of an array, none of them empty: (transfer full), NULL after an error. */
gchar **upi_reader_strings (UpiReader *r, const gchar *key, guint least, guint most);
/* The same of a node that is at hand; key is what errors call it. */
gint64 upi_reader_node_int (UpiReader *r, const gchar *key, JsonNode *node, gint64 least, gint64 most);
UpiReader
upi_reader_node_object (UpiReader *r, const gchar *key, JsonNode *node, const gchar *path, const gchar *const *known);
gfloat upi_reader_node_float (UpiReader *r, const gchar *key, JsonNode *node, gdouble least, gdouble most);
JsonArray *upi_reader_node_array (UpiReader *r, const gchar *key, JsonNode *node, guint least, guint most);

/* Members that the format does not know are errors: a misspelt key must not silently mean its default. */
void upi_reader_check_keys (UpiReader *r, const gchar *const *known);
void upi_reader_check_multiple (UpiReader *r, const gchar *key, gint value, gint of, const gchar *why);

G_END_DECLS
