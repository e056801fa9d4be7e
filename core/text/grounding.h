/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * grounding.h: which words of a caption need a class in the picture: the table `caption.grounding` of config.json, read
 * token by token (models/reference/NETWORK.md, "grounded captions"). Immutable once made, thread-safe.
 */
#pragma once

#include "core/text/tokenizer.h"

G_BEGIN_DECLS

/* What a word may need: a label, or a group of labels of which the best counts. */
typedef struct {
  gchar *name;
  guint n_labels;
  guint *labels; /* indices of the model's own labels */
} UpiNeed;

/* Plurals are phrases of their own. Without needs it only hides what it covers. */
typedef struct {
  gchar *text;
  guint n_needs;
  guint *needs; /* indices of UpiGroundingTable.needs */
  gboolean after_determiner;
} UpiPhrase;

/* Ranking and steering of candidates. */
typedef struct {
  guint candidates; /* with the greedy one */
  guint encoded;    /* the best by the terms that need no <SPE>, whose <SPE> is computed */
  gdouble sharpness;
  /* weights of the terms: cosine with the image, support by the regions, share of what is seen that is named, how much
   * of it the other candidates say */
  gdouble retrieval, regions, coverage, agreement;
  gdouble floor;    /* a score from which on a word is supported in full */
  gdouble steering; /* 0: none */
} UpiRanking;

#define UPI_RANKING_DEFAULT                                                                                            \
  {                                                                                                                    \
    .candidates = 8, .encoded = 3, .sharpness = 0.6, .retrieval = 15, .regions = 8, .coverage = 1, .agreement = 5,     \
    .floor = 0.48, .steering = 24                                                                                      \
  }

/* As the config has it. */
typedef struct {
  UpiRanking ranking;
  gchar **determiners;
  GArray *needs;   /* UpiNeed, in the order in which entries mention them first */
  GArray *phrases; /* UpiPhrase, in the order of the file */
} UpiGroundingTable;

UpiGroundingTable *upi_grounding_table_new (void);
void upi_grounding_table_free (UpiGroundingTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiGroundingTable, upi_grounding_table_free)

/* A phrase in the model's tokens. */
typedef struct {
  guint n_tokens;
  gint32 *tokens;
  const UpiPhrase *phrase;
} UpiGroundingEntry;

/* An object word of a text: tokens start .. end - 1, counted without the start token. */
typedef struct {
  guint start, end;
  const UpiPhrase *phrase;
} UpiMention;

typedef struct _UpiGrounding UpiGrounding;

/**
 * upi_grounding_new: the table in the tokens of a model; table and tokenizer must outlive it.
 * @file: what errors call the table's file
 * Returns: (transfer full): NULL and UPI_ERROR_MODEL if two phrases are the same, one has no tokens, or a determiner
 * has several
 */
UpiGrounding *
upi_grounding_new (const UpiGroundingTable *table, const UpiTokenizer *tokenizer, const gchar *file, GError **error);
void upi_grounding_free (UpiGrounding *grounding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiGrounding, upi_grounding_free)

const UpiGroundingTable *upi_grounding_table (const UpiGrounding *grounding);
/* UpiGroundingEntry in the order of the phrases. */
const GArray *upi_grounding_entries (const UpiGrounding *grounding);
gboolean upi_grounding_is_determiner (const UpiGrounding *grounding, gint32 id);

/**
 * upi_grounding_mentions: the object words of a text from left to right, the longest phrase at each place; those
 * without needs are left out.
 * @ids: without the start and end tokens
 * Returns: (transfer full): of UpiMention
 */
GArray *upi_grounding_mentions (const UpiGrounding *grounding, const gint32 *ids, guint n_ids);

/**
 * upi_grounding_place: where tokens @start .. @end - 1 of a text lie in @text, what the tokenizer decodes all of @ids
 * to, in bytes.
 * Returns: FALSE if they are not found
 */
gboolean upi_grounding_place (const UpiGrounding *grounding, const gint32 *ids, const UpiMention *mention,
    const gchar *text, guint *first, guint *bytes);

/* L of a detection score: min (0, ln ((e + 0.01) / (floor + 0.01))), what a score below the floor takes from a word. */
gdouble upi_grounding_support (gdouble score, gdouble floor);

G_END_DECLS
