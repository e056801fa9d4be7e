/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of a tokenizer, shared by tokenizer.c (files, dispatch), wordpiece.c and bpe.c. */
#pragma once

#include "core/text/tokenizer.h"

G_BEGIN_DECLS

/* A token that is recognised in raw text, before normalisation, and never split ("[MASK]", "</s>"). */
typedef struct {
  gchar *text;
  gsize bytes;
  gint32 id;
  gboolean takes_left_space; /* RoBERTa's <mask> swallows the white space before it */
} UpiSpecialToken;

/* What two neighbouring symbols become, and how early the merge was learned (lower first). */
typedef struct {
  guint32 rank;
  gint32 id;
} UpiMerge;

struct _UpiTokenizer {
  UpiTokenizerKind kind;
  gboolean lower_case;
  GPtrArray *tokens;   /* id → text (owned); NULL where a vocabulary has a gap */
  GHashTable *ids;     /* text (owned by tokens) → id */
  gsize longest_token; /* bytes */
  gint32 start_id, end_id, unknown_id;
  GArray *specials; /* UpiSpecialToken */
  /* byte-level BPE */
  GHashTable *merges;   /* left id << 32 | right id → UpiMerge */
  gint32 byte_ids[256]; /* the symbol of each byte */
};

/* Id of a token, -1 if there is none. */
gint32 upi_tokenizer_lookup (const UpiTokenizer *tokenizer, const gchar *token);

/* Appends the ids of valid UTF-8 without special tokens. */
void upi_wordpiece_encode (const UpiTokenizer *tokenizer, const gchar *text, gsize bytes, GArray *ids);
gchar *upi_wordpiece_decode (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids);
gchar *upi_wordpiece_sentence (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids);

/* Reads vocab.json and merges.txt. */
gboolean upi_bpe_open (UpiTokenizer *tokenizer, const gchar *directory, GError **error);
void upi_bpe_encode (const UpiTokenizer *tokenizer, const gchar *text, gsize bytes, GArray *ids);
gchar *upi_bpe_decode (const UpiTokenizer *tokenizer, const gint32 *ids, guint n_ids);

/* Reads a text file of the vocabulary: bounded, valid UTF-8, no NUL. */
gchar *upi_tokenizer_read (const gchar *directory, const gchar *name, gsize *length, GError **error);
gboolean upi_tokenizer_add (
    UpiTokenizer *tokenizer, const gchar *token, gsize bytes, gint64 id, const gchar *path, GError **error);
gboolean upi_tokenizer_is_special (const UpiTokenizer *tokenizer, gint32 id);

/* Invalid bytes become U+FFFD, one for each maximal broken sequence (Unicode 3.9, as Rust and browsers do). */
gchar *upi_utf8_repair (const gchar *text, gsize bytes, gsize *repaired_bytes);

G_END_DECLS
