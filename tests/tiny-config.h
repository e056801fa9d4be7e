/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configs of small networks that tests write with upi_model_write_random(): every part is there, a run takes
 * milliseconds.
 *
 * UPI_TINY_CONFIG has nano's kinds; its vocab.txt (written with it) holds the special tokens, letters and a few words
 * such as "cat". UPI_TINY_MOBILENET_CONFIG differs in what nano's second generation differs in: format 2, MobileNetV2,
 * global.backbone, class evidence; UPI_TINY_CALIBRATION is a further member for it.
 * UPI_TINY_DETECTOR_CONFIG differs in what the third one differs in: LCNet, PicoDet's pyramid and heads.
 * UPI_TINY_SWIN_CONFIG has Swin in both places.
 * UPI_TINY_BASE_CONFIG has the paper's kinds: ResNet-50 (its 23 M weights make it the slower one), full pixel encoder
 * of four levels, learned content, a decoder of post-norm layers, RoBERTa.
 */
#pragma once

#define UPI_TINY_CONFIG_OF(version, backbone_kind, more_of_global, more)                                               \
  UPI_TINY_CONFIG_SAYING (version, backbone_kind, more_of_global, "\"max_tokens\": 12", more)
#define UPI_TINY_CONFIG_SAYING(version, backbone_kind, more_of_global, caption, more)                                  \
  UPI_TINY_CONFIG_WHOLE (version, "{ \"kind\": \"" backbone_kind "\" }", more_of_global, caption, more)
#define UPI_TINY_CONFIG_WHOLE(version, backbone, more_of_global, caption, more)                                        \
  UPI_TINY_CONFIG_RESIZED (version, "\"stretch\"", backbone, more_of_global, caption, more)
/* The first one with pictures that keep their aspect; more: further members of "input" */
#define UPI_TINY_LETTERBOX_CONFIG(more)                                                                                \
  UPI_TINY_CONFIG_RESIZED (                                                                                            \
      "2", "\"letterbox\"" more, "{ \"kind\": \"efficientnet_lite0\" }", "", "\"max_tokens\": 12", "")
#define UPI_TINY_CONFIG_RESIZED(version, resize, backbone, more_of_global, caption, more)                              \
  UPI_TINY_CONFIG_OF_PARTS (version, resize, backbone,                                                                 \
      "3, \"region_ffn\": 48,"                                                                                         \
      "  \"pixel_encoder\": { \"kind\": \"lite\", \"layers\": 1 },"                                                    \
      "  \"query\": { \"count\": 10, \"anchor\": \"cells\", \"anchor_cells\": 3, \"content\": \"pixel\" },",           \
      more_of_global, caption, more)
/* regions: levels and what follows them */
#define UPI_TINY_CONFIG_OF_PARTS(version, resize, backbone, regions, more_of_global, caption, more)                    \
  "{ \"format_version\": " version ", \"name\": \"tiny\","                                                             \
  "  \"input\": { \"sizes\": [[64, 64], [96, 64], [64, 96], [160, 96]], \"resize\": " resize                           \
  ", \"filter\": \"triangle\","                                                                                        \
  "             \"mean\": [0.498, 0.498, 0.498], \"std\": [0.502, 0.502, 0.502] },"                                    \
  "  \"backbone\": " backbone ","                                                                                      \
  "  \"d\": 32, \"heads\": 4, \"points\": 2, \"levels\": " regions "  \"region_decoder\": { \"layers\": 2 },"          \
  "  \"mask\": { \"channels\": 16, \"groups\": 4, \"lateral_norm\": false },"                                          \
  "  \"global\": { \"pools\": 1" more_of_global " },"                                                                  \
  "  \"decoder\": { \"width\": 48, \"layers\": 2, \"heads\": 4, \"ffn\": 64, \"norm\": \"pre\", \"experts\": 3, "      \
  "\"top_k\": 2,"                                                                                                      \
  "               \"attributes\": { \"image\": [1, 0, 0, 1], \"text\": [0, 1, 0, 1], \"text_causal\": [0, 1, 1, 0] } " \
  "},"                                                                                                                 \
  "  \"text\": { \"kind\": \"bert\", \"width\": 32, \"layers\": 2, \"heads\": 4, \"ffn\": 64, \"vocabulary\": 150, "   \
  "\"positions\": 64,"                                                                                                 \
  "            \"type_vocabulary\": 2, \"layer_norm_eps\": 1e-12, \"tokenizer\": \"wordpiece\", \"lower_case\": true " \
  "},"                                                                                                                 \
  "  \"caption\": { " caption " },"                                                                                    \
  "  \"tasks\": { \"detection\": { \"temperature\": 0.1, \"bias\": -2.0, \"foreground_weight\": 0.25 },"               \
  "             \"classification\": { \"temperature\": 0.07 }, \"captioning\": { \"temperature\": 0.05 },"             \
  "             \"retrieval\": { \"temperature\": 0.07 } },"                                                           \
  "  \"labels\": [\"cat\", \"dog\", \"person\"], \"threshold\": 0.3" more " }"

