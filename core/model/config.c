/* config.json → UpiConfig: each member is read by a function that names it in the error; what nobody asked for is unknown. */
#include "core/model/config.h"

#include "core/model/json-border.h"
#include "core/upi.h"

#include <math.h>

const gchar *const upi_attribute_names[UPI_N_ATTRIBUTES] = { "image", "text", "text_causal" };

static const gchar *const backbone_names[] = { "efficientnet_lite0", "resnet50", "mobilenet_v2", NULL }; /* by UpiBackboneKind */
static const gint backbone_channels[][4] = {
  [UPI_BACKBONE_EFFICIENTNET_LITE0] = { 24, 40, 112, 320 },
  [UPI_BACKBONE_RESNET50] = { 256, 512, 1024, 2048 },
  [UPI_BACKBONE_MOBILENET_V2] = { 24, 192, 576, 1280 },
};

/* ---- reading members ------------------------------------------------------------------------------------------------------------- */

/* One object of the file. After the first error every read returns zero, so that parsing needs no branch a line. */
typedef struct {
  const gchar *file;
  const gchar *path;  /* "decoder." or "" */
  JsonObject *object; /* NULL once something failed */
  GError **error;
} Reader;

G_GNUC_PRINTF (3, 4)
static void
fail (Reader *r, const gchar *key, const gchar *format, ...)
{
  va_list args;
  g_autofree gchar *what = NULL;

  if (r->error && *r->error)
    return;
  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (r->error, UPI_ERROR, UPI_ERROR_MODEL, "%s: %s%s %s", r->file, r->path, key, what);
}

/* The value as the file spells it, for errors. */
static gchar *
spell (JsonNode *node)
{
  g_autofree gchar *text = json_to_string (node, FALSE);

  return g_utf8_strlen (text, -1) <= 60 ? g_steal_pointer (&text) : g_utf8_substring (text, 0, 60);
}

static JsonNode *
member (Reader *r, const gchar *key)
{
  if (!r->object)
    return NULL;
  if (!json_object_has_member (r->object, key)) {
    fail (r, key, "is missing");
    return NULL;
  }
  return json_object_get_member (r->object, key);
}

static gint64
node_int (Reader *r, const gchar *key, JsonNode *node, gint64 least, gint64 most)
{
  g_autofree gchar *found = NULL;

  if (!node)
    return 0;
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64) {
    gint64 value = json_node_get_int (node);
    if (value >= least && value <= most)
      return value;
  }
  found = spell (node);
  fail (r, key, "is %s, expected an integer from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, found, least, most);
  return 0;
}

static gint
read_int (Reader *r, const gchar *key, gint least, gint most)
{
  return (gint) node_int (r, key, member (r, key), least, most);
}

static gfloat
node_float (Reader *r, const gchar *key, JsonNode *node, gdouble least, gdouble most)
{
  g_autofree gchar *found = NULL;

  if (!node)
    return 0;
  if (JSON_NODE_HOLDS_VALUE (node)
      && (json_node_get_value_type (node) == G_TYPE_INT64 || json_node_get_value_type (node) == G_TYPE_DOUBLE)) {
    gdouble value = json_node_get_double (node);
    if (value >= least && value <= most)
      return (gfloat) value;
  }
  found = spell (node);
  fail (r, key, "is %s, expected a number from %g to %g", found, least, most);
  return 0;
}

static gfloat
read_float (Reader *r, const gchar *key, gdouble least, gdouble most)
{
  return node_float (r, key, member (r, key), least, most);
}

static gboolean
read_boolean (Reader *r, const gchar *key)
{
  JsonNode *node = member (r, key);

  if (!node)
    return FALSE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN) {
    g_autofree gchar *found = spell (node);
    fail (r, key, "is %s, expected true or false", found);
    return FALSE;
  }
  return json_node_get_boolean (node);
}

static const gchar *
read_string (Reader *r, const gchar *key)
{
  JsonNode *node = member (r, key);

  if (!node)
    return NULL;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING || *json_node_get_string (node) == '\0') {
    g_autofree gchar *found = spell (node);
    fail (r, key, "is %s, expected a string that is not empty", found);
    return NULL;
  }
  return json_node_get_string (node);
}

