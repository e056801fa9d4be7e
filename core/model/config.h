/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model's config.json as a struct: every size of the network, its inputs and task heads. Strict: a key that is
 * unknown, missing, of the wrong type or out of range is one error that names the file and the key. Meaning of each
 * size: models/reference/NETWORK.md.
 */
#pragma once

#include "core/text/grounding.h"
#include "core/text/tokenizer.h"

#include <glib.h>

G_BEGIN_DECLS

/* Files of both open. 2 brings mobilenet_v2, swin, lcnet, letterbox, region_parts, global.backbone, evidence, detector,
 * caption.grounding, calibration. */
#define UPI_CONFIG_OLDEST_VERSION 1
#define UPI_CONFIG_FORMAT_VERSION 2
#define UPI_MAX_SIDE 4096 /* pixels of the network's input */

typedef enum {
  UPI_BACKBONE_EFFICIENTNET_LITE0,
  UPI_BACKBONE_RESNET50,
  UPI_BACKBONE_MOBILENET_V2,
  UPI_BACKBONE_SWIN,
  UPI_BACKBONE_LCNET
} UpiBackboneKind;
typedef enum { UPI_PIXEL_ENCODER_FULL, UPI_PIXEL_ENCODER_LITE, UPI_PIXEL_ENCODER_PYRAMID } UpiPixelEncoderKind;
typedef enum { UPI_ANCHOR_CELLS, UPI_ANCHOR_SCALE } UpiAnchorKind;
typedef enum { UPI_CONTENT_PIXEL, UPI_CONTENT_LEARNED } UpiContentKind;
typedef enum { UPI_TEXT_BERT, UPI_TEXT_ROBERTA } UpiTextKind;

/* The closed table of token attributes that Conditional MoEs are folded for. */
typedef enum { UPI_ATTRIBUTE_IMAGE, UPI_ATTRIBUTE_TEXT, UPI_ATTRIBUTE_TEXT_CAUSAL, UPI_N_ATTRIBUTES } UpiAttribute;
extern const gchar *const upi_attribute_names[UPI_N_ATTRIBUTES]; /* "image", "text", "text_causal" */

typedef struct {
  UpiBackboneKind kind;
  gint channels[4]; /* of C2..C5: follow from the kind, and from Swin's width */
  struct {
    /* blocks and heads of each stage, which is twice as wide as the one before */
    gint width, depths[4], heads[4], window;
  } swin; /* UPI_BACKBONE_SWIN */
} UpiBackboneSizes;

#define UPI_MASK_PLACES 6   /* numbers of a mask's embedding behind those for the features, with `mask.own` */
#define UPI_EVIDENCE_MAPS 3 /* C4, C5, one more */

/* What it says of one of the model's own labels that a region scores this for it: offset + weight · ln (score + floor),
 * in log-odds. */
typedef struct {
  gfloat weight, offset, floor;
} UpiSighting;

/* Independent scores (calibration): p = sigmoid (scale · z + offset), z the standardised cosine of a sentence; of the
 * model's own labels by what was seen of them. */
typedef struct {
  gfloat scale, offset;
  gboolean has_seen;
  UpiSighting seen;
} UpiCalibration;

