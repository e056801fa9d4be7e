/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokenizers: vocabulary files, special tokens, and the way from text to ids and back that both kinds share. */
#include "core/text/tokenizer-private.h"

#include "core/upi.h"

#include <string.h>

#define MAX_FILE_BYTES (64u << 20)
#define MAX_TOKENS (1 << 22)

gint32
upi_tokenizer_lookup (const UpiTokenizer *tokenizer, const gchar *token)
{
  gpointer id;

  return g_hash_table_lookup_extended (tokenizer->ids, token, NULL, &id) ? GPOINTER_TO_INT (id) : -1;
}

gboolean
upi_tokenizer_is_special (const UpiTokenizer *tokenizer, gint32 id)
{
  for (guint i = 0; i < tokenizer->specials->len; i++)
    if (g_array_index (tokenizer->specials, UpiSpecialToken, i).id == id)
      return TRUE;
  return FALSE;
}

gchar *
upi_tokenizer_read (const gchar *directory, const gchar *name, gsize *length, GError **error)
{
  g_autofree gchar *path = g_build_filename (directory, name, NULL);
  g_autoptr (GMappedFile) file = NULL;
  g_autoptr (GError) cause = NULL;
  gsize bytes;

  file = g_mapped_file_new (path, FALSE, &cause);
  if (file == NULL) {
    g_set_error (
        error, UPI_ERROR, UPI_ERROR_MODEL, "the tokenizer file %s could not be read: %s", path, cause->message);
    return NULL;
  }
  bytes = g_mapped_file_get_length (file);
  if (bytes == 0 || bytes > MAX_FILE_BYTES) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "the tokenizer file %s has %" G_GSIZE_FORMAT " bytes, expected 1 to %u", path, bytes, MAX_FILE_BYTES);
    return NULL;
  }
  /* With a length, a NUL byte is invalid too. */
  const gchar *bad;
  if (!g_utf8_validate_len (g_mapped_file_get_contents (file), bytes, &bad)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "the tokenizer file %s is not UTF-8 text: byte %" G_GSIZE_FORMAT " is invalid", path,
        (gsize) (bad - g_mapped_file_get_contents (file)));
    return NULL;
  }
  *length = bytes;
  return g_strndup (g_mapped_file_get_contents (file), bytes);
}

gboolean
upi_tokenizer_add (
    UpiTokenizer *tokenizer, const gchar *token, gsize bytes, gint64 id, const gchar *path, GError **error)
{
  gchar *copy;

  if (id < 0 || id >= MAX_TOKENS) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: token id %" G_GINT64_FORMAT " is out of range, expected 0 to %d", path, id, MAX_TOKENS - 1);
    return FALSE;
  }
  if (id >= tokenizer->tokens->len)
    g_ptr_array_set_size (tokenizer->tokens, id + 1);
  if (tokenizer->tokens->pdata[id] != NULL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: token id %" G_GINT64_FORMAT " is given twice", path, id);
    return FALSE;
  }
  copy = g_strndup (token, bytes);
  tokenizer->tokens->pdata[id] = copy;
  /* A token listed twice means its last line, as in the published readers. */
  g_hash_table_replace (tokenizer->ids, copy, GINT_TO_POINTER ((gint) id));
  tokenizer->longest_token = MAX (tokenizer->longest_token, bytes);
  return TRUE;
}

/* One token a line, its id is the line's number; trailing white space is not part of it. */
static gboolean
read_vocabulary (UpiTokenizer *tokenizer, const gchar *directory, GError **error)
{
  gsize length;
  g_autofree gchar *text = upi_tokenizer_read (directory, "vocab.txt", &length, error);
  gint64 id = 0;

  if (text == NULL)
    return FALSE;
  for (const gchar *line = text, *end; *line; line = *end ? end + 1 : end, id++) {
    gsize bytes;

    end = strchr (line, '\n');
    if (end == NULL)
      end = line + strlen (line);
    for (bytes = end - line; bytes > 0 && g_ascii_isspace (line[bytes - 1]); bytes--)
      ;
    if (!upi_tokenizer_add (tokenizer, line, bytes, id, "vocab.txt", error))
      return FALSE;
  }
  return TRUE;
}

