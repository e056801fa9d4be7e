/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokenizers: WordPiece (BERT) and byte-level BPE (GPT-2, RoBERTa), exact against the published ones. Immutable,
 * thread-safe. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _UpiTokenizer UpiTokenizer;

typedef enum { UPI_TOKENIZER_WORDPIECE, UPI_TOKENIZER_BPE } UpiTokenizerKind;

/* Reads vocab.txt (WordPiece) or vocab.json + merges.txt (BPE) in directory. lower_case: BERT uncased (lower-case,
 * strip accents). */
UpiTokenizer *upi_tokenizer_open (const gchar *directory, UpiTokenizerKind kind, gboolean lower_case, GError **error);
void upi_tokenizer_free (UpiTokenizer *tokenizer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiTokenizer, upi_tokenizer_free)

/* text is UTF-8 (invalid bytes become U+FFFD). Returns an int32 GArray: [CLS] ... [SEP] (<s> ... </s>), at most
 * max_tokens long (0 = no limit; the end token is kept when cut). (transfer full) */
GArray *upi_tokenizer_encode (const UpiTokenizer *tokenizer, const gchar *text, guint max_tokens);
/* Ids → text: special tokens dropped, pieces joined as the published decoder does (with clean-up of spaces before
 * punctuation). */
gchar *upi_tokenizer_decode (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids);
/* Ids → text for people: WordPiece parts hyphens and brackets from their words ("t - shirt"), which the published
 * decoder leaves so; here they are joined. The text of some first ids is how the text of all begins. BPE keeps spaces
 * as they were: as upi_tokenizer_decode(). */
gchar *upi_tokenizer_sentence (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids);
guint upi_tokenizer_size (const UpiTokenizer *tokenizer);
gint32 upi_tokenizer_start_id (const UpiTokenizer *tokenizer); /* [CLS], <s> */
gint32 upi_tokenizer_end_id (const UpiTokenizer *tokenizer);   /* [SEP], </s> */
/* Whether a token goes on with the word of the one before it ("##ing"; with BPE: no space in front). */
gboolean upi_tokenizer_continues (const UpiTokenizer *tokenizer, gint32 id);
const gchar *upi_tokenizer_token (const UpiTokenizer *tokenizer, gint32 id); /* NULL if out of range */

G_END_DECLS
