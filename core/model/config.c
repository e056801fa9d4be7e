/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.json → UpiConfig: sizes and ranges of every member; what nobody asks for is unknown. */
#include "core/model/config.h"

#include "core/json-border.h"
#include "core/model/config-evidence.h"
#include "core/model/config-grounding.h"
#include "core/model/config-reader.h"
#include "core/program/program.h"
#include "core/upi.h"

#include <math.h>

const gchar *const upi_attribute_names[UPI_N_ATTRIBUTES] = { "image", "text", "text_causal" };

static const gchar *const backbone_names[] = { "efficientnet_lite0", "resnet50", "mobilenet_v2", "swin", "lcnet",
  NULL }; /* by UpiBackboneKind */
static const gint backbone_channels[][4] = {
  [UPI_BACKBONE_EFFICIENTNET_LITE0] = { 24, 40, 112, 320 },
  [UPI_BACKBONE_RESNET50] = { 256, 512, 1024, 2048 },
  [UPI_BACKBONE_MOBILENET_V2] = { 24, 192, 576, 1280 },
  [UPI_BACKBONE_LCNET] = { 48, 96, 192, 384 },
};

/* Whether the object has a member that format_version 2 brought; a file of version 1 must not have it. */
static gboolean
has_new (UpiReader *r, const UpiConfig *c, const gchar *key)
{
  if (!upi_reader_has (r, key))
    return FALSE;
  if (c->format_version >= 2)
    return TRUE;
  upi_reader_fail (r, key, "needs format_version 2; the file says format_version %d", c->format_version);
  return FALSE;
}

static void
read_triple (UpiReader *r, const gchar *key, gfloat values[3], gdouble least, gdouble most)
{
  JsonArray *array = upi_reader_array (r, key, 3, 3);

  for (guint i = 0; array != NULL && i < 3; i++)
    values[i] = upi_reader_node_float (r, key, json_array_get_element (array, i), least, most);
}

/* What else "resize": "letterbox" says; all of it may be left out. */
static void
read_letterbox (UpiReader *r, UpiConfig *c)
{
  static const gchar *const keys[] = { "pad", "short", "long", "multiple" };

  if (r->object == NULL)
    return;
  memcpy (c->input.pad, c->input.mean, sizeof c->input.pad); /* 0 behind the normalisation */
  c->input.multiple = 32;
  if (c->input.letterbox && c->format_version < 2)
    upi_reader_fail (r, "resize", "is \"letterbox\", which needs format_version 2; the file says format_version %d",
        c->format_version);
  for (guint i = 0; !c->input.letterbox && i < G_N_ELEMENTS (keys); i++)
    if (upi_reader_has (r, keys[i]))
      upi_reader_fail (r, keys[i], "has no meaning where input.resize is \"stretch\"");
  if (r->object == NULL || !c->input.letterbox)
    return;
  if (json_object_has_member (r->object, "pad"))
    read_triple (r, "pad", c->input.pad, 0, 1);
  if (upi_reader_has (r, "multiple")) {
    c->input.multiple = (guint) upi_reader_int (r, "multiple", 32, 1024);
    upi_reader_check_multiple (r, "multiple", (gint) c->input.multiple, 32, "the backbone's coarsest stride");
  }
  if (upi_reader_has (r, "short")) {
    c->input.short_side = (guint) upi_reader_int (r, "short", 32, UPI_MAX_SIDE);
    c->input.long_side = (guint) upi_reader_int (r, "long", (gint) MAX (c->input.short_side, 32), UPI_MAX_SIDE);
    if (r->object != NULL && c->input.long_side > UPI_MAX_SIDE / c->input.multiple * c->input.multiple)
      upi_reader_fail (r, "long", "is %u, which is more than %d once it is a multiple of %u", c->input.long_side,
          UPI_MAX_SIDE, c->input.multiple);
  } else if (upi_reader_has (r, "long")) {
    upi_reader_fail (r, "long", "has no meaning without input.short");
  }
}

