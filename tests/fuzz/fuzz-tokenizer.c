/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes both tokenizers: any bytes as text against small vocabularies, and any bytes as vocab.txt. The first byte
 * chooses. */
#include "core/text/tokenizer.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static UpiTokenizer *
open_data (const gchar *name, UpiTokenizerKind kind)
{
  const gchar *root = g_getenv ("UPI_FUZZ_DATA"); /* tests/core/data */
  g_autofree gchar *directory = g_build_filename (root ? root : UPI_FUZZ_DATA, name, NULL);
  g_autoptr (GError) error = NULL;
  UpiTokenizer *tokenizer = upi_tokenizer_open (directory, kind, TRUE, &error);

  if (tokenizer == NULL)
    g_error ("%s", error->message);
  return tokenizer;
}

static void
round_trip (const UpiTokenizer *tokenizer, const gchar *text, guint max_tokens)
{
  g_autoptr (GArray) ids = upi_tokenizer_encode (tokenizer, text, max_tokens);
  g_autofree gchar *decoded = upi_tokenizer_decode (tokenizer, (const gint32 *) ids->data, ids->len);

  if (ids->len < 2 || (max_tokens && ids->len > max_tokens) || !g_utf8_validate (decoded, -1, NULL))
    abort ();
  for (guint i = 0; i < ids->len; i++)
    if (upi_tokenizer_token (tokenizer, g_array_index (ids, gint32, i)) == NULL)
      abort ();
}

static void
open_vocabulary (const guint8 *data, gsize size, UpiTokenizerKind kind)
{
  static gchar *directory;
  g_autofree gchar *path = NULL;
  g_autofree gchar *merges = NULL;
  g_autoptr (UpiTokenizer) tokenizer = NULL;

  if (directory == NULL)
    directory = g_dir_make_tmp ("upi-fuzz-XXXXXX", NULL);
  path = g_build_filename (directory, kind == UPI_TOKENIZER_WORDPIECE ? "vocab.txt" : "vocab.json", NULL);
  merges = g_build_filename (directory, "merges.txt", NULL);
  if (!g_file_set_contents (path, (const gchar *) data, size, NULL)
      || !g_file_set_contents (merges, (const gchar *) data, size, NULL))
    abort ();
  tokenizer = upi_tokenizer_open (directory, kind, TRUE, NULL);
  if (tokenizer != NULL)
    round_trip (tokenizer, "a red car, 12 men's bicycles", 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static UpiTokenizer *wordpiece, *bpe;
  g_autofree gchar *text = NULL;

  if (wordpiece == NULL) {
    wordpiece = open_data ("wordpiece", UPI_TOKENIZER_WORDPIECE);
    bpe = open_data ("bpe", UPI_TOKENIZER_BPE);
  }
  if (size == 0)
    return 0;
  text = g_strndup ((const gchar *) data + 1, size - 1);
  switch (data[0] % 4) {
  case 0:
    round_trip (wordpiece, text, data[0] / 4 == 1 ? 2 : data[0] / 4);
    break;
  case 1:
    round_trip (bpe, text, data[0] / 4 == 1 ? 2 : data[0] / 4);
    break;
  default:
    open_vocabulary (data + 1, size - 1, data[0] % 4 == 2 ? UPI_TOKENIZER_WORDPIECE : UPI_TOKENIZER_BPE);
  }
  return 0;
}