#define UPI_TINY_CONFIG UPI_TINY_CONFIG_OF ("1", "efficientnet_lite0", "", "")
#define UPI_TINY_MOBILENET_CONFIG UPI_TINY_MOBILENET_CONFIG_WITH ("")
/* more: further members, ", \"key\": value" */
#define UPI_TINY_MOBILENET_CONFIG_WITH(more) UPI_TINY_MOBILENET_CONFIG_OF ("\"max_tokens\": 12", more)
#define UPI_TINY_MOBILENET_CONFIG_OF(caption, more)                                                                    \
  UPI_TINY_CONFIG_SAYING (                                                                                             \
      "2", "mobilenet_v2", ", \"backbone\": { \"kind\": \"efficientnet_lite0\" }", caption, UPI_TINY_EVIDENCE more)
#define UPI_TINY_EVIDENCE                                                                                              \
  ", \"evidence\": { \"channels\": [12, 16, 8], \"rank\": [8, 10, 6], \"extra\": [16, 24], \"pixels\": 100, "          \
  "\"ratio\": 0.6, \"near\": 0.5, \"aligned\": true,"                                                                  \
  "  \"anchors\": [[[0.1, 1], [0.2, 2]], [[0.35, 1], [0.35, 0.5], [0.4, 1]], [[0.5, 1]]] }"
/* Nano's third generation: queries and class evidence of a detector. more: further members */
#define UPI_TINY_DETECTOR_CONFIG UPI_TINY_DETECTOR_CONFIG_WITH ("")
#define UPI_TINY_DETECTOR_CONFIG_WITH(more)                                                                            \
  UPI_TINY_CONFIG_OF_PARTS ("2", "\"stretch\"", "{ \"kind\": \"lcnet\" }",                                             \
      "4, \"region_ffn\": 48, \"pixel_encoder\": { \"kind\": \"pyramid\", \"layers\": 0 },"                            \
      "  \"query\": { \"count\": 10, \"candidates\": 40, \"distinct\": 0.5 },",                                        \
      ", \"backbone\": { \"kind\": \"efficientnet_lite0\" }", "\"max_tokens\": 12",                                    \
      ", \"detector\": { \"near\": 0.5 }" more)
/* Two Swins, so small that windows of 3 and 4 cells hold one side of their last maps, and do not divide the others. */
#define UPI_TINY_SWIN_CONFIG                                                                                           \
  UPI_TINY_CONFIG_WHOLE (                                                                                              \
      "2", UPI_TINY_SWIN ("8", "3"), ", \"backbone\": " UPI_TINY_SWIN ("16", "4"), "\"max_tokens\": 12", "")
#define UPI_TINY_SWIN(width, window)                                                                                   \
  "{ \"kind\": \"swin\", \"width\": " width ", \"depths\": [2, 2, 3, 2], \"heads\": [1, 2, 4, 8], \"window\": " window \
  " }"