/* Index of the string among choices. */
static gint
read_choice (Reader *r, const gchar *key, const gchar *const *choices)
{
  const gchar *found = read_string (r, key);
  g_autofree gchar *known = NULL;

  if (!found)
    return 0;
  for (gint i = 0; choices[i]; i++)
    if (g_str_equal (choices[i], found))
      return i;
  known = g_strjoinv (" or ", (gchar **) choices);
  fail (r, key, "is \"%s\", expected %s", found, known);
  return 0;
}

static JsonArray *
node_array (Reader *r, const gchar *key, JsonNode *node, guint least, guint most)
{
  g_autofree gchar *found = NULL;

  if (!node)
    return NULL;
  if (JSON_NODE_HOLDS_ARRAY (node)) {
    JsonArray *array = json_node_get_array (node);
    if (json_array_get_length (array) >= least && json_array_get_length (array) <= most)
      return array;
    if (least == most)
      fail (r, key, "has %u entries, expected %u", json_array_get_length (array), least);
    else
      fail (r, key, "has %u entries, expected %u to %u", json_array_get_length (array), least, most);
    return NULL;
  }
  found = spell (node);
  fail (r, key, "is %s, expected an array", found);
  return NULL;
}

static JsonArray *
read_array (Reader *r, const gchar *key, guint least, guint most)
{
  return node_array (r, key, member (r, key), least, most);
}

/* Members that the format does not know are errors: a misspelt key must not silently mean its default. */
static void
check_keys (Reader *r, const gchar *const *known)
{
  JsonObjectIter iter;
  const gchar *key;

  if (!r->object)
    return;
  json_object_iter_init (&iter, r->object);
  while (json_object_iter_next (&iter, &key, NULL)) {
    if (!g_strv_contains (known, key)) {
      g_autofree gchar *list = g_strjoinv (", ", (gchar **) known);
      fail (r, key, "is unknown; known here: %s", list);
      return;
    }
  }
}

#define KEYS(...) ((const gchar *const[]){ __VA_ARGS__, NULL })

/* The object at key; path is what its own members are called by. known NULL: any members. */
static Reader
read_object (Reader *r, const gchar *key, const gchar *path, const gchar *const *known)
{
  JsonNode *node = member (r, key);
  Reader child = { r->file, path, NULL, r->error };

  if (node && !JSON_NODE_HOLDS_OBJECT (node)) {
    g_autofree gchar *found = spell (node);
    fail (r, key, "is %s, expected an object", found);
  } else if (node) {
    child.object = json_node_get_object (node);
    if (known)
      check_keys (&child, known);
  }
  return child;
}

/* Whether the object has a member that format_version 2 brought; a file of version 1 must not have it. */
static gboolean
has_new (Reader *r, const UpiConfig *c, const gchar *key)
{
  if (!r->object || !json_object_has_member (r->object, key))
    return FALSE;
  if (c->format_version >= 2)
    return TRUE;
  fail (r, key, "needs format_version 2; the file says format_version %d", c->format_version);
  return FALSE;
}

static void
check_multiple (Reader *r, const gchar *key, gint value, gint of, const gchar *why)
{
  if (r->object && of > 0 && value % of != 0)
    fail (r, key, "is %d, expected a multiple of %d (%s)", value, of, why);
}

/* ---- parts ----------------------------------------------------------------------------------------------------------------------- */

static void
read_triple (Reader *r, const gchar *key, gfloat values[3], gdouble least, gdouble most)
{
  JsonArray *array = read_array (r, key, 3, 3);

  for (guint i = 0; array && i < 3; i++)
    values[i] = node_float (r, key, json_array_get_element (array, i), least, most);
}

static void
read_input (Reader *root, UpiConfig *c)
{
  Reader r = read_object (root, "input", "input.", KEYS ("sizes", "resize", "filter", "mean", "std"));
  JsonArray *sizes = read_array (&r, "sizes", 1, 64);

  read_choice (&r, "resize", KEYS ("stretch"));
  read_choice (&r, "filter", KEYS ("triangle"));
  read_triple (&r, "mean", c->input.mean, 0, 1);
  read_triple (&r, "std", c->input.std, 1e-3, 10);
  if (!sizes)
    return;
  c->input.n_sizes = json_array_get_length (sizes);
  c->input.sizes = g_malloc0_n (c->input.n_sizes, sizeof *c->input.sizes);
  for (guint i = 0; i < c->input.n_sizes; i++) {
    JsonArray *pair = node_array (&r, "sizes", json_array_get_element (sizes, i), 2, 2);
    for (guint k = 0; pair && k < 2; k++) {
      c->input.sizes[i][k] = (guint) node_int (&r, "sizes", json_array_get_element (pair, k), 32, UPI_MAX_SIDE);
      check_multiple (&r, "sizes", c->input.sizes[i][k], 32, "the backbone's coarsest stride");
    }
  }
}

