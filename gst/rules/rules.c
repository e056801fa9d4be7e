/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rules.c: a rules file is read by one table of keys; see rules.h. rules.schema.json is the same table for editors:
 * what one takes or refuses the other does too, which tests/gst/rules/test-schema.py holds. */
#include "gst/rules/rules.h"

#include <math.h>
#include <string.h>

#include "core/upi.h"
#include "gst/rules/json.h"

#define MAX_BYTES (1 << 20)
#define MAX_RULES 100
#define MAX_POINTS 100
#define MAX_NAME 64
#define MAX_TEXT 1000
#define MAX_SECONDS 86400

typedef enum { KEY_NUMBER, KEY_WHOLE, KEY_WORD, KEY_WORDS, KEY_POINTS, KEY_CHOICE, KEY_COMMENT } KeyType;

#define OF(kind) (1u << (kind))
#define OF_ALL (OF (RULE_ZONE) | OF (RULE_LINE) | OF (RULE_COUNT) | OF (RULE_PHRASE))
#define OF_OBJECTS (OF (RULE_ZONE) | OF (RULE_LINE) | OF (RULE_COUNT))
#define OF_LEVELS (OF (RULE_ZONE) | OF (RULE_COUNT))

static const gchar *const kinds[] = { "zone", "line", "count", "phrase", NULL };
static const gchar *const modes[] = { "loose", "balanced", "strict", NULL };
static const gchar *const directions[] = { "both", "forward", "backward", NULL };

typedef struct {
  const gchar *name;
  KeyType type;
  guint kinds; /* rules that have it */
  gboolean required;
  gsize offset;       /* in Rule */
  gdouble min, max;   /* of a number, of a list's length, of a text's length */
  gboolean above_min; /* the number min itself is too small */
  const gchar *const *choices;
  gdouble initial; /* of a number or a choice */
} Key;

static const Key keys[] = {
  { "type", KEY_CHOICE, OF_ALL, TRUE, G_STRUCT_OFFSET (Rule, kind), .choices = kinds },
  { "labels", KEY_WORDS, OF_OBJECTS, FALSE, G_STRUCT_OFFSET (Rule, labels), .min = 1, .max = 1000 },
  { "min_score", KEY_NUMBER, OF_OBJECTS, FALSE, G_STRUCT_OFFSET (Rule, min_score), .min = 0, .max = 1 },
  { "min_area", KEY_NUMBER, OF_OBJECTS, FALSE, G_STRUCT_OFFSET (Rule, min_area), .min = 0, .max = 1 },
  { "min_time", KEY_NUMBER, OF_ALL, FALSE, G_STRUCT_OFFSET (Rule, min_time), .min = 0, .max = MAX_SECONDS },
  { "cooldown", KEY_NUMBER, OF_ALL, FALSE, G_STRUCT_OFFSET (Rule, cooldown), .min = 0, .max = MAX_SECONDS },
  { "polygon", KEY_POINTS, OF (RULE_ZONE), TRUE, G_STRUCT_OFFSET (Rule, points), .min = 3, .max = MAX_POINTS },
  { "points", KEY_POINTS, OF (RULE_LINE), TRUE, G_STRUCT_OFFSET (Rule, points), .min = 2, .max = 2 },
  { "dwell", KEY_NUMBER, OF (RULE_ZONE), FALSE, G_STRUCT_OFFSET (Rule, dwell), .min = 0, .max = MAX_SECONDS,
      .above_min = TRUE },
  { "above", KEY_WHOLE, OF_LEVELS, FALSE, G_STRUCT_OFFSET (Rule, above), .min = 0, .max = 1000000, .initial = -1 },
  { "below", KEY_WHOLE, OF_LEVELS, FALSE, G_STRUCT_OFFSET (Rule, below), .min = 1, .max = 1000000, .initial = -1 },
  { "mode", KEY_CHOICE, OF (RULE_LINE), FALSE, G_STRUCT_OFFSET (Rule, mode), .choices = modes,
      .initial = RULE_BALANCED },
  { "direction", KEY_CHOICE, OF (RULE_LINE), FALSE, G_STRUCT_OFFSET (Rule, direction), .choices = directions },
  { "text", KEY_WORD, OF (RULE_PHRASE), TRUE, G_STRUCT_OFFSET (Rule, text), .min = 1, .max = MAX_TEXT },
  { "threshold", KEY_NUMBER, OF (RULE_PHRASE), FALSE, G_STRUCT_OFFSET (Rule, threshold), .min = 0, .max = 1,
      .initial = 0.5 },
  { "comment", KEY_COMMENT, .kinds = OF_ALL },
};