/* A size is for pictures of its own aspect, or for those that "aspects" says. */
static void
read_aspects (UpiReader *r, UpiConfig *c)
{
  guint n = c->input.n_sizes;
  JsonArray *aspects = NULL;

  if (upi_reader_has (r, "aspects"))
    aspects = upi_reader_array (r, "aspects", n, n);
  c->input.aspects = g_new (gfloat, n);
  for (guint i = 0; i < n; i++)
    c->input.aspects[i] = aspects != NULL
        ? upi_reader_node_float (r, "aspects", json_array_get_element (aspects, i), 0.01, 100)
        : (gfloat) c->input.sizes[i][0] / (gfloat) MAX (c->input.sizes[i][1], 1);
}

static void
read_input (UpiReader *root, UpiConfig *c)
{
  UpiReader r = upi_reader_object (root, "input", "input.",
      UPI_KEYS ("sizes", "resize", "filter", "mean", "std", "pad", "short", "long", "multiple", "aspects"));
  JsonArray *sizes = upi_reader_array (&r, "sizes", 1, 64);

  c->input.letterbox = upi_reader_choice (&r, "resize", UPI_KEYS ("stretch", "letterbox"));
  upi_reader_choice (&r, "filter", UPI_KEYS ("triangle"));
  read_triple (&r, "mean", c->input.mean, 0, 1);
  read_triple (&r, "std", c->input.std, 1e-3, 10);
  read_letterbox (&r, c);
  if (sizes == NULL)
    return;
  c->input.n_sizes = json_array_get_length (sizes);
  c->input.sizes = g_malloc0_n (c->input.n_sizes, sizeof *c->input.sizes);
  for (guint i = 0; i < c->input.n_sizes; i++) {
    JsonArray *pair = upi_reader_node_array (&r, "sizes", json_array_get_element (sizes, i), 2, 2);
    for (guint k = 0; pair != NULL && k < 2; k++) {
      c->input.sizes[i][k] =
          (guint) upi_reader_node_int (&r, "sizes", json_array_get_element (pair, k), 32, UPI_MAX_SIDE);
      upi_reader_check_multiple (&r, "sizes", c->input.sizes[i][k], 32, "the backbone's coarsest stride");
    }
  }
  read_aspects (&r, c);
}

static void
read_swin (UpiReader *r, UpiBackboneSizes *b)
{
  b->swin.width = upi_reader_int (r, "width", 4, 1024);
  upi_reader_ints (r, "depths", b->swin.depths, 4, 1, 64);
  upi_reader_ints (r, "heads", b->swin.heads, 4, 1, 256);
  b->swin.window = upi_reader_int (r, "window", 2, UPI_MAX_WINDOW);
  for (guint i = 0; i < 4; i++) {
    b->channels[i] = b->swin.width << i;
    if (b->swin.heads[i] > 0 && b->channels[i] % b->swin.heads[i] != 0)
      upi_reader_fail (r, "heads",
          "has %d for stage %u, which do not divide its %d channels (width %d doubled %u times)", b->swin.heads[i],
          i + 1, b->channels[i], b->swin.width, i);
  }
}

static void
read_backbone (UpiReader *parent, const gchar *path, const UpiConfig *c, UpiBackboneSizes *b)
{
  /* first the kind alone: it says which other keys there are */
  UpiReader r = upi_reader_object (parent, "backbone", path, NULL);

  b->kind = upi_reader_choice (&r, "kind", backbone_names);
  if (b->kind >= UPI_BACKBONE_MOBILENET_V2 && c->format_version < 2) /* this one and those behind it */
    upi_reader_fail (&r, "kind", "is \"%s\", which needs format_version 2; the file says format_version %d",
        backbone_names[b->kind], c->format_version);
  if (b->kind == UPI_BACKBONE_SWIN) {
    upi_reader_check_keys (&r, UPI_KEYS ("kind", "width", "depths", "heads", "window"));
    read_swin (&r, b);
    return;
  }
  upi_reader_check_keys (&r, UPI_KEYS ("kind"));
  memcpy (b->channels, backbone_channels[b->kind], sizeof b->channels);
}

