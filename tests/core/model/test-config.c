/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.json: what is accepted, and that each way of being wrong is one error that names the file and the key. */
#include "core/model/config.h"
#include "core/model/letterbox.h"
#include "core/upi.h"
#include "tests/tiny-config.h"

#include <string.h>

static void
test_tiny (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (UPI_TINY_CONFIG, -1, "tiny", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (c->name, ==, "tiny");
  g_assert_cmpuint (c->input.n_sizes, ==, 4);
  g_assert_cmpuint (c->input.sizes[1][0], ==, 96);
  g_assert_cmpuint (c->input.sizes[1][1], ==, 64);
  g_assert_cmpfloat (c->input.mean[2], ==, 0.498f);
  g_assert_cmpint (c->backbone.kind, ==, UPI_BACKBONE_EFFICIENTNET_LITE0);
  g_assert_cmpint (c->backbone.channels[3], ==, 320);
  g_assert_cmpint (c->pixel_encoder.kind, ==, UPI_PIXEL_ENCODER_LITE);
  g_assert_cmpint (c->query.anchor, ==, UPI_ANCHOR_CELLS);
  g_assert_cmpfloat (c->query.anchor_cells, ==, 3);
  g_assert_false (c->decoder.post_norm);
  g_assert_cmpint (c->decoder.n_attributes, ==, 4);
  g_assert_cmpfloat (c->decoder.attributes[UPI_ATTRIBUTE_TEXT_CAUSAL][2], ==, 1);
  g_assert_cmpint (upi_config_text_positions (c), ==, 64);
  g_assert_cmpfloat (c->tasks.detection.foreground_weight, ==, 0.25f);
  g_assert_cmpuint (g_strv_length (c->labels), ==, 3);
  g_assert_cmpfloat (c->threshold, ==, 0.3f);
}

static void
test_base (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (UPI_TINY_BASE_CONFIG, -1, "base", &error);

  g_assert_no_error (error);
  g_assert_cmpint (c->backbone.kind, ==, UPI_BACKBONE_RESNET50);
  g_assert_cmpint (c->backbone.channels[0], ==, 256);
  g_assert_cmpint (c->levels, ==, 4);
  g_assert_cmpint (c->query.anchor, ==, UPI_ANCHOR_SCALE);
  g_assert_cmpint (c->query.content, ==, UPI_CONTENT_LEARNED);
  g_assert_true (c->mask.lateral_norm);
  g_assert_true (c->decoder.post_norm);
  g_assert_cmpint (c->text.kind, ==, UPI_TEXT_ROBERTA);
  g_assert_cmpint (c->text.tokenizer, ==, UPI_TOKENIZER_BPE);
  g_assert_cmpint (upi_config_text_positions (c), ==, 64); /* two of 66 are padding */
  g_assert_cmpuint (g_strv_length (c->labels), ==, 0);
}

/* All that format 2 brings. */
#define SECOND UPI_TINY_MOBILENET_CONFIG_WITH (UPI_TINY_CALIBRATION)

static void
test_second (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (SECOND, -1, "second", &error);

  g_assert_no_error (error);
  g_assert_cmpint (c->format_version, ==, 2);
  g_assert_cmpint (c->backbone.kind, ==, UPI_BACKBONE_MOBILENET_V2);
  g_assert_cmpint (c->backbone.channels[0], ==, 24);
  g_assert_cmpint (c->backbone.channels[1], ==, 192);
  g_assert_cmpint (c->backbone.channels[2], ==, 576);
  g_assert_cmpint (c->backbone.channels[3], ==, 1280);
  g_assert_true (c->global.has_backbone);
  g_assert_cmpint (c->global.backbone.kind, ==, UPI_BACKBONE_EFFICIENTNET_LITE0);
  g_assert_cmpint (c->global.channels, ==, 320);
  g_assert_true (c->has_evidence);
  g_assert_cmpint (c->evidence.channels[2], ==, 8);
  g_assert_cmpint (c->evidence.rank[1], ==, 10);
  g_assert_cmpint (c->evidence.extra[1], ==, 24);
  g_assert_cmpint (c->evidence.n_anchors[0], ==, 2);
  g_assert_cmpint (c->evidence.n_anchors[1], ==, 3);
  g_assert_cmpfloat (c->evidence.anchors[1][1][1], ==, 0.5f);
  g_assert_cmpfloat (c->evidence.pixels, ==, 100);
  g_assert_true (c->evidence.aligned);
  g_assert_true (c->has_calibration);
  g_assert_cmpfloat (c->calibration.image.scale, ==, 1.5f);
  g_assert_cmpfloat (c->calibration.image.offset, ==, -2);
  g_assert_true (c->calibration.image.has_seen);
  g_assert_cmpfloat (c->calibration.image.seen.weight, ==, 1.25f);
  g_assert_cmpfloat (c->calibration.image.seen.offset, ==, 0.5f);
  g_assert_cmpfloat (c->calibration.image.seen.floor, ==, 0.03f);
  g_assert_cmpfloat (c->calibration.regions.scale, ==, 0.5f);
  g_assert_cmpfloat (c->calibration.regions.offset, ==, 1);
  g_assert_false (c->calibration.regions.has_seen);
  g_assert_false (c->tasks.classification.has_seen);
}

/* All of it is optional, and any kind may stand in either place. */
static void
test_second_alone (void)
{
  static const gchar *const kinds[] = { "efficientnet_lite0", "resnet50", "mobilenet_v2" };

  for (guint r = 0; r < G_N_ELEMENTS (kinds); r++) {
    for (guint g = 0; g <= G_N_ELEMENTS (kinds); g++) {
      g_autofree gchar *own =
          g < G_N_ELEMENTS (kinds) ? g_strdup_printf (", \"backbone\": { \"kind\": \"%s\" }", kinds[g]) : g_strdup ("");
      g_autofree gchar *text = g_strdup_printf (UPI_TINY_CONFIG_OF ("2", "%s", "%s", ""), kinds[r], own);
      static const gint last[] = { 320, 2048, 1280 };
      GError *error = NULL;
      g_autoptr (UpiConfig) c = upi_config_parse (text, -1, "second", &error);

      g_assert_no_error (error);
      g_assert_cmpint (c->backbone.kind, ==, r);
      g_assert_cmpint (c->backbone.channels[3], ==, last[r]);
      g_assert_cmpint (c->global.has_backbone, ==, g < G_N_ELEMENTS (kinds));
      g_assert_cmpint (c->global.channels, ==, last[g < G_N_ELEMENTS (kinds) ? g : r]);
      g_assert_false (c->has_calibration);
      g_assert_false (c->has_evidence);
    }
  }
}

/* Swin has its sizes in the config, in both places. */
static void
test_swin (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (UPI_TINY_SWIN_CONFIG, -1, "swin", &error);

  g_assert_no_error (error);
  g_assert_cmpint (c->backbone.kind, ==, UPI_BACKBONE_SWIN);
  g_assert_cmpint (c->backbone.swin.window, ==, 3);
  g_assert_cmpint (c->backbone.swin.depths[2], ==, 3);
  g_assert_cmpint (c->backbone.swin.heads[3], ==, 8);
  g_assert_cmpint (c->backbone.channels[0], ==, 8);
  g_assert_cmpint (c->backbone.channels[3], ==, 64);
  g_assert_cmpint (c->global.backbone.kind, ==, UPI_BACKBONE_SWIN);
  g_assert_cmpint (c->global.backbone.swin.window, ==, 4);
  g_assert_cmpint (c->global.channels, ==, 128);
}

/* Where pictures lie: models/tests/test_letterbox.py has the same rows. */
static void
test_letterbox (void)
{
  static const struct {
    guint image[2], input[2], picture[2];
  } sizes[] = {
    { { 96, 64 }, { 96, 64 }, { 96, 64 } },     /* its own aspect */
    { { 1920, 1080 }, { 64, 64 }, { 64, 36 } }, /* wide */
    { { 1080, 1920 }, { 64, 64 }, { 36, 64 } }, /* high */
    { { 3, 5 }, { 64, 96 }, { 58, 96 } },       /* enlarged: 57.6 */
    { { 5000, 1 }, { 64, 64 }, { 64, 1 } },     /* never nothing */
    { { 8, 5 }, { 96, 64 }, { 96, 60 } }, { { 13, 8 }, { 52, 32 }, { 52, 32 } }, { { 16, 3 }, { 32, 32 }, { 32, 6 } },
    { { 64, 5 }, { 32, 32 }, { 32, 3 } }, /* 2.5: halves go up */
  };
  static const struct {
    guint image[2], input[2], picture[2];
  } by_short[] = {
    { { 640, 480 }, { 1088, 800 }, { 1067, 800 } },
    { { 480, 640 }, { 800, 1088 }, { 800, 1067 } },
    { { 1920, 1080 }, { 1344, 768 }, { 1333, 750 } }, /* bounded by the long side */
    { { 800, 800 }, { 800, 800 }, { 800, 800 } },
    { { 427, 640 }, { 800, 1216 }, { 800, 1199 } },
  };
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (UPI_TINY_LETTERBOX_CONFIG (""), -1, "letterbox", &error);
  guint width, height;

  g_assert_no_error (error);
  g_assert_true (c->input.letterbox);
  g_assert_cmpfloat (c->input.pad[1], ==, c->input.mean[1]);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    upi_letterbox_picture (
        c, sizes[i].image[0], sizes[i].image[1], sizes[i].input[0], sizes[i].input[1], &width, &height);
    g_assert_cmpuint (width, ==, sizes[i].picture[0]);
    g_assert_cmpuint (height, ==, sizes[i].picture[1]);
  }
  g_clear_pointer (&c, upi_config_free);
  c = upi_config_parse (
      UPI_TINY_LETTERBOX_CONFIG (", \"short\": 800, \"long\": 1333, \"pad\": [0, 0.5, 1]"), -1, "short", &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (c->input.pad[1], ==, 0.5f);
  for (guint i = 0; i < G_N_ELEMENTS (by_short); i++) {
    upi_letterbox_input (c, by_short[i].image[0], by_short[i].image[1], &width, &height);
    g_assert_cmpuint (width, ==, by_short[i].input[0]);
    g_assert_cmpuint (height, ==, by_short[i].input[1]);
    upi_letterbox_picture (c, by_short[i].image[0], by_short[i].image[1], width, height, &width, &height);
    g_assert_cmpuint (width, ==, by_short[i].picture[0]);
    g_assert_cmpuint (height, ==, by_short[i].picture[1]);
  }
  upi_letterbox_picture (c, 640, 480, 64, 64, &width, &height); /* an input that was asked for */
  g_assert_cmpuint (width, ==, 64);
  g_assert_cmpuint (height, ==, 48);
}

/* What class evidence leaves out has the values of training. */
static void
test_evidence_defaults (void)
{
  GError *error = NULL;
  g_autoptr (UpiConfig) c =
      upi_config_parse (UPI_TINY_CONFIG_OF ("2", "efficientnet_lite0", "",
                            ", \"evidence\": { \"channels\": [1, 1, 1], \"rank\": [1, 1, 1], \"extra\": [1, 1],"
                            " \"anchors\": [[[0.1, 1]], [[0.2, 2]], [[0.3, 3]]] }"),
          -1, "evidence", &error);

  g_assert_no_error (error);
  g_assert_cmpfloat (c->evidence.pixels, ==, 300);
  g_assert_cmpfloat (c->evidence.ratio, ==, 0.7f);
  g_assert_cmpfloat (c->evidence.near, ==, 0.7f);
  g_assert_false (c->evidence.aligned);
}

/* The bundled model's config is one. */
static void
test_nano (void)
{
  g_autofree gchar *directory = g_build_filename (g_getenv ("UPI_TEST_NANO"), NULL);
  GError *error = NULL;
  g_autoptr (UpiConfig) c = upi_config_open (directory, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (c->name, ==, "nano");
  g_assert_true (c->has_evidence);
}

typedef struct {
  const gchar *what, *from, *to; /* text of the tiny config that is replaced; from NULL: the whole */
  const gchar *says[3];          /* words of the message besides the file's name */
  gboolean second;               /* replaced in SECOND */
} Wrong;

#define WITH_GROUNDING(what) "\"max_tokens\": 12", "\"max_tokens\": 12, \"grounding\": { " what " }"
#define NO_ENTRIES "\"determiners\": [], \"groups\": {}, \"entries\": []"
#define ENTRY(what) "\"determiners\": [], \"groups\": { \"pet\": [\"cat\"] }, \"entries\": [{ " what " }]"

#define LETTERBOX(what) "\"resize\": \"stretch\"", "\"resize\": \"letterbox\", " what
#define SWIN(what) "\"kind\": \"efficientnet_lite0\"", "\"kind\": \"swin\", " what
#define SWIN2(what) "\"kind\": \"mobilenet_v2\"", "\"kind\": \"swin\", " what

static const Wrong wrong[] = {
  { "version-3", "\"format_version\": 1", "\"format_version\": 3", { "format_version is 3", "from 1 to 2" } },
  { "version-0", "\"format_version\": 1", "\"format_version\": 0", { "format_version is 0", "from 1 to 2" } },
  { "mobilenet-in-version-1", "efficientnet_lite0", "mobilenet_v2",
      { "backbone.kind is \"mobilenet_v2\"", "needs format_version 2", "says format_version 1" } },
  { "swin-in-version-1", SWIN ("\"width\": 8, \"depths\": [1, 1, 1, 1], \"heads\": [1, 1, 1, 1], \"window\": 7"),
      { "backbone.kind is \"swin\"", "needs format_version 2", "says format_version 1" } },
  { "swin-without-sizes", SWIN2 ("\"window\": 7"), { "backbone.width is missing" }, TRUE },
  { "swin-unknown", SWIN2 ("\"widht\": 7"), { "backbone.widht is unknown", "depths" }, TRUE },
  { "swin-of-three-stages", SWIN2 ("\"width\": 8, \"depths\": [1, 1, 1], \"heads\": [1, 1, 1, 1], \"window\": 7"),
      { "backbone.depths has 3 entries", "4" }, TRUE },
  { "swin-of-no-blocks", SWIN2 ("\"width\": 8, \"depths\": [1, 0, 1, 1], \"heads\": [1, 1, 1, 1], \"window\": 7"),
      { "backbone.depths is 0", "from 1" }, TRUE },
  { "swin-heads", SWIN2 ("\"width\": 8, \"depths\": [1, 1, 1, 1], \"heads\": [1, 1, 3, 1], \"window\": 7"),
      { "backbone.heads has 3 for stage 3", "divide its 32 channels" }, TRUE },
  { "swin-window", SWIN2 ("\"width\": 8, \"depths\": [1, 1, 1, 1], \"heads\": [1, 1, 1, 1], \"window\": 65"),
      { "backbone.window is 65", "from 2 to 64" }, TRUE },
  { "sizes-of-another-kind", "\"kind\": \"mobilenet_v2\"", "\"kind\": \"mobilenet_v2\", \"window\": 7",
      { "backbone.window is unknown", "kind" }, TRUE },
  { "global-backbone-in-version-1", "\"pools\": 1", "\"pools\": 1, \"backbone\": { \"kind\": \"efficientnet_lite0\" }",
      { "global.backbone needs format_version 2", "says format_version 1" } },
  { "grounding-in-version-1", "\"max_tokens\": 12", "\"max_tokens\": 12, \"grounding\": {}",
      { "caption.grounding needs format_version 2" } },
  { "evidence-in-version-1", "\"d\": 32", "\"d\": 32, \"evidence\": {}", { ": evidence needs format_version 2" } },
  { "evidence-unknown", "\"pixels\": 100", "\"pixel\": 100", { "evidence.pixel is unknown", "pixels" }, TRUE },
  { "evidence-without-rank", "\"rank\": [8, 10, 6], ", "", { "evidence.rank is missing" }, TRUE },
  { "evidence-of-two-maps", "\"rank\": [8, 10, 6]", "\"rank\": [8, 10]", { "evidence.rank has 2 entries", "3" }, TRUE },
  { "evidence-of-no-channels", "\"channels\": [12, 16, 8]", "\"channels\": [12, 0, 8]",
      { "evidence.channels is 0", "from 1" }, TRUE },
  { "evidence-without-anchors", "[[[0.1, 1], [0.2, 2]]", "[[]", { "evidence.anchors has 0 entries", "1 to 64" }, TRUE },
  { "evidence-flat-anchors", "[[[0.1, 1], [0.2, 2]]", "[[0.1, 1]", { "evidence.anchors is 0.1", "array" }, TRUE },
  { "evidence-of-negative-anchors", "[0.2, 2]", "[0.2, -2]", { "evidence.anchors is -2" }, TRUE },
  { "evidence-ratio-above-1", "\"ratio\": 0.6", "\"ratio\": 1.6", { "evidence.ratio is 1.6" }, TRUE },
  { "evidence-near-1", "\"near\": 0.5", "\"near\": 1", { "evidence.near is 1" }, TRUE },
  { "evidence-of-no-labels", "[\"cat\", \"dog\", \"person\"]", "[]", { "evidence speaks for", "labels is empty" },
      TRUE },
  { "calibration-in-version-1", "\"d\": 32", "\"d\": 32, \"calibration\": {}",
      { ": calibration needs format_version 2" } },
  { "unknown-global-kind", "{ \"kind\": \"efficientnet_lite0\" } }", "{ \"kind\": \"mobilenet\" } }",
      { "global.backbone.kind is \"mobilenet\"", "mobilenet_v2", "resnet50" }, TRUE },
  { "global-backbone-a-string", "{ \"kind\": \"efficientnet_lite0\" } }", "\"efficientnet_lite0\" }",
      { "global.backbone is \"efficientnet_lite0\"", "object" }, TRUE },
  { "global-backbone-with-sizes", "{ \"kind\": \"efficientnet_lite0\" } }",
      "{ \"kind\": \"efficientnet_lite0\", \"size\": 2 } }", { "global.backbone.size", "unknown", "kind" }, TRUE },
  { "grounding-a-number", "\"max_tokens\": 12", "\"max_tokens\": 12, \"grounding\": 1",
      { "caption.grounding is 1", "object" }, TRUE },
  { "grounding-empty", WITH_GROUNDING (""), { "caption.grounding.determiners is missing" }, TRUE },
  { "grounding-unknown", WITH_GROUNDING (NO_ENTRIES ", \"entry\": 1"),
      { "caption.grounding.entry is unknown", "entries" }, TRUE },
  { "grounding-of-no-label", WITH_GROUNDING (ENTRY ("\"needs\": [\"horse\"], \"words\": [\"x\"]")),
      { "caption.grounding.entries[0].needs names \"horse\"", "labels nor of the groups" }, TRUE },
  { "grounding-without-words", WITH_GROUNDING (ENTRY ("\"needs\": [\"pet\"]")),
      { "caption.grounding.entries[0].words is missing" }, TRUE },
  { "grounding-of-no-words", WITH_GROUNDING (ENTRY ("\"needs\": [], \"words\": []")),
      { "caption.grounding.entries[0].words has 0 entries" }, TRUE },
  { "grounding-of-numbers", WITH_GROUNDING (ENTRY ("\"needs\": [], \"words\": [1]")),
      { "caption.grounding.entries[0].words holds 1", "strings" }, TRUE },
  { "grounding-misspelt", WITH_GROUNDING (ENTRY ("\"needs\": [], \"words\": [\"x\"], \"after\": true")),
      { "caption.grounding.entries[0].after is unknown", "after_determiner" }, TRUE },
  { "grounding-after-one", WITH_GROUNDING (ENTRY ("\"needs\": [], \"words\": [\"x\"], \"after_determiner\": 1")),
      { "caption.grounding.entries[0].after_determiner is 1", "true or false" }, TRUE },
  { "grounding-entry-a-string", WITH_GROUNDING ("\"determiners\": [], \"groups\": {}, \"entries\": [\"x\"]"),
      { "caption.grounding.entries[0] is \"x\"", "object" }, TRUE },
  { "grounding-group-of-no-label",
      WITH_GROUNDING ("\"determiners\": [], \"groups\": { \"pet\": [\"cow\"] }, \"entries\": []"),
      { "caption.grounding.groups.pet names \"cow\"" }, TRUE },
  { "grounding-group-a-string",
      WITH_GROUNDING ("\"determiners\": [], \"groups\": { \"pet\": \"cat\" }, \"entries\": []"),
      { "caption.grounding.groups.pet is \"cat\"", "array" }, TRUE },
  { "grounding-of-no-candidates", WITH_GROUNDING (NO_ENTRIES ", \"ranking\": { \"candidates\": 0 }"),
      { "caption.grounding.ranking.candidates is 0", "from 1 to 32" }, TRUE },
  { "grounding-blunt", WITH_GROUNDING (NO_ENTRIES ", \"ranking\": { \"sharpness\": 0 }"),
      { "caption.grounding.ranking.sharpness is 0" }, TRUE },
  { "grounding-agreement-negative", WITH_GROUNDING (NO_ENTRIES ", \"ranking\": { \"agreement\": -1 }"),
      { "caption.grounding.ranking.agreement is -1" }, TRUE },
  { "grounding-ranking-unknown", WITH_GROUNDING (NO_ENTRIES ", \"ranking\": { \"sharp\": 1 }"),
      { "caption.grounding.ranking.sharp is unknown", "sharpness" }, TRUE },
  { "calibration-of-images-alone", ", \"regions\": { \"scale\": 0.5, \"offset\": 1 }", "",
      { "calibration.regions is missing" }, TRUE },
  { "calibration-unknown", "\"offset\": -2", "\"offset\": -2, \"bias\": 1",
      { "calibration.image.bias", "unknown", "scale, offset, seen" }, TRUE },
  { "seen-without-floor", ", \"floor\": 0.03", "", { "calibration.image.seen.floor is missing" }, TRUE },
  { "seen-without-ground", "\"floor\": 0.03", "\"floor\": 0", { "calibration.image.seen.floor is 0" }, TRUE },
  { "seen-backwards", "\"weight\": 1.25", "\"weight\": -1", { "calibration.image.seen.weight is -1" }, TRUE },
  { "seen-unknown", "\"floor\": 0.03", "\"floor\": 0.03, \"even\": 1",
      { "calibration.image.seen.even is unknown", "weight, offset, floor" }, TRUE },
  { "seen-a-number", "\"classification\": { \"temperature\": 0.07 }",
      "\"classification\": { \"temperature\": 0.07, \"seen\": 3 }", { "tasks.classification.seen is 3", "object" } },
  { "seen-without-evidence", "\"classification\": { \"temperature\": 0.07 }",
      "\"classification\": { \"temperature\": 0.07, "
      "\"seen\": { \"weight\": 3, \"offset\": 1, \"floor\": 0.1 } }",
      { "tasks.classification.seen asks what regions saw", "needs evidence" } },
  { "calibration-downwards", "\"scale\": 0.5", "\"scale\": -0.5", { "calibration.regions.scale is -0.5" }, TRUE },
  { "calibration-flat", "\"scale\": 1.5", "\"scale\": 0", { "calibration.image.scale is 0" }, TRUE },
  { "calibration-null", "\"scale\": 1.5", "\"scale\": null", { "calibration.image.scale is null", "number" }, TRUE },
  { "version-1-with-all-of-2", "\"format_version\": 2", "\"format_version\": 1",
      { "mobilenet_v2", "needs format_version 2" }, TRUE },
  { "unknown-key", "\"d\": 32", "\"d\": 32, \"dd\": 1", { "dd", "unknown" } },
  { "unknown-key-inside", "\"pools\": 1", "\"pools\": 1, \"pool\": 2", { "global.pool", "unknown", "pools" } },
  { "missing-key", "\"d\": 32, ", "", { "d is missing" } },
  { "missing-object", "\"global\": { \"pools\": 1 },", "", { "global is missing" } },
  { "missing-inside", "\"top_k\": 2,", "", { "decoder.top_k is missing" } },
  { "float-for-integer", "\"points\": 2", "\"points\": 2.5", { "points is 2.5", "integer" } },
  { "string-for-integer", "\"points\": 2", "\"points\": \"2\"", { "points", "integer" } },
  { "zero-layers", "\"region_decoder\": { \"layers\": 2 }", "\"region_decoder\": { \"layers\": 0 }",
      { "region_decoder.layers is 0", "from 1" } },
  { "huge-integer", "\"count\": 10", "\"count\": 99999999999999999999",
      { "" } }, /* json-glib 1.10 may refuse it itself */
  { "negative", "\"count\": 10", "\"count\": -1", { "query.count is -1" } },
  { "unknown-kind", "efficientnet_lite0", "efficientnet", { "backbone.kind", "efficientnet", "resnet50" } },
  { "region-parts-in-version-1", "\"d\": 32", "\"d\": 32, \"region_parts\": \"mask_dino\"",
      { ": region_parts needs format_version 2" } },
  { "own-masks-in-version-1", "\"lateral_norm\": false", "\"lateral_norm\": false, \"own\": true",
      { ": mask.own needs format_version 2; the file says format_version 1" } },
  { "number-for-own-masks", "\"lateral_norm\": false", "\"lateral_norm\": false, \"own\": 1",
      { "mask.own is 1", "true or false" }, TRUE },
  { "unknown-region-parts", "\"d\": 32", "\"d\": 32, \"region_parts\": \"detr\"",
      { "region_parts", "detr", "mask_dino" }, TRUE },
  { "region-parts-of-another-kind", "\"d\": 32", "\"d\": 32, \"region_parts\": \"mask_dino\"",
      { "region_parts is \"mask_dino\"", "kind \"full\"", "query.anchor \"scale\"" }, TRUE },
  { "unknown-resize", "\"stretch\"", "\"crop\"", { "input.resize", "crop", "letterbox" } },
  { "letterbox-in-version-1", "\"stretch\"", "\"letterbox\"",
      { "input.resize is \"letterbox\"", "needs format_version 2" } },
  { "pad-of-stretch", "\"stretch\"", "\"stretch\", \"pad\": [0, 0, 0]", { "input.pad has no meaning", "stretch" } },
  { "letterbox-pad", LETTERBOX ("\"pad\": [0, 2, 0]"), { "input.pad is 2", "from 0 to 1" }, TRUE },
  { "letterbox-short-alone", LETTERBOX ("\"short\": 800"), { "input.long is missing" }, TRUE },
  { "letterbox-long-alone", LETTERBOX ("\"long\": 800"), { "input.long has no meaning without input.short" }, TRUE },
  { "letterbox-long-below-short", LETTERBOX ("\"short\": 800, \"long\": 799"), { "input.long is 799", "from 800" },
      TRUE },
  { "letterbox-multiple", LETTERBOX ("\"multiple\": 48"), { "input.multiple is 48", "32" }, TRUE },
  { "letterbox-beyond", LETTERBOX ("\"short\": 800, \"long\": 4090, \"multiple\": 96"),
      { "input.long is 4090", "4096" }, TRUE },
  { "array-for-object", "\"mask\": { \"channels\": 16, \"groups\": 4, \"lateral_norm\": false }", "\"mask\": []",
      { "mask is []", "object" } },
  { "number-for-boolean", "\"lateral_norm\": false", "\"lateral_norm\": 0",
      { "mask.lateral_norm is 0", "true or false" } },
  { "sizes-not-32", "[64, 64], [96, 64]", "[64, 64], [100, 64]", { "input.sizes is 100", "32" } },
  { "aspects-too-few", "[160, 96]]", "[160, 96]], \"aspects\": [1, 2]", { "input.aspects has 2 entries", "4" } },
  { "aspects-of-nothing", "[160, 96]]", "[160, 96]], \"aspects\": [1, 2, 0, 1]", { "input.aspects is 0", "100" } },
  { "sizes-not-pairs", "[64, 64], [96, 64]", "[64, 64, 3], [96, 64]", { "input.sizes", "2" } },
  { "no-sizes", "[[64, 64], [96, 64], [64, 96], [160, 96]]", "[]", { "input.sizes", "0 entries" } },
  { "two-means", "\"mean\": [0.498, 0.498, 0.498]", "\"mean\": [0.5, 0.5]", { "input.mean", "2 entries" } },
  { "zero-std", "\"std\": [0.502, 0.502, 0.502]", "\"std\": [0.5, 0, 0.5]", { "input.std is 0" } },
  { "heads-do-not-divide", "\"heads\": 4, \"points\"", "\"heads\": 5, \"points\"", { "d is 32", "multiple of 5" } },
  { "d-not-32", "\"d\": 32", "\"d\": 48", { "d is 48", "multiple of 32" } },
  { "groups-do-not-divide", "\"groups\": 4", "\"groups\": 5", { "mask.channels is 16", "multiple of 5" } },
  { "top-k-beyond-experts", "\"top_k\": 2", "\"top_k\": 4", { "decoder.top_k is 4", "to 3" } },
  { "unequal-attribute-rows", "\"text\": [0, 1, 0, 1]", "\"text\": [0, 1, 0]",
      { "decoder.attributes.text", "3 entries", "4" } },
  { "unknown-attribute", "\"text_causal\": [", "\"audio\": [0, 0, 0, 0], \"text_causal\": [",
      { "decoder.attributes.audio", "unknown" } },
  { "caption-beyond-positions", "\"max_tokens\": 12", "\"max_tokens\": 63", { "caption.max_tokens is 63", "62" } },
  { "zero-temperature", "\"classification\": { \"temperature\": 0.07 }", "\"classification\": { \"temperature\": 0 }",
      { "tasks.classification.temperature is 0" } },
  { "rivalry-below-nothing", "\"foreground_weight\": 0.25", "\"foreground_weight\": 0.25, \"rivalry\": -1",
      { "tasks.detection.rivalry is -1" } },
  { "trust-without-evidence", "\"foreground_weight\": 0.25", "\"foreground_weight\": 0.25, \"trust\": 0.5",
      { "tasks.detection.trust trusts evidence, which the model has not" } },
  { "empty-label", "\"dog\"", "\"\"", { "labels" } },
  { "threshold-above-one", "\"threshold\": 0.3", "\"threshold\": 1.5", { "threshold is 1.5" } },
  { "distinct-without-candidates", "\"count\": 10", "\"count\": 10, \"distinct\": 0.8",
      { "query.distinct", "query.candidates" } },
  { "candidates-without-distinct", "\"count\": 10", "\"count\": 10, \"candidates\": 20",
      { "query.distinct is missing" } },
  { "fewer-candidates-than-queries", "\"count\": 10", "\"count\": 10, \"candidates\": 9, \"distinct\": 0.8",
      { "query.candidates is 9", "from 10" } },
  { "cells-with-scale", "\"cells\"", "\"scale\"", { "query.anchor_cells" } },
  { "not-json", "{ \"format_version\"", "{ format_version", { "not JSON" } },
  { "stray-character", "\"d\": 32", "\"d\": 32; ", { "found ';' at byte" } },
  { "escape", "\"tiny\"", "\"t\\ud83d\\u0041\"",
      { "is not JSON: found \\u0041 at byte ", "expected the second half of a surrogate pair" } },
  { "empty", NULL, "", { "empty" } },
  { "an-array", NULL, "[1]", { "object" } },
  { "not-utf-8", "\"tiny\"", "\"t\xffny\"", { "UTF-8" } },
};

static void
test_wrong (gconstpointer data)
{
  const Wrong *w = data;
  g_autofree gchar *text = NULL;
  g_autoptr (UpiConfig) c = NULL;
  g_autoptr (GError) error = NULL;

  if (w->from != NULL) {
    g_auto (GStrv) parts = g_strsplit (w->second ? SECOND : UPI_TINY_CONFIG, w->from, 2);
    g_assert_cmpuint (g_strv_length (parts), ==, 2);
    text = g_strconcat (parts[0], w->to, parts[1], NULL);
  } else {
    text = g_strdup (w->to);
  }
  c = upi_config_parse (text, -1, "the/config.json", &error);
  g_assert_null (c);
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_test_message ("%s", error->message);
  g_assert_true (g_str_has_prefix (error->message, "the/config.json: "));
  for (guint i = 0; i < G_N_ELEMENTS (w->says) && w->says[i] != NULL; i++)
    if (strstr (error->message, w->says[i]) == NULL)
      g_error ("\"%s\" does not say \"%s\"", error->message, w->says[i]);
}

/* Brackets that would exhaust the parser's stack. */
static void
test_deep (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 1000000; i++)
    g_string_append_c (text, '[');
  g_assert_null (upi_config_parse (text->str, (gssize) text->len, "deep", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "nest 17 deep"));
}

/* A character beyond the first plane, as JSON in ASCII writes it. */
static void
test_pair (void)
{
  g_auto (GStrv) parts = g_strsplit (UPI_TINY_CONFIG, "\"tiny\"", 2);
  g_autofree gchar *text = g_strjoinv ("\"\\ud83d\\ude00\"", parts);
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiConfig) c = upi_config_parse (text, -1, "the/config.json", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (c->name, ==, "\xf0\x9f\x98\x80");
}

static void
test_no_file (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (upi_config_open ("/nowhere", &error));
  g_assert_error (error, UPI_ERROR, UPI_ERROR_MODEL);
  g_assert_nonnull (strstr (error->message, "/nowhere/config.json"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/tiny", test_tiny);
  g_test_add_func ("/config/base", test_base);
  g_test_add_func ("/config/second", test_second);
  g_test_add_func ("/config/second-alone", test_second_alone);
  g_test_add_func ("/config/swin", test_swin);
  g_test_add_func ("/config/letterbox", test_letterbox);
  g_test_add_func ("/config/evidence-defaults", test_evidence_defaults);
  g_test_add_func ("/config/nano", test_nano);
  g_test_add_func ("/config/deep", test_deep);
  g_test_add_func ("/config/pair", test_pair);
  g_test_add_func ("/config/no-file", test_no_file);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autofree gchar *path = g_strconcat ("/config/wrong/", wrong[i].what, NULL);
    g_test_add_data_func (path, wrong + i, test_wrong);
  }
  return g_test_run ();
}