typedef struct {
  const gchar *origin;
  const gchar *rule; /* nullable: whose keys are read */
  GError **error;
} Reader;

/* "yard.json:7: rules.gate.mode: …" */
G_GNUC_PRINTF (4, 5)
static gboolean
fail (const Reader *reader, guint line, const gchar *key, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree gchar *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  gboolean has_key = key != NULL;
  g_set_error (reader->error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s:%u: %s%s%s%s%s%s", reader->origin, line,
      reader->rule != NULL ? "rules." : "", reader->rule != NULL ? reader->rule : "",
      reader->rule != NULL && has_key ? "." : "", has_key ? key : "", reader->rule != NULL || has_key ? ": " : "",
      message);
  return FALSE;
}

static gboolean
fail_value (const Reader *reader, const RulesJson *value, const gchar *key, const gchar *expected)
{
  g_autofree gchar *found = rules_json_describe (value);

  return fail (reader, value->line, key, "found %s, expected %s", found, expected);
}

static gboolean
is_word (const RulesJson *value, gdouble max)
{
  return value->type == RULES_JSON_STRING && value->string[0] != '\0'
      && g_utf8_strlen (value->string, -1) <= (glong) max;
}

static gboolean
read_number (const Reader *reader, const Key *key, const RulesJson *value, gdouble *to)
{
  gboolean whole = key->type == KEY_WHOLE;

  if (value->type != RULES_JSON_NUMBER || value->number < key->min || value->number > key->max
      || (key->above_min && value->number == key->min) || (whole && value->number != floor (value->number))) {
    g_autofree gchar *expected = g_strdup_printf ("a %s of %s%.10g to %.10g", whole ? "whole number" : "number",
        key->above_min ? "more than " : "", key->min, key->max);
    return fail_value (reader, value, key->name, expected);
  }
  *to = value->number;
  return TRUE;
}

static gboolean
read_word (const Reader *reader, const Key *key, const RulesJson *value, gchar **to)
{
  if (!is_word (value, key->max)) {
    g_autofree gchar *expected = g_strdup_printf ("a text of 1 to %g characters in double quotes", key->max);
    return fail_value (reader, value, key->name, expected);
  }
  *to = g_strdup (value->string);
  return TRUE;
}

static gboolean
read_words (const Reader *reader, const Key *key, const RulesJson *value, gchar ***to)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_autofree gchar *expected =
      g_strdup_printf ("a list of %g to %g texts, such as [\"person\", \"red car\"]", key->min, key->max);

  if (value->type != RULES_JSON_ARRAY || value->items->len < key->min || value->items->len > key->max)
    return fail_value (reader, value, key->name, expected);
  for (guint i = 0; i < value->items->len; i++) {
    const RulesJson *item = value->items->pdata[i];
    if (!is_word (item, MAX_TEXT))
      return fail_value (reader, item, key->name, expected);
    if (g_ptr_array_find_with_equal_func (words, item->string, g_str_equal, NULL))
      return fail_value (reader, item, key->name, "each text once");
    g_ptr_array_add (words, g_strdup (item->string));
  }
  g_ptr_array_add (words, NULL);
  *to = (gchar **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
  return TRUE;
}

static gboolean
is_coordinate (const RulesJson *value)
{
  return value->type == RULES_JSON_NUMBER && value->number >= 0 && value->number <= 1;
}

