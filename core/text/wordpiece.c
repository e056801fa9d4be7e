/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* WordPiece as BERT publishes it: clean, split at white space, punctuation and ideographs, then longest pieces first.
 * (github.com/google-research/bert, tokenization.py; Hugging Face's `tokenizers` is the reference for corner cases.) */
#include "core/text/tokenizer-private.h"

#include <string.h>

/* A longer word is one unknown token. */
#define MAX_WORD_CHARS 100

/* Controls, format characters and the like vanish; tab and line ends count as spaces. */
static gboolean
is_dropped (gunichar c)
{
  if (c == '\t' || c == '\n' || c == '\r')
    return FALSE;
  if (c == 0xfffd)
    return TRUE;
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_SURROGATE:
    return TRUE;
  default:
    return FALSE;
  }
}

static gboolean
is_space (gunichar c)
{
  switch (g_unichar_type (c)) {
  case G_UNICODE_SPACE_SEPARATOR:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return TRUE;
  default:
    return c == '\t' || c == '\n' || c == '\r';
  }
}

static gboolean
is_punctuation (gunichar c)
{
  if (c < 128)
    return g_ascii_ispunct (c);
  switch (g_unichar_type (c)) {
  case G_UNICODE_CONNECT_PUNCTUATION:
  case G_UNICODE_DASH_PUNCTUATION:
  case G_UNICODE_OPEN_PUNCTUATION:
  case G_UNICODE_CLOSE_PUNCTUATION:
  case G_UNICODE_INITIAL_PUNCTUATION:
  case G_UNICODE_FINAL_PUNCTUATION:
  case G_UNICODE_OTHER_PUNCTUATION:
    return TRUE;
  default:
    return FALSE;
  }
}

/* CJK ideographs stand alone; kana, hangul and other scripts are words like any. */
static gboolean
is_ideograph (gunichar c)
{
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df)
      || (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf)
      || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void
encode_word (const UpiTokenizer *tokenizer, const gchar *word, gsize bytes, GArray *ids, GString *piece)
{
  guint first = ids->len;

  if (g_utf8_strlen (word, bytes) > MAX_WORD_CHARS) {
    g_array_append_val (ids, tokenizer->unknown_id);
    return;
  }
  for (gsize start = 0; start < bytes;) {
    gsize length = MIN (bytes - start, tokenizer->longest_token);
    gint32 id = -1;

    for (; length > 0; length--) {
      if (start + length < bytes && ((guint8) word[start + length] & 0xc0) == 0x80)
        continue; /* inside a character */
      g_string_assign (piece, start > 0 ? "##" : "");
      g_string_append_len (piece, word + start, length);
      id = upi_tokenizer_lookup (tokenizer, piece->str);
      if (id >= 0)
        break;
    }
    if (id < 0) { /* a word with a piece that nothing matches is unknown as a whole */
      g_array_set_size (ids, first);
      g_array_append_val (ids, tokenizer->unknown_id);
      return;
    }
    g_array_append_val (ids, id);
    start += length;
  }
}

static gchar *
clean (const gchar *text, gsize bytes, gboolean decompose)
{
  GString *out = g_string_sized_new (bytes + 16);
  gchar *cleaned;

  for (const gchar *p = text; p < text + bytes; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (is_dropped (c))
      continue;
    if (is_space (c))
      c = ' ';
    if (is_ideograph (c)) {
      g_string_append_c (out, ' ');
      g_string_append_unichar (out, c);
      g_string_append_c (out, ' ');
    } else {
      g_string_append_unichar (out, c);
    }
  }
  cleaned = g_string_free (out, FALSE);
  if (decompose) {
    gchar *decomposed = g_utf8_normalize (cleaned, -1, G_NORMALIZE_NFD);

    g_free (cleaned);
    cleaned = decomposed;
  }
  return cleaned;
}

void
upi_wordpiece_encode (const UpiTokenizer *tokenizer, const gchar *text, gsize bytes, GArray *ids)
{
  g_autofree gchar *cleaned = clean (text, bytes, tokenizer->lower_case);
  g_autoptr (GString) word = g_string_new (NULL);
  g_autoptr (GString) piece = g_string_new (NULL);

  for (const gchar *p = cleaned;; p = g_utf8_next_char (p)) {
    gunichar c = *p ? g_utf8_get_char (p) : 0;
    gboolean alone;

    if (c && tokenizer->lower_case) {
      if (g_unichar_type (c) == G_UNICODE_NON_SPACING_MARK)
        continue;
      c = g_unichar_tolower (c); /* character by character: no final sigma, no locale */
    }
    alone = c && is_punctuation (c);
    if (!c || alone || is_space (c)) {
      if (word->len > 0)
        encode_word (tokenizer, word->str, word->len, ids, piece);
      g_string_truncate (word, 0);
      if (!c)
        break;
      if (!alone)
        continue;
    }
    g_string_append_unichar (word, c);
    if (alone) {
      encode_word (tokenizer, word->str, word->len, ids, piece);
      g_string_truncate (word, 0);
    }
  }
}

gchar *
upi_wordpiece_decode (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids)
{
  /* In this order, over the whole text, as the published clean-up does. */
  static const gchar *const cleanup[][2] = { { " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," }, { " ' ", "'" },
    { " n't", "n't" }, { " 'm", "'m" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" } };
  GString *out = g_string_new (NULL);
  gboolean first = TRUE;

  for (guint i = 0; i < n_ids; i++) {
    const gchar *token = upi_tokenizer_token (tokenizer, ids[i]);

    if (token == NULL || upi_tokenizer_is_special (tokenizer, ids[i]))
      continue;
    if (!first && g_str_has_prefix (token, "##"))
      token += 2;
    else if (!first)
      g_string_append_c (out, ' ');
    g_string_append (out, token);
    first = FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (cleanup); i++)
    g_string_replace (out, cleanup[i][0], cleanup[i][1], 0);
  return g_string_free (out, FALSE);
}

/* Piece by piece, so that no later one changes what stands: nothing parts punctuation from the word before, or what is
 * behind an apostrophe, a hyphen or an opening bracket from it. */
gchar *
upi_wordpiece_sentence (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < n_ids; i++) {
    const gchar *token = upi_tokenizer_token (tokenizer, ids[i]);

    if (token == NULL || upi_tokenizer_is_special (tokenizer, ids[i]))
      continue;
    gboolean goes_on = g_str_has_prefix (token, "##");
    gboolean closes = token[0] != '\0' && token[1] == '\0' && strchr (".,!?;:'-)", token[0]) != NULL;

    if (out->len > 0 && !goes_on && !closes && strchr ("'-(", out->str[out->len - 1]) == NULL)
      g_string_append_c (out, ' ');
    g_string_append (out, token + (goes_on ? 2 : 0));
  }
  return g_string_free (out, FALSE);
}