static UpiBackboneKind
read_backbone (Reader *parent, const gchar *path, const UpiConfig *c)
{
  Reader r = read_object (parent, "backbone", path, KEYS ("kind"));
  UpiBackboneKind kind = read_choice (&r, "kind", backbone_names);

  if (kind == UPI_BACKBONE_MOBILENET_V2 && c->format_version < 2)
    fail (&r, "kind", "is \"%s\", which needs format_version 2; the file says format_version %d", backbone_names[kind], c->format_version);
  return kind;
}

static void
read_global (Reader *root, UpiConfig *c)
{
  Reader r = read_object (root, "global", "global.", KEYS ("pools", "backbone"));

  c->global.pools = read_int (&r, "pools", 0, 16);
  c->global.has_backbone = has_new (&r, c, "backbone");
  if (c->global.has_backbone)
    c->global.backbone = read_backbone (&r, "global.backbone.", c);
  c->global.channels = backbone_channels[c->global.has_backbone ? c->global.backbone : c->backbone][3];
}

static void
read_region_parts (Reader *root, UpiConfig *c)
{
  Reader pixel = read_object (root, "pixel_encoder", "pixel_encoder.", KEYS ("kind", "layers"));
  Reader query, region, mask;

  c->backbone = read_backbone (root, "backbone.", c);
  memcpy (c->channels, backbone_channels[c->backbone], sizeof c->channels);
  c->d = read_int (root, "d", 32, 2048);
  check_multiple (root, "d", c->d, 32, "32 groups of its group norms");
  c->heads = read_int (root, "heads", 1, 64);
  check_multiple (root, "d", c->d, c->heads, "heads");
  c->points = read_int (root, "points", 1, 16);
  c->levels = read_int (root, "levels", 3, 4);
  c->region_ffn = read_int (root, "region_ffn", 1, 16384);

  c->pixel_encoder.kind = read_choice (&pixel, "kind", KEYS ("full", "lite"));
  c->pixel_encoder.layers = read_int (&pixel, "layers", 1, 64);

  query = read_object (root, "query", "query.", KEYS ("count", "anchor", "anchor_cells", "content", "candidates", "distinct"));
  c->query.count = read_int (&query, "count", 1, 4096);
  c->query.anchor = read_choice (&query, "anchor", KEYS ("cells", "scale"));
  if (c->query.anchor == UPI_ANCHOR_CELLS)
    c->query.anchor_cells = read_float (&query, "anchor_cells", 1e-3, 1e3);
  else if (query.object && json_object_has_member (query.object, "anchor_cells"))
    fail (&query, "anchor_cells", "has no meaning where query.anchor is \"scale\"");
  c->query.content = read_choice (&query, "content", KEYS ("pixel", "learned"));
  if (query.object && json_object_has_member (query.object, "candidates")) {
    c->query.candidates = read_int (&query, "candidates", MAX (c->query.count, 1), 4096);
    c->query.distinct = read_float (&query, "distinct", 1e-3, 1);
  } else if (query.object && json_object_has_member (query.object, "distinct"))
    fail (&query, "distinct", "has no meaning without query.candidates");

  region = read_object (root, "region_decoder", "region_decoder.", KEYS ("layers"));
  c->region_decoder.layers = read_int (&region, "layers", 1, 64);

  mask = read_object (root, "mask", "mask.", KEYS ("channels", "groups", "lateral_norm"));
  c->mask.channels = read_int (&mask, "channels", 1, 2048);
  c->mask.groups = read_int (&mask, "groups", 1, 2048);
  check_multiple (&mask, "channels", c->mask.channels, c->mask.groups, "groups");
  c->mask.lateral_norm = read_boolean (&mask, "lateral_norm");
  read_global (root, c);
}