static gboolean
read_points (const Reader *reader, const Key *key, const RulesJson *value, GArray **to)
{
  g_autoptr (GArray) points = g_array_new (FALSE, FALSE, sizeof (RulePoint));
  g_autofree gchar *expected = key->min == key->max
      ? g_strdup_printf ("a list of %g points [x, y]", key->min)
      : g_strdup_printf ("a list of %g to %g points [x, y]", key->min, key->max);

  if (value->type != RULES_JSON_ARRAY || value->items->len < key->min || value->items->len > key->max)
    return fail_value (reader, value, key->name, expected);
  for (guint i = 0; i < value->items->len; i++) {
    const RulesJson *item = value->items->pdata[i];
    gboolean is_pair = item->type == RULES_JSON_ARRAY && item->items->len == 2;
    if (!is_pair || !is_coordinate (item->items->pdata[0]) || !is_coordinate (item->items->pdata[1]))
      return fail_value (reader,
          is_pair && is_coordinate (item->items->pdata[0]) ? item->items->pdata[1]
              : is_pair                                    ? item->items->pdata[0]
                                                           : item,
          key->name,
          "a point [x, y] in 0..1 of the frame, from its upper left corner: divide pixels by its width and height");
    RulePoint point = { ((RulesJson *) item->items->pdata[0])->number, ((RulesJson *) item->items->pdata[1])->number };
    for (guint j = 0; j < points->len; j++) {
      RulePoint *other = &g_array_index (points, RulePoint, j);
      if (other->x == point.x && other->y == point.y)
        return fail (reader, item->line, key->name, "found point %u again as point %u, expected each once%s", j + 1,
            i + 1, key->min == 3 ? ": a polygon closes by itself" : "");
    }
    g_array_append_val (points, point);
  }
  *to = g_steal_pointer (&points);
  return TRUE;
}

static gboolean
read_choice (const Reader *reader, const Key *key, const RulesJson *value, gint *to)
{
  for (gint i = 0; value->type == RULES_JSON_STRING && key->choices[i] != NULL; i++)
    if (g_str_equal (value->string, key->choices[i])) {
      *to = i;
      return TRUE;
    }
  g_autofree gchar *list = g_strjoinv ("\", \"", (gchar **) key->choices);
  g_autofree gchar *expected = g_strdup_printf ("one of \"%s\"", list);
  return fail_value (reader, value, key->name, expected);
}

static gboolean
read_key (const Reader *reader, const Key *key, const RulesJson *value, Rule *rule)
{
  gpointer to = (guint8 *) rule + key->offset;

  switch (key->type) {
  case KEY_NUMBER:
  case KEY_WHOLE:
    return read_number (reader, key, value, to);
  case KEY_WORD:
    return read_word (reader, key, value, to);
  case KEY_WORDS:
    return read_words (reader, key, value, to);
  case KEY_POINTS:
    return read_points (reader, key, value, to);
  case KEY_CHOICE:
    return read_choice (reader, key, value, to);
  default:
    return value->type == RULES_JSON_STRING || fail_value (reader, value, key->name, "a text");
  }
}

static const Key *
find_key (const gchar *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].name, name))
      return &keys[i];
  return NULL;
}

static gboolean
fail_unknown (const Reader *reader, const RulesJson *member, RuleKind kind)
{
  const Key *key = find_key (member->name);
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].kinds & OF (kind))
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", keys[i].name);
  return fail (reader, member->name_line, member->name, "found a key that %s, expected one of %s",
      key != NULL ? "other types of rules have" : "no rule has", names->str);
}

static void
rule_free (gpointer data)
{
  Rule *rule = data;

  g_free (rule->name);
  g_strfreev (rule->labels);
  g_clear_pointer (&rule->points, g_array_unref);
  g_free (rule->text);
  g_free (rule);
}

