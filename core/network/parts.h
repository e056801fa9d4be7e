/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the network, one file each (figure 2 of the paper). In each file:
 *   upi_PART_tensors  lists the tensors the part asks for (the binding table)
 *   upi_PART_fold     where there is one: what is made of them once, at open
 *   upi_PART          appends the part's operations to a program
 * B items, d width of the region parts, D width of the general decoder, T tokens of all levels, N queries.
 */
#pragma once

#include "core/network/layers.h"

G_BEGIN_DECLS

/* positions.c: geometry. */

/* Levels of the pixel encoder: strides 8, 16, 32 (64), flattened row-major, finest first. */
typedef struct {
  gint n, tokens; /* L, T */
  struct {
    gint height, width, start, tokens;
  } level[UPI_MAX_LEVELS];
} UpiLevels;

UpiLevels upi_levels (const UpiConfig *config, gint width, gint height);
/* Of the map that global tokens are made of, for an input size. */
void upi_global_size (const UpiConfig *config, gint width, gint height, gint *map_width, gint *map_height);
/* Constants, (transfer full). sine2d [H·W, channels] of pixel centres, or (edges) of pixels' lower right ends; pixel
 * centres (x, y) of levels first.. [T', 2]; anchors [T, 4]; what is added to the scores of tokens [T], so that those
 * whose anchor is at an end of the image are not chosen. */
gfloat *upi_sine_pixels (gint height, gint width, gint channels, gboolean edges);
gfloat *upi_pixel_centres (const UpiLevels *levels, gint first);
gfloat *upi_anchors (const UpiLevels *levels, const UpiConfig *config);
gfloat *upi_anchor_penalties (const UpiLevels *levels, const gfloat *anchors);

/* backbone.c: C2..C5. */

/* image [B,H,W,3] → maps [B,H/4,W/4,c2] .. [B,H/32,W/32,c5] */
void upi_backbone_tensors (GArray *specs, const UpiConfig *config);
void upi_backbone (UpiBuild *b, UpiValue image, UpiValue maps[4]);
/* The map that global tokens are made of: the last one of the backbone, or of global.backbone on the image averaged
 * 2×2; the size is upi_global_size(). [B,H_g,W_g,c] */
void upi_global_backbone_tensors (GArray *specs, const UpiConfig *config);
UpiValue upi_global_map (UpiBuild *b, UpiValue image, const UpiValue maps[4]);

/* Each kind, its tensors behind "NAME."; sides of any length, maps rounded up. */
void upi_efficientnet_lite_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name);
void
upi_efficientnet_lite (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4]);
void upi_mobilenet_v2_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name);
void upi_mobilenet_v2 (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4]);
void upi_resnet_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name);
void upi_resnet (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4]);
void upi_lcnet_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name);
void upi_lcnet (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4]);
/* Sides must be multiples of 4. */
void upi_swin_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name);
void upi_swin (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4]);

/* pyramid.c, of a detector: maps of one width. */

#define UPI_PYRAMID_WIDTH 96
void upi_pyramid_tensors (GArray *specs, const UpiConfig *config);
/* C2..C5 → levels [B,H/8,W/8,96] .. [B,⌈H/64⌉,⌈W/64⌉,96] */
void upi_pyramid (UpiBuild *b, const UpiValue maps[4], UpiValue levels[4]);

/* input-projection.c: F_1..F_L. */

void upi_input_projection_tensors (GArray *specs, const UpiConfig *config);
/* maps: C2..C5, or with a detector the pyramid's; projected[l] [B,H_l,W_l,d] */
void
upi_input_projection (UpiBuild *b, const UpiLevels *levels, const UpiValue maps[4], UpiValue projected[UPI_MAX_LEVELS]);

/* deformable-attention.c (Deformable DETR), of pixel encoder and region decoder. */