static void
clear_special (gpointer data)
{
  g_free (((UpiSpecialToken *) data)->text);
}

static gboolean
find_specials (UpiTokenizer *tokenizer, const gchar *directory, GError **error)
{
  static const gchar *const wordpiece[] = { "[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]", NULL };
  static const gchar *const bpe[] = { "<s>", "</s>", "<unk>", "<pad>", "<mask>", NULL };
  const gchar *const *names = tokenizer->kind == UPI_TOKENIZER_WORDPIECE ? wordpiece : bpe;
  gint32 found[5];

  for (guint i = 0; names[i] != NULL; i++) {
    UpiSpecialToken special = { NULL, strlen (names[i]), upi_tokenizer_lookup (tokenizer, names[i]),
      strcmp (names[i], "<mask>") == 0 };

    found[i] = special.id;
    if (special.id >= 0) {
      special.text = g_strdup (names[i]);
      g_array_append_val (tokenizer->specials, special);
    } else if (i < 3) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
          "the vocabulary in %s lacks the token %s; it has %u tokens, is it of another tokenizer?", directory, names[i],
          tokenizer->tokens->len);
      return FALSE;
    }
  }
  tokenizer->start_id = found[0];
  tokenizer->end_id = found[1];
  tokenizer->unknown_id = found[2];
  return TRUE;
}

UpiTokenizer *
upi_tokenizer_open (const gchar *directory, UpiTokenizerKind kind, gboolean lower_case, GError **error)
{
  g_autoptr (UpiTokenizer) tokenizer = g_new0 (UpiTokenizer, 1);
  gboolean read;

  tokenizer->kind = kind;
  tokenizer->lower_case = lower_case;
  tokenizer->tokens = g_ptr_array_new_with_free_func (g_free);
  tokenizer->ids = g_hash_table_new (g_str_hash, g_str_equal);
  tokenizer->specials = g_array_new (FALSE, TRUE, sizeof (UpiSpecialToken));
  g_array_set_clear_func (tokenizer->specials, clear_special);
  read = kind == UPI_TOKENIZER_WORDPIECE ? read_vocabulary (tokenizer, directory, error)
                                         : upi_bpe_open (tokenizer, directory, error);
  if (!read || !find_specials (tokenizer, directory, error))
    return NULL;
  return g_steal_pointer (&tokenizer);
}

void
upi_tokenizer_free (UpiTokenizer *tokenizer)
{
  g_clear_pointer (&tokenizer->ids, g_hash_table_unref);
  g_clear_pointer (&tokenizer->merges, g_hash_table_unref);
  g_clear_pointer (&tokenizer->tokens, g_ptr_array_unref);
  g_clear_pointer (&tokenizer->specials, g_array_unref);
  g_free (tokenizer);
}

/* Length of the well-formed sequence at p, or 0 and in broken the bytes one U+FFFD stands for. */
static guint
well_formed (const guint8 *p, gsize left, guint *broken)
{
  guint need;
  guint8 low = 0x80, high = 0xbf; /* bounds of the second byte: no overlong forms, no surrogates, not beyond U+10FFFF */

  *broken = 1;
  if (p[0] == 0)
    return 0;
  if (p[0] < 0x80)
    return 1;
  if (p[0] >= 0xc2 && p[0] <= 0xdf)
    need = 2;
  else if ((p[0] & 0xf0) == 0xe0)
    need = 3;
  else if (p[0] >= 0xf0 && p[0] <= 0xf4)
    need = 4;
  else
    return 0;
  if (p[0] == 0xe0)
    low = 0xa0;
  else if (p[0] == 0xed)
    high = 0x9f;
  else if (p[0] == 0xf0)
    low = 0x90;
  else if (p[0] == 0xf4)
    high = 0x8f;
  for (guint i = 1; i < need; i++, low = 0x80, high = 0xbf) {
    if (i >= left || p[i] < low || p[i] > high)
      return 0;
    *broken = i + 1;
  }
  return need;
}

