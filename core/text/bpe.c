/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte-level BPE as GPT-2 and RoBERTa publish it: text is cut into words by GPT-2's pattern, a word's bytes are
 * printable symbols, and neighbours merge in the order the merges were learned. (github.com/openai/gpt-2,
 * encoder.py) */
#include "core/text/tokenizer-private.h"

#include "core/json-border.h"
#include "core/upi.h"

#include <string.h>

/* GPT-2's bytes_to_unicode: printable Latin-1 stands for itself, the rest for U+0100 onwards. */
static gunichar
symbol_of_byte (guint byte)
{
  guint rank = 0;

  if ((byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae)
    return byte;
  for (guint b = 0; b < byte; b++)
    rank += !((b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae);
  return 0x100 + rank;
}

static gint
byte_of_symbol (gunichar c)
{
  if ((c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff))
    return c;
  if (c >= 0x100 && c <= 0x120)
    return c - 0x100;
  if (c >= 0x121 && c <= 0x142)
    return c - 0x121 + 0x7f;
  return c == 0x143 ? 0xad : -1;
}

static gboolean
read_vocabulary (UpiTokenizer *tokenizer, const gchar *directory, GError **error)
{
  gsize length;
  g_autofree gchar *text = upi_tokenizer_read (directory, "vocab.json", &length, error);
  g_autofree gchar *file = g_build_filename (directory, "vocab.json", NULL);
  g_autoptr (JsonParser) parser = NULL;
  JsonObjectIter iter;
  const gchar *token;
  JsonNode *node;

  if (text == NULL)
    return FALSE;
  parser = upi_json_parse (text, length, 4, file, "an object of token: id", error);
  if (parser == NULL)
    return FALSE;
  json_object_iter_init (&iter, json_node_get_object (json_parser_get_root (parser)));
  while (json_object_iter_next (&iter, &token, &node)) {
    if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s/vocab.json: the id of token \"%s\" is not a whole number",
          directory, token);
      return FALSE;
    }
    if (!upi_tokenizer_add (tokenizer, token, strlen (token), json_node_get_int (node), "vocab.json", error))
      return FALSE;
  }
  for (guint byte = 0; byte < 256; byte++) {
    gchar symbol[7] = { 0 };

    g_unichar_to_utf8 (symbol_of_byte (byte), symbol);
    tokenizer->byte_ids[byte] = upi_tokenizer_lookup (tokenizer, symbol);
    if (tokenizer->byte_ids[byte] < 0) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s/vocab.json lacks the symbol \"%s\" of byte 0x%02x; is it a byte-level vocabulary?", directory, symbol,
          byte);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_merges (UpiTokenizer *tokenizer, const gchar *directory, GError **error)
{
  gsize length;
  g_autofree gchar *text = upi_tokenizer_read (directory, "merges.txt", &length, error);
  guint32 rank = 0;
  guint number = 0;
  gchar *next;

  if (text == NULL)
    return FALSE;
  tokenizer->merges = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  for (gchar *line = text; line != NULL; line = next) {
    g_autofree gchar *joined = NULL;
    gint32 left, right, both;
    gint64 *pair;
    UpiMerge *merge;
    gchar *space;

    number++;
    next = strchr (line, '\n');
    if (next != NULL)
      *next++ = '\0';
    g_strchomp (line);
    if (*line == '\0' || (number == 1 && g_str_has_prefix (line, "#version")))
      continue;
    space = strchr (line, ' ');
    if (space == NULL || strchr (space + 1, ' ') != NULL) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s/merges.txt, line %u: expected two symbols with a space between", directory, number);
      return FALSE;
    }
    *space = '\0';
    joined = g_strconcat (line, space + 1, NULL);
    left = upi_tokenizer_lookup (tokenizer, line);
    right = upi_tokenizer_lookup (tokenizer, space + 1);
    both = upi_tokenizer_lookup (tokenizer, joined);
    if (left < 0 || right < 0 || both < 0) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "%s/merges.txt, line %u: \"%s\" is not a token of vocab.json; are both of one tokenizer?", directory, number,
          left < 0        ? line
              : right < 0 ? space + 1
                          : joined);
      return FALSE;
    }
    pair = g_new (gint64, 1);
    *pair = (gint64) (((guint64) (guint32) left << 32) | (guint32) right);
    merge = g_new (UpiMerge, 1);
    *merge = (UpiMerge){ rank++, both };
    g_hash_table_replace (tokenizer->merges, pair, merge);
  }
  return TRUE;
}

gboolean
upi_bpe_open (UpiTokenizer *tokenizer, const gchar *directory, GError **error)
{
  return read_vocabulary (tokenizer, directory, error) && read_merges (tokenizer, directory, error);
}

typedef enum { SPACE, LETTER, NUMBER, OTHER } CharClass;

static CharClass
class_of (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_LOWERCASE_LETTER:
  case G_UNICODE_UPPERCASE_LETTER:
  case G_UNICODE_TITLECASE_LETTER:
  case G_UNICODE_MODIFIER_LETTER:
  case G_UNICODE_OTHER_LETTER:
    return LETTER;
  case G_UNICODE_DECIMAL_NUMBER:
  case G_UNICODE_LETTER_NUMBER:
  case G_UNICODE_OTHER_NUMBER:
    return NUMBER;
  case G_UNICODE_SPACE_SEPARATOR:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return SPACE;
  default:
    return (c >= 9 && c <= 13) || c == 0x85 ? SPACE : OTHER;
  }
}