static void
read_decoder (Reader *root, UpiConfig *c)
{
  Reader r = read_object (root, "decoder", "decoder.", KEYS ("width", "layers", "heads", "ffn", "norm", "experts", "top_k", "attributes"));
  Reader attributes =
      read_object (&r, "attributes", "decoder.attributes.", KEYS (upi_attribute_names[0], upi_attribute_names[1], upi_attribute_names[2]));

  c->decoder.width = read_int (&r, "width", 4, 8192);
  check_multiple (&r, "width", c->decoder.width, 4, "sine and cosine of two coordinates");
  c->decoder.layers = read_int (&r, "layers", 1, 64);
  c->decoder.heads = read_int (&r, "heads", 1, 128);
  check_multiple (&r, "width", c->decoder.width, c->decoder.heads, "heads");
  c->decoder.ffn = read_int (&r, "ffn", 1, 65536);
  c->decoder.post_norm = read_choice (&r, "norm", KEYS ("pre", "post"));
  c->decoder.experts = read_int (&r, "experts", 1, 64);
  c->decoder.top_k = read_int (&r, "top_k", 1, MAX (c->decoder.experts, 1));
  for (guint i = 0; i < UPI_N_ATTRIBUTES; i++) {
    guint least = c->decoder.n_attributes ? c->decoder.n_attributes : 1; /* rows are as long as the first */
    guint most = c->decoder.n_attributes ? c->decoder.n_attributes : 64;
    JsonArray *row = read_array (&attributes, upi_attribute_names[i], least, most);
    if (!row)
      return;
    c->decoder.n_attributes = json_array_get_length (row);
    c->decoder.attributes[i] = g_new0 (gfloat, c->decoder.n_attributes);
    for (gint k = 0; k < c->decoder.n_attributes; k++)
      c->decoder.attributes[i][k] = node_float (&attributes, upi_attribute_names[i], json_array_get_element (row, k), -1e3, 1e3);
  }
}

static void
read_text (Reader *root, UpiConfig *c)
{
  Reader r = read_object (root, "text", "text.",
      KEYS ("kind", "width", "layers", "heads", "ffn", "vocabulary", "positions", "type_vocabulary", "layer_norm_eps", "tokenizer",
          "lower_case"));
  Reader caption = read_object (root, "caption", "caption.", KEYS ("max_tokens", "grounding"));

  c->text.kind = read_choice (&r, "kind", KEYS ("bert", "roberta"));
  c->text.width = read_int (&r, "width", 1, 8192);
  c->text.layers = read_int (&r, "layers", 1, 64);
  c->text.heads = read_int (&r, "heads", 1, 128);
  check_multiple (&r, "width", c->text.width, c->text.heads, "heads");
  c->text.ffn = read_int (&r, "ffn", 1, 65536);
  c->text.vocabulary = read_int (&r, "vocabulary", 4, 1 << 20);
  c->text.positions = read_int (&r, "positions", 8, 1 << 16);
  c->text.type_vocabulary = read_int (&r, "type_vocabulary", 1, 64);
  c->text.layer_norm_eps = read_float (&r, "layer_norm_eps", 1e-15, 1e-2);
  c->text.tokenizer = read_choice (&r, "tokenizer", KEYS ("wordpiece", "bpe")) ? UPI_TOKENIZER_BPE : UPI_TOKENIZER_WORDPIECE;
  c->text.lower_case = read_boolean (&r, "lower_case");
  /* [CLS], the caption, and [SEP] each have a position */
  c->caption.max_tokens = read_int (&caption, "max_tokens", 1, MAX (upi_config_text_positions (c) - 2, 1));
  if (has_new (&caption, c, "grounding"))
    read_object (&caption, "grounding", "caption.grounding.", NULL);
}

static UpiCalibration
read_calibration_of (Reader *calibration, const gchar *key, const gchar *path)
{
  Reader r = read_object (calibration, key, path, KEYS ("scale", "offset"));
  UpiCalibration result = { read_float (&r, "scale", 1e-6, 1e6), read_float (&r, "offset", -1e6, 1e6) };

  return result;
}

static void
read_calibration (Reader *root, UpiConfig *c)
{
  Reader r;

  c->has_calibration = has_new (root, c, "calibration");
  if (!c->has_calibration)
    return;
  r = read_object (root, "calibration", "calibration.", KEYS ("image", "regions"));
  c->calibration.image = read_calibration_of (&r, "image", "calibration.image.");
  c->calibration.regions = read_calibration_of (&r, "regions", "calibration.regions.");
}

