/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.h: JSON as people write it by hand (RFC 8259, nothing more), each value with its line: json-glib forgets the
 * lines, takes comments and keys that come twice, makes strings that are not UTF-8, or cut short, of escapes
 * that are no character, and recurses as deep as a file tells it to. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  RULES_JSON_NULL,
  RULES_JSON_BOOLEAN,
  RULES_JSON_NUMBER,
  RULES_JSON_STRING,
  RULES_JSON_ARRAY,
  RULES_JSON_OBJECT
} RulesJsonType;

/**
 * RulesJson: a value.
 * @line: where it begins, from 1
 * @name: (nullable): its key, where it is a member of an object; no two members have the same
 * @name_line: where that begins
 * @number: of a number; 0 or 1 of a boolean
 * @string: (nullable): of a string: UTF-8, without NUL
 * @items: (nullable): (element-type RulesJson): of an array or an object, in their order
 */
typedef struct {
  RulesJsonType type;
  guint line;
  gchar *name;
  guint name_line;
  gdouble number;
  gchar *string;
  GPtrArray *items;
} RulesJson;

/**
 * rules_json_parse:
 * @text: (array length=length): any bytes
 * @line: (out): of the mistake, where there is one
 * @mistake: (out) (transfer full): what was found and what was expected
 *
 * Returns: (transfer full) (nullable): the document's value; NULL: @line and @mistake are set
 */
RulesJson *rules_json_parse (const gchar *text, gsize length, guint *line, gchar **mistake);
void rules_json_free (RulesJson *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RulesJson, rules_json_free)

/* (transfer none) (nullable): a member of an object */
const RulesJson *rules_json_member (const RulesJson *object, const gchar *name);
/* (transfer full): the value as a message shows it: short, "a list", "the text \"abc\"" */
gchar *rules_json_describe (const RulesJson *value);

G_END_DECLS