void upi_deformable_tensors (GArray *specs, const UpiConfig *config, const gchar *name);
gboolean upi_deformable_fold (UpiWeights *weights, const gchar *name, GError **error);
/* query [B,Q,d], reference [B or 1,Q,2 or 4], values [B,T,d] → [B,Q,d] */
UpiValue upi_deformable (
    UpiBuild *b, const UpiLevels *levels, UpiValue query, UpiValue reference, UpiValue values, const gchar *name);

/* pixel-encoder.c */

void upi_pixel_encoder_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_pixel_encoder_fold (UpiWeights *weights, const UpiConfig *config, GError **error);
/* → memory [B,T,d] */
UpiValue upi_pixel_encoder (UpiBuild *b, const UpiLevels *levels, const UpiValue projected[UPI_MAX_LEVELS]);

/* query-selection.c */

typedef struct {
  UpiValue scores;  /* [B,T,1] foreground logits of all tokens */
  UpiValue index;   /* I32 [B,N] */
  UpiValue box;     /* [B,N,4] box_0 */
  UpiValue content; /* [B,N,d] */
} UpiQueries;

void upi_query_selection_tensors (GArray *specs, const UpiConfig *config);
/* given: I32 [B,N], tokens to take instead of the best (tests, where scores tie nearly); UPI_NO_VALUE: the N best */
UpiQueries upi_query_selection (UpiBuild *b, const UpiLevels *levels, UpiValue memory, UpiValue given);

/* detector.c, optional: query selection and class evidence of PicoDet. */

void upi_detector_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_detector_fold (UpiWeights *weights, const UpiConfig *config, const gchar *directory, GError **error);
/* maps: the pyramid's; given as above; *evidence [B,N,K] of the queries, as upi_evidence()'s */
UpiQueries
upi_detector (UpiBuild *b, const UpiLevels *levels, const UpiValue maps[4], UpiValue given, UpiValue *evidence);

/* region-decoder.c */

typedef struct {
  UpiValue semantic;   /* [B,N,d] q_sem */
  UpiValue box;        /* [B,N,4] q_box */
  UpiValue foreground; /* [B,N,1] logits */
} UpiRegions;

void upi_region_decoder_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_region_decoder_fold (UpiWeights *weights, const UpiConfig *config, GError **error);
UpiRegions upi_region_decoder (UpiBuild *b, const UpiLevels *levels, UpiValue content, UpiValue box, UpiValue memory);

/* mask-head.c */

void upi_mask_head_tensors (GArray *specs, const UpiConfig *config);
/* C2 [B,H/4,W/4,c2], memory → F_mask [B,H/4,W/4,d_mask] */
UpiValue upi_mask_features (UpiBuild *b, const UpiLevels *levels, UpiValue c2, UpiValue memory);
/* q_sem → [B,N,d_mask] */
UpiValue upi_mask_embed (UpiBuild *b, UpiValue semantic);
/* The embedding of masks that are shown: embed, or [B,N,m+6] of their own, the last six for 1, x, x², y, y² and xy, a
 * cell's place in its box. */
UpiValue upi_shown_mask_embed (UpiBuild *b, UpiValue semantic, UpiValue embed);

/* evidence.c, optional: what the backbone's own detector would say. */

void upi_evidence_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_evidence_fold (UpiWeights *weights, const UpiConfig *config, const gchar *directory, GError **error);
/* boxes [B,N,4] → r [B,N,K], 0 or more: how much speaks for each of the model's own labels */
UpiValue upi_evidence (UpiBuild *b, const UpiValue maps[4], UpiValue boxes);

/* proposals.c: equations 2 and 3. */

void upi_proposals_tensors (GArray *specs, const UpiConfig *config);
/* evidence: [B,N,K] or UPI_NO_VALUE → q_proposal [B,N,D] */
UpiValue
upi_proposals (UpiBuild *b, const UpiRegions *regions, UpiValue mask_features, UpiValue mask_embed, UpiValue evidence);
/* map (upi_global_map()) → pools[i] [B,1,D], and Flatten(F_L) [B,T_g,D] */
UpiValue upi_global_tokens (UpiBuild *b, UpiValue map, UpiValue *pools);
/* [<SPE>, pools, flat, proposals] [B, 1+M'+T_g+N, D] */
UpiValue upi_image_sequence (UpiBuild *b, const UpiValue *pools, UpiValue flat, UpiValue proposals);