static const gchar *
skip_class (const gchar *p, const gchar *end, CharClass class)
{
  while (p < end && class_of (g_utf8_get_char (p)) == class)
    p = g_utf8_next_char (p);
  return p;
}

/* End of the next word by GPT-2's pattern
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static const gchar *
next_word (const gchar *p, const gchar *end)
{
  static const gchar *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
  const gchar *start = p, *stop;
  CharClass class;

  if (*p == '\'')
    for (guint i = 0; i < G_N_ELEMENTS (endings); i++) {
      gsize bytes = strlen (endings[i]);

      if ((gsize) (end - p) >= bytes && memcmp (p, endings[i], bytes) == 0)
        return p + bytes;
    }
  if (*p == ' ' && p + 1 < end && class_of (g_utf8_get_char (p + 1)) != SPACE)
    start = p + 1;
  class = class_of (g_utf8_get_char (start));
  stop = skip_class (start, end, class);
  /* The last space of a run belongs to the word after it. */
  if (class == SPACE && stop < end && g_utf8_next_char (p) < stop)
    stop = g_utf8_prev_char (stop);
  return stop;
}

typedef struct {
  gint32 id; /* -1: merged into its left neighbour */
  gint previous, next;
} Symbol;

/* A possible merge of the symbol at left with its right neighbour. */
typedef struct {
  guint32 rank;
  gint left;
  gint32 left_id, right_id, id;
} Candidate;

static gboolean
before (const Candidate *a, const Candidate *b)
{
  return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void
heap_push (GArray *heap, Candidate candidate)
{
  Candidate *h;
  guint i = heap->len;

  g_array_append_val (heap, candidate);
  h = (Candidate *) heap->data;
  for (; i > 0 && before (&candidate, &h[(i - 1) / 2]); i = (i - 1) / 2)
    h[i] = h[(i - 1) / 2];
  h[i] = candidate;
}

static Candidate
heap_pop (GArray *heap)
{
  Candidate *h = (Candidate *) heap->data, top = h[0], last = h[heap->len - 1];
  guint i = 0, n = heap->len - 1;

  while (2 * i + 1 < n) {
    guint child = 2 * i + 1;

    if (child + 1 < n && before (&h[child + 1], &h[child]))
      child++;
    if (!before (&h[child], &last))
      break;
    h[i] = h[child];
    i = child;
  }
  h[i] = last;
  g_array_set_size (heap, n);
  return top;
}

static void
propose (const UpiTokenizer *tokenizer, const Symbol *symbols, gint left, GArray *heap)
{
  gint right = symbols[left].next;
  const UpiMerge *merge;
  gint64 pair;

  if (right < 0)
    return;
  pair = (gint64) (((guint64) (guint32) symbols[left].id << 32) | (guint32) symbols[right].id);
  merge = g_hash_table_lookup (tokenizer->merges, &pair);
  if (merge != NULL)
    heap_push (heap, (Candidate){ merge->rank, left, symbols[left].id, symbols[right].id, merge->id });
}

static void
encode_word (const UpiTokenizer *tokenizer, const gchar *word, gsize bytes, GArray *ids, GArray *symbols, GArray *heap)
{
  Symbol *s;

  g_array_set_size (symbols, bytes);
  g_array_set_size (heap, 0);
  s = (Symbol *) symbols->data;
  for (gsize i = 0; i < bytes; i++)
    s[i] = (Symbol){ tokenizer->byte_ids[(guint8) word[i]], (gint) i - 1, i + 1 < bytes ? (gint) i + 1 : -1 };
  for (gsize i = 0; i < bytes; i++)
    propose (tokenizer, s, i, heap);
  while (heap->len > 0) {
    Candidate best = heap_pop (heap);
    gint left = best.left, right = s[left].next;

    /* Either side may have merged with another neighbour since. */
    if (s[left].id != best.left_id || right < 0 || s[right].id != best.right_id)
      continue;
    s[left].id = best.id;
    s[left].next = s[right].next;
    if (s[right].next >= 0)
      s[s[right].next].previous = left;
    s[right].id = -1;
    propose (tokenizer, s, left, heap);
    if (s[left].previous >= 0)
      propose (tokenizer, s, s[left].previous, heap);
  }
  for (gint i = 0; i >= 0; i = s[i].next)
    g_array_append_val (ids, s[i].id);
}

void
upi_bpe_encode (const UpiTokenizer *tokenizer, const gchar *text, gsize bytes, GArray *ids)
{
  g_autoptr (GArray) symbols = g_array_new (FALSE, FALSE, sizeof (Symbol));
  g_autoptr (GArray) heap = g_array_new (FALSE, FALSE, sizeof (Candidate));
  const gchar *end = text + bytes;

  for (const gchar *p = text, *next; p < end; p = next) {
    next = next_word (p, end);
    encode_word (tokenizer, p, next - p, ids, symbols, heap);
  }
}

gchar *
upi_bpe_decode (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (guint i = 0; i < n_ids; i++) {
    const gchar *token = upi_tokenizer_token (tokenizer, ids[i]);

    if (token == NULL || upi_tokenizer_is_special (tokenizer, ids[i]))
      continue;
    for (const gchar *p = token; *p; p = g_utf8_next_char (p)) {
      gint byte = byte_of_symbol (g_utf8_get_char (p));
      guint8 value = byte;

      if (byte >= 0)
        g_byte_array_append (bytes, &value, 1);
    }
  }
  return upi_utf8_repair ((const gchar *) bytes->data, bytes->len, NULL);
}