static void
read_global (UpiReader *root, UpiConfig *c)
{
  UpiReader r = upi_reader_object (root, "global", "global.", UPI_KEYS ("pools", "backbone"));

  c->global.pools = upi_reader_int (&r, "pools", 0, 16);
  c->global.has_backbone = has_new (&r, c, "backbone");
  if (c->global.has_backbone)
    read_backbone (&r, "global.backbone.", c, &c->global.backbone);
  c->global.channels = (c->global.has_backbone ? &c->global.backbone : &c->backbone)->channels[3];
}

/* Where queries come from, without a detector that says it. */
static void
read_anchors (UpiReader *query, UpiConfig *c)
{
  c->query.anchor = upi_reader_choice (query, "anchor", UPI_KEYS ("cells", "scale"));
  if (c->query.anchor == UPI_ANCHOR_CELLS)
    c->query.anchor_cells = upi_reader_float (query, "anchor_cells", 1e-3, 1e3);
  else if (upi_reader_has (query, "anchor_cells"))
    upi_reader_fail (query, "anchor_cells", "has no meaning where query.anchor is \"scale\"");
  c->query.content = upi_reader_choice (query, "content", UPI_KEYS ("pixel", "learned"));
}

static void
read_region_parts (UpiReader *root, UpiConfig *c)
{
  UpiReader pixel = upi_reader_object (root, "pixel_encoder", "pixel_encoder.", UPI_KEYS ("kind", "layers"));
  UpiReader query, region, mask;

  c->has_detector = has_new (root, c, "detector");
  read_backbone (root, "backbone.", c, &c->backbone);
  c->d = upi_reader_int (root, "d", 32, 2048);
  upi_reader_check_multiple (root, "d", c->d, 32, "32 groups of its group norms");
  c->heads = upi_reader_int (root, "heads", 1, 64);
  upi_reader_check_multiple (root, "d", c->d, c->heads, "heads");
  c->points = upi_reader_int (root, "points", 1, 16);
  c->levels = upi_reader_int (root, "levels", 3, 4);
  c->region_ffn = upi_reader_int (root, "region_ffn", 1, 16384);

  c->pixel_encoder.kind = upi_reader_choice (&pixel, "kind", UPI_KEYS ("full", "lite", "pyramid"));
  if (c->pixel_encoder.kind == UPI_PIXEL_ENCODER_PYRAMID)
    c->pixel_encoder.layers = upi_reader_int (&pixel, "layers", 0, 0);
  else
    c->pixel_encoder.layers = upi_reader_int (&pixel, "layers", 1, 64);
  upi_config_check_detector (root, c);

  query = upi_reader_object (root, "query", "query.",
      c->has_detector ? UPI_KEYS ("count", "candidates", "distinct")
                      : UPI_KEYS ("count", "anchor", "anchor_cells", "content", "candidates", "distinct"));
  c->query.count = upi_reader_int (&query, "count", 1, 4096);
  if (!c->has_detector)
    read_anchors (&query, c);
  if (c->has_detector || upi_reader_has (&query, "candidates")) {
    c->query.candidates = upi_reader_int (&query, "candidates", MAX (c->query.count, 1), 4096);
    c->query.distinct = upi_reader_float (&query, "distinct", 1e-3, 1);
  } else if (upi_reader_has (&query, "distinct"))
    upi_reader_fail (&query, "distinct", "has no meaning without query.candidates");

  region = upi_reader_object (root, "region_decoder", "region_decoder.", UPI_KEYS ("layers"));
  c->region_decoder.layers = upi_reader_int (&region, "layers", 1, 64);

  mask = upi_reader_object (root, "mask", "mask.", UPI_KEYS ("channels", "groups", "lateral_norm", "own"));
  c->mask.channels = upi_reader_int (&mask, "channels", 1, 2048);
  c->mask.groups = upi_reader_int (&mask, "groups", 1, 2048);
  upi_reader_check_multiple (&mask, "channels", c->mask.channels, c->mask.groups, "groups");
  c->mask.lateral_norm = upi_reader_boolean (&mask, "lateral_norm");
  c->mask.own = has_new (&mask, c, "own") && upi_reader_boolean (&mask, "own");
  c->mask_dino = has_new (root, c, "region_parts");
  if (c->mask_dino) {
    upi_reader_choice (root, "region_parts", UPI_KEYS ("mask_dino"));
    if (c->pixel_encoder.kind != UPI_PIXEL_ENCODER_FULL || c->query.anchor != UPI_ANCHOR_SCALE)
      upi_reader_fail (root, "region_parts",
          "is \"mask_dino\", which has a pixel_encoder of kind \"full\" and "
          "query.anchor \"scale\"");
  }
  read_global (root, c);
}