typedef struct {
  gint format_version;
  gchar *name;
  struct {
    guint n_sizes;
    guint (*sizes)[2];      /* width, height; the first is the default; "filter" is triangle */
    gfloat *aspects;        /* of each size, width over height of the pictures that it is for */
    gfloat mean[3], std[3]; /* (x/255 - mean) / std, R G B */
    /* "resize": the picture keeps its aspect, and `pad` is what is beside and below it; else it is stretched */
    gboolean letterbox;
    gfloat pad[3];                         /* of 0..1, before mean and std */
    guint short_side, long_side, multiple; /* letterbox; short_side 0: an image has the nearest of `sizes` */
  } input;
  UpiBackboneSizes backbone;
  gint d;                     /* width of the region parts */
  gint heads, points, levels; /* M, K, L of deformable attention; heads also of self-attention */
  gint region_ffn;
  gboolean mask_dino; /* "region_parts": exactly as Mask DINO's published code has them, so that its weights fit */
  struct {
    UpiPixelEncoderKind kind;
    gint layers;
  } pixel_encoder;
  struct {
    gint count; /* N */
    UpiAnchorKind anchor;
    gfloat anchor_cells; /* UPI_ANCHOR_CELLS */
    UpiContentKind content;
    gint candidates; /* tokens among which distinct ones are taken; 0: the best `count` as they are */
    gfloat distinct; /* IoU with a better candidate above which one is its duplicate */
  } query;
  struct {
    gint layers;
  } region_decoder;
  struct {
    gint channels, groups;
    gboolean lateral_norm;
    gboolean own; /* masks that are shown have an embedding of their own, which knows boxes; pooled ones have not */
  } mask;
  /* PicoDet makes the queries, and is what has class evidence: lcnet, pyramid.c, detector.c. Of `query` there are then
   * count, candidates and distinct, of `evidence` there is near. */
  gboolean has_detector;
  gboolean has_evidence; /* a detector's or that of evidence.c; its classes are the labels */
  struct {
    gint channels[UPI_EVIDENCE_MAPS]; /* to how many the 1×1 convolution in front takes each map */
    gint rank[UPI_EVIDENCE_MAPS];     /* between the 3×3 convolution and the logits */
    gint extra[2];                    /* of the third map: between, out */
    gint n_anchors[UPI_EVIDENCE_MAPS];
    gfloat (*anchors[UPI_EVIDENCE_MAPS])[2]; /* scale, and ratio of width to height */
    gfloat pixels;                           /* of the input that scale 1 stands for */
    gfloat ratio;                            /* of the best overlap, from which on an anchor is asked */
    gfloat near;      /* cosine with one of the model's labels from which on another takes of its evidence */
    gboolean aligned; /* anchors stand where the detector had them, whatever the input's size */
  } evidence;
  struct {
    gint pools;                /* M' */
    gboolean has_backbone;     /* an encoder of its own, on the picture averaged 2×2 */
    UpiBackboneSizes backbone; /* where it has */
    gint channels;             /* of the map that global tokens are made of */
  } global;
  struct {
    gint width, layers, heads, ffn; /* D ... */
    gboolean post_norm;
    gint experts, top_k;
    gint n_attributes; /* A: length of an attribute row */
    gfloat *attributes[UPI_N_ATTRIBUTES];
  } decoder;
  struct {
    UpiTextKind kind;
    gint width, layers, heads, ffn, vocabulary, positions, type_vocabulary;
    gfloat layer_norm_eps;
    UpiTokenizerKind tokenizer;
    gboolean lower_case;
  } text;
  struct {
    gint max_tokens;              /* of a caption, without [CLS] and [SEP] */
    UpiGroundingTable *grounding; /* config-grounding.c; NULL: captions answer to no regions */
  } caption;
  struct {
    struct {
      gfloat temperature, bias, foreground_weight;
      gfloat rivalry; /* how much a region's better label takes from its others; 0: nothing */
      gfloat trust;   /* how far the cosine of a label that takes all of a class's evidence gives way to it; 0: not */
    } detection;
    struct {
      gfloat temperature;
      gboolean has_seen; /* its classes answer to the regions */
      UpiSighting seen;
    } classification;
    struct {
      gfloat temperature;
    } captioning, retrieval;
  } tasks;
  gboolean has_calibration;
  struct {
    UpiCalibration image, regions;
  } calibration;
  gchar **labels; /* the model's own class list, NULL-terminated, may be empty */
  gfloat threshold;
} UpiConfig;

/* Reads DIRECTORY/config.json. UPI_ERROR_MODEL. */
UpiConfig *upi_config_open (const gchar *directory, GError **error);
/* From JSON text; file is what errors call it. length -1: zero-terminated. */
UpiConfig *upi_config_parse (const gchar *json, gssize length, const gchar *file, GError **error);
void upi_config_free (UpiConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiConfig, upi_config_free)

/* Rows of the position table that tokens may use: RoBERTa's first two are padding. */
gint upi_config_text_positions (const UpiConfig *config);

G_END_DECLS