/* looks.c: what regions look like, for trackers. */

/* c2 [B,H/4,W/4,c], box [B,N,4] → [B,N,2c], of length 1 */
UpiValue upi_looks (UpiBuild *b, UpiValue c2, UpiValue box);

/* conditional-moe.c */

void upi_conditional_moe_tensors (GArray *specs, const UpiConfig *config, gint in, gint out, const gchar *name);
/* What is made of an [experts, out, in] of those: [out, in] for each attribute. 0: the tensor is none. */
gsize upi_conditional_moe_folded_bytes (const UpiTensorSpec *spec);
gboolean upi_conditional_moe_fold (UpiWeights *weights, const UpiConfig *config, const gchar *name, GError **error);
UpiValue upi_conditional_moe (UpiBuild *b, UpiValue x, UpiAttribute attribute, UpiAct act, const gchar *name);
/* The arithmetic: gates [E] of an attribute row [A], and the gated sum of E tensors of count floats. */
void
upi_moe_gates (const gfloat *gate, gint experts, gint top_k, const gfloat *attribute, gint n_attributes, gfloat *gates);
void upi_moe_sum (const gfloat *tensors, const gfloat *gates, gint experts, gsize count, gfloat *sum);

/* general-decoder.c */

void upi_general_decoder_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_general_decoder_fold (UpiWeights *weights, const UpiConfig *config, GError **error);

typedef struct {
  UpiValue spe;     /* [B,1,D] row 0 after decoder.norm */
  UpiValue regions; /* [B,N,D] the last N rows */
} UpiDecodedImage;
/* The image sequence attends to itself; keys[i], values[i] [B,T_image,D] of each layer are the cache. */
UpiDecodedImage upi_decode_image (UpiBuild *b, UpiValue sequence, UpiValue *keys, UpiValue *values);
/* [<SPE>, text [B,T,D]], bidirectional, length I32 [B] of the T count → <SPE> [B,1,D] */
UpiValue upi_decode_text (UpiBuild *b, UpiValue text, UpiValue length);

/* What a caption step reads: keys and values of the image, and of the text so far (written at row position). */
typedef struct {
  UpiValue *image_keys, *image_values; /* [B,T_image,D] a layer; NULL in language modelling */
  UpiValue *text_keys, *text_values;   /* [B,capacity,D] a layer */
  UpiValue position, length;           /* I32 [B]: row of this token, position + 1 */
} UpiCaptionCache;
/* token [B,1,D] → after decoder.norm [B,1,D] */
UpiValue upi_decode_caption (UpiBuild *b, UpiValue token, const UpiCaptionCache *cache);

/* text-encoder.c */

void upi_text_encoder_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_text_encoder_fold (UpiWeights *weights, const UpiConfig *config, GError **error);
/* ids I32 [B,T], length I32 [B] → [B,T,width] */
UpiValue upi_text_encoder (UpiBuild *b, UpiValue ids, UpiValue length);
/* One token at a position: ids I32 [B,1], position I32 [B,1] → LN(word + position + type 0) [B,1,width] */
UpiValue upi_text_token (UpiBuild *b, UpiValue ids, UpiValue position);

/* caption-head.c */

void upi_caption_head_tensors (GArray *specs, const UpiConfig *config);
gboolean upi_caption_head_fold (UpiWeights *weights, const UpiConfig *config, GError **error);
/* ids I32 [B,1], position I32 [B,1] → the decoder's token [B,1,D] */
UpiValue upi_caption_token (UpiBuild *b, UpiValue ids, UpiValue position);
/* decoded [B,1,D] → cosine / temperature [B,1,V] */
UpiValue upi_caption_scores (UpiBuild *b, UpiValue decoded);

G_END_DECLS