static void
read_tasks (Reader *root, UpiConfig *c)
{
  Reader r = read_object (root, "tasks", "tasks.", KEYS ("detection", "classification", "captioning", "retrieval"));
  Reader detection = read_object (&r, "detection", "tasks.detection.", KEYS ("temperature", "bias", "foreground_weight"));
  Reader classification = read_object (&r, "classification", "tasks.classification.", KEYS ("temperature"));
  Reader captioning = read_object (&r, "captioning", "tasks.captioning.", KEYS ("temperature"));
  Reader retrieval = read_object (&r, "retrieval", "tasks.retrieval.", KEYS ("temperature"));

  c->tasks.detection.temperature = read_float (&detection, "temperature", 1e-4, 1e3);
  c->tasks.detection.bias = read_float (&detection, "bias", -1e3, 1e3);
  c->tasks.detection.foreground_weight = read_float (&detection, "foreground_weight", 0, 1);
  c->tasks.classification.temperature = read_float (&classification, "temperature", 1e-4, 1e3);
  c->tasks.captioning.temperature = read_float (&captioning, "temperature", 1e-4, 1e3);
  c->tasks.retrieval.temperature = read_float (&retrieval, "temperature", 1e-4, 1e3);
}

static void
read_labels (Reader *root, UpiConfig *c)
{
  JsonArray *array = read_array (root, "labels", 0, 1 << 20);
  g_autoptr (GPtrArray) labels = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; array && i < json_array_get_length (array); i++) {
    JsonNode *node = json_array_get_element (array, i);
    if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING || *json_node_get_string (node) == '\0') {
      g_autofree gchar *found = spell (node);
      fail (root, "labels", "holds %s, expected strings that are not empty", found);
      return;
    }
    g_ptr_array_add (labels, g_strdup (json_node_get_string (node)));
  }
  g_ptr_array_add (labels, NULL);
  c->labels = (gchar **) g_ptr_array_free (g_steal_pointer (&labels), FALSE);
}

/* ---- the file -------------------------------------------------------------------------------------------------------------------- */

UpiConfig *
upi_config_parse (const gchar *json, gssize length, const gchar *file, GError **error)
{
  g_autoptr (UpiConfig) c = NULL;
  g_autoptr (JsonParser) parser = NULL;
  GError *cause = NULL;
  Reader root = { file, "", NULL, &cause };

  parser = upi_json_parse (json, length < 0 ? strlen (json) : (gsize) length, 16, file, error);
  if (!parser)
    return NULL;
  c = g_new0 (UpiConfig, 1);
  root.object = json_node_get_object (json_parser_get_root (parser));
  /* the version first: another one may well have other keys */
  c->format_version = read_int (&root, "format_version", UPI_CONFIG_OLDEST_VERSION, UPI_CONFIG_FORMAT_VERSION);
  check_keys (&root,
      KEYS ("format_version", "name", "input", "backbone", "d", "heads", "points", "levels", "region_ffn", "pixel_encoder", "query",
          "region_decoder", "mask", "global", "decoder", "text", "caption", "tasks", "calibration", "labels", "threshold"));
  c->name = g_strdup (read_string (&root, "name"));
  read_input (&root, c);
  read_region_parts (&root, c);
  read_decoder (&root, c);
  read_text (&root, c);
  read_tasks (&root, c);
  read_calibration (&root, c);
  read_labels (&root, c);
  c->threshold = read_float (&root, "threshold", 0, 1);
  if (cause) {
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
    g_set_error (error, UPI_ERROR, UPI_ERROR_MODEL, "%s: %s; a model is a directory with config.json, *.safetensors and tokenizer files",
        file, cause->message);
    return NULL;
  }
  return upi_config_parse (text, (gssize) length, file, error);
}

void
upi_config_free (UpiConfig *c)
{
  if (!c)
    return;
  g_free (c->name);
  g_free (c->input.sizes);
  for (guint i = 0; i < UPI_N_ATTRIBUTES; i++)
    g_free (c->decoder.attributes[i]);
  g_strfreev (c->labels);
  g_free (c);
}

gint
upi_config_text_positions (const UpiConfig *c)
{
  return c->text.positions - (c->text.kind == UPI_TEXT_ROBERTA ? 2 : 0);
}