static void
read_decoder (UpiReader *root, UpiConfig *c)
{
  UpiReader r = upi_reader_object (root, "decoder", "decoder.",
      UPI_KEYS ("width", "layers", "heads", "ffn", "norm", "experts", "top_k", "attributes"));
  UpiReader attributes = upi_reader_object (&r, "attributes", "decoder.attributes.",
      UPI_KEYS (upi_attribute_names[0], upi_attribute_names[1], upi_attribute_names[2]));

  c->decoder.width = upi_reader_int (&r, "width", 4, 8192);
  upi_reader_check_multiple (&r, "width", c->decoder.width, 4, "sine and cosine of two coordinates");
  c->decoder.layers = upi_reader_int (&r, "layers", 1, 64);
  c->decoder.heads = upi_reader_int (&r, "heads", 1, 128);
  upi_reader_check_multiple (&r, "width", c->decoder.width, c->decoder.heads, "heads");
  c->decoder.ffn = upi_reader_int (&r, "ffn", 1, 65536);
  c->decoder.post_norm = upi_reader_choice (&r, "norm", UPI_KEYS ("pre", "post"));
  c->decoder.experts = upi_reader_int (&r, "experts", 1, 64);
  c->decoder.top_k = upi_reader_int (&r, "top_k", 1, MAX (c->decoder.experts, 1));
  for (guint i = 0; i < UPI_N_ATTRIBUTES; i++) {
    guint least = c->decoder.n_attributes ? c->decoder.n_attributes : 1; /* rows are as long as the first */
    guint most = c->decoder.n_attributes ? c->decoder.n_attributes : 64;
    JsonArray *row = upi_reader_array (&attributes, upi_attribute_names[i], least, most);
    if (row == NULL)
      return;
    c->decoder.n_attributes = json_array_get_length (row);
    c->decoder.attributes[i] = g_new0 (gfloat, c->decoder.n_attributes);
    for (gint k = 0; k < c->decoder.n_attributes; k++)
      c->decoder.attributes[i][k] =
          upi_reader_node_float (&attributes, upi_attribute_names[i], json_array_get_element (row, k), -1e3, 1e3);
  }
}

static void
read_text (UpiReader *root, UpiConfig *c)
{
  UpiReader r = upi_reader_object (root, "text", "text.",
      UPI_KEYS ("kind", "width", "layers", "heads", "ffn", "vocabulary", "positions", "type_vocabulary",
          "layer_norm_eps", "tokenizer", "lower_case"));
  UpiReader caption = upi_reader_object (root, "caption", "caption.", UPI_KEYS ("max_tokens", "grounding"));

  c->text.kind = upi_reader_choice (&r, "kind", UPI_KEYS ("bert", "roberta"));
  c->text.width = upi_reader_int (&r, "width", 1, 8192);
  c->text.layers = upi_reader_int (&r, "layers", 1, 64);
  c->text.heads = upi_reader_int (&r, "heads", 1, 128);
  upi_reader_check_multiple (&r, "width", c->text.width, c->text.heads, "heads");
  c->text.ffn = upi_reader_int (&r, "ffn", 1, 65536);
  c->text.vocabulary = upi_reader_int (&r, "vocabulary", 4, 1 << 20);
  c->text.positions = upi_reader_int (&r, "positions", 8, 1 << 16);
  c->text.type_vocabulary = upi_reader_int (&r, "type_vocabulary", 1, 64);
  c->text.layer_norm_eps = upi_reader_float (&r, "layer_norm_eps", 1e-15, 1e-2);
  c->text.tokenizer =
      upi_reader_choice (&r, "tokenizer", UPI_KEYS ("wordpiece", "bpe")) ? UPI_TOKENIZER_BPE : UPI_TOKENIZER_WORDPIECE;
  c->text.lower_case = upi_reader_boolean (&r, "lower_case");
  /* [CLS], the caption, and [SEP] each have a position */
  c->caption.max_tokens = upi_reader_int (&caption, "max_tokens", 1, MAX (upi_config_text_positions (c) - 2, 1));
  has_new (&caption, c, "grounding"); /* read when the labels are known */
}