static Rule *
rule_new (const gchar *name)
{
  Rule *rule = g_new0 (Rule, 1);

  rule->name = g_strdup (name);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    gpointer to = (guint8 *) rule + keys[i].offset;
    if (keys[i].type == KEY_NUMBER || keys[i].type == KEY_WHOLE)
      *(gdouble *) to = keys[i].initial;
    else if (keys[i].type == KEY_CHOICE)
      *(gint *) to = (gint) keys[i].initial;
  }
  return rule;
}

static gboolean
read_rule (const Reader *reader, const RulesJson *value, Rule *rule)
{
  const RulesJson *type = rules_json_member (value, "type");

  if (value->type != RULES_JSON_OBJECT)
    return fail_value (reader, value, NULL, "an object with the key \"type\" and others");
  if (type == NULL)
    return fail (
        reader, value->line, NULL, "found no key \"type\", expected \"zone\", \"line\", \"count\" or \"phrase\" there");
  if (!read_key (reader, &keys[0], type, rule))
    return FALSE;
  for (guint i = 0; i < value->items->len; i++) {
    const RulesJson *member = value->items->pdata[i];
    const Key *key = find_key (member->name);
    if (key == NULL || !(key->kinds & OF (rule->kind)))
      return fail_unknown (reader, member, rule->kind);
    if (member != type && !read_key (reader, key, member, rule))
      return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].required && keys[i].kinds & OF (rule->kind) && rules_json_member (value, keys[i].name) == NULL)
      return fail (reader, value->line, NULL, "found no key \"%s\", expected one: no %s is without", keys[i].name,
          kinds[rule->kind]);
  return TRUE;
}

static gboolean
read_rules (Reader *reader, const RulesJson *value, GPtrArray *rules)
{
  if (value->type != RULES_JSON_OBJECT || value->items->len == 0 || value->items->len > MAX_RULES) {
    g_autofree gchar *expected =
        g_strdup_printf ("an object of 1 to %d rules, {\"name\": {\"type\": …}, …}", MAX_RULES);
    return fail_value (reader, value, "rules", expected);
  }
  for (guint i = 0; i < value->items->len; i++) {
    const RulesJson *item = value->items->pdata[i];
    if (item->name[0] == '\0' || g_utf8_strlen (item->name, -1) > MAX_NAME)
      return fail (reader, item->name_line, "rules", "found a name of %ld characters, expected 1 to %d",
          g_utf8_strlen (item->name, -1), MAX_NAME);
    Rule *rule = rule_new (item->name);
    g_ptr_array_add (rules, rule);
    reader->rule = item->name;
    if (!read_rule (reader, item, rule))
      return FALSE;
    reader->rule = NULL;
  }
  return TRUE;
}

/* Keys of the whole file. */
static gboolean
read_file (Reader *reader, const RulesJson *value, Rules *rules)
{
  const Key lost_time = { "lost_time", KEY_NUMBER, .max = MAX_SECONDS };
  const RulesJson *list = rules_json_member (value, "rules");

  if (value->type != RULES_JSON_OBJECT)
    return fail_value (reader, value, NULL, "an object, {\"rules\": {…}}");
  for (guint i = 0; i < value->items->len; i++) {
    const RulesJson *member = value->items->pdata[i];
    gboolean good = TRUE;
    if (g_str_equal (member->name, "version"))
      good = (member->type == RULES_JSON_NUMBER && member->number == 1)
          || fail_value (
              reader, member, "version", "1: this upi reads no other; leave the key out or take a newer upi");
    else if (g_str_equal (member->name, "lost_time"))
      good = read_number (reader, &lost_time, member, &rules->lost_time);
    else if (g_str_equal (member->name, "comment") || g_str_equal (member->name, "$schema"))
      good = member->type == RULES_JSON_STRING || fail_value (reader, member, member->name, "a text");
    else if (member != list)
      good = fail (reader, member->name_line, member->name,
          "found a key that no rules file has, expected one of rules, lost_time, version, comment, $schema");
    if (!good)
      return FALSE;
  }
  if (list == NULL)
    return fail (
        reader, value->line, NULL, "found no key \"rules\", expected {\"rules\": {\"name\": {\"type\": …}, …}}");
  return read_rules (reader, list, rules->rules);
}