gchar *
upi_utf8_repair (const gchar *text, gsize bytes, gsize *repaired_bytes)
{
  GString *out = g_string_sized_new (bytes + 1);

  for (gsize i = 0; i < bytes;) {
    guint broken, good = well_formed ((const guint8 *) text + i, bytes - i, &broken);

    if (good)
      g_string_append_len (out, text + i, good);
    else
      g_string_append (out, "\357\277\275");
    i += good ? good : broken;
  }
  if (repaired_bytes != NULL)
    *repaired_bytes = out->len;
  return g_string_free (out, FALSE);
}

static void
encode_segment (const UpiTokenizer *tokenizer, const gchar *text, gsize bytes, GArray *ids)
{
  if (bytes == 0)
    return;
  if (tokenizer->kind == UPI_TOKENIZER_WORDPIECE)
    upi_wordpiece_encode (tokenizer, text, bytes, ids);
  else
    upi_bpe_encode (tokenizer, text, bytes, ids);
}

static const UpiSpecialToken *
special_at (const UpiTokenizer *tokenizer, const gchar *p, gsize left)
{
  if (*p != (tokenizer->kind == UPI_TOKENIZER_WORDPIECE ? '[' : '<'))
    return NULL;
  for (guint i = 0; i < tokenizer->specials->len; i++) {
    const UpiSpecialToken *special = &g_array_index (tokenizer->specials, UpiSpecialToken, i);

    if (special->bytes <= left && memcmp (p, special->text, special->bytes) == 0)
      return special;
  }
  return NULL;
}

GArray *
upi_tokenizer_encode (const UpiTokenizer *tokenizer, const gchar *text, guint max_tokens)
{
  gsize bytes;
  g_autofree gchar *valid = upi_utf8_repair (text, strlen (text), &bytes);
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  const gchar *segment = valid, *end = valid + bytes;

  g_array_append_val (ids, tokenizer->start_id);
  for (const gchar *p = valid; p < end;) {
    const UpiSpecialToken *special = special_at (tokenizer, p, end - p);
    const gchar *stop = p;

    if (special == NULL) {
      p++;
      continue;
    }
    while (special->takes_left_space && stop > segment && g_unichar_isspace (g_utf8_get_char (g_utf8_prev_char (stop))))
      stop = g_utf8_prev_char (stop);
    encode_segment (tokenizer, segment, stop - segment, ids);
    g_array_append_val (ids, special->id);
    p += special->bytes;
    segment = p;
  }
  encode_segment (tokenizer, segment, end - segment, ids);
  if (max_tokens > 0 && ids->len + 1 > max_tokens)
    g_array_set_size (ids, max_tokens - 1);
  g_array_append_val (ids, tokenizer->end_id);
  return ids;
}

gchar *
upi_tokenizer_decode (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids)
{
  if (tokenizer->kind == UPI_TOKENIZER_WORDPIECE)
    return upi_wordpiece_decode (tokenizer, ids, n_ids);
  return upi_bpe_decode (tokenizer, ids, n_ids);
}

guint
upi_tokenizer_size (const UpiTokenizer *tokenizer)
{
  return tokenizer->tokens->len;
}

gint32
upi_tokenizer_start_id (const UpiTokenizer *tokenizer)
{
  return tokenizer->start_id;
}

gint32
upi_tokenizer_end_id (const UpiTokenizer *tokenizer)
{
  return tokenizer->end_id;
}

const gchar *
upi_tokenizer_token (const UpiTokenizer *tokenizer, gint32 id)
{
  return id >= 0 && (guint) id < tokenizer->tokens->len ? tokenizer->tokens->pdata[id] : NULL;
}

/* The space of byte-level BPE is written as U+0120. */
gboolean
upi_tokenizer_continues (const UpiTokenizer *tokenizer, gint32 id)
{
  const gchar *token = upi_tokenizer_token (tokenizer, id);

  if (token == NULL || upi_tokenizer_is_special (tokenizer, id))
    return FALSE;
  return tokenizer->kind == UPI_TOKENIZER_WORDPIECE ? g_str_has_prefix (token, "##")
                                                    : !g_str_has_prefix (token, "\304\240");
}

gchar *
upi_tokenizer_sentence (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids)
{
  if (tokenizer->kind == UPI_TOKENIZER_WORDPIECE)
    return upi_wordpiece_sentence (tokenizer, ids, n_ids);
  return upi_bpe_decode (tokenizer, ids, n_ids);
}