static gboolean
read_seen (UpiReader *of, const gchar *path, UpiSighting *seen)
{
  UpiReader r;

  if (!upi_reader_has (of, "seen"))
    return FALSE;
  r = upi_reader_object (of, "seen", path, UPI_KEYS ("weight", "offset", "floor"));
  seen->weight = upi_reader_float (&r, "weight", 0, 1e3);
  seen->offset = upi_reader_float (&r, "offset", -1e6, 1e6);
  seen->floor = upi_reader_float (&r, "floor", 1e-6, 1);
  return TRUE;
}

static UpiCalibration
read_calibration_of (UpiReader *calibration, const gchar *key, const gchar *path, const gchar *seen_path)
{
  UpiReader r = upi_reader_object (calibration, key, path, UPI_KEYS ("scale", "offset", "seen"));
  UpiCalibration result = {
    .scale = upi_reader_float (&r, "scale", 1e-6, 1e6),
    .offset = upi_reader_float (&r, "offset", -1e6, 1e6),
  };

  result.has_seen = read_seen (&r, seen_path, &result.seen);
  return result;
}

static void
read_calibration (UpiReader *root, UpiConfig *c)
{
  UpiReader r;

  c->has_calibration = has_new (root, c, "calibration");
  if (!c->has_calibration)
    return;
  r = upi_reader_object (root, "calibration", "calibration.", UPI_KEYS ("image", "regions"));
  c->calibration.image = read_calibration_of (&r, "image", "calibration.image.", "calibration.image.seen.");
  c->calibration.regions = read_calibration_of (&r, "regions", "calibration.regions.", "calibration.regions.seen.");
}

static void
read_tasks (UpiReader *root, UpiConfig *c)
{
  UpiReader r =
      upi_reader_object (root, "tasks", "tasks.", UPI_KEYS ("detection", "classification", "captioning", "retrieval"));
  UpiReader detection = upi_reader_object (
      &r, "detection", "tasks.detection.", UPI_KEYS ("temperature", "bias", "foreground_weight", "rivalry", "trust"));
  UpiReader classification =
      upi_reader_object (&r, "classification", "tasks.classification.", UPI_KEYS ("temperature", "seen"));
  UpiReader captioning = upi_reader_object (&r, "captioning", "tasks.captioning.", UPI_KEYS ("temperature"));
  UpiReader retrieval = upi_reader_object (&r, "retrieval", "tasks.retrieval.", UPI_KEYS ("temperature"));

  c->tasks.detection.temperature = upi_reader_float (&detection, "temperature", 1e-4, 1e3);
  c->tasks.detection.bias = upi_reader_float (&detection, "bias", -1e3, 1e3);
  c->tasks.detection.foreground_weight = upi_reader_float (&detection, "foreground_weight", 0, 1);
  c->tasks.detection.rivalry = upi_reader_float_or (&detection, "rivalry", 0, 100, 0);
  c->tasks.detection.trust = upi_reader_float_or (&detection, "trust", 0, 1, 0);
  c->tasks.classification.temperature = upi_reader_float (&classification, "temperature", 1e-4, 1e3);
  c->tasks.classification.has_seen =
      read_seen (&classification, "tasks.classification.seen.", &c->tasks.classification.seen);
  c->tasks.captioning.temperature = upi_reader_float (&captioning, "temperature", 1e-4, 1e3);
  c->tasks.retrieval.temperature = upi_reader_float (&retrieval, "temperature", 1e-4, 1e3);
}