#define UPI_TINY_CALIBRATION                                                                                           \
  ", \"calibration\": { \"image\": { \"scale\": 1.5, \"offset\": -2, \"seen\": { \"weight\": 1.25, \"offset\": 0.5,"   \
  " \"floor\": 0.03 } }, \"regions\": { \"scale\": 0.5, \"offset\": 1 } }"

/* The second one with grounded captions. word: what stands for two things; with the seed 7 its random sentences say "m"
 * often */
#define UPI_TINY_GROUNDED_CONFIG                                                                                       \
  UPI_TINY_MOBILENET_CONFIG_OF (                                                                                       \
      UPI_TINY_GROUNDING ("\"ranking\": { \"candidates\": 6, \"sharpness\": 2 }", "a", "m"), "")
#define UPI_TINY_GROUNDING(ranking, determiner, word)                                                                  \
  "\"max_tokens\": 8, \"grounding\": { " ranking ", \"determiners\": [\"" determiner                                   \
  "\"], \"groups\": { \"pet\": [\"cat\", \"dog\"] }, \"entries\": ["                                                   \
  "{ \"needs\": [\"cat\"], \"words\": [\"b\", \"cat\"] }, { \"needs\": [\"pet\"], \"words\": [\"c\", \"d\"] },"        \
  "{ \"needs\": [\"person\", \"dog\"], \"words\": [\"" word "\", \"f\", \"g\"] } ] }"

#define UPI_TINY_BASE_CONFIG                                                                                           \
  "{ \"format_version\": 1, \"name\": \"tiny-base\","                                                                  \
  "  \"input\": { \"sizes\": [[64, 64]], \"resize\": \"stretch\", \"filter\": \"triangle\","                           \
  "             \"mean\": [0.485, 0.456, 0.406], \"std\": [0.229, 0.224, 0.225] },"                                    \
  "  \"backbone\": { \"kind\": \"resnet50\" },"                                                                        \
  "  \"d\": 64, \"heads\": 4, \"points\": 2, \"levels\": 4, \"region_ffn\": 48,"                                       \
  "  \"pixel_encoder\": { \"kind\": \"full\", \"layers\": 2 },"                                                        \
  "  \"query\": { \"count\": 12, \"anchor\": \"scale\", \"content\": \"learned\" },"                                   \
  "  \"region_decoder\": { \"layers\": 2 },"                                                                           \
  "  \"mask\": { \"channels\": 64, \"groups\": 8, \"lateral_norm\": true },"                                           \
  "  \"global\": { \"pools\": 2 },"                                                                                    \
  "  \"decoder\": { \"width\": 48, \"layers\": 2, \"heads\": 4, \"ffn\": 64, \"norm\": \"post\", \"experts\": 4, "     \
  "\"top_k\": 2,"                                                                                                      \
  "               \"attributes\": { \"image\": [1, 0, 0, 1], \"text\": [0, 1, 0, 1], \"text_causal\": [0, 1, 1, 0] } " \
  "},"                                                                                                                 \
  "  \"text\": { \"kind\": \"roberta\", \"width\": 32, \"layers\": 2, \"heads\": 4, \"ffn\": 64, \"vocabulary\": "     \
  "300, \"positions\": 66,"                                                                                            \
  "            \"type_vocabulary\": 1, \"layer_norm_eps\": 1e-5, \"tokenizer\": \"bpe\", \"lower_case\": false },"     \
  "  \"caption\": { \"max_tokens\": 12 },"                                                                             \
  "  \"tasks\": { \"detection\": { \"temperature\": 0.1, \"bias\": -2.0, \"foreground_weight\": 0.0 },"                \
  "             \"classification\": { \"temperature\": 0.07 }, \"captioning\": { \"temperature\": 0.05 },"             \
  "             \"retrieval\": { \"temperature\": 0.07 } },"                                                           \
  "  \"labels\": [], \"threshold\": 0.3 }"
