/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model directory opened for use: config, weights, tokenizer, and the programs built from them
 * (models/reference/NETWORK.md).
 *
 * The weights are mapped once; programs refer to them. Immutable after open, reference-counted, thread-safe.
 */
#pragma once

#include "core/model/config.h"
#include "core/program/program.h"

G_BEGIN_DECLS

typedef struct _UpiModel UpiModel;

/* Opens a directory: config.json, *.safetensors, tokenizer files. All missing, misshapen and unused tensors are listed
 * in one error. */
UpiModel *upi_model_open (const gchar *directory, GError **error);
/* By name or path: $UPI_MODEL_PATH, user data directory, installed share/upi/models. (transfer full) path */
gchar *upi_model_find (const gchar *name, GError **error);
UpiModel *upi_model_ref (UpiModel *model);
void upi_model_unref (UpiModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiModel, upi_model_unref)

const UpiConfig *upi_model_config (const UpiModel *model);
gsize upi_model_bytes (const UpiModel *model);
guint upi_model_vocabulary_size (const UpiModel *model);           /* candidates of captioning, V */
const gint32 *upi_model_caption_token_ids (const UpiModel *model); /* [V] candidate → tokenizer id */
/* Whether an input of that size gives enough tokens to choose the queries from. */
gboolean upi_model_takes_size (const UpiModel *model, guint width, guint height);
/* Image rows of the general decoder for an input size: 1 + M' + T_g + N. */
guint upi_model_image_tokens (const UpiModel *model, guint width, guint height);

/* The image side. Input "image" [B,H,W,3] (normalised RGB). Outputs, each [B, ...]:
 *   "boxes" [N,4] cx,cy,w,h; "foreground" [N,1] logits; "regions" [N,D] g(q_proposal), L2-normalised; "spe" [1,D]
 *   L2-normalised; "mask_features" [H/4,W/4,d_mask]; "mask_embed" [N,d_mask], UPI_MASK_PLACES wider with mask.own;
 *   "looks" [N,2c] of C2, L2-normalised; "keys.{i}", "values.{i}" [T_image,D] for each decoder layer i.
 * "evidence" [N,K] where the config has it: how much speaks for each of the model's own labels.
 * debug: the intermediate parts that golden tests compare are outputs too: "C2".."C5", "F_1".., "memory", "scores",
 * "index" (I32), "box_0", "content", "q_sem", "q_proposal", "pool_{i}", "global_map" (of global.backbone), "g_flat",
 * and before normalising "decoded_regions", "image_spe". */
UpiProgram *
upi_model_image_program (UpiModel *model, guint batch, guint width, guint height, gboolean debug, GError **error);
/* The same for a backend whose strip_bytes are these: what is large and read once goes by in strips of rows. */
UpiProgram *upi_model_image_program_in_strips (
    UpiModel *model, guint batch, guint width, guint height, gsize strip_bytes, GError **error);

#define UPI_MAX_TEXTS 256

/* Text side, bidirectional: f_text and g over [<SPE>, tokens]. Inputs "ids" I32 [B,T], "length" I32 [B] (tokens that
 * count, ≤ T; the attention lengths); output "embedding" [B,1,D], L2-normalised. Length buckets are the caller's. */
UpiProgram *upi_model_texts_program (UpiModel *model, guint batch, guint tokens, GError **error);
/* One text: B = 1. */
UpiProgram *upi_model_text_program (UpiModel *model, guint tokens, GError **error);

/* One caption step. Inputs "id" I32 [1,1], "position" I32 [1] (0 = [CLS]; row of the caches that is written),
 * "text_length" I32 [1] (= position + 1), "keys.{i}", "values.{i}" [1,image_tokens,D] (the image cache),
 * "text_keys.{i}", "text_values.{i}" [1,capacity,D] (changed in place). Output "scores" [1,1,V]: cosine /
 * temperature. */
UpiProgram *upi_model_caption_program (UpiModel *model, guint image_tokens, guint capacity, GError **error);
/* The same for a batch of captions of one image: its cache is [1,image_tokens,D] for all, everything else has a row or
 * item for each. */
UpiProgram *
upi_model_captions_program (UpiModel *model, guint batch, guint image_tokens, guint capacity, GError **error);

/* Independent sentences, where the config has_calibration: of images, or of regions. */
typedef enum { UPI_SPREAD_IMAGE, UPI_SPREAD_REGIONS, UPI_N_SPREADS } UpiSpread;

/* What is a sentence's own, whatever it is said of: ē·y and σ(y). */
typedef struct {
  gfloat mean, deviation;
} UpiStanding;

/* sentence: [D], of length 1 */
UpiStanding upi_model_standing (const UpiModel *model, UpiSpread spread, const gfloat *sentence);
/* What a sentence has in common with an image or a region. */
typedef struct {
  gfloat cosine;
  gfloat score; /* the (best) region's for it; matters where `part` is above 0 */
  gfloat part;  /* how near the sentence is to one of the model's own labels, 0 to 1 */
} UpiMatch;

/* In log-odds. */
gfloat upi_sighting (const UpiSighting *of, gfloat score);
/* That it is true. */
gfloat upi_model_probability (const UpiModel *model, UpiSpread spread, UpiStanding standing, UpiMatch match);

/* The binding table: every tensor that a config asks for. For the loader, and for tests that make small random
 * models. */
typedef struct {
  gchar *name;
  UpiDType dtype;
  UpiShape shape;
} UpiTensorSpec;
GArray *upi_model_tensor_specs (const UpiConfig *config); /* (transfer full) of UpiTensorSpec, names freed with it */

/* Writes a model directory with random weights for a config JSON text: tests, fuzz seeds, `upi-dump --random`.
 * Deterministic. */
gboolean upi_model_write_random (const gchar *directory, const gchar *config_json, guint32 seed, GError **error);

G_END_DECLS