/* How near a label is to one of the model's own is known with class evidence alone. */
static void
check_seen (UpiReader *root, const UpiConfig *c)
{
  static const gchar *const where[] = { "tasks.classification.seen", "calibration.image.seen",
    "calibration.regions.seen" };
  const gboolean has[] = { c->tasks.classification.has_seen, c->calibration.image.has_seen,
    c->calibration.regions.has_seen };

  for (guint i = 0; i < G_N_ELEMENTS (has); i++)
    if (has[i] && !c->has_evidence)
      upi_reader_fail (root, where[i], "asks what regions saw of the model's own labels, which needs evidence");
  if (c->tasks.detection.trust > 0 && !c->has_evidence)
    upi_reader_fail (root, "tasks.detection.trust", "trusts evidence, which the model has not");
}

static void
read_labels (UpiReader *root, UpiConfig *c)
{
  c->labels = upi_reader_strings (root, "labels", 0, 1 << 20);
}

UpiConfig *
upi_config_parse (const gchar *json, gssize length, const gchar *file, GError **error)
{
  g_autoptr (UpiConfig) c = NULL;
  g_autoptr (JsonParser) parser = NULL;
  GError *cause = NULL;
  UpiReader root = { file, "", NULL, &cause };

  parser = upi_json_parse (json, length < 0 ? strlen (json) : (gsize) length, 16, file, "a JSON object", error);
  if (parser == NULL)
    return NULL;
  c = g_new0 (UpiConfig, 1);
  root.object = json_node_get_object (json_parser_get_root (parser));
  /* the version first: another one may well have other keys */
  c->format_version = upi_reader_int (&root, "format_version", UPI_CONFIG_OLDEST_VERSION, UPI_CONFIG_FORMAT_VERSION);
  upi_reader_check_keys (&root,
      UPI_KEYS ("format_version", "name", "input", "backbone", "d", "heads", "points", "levels", "region_ffn",
          "region_parts", "pixel_encoder", "query", "region_decoder", "mask", "evidence", "detector", "global",
          "decoder", "text", "caption", "tasks", "calibration", "labels", "threshold"));
  c->name = g_strdup (upi_reader_string (&root, "name"));
  read_input (&root, c);
  read_region_parts (&root, c);
  read_decoder (&root, c);
  read_text (&root, c);
  read_tasks (&root, c);
  read_calibration (&root, c);
  read_labels (&root, c);
  c->has_evidence = has_new (&root, c, "evidence") || c->has_detector;
  upi_config_read_evidence (&root, c);
  check_seen (&root, c);
  c->caption.grounding = upi_config_read_grounding (&root, c);
  c->threshold = upi_reader_float (&root, "threshold", 0, 1);
  if (cause != NULL) {
    g_propagate_error (error, cause);
    return NULL;
  }
  return g_steal_pointer (&c);
}

UpiConfig *
upi_config_open (const gchar *directory, GError **error)
{
  g_autofree gchar *file = g_build_filename (directory, "config.json", NULL);
  g_autofree gchar *text = NULL;
  g_autoptr (GError) cause = NULL;
  gsize length = 0;

  if (!g_file_get_contents (file, &text, &length, &cause)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL,
        "%s: %s; a model is a directory with config.json, *.safetensors and tokenizer files", file, cause->message);
    return NULL;
  }
  return upi_config_parse (text, (gssize) length, file, error);
}

void
upi_config_free (UpiConfig *c)
{
  if (c == NULL)
    return;
  g_free (c->name);
  g_free (c->input.sizes);
  g_free (c->input.aspects);
  for (guint i = 0; i < UPI_N_ATTRIBUTES; i++)
    g_free (c->decoder.attributes[i]);
  for (guint i = 0; i < UPI_EVIDENCE_MAPS; i++)
    g_free (c->evidence.anchors[i]);
  g_strfreev (c->labels);
  upi_grounding_table_free (c->caption.grounding);
  g_free (c);
}

gint
upi_config_text_positions (const UpiConfig *c)
{
  return c->text.positions - (c->text.kind == UPI_TEXT_ROBERTA ? 2 : 0);
}