Rules *
rules_parse (const gchar *text, gsize length, const gchar *origin, GError **error)
{
  Reader reader = { .origin = origin, .error = error };
  g_autofree gchar *mistake = NULL;
  guint line = 1;

  if (length > MAX_BYTES) {
    fail (&reader, 1, NULL, "found %" G_GSIZE_FORMAT " bytes, expected at most %d", length, MAX_BYTES);
    return NULL;
  }
  g_autoptr (RulesJson) value = rules_json_parse (text, length, &line, &mistake);
  if (value == NULL) {
    fail (&reader, line, NULL, "%s", mistake);
    return NULL;
  }
  g_autoptr (Rules) rules = g_new0 (Rules, 1);
  rules->ref_count = 1;
  rules->lost_time = 2;
  rules->rules = g_ptr_array_new_with_free_func (rule_free);
  return read_file (&reader, value, rules) ? g_steal_pointer (&rules) : NULL;
}

Rules *
rules_load (const gchar *path, GBytes **contents, GError **error)
{
  g_autofree gchar *text = NULL;
  gsize length;
  g_autoptr (GError) reason = NULL;

  if (contents != NULL)
    *contents = NULL;
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR)
      && g_file_test (path, G_FILE_TEST_EXISTS)) { /* a FIFO would never end */
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s: found no regular file, expected a file of rules", path);
    return NULL;
  }
  if (!g_file_get_contents (path, &text, &length, &reason)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "%s: cannot be read (%s), expected a file of rules", path,
        reason->message);
    return NULL;
  }
  if (contents != NULL)
    *contents = g_bytes_new (text, length);
  return rules_parse (text, length, path, error);
}

Rules *
rules_ref (Rules *rules)
{
  g_atomic_int_inc (&rules->ref_count);
  return rules;
}

void
rules_unref (Rules *rules)
{
  if (!g_atomic_int_dec_and_test (&rules->ref_count))
    return;
  g_ptr_array_unref (rules->rules);
  g_free (rules);
}

static gboolean
key_equal (const Key *key, const Rule *a, const Rule *b)
{
  gconstpointer of_a = (const guint8 *) a + key->offset, of_b = (const guint8 *) b + key->offset;

  switch (key->type) {
  case KEY_NUMBER:
  case KEY_WHOLE:
    return *(const gdouble *) of_a == *(const gdouble *) of_b;
  case KEY_CHOICE:
    return *(const gint *) of_a == *(const gint *) of_b;
  case KEY_WORD:
    return g_strcmp0 (*(gchar *const *) of_a, *(gchar *const *) of_b) == 0;
  case KEY_WORDS: {
    gchar *const *words_a = *(gchar * *const *) of_a, *const *words_b = *(gchar * *const *) of_b;
    return words_a == NULL || words_b == NULL
        ? words_a == words_b
        : g_strv_equal ((const gchar *const *) words_a, (const gchar *const *) words_b);
  }
  case KEY_POINTS: {
    const GArray *points_a = *(GArray *const *) of_a, *points_b = *(GArray *const *) of_b;
    return points_a == NULL || points_b == NULL ? points_a == points_b
                                                : points_a->len == points_b->len
            && memcmp (points_a->data, points_b->data, points_a->len * sizeof (RulePoint)) == 0;
  }
  default:
    return TRUE;
  }
}

gboolean
rule_equal (const Rule *a, const Rule *b)
{
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (!key_equal (&keys[i], a, b))
      return FALSE;
  return g_str_equal (a->name, b->name);
}

gboolean
rules_need_tracks (const Rules *rules)
{
  for (guint i = 0; i < rules->rules->len; i++) {
    const Rule *rule = rules->rules->pdata[i];
    if (rule->kind == RULE_ZONE || rule->kind == RULE_LINE)
      return TRUE;
  }
  return FALSE;
}
